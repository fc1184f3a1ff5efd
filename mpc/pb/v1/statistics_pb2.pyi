from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class StatisticsTerms(_message.Message):
    __slots__ = ("rows", "bound", "fraction_bits", "minimum", "to")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    FRACTION_BITS_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    rows: int
    bound: float
    fraction_bits: int
    minimum: int
    to: str
    def __init__(self, rows: _Optional[int] = ..., bound: _Optional[float] = ..., fraction_bits: _Optional[int] = ..., minimum: _Optional[int] = ..., to: _Optional[str] = ...) -> None: ...
