# SPDX-License-Identifier: Apache-2.0
"""The rows that a figure is of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpc.errors import ConfigError, DataError, EncodingOverflow, Withheld
from mpc.net.mesh import Mesh
from mpc.primitives import fixed, sharing
from mpc.primitives.sharing import Share
from mpc.primitives.xor_sharing import XorShare
from mpc.protocols import arith, boolean, compare, convert, functions
from mpc.protocols.functions.polynomials import at_scale
from mpc.protocols.seeds import Seeds
from mpc.protocols.statistics.terms import Terms, agree
from mpc.protocols.triples import Triples

ROOM_BITS = 61


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Aligned:
    """Shared columns (n, k) of the same n rows at all parties; made by ``aligned``."""

    columns: Share
    terms: Terms
    kept: XorShare | None
    """Bits (n,) of the rows that count; None where all do."""
    numbers: Share | None
    """The same as whole numbers."""

    @property
    def capacity(self) -> int:
        """As many rows as there may be."""
        return len(self.columns)

    @property
    def width(self) -> int:
        """How many columns."""
        return int(self.columns.shape[1])

    @property
    def counted(self) -> bool:
        """Whether all know how many rows there are."""
        return self.numbers is None

    def count(self) -> Share | int:
        """How many rows: a whole number, public where all count."""
        return len(self.columns) if self.numbers is None else self.numbers.sum()

    def sums(self, mesh: Mesh, triples: Triples) -> Share:
        """Of each column: (k,). One round, or none where all rows count."""
        if self.numbers is None:
            return self.columns.sum(axis=0)
        return arith.matmul(mesh, self.numbers, self.columns, triples)

    def __repr__(self) -> str:
        return f"Aligned({self.columns.shape}, {self.terms}, <secret>)"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Pooled:
    """This party's own rows (m, k) of a group, as encoded: all parties' rows together make it."""

    rows: NDArray[np.int64]
    terms: Terms
    seeds: Seeds

    @property
    def capacity(self) -> int:
        """As many rows as there may be."""
        return self.terms.rows * len(self.seeds.names)

    @property
    def width(self) -> int:
        """How many columns."""
        return int(self.rows.shape[1])

    @property
    def counted(self) -> bool:
        """Whether all know how many rows there are."""
        return False

    def count(self) -> Share:
        """How many rows: a whole number."""
        return self.added(np.asarray(len(self.rows)))

    def sums(self, _mesh: Mesh, _triples: Triples) -> Share:
        """Of each column: (k,). No round."""
        return at_scale(self.added(self.rows.sum(axis=0)), self.terms.fraction_bits)

    def added(self, mine: NDArray[Any]) -> Share:
        """The sum over the parties of whole numbers that each has. No message."""
        parts = [
            self.seeds.share(mine if name == self.seeds.me else None, owner=name, shape=mine.shape)
            for name in self.seeds.names
        ]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def __repr__(self) -> str:
        return f"Pooled({self.terms}, <secret>)"


Group: TypeAlias = Aligned | Pooled


def column(
    seeds: Seeds, values: ArrayLike | None = None, *, owner: str, rows: int, terms: Terms
) -> Share:
    """Shares (rows,) of a column of ``owner``, who gives its values; no message.

    Raises DataError for NaN, infinity and what exceeds the bound, by its row, and for another
    number of rows; ConfigError unless just the owner gives values.
    """
    given = None if values is None else _encoded(values, terms)
    words = seeds.share(given, owner=owner, shape=rows)
    return at_scale(words, terms.fraction_bits)


def aligned(
    mesh: Mesh,
    columns: Share,
    terms: Terms,
    triples: Triples,
    *,
    kept: XorShare | None = None,
) -> Aligned:
    """A group of aligned rows: shared columns (n, k), and bits (n,) of the rows that count.

    Without ``kept`` all rows do. One round, or two. Raises ConfigError for what does not fit
    together, and ParameterMismatch for a peer that holds other terms.
    """
    if len(columns.shape) != 2 or not 1 <= columns.shape[0] <= terms.rows:
        raise ConfigError(f"columns are (n, k), n from 1 to {terms.rows}, not {columns.shape}")
    if columns.fraction_bits != terms.fraction_bits:
        raise ConfigError(
            f"columns of {columns.fraction_bits} fraction bits, the terms say {terms.fraction_bits}"
        )
    if kept is not None and kept.shape != columns.shape[:1]:
        raise ConfigError(f"bits {kept.shape} do not pick among rows {columns.shape}")
    agree(mesh, terms)
    if kept is None:
        return Aligned(columns, terms, None, None)
    return Aligned(columns, terms, kept, convert.to_number(mesh, kept, triples))


def pooled(mesh: Mesh, seeds: Seeds, rows: ArrayLike, terms: Terms) -> Pooled:
    """The group of all parties' rows, of which this one's are ``rows`` (m, k). One round.

    Raises as ``column`` does, and ParameterMismatch for a peer that holds other terms.
    """
    if mesh.names != seeds.names:
        raise ConfigError(f"seeds of {seeds.names} in a mesh of {mesh.names}")
    encoded = _encoded(rows, terms)
    if encoded.ndim != 2 or len(encoded) > terms.rows:
        raise DataError(f"rows are (m, k), m up to {terms.rows}, not {encoded.shape}")
    agree(mesh, terms)
    return Pooled(encoded, terms, seeds)


def require_room(group: Group, degree: int) -> None:
    """EncodingOverflow unless sums of values to the power of ``degree`` fit."""
    terms = group.terms
    bits = math.log2(group.capacity) + degree * (math.log2(terms.bound) + terms.fraction_bits)
    if bits > ROOM_BITS:
        raise EncodingOverflow(
            f"{group.capacity} rows up to {terms.bound} with {terms.fraction_bits} fraction bits "
            f"add up to {math.ceil(bits)} bits, and there is room for {ROOM_BITS}"
        )


def largest_quotient(group: Group, degree: int) -> float:
    """A bound on sums of values to the power of ``degree`` over their count, or that less one."""
    return 2 * math.prod([group.terms.bound] * degree)


def quotient_bits(group: Group, degree: int) -> int:
    """The most fraction bits of such a quotient. EncodingOverflow where there is no room for it."""
    bits, size = degree * group.terms.fraction_bits, largest_quotient(group, degree)
    try:
        return functions.quotient_room(bits, 0, most=group.capacity, size=size).most
    except ConfigError as error:
        raise EncodingOverflow(str(error)) from None


def admitted(mesh: Mesh, group: Group, triples: Triples) -> Share | int:
    """The count of the group, if it is large enough to be told of.

    All parties learn whether it is, and raise Withheld where it is not.
    """
    count, minimum = group.count(), group.terms.minimum
    if isinstance(count, int):
        small = count < minimum
    else:
        few = compare.less_than(
            mesh, count.reshape(1), minimum, triples, width=difference_bits(group)
        )
        small = bool(_told(boolean.reveal(mesh, few))[0])
    if small:
        raise Withheld(f"the group has fewer than {minimum} rows")
    return count


def encoded_bound(terms: Terms) -> int:
    """The largest of encoded values."""
    return math.floor(math.ldexp(terms.bound, terms.fraction_bits))


def difference_bits(group: Group) -> int:
    """The width of the difference of a count and the minimum."""
    return max(group.capacity, group.terms.minimum).bit_length()


def as_share(count: Share | int, like: Share) -> Share:
    """A count as a share (1,)."""
    if isinstance(count, int):
        return sharing.public([count], like.party, like.parties)
    return count.reshape(1)


def _told(bits: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    assert bits is not None, "revealed to all"
    return bits


def _encoded(values: ArrayLike, terms: Terms) -> NDArray[np.int64]:
    signed = fixed.integers(values, terms.fraction_bits)
    most = encoded_bound(terms)
    fixed.require_within(signed, -most, most, f"exceeds the bound of {terms.bound}")
    return signed.astype(np.int64)
