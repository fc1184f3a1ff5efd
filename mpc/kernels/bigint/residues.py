# SPDX-License-Identifier: Apache-2.0
"""Vectors of residues, opaque to everything above the kernels.

The portable backend keeps one mpz per element, in an object array of shape (count,). The simd
backend keeps groups of eight elements side by side, one per lane: uint64 (groups, limbs, 8), the
last group padded with whatever is there. ``count`` says how many elements are meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.kernels.memory import words

LANES = 8

Positions = Sequence[int] | NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Residues:
    """``count`` elements of one ring. No ``==``: compare canonical bytes, where that is safe."""

    data: NDArray[Any]
    count: int

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        raise TypeError("a vector of residues has no truth value; use len()")

    def __getitem__(self, index: slice | Positions) -> Residues:
        """The elements of a slice, or at an array of positions, as a vector."""
        if isinstance(index, slice) and self.data.ndim == 3:
            chosen = range(self.count)[index]
            group, lane = divmod(chosen.start, LANES)
            if lane == 0 and (chosen.step == 1 or len(chosen) == 1):
                # Whole groups, shared with this vector: data is never written once it is made.
                return Residues(self.data[group:][: -(-len(chosen) // LANES)], len(chosen))
            if len(chosen) == 1:
                return Residues(in_all_lanes(self.data[group], lane), 1)
        positions = np.arange(self.count)[index]
        if positions.ndim != 1:
            raise TypeError("residues are indexed by a slice or by a vector of positions")
        if self.data.ndim == 1:
            return Residues(self.data[positions], len(positions))
        return Residues(_regroup([self.data], positions), len(positions))

    def replaced(self, positions: NDArray[np.intp], others: Residues) -> Residues:
        """A vector of the same elements, but for ``others`` at these positions."""
        if self.data.ndim == 1:
            data = self.data.copy()
            data[positions] = others.data
        else:
            data = lane_groups(*self.data.shape[:2])
            data[...] = self.data
            group, lane = np.divmod(positions, LANES)
            elements = others.data.transpose(0, 2, 1).reshape(-1, data.shape[1])
            data[group, :, lane] = elements[: len(positions)]
        return Residues(data, self.count)

    def __repr__(self) -> str:
        return f"Residues(<{self.count} elements>)"


def concatenate(vectors: Sequence[Residues]) -> Residues:
    """One vector of all elements in order; the vectors are of one ring."""
    if len(vectors) == 1:
        return vectors[0]
    count = sum(len(vector) for vector in vectors)
    if vectors[0].data.ndim == 1:
        return Residues(np.concatenate([vector.data for vector in vectors]), count)
    if all(len(vector) % LANES == 0 for vector in vectors[:-1]):
        out = lane_groups(-(-count // LANES), vectors[0].data.shape[1])
        np.concatenate([vector.data for vector in vectors], out=out)
        return Residues(out, count)
    starts = np.cumsum([0] + [LANES * len(vector.data) for vector in vectors[:-1]])
    positions = [start + np.arange(len(v)) for start, v in zip(starts, vectors, strict=True)]
    return Residues(_regroup([v.data for v in vectors], np.concatenate(positions)), count)


def _regroup(blocks: list[NDArray[Any]], positions: NDArray[np.intp]) -> NDArray[np.uint64]:
    """New lane groups holding the elements at ``positions`` of the lanes of ``blocks`` in a row."""
    groups = np.concatenate(blocks) if len(blocks) > 1 else blocks[0]
    out = lane_groups(-(-len(positions) // LANES), groups.shape[1])
    padded = np.zeros(LANES * len(out), dtype=np.intp)
    padded[: len(positions)] = positions
    if len(out):
        group, lane = np.divmod(padded, LANES)
        # Advanced indices around a slice put their own axis first: (elements, limbs).
        elements = groups[group, :, lane].reshape(len(out), LANES, -1)
        out[...] = elements.transpose(0, 2, 1)
    return out


def in_all_lanes(group: NDArray[np.uint64], lane: int) -> NDArray[np.uint64]:
    """One of the elements of a group, in every lane of a group."""
    out = lane_groups(1, len(group))
    out[0] = group[:, lane : lane + 1]
    return out


def lane_groups(groups: int, limbs: int) -> NDArray[np.uint64]:
    """Uint64 (groups, limbs, 8) of any content, each vector of eight in one cache line."""
    return words(groups, limbs, LANES)


def zero_groups(groups: int, limbs: int) -> NDArray[np.uint64]:
    """The same, of zeros."""
    out = lane_groups(groups, limbs)
    out.fill(0)
    return out
