# SPDX-License-Identifier: Apache-2.0
"""Seeds become uniform residues as is written, by rejection, and products are of just those."""

from __future__ import annotations

import numpy as np
import pytest

from mpc import kernels
from mpc.kernels import aes, lwr, lwr_portable, vaes
from mpc.primitives.rng import uint64
from mpc.testing import seeded
from tests.primitives import lwr_oracle as oracle

SECRET = np.stack(
    [np.random.default_rng(t).integers(0, t, (80, 18), dtype=np.uint32) for t in lwr.MODULI]
)
HIGHEST = np.stack([np.full((80, 18), t - 1, np.uint32) for t in lwr.MODULI])


def seeds(count):
    return uint64(seeded("lwr"), (count, 2))


def test_expand_is_what_is_written(backend):
    drawn = seeds(24)
    expected, rejected = zip(*map(oracle.expand, drawn), strict=True)
    # Seeds without a rejected word, with several, and with some for each modulus are among them.
    assert min(map(sum, rejected)) == 0
    assert max(map(sum, rejected)) >= 2
    assert np.all(np.sum(rejected, axis=0) > 0)
    out = lwr.expand(drawn)
    assert out.dtype == np.uint32
    assert np.array_equal(out.reshape(2, 24, -1).transpose(1, 0, 2), expected)


def test_words_are_drawn_as_often_as_they_are_rejected(monkeypatch):
    drawn = seeds(2)
    # Limits that are words of the stream themselves; three of four words are rejected.
    stream = np.array(oracle.words(drawn[0], 2880)).reshape(2, 1440)
    limits = tuple(int(of[of >= 2**30].min()) for of in stream)
    monkeypatch.setattr(lwr_portable, "LIMITS", limits)
    monkeypatch.setattr(oracle, "words", lambda seed, _n, of=oracle.words: of(seed, 16 * 2880))
    expected, rejected = zip(*(oracle.expand(seed, limits) for seed in drawn), strict=True)
    assert np.all(np.array(rejected) > 1000)
    out = lwr_portable.expand(drawn)
    assert np.array_equal(out.reshape(2, 2, -1).transpose(1, 0, 2), expected)


@pytest.mark.skipif(not vaes.simd(), reason="no VAES here")
def test_compiled_rejection_goes_on_through_the_stream():
    """With 200 rejected words, more than are drawn at a time, and one of those rejected too."""
    from numba import njit

    from mpc.kernels.lwr_simd import _replace

    @njit
    def replace(words, keys, spares):
        _replace(words, keys, spares)

    seed, later = next(
        (seed, later)
        for seed in seeds(200)
        if max((later := oracle.words(seed, 2880 + 400)[2880:])[:150]) >= lwr_portable.LIMITS[1]
    )
    words = np.arange(2880, dtype=np.uint32)
    places = np.random.default_rng(1).permutation(2880)[:200]
    words[places] = np.array(lwr_portable.LIMITS)[places // 1440]
    words[[9, 2000]] = np.array(lwr_portable.LIMITS) - 1
    places = np.setdiff1d(places, [9, 2000])
    expected = words.tolist()
    following = iter(later)
    for place in places:
        limit = lwr_portable.LIMITS[place // 1440]
        expected[place] = next(word for word in following if word < limit)
    replace(words, aes.schedule(seed.tobytes()), np.empty(16, np.uint64))
    assert words.tolist() == expected


@pytest.mark.parametrize("secret", [SECRET, HIGHEST, 0 * SECRET], ids=["random", "high", "zero"])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 70])
def test_products_are_sums_over_what_expand_gives(backend, secret, count):
    drawn = seeds(count)
    polynomials = lwr.expand(drawn).astype(np.uint64)
    sums = (polynomials * secret[:, None].astype(np.uint64)).sum(axis=2)
    expected = sums % np.array(lwr.MODULI, np.uint64)[:, None, None]
    out = lwr.products(secret, drawn)
    assert out.dtype == np.uint32
    assert np.array_equal(out, expected)


def test_many_rows_are_cut_over_threads(backend):
    drawn = seeds(1500)
    many = lwr.products(SECRET, drawn)
    with kernels.use(threads=3):
        assert np.array_equal(lwr.products(SECRET, drawn), many)
        assert np.array_equal(lwr.expand(drawn[:700])[:, -1], lwr.expand(drawn[699:700])[:, 0])
        assert np.array_equal(lwr.rounded(many, 34)[1000:], lwr.rounded(many[:, 1000:], 34))
    assert np.array_equal(lwr.products(SECRET, drawn[1400:]), many[:, 1400:])


def test_without_vaes_the_rest_is_compiled(monkeypatch):
    drawn = seeds(9)
    results = [lwr.expand(drawn), lwr.products(SECRET, drawn), lwr.rounded(SECRET, 35)]
    monkeypatch.setattr(vaes, "simd", lambda: False)
    others = [lwr.expand(drawn), lwr.products(SECRET, drawn), lwr.rounded(SECRET, 35)]
    assert all(map(np.array_equal, results, others))


def test_residues_are_uniform():
    """Chi-square over 64 classes, of each modulus: six standard deviations at most."""
    for of, modulus in zip(lwr.expand(seeds(200)), lwr.MODULI, strict=True):
        for classes in (of.astype(np.uint64) * np.uint64(64) // np.uint64(modulus), of % 64):
            counts = np.bincount(classes.ravel().astype(np.int64), minlength=64)
            mean = of.size / 64
            assert abs(((counts - mean) ** 2 / mean).sum() - 63) < 6 * np.sqrt(2 * 63)


def test_wrong_arrays_are_errors():
    drawn = seeds(2)
    for wrong in (drawn[0], drawn.view(np.uint32), drawn.astype(np.int64)):
        with pytest.raises(ValueError, match="seeds are"):
            lwr.expand(wrong)
        with pytest.raises(ValueError, match="seeds are"):
            lwr.products(SECRET, wrong)
    for wrong in (SECRET[:, :79], SECRET.astype(np.uint64), SECRET[0]):
        with pytest.raises(ValueError, match="residues are"):
            lwr.products(wrong, drawn)
    values = SECRET[:, :5]
    for wrong in (values[:, :, :17], values[:1], values[0], values.astype(np.int32)):
        with pytest.raises(ValueError, match="residues are"):
            lwr.rounded(wrong, 35)
    for bits, dither in (
        (0, None),
        (36, None),
        (34, np.zeros((5, 17), np.uint64)),
        (34, np.zeros((5, 18), np.int64)),
    ):
        with pytest.raises(ValueError, match="dither"):
            lwr.rounded(values, bits, dither)
    for which in range(2):
        high = SECRET.copy()
        high[which, 3, 4] = lwr.MODULI[which]
        with pytest.raises(ValueError, match="not below"):
            lwr.products(high, drawn)
        with pytest.raises(ValueError, match="not below"):
            lwr.rounded(high, 35)
