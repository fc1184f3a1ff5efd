# SPDX-License-Identifier: Apache-2.0
"""Typed messages to one peer and to many, and the roles of a protocol run side by side."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import ConfigError, PeerAborted, PeerClosed, PeerTimeout, ProtocolError
from mpc.net import columns, memory
from mpc.net.channel import Channel, encode
from mpc.net.handshake import digest
from mpc.net.mesh import Mesh
from mpc.net.session import Session
from mpc.net.traced import Traced
from mpc.pb.v1.arith_pb2 import Opening
from mpc.pb.v1.columns_pb2 import Column, Strings
from mpc.pb.v1.session_pb2 import Hello, Parameter
from mpc.testing import grpc_pair, run_mesh, run_pair, seeded

NAMES = ("bank", "tax", "power", "lender")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_protocol_error(frame: bytes) -> None:
    left, right = memory.pair()
    left.put(frame)
    said = "left: "
    try:
        Channel(right, timeout=1).recv(Column)
    except (ProtocolError, PeerAborted) as error:
        said = str(error)
    assert said.startswith("left: ")
    assert said.isprintable()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(300, dtype=np.uint64),
        np.arange(6, dtype=">i8"),
        np.arange(24, dtype=np.uint8).reshape(4, 6)[::2, ::3],
        np.arange(6, dtype=np.float64).reshape(2, 3).T,
        np.arange(5, dtype="<u2"),
        np.empty(0, np.uint64),
        np.empty((3, 0), np.uint64),
        np.zeros(1 << 17, np.uint64),
    ],
)
def test_a_bulk_column_is_written_as_protobuf_does(array: Any) -> None:
    whole = Opening(step="mul", words=columns.pack(array))
    assert encode(Opening(step="mul"), words=array) == encode(whole)

    def send(channel: Channel) -> None:
        channel.send(Opening(step="mul"), words=array)

    assert run_pair(send, lambda channel: channel.recv(Opening))[1] == whole


def test_what_is_no_bulk_column() -> None:
    for array in (np.array(["a"]), np.array(1)):
        with pytest.raises(TypeError, match="a column holds numbers"):
            encode(Opening(), words=array)
    with pytest.raises(KeyError, match="numbers"):
        encode(Opening(), numbers=np.arange(3))


@pytest.mark.parametrize("reason", [b"a b", b"", b"<script>", b"x" * 80, b"\xff\xfe", b"9lives"])
def test_a_reason_that_is_no_class_name_is_not_repeated(reason: bytes) -> None:
    left, right = memory.pair()
    left.put(b"\1" + bytes([len(reason)]) + reason)
    with pytest.raises(PeerAborted) as caught:
        Channel(right, timeout=1).recv(Column)
    assert caught.value.reason == "unknown"


def test_an_abort_passes_on_the_first_reason() -> None:
    left, right = memory.pair()
    Channel(left).abort(PeerAborted("third", "DataError"))
    with pytest.raises(PeerAborted) as caught:
        Channel(right, timeout=1).recv(Column)
    assert caught.value.reason == "DataError"


def test_an_abort_of_a_peer_that_has_left() -> None:
    left, right = memory.pair()
    right.close()
    Channel(left).abort(ValueError())
    with pytest.raises(PeerClosed):
        left.put(b"")


def test_sending_to_a_peer_that_left_without_a_word() -> None:
    left, right = memory.pair()
    right.put(b"\7 no frame of a channel")
    right.close()
    with pytest.raises(PeerClosed, match="right: closed the link"):
        Channel(left, timeout=1).send(Column())


def test_mesh_verbs() -> None:
    def role(mesh: Mesh) -> list[object]:
        me = mesh.me.encode()
        exchanged = mesh.exchange(Column(data=me))
        each = mesh.exchange({peer: Strings(data=me + peer.encode()) for peer in mesh.peers})
        mesh.broadcast(Column(data=me))
        gathered = mesh.gather(Column)
        assert exchanged == gathered
        assert list(exchanged) == list(mesh.peers) == [n for n in NAMES if n != mesh.me]
        assert mesh.names == NAMES
        return [
            {name: column.data for name, column in exchanged.items()},
            {name: strings.data for name, strings in each.items()},
        ]

    for name, (exchanged, each) in run_mesh(dict.fromkeys(NAMES, role)).items():
        others = [other for other in NAMES if other != name]
        assert exchanged == {other: other.encode() for other in others}
        assert each == {other: (other + name).encode() for other in others}


def test_a_mesh_exchanges_more_than_its_links_hold() -> None:
    data = bytes(20 << 20)

    def role(mesh: Mesh) -> int:
        return sum(len(column.data) for column in mesh.exchange(Column(data=data)).values())

    assert set(run_mesh(dict.fromkeys("abc", role)).values()) == {2 * len(data)}


def test_a_channel_of_the_mesh() -> None:
    def role(mesh: Mesh) -> bytes:
        return mesh.channel(mesh.peers[0]).exchange(Column(data=mesh.me.encode())).data

    assert run_mesh({"a": role, "b": role}) == {"a": b"b", "b": b"a"}


def test_faults_of_a_mesh() -> None:
    mesh = memory.mesh(("a", "b"))["a"]
    with pytest.raises(ConfigError, match="'c' is not a peer of 'a'"):
        mesh.channel("c")
    with pytest.raises(ConfigError, match=r"messages for \['b', 'c'\]"):
        mesh.exchange({"b": Column(), "c": Column()})
    with pytest.raises(ConfigError, match="'a' has no channel to"):
        Mesh("a", ("a", "z"), {})
    with pytest.raises(ConfigError, match="needs different names"):
        Mesh("a", ("a", "b", "b"), {})
    mesh.close()


def test_a_mesh_waits_for_each_peer_until_its_deadline() -> None:
    meshes = memory.mesh(("a", "b", "c"), timeout=0.2)
    meshes["b"].broadcast(Column())
    with pytest.raises(PeerTimeout) as caught:
        meshes["a"].gather(Column)
    assert caught.value.peer == "c"


def test_the_cause_is_raised_and_not_what_it_led_to() -> None:
    def waits(channel: Channel) -> Column:
        return channel.recv(Column)

    def fails(channel: Channel) -> None:
        raise LookupError("the cause")

    with pytest.raises(LookupError, match="the cause"):
        run_pair(waits, fails)
    with pytest.raises(LookupError, match="the cause"):
        run_pair(fails, waits)
    with pytest.raises(ZeroDivisionError):
        run_mesh(
            {
                "a": lambda mesh: mesh.gather(Column),
                "b": lambda mesh: 1 // 0,
                "c": lambda mesh: mesh.exchange(Column()),
            }
        )


def test_roles_that_wait_for_each_other_end_at_the_deadline() -> None:
    begun = time.monotonic()
    with pytest.raises(PeerTimeout):
        run_pair(lambda c: c.recv(Column), lambda c: c.recv(Column), timeout=0.2)
    assert time.monotonic() - begun < 5


def test_roles_over_other_links() -> None:
    def role(channel: Channel) -> bytes:
        return channel.exchange(Column(data=channel.peer.encode())).data

    assert run_pair(role, role, links=grpc_pair) == (b"left", b"right")
    traced = [Traced(link) for link in memory.pair("bank", "tax")]
    assert run_pair(role, role, links=lambda: (traced[0], traced[1])) == (b"bank", b"tax")
    assert traced[0].traffic.messages == 2


def test_seeded_is_reproducible() -> None:
    assert seeded(1).bytes(40) == seeded(1).bytes(40) != seeded("2").bytes(40)


def _lying(ours: Hello) -> Hello:
    lying = Hello()
    lying.CopyFrom(ours)
    lying.sender, lying.receiver = ours.receiver, ours.sender
    return lying


def test_hellos_that_lie_about_their_digest() -> None:
    from mpc.net.handshake import greet, hello

    ours = hello("left", "right", session="", parameters={"a": 1})
    short, twice = _lying(ours), _lying(ours)
    del short.parameters[:]
    twice.parameters.append(Parameter(name="a", value="1"))
    twice.parameters_digest = digest(twice.parameters)
    for theirs, text in ((short, "the digest of its parameters"), (twice, "a parameter twice")):
        left, right = memory.pair()
        Channel(right).send(theirs)
        with pytest.raises(ProtocolError, match=f"right: .*{text}"):
            greet(Channel(left, timeout=1), ours)


def test_equal_values_are_equal_parameters() -> None:
    from mpc.net.handshake import hello

    def fields(**parameters: object) -> bytes:
        return hello("a", "b", session="", parameters=parameters).parameters_digest

    assert fields(x=1, y=[1, "b", None, True]) == fields(y=(1, "b", None, True), x=1)
    assert len({fields(x=value) for value in (1, 1.0, True, "1", None, [1], [])}) == 7


def test_the_cause_of_an_abort_is_the_peer_that_died():
    def dies(mesh: Mesh) -> None:
        for name in mesh.peers:
            mesh.channel(name).close()

    def hears(mesh: Mesh) -> str:
        with pytest.raises((PeerClosed, PeerAborted)) as stopped:
            mesh.channel("a" if mesh.me == "b" else "b").recv(Column)
        cause = mesh.cause(stopped.value)
        mesh.abort(cause)
        return f"{type(cause).__name__} {cause.peer}"

    found = run_mesh({"a": dies, "b": hears, "c": hears, "d": hears})
    assert found == {"a": None, **dict.fromkeys("bcd", "PeerClosed a")}


@pytest.mark.parametrize("sends", [False, True])
def test_a_peer_that_said_why_it_stops_has_not_died(sends: bool) -> None:
    """Threads that use channels at once hear of two that stop, and the job ends by one of them:
    the word of the other one has been read by then."""
    party = memory.mesh("abcd")
    for name in "bc":
        party[name].channel("a").abort(PeerClosed("d", "it is gone"))
    party["d"].channel("a").close()
    errors = {}
    for name in "bc":
        channel = party["a"].channel(name)
        use, given = (channel.send, Column()) if sends else (channel.recv, Column)
        with pytest.raises(PeerAborted) as stopped:
            use(given)
        errors[name] = stopped.value
    for error in errors.values():
        found = party["a"].cause(error)
        assert (type(found), found.peer) == (PeerClosed, "d")


def test_so_it_is_while_all_connect() -> None:
    """The greeting has channels of its own, which read the words of those that stop."""
    party = memory.mesh("abcd")
    session = object.__new__(Session)
    session._channels = {name: party["a"].channel(name) for name in "bcd"}
    joins: dict[str, Future[None]] = {}
    for name in "bc":
        party[name].channel("a").abort(PeerClosed("d", "it is gone"))
        with pytest.raises(PeerAborted) as stopped:
            Channel(party["a"].channel(name)._link).recv(Column)
        joins[name] = Future()
        joins[name].set_exception(stopped.value)
    party["d"].channel("a").close()
    for join in joins.values():
        first = join.exception()
        assert first is not None
        found = session._cause([first], joins)
        assert (type(found), getattr(found, "peer", None)) == (PeerClosed, "d")


def test_a_peer_that_others_could_not_reach_is_the_cause_if_it_died():
    def dies(mesh: Mesh) -> None:
        mesh.channel("b").close()

    def hears(mesh: Mesh) -> str:
        cause = mesh.cause(PeerAborted("c", "PeerUnreachable"))
        return f"{type(cause).__name__} {cause.peer}"

    found = run_mesh({"a": dies, "b": hears, "c": lambda mesh: None})
    assert found["b"] == "PeerClosed a"


def test_an_abort_for_another_reason_is_its_own_cause():
    error = PeerAborted("b", "DataError")
    assert run_mesh({"a": lambda mesh: mesh.cause(error), "b": lambda mesh: None})["a"] is error
