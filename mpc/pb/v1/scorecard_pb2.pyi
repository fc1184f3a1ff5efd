from mpc.pb.v1 import columns_pb2 as _columns_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScoredRows(_message.Message):
    __slots__ = ("rows",)
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: int
    def __init__(self, rows: _Optional[int] = ...) -> None: ...

class Standardisation(_message.Message):
    __slots__ = ("names", "means", "scales")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    MEANS_FIELD_NUMBER: _ClassVar[int]
    SCALES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    means: _columns_pb2.Column
    scales: _columns_pb2.Column
    def __init__(self, names: _Optional[_Iterable[str]] = ..., means: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ..., scales: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class Bands(_message.Message):
    __slots__ = ("names", "starts")
    NAMES_FIELD_NUMBER: _ClassVar[int]
    STARTS_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    starts: _columns_pb2.Column
    def __init__(self, names: _Optional[_Iterable[str]] = ..., starts: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class BandNames(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...
