# SPDX-License-Identifier: Apache-2.0
"""The floors of this machine: GMP's product, AES, memory copy, and messages over raw TCP and gRPC.

The others are shown as ratios to these. None of this is code of the library.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import gmpy2
import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from . import link
from ._options import several, whole
from .harness import floors
from .harness.timing import Work, seconds_each, turns
from .record import Record, middle

QUICK = "--bits 1024,2048 --round-trips 50 --megabytes 16 --repeat 3"

_WAYS = {"tcp": "tcp", "grpc_unary": "grpc unary"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sizes of the measurements."""
    parser.add_argument(
        "--bits", type=several, default="1024,2048,3072,4096,6144", help="of moduli for GMP"
    )
    parser.add_argument("--megabytes", type=whole, default=64, help="sent for one throughput")
    parser.add_argument("--round-trips", type=whole, default=300, help="for one round-trip time")
    parser.add_argument("--repeat", type=whole, default=7, help="measurements of each")


def run(options: argparse.Namespace) -> list[Record]:
    """Measure each, in turns."""
    return [*_computing(options), *_messages(options)]


def _computing(options: argparse.Namespace) -> list[Record]:
    lines: list[tuple[str, dict[str, object], Work, str, float]] = [
        ("aes", {}, floors.aes(), "block/s", 1.0),
        ("copy", {}, floors.copy(), "GB/s", 1e-9),
        ("sha256", {"bytes": 18}, floors.sha256(), "message/s", 1.0),
    ]
    for bits in options.bits:
        lines.append(("gmp_product", {"bits": bits}, floors.gmp_product(bits), "op/s", 1.0))
    rates: dict[int, list[float]] = {index: [] for index in range(len(lines))}
    for _ in turns(rates, at_least=options.repeat):
        for index, (_, _, work, _, scale) in enumerate(lines):
            rates[index].append(scale / seconds_each(work, time.perf_counter))
    right = _right()
    return [
        Record(
            benchmark=f"floors.{name}",
            params=params,
            unit=unit,
            median=middle(rates[index])[0],
            spread=middle(rates[index])[1],
            checked=right,
        )
        for index, (name, params, _, unit, _) in enumerate(lines)
    ]


def _right() -> bool:
    """Whether the floors do the work they are named for."""
    stream = Cipher(algorithms.AES(bytes(16)), modes.CTR(bytes(16))).encryptor().update(bytes(32))
    block = Cipher(algorithms.AES(bytes(16)), modes.ECB()).encryptor().update(bytes(16))
    products = floors.gmp_product(1024, 4).run()
    target = np.zeros(4, np.uint8)
    np.copyto(target, np.arange(4, dtype=np.uint8))
    return (
        stream[:16] == block
        and all(isinstance(x, gmpy2.mpz) and 0 <= x < 1 << 1024 for x in products)
        and target.tolist() == [0, 1, 2, 3]
    )


def _messages(options: argparse.Namespace) -> list[Record]:
    message = secrets.token_bytes(1 << 20)
    count = max(1, options.megabytes * 1_000_000 // len(message))
    measured: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ways = {
            name: stack.enter_context(link.WAYS[way](Path(folder))) for name, way in _WAYS.items()
        }
        right = {name: link.carries(way, message) for name, way in ways.items()}
        for name in ways:
            measured[name, "MB/s"], measured[name, "ms"] = [], []
        for _ in turns(measured, at_least=options.repeat):
            for name, way in ways.items():
                seconds = link.timed(partial(way.push, message, count))
                measured[name, "MB/s"].append(count * len(message) / 1e6 / seconds)
                seconds = link.timed(partial(way.echo, options.round_trips))
                measured[name, "ms"].append(1e3 * seconds / options.round_trips)
    return [
        Record(
            benchmark=f"floors.{name}",
            params={"what": "round trip" if unit == "ms" else "throughput"},
            unit=unit,
            median=middle(values)[0],
            spread=middle(values)[1],
            checked=right[name],
        )
        for (name, unit), values in measured.items()
    ]
