from mpc.pb.v1 import columns_pb2 as _columns_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CommonIds(_message.Message):
    __slots__ = ("total", "ids")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    total: int
    ids: _columns_pb2.Strings
    def __init__(self, total: _Optional[int] = ..., ids: _Optional[_Union[_columns_pb2.Strings, _Mapping]] = ...) -> None: ...
