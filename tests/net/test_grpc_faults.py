# SPDX-License-Identifier: Apache-2.0
"""Peers in other processes that die, freeze, lie or are interrupted, and strangers' bytes."""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import subprocess
import threading
import time
import weakref
from functools import partial

import pytest
from link_pairs import PROMPTLY, within
from net_parties import LOOPBACK, Parties, both, process

from mpc.errors import (
    MessageTooLarge,
    PeerAborted,
    PeerClosed,
    PeerTimeout,
    ProtocolError,
)
from mpc.net.channel import Channel
from mpc.net.grpc_link import Endpoint
from mpc.net.peer import Peer
from mpc.net.runtime import grpc
from mpc.net.stream import StreamLink
from mpc.pb.v1.columns_pb2 import Column
from mpc.pb.v1.link_pb2 import Chunk

MIB = 1 << 20

# Dials as ada and sends what it is told to, chunk by chunk, below the level of frames.
# Two threads of it speak, so a line is one write: the two of ``print`` may be interleaved.
RAW_CALLER = """
import sys, time
import grpc
from mpc.pb.v1.link_pb2 import Chunk
def say(line):
    sys.stdout.write(line + "\\n")
    sys.stdout.flush()
def messages():
    yield from [eval(text) for text in sys.argv[2:]]
    say("sent")
    time.sleep(60)
channel = grpc.insecure_channel(sys.argv[1])
call = channel.stream_stream("/mpc.v1.Link/Carry")
said = (("mpc-from", "ada"), ("mpc-to", "bob"), ("mpc-listens", "no"))
for answer in call(messages(), metadata=said):
    say("got " + answer.hex())
"""

# A party of its own that listens as bob in plaintext and does what it is told to with the link.
LISTENER = """
import sys, time
from mpc.net.channel import Channel
from mpc.net.grpc_link import Endpoint
from mpc.net.peer import Address, Peer
from mpc.pb.v1.columns_pb2 import Column
endpoint = Endpoint("bob", [Peer("ada")], listen=Address("127.0.0.1", 0), insecure=True)
print(endpoint.address, flush=True)
link = endpoint.connect("ada")
print("connected", flush=True)
exec(sys.argv[1])
"""


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def _answer(child: subprocess.Popen[str]) -> Chunk:
    """The next that ``RAW_CALLER`` got; what another thread of it says may come before."""
    line = _line(child)
    while line and not line.startswith("got "):
        line = _line(child)
    return Chunk.FromString(bytes.fromhex(line.removeprefix("got ")))


@pytest.fixture
def bob() -> Endpoint:
    endpoint = Endpoint("bob", [Peer("ada")], listen=LOOPBACK, insecure=True)
    yield endpoint
    endpoint.close()


def _connect(child: subprocess.Popen[str]) -> tuple[Endpoint, StreamLink]:
    """Our link, as ada, to a child that runs ``LISTENER``."""
    from mpc.net.peer import Address

    ada = Endpoint("ada", [Peer("bob", Address.parse(_line(child)))], insecure=True)
    link = ada.connect("bob")
    assert _line(child) == "connected"
    return ada, link


def test_a_caller_killed_in_the_middle_of_a_message(bob: Endpoint) -> None:
    half = f"Chunk(size={10 * MIB}, data=bytes({MIB})).SerializeToString()"
    with process(RAW_CALLER, bob.address, half) as child:
        link = bob.connect("ada")
        assert _line(child) == "sent"
        threading.Timer(0.3, partial(os.kill, child.pid, signal.SIGKILL)).start()
        begun = time.monotonic()
        with pytest.raises(PeerClosed, match="ada: the connection was lost"):
            link.get(30)
        within(PROMPTLY, begun)
        with pytest.raises(PeerClosed, match="ada: the connection was lost"):
            link.put(b"x", 30)


