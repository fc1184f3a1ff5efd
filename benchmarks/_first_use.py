# SPDX-License-Identifier: Apache-2.0
"""A process that uses kernels for the first time: ``startup`` starts it and reads what it prints.

On standard input the secrets of a key, made for this; on standard output a line of JSON: seconds
from before the first import to the last result, those of CPU, and whether the results were right.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

Told = dict[str, str]


def main(work: str) -> None:
    """Do ``work`` once."""
    told: Told = json.load(sys.stdin)
    wall, cpu = time.perf_counter(), time.process_time()
    right = WORK[work](told)
    found = {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "right": right,
    }
    print(json.dumps(found))


def _import(_told: Told) -> bool:
    import mpc

    return bool(mpc.__version__)


def _paillier(told: Told) -> bool:
    """All that the issue of keys, vectors and matrices has kernels for."""
    import numpy as np

    from mpc.primitives.paillier import PublicKey, SecretKey

    public = PublicKey.from_bytes(bytes.fromhex(told["public"]))
    secret = SecretKey(public, int(told["p"], 16), int(told["q"], 16))
    values = np.arange(-8, 8)
    x, y = public.encrypt(values), secret.encrypt(values)
    packing = public.packing(40, headroom_adds=1, scalar_bits=4)
    packed = public.encrypt(values, packing=packing)
    matrix = np.arange(32).reshape(16, 2) - 9
    pairs = (
        (x + y, 2 * values),
        (x * -values, -values * values),
        (x @ matrix, values @ matrix),
        (x.rerandomized(), values),
        ((packed + packed) * 3, 6 * values),
    )
    return all(np.array_equal(secret.decrypt(got), right) for got, right in pairs)


def _psi(_told: Told) -> bool:
    """Both protocols of two-party intersections."""
    from mpc.protocols import psi, psi_dh
    from mpc.testing import run_pair

    items = [f"company {number}" for number in range(600)]
    return all(
        run_pair(
            lambda channel, receiver=receiver: receiver(channel, items[:400]),
            lambda channel, sender=sender: sender(channel, items[200:]),
            timeout=None,
        )[0].tolist()
        == list(range(200, 400))
        for receiver, sender in ((psi.receiver, psi.sender), (psi_dh.receiver, psi_dh.sender))
    )


WORK: dict[str, Callable[[Told], bool]] = {"import": _import, "paillier": _paillier, "psi": _psi}

if __name__ == "__main__":
    main(sys.argv[1])
