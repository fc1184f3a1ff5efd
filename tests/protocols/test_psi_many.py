# SPDX-License-Identifier: Apache-2.0
"""What many parties have in common: against Python's sets, and nothing of pairs in what is seen."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from tampering import flipped

from mpc import kernels
from mpc.errors import ConfigError, DataError, ParameterMismatch, PeerAborted, ProtocolError
from mpc.net.channel import Channel
from mpc.pb.v1 import lookup_pb2, psi_many_pb2
from mpc.primitives import okvs
from mpc.protocols import psi_many
from mpc.testing import run_mesh, seeded
from tests.protocols.computing import looks_uniform


def ids(numbers):
    return [f"id {number:06d}" for number in numbers]


def intersect(leads, *follow, seed=0, told=None):
    """What the leader gets; ``told`` is whom a follower takes the followers to be, by its name."""
    names = [f"f{i}" for i in range(len(follow))]

    def role(name, items):
        rng = seeded(f"{seed} {name}")
        if name == "lead":
            return lambda mesh: psi_many.leader(mesh, items, names, rng=rng)
        return lambda mesh: psi_many.follower(
            mesh, items, "lead", (told or {}).get(name, names), rng=rng
        )

    parties = {"lead": leads, **dict(zip(names, follow, strict=True))}
    found = run_mesh({name: role(name, items) for name, items in parties.items()})
    assert all(found[name] == len(leads) for name in names)
    return found["lead"]


def common(leads, *follow):
    return [i for i, item in enumerate(leads) if all(item in set(held) for held in follow)]


@pytest.mark.parametrize("followers", [2, 3, 5])
def test_what_all_hold(followers):
    sets = [ids(range(37 * i, 500 + 11 * i)) for i in range(followers + 1)]
    assert intersect(*sets).tolist() == common(*sets)


@pytest.mark.parametrize(
    "sets",
    [
        [[], ["a"], ["a"]],
        [["a"], [], ["a"]],
        [["a"], ["a"], ["a"]],
        [["a", "b"], ["a"], ["b"]],
        [["a", "b"], ["b", "a"], ["a", "b", "c"]],
        [["a"], ids(range(3000)), ["a"]],
        [ids(range(3000)), ["id 000007"], ids(range(5, 9))],
    ],
    ids=str,
)
def test_small_and_unequal_sets(sets):
    assert intersect(*sets).tolist() == common(*sets)


@pytest.mark.parametrize("backend", ["simd", "portable"])
def test_on_both_kernels(backend):
    if backend == "simd" and kernels.backend() != "simd":
        pytest.skip("no SIMD here")
    with kernels.use(backend):
        sets = [ids(range(100)), ids(range(50, 300)), ids(range(0, 200, 3))]
        assert intersect(*sets).tolist() == common(*sets)


def test_over_two_clusters_of_a_store(monkeypatch):
    monkeypatch.setattr(okvs, "_CLUSTER", 1 << 10)
    sets = [ids(range(4000)), ids(range(1000, 5000)), ids(range(0, 6000, 2))]
    assert intersect(*sets).tolist() == common(*sets)


@pytest.mark.parametrize("seed", range(20))
def test_random_sets(seed):
    rng = np.random.default_rng(seed)
    sets = [ids(rng.permutation(60)[: rng.integers(1, 60)]) for _ in range(4)]
    assert intersect(*sets, seed=seed).tolist() == common(*sets)


def test_kinds_of_items():
    sets = [pa.array(["a", "b", "c"]), [b"b", b"c"], np.array(["c", "b", "x"])]
    assert intersect(*sets).tolist() == [1, 2]


# --- what is seen ---------------------------------------------------------------------------------


def stores_give(monkeypatch, *sets, seed=0):
    """What the leader gets of each follower for each of its items."""
    seen = {}
    ask = psi_many._ask

    def noted(channel, *rest):
        seen[channel.peer] = ask(channel, *rest)
        return seen[channel.peer]

    monkeypatch.setattr(psi_many, "_ask", noted)
    intersect(*sets, seed=seed)
    return [seen[name] for name in sorted(seen)]


def test_a_pair_has_no_more_in_common_to_see_than_none(monkeypatch):
    """The leader's items are at f0 and f1, at one of them, or at neither: but for those that f2 has
    too, what it gets is uniform, of each follower, and in any sum of two or three."""
    leads = ids(range(4000))
    both = ids(range(2000))
    given = stores_give(monkeypatch, leads, both, both, ids(range(9000, 9050)))
    sums = [*given, given[0] ^ given[1], given[0] ^ given[2], given[0] ^ given[1] ^ given[2]]
    for words in sums:
        for half in (words[:2000], words[2000:]):
            assert looks_uniform(half.tobytes())
            assert len(np.unique(half[:, 0])) == 2000


def test_what_colluders_lack_is_a_secret_of_the_others(monkeypatch):
    """With f2's own values taken away, those of f0 and f1 still hide which of them has an item."""
    leads = ids(range(3000))
    given = stores_give(monkeypatch, leads, leads, ids(range(7000, 7100)), leads)
    assert looks_uniform((given[0] ^ given[2]).tobytes())
    assert looks_uniform((given[0] ^ given[1] ^ given[2]).tobytes())


