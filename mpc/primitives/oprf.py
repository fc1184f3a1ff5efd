# SPDX-License-Identifier: Apache-2.0
"""The oblivious pseudorandom functions of RFC 9497, suite ristretto255-SHA512, over vectors.

Mode ``OPRF`` (0x00) and mode ``VOPRF`` (0x01), which adds a proof that all evaluations of a batch
were made with the key that the querier knows the public half of (section 2.2, a batched
Chaum–Pedersen proof). What travels is in ``protocols.oprf``::

    secret = derive_key(mode, seed, info)                      # or generate_key(mode, rng)
    query = blind(mode, items, rng)                            # the querier sends query.elements
    query = ahead(query, public)                               # while it waits
    elements, proof = blind_evaluate(secret, query.elements)   # the evaluator
    outputs = finalize(query, elements, proof, secret.public)  # the querier: uint8 (n, 64)
    assert outputs == evaluate(secret, items)                  # which the evaluator can do alone

**Security.** One-more gap Diffie–Hellman, with the hashes as random oracles (section 7.2.1).
Blinding is perfect: nothing sent tells anything of the items. Whoever queries can also ask for
powers of the key, so q evaluations cost about log2(q) / 2 of the key's 125 bits (section 7.2.3):
limit what one key answers. Without the proof an evaluator may use another key for every element,
and so recognise a querier later by the outputs.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from mpc import kernels
from mpc.errors import ConfigError, CryptoError, DataError, InvalidKey
from mpc.kernels import ristretto as kernel
from mpc.primitives import ristretto
from mpc.primitives.items import Items
from mpc.primitives.ristretto import (
    ENCODED_BYTES,
    SCALAR_BYTES,
    Combs,
    FixedBase,
    Points,
    Scalars,
)
from mpc.primitives.rng import SYSTEM, Rng

SUITE = b"ristretto255-SHA512"
SEED_BYTES = 32
OUTPUT_BYTES = 64
PROOF_BYTES = 2 * SCALAR_BYTES
MAX_LENGTH = (1 << 16) - 1  # of an item, of ``info``, and of a batch with one proof
_NO_SCALARS, _ZERO, _ONE = map(ristretto.scalars_of, ([], [0], [1]))
_M_Z_T2_T3 = ((1,), (1,), (0,), (1,))  # of which of the generator and an element these are
_FEW = 8  # below it, transcripts are hashed one by one


class Mode(IntEnum):
    """What the protocol gives (section 3): a key of one mode serves no other."""

    OPRF = 0
    VOPRF = 1


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SecretKey:
    """The evaluator's key, for one mode. ``public`` is its public half, encoded."""

    mode: Mode
    scalar: Scalars
    public: bytes

    def __repr__(self) -> str:
        return f"SecretKey({self.mode.name}, public={self.public.hex()}, <secret>)"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ahead:
    """What an answer under the key ``public`` is awaited with: of a single query the generator, the
    key and the element sent, and of a masked one what takes each mask away."""

    public: bytes
    known: Combs
    unmask: Points | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Query:
    """What the querier keeps until the answer comes, and ``elements`` (n, 32), which it sends."""

    mode: Mode
    items: Items
    blinds: Scalars
    points: Points | None  # only where there are more than one
    elements: NDArray[np.uint8]
    masked: bool
    ahead: Ahead | None = None

    def __repr__(self) -> str:
        return f"Query({self.mode.name}, <{len(self.items)} items>)"


def derive_key(mode: Mode, seed: bytes, info: bytes = b"") -> SecretKey:
    """The key that ``seed``, 32 secret bytes, and the public ``info`` stand for (section 3.2.1)."""
    if len(seed) != SEED_BYTES or len(info) > MAX_LENGTH:
        raise ConfigError(f"a seed of {len(seed)} bytes and info of {len(info)} make no key")
    dst = b"DeriveKeyPair" + _context(mode)
    for counter in range(256):
        candidate = seed + _sized(info) + bytes([counter])
        scalar = ristretto.hash_to_scalar(candidate, dst)
        if ristretto.scalar_bytes(scalar).any():
            return _key(mode, scalar)
    raise CryptoError("this seed makes no key")  # pragma: no cover (it takes 256 zeros mod L)


def generate_key(mode: Mode, rng: Rng = SYSTEM) -> SecretKey:
    """A new key."""
    return _key(mode, ristretto.scalar(rng))


