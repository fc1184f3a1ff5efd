# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the protocols' tests."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from query_runs import IDS, REASONS, make

from mpc.protocols import query
from mpc.protocols.query import publishing


@pytest.fixture
def small_blocks(monkeypatch):
    """The online query in blocks of four ids, and files in chunks of 300 bytes."""
    monkeypatch.setattr(query, "BLOCK", 4)
    monkeypatch.setattr(publishing, "CHUNK_BYTES", 300)


@pytest.fixture
def party(tmp_path):
    """A holder with a labelled list, and an asker without a copy."""
    listed = make(tmp_path / "holder", items=IDS, labels=REASONS, room=16)
    return SimpleNamespace(
        folder=tmp_path / "holder",
        copy=tmp_path / "copy",
        listed=listed,
        counts=tmp_path / "c.json",
    )
