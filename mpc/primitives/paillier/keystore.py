# SPDX-License-Identifier: Apache-2.0
"""Secret keys in files, under a passphrase.

    keystore.save("bank.key", secret, passphrase)
    secret = keystore.load("bank.key", passphrase)
    public = keystore.load_public("bank.key")          no passphrase needed

The primes are sealed with AES-256-GCM (NIST SP 800-38D) under a key that scrypt (RFC 7914) derives
from the passphrase with N = 2**17, r = 8, p = 1, at 128 MiB and a third of a second a guess. The
public key and its proof stand before them in clear and are authenticated with them. A checksum over
the whole file tells a damaged file from a wrong passphrase; it protects from accidents only.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import struct
import unicodedata
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mpc.errors import ConfigError, InvalidKey, WrongPassphrase
from mpc.primitives.paillier.keys import PublicKey, SecretKey
from mpc.primitives.rng import SYSTEM, Rng

_MAGIC = b"mpc:v1:paillier:secret key\0"
_HEADER = struct.Struct("<BBB16s12sII")  # scrypt's log2 N, r, p; salt; nonce; two lengths
_COST = (17, 8, 1)
_MOST_MEMORY = 1 << 30
_CHECKSUM_BYTES = 32
_MOST_BYTES = 1 << 20
"""More than a key of 8192 bits takes with its proof, by a factor of seven."""


def save(
    path: str | os.PathLike[str],
    secret: SecretKey,
    passphrase: str,
    *,
    overwrite: bool = False,
    rng: Rng = SYSTEM,
) -> None:
    """Write ``secret`` to ``path``, mode 0600, so that the file is whole or not there at all.

    Raises ConfigError if there is a file already, unless ``overwrite`` replaces it. What earlier
    writers left beside it who were killed is removed.
    """
    target = Path(path)
    p, q = secret.reveal_primes()
    width = (p.bit_length() + 7) // 8
    plain = p.to_bytes(width, "little") + q.to_bytes(width, "little")
    public, salt, nonce = secret.public.to_bytes(), rng.bytes(16), rng.bytes(12)
    # GCM appends 16 bytes of tag.
    header = _HEADER.pack(*_COST, salt, nonce, len(public), len(plain) + 16)
    clear = _MAGIC + header + public
    sealed = AESGCM(_derived(passphrase, salt, _COST)).encrypt(nonce, plain, clear)
    body = clear + sealed
    _write(target, body + hashlib.sha256(body).digest(), overwrite=overwrite)


def load(path: str | os.PathLike[str], passphrase: str, *, allow_weak: bool = False) -> SecretKey:
    """The key that `save` wrote; its numbers are checked as those of any given key.

    Raises WrongPassphrase, or InvalidKey for a file that is damaged, cut short or something else.
    """
    clear, public, sealed = _read(Path(path))
    *cost, salt, nonce, _, _ = _HEADER.unpack_from(clear, len(_MAGIC))
    log2_n, r, p = cost
    if not (1 <= log2_n <= 30 and r >= 1 and p >= 1 and (r * p << log2_n) * 128 <= _MOST_MEMORY):
        raise InvalidKey(f"{path} asks for unreasonable scrypt parameters")
    try:
        plain = AESGCM(_derived(passphrase, salt, (log2_n, r, p))).decrypt(nonce, sealed, clear)
    except InvalidTag:
        raise WrongPassphrase(f"{path} does not open with this passphrase") from None
    half = len(plain) // 2
    primes = int.from_bytes(plain[:half], "little"), int.from_bytes(plain[half:], "little")
    known = PublicKey.from_bytes(public, allow_weak=allow_weak, allow_unproven=True)
    secret = SecretKey.from_primes(*primes, shown=known.proof, allow_weak=allow_weak)
    if secret.public != known:
        raise InvalidKey(f"the secret and the public part of {path} are of different keys")
    return secret


def load_public(
    path: str | os.PathLike[str], *, allow_weak: bool = False, allow_unproven: bool = False
) -> PublicKey:
    """The public key of a file of `save`, verified as `PublicKey.from_bytes` does."""
    _, public, _ = _read(Path(path))
    return PublicKey.from_bytes(public, allow_weak=allow_weak, allow_unproven=allow_unproven)


def _derived(passphrase: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    if not passphrase:
        raise ConfigError("the passphrase is empty")
    log2_n, r, p = cost
    try:
        typed = unicodedata.normalize("NFC", passphrase).encode()
    except UnicodeEncodeError:  # which would show the passphrase
        raise ConfigError("the passphrase has characters that are no text") from None
    return Scrypt(salt=salt, length=32, n=1 << log2_n, r=r, p=p).derive(typed)


def _read(path: Path) -> tuple[bytes, bytes, bytes]:
    """The authenticated clear part, the public key in it, and the sealed part."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    if data[: len(_MAGIC)] != _MAGIC[: len(data)] or not 0 < len(data) <= _MOST_BYTES:
        raise InvalidKey(f"{path} is not a Paillier key file of this version")
    body, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    start = len(_MAGIC) + _HEADER.size
    whole = len(body) >= start and hashlib.sha256(body).digest() == checksum
    lengths = _HEADER.unpack_from(body, len(_MAGIC))[-2:] if whole else (0, 0)
    if not whole or start + sum(lengths) != len(body):
        raise InvalidKey(f"{path} is damaged or cut short")
    split = start + lengths[0]
    return body[:split], body[start:split], body[split:]


def _write(path: Path, data: bytes, *, overwrite: bool) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with contextlib.suppress(OSError):  # where there are no locks nothing is swept
                fcntl.flock(file, fcntl.LOCK_SH)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
            if overwrite:
                part.replace(path)
            else:
                # Unlike a replacement, a link fails where a file is.
                path.hardlink_to(part)
        _sweep(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except FileExistsError:
        raise ConfigError(f"{path} exists; a secret key is not overwritten unasked") from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def _sweep(path: Path) -> None:
    """Remove what writers of ``path`` left behind who were killed: their locks ended with them."""
    part = re.compile(re.escape(f".{path.name}.") + "[0-9a-f]{16}")
    for left in path.parent.iterdir():
        if part.fullmatch(left.name):
            # One who has gone on and removed it, or may not be touched, is no fault of ours.
            with contextlib.suppress(OSError), left.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
