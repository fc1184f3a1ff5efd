# SPDX-License-Identifier: Apache-2.0
"""Joint decisions against the same rules in the open."""

from __future__ import annotations

import numpy as np
import pytest

from mpc import kernels
from mpc.errors import (
    ConfigError,
    CryptoError,
    DataError,
    EncodingOverflow,
    ParameterMismatch,
    PeerAborted,
    PeerClosed,
    ProtocolError,
)
from mpc.primitives import cuckoo
from mpc.protocols import decision, lookup
from mpc.protocols.decision import OUTCOMES, Known, Model, Rule
from mpc.protocols.lookup import room
from mpc.protocols.query.limits import Gate, Limits, Refused
from mpc.protocols.threshold import Listed, Terms
from tests.protocols.computing import compute
from tests.protocols.decision_runs import (
    APPLICANTS,
    FEATURES,
    FELL,
    LATE,
    MODEL,
    PLAN,
    RANGES,
    in_the_open,
    named,
    plan_of,
    rng,
    run,
    tables,
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"rules": (), "reasons": 0},
        {"rules": (FELL,), "reasons": 1},
        {"rules": (LATE,), "refer_from": 0.6, "reasons": 3},
        {"lists": Terms("p0", 3, {"p1": 1, "p3": 2}, "shares")},
    ],
)
def test_outcomes_and_reasons_are_those_in_the_open(changes):
    plan = plan_of(**changes)
    listed, known = tables()
    known = {n: Known(k.keys, k.standardised, k.ruled[:, : len(plan.ruled(n))])
             for n, k in known.items()}  # fmt: skip
    if changes.get("rules") == (LATE,):
        known["p1"] = Known(known["p1"].keys, known["p1"].standardised, known["p1"].ruled[:, :1])
    decided, *others = run(plan, MODEL, listed, known)
    wanted = in_the_open(plan, MODEL, listed, known)
    assert [OUTCOMES[i] for i in decided.outcome] == [outcome for outcome, _ in wanted]
    assert {outcome for outcome, _ in wanted} == set(OUTCOMES)
    assert others == [len(APPLICANTS)] * (len(plan.parties) - 1)
    assert named(plan, decided) == [names for _, names in wanted]


