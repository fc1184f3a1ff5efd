# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks [NAME] [options] [--json FILE]``: one benchmark, or all of them."""

from __future__ import annotations

import argparse
import ast
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import benchmarks
from benchmarks.record import Record, show, write_json

_NOT_BENCHMARKS = {"record", "parties"}


def names() -> list[str]:
    """Every benchmark there is."""
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(n for n in found if n not in _NOT_BENCHMARKS and not n.startswith("_"))


def main(arguments: Sequence[str]) -> None:
    """Run what the command line asks for."""
    if arguments and arguments[0] in names():
        module = importlib.import_module(f"benchmarks.{arguments[0]}")
        options = _parser(module).parse_args(arguments[1:])
        records = module.run(options)
    else:
        parser = argparse.ArgumentParser(
            prog="python -m benchmarks",
            description="Run one benchmark, or without a name all of them with their defaults.",
        )
        choices = ["list", *names()]
        parser.add_argument("name", nargs="?", choices=choices, help="NAME --help has its options")
        _add_json(parser)
        options = parser.parse_args(arguments)
        if options.name == "list":
            _list()
            return
        records = _run_all()
    show(records)
    if options.json is not None:
        write_json(records, options.json)


def _run_all() -> list[Record]:
    records: list[Record] = []
    for name in names():
        print(f"running {name}", file=sys.stderr)
        module = importlib.import_module(f"benchmarks.{name}")
        records += module.run(_parser(module).parse_args([]))
    return records


def _list() -> None:
    """Names and summaries, without importing: each benchmark has needs of its own."""
    for name in names():
        source = Path(benchmarks.__path__[0], f"{name}.py").read_text(encoding="utf-8")
        print(f"{name:16} {(ast.get_docstring(ast.parse(source)) or '').splitlines()[0]}")


def _parser(module: ModuleType) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {module.__name__.replace('.', ' ')}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    _add_json(parser)
    return parser


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the records there")


if __name__ == "__main__":
    main(sys.argv[1:])
