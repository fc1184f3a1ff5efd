# SPDX-License-Identifier: Apache-2.0
"""Exchange with python-paillier (``phe`` 1.5): its JSON keys, and vectors of ciphertexts.

Keys are those of its ``pheutil`` (JSON Web Keys of type ``DAJ``, algorithm ``PAI-GN1``). Vectors
are in the form its documentation gives for serialisation: ``{"public_key": {"n": ...}, "values":
[[ciphertext, exponent], ...]}`` with numbers as decimal strings.

``phe`` numbers are integers times 16**exponent, with an exponent that for floats depends on the
value and travels in clear. What is written here has one exponent for all. What is read is brought
to one scale, the finest among the values.

Such keys carry no proof of their form, which is why reading one takes ``allow_unproven=True``.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import gmpy2
import numpy as np

from mpc.errors import ConfigError, DataError, InvalidKey, KeyMismatch
from mpc.primitives import fixed
from mpc.primitives.paillier import wire
from mpc.primitives.paillier.ciphertexts import Ciphertexts
from mpc.primitives.paillier.keys import PublicKey, SecretKey

_DIGIT_BITS = 4
_EXPONENTS = range(-fixed.MAX_FRACTION_BITS // _DIGIT_BITS, 257)
"""From the finest scale that is decoded to beyond the largest float64."""


def public_to_json(public: PublicKey) -> str:
    """The modulus as ``phe`` reads it."""
    return json.dumps(_public_fields(public))


def public_from_json(
    text: str, *, allow_unproven: bool = False, allow_weak: bool = False
) -> PublicKey:
    """A public key that ``phe`` wrote, from an owner who is trusted to have made it well."""
    fields = _fields(text)
    if fields.get("kty") != "DAJ" or fields.get("alg") != "PAI-GN1":
        raise InvalidKey("not a public key of python-paillier")
    if not allow_unproven:
        raise InvalidKey("a key of python-paillier carries no proof of its form")
    return PublicKey(_integer(fields, "n"), allow_weak=allow_weak, allow_unproven=True)


def secret_to_json(secret: SecretKey) -> str:
    """The secret key in clear, as ``phe`` reads it. Whoever sees it can decrypt everything."""
    p, q = secret.reveal_primes()
    return json.dumps(
        {
            "kty": "DAJ",
            "key_ops": ["decrypt"],
            "p": _base64(p),
            "q": _base64(q),
            "pub": _public_fields(secret.public),
            "kid": f"Paillier private key {secret.public.id.hex()[:16]}",
        }
    )


def secret_from_json(text: str, *, allow_weak: bool = False) -> SecretKey:
    """A secret key that ``phe`` wrote, its primes checked. A proof is made where they allow one."""
    fields = _fields(text)
    uses = fields.get("key_ops")
    if fields.get("kty") != "DAJ" or not isinstance(uses, list) or "decrypt" not in uses:
        raise InvalidKey("not a private key of python-paillier")
    secret = SecretKey.from_primes(
        _integer(fields, "p"), _integer(fields, "q"), allow_weak=allow_weak
    )
    public = fields.get("pub")
    if not isinstance(public, dict) or _integer(public, "n") != secret.public.n:
        raise InvalidKey("the private and the public part are of different keys")
    return secret


def ciphertexts_to_json(ciphertexts: Ciphertexts) -> str:
    """A fresh, unpacked vector as ``phe`` reads it. Its scale must be whole hexadecimal digits.

    Raises StaleCiphertext, and ConfigError for another form: `Ciphertexts.rescaled` brings the
    fraction bits to a multiple of 4.
    """
    if ciphertexts.packing or ciphertexts.ndim != 1 or ciphertexts.fraction_bits % _DIGIT_BITS:
        raise ConfigError("phe takes unpacked vectors whose fraction bits are a multiple of 4")
    exponent = -ciphertexts.fraction_bits // _DIGIT_BITS
    rows = (gmpy2.mpz.from_bytes(row.tobytes(), "little") for row in wire.encode(ciphertexts))
    return json.dumps(
        {
            "public_key": {"n": gmpy2.mpz(ciphertexts.public.n).digits()},
            "values": [[row.digits(), exponent] for row in rows],
        }
    )


def ciphertexts_from_json(public: PublicKey, text: str, *, bound: int | None = None) -> Ciphertexts:
    """A vector that ``phe`` wrote, at the finest scale among its values, 1 or less.

    ``bound`` is the magnitude of the integers at that scale; see `Ciphertexts.from_array`.
    """
    fields = _fields(text)
    key = fields.get("public_key")
    if not isinstance(key, dict) or _decimal(key.get("n")) != public.n:
        raise KeyMismatch(f"the values are not under {public}")
    pairs = fields.get("values")
    if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
        raise DataError(
            "values are a list of pairs of a ciphertext and an exponent from "
            f"{_EXPONENTS[0]} to {_EXPONENTS[-1]}"
        )
    finest = min((exponent for _, exponent in pairs), default=0)
    finest = min(finest, 0)
    width = public.ciphertext_bytes
    numbers = [_decimal(value) for value, _ in pairs]
    if any(number.bit_length() > 8 * width for number in numbers):
        raise DataError("a ciphertext is out of range")
    packed = b"".join(number.to_bytes(width, "little") for number in numbers)
    array = np.frombuffer(packed, np.uint8).reshape(len(pairs), width)
    x = Ciphertexts.from_array(public, array, fraction_bits=-_DIGIT_BITS * finest, bound=bound)
    shifts = [1 << (_DIGIT_BITS * (exponent - finest)) for _, exponent in pairs]
    aligned = x.ring.power_signed(x.residues, np.array(shifts, dtype=object))
    return Ciphertexts(public, aligned, x.shape, x.fraction_bits, x.bound)


def _public_fields(public: PublicKey) -> dict[str, Any]:
    return {
        "kty": "DAJ",
        "alg": "PAI-GN1",
        "key_ops": ["encrypt"],
        "n": _base64(public.n),
        "kid": f"Paillier public key {public.id.hex()[:16]}",
    }


def _fields(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise DataError("not a JSON object of python-paillier")
    return fields


def _base64(number: int) -> str:
    big_endian = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(big_endian).rstrip(b"=").decode()


def _integer(fields: dict[str, Any], name: str) -> int:
    text = fields.get(name)
    try:
        if isinstance(text, str):
            padded = text + "=" * (-len(text) % 4)
            return int.from_bytes(base64.b64decode(padded, b"-_", validate=True), "big")
    except ValueError:  # not base64, or not even ASCII
        pass
    raise InvalidKey(f"the field {name!r} is not a base64url number")


def _decimal(value: object) -> int:
    """A number in decimal digits; Python's own conversion stops at 4,300 of them."""
    if isinstance(value, int) and value >= 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(gmpy2.mpz(value))
    raise DataError("a number is not in decimal digits")


def _is_pair(pair: object) -> bool:
    return (
        isinstance(pair, list)
        and len(pair) == 2
        and isinstance(pair[1], int)
        and pair[1] in _EXPONENTS
    )
