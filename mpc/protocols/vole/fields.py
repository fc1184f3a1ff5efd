# SPDX-License-Identifier: Apache-2.0
"""Both roles over GF(2^128); the transcript is in ``mpc.protocols.vole``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mpc.net.channel import Channel
from mpc.primitives import lpn, puncturable
from mpc.primitives.rng import Rng, uint64
from mpc.protocols import ot
from mpc.protocols.vole import points
from mpc.protocols.vole.rings import BITS, BLOCKS, Ring, bits_of, combined, elements

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]

NO_BITS = np.empty(0, np.uint8)


def sender(
    channel: Channel,
    count: int,
    ring: Ring,
    delta: Words,
    rng: Rng,
    bases: ot.SenderBases | None = None,
    *,
    checked: bool = True,
) -> tuple[Callable[[], Words], bytes]:
    """What gives b (count, 2), once, and bytes that belong to this run."""
    noise = ring.noise(count)
    if ring.few(count):
        held = ot.correlated_sender(channel, count * ring.value_bits, delta, bases=bases, rng=rng)
        return partial(combined, held.rows, ring.value_bits), held.session
    first = points.side_rows(noise)
    last = first + noise.points * ring.rows_per_point
    masks = points.MASK_ROWS if checked else 0
    held = ot.correlated_sender(channel, last + masks, delta, bases=bases, rng=rng)
    if ring == BITS:
        # The value at every point is one, and its product with delta the sender holds alone.
        shares = np.tile(delta, (noise.points, 1))
    else:
        shares = combined(held.rows[first:last], ring.value_bits)
    mask_rows, cleared = held.rows[last:], ring.inside
    leaves, code = points.sender(
        channel, noise, held, delta, shares, mask_rows, cleared=cleared, checked=checked, rng=rng
    )
    return partial(lpn.compress, leaves.reshape(-1, 2), count, code), held.session


def receiver(
    channel: Channel,
    count: int,
    ring: Ring,
    rng: Rng,
    bases: ot.ReceiverBases | None = None,
    *,
    checked: bool = True,
) -> tuple[Words | Bits, Callable[[], Words], bytes]:
    """a, what gives c (count, 2), once, and bytes that belong to this run.

    Where nothing is checked and a is not inside c, the trees are awaited by what gives c.
    """
    if ring.few(count):
        few, products, session = _few(channel, count, ring, rng, bases)
        return few, lambda: products, session
    noise = ring.noise(count)
    places, mask = points.draw(noise, rng), uint64(rng, 2)
    sides = puncturable.sides(places, noise.block).reshape(-1)
    if ring == BITS:
        values, chosen = np.ones(noise.points, np.uint64), NO_BITS
    else:
        values = _drawn(ring, noise.points, rng)
        chosen = bits_of(values, ring.value_bits)
    chosen_bits = np.concatenate([sides, chosen, bits_of(mask) if checked else NO_BITS])
    held = ot.correlated_receiver(channel, chosen_bits, bases=bases, rng=rng)
    last = len(sides) + len(chosen)
    if ring == BITS:
        shares = np.zeros((noise.points, 2), np.uint64)
    else:
        shares = combined(held.rows[len(sides) : last], ring.value_bits)
    code = rng.bytes(lpn.SEED_BYTES) if checked else points.code_of(held.session)
    # While the sender grows its trees.
    a = None if ring.inside else points.compressed(noise, places, values, count, code)
    secret = points.Secret(places, elements(values), shares, mask, held.rows[last:])

    def leaves() -> Words:
        """Of all trees, in one vector."""
        grown = points.receiver(
            channel, noise, held, secret, code, cleared=ring.inside, checked=checked, rng=rng
        )
        return grown.reshape(-1, 2)

    if a is not None and not checked:
        return a, lambda: lpn.compress(leaves(), count, code), held.session
    compress = partial(lpn.compress, leaves(), count, code)
    if a is not None:
        return a, compress, held.session
    c = compress()
    a = c[:, 0] & np.uint64((1 << ring.inside) - 1)
    return a.astype(np.uint8) if ring == BITS else a, lambda: c, held.session


def _few(
    channel: Channel, count: int, ring: Ring, rng: Rng, bases: ot.ReceiverBases | None
) -> tuple[Words | Bits, Words, bytes]:
    values = _drawn(ring, count, rng)
    bits = bits_of(values, ring.value_bits)
    held = ot.correlated_receiver(channel, bits, bases=bases, rng=rng)
    a = bits if ring == BITS else values
    return a, combined(held.rows, ring.value_bits), held.session


def _drawn(ring: Ring, count: int, rng: Rng) -> Words:
    if ring == BLOCKS:
        return uint64(rng, (count, 2))
    return uint64(rng, count) & np.uint64((1 << ring.value_bits) - 1)