@pytest.mark.parametrize("holders", [3, 8, 16])
def test_three_to_sixteen_holders(holders):
    names = [f"p{i + 1}" for i in range(holders)]
    lists = Terms("p0", -(-holders // 3), dict.fromkeys(names, 1), "shares")
    plan = plan_of(lists=lists)
    listed = {name: Listed(list(rng.choice(APPLICANTS, 20, replace=False))) for name in names}
    _, known = tables()
    decided, *others = run(plan, MODEL, listed, known)
    wanted = in_the_open(plan, MODEL, listed, known)
    assert [OUTCOMES[i] for i in decided.outcome] == [outcome for outcome, _ in wanted]
    assert others == [len(APPLICANTS)] * holders


def test_the_askers_own_features_count_too():
    listed, known = tables()
    plan = plan_of(features={"p1": ("a", "b"), "p0": ("d", "e"), "p2": ("c",)}, rules=())
    known = {n: Known(k.keys, k.standardised, k.ruled[:, :0]) for n, k in known.items()}
    model, own = Model(np.array([0.9, -1.3, 0.7, 1.1, 0.6]), -0.4), rng.normal(size=(60, 2))
    decided, *_ = run(plan, model, listed, known, own=own)
    wanted = in_the_open(plan, model, listed, known, own)
    assert [OUTCOMES[i] for i in decided.outcome] == [outcome for outcome, _ in wanted]
    assert named(plan, decided) == [names for _, names in wanted]
    for bad in (None, own[:, :1], np.full((60, 2), np.nan), own * 1000):
        with pytest.raises(DataError):
            run(plan, model, listed, known, own=bad)


@pytest.mark.parametrize("keys", [[], ["c1"], ["stranger"], ["stranger", "c2"]])
def test_few_applicants(keys):
    listed, known = tables()
    decided, *others = run(PLAN, MODEL, listed, known, keys=keys)
    wanted = [outcome for outcome, _ in in_the_open(PLAN, MODEL, listed, known, keys=keys)]
    assert [OUTCOMES[i] for i in decided.outcome] == wanted
    assert others == [len(keys)] * 3
    assert all(o == "refer" for key, o in zip(keys, wanted, strict=True) if key == "stranger")


def test_ten_thousand_applicants_and_one():
    # A tenth of that by the portable kernels, which take a minute for it.
    count = 10_001 if kernels.backend() == "simd" else 1_001
    keys = [f"c{i}" for i in range(count)]
    draw = np.random.default_rng(5)
    listed = {n: Listed(list(draw.choice(keys, count // 5, replace=False))) for n in ("p1", "p3")}
    known, rows = {}, count * 9 // 10
    for name in ("p1", "p2"):
        held = list(draw.choice(keys, rows, replace=False))
        ruled = np.stack([draw.uniform(*RANGES[n], rows) for n, _ in PLAN.ruled(name)], axis=1)
        # Away from the limits, where a logit of 20 bits may be on either side.
        scored = draw.normal(size=(rows, len(PLAN.features[name]))).round(2)
        known[name] = Known(held, scored, ruled)
    decided, *others = run(PLAN, MODEL, listed, known, keys=keys)
    wanted = in_the_open(PLAN, MODEL, listed, known, keys=keys)
    assert [OUTCOMES[i] for i in decided.outcome] == [outcome for outcome, _ in wanted]
    assert others == [count] * 3
    for row, (outcome, _) in zip(decided.reasons, wanted, strict=True):
        assert row.sum() == (PLAN.reasons if outcome == "decline" else 0)


def test_keys_that_differ_in_one_bit_are_others():
    """Of those asked about every second one is listed, and every third one known."""
    keys = [bytes(8), *((1 << bit).to_bytes(8, "little") for bit in range(64))]
    listed = {"p1": Listed(keys[::2]), "p3": Listed([*keys[::4], b"x"])}
    known = {
        name: Known(keys[::3], rng.normal(size=(22, len(FEATURES[name]))), np.zeros((22, 0)))
        for name in ("p1", "p2")
    }
    plan = plan_of(rules=())
    decided, *_ = run(plan, MODEL, listed, known, keys=keys)
    wanted = in_the_open(plan, MODEL, listed, known, keys=keys)
    assert [OUTCOMES[i] for i in decided.outcome] == [outcome for outcome, _ in wanted]
    assert named(plan, decided) == [names for _, names in wanted]


def test_a_small_table_is_handled_and_reported(monkeypatch, caplog):
    monkeypatch.setattr(cuckoo, "bins", lambda keys: keys)
    listed, known = tables()
    keys = APPLICANTS[:8]
    for seed in range(4):
        decided, *_ = run(PLAN, MODEL, listed, known, keys=keys, seed=seed)
        wanted = in_the_open(PLAN, MODEL, listed, known, keys=keys)
        assert [OUTCOMES[i] for i in decided.outcome] == [outcome for outcome, _ in wanted]
    assert any("no table of 8 bins" in record.message for record in caplog.records)


def test_a_list_that_is_empty_and_a_table_that_is():
    listed, known = tables()
    listed["p3"] = Listed([])
    known["p2"] = Known([], np.empty((0, 1)), np.empty((0, 1)))
    decided, *_ = run(PLAN, MODEL, listed, known, keys=["c1", "c2"])
    assert set(decided.outcome) <= {1, 2}


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"features": {}},
        {"features": {"p0": ("a",)}},
        {"features": {"p1": ()}},
        {"rules": (Rule("own", {("p0", "x"): 1.0}, 0.0, "refer"),)},
        {"refer_from": 0.7},
        {"refer_from": 0.0},
        {"decline_from": 1.0},
        {"reasons": 4},
        {"reasons": -1},
    ],
)
def test_plans_that_make_no_sense_are_refused(change):
    with pytest.raises(ConfigError):
        plan_of(**change)


@pytest.mark.parametrize(
    ("terms", "below", "then", "unit"),
    [
        ({}, 0, "refer", 1),
        ({("p1", "a"): 2.0}, 0, "refer", 1),
        ({("p1", "a"): 1.0}, 2.0**18, "refer", 1),
        ({("p1", "a"): 1.0}, 0, "approve", 1),
        ({("p1", "a"): 1.0}, 0, "refer", 0),
        ({("p1", "a"): 1.0}, 0, "refer", np.inf),
        ({("p1", "a"): 1.0}, np.nan, "refer", 1),
        ({("p1", "a"): 1.0, ("p1", "b"): np.nan}, 0, "refer", 1),
        ({("p1", str(i)): 1.0 for i in range(9)}, 0, "refer", 1),
    ],
)
def test_rules_that_do_not_fit_are_refused(terms, below, then, unit):
    with pytest.raises(ConfigError, match="rule"):
        Rule("r", terms, below, then, unit)


def test_a_model_that_does_not_fit_is_refused():
    listed, known = tables()
    for model, error in (
        (Model(np.ones(2), 0), ConfigError),
        (Model(np.array([1, np.nan, 1]), 0), DataError),
        (Model(np.ones(3), np.inf), DataError),
        (Model(np.full(3, 4000.0), 0), EncodingOverflow),
    ):
        with pytest.raises(error):
            run(PLAN, model, listed, known)


def test_values_that_do_not_fit_are_refused():
    listed, known = tables()
    good = known["p2"]
    for bad in (
        Known(good.keys, good.standardised[:3], good.ruled),
        Known(good.keys, good.standardised, good.ruled[:, :0]),
        Known(good.keys, np.full((85, 1), 129.0), good.ruled),
        Known(good.keys, np.full((85, 1), np.nan), good.ruled),
        Known(good.keys, good.standardised, np.full((85, 1), 2.0**18)),
    ):
        with pytest.raises(DataError):
            run(PLAN, MODEL, listed, {**known, "p2": bad})


def test_what_a_party_brings_is_what_its_part_takes():
    listed, known = tables()
    with pytest.raises(ConfigError, match="p3: just feature owners"):
        run(PLAN, MODEL, listed, {**known, "p3": known["p1"]})
    with pytest.raises(ConfigError, match="p2: just holders"):
        run(PLAN, MODEL, {**listed, "p2": listed["p1"]}, known)


def test_a_key_twice_is_an_error_before_anything_is_counted():
    listed, known = tables()
    gate = Gate(Limits(rate=1e6, burst=1000, total=0), Nothing())
    with pytest.raises(DataError):
        run(PLAN, MODEL, {**listed, "p3": Listed(["a", "a"])}, known, gates={"p3": gate})
    good = known["p2"]
    twice = Known([good.keys[0], *good.keys[:-1]], good.standardised, good.ruled)
    with pytest.raises(DataError):
        run(PLAN, MODEL, listed, {**known, "p2": twice}, gates={"p2": gate})
    with pytest.raises(DataError):
        run(PLAN, MODEL, listed, known, keys=["a", "a"])


class Nothing:
    """A counter that has nothing left."""

    def take(self, peer, count, total):
        return 0

    def close(self):
        pass


def test_the_operators_limit_ends_the_job_before_a_key_is_looked_up():
    listed, known = tables()
    gate = Gate(Limits(rate=1e6, burst=1000, total=0), Nothing())
    with pytest.raises((Refused, PeerAborted)):
        run(PLAN, MODEL, listed, known, gates={"p3": gate})


def test_applicants_that_no_table_holds_are_an_error_before_anything_is_counted(monkeypatch):
    monkeypatch.setattr(cuckoo, "bins", lambda keys: keys - 1)
    counters = {name: Counting() for name in ("p1", "p2", "p3")}
    gates = {n: Gate(Limits(rate=1e6, burst=1000, total=1000), c) for n, c in counters.items()}
    with pytest.raises(CryptoError, match="60 keys have no table of 59 bins"):
        run(PLAN, MODEL, *tables(), gates=gates)
    assert not any(counter.took for counter in counters.values())


class Counting:
    """A counter that says what it was asked to count."""

    def __init__(self):
        self.took = []

    def take(self, peer, count, total):
        self.took.append(count)

    def close(self):
        pass


def test_keys_count_for_the_list_and_for_the_table():
    """An asker that lies may ask other keys of one than of the other."""
    counters = {name: Counting() for name in ("p1", "p2", "p3")}
    limits = Limits(rate=1e6, burst=1 << 20, total=1 << 20)
    run(PLAN, MODEL, *tables(), gates={n: Gate(limits, c) for n, c in counters.items()})
    most = room(len(APPLICANTS))
    assert {n: c.took for n, c in counters.items()} == {
        "p1": [2 * most],
        "p2": [most],
        "p3": [most],
    }


def test_an_asker_that_looks_more_up_than_it_said_is_refused(monkeypatch):
    begin = decision._begin

    def lie(run, keys, gate):
        return begin(run, None if keys is None else 1, gate)

    monkeypatch.setattr(decision, "_begin", lie)
    with pytest.raises(ProtocolError, match=r"asks \d+ keys, where it had said 1") as caught:
        run(PLAN, MODEL, *tables())
    assert caught.value.peer == "p0"


def test_values_of_another_width_than_the_plans_are_refused(monkeypatch):
    listed, known = tables()
    real = lookup.holder

    def holder(*args, value_bytes=8, **options):
        return real(*args, value_bytes=8, **options)

    monkeypatch.setattr(lookup, "holder", holder)
    with pytest.raises(ParameterMismatch, match="value_bytes"):
        run(PLAN, MODEL, listed, known)


def test_another_number_of_values_is_the_owners_fault():
    """An owner with another plan, whose file was not compared."""
    listed, known = tables()
    other = plan_of(rules=(FELL,))
    held = {"p1": Known(known["p1"].keys, known["p1"].standardised, known["p1"].ruled[:, :2])}

    def job(p):
        shared = {"seeds": p.seeds, "triples": p.triples}
        me = p.mesh.me
        if me == "p0":
            return decision.asker(p.mesh, PLAN, APPLICANTS, MODEL, **shared)
        plan, table = (other, held["p1"]) if me == "p1" else (PLAN, known.get(me))
        return decision.other(p.mesh, plan, listed=listed.get(me), known=table, **shared)

    with pytest.raises(ProtocolError, match="p1: offers values"):
        compute(4, job)


@pytest.mark.parametrize("dies", ["p0", "p2", "p3"])
def test_a_party_that_dies_is_named_to_all_others(dies):
    listed, known = tables()

    def job(p):
        me = p.mesh.me
        if me == dies:
            for name in p.mesh.peers:
                p.mesh.channel(name).close()
            return None
        shared = {"seeds": p.seeds, "triples": p.triples}
        brought = {"listed": listed.get(me), "known": known.get(me)}
        play = decision.asker if me == "p0" else decision.other
        given = (APPLICANTS, MODEL) if me == "p0" else ()
        with pytest.raises((PeerClosed, PeerAborted)) as closed:
            play(p.mesh, PLAN, *given, **shared, **({} if me == "p0" else brought))
        cause = p.mesh.cause(closed.value)
        p.mesh.abort(cause)
        return cause.peer

    assert set(compute(4, job)) == {None, dies}
