# SPDX-License-Identifier: Apache-2.0
"""``--peers``: public libraries beside ours, each from PyPI in an environment of its own.

A peer is asked for the figures of this run that it has an answer to, in a process of its own after
ours, on numbers and ids made by the same rule. Its script stands in ``peer_scripts``. What does not
install here is left out, and the reason is said.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..record import Record

_SCRIPTS = Path(__file__).resolve().parent / "peer_scripts"
_INSTALL_SECONDS, _SECONDS = 900.0, 900.0


@dataclass(frozen=True, slots=True)
class Peer:
    """``packages`` of exact versions, and what it can be asked: the beginnings of benchmarks."""

    name: str
    packages: tuple[str, ...]
    script: str
    subjects: tuple[str, ...]


PEERS = (
    # phe and MPyC take gmpy2 where it is there, and are many times slower without.
    Peer("phe", ("phe==1.5.0", "gmpy2>=2.2"), "with_phe.py", ("paillier.",)),
    Peer("python-flint", ("python-flint==0.9.0",), "with_flint.py", ("kernels.",)),
    Peer("mpyc", ("mpyc==0.11", "numpy", "gmpy2>=2.2"), "with_mpyc.py", ("computing.",)),
    Peer("openmined-psi", ("openmined-psi==2.0.6",), "with_openmined.py", ("psi.wall",)),
    Peer("spu", ("spu==0.9.5",), "with_spu.py", ("psi.wall",)),
    Peer("spu", ("spu==0.9.5",), "with_spu_shares.py", ("computing.", "scoring.")),
)
NOT_MEASURED = {
    "crypten": "0.4.1, its last release, needs the package sklearn, which no longer installs",
}


def beside(records: Sequence[Record], folder: Path | None = None) -> tuple[list[Record], list[str]]:
    """``records`` with the ratios to peers in them, and the notes on what was left out."""
    notes = [f"{name} left out: {why}" for name, why in NOT_MEASURED.items()]
    for peer in PEERS:
        asked = [r for r in records if r.benchmark.startswith(peer.subjects) and _unshaped(r)]
        if not asked:
            continue
        print(f"{peer.name} ...", file=sys.stderr, flush=True)
        try:
            answers = _answers(peer, asked, folder or _cache())
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            notes.append(f"{peer.name} left out: {_reason(error)}")
            continue
        records = [_with(record, peer.name, answers) for record in records]
    return list(records), notes


def _answers(peer: Peer, records: Sequence[Record], folder: Path) -> list[dict[str, Any]]:
    questions = {_key(r.benchmark, r.params): _question(r) for r in records}
    done = subprocess.run(
        [str(_python(peer, folder)), str(_SCRIPTS / peer.script)],
        input=json.dumps(list(questions.values())),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=True,
    )
    answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answers


# Of ours, and not of the work: a peer is asked once for what differs only in these.
_OURS = {"cores", "kernels", "link"}
_UNSHAPED = {"tls", "plain"}


def _unshaped(record: Record) -> bool:
    """Whether its link is loopback as it is: that is what peers talk over."""
    return record.params.get("link", "tls") in _UNSHAPED


def _question(record: Record) -> dict[str, Any]:
    params = {name: value for name, value in record.params.items() if name not in _OURS}
    return {"benchmark": record.benchmark, "params": params}


def _key(benchmark: str, params: Mapping[str, Any]) -> str:
    left = {name: value for name, value in params.items() if name not in _OURS}
    return json.dumps([benchmark, left], sort_keys=True, default=str)


def _with(record: Record, peer: str, answers: Sequence[Mapping[str, Any]]) -> Record:
    """With ours over theirs, if the peer measured the same in the same unit, and right."""
    for answer in answers if _unshaped(record) else ():
        same = _key(answer["benchmark"], answer["params"]) == _key(record.benchmark, record.params)
        if same and answer["unit"] == record.unit and answer["checked"]:
            ratio = record.median / answer["median"]
            return replace(record, peers={**(record.peers or {}), peer: ratio})
    return record


def _python(peer: Peer, folder: Path) -> Path:
    """The interpreter of the peer's environment, which is made when it is not there."""
    home = folder / f"{peer.name}-{sys.version_info[0]}.{sys.version_info[1]}"
    python, stamp = home / "bin" / "python", home / "installed"
    wanted = "\n".join(peer.packages)
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(home, with_pip=bool(peer.packages), clear=True)
        install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        if peer.packages:
            subprocess.run(
                [str(python), *install, *peer.packages],
                capture_output=True,
                text=True,
                timeout=_INSTALL_SECONDS,
                check=True,
            )
        stamp.write_text(wanted)
    return python


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "mpc-bench")


def _reason(error: Exception) -> str:
    """The last words of what failed."""
    said = getattr(error, "stderr", None) or ""
    lines = (said if isinstance(said, str) else said.decode()).strip().splitlines()
    return lines[-1] if lines else f"{type(error).__name__}: {error}"
