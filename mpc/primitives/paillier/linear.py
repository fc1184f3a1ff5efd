# SPDX-License-Identifier: Apache-2.0
"""Sums of ciphertexts, and their products with plain vectors and matrices.

A product is a multi-exponentiation (Straus, or Pippenger's buckets: see the kernel) per element of
the result; negative factors cost one inversion for the whole result.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError
from mpc.kernels.bigint import Residues
from mpc.primitives.fixed import Integers

if TYPE_CHECKING:
    from mpc.primitives.paillier.ciphertexts import Ciphertexts


def total(x: Ciphertexts, axis: int | None) -> Ciphertexts:
    """The sum over all axes, or one."""
    axes = range(x.ndim) if axis is None else [np.arange(x.ndim)[axis]]
    if x.packing and x.ndim - 1 in axes:
        raise ConfigError("packed numbers cannot be summed along the packed axis")
    kept = [i for i in range(x.ndim) if i not in axes]
    bound = x.grown(prod(x.shape[i] for i in axes))
    positions = np.arange(len(x.residues)).reshape(x.layout).transpose(*kept, *axes)
    rows = prod(x.layout[i] for i in kept)
    arranged = _arranged(x.residues, positions)
    residues = x.ring.product(arranged, rows) if rows else x.residues
    return replace(
        x, residues=residues, shape=tuple(x.shape[i] for i in kept), bound=bound, fresh=False
    )


def right(x: Ciphertexts, matrix: Integers, fraction_bits: int) -> Ciphertexts:
    """``x @ matrix``, which sums along the last axis of x."""
    if x.packing:
        raise ConfigError("the packed axis cannot be summed along; put the matrix on the left")
    _check_inner(x.shape[-1:], matrix.shape[:1], x.shape, matrix.shape)
    exponents = matrix.reshape(len(matrix), prod(matrix.shape[1:])).T
    bound = x.grown(_widest_row(exponents))
    return replace(
        x,
        residues=_products(x, x.residues, exponents, prod(x.shape[:-1])),
        shape=(*x.shape[:-1], *matrix.shape[1:]),
        fraction_bits=x.fraction_bits + fraction_bits,
        bound=bound,
        fresh=False,
    )


def left(matrix: Integers, fraction_bits: int, x: Ciphertexts) -> Ciphertexts:
    """``matrix @ x``, which sums along the first axis of x."""
    if x.packing and x.ndim == 1:
        raise ConfigError("the packed axis cannot be summed along; pack the columns of a matrix")
    _check_inner(matrix.shape[-1:], x.shape[:1], matrix.shape, x.shape)
    exponents = matrix.reshape(prod(matrix.shape[:-1]), len(x))
    bound = x.grown(_widest_row(exponents))
    columns = prod(x.layout[1:])
    # The kernel takes the bases of one output in a row, and gives its outputs row by row.
    bases = _arranged(x.residues, np.arange(len(x.residues)).reshape(len(x), columns).T)
    products = _products(x, bases, exponents, columns)
    order = np.arange(len(products)).reshape(columns, len(exponents)).T
    return replace(
        x,
        residues=_arranged(products, order),
        shape=(*matrix.shape[:-1], *x.shape[1:]),
        fraction_bits=x.fraction_bits + fraction_bits,
        bound=bound,
        fresh=False,
    )


def _arranged(residues: Residues, positions: NDArray[np.intp]) -> Residues:
    """All residues, in the order of ``positions``; not copied where that is theirs."""
    order = positions.ravel()
    return residues if np.array_equal(order, np.arange(len(order))) else residues[order]


def _products(x: Ciphertexts, bases: Residues, exponents: Integers, rows: int) -> Residues:
    outputs, terms = exponents.shape
    if terms == 0 or rows * outputs == 0:
        return x.ring.ones(rows * outputs)
    return x.ring.multiexp(bases, exponents)


def _check_inner(ours: tuple[int, ...], theirs: tuple[int, ...], *shapes: tuple[int, ...]) -> None:
    if len(ours) != 1 or ours != theirs or max(map(len, shapes)) > 2:
        raise ConfigError(f"shapes {shapes[0]} and {shapes[1]} do not multiply")


def _widest_row(exponents: Integers) -> int:
    """The largest sum of magnitudes in a row: by how much an output can exceed an input."""
    if exponents.dtype != object:
        # Sums of integers below 2**53 are exact.
        found = float(np.abs(exponents, dtype=np.float64).sum(axis=1).max(initial=0))
        if found < 1 << 53:
            return int(found)
    return int(np.abs(exponents.astype(object)).sum(axis=1).max(initial=0))
