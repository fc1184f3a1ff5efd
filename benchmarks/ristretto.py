# SPDX-License-Identifier: Apache-2.0
"""ristretto255, microseconds an operation on one core, beside libsodium and the field products.

Both backends, over vectors. The floor of the simd backend is what the operation's products and
squares in the field take alone, two chains of them side by side, on the kind of elements that a
batch is made with here (eight in lanes, or one in words); what is above it is additions, carries,
scans of tables and moves. libsodium is measured where the system has it, one element a
call as it works, from C through ctypes (which adds about 0.3 µs a call). Results are compared with
the reference. Ratios below one say that this library takes less time.
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc import kernels
from mpc.kernels import ristretto
from mpc.kernels.ristretto import portable
from mpc.primitives.items import Items
from mpc.testing import seeded

from ._options import several, whole
from .harness import floors
from .harness.timing import seconds_each, turns
from .record import Record, middle

QUICK = "--count 256 --repeat 3"
SWEEP = "--count 256,2048,16384 --repeat 3"
GROWS_WITH = (("count",),)

DST = b"mpc:v1:benchmarks:ristretto"
SHOWN = 3  # results that are compared with the reference
PRODUCTS = 20_000


@dataclass(frozen=True)
class Operation:
    """One line of the report. ``result`` makes what is compared, an array of bytes."""

    name: str
    run: Callable[[], Any]
    result: Callable[[], NDArray[Any]]
    right: Callable[[], NDArray[Any]]
    products: tuple[int, int] | None = None  # products and squares, counted in the formulas
    peer: Callable[[], Any] | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sizes of the measurements."""
    parser.add_argument("--count", type=several, default="4096", help="elements in a vector")
    parser.add_argument("--repeat", type=whole, default=9, help="measurements of each")


