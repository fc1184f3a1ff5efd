# SPDX-License-Identifier: Apache-2.0
"""An oblivious pseudorandom function that the holder has programmed, one point of it for each bin.

Rindal, Schoppmann, "VOLE-PSI" (EUROCRYPT 2021, eprint 2021/266, section 5), after Pinkas,
Schneider, Tkachenko, Yanai (EUROCRYPT 2019), with the store and vector OLE of ``psi``::

    asker, keys q, each in bin h(q) for one h         holder, rows x
      LookupLayout           --- seeds --------->
      F(q, h)                <------------------->     F(x, h), all h             ``function``

and for each of the three hash functions h, whose bin for x is h(x)::

                             <-- LookupHintSeed ---
                             <-- LookupHint -------     store of (x, h): (t, v - m)[h(x)] ^ pads

where the key in the store and the pads come from a hash of F(x, h), x and h. The holder draws the
targets t (a word for each bin) and the masks m (a word for each bin and value); the v are a row's
values, and v - m has as many octets as they have (``widths``). An asker whose key in bin j is a row
of the holder's decodes (t_j, v - m_j), and for any other key words that are uniform to it, as a
store of other pairs would have given: pads of points at which it cannot evaluate F are
pseudorandom.

The asker evaluates F once for each bin. Were F a function of the key alone, it could decode a key
for the other two of its bins as well, and if it got there what another key of its own got, it would
know that both are in the table. A lying asker does just that, with points of its choice.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mpc import kernels
from mpc.errors import ProtocolError
from mpc.kernels import hashing
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.pb.v1 import lookup_pb2 as pb
from mpc.primitives import cuckoo, okvs
from mpc.primitives.rng import SEED_BYTES, Prg, Rng, uint64
from mpc.protocols.lookup import function
from mpc.protocols.lookup.packing import Octets
from mpc.protocols.lookup.sizes import Sizes
from mpc.protocols.lookup.transfers import expanded
from mpc.tracing import ThreadPool

Words = NDArray[np.uint64]
Places = NDArray[np.int64]


def asker(
    channel: Channel, digests: Words, table: cuckoo.Table, sizes: Sizes, seed: bytes, rng: Rng
) -> tuple[Words, Words]:
    """A word (bins,) and values' words (bins, columns) for each bin; ``seed`` is of the rows.

    Bins without a key get uniform words. Words of values are modulo 2^(8 octets).
    """
    points = np.empty_like(digests)
    for choice in range(cuckoo.HASHES):
        mine = table.choices == choice
        points[mine] = _points(digests[mine], choice, sizes)
    values = function.receiver(channel, points, seed, rng)
    out = uint64(rng, (sizes.bins, 1 + sizes.columns))
    parameters = okvs.Parameters.of(sizes.rows)
    words = -(-sizes.hint.width // 8)
    for choice in range(cuckoo.HASHES):
        mine = np.flatnonzero(table.choices == choice)
        hashed = _hashed(values[mine], points[mine], sizes)
        rows = okvs.Rows.of(hashed[:, :2], _hint_seed(channel), parameters)
        pads = expanded(hashed[:, 2:], words, sizes.session)
        for part, place, inside in rows.parts():
            count, peer = place.stop - place.start, channel.peer
            column = channel.recv(pb.LookupHint).values
            store = columns.unpack(column, width=sizes.hint.width, count=count, peer=peer)
            order = rows.order[part]
            decoded = inside.decode(_words(store)) ^ pads[order]
            out[table.places[mine[order]]] = sizes.hint.unpack(_octets(decoded, sizes))
    return out[:, 0], out[:, 1:]


def holder(
    channel: Channel,
    digests: Words,
    values: Words,
    sizes: Sizes,
    layout: pb.LookupLayout,
    rng: Rng,
) -> tuple[Words, Words]:
    """Targets (bins,) and masks (bins, columns)."""
    bins = cuckoo.positions(digests, layout.seed, sizes.bins)
    evaluated = function.sender(channel, sizes.keys, layout.rows, rng)
    parameters = okvs.Parameters.of(sizes.rows)
    drawn = uint64(rng, (sizes.bins, 1 + sizes.columns))
    for choice in range(cuckoo.HASHES):
        points = _points(digests, choice, sizes)
        hashed = _hashed(evaluated.at(points), points, sizes)
        fresh = rng.bytes(okvs.SEED_BYTES)
        channel.send(pb.LookupHintSeed(seed=fresh))
        rows = okvs.Rows.of(hashed[:, :2], fresh, parameters)
        for store in _stores(rows, hashed[:, 2:], drawn, bins[:, choice], values, sizes, rng):
            channel.send(pb.LookupHint(values=columns.pack(_octets(store, sizes))))
    return drawn[:, 0].copy(), drawn[:, 1:].copy()


def _points(digests: Words, choice: int, sizes: Sizes) -> Words:
    """The points (x, h) of keys (n, 4) and a hash function, as digests (n, 4)."""
    return hashing.joined(
        digests,
        np.full((len(digests), 1), choice, np.uint64),
        key=sizes.session,
        person=b"lookup:p",
    )


def _hashed(values: Words, points: Words, sizes: Sizes) -> Words:
    """For each (x, h): its key in the store (2 words), and the seed of its pads (2 words)."""
    return hashing.joined(values, points, key=sizes.session, person=b"lookup:h")


def _hint_seed(channel: Channel) -> bytes:
    seed = channel.recv(pb.LookupHintSeed).seed
    if len(seed) != okvs.SEED_BYTES:
        raise ProtocolError(channel.peer, f"a seed has {okvs.SEED_BYTES} bytes, not {len(seed)}")
    return bytes(seed)


def _stores(
    rows: okvs.Rows,
    seeds: Words,
    drawn: Words,
    places: Places,
    values: Words,
    sizes: Sizes,
    rng: Rng,
) -> Iterator[Words]:
    """The parts of a hint in turn, as many made at once as there are threads."""

    def made(part: tuple[slice, okvs.Rows, Rng]) -> Words:
        inside, cluster, own = part
        mine = rows.order[inside]
        there = drawn[places[mine]]
        there[:, 1:] = values[mine] - there[:, 1:]
        words = _words(sizes.hint.pack(there))
        words ^= expanded(seeds[mine], words.shape[1], sizes.session)
        return cluster.encode(words, own)

    parts = [(inside, one, Prg(rng.bytes(SEED_BYTES))) for inside, _, one in rows.parts()]
    threads = kernels.threads()
    with ThreadPool(threads) as pool:
        for start in range(0, len(parts), threads):
            yield from pool.map(made, parts[start : start + threads])


def _words(octets: Octets) -> Words:
    """Rows of octets as rows of words, with zeros at the end."""
    missing = -octets.shape[1] % 8
    padded = np.pad(octets, ((0, 0), (0, missing))) if missing else octets
    return np.ascontiguousarray(padded).view("<u8")


def _octets(words: Words, sizes: Sizes) -> Octets:
    """Rows of a hint without what ``_words`` has at the end."""
    return words.astype("<u8", copy=False).view(np.uint8)[:, : sizes.hint.width]
