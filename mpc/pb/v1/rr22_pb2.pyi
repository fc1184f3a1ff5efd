from mpc.pb.v1 import columns_pb2 as _columns_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IntersectOffer(_message.Message):
    __slots__ = ("role", "security", "to_both", "bound", "memory", "nonce", "run", "done")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    SECURITY_FIELD_NUMBER: _ClassVar[int]
    TO_BOTH_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    role: str
    security: str
    to_both: bool
    bound: int
    memory: int
    nonce: bytes
    run: bytes
    done: int
    def __init__(self, role: _Optional[str] = ..., security: _Optional[str] = ..., to_both: bool = ..., bound: _Optional[int] = ..., memory: _Optional[int] = ..., nonce: _Optional[bytes] = ..., run: _Optional[bytes] = ..., done: _Optional[int] = ...) -> None: ...

class IntersectSeed(_message.Message):
    __slots__ = ("seed",)
    SEED_FIELD_NUMBER: _ClassVar[int]
    seed: bytes
    def __init__(self, seed: _Optional[bytes] = ...) -> None: ...

class IntersectCommitment(_message.Message):
    __slots__ = ("commitment",)
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    commitment: bytes
    def __init__(self, commitment: _Optional[bytes] = ...) -> None: ...

class IntersectStore(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _columns_pb2.Column
    def __init__(self, values: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class IntersectShare(_message.Message):
    __slots__ = ("share",)
    SHARE_FIELD_NUMBER: _ClassVar[int]
    share: bytes
    def __init__(self, share: _Optional[bytes] = ...) -> None: ...

class IntersectTags(_message.Message):
    __slots__ = ("tags",)
    TAGS_FIELD_NUMBER: _ClassVar[int]
    tags: _columns_pb2.Column
    def __init__(self, tags: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class IntersectReplies(_message.Message):
    __slots__ = ("replies",)
    REPLIES_FIELD_NUMBER: _ClassVar[int]
    replies: _columns_pb2.Column
    def __init__(self, replies: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...
