# SPDX-License-Identifier: Apache-2.0
"""Items placed in the rows of the store, all together or in lots that the sender drew."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.errors import CryptoError
from mpc.kernels import aes
from mpc.primitives import okvs
from mpc.primitives.rng import Rng
from mpc.protocols.psi import wire
from mpc.protocols.psi.agreement import Run
from mpc.tracing import span

Words = NDArray[np.uint64]
Indices = NDArray[np.intp]
Labels = NDArray[np.uint16]

_MOST_SPREAD = 12


@dataclass(frozen=True, slots=True, repr=False)
class Lot:
    """Some items of a bucket: their rows in the store, and in that order their digests and which
    they are; and how many tags of no item pass for theirs."""

    rows: okvs.Rows
    digests: Words
    order: Indices
    padding: int


def parameters(run: Run) -> okvs.Parameters:
    """Of the store of a bucket."""
    # The stores of all buckets share the probability to fail, as far as dense columns allow.
    spread = min(_MOST_SPREAD, math.ceil(math.log2(run.buckets)))
    return okvs.Parameters.of(run.receivers, okvs.STATISTICAL_SECURITY + spread)


def lots(run: Run) -> int:
    """How many lots the sender's tags go in. What a store of several parts decodes to is there
    with its last part, for all items at once."""
    return 1 if parameters(run).clusters > 1 else max(1, len([*wire.pieces(run.senders)]))


def labels(run: Run, rng: Rng) -> Labels:
    """The lot of each of the sender's tags. It depends on no item, so lots tell nothing of them."""
    words = aes.counter(aes.schedule(rng.bytes(aes.KEY_BYTES)), -(-run.senders // 8))
    drawn = words.view(np.uint16).reshape(-1)[: run.senders]
    return (drawn.astype(np.uint32) * np.uint32(lots(run)) >> np.uint32(16)).astype(np.uint16)


def placed(run: Run, part: Callable[[], Words], seed: bytes, bound: int) -> Lot:
    """All items of a bucket, whose digests are ``part``."""
    digests = _bounded(part, bound)
    with span("okvs"):
        rows = okvs.Rows.of(digests[:, 2:], seed, parameters(run))
        order = rows.order.astype(np.intp)
        return Lot(rows, np.take(digests, order, axis=0), order, bound - len(digests))


def dealt(run: Run, part: Callable[[], Words], seed: bytes, labels: Labels) -> list[Lot]:
    """The sender's items, each in the lot of its label."""
    if lots(run) == 1:
        return [placed(run, part, seed, run.senders)]
    digests = _bounded(part, run.senders)
    with span("okvs"):
        return [*_dealt(run, digests, seed, labels)]


def _dealt(run: Run, digests: Words, seed: bytes, labels: Labels) -> Iterator[Lot]:
    mine, others = labels[: len(digests)], labels[len(digests) :]
    ends = np.cumsum(np.bincount(mine, minlength=lots(run)))
    padding = np.bincount(others, minlength=lots(run))
    together = np.split(np.argsort(mine, kind="stable"), ends[:-1])
    for chosen, more in zip(together, padding.tolist(), strict=True):
        taken = np.take(digests, chosen, axis=0)
        rows = okvs.Rows.of(taken[:, 2:], seed, parameters(run))
        yield Lot(rows, np.take(taken, rows.order, axis=0), chosen[rows.order], more)


def _bounded(part: Callable[[], Words], bound: int) -> Words:
    digests = part()
    if len(digests) > bound:
        raise CryptoError("a bucket has more items than it is padded to: start anew")
    return digests
