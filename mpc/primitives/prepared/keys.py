# SPDX-License-Identifier: Apache-2.0
"""The holder's keys: one evaluates the function, one signs; and what an asker pins of them.

    key = HolderKey.generate()
    key.save("holder.key", passphrase)
    pin = key.pin("blacklist")             goes to the askers, by a way that they trust
    newer = key.rotated()                  another function, the same pin

Both are derived from two secret seeds of 32 bytes, which a file holds under a passphrase: sealed
with AES-256-GCM (NIST SP 800-38D) under a key of scrypt (RFC 7914; N = 2**17, r = 8, p = 1, which
is 128 MiB and a third of a second a guess).
"""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mpc.errors import ConfigError, InvalidKey, WrongPassphrase
from mpc.primitives import oprf
from mpc.primitives.oprf import Mode, SecretKey
from mpc.primitives.rng import SYSTEM, Rng
from mpc.primitives.whole_file import replacing

NAME_BYTES = 32
KEY_BYTES = 32
_SEED_BYTES = 32
_MAGIC = b"mpc:v1:prepared:holder key\0"
_SALT_BYTES, _NONCE_BYTES, _TAG_BYTES = 16, 12, 16
_INFO = b"mpc:v1:prepared:oprf"


@dataclass(frozen=True, slots=True)
class Pin:
    """What an asker knows beforehand: the list's ``name`` and the ``key`` its holder signs with."""

    name: str
    key: bytes

    def __post_init__(self) -> None:
        if not self.name.isprintable() or not 1 <= len(self.name.encode()) <= NAME_BYTES:
            raise ConfigError(f"a list's name is printable and of 1 to {NAME_BYTES} bytes")
        if len(self.key) != KEY_BYTES:
            raise ConfigError(f"a signing key has {KEY_BYTES} bytes, not {len(self.key)}")

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether the holder signed ``data``."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, data)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HolderKey:
    """``oprf`` evaluates; ``sign`` signs."""

    oprf: SecretKey
    _signing: Ed25519PrivateKey
    _seeds: bytes

    @classmethod
    def generate(cls, rng: Rng = SYSTEM) -> Self:
        """New keys."""
        return cls._of(rng.bytes(2 * _SEED_BYTES))

    @classmethod
    def _of(cls, seeds: bytes) -> Self:
        signing = Ed25519PrivateKey.from_private_bytes(seeds[:_SEED_BYTES])
        function = oprf.derive_key(Mode.VOPRF, seeds[_SEED_BYTES:], _INFO)
        return cls(function, signing, seeds)

    def rotated(self, rng: Rng = SYSTEM) -> Self:
        """A new function under the same signing key: askers keep their pin, and fetch anew."""
        return self._of(self._seeds[:_SEED_BYTES] + rng.bytes(_SEED_BYTES))

    def pin(self, name: str) -> Pin:
        """What the askers of the list ``name`` are given."""
        return Pin(name, self._signing.public_key().public_bytes_raw())

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes of an Ed25519 signature (RFC 8032)."""
        return self._signing.sign(data)

    def save(self, path: str | os.PathLike[str], passphrase: str, *, rng: Rng = SYSTEM) -> None:
        """Write a file, mode 0600. ``ConfigError`` when there is one already."""
        target = Path(path)
        if target.exists():
            raise ConfigError(f"{target} exists; a secret key is not overwritten")
        clear = _MAGIC + rng.bytes(_SALT_BYTES)
        nonce = rng.bytes(_NONCE_BYTES)
        sealed = _cipher(passphrase, clear).encrypt(nonce, self._seeds, clear)
        with replacing(target) as file:
            file.write(clear + nonce + sealed)

    @classmethod
    def load(cls, path: str | os.PathLike[str], passphrase: str) -> Self:
        """The keys that ``save`` wrote.

        Raises ``InvalidKey`` for another file, and ``WrongPassphrase`` when this one does not open.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror}") from None
        clear = data[: len(_MAGIC) + _SALT_BYTES]
        nonce = data[len(clear) : len(clear) + _NONCE_BYTES]
        sealed = data[len(clear) + _NONCE_BYTES :]
        if not data.startswith(_MAGIC) or len(sealed) != 2 * _SEED_BYTES + _TAG_BYTES:
            raise InvalidKey(f"{path} is not a whole key file of a holder, of this version")
        try:
            return cls._of(_cipher(passphrase, clear).decrypt(nonce, sealed, clear))
        except InvalidTag:
            raise WrongPassphrase(f"{path} does not open with this passphrase") from None

    def __repr__(self) -> str:
        return f"HolderKey(oprf public={self.oprf.public.hex()}, <secret>)"


def _cipher(passphrase: str, clear: bytes) -> AESGCM:
    if not passphrase:
        raise ConfigError("the passphrase is empty")
    typed = unicodedata.normalize("NFC", passphrase).encode()
    kdf = Scrypt(salt=clear[-_SALT_BYTES:], length=32, n=1 << 17, r=8, p=1)
    return AESGCM(kdf.derive(typed))
