# SPDX-License-Identifier: Apache-2.0
"""A joint linear score over features held by several parties, in the Paillier form; semi-honest.

Every row is scored as ``logit = intercept + sum_j weight_j * z_j``, where each feature j belongs to
one *feature owner* and the weights to the *model owner*; the *receiver* learns the logit. Roles may
coincide in a party, but someone other than the model owner must own a feature. With T the feature
owners other than the model owner M, and R the receiver::

    model_owner M                 feature_owner k in T                    receiver R
                                  SeedShare  <- every pair of T and R ->  SeedShare
    EncryptedWeights -----------> n, Enc(w_k)
                     <----------- MaskedPartials
    decrypts their sum, adds its own features and the intercept
    MaskedScores ------------------------------------------------------>  removes the masks

A partial score is Enc(sum_j w_j z_j + mask), computed as a product of powers of the encrypted
weights (Paillier 1999; masks as in Bonawitz et al. 2017, section 4), many rows to one ciphertext,
each in a slot of its own, and randomised anew before it is sent. The masks are uniform modulo n:
those between two feature owners cancel in the sum, and those shared with the receiver are removed
by the receiver. So, besides the number of rows and of every owner's features, which are public:

* a feature owner sees ciphertexts under the model owner's key, and learns nothing;
* the model owner sees, where the receiver is another party, values uniform modulo n, and learns
  nothing; where it is itself the receiver, it learns the logits, and of several owners' partial
  scores only their sum;
* the receiver learns the logits, and nothing of which owner contributed what.

Collusion: model owner and receiver together learn the sum of the partial scores of the feature
owners who are not with them, no less (it follows from the logit) and no more. A feature owner who
joins them gives away only its own.

What the logit itself gives away: it is an exact linear function, so a receiver who knows the
features of d + 1 scored rows can solve for the weights of d features, and a receiver who owns the
model learns one linear equation on each row's features. Each owner in T therefore adds to every
row noise uniform in ±2^-33, which drowns the lower half of the exact sum (with whole digits it
would be a knapsack in the features); the logit is off by at most ``error_bound``. The noise is
fresh each time, so who gets t scores of one row under one model narrows it about t-fold: parties
bound how often a row may be scored.

Semi-honest means: a lying model owner can choose weights, and so which linear function of the
features the receiver learns, and a lying feature owner can choose its features, as always. That the
public key is well formed is proven to the feature owners by the proof it carries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, EncodingOverflow, InvalidKey, ProtocolError
from mpc.net import columns
from mpc.net.mesh import Mesh
from mpc.pb.v1 import scoring_pb2 as pb
from mpc.primitives import paillier
from mpc.primitives.paillier import Packing
from mpc.primitives.rng import SEED_BYTES, SYSTEM, Prg, Rng, derive
from mpc.protocols.scoring.roles import (
    FEATURE_LIMIT,
    Model,
    Roles,
    all_weights,
    checked_features,
    checked_model,
)
from mpc.tracing import span

FRACTION_BITS = 32  # of a feature and of a weight; a logit carries twice as many
FEATURE_BITS, WEIGHT_BITS = 7, 10  # |z| <= 2^7, |w| <= 2^10
WEIGHT_LIMIT = 2.0**WEIGHT_BITS
MASK_MARGIN_BITS = 128  # reducing |n| + 128 uniform bits modulo n is within 2^-128 of uniform


def score(
    mesh: Mesh,
    roles: Roles,
    *,
    rows: int,
    features: NDArray[np.float64] | None = None,
    model: Model | None = None,
    secret: paillier.SecretKey | None = None,
    rng: Rng = SYSTEM,
) -> NDArray[np.float64] | None:
    """Play every role that ``roles`` gives to ``mesh.me``; return the logits to the receiver.

    ``rows`` (at all parties) counts the rows, already in one order; ``features`` (feature owners)
    is rows x count, |value| <= 128; ``model`` and its Paillier key ``secret`` (model owner) hold
    |weight| <= 1024. Returns float64 of length ``rows``, or None to all but the receiver. Raises
    DataError or EncodingOverflow for values out of range before anything is sent, ProtocolError
    for a peer that disagrees on the number of rows or sends a malformed message.
    """
    values = checked_features(roles, mesh.me, rows, features)
    mine = np.rint(values * 2.0**FRACTION_BITS).astype(np.int64)
    own = _bounded(checked_model(roles, model)) if mesh.me == roles.model_owner else None
    if own is not None and secret is None:
        raise ConfigError("the model owner needs a Paillier key: paillier.keygen()")
    with span("seeds"):
        seeds = _share_seeds(mesh, roles, rng)
    if own is not None and secret is not None:
        _offer_weights(mesh, roles, own, secret, rows, rng)
        totals = _collect(mesh, roles, own, secret, mine, rows)
        if mesh.me == roles.receiver:
            return _decode(_packing(secret.public.n, roles), totals, secret.public.n, rows)
        _hand_over(mesh, roles, secret.public.n, totals, rows)
        return None
    kept = rng.bytes(SEED_BYTES)
    if mesh.me in roles.helpers:
        _answer(mesh, roles, mine, seeds, kept, rng)
    if mesh.me != roles.receiver:
        return None
    return _receive(mesh, roles, seeds, kept, rows)


def error_bound(
    roles: Roles, weights: NDArray[np.float64], features: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The largest error of each row's logit: rounding of both factors, and the owners' noise."""
    unit = 2.0 ** -(FRACTION_BITS + 1)
    rounding = np.abs(weights).sum() + np.abs(features).sum(axis=1) + unit * len(weights)
    return np.asarray(unit * (rounding + len(roles.helpers)), dtype=np.float64)


