# SPDX-License-Identifier: Apache-2.0
"""Ciphertexts between parties: whose key, fresh or stale, what is refused, and what shows."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpc.errors import (
    CryptoError,
    EncodingOverflow,
    KeyMismatch,
    ProtocolError,
    StaleCiphertext,
)
from mpc.primitives.paillier import Ciphertexts, PublicKey, SecretKey

Keys = tuple[SecretKey, PublicKey]


def test_other_keys_are_refused(keys: Keys, keys_of: Callable[..., Keys]) -> None:
    _, public = keys
    other_secret, other = keys_of(768, "other")
    with pytest.raises(KeyMismatch, match="different keys"):
        public.encrypt([1]) + other.encrypt([1])
    with pytest.raises(KeyMismatch, match="under PublicKey"):
        other_secret.decrypt(public.encrypt([1]))


STALE: dict[str, Callable[[Ciphertexts], Ciphertexts]] = {
    "sum": lambda x: x + x,
    "difference": lambda x: x - x,
    "negation": lambda x: -x,
    "plain term": lambda x: x + 1,
    "factor": lambda x: x * 2,
    "factor one": lambda x: x * 1,
    "rescaled": lambda x: x.rescaled(4),
    "masked": lambda x: x.masked([1, 2]),
    "total": lambda x: x.sum(),
    "matrix": lambda x: x @ [[1, 2], [3, 4]],
    "matrix on the left": lambda x: np.eye(2, dtype=np.int64) @ x,
    "repeated": lambda x: x[[0, 0]],
}


@pytest.mark.parametrize("how", STALE)
def test_what_was_computed_on_is_stale_until_rerandomized(keys: Keys, how: str) -> None:
    _, public = keys
    x = STALE[how](public.encrypt([5, 6]))
    with pytest.raises(StaleCiphertext, match="rerandomized"):
        x.to_array()
    assert x.rerandomized().to_array().dtype == np.uint8


def test_what_was_received_is_stale(keys: Keys) -> None:
    _, public = keys
    x = Ciphertexts.from_array(public, public.encrypt([5, 6]).to_array())
    with pytest.raises(StaleCiphertext):
        x.to_array()


def test_rerandomisation_changes_every_ciphertext_and_no_number(keys: Keys) -> None:
    secret, public = keys
    values = np.arange(40)
    x = public.encrypt(values)
    y = x.rerandomized()
    assert (x.to_array() != y.to_array()).any(axis=1).all()
    assert secret.decrypt(y).tolist() == values.tolist()


# --- the wire ------------------------------------------------------------------------------------


def test_arrays_go_and_come(keys: Keys) -> None:
    secret, public = keys
    x = public.encrypt([[1.5, -2.5], [3.0, 4.0]], fraction_bits=4)
    array = x.to_array()
    assert array.shape == (4, public.ciphertext_bytes)
    back = Ciphertexts.from_array(public, array, shape=(2, 2), fraction_bits=4, bound=1 << 10)
    assert secret.decrypt(back + 1).tolist() == [[2.5, -1.5], [4.0, 5.0]]


def test_received_numbers_have_any_size_until_a_bound_is_given(keys: Keys) -> None:
    _, public = keys
    back = Ciphertexts.from_array(public, public.encrypt([1]).to_array())
    with pytest.raises(EncodingOverflow):
        back + 1


def adversarial(public: PublicKey) -> dict[str, Callable[[np.ndarray[Any, Any]], Any]]:
    n, width = public.n, public.ciphertext_bytes

    def row(value: int) -> np.ndarray[Any, Any]:
        return np.frombuffer(value.to_bytes(width, "little"), np.uint8)

    def put(value: int) -> Callable[[np.ndarray[Any, Any]], Any]:
        return lambda array: np.vstack([array[:1], row(value), array[2:]])

    return {
        "zero": put(0),
        "n": put(n),
        "multiple of n": put(5 * n),
        "n squared": put(n * n),
        "all ones": put((1 << (8 * width)) - 1),
        "narrow": lambda array: array[:, 1:],
        "wide": lambda array: np.hstack([array, array[:, :1]]),
        "flat": lambda array: array.ravel(),
        "words": lambda array: array.astype(np.uint16),
        "too few": lambda array: array[:2],
    }


@pytest.mark.parametrize(
    "fault", list(adversarial(PublicKey(0x10001 << 500 | 1, allow_weak=True, allow_unproven=True)))
)
def test_malformed_ciphertexts_are_refused(keys: Keys, fault: str) -> None:
    _, public = keys
    array = adversarial(public)[fault](public.encrypt([1, 2, 3]).to_array())
    with pytest.raises(ProtocolError, match=r"^tax: ") as caught:
        Ciphertexts.from_array(public, array, shape=(3,), peer="tax")
    assert caught.value.peer == "tax"
    with pytest.raises(CryptoError):
        Ciphertexts.from_array(public, array, shape=(3,))


def test_a_factor_of_n_as_a_ciphertext_is_refused(keys: Keys) -> None:
    secret, public = keys
    p, _ = secret.reveal_primes()
    row = np.frombuffer(p.to_bytes(public.ciphertext_bytes, "little"), np.uint8)
    with pytest.raises(ProtocolError, match="not invertible"):
        Ciphertexts.from_array(public, row.reshape(1, -1), peer="tax")
    good = public.encrypt(range(19)).to_array()
    assert secret.decrypt(Ciphertexts.from_array(public, good)).tolist() == list(range(19))
    for place in (0, 7, 8, 18):
        bad = good.copy()
        bad[place] = row
        with pytest.raises(ProtocolError, match="not invertible"):
            Ciphertexts.from_array(public, bad, peer="tax")


# --- what shows ----------------------------------------------------------------------------------


def test_ciphertexts_neither_compare_nor_decide_nor_show(keys: Keys) -> None:
    _, public = keys
    x = public.encrypt([123456789], bound=123456789)
    with pytest.raises(TypeError, match="decrypt"):
        x == x  # noqa: B015
    with pytest.raises(TypeError, match="truth value"):
        bool(x)
    with pytest.raises(TypeError, match="unhashable"):
        hash(x)
    with pytest.raises(TypeError, match="to_array"):
        pickle.dumps(x)
    assert "123456789" not in repr(x)
    assert "fresh" in repr(x)
    assert "stale, shape=(1,), fraction_bits=3" in repr(x.rescaled(3))
