# SPDX-License-Identifier: Apache-2.0
"""Round-trip time and throughput of the gRPC link between two processes.

Beside it, in the same run and between the same two processes: raw TCP with one socket, which is
the floor, and a bare unary call of grpcio in plaintext, which is what one would write without this
library. "link" moves opaque frames, "channel" arrays in protobuf messages. Every way is asked once
for the SHA-256 of what arrived.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import secrets
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol

import numpy as np

from mpc.net.channel import Channel
from mpc.net.columns import pack, unpack
from mpc.net.grpc_link import Endpoint
from mpc.net.link import Frame, Link
from mpc.net.peer import Address, Peer
from mpc.net.runtime import grpc
from mpc.net.tls import load_identity, load_pinned, make_identity
from mpc.pb.v1.columns_pb2 import Column

from ._options import several, whole
from .harness.timing import turns
from .record import Record, middle

QUICK = "--megabytes 16 --round-trips 50 --repeat 3"
SWEEP = "--message-kb 4,64,1024,16384 --megabytes 32 --repeat 3"
GROWS_WITH = (("message_kb",),)

_HERE, _THERE = "near", "far"
_LOOPBACK = "127.0.0.1"
_SECONDS = 60.0
# What precedes each measurement: what the far side does with the next messages, and how many.
_ORDER = struct.Struct("<cQ")
_ECHO, _TAKE, _HASH, _STOP = b"e", b"t", b"h", b"s"
_UNARY = "/benchmark/Unary"
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sizes of the measurements."""
    parser.add_argument("--megabytes", type=whole, default=256, help="sent for one throughput")
    parser.add_argument("--message-kb", type=several, default="4096", help="sizes of one message")
    parser.add_argument("--round-trips", type=whole, default=500, help="for one round-trip time")
    parser.add_argument("--repeat", type=whole, default=5, help="measurements of each")