def blind(mode: Mode, items: Items, rng: Rng = SYSTEM) -> Query:
    """Blind items of up to 65535 bytes, each by a scalar of its own (section 3.3.1)."""
    _check_lengths(items)
    blinds = ristretto.scalars(rng, len(items))
    points = ristretto.mul(_hashed(mode, items), blinds)
    return Query(mode, items, blinds, points, ristretto.encode(points), masked=False)


def mask(items: Items, rng: Rng = SYSTEM) -> Query:
    """As ``blind`` in mode VOPRF, by a multiple of the generator added to each element.

    Then k (P + r G) - r K = k P for a key K = k G, where ``blind`` has (1/r) k (r P): the evaluator
    sees uniform elements in both and cannot tell which it was, and the outputs are the same. G and
    K are fixed, so their multiples cost a quarter. It rests on the evaluations being those of the
    public key's secret, which the proof shows and ``finalize`` checks first; without that it is no
    OPRF (Jarecki, Krawczyk, Xu, "On the (In)Security of the Diffie-Hellman Oblivious PRF with
    Multiplicative Blinding", PKC 2021), and so there is none for mode OPRF.
    """
    _check_lengths(items)
    blinds = ristretto.scalars(rng, len(items))
    if len(items) == 1:
        dst = b"HashToGroup-" + _context(Mode.VOPRF)
        uniform = np.frombuffer(kernel.expand_one(items[0], dst), np.uint8).reshape(1, -1)
        hashed, known = ristretto.from_uniform(uniform), _generator(kernels.backend())
        elements, _ = known.sums(ristretto.NONE, ((0,),), blinds, hashed)
        return Query(Mode.VOPRF, items, blinds, None, elements, masked=True)
    points = _hashed(Mode.VOPRF, items) + ristretto.base(blinds)
    return Query(Mode.VOPRF, items, blinds, points, ristretto.encode(points), masked=True)


def ahead(query: Query, public: bytes) -> Query:
    """The query of mode VOPRF with what ``finalize`` takes that does not depend on the answer.

    Worth doing while the evaluator is at work. Raises ``InvalidKey``.
    """
    return replace(query, ahead=_ahead(query, public))


def blind_evaluate(
    secret: SecretKey, elements: NDArray[np.uint8], rng: Rng = SYSTEM
) -> tuple[NDArray[np.uint8], bytes]:
    """The evaluations of blinded elements, (n, 32), and the proof; in mode OPRF it is empty.

    Raises ``CryptoError`` when one is not an element, or is the identity. With a proof n is 1 to
    65535 (sections 3.3.1 and 3.3.2).
    """
    if secret.mode is Mode.VOPRF and len(elements) == 1:
        # Of a single element the composite is a multiple, as all is that is sent or hashed.
        known = _generator(kernels.backend())
        evaluated, known = known.sums(elements, ((1,),), secret.scalar)
        weight = _weights(secret.public, elements, evaluated)
        return evaluated, _prove(secret, known, weight, ristretto.scalar(rng))
    blinded = ristretto.decode(elements)
    evaluated = ristretto.encode(ristretto.mul(blinded, secret.scalar))
    if secret.mode is Mode.OPRF:
        return evaluated, b""
    weights = _weights(secret.public, elements, evaluated)
    composite = ristretto.encode(ristretto.public_sums((blinded, weights)))
    _, known = _generator(kernels.backend()).sums(composite, (), _NO_SCALARS)
    return evaluated, _prove(secret, known, _ONE, ristretto.scalar(rng))


def finalize(
    query: Query, elements: NDArray[np.uint8], proof: bytes = b"", public: bytes = b""
) -> NDArray[np.uint8]:
    """The outputs (n, 64) from the evaluations of ``query.elements`` (section 3.3).

    Raises ``CryptoError`` when they are not elements or when, in mode VOPRF, the proof does not
    show that they were made with the key of ``public``.
    """
    if query.mode is Mode.OPRF:
        unblinded = ristretto.mul(ristretto.decode(elements), ristretto.invert(query.blinds))
        return _outputs(query.items, ristretto.encode(unblinded))
    waiting = query.ahead
    if waiting is None or waiting.public != public:
        waiting = _ahead(query, public)
    if len(query.elements) == len(elements) == 1:
        return _outputs(query.items, _unblinded(query, waiting, elements, proof, public))
    evaluated = ristretto.decode(elements)
    _verify(query, evaluated, elements, proof, public)
    if waiting.unmask is not None:
        unblinded = evaluated + waiting.unmask
    else:
        unblinded = ristretto.mul(evaluated, ristretto.invert(query.blinds))
    return _outputs(query.items, ristretto.encode(unblinded))


