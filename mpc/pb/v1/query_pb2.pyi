from mpc.pb.v1 import columns_pb2 as _columns_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryRequest(_message.Message):
    __slots__ = ("catalog", "segment", "blinded", "end")
    CATALOG_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    BLINDED_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    catalog: QueryCatalog
    segment: QuerySegment
    blinded: QueryBlinded
    end: QueryEnd
    def __init__(self, catalog: _Optional[_Union[QueryCatalog, _Mapping]] = ..., segment: _Optional[_Union[QuerySegment, _Mapping]] = ..., blinded: _Optional[_Union[QueryBlinded, _Mapping]] = ..., end: _Optional[_Union[QueryEnd, _Mapping]] = ...) -> None: ...

class QueryCatalog(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class QuerySegment(_message.Message):
    __slots__ = ("version", "offset")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    version: int
    offset: int
    def __init__(self, version: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class QueryBlinded(_message.Message):
    __slots__ = ("public_key", "total", "elements")
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    public_key: bytes
    total: int
    elements: _columns_pb2.Column
    def __init__(self, public_key: _Optional[bytes] = ..., total: _Optional[int] = ..., elements: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ...) -> None: ...

class QueryEnd(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class QueryAnswer(_message.Message):
    __slots__ = ("offer", "chunk", "evaluated", "refused")
    OFFER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    offer: QueryOffer
    chunk: QueryChunk
    evaluated: QueryEvaluated
    refused: QueryRefused
    def __init__(self, offer: _Optional[_Union[QueryOffer, _Mapping]] = ..., chunk: _Optional[_Union[QueryChunk, _Mapping]] = ..., evaluated: _Optional[_Union[QueryEvaluated, _Mapping]] = ..., refused: _Optional[_Union[QueryRefused, _Mapping]] = ...) -> None: ...

class QueryOffer(_message.Message):
    __slots__ = ("headers",)
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    headers: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, headers: _Optional[_Iterable[bytes]] = ...) -> None: ...

class QueryChunk(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class QueryEvaluated(_message.Message):
    __slots__ = ("elements", "proof", "newest")
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    elements: _columns_pb2.Column
    proof: bytes
    newest: int
    def __init__(self, elements: _Optional[_Union[_columns_pb2.Column, _Mapping]] = ..., proof: _Optional[bytes] = ..., newest: _Optional[int] = ...) -> None: ...

class QueryRefused(_message.Message):
    __slots__ = ("limit", "allowed", "retry_seconds")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    RETRY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    limit: str
    allowed: int
    retry_seconds: float
    def __init__(self, limit: _Optional[str] = ..., allowed: _Optional[int] = ..., retry_seconds: _Optional[float] = ...) -> None: ...
