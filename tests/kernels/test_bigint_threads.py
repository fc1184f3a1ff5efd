# SPDX-License-Identifier: Apache-2.0
"""However a batch is cut over threads, its result is the same: at every size about the cuts."""

from __future__ import annotations

import random
import threading
from itertools import chain, permutations, product
from math import prod

import numpy as np
import pytest

from mpc import kernels
from mpc.errors import ConfigError
from mpc.kernels import bigint
from tests.kernels.batches import SIMD, P, Q, everything, needs_simd, settle

BACKENDS = ["portable", *(["simd"] if SIMD else [])]
COUNTS = (0, 1, 7, 8, 9, 15, 16, 17, 33, 67)  # elements; a lane group has eight

pytestmark = pytest.mark.usefixtures("cut_all")


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_change_nothing(backend, count):
    with kernels.use(backend, threads=1):
        alone = everything(count)
    for threads in (2, 3, 8):
        with kernels.use(backend, threads=threads):
            assert everything(count) == alone


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_joint_comb(backend):
    with kernels.use(backend, threads=2):
        ring, bases = bigint.modulo(Q), [3, 5, 7]
        comb = ring.joint_comb(ring.encode(bases), 5)
        assert comb.bits == 15
        digits = [(0, 0, 0), (31, 31, 31), (1, 0, 0), (0, 0, 9)]
        joined = [a | b << 5 | c << 10 for a, b, c in digits]
        packed = np.array(joined, "<u2").reshape(-1, 1).view(np.uint8)
        expected = [3**a * 5**b * 7**c % Q for a, b, c in digits]
        assert ring.decode(comb.power(packed)) == expected
        for bad in (ring.encode([]), 4), (ring.encode([2]), 0), (ring.encode([2]), 9):
            with pytest.raises(ConfigError):
                ring.joint_comb(*bad)


@needs_simd
@pytest.mark.parametrize("count", [256, 300, 513])
def test_many_turns_at_one_comb(count):
    rng = random.Random(count)
    packed = np.frombuffer(rng.randbytes(5 * count), np.uint8).reshape(count, 5)
    expected = [pow(3, int.from_bytes(row, "little"), P) for row in packed]
    for threads in (1, 2, 3):
        with kernels.use("simd", threads=threads):
            ring = bigint.modulo(P)
            assert ring.decode(ring.comb(ring.encode([3]), 40).power(packed)) == expected


@needs_simd
@pytest.mark.parametrize("window", [1, 2, 3, 5, 8])
def test_every_cut_of_a_product_of_powers(window):
    """By runs of bits, of terms, and by kinds of digits; of either sign where a span is a digit."""
    from mpc.kernels.bigint import pippenger
    from mpc.kernels.bigint.integers import wrap_all

    rng = random.Random(window)
    bases = [rng.randrange(1, P) for _ in range(2 * 7)]
    rows = [[rng.getrandbits(13) for _ in range(7)], [0] * 7, [2] * 7, [(1 << 13) - 1] * 7]
    mixed = [[rng.randint(-(1 << 12), (1 << 12) - 1) for _ in range(7)], [-(1 << 12)] * 7, [-1] * 7]
    shapes = product((1, 2, 4, 16), (1, 2, 4), (0, 1, 2, 3), (False, True))
    cuts = [pippenger.Cut(window, *shape) for shape in shapes]
    for exponents, way in product((rows, mixed), cuts):
        if way.signed is not (exponents is mixed) or not way.serves(7, 13):
            continue
        bits = window * way.spans if way.signed else 13
        # Of one output the quotient is found in integers. The lowest digit is its own case.
        lowest = [-(1 << (bits - 1)), 3, -2, -(1 << (bits - 1)), -1, 0, 1 << (bits - 2)]
        for ring, chosen, runs in product(
            (bigint.modulo(P), bigint.modulo_square(P)),
            (exponents, exponents[:1], exponents[1:2], [lowest if way.signed else exponents[2]]),
            ((bases[:7],), (bases[:7], bases[7:])),
        ):
            packed = wrap_all(np.array(chosen, dtype=object).ravel(), bits)
            shape = len(chosen), 7
            x, [n] = ring.encode([*chain.from_iterable(runs)]), ring.moduli
            found = pippenger.pippenger(ring.arithmetic, x, packed, shape, bits, way)
            assert ring.decode(found) == [
                prod(pow(x, e, n) for x, e in zip(run, row, strict=True)) % n
                for run in runs
                for row in chosen
            ]


