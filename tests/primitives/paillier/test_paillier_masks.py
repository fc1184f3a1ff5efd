# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import gmpy2
import numpy as np
import pytest

from mpc import kernels
from mpc.errors import ConfigError
from mpc.kernels.bigint import Residues, modulo
from mpc.primitives.paillier import PublicKey, SecretKey, masks
from mpc.primitives.paillier.pool import MAX_MASKS, MaskPool
from mpc.primitives.rng import SYSTEM
from mpc.testing import seeded
from tests.forking import in_child

Keys = tuple[SecretKey, PublicKey]

with kernels.use("portable"):
    RING = modulo((1 << 127) - 1)


def numbered() -> Callable[[int], Residues]:
    """Masks 0, 1, 2, ..., to see which was handed out when."""
    lock, made = threading.Lock(), 0

    def make(count: int) -> Residues:
        nonlocal made
        with lock:
            made += count
            return RING.encode(range(made - count, made))

    return make


# --- the two distributions -----------------------------------------------------------------------


def test_the_base_is_the_hash_and_of_symbol_one(keys_of: Callable[..., Keys]) -> None:
    secret, public = keys_of(768)
    p, q = secret.reveal_primes()
    h = masks.subgroup_base(public.n)
    assert h == masks.subgroup_base(public.n)
    assert masks.subgroup_base(keys_of(768, "other")[1].n) != h
    # -y**2 for primes 3 modulo 4: no square modulo either, so of Jacobi symbol 1.
    assert gmpy2.legendre(h, p) == gmpy2.legendre(h, q) == -1
    assert gmpy2.gcd(h, public.n) == 1


