# SPDX-License-Identifier: Apache-2.0
"""Key-value store: rows, encoding and decoding, in nanoseconds a key, and its expansion.

One thread. Values of one and of two words; every decoded value is compared with what was encoded.
The floor is copying the values once, from memory to memory.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np

from mpc.primitives.okvs import Parameters, Rows
from mpc.primitives.rng import SYSTEM, uint64

from ._options import exponents, whole
from .harness import floors
from .harness.timing import seconds_each, turns
from .record import Record, middle

QUICK = "--log2n 10,12 --repeat 3"
SWEEP = "--log2n 8,12,16,20,22 --repeat 3"
GROWS_WITH = (("keys", "expansion"),)

T = TypeVar("T")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes and repetitions."""
    parser.add_argument(
        "--log2n", type=exponents, default="12,16,20", help="keys, as powers of two"
    )
    parser.add_argument("--repeat", type=whole, default=5)


def run(options: argparse.Namespace) -> list[Record]:
    """Measure the three steps for every size and both widths."""
    records: list[Record] = []
    for power in options.log2n:
        count = 1 << power
        keys, parameters = uint64(SYSTEM, (count, 2)), Parameters.of(count)
        for words in (1, 2):
            values = uint64(SYSTEM, (count, words))
            params = {"keys": count, "words": words, "expansion": round(parameters.size / count, 4)}
            rows, placing = _timed(partial(Rows.of, keys, bytes(16), parameters), options.repeat)
            store, encoding = _timed(partial(rows.encode, values), options.repeat)
            decoded, decoding = _timed(partial(rows.decode, store), options.repeat)
            copied = floors.copy(values.nbytes)
            copying = 1e9 * seconds_each(copied, time.perf_counter) * values.nbytes / count
            right = bool(np.array_equal(decoded, values))
            for name, seconds in (("rows", placing), ("encode", encoding), ("decode", decoding)):
                median, spread = middle([1e9 * second / count for second in seconds])
                records.append(
                    Record(
                        benchmark=f"okvs.{name}",
                        params=params,
                        unit="ns/key",
                        median=median,
                        spread=spread,
                        floor=("copy", median / copying),
                        checked=right,
                    )
                )
    return records


def _timed(work: Callable[[], T], repeat: int) -> tuple[T, list[float]]:
    """The last result, and how long each run took after the first, which compiles."""
    seconds: list[float] = []
    result = work()
    for _ in turns({"all": seconds}, at_least=repeat):
        begun = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - begun)
    return result, seconds
