# SPDX-License-Identifier: Apache-2.0
"""Ciphertexts as packed bytes, checked where they come in and where they go out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mpc.errors import CryptoError, EncodingOverflow, MpcError, ProtocolError, StaleCiphertext
from mpc.kernels.bigint import Residues, SquareRing

if TYPE_CHECKING:
    from mpc.primitives.paillier.ciphertexts import Ciphertexts


def encode(x: Ciphertexts) -> NDArray[np.uint8]:
    """One row per ciphertext. Raises StaleCiphertext for what must not leave this party."""
    if not x.fresh:
        raise StaleCiphertext(
            "these ciphertexts were computed on, and would tell how; send x.rerandomized()"
        )
    return x.ring.to_bytes(x.residues)


def decode(ring: SquareRing, array: NDArray[np.uint8], count: int, peer: str | None) -> Residues:
    """``count`` elements of Z*_(n**2) from rows of bytes that anybody may have made."""
    if array.dtype != np.uint8 or array.shape != (count, ring.width):
        raise _fault(
            peer,
            f"expected {count} ciphertexts of {ring.width} bytes, "
            f"not {array.dtype} of shape {array.shape}",
        )
    try:
        return ring.units_from_bytes(array)
    except EncodingOverflow as error:
        raise _fault(peer, f"a ciphertext is out of range: {error}") from None
    except CryptoError:
        raise _fault(peer, "a ciphertext is not invertible") from None


def _fault(peer: str | None, message: str) -> MpcError:
    return CryptoError(message) if peer is None else ProtocolError(peer, message)
