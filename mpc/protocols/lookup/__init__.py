# SPDX-License-Identifier: Apache-2.0
"""Private lookup: which keys stand in a table, and with which values, as shares; semi-honest.

Circuit PSI with payloads, in two forms, and both sides take the one that sends less for their sizes
(``sizes``). **By bins**: cuckoo hashing against simple hashing, a programmed OPRF and batched
equality, of Pinkas, Schneider, Tkachenko, Yanai (EUROCRYPT 2019, eprint 2019/241) with the OPRF of
Rindal, Schoppmann (EUROCRYPT 2021, eprint 2021/266)::

    asker, n keys                             holder, N rows: key -> d values
      LookupOffer        <- one round ->        LookupOffer: n, N, d, w
      LookupLayout       --- seeds ------>
      a word y and words g for each bin         a word t and masks m for each bin     programmed
      bits of [y = t], shared                   the same                              equality
      bits and g, in the order of its keys      bits and m, shared anew               order
      bit, and bit * value, modulo 2^64         the same                              order, widths

The asker puts its keys in a cuckoo table of about 1.3 n bins (``primitives.cuckoo``), which fails
with probability 2^-40; it draws another seed then, before anything is sent. A bin's word y is t,
and g is value - m, if the holder has the bin's key, and else they are uniform: another key passes
for one of the holder's with probability 2^-64 per bin. Values are 0 where a key is not in the
table. A row is sent three times, once for each bin that it may meet a key in.

**Under masks**, for values in large tables, where both sides allow it: the holder masks each row
with a pseudorandom function of its key and sends it once, and both get shares of that function at
the asker's keys, in its order: Boneh, Lewi, Montgomery, Raghunathan (CRYPTO 2013) by ring-LWE
encryption (``masked``). That gives y, t, g and m for each key; equality and the last line are the
same.

**Learns.** The asker: N and d, the scale and the width of the values. The holder: n. Nobody learns
which keys are in the table or how many; both get uniform shares. Whoever later sees results learns
what they say.

**Width.** Values take 8 bytes, or as few as w where the holder says so, which all of them have to
fit: -2^(8 w - 2) <= v < 2^(8 w - 2), with the scale. Results are the same shares modulo 2^64, with
one more message each way. The width is public: say what a column may hold, since what it happens to
hold says something of the largest.

**Order.** Shares come in the order of the asker's keys, for which the shares of all bins go through
a switching network whose settings the asker knows. With ``order="table"`` they stay in the order of
the bins, which saves that: results (bins, ...), in which key i is at ``places[i]``, known to the
asker alone, and the bins without a key are zeros. Lookups of one ``Layout`` with several holders
have one order of bins, so their shares fit each other. Of such results only the asker may see one
for each bin: which bins are not zero says much of the keys to whoever knows the hash functions.

**Model: semi-honest.** A lying holder can program other values, or values for keys that it made up
(as it could with another table), and can spoil results in ways that depend on the keys, of which it
learns what the opened results show; under masks it can also send encryptions of its own making, and
test guesses of keys by what comes back (``primitives.rlwe``), and a lying asker that is shown what
was opened can get the secret of all masks, and so the table: a side that fears that takes no
``masks``. By bins, a lying asker can ask for
other keys than its own, as many as its store has values (``room``), and see by itself, with nothing
opened, which of them are in the table: put in one bin, those that are decode to the same word
there. So how many keys may be asked is what a holder must bound (``asked``, and a ``Gate`` that
counts ``room``). It can also enter other words into equality and selection, and learn from what is
opened of results that this protocol does not give. The transfers and the vector OLE below are
secure against malicious parties; what is made of them here is not checked.

**Assumptions.** LPN and hashing, as ``vole``; under masks also learning with rounding and ring-LWE,
in modules of 128 bits and more (``primitives.lwr``, ``primitives.rlwe``).

**Cost**, in bytes. By bins: hints 3.9 N (8 + w d), order 1.3 n log2(1.3 n) (w d + 1/4) or, for
membership alone, 2.4 in place of the last factor. Under masks: 14.4 MB for the encrypted secret,
rows 1.06 N (8.3 + (w + 1/8) d), or w + 3/8 where w > 4, answers 261 n for each 18 pieces of a row
(``pieces``), and for words of them n (18 + (w + 5) d), or 3 w + 2 where w > 4. Both: equality 69 n,
selection n (8 + 2 w d), and n d (8.1 - w) for lifting where w < 8. For 2^16 keys and 2^20 rows of
eight values that is by bins 393 MB with 8 bytes each, 219 MB with 4, 132 MB with 2, and under masks
145, 96 and 76 MB. Rows and hints are made anew for every run, so a thousand keys cost not much less
than sixty thousand. Where the asker may know the answers, a list prepared once and fetched once
(``protocols.query``) is far cheaper for few keys.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpc.errors import ConfigError, DataError, ParameterMismatch, ProtocolError
from mpc.kernels import hashing
from mpc.net.channel import Channel
from mpc.pb.v1 import lookup_pb2 as pb
from mpc.primitives import cuckoo, fixed, okvs
from mpc.primitives.items import Items
from mpc.primitives.rng import SYSTEM, Rng
from mpc.primitives.sharing import MAX_FRACTION_BITS, Share, checked_scale
from mpc.protocols.lookup import equality, masked, programmed, widths
from mpc.protocols.lookup import order as ordering
from mpc.protocols.lookup.sixteen import Chooser, Offerer
from mpc.protocols.lookup.sizes import Sizes
from mpc.protocols.lookup.transfers import Receiver, Sender
from mpc.protocols.psi.agreement import distinct
from mpc.protocols.query.limits import Gate, Refused
from mpc.tracing import span

__all__ = ["MOST_COLUMNS", "MOST_KEYS", "Found", "Layout", "admit", "asker", "holder", "room"]

Words = NDArray[np.uint64]
Places = NDArray[np.int64]
Order = Literal["keys", "table"]

MOST_KEYS = 1 << 28
"""Keys or rows of one run."""
MOST_COLUMNS = 256
"""Values of one row."""

_KEY_BYTES, _NONCE_BYTES = 32, 32


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A party's shares of the results, for a ``Mesh`` of the asker first and the holder second.

    ``member`` (n,) is 1 or 0, ``values`` (n, d) are the row's values or zeros. ``places`` is None,
    or for the asker with ``order="table"`` the row at which each of its keys is.
    """

    member: Share
    values: Share
    places: Places | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """An asker's keys in their bins; one may serve for lookups with several holders."""

    key: bytes = field(repr=False)
    digests: Words = field(repr=False)
    table: cuckoo.Table

    @classmethod
    def of(cls, keys: Any, *, rng: Rng = SYSTEM) -> Layout:
        """Of what ``Items.of`` takes. A key that occurs twice is a DataError; CryptoError when the
        keys find no places in a table."""
        key = rng.bytes(_KEY_BYTES)
        digests = _digests(keys, key)
        return cls(key, digests, cuckoo.Table.of(digests, rng))


