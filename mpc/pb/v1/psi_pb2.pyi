from mpc.pb.v1 import columns_pb2 as _columns_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PsiDhParameters(_message.Message):
    __slots__ = ("role", "group", "label", "tag_bytes", "block_items", "count")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    TAG_BYTES_FIELD_NUMBER: _ClassVar[int]
    BLOCK_ITEMS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    role: str
    group: str
    label: str
    tag_bytes: int
    block_items: int
    count: int
    def __init__(self, role: _Optional[str] = ..., group: _Optional[str] = ..., label: _Optional[str] = ..., tag_bytes: _Optional[int] = ..., block_items: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class PsiDhMasked(_message.Message):
    __slots__ = ("points",)
    POINTS_FIELD_NUMBER: _ClassVar[int]
    points: _columns_pb2.Column
    def __init__(self, points: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class PsiDhTags(_message.Message):
    __slots__ = ("tags",)
    TAGS_FIELD_NUMBER: _ClassVar[int]
    tags: _columns_pb2.Column
    def __init__(self, tags: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...