@pytest.fixture
def guarded(monkeypatch):
    """Behind what kernels write to are words that none of them writes."""
    from mpc.kernels.bigint import pippenger, residues, simd

    guards, known = [], 0xA5A5A5A5A5A5A5A5

    def lane_groups(groups, limbs):
        size = groups * limbs
        [rows] = residues.lane_groups(1, size + 16)
        rows[size:] = known
        guards.append(rows[size:])
        return rows[:size].reshape(groups, limbs, 8)

    for module in (pippenger, simd):
        monkeypatch.setattr(module, "lane_groups", lane_groups)
    yield
    assert guards
    assert all((guard == known).all() for guard in guards)


@needs_simd
@pytest.mark.parametrize("window", [2, 3, 4, 6])
def test_every_signed_cut(guarded, window):
    """Where all digits are of one kind, and the highest the lowest there is, rooms are fullest."""
    from mpc.kernels.bigint import pippenger
    from mpc.kernels.bigint.integers import wrap_all

    rng, terms = random.Random(window), 5
    shapes = product((1, 2, 4, 8, 16), (1, 4), (1, 2, 3))
    ways = [pippenger.Cut(window, *shape, signed=True) for shape in shapes]
    for way in (way for way in ways if way.serves(terms, window * way.spans)):
        bits = window * way.spans
        low = -(1 << (bits - 1))
        odd = low + sum(1 << window * i for i in range(1, way.spans - 1))
        # The first terms go into the last buckets, and so to the end of the room.
        first = [max((1 << window) - 1 - 2 * i, 1) * (way.spans > 1) for i in range(terms)]
        fullest = [odd + digit for digit in first]
        rows = [fullest, [low] * terms, [-1] * terms, [low, -low - 1, 0, 1, odd]]
        rows.append([rng.randrange(low, -low) for _ in range(terms)])
        for chosen, runs, threads in ([rows[:1], 1, 1], [rows[4:], 1, 2], [rows, 2, 3]):
            bases = [rng.randrange(1, P) for _ in range(runs * terms)]
            packed = wrap_all(np.array(chosen, dtype=object).ravel(), bits)
            with kernels.use("simd", threads=threads):
                ring = bigint.modulo_square(P)
                args = ring.encode(bases), packed, (len(chosen), terms), bits, way
                found = ring.decode(pippenger.pippenger(ring.arithmetic, *args))
            assert found == [
                prod(pow(x, e, P * P) for x, e in zip(bases[at:], row, strict=False)) % P**2
                for at in range(0, runs * terms, terms)
                for row in chosen
            ]


@needs_simd
@pytest.mark.parametrize(
    "shape",
    [(8, 2, 1, True), (8, 2, 1, False), (4, 8, 0, False), (2, 4, 2, True), (1, 8, 2, False)],
)
def test_groups_are_joined_in_whatever_order_they_are_done(monkeypatch, shape):
    """By whoever comes second, the thread that did a group or the one that joined those before."""
    from mpc.kernels import memory, team
    from mpc.kernels.bigint import pippenger
    from mpc.kernels.bigint.integers import wrap_all
    from mpc.kernels.compiled import Kernel

    orders = []

    def in_order(self, count, _seconds, *args, scratch=0, start=None, **_cut):
        for group in orders[-1] if count == way.block else range(count):
            own, shared = memory.words(1, scratch + memory.LINE), team.sharing([])
            if start is not None:
                start(own)
            shared[0] = group
            self._dispatcher(shared, group + 1, 1, own, *args)

    rng, terms, way = random.Random(7), 9, pippenger.Cut(3, *shape)
    bits = way.window * way.spans
    low = -(1 << (bits - 1)) if way.signed else 0
    exponents = [rng.randrange(low, low + (1 << bits)) for _ in range(terms)]
    packed = wrap_all(np.array(exponents, dtype=object), bits)
    bases = [rng.randrange(1, P) for _ in range(terms)]
    ring = bigint.modulo_square(P)
    x, [n] = ring.encode(bases), ring.moduli
    expected = prod(pow(a, e, n) for a, e in zip(bases, exponents, strict=True)) % n
    monkeypatch.setattr(Kernel, "over", in_order)
    for order in permutations(range(way.block)):
        orders.append(order)
        found = pippenger.pippenger(ring.arithmetic, x, packed, (1, terms), bits, way)
        assert ring.decode(found) == [expected]
    assert len(orders) == 24