def evaluate(secret: SecretKey, items: Items) -> NDArray[np.uint8]:
    """The outputs (n, 64) of items that the evaluator itself holds (section 3.3.1)."""
    _check_lengths(items)
    points = ristretto.mul(_hashed(secret.mode, items), secret.scalar)
    return _outputs(items, ristretto.encode(points))


def check_public_key(public: bytes) -> Points:
    """The element of a public key. Raises ``InvalidKey`` unless it is one."""
    try:
        if len(public) == ENCODED_BYTES:
            return ristretto.decode(np.frombuffer(public, np.uint8).reshape(1, ENCODED_BYTES))
    except CryptoError:
        pass
    raise InvalidKey("a public key is the encoding of a group element, of 32 bytes")


def _context(mode: Mode) -> bytes:
    """CreateContextString (section 3.1)."""
    return b"OPRFV1-" + bytes([mode]) + b"-" + SUITE


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _key(mode: Mode, scalar: Scalars) -> SecretKey:
    return SecretKey(mode, scalar, ristretto.encode(ristretto.base(scalar)).tobytes())


def _check_lengths(items: Items) -> None:
    over = _lengths(items) > MAX_LENGTH
    if over.any():
        long = np.flatnonzero(over)
        raise DataError(
            f"{len(long)} of {len(items)} items have more than {MAX_LENGTH} bytes; "
            f"the first is row {long[0]}"
        )


def _lengths(items: Items) -> NDArray[np.int64]:
    return items.offsets[1:] - items.offsets[:-1]


def _hashed(mode: Mode, items: Items) -> Points:
    return ristretto.hash_to_group(items, b"HashToGroup-" + _context(mode))


