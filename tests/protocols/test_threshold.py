# SPDX-License-Identifier: Apache-2.0
"""On how many lists a key stands, against Python's sets, and what each party sees."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from mpc.errors import (
    ConfigError,
    CryptoError,
    DataError,
    ParameterMismatch,
    PeerAborted,
    ProtocolError,
)
from mpc.net.mesh import Mesh
from mpc.primitives import cuckoo, sharing
from mpc.protocols import lookup, threshold
from mpc.protocols.query.limits import Gate, Limits, Refused
from mpc.protocols.threshold import Listed, Terms
from tests.protocols.computing import compute
from tests.protocols.threshold_runs import KEYS, LISTS, counted, ids, run, terms_of

rng = np.random.default_rng(11)
BITS = [bytes(8), *((1 << bit).to_bytes(8, "little") for bit in range(64))]  # one bit apart


@pytest.mark.parametrize("at_least", [1, 2, 3])
def test_the_bit_is_whether_enough_lists_hold_the_key(at_least):
    asked, *held = run(KEYS, LISTS, terms_of(LISTS, at_least))
    assert asked.tolist() == [int(n >= at_least) for n in counted(KEYS, LISTS)]
    assert held == [len(KEYS)] * 3


def test_the_count():
    asked, *held = run(KEYS, LISTS, terms_of(LISTS, output="count"))
    assert asked.tolist() == counted(KEYS, LISTS)
    assert held == [len(KEYS)] * 3


def test_shares_for_further_use_are_in_the_order_of_the_keys():
    shares = run(KEYS, LISTS, terms_of(LISTS, output="shares"))
    assert sharing.reconstruct(shares).tolist() == counted(KEYS, LISTS)


@pytest.mark.parametrize("output", ["bit", "count", "shares"])
def test_weights(output):
    weights = [3, 1, 7]
    found = run(KEYS, LISTS, terms_of(LISTS, 4, output=output, weights=weights))
    wanted = counted(KEYS, LISTS, weights)
    if output == "shares":
        assert sharing.reconstruct(found).tolist() == wanted
    else:
        expected = [int(n >= 4) for n in wanted] if output == "bit" else wanted
        assert found[0].tolist() == expected


@pytest.mark.parametrize("holders", [1, 3, 5, 9, 16])
def test_from_one_to_sixteen_holders(holders):
    lists = [ids(rng.choice(30, 12, replace=False)) for _ in range(holders)]
    keys, at_least = ids(range(8)), (holders + 1) // 2
    found = run(keys, lists, terms_of(lists, at_least))[0]
    assert found.tolist() == [int(n >= at_least) for n in counted(keys, lists)]


def test_ten_thousand_keys_and_one():
    keys = ids(range(10_001))
    lists = [ids(range(0, 12_000, step)) for step in (2, 3, 5)]
    found = run(keys, lists, terms_of(lists, 2))[0]
    numbers = np.arange(10_001)
    wanted = sum((numbers % step == 0).astype(int) for step in (2, 3, 5)) >= 2
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize(
    ("keys", "lists"),
    [
        ([], LISTS),
        (ids([3]), LISTS),
        (ids([3, 4]), [[], ids([4]), []]),
        (KEYS, [KEYS, KEYS, KEYS]),
        (KEYS, [ids([1000]), ids([1001]), ids([1002])]),
        (["a", "b", "á", "A", ""], [["b"], ["a", ""], ["c", "A"]]),
        (BITS, [BITS[::2], BITS[::3], BITS[1::2]]),
    ],
)
def test_sets_of_every_kind(keys, lists):
    for output in ("bit", "count"):
        found = run(keys, lists, terms_of(lists, 2, output=output))[0]
        wanted = counted(keys, lists)
        assert found.tolist() == ([int(n >= 2) for n in wanted] if output == "bit" else wanted)


def test_only_young_entries_count():
    days = np.array(["2026-01-01", "2024-05-05", "2025-01-01"], "datetime64[D]")
    keys, lists = ids([1, 2, 3]), [Listed(ids([1, 2, 3]), days), Listed(ids([3]), days[:1])]
    terms = terms_of(lists, output="count", since=date(2025, 1, 1))
    assert run(keys, lists, terms)[0].tolist() == [1, 0, 2]


def test_dates_are_checked():
    for bad in (None, np.array(["2026-01-01"], "datetime64[D]"), np.array(["NaT", "2026-01-01"])):
        with pytest.raises(DataError, match="date"):
            Listed(ids([1, 2]), bad).young(date(2025, 1, 1))
    assert len(Listed(ids([1, 2])).young(None)) == 2


@pytest.mark.parametrize("bad", [[20191231], [1.5], [True], ["25.11.2026"], ["infinity"], [b"x"]])
def test_what_is_no_day_is_refused(bad):
    """NumPy takes 20191231 for the days since 1970: a list of such numbers would never grow old."""
    for dates in (bad, np.array([*bad, None], object)[:1], [*bad, None]):
        with pytest.raises(DataError, match="date"):
            Listed(ids(range(len(dates))), dates).young(date(2025, 1, 1))


def test_the_day_itself_counts_and_the_one_before_does_not():
    since = date(2025, 1, 1)
    for dates in (
        ["2025-01-01", "2024-12-31"],
        [date(2025, 1, 1), date(2024, 12, 31)],
        np.array(["2025-01-01T00:00:00", "2024-12-31T23:59:59"], "datetime64[ns]"),
    ):
        assert len(Listed(ids([1, 2]), dates).young(since)) == 1
    assert len(Listed(ids([]), []).young(since)) == 0


# --- mutual --------------------------------------------------------------------------------------


def mutually(every, customers, lists, *, gates=None):
    """What each institution learns of its customers."""

    def job(p):
        me = p.mesh.names.index(p.mesh.me)
        held = lists[me] if isinstance(lists[me], Listed) else Listed(lists[me])
        means = {"seeds": p.seeds, "triples": p.triples, "gate": (gates or {}).get(p.mesh.me)}
        return threshold.mutual(p.mesh, every, customers[me], held, **means)

    return compute(len(lists), job)


def every_one(count, at_least, **others):
    names = [f"p{i}" for i in range(count)]
    return {
        me: Terms(me, at_least, {name: 1 for name in names if name != me}, **others) for me in names
    }


@pytest.mark.parametrize(
    ("count", "at_least", "output"), [(2, 1, "bit"), (4, 2, "bit"), (5, 4, "count"), (6, 5, "bit")]
)
def test_each_institution_learns_of_its_own_customers(count, at_least, output):
    lists = [ids(sorted(rng.choice(30, 20, replace=False))) for _ in range(count)]
    customers = [ids(rng.choice(30, 10, replace=False)) for _ in range(count)]
    found = mutually(every_one(count, at_least, output=output), customers, lists)
    for number, learnt in enumerate(found):
        others = [held for i, held in enumerate(lists) if i != number]
        wanted = counted(customers[number], others)
        if output == "bit":
            wanted = [int(n >= at_least) for n in wanted]
        assert learnt.tolist() == wanted


def test_institutions_may_weigh_each_other_differently_and_by_date():
    days = np.array(["2026-01-01", "2024-05-05"], "datetime64[D]")
    lists = [Listed(ids([1, 2]), days), Listed(ids([2, 3]), days), Listed(ids([1, 3]), days)]
    every = {
        "p0": Terms("p0", 3, {"p1": 3, "p2": 1}),
        "p1": Terms("p1", 1, {"p0": 2, "p2": 5}, "count", date(2025, 1, 1)),
        "p2": Terms("p2", 2, {"p0": 1, "p1": 1}),
    }
    found = mutually(every, [ids([1, 2, 3]), ids([1, 2]), ids([2])], lists)
    assert [each.tolist() for each in found] == [[0, 1, 1], [7, 0], [1]]


def test_some_institutions_have_no_customers_or_no_list():
    lists = [[], ids([1, 2]), ids([2])]
    found = mutually(every_one(3, 1), [ids([1, 2, 3]), [], ids([1])], lists)
    assert [each.tolist() for each in found] == [[1, 1, 0], [], [1]]


def test_each_institution_bounds_what_each_of_the_others_asks():
    customers, lists = [ids(range(3))] * 3, [ids(range(5))] * 3
    gates, counters = {}, {name: Total() for name in ("p0", "p1", "p2")}
    for name, counter in counters.items():
        gates[name] = Gate(Limits(rate=1e6, burst=1000, total=200), counter)
    mutually(every_one(3, 1), customers, lists, gates=gates)
    for name, counter in counters.items():
        others = [other for other in counters if other != name]
        assert counter.counts == dict.fromkeys(others, lookup.room(3))
    with pytest.raises((Refused, PeerAborted)):
        mutually(every_one(3, 1), customers, lists, gates={"p2": gates["p2"]})


@pytest.mark.parametrize("me", ["p0", "p1"])
@pytest.mark.parametrize(
    ("customers", "listed", "since"),
    [
        (ids([1, 1]), Listed([]), None),
        (ids([1]), Listed(ids([2, 2])), None),
        (ids([1]), Listed(ids([2])), date(2025, 1, 1)),
    ],
)
def test_faults_of_the_mutual_form_are_found_before_anyone_asks(me, customers, listed, since):
    """At the first to ask too, whose list comes second."""
    (other,) = {"p0", "p1"} - {me}
    mesh, every = Mesh(me, ["p0", "p1"], {other: None}), every_one(2, 1, since=since)
    with pytest.raises(DataError, match=r"repeat|dates"):
        threshold.mutual(mesh, every, customers, listed, seeds=None, triples=None)


def test_the_mutual_form_takes_one_set_of_terms_for_each():
    mesh = Mesh("p0", ["p0", "p1"], {"p1": None})
    own = {"p0": Terms("p0", 1, {"p1": 1}), "p1": Terms("p1", 1, {"p0": 1})}
    shared = {"seeds": None, "triples": None}
    for bad in (dict(reversed(own.items())), {"p0": own["p0"]}, {"p0": own["p1"], "p1": own["p0"]}):
        with pytest.raises(ConfigError, match="asks once"):
            threshold.mutual(mesh, bad, [], Listed([]), **shared)
    opened = {name: Terms(name, 1, t.weights, "shares") for name, t in own.items()}
    with pytest.raises(ConfigError, match="bit or count"):
        threshold.mutual(mesh, opened, [], Listed([]), **shared)


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at_least", "weights", "output"),
    [
        (0, {"a": 1}, "bit"),
        (2, {"a": 1}, "bit"),
        (4, {"a": 1, "b": 2}, "bit"),
        (1, {}, "bit"),
        (1, {"p0": 1, "a": 1}, "bit"),
        (1, {"a": 0, "b": 1}, "bit"),
        (1, {str(i): 1 for i in range(17)}, "bit"),
        (1, {"a": 1}, "names"),
    ],
)
def test_terms_that_make_no_sense_are_refused(at_least, weights, output):
    with pytest.raises(ConfigError):
        Terms("p0", at_least, weights, output)


def test_a_key_twice_on_a_list_is_an_error_before_anything_is_sent():
    with pytest.raises(DataError):
        run(KEYS, [LISTS[0], ids([1, 1]), LISTS[2]], terms_of(LISTS))


def test_a_small_table_is_handled_and_reported(monkeypatch, caplog):
    monkeypatch.setattr(cuckoo, "bins", lambda keys: keys)
    for seed in range(4):
        assert run(KEYS, LISTS, terms_of(LISTS, 2), seed=seed)[0].tolist() == [
            int(n >= 2) for n in counted(KEYS, LISTS)
        ]
    assert any("no table of 8 bins" in record.message for record in caplog.records)


def test_keys_that_no_table_holds_are_an_error_before_anything_is_counted(monkeypatch):
    monkeypatch.setattr(cuckoo, "bins", lambda keys: keys - 1)
    counter = Total()
    gate = Gate(Limits(rate=1e6, burst=1000, total=200), counter)
    with pytest.raises(CryptoError, match="8 keys have no table of 7 bins"):
        run(KEYS, LISTS, terms_of(LISTS), gate=gate)
    assert not counter.counts


def test_a_key_asked_twice_is_an_error():
    with pytest.raises(DataError):
        run(ids([1, 1]), LISTS, terms_of(LISTS))


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("threshold", terms_of(LISTS, 2)),
        ("output", terms_of(LISTS, output="count")),
        ("weights", terms_of(LISTS, weights=[1, 1, 2])),
        ("since", terms_of(LISTS, since=date(2026, 1, 1))),
    ],
)
def test_terms_that_differ_end_the_job_before_any_key_is_looked_up(field, other):
    agreed = terms_of(LISTS)

    def job(p):
        shared = {"seeds": p.seeds, "triples": p.triples}
        number = p.mesh.names.index(p.mesh.me)
        if number == 0:
            return threshold.asker(p.mesh, agreed, KEYS, **shared)
        held = LISTS[number - 1]
        listed = Listed(held, np.full(len(held), "2026-02-02", "datetime64[D]"))
        return threshold.holder(p.mesh, other if number == 2 else agreed, listed, **shared)

    with pytest.raises(ParameterMismatch, match=field):
        compute(4, job)


class Total:
    """A counter in memory."""

    def __init__(self):
        self.counts = {}

    def take(self, peer, count, total):
        used = self.counts.get(peer, 0)
        if used + count > total:
            return total - used
        self.counts[peer] = used + count
        return None

    def close(self):
        pass


def test_a_holder_bounds_how_many_keys_it_answers():
    """Counted is how many it could ask at most, which for few is much more than it says."""
    counter = Total()
    gate = Gate(Limits(rate=1e6, burst=1000, total=200), counter)
    run(KEYS, LISTS[:1], terms_of(LISTS[:1]), gate=gate)
    assert counter.counts == {"p0": lookup.room(len(KEYS))} == {"p0": 193}
    with pytest.raises((Refused, PeerAborted)) as refused:
        run(ids(range(100)), LISTS[:1], terms_of(LISTS[:1]), gate=gate)
    assert isinstance(refused.value, Refused)
    assert counter.counts == {"p0": 193}


def test_what_an_asker_can_ask_is_what_its_store_has_room_for():
    assert [lookup.room(n) for n in (0, 1, 1000)] == [0, 193, 1494]
    for n in (1 << 13, 1 << 16, 1 << 20):
        assert n < lookup.room(n) <= 1.32 * n


def test_an_asker_that_asks_more_keys_than_it_said_is_refused(monkeypatch):
    told = threshold._message
    monkeypatch.setattr(threshold, "_message", lambda terms, keys: told(terms, min(keys, 1)))
    with pytest.raises(ProtocolError, match="asks 8 keys, where it had said 1") as caught:
        run(KEYS, LISTS[:1], terms_of(LISTS[:1]))
    assert caught.value.peer == "p0"
