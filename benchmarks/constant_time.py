# SPDX-License-Identifier: Apache-2.0
"""Does the time of secret-dependent operations depend on the secret? A statistical test.

In the manner of dudect (Reparaz, Balasch, Verbauwhede, DATE 2017): each operation runs on inputs of
two classes, one fixed and one drawn at random, in random order, and Welch's t-test compares the
times of the classes, of all runs and of those below several quantiles. |t| above 4.5 says that the
classes differ. That shows a leak; its absence shows only that none was found in so many runs.

What is compared are the mean times of the inputs, of which each class has 64, and not single runs:
where an input lies in memory changes its time by a thousandth, and so two classes made alike
differed by |t| up to 9 in 6,000 runs.

The last line is the control: powers of public exponents, which do depend on them. A test that did
not see that would see nothing. Of the portable kernels only the power is claimed to be constant,
and tested. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc import kernels
from mpc.primitives import lwr, paillier, ristretto, rlwe
from mpc.primitives.paillier import Ciphertexts, PublicKey, SecretKey
from mpc.primitives.paillier.masks import random_exponents, short_exponent_bits
from mpc.primitives.ristretto import Scalars
from mpc.primitives.rng import SYSTEM

from ._options import key_bits, whole
from .record import Record

QUICK = "--samples 200"

THRESHOLD = 4.5
QUANTILES = (1.0, 0.9, 0.7, 0.5, 0.3, 0.1)
LANES = 8
POOL = 64  # inputs of a class, made before the clock runs


@dataclass(frozen=True)
class Probe:
    """``run`` on an input of either class; ``constant`` says what is claimed of it."""

    name: str
    run: Callable[[Any], object]
    fixed: Callable[[], Any]
    drawn: Callable[[], Any]
    constant: bool = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How long to look."""
    parser.add_argument("--bits", type=key_bits, default=2048, help="length of the Paillier key")
    parser.add_argument("--samples", type=whole, default=4000, help="runs of each operation")
    parser.add_argument("--backend", choices=kernels.BACKENDS, help="default: the best there is")


def run(options: argparse.Namespace) -> list[Record]:
    """Test every operation; ``checked`` says that what was found is what is claimed."""
    with kernels.use(options.backend, threads=1):
        secret, public = paillier.keygen(options.bits, allow_weak=True)
        return [_tested(probe, options.samples, options.bits) for probe in _probes(secret, public)]


def _tested(probe: Probe, samples: int, bits: int) -> Record:
    t = statistic(*_times(probe, samples))
    return Record(
        benchmark=f"constant_time.{probe.name}",
        params={"bits": bits, "samples": samples, "kernels": kernels.backend()},
        unit="|t|",
        median=t,
        spread=0.0,
        floor=("4.5", t / THRESHOLD),
        checked=(t < THRESHOLD) == probe.constant,
    )


def statistic(
    times: NDArray[np.float64], drawn: NDArray[np.bool_], inputs: NDArray[np.intp]
) -> float:
    """The largest |t| of Welch's test over the mean times of each class's ``inputs``, which are
    numbered, with ``times`` cropped at each quantile."""
    found = []
    for quantile in QUANTILES:
        kept = times <= np.quantile(times, quantile)
        a, b = (_means(times[kept & of], inputs[kept & of]) for of in (drawn, ~drawn))
        if min(len(a), len(b)) > 1:
            error = np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
            found.append(abs(a.mean() - b.mean()) / max(error, 1e-30))
    return float(max(found, default=0.0))


def _means(times: NDArray[np.float64], inputs: NDArray[np.intp]) -> NDArray[np.float64]:
    """The mean time of each input that there are times of."""
    counts = np.bincount(inputs)
    sums = np.bincount(inputs, weights=times)
    return sums[counts > 0] / counts[counts > 0]


def _times(
    probe: Probe, samples: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp]]:
    """Nanoseconds of each run, whether its input was drawn at random, and which of these it was."""
    drawn = np.random.default_rng().integers(0, 2, samples).astype(np.bool_)
    # A fixed input is copied as often as there are drawn ones, so that caches do not tell them, and
    # made in turn with these, so that neither class lies together.
    inputs = [(probe.fixed(), probe.drawn()) for _ in range(POOL)]
    chosen = np.random.default_rng().integers(0, POOL, samples)
    times = np.empty(samples)
    for pair in inputs[:4]:
        for warm in pair:
            probe.run(warm)
    gc.disable()
    try:
        for i, (which, kind) in enumerate(zip(chosen.tolist(), drawn.tolist(), strict=True)):
            value = inputs[which][kind]
            start = time.perf_counter_ns()
            probe.run(value)
            times[i] = time.perf_counter_ns() - start
    finally:
        gc.enable()
    return times, drawn, chosen


