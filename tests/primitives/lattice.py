# SPDX-License-Identifier: Apache-2.0
"""What the primal attack on LWE costs, by the usual estimates ("core-SVP").

Alkim, Ducas, Pöppelmann, Schwabe, "Post-quantum key exchange -- a new hope" (USENIX Security 2016,
eprint 2015/1092), section 6: BKZ with blocks of b finds the unusually short vector of Kannan's
embedding, of dimension d = n + m + 1 for m samples, once

    error * sqrt(b) <= delta(b)^(2b - d - 1) * volume^(1/d)

by the geometric series assumption, and takes at least 2^(0.292 b) operations classically (Becker,
Ducas, Gama, Laarhoven, SODA 2016), counting a single call of one sieve. The columns of a secret
smaller than the error are scaled up to it (Bai, Galbraith, ACISP 2014).
"""

from __future__ import annotations

import numpy as np

SIEVE = 0.292


def log_delta(block):
    """log2 of the root Hermite factor that BKZ reaches (Chen 2013)."""
    volume = np.log2(block / (2 * np.pi * np.e)) + np.log2(np.pi * block) / block
    return volume / (2 * (block - 1))


def primal_bits(dimension, log_modulus, error, secret=None):
    """log2 of the attack's operations. ``error`` and ``secret`` are standard deviations.

    With as many samples as the attacker likes. A uniform secret, which None stands for, is as good
    as one drawn like the error: the first n samples become the secret (normal form).
    """
    samples = np.arange(1, 4 * dimension)
    whole = dimension + samples + 1
    scale = 0.0 if secret is None else np.log2(error / secret)
    log_volume = (samples * log_modulus + dimension * scale) / whole
    for block in range(60, 2 * dimension):
        reached = (2 * block - whole - 1) * log_delta(block) + log_volume
        if np.any(np.log2(error) + np.log2(block) / 2 <= reached):
            return SIEVE * block
    raise ValueError("no block size below twice the dimension suffices")
