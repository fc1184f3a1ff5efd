# SPDX-License-Identifier: Apache-2.0
"""What the command prints: results on standard output, progress and faults on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from mpc.errors import ConfigError

if TYPE_CHECKING:
    from mpc.party.jobs import Job
    from mpc.party.runs import Report


@contextmanager
def _written() -> Iterator[None]:
    """ConfigError where standard output does not take what is printed, such as on a full disk."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever reads has had enough
    except OSError as error:
        # What is still buffered must not fail once more when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ConfigError(f"cannot write the output: {error.strerror}") from None


class _Output(Console):
    """Standard output."""

    def print(self, *objects: Any, **options: Any) -> None:
        with _written():
            super().print(*objects, **options)


# Where there is no terminal to measure, tables get room enough not to break every word. Without
# emoji: rich makes one of :CD: in a fingerprint, and of the like in a path or a name.
out = _Output(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 100)
err = Console(stderr=True, highlight=False, emoji=False)


def as_json(data: Any) -> None:
    """One line of JSON on standard output, for machines."""
    with _written():
        print(json.dumps(data, ensure_ascii=False, default=str), flush=True)


def fault(error: BaseException) -> None:
    """One line: the class of the error, its message, and what was noted beside it."""
    said = "; ".join((str(error), *getattr(error, "__notes__", ())))
    said = "".join(c if c.isprintable() else " " for c in said)  # what others named may be in it
    err.print(f"[bold red]{type(error).__name__}[/]: {escape(said)}", soft_wrap=True)


def amount(count: int) -> str:
    """A number of bytes, as people read it: ``1.2 MB``."""
    size, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} {units[0]}" if units[0] == "B" else f"{size:.1f} {units[0]}"


@contextmanager
def stages(title: str) -> Iterator[Callable[[str], None]]:
    """Show the stage a job is in: a spinner and a clock on a terminal, plain lines elsewhere."""
    if not err.is_terminal:
        yield lambda text: err.print(f"{title}: {escape(text)}", soft_wrap=True)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(title)
        yield lambda text: progress.update(task, description=f"{title}: {escape(text)}")


NARROW = 80
"""Columns of a terminal below which a table of sentences would break its words."""


def listing(
    headers: Sequence[str], rows: Iterable[Sequence[str]], *, to: Console = out, title: str = ""
) -> None:
    """Rows of markup in a table; where that is too narrow, each below the other, with its names."""
    if to.width >= NARROW:
        shown = table(*headers, title=title or None)
        for row in rows:
            shown.add_row(*row)
        to.print(shown)
        return
    to.print(f"[bold]{title}[/]\n" if title else "")
    names = [header.rstrip(">") for header in headers[1:]]
    for first, *others in rows:
        to.print(f"  [bold]{first}[/]")
        entry = Table.grid(padding=(0, 2, 0, 0))
        entry.add_column(no_wrap=True)
        entry.add_column(overflow="fold")
        for name, words in zip(names, others, strict=True):
            entry.add_row(f"[dim]{name}[/]", words)
        to.print(Padding(entry, (0, 0, 1, 4)))


def _line(text: str, to: Console) -> None:
    """Two spaces in; broken between words on a terminal, and whole elsewhere."""
    if to.is_terminal:
        to.print(Padding(escape(text), (0, 0, 0, 2)))
    else:
        to.print(f"  {escape(text)}", soft_wrap=True)


def table(*headers: str, title: str | None = None) -> Table:
    """An empty table in the house's looks; headers that end in ``>`` are aligned to the right."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
    for header in headers:
        right = header.endswith(">")
        made.add_column(header.rstrip(">"), justify="right" if right else "left", overflow="fold")
    return made


def explanation(job: Job, *, json_lines: bool = False, to: Console = out) -> None:
    """What each party of a job gives, comes to know, and never comes to know."""
    rows = {
        name: {"gives": job.gives(name), "learns": job.learns(name), "never": job.never(name)}
        for name in job.parties
    }
    if json_lines:
        whole = {"kind": job.kind, "session": job.session, "terms": job.terms(), "parties": rows}
        as_json(whole)
        return
    text = f"a {job.kind} job, session {job.session}, between {', '.join(job.parties)}"
    to.print(f"[bold]{escape(text[:1].upper() + text[1:])}[/]", soft_wrap=not to.is_terminal)
    for line in job.terms():
        _line(line, to)
    said = [(name, *map(escape, row.values())) for name, row in rows.items()]
    listing(("party", "gives", "comes to know", "never comes to know"), said, to=to)
    to.print("The job file alone says this, and all parties compare it before anything is sent.")


def report(done: Report, *, json_lines: bool) -> None:
    """What one party put in, learnt and sent."""
    if json_lines:
        as_json(asdict(done))
        return
    out.print(f"[bold]{done.kind}[/] as {escape(done.party)}: done in {done.seconds:.1f} s")
    out.print(f"  put in   {escape(done.gave)}")
    out.print(f"  learnt   {escape(done.learnt)}")
    for line in done.findings:
        out.print(f"           {escape(line)}")
    if done.output:
        out.print(f"  written  {escape(done.output)}", soft_wrap=True)
    rows = table("peer", "sent>", "received>", "messages>", "rounds>")
    for peer, count in done.traffic.items():
        rows.add_row(
            peer,
            amount(count.sent_bytes),
            amount(count.received_bytes),
            f"{count.messages:,}",
            f"{count.rounds:,}",
        )
    out.print(rows)
