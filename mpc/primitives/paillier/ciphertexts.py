# SPDX-License-Identifier: Apache-2.0
"""Arrays of Paillier ciphertexts, and the arithmetic on them.

Operators are local. What an array tells of its plaintexts is public: how many there are, their
scale, how they are packed, and a bound on their magnitude. Every operation first computes the bound
of its result; one that could exceed what a plaintext (half of n) or a slot holds raises
EncodingOverflow before anything is computed.

A ciphertext that was computed on is *stale*: its randomness tells how it was made. Only fresh ones,
just encrypted or `rerandomized`, can be encoded for the wire.

Plaintext factors and matrices are public to a clock: the time of ``*`` and ``@`` depends on them.
No time depends on what is encrypted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mpc.errors import ConfigError, EncodingOverflow, KeyMismatch
from mpc.kernels.bigint import Residues, SquareRing
from mpc.primitives import fixed
from mpc.primitives.paillier import linear, plaintexts, wire
from mpc.primitives.paillier.packing import Packing
from mpc.primitives.paillier.pool import wipe
from mpc.primitives.rng import SYSTEM, Rng

if TYPE_CHECKING:
    from mpc.primitives.paillier.keys import PublicKey


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ciphertexts:
    """Encrypted numbers in an array of ``shape``, under one public key.

    Each is an integer v with |v| <= ``bound``, read as v * 2**-fraction_bits. ``bound`` is None for
    integers modulo n that were masked: they wrap around, and only `decrypt_residues` reads them.
    With ``packing`` the last axis lies in slots, and elements along it cannot be picked, summed or
    multiplied by different factors; everything else is as without.
    """

    public: PublicKey
    residues: Residues
    shape: tuple[int, ...]
    fraction_bits: int = 0
    bound: int | None = None
    fresh: bool = False
    packing: Packing | None = None

    # NumPy must not take an array on the left apart and call us once per element.
    __array_ufunc__ = None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def layout(self) -> tuple[int, ...]:
        """The shape of the array of ciphertexts: ``shape``, but for a packed last axis."""
        return plaintexts.layout(self.shape, self.packing)

    @property
    def ring(self) -> SquareRing:
        return self.public.masks.ring

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a single number has no length")
        return self.shape[0]

    def __repr__(self) -> str:
        scale = f", fraction_bits={self.fraction_bits}" if self.fraction_bits else ""
        packed = f", {self.packing}" if self.packing else ""
        state = "fresh" if self.fresh else "stale"
        return f"Ciphertexts({state}, shape={self.shape}{scale}{packed}, {self.public})"

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("ciphertexts of equal numbers differ; decrypt or run a protocol to compare")

    def __bool__(self) -> NoReturn:
        raise TypeError("ciphertexts have no truth value")

    __hash__ = None  # type: ignore[assignment]  # the way to say that it has no hash

    def __reduce__(self) -> NoReturn:
        raise TypeError("ciphertexts are sent and stored as to_array() gives them")

    # --- element by element ----------------------------------------------------------------------

    def grown(self, factor: int = 1, added: int | None = 0) -> int | None:
        """The bound of a result ``factor`` times as large plus ``added``; None stays None.

        Raises EncodingOverflow if a plaintext, or a slot, might not hold it.
        """
        if self.bound is None or added is None:
            return None
        bound = self.bound * factor + added
        if bound > plaintexts.limit(self.public.n, self.packing):
            where = "its slot" if self.packing else "half of n"
            raise EncodingOverflow(f"a result of up to {bound.bit_length()} bits exceeds {where}")
        return bound

    def __add__(self, other: Ciphertexts | ArrayLike) -> Ciphertexts:
        if not isinstance(other, Ciphertexts):
            return self._plus(other, 1)
        x, y = self._aligned(other)
        bound = x.grown(added=y.bound)
        return replace(x, residues=x.ring.mul(x.residues, y.residues), bound=bound, fresh=False)

    __radd__ = __add__

    def __sub__(self, other: Ciphertexts | ArrayLike) -> Ciphertexts:
        return self + -other if isinstance(other, Ciphertexts) else self._plus(other, -1)

    def __rsub__(self, other: ArrayLike) -> Ciphertexts:
        return -self + other

    def __neg__(self) -> Ciphertexts:
        return replace(self, residues=self.ring.inverse(self.residues), fresh=False)

    def __mul__(self, factor: ArrayLike) -> Ciphertexts:
        return self.times(factor)

    __rmul__ = __mul__

    def times(self, factor: ArrayLike, *, fraction_bits: int | None = None) -> Ciphertexts:
        """The product with plain numbers of either sign: one for all, or an array of this shape.

        ``fraction_bits`` are those of the factor (32 for floats, 0 for integers where not given);
        the result's scale has them added.
        """
        signed, bits = _factor(factor, fraction_bits)
        if self.packing and signed.size != 1:
            raise ConfigError("packed numbers share ciphertexts, and so take one factor for all")
        bound = self.grown(fixed.magnitude(signed))
        exponents = _broadcast(signed, self.layout)
        return replace(
            self,
            residues=self.ring.power_signed(self.residues, exponents.ravel()),
            fraction_bits=self.fraction_bits + bits,
            bound=bound,
            fresh=False,
        )

    def rescaled(self, fraction_bits: int) -> Ciphertexts:
        """The same numbers at a finer scale."""
        more = fraction_bits - self.fraction_bits
        if more == 0:
            return self
        if more < 0:
            raise ConfigError("encrypted numbers cannot be brought to a coarser scale")
        bound = self.grown(1 << more)
        residues = self.ring.power(self.residues, 1 << more)
        return replace(
            self, residues=residues, fraction_bits=fraction_bits, bound=bound, fresh=False
        )

    def masked(self, residues: Sequence[int] | NDArray[Any]) -> Ciphertexts:
        """The sum modulo n with one integer per ciphertext: uniform ones hide what is encrypted.

        The result wraps around n, so only `SecretKey.decrypt_residues` reads it.
        """
        values = np.asarray(residues, dtype=object).ravel()
        if len(values) != len(self.residues):
            raise ConfigError(f"{len(values)} masks do not fit {len(self.residues)} ciphertexts")
        return replace(self, residues=self._shifted(values.tolist()), bound=None, fresh=False)

    def rerandomized(self, *, rng: Rng = SYSTEM) -> Ciphertexts:
        """The same numbers in fresh ciphertexts, that tell nobody how they were computed.

        Not even the owner of the key: the masks are uniform, see `mpc.primitives.paillier.masks`.
        """
        masks = self.public.masks.for_results(len(self.residues), rng)
        residues = self.ring.mul(self.residues, masks)
        wipe(masks)
        return replace(self, residues=residues, fresh=True)

    # --- parts, sums and products with matrices --------------------------------------------------

    def __getitem__(self, index: Any) -> Ciphertexts:
        if self.packing and (self.ndim == 1 or isinstance(index, tuple)):
            raise ConfigError("packed numbers cannot be picked along the packed axis")
        chosen = np.asarray(self._positions()[index])
        shape = chosen.shape if not self.packing else (*chosen.shape[:-1], self.shape[-1])
        # A ciphertext sent twice would show that two elements are one.
        fresh = self.fresh and len(np.unique(chosen)) == chosen.size
        return replace(self, residues=self.residues[chosen.ravel()], shape=shape, fresh=fresh)

    def reshape(self, *shape: int) -> Ciphertexts:
        """The same numbers, row by row, in another shape."""
        self._refuse_packed("reshaped")
        return replace(self, shape=self._positions().reshape(shape).shape)

    @property
    def T(self) -> Ciphertexts:  # noqa: N802 -- NumPy's name for the transpose
        self._refuse_packed("transposed")
        order = self._positions().T
        return replace(self, residues=self.residues[order.ravel()], shape=order.shape)

    def sum(self, axis: int | None = None) -> Ciphertexts:
        """The sum of all numbers, or along ``axis``."""
        return linear.total(self, axis)

    def dot(self, factor: ArrayLike, *, fraction_bits: int | None = None) -> Ciphertexts:
        """``self @ factor`` for a plain vector or matrix, with the scale of `times`."""
        return linear.right(self, *_factor(factor, fraction_bits))

    def __matmul__(self, factor: ArrayLike) -> Ciphertexts:
        return self.dot(factor)

    def __rmatmul__(self, factor: ArrayLike) -> Ciphertexts:
        return linear.left(*_factor(factor, None), self)

    # --- the wire --------------------------------------------------------------------------------

    def to_array(self) -> NDArray[np.uint8]:
        """One row per ciphertext, uint8 (count, `PublicKey.ciphertext_bytes`), little-endian.

        Raises StaleCiphertext unless these are fresh. Shape, scale, bound and packing do not
        travel: they are agreed parameters of the job, and never depend on the data.
        """
        return wire.encode(self)

    @staticmethod
    def from_array(
        public: PublicKey,
        array: NDArray[np.uint8],
        *,
        shape: tuple[int, ...] | None = None,
        fraction_bits: int = 0,
        bound: int | None = None,
        packing: Packing | None = None,
        peer: str | None = None,
    ) -> Ciphertexts:
        """What `to_array` gave: a vector, or an array of ``shape`` (needed for packed numbers).

        ``bound`` is the agreed magnitude of the integers, the scale included. Without one they may
        have any, so they can be decrypted, but nothing can be computed on them. Rows that are no
        invertible integers modulo n**2 raise ProtocolError of ``peer``, or CryptoError without.
        """
        if shape is None and packing:
            raise ConfigError("the shape of packed numbers must be given")
        shape = array.shape[:1] if shape is None else shape
        bound = plaintexts.checked_bound(bound, public.n, packing)
        count = prod(plaintexts.layout(shape, packing))
        residues = wire.decode(public.masks.ring, array, count, peer)
        return Ciphertexts(public, residues, shape, fraction_bits, bound, packing=packing)

    # --- inside ----------------------------------------------------------------------------------

    def _positions(self) -> NDArray[np.intp]:
        return np.arange(len(self.residues)).reshape(self.layout)

    def _refuse_packed(self, what: str) -> None:
        if self.packing:
            raise ConfigError(f"packed numbers cannot be {what}")

    def _aligned(self, other: Ciphertexts) -> tuple[Ciphertexts, Ciphertexts]:
        """Both at one scale, the larger first; a single number meets all elements of an array."""
        if self.public.n != other.public.n:
            raise KeyMismatch(f"operands are under different keys: {self.public}, {other.public}")
        if self.packing != other.packing:
            raise ConfigError(f"operands are packed differently: {self.packing}, {other.packing}")
        if self.shape != other.shape and () not in (self.shape, other.shape):
            raise ConfigError(f"operands have different shapes: {self.shape}, {other.shape}")
        bits = max(self.fraction_bits, other.fraction_bits)
        x, y = self.rescaled(bits), other.rescaled(bits)
        return (x, y) if x.ndim >= y.ndim else (y, x)

    def _plus(self, values: ArrayLike, sign: int) -> Ciphertexts:
        if self.fraction_bits == 0 and fixed.has_floats(values):
            return self.rescaled(plaintexts.FRACTION_BITS)._plus(values, sign)
        signed = fixed.integers(values, self.fraction_bits)
        bound = self.grown(added=fixed.magnitude(signed))
        added = plaintexts.plaintexts(_broadcast(signed, self.shape), self.packing)
        residues = self._shifted([sign * value for value in added])
        return replace(self, residues=residues, bound=bound, fresh=False)

    def _shifted(self, plain: list[int]) -> Residues:
        return self.ring.mul(self.residues, self.ring.embed(self.ring.root.encode(plain)))


def _factor(factor: ArrayLike, fraction_bits: int | None) -> tuple[fixed.Integers, int]:
    if isinstance(factor, Ciphertexts):
        raise TypeError("multiplying ciphertexts by each other takes a protocol; one side is plain")
    return plaintexts.scaled(factor, fraction_bits)


def _broadcast(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        return np.broadcast_to(values, shape)
    except ValueError:
        raise ConfigError(f"values of shape {values.shape} do not fit shape {shape}") from None
