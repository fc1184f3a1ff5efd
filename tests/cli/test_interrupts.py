# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and outputs that cannot be written, wherever they meet the command: processes of its own.

A process interrupts itself at the moment that is tested, so no test depends on how fast it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mpc.apps import companies
from mpc.cli import demo

INTERRUPT = "import os, signal, sys\ndef interrupt(): os.kill(os.getpid(), signal.SIGINT)\n"
AT_IMPORT = """
class AtImport:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}: interrupt()
sys.meta_path.insert(0, AtImport())
"""
AT_READING = """
from mpc.apps import id_columns
whole = id_columns._Spool.batches
def batches(self):
    interrupt()
    yield from whole(self)
id_columns._Spool.batches = batches
"""
LIBRARY = """
from mpc.apps import tables
def ids(*_, **__):
    try: interrupt()
    except KeyboardInterrupt: raise {error} from None
tables.Table.ids = ids
"""
AT_A_CALL_BACK = """
import ctypes, time
from mpc.apps import tables
def call_back():
    {raised}
def ids(*_, **__):
    ctypes.CFUNCTYPE(None)(call_back)()
    time.sleep(60)
tables.Table.ids = ids
"""
COMMAND = "from mpc.cli import main\nmain()"
SUITE = "import runpy\nrunpy.run_module('benchmarks', run_name='__main__', alter_sys=True)"


def run(code: str, *arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"{INTERRUPT}{code}", *arguments],
        check=False,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        **more,  # type: ignore[call-overload]
    )


def is_interrupted(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines()[-1] == "interrupted"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("module", ["mpc.cli.app", "typer", "mpc.cli.selftest", "gmpy2"])
def test_ctrl_c_while_the_command_loads(module: str) -> None:
    is_interrupted(run(AT_IMPORT.format(module=module) + COMMAND, "selftest"))


def test_little_is_loaded_before_ctrl_c_is_ours() -> None:
    code = (
        "import sys\nbefore = set(sys.modules)\nimport mpc.cli\nprint(*set(sys.modules) - before)"
    )
    done = run(code, stdout=subprocess.PIPE)
    loaded = set(done.stdout.split())
    assert "mpc.cli" in loaded
    assert not {"typing", "rich", "typer", "numpy", "dataclasses"} & loaded


@pytest.mark.parametrize("module", ["benchmarks.harness", "benchmarks.harness.catalog"])
def test_ctrl_c_while_the_benchmarks_load(module: str) -> None:
    is_interrupted(run(AT_IMPORT.format(module=module) + SUITE, "list"))


@pytest.mark.parametrize(
    "reading",
    [
        AT_READING,
        LIBRARY.format(error="RuntimeError('Query interrupted')"),
        LIBRARY.format(error="__import__('mpc').errors.DataError('Query interrupted')"),
    ],
)
def test_ctrl_c_while_a_table_is_read(tmp_path: Path, reading: str) -> None:
    demo.configure(tmp_path, companies.write_demo(tmp_path, 120, 3))
    party, job = tmp_path / "bank" / "party.toml", tmp_path / "blacklist.toml"
    done = run(reading + COMMAND, "blacklist", str(party), str(job))
    is_interrupted(done)
    said = ["blacklist as bank: reading its table", "interrupted"]
    assert done.stderr.splitlines()[-2:] == said


def test_ctrl_c_where_it_cannot_be_raised(tmp_path: Path) -> None:
    """As while LLVM compiles, which calls Python back: nothing is printed, and it is not lost.
    Another error there is shown."""
    demo.configure(tmp_path, companies.write_demo(tmp_path, 120, 3))
    arguments = [str(tmp_path / "bank" / "party.toml"), str(tmp_path / "blacklist.toml")]
    done = run(AT_A_CALL_BACK.format(raised="interrupt()") + COMMAND, "blacklist", *arguments)
    is_interrupted(done)
    said = ["blacklist as bank: reading its table", "interrupted"]
    assert done.stderr.splitlines()[-2:] == said
    assert "ignored" not in done.stderr
    other = "import threading; threading.Timer(1, interrupt).start(); raise KeyError('lost')"
    done = run(AT_A_CALL_BACK.format(raised=other) + COMMAND, "blacklist", *arguments)
    assert done.returncode == 130
    assert "Exception ignored on calling ctypes callback" in done.stderr
    assert "KeyError: 'lost'" in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("code", "asked"), [(COMMAND, "--help"), (COMMAND, "--version"), (SUITE, "list")]
)
def test_an_output_that_takes_no_help(code: str, asked: str, unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        done = run(code, asked, stdout=full, env=environment)
    assert done.returncode == 2
    assert done.stderr == "cannot write the output: No space left on device\n"
    reader, writer = os.pipe()
    os.close(reader)
    done = run(code, asked, stdout=writer, env=environment)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_that_are_closed(tmp_path: Path, closed: str) -> None:
    """And what is opened next does not come in their place, to be printed into."""
    file = tmp_path / "job.toml"
    file.write_text('kind = "blacklist"\nsession = "s"\nasker = "bank"\nholders = ["tax"]\n')
    opens = "import os, sys, mpc.cli\nmpc.cli.run(lambda: sys.exit(os.open('/', 0) <= 2))"
    for code, words, expected in (
        (COMMAND, f"explain {file}", 0),
        (COMMAND, "explain nowhere", 2),
        (COMMAND, "--version", 0),
        (opens, "", 0),
    ):
        shell = f'exec "$0" -c "$1" {words} {closed}'
        done = subprocess.run(["sh", "-c", shell, sys.executable, code], timeout=60, check=False)
        assert done.returncode == expected


@pytest.mark.parametrize("more", [[], ["--json"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_takes_nothing(tmp_path: Path, more: list[str], unbuffered: str) -> None:
    job = tmp_path / "job.toml"
    job.write_text('kind = "blacklist"\nsession = "s"\nasker = "bank"\nholders = ["tax"]\n')
    with Path("/dev/full").open("w") as full:
        environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
        done = run(COMMAND, "explain", str(job), *more, stdout=full, env=environment)
    assert done.returncode == 2
    assert done.stderr == "ConfigError: cannot write the output: No space left on device\n"