def _packing(n: int, roles: Roles) -> Packing:
    """Slots for whole sums: as many products as features, the intercept held to one, the noise."""
    terms = sum(roles.features.values()) + 2
    value_bits, scalar_bits = WEIGHT_BITS + FRACTION_BITS, FEATURE_BITS + FRACTION_BITS
    return Packing.of(n.bit_length(), value_bits + 1, headroom_adds=terms, scalar_bits=scalar_bits)


def _packed(packing: Packing, values: NDArray[np.int64]) -> NDArray[np.object_]:
    """rows x d integers as plaintexts x d: each plaintext holds one column of many rows."""
    rows, columns_ = values.shape
    plaintexts = np.array(packing.pack(np.ascontiguousarray(values.T)), object)
    return plaintexts.reshape(columns_, packing.ciphertexts(rows)).T


# --- masks -------------------------------------------------------------------------------------


def _share_seeds(mesh: Mesh, roles: Roles, rng: Rng) -> dict[str, bytes]:
    """A secret seed with every other party that masks or unmasks; all but the model owner do."""
    maskers = [name for name in roles.parties if name != roles.model_owner]
    if mesh.me not in maskers or len(maskers) == 1:
        return {}
    halves = {name: rng.bytes(SEED_BYTES) for name in maskers if name != mesh.me}
    for name, half in halves.items():
        mesh.channel(name).send(pb.SeedShare(seed=half))
    seeds = {}
    for name, half in halves.items():
        share = mesh.channel(name).recv(pb.SeedShare)
        if len(share.seed) != SEED_BYTES:
            raise ProtocolError(name, f"a seed share of {len(share.seed)} bytes")
        both = (half, share.seed) if mesh.me < name else (share.seed, half)
        seeds[name] = hashlib.sha256(b"mpc:v1:scoring:seed\0" + b"".join(both)).digest()
    return seeds


def _residues(prg: Prg, n: int, count: int) -> list[int]:
    width = (n.bit_length() + MASK_MARGIN_BITS + 7) // 8
    block = prg.bytes(width * count)
    starts = range(0, len(block), width)
    return [int.from_bytes(block[i : i + width], "little") % n for i in starts]


def _removable(seed: bytes, n: int, count: int) -> list[int]:
    """The masks that a helper shares with the receiver."""
    return _residues(derive(seed, "receiver"), n, count)


def _masks(
    me: str, roles: Roles, seeds: dict[str, bytes], kept: bytes, n: int, count: int
) -> list[int]:
    """This helper's masks modulo n: cancelling with the other helpers, removable by the receiver.

    A receiver who is a helper hides its own partial scores under a mask that only it knows.
    """
    if me == roles.receiver:
        return _removable(kept, n, count)
    total = [0] * count
    for name in roles.helpers:
        if name not in (me, roles.receiver):
            sign = 1 if me < name else -1
            shared = _residues(derive(seeds[name], "cancel"), n, count)
            total = [a + sign * b for a, b in zip(total, shared, strict=True)]
    if roles.receiver != roles.model_owner:
        shared = _removable(seeds[roles.receiver], n, count)
        total = [a + b for a, b in zip(total, shared, strict=True)]
    return [value % n for value in total]


# --- feature owner -----------------------------------------------------------------------------


def _answer(
    mesh: Mesh,
    roles: Roles,
    features: NDArray[np.int64],
    seeds: dict[str, bytes],
    kept: bytes,
    rng: Rng,
) -> None:
    channel, rows = mesh.channel(roles.model_owner), len(features)
    with span("wait"):
        offer = channel.recv(pb.EncryptedWeights)
    _agree_on_rows(channel.peer, offer.rows, rows)
    with span("key"):
        try:
            public = paillier.PublicKey.from_bytes(offer.public_key)
        except InvalidKey as error:
            fault = f"sent a key that fails its checks: {error}"
            raise ProtocolError(channel.peer, fault) from None
    width = public.ciphertext_bytes
    column = columns.unpack(offer.weights, width=width, count=features.shape[1], peer=channel.peer)
    limit = 1 << (WEIGHT_BITS + FRACTION_BITS)
    weights = paillier.Ciphertexts.from_array(public, column, bound=limit, peer=channel.peer)
    packing = _packing(public.n, roles)
    with span("mask"):
        noise = np.frombuffer(rng.bytes(4 * rows), "<i4").astype(np.int64).reshape(rows, 1)
        masks = _masks(mesh.me, roles, seeds, kept, public.n, packing.ciphertexts(rows))
        hidden = [a + int(b) for a, b in zip(masks, _packed(packing, noise)[:, 0], strict=True)]
    with span("product"):
        partials = _packed(packing, features) @ weights
    with span("mask"):
        partials = partials.masked(hidden).rerandomized(rng=rng)
    with span("transfer"):
        channel.send(pb.MaskedPartials(ciphertexts=columns.pack(partials.to_array())))


