# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mpc.apps import alignment, intersection
from mpc.errors import (
    ConfigError,
    DataError,
    ParameterMismatch,
    PeerAborted,
    PeerClosed,
    ProtocolError,
)
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1.alignment_pb2 import CommonIds
from mpc.testing import run_mesh, seeded

TABLES = {
    "bank": ["a", "b", "c", "d", "e", "f"],
    "tax": ["x", "f", "d", "b", "a"],
    "power": ["d", "y", "a", "b", "z", "e"],
}


def align(tables, seed="rng"):
    """The positions that each party gets; the first is the leader."""
    first, *rest = tables

    def role(name):
        rng = seeded(f"{seed}:{name}")
        if name == first:
            return lambda mesh: alignment.leader(mesh, tables[name], rest, rng=rng)
        return lambda mesh: alignment.follower(mesh, tables[name], first, rest, rng=rng)

    return run_mesh({name: role(name) for name in tables})


def named(tables, found):
    return {name: [tables[name][i] for i in found[name]] for name in tables}


def test_all_parties_get_the_common_ids_in_one_order():
    found = align(TABLES)
    orders = named(TABLES, found)
    assert sorted(orders["bank"]) == ["a", "b", "d"]
    assert orders["bank"] == orders["tax"] == orders["power"]
    assert all(positions.dtype == np.intp for positions in found.values())


def test_the_agreed_order_is_random():
    orders = {tuple(named(TABLES, align(TABLES, seed=i))["bank"]) for i in range(12)}
    assert len(orders) > 2


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.large_binary(), bytes])
def test_kinds_of_ids(kind):
    if kind is bytes:
        tables = {name: [i.encode() for i in ids] for name, ids in TABLES.items()}
    else:
        tables = {name: pa.array(ids).cast(kind) for name, ids in TABLES.items()}
    found = align(tables)
    assert sorted(TABLES["bank"][i] for i in found["bank"]) == ["a", "b", "d"]


@pytest.mark.parametrize(
    "tables",
    [
        {"bank": ["a"], "tax": ["b"]},
        {"bank": [], "tax": ["b"]},
        {"bank": ["a"], "tax": []},
        {"bank": [], "tax": [], "power": []},
        {"bank": ["a", "b"], "tax": ["a"], "power": ["b"]},
    ],
)
def test_nothing_in_common(tables):
    assert [positions.tolist() for positions in align(tables).values()] == [[]] * len(tables)


def test_one_id_and_one_party():
    assert {k: v.tolist() for k, v in align({"bank": ["a"], "tax": ["a"]}).items()} == {
        "bank": [0],
        "tax": [0],
    }
    assert sorted(align({"bank": ["a", "b"]})["bank"]) == [0, 1]


@pytest.mark.parametrize("count", [5, 6, 7, 12, 13])
def test_edges_of_blocks(monkeypatch, count):
    monkeypatch.setattr(alignment, "BLOCK_IDS", 6)
    ids = [f"id{i}" for i in range(count)]
    tables = {"bank": ids, "tax": [*reversed(ids), "other"]}
    orders = named(tables, align(tables))
    assert orders["bank"] == orders["tax"]
    assert sorted(orders["bank"]) == sorted(ids)


@pytest.mark.parametrize("bad", [["a", "b", "a"], pa.array(["a", None])])
@pytest.mark.parametrize("party", ["bank", "tax"])
def test_ids_that_are_null_or_there_twice(party, bad):
    with pytest.raises(DataError, match=r"repeat an earlier one|null"):
        align(TABLES | {party: bad})


def blocks(*messages):
    """A leader that runs the intersection, and then sends ``messages``."""

    def role(channel):
        intersection.receiver(channel, ["a", "b"], rng=seeded("leader"))
        for total, ids in messages:
            channel.send(CommonIds(total=total, ids=columns.strings_pack(ids)))

    return role


def told(leader, ids):
    """A follower of a leader of another making."""
    run_mesh(
        {
            "bank": lambda mesh: leader(mesh.channel("tax")),
            "tax": lambda mesh: alignment.follower(mesh, ids, "bank", ["tax"]),
        }
    )