def test_the_key_owner_has_no_say_in_the_masks(keys_of: Callable[..., Keys]) -> None:
    """What travels is n and the proof that it is well formed: nothing that is a base of masks."""
    _, public = keys_of(768)
    h = masks.subgroup_base(public.n)
    h_s = pow(h, public.n, public.n**2)
    for secret_base in (h, h_s):
        encoded = secret_base.to_bytes((secret_base.bit_length() + 7) // 8, "little")
        assert encoded not in public.to_bytes()


def test_masks_are_nth_residues(keys: Keys) -> None:
    """Raised to lambda = lcm(p - 1, q - 1) they are 1, so they add nothing to a plaintext."""
    secret, public = keys
    p, q = secret.reveal_primes()
    order = int(gmpy2.lcm(p - 1, q - 1))
    ring = public.masks.ring
    made = [public.masks.for_plaintexts(9, SYSTEM), public.masks.for_results(9, SYSTEM)]
    made.append(secret._owner().masks(9, SYSTEM))
    for residues in made:
        assert ring.decode(ring.power(residues, order)) == [1] * 9
        assert len(set(ring.decode(residues))) == 9


def test_short_masks_stay_in_the_group_of_the_base_and_uniform_ones_do_not(keys: Keys) -> None:
    """The Jacobi symbol of the randomness tells the two apart, which is why results get uniform."""
    secret, public = keys
    n, ring = public.n, public.masks.ring

    def symbols(residues: Residues) -> set[int]:
        return {int(gmpy2.jacobi(value % n, n)) for value in ring.decode(residues)}

    assert symbols(public.masks.for_plaintexts(60, SYSTEM)) == {1}
    assert symbols(public.masks.for_results(60, SYSTEM)) == {1, -1}
    assert symbols(secret._owner().masks(60, SYSTEM)) == {1, -1}


@pytest.mark.parametrize("bits", [512, 2048, 3072, 4096, 8192])
def test_exponents_of_uniform_masks_have_the_bits_of_the_lemma(bits: int) -> None:
    """And their tables no more elements than are documented."""
    width = masks.digit_bits((1 << bits) - 1)
    bases = masks.bases((1 << bits) - 1)
    assert bases >= 260
    assert bases * width >= bits + 256
    # As lanes they take a tenth more than the elements have.
    mib = (bases << width) * 2 * bits / 8 / 2**20
    assert 1.1 * mib <= {512: 3, 2048: 14, 3072: 29, 4096: 30, 8192: 73}[bits]


def test_many_uniform_masks_come_from_a_table(keys: Keys) -> None:
    secret, public = keys
    source = public.masks
    values = np.arange(300)
    for _ in range(3):
        out = (public.encrypt(values) + 1).rerandomized()
        assert secret.decrypt(out).tolist() == (values + 1).tolist()
    assert source._uniform is not None
    assert source._uniform.bits == 260 * masks.digit_bits(public.n)
    assert secret.decrypt(public.encrypt([]).rerandomized()).tolist() == []
    assert secret.decrypt(public.encrypt(5).rerandomized()) == 5
    n, ring = public.n, source.ring
    drawn = ring.decode(source.for_results(400, SYSTEM))
    assert len(set(drawn)) == 400
    minus = sum(gmpy2.jacobi(value % n, n) == -1 for value in drawn)
    # Binomial(400, 1/2) is outside 200 +- 50 with probability 6e-7.
    assert 150 < minus < 250


def test_unproven_keys_get_uniform_masks(keys: Keys) -> None:
    secret, public = keys
    bare = PublicKey(public.n, allow_weak=True, allow_unproven=True)
    x = bare.encrypt(np.arange(60))
    n = public.n
    drawn = bare.masks.ring.decode(x.residues)
    assert {int(gmpy2.jacobi(value % n, n)) for value in drawn} == {1, -1}
    assert secret.decrypt(x).tolist() == list(range(60))


def test_exponents_have_their_length() -> None:
    for bits in (1, 7, 8, 9, 1024):
        drawn = masks.random_exponents(50, bits, seeded("exponents"))
        assert drawn.shape == (50, -(-bits // 8))
        widths = [int.from_bytes(row.tobytes(), "little").bit_length() for row in drawn]
        assert max(widths) == bits
    assert masks.short_exponent_bits(1 << 2047) == 1024
    assert masks.random_exponents(0, 9, SYSTEM).shape == (0, 2)


def test_randomness_never_repeats_over_100000_encryptions(keys_of: Callable[..., Keys]) -> None:
    secret, public = keys_of(512)
    zeros = np.zeros(42_000, dtype=np.int64)
    made = [public.encrypt(zeros), secret.encrypt(zeros)]
    public.precompute(5_000, results=5_000)
    public.masks.pools.short.wait()
    public.masks.pools.uniform.wait()
    # From the pools as far as they go, and what is made for the rest.
    made.append(public.encrypt(zeros[:8_000]))
    made.append((made[0][:8_000] + made[1][:8_000]).rerandomized())
    public.precompute(0)
    rows = {row.tobytes() for x in made for row in x.to_array()}
    assert len(rows) == 100_000
    assert not secret.decrypt(made[-1]).any()


# --- the pool ------------------------------------------------------------------------------------


def test_a_pool_hands_each_mask_out_once_to_many_threads() -> None:
    pool = MaskPool(numbered())
    pool.fill(1000)
    taken: list[int] = []

    def consume() -> None:
        while len(taken) < 1000:
            got = pool.take(7)
            if got is not None:
                taken.extend(RING.decode(got))

    threads = [threading.Thread(target=consume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    pool.fill(0)
    pool.wait()
    # It goes on until so many are ready, so more were made than the 1,000 of the start.
    assert len(set(taken)) == len(taken) >= 1000
    assert MaskPool(numbered()).take(1) is None


def test_many_threads_encrypt_at_once_while_the_pool_is_filled(keys: Keys) -> None:
    """Each with a key whose tables nobody has made yet."""
    secret, public = keys
    public.precompute(200, results=200)
    rows: list[bytes] = []
    wrong: list[int] = []

    def work(first: int) -> None:
        for start in range(first, first + 60, 20):
            values = np.arange(start, start + 20)
            x = public.encrypt(values)
            y = (x + 1).rerandomized()
            rows.extend(row.tobytes() for z in (x, y) for row in z.to_array())
            if secret.decrypt(y).tolist() != (values + 1).tolist():
                wrong.append(start)

    threads = [threading.Thread(target=work, args=(100 * i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    public.precompute(0)
    assert not wrong
    assert len(set(rows)) == len(rows) == 6 * 3 * 2 * 20


def test_a_pool_is_bounded_and_fills_to_what_was_asked() -> None:
    pool = MaskPool(numbered())
    pool.fill(100)
    pool.wait()
    assert len(pool) == 100
    pool.fill(50)
    pool.wait()
    assert len(pool) == 100
    assert pool.take(30) is not None
    assert len(pool) == 70
    pool.fill(100)
    pool.wait()
    assert len(pool) == 100
    for count in (-1, MAX_MASKS + 1):
        with pytest.raises(ConfigError, match="up to"):
            pool.fill(count)


@pytest.mark.parametrize("count", [1, 8, 64, 70, 72, 128])
def test_masks_that_left_the_pool_are_wiped_from_its_memory(backend: str, count: int) -> None:
    ring = modulo((1 << 127) - 1)
    blocks: list[Residues] = []

    def make(count: int) -> Residues:
        blocks.append(ring.encode([7] * count))
        return blocks[-1]

    pool = MaskPool(make)
    pool.fill(192)
    pool.wait()
    got = pool.take(count)
    assert got is not None
    assert ring.decode(got) == [7] * count
    # All blocks that were cut or joined are zero; one that is handed out whole is the caller's.
    touched = -(-count // 64)
    kept = blocks if count == 64 else blocks[touched:]
    assert all(block.data.any() for block in kept)
    if count != 64:
        assert not any(block.data.any() for block in blocks[:touched])
    rest = pool.take(192)
    assert rest is not None
    assert ring.decode(rest) == [7] * (192 - count)


def test_encryptions_use_the_pool_and_then_go_on(keys: Keys) -> None:
    secret, public = keys
    public.precompute(10, results=5)
    for pool in public.masks.pools:
        pool.wait()
    assert [len(pool) for pool in public.masks.pools] == [10, 5]
    x = public.encrypt([1, 2, 3])
    assert len(public.masks.pools.short) == 7
    y = public.encrypt(np.arange(20))
    assert len(public.masks.pools.short) == 0
    z = (x * 2).rerandomized()
    assert len(public.masks.pools.uniform) == 2
    assert secret.decrypt(z).tolist() == [2, 4, 6]
    assert secret.decrypt(y).tolist() == list(range(20))
    rows = np.vstack([x.to_array(), y.to_array(), z.to_array()])
    assert len(np.unique(rows, axis=0)) == 26


@pytest.mark.parametrize("count", [64, 40, 100])
def test_masks_are_wiped_once_they_are_used(
    keys: Keys, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the pools, whole blocks and parts of them, and those that are made for the moment."""
    secret, public = keys
    values = np.arange(count)
    public.precompute(128, results=128)
    for pool in public.masks.pools:
        pool.wait()
    used: list[Residues] = []

    def kept(source: object, name: str) -> None:
        make = getattr(source, name)

        def give(*given: Any) -> Any:
            used.append(make(*given))
            return used[-1]

        monkeypatch.setattr(type(source), name, lambda _, *given: give(*given))

    kept(public.masks, "for_plaintexts")
    kept(public.masks, "for_results")
    kept(secret._owner(), "masks")
    x, y = public.encrypt(values), secret.encrypt(values)
    z = (x + y).rerandomized()
    assert [len(masks) for masks in used] == [count] * 3
    assert not any(masks.data.any() for masks in used)
    assert secret.decrypt(z).tolist() == (2 * values).tolist()


def test_a_seeded_encryption_does_not_touch_the_pool(keys: Keys) -> None:
    _, public = keys
    alone = public.encrypt([1, 2], rng=seeded(5)).to_array()
    public.precompute(10)
    public.masks.pools.short.wait()
    assert np.array_equal(public.encrypt([1, 2], rng=seeded(5)).to_array(), alone)
    assert len(public.masks.pools.short) == 10


def test_a_key_without_proof_precomputes_uniform_masks(keys: Keys) -> None:
    _, public = keys
    bare = PublicKey(public.n, allow_weak=True, allow_unproven=True)
    bare.precompute(3, results=2)
    bare.masks.pools.uniform.wait()
    assert [len(pool) for pool in bare.masks.pools] == [0, 5]


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_shares_no_masks(keys: Keys) -> None:
    secret, public = keys
    public.precompute(20)
    public.masks.pools.short.wait()
    blocks = list(public.masks.pools.short._blocks)

    def child() -> list[Any]:
        assert not any(block.data.any() for block in blocks)
        ready = len(public.masks.pools.short)
        public.precompute(5)
        public.masks.pools.short.wait()
        refilled = len(public.masks.pools.short)
        return [ready, refilled, public.encrypt([0] * 20).to_array().tolist()]

    ready, refilled, rows = in_child(child)
    assert (ready, refilled) == (0, 5)
    assert len(public.masks.pools.short) == 20
    assert all(block.data.any() for block in blocks)
    mine = {row.tobytes() for row in public.encrypt([0] * 20).to_array()}
    theirs = {bytes(row) for row in rows}
    assert len(mine | theirs) == 40
    assert secret.decrypt(public.encrypt([1])).tolist() == [1]


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_during_filling_leaves_no_lock_held(keys: Keys) -> None:
    _, public = keys
    public.precompute(MAX_MASKS)
    try:
        assert in_child(lambda: len(public.encrypt([1, 2, 3]))) == 3
    finally:
        public.precompute(0)
        public.masks.pools.short.wait()
