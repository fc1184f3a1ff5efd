# SPDX-License-Identifier: Apache-2.0
"""Several party processes of one job, started together and ended together."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from mpc.errors import ConfigError, MpcError
from mpc.primitives.rng import SYSTEM, below

# Linux gives out ports from 32768 on, most other systems from 49152 on.
PORTS = range(10_000, 20_000)
POLL_SECONDS = 0.02
GRACE_SECONDS = 1.0  # for the others to say that they were told, after one has failed
STOP_SECONDS = 5.0  # for a process to tell its peers and end, before it is killed


class PartyFailed(MpcError):
    """A party process of ours ended with an error; the message is its own last line."""


def free_ports(count: int, among: Iterable[int] | None = None) -> list[int]:
    """Ports on loopback that nobody listens on now: the first ``among`` those given.

    Else they are of ``PORTS``, which the system gives to nobody that asks for any port, so they
    stay free until the parties listen, as far as other programs do not want these.
    """
    found: list[int] = []
    with ExitStack() as stack:
        for port in _shifted(PORTS) if among is None else among:
            if len(found) == count:
                break
            sock = stack.enter_context(socket.socket())
            with suppress(OSError):
                sock.bind(("127.0.0.1", port))
                found.append(port)
    if len(found) < count:
        raise ConfigError(
            f"{count} free ports are needed on 127.0.0.1, and {len(found)} were found"
        )
    return found


def _shifted(ports: range) -> Iterator[int]:
    """All of them, from anywhere, as others may look for some at the same time."""
    (start,) = below(SYSTEM, len(ports), 1)
    return chain(ports[start:], ports[:start])


@dataclass(slots=True)
class _Party:
    """A running ``mpc`` command and the threads that read what it prints."""

    name: str
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    readers: list[threading.Thread] = field(default_factory=list)


def play(
    commands: Mapping[str, Sequence[str]], on_line: Callable[[str, str], None]
) -> dict[str, Any]:
    """Run one ``mpc`` command for each party; return the JSON each prints.

    ``on_line(party, line)`` gets each line of a party's standard error as it comes. Raises
    ``PartyFailed`` when one ends with an error. Whatever happens, Ctrl-C included, no process is
    left when this returns.
    """
    parties: list[_Party] = []
    try:
        for name, arguments in commands.items():
            parties.append(_start(name, arguments, on_line))
        failed = _await(parties)
    finally:
        _stop(parties)
    if failed:
        # The one who noticed first says why; the others say that they were told.
        failed.sort(key=lambda party: any("aborted the job" in line for line in party.said))
        reason = failed[0].said[-1] if failed[0].said else "it said nothing"
        code = failed[0].process.returncode
        raise PartyFailed(f"the process of {failed[0].name} ended with code {code}: {reason}")
    return {party.name: json.loads(party.lines[-1]) for party in parties}


def _start(name: str, arguments: Sequence[str], on_line: Callable[[str, str], None]) -> _Party:
    process = subprocess.Popen(
        [sys.executable, "-m", "mpc", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    party = _Party(name, process)

    def read_errors() -> None:
        for line in process.stderr or ():
            if line.strip():
                party.said.append(line.strip())
                on_line(name, line.strip())

    def read_output() -> None:
        party.lines.extend(process.stdout or ())

    for target in (read_errors, read_output):
        thread = threading.Thread(target=target, daemon=True)
        thread.start()
        party.readers.append(thread)
    return party


def _await(parties: Sequence[_Party]) -> list[_Party]:
    """Return when all have ended, or a moment after the first that failed; those that failed."""
    running = list(parties)
    while running:
        time.sleep(POLL_SECONDS)
        if any(party.process.returncode for party in parties):
            time.sleep(GRACE_SECONDS)
            break
        running = [party for party in running if party.process.poll() is None]
    return [party for party in parties if party.process.poll()]


def _stop(parties: Sequence[_Party]) -> None:
    for party in parties:
        if party.process.poll() is None:
            party.process.terminate()
    for party in parties:
        try:
            party.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            party.process.kill()
            party.process.wait()
        for reader in party.readers:
            reader.join()
        for stream in (party.process.stdout, party.process.stderr):
            if stream is not None:
                stream.close()