@pytest.mark.parametrize(
    ("messages", "what"),
    [
        ([(2, [b"a", b"q"])], "named 1 ids in common that are not in our table"),
        ([(2, [b"a", b"a"])], "named an id in common twice"),
        ([(4, [b"a", b"b", b"c", b"d"])], "named 4 ids in common; we have 3"),
        ([(2, [b"a"])], "expected 2 elements, got 1"),
        ([(1, [b"a", b"b"])], "expected 1 elements, got 2"),
        ([(3, [b"a", b"b"]), (2, [b"c"])], "changed the number of ids"),
        ([(3, [b"a", b"b"]), (3, [b"c", b"a"])], "expected 1 elements, got 2"),
        ([(3, [b"a", b"b"]), (3, [])], "expected 1 elements, got 0"),
    ],
)
def test_a_wrong_list_of_common_ids(monkeypatch, messages, what):
    monkeypatch.setattr(alignment, "BLOCK_IDS", 2)
    with pytest.raises(ProtocolError, match=what) as caught:
        told(blocks(*messages), ["c", "b", "a"])
    assert caught.value.peer == "bank"


def test_malformed_strings_are_an_error():
    def leader(channel):
        intersection.receiver(channel, ["a"], rng=seeded("leader"))
        message = CommonIds(total=1, ids=columns.strings_pack([b"a"]))
        message.ids.data = b"ab"
        channel.send(message)

    with pytest.raises(ProtocolError, match="do not fit their data"):
        told(leader, ["a"])


def test_a_failing_follower_ends_the_job_for_all():
    ended = {}

    def broken(mesh):
        raise ValueError("its disk is full")

    def other(mesh):
        try:
            alignment.follower(mesh, ["a"], "bank", ["tax", "power"])
        except Exception as error:
            ended["power"] = error
            raise

    def leader(mesh):
        try:
            alignment.leader(mesh, ["a"], ["tax", "power"])
        except Exception as error:
            ended["bank"] = error
            raise

    with pytest.raises(ValueError, match="disk"):
        run_mesh({"bank": leader, "tax": broken, "power": other}, timeout=10)
    assert isinstance(ended["bank"], PeerAborted)
    assert (ended["bank"].peer, ended["bank"].reason) == ("tax", "ValueError")
    assert isinstance(ended["power"], PeerAborted | PeerClosed)


# --- bounds in place of sizes ---------------------------------------------------------------------


def padded(tables, pad_to, told=None):
    """As ``align``, with bounds, and the sizes of all that was sent; the first party leads."""
    first, *rest = tables
    sent = []
    put = Channel.put

    def noted(self, frame):
        sent.append((self.peer, len(frame)))
        put(self, frame)

    def role(name):
        bounds = pad_to if told is None or name != first else told
        rng = seeded(name)
        if name == first:
            return lambda mesh: alignment.leader(mesh, tables[name], rest, pad_to=bounds, rng=rng)
        return lambda mesh: alignment.follower(
            mesh, tables[name], first, rest, pad_to=bounds, rng=rng
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Channel, "put", noted)
        found = run_mesh({name: role(name) for name in tables})
    return found, sorted(sent)


BOUNDS = {"bank": 40, "tax": 60, "power": 50}


@pytest.mark.parametrize("parties", [2, 3])
def test_bounds_hide_how_many_ids_a_party_has(parties):
    tables = dict(list(TABLES.items())[:parties])
    more = {name: [*ids, *(f"{name}{i}" for i in range(20))] for name, ids in tables.items()}
    found, sent = padded(tables, BOUNDS)
    again, sent_again = padded(more, BOUNDS)
    assert sent == sent_again
    for one, of in ((found, tables), (again, more)):
        orders = named(of, one)
        assert sorted(orders["bank"]) == sorted(set.intersection(*map(set, tables.values())))
        assert len({tuple(order) for order in orders.values()}) == 1


def test_one_party_alone_may_have_a_bound():
    found, sent = padded(TABLES, {"tax": 60})
    assert sorted(named(TABLES, found)["power"]) == ["a", "b", "d"]
    assert sent == padded(TABLES | {"tax": [*TABLES["tax"], "u", "v"]}, {"tax": 60})[1]
    assert sent != padded(TABLES | {"power": [f"u{i}" for i in range(300)]}, {"tax": 60})[1]


@pytest.mark.parametrize("parties", [2, 3])
def test_more_ids_than_the_bound_and_another_bound_than_agreed(parties):
    tables = dict(list(TABLES.items())[:parties])
    for name in tables:
        with pytest.raises(ConfigError, match="do not fit the public bound of 2"):
            padded(tables, {name: 2})
    with pytest.raises(ParameterMismatch, match=r"ours is 61, theirs is 60|ours is 60, .* 61"):
        padded(tables, BOUNDS, told=BOUNDS | {"tax": 61})