# --- model owner -------------------------------------------------------------------------------


def _offer_weights(
    mesh: Mesh, roles: Roles, model: Model, secret: paillier.SecretKey, rows: int, rng: Rng
) -> None:
    for name in roles.helpers:
        with span("encrypt"):
            encrypted = secret.encrypt(_integers(model.weights[name]), rng=rng)
        offer = pb.EncryptedWeights(
            public_key=secret.public.to_bytes(),
            weights=columns.pack(encrypted.to_array()),
            rows=rows,
        )
        with span("transfer"):
            mesh.channel(name).send(offer)


def _collect(
    mesh: Mesh,
    roles: Roles,
    model: Model,
    secret: paillier.SecretKey,
    features: NDArray[np.int64],
    rows: int,
) -> list[int]:
    """The packed, masked scores modulo n."""
    public, packing = secret.public, _packing(secret.public.n, roles)
    count = packing.ciphertexts(rows)
    parts = []
    for name in roles.helpers:
        with span("wait"):
            column = mesh.channel(name).recv(pb.MaskedPartials).ciphertexts
        array = columns.unpack(column, width=public.ciphertext_bytes, count=count, peer=name)
        ciphertexts = paillier.Ciphertexts.from_array(public, array, peer=name)
        with span("decrypt"):
            parts.append(secret.decrypt_residues(ciphertexts))
    constant = np.full((1, rows), round(model.intercept * 4.0**FRACTION_BITS), object)
    own = packing.pack(constant)
    if mesh.me in roles.features:
        weights = np.array(_integers(model.weights[mesh.me]), object)
        with span("product"):
            own = [a + b for a, b in zip(own, _packed(packing, features) @ weights, strict=True)]
    return [sum(values) % public.n for values in zip(own, *parts, strict=True)]


def _hand_over(mesh: Mesh, roles: Roles, n: int, totals: Sequence[int], rows: int) -> None:
    width = (n.bit_length() + 7) // 8
    data = b"".join(value.to_bytes(width, "little") for value in totals)
    residues = np.frombuffer(data, np.uint8).reshape(-1, width)
    message = pb.MaskedScores(
        modulus=n.to_bytes(width, "little"), residues=columns.pack(residues), rows=rows
    )
    mesh.channel(roles.receiver).send(message)


# --- receiver ----------------------------------------------------------------------------------


def _receive(
    mesh: Mesh, roles: Roles, seeds: dict[str, bytes], kept: bytes, rows: int
) -> NDArray[np.float64]:
    channel = mesh.channel(roles.model_owner)
    with span("wait"):
        message = channel.recv(pb.MaskedScores)
    _agree_on_rows(channel.peer, message.rows, rows)
    n, width = int.from_bytes(message.modulus, "little"), len(message.modulus)
    if not paillier.MIN_BITS <= n.bit_length() <= paillier.MAX_BITS:
        raise ProtocolError(channel.peer, f"a modulus of {n.bit_length()} bits")
    packing = _packing(n, roles)
    count = packing.ciphertexts(rows)
    array = columns.unpack(message.residues, width=width, count=count, peer=channel.peer)
    totals = [int.from_bytes(row.tobytes(), "little") for row in array]
    with span("unmask"):
        for name in roles.helpers:
            seed = kept if name == mesh.me else seeds[name]
            masks = _removable(seed, n, count)
            totals = [(a - b) % n for a, b in zip(totals, masks, strict=True)]
    try:
        return _decode(packing, totals, n, rows)
    except EncodingOverflow as error:
        raise ProtocolError(channel.peer, "scores out of range under their masks") from error


def _decode(packing: Packing, totals: Sequence[int], n: int, rows: int) -> NDArray[np.float64]:
    signed = [value - n if value > n // 2 else value for value in totals]
    return packing.unpack(signed, (rows,)).astype(np.float64) * 4.0**-FRACTION_BITS


# --- checks ------------------------------------------------------------------------------------


def _agree_on_rows(peer: str, theirs: int, ours: int) -> None:
    if theirs != ours:
        raise ProtocolError(peer, f"scores {theirs} rows where we have {ours}")


def _integers(values: NDArray[np.float64]) -> list[int]:
    return [round(float(value) * 2**FRACTION_BITS) for value in values]


def _bounded(model: Model) -> Model:
    flat = np.append(all_weights(model, model.weights), model.intercept / FEATURE_LIMIT)
    if not (np.abs(flat) <= WEIGHT_LIMIT).all():
        raise EncodingOverflow(f"a weight or the intercept is not within ±{WEIGHT_LIMIT:.0f}")
    return model
