# SPDX-License-Identifier: Apache-2.0
"""Which benchmarks there are, and the options of each."""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import pkgutil
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from .._options import seconds

PACKAGE = __package__.rpartition(".")[0]  # benchmarks, or mpc.benchmarks in an installed wheel
FOLDER = Path(__file__).resolve().parent.parent
_ROOT = FOLDER.parents[PACKAGE.count(".")]
PROGRAM = "mpc bench" if PACKAGE.startswith("mpc.") else f"python -m {PACKAGE}"
SIZES = ("quick", "sweep")
SPENT = {"quick": 0.0, "sweep": 0.3, None: 1.0}
"""By size, the seconds for which a measurement that spreads widely goes on, beyond its repeats."""
_NEEDS = "pip install 'mpc-parties[bench]'"
_NOT_BENCHMARKS = {"record", "parties"}
# A statistical test that wants a quiet machine and says nothing of speed: by its name only.
_ON_DEMAND = {"constant_time"}


def started(*arguments: str, **variables: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment of another process of the suite, or of ``-m`` its module.

    It finds the suite where this process has it, and not in the working directory.
    """
    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, **variables}
    return [sys.executable, "-P", "-m", *arguments], environment


def names() -> list[str]:
    """Every benchmark there is."""
    found = (m.name for m in pkgutil.iter_modules([str(FOLDER)]) if not m.ispkg)
    return sorted(n for n in found if n not in _NOT_BENCHMARKS and not n.startswith("_"))


def default_names() -> list[str]:
    """Those that run when none is named."""
    return [name for name in names() if name not in _ON_DEMAND]


class Unusable(Exception):
    """What is asked for cannot be done here, as the message says; nothing was measured."""


def load(name: str) -> ModuleType:
    """The module of a benchmark."""
    return importlib.import_module(f"{PACKAGE}.{name}")


@contextmanager
def extras(what: str) -> Iterator[None]:
    """Unusable where ``what`` needs a package that is not here."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in ("mpc", "benchmarks"):
            raise
        raise Unusable(f"{what} needs {error.name}: {_NEEDS}") from None


def summary(name: str) -> str:
    """The first line of its docstring, without importing: each benchmark has needs of its own."""
    source = FOLDER.joinpath(f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]


def parse(name: str, module: ModuleType, arguments: Sequence[str]) -> argparse.Namespace:
    """A benchmark's options, after those of the size that is asked for, and what all have."""
    program = f"{PROGRAM} {name}"
    common = argparse.ArgumentParser(program, add_help=False)
    size = common.add_mutually_exclusive_group()
    for which in SIZES:
        text = "small sizes, few repeats" if which == "quick" else "a range of sizes"
        size.add_argument(f"--{which}", action="store_true", help=text)
    common.add_argument(
        "--seconds",
        type=seconds,
        help="go on measuring what spreads widely until so long after it began; "
        "default: " + ", ".join(f"{s:g}{f' with --{n}' if n else ''}" for n, s in SPENT.items()),
    )
    common.add_argument("--json", type=Path, metavar="FILE", help="write the records there")
    common.add_argument("--profile", action="store_true", help="show the time of each stage")
    parser = argparse.ArgumentParser(
        prog=program,
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
    )
    module.add_arguments(parser)
    asked, _ = common.parse_known_args(arguments)
    chosen = next((each for each in SIZES if getattr(asked, each)), None)
    preset = getattr(module, chosen.upper(), "") if chosen else ""
    options = parser.parse_args([*shlex.split(preset), *arguments])
    if options.seconds is None:
        options.seconds = SPENT[chosen]
    return options
