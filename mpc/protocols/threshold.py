# SPDX-License-Identifier: Apache-2.0
"""On how many lists of others a key stands, weighed, and whether that reaches a threshold.

One *asker* has keys, k *holders* (up to 16) have a list each; semi-honest::

    every party            ThresholdTerms  <->  every other party          must be alike
    every holder           ThresholdAccepted -> every other party          its quota allows so many
    asker, holder i        shares of [key on list i], for each i at once   protocols.lookup
    every party            its share of the weighed count, locally: the holder's share times its
                           weight; the asker's, the sum of those
    all k + 1              shares of [count >= threshold]                  compare, log2 rounds
                           the result, to the asker                        reveal
    every party            ThresholdDone   <->  every other party

The last round tells all parties that all got to the end: whoever dies before that ends the run of
every other one, which says so. The asker may have the result then already.

**Outputs**, exactly one of: ``"bit"``, on lists that weigh at least the threshold together;
``"count"``, the weight itself; ``"shares"``, the count as shares among all parties, in the order of
the asker's keys, for a larger computation (the decision).

**Learns.** The asker: the output, and how many entries each list has (of those that are young
enough). A holder: how many keys are asked. Nobody learns which list said yes.

**Collusion.** For ``"bit"`` and ``"shares"`` any parties but one may collude: the asker with k - 1
holders learns nothing of the list of the last one but what the output and their own lists imply.
Its bits are shared between it and the asker (``lookup``) and enter a sharing among k + 1 parties;
what is opened of it is masked by correlations that are safe against all but one. For ``"count"``
the asker gets the sum of shares, re-shared with zeros that every two parties draw, so that single
ones are uniform; with all but one of the holders it learns that one's bits, which *are* what the
count says beside their own.

**Mutual form**: with ``mutual`` every institution asks in turn, for its own customers on the lists
of the others, in one run and each by terms of its own. Each learns its own output; all learn how
many customers each has, and how many entries each list.

**Weights and dates** are public terms: a list counts by its weight, and only its entries dated
``since`` or later are looked up. Which entries these are, the holder alone sees.

A lying holder changes the result, as it could by another list; a lying asker can ask for other keys
than its applicants', which nothing can tell, and learn by itself which of them are on a list
(``lookup``), so each holder bounds how many it may ask: ``gate``, which counts ``lookup.room`` of
the number announced, since that many are what it can ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from numbers import Number
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpc.errors import ConfigError, DataError, ParameterMismatch
from mpc.kernels import ring
from mpc.net.mesh import Mesh
from mpc.pb.v1 import threshold_pb2 as pb
from mpc.primitives.items import Items
from mpc.primitives.rng import SEED_BYTES, SYSTEM, Prg, Rng
from mpc.primitives.sharing import Share
from mpc.protocols import arith, boolean, compare, lookup
from mpc.protocols.query.limits import Gate
from mpc.protocols.seeds import Seeds
from mpc.protocols.triples import Triples
from mpc.tracing import ThreadPool, span

MOST_HOLDERS = 16
MOST_WEIGHT = 1 << 16

Words = NDArray[np.uint64]
Output = Literal["bit", "count", "shares"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What all parties agree on; public.

    ``weights`` names every holder and what its list counts, ``threshold`` is from 1 to their sum.
    With ``since``, only entries of that date or later count.
    """

    asker: str
    threshold: int
    weights: Mapping[str, int]
    output: Output = "bit"
    since: date | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.weights) <= MOST_HOLDERS or self.asker in self.weights:
            raise ConfigError(
                f"a threshold takes 1 to {MOST_HOLDERS} holders, the asker {self.asker!r} not among"
                f" them: {sorted(self.weights)}"
            )
        if any(not 1 <= weight <= MOST_WEIGHT for weight in self.weights.values()):
            raise ConfigError(f"weights are 1 to {MOST_WEIGHT}: {dict(self.weights)}")
        if not 1 <= self.threshold <= self.total:
            raise ConfigError(
                f"the threshold is {self.threshold}; the lists weigh 1 to {self.total} together"
            )
        if self.output not in ("bit", "count", "shares"):
            raise ConfigError(f"the output is bit, count or shares, not {self.output!r}")

    @property
    def total(self) -> int:
        """What all lists weigh."""
        return sum(self.weights.values())


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Listed:
    """A holder's list: ``keys``, see ``Items.of``, and ``dates`` where the terms say ``since``."""

    keys: Any
    dates: ArrayLike | None = None

    def young(self, since: date | None) -> Items:
        """The entries that count. Raises DataError where they have no dates, or not as many."""
        items = Items.of(self.keys)
        if since is None:
            return items
        if self.dates is None:
            raise DataError(f"entries since {since} count, but this list has no dates")
        days = _days(self.dates)
        if days.shape != (len(items),) or bool(np.isnat(days).any()):
            raise DataError(f"{len(items)} entries need a date each; {days.size} are given")
        return items.take(np.flatnonzero(days >= np.datetime64(since)))

    def __repr__(self) -> str:
        return "Listed(<secret>)"