def run(options: argparse.Namespace) -> list[Record]:
    """Measure every operation on every backend there is."""
    sodium = _Sodium.find()
    records = []
    backends = ["simd", "portable"] if kernels.backend() == "simd" else ["portable"]
    for backend in backends:
        with kernels.use(backend, threads=1):
            floor = _product_seconds(options.repeat) if backend == "simd" else _gmp_seconds()
            for count in options.count:
                # The reference takes a hundred times as long.
                few = count if backend == "simd" else max(SHOWN, count // 256)
                for operation in _operations(few, sodium):
                    records.append(_measured(operation, backend, few, options.repeat, floor))
    return records


def _operations(count: int, sodium: _Sodium | None) -> list[Operation]:
    """All of them, on vectors of ``count`` elements."""
    items = Items.of([f"{i:018d}" for i in range(count)])
    uniform = ristretto.expand(items.data, items.offsets, DST)
    points = ristretto.one_way_map(uniform)
    encodings = ristretto.encode(points)
    few = slice(SHOWN)

    def hashed(few: slice) -> NDArray[np.uint64]:
        return portable.one_way_map(
            portable.expand(items[few].data, items[few].offsets, DST),
        )

    return [
        *_multiplications(points, encodings, sodium),
        Operation(
            "hash_to_group",
            lambda: ristretto.one_way_map(ristretto.expand(items.data, items.offsets, DST)),
            lambda: portable.encode(points[few]),
            lambda: portable.encode(hashed(few)),
            products=(71, 512),
            peer=sodium and sodium.hash_to_group,
        ),
        Operation(
            "encode",
            lambda: ristretto.encode(points),
            lambda: encodings[few],
            lambda: portable.encode(points[few]),
            products=(31, 255),
        ),
        Operation(
            "decode",
            lambda: ristretto.decode(encodings),
            lambda: portable.encode(ristretto.decode(encodings)[0][few]),
            lambda: encodings[few],
            products=(26, 257),
            peer=sodium and (lambda: sodium.decode(encodings[0])),
        ),
        Operation(
            "add",
            lambda: ristretto.add(points, points),
            lambda: portable.encode(ristretto.add(points, points)[few]),
            lambda: portable.encode(portable.add(points[few], points[few])),
            products=(9, 0),
        ),
    ]


def _multiplications(
    points: NDArray[np.uint64], encodings: NDArray[np.uint8], sodium: _Sodium | None
) -> list[Operation]:
    """By one scalar, and by one for each of ``points``."""
    count, few = len(points), slice(SHOWN)
    drawn = np.frombuffer(bytearray(seeded("scalars").bytes(32 * count)), "<u8").reshape(count, 4)
    scalars = drawn.copy()
    scalars[:, 3] >>= np.uint64(4)

    def multiply(by: NDArray[np.uint64]) -> Operation:
        return Operation(
            "mul" if len(by) == 1 else "mul_each",
            lambda: ristretto.mul(points, by),
            lambda: portable.encode(ristretto.mul(points, by)[few]),
            lambda: portable.encode(portable.mul(points[few], by[few])),
            products=(1656, 756),
            peer=sodium and (lambda: sodium.multiply(encodings[0], scalars[0])),
        )

    return [multiply(scalars[:1]), multiply(scalars)]


def _measured(
    operation: Operation, backend: str, count: int, repeat: int, floor: tuple[float, float]
) -> Record:
    checked = bool((operation.result() == operation.right()).all())
    ours, theirs = [], []
    for _ in turns({"ours": ours}, at_least=repeat):
        ours.append(_seconds(operation.run) / count * 1e6)
        if operation.peer is not None:
            theirs.append(_seconds(operation.peer, 200) * 1e6)
    median, spread = middle(ours)
    least = None
    if operation.products is not None:
        alone = sum(n * s for n, s in zip(operation.products, floor, strict=True)) * 1e6
        name = "field.products" if backend == "simd" else "gmp.products"
        least = (name, median / alone)
    return Record(
        benchmark=f"ristretto.{operation.name}",
        params={"backend": backend, "count": count, "cores": 1},
        unit="us/op",
        median=median,
        spread=spread,
        floor=least,
        peers={"libsodium": median / middle(theirs)[0]} if theirs else None,
        checked=checked,
    )


def _gmp_seconds() -> tuple[float, float]:
    """What a product, and a square, of 255 bits takes in GMP."""
    seconds = seconds_each(floors.gmp_product(255), time.perf_counter)
    return seconds, seconds


def _seconds(work: Callable[[], Any], times: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times


def _product_seconds(repeat: int) -> tuple[float, float]:
    """What a product and a square take, in a run of them, of the kind that a batch is made with."""
    from mpc.kernels.lanes import COUNT
    from mpc.kernels.ristretto.field import EIGHTS, LIMBS
    from mpc.kernels.ristretto.rows import kind_for

    like = kind_for(COUNT)
    words = np.arange(2 * LIMBS * COUNT, dtype=np.uint64)
    out = []
    for chain in _chains():
        chain(words, 1, like)
        runs = [_seconds(lambda c=chain: c(words, PRODUCTS, like)) for _ in range(repeat)]
        lanes = COUNT if like is EIGHTS else 1
        out.append(middle(runs)[0] / (2 * lanes * PRODUCTS))
    return out[0], out[1]


def _chains() -> tuple[Callable[..., None], Callable[..., None]]:
    """Compiled: so many products, and so many squares, each two at a time."""
    from numba import njit

    from mpc.kernels.lanes import address
    from mpc.kernels.ristretto.field import load_element, square, store_element, times

    @njit
    def products(words: NDArray[np.uint64], count: int, like: Any) -> None:
        x, y = load_element(address(words), 0, like), load_element(address(words), 1, like)
        z = x
        for _ in range(count):
            x, z = times(x, y), times(z, y)
        store_element(address(words), 0, x)
        store_element(address(words), 1, z)

    @njit
    def squares(words: NDArray[np.uint64], count: int, like: Any) -> None:
        x, y = load_element(address(words), 0, like), load_element(address(words), 1, like)
        for _ in range(count):
            x, y = square(x), square(y)
        store_element(address(words), 0, x)
        store_element(address(words), 1, y)

    return products, squares


class _Sodium:
    """libsodium, one element a call."""

    def __init__(self, library: ctypes.CDLL) -> None:
        library.sodium_init()
        self._library = library
        self._out = (ctypes.c_ubyte * 64)()
        self._long = bytes(214)  # what the two hashes of the expansion take in

    @staticmethod
    def find() -> _Sodium | None:
        name = ctypes.util.find_library("sodium")
        return _Sodium(ctypes.CDLL(name)) if name else None

    def multiply(self, encoding: NDArray[np.uint8], scalar: NDArray[np.uint64]) -> None:
        point, times = encoding.tobytes(), scalar.tobytes()
        if self._library.crypto_scalarmult_ristretto255(self._out, times, point) != 0:
            raise ValueError("libsodium does not take this element")

    def hash_to_group(self) -> None:
        sodium, out = self._library, self._out
        sodium.crypto_hash_sha512(out, self._long, ctypes.c_ulonglong(214))
        sodium.crypto_hash_sha512(out, self._long, ctypes.c_ulonglong(107))
        sodium.crypto_core_ristretto255_from_hash(out, out)

    def decode(self, encoding: NDArray[np.uint8]) -> None:
        self._library.crypto_core_ristretto255_is_valid_point(encoding.tobytes())
