# SPDX-License-Identifier: Apache-2.0
"""However a batch is cut over threads, its result is the same: at every size about the cuts."""

from __future__ import annotations

import _thread
import os
import random
import signal
import threading
import time
import weakref
from collections import deque
from itertools import chain, product
from math import prod

import numpy as np
import pytest

from mpc import kernels
from mpc.errors import ConfigError
from mpc.kernels import bigint, helpers

P, Q = (1 << 127) - 1, (1 << 521) - 1
SIMD = kernels.backend() == "simd"
BACKENDS = ["portable", *(["simd"] if SIMD else [])]
COUNTS = (0, 1, 7, 8, 9, 15, 16, 17, 33, 67)  # elements; a lane group has eight

needs_simd = pytest.mark.skipif(not SIMD, reason="no simd kernels here")


@pytest.fixture(autouse=True)
def cut_all(monkeypatch):
    """Cut the smallest batches too."""
    if SIMD:
        monkeypatch.setattr(helpers, "LEAST_SECONDS", 1e-12)


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
        # Several outputs are rejoined in lanes, one in integers. The lowest digit is its own case.
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
def test_terms_are_shared_where_groups_are_few():
    from mpc.kernels.bigint.multiexp import _shares

    assert _shares(1, 1, 100, 0, 1)[0] == 1
    assert _shares(1, 1, 100, 0, 2)[0] == 2
    assert _shares(3, 1, 100, 0, 2)[0] == 2
    assert _shares(64, 1, 100, 0, 2)[0] == 1
    assert _shares(1, 1, 1, 0, 8)[0] == 1


# --- the threads themselves ----------------------------------------------------------------------