def _probes(secret: SecretKey, public: PublicKey) -> list[Probe]:
    ring = public.masks.ring
    bits = short_exponent_bits(public.n)
    base = ring.encode([5] * LANES)
    comb = ring.comb(base[:1], bits)
    width = bits // 8

    def sparse() -> NDArray[np.uint8]:
        exponents = np.zeros((LANES, width), np.uint8)
        exponents[:, -1] = 128
        return exponents

    def drawn() -> NDArray[np.uint8]:
        return random_exponents(LANES, bits, SYSTEM)

    zeros = public.encrypt([0] * LANES).to_array()

    def received(array: NDArray[np.uint8]) -> Ciphertexts:
        return Ciphertexts.from_array(public, array)

    def factor(size: int) -> Callable[[], NDArray[Any]]:
        return lambda: np.array([1 << size] * LANES, dtype=object)

    owner = secret._owner()
    power = Probe("power", lambda e: ring.power(base, e), sparse, drawn)
    simd_only = [
        Probe("comb", comb.power, sparse, drawn),
        Probe(
            "decrypt",
            lambda x: owner.decrypt(x.residues),
            lambda: received(zeros.copy()),
            lambda: public.encrypt(np.random.default_rng().integers(0, 1 << 60, LANES)),
        ),
    ]
    control = Probe(
        "public_power_control",
        lambda e: ring.power_signed(base, e),
        factor(8),
        factor(32),
        constant=False,
    )
    if kernels.backend() != "simd":
        return [power, control]
    return [power, *simd_only, *_of_groups(), *_of_lattices(), control]


def _of_groups() -> list[Probe]:
    """Multiples by secret scalars: of one element and of a few, which other lanes work on, and of
    the generator, which has a table. The fixed scalar has a single bit, and a random one's length.
    """

    def single(count: int) -> Callable[[], Scalars]:
        return lambda: ristretto.scalars_of([1 << 251] * count)

    def drawn(count: int) -> Callable[[], Scalars]:
        return lambda: ristretto.scalars(SYSTEM, count)

    def multiple(count: int) -> Probe:
        points = ristretto.base(ristretto.scalars(SYSTEM, count))
        run = partial(ristretto.mul, points)
        return Probe(f"multiple_of_{count}", run, single(count), drawn(count))

    return [
        multiple(1),
        multiple(LANES),
        Probe("multiple_of_generator", ristretto.base, single(1), drawn(1)),
    ]


def _of_lattices() -> list[Probe]:
    """What a lookup under masks does with the secret of these, and with that of its encryption, and
    the asker with what its keys stand for. All that is fixed is zero."""
    seeds = np.random.default_rng().integers(0, 2**64, (64, 2), np.uint64)
    read = rlwe.Vectors.read(*rlwe.Key.draw().encrypt(_slots(4, zero=False)), 4)
    answers, _ = read.products(_slots(4, zero=False)[None])

    def secret(*, zero: bool) -> lwr.Secret:
        drawn = lwr.Secret.draw()
        return lwr.Secret(0 * drawn.residues) if zero else drawn

    def key(*, zero: bool) -> rlwe.Key:
        return rlwe.Key(np.zeros(rlwe.SLOTS, np.int8)) if zero else rlwe.Key.draw()

    def probe(name: str, run: Callable[[Any], object], of: Callable[..., Any]) -> Probe:
        return Probe(name, run, partial(of, zero=True), partial(of, zero=False))

    return [
        probe("mask", lambda held: held.masks(seeds), secret),
        probe("decrypt_sums", lambda held: held.decrypt(answers), key),
        probe("encrypted_sums", lambda plain: read.products(plain[None]), partial(_slots, 4)),
    ]


def _slots(terms: int, *, zero: bool) -> NDArray[np.uint32]:
    shape = terms, rlwe.SLOTS
    if zero:
        return np.zeros((terms, 2, rlwe.SLOTS), np.uint32)
    drawn = [np.random.default_rng().integers(0, t, shape, np.uint32) for t in rlwe.T]
    return np.stack(drawn, axis=1)
