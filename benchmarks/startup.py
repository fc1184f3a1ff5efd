# SPDX-License-Identifier: Apache-2.0
"""What a process waits for at first: `import mpc`, kernels compiled, kernels loaded.

Each measurement is a process of its own. ``startup.import`` is of ``import mpc``;
``startup.compile`` is first use on a machine that has compiled nothing, with an empty
``NUMBA_CACHE_DIR``, and ``startup.warm`` first use where that is done. First use is of all that
`paillier` has kernels for, at 2048 bits with the reading of a key and the check of its proof, or of
an intersection of 400 with 400 items by each protocol; imports are within, the start of Python is
not. ``.cpu`` is the process's CPU time, which other load disturbs least. Results are compared with
the right ones, and the floors are what each may take: 30 s, 1.5 s and 0.3 s.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache

from mpc.primitives import paillier

from ._first_use import WORK
from ._options import some_of, whole
from .harness import catalog
from .record import Record, middle

QUICK = "--parts import,warm --works paillier --repeat 1"
SWEEP = "--parts import,warm --repeat 3"  # compiling grows with nothing

_BOUNDS = {"import": 0.3, "compile": 30.0, "warm": 1.5}
_WORKS = tuple(work for work in WORK if work != "import")
_BITS = 2048
_SECONDS = 1200.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is measured, and how often."""
    parts = ",".join(_BOUNDS)
    parser.add_argument("--parts", type=some_of(*_BOUNDS), default=parts, help=f"of {parts}")
    works = ",".join(_WORKS)
    parser.add_argument("--works", type=some_of(*_WORKS), default=works, help="whose kernels")
    parser.add_argument("--repeat", type=whole, default=5, help="processes; one to compile")


def run(options: argparse.Namespace) -> list[Record]:
    """Measure the parts that are asked for."""
    parts, records = options.parts, []
    if "import" in parts:
        records += _records("import", {}, [_started("import") for _ in range(options.repeat)])
    for work in options.works:
        with tempfile.TemporaryDirectory(prefix="mpc-startup-") as empty:
            # The user's own cache, filled by one process that is not counted, serves for the other.
            where = {"NUMBA_CACHE_DIR": empty} if "compile" in parts else {}
            first = _started(work, **where) if {"compile", "warm"} & {*parts} else {}
            if "compile" in parts:
                records += _records("compile", {"work": work}, [first])
            if "warm" in parts:
                runs = [_started(work, **where) for _ in range(options.repeat)]
                records += _records("warm", {"work": work}, runs)
    return records


def _records(part: str, params: dict[str, str], runs: Sequence[dict[str, float]]) -> list[Record]:
    records = []
    for name in ("wall", "cpu"):
        median, spread = middle([run[name] for run in runs])
        records.append(
            Record(
                benchmark=f"startup.{part}{'' if name == 'wall' else '.cpu'}",
                params=params,
                unit="s",
                median=median,
                spread=spread,
                floor=(f"{_BOUNDS[part]} s", median / _BOUNDS[part]),
                checked=all(run["right"] for run in runs),
            )
        )
    return records


def _started(work: str, **variables: str) -> dict[str, float]:
    """What a process says of itself that did ``work``."""
    command, environment = catalog.started(f"{catalog.PACKAGE}._first_use", work, **variables)
    done = subprocess.run(
        command,
        env=environment,
        input=json.dumps(_key() if work == "paillier" else {}),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{work}: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


@cache
def _key() -> dict[str, str]:
    """A key for these measurements alone."""
    secret, public = paillier.keygen(_BITS)
    p, q = secret.reveal_primes()
    return {"public": public.to_bytes().hex(), "p": f"{p:x}", "q": f"{q:x}"}
