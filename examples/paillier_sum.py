# SPDX-License-Identifier: Apache-2.0
"""Three firms learn the sum of their debts to a supplier, and a weighted one, from ciphertexts.

    python examples/paillier_sum.py [BITS]

The regulator makes the key and gives the public part to the firms. Each firm encrypts what it owes
to each of four suppliers. A collector, who has no secret key, adds the ciphertexts up, weighs them
by risk, and passes the results to the regulator, who sees totals and no firm's figures.

Regulator and collector must not be the same party: who has the secret key can decrypt what a single
firm sent. (Here all of them are one process; over a network each `to_array()` is a message.)
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from mpc.primitives.paillier import FRACTION_BITS, Ciphertexts, PublicKey, keygen

DEBTS = {
    "firm a": [1200.50, 0.0, 310.25, 75.0],
    "firm b": [0.0, 99.75, 1000.0, 12.5],
    "firm c": [43.0, 250.0, 0.0, 0.25],
}
RISK = np.array([0.5, 1.0, 0.25, 2.0])

# Agreed by everybody beforehand: amounts have 16 fraction bits, and none is above a billion.
SCALE = 16
BOUND = 10**9 << SCALE


def firm(key: bytes, debts: list[float]) -> NDArray[np.uint8]:
    """Encrypt this firm's debts, once the proof in the key shows that it is well formed."""
    public = PublicKey.from_bytes(key)
    return public.encrypt(debts, fraction_bits=SCALE, bound=BOUND).to_array()


def collector(key: bytes, messages: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Add and weigh what cannot be read. Results are rerandomised, so they do not tell how."""
    public = PublicKey.from_bytes(key)
    first, *rest = (
        Ciphertexts.from_array(public, message, fraction_bits=SCALE, bound=BOUND)
        for message in messages
    )
    totals = sum(rest, start=first)
    weighted = totals @ RISK
    return [totals.rerandomized().to_array(), weighted.reshape(1).rerandomized().to_array()]


def main(bits: int = 3072) -> None:
    """Play all parties."""
    secret, public = keygen(bits)
    messages = [firm(public.to_bytes(), debts) for debts in DEBTS.values()]
    totals, weighted = collector(public.to_bytes(), messages)
    # The regulator knows the scales: the risk weights added theirs to that of the weighted sum.
    by_supplier = secret.decrypt(Ciphertexts.from_array(public, totals, fraction_bits=SCALE))
    [at_risk] = secret.decrypt(
        Ciphertexts.from_array(public, weighted, fraction_bits=SCALE + FRACTION_BITS)
    )
    print("owed to each supplier:", by_supplier.tolist())
    print("weighted by risk:", at_risk)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