def _days(dates: ArrayLike) -> NDArray[np.datetime64]:
    given = np.asarray(dates)
    # NumPy would take 20241231 for days since 1970, and so for a young entry.
    numbers = given.dtype.kind in "biuf" and given.size
    if given.dtype == object:
        numbers = any(isinstance(day, Number) for day in given.flat)
    if not numbers:
        with suppress(ValueError, TypeError):
            return given.astype("datetime64[D]")
    raise DataError("dates are days, as datetime64, date or text such as 2026-11-25")


def asker(
    mesh: Mesh, terms: Terms, keys: Any, *, seeds: Seeds, triples: Triples, rng: Rng = SYSTEM
) -> NDArray[Any] | Share:
    """What the terms' output says of each of ``keys``, in their order; one Share for "shares".

    Raises what ``lookup.asker`` raises, and PeerAborted where a holder's quota does not allow it.
    """
    with span("layout"):
        layout = lookup.Layout.of(keys, rng=rng)
    with span("agree"):
        _agree(mesh, terms, len(layout.table.places))
    order: lookup.Order = "keys" if terms.output == "shares" else "table"

    def look_up(name: str, seed: bytes) -> lookup.Found:
        return lookup.asker(mesh.channel(name), layout, order=order, rng=Prg(seed))

    holders = list(terms.weights)
    with span("lookups"), ThreadPool(len(holders)) as pool:
        found = list(pool.map(look_up, holders, [rng.bytes(SEED_BYTES) for _ in holders]))
    members = np.stack([each.member.words for each in found], axis=1)
    words = ring.matmul(members, np.array(list(terms.weights.values()), np.uint64))
    with span("compare"):
        result = _finished(mesh, terms, words, seeds, triples)
    return result if isinstance(result, Share) else np.asarray(result)[layout.table.places]


def holder(
    mesh: Mesh,
    terms: Terms,
    listed: Listed,
    *,
    seeds: Seeds,
    triples: Triples,
    gate: Gate | None = None,
    rng: Rng = SYSTEM,
) -> Share | int:
    """Let the asker ask; a share of the counts for "shares", else how many keys it asked.

    ``gate`` bounds how many keys the asker may ask, and counts ``lookup.room`` of those that it
    announces: ``Refused`` ends the session before the list is touched. Raises what
    ``lookup.holder`` raises for the list, before anything is sent.
    """
    entries = listed.young(terms.since)
    entries.check_distinct()
    with span("agree"):
        asked = _agree(mesh, terms, None, gate)
    order: lookup.Order = "keys" if terms.output == "shares" else "table"
    channel = mesh.channel(terms.asker)
    with span("lookups"):
        found = lookup.holder(channel, entries, order=order, asked=asked, rng=rng)
    weight = np.uint64(terms.weights[mesh.me])
    with span("compare"):
        result = _finished(mesh, terms, found.member.words * weight, seeds, triples)
    return result if isinstance(result, Share) else asked


