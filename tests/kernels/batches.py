# SPDX-License-Identifier: Apache-2.0
"""What tests of threads share: all that is done to a batch, and patience."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

from mpc import kernels
from mpc.kernels import bigint, helpers

P, Q = (1 << 127) - 1, (1 << 521) - 1
SIMD = kernels.backend() == "simd"

needs_simd = pytest.mark.skipif(not SIMD, reason="no simd kernels here")


def everything(count):
    """Results, as bytes, of all that is done to ``count`` elements."""
    rng = random.Random(count)
    ring = bigint.modulo_square(P * Q)
    n = ring.moduli[0]
    x = ring.encode([rng.randrange(1, n) for _ in range(count)])
    exponents = np.frombuffer(rng.randbytes(5 * count), np.uint8).reshape(count, 5)
    parts = [bigint.modulo_square(P), bigint.modulo_square(Q)]
    crt, fermat = bigint.Crt(ring, parts), bigint.Fermat(parts[:1] * 3)
    found = [
        x,
        ring.mul(x, x[::-1]),
        ring.power(x, exponents),
        ring.comb(ring.encode([3]), 40).power(exponents),
        ring.joint_comb(ring.encode(range(2, 12)), 4).power(exponents),
        crt.join(crt.split(x)),
        ring.embed(ring.root.encode(range(count))),
        ring.inverse(x),
        ring.product(x),
    ]
    if count:
        signed = [[rng.randint(-(2**31), 2**31) for _ in range(count)] for _ in range(9)]
        narrow = [[rng.randint(-9, 9) for _ in range(count)] for _ in range(40)]
        found += [ring.multiexp(x, np.array(signed[:rows])) for rows in (1, 2, 9)]
        found += [ring.multiexp(x, np.array(narrow))]
    logs = ring.root.to_bytes(ring.log(ring.embed(ring.root.encode(range(count)))))
    product = ring.root.to_bytes(ring.root.product(ring.modulo_root(x)))
    raised = fermat.power([crt.split(y)[0] for y in (x, x[::-1], ring.square(x))])
    powers = map(parts[0].to_bytes, raised)
    return [y.tobytes() for y in (*map(ring.to_bytes, found), logs, product, *powers)]


def all_are_idle():
    """Whether no helper is called."""
    return len(helpers._idle) == len(helpers._helpers)


def settle(is_so):
    """Wait until it is: a thread may be a moment late with what it does last."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)
