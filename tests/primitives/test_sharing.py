# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import ConfigError, DataError, EncodingOverflow, KeyMismatch
from mpc.primitives import sharing
from mpc.primitives.sharing import Share, reconstruct, split
from mpc.testing import seeded

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)


def on_all(compute: Callable[..., Share], *shared: tuple[Share, ...]) -> np.ndarray[Any, Any]:
    """The numbers that come out when each party runs ``compute`` on its own shares."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return reconstruct([compute(*held) for held in zip(*shared, strict=True)])


@given(st.lists(INT64, max_size=4), st.integers(1, 5))
def test_reconstruction_in_any_order(values: list[int], parties: int) -> None:
    shares = split(np.array(values, dtype=np.int64), parties)
    assert reconstruct(shares[::-1]).tolist() == values


@given(st.lists(INT64, min_size=3, max_size=3), st.lists(INT64, min_size=3, max_size=3))
def test_linear_operations_are_those_of_the_ring(left: list[int], right: list[int]) -> None:
    x, y = split(np.array(left), 3), split(np.array(right), 3)
    a, b = np.array(left), np.array(right)
    assert on_all(lambda x, y: x + y, x, y).tolist() == (a + b).tolist()
    assert on_all(lambda x, y: x - y, x, y).tolist() == (a - b).tolist()
    assert on_all(lambda x: -x, x).tolist() == (-a).tolist()
    assert on_all(lambda x: x * b, x).tolist() == (a * b).tolist()
    assert on_all(lambda x: b * x, x).tolist() == (a * b).tolist()
    assert on_all(lambda x: b - x, x).tolist() == (b - a).tolist()
    assert on_all(lambda x: x + b, x).tolist() == (a + b).tolist()
    assert on_all(lambda x: x.sum(), x).item() == a.sum()


def test_the_design_expression_needs_no_round() -> None:
    x = split([1.25, -2.5], 3, fraction_bits=16)
    y = split([0.5, 0.25], 3, fraction_bits=16)
    out = on_all(lambda x, y: 3.5 * x + y, x, y)
    assert out.tolist() == [3.5 * 1.25 + 0.5, 3.5 * -2.5 + 0.25]


def test_products_of_shares_are_refused_with_the_verb_to_use() -> None:
    x, y = split([1], 2)[0], split([2], 2)[0]
    with pytest.raises(TypeError, match=r"multiplying shares communicates; use arith\.mul"):
        x * y
    with pytest.raises(TypeError, match=r"use arith\.matmul"):
        x @ y


def test_scale_is_tracked_through_products_and_sums() -> None:
    x = split([1.5], 2, fraction_bits=10)[0]
    assert (x * 0.5).fraction_bits == 20
    assert (x * 2).fraction_bits == 10
    assert (x * 0.5 + x).fraction_bits == 20
    whole = split([3], 2)
    assert on_all(lambda s: s * 0.5, whole).tolist() == [1.5]
    assert on_all(lambda s: s + 0.5, whole).tolist() == [3.5]
    assert on_all(lambda s: s * np.array([0.5], dtype=object), whole).tolist() == [1.5]


def test_scale_that_fills_the_word_is_refused() -> None:
    x = split([0.5], 2, fraction_bits=32)[0]
    with pytest.raises(EncodingOverflow, match="truncate first"):
        x * 0.5
    with pytest.raises(ConfigError, match="truncation protocol"):
        x.rescaled(8)


def test_public_matrices_on_both_sides() -> None:
    rng = np.random.default_rng(1)
    a, m = rng.integers(-99, 99, (3, 4)), rng.integers(-99, 99, (4, 2))
    x = split(a, 3)
    assert on_all(lambda s: s @ m, x).tolist() == (a @ m).tolist()
    assert on_all(lambda s: m.T @ s.T, x).tolist() == (m.T @ a.T).tolist()
    assert on_all(lambda s: s.T.reshape(6, 2)[1:3], x).tolist() == (a.T.reshape(6, 2)[1:3].tolist())
    assert len(x[0]) == 3


def test_sums_of_scalars_wrap_without_a_warning() -> None:
    x = split(np.array([2**63 - 1, 2**63 - 1, 3]), 2)
    assert on_all(lambda s: s.sum() + s.sum(), x).item() == 2
    assert on_all(lambda s: s.sum(axis=0) * 3, x).item() == 3


def test_shares_of_one_value_look_uniform_and_the_seed_decides_them() -> None:
    shares = split(np.zeros(4096, dtype=np.int64), 2, rng=seeded(1))
    for share in shares:
        ones = np.bitwise_count(share.words).sum() / (64 * 4096)
        assert abs(ones - 0.5) < 0.01
    again = split(np.zeros(4096, dtype=np.int64), 2, rng=seeded(1))
    assert all((s.words == t.words).all() for s, t in zip(shares, again, strict=True))
    assert (split([0], 2)[1].words != split([0], 2)[1].words).all()


def test_nothing_reveals_a_share() -> None:
    share = split([123456789], 1)[0]
    assert "123456789" not in repr(share) + str(share) + f"{share}"
    with pytest.raises(TypeError, match="truth value"):
        bool(share)
    with pytest.raises(TypeError, match="comparing shares"):
        share == share  # noqa: B015
    with pytest.raises(TypeError, match="comparing shares"):
        share != 1  # noqa: B015
    with pytest.raises(TypeError, match="unhashable"):
        hash(share)


def test_mixed_up_shares_are_refused() -> None:
    x, y = split([1, 2], 2), split([1, 2], 3)
    for wrong in ([], x[:1], [x[0], x[0]], [x[0], y[1]], [x[0], x[1][:1]]):
        with pytest.raises(KeyMismatch):
            reconstruct(wrong)
    with pytest.raises(KeyMismatch):
        reconstruct([x[0], x[1].rescaled(4)])
    with pytest.raises(KeyMismatch):
        x[0] + x[1]


def test_arguments_are_checked() -> None:
    with pytest.raises(ConfigError, match="among 0 parties"):
        split([1], 0)
    with pytest.raises(ConfigError, match="party 2"):
        Share(np.zeros(1, dtype=np.uint64), 2, 2)
    with pytest.raises(ConfigError, match="uint64"):
        Share(np.zeros(1), 0, 1)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="NaN"):
        split([float("nan")], 2)
    with pytest.raises(EncodingOverflow, match="at index 0"):
        split([1e6], 2, fraction_bits=50)


@pytest.mark.parametrize(
    "compute",
    [
        lambda x, y: x + y,
        lambda x, y: x - y,
        lambda x, y: x + np.ones(4),
        lambda x, y: np.ones(4) - x,
        lambda x, y: x * [1, 2],
        lambda x, y: x @ np.ones((4, 2)),
        lambda x, y: np.ones((2, 4)) @ x,
    ],
)
def test_shapes_that_do_not_fit_are_named(compute: Callable[[Share, Share], Share]) -> None:
    x, y = split(np.ones(3), 2)[0], split(np.ones(4), 2)[0]
    with pytest.raises(ConfigError, match=r"shapes \(.*3.*\) and|and \(.*3.*\)"):
        compute(x, y)


def test_public_is_held_by_party_zero() -> None:
    shares = [sharing.public([7], party, 3) for party in range(3)]
    assert [share.words.item() for share in shares] == [7, 0, 0]
    assert reconstruct(shares).tolist() == [7]
