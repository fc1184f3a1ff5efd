# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import ConfigError, EncodingOverflow, ProtocolError
from mpc.primitives.paillier import Ciphertexts, Packing, PublicKey, SecretKey

Keys = tuple[SecretKey, PublicKey]


@given(st.data())
def test_packing_is_the_signed_sum_of_slots(data: st.DataObject) -> None:
    """Against the definition in Python integers, for slots narrower and wider than a word."""
    slot_bits = data.draw(st.integers(2, 200))
    packing = Packing(slot_bits - 1, slot_bits, data.draw(st.integers(1, 9)))
    edge = packing.limit
    values = data.draw(st.lists(st.integers(-edge, edge), max_size=20))
    array = np.array(values, dtype=np.int64 if slot_bits <= 60 else object)
    plain = packing.pack(array)
    assert len(plain) == packing.ciphertexts(len(values))
    for i, value in enumerate(plain):
        row = values[i * packing.slots : (i + 1) * packing.slots]
        assert value == sum(v << (slot_bits * j) for j, v in enumerate(row))
    assert packing.unpack(plain, (len(values),)).tolist() == values


@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (2, 7), (2, 0), (0, 3), (2, 3, 5)])
@pytest.mark.parametrize("slot_bits", [9, 64, 90])
def test_shapes_pack_along_their_last_axis(shape: tuple[int, ...], slot_bits: int) -> None:
    packing = Packing(8, slot_bits, 3)
    values = np.arange(np.prod(shape), dtype=np.int64).reshape(shape) - 4
    back = packing.unpack(packing.pack(values), shape)
    assert back.shape == shape
    assert np.array_equal(back, values)


@pytest.mark.parametrize("slot_bits", [9, 70])
def test_long_vectors_are_packed_by_the_block(slot_bits: int) -> None:
    packing = Packing(8, slot_bits, 2)
    values = np.arange(9001) % 511 - 255
    plain = packing.pack(values)
    assert plain[4500] == values[9000]
    assert packing.unpack(plain, (9001,)).tolist() == values.tolist()


