# SPDX-License-Identifier: Apache-2.0
"""The command line: one benchmark with its own options, or ``run``, ``check`` and the others."""

from __future__ import annotations

import argparse
import os
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mpc.errors import ConfigError
from mpc.kernels import BACKENDS

from .._options import whole
from ..record import Record, show, write_json
from . import catalog, peers, profile, scaling, timing
from .catalog import Unusable
from .isolated import Setting, run_each

_BASELINE = catalog.FOLDER / "baseline.json"


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; the exit code, 2 where that is our fault."""
    try:
        if arguments and arguments[0] in catalog.names():
            return _one(arguments[0], arguments[1:])
        options = _parser(arguments).parse_args(arguments)
        return int(options.action(options))
    except (Unusable, ConfigError) as why:
        print(why, file=sys.stderr)
        return 2


def _one(name: str, arguments: Sequence[str]) -> int:
    """A benchmark in this process, with options of its own."""
    module = catalog.load(name)
    options = catalog.parse(name, module, arguments)
    _can_be_written(options.json)
    with (
        catalog.extras(name),
        profile.collected(name, wanted=options.profile) as more,
        timing.spending(options.seconds),
    ):
        records: list[Record] = module.run(options)
    more += [c.record() for c in scaling.curves(records, getattr(module, "GROWS_WITH", ()))]
    peak = _peak_mb()
    records = [
        replace(record, peak_rss_mb=peak) if record.peak_rss_mb is None else record
        for record in records
    ]
    return _finish([*records, *more], options)


def _peak_mb() -> float:
    """Megabytes resident at most, of this process or of one that it waited for."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(each).ru_maxrss for each in who) / 1024


def _finish(records: Sequence[Record], options: argparse.Namespace) -> int:
    """Show and write ``records``; 1 when a result was not the right answer."""
    show(records)
    if options.profile:
        profile.show(records)
    _write(records, options.json)
    return int(not all(record.checked for record in records))


def _write(records: Sequence[Record], file: Path | None) -> None:
    """What was measured goes to ``file``, if one is asked for."""
    if file is not None:
        with _written(file):
            write_json(records, file)


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Unusable where ``path`` does not take what is written, such as on a full disk."""
    try:
        yield
    except OSError as error:
        raise Unusable(f"cannot write {path}: {error.strerror}") from None


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=catalog.PROGRAM,
        description="Measure the library beside its floors and its peers.",
        epilog=f"One benchmark with options of its own: {catalog.PROGRAM} NAME --help.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    listing = commands.add_parser("list", help="name the benchmarks")
    listing.set_defaults(action=_list)
    running = commands.add_parser("run", help="run benchmarks, each in a process of its own")
    _add_run(running)
    running.set_defaults(action=_run)
    for name, text, action in (
        ("check", "fail where a hot path got slower, in ratio to a floor", _check),
        ("baseline", "rewrite what check compares with", _baseline),
    ):
        judging = commands.add_parser(name, help=text)
        judging.add_argument("--backend", choices=BACKENDS, help="default: all there are here")
        judging.add_argument("--file", type=Path, default=_BASELINE, help="default: %(default)s")
        judging.set_defaults(action=action)
    reporting = commands.add_parser("report", help="run, and write a page with pictures")
    _add_run(reporting)
    reporting.add_argument(
        "--output", type=Path, default=Path("mpc-bench"), help="folder; default: %(default)s"
    )
    reporting.add_argument(
        "--from", dest="source", type=Path, metavar="FOLDER", help="of a report; measure nothing"
    )
    reporting.add_argument(
        "--readme", type=Path, metavar="FILE", help="refresh its table and its two pictures too"
    )
    reporting.set_defaults(action=_report)
    if arguments and not arguments[0].startswith("-") and arguments[0] not in commands.choices:
        known = f"{', '.join(commands.choices)}; `{catalog.PROGRAM} list` names the benchmarks"
        raise Unusable(f"no command or benchmark {arguments[0]!r}: commands are {known}")
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; all when none is named")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small sizes and few repeats")
    size.add_argument("--sweep", action="store_true", help="a range of sizes, with fitted slopes")
    parser.add_argument("--backend", choices=BACKENDS, help="default: the best here")
    parser.add_argument(
        "--cores", type=whole, metavar="N", help="threads of a process; default: all"
    )
    parser.add_argument("--peers", action="store_true", help="beside public libraries from PyPI")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the records there")
    parser.add_argument("--profile", action="store_true", help="show the time of each stage")


def _list(_options: argparse.Namespace) -> int:
    for name in catalog.names():
        print(f"{name:16} {catalog.summary(name)}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from . import check

    _is_there(options.file)
    return check.check(options.backend, file=options.file)


def _baseline(options: argparse.Namespace) -> int:
    from . import check

    _can_be_written(options.file)
    return check.baseline(options.backend, file=options.file)


def _run(options: argparse.Namespace) -> int:
    records, notes = _measured(options, lambda _records: None)
    code = _finish(records, options)
    for note in notes:
        print(note)
    return int(any(" failed: " in note for note in notes)) or code


def _can_be_written(file: Path | None) -> None:
    """End the program before it measures for what it could not write."""
    if file is None:
        return
    folder = file.absolute().parent
    if file.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise Unusable(f"{file} cannot be written")


def _can_be_made(folder: Path) -> None:
    """The same for a folder, which may be new, and those above it too."""
    whole = folder.absolute()
    there = next(above for above in (whole, *whole.parents) if above.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise Unusable(f"the folder {folder} cannot be written")


def _is_there(file: Path) -> None:
    if not file.is_file():
        raise Unusable(f"there is no {file}")


def _measured(
    options: argparse.Namespace, keep: Callable[[list[Record]], None]
) -> tuple[list[Record], list[str]]:
    """What the benchmarks that are asked for found, and notes on what is missing. What there is
    after each goes to ``keep``, and to the file that is asked for."""

    def write(records: list[Record]) -> None:
        keep(records)
        _write(records, options.json)

    _can_be_written(options.json)
    if unknown := sorted(set(options.names) - set(catalog.names())):
        raise Unusable(f"no benchmark {unknown[0]!r}: choose from {', '.join(catalog.names())}")
    size = next((which for which in catalog.SIZES if getattr(options, which)), None)
    setting = Setting(size, options.backend, options.cores, options.profile)
    records, failed = run_each(options.names or catalog.default_names(), setting, write)
    notes = [f"{name} failed: {why}" for name, why in failed.items()]
    if options.peers:
        records, more = peers.beside(records)
        notes += more
    return records, notes


def _report(options: argparse.Namespace) -> int:
    with catalog.extras("a report"):
        from . import machine, readme, report

    _can_be_written(options.json)
    _can_be_made(options.output)
    if options.readme is not None:
        _is_there(options.readme)
        readme.text_with_place(options.readme)
    if options.source is not None:
        _is_there(options.source / "machine.json")
        records, facts = report.read(options.source)
        notes: list[str] = []
    else:
        facts = machine.facts()

        def keep(found: list[Record]) -> None:
            with _written(options.output):
                report.keep(options.output, found, facts)

        records, notes = _measured(options, keep)
        facts = machine.facts()
        if notes:
            facts["not measured"] = "; ".join(notes)
    with _written(options.output):
        print(report.write(options.output, records, facts))
    _write(records, options.json)
    if options.readme is not None:
        readme.refresh(options.readme, records, facts)
    for note in notes:
        print(note)
    return int(any(" failed: " in n for n in notes) or not all(r.checked for r in records))
