# SPDX-License-Identifier: Apache-2.0
"""What the README shows is run: its Python, its files, and the commands at its top."""

from __future__ import annotations

import re
import textwrap
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

import mpc
from mpc.cli import show
from mpc.cli.app import app
from mpc.net import tls
from mpc.party import jobs
from mpc.protocols import psi_dh
from tests.ports import free_ports

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
MAKEFILE = (Path(__file__).resolve().parent.parent / "Makefile").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)

TOML = re.findall(r"^```toml\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def block(words: str) -> str:
    (found,) = [block for block in BLOCKS if words in block]
    return str(found)


def party(name: str, peer: str, port: int, *, dials: bool) -> str:
    address = f'address = "127.0.0.1:{port}"' if dials else ""
    return textwrap.dedent(f"""
        name = "{name}"
        key = "{name}.key"
        certificate = "{name}.crt"
        {"" if dials else f'listen = "127.0.0.1:{port}"'}
        [peers.{peer}]
        certificate = "{peer}.crt"
        {address}
    """)


def test_the_two_commands_stand_at_the_top() -> None:
    top = README[:1200]
    for command in ("demo", "test"):
        assert f"$ make {command} " in top
        assert re.search(rf"^{command}:", MAKEFILE, re.MULTILINE)


def test_the_ten_lines_of_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (port,) = free_ports(1)
    for name, peer, dials in (("bank", "lender_b", True), ("lender_b", "bank", False)):
        tls.make_identity(name, tmp_path)
        (tmp_path / f"{name}.toml").write_text(party(name, peer, port, dials=dials))
    listed = ["91310115MA1K3YJ12C", "another"]

    def lender() -> int:
        with mpc.Session.open("lender_b.toml", session_id="friday") as session:
            return psi_dh.sender(session.peer("bank"), listed)

    code = block("mpc.Session.open")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lender)
        exec(compile(code, "README.md", "exec"), {})
        assert asked.result() == 2
    assert capsys.readouterr().out == "['91310115MA1K3YJ12C']\n"


def test_the_paillier_lines(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block("paillier.keygen"), "README.md", "exec"), {})
    assert float(capsys.readouterr().out) == 0.5 * 120.5 - 1.25 * 3.25 - 2.0 * 7.0 + 0.75


def test_the_files_shown_side_by_side_are_read(tmp_path: Path) -> None:
    shown, *_ = TOML
    width = shown.splitlines()[0].index("# score.toml")
    left = "\n".join(line[:width] for line in shown.splitlines())
    right = "\n".join(line[width:] for line in shown.splitlines())
    (tmp_path / "score.toml").write_text(right)
    job = jobs.load(tmp_path / "score.toml")
    assert job.parties == ("bank", "power_utility", "tax_office")
    assert tomllib.loads(left)["jobs"]["score"]["data"] == "companies"


def test_the_blacklist_job_with_a_threshold_is_read(tmp_path: Path) -> None:
    _, shown, *_ = TOML
    (tmp_path / "blacklist.toml").write_text(shown)
    job = jobs.load(tmp_path / "blacklist.toml")
    assert isinstance(job, jobs.ThresholdJob)
    assert (job.lists.threshold, job.lists.total) == (2, 4)


def test_the_lines_that_name_a_dealer_are_read(tmp_path: Path) -> None:
    files, _, lines, decision = TOML
    width = files.splitlines()[0].index("# score.toml")
    score = "\n".join(line[width:] for line in files.splitlines())
    for kind, text in (("score", score), ("decision", decision)):
        (tmp_path / f"{kind}.toml").write_text(f"{lines}\n{text}")
        assert jobs.dealers(jobs.load(tmp_path / f"{kind}.toml")) == ("notary",)


def test_the_joint_decision_is_explained_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, shown = TOML
    (tmp_path / "decision.toml").write_text(shown)
    monkeypatch.setattr(show, "out", Console(width=100))
    found = CliRunner().invoke(app, ["explain", str(tmp_path / "decision.toml")])
    assert found.exit_code == 0, found.output
    (told,) = re.findall(r"^\$ mpc explain decision.toml\n…\n(.*?)^```", README, re.DOTALL | re.M)
    said = [line.rstrip() for line in found.output.splitlines()]
    assert told.splitlines() == [line for line in said if line][-len(told.splitlines()) - 1 : -1]
