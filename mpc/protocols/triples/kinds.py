# SPDX-License-Identifier: Apache-2.0
"""The kinds of correlated randomness: which arrays a kind has, and what holds between them.

Each array is shared among all parties, by sums modulo 2^64 or by XOR. The *free* arrays are
uniform; ``complete`` computes the others from them, in the clear: it is what a dealer does, and the
definition against which every other source is tested.

A kind has a ``count``. Its arrays grow with it along their first axis, so a large batch is cut into
small ones; packed bits are cut at whole words, so counts of those are taken in units of 64.

Arrays may be *held* by some of the parties only, and then the others' shares are zeros: a factor
that the first party alone knows, rows that another one alone knows, and their product, which is
shared between these two (``Operand`` and ``Against`` with a ``holder``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError
from mpc.kernels import bits, ring
from mpc.pb.v1 import triples_pb2 as pb

Words = NDArray[np.uint64]
Arrays: TypeAlias = dict[str, Words]
Operands: TypeAlias = Mapping[int, Words]
"""The values (or shares) of fixed operands by their numbers."""

MAX_COUNT = 1 << 40


@dataclass(frozen=True, slots=True)
class Field:
    """An array of a kind: ``per`` rows for each unit of the count, each of shape ``tail``.

    ``held`` are the numbers of the parties who have a share of it; nobody named means everybody.
    """

    name: str
    per: int = 1
    tail: tuple[int, ...] = ()
    xor: bool = False
    free: bool = False
    held: tuple[int, ...] = ()

    def held_by(self, party: int) -> bool:
        return not self.held or party in self.held


@dataclass(frozen=True, slots=True)
class Products:
    """c = a * b modulo 2^64."""

    UNIT: ClassVar[int] = 1
    count: int

    def fields(self) -> tuple[Field, ...]:
        return Field("a", free=True), Field("b", free=True), Field("c")

    def complete(self, free: Arrays, _operands: Operands) -> Arrays:
        return {"c": free["a"] * free["b"]}


@dataclass(frozen=True, slots=True)
class Squares:
    """c = a * a modulo 2^64."""

    UNIT: ClassVar[int] = 1
    count: int

    def fields(self) -> tuple[Field, ...]:
        return Field("a", free=True), Field("c")

    def complete(self, free: Arrays, _operands: Operands) -> Arrays:
        return {"c": free["a"] * free["a"]}


@dataclass(frozen=True, slots=True)
class Ands:
    """c = a & b, ``count`` words of 64 bits, shared by XOR."""

    UNIT: ClassVar[int] = 1
    count: int

    def fields(self) -> tuple[Field, ...]:
        return (
            Field("a", xor=True, free=True),
            Field("b", xor=True, free=True),
            Field("c", xor=True),
        )

    def complete(self, free: Arrays, _operands: Operands) -> Arrays:
        return {"c": free["a"] & free["b"]}


@dataclass(frozen=True, slots=True)
class Bits:
    """Random bits in both forms (daBits): ``packed`` by XOR, ``number`` modulo 2^64."""

    UNIT: ClassVar[int] = 64
    count: int

    def fields(self) -> tuple[Field, ...]:
        return Field("packed", xor=True, free=True), Field("number", per=64)

    def complete(self, free: Arrays, _operands: Operands) -> Arrays:
        return {"number": _numbers(free["packed"])}


@dataclass(frozen=True, slots=True)
class Selections:
    """Bits in both forms, with the products of each and a word: ``product`` = number * a."""

    UNIT: ClassVar[int] = 64
    count: int

    def fields(self) -> tuple[Field, ...]:
        return (
            Field("packed", xor=True, free=True),
            Field("a", per=64, free=True),
            Field("number", per=64),
            Field("product", per=64),
        )

    def complete(self, free: Arrays, _operands: Operands) -> Arrays:
        number = _numbers(free["packed"])
        return {"number": number, "product": number * free["a"]}


@dataclass(frozen=True, slots=True)
class Numbers:
    """Random numbers of ``width`` bits in both forms (edaBits).

    ``number`` is modulo 2^64, and ``word`` the same by XOR in its low bits; the others are no use.
    """

    UNIT: ClassVar[int] = 1
    width: int
    count: int

    def fields(self) -> tuple[Field, ...]:
        return Field("word", xor=True, free=True), Field("number")

    def complete(self, free: Arrays, _operands: Operands) -> Arrays:
        return {"number": free["word"] & np.uint64((1 << self.width) - 1)}


@dataclass(frozen=True, slots=True)
class Truncations:
    """Random words with their parts: ``top``, bit 63, and ``high``, bits ``shift`` to 62."""

    UNIT: ClassVar[int] = 1
    shift: int
    count: int

    def fields(self) -> tuple[Field, ...]:
        return Field("number", free=True), Field("high"), Field("top")

    def complete(self, free: Arrays, _operands: Operands) -> Arrays:
        number = free["number"]
        below = number & np.uint64(2**63 - 1)
        return {"high": below >> np.uint64(self.shift), "top": number >> np.uint64(63)}


@dataclass(frozen=True, slots=True)
class Sines:
    """Angles r modulo 2^period_bits, and sin and cos of 2 pi k r / 2^period_bits, k = 1, 2, ...

    ``angle`` is a uniform word, of which the low ``period_bits`` are r: a number in fixed point
    whose period is that power of two is opened as the low bits of its difference to it. ``sine``
    and ``cosine`` (count, frequencies) are in fixed point with ``fraction_bits``, to the nearest
    unit here and with a dealer, within ``sines.ERROR_UNITS`` without one.
    """

    UNIT: ClassVar[int] = 1
    period_bits: int
    frequencies: int
    fraction_bits: int
    count: int

    def fields(self) -> tuple[Field, ...]:
        tail = (self.frequencies,)
        return Field("angle", free=True), Field("sine", tail=tail), Field("cosine", tail=tail)

    def complete(self, free: Arrays, _operands: Operands) -> Arrays:
        sine, cosine = turns(self, free["angle"])
        return {"sine": sine, "cosine": cosine}


@dataclass(frozen=True, slots=True)
class Operand:
    """The mask b (rows, columns) of a factor that stays the same over many products.

    With a ``holder``, the number of a party other than the first, b is known to the first party.
    """

    UNIT: ClassVar[int] = 1
    number: int
    rows: int
    columns: int
    count: int = 1
    holder: int = 0

    def fields(self) -> tuple[Field, ...]:
        held = (0,) if self.holder else ()
        return (Field("b", tail=(self.rows, self.columns), free=True, held=held),)

    def complete(self, _free: Arrays, _operands: Operands) -> Arrays:
        return {}


@dataclass(frozen=True, slots=True)
class Against:
    """c = a @ b for ``count`` rows a and the mask b of the operand of that number.

    With a ``holder`` this party knows a, and shares c with the first party, who knows b. Without,
    each party takes its own a times its own b off its share of c (``apart``), so that online one
    product does instead of two: c is what the factors of different parties come to, added up.
    """

    UNIT: ClassVar[int] = 1
    number: int
    rows: int
    columns: int
    count: int
    holder: int = 0

    def fields(self) -> tuple[Field, ...]:
        knows, both = ((self.holder,), (0, self.holder)) if self.holder else ((), ())
        return (
            Field("a", tail=(self.rows,), free=True, held=knows),
            Field("c", tail=(self.columns,), held=both),
        )

    def complete(self, free: Arrays, operands: Operands) -> Arrays:
        return {"c": ring.matmul(free["a"], operands[self.number])}

    def apart(self, a: Words, c: Words, operands: Operands) -> Words:
        """A share of c without the product of the party's own factors, of which it holds shares."""
        return c if self.holder else c - ring.matmul(a, operands[self.number])


