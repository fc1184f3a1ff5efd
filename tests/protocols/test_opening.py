# SPDX-License-Identifier: Apache-2.0
"""Openings: sums, XORs and residues of all parties' words, in blocks."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.errors import ProtocolError
from mpc.protocols import opening
from tests.protocols.computing import compute

rng = np.random.default_rng(8)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 16 words, of which two are sent ahead."""
    monkeypatch.setattr(opening, "BLOCK_BYTES", 128)
    monkeypatch.setattr(opening, "AHEAD", 2)


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("sizes", [(0, 0), (1, 0), (0, 1), (15, 1), (16, 17), (9, 100), (100, 9)])
@pytest.mark.usefixtures("small_blocks")
def test_sums_and_xors_together(parties, sizes):
    added = rng.integers(0, 2**64, (parties, sizes[0]), dtype=np.uint64)
    mixed = rng.integers(0, 2**64, (parties, sizes[1], 2), dtype=np.uint64)

    def job(p):
        own = p.mesh.names.index(p.mesh.me)
        mine = added[own].copy(), mixed[own].copy()
        found = opening.together(p.mesh, "here", sums=[mine[0]], xors=[mine[1]])
        # What it was given is as it was: it may be a share that is still needed.
        assert np.array_equal(mine[0], added[own])
        assert np.array_equal(mine[1], mixed[own])
        return found

    for (total,), (mix,) in compute(parties, job):
        assert np.array_equal(total, added.sum(axis=0))
        assert np.array_equal(mix, np.bitwise_xor.reduce(mixed))


def test_more_than_a_link_holds():
    words = np.arange(5 << 20, dtype=np.uint64)  # 40 MiB, where 16 may wait
    for (total,) in compute(2, lambda p: opening.sums(p.mesh, "here", [words])):
        assert np.array_equal(total, 2 * words)


@pytest.mark.usefixtures("small_blocks")
def test_another_number_of_words_names_the_peer():
    def job(p):
        first = p.mesh.me == "p0"
        with pytest.raises(ProtocolError, match=r"p[01]: expected \d+ elements, got \d+"):
            opening.sums(p.mesh, "here", [np.zeros(17 + first, np.uint64)])

    compute(2, job)


def test_a_long_step_is_cut_in_our_message():
    def job(p):
        if p.mesh.me == "p0":
            with pytest.raises(ProtocolError):
                opening.sums(p.mesh, "x" * 10_000, [np.zeros(1, np.uint64)])
            return ""
        with pytest.raises(ProtocolError) as caught:
            opening.sums(p.mesh, "here", [np.zeros(1, np.uint64)])
        return str(caught.value)

    told = compute(2, job)[1]
    assert told == f"p0: is at the step '{'x' * 40}', we are at 'here'"


class TestResidues:
    def test_sums(self):
        x = np.array([1, 2**32 - 1, 2**20, 0], np.uint64)

        def job(p):
            mine = x + np.uint64(1 << 40) * np.uint64(p.mesh.names.index(p.mesh.me))
            return [opening.residues(p.mesh, "here", mine, bits).tolist() for bits in (32, 20, 1)]

        total = [3 * int(each) for each in x]
        wanted = [[each % 2**bits for each in total] for bits in (32, 20, 1)]
        assert compute(3, job) == [wanted] * 3

    def test_another_step_or_count_names_the_peer(self):
        def job(p):
            first = p.mesh.me == "p0"
            with pytest.raises(ProtocolError, match=r"p[01]: is at the step '(there|here)'"):
                opening.residues(p.mesh, "here" if first else "there", np.zeros(2, np.uint64), 20)
            with pytest.raises(ProtocolError, match=r"expected \d elements, got \d"):
                opening.residues(p.mesh, "count", np.zeros(2 + first, np.uint64), 20)

        compute(2, job)
