# SPDX-License-Identifier: Apache-2.0
"""Keys for what a party keeps on its own disk, derived from the private key of its certificate.

HKDF (RFC 5869) with SHA-256; each purpose has a key of its own. A new certificate makes unreadable
what was kept under the one before.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mpc.errors import ConfigError
from mpc.net.config import SessionConfig

KEY_BYTES = 32


def derived(config: SessionConfig, purpose: bytes) -> bytes:
    """The key for ``purpose``. ConfigError for a party that has no key to derive it from."""
    if config.identity is None:
        raise ConfigError("what is kept is encrypted under a key of this party's own; it has none")
    made = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"mpc:v1:party:" + purpose)
    return made.derive(config.identity.key_pem)