def room(keys: int) -> int:
    """How many keys an asker that says it asks ``keys`` can ask if it lies: its store's values.

    That is 1.3 times as many of 2^13 or more, 1.5 times as many of 1,000, and 193 for a single one.
    It holds by bins; what a lying asker gets under masks no count of keys bounds.
    """
    return okvs.Parameters.of(keys).size if keys else 0


def admit(gate: Gate | None, peer: str, keys: int, *, lookups: int = 1) -> None:
    """Let ``peer`` ask ``keys`` keys in each of so many lookups, of which ``gate`` counts ``room``;
    for a holder, before it answers. Raises Refused, and ProtocolError for more keys than a lookup
    takes."""
    if keys > MOST_KEYS:
        raise ProtocolError(peer, f"asks for {keys} keys, more than a lookup takes")
    if gate is not None:
        most = lookups * room(keys)
        try:
            gate.admit(peer, most)
        except Refused as refused:
            each = "" if lookups == 1 else f", others in each of {lookups} lookups"
            refused.add_note(
                f"{keys} keys count as {most}, since a dishonest asker could ask that many{each}"
            )
            raise


def asker(
    channel: Channel,
    keys: Any | Layout,
    *,
    order: Order = "keys",
    value_bytes: int | None = None,
    masks: bool = True,
    rng: Rng = SYSTEM,
) -> Found:
    """Look ``keys`` up; see ``Layout.of`` for what they are.

    ``value_bytes`` is the width of the values, where that was agreed on before: another one is a
    ParameterMismatch. Without ``masks``, rows are not looked up under masks, whatever that saves.
    """
    with span("layout"):
        layout = keys if isinstance(keys, Layout) else Layout.of(keys, rng=rng)
    table = layout.table
    offer = pb.LookupOffer(role="asker", order=_checked_order(order), unmasked=not masks)
    offer.count = len(table.places)
    sizes, fraction_bits = _agree(channel, offer, rng, value_bytes)
    places = table.places if order == "table" else None
    if not sizes.keys or not sizes.rows:
        return _found(*_zeros(sizes), 0, fraction_bits, places)
    counts = _Counts.of(sizes)
    transfers, octets = Receiver(channel, counts.transfers, sizes.session, rng), sizes.octets
    if sizes.masked:
        channel.send(pb.LookupLayout(key=layout.key))
        words, held = masked.asker(channel, layout.digests, sizes, transfers, rng)
    else:
        seed = rng.bytes(okvs.SEED_BYTES)
        channel.send(pb.LookupLayout(key=layout.key, seed=table.seed, rows=seed))
        with span("programmed"):
            words, held = programmed.asker(channel, layout.digests, table, sizes, seed, rng)
    chooser = Chooser(channel, counts.choices, sizes.session, rng)
    with span("equality"):
        bits = equality.asker(chooser, words)
    if sizes.ordered and not sizes.masked:
        with span("order"):
            sources = np.concatenate([table.places, _free(table)])
            bits, held = ordering.permute_asker(chooser, transfers, bits, held, octets, sources)
            bits, held = bits[: sizes.keys], held[: sizes.keys]
    with span("selection"):
        given = Sender(channel, counts.results, sizes.session, rng)
        member, held = ordering.select_asker(transfers, given, bits, held, octets)
        values = widths.lift(transfers.times, member, held, octets)
    return _found(member, values, 0, fraction_bits, places)


