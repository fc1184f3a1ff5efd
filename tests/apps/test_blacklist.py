# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc.apps import blacklist
from mpc.errors import (
    ChannelError,
    ConfigError,
    DataError,
    ParameterMismatch,
    PeerAborted,
    ProtocolError,
)
from mpc.pb.v1.alignment_pb2 import CommonIds
from mpc.testing import run_mesh, seeded


def ask(applicants, lists, **options):
    """The result, and how many applicants each holder was asked about."""
    roles = {
        "bank": lambda mesh: blacklist.asker(mesh, applicants, list(lists), rng=seeded("bank")),
        **{
            name: lambda mesh, name=name: blacklist.holder(
                mesh.channel("bank"), lists[name], rng=seeded(name)
            )
            for name in lists
        },
    }
    played = run_mesh(roles, **options)
    return played.pop("bank"), played


def test_any_holder_and_each_holder():
    result, asked = ask(
        ["a", "b", "c", "d"], {"tax": ["z", "c", "a"], "lender": ["c"], "court": ["q"]}
    )
    assert result.listed.tolist() == [True, False, True, False]
    assert {name: hits.tolist() for name, hits in result.by_holder.items()} == {
        "tax": [True, False, True, False],
        "lender": [False, False, True, False],
        "court": [False, False, False, False],
    }
    assert asked == {"tax": 4, "lender": 4, "court": 4}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sets(st.sampled_from("abcdefgh")), min_size=2, max_size=4))
def test_agrees_with_sets(sets):
    applicants, *lists = ([*ids] for ids in sets)
    result, _ = ask(applicants, {f"holder{i}": ids for i, ids in enumerate(lists)})
    assert result.listed.tolist() == [any(a in ids for ids in lists) for a in applicants]
    for hits, ids in zip(result.by_holder.values(), lists, strict=True):
        assert hits.tolist() == [a in ids for a in applicants]


def test_arrow_arrays():
    result, _ = ask(pa.array(["a", "b"], pa.large_string()), {"tax": pa.array(["b"])})
    assert result.listed.tolist() == [False, True]


@pytest.mark.parametrize(
    ("applicants", "listed"),
    [(["a", "b", "a"], ["a"]), (["a"], ["b", "b"]), (pa.array(["a", None]), ["a"])],
)
def test_ids_that_are_null_or_there_twice(applicants, listed):
    with pytest.raises(DataError, match=r"repeat an earlier one|null"):
        ask(applicants, {"tax": listed, "lender": ["c"]})


@pytest.mark.parametrize(("applicants", "listed"), [([], []), ([], ["a"]), (["a"], [])])
def test_empty_lists(applicants, listed):
    result, asked = ask(applicants, {"tax": listed})
    assert result.listed.tolist() == [False] * len(applicants)
    assert asked == {"tax": len(applicants)}


def test_lists_of_one():
    assert ask(["a"], {"tax": ["a"]})[0].listed.tolist() == [True]
    assert ask(["a"], {"tax": ["b"]})[0].listed.tolist() == [False]


def test_bounds_in_place_of_sizes():
    pad_to = {"bank": 20, "tax": 30}
    roles = {
        "bank": lambda mesh: blacklist.asker(mesh, ["a", "b"], ["tax", "lender"], pad_to=pad_to),
        "tax": lambda mesh: blacklist.holder(
            mesh.channel("bank"), ["b", "c"], pad_to=30, peer_bound=20
        ),
        "lender": lambda mesh: blacklist.holder(mesh.channel("bank"), ["a"], peer_bound=20),
    }
    played = run_mesh(roles)
    assert played["bank"].by_holder["tax"].tolist() == [False, True]
    assert played["bank"].by_holder["lender"].tolist() == [True, False]
    assert played["tax"] == played["lender"] == 20
    # Whoever hears of it first ends; all that the bank hears is its own error.
    with pytest.raises((ParameterMismatch, PeerAborted), match=r"ours is 30, theirs is 1|Mismatch"):
        run_mesh(roles | {"tax": lambda mesh: blacklist.holder(mesh.channel("bank"), ["b"])})


def test_a_job_without_holders():
    with pytest.raises(ConfigError, match="at least one holder"):
        blacklist.asker(None, ["a"], [])


def test_the_first_error_ends_the_job_for_all_holders():
    """One holder talks nonsense; the asker blames it, and the other does not wait for ever."""
    ended = {}

    def silent(mesh):
        while mesh.me not in ended:
            try:
                mesh.channel("bank").recv(CommonIds)
            except ProtocolError:
                continue  # a message of the intersection, which it does not answer
            except ChannelError as error:
                ended[mesh.me] = error

    def nonsense(mesh):
        mesh.channel("bank").send(CommonIds())
        silent(mesh)

    def asker(mesh):
        try:
            blacklist.asker(mesh, ["a"], ["lender", "tax"], rng=seeded("bank"))
        except Exception as error:
            ended["bank"] = error

    run_mesh({"bank": asker, "tax": nonsense, "lender": silent}, timeout=10)
    assert isinstance(ended["bank"], ProtocolError)
    assert ended["bank"].peer == "tax"
    assert isinstance(ended["lender"], PeerAborted)
    assert ended["lender"].reason == "ProtocolError"