@pytest.mark.parametrize("busy", ["link.put(bytes(800_000_000)); time.sleep(60)", "time.sleep(60)"])
def test_a_listener_killed(busy: str) -> None:
    with process(LISTENER, busy) as child:
        ada, link = _connect(child)
        threading.Timer(0.2, partial(os.kill, child.pid, signal.SIGKILL)).start()
        begun = time.monotonic()
        with pytest.raises(PeerClosed, match="bob: the connection was lost"):
            link.get(30)
        within(PROMPTLY, begun)
        ada.close()


def test_a_peer_killed_while_we_wait_to_put() -> None:
    with process(LISTENER, "time.sleep(60)") as child:
        ada, link = _connect(child)
        threading.Timer(0.5, partial(os.kill, child.pid, signal.SIGKILL)).start()
        begun = time.monotonic()
        with pytest.raises(PeerClosed, match="bob: the connection was lost"):
            _flood(link)
        within(PROMPTLY, begun)
        ada.close()


def _flood(link: StreamLink) -> None:
    for _ in range(1000):
        link.put(bytes(4 * MIB), 30)


def test_a_frozen_peer() -> None:
    with process(LISTENER, "time.sleep(60)") as child:
        ada, link = _connect(child)
        os.kill(child.pid, signal.SIGSTOP)
        with pytest.raises(PeerTimeout, match=r"bob: sent nothing for 0\.3 s"):
            link.get(0.3)
        with pytest.raises(PeerTimeout, match="bob: took nothing for 1 s"):
            [link.put(bytes(16 * MIB), 1) for _ in range(100)]
        begun = time.monotonic()
        with pytest.raises(PeerTimeout, match=r"bob: did not take all that was sent within 0\.5 s"):
            link.close(0.5)
        within(PROMPTLY, begun)
        # gRPC ends its thread when the system has given up on the socket, ten seconds at the most.
        child.kill()
        ada.close()


def test_a_peer_that_is_interrupted_tells_us() -> None:
    waiting = (
        "channel = Channel(link, timeout=60)\n"
        "try:\n"
        "    print('waiting', flush=True)\n"
        "    channel.recv(Column)\n"
        "except BaseException as error:\n"
        "    channel.abort(error)\n"
        "    endpoint.close()\n"
        "    import threading\n"
        "    print([thread.name for thread in threading.enumerate()], flush=True)\n"
        "    raise\n"
    )
    with process(LISTENER, waiting) as child:
        ada, link = _connect(child)
        assert _line(child) == "waiting"
        time.sleep(0.2)
        os.kill(child.pid, signal.SIGINT)
        with pytest.raises(PeerAborted, match="KeyboardInterrupt"):
            Channel(link, timeout=30).recv(Column)
        assert _line(child) == "['MainThread']"
        assert child.wait(30) != 0
        ada.close()


@pytest.mark.parametrize(
    ("chunks", "error", "text"),
    [
        (["b'\\xff\\xff garbage'"], ProtocolError, "that are no mpc.v1.Chunk"),
        (
            ["Chunk(size=5, data=b'ab').SerializeToString()", "Chunk(size=3).SerializeToString()"],
            ProtocolError,
            "began a message in the middle of another one",
        ),
        (["Chunk(size=5, data=b'abcdef').SerializeToString()"], ProtocolError, "sent 6 bytes of"),
        (
            ["Chunk(data=b'abc').SerializeToString()"],
            ProtocolError,
            "sent 3 bytes of a message of 0",
        ),
        (
            ["Chunk(size=5, data=b'ab').SerializeToString()", "b''"],
            ProtocolError,
            "sent 2 bytes of a message of 5",
        ),
        (
            [f"Chunk(size={1 << 62}, data=b'ab').SerializeToString()"],
            MessageTooLarge,
            f"announced a message of {1 << 62} bytes; the limit is {1 << 30}",
        ),
        (
            [
                "Chunk(size=5, data=b'ab').SerializeToString()",
                "Chunk(end=True).SerializeToString()",
            ],
            PeerClosed,
            "closed the link in the middle of a message",
        ),
        ([f"bytes({2 * MIB})"], PeerClosed, "the connection was lost"),
    ],
)
def test_a_peer_that_sends_nonsense(
    bob: Endpoint, chunks: list[str], error: type[Exception], text: str
) -> None:
    good = "Chunk(size=2, data=b'ok').SerializeToString()"
    with process(RAW_CALLER, bob.address, good, *chunks):
        link = bob.connect("ada")
        assert bytes(link.get(30)) == b"ok"
        begun = time.monotonic()
        with pytest.raises(error, match=f"^ada: .*{text}"):
            link.get(30)
        link.cancel()
        within(PROMPTLY, begun)


