# SPDX-License-Identifier: Apache-2.0
"""A joint linear score on additive shares over Z_2^64; semi-honest, all but one may collude.

M is the model owner, T the feature owners other than M, R the receiver. With correlations of
``triples`` between M and each k in T (rows a that k alone knows, a mask b that M alone knows, and
c = a b shared between the two), which are made before features are known::

    model_owner M                     feature_owner k in T              receiver R
    once for a model, ``open_model``
      SeedHalf      <------------------- every two parties ------------------->
      MaskedWeights -----------------> w_k - b_k
    for each score, ``logit``
                    <----------------- MaskedFeatures: z_k - a, in blocks of rows
      c_M + (z_k - a) w_k               c_k + a (w_k - b_k)
    ``probability``
      HighParts     ----------------------------------------------------->  adds them up
                                        HighParts ----------------------->
    ``decision``, ``band``, ``reasons``
      <------------ compare, arith, boolean among all parties -------------->
      HandedShares  ----------------------------------------------------->  XOR of them

The two lines of ``logit`` add up to z_k w_k (Beaver 1991, with both factors known to one party
each), so the features go over the wire once, 8 bytes each, in one round; the weights' mask stays
for as long as the model does. To its part every party adds a share of zero (``seeds``): the parts
are then uniform but for their sum.

Learns: M and every k, from masked words, nothing. R, what it asked for:

``probability``  the logit, of which it gets no more than a multiple of 2^-22, off by up to
                 ``error_bound``: the parts are sent without their low 26 bits. (An exact sum is a
                 knapsack, whose 48 fraction bits would tell the features to a model owner who
                 receives.) Which of the values around it comes out is random, so t scores of the
                 same row narrow it t-fold.
``band``         between which of M's limits the probability lies
``decision``     whether it is at M's threshold or above
``reasons``      the names, in this order, of the features that lower the score most

M's limits and threshold are shared like the weights, and nobody sees them. Public: the number of
rows, of each owner's features, of bands and of reasons. All parties but k together learn from a
probability the part of k, z_k w_k, as follows from the sum.

**What a linear score gives away by itself.** It is a linear function, exact to 22 bits after the
point. Who receives probabilities and knows the features of d + 1 rows solves for the weights of d
features; who receives them and owns the model gets one linear equation on the features of each row,
and so a single unknown feature of an owner outright, or several that have few possible values. A
rounded probability says less, a band log2(bands) bits and a decision at most one, so the weights
take many chosen rows; reasons say which of two parts is smaller. So give probabilities to the model
owner where the features are many or the parties trust it; else a decision, or bands.

**Numbers.** Features and weights have 24 fraction bits, so each z up to 128 has 32 bits, and all
sums stay below 2^62 as encoded: the model owner must have sum |w| * 128 + |intercept| < 2^14.

A lying party can put in other features or weights than its own, and change the result, unnoticed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpc.errors import ConfigError, EncodingOverflow, ProtocolError
from mpc.kernels import bits, ring
from mpc.net import columns
from mpc.net.mesh import Mesh
from mpc.pb.v1 import scoring_pb2 as pb
from mpc.primitives import fixed
from mpc.primitives.rng import SYSTEM, Rng
from mpc.primitives.sharing import Share, concatenate
from mpc.primitives.xor_sharing import XorShare
from mpc.protocols import arith, boolean, compare
from mpc.protocols import seeds as common
from mpc.protocols.scoring.roles import (
    FEATURE_LIMIT,
    Floats,
    Model,
    Roles,
    all_weights,
    checked_features,
    checked_model,
    logistic,
)
from mpc.protocols.triples import Fixed, Triples

Words = NDArray[np.uint64]

FRACTION_BITS = 24  # of a feature and of a weight; a logit carries twice as many
LOGIT_LIMIT = 2.0**14
REVEALED_BITS = 22  # of the fraction of a logit
BLOCK_BYTES = 1 << 21  # masked features of one message: what is in the caches while it is made

_DROPPED = np.uint64(2 * FRACTION_BITS - REVEALED_BITS)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Opened:
    """A model whose weights are opened under their masks: what a party needs to score rows by it.

    ``words`` holds, at the model owner, the encoded weights of each owner; at another feature
    owner, its own features' weights under their mask. Not for use by two threads at once.
    """

    mesh: Mesh
    roles: Roles
    triples: Triples
    seeds: common.Seeds
    masks: dict[str, Fixed]
    words: dict[str, Words]
    model: Model | None

    @property
    def owns(self) -> bool:
        """Whether this party is the model owner."""
        return self.mesh.me == self.roles.model_owner

    def __repr__(self) -> str:
        return f"Opened({self.mesh.me}, <secret>)"


def open_model(
    mesh: Mesh,
    roles: Roles,
    triples: Triples,
    *,
    model: Model | None = None,
    rng: Rng = SYSTEM,
) -> Opened:
    """Get a model ready for any number of scores; every party of ``roles`` does this.

    ``mesh`` is ``roles.over(mesh)``, ``triples`` are those of its parties, and the model owner
    gives ``model``. Raises EncodingOverflow for weights that leave no room for their sum.
    """
    if mesh.names != roles.parties:
        raise ConfigError(f"a mesh of {mesh.names}, where the score is among {roles.parties}")
    words: dict[str, Words] = {}
    if mesh.me == roles.model_owner:
        words = _encoded(roles, checked_model(roles, model))
    elif model is not None:
        raise ConfigError(f"{mesh.me} gives a model; the model owner is {roles.model_owner}")
    seeds = common.agree(mesh, rng=rng)
    masks = {
        name: triples.fixed(roles.features[name], 1, holder=mesh.names.index(name))
        for name in roles.helpers
    }
    if words:
        for name, mask in masks.items():
            masked = words[name] - mask.mask[:, 0]
            mesh.channel(name).send(pb.MaskedWeights(words=columns.pack(masked)))
    elif mesh.me in masks:
        channel, count = mesh.channel(roles.model_owner), roles.features[mesh.me]
        message = channel.recv(pb.MaskedWeights)
        words = {mesh.me: columns.unpack_uint64(message.words, count=count, peer=channel.peer)}
    return Opened(mesh, roles, triples, seeds, masks, words, model)


def prepare_model(mesh: Mesh, roles: Roles, triples: Triples, rows: int) -> None:
    """Make what a later ``open_model`` and ``rows`` rows take, before even the model is known."""
    for name in roles.helpers:
        triples.prepare_fixed(roles.features[name], 1, rows, holder=mesh.names.index(name))


def prepare(opened: Opened, rows: int) -> None:
    """Make what ``rows`` rows take before their features are known."""
    for mask in opened.masks.values():
        opened.triples.prepare_against(mask, rows)


def probability(opened: Opened, *, rows: int, features: Floats | None = None) -> Floats | None:
    """The probability of each row, float64 (rows,), at the receiver; None at the others.

    ``rows`` (at all parties) counts the rows, already in one order; ``features`` (feature owners)
    is rows x count, |value| <= 128. Raises DataError for a value out of range before anything is
    sent, ProtocolError for a peer that disagrees on the number of rows.
    """
    x = logit(opened, rows=rows, features=features)
    high = x.words >> _DROPPED
    if opened.mesh.me != opened.roles.receiver:
        opened.mesh.channel(opened.roles.receiver).send(pb.HighParts(words=columns.pack(high)))
        return None
    for name, message in opened.mesh.gather(pb.HighParts).items():
        high = high + columns.unpack_uint64(message.words, count=rows, peer=name)
    # The parties' low bits together are worth half a unit for each of them.
    units = ring.shift_signed(high << _DROPPED, int(_DROPPED)).view(np.int64)
    return logistic((units.astype(np.float64) + x.parties / 2) * 2.0**-REVEALED_BITS)


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
    parts = _contributions(opened, rows, features)
    if raising:
        parts = -parts
    lowers = compare.is_negative(mesh, parts.reshape(-1), triples)
    order = compare.ranks(mesh, parts, triples)
    width = opened.roles.count
    wanted = order.reshape(rows, 1, width) - np.arange(count, dtype=np.int64)[:, None]
    here = compare.equal(mesh, wanted, 0, triples, width=width.bit_length())
    spread = bits.unpack(lowers.words, lowers.count).reshape(rows, 1, width)
    several = np.ascontiguousarray(np.broadcast_to(spread, (rows, count, width))).reshape(-1)
    also = XorShare(bits.pack(several), here.count, here.party, here.parties)
    shown = _to_receiver(opened, boolean.both(mesh, here, also, triples))
    if shown is None:
        return None
    places = shown.reshape(rows, count, width)
    return np.where(places.any(axis=2), places.argmax(axis=2), -1)


def logit(opened: Opened, *, rows: int, features: Floats | None = None) -> Share:
    """Shares of the logits (rows,) among all parties, to compute with; as in ``probability``."""
    mesh, roles = opened.mesh, opened.roles
    values = checked_features(roles, mesh.me, rows, features)
    # All draw for all, to keep in step; a party that has no part in a product gets zeros.
    drawn = {name: opened.triples.against(m, rows).take() for name, m in opened.masks.items()}
    words = opened.seeds.zero(rows)
    if opened.owns:
        words += _collected(opened, values) + sum(t["c"][:, 0] for t in drawn.values())
    elif mesh.me in roles.helpers:
        words += _answered(opened, values, **drawn[mesh.me])
    return Share(words, mesh.names.index(mesh.me), len(mesh.names), 2 * FRACTION_BITS)


def error_bound(roles: Roles, model: Model, features: Floats) -> Floats:
    """The largest error of each row's logit in ``probability``, and so of its probability.

    ``features`` has all of them, in the order of ``roles.features``. The error of a probability is
    at most a quarter of it.
    """
    weights = all_weights(model, roles.features)
    unit = 2.0 ** -(FRACTION_BITS + 1)
    rounding = np.abs(weights).sum() + np.abs(features).sum(axis=1) + unit * (len(weights) + 1)
    return np.asarray(unit * rounding + len(roles.parties) / 2 * 2.0**-REVEALED_BITS)


# --- the linear part ---------------------------------------------------------------------------


def _answered(opened: Opened, values: Floats, a: Words, c: Words) -> Words:
    """A feature owner's part of the logits, with rows ``a`` and its shares ``c`` of their sums."""
    mesh, rows = opened.mesh, len(values)
    channel = mesh.channel(opened.roles.model_owner)
    for part in _blocks(values.shape):
        masked = _fixed(values[part]) - a[part]
        channel.send(pb.MaskedFeatures(rows=rows, words=columns.pack(masked)))
    return c[:, 0] + ring.matmul(a, opened.words[mesh.me])


