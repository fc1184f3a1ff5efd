# SPDX-License-Identifier: Apache-2.0
"""Correlated randomness for computing on shares, made before the inputs are known; semi-honest.

One interface, whatever it comes from::

    triples = vole.source(mesh)                    no third party (the default)
    triples = dealer.source(mesh, channel)         a third process hands it out; ``dealer.serve``
    triples = file.source(mesh, path, key)         made ahead with one of the others; ``file.save``

    triples.prepare([Products(10**6)])             offline, when there is time
    z = arith.mul(mesh, x, y, triples)             online: takes what it needs

What is drawn and not prepared is made then and there, which takes rounds; ``drawn`` lists what a
run took, so that the next one can prepare it. All parties prepare and draw the same kinds in the
same order, as they do when they run the same program on the same shapes.

A correlation serves once: two openings under one mask show the difference of what they hide. So
``Correlation.take`` gives its arrays once and raises CryptoError after that, whatever is made
leaves the pool when it is drawn, and a pool that was saved to a file is empty. None of it can be
copied or pickled, and in a child process, after ``os.fork``, all of it raises CryptoError: the
child has to make a source of its own.

Who learns what, and from which third parties privacy is safe, is in each source's docstring.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NoReturn, Protocol

import numpy as np

from mpc.errors import ConfigError, CryptoError
from mpc.primitives import forks
from mpc.protocols.triples import kinds
from mpc.protocols.triples.kinds import (
    Against,
    Ands,
    Arrays,
    Bits,
    Kind,
    Numbers,
    Operand,
    Products,
    Selections,
    Sines,
    Squares,
    Truncations,
    Words,
)
from mpc.tracing import span

__all__ = [
    "Against",
    "Ands",
    "Bits",
    "Correlation",
    "Fixed",
    "Kind",
    "Maker",
    "Numbers",
    "Operand",
    "Products",
    "Selections",
    "Sines",
    "Squares",
    "TooFew",
    "Triples",
    "Truncations",
]


class Maker(Protocol):
    """Where correlations come from."""

    def make(self, kind: Kind) -> Arrays:
        """This party's shares of a batch of ``kind``: as many whole units as it likes, but one."""
        ...

    def close(self, *, failed: bool = False) -> None:
        """Nothing more is needed; or, with ``failed``, whoever uses them has met an error."""
        ...


