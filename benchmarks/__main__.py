# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks [NAME] [options] [--json FILE]``: one benchmark, or all of them."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import benchmarks
from benchmarks.record import Record, show, write_json

_NOT_BENCHMARKS = {"record"}


def names() -> list[str]:
    """Every benchmark there is."""
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return sorted(n for n in found if n not in _NOT_BENCHMARKS and not n.startswith("_"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    modules = {name: importlib.import_module(f"benchmarks.{name}") for name in names()}
    options = _parser(modules).parse_args(arguments)
    if options.name == "list":
        for name, module in modules.items():
            print(f"{name:16} {_summary(module)}")
        return
    chosen = modules if options.name is None else {options.name: modules[options.name]}
    records: list[Record] = []
    for module in chosen.values():
        if options.name is None:
            # Each benchmark with its own defaults.
            parser = argparse.ArgumentParser()
            module.add_arguments(parser)
            records += module.run(parser.parse_args([]))
        else:
            records += module.run(options)
    show(records)
    if options.json is not None:
        write_json(records, options.json)


def _parser(modules: dict[str, ModuleType]) -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", type=Path, metavar="FILE", help="write the records there")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Run one benchmark, or all of them with their defaults.",
        parents=[shared],
    )
    commands = parser.add_subparsers(dest="name", metavar="NAME")
    commands.add_parser("list", help="name the benchmarks")
    for name, module in modules.items():
        # SUPPRESS: a --json in front of the name is not overwritten by the default here.
        command = commands.add_parser(
            name,
            help=_summary(module),
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument(
            "--json", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="write them there"
        )
        module.add_arguments(command)
    return parser


def _summary(module: ModuleType) -> str:
    return (module.__doc__ or "").strip().splitlines()[0]


if __name__ == "__main__":
    main()