Kind: TypeAlias = (
    Products
    | Squares
    | Ands
    | Bits
    | Selections
    | Numbers
    | Truncations
    | Sines
    | Operand
    | Against
)
K = TypeVar("K", bound=Kind)

_KINDS: dict[str, type[Kind]] = {
    kind.__name__.lower(): kind
    for kind in (
        Products, Squares, Ands, Bits, Selections, Numbers, Truncations, Sines, Operand, Against
    )
}  # fmt: skip

_LIMITS = {
    "width": (1, bits.WORD),
    "shift": (0, 62),
    "period_bits": (1, 52),
    "frequencies": (1, 1 << 10),
    "fraction_bits": (1, 40),
    "rows": (0, 1 << 24),
    "columns": (0, 1 << 24),
}


def turns(kind: Sines, angle: Words) -> tuple[Words, Words]:
    """Sines and cosines (count, frequencies) of multiples of ``angle``, in fixed point."""
    k = np.arange(1, kind.frequencies + 1, dtype=np.uint64)
    turn = (angle[:, None] * k) & np.uint64((1 << kind.period_bits) - 1)
    radians = turn.astype(np.float64) * (2 * np.pi / (1 << kind.period_bits))
    scale = float(1 << kind.fraction_bits)
    sine, cosine = (np.rint(part * scale) for part in (np.sin(radians), np.cos(radians)))
    return sine.astype(np.int64).view(np.uint64), cosine.astype(np.int64).view(np.uint64)


