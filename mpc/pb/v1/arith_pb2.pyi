from mpc.pb.v1 import columns_pb2 as _columns_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SeedHalf(_message.Message):
    __slots__ = ("seed",)
    SEED_FIELD_NUMBER: _ClassVar[int]
    seed: bytes
    def __init__(self, seed: _Optional[bytes] = ...) -> None: ...

class Opening(_message.Message):
    __slots__ = ("step", "words")
    STEP_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    step: str
    words: _columns_pb2.Column
    def __init__(self, step: _Optional[str] = ..., words: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class HandedShares(_message.Message):
    __slots__ = ("words",)
    WORDS_FIELD_NUMBER: _ClassVar[int]
    words: _columns_pb2.Column
    def __init__(self, words: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class EncryptedShares(_message.Message):
    __slots__ = ("public_key", "ciphertexts")
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    CIPHERTEXTS_FIELD_NUMBER: _ClassVar[int]
    public_key: bytes
    ciphertexts: _columns_pb2.Column
    def __init__(self, public_key: _Optional[bytes] = ..., ciphertexts: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class MaskedCiphertexts(_message.Message):
    __slots__ = ("ciphertexts",)
    CIPHERTEXTS_FIELD_NUMBER: _ClassVar[int]
    ciphertexts: _columns_pb2.Column
    def __init__(self, ciphertexts: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...