def settle(is_so):
    """Wait until it is: a helper waits again a moment after it has said that it is done."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def all_are_idle():
    return len(helpers._idle) == len(helpers._helpers)


@pytest.fixture
def no_helpers(monkeypatch):
    """None from before, and none that comes late to the next test: what they do is counted."""
    settle(all_are_idle)
    monkeypatch.setattr(helpers, "_helpers", set())
    monkeypatch.setattr(helpers, "_idle", deque())
    yield
    settle(all_are_idle)


def none_left(_run, _args):
    raise RuntimeError("can't start new thread")


@needs_simd
@pytest.mark.parametrize("start", [none_left, lambda *_: 0], ids=["refused", "never run"])
def test_work_that_no_thread_takes_is_done_by_the_caller(monkeypatch, no_helpers, start):
    with kernels.use("simd", threads=1):
        expected = everything(67)
    monkeypatch.setattr(_thread, "start_new_thread", start)
    with kernels.use("simd", threads=4):
        assert everything(67) == expected
    assert len(helpers._helpers) <= helpers.MOST
    helpers._helpers.clear()  # none of these ever comes


def meet(threads):
    """Who takes part in something that nobody leaves before so many have come."""
    barrier, found, idle = threading.Barrier(threads), [], []

    def do():
        found.append(threading.get_ident())
        barrier.wait(60)
        idle.extend(helpers._idle)  # nobody who takes part
        barrier.wait(60)

    helpers.together(threads, do, do)
    assert len(set(found)) == threads
    assert not idle
    return set(found) - {threading.get_ident()}


def test_helpers_are_woken_again_and_leave_in_the_end(monkeypatch, no_helpers):
    monkeypatch.setattr(helpers, "LINGER", 60.0)
    first = meet(3)
    for _ in range(5):
        settle(lambda: len(helpers._idle) == 2)
        assert meet(3) == first
    settle(lambda: len(helpers._idle) == 2)
    monkeypatch.setattr(helpers, "LINGER", 0.001)
    assert meet(3) == first
    settle(lambda: not helpers._helpers)
    assert not helpers._idle
    assert meet(2)


def test_a_helper_that_is_about_to_leave_is_kept(monkeypatch, no_helpers):
    """The moment between its time and its leaving may be the one in which it is taken."""
    monkeypatch.setattr(helpers, "LINGER", 0.0005)
    for _ in range(300):
        assert len(meet(2)) == 1
        time.sleep(0.0005)


def test_a_helper_that_is_taken_as_it_leaves_waits_to_be_woken(monkeypatch, no_helpers):
    monkeypatch.setattr(helpers, "LINGER", 0)
    helper, found = helpers._Helper(), []
    thread = threading.Thread(target=lambda: found.append(helper._is_wanted()))
    thread.start()
    thread.join(0.02)
    assert not found
    helper.wake(helpers._Work(0, lambda: None))
    thread.join(60)
    assert found == [True]


def test_a_thread_that_is_refused_does_not_count(monkeypatch, no_helpers):
    monkeypatch.setattr(_thread, "start_new_thread", none_left)
    helpers.together(3, lambda: None, lambda: None)
    assert not helpers._helpers


def test_a_waiting_helper_holds_nothing(monkeypatch, no_helpers):
    class Held:
        def __init__(self):
            self.barrier = threading.Barrier(2)

        def do(self):
            self.barrier.wait(60)

    monkeypatch.setattr(helpers, "LINGER", 60.0)
    held = Held()
    gone = weakref.ref(held)
    helpers.together(2, held.do, held.do)
    settle(lambda: len(helpers._idle) == 1)
    del held
    assert gone() is None
    monkeypatch.setattr(helpers, "LINGER", 0.001)
    meet(2)


def test_helpers_are_bounded(monkeypatch, no_helpers):
    monkeypatch.setattr(helpers, "MOST", 3)
    found = []
    barrier = threading.Barrier(4)

    def do():
        found.append(threading.get_ident())
        barrier.wait(60)

    helpers.together(50, do, do)
    assert len(found) == 4
    assert len(helpers._helpers) == 3


@needs_simd
def test_an_error_in_a_thread_is_raised():
    began = threading.Event()

    def do():
        if threading.current_thread() is threading.main_thread():
            assert began.wait(60)
        else:
            began.set()
            raise ValueError("in a thread")

    work = helpers._Work(1, do)
    _thread.start_new_thread(work.help, ())
    with pytest.raises(ValueError, match="in a thread"):
        work.finish(work._do)


@needs_simd
def test_an_error_of_the_caller_waits_for_the_threads():
    """They write to arrays that the caller lets go."""
    began, failed, ended = threading.Event(), threading.Event(), threading.Event()

    def do():
        if threading.current_thread() is threading.main_thread():
            assert began.wait(60)
            failed.set()
            raise ValueError("in the caller")
        began.set()
        assert failed.wait(60)
        ended.set()

    work = helpers._Work(1, do)
    _thread.start_new_thread(work.help, ())
    with pytest.raises(ValueError, match="in the caller"):
        work.finish(work._do)
    assert ended.is_set()


@pytest.mark.parametrize("presses", [1, 3])
def test_an_interrupt_waits_for_the_threads(presses):
    """They read and write arrays that the caller lets go."""
    began, ended = threading.Event(), threading.Event()

    def help_with():
        began.set()
        for _ in range(presses):
            time.sleep(0.05)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        time.sleep(0.05)
        ended.set()

    with pytest.raises(KeyboardInterrupt):
        helpers.together(2, lambda: began.wait(60), help_with)
    assert ended.is_set()


def test_an_error_in_calling_for_threads_waits_for_those_that_came(monkeypatch):
    began, ended, call_for = threading.Event(), threading.Event(), helpers._call_for

    def call_once(work):
        if began.is_set():
            raise MemoryError
        return call_for(work) and began.wait(60)

    def help_with():
        began.set()
        time.sleep(0.05)
        ended.set()

    monkeypatch.setattr(helpers, "_call_for", call_once)
    with pytest.raises(MemoryError):
        helpers.together(3, lambda: None, help_with)
    assert ended.is_set()


@needs_simd
@pytest.mark.timeout(60)
def test_who_comes_late_is_not_waited_for():
    done = []
    work = helpers._Work(2, lambda: done.append(threading.get_ident()))
    work.finish(work._do)
    work.help()
    assert done == [threading.get_ident()]


@needs_simd
@pytest.mark.parametrize("least", [None, 1, 3, 8, 1000])
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_every_turn_is_taken_once(threads, least):
    from mpc.kernels.bits_simd import MASKS, _transpose

    for count in (0, 1, 2, 7, 64, 1023):
        # Turning bits over twice gives them back; a turn left out, or taken beyond, shows.
        source = np.arange(64 * (count + 1), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        turned, back = (np.full(len(source), 7, np.uint64) for _ in range(2))
        with kernels.use("simd", threads=threads):
            for out, of in ((turned, source), (back, turned)):
                scratch = lambda: np.empty(64, np.uint64)  # noqa: E731
                _transpose.over(count, 1.0, out, MASKS, of, scratch=scratch, least=least)
        assert np.array_equal(back[: 64 * count], source[: 64 * count])
        assert (back[64 * count :] == 7).all()


@needs_simd
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_while_threads_work():
    """The child has none of the threads, and waits for none."""
    stop = threading.Event()

    def keep_busy():
        while not stop.is_set():
            everything(33)

    with kernels.use("simd", threads=3):
        expected = everything(33)
        busy = threading.Thread(target=keep_busy)
        busy.start()
        try:
            for _ in range(5):
                if (child := os.fork()) == 0:
                    left = helpers._helpers or helpers._idle
                    os._exit(bool(left) or everything(33) != expected)
                assert os.waitpid(child, 0)[1] == 0
        finally:
            stop.set()
            busy.join()
