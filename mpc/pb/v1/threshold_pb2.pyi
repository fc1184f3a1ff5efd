from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ThresholdTerms(_message.Message):
    __slots__ = ("asker", "output", "threshold", "since", "weights", "keys")
    class WeightsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ASKER_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    asker: str
    output: str
    threshold: int
    since: str
    weights: _containers.ScalarMap[str, int]
    keys: int
    def __init__(self, asker: _Optional[str] = ..., output: _Optional[str] = ..., threshold: _Optional[int] = ..., since: _Optional[str] = ..., weights: _Optional[_Mapping[str, int]] = ..., keys: _Optional[int] = ...) -> None: ...

class ThresholdAccepted(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ThresholdDone(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