def _collected(opened: Opened, values: Floats) -> Words:
    """The model owner's part of the logits, but for its shares of the masks' products."""
    mesh, roles, rows = opened.mesh, opened.roles, len(values)
    total = np.full(rows, _intercept(opened.model), np.uint64)
    if mesh.me in roles.features:
        total += ring.matmul(_fixed(values), opened.words[mesh.me])
    for name in roles.helpers:
        channel, width = mesh.channel(name), roles.features[name]
        for part in _blocks((rows, width)):
            message = channel.recv(pb.MaskedFeatures)
            if message.rows != rows:
                raise ProtocolError(name, f"scores {message.rows} rows where we have {rows}")
            count = len(total[part])
            words = columns.unpack(message.words, width=8 * width, count=count, peer=name)
            total[part] += ring.matmul(words.view("<u8"), opened.words[name])
    return total


def _blocks(shape: tuple[int, ...]) -> list[slice]:
    """Rows of each message; of no rows there is one, which says so."""
    step = max(1, BLOCK_BYTES // (8 * shape[1]))
    return [slice(start, start + step) for start in range(0, max(1, shape[0]), step)]


def _fixed(values: Floats) -> Words:
    """Fixed point of checked numbers."""
    return np.rint(values * 2.0**FRACTION_BITS).astype(np.int64).view(np.uint64)


def _encoded(roles: Roles, model: Model) -> dict[str, Words]:
    """The words of each owner's weights, checked: every sum has room."""
    flat = all_weights(model, roles.features)
    if not np.abs(flat).sum() * FEATURE_LIMIT + abs(model.intercept) < LOGIT_LIMIT:
        raise EncodingOverflow(
            f"sum |weight| * {FEATURE_LIMIT:.0f} + |intercept| is not below {LOGIT_LIMIT:.0f}: "
            "scores might not fit 64 bits. Standardise with smaller scales, which makes weights "
            "smaller, or take the Paillier form"
        )
    return {name: _fixed(np.asarray(model.weights[name], np.float64)) for name in roles.features}


def _intercept(model: Model | None) -> np.uint64:
    value = 0.0 if model is None else model.intercept
    return np.uint64(fixed.encode(np.array([value]), 2 * FRACTION_BITS)[0])


# --- the results -------------------------------------------------------------------------------


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
    return boolean.reveal(opened.mesh, fresh, to=opened.roles.receiver)
