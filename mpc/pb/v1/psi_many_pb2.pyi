from mpc.pb.v1 import columns_pb2 as _columns_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PsiManyHalf(_message.Message):
    __slots__ = ("half",)
    HALF_FIELD_NUMBER: _ClassVar[int]
    half: bytes
    def __init__(self, half: _Optional[bytes] = ...) -> None: ...

class PsiManyOffer(_message.Message):
    __slots__ = ("role", "count", "followers", "nonce")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FOLLOWERS_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    role: str
    count: int
    followers: _containers.RepeatedScalarFieldContainer[str]
    nonce: bytes
    def __init__(self, role: _Optional[str] = ..., count: _Optional[int] = ..., followers: _Optional[_Iterable[str]] = ..., nonce: _Optional[bytes] = ...) -> None: ...

class PsiManySeed(_message.Message):
    __slots__ = ("seed",)
    SEED_FIELD_NUMBER: _ClassVar[int]
    seed: bytes
    def __init__(self, seed: _Optional[bytes] = ...) -> None: ...

class PsiManyHint(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _columns_pb2.Column
    def __init__(self, values: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...
