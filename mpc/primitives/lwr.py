# SPDX-License-Identifier: Apache-2.0
"""A key-homomorphic pseudorandom function from learning with rounding, in the random oracle model.

    F_S(x) = floor(2^34 / q * <H(x), S>)            18 numbers of 34 bits

H(x) and the secret S are vectors of 80 polynomials of R = Z_q[X]/(X^18 + X^9 + 1), the ring of the
27th cyclotomic field; S is uniform. It is the function of Boneh, Lewi, Montgomery, Raghunathan,
"Key Homomorphic PRFs and Their Applications" (CRYPTO 2013, eprint 2015/220, section 1, and 3 as
far as the random oracle), over R as Saber has it.

Why it is pseudorandom. Under distinct x the H(x) are independent and uniform, so that the values
are the samples of module LWR (Banerjee, Peikert, Rosen, "Pseudorandom Functions and Lattices",
EUROCRYPT 2012; in the module form of Langlois, Stehlé, "Worst-Case to Average-Case Reductions for
Module Lattices", 2015, and D'Anvers et al., "Saber", AFRICACRYPT 2018), and one who tells them from
uniform numbers breaks that. As with Saber, no reduction from LWE reaches these parameters: their
strength is that of the attacks known. That q = t1 t2 is not prime and that R splits into fields
are no weakness known: hardness results hold for any modulus; whoever reduces samples modulo t1
alone keeps the same error against a modulus that is t2 times smaller; and at one 27th root of
unity, where the dimension is 80, the error is a sum of 18 times its powers, and no longer small.

x is a uniform seed of 128 bits, which the caller makes of a table's key. H expands it by AES-128 in
counter mode, as FrodoKEM expands its matrix: a random oracle in the ideal cipher model, up to
2^-109 for each value, because blocks of one key do not repeat.

Who learns what: values at distinct x say nothing of S or each other; equal x have equal values.

``Secret.masks`` are F_S with what is rounded moved up by a d that is drawn anew, uniform below 1,
for each number: floor(2^34 / q * (c + d)). Since q is no multiple of 2^34, some values of F_S would
have 2051 preimages and some 2050, which is little, but not nothing in 2^24 numbers. The reals c + d
are uniform below q, so that all 2^34 values have the same share of them, to 2^-64 of a preimage.

Two parties of whom one has S and the other x, and who come to shares a + b = <H(x), S> modulo q by
other means, have shares of masks: each takes ``rounded`` of its own, of one bit more, and

    2 mask(x) - rounded(a) - rounded(b)  is -1, 0, 1 or 2 modulo 2^35.

Strength. The dimension is 80 * 18 = 1440, and rounding is an error that is uniform in an interval
of q / 2^34 around 2^11. The primal attack with the usual estimates of lattice reduction (Alkim,
Ducas, Pöppelmann, Schwabe, "Post-quantum key exchange -- a new hope", USENIX 2016, section 6.3)
takes 2^140 operations classically; ``tests/primitives/lattice.py`` computes it.
t1 and t2 are 1 modulo 27, so that there are 27th roots of unity and products are pointwise in the
"hat" domain, and 1 modulo 2^14, so that they are a plaintext modulus with 8192 slots for BFV.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError
from mpc.kernels import lwr as kernel
from mpc.kernels.lwr import MODULI, RANK, SIZE, Q, expand
from mpc.primitives.rng import SEED_BYTES, SYSTEM, Prg, Rng, packed_below, uint64

__all__ = ["BITS", "MODULI", "RANK", "SIZE", "Q", "Secret", "expand", "rounded"]

Words = NDArray[np.uint64]
Residues = NDArray[np.uint32]

BITS = 34
"""Of each number of a mask."""

_ROWS = 1 << 15  # whose products are held at a time


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Secret:
    """A key S: ``residues`` (2, RANK, SIZE) of its polynomials in the hat domain."""

    residues: Residues

    def __post_init__(self) -> None:
        if self.residues.dtype != np.uint32 or self.residues.shape != (2, RANK, SIZE):
            raise ConfigError(f"a secret is residues (2, {RANK}, {SIZE})")

    @classmethod
    def draw(cls, rng: Rng = SYSTEM) -> Secret:
        """A uniform key."""
        drawn = np.zeros((2, RANK * SIZE, 4), np.uint8)
        for of, modulus in zip(drawn, MODULI, strict=True):
            of[:, :3] = packed_below(rng, modulus, RANK * SIZE)
        return cls(drawn.view("<u4").astype(np.uint32).reshape(2, RANK, SIZE))

    def masks(self, seeds: Words, rng: Rng = SYSTEM) -> Words:
        """F_S of each of n seeds (n, 2), rounded as ``rng`` has it: (n, SIZE), below 2^BITS."""
        out, stream = np.empty((len(seeds), SIZE), np.uint64), Prg(rng.bytes(SEED_BYTES))
        for start in range(0, len(seeds), _ROWS):
            part = out[start : start + _ROWS]
            sums = kernel.products(self.residues, seeds[start : start + _ROWS])
            part[:] = kernel.rounded(sums, BITS, uint64(stream, part.shape))
        out &= np.uint64((1 << BITS) - 1)
        return out

    def __repr__(self) -> str:
        return "Secret(<secret>)"

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("secrets are not compared")

    def __bool__(self) -> NoReturn:
        raise TypeError("a secret has no truth value")

    __hash__ = None  # type: ignore[assignment]  # the way to say that it has no hash


def rounded(shares: Residues) -> Words:
    """floor(2^(BITS + 1) c / q) of the coefficients c of shares (2, n, SIZE) of sums: (n, SIZE)."""
    return kernel.rounded(shares, BITS + 1)
