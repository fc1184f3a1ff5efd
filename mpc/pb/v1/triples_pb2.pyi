from mpc.pb.v1 import columns_pb2 as _columns_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChoiceFlips(_message.Message):
    __slots__ = ("flips",)
    FLIPS_FIELD_NUMBER: _ClassVar[int]
    flips: _columns_pb2.Column
    def __init__(self, flips: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class MaskedFactors(_message.Message):
    __slots__ = ("factors",)
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    factors: _columns_pb2.Column
    def __init__(self, factors: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class MatrixCorrection(_message.Message):
    __slots__ = ("rows",)
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: _columns_pb2.Column
    def __init__(self, rows: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class DealerHello(_message.Message):
    __slots__ = ("parties",)
    PARTIES_FIELD_NUMBER: _ClassVar[int]
    parties: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, parties: _Optional[_Iterable[str]] = ...) -> None: ...

class DealerSeed(_message.Message):
    __slots__ = ("seed",)
    SEED_FIELD_NUMBER: _ClassVar[int]
    seed: bytes
    def __init__(self, seed: _Optional[bytes] = ...) -> None: ...

class CorrelationRequest(_message.Message):
    __slots__ = ("kind", "parameters", "count")
    KIND_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    parameters: _containers.RepeatedScalarFieldContainer[int]
    count: int
    def __init__(self, kind: _Optional[str] = ..., parameters: _Optional[_Iterable[int]] = ..., count: _Optional[int] = ...) -> None: ...

class Correction(_message.Message):
    __slots__ = ("words",)
    WORDS_FIELD_NUMBER: _ClassVar[int]
    words: _columns_pb2.Column
    def __init__(self, words: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class Inventory(_message.Message):
    __slots__ = ("run", "digest", "unused")
    RUN_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    UNUSED_FIELD_NUMBER: _ClassVar[int]
    run: bytes
    digest: bytes
    unused: bytes
    def __init__(self, run: _Optional[bytes] = ..., digest: _Optional[bytes] = ..., unused: _Optional[bytes] = ...) -> None: ...

class RunName(_message.Message):
    __slots__ = ("part",)
    PART_FIELD_NUMBER: _ClassVar[int]
    part: bytes
    def __init__(self, part: _Optional[bytes] = ...) -> None: ...
