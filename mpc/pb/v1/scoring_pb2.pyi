from mpc.pb.v1 import columns_pb2 as _columns_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SeedShare(_message.Message):
    __slots__ = ("seed",)
    SEED_FIELD_NUMBER: _ClassVar[int]
    seed: bytes
    def __init__(self, seed: _Optional[bytes] = ...) -> None: ...

class EncryptedWeights(_message.Message):
    __slots__ = ("public_key", "weights", "rows")
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    public_key: bytes
    weights: _columns_pb2.Column
    rows: int
    def __init__(self, public_key: _Optional[bytes] = ..., weights: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ..., rows: _Optional[int] = ...) -> None: ...

class MaskedPartials(_message.Message):
    __slots__ = ("ciphertexts",)
    CIPHERTEXTS_FIELD_NUMBER: _ClassVar[int]
    ciphertexts: _columns_pb2.Column
    def __init__(self, ciphertexts: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class MaskedScores(_message.Message):
    __slots__ = ("modulus", "residues", "rows")
    MODULUS_FIELD_NUMBER: _ClassVar[int]
    RESIDUES_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    modulus: bytes
    residues: _columns_pb2.Column
    rows: int
    def __init__(self, modulus: _Optional[bytes] = ..., residues: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ..., rows: _Optional[int] = ...) -> None: ...

class MaskedWeights(_message.Message):
    __slots__ = ("words",)
    WORDS_FIELD_NUMBER: _ClassVar[int]
    words: _columns_pb2.Column
    def __init__(self, words: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class MaskedFeatures(_message.Message):
    __slots__ = ("rows", "words")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    rows: int
    words: _columns_pb2.Column
    def __init__(self, rows: _Optional[int] = ..., words: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class HighParts(_message.Message):
    __slots__ = ("words",)
    WORDS_FIELD_NUMBER: _ClassVar[int]
    words: _columns_pb2.Column
    def __init__(self, words: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...
