from mpc.pb.v1 import columns_pb2 as _columns_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PuncturedTrees(_message.Message):
    __slots__ = ("sums", "holes")
    SUMS_FIELD_NUMBER: _ClassVar[int]
    HOLES_FIELD_NUMBER: _ClassVar[int]
    sums: _columns_pb2.Column
    holes: _columns_pb2.Column
    def __init__(self, sums: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ..., holes: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class TreeChallenge(_message.Message):
    __slots__ = ("seed", "combined", "code")
    SEED_FIELD_NUMBER: _ClassVar[int]
    COMBINED_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    seed: bytes
    combined: bytes
    code: bytes
    def __init__(self, seed: _Optional[bytes] = ..., combined: _Optional[bytes] = ..., code: _Optional[bytes] = ...) -> None: ...

class TreeAnswer(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    def __init__(self, digest: _Optional[bytes] = ...) -> None: ...

class WordCorrections(_message.Message):
    __slots__ = ("differences",)
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    differences: _columns_pb2.Column
    def __init__(self, differences: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class WordHoles(_message.Message):
    __slots__ = ("holes",)
    HOLES_FIELD_NUMBER: _ClassVar[int]
    holes: _columns_pb2.Column
    def __init__(self, holes: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class WordCheck(_message.Message):
    __slots__ = ("seed", "combined", "commitment")
    SEED_FIELD_NUMBER: _ClassVar[int]
    COMBINED_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    seed: bytes
    combined: _columns_pb2.Column
    commitment: bytes
    def __init__(self, seed: _Optional[bytes] = ..., combined: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ..., commitment: _Optional[bytes] = ...) -> None: ...

class WordSums(_message.Message):
    __slots__ = ("sums",)
    SUMS_FIELD_NUMBER: _ClassVar[int]
    sums: _columns_pb2.Column
    def __init__(self, sums: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class WordOpening(_message.Message):
    __slots__ = ("nonce",)
    NONCE_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    def __init__(self, nonce: _Optional[bytes] = ...) -> None: ...