def test_sizes_of_messages_say_nothing_of_what_is_common(monkeypatch):
    def traffic(*sets):
        sent = []
        send = Channel.send

        def noted(self, message):
            sent.append((self.peer, type(message).__name__, message.ByteSize()))
            send(self, message)

        with monkeypatch.context() as patch:
            patch.setattr(Channel, "send", noted)
            intersect(*sets)
        return sorted(sent)

    leads = ids(range(300))
    assert traffic(leads, leads, leads) == traffic(leads, ids(range(900, 1200)), leads)


def test_runs_share_no_values(monkeypatch):
    sets = [ids(range(50))] * 3
    first, again = (stores_give(monkeypatch, *sets, seed=seed) for seed in (1, 2))
    assert not (set(first[0][:, 0].tolist()) & set(again[0][:, 0].tolist()))


# --- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("party", [0, 1])
def test_null_and_repeated_items(party):
    for bad in (["a", "a"], pa.array(["a", None])):
        sets = [["a"], ["b"], ["c"]]
        sets[party] = bad
        with pytest.raises(DataError):
            intersect(*sets)


def test_followers_that_make_no_sense():
    with pytest.raises(ConfigError, match="two or more followers"):
        intersect(["a"], ["a"])
    with pytest.raises(ConfigError, match="f0 is not among"):
        intersect(["a"], ["a"], ["a"], told={"f0": ["f1", "f2"]})


def test_other_followers_are_noticed():
    """Else their values would never add up, and nothing be in common, silently."""
    names = ["f0", "f1"]

    def follower(mesh):
        return psi_many.follower(mesh, ["a"], "lead", names)

    with pytest.raises(ParameterMismatch, match="followers"):
        run_mesh(
            {
                "lead": lambda mesh: psi_many.leader(mesh, ["a"], ["f0", "f1", "f2"]),
                "f0": follower,
                "f1": follower,
                "f2": lambda mesh: psi_many.follower(mesh, ["a"], "lead", ["f0", "f2"]),
            },
            timeout=10,
        )


def rewriting(monkeypatch, kind, change):
    send = Channel.send

    def changed(self, message):
        if isinstance(message, kind):
            change(message)
        send(self, message)

    monkeypatch.setattr(Channel, "send", changed)


@pytest.mark.parametrize(
    ("kind", "change", "match"),
    [
        (psi_many_pb2.PsiManyHalf, lambda m: setattr(m, "half", b"1"), "half a key"),
        (psi_many_pb2.PsiManyOffer, lambda m: setattr(m, "role", "leader"), "part"),
        (psi_many_pb2.PsiManyOffer, lambda m: setattr(m, "nonce", b"1"), "malformed"),
        (psi_many_pb2.PsiManyOffer, lambda m: setattr(m, "count", 1 << 60), "malformed"),
        (psi_many_pb2.PsiManySeed, lambda m: setattr(m, "seed", b"1"), "a seed has 16"),
        (psi_many_pb2.PsiManyHint, lambda m: setattr(m.values, "count", 1), "announced 1"),
        (lookup_pb2.LookupStore, lambda m: setattr(m.values, "width", 8), "of 16 bytes"),
    ],
)
def test_malformed_messages_are_refused(monkeypatch, kind, change, match):
    rewriting(monkeypatch, kind, change)
    with pytest.raises(ProtocolError, match=match):
        intersect(ids(range(9)), ids(range(9)), ids(range(9)))


def test_a_spoilt_store_hides_items_and_makes_none_common(monkeypatch):
    def change(message):
        data = bytes(message.values.data)
        message.values.data = flipped(data, 5)

    rewriting(monkeypatch, psi_many_pb2.PsiManyHint, change)
    found = intersect(ids(range(99)), ids(range(50)), ids(range(25, 99))).tolist()
    assert set(found) <= set(range(25, 50))


def test_a_follower_that_fails_ends_the_run():
    def broken(mesh):
        raise ValueError("its disk is full")

    ended = {}

    def noted(name, role):
        def play(mesh):
            try:
                role(mesh)
            except Exception as error:
                ended[name] = error
                raise

        return play

    names = ["f0", "f1"]
    with pytest.raises(ValueError, match="disk"):
        run_mesh(
            {
                "lead": noted("lead", lambda mesh: psi_many.leader(mesh, ["a"], names)),
                "f0": noted("f0", lambda mesh: psi_many.follower(mesh, ["a"], "lead", names)),
                "f1": broken,
            },
            timeout=10,
        )
    assert {type(error) for error in ended.values()} == {PeerAborted}
    assert set(ended) == {"lead", "f0"}