def run(options: argparse.Namespace) -> list[Record]:
    """Measure every way in turn, again and again, so that other load on the machine meets all."""
    messages = {kb: secrets.token_bytes(kb << 10) for kb in options.message_kb}
    rates: dict[int, dict[str, list[float]]] = {kb: {n: [] for n in WAYS} for kb in messages}
    trips: dict[str, list[float]] = {name: [] for name in WAYS}
    series = {f"{name}, {kb} kB": r for kb, own in rates.items() for name, r in own.items()} | trips
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        for name in (_HERE, _THERE):
            make_identity(name, Path(folder))
        ways = {n: stack.enter_context(connect(Path(folder))) for n, connect in WAYS.items()}
        right = {n: all(carries(way, m) for m in messages.values()) for n, way in ways.items()}
        for _ in turns(series, at_least=options.repeat):
            for name, way in ways.items():
                for kb, message in messages.items():
                    count = max(1, options.megabytes * 1_000_000 // len(message))
                    seconds = timed(partial(way.push, message, count))
                    rates[kb][name].append(count * len(message) / 1e6 / seconds)
                seconds = timed(partial(way.echo, options.round_trips))
                trips[name].append(1e3 * seconds / options.round_trips)
    records = _records("link.round_trip", "ms", {}, trips, right)
    for kb, own in rates.items():
        records += _records("link.throughput", "MB/s", {"message_kb": kb}, own, right)
    return records


def carries(way: Way, message: bytes) -> bool:
    """Whether what was sent is what arrives."""
    return way.digest(message) == hashlib.sha256(message).digest()


def _records(
    benchmark: str,
    unit: str,
    params: dict[str, object],
    measured: dict[str, list[float]],
    right: dict[str, bool],
) -> list[Record]:
    records = []
    for way, values in measured.items():
        median, spread = middle(values)
        ours = way not in ("tcp", "grpc unary")
        records.append(
            Record(
                benchmark=benchmark,
                params={"way": way, **params},
                unit=unit,
                median=median,
                spread=spread,
                floor=("tcp", median / middle(measured["tcp"])[0]) if ours else None,
                peers={"grpc unary": median / middle(measured["grpc unary"])[0]} if ours else None,
                checked=right[way],
            )
        )
    return records


def timed(work: Callable[[], None]) -> float:
    """How many seconds it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


class Way(Protocol):
    """What is measured, from the near side."""

    def echo(self, count: int) -> None:
        """``count`` round trips of one byte."""
        ...

    def push(self, message: bytes, count: int) -> None:
        """Send ``message`` ``count`` times and return when all of it has arrived."""
        ...

    def digest(self, message: bytes) -> bytes:
        """SHA-256 of what arrives when ``message`` is sent."""
        ...


class Wire(Protocol):
    """One end of an ordered two-way connection that keeps messages apart."""

    def send(self, message: bytes) -> None: ...

    def receive(self) -> Frame: ...


class OverWire:
    """The measurements, from the near side of a ``Wire`` whose far side runs ``_answer``."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def echo(self, count: int) -> None:
        self._wire.send(_ORDER.pack(_ECHO, count))
        for _ in range(count):
            self._wire.send(b"x")
            self._wire.receive()

    def push(self, message: bytes, count: int) -> None:
        self._wire.send(_ORDER.pack(_TAKE, count))
        for _ in range(count):
            self._wire.send(message)
        self._wire.receive()

    def digest(self, message: bytes) -> bytes:
        self._wire.send(_ORDER.pack(_HASH, 1))
        self._wire.send(message)
        return bytes(self._wire.receive())

    def stop(self) -> None:
        """End the far side."""
        self._wire.send(_ORDER.pack(_STOP, 0))


def _answer(wire: Wire) -> None:
    while True:
        order, count = _ORDER.unpack(wire.receive())
        if order == _STOP:
            return
        for _ in range(count):
            message = wire.receive()
            if order == _ECHO:
                wire.send(bytes(message))
        if order == _TAKE:
            wire.send(b"done")
        elif order == _HASH:
            wire.send(hashlib.sha256(message).digest())


class OverTcp:
    """Raw TCP: eight bytes of length, and the message."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(_SECONDS)
        self._connection = connection

    def send(self, message: bytes) -> None:
        if len(message) < 4096:
            self._connection.sendall(len(message).to_bytes(8, "little") + message)
        else:
            self._connection.sendall(len(message).to_bytes(8, "little"))
            self._connection.sendall(message)

    def receive(self) -> Frame:
        return self._exactly(int.from_bytes(self._exactly(8), "little"))

    def _exactly(self, size: int) -> memoryview:
        filled, view = 0, np.empty(size, np.uint8).data
        while filled < size:
            got = self._connection.recv_into(view[filled:])
            if not got:
                raise EOFError
            filled += got
        return view


class OverLink:
    """A link of this library."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def send(self, message: bytes) -> None:
        self._link.put(message, _SECONDS)

    def receive(self) -> Frame:
        return self._link.get(_SECONDS)


class OverChannel:
    """A typed channel over a link: arrays packed into messages, and read from them."""

    def __init__(self, link: Link) -> None:
        self._channel = Channel(link, timeout=_SECONDS)

    def send(self, message: bytes) -> None:
        self._channel.send(Column(**pack(np.frombuffer(message, np.uint8))))

    def receive(self) -> Frame:
        column = self._channel.recv(Column)
        return unpack(column, width=1, peer=self._channel.peer).reshape(-1).data


class Unary:
    """A plain call of grpcio for every message, one after the other."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._call = channel.unary_unary(_UNARY)

    def echo(self, count: int) -> None:
        for _ in range(count):
            self._call(b"x", timeout=_SECONDS)

    def push(self, message: bytes, count: int) -> None:
        for _ in range(count):
            self._call(message, timeout=_SECONDS)

    def digest(self, message: bytes) -> bytes:
        return self._call(message, timeout=_SECONDS, metadata=(("hash", "yes"),))


# The two sides of each way: the far one runs in a process of its own and reports its port.


def _far_tcp(port: Connection, _folder: Path) -> None:
    with socket.create_server((_LOOPBACK, 0)) as server:
        port.send(server.getsockname()[1])
        connection, _ = server.accept()
        with connection:
            _answer(OverTcp(connection))


@contextmanager
def _near_tcp(port: int, _folder: Path) -> Iterator[OverWire]:
    with socket.create_connection((_LOOPBACK, port)) as connection:
        way = OverWire(OverTcp(connection))
        yield way
        way.stop()


def _endpoint(name: str, other: str, folder: Path, insecure: bool, port: int | None) -> Endpoint:
    address = None if port is None else Address(_LOOPBACK, port)
    identity = load_identity(name, folder / f"{name}.key", folder / f"{name}.crt")
    peer = Peer(other, address, load_pinned(other, folder / f"{other}.crt"))
    listen = Address(_LOOPBACK, 0) if port is None else None
    return Endpoint(name, [peer], identity=identity, listen=listen, insecure=insecure)


def _far_link(
    port: Connection, folder: Path, *, insecure: bool, over: Callable[[Link], Wire]
) -> None:
    with closing(_endpoint(_THERE, _HERE, folder, insecure, None)) as endpoint:
        assert endpoint.address is not None
        port.send(endpoint.address.port)
        with closing(endpoint.connect(_HERE)) as link:
            _answer(over(link))


@contextmanager
def _near_link(
    port: int, folder: Path, *, insecure: bool, over: Callable[[Link], Wire]
) -> Iterator[OverWire]:
    with (
        closing(_endpoint(_HERE, _THERE, folder, insecure, port)) as endpoint,
        closing(endpoint.connect(_THERE)) as link,
    ):
        way = OverWire(over(link))
        yield way
        way.stop()


def _far_unary(port: Connection, _folder: Path) -> None:
    def answer(message: bytes, context: grpc.ServicerContext) -> bytes:
        if ("hash", "yes") in tuple(context.invocation_metadata()):
            return hashlib.sha256(message).digest()
        return message if len(message) < 64 else b"done"

    server = grpc.server(ThreadPoolExecutor(1), options=_UNLIMITED)
    service, method = _UNARY.strip("/").split("/")
    handler = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {method: handler}),)
    )
    port.send(server.add_insecure_port(f"{_LOOPBACK}:0"))
    server.start()
    port.recv()
    server.stop(None).wait()


@contextmanager
def _near_unary(port: int, _folder: Path) -> Iterator[Unary]:
    with grpc.insecure_channel(f"{_LOOPBACK}:{port}", options=_UNLIMITED) as channel:
        yield Unary(channel)


Far = Callable[[Connection, Path], None]
Near = Callable[[int, Path], AbstractContextManager[Way]]


@contextmanager
def _between_processes(far: Far, near: Near, folder: Path) -> Iterator[Way]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=far, args=(theirs, folder))
    process.start()
    try:
        if not ours.poll(_SECONDS):
            raise TimeoutError("the far side did not start")
        with near(ours.recv(), folder) as way:
            yield way
        ours.send("stop")
        process.join(_SECONDS)
    finally:
        process.kill()
        process.join()


_plain_link = {"insecure": True, "over": OverLink}
_tls_link = {"insecure": False, "over": OverLink}
_tls_channel = {"insecure": False, "over": OverChannel}

WAYS: dict[str, Callable[[Path], AbstractContextManager[Way]]] = {
    name: partial(_between_processes, far, near)
    for name, far, near in (
        ("tcp", _far_tcp, _near_tcp),
        ("grpc unary", _far_unary, _near_unary),
        ("link", partial(_far_link, **_plain_link), partial(_near_link, **_plain_link)),
        ("link tls", partial(_far_link, **_tls_link), partial(_near_link, **_tls_link)),
        ("channel tls", partial(_far_link, **_tls_channel), partial(_near_link, **_tls_channel)),
    )
}
