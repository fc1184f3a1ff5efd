# SPDX-License-Identifier: Apache-2.0
"""Faults that other libraries have or had, each shown not to be here."""

from __future__ import annotations

import math
import multiprocessing
import re
from collections.abc import Callable
from time import process_time

import gmpy2
import numpy as np
import pytest

from mpc.primitives.paillier import Ciphertexts, PublicKey, SecretKey, keygen, masks

Keys = tuple[SecretKey, PublicKey]


def as_integers(x: Ciphertexts) -> list[int]:
    return [int.from_bytes(row.tobytes(), "little") for row in x.to_array()]


def test_encryptions_are_masked_by_default(keys: Keys) -> None:
    """Two unmasked ciphertexts 1 + m*n give n by gcd(c - 1, c' - 1), and then m."""
    secret, public = keys
    n = public.n
    for encrypt in (public.encrypt, secret.encrypt):
        ciphertexts = as_integers(encrypt([5, 5, 1, 0]))
        assert len(set(ciphertexts)) == 4
        assert all(c % n != 1 for c in ciphertexts)
        common = math.gcd(*(c - 1 for c in ciphertexts))
        assert common % n != 0
        assert common < 1 << 32


def test_what_is_sent_after_adding_zero_is_masked_anew(keys: Keys) -> None:
    _, public = keys
    x = public.encrypt([5, 6])
    sent = as_integers((x + 0).rerandomized())
    assert not set(sent) & set(as_integers(x))


def test_decryption_does_not_wrap_into_int64(keys: Keys) -> None:
    secret, public = keys
    top = np.array([2**63 - 1, -(2**63)])
    total = secret.decrypt(public.encrypt(top) + top)
    assert total.tolist() == [2**64 - 2, -(2**64)]
    square = secret.decrypt(public.encrypt(top) * top)
    assert square.tolist() == [(2**63 - 1) ** 2, 2**126]
    assert secret.decrypt(public.encrypt(top)).dtype == np.int64


def test_the_public_key_reveals_no_factor(keys_of: Callable[..., Keys]) -> None:
    """No number that it carries or that follows from it shares a factor with n, nor does its
    difference from 1 or -1 (a base h of small order modulo one prime would)."""
    _, public = keys_of(768)
    n, data = public.n, public.to_bytes()
    h = masks.subgroup_base(n)
    width = (n.bit_length() + 7) // 8
    words = [int.from_bytes(data[i : i + width], "little") for i in range(len(data) - width)]
    numbers = {h, pow(h, n, n), pow(h, n, n * n), *words} - {n}
    found = [gmpy2.gcd(v + d, n) for v in numbers for d in (-1, 0, 1) if (v + d) % n]
    assert set(found) == {1}


@pytest.mark.parametrize("size", [32, 200])
def test_negative_factors_cost_what_positive_ones_do(keys: Keys, size: int) -> None:
    secret, public = keys
    values = np.arange(1, 65)
    factors = values.astype(object) + (1 << size)
    x = public.encrypt(values)
    assert secret.decrypt(x * -factors).tolist() == (-factors * values).tolist()

    def best(sign: int) -> float:
        runs = []
        for _ in range(5):
            start = process_time()
            x * (sign * factors)
            runs.append(process_time() - start)
        return min(runs)

    best(1)
    # Reduced modulo n, a negative factor would be as long as n: 24 times a 32-bit one here.
    assert best(-1) < 6 * best(1)


def test_no_exponent_of_a_float_travels(keys: Keys) -> None:
    """What is sent is ciphertexts of one width; the scale is agreed, and the same for all."""
    _, public = keys
    for values in ([1e-9, 1.0], [0.0, 3e8], [2.0**40, -1e-3]):
        x = public.encrypt(values)
        assert x.fraction_bits == 32
        assert x.to_array().shape == (2, public.ciphertext_bytes)
        assert not re.search("bound", repr(x))


def test_numpy_integers_do_not_overflow(keys: Keys) -> None:
    secret, public = keys
    a, b = np.int64(2**62), np.int64(-(2**63))
    x = public.encrypt([a, b])
    assert secret.decrypt(x).tolist() == [2**62, -(2**63)]
    assert secret.decrypt(x * a).tolist() == [2**124, -(2**125)]
    assert secret.decrypt(a * x + b).tolist() == [2**124 - 2**63, -(2**125) - 2**63]
    assert secret.decrypt(x - b).tolist() == [2**62 + 2**63, 0]
    assert secret.decrypt(x @ np.array([a, b])) == 2**124 + 2**126
    assert secret.decrypt(np.uint64(2**64 - 1) * x).tolist() == [
        2**62 * (2**64 - 1),
        -(2**63) * (2**64 - 1),
    ]
    assert secret.decrypt(np.int32(-5) - x).tolist() == [-5 - 2**62, -5 + 2**63]
    mixed = np.array([2**63, 1], dtype=np.uint64)
    assert secret.decrypt(x + mixed).tolist() == [2**62 + 2**63, 1 - 2**63]


def _modulus(_: int) -> int:
    return keygen(512, allow_weak=True)[1].n


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_workers_make_different_keys() -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        moduli = pool.map(_modulus, range(4), chunksize=1)
    assert len(set(moduli)) == 4
    assert math.gcd(*moduli[:2]) == math.gcd(*moduli[2:]) == 1
