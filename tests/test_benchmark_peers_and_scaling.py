# SPDX-License-Identifier: Apache-2.0
"""Peers are asked in processes of their own and set beside ours; slopes are those of the data."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness import peers, scaling
from benchmarks.record import Record

SCRIPT = """
    from answering import answer, identifiers, rate
    assert identifiers("sender", 20, 10)[:2] == ["91" + "0" * 16, f"91{1 + (1 << 40):016d}"]
    print("not a part of the answer")
    def wall(params):
        if params["x"] > 100:
            return None
        return "s", 0.5, 0.1, params["x"] != 50
    answer({"psi.wall": wall})
"""


def record(unit: str = "s", median: float = 1.0, **params: Any) -> Record:
    return Record(
        benchmark="psi.wall", params=params, unit=unit, median=median, spread=0.0, checked=True
    )


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    answering = Path(peers._SCRIPTS, "answering.py").read_text()
    (scripts / "answering.py").write_text(answering)
    (scripts / "with_fake.py").write_text(textwrap.dedent(SCRIPT))
    (scripts / "with_broken.py").write_text("raise SystemExit('no such thing')")
    found = (
        peers.Peer("fake", (), "with_fake.py", ("psi.",)),
        peers.Peer("broken", (), "with_broken.py", ("psi.",)),
        peers.Peer("idle", (), "with_nothing.py", ("chess.",)),
    )
    monkeypatch.setattr(peers, "_SCRIPTS", scripts)
    monkeypatch.setattr(peers, "PEERS", found)
    return tmp_path


def test_a_peer_stands_beside_what_it_measured(fake: Path) -> None:
    ours = [
        record(x=10, link="tls"),
        record(x=10, link="plain", median=2.0),
        record(x=10, unit="ms"),
        record(x=50),
        record(x=1000),
        record(x=10, link="wan"),  # which the peer did not have
        Record(benchmark="okvs.rows", unit="s", median=1.0, spread=0.0, checked=True),
    ]
    found, notes = peers.beside(ours, fake / "environments")
    assert [r.peers for r in found] == [{"fake": 2.0}, {"fake": 4.0}, None, None, None, None, None]
    assert "broken left out: no such thing" in notes
    assert notes[0].startswith("crypten left out: ")
    assert len(notes) == 2
    assert (fake / "environments").is_dir()


def test_an_environment_is_made_once(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = peers.PEERS[0]
    python = peers._python(peer, fake)
    assert python.exists()
    monkeypatch.setattr(peers.venv, "create", None)
    assert peers._python(peer, fake) == python


def test_every_peer_has_a_script_and_an_exact_version() -> None:
    for peer in peers.PEERS:
        assert (peers._SCRIPTS / peer.script).is_file()
        assert peer.packages[0].startswith(f"{peer.name}==")


def test_slopes_of_times_of_rates_and_of_costs_per_item() -> None:
    sizes = (10, 100, 1000)
    square = [record(x=n, y=n, side="a", median=1e-6 * n * n) for n in sizes]
    uneven = [record(x=n, y=5, side="a", median=1.0) for n in sizes]
    rates = [record("op/s", 1e6 / n, x=n, y=n) for n in sizes]
    each = [record("ns/key", 7.0, x=n, y=n) for n in sizes]
    few = [record("ms", 1.0, x=n, y=n) for n in sizes[:2]]
    found = scaling.curves([*square, *uneven, *rates, *each, *few], [("x", "y")])
    assert [(c.unit, round(c.slope, 6)) for c in found] == [("s", 2), ("op/s", 1), ("ns/key", 0)]
    assert found[0].params == {"side": "a"}
    assert found[0].error == pytest.approx(0.0, abs=1e-9)
    shown = found[0].record()
    assert shown.benchmark == "psi.wall.slope"
    assert shown.params["over"] == "x 10..1000"
    assert replace(found[0], sizes=(256.0, 2.0**22)).record().params["over"] == "x 2^8..2^22"


def test_the_error_of_a_slope_is_that_of_the_points() -> None:
    slope, error = scaling.fitted([1, 2, 4, 8], [0.0, 1.1, 1.9, 3.05])
    assert slope == pytest.approx(1.0 / 0.693, rel=0.05)
    assert 0 < error < 0.1
