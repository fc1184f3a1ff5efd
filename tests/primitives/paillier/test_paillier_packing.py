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