@needs_simd
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("own", [0, 1 << 16], ids=["shared", "own"])
def test_bases_laid_out_by_all_or_by_each(guarded, monkeypatch, own, threads):
    """Of many bases one layout serves all threads, which wait for each other's part of it."""
    from mpc.kernels.bigint import pippenger
    from mpc.kernels.bigint.integers import wrap_all

    monkeypatch.setattr(pippenger, "OWN", own)
    rng = random.Random(threads)
    # Groups of bases that are a few times, and not a multiple, of those laid out at a time.
    terms, bits = 101, 12
    bases = [rng.randrange(1, P) for _ in range(2 * terms)]
    exponents = [[rng.randint(-(1 << 10), 1 << 10) for _ in range(terms)] for _ in range(3)]
    for way, outputs, rows in product(
        (
            pippenger.Cut(4, 1, 16),
            pippenger.Cut(4, 1, 2, 1),
            pippenger.Cut(3, 4, 8, 2, signed=True),
        ),
        (1, 3),
        (1, 2),
    ):
        assert way.serves(terms, bits)
        chosen = [[e if way.signed else abs(e) for e in row] for row in exponents[:outputs]]
        x = bases[: rows * terms]
        wide = way.window * way.spans if way.signed else bits
        packed = wrap_all(np.array(chosen, dtype=object).ravel(), wide)
        with kernels.use("simd", threads=threads):
            ring = bigint.modulo_square(P)
            args = ring.encode(x), packed, (outputs, terms), wide, way
            found = ring.decode(pippenger.pippenger(ring.arithmetic, *args))
        [n] = ring.moduli
        assert found == [
            prod(pow(x, e, n) for x, e in zip(bases[at : at + terms], row, strict=True)) % n
            for at in range(0, rows * terms, terms)
            for row in chosen
        ]


@needs_simd
def test_bases_that_another_lays_out_are_waited_for(monkeypatch):
    """The test is the other thread: it has begun the first groups, and is late with them."""
    from mpc.kernels.bigint import pippenger, simd
    from mpc.kernels.bigint.integers import wrap_all

    shared, run = [], simd.SimdArithmetic.run

    def begun_by_another(self, kernel, products, out, x, flat, taken, *args, **options):
        flat.fill(0)
        taken[0] = 8
        shared.append((x, flat, taken))
        run(self, kernel, products, out, x, flat, taken, *args, **options)

    monkeypatch.setattr(pippenger, "OWN", 0)
    bases, exponents = list(range(2, 101)), [*range(1, 100)]
    ring, found = bigint.modulo(P), []
    packed, x = wrap_all(np.array(exponents), 7), ring.encode(bases)
    args = ring.arithmetic, x, packed, (1, len(bases)), 7, pippenger.Cut(4)
    with kernels.use("simd", threads=1):
        pippenger.pippenger(*args)  # so that all is compiled
        monkeypatch.setattr(simd.SimdArithmetic, "run", begun_by_another)
        other = threading.Thread(target=lambda: found.append(pippenger.pippenger(*args)))
        other.start()
        other.join(0.1)
        settle(lambda: shared)
        assert not found
        data, flat, taken = shared[0]
        elements = data[:8].transpose(0, 2, 1).reshape(64, -1)
        flat.reshape(len(flat), -1)[:64, : elements.shape[1]] = elements
        taken[1] += 8
        other.join(60)
    monkeypatch.undo()
    powers = zip(bases, exponents, strict=True)
    assert ring.decode(found[0]) == [prod(pow(x, e, P) for x, e in powers) % P]


@needs_simd
@pytest.mark.parametrize("threads", [1, 2])
def test_no_digit_is_all_sign(threads):
    """A negative number's digits above its highest would each put it into one bucket."""
    from mpc.kernels.bigint.multiexp import _plan, _Task
    from mpc.kernels.bigint.pippenger import Cut

    for bits in range(2, 130):
        way = _plan(_Task(1000, 1000, 1, 1, bits, signed=True), threads).way
        assert not isinstance(way, Cut) or way.window * (way.spans - 1) < bits <= 16 * way.window


@needs_simd
def test_groups_without_digits_are_no_work_for_a_thread():
    """Of 24 bits in four spans of 8 one has none: three groups, of which one thread does two."""
    from mpc.kernels.bigint.pippenger import Cut

    cut, threads = Cut(8, 4, 1, 3), range(1, 5)
    three_groups, four_groups = (
        [cut.products(1000, 1, bits, n) for n in threads] for bits in (24, 32)
    )
    one, two, three, four = three_groups
    assert three == four
    assert two - three == pytest.approx(one - two) != 0
    assert four_groups == pytest.approx([2 * one - two, two, two, three])
    # Five bits in a group of their own are less, but who does two others has two to do.
    short = Cut(9, 4, 1, 3)
    one, four = (short.products(1000, 1, 27, n) for n in (1, 4))
    others = short.products(1000, 1, 32, 2) - short.products(1000, 1, 32, 4)
    assert others == pytest.approx((one - four) / 2)


@needs_simd
def test_terms_are_shared_where_groups_are_few():
    from mpc.kernels.bigint.multiexp import _shares

    assert _shares(1, 1, 100, 0, 1)[0] == 1
    assert _shares(1, 1, 100, 0, 2)[0] == 2
    assert _shares(3, 1, 100, 0, 2)[0] == 2
    assert _shares(64, 1, 100, 0, 2)[0] == 1
    assert _shares(1, 1, 1, 0, 8)[0] == 1
