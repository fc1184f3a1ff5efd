# SPDX-License-Identifier: Apache-2.0
"""Both backends of kernels give the same ciphertexts, and refuse the same with the same words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from mpc import kernels
from mpc.primitives.paillier import Ciphertexts, Packing, PublicKey, SecretKey
from mpc.testing import seeded

Keys = tuple[SecretKey, PublicKey]
KeysOf = Callable[..., Keys]


@dataclass(frozen=True)
class Table:
    """A key and what was encrypted under it, from a seed."""

    secret: SecretKey
    public: PublicKey
    other: Keys
    x: Ciphertexts
    rows: Ciphertexts
    packing: Packing
    packed: Ciphertexts

    @classmethod
    def of(cls, keys_of: KeysOf) -> Table:
        secret, public = keys_of(768)
        packing = public.packing(8, headroom_adds=3, scalar_bits=4)
        return cls(
            secret,
            public,
            keys_of(768, "other"),
            public.encrypt([1, -2, 3], rng=seeded("x")),
            secret.encrypt([[0.5, -1.5], [2.0, 1e6]], rng=seeded("rows")),
            packing,
            public.encrypt(np.arange(200) - 100, packing=packing, rng=seeded("packed")),
        )

    def row(self, number: int) -> Any:
        """One encoded ciphertext."""
        data = number.to_bytes(self.public.ciphertext_bytes, "little")
        return np.frombuffer(data, np.uint8).reshape(1, -1)

    def shares_a_factor(self) -> Ciphertexts:
        """What `from_array` would have refused."""
        residues = self.public.masks.ring.encode([self.secret.reveal_primes()[0], 5, 7])
        return Ciphertexts(self.public, residues, (3,), 0, 100)


def under_each(keys_of: KeysOf, use: Callable[[Table], Any]) -> list[Any]:
    """What ``use`` comes to under every backend that is here."""
    names = ["portable", *(["simd"] if kernels.backend() == "simd" else [])]
    found = []
    for name in names:
        with kernels.use(name):
            found.append(use(Table.of(keys_of)))
    return found


COMPUTED: dict[str, Callable[[Table], Ciphertexts]] = {
    "encrypted": lambda t: t.x,
    "by the owner": lambda t: t.rows,
    "packed": lambda t: t.packed,
    "sum": lambda t: t.x + t.x,
    "difference": lambda t: t.x - [5, 1 << 70, -3],
    "negated": lambda t: -t.rows,
    "scaled": lambda t: t.x * [-5, 1 << 70, 0],
    "by a float": lambda t: t.rows * -0.25,
    "total": lambda t: t.rows.sum(axis=1),
    "few terms": lambda t: t.x @ [-(1 << 33), 7, 0],
    "matrix": lambda t: np.array([[1.5, -2.5], [0.0, 1e-3], [7.0, 8.0]]) @ t.rows,
    "raised": lambda t: t.x.rescaled(9),
    "packed scaled": lambda t: t.packed * -15 + 3,
    "rerandomised": lambda t: (t.x + 1).rerandomized(rng=seeded("fresh")),
    "masked": lambda t: t.x.masked([5, t.public.n - 1, 0]),
}


@pytest.mark.parametrize("name", COMPUTED)
def test_ciphertexts_are_the_same(keys_of: KeysOf, name: str) -> None:
    """Bit for bit: results are deterministic, but for the masks of a seed."""

    def use(table: Table) -> Any:
        out = COMPUTED[name](table)
        residues = table.secret.decrypt_residues(out)
        return out.ring.to_bytes(out.residues).tolist(), residues, out.shape, out.bound, repr(out)

    one, *others = under_each(keys_of, use)
    assert all(other == one for other in others)


REFUSED: dict[str, Callable[[Table], object]] = {
    "another key": lambda t: t.x + t.other[1].encrypt([1, 2, 3]),
    "of another key": lambda t: t.other[0].decrypt(t.x),
    "shapes": lambda t: t.x + np.array([1, 2]),
    "factors": lambda t: t.x * [1, 2],
    "inner": lambda t: t.x @ np.ones((2, 2)),
    "no number": lambda t: t.x * "a",
    "nothing": lambda t: t.x + None,  # type: ignore[arg-type]
    "not finite": lambda t: t.x * float("nan"),
    "too large a term": lambda t: t.x + (1 << 800),
    "too large a factor": lambda t: t.x * -(1 << 800),
    "too large a dot": lambda t: t.x.dot([1 << 740, 1, -(1 << 700)]),
    "coarser": lambda t: t.rows.rescaled(0),
    "finer than n": lambda t: t.x.rescaled(900),
    "masks": lambda t: t.x.masked([1]),
    "masked": lambda t: t.secret.decrypt(t.x.masked([1, 2, 3])),
    "stale": lambda t: (t.x + t.x).to_array(),
    "index": lambda t: t.x[5],
    "axis": lambda t: t.x.sum(axis=3),
    "product": lambda t: t.x * t.x,  # type: ignore[operator]
    "slot": lambda t: t.packed * 16 * 16,
    "slots": lambda t: t.packed * [1, 2],
    "bound": lambda t: t.public.encrypt([1], bound=-1),
    "pool": lambda t: t.public.precompute(-1),
    "factor of n": lambda t: Ciphertexts.from_array(
        t.public, t.row(t.secret.reveal_primes()[0]), peer="tax"
    ),
    "zero": lambda t: Ciphertexts.from_array(t.public, t.row(0)),
    "n squared": lambda t: Ciphertexts.from_array(t.public, t.row(t.public.n**2), peer="tax"),
    "width": lambda t: Ciphertexts.from_array(t.public, t.row(1)[:, 1:], peer="tax"),
    "no inverse": lambda t: -t.shares_a_factor(),
    "negative factors": lambda t: t.shares_a_factor() * [-1, 2, 3],
    "negative weights": lambda t: t.shares_a_factor() @ [-5, 1, 1],
    "out of its bound": lambda t: t.secret.decrypt(t.shares_a_factor()),
    "exponents": lambda t: t.x.ring.power(t.x.residues, -1),
    "comb": lambda t: t.x.ring.comb(t.x.residues, 5),
    "matrix of floats": lambda t: t.x.ring.multiexp(t.x.residues, np.ones((2, 3))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_in_the_same_words(keys_of: KeysOf, name: str) -> None:
    def use(table: Table) -> tuple[type[Exception], str]:
        with pytest.raises(Exception) as caught:  # of any type: they are compared
            REFUSED[name](table)
        return type(caught.value), str(caught.value)

    one, *others = under_each(keys_of, use)
    assert all(other == one for other in others)
    assert one[0] is not AssertionError