def _numbers(packed: Words) -> Words:
    return bits.unpack(packed, bits.WORD * len(packed)).astype(np.uint64)


def units(kind: Kind) -> int:
    """How many units the count of ``kind`` takes."""
    return -(-kind.count // kind.UNIT)


def shape(kind: Kind, field: Field) -> tuple[int, ...]:
    """The shape of an array of ``kind``, whole units of it."""
    return (field.per * units(kind), *field.tail)


def whole(kind: K, count: int | None = None) -> K:
    """``kind`` with its count, or ``count``, rounded up to whole units."""
    counted = kind if count is None else replace(kind, count=count)
    return replace(counted, count=units(counted) * kind.UNIT)


def absent(kind: Kind, field: Field) -> Words:
    """The share of a party that holds none of ``field``: zeros, which take no memory."""
    return np.broadcast_to(np.uint64(0), shape(kind, field))


def name(kind: Kind) -> str:
    """How messages and files call this kind."""
    return type(kind).__name__.lower()


def parameters(kind: Kind) -> list[int]:
    """The numbers that make the kind, but for its count."""
    return [getattr(kind, field.name) for field in fields(kind) if field.name != "count"]


def named(called: str, given: list[int], count: int) -> Kind:
    """The inverse of ``name`` and ``parameters``. Raises ConfigError for what is no kind."""
    if called not in _KINDS:
        raise ConfigError(f"there is no kind of correlation named {called!r}")
    names = [field.name for field in fields(_KINDS[called]) if field.name != "count"]
    if len(names) != len(given) or not 0 <= count <= MAX_COUNT:
        raise ConfigError(f"{called} with {given} and a count of {count}")
    values = dict(zip(names, given, strict=True))
    for field, value in values.items():
        least, most = _LIMITS.get(field, (0, MAX_COUNT))
        if not least <= value <= most:
            raise ConfigError(f"{called} with {field} {value}, which is {least} to {most}")
    return _KINDS[called](**values, count=count)


def parameter_count(called: str) -> int:
    """How many numbers ``named`` takes for a kind; 0 for what is no kind."""
    return len(fields(_KINDS[called])) - 1 if called in _KINDS else 0


def request(kind: Kind) -> pb.CorrelationRequest:
    """``kind`` as parties and dealers tell each other."""
    return pb.CorrelationRequest(kind=name(kind), parameters=parameters(kind), count=kind.count)


def told(message: pb.CorrelationRequest) -> str:
    """What a peer asks for, whether or not there is such a kind, fit for an error message."""
    called = "".join(c if c.isprintable() else "?" for c in message.kind[:40])
    return f"{called or 'nothing more'} {list(message.parameters[:4])} of {message.count}"
