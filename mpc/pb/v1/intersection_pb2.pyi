from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class SetSize(_message.Message):
    __slots__ = ("items", "small")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    SMALL_FIELD_NUMBER: _ClassVar[int]
    items: int
    small: int
    def __init__(self, items: _Optional[int] = ..., small: _Optional[int] = ...) -> None: ...