def _outputs(items: Items, unblinded: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The hash that ends Finalize, over transcripts laid out one after another."""
    if len(items) < _FEW:
        rows = (_sized(items[i]) + _sized(row.tobytes()) for i, row in enumerate(unblinded))
        hashed = b"".join(hashlib.sha512(row + b"Finalize").digest() for row in rows)
        return np.frombuffer(hashed, np.uint8).reshape(len(items), OUTPUT_BYTES)
    lengths = _lengths(items)
    sized = np.empty((len(items), 2 + ENCODED_BYTES), np.uint8)
    sized[:, :2] = np.frombuffer(ENCODED_BYTES.to_bytes(2, "big"), np.uint8)
    sized[:, 2:] = unblinded
    prefixes = lengths.astype(">u2").view(np.uint8).reshape(-1, 2)
    offsets = np.zeros(len(items) + 1, np.int64)
    np.cumsum(lengths + 2 + sized.shape[1], out=offsets[1:])
    data = np.empty(offsets[-1], np.uint8)
    data[offsets[:-1, None] + np.arange(2)] = prefixes
    data[offsets[1:, None] + np.arange(-sized.shape[1], 0)] = sized
    starts = np.repeat(offsets[:-1] + 2 - items.offsets[:-1], lengths)
    source = np.arange(items.offsets[0], items.offsets[-1])
    data[starts + source] = items.data[items.offsets[0] : items.offsets[-1]]
    return kernel.digests(data, offsets, b"Finalize")


def _prove(secret: SecretKey, known: Combs, weight: Scalars, r: Scalars) -> bytes:
    """GenerateProof with ComputeCompositesFast (section 2.2.1). Known are the generator and an
    element of which ``weight`` times is the composite M."""
    values = ristretto.joined(weight, weight * secret.scalar, r, weight * r)
    hashed, _ = known.sums(ristretto.NONE, _M_Z_T2_T3, values)
    challenge = _challenge(secret.public, hashed)
    response = r - challenge * secret.scalar
    return b"".join(ristretto.scalar_bytes(part).tobytes() for part in (challenge, response))


def _ahead(query: Query, public: bytes) -> Ahead:
    known, fixed = _fixed_key(public, kernels.backend())
    if len(query.elements) == 1:
        _, known = known.sums(query.elements, (), _NO_SCALARS)
    unmask = fixed.mul(_ZERO - query.blinds) if query.masked else None
    return Ahead(public, known, unmask)


def _unblinded(
    query: Query, waiting: Ahead, elements: NDArray[np.uint8], proof: bytes, public: bytes
) -> NDArray[np.uint8]:
    """Of a single element: its evaluation without the blind, encoded, when the proof holds."""
    weight = _weights(public, query.elements, elements)
    factor = _ONE if query.masked else ristretto.invert(query.blinds)
    known, unmask = waiting.known, waiting.unmask
    return _verified(public, proof, known, elements, weight, factor, unmask)


def _verify(
    query: Query, evaluated: Points, elements: NDArray[np.uint8], proof: bytes, public: bytes
) -> None:
    """VerifyProof with ComputeComposites (section 2.2.2): all of it is public."""
    if len(query.elements) != len(evaluated) or query.points is None:
        raise CryptoError("a proof covers all elements")
    weights = _weights(public, query.elements, elements)
    sums = ristretto.public_sums((query.points, weights), (evaluated, weights))
    known, _ = _fixed_key(public, kernels.backend())
    _verified(public, proof, known, ristretto.encode(sums), _ONE)


def _verified(
    public: bytes,
    proof: bytes,
    known: Combs,
    elements: NDArray[np.uint8],
    weight: Scalars,
    factor: Scalars = _NO_SCALARS,
    plus: Points | None = None,
) -> NDArray[np.uint8]:
    """The end of VerifyProof for composites M and Z that are ``weight`` times two elements.

    They stand behind the generator and the public key, in ``known`` or ``elements``. Returns the
    encoding of the second one times ``factor``, and ``plus`` that, if there is one.
    """
    if len(proof) != PROOF_BYTES:
        raise CryptoError(f"a proof has {PROOF_BYTES} bytes, not {len(proof)}")
    both = ristretto.scalars_from_bytes(np.frombuffer(proof, np.uint8).reshape(2, SCALAR_BYTES))
    c, s = both[:1], both[1:]
    more = ((3,),) * len(factor)
    terms = ristretto.joined(factor, weight, weight, s, c, s * weight, c * weight)
    # What else is asked for, and then M, Z, t2 and t3.
    sums, _ = known.sums(elements, (*more, (2,), (3,), (0, 1), (2, 3)), terms, plus)
    expected = _challenge(public, sums[len(more) :])
    if not hmac.compare_digest(ristretto.scalar_bytes(expected).tobytes(), proof[:SCALAR_BYTES]):
        raise CryptoError("the proof does not show that the public key's secret was used")
    return sums[: len(more)]


@cache
def _generator(_backend: str) -> Combs:
    _, known = ristretto.EMPTY.sums(ristretto.encode(ristretto.generator()), (), _NO_SCALARS)
    return known


@lru_cache(maxsize=16)
def _fixed_key(public: bytes, backend: str) -> tuple[Combs, FixedBase]:
    """The generator and the element of a public key, which most queries have in common."""
    key = check_public_key(public)
    _, known = _generator(backend).sums(ristretto.encode(key), (), _NO_SCALARS)
    return known, FixedBase.of(key)


def _weights(public: bytes, elements: NDArray[np.uint8], evaluated: NDArray[np.uint8]) -> Scalars:
    """The d_i of ComputeComposites: one transcript of 145 bytes for each pair."""
    count = len(elements)
    if not 0 < count <= MAX_LENGTH:
        raise ConfigError(f"one proof covers 1 to {MAX_LENGTH} elements, not {count}")
    head, tail, dst = _seed(public), b"Composite", b"HashToScalar-" + _context(Mode.VOPRF)
    if count < _FEW:
        rows = (
            head + i.to_bytes(2, "big") + _sized(one.tobytes()) + _sized(other.tobytes()) + tail
            for i, (one, other) in enumerate(zip(elements, evaluated, strict=True))
        )
        return ristretto.joined(*(ristretto.hash_to_scalar(row, dst) for row in rows))
    numbers = np.arange(count).astype(">u2").view(np.uint8).reshape(count, 2)
    fixed = head, ENCODED_BYTES.to_bytes(2, "big"), tail
    first, size, last = (np.tile(np.frombuffer(part, np.uint8), (count, 1)) for part in fixed)
    table = np.concatenate([first, numbers, size, elements, size, evaluated, last], axis=1)
    offsets = np.arange(count + 1) * table.shape[1]
    return ristretto.hash_to_scalars(Items(table.ravel(), offsets), dst)


@lru_cache(maxsize=16)
def _seed(public: bytes) -> bytes:
    dst = b"Seed-" + _context(Mode.VOPRF)
    return _sized(hashlib.sha512(_sized(public) + _sized(dst)).digest())


def _challenge(public: bytes, hashed: NDArray[np.uint8]) -> Scalars:
    """That of the encodings of M, Z, t2 and t3."""
    parts = [public, *(row.tobytes() for row in hashed)]
    transcript = b"".join(_sized(part) for part in parts) + b"Challenge"
    dst = b"HashToScalar-" + _context(Mode.VOPRF)
    return ristretto.hash_to_scalar(transcript, dst)