def test_slots_are_counted_as_documented() -> None:
    packing = Packing.of(2048, value_bits=32, headroom_adds=3, scalar_bits=10)
    assert packing == Packing(value_bits=32, slot_bits=32 + 2 + 10 + 1, slots=2047 // 45)
    assert Packing.of(2048, 32) == Packing(32, 33, 62)
    assert Packing.of(2048, 2046).slots == 1
    for wrong in ({"value_bits": 2047}, {"value_bits": 0}, {"value_bits": 8, "headroom_adds": -1}):
        with pytest.raises(ConfigError):
            Packing.of(2048, **wrong)


def test_a_plaintext_beyond_all_slots_is_refused() -> None:
    packing = Packing(8, 9, 3)
    for value in (1 << 27, -(1 << 27)):
        with pytest.raises(EncodingOverflow, match="slots"):
            packing.unpack([value], (3,))


@pytest.mark.parametrize("wide", [False, True])
def test_packed_and_plain_vectors_share_one_api(keys: Keys, wide: bool) -> None:
    secret, public = keys
    packing = public.packing(value_bits=70 if wide else 8, headroom_adds=7, scalar_bits=6)
    a = np.arange(-100, 100).astype(object) << (60 if wide else 0)
    b = a[::-1] + 3
    programs: list[Callable[[Any, Any], Any]] = [
        lambda x, y: x + y,
        lambda x, y: x - y,
        lambda x, y: -x,
        lambda x, y: x * -9 + y,
        lambda x, y: 5 * (x + b - 1),
        lambda x, y: 7 - x,
    ]
    for program in programs:
        expected = program(a, b).tolist()
        for how in (None, packing):
            x, y = secret.encrypt(a, packing=how), public.encrypt(b, packing=how)
            assert secret.decrypt(program(x, y)).tolist() == expected
    assert len(public.encrypt(a, packing=packing).residues) == packing.ciphertexts(200)


def test_floats_are_packed_at_their_scale(keys: Keys) -> None:
    secret, public = keys
    packing = public.packing(value_bits=24, headroom_adds=1, scalar_bits=34)
    values = np.linspace(-100, 100, 33)
    x = public.encrypt(values, fraction_bits=16, packing=packing)
    assert np.abs(secret.decrypt(x * 0.5) - values / 2).max() <= 2**-17
    assert np.abs(secret.decrypt(x + values) - 2 * values).max() <= 2**-16


@pytest.mark.parametrize("rows", [1, 3])
def test_matrix_products_of_packed_columns(keys: Keys, rows: int) -> None:
    secret, public = keys
    packing = public.packing(value_bits=10, headroom_adds=8, scalar_bits=8)
    values = np.random.default_rng(2).integers(-1000, 1000, (4, 90))
    weights = np.random.default_rng(3).integers(-200, 200, (rows, 4))
    x = public.encrypt(values, packing=packing)
    assert np.array_equal(secret.decrypt(weights @ x), weights @ values)
    assert np.array_equal(secret.decrypt(weights[0] @ x), weights[0] @ values)
    assert np.array_equal(secret.decrypt(x.sum(axis=0)), values.sum(axis=0))
    assert np.array_equal(secret.decrypt(x[2]), values[2])
    assert np.array_equal(secret.decrypt(x[1:3] + x[[0, 3]]), values[1:3] + values[[0, 3]])


def test_headroom_is_used_to_the_last_and_no_further(keys: Keys) -> None:
    secret, public = keys
    packing = public.packing(value_bits=8, headroom_adds=3)
    values = np.array([255, -255, 0] * 40)
    x = public.encrypt(values, packing=packing)
    total = x + x + x + x
    assert np.array_equal(secret.decrypt(total), 4 * values)
    with pytest.raises(EncodingOverflow, match="slot"):
        total + x
    scaled = public.encrypt(values, packing=public.packing(value_bits=8, scalar_bits=4)) * -15
    assert np.array_equal(secret.decrypt(scaled), -15 * values)
    with pytest.raises(EncodingOverflow, match="slot"):
        scaled * 2
    with pytest.raises(EncodingOverflow, match="at index 1 exceeds the bound"):
        public.encrypt([0, 256], packing=packing)
    with pytest.raises(EncodingOverflow, match="bound exceeds"):
        public.encrypt([0], bound=1 << 12, packing=packing)


@given(st.data())
def test_a_slot_is_full_at_its_limit_and_not_before(data: st.DataObject) -> None:
    """What ``of`` was asked for always fits, and the limit is the last that does."""
    value_bits, scalar_bits = data.draw(st.integers(1, 70)), data.draw(st.integers(0, 70))
    adds = data.draw(st.integers(0, 300))
    packing = Packing.of(768, value_bits, adds, scalar_bits)
    largest = (1 << value_bits) - 1
    factor = max(1, (1 << scalar_bits) - 1)
    assert largest * (adds + 1) * factor <= packing.limit
    full = np.full(packing.slots, packing.limit, dtype=object)
    for values in (full, -full, full * (-1) ** np.arange(packing.slots)):
        (plain,) = packing.pack(values)
        assert abs(plain) <= 1 << 766  # half of any modulus of 768 bits
        assert packing.unpack([plain], values.shape).tolist() == values.tolist()


def test_every_slot_can_be_filled_to_its_limit_and_no_further(keys: Keys) -> None:
    """Where one value overflowed, its neighbour would be another number."""
    secret, public = keys
    packing = public.packing(value_bits=8, headroom_adds=3, scalar_bits=4)
    limit = packing.limit
    signs = np.where(np.arange(2 * packing.slots + 1) % 2, -1, 1)
    x = public.encrypt(signs * (limit - 1), bound=limit - 1, packing=packing)
    assert secret.decrypt(x + signs).tolist() == (signs * limit).tolist()
    half = public.encrypt(signs * (limit // 2), bound=limit // 2, packing=packing)
    assert secret.decrypt(half * -2).tolist() == (signs * -2 * (limit // 2)).tolist()
    assert secret.decrypt(half - -half).tolist() == (signs * 2 * (limit // 2)).tolist()
    rows = public.encrypt(np.vstack([signs, -signs]), bound=1, packing=packing)
    assert secret.decrypt([limit - 5, -5] @ rows).tolist() == (signs * limit).tolist()
    refused: list[Callable[[], object]] = [
        lambda: x + 2 * signs,
        lambda: (x + signs) + signs,
        lambda: x + x,
        lambda: x - x,
        lambda: x * 2,
        lambda: x * -2,
        lambda: half * 3,
        lambda: [limit - 5, 6] @ rows,
        lambda: [[1, 0], [5 - limit, 6]] @ rows,
        lambda: (rows * limit).sum(axis=0),
        lambda: x.rescaled(1),
        lambda: x.times(0.5, fraction_bits=2),
        lambda: public.encrypt([limit + 1], bound=limit + 1, packing=packing),
    ]
    for operation in refused:
        with pytest.raises(EncodingOverflow):
            operation()


def test_a_packing_of_a_longer_key_is_refused(keys: Keys, keys_of: Callable[..., Keys]) -> None:
    """Its upper slots would wrap around n, and give other numbers."""
    _, public = keys
    longer = keys_of(1024)[1].packing(value_bits=8)
    values = np.arange(longer.slots)
    array = public.encrypt([0]).to_array()
    for use in (
        lambda: public.encrypt(values, packing=longer),
        lambda: public.encrypt([1], bound=1, packing=longer),
        lambda: Ciphertexts.from_array(public, array, shape=(1,), packing=longer),
    ):
        with pytest.raises(ConfigError, match="113 slots of 9 bits do not fit a 768-bit key"):
            use()
    shorter = Packing(8, 9, 3)
    assert len(public.encrypt(np.arange(7), packing=shorter).residues) == 3
    for wrong in ((0, 9, 3), (9, 9, 3), (8, 9, 0)):
        with pytest.raises(ConfigError, match="a packing has slots"):
            Packing(*wrong)


def test_what_slots_cannot_do_is_refused(keys: Keys) -> None:
    _, public = keys
    packing = public.packing(value_bits=8, headroom_adds=3, scalar_bits=8)
    x = public.encrypt(np.ones((2, 100)), fraction_bits=0, packing=packing)
    refused: dict[str, Callable[[], object]] = {
        "one factor": lambda: x * np.ones((2, 100), dtype=np.int64),
        "picked": lambda: x[0, 3],
        "picked along": lambda: x[0][3],
        "summed": lambda: x.sum(),
        "packed axis": lambda: x.sum(axis=1),
        "matrix on the left": lambda: x @ np.ones(100, dtype=np.int64),
        "pack the columns": lambda: np.ones(100, dtype=np.int64) @ x[0],
        "transposed": lambda: x.T,
        "reshaped": lambda: x.reshape(200),
        "no axis": lambda: public.encrypt(3, packing=packing),
        "packed differently": lambda: x + public.encrypt(np.ones((2, 100)), fraction_bits=0),
    }
    for message, operation in refused.items():
        with pytest.raises(ConfigError, match=message):
            operation()


def test_packed_ciphertexts_go_and_come(keys: Keys) -> None:
    secret, public = keys
    packing = public.packing(value_bits=8, headroom_adds=3)
    values = np.arange(200).reshape(2, 100)
    array = public.encrypt(values, packing=packing).to_array()
    back = Ciphertexts.from_array(public, array, shape=(2, 100), bound=255, packing=packing)
    assert np.array_equal(secret.decrypt(back + back), 2 * values)
    with pytest.raises(ProtocolError, match="expected 6 ciphertexts"):
        Ciphertexts.from_array(public, array, shape=(2, 200), packing=packing, peer="tax")
    with pytest.raises(ConfigError, match="shape"):
        Ciphertexts.from_array(public, array, packing=packing)


def test_masking_acts_on_whole_plaintexts(keys: Keys) -> None:
    secret, public = keys
    packing = public.packing(value_bits=8)
    x = public.encrypt(np.arange(100), packing=packing)
    mask = [public.n - 5] * len(x.residues)
    plain = packing.pack(np.arange(100))
    assert secret.decrypt_residues(x.masked(mask)) == [(v - 5) % public.n for v in plain]
