from mpc.pb.v1 import columns_pb2 as _columns_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PsiSumOffer(_message.Message):
    __slots__ = ("role", "count", "key", "fraction_bits")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    FRACTION_BITS_FIELD_NUMBER: _ClassVar[int]
    role: str
    count: int
    key: bytes
    fraction_bits: int
    def __init__(self, role: _Optional[str] = ..., count: _Optional[int] = ..., key: _Optional[bytes] = ..., fraction_bits: _Optional[int] = ...) -> None: ...

class PsiSumMasked(_message.Message):
    __slots__ = ("points", "values")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    points: _columns_pb2.Column
    values: _columns_pb2.Column
    def __init__(self, points: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ..., values: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class PsiSumTags(_message.Message):
    __slots__ = ("tags",)
    TAGS_FIELD_NUMBER: _ClassVar[int]
    tags: _columns_pb2.Column
    def __init__(self, tags: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class PsiSumTotal(_message.Message):
    __slots__ = ("total",)
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    total: _columns_pb2.Column
    def __init__(self, total: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...