def mutual(
    mesh: Mesh,
    terms: Mapping[str, Terms],
    customers: Any,
    listed: Listed,
    *,
    seeds: Seeds,
    triples: Triples,
    gate: Gate | None = None,
    rng: Rng = SYSTEM,
) -> NDArray[Any]:
    """Every institution asks for its own customers on the others' lists, in one run.

    ``terms`` has those of each as the asker, with output "bit" or "count", in the order in which
    they ask. Returns the output for this party's ``customers``. What is wrong with them or the list
    is a DataError before anyone asks.
    """
    if list(terms) != list(mesh.names) or any(t.asker != name for name, t in terms.items()):
        raise ConfigError(f"each of {mesh.names} asks once, in this order: {list(terms)}")
    if any(t.output == "shares" for t in terms.values()):
        raise ConfigError("each learns of its own customers: the output is bit or count")
    Items.of(customers).check_distinct()
    for since in {own.since for name, own in terms.items() if name != mesh.me}:
        listed.young(since).check_distinct()
    mine: NDArray[Any] | Share | None = None
    for name, own in terms.items():
        if name == mesh.me:
            mine = asker(mesh, own, customers, seeds=seeds, triples=triples, rng=rng)
        else:
            holder(mesh, own, listed, seeds=seeds, triples=triples, gate=gate, rng=rng)
    return np.asarray(mine)


def _agree(mesh: Mesh, terms: Terms, keys: int | None, gate: Gate | None = None) -> int:
    """All hold the same terms, and every holder accepts how many keys are asked: these many."""
    if set(mesh.names) != {terms.asker, *terms.weights}:
        raise ConfigError(
            f"the terms name {sorted((terms.asker, *terms.weights))}, the mesh {mesh.names}"
        )
    if (keys is not None) != (mesh.me == terms.asker):
        raise ConfigError(f"{mesh.me} is not the {'asker' if keys is not None else 'holder'}")
    ours = _message(terms, keys or 0)
    theirs, asked = mesh.exchange(ours), ours.keys
    for name, message in theirs.items():
        told, message.keys = message.keys, ours.keys
        if message != ours:
            raise _mismatch(name, ours, message)
        if name == terms.asker:
            asked = told
            lookup.admit(gate, name, asked)
    if mesh.me != terms.asker:
        mesh.broadcast(pb.ThresholdAccepted())
    for name in mesh.peers:
        if name != terms.asker:
            mesh.channel(name).recv(pb.ThresholdAccepted)
    return asked


def _message(terms: Terms, keys: int) -> pb.ThresholdTerms:
    return pb.ThresholdTerms(
        asker=terms.asker,
        output=terms.output,
        threshold=terms.threshold,
        since="" if terms.since is None else terms.since.isoformat(),
        weights=dict(terms.weights),
        keys=keys,
    )


def _mismatch(peer: str, ours: pb.ThresholdTerms, theirs: pb.ThresholdTerms) -> ParameterMismatch:
    for name in ("asker", "output", "threshold", "since"):
        if getattr(ours, name) != getattr(theirs, name):
            return ParameterMismatch(
                peer, name, repr(getattr(ours, name)), repr(getattr(theirs, name))[:100]
            )
    held, told = (dict(sorted(message.weights.items())) for message in (ours, theirs))
    return ParameterMismatch(peer, "weights", repr(held), repr(told)[:400])


def _finished(
    mesh: Mesh, terms: Terms, words: Words, seeds: Seeds, triples: Triples
) -> Share | NDArray[Any] | None:
    """The output, from this party's share of the counts, when all have got to it."""
    result = _output(mesh, terms, words, seeds, triples)
    mesh.exchange(pb.ThresholdDone())
    return result


def _output(
    mesh: Mesh, terms: Terms, words: Words, seeds: Seeds, triples: Triples
) -> Share | NDArray[Any] | None:
    # Each share so far is known in part to the asker; zeros of all pairs make it a sharing anew.
    fresh = words + seeds.zero(words.shape)
    count = Share(fresh, mesh.names.index(mesh.me), len(mesh.names))
    if terms.output == "shares":
        return count
    if terms.output == "count":
        return arith.reveal(mesh, count, to=terms.asker)
    width = terms.total.bit_length()
    below = compare.less_than(mesh, count, terms.threshold, triples, width=width)
    return boolean.reveal(mesh, ~below, to=terms.asker)
