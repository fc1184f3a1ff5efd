# SPDX-License-Identifier: Apache-2.0
"""How much a holder answers to each peer: a rate, and a total that outlives the process.

    counter = CounterFile(Path("holder/evaluations.json"))
    with Gate(Limits(rate=20, burst=1000, total=100_000), counter) as gate:
        query.holder(channel, key, folder, name="blacklist", gate=gate)

One evaluation is one id that the peer may look up. A gate serves all channels of a process, from
any thread; several processes may share a counter's file. The bucket of the rate starts full when
the process does; the total does not start anew.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Protocol, Self

from mpc.errors import ConfigError, PolicyError
from mpc.primitives.whole_file import only_writer, replacing


@dataclass(frozen=True, slots=True)
class Limits:
    """For each peer: ``rate`` evaluations a second, ``burst`` at once, ``total`` ever."""

    rate: float
    burst: int
    total: int

    def __post_init__(self) -> None:
        if not (self.rate > 0 and math.isfinite(self.rate) and self.burst >= 1 and self.total >= 0):
            raise ConfigError(
                "limits are a rate above 0, a burst of 1 or more, a total of 0 or more"
            )


class Refused(PolicyError):
    """A holder does not evaluate. The channel is still good, and nothing was counted.

    ``limit`` is ``rate`` (ask again after ``retry_seconds``), ``burst`` (ask for ``allowed`` at a
    time), ``total`` (``allowed`` are left), or ``key`` (fetch the list again: the key is another).
    """

    def __init__(self, peer: str, limit: str, allowed: int, retry_seconds: float) -> None:
        hint = {
            "rate": f"try again in {retry_seconds:.3g} s",
            "burst": f"no more than {allowed} at once",
            "total": f"{allowed} evaluations are left",
            "key": "the key has been rotated; fetch the list again",
        }
        super().__init__(f"{peer}: the holder's limit {limit!r} stands against it: {hint[limit]}")
        self.peer = peer
        self.limit = limit
        self.allowed = allowed
        self.retry_seconds = retry_seconds


class Counter(Protocol):
    """Counts evaluations by peer, for good."""

    def take(self, peer: str, count: int, total: int) -> int | None:
        """Count ``count`` more. Where ``total`` would be exceeded, count nothing, and return how
        many are left; else None."""
        ...

    def close(self) -> None:
        """Write the exact counts."""
        ...


class CounterFile:
    """A small JSON file, replaced in one step.

    To keep the disk out of each query, ``reserve`` evaluations are counted in the file ahead of
    use; ``close`` gives back what was not used. A process that is killed has used them, and one
    that is forked begins without any, so a count is never too low. Raises ``ConfigError`` for a
    file that it did not write.
    """

    def __init__(self, path: Path, *, reserve: int = 1024) -> None:
        if reserve < 0:
            raise ConfigError(f"a reserve is at least 0, not {reserve}")
        self._path = path
        self._reserve = reserve
        self._held: dict[str, int] = {}
        self._process = os.getpid()
        self._lock = Lock()
        self._read()

    def take(self, peer: str, count: int, total: int) -> int | None:
        """See ``Counter``."""
        with self._lock:
            self._drop_the_parents()
            held = self._held.get(peer, 0)
            if held < count and (left := self._claim(peer, count - held, total)) is not None:
                return held + left
            self._held[peer] = self._held.get(peer, 0) - count
            return None

    def used(self, peer: str) -> int:
        """What the file counts for ``peer``, reserves included."""
        return self._read().get(peer, 0)

    def close(self) -> None:
        """See ``Counter``. It can be used again afterwards."""
        with self._lock:
            self._drop_the_parents()
            unused = {peer: held for peer, held in self._held.items() if held}
            self._held.clear()
            if unused:
                with self._writing():
                    counts = self._read()
                    for peer, held in unused.items():
                        counts[peer] = max(0, counts.get(peer, 0) - held)
                    self._write(counts)

    def _drop_the_parents(self) -> None:
        """What was held when this process was forked is its parent's."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._held.clear()

    def _claim(self, peer: str, count: int, total: int) -> int | None:
        with self._writing():
            counts = self._read()
            left = max(0, total - counts.get(peer, 0))
            if left < count:
                return left
            claimed = min(left, max(count, self._reserve))
            counts[peer] = counts.get(peer, 0) + claimed
            self._write(counts)
        self._held[peer] = self._held.get(peer, 0) + claimed
        return None

    def _writing(self) -> AbstractContextManager[None]:
        return only_writer(self._path.with_name(f".{self._path.name}.lock"), wait=True)

    def _read(self) -> dict[str, int]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read the counts in {self._path}: {error}") from None
        counts = found.get("evaluations") if isinstance(found, dict) else None
        if not isinstance(counts, dict) or not all(
            type(count) is int and count >= 0 for count in counts.values()
        ):
            raise ConfigError(f"{self._path} does not hold counts of evaluations")
        return counts

    def _write(self, counts: dict[str, int]) -> None:
        with replacing(self._path) as file:
            file.write(json.dumps({"evaluations": counts}, indent=1).encode())


class Gate:
    """Admits evaluations within the limits. As a context it closes its counter in the end."""

    def __init__(
        self, limits: Limits, counter: Counter, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._counter = counter
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._counter.close()

    def admit(self, peer: str, count: int) -> None:
        """Count ``count`` evaluations for ``peer``, or raise ``Refused`` and count nothing."""
        limits = self._limits
        if count > limits.burst:
            raise Refused(peer, "burst", limits.burst, 0.0)
        with self._lock:
            now = self._clock()
            level, then = self._levels.get(peer, (float(limits.burst), now))
            level = min(limits.burst, level + (now - then) * limits.rate)
            if level < count:
                raise Refused(peer, "rate", int(level), (count - level) / limits.rate)
            left = self._counter.take(peer, count, limits.total)
            if left is not None:
                raise Refused(peer, "total", left, 0.0)
            self._levels[peer] = level - count, now
