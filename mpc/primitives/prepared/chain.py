# SPDX-License-Identifier: Apache-2.0
"""A prepared list as it is looked up: a base and the deltas that follow it, newest last.

The newest file that mentions a tag decides. Versions rise by one from file to file, and each header
holds the identity of the one before: a base with the deltas of another, a delta left out, or two
files of one version are ``ListStale``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError
from mpc.primitives.prepared import labels
from mpc.primitives.prepared.faults import ListStale
from mpc.primitives.prepared.header import Header, Kind
from mpc.primitives.prepared.keys import Pin
from mpc.primitives.prepared.segment import Segment, open_segment

DELTAS = 32
"""How many deltas a base has at most: they are searched one by one."""

_FEW = 8  # below it, entries are looked up one by one

_NAME = re.compile(r"\d{20}\.(base|delta)")

Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PreparedList:
    """A list in one version. It stays that version when its folder changes."""

    segments: tuple[Segment, ...]

    @property
    def newest(self) -> Header:
        """The header of the last file: its version and public key are the list's."""
        return self.segments[-1].header

    @property
    def version(self) -> int:
        """Rises with every change of the list."""
        return self.newest.version

    def __len__(self) -> int:
        return self.newest.total

    def __repr__(self) -> str:
        return f"PreparedList({self.newest.name!r}, version {self.version}, {len(self)} entries)"

    def false_positives(self, queries: int = 1) -> float:
        """A bound on the probability that any of ``queries`` ids that are not on the list is taken
        to be, over the key and the hashes: the sum over all files, for every query.

        An id on the list is missed with less: the chance of the entries removed in later files.
        """
        return queries * sum(segment.added.chance for segment in self.segments)

    def find(self, tags: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each tag the number of the segment and the row in it that holds it, or -1 twice."""
        where = np.full((2, len(tags)), -1, np.int64)
        left = np.arange(len(tags))
        for number in range(len(self.segments) - 1, -1, -1):
            segment = self.segments[number]
            rows = segment.added.positions(tags[left])
            found = rows >= 0
            where[0, left[found]], where[1, left[found]] = number, rows[found]
            left = left[~found]
            if len(segment.removed):
                left = left[segment.removed.positions(tags[left]) < 0]
        return where[0], where[1]

    def look_up(self, outputs: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], list[bytes | None]]:
        """Which entries with these OPRF outputs (n, 64) are listed, and their labels.

        Raises ``ListCorrupt`` when an entry's label does not open.
        """
        if len(outputs) < _FEW:
            found = [self._look_up_one(output.tobytes()) for output in outputs]
            return np.array([hit for hit, _ in found], np.bool_), [label for _, label in found]
        name = self.newest.name
        segment, row = self.find(labels.tags(outputs, name))
        listed = segment >= 0
        opened: list[bytes | None] = [None] * len(outputs)
        if self.newest.room:
            for number in {*segment[listed].tolist()}:
                asked = np.flatnonzero(segment == number)
                sealed = self.segments[number].sealed[row[asked]]
                clear = labels.unseal(labels.keys(outputs[asked], name), sealed, name)
                for at, label in zip(asked.tolist(), clear, strict=True):
                    opened[at] = label
        return listed, opened

    def _look_up_one(self, output: bytes) -> tuple[bool, bytes | None]:
        name = self.newest.name
        tag = labels.tag_of(output, name)
        for segment in reversed(self.segments):
            if (row := segment.added.position(tag)) >= 0:
                sealed = segment.sealed[row].tobytes()
                return True, labels.unseal_one(output, sealed, name) if sealed else None
            if segment.removed.position(tag) >= 0:
                break
        return False, None


def open_list(folder: Path, pin: Pin, *, at_least: int = 0) -> PreparedList:
    """The newest list in ``folder``, of which every file is checked (see ``open_segment``).

    ``at_least`` is a version seen before. Raises ``ConfigError`` when there is no list, and
    ``ListStale`` when the files do not follow each other or the list is older.
    """
    names, segments = _opened(folder, pin)
    check_chain([segment.header for segment in segments])
    if segments[-1].header.version < at_least:
        raise ListStale(
            f"version {segments[-1].header.version} is older than {at_least}, seen before"
        )
    for name, segment in zip(names, segments, strict=True):
        if segment.header.file_name != name:
            raise ListStale(f"{name} holds what belongs into {segment.header.file_name}")
    return PreparedList(segments)


def _opened(folder: Path, pin: Pin) -> tuple[list[str], tuple[Segment, ...]]:
    while True:
        names = segment_names(folder)
        if not names:
            raise ConfigError(f"there is no prepared list in {folder}")
        try:
            return names, tuple(open_segment(folder / name, pin) for name in names)
        except ConfigError:
            # A writer may have replaced the files since they were listed.
            if segment_names(folder) == names:
                raise


def segment_names(folder: Path) -> list[str]:
    """The newest base in ``folder`` and what came after it, by name."""
    # A base that was written over deltas is newer than all of them.
    ordered = sorted(_names(folder))
    bases = [place for place, name in enumerate(ordered) if name.endswith(".base")]
    return ordered[bases[-1] :] if bases else ordered


def newest_version(folder: Path) -> int:
    """The version of the newest file in ``folder``, by its name; 0 when there is none."""
    newest = max(_names(folder), default="0.")
    return int(newest[: newest.index(".")])


def _names(folder: Path) -> list[str]:
    """Of all bases and deltas, which sort by version."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        return [entry.name for entry in entries if _NAME.fullmatch(entry.name)]
    return []


def check_chain(headers: Sequence[Header]) -> None:
    """Raise ``ListStale`` unless these are a base and its deltas, in order, none left out."""
    base = headers[0]
    if base.kind is not Kind.BASE or len(headers) > 1 + DELTAS:
        raise ListStale(f"a list is a base and up to {DELTAS} deltas")
    for before, after in pairwise(headers):
        place = after.kind, after.version, after.base, after.follows
        if place != (Kind.DELTA, before.version + 1, base.version, before.identity):
            raise ListStale(
                f"version {after.version} does not follow this version {before.version}"
            )
        if (after.public_key, after.room) != (base.public_key, base.room):
            raise ListStale(
                f"version {after.version} has another key or other labels than its base"
            )