def test_an_announcement_alone_takes_no_memory(bob: Endpoint) -> None:
    announced = f"Chunk(size={1 << 30}, data=b'x').SerializeToString()"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with process(RAW_CALLER, bob.address, announced) as child:
        link = bob.connect("ada")
        assert _line(child) == "sent"
        with pytest.raises(PeerTimeout):
            link.get(0.5)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes
        link.cancel()


def test_after_an_oversized_announcement_the_peer_is_told_why(bob: Endpoint) -> None:
    announced = f"Chunk(size={1 << 40}, data=bytes({MIB})).SerializeToString()"
    with process(RAW_CALLER, bob.address, announced) as child:
        channel = Channel(bob.connect("ada"), timeout=30)
        with pytest.raises(MessageTooLarge) as caught:
            channel.recv(Column)
        threading.Thread(target=channel.abort, args=(caught.value,)).start()
        assert _answer(child).data == b"\1\x0fMessageTooLarge"
        assert _answer(child).end


def test_strangers_bytes_at_the_port_do_no_harm(parties: Parties) -> None:
    bob = parties.endpoint("bob", {"ada": None}, listen=LOOPBACK)
    assert bob.address is not None
    for noise in (b"", b"\0" * 1000, b"GET / HTTP/1.1\r\n\r\n", os.urandom(100_000)):
        with socket.create_connection((bob.address.host, bob.address.port), 30) as stranger:
            stranger.sendall(noise)
    ada = parties.endpoint("ada", {"bob": bob.address})
    left, right = both(partial(ada.connect, "bob"), partial(bob.connect, "ada"))
    left.put(b"still there", 30)
    assert bytes(right.get(30)) == b"still there"


def test_a_call_to_another_method(bob: Endpoint) -> None:
    with grpc.insecure_channel(str(bob.address)) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/mpc.v1.Link/Other")(b"", timeout=30)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_caller_that_left_before_it_was_asked_for_may_come_again(bob: Endpoint) -> None:
    with process(RAW_CALLER, bob.address, "b''") as child:
        assert _line(child) == "sent"
    ada = Endpoint("ada", [Peer("bob", bob.address)], insecure=True)
    left, right = both(partial(ada.connect, "bob"), partial(bob.connect, "ada"))
    left.put(b"again", 30)
    assert bytes(right.get(30)) == b"again"
    ada.close()


@pytest.mark.parametrize("ends", ["closed", "killed"])
def test_a_peer_whose_link_has_ended_may_come_again(bob: Endpoint, ends: str) -> None:
    kept: list[weakref.ref[StreamLink]] = []
    for turn in range(3):
        ada = Endpoint("ada", [Peer("bob", bob.address)], insecure=True)
        left, right = both(partial(ada.connect, "bob"), partial(bob.connect, "ada"))
        left.put(b"turn %d" % turn, 30)
        assert bytes(right.get(30)) == b"turn %d" % turn
        if ends == "closed":
            both(partial(left.close, 30), partial(right.close, 30))
        else:
            left.cancel()
            with pytest.raises(PeerClosed):
                right.get(30)
        ada.close()
        kept.append(weakref.ref(right))
        del left, right
    gc.collect()
    # Nothing of a session that is over stays with the endpoint, which may listen for months.
    assert [link() for link in kept] == [None] * 3
