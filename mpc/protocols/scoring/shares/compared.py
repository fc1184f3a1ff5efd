# SPDX-License-Identifier: Apache-2.0
"""Results of a joint score that tell less than its probability; see the package."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpc.errors import ConfigError
from mpc.kernels import bits
from mpc.primitives.sharing import Share, concatenate
from mpc.primitives.xor_sharing import XorShare
from mpc.protocols import arith, boolean, compare
from mpc.protocols.scoring.roles import Floats, checked_features
from mpc.protocols.scoring.shares.linear import FRACTION_BITS, Opened, logit
from mpc.tracing import span


def decision(
    opened: Opened,
    *,
    rows: int,
    features: Floats | None = None,
    threshold: float | None = None,
) -> NDArray[np.bool_] | None:
    """Whether each row's probability is at least ``threshold``, bool (rows,), at the receiver.

    The model owner alone gives the threshold, between 0 and 1. The rest is as in ``probability``.
    """
    limits = None if threshold is None else [threshold]
    found = _at_least(opened, limits, 1, rows, features)
    return None if found is None else found[:, 0]


def band(
    opened: Opened,
    *,
    rows: int,
    count: int,
    features: Floats | None = None,
    limits: ArrayLike | None = None,
) -> NDArray[np.intp] | None:
    """Between which of ``limits`` each row's probability lies, from 0 to ``count`` - 1.

    The model owner alone gives the ``count`` - 1 limits, which ascend between 0 and 1: a row is in
    band i when it is at limit i - 1 or above, and below limit i.
    """
    found = _at_least(opened, limits, count - 1, rows, features)
    return None if found is None else found.sum(axis=1, dtype=np.intp)


def reasons(
    opened: Opened,
    *,
    rows: int,
    count: int,
    features: Floats | None = None,
    raising: bool = False,
) -> NDArray[np.intp] | None:
    """The ``count`` features that lower each row's score most, intp (rows, count), at the receiver.

    Features are numbered in the order of ``roles.features``; the first lowers it most, and -1
    stands where there are fewer that do. ``raising`` asks for those that raise it: for a score that
    is the probability of default, say.
    """
    if not 1 <= count <= opened.roles.count:
        raise ConfigError(f"{count} reasons of {opened.roles.count} features")
    mesh, triples = opened.mesh, opened.triples
    with span("product"):
        parts = _contributions(opened, rows, features)
    if raising:
        parts = -parts
    width = opened.roles.count
    with span("compare"):
        lowers = compare.is_negative(mesh, parts.reshape(-1), triples)
        here = compare.top_places(mesh, -parts, count, triples)
    spread = bits.unpack(lowers.words, lowers.count).reshape(rows, 1, width)
    several = np.ascontiguousarray(np.broadcast_to(spread, (rows, count, width))).reshape(-1)
    also = XorShare(bits.pack(several), here.count, here.party, here.parties)
    shown = _to_receiver(opened, boolean.both(mesh, here, also, triples))
    if shown is None:
        return None
    places = shown.reshape(rows, count, width)
    return np.where(places.any(axis=2), places.argmax(axis=2), -1)


def _at_least(
    opened: Opened, limits: ArrayLike | None, count: int, rows: int, features: Floats | None
) -> NDArray[np.bool_] | None:
    """Whether each row's probability is at least each limit, bool (rows, count)."""
    thresholds = _checked_limits(opened, limits, count)
    x = logit(opened, rows=rows, features=features)
    t = opened.seeds.share(
        thresholds,
        owner=opened.roles.model_owner,
        shape=(count,),
        fraction_bits=2 * FRACTION_BITS,
    )
    with span("compare"):
        below = compare.is_negative(opened.mesh, x.reshape(rows, 1) - t, opened.triples)
    found = _to_receiver(opened, ~below)
    return None if found is None else found.reshape(rows, count).astype(np.bool_)


def _checked_limits(opened: Opened, limits: ArrayLike | None, count: int) -> Floats | None:
    """The logits of the model owner's limits."""
    if (limits is not None) != opened.owns:
        raise ConfigError(f"just the model owner, {opened.roles.model_owner}, gives the limits")
    if limits is None:
        return None
    values = np.asarray(limits, np.float64)
    if values.shape != (count,):
        raise ConfigError(f"{count} limits were agreed, these are of shape {values.shape}")
    if not ((values > 0) & (values < 1)).all() or (np.diff(values) <= 0).any():
        raise ConfigError("limits of a probability are between 0 and 1, and ascend")
    return np.asarray(np.log(values) - np.log1p(-values))


def _contributions(opened: Opened, rows: int, features: Floats | None) -> Share:
    """Shares of weight * z for each row and feature (rows, d)."""
    mesh, roles, seeds = opened.mesh, opened.roles, opened.seeds
    values = checked_features(roles, mesh.me, rows, features)
    weights = {} if opened.model is None else opened.model.weights
    parts, pairs = {}, {}
    for name, width in roles.features.items():
        mine, w = (values if name == mesh.me else None), weights.get(name)
        shape = (rows, width)
        if name == roles.model_owner:
            products = None if mine is None or w is None else mine * w
            parts[name] = seeds.share(
                products, owner=name, shape=shape, fraction_bits=2 * FRACTION_BITS
            )
        else:
            pairs[name] = (
                seeds.share(mine, owner=name, shape=shape, fraction_bits=FRACTION_BITS),
                seeds.share(
                    w, owner=roles.model_owner, shape=(width,), fraction_bits=FRACTION_BITS
                ),
            )
    made = arith.products(mesh, list(pairs.values()), opened.triples)
    parts |= dict(zip(pairs, made, strict=True))
    return concatenate([parts[name] for name in roles.features], axis=1)


def _to_receiver(opened: Opened, x: XorShare) -> NDArray[np.uint8] | None:
    """The bits at the receiver, out of shares that say nothing else."""
    fresh = XorShare(x.words ^ opened.seeds.zero_bits(x.words.shape), x.count, x.party, x.parties)
    with span("reveal"):
        return boolean.reveal(opened.mesh, fresh, to=opened.roles.receiver)