class Correlation:
    """This party's shares of the arrays of one kind, to be taken once."""

    __slots__ = ("_arrays", "_made", "kind")

    def __init__(self, kind: Kind, arrays: Arrays) -> None:
        self.kind = kind
        self._made = forks.count()
        self._arrays: list[Arrays] = [arrays]

    def take(self) -> Arrays:
        """The arrays, cut to the count. Raises CryptoError when they were taken before."""
        forks.require_none_since(self._made, "this correlation")
        try:
            # One operation, so that of two threads one gets nothing.
            arrays = self._arrays.pop()
        except IndexError:
            raise CryptoError(f"{kinds.name(self.kind)}: used before; it serves once") from None
        rows = {field.name: field.per for field in self.kind.fields()}
        return {
            name: array[: -(-self.kind.count * rows[name] // self.kind.UNIT)]
            for name, array in arrays.items()
        }

    def __reduce__(self) -> NoReturn:
        raise TypeError("a correlation serves once, so it is not copied")

    def __repr__(self) -> str:
        return f"Correlation({self.kind}, <secret>)"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Fixed:
    """A mask (rows, columns) for one factor, which is opened under it once and then used often."""

    kind: Operand
    mask: Words

    def __reduce__(self) -> NoReturn:
        raise TypeError("a mask is not copied")

    def __repr__(self) -> str:
        return f"Fixed({self.kind}, <secret>)"


class TooFew(ConfigError):
    """What was made ahead is for ``held`` rows, and ``needed`` are to be computed on. Nothing of it
    was used."""

    def __init__(self, held: int, needed: int) -> None:
        super().__init__(
            f"correlations were made ahead for up to {held:,} rows, and {needed:,} are needed"
        )
        self.held, self.needed = held, needed


class Triples:
    """A pool of correlations, filled by ``maker``, which may hold fixed ``operands`` made ahead,
    and may be for a computation on no more than so many ``rows``.

    Not for use by two threads at once.
    """

    __slots__ = ("_held", "_made", "_maker", "_operands", "_pool", "_rows", "drawn")

    def __init__(
        self, maker: Maker, *, operands: Iterable[Operand] = (), rows: int | None = None
    ) -> None:
        self._maker = maker
        self._rows = rows
        self._made = forks.count()
        self._held = list(operands)
        self._pool: dict[Kind, list[tuple[Kind, Arrays]]] = defaultdict(list)
        self._operands = 0
        self.drawn: list[Kind] = []

    def suffice_for(self, rows: int) -> None:
        """TooFew where these were made ahead for fewer ``rows``: asked before any is drawn, so that
        they are still of use for a computation that they suffice for."""
        if self._rows is not None and rows > self._rows:
            raise TooFew(self._rows, rows)

    def prepare(self, wanted: Iterable[Kind]) -> None:
        """Have at least ``wanted`` in the pool, so that drawing it costs nothing."""
        totals: dict[Kind, int] = defaultdict(int)
        for kind in wanted:
            if isinstance(kind, Operand | Against):
                raise ConfigError("fixed operands have prepare_fixed, and rows prepare_against")
            totals[_family(kind)] += kinds.whole(kind).count
        for family, count in totals.items():
            self._fill(replace(family, count=count))

    def prepare_like(self, drawn: Iterable[Kind]) -> None:
        """Have what another run drew, by its ``drawn``: as many of each kind, and its operands."""
        kinds_drawn, rows = list(drawn), Counter[int]()
        for kind in kinds_drawn:
            if isinstance(kind, Against):
                rows[kind.number] += kind.count
        for kind in kinds_drawn:
            if isinstance(kind, Operand):
                self.prepare_fixed(kind.rows, kind.columns, rows[kind.number], holder=kind.holder)
        self.prepare(kind for kind in kinds_drawn if not isinstance(kind, Operand | Against))

    def draw(self, kind: Kind) -> Correlation:
        """A correlation of ``kind``, out of the pool as far as that goes."""
        need = kinds.whole(kind)
        self._fill(need)
        self.drawn.append(kind)
        lots = self._pool[_family(kind)]
        parts: list[Arrays] = []
        missing = need.count
        while missing or not parts:
            held, arrays = lots.pop()
            first, rest = _cut(held, arrays, min(missing, held.count))
            parts.append(first)
            missing -= min(missing, held.count)
            if rest is not None:
                lots.append(rest)
        return Correlation(kind, _joined(parts))

    def prepare_fixed(self, rows: int, columns: int, count: int, *, holder: int = 0) -> None:
        """A mask for a later ``fixed`` of this shape, and ``count`` rows against it."""
        kind = self._operand(rows, columns, holder)
        self._fill(kind)
        self._fill(_rows(kind, count))
        self._held.append(kind)

    def fixed(self, rows: int, columns: int, *, holder: int = 0) -> Fixed:
        """A mask for a factor of ``rows`` by ``columns`` that stays over many products.

        With a ``holder``, the number of a party but the first, the first party alone knows the
        mask, and the holder alone the rows ``against`` it, for products between these two. All
        parties draw both, so as to keep in step; the others get zeros.
        """
        wanted = (rows, columns, holder)
        of_shape = [k for k in self._held if (k.rows, k.columns, k.holder) == wanted]
        kind = of_shape[0] if of_shape else self._operand(rows, columns, holder)
        if of_shape:
            self._held.remove(kind)
        return Fixed(kind, self.draw(kind).take()["b"][0])

    def against(self, fixed: Fixed, count: int) -> Correlation:
        """``count`` rows a and their products with the mask of ``fixed``."""
        return self.draw(_rows(fixed.kind, count))

    def prepare_against(self, fixed: Fixed, count: int) -> None:
        """Make ``count`` rows of ``against`` now."""
        self._fill(_rows(fixed.kind, count))

    def emptied(self) -> list[tuple[Kind, Arrays]]:
        """All that is in the pool, which is empty then: for a file."""
        self._require_here()
        lots = [lot for family in self._pool.values() for lot in family]
        self._pool.clear()
        self._held.clear()
        return lots

    def __enter__(self) -> Triples:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        # A dealer that were told after an error that no more is needed would blame the others, who
        # ask on: it hears of the error as all peers do.
        self._maker.close(failed=kind is not None)

    def close(self) -> None:
        """Tell the source that nothing more is needed; the pool can still be drawn from."""
        self._maker.close()

    def _operand(self, rows: int, columns: int, holder: int) -> Operand:
        self._operands += 1
        return Operand(self._operands - 1, rows, columns, holder=holder)

    def _require_here(self) -> None:
        forks.require_none_since(self._made, "this source of correlations")

    def _fill(self, need: Kind) -> None:
        self._require_here()
        lots = self._pool[_family(need)]
        held = sum(kind.count for kind, _ in lots)
        while held < need.count or not lots:
            with span("correlations"):
                arrays = self._maker.make(replace(need, count=max(need.UNIT, need.count - held)))
            lot = _lot(need, arrays)
            held += lot.count
            lots.append((lot, arrays))

    def __reduce__(self) -> NoReturn:
        raise TypeError("correlations serve once, so they are not copied; see triples.file")

    def __repr__(self) -> str:
        return f"Triples({sum(len(lots) for lots in self._pool.values())} lots, <secret>)"


def _rows(kind: Operand, count: int) -> Against:
    return Against(kind.number, kind.rows, kind.columns, count, kind.holder)


def _family(kind: Kind) -> Kind:
    """All of one kind: what a batch may be cut from."""
    return replace(kind, count=0)


def _lot(kind: Kind, arrays: Arrays) -> Kind:
    """The kind with the count that ``arrays`` have."""
    first = kind.fields()[0]
    return replace(kind, count=len(arrays[first.name]) // first.per * kind.UNIT)


def _cut(kind: Kind, arrays: Arrays, count: int) -> tuple[Arrays, tuple[Kind, Arrays] | None]:
    """``count`` of a batch, and what is left of it."""
    taken, per = count // kind.UNIT, {field.name: field.per for field in kind.fields()}
    first = {name: array[: taken * per[name]] for name, array in arrays.items()}
    if count == kind.count:
        return first, None
    rest = {name: array[taken * per[name] :] for name, array in arrays.items()}
    return first, (replace(kind, count=kind.count - count), rest)


def _joined(parts: list[Arrays]) -> Arrays:
    if len(parts) == 1:
        return parts[0]
    return {name: _appended([part[name] for part in parts]) for name in parts[0]}


def _appended(parts: list[Words]) -> Words:
    if any(part.strides[0] for part in parts):
        return np.concatenate(parts)
    # What this party holds no share of (``kinds.absent``) takes no memory.
    shape = (sum(len(part) for part in parts), *parts[0].shape[1:])
    return np.broadcast_to(np.uint64(0), shape)
