from mpc.pb.v1 import columns_pb2 as _columns_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TransferKey(_message.Message):
    __slots__ = ("point",)
    POINT_FIELD_NUMBER: _ClassVar[int]
    point: bytes
    def __init__(self, point: _Optional[bytes] = ...) -> None: ...

class TransferChoices(_message.Message):
    __slots__ = ("pairs",)
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    pairs: _columns_pb2.Column
    def __init__(self, pairs: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class CorrelatedRows(_message.Message):
    __slots__ = ("corrections", "bits_tag", "column_tags")
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    BITS_TAG_FIELD_NUMBER: _ClassVar[int]
    COLUMN_TAGS_FIELD_NUMBER: _ClassVar[int]
    corrections: _columns_pb2.Column
    bits_tag: bytes
    column_tags: _columns_pb2.Column
    def __init__(self, corrections: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ..., bits_tag: _Optional[bytes] = ..., column_tags: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...
