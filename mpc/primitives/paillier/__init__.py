# SPDX-License-Identifier: Apache-2.0
"""Paillier encryption of arrays of numbers: add them and multiply them by plain ones, unseen.

    secret, public = paillier.keygen(bits=3072)
    x = public.encrypt([[1.5, -2.0], [0.25, 3.0]])   Ciphertexts, of any numbers and shape
    y = x @ [2.0, 0.5] + 1                           still encrypted; no network, no secret key
    rows = y.rerandomized().to_array()               uint8 (2, public.ciphertext_bytes): the wire
    secret.decrypt(y)                                array([3. , 3. ])

Semi-honest: whoever holds the public key learns nothing of what is encrypted (decisional composite
residuosity); whoever holds the secret key learns the plaintexts of what it receives, and, as
results are rerandomised, nothing of how they were computed. A ciphertext can be changed by anyone
into one of another number; nothing here shows who computed it, or that it was computed rightly.

Modules: `keys`, `primes` and `proof` (of a key's form); `masks` and `pool` (randomness); `owner`
(what the secret key computes); `ciphertexts`, `linear`, `plaintexts`, `packing`, `wire`; `keystore`
(secret keys in files); `phe_format` (exchange with python-paillier).
"""

from mpc.primitives.paillier.ciphertexts import Ciphertexts
from mpc.primitives.paillier.keys import MAX_BITS, MIN_BITS, PublicKey, SecretKey, keygen
from mpc.primitives.paillier.packing import Packing
from mpc.primitives.paillier.plaintexts import FRACTION_BITS

__all__ = [
    "FRACTION_BITS",
    "MAX_BITS",
    "MIN_BITS",
    "Ciphertexts",
    "Packing",
    "PublicKey",
    "SecretKey",
    "keygen",
]
