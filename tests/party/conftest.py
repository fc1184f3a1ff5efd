# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from mpc.apps import companies
from mpc.cli import demo
from tests.party.party_runs import ROWS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The five parties of the demo, with few companies."""
    demo.configure(tmp_path, companies.write_demo(tmp_path, ROWS, 5))
    return tmp_path