def holder(
    channel: Channel,
    keys: Any,
    values: ArrayLike | None = None,
    *,
    fraction_bits: int = 0,
    value_bytes: int = 8,
    order: Order = "keys",
    asked: int | None = None,
    masks: bool = True,
    rng: Rng = SYSTEM,
) -> Found:
    """Let the asker look its keys up among ``keys``, with ``values`` (N, d) or (N,), or none.

    Values are encoded by ``fixed.encode`` with ``fraction_bits``, which are public; its errors are
    raised here, before anything is sent, as are a DataError for a key that occurs twice, and an
    EncodingOverflow for values that do not fit ``value_bytes``, 1 to 8 and public too. ``asked``
    is how many keys the asker has said it asks, where that was agreed on before: another number is
    a ProtocolError. ``masks`` as for the asker: they are used where both sides allow them.
    """
    items = Items.of(keys)
    rows = _encoded(items, values, fraction_bits, value_bytes, rng)
    offer = pb.LookupOffer(role="holder", order=_checked_order(order), unmasked=not masks)
    offer.count = len(items)
    offer.columns, offer.fraction_bits = rows.shape[1], fraction_bits
    offer.value_bytes = value_bytes if offer.columns else 0
    sizes, _ = _agree(channel, offer, rng)
    if asked is not None and sizes.keys != asked:
        raise ProtocolError(channel.peer, f"asks {sizes.keys} keys, where it had said {asked}")
    if not sizes.keys or not sizes.rows:
        return _found(*_zeros(sizes), 1, fraction_bits, None)
    layout = _layout(channel, masked=sizes.masked)
    with span("layout"):
        digests = _digests(items, layout.key)
    counts = _Counts.of(sizes)
    transfers, octets = Sender(channel, counts.transfers, sizes.session, rng), sizes.octets
    if sizes.masked:
        targets, held = masked.holder(channel, digests, rows, sizes, transfers, rng)
    else:
        with span("programmed"):
            targets, held = programmed.holder(channel, digests, rows, sizes, layout, rng)
    offerer = Offerer(channel, counts.choices, sizes.session, rng)
    with span("equality"):
        bits = equality.holder(offerer, targets, rng)
    if sizes.ordered and not sizes.masked:
        with span("order"):
            bits, held = ordering.permute_holder(offerer, transfers, bits, held, octets, rng)
            bits, held = bits[: sizes.keys], held[: sizes.keys]
    with span("selection"):
        taken = Receiver(channel, counts.results, sizes.session, rng)
        member, held = ordering.select_holder(transfers, taken, bits, held, octets)
        lifted = widths.lift(transfers.times, member, held, octets)
    return _found(member, lifted, 1, fraction_bits, None)


def _digests(keys: Any, key: bytes) -> Words:
    """Digests (n, 4) of distinct keys."""
    items = Items.of(keys)
    digests = hashing.digests(items.data, items.offsets, key=key, person=b"lookup:k")
    distinct(digests, "error")
    return digests


