from mpc.pb.v1 import columns_pb2 as _columns_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LookupOffer(_message.Message):
    __slots__ = ("role", "order", "count", "columns", "fraction_bits", "value_bytes", "nonce", "unmasked")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    FRACTION_BITS_FIELD_NUMBER: _ClassVar[int]
    VALUE_BYTES_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    UNMASKED_FIELD_NUMBER: _ClassVar[int]
    role: str
    order: str
    count: int
    columns: int
    fraction_bits: int
    value_bytes: int
    nonce: bytes
    unmasked: bool
    def __init__(self, role: _Optional[str] = ..., order: _Optional[str] = ..., count: _Optional[int] = ..., columns: _Optional[int] = ..., fraction_bits: _Optional[int] = ..., value_bytes: _Optional[int] = ..., nonce: _Optional[bytes] = ..., unmasked: bool = ...) -> None: ...

class LookupLayout(_message.Message):
    __slots__ = ("key", "seed", "rows")
    KEY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    seed: bytes
    rows: bytes
    def __init__(self, key: _Optional[bytes] = ..., seed: _Optional[bytes] = ..., rows: _Optional[bytes] = ...) -> None: ...

class LookupSecret(_message.Message):
    __slots__ = ("seed", "polynomials")
    SEED_FIELD_NUMBER: _ClassVar[int]
    POLYNOMIALS_FIELD_NUMBER: _ClassVar[int]
    seed: bytes
    polynomials: _columns_pb2.Column
    def __init__(self, seed: _Optional[bytes] = ..., polynomials: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class LookupMasked(_message.Message):
    __slots__ = ("answers",)
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    answers: _columns_pb2.Column
    def __init__(self, answers: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class LookupStore(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _columns_pb2.Column
    def __init__(self, values: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class LookupHintSeed(_message.Message):
    __slots__ = ("seed",)
    SEED_FIELD_NUMBER: _ClassVar[int]
    seed: bytes
    def __init__(self, seed: _Optional[bytes] = ...) -> None: ...

class LookupHint(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _columns_pb2.Column
    def __init__(self, values: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class LookupChoices(_message.Message):
    __slots__ = ("corrections",)
    CORRECTIONS_FIELD_NUMBER: _ClassVar[int]
    corrections: bytes
    def __init__(self, corrections: _Optional[bytes] = ...) -> None: ...

class LookupTables(_message.Message):
    __slots__ = ("tables",)
    TABLES_FIELD_NUMBER: _ClassVar[int]
    tables: _columns_pb2.Column
    def __init__(self, tables: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class LookupFlips(_message.Message):
    __slots__ = ("flips",)
    FLIPS_FIELD_NUMBER: _ClassVar[int]
    flips: _columns_pb2.Column
    def __init__(self, flips: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class LookupFactors(_message.Message):
    __slots__ = ("words", "bits")
    WORDS_FIELD_NUMBER: _ClassVar[int]
    BITS_FIELD_NUMBER: _ClassVar[int]
    words: _columns_pb2.Column
    bits: _columns_pb2.Column
    def __init__(self, words: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ..., bits: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...
