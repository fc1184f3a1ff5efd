from mpc.pb.v1 import columns_pb2 as _columns_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OprfParameters(_message.Message):
    __slots__ = ("suite", "mode", "public_key", "block_items")
    SUITE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    BLOCK_ITEMS_FIELD_NUMBER: _ClassVar[int]
    suite: str
    mode: int
    public_key: bytes
    block_items: int
    def __init__(self, suite: _Optional[str] = ..., mode: _Optional[int] = ..., public_key: _Optional[bytes] = ..., block_items: _Optional[int] = ...) -> None: ...

class OprfRequest(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class OprfBlinded(_message.Message):
    __slots__ = ("elements",)
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    elements: _columns_pb2.Column
    def __init__(self, elements: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class OprfEvaluated(_message.Message):
    __slots__ = ("elements", "proof")
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    elements: _columns_pb2.Column
    proof: bytes
    def __init__(self, elements: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ..., proof: _Optional[bytes] = ...) -> None: ...