def _encoded(
    items: Items, values: ArrayLike | None, fraction_bits: int, value_bytes: int, rng: Rng
) -> Words:
    """The rows of a table of distinct keys, as they are looked up."""
    if not 1 <= value_bytes <= widths.WHOLE:
        raise ConfigError(f"values have 1 to {widths.WHOLE} bytes, not {value_bytes}")
    # Under a key of its own: the one of the run is not known yet, and a repeat is an error here.
    _digests(items, rng.bytes(_KEY_BYTES))
    if values is None:
        return np.empty((len(items), 0), np.uint64)
    words = fixed.encode(values, checked_scale(fraction_bits))
    words = words[:, None] if words.ndim == 1 else words
    if words.ndim != 2 or len(words) != len(items) or words.shape[1] > MOST_COLUMNS:
        raise DataError(
            f"values of shape {np.shape(values)} for {len(items)} keys; "
            f"at most {MOST_COLUMNS} columns"
        )
    return widths.lowered(words, value_bytes)


def _checked_order(order: str) -> str:
    if order not in ("keys", "table"):
        raise ConfigError(f"the order is keys or table, not {order!r}")
    return order


def _agree(
    channel: Channel, offer: pb.LookupOffer, rng: Rng, value_bytes: int | None = None
) -> tuple[Sizes, int]:
    """What both sides offer, and the scale of the values; their width may have been agreed on."""
    if offer.count > MOST_KEYS:
        raise ConfigError(f"{offer.count} keys; a lookup takes {MOST_KEYS} at most")
    offer.nonce = rng.bytes(_NONCE_BYTES)
    theirs, peer = channel.exchange(offer), channel.peer
    if {offer.role, theirs.role} != {"asker", "holder"}:
        raise ProtocolError(peer, f"its part is not the one that fits a {offer.role}")
    if theirs.order != offer.order:
        raise ParameterMismatch(peer, "order", repr(offer.order), repr(theirs.order)[:100])
    fits = len(theirs.nonce) == _NONCE_BYTES and theirs.count <= MOST_KEYS
    bounded = theirs.columns <= MOST_COLUMNS and theirs.fraction_bits <= MAX_FRACTION_BITS
    wide = 1 <= theirs.value_bytes <= widths.WHOLE if theirs.columns else not theirs.value_bytes
    if not fits or not bounded or not wide:
        raise ProtocolError(peer, "malformed offer of a lookup")
    ask, hold = (offer, theirs) if offer.role == "asker" else (theirs, offer)
    if value_bytes is not None and hold.value_bytes != value_bytes:
        raise ParameterMismatch(peer, "value_bytes", str(value_bytes), str(hold.value_bytes))
    session = hashlib.blake2s(ask.nonce + hold.nonce, person=b"lookup:s").digest()
    octets = hold.value_bytes or widths.WHOLE
    how = offer.order == "keys", not (ask.unmasked or hold.unmasked)
    return Sizes(ask.count, hold.count, hold.columns, octets, *how, session), hold.fraction_bits


def _layout(channel: Channel, *, masked: bool) -> pb.LookupLayout:
    layout = channel.recv(pb.LookupLayout)
    lengths = len(layout.key), len(layout.seed), len(layout.rows)
    seeds = (0, 0) if masked else (cuckoo.SEED_BYTES, okvs.SEED_BYTES)
    if lengths != (_KEY_BYTES, *seeds):
        raise ProtocolError(channel.peer, "malformed layout of a lookup")
    return layout


def _free(table: cuckoo.Table) -> Places:
    """The bins that no key is in."""
    taken = np.zeros(table.size, np.bool_)
    taken[table.places] = True
    return np.flatnonzero(~taken)


@dataclass(frozen=True, slots=True)
class _Counts:
    """Choices among sixteen, transfers of the asker's choosing, and results: each of these takes a
    transfer of the holder's choosing."""

    choices: int
    transfers: int
    results: int

    @classmethod
    def of(cls, sizes: Sizes) -> _Counts:
        compared = sizes.keys if sizes.masked else sizes.bins
        results = sizes.keys if sizes.ordered else sizes.bins
        blocks, switches = 0, 0
        if sizes.masked:
            switches = sizes.keys * sizes.pieces.transfers
        elif sizes.ordered:
            blocks, switches = ordering.blocks_and_switches(sizes.bins, sizes.columns)
        lifted = widths.count(results, sizes.columns, sizes.octets)
        choices = equality.CHOICES * compared + blocks
        return cls(choices, switches + results + lifted, results)


def _zeros(sizes: Sizes) -> tuple[Words, Words]:
    """Shares of nothing, where one side has nothing: both sides know that."""
    count = sizes.keys if sizes.ordered else sizes.bins
    return np.zeros(count, np.uint64), np.zeros((count, sizes.columns), np.uint64)


def _found(
    member: Words, values: Words, party: int, fraction_bits: int, places: Places | None
) -> Found:
    return Found(Share(member, party, 2), Share(values, party, 2, fraction_bits), places)
