# SPDX-License-Identifier: Apache-2.0
"""The holder's folder: a list is prepared once, then updated by what changed.

Beside every file of the list lies a ledger of its full tags, 16 bytes each, which is not sent: by
it deltas are merged into a new base without evaluating anything again. A ledger is written before
its file, and a file takes its place in one step, so a writer that is killed at any point leaves
the list as it was before or as it is afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.errors import ConfigError, DataError, KeyMismatch
from mpc.kernels import matching
from mpc.primitives import oprf
from mpc.primitives.items import Items
from mpc.primitives.prepared import labels as sealing
from mpc.primitives.prepared.chain import DELTAS, PreparedList, open_list, segment_names
from mpc.primitives.prepared.faults import ListCorrupt
from mpc.primitives.prepared.header import Header, Kind
from mpc.primitives.prepared.keys import HolderKey
from mpc.primitives.prepared.segment import Segment, write_segment
from mpc.primitives.prepared.tables import WIDTHS, bucket_bits, compress
from mpc.primitives.whole_file import only_writer, replacing, sweep

LOCK = ".lock"
_LEDGER = ".ledger"
_BLOCK = 1 << 14
_SECURITY_BITS = 40

Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Entries:
    """Tags (n, 2), ascending, and the sealed labels that go with them."""

    tags: Words
    sealed: Bytes

    @classmethod
    def ordered(cls, tags: Words, sealed: Bytes) -> _Entries:
        order = np.lexsort((tags[:, 1], tags[:, 0]))
        return cls(tags[order], sealed[order])


def row_width(queries: int) -> int:
    """Bytes of a row with which, whatever the deltas, none of ``queries`` ids that are not on the
    list is taken to be with probability above 2^-40.

    A query meets fewer than 32 rows of the base and less than one of each delta, on average: below
    2^6 in all. So 8 width is at least 40 + 6 + log2(queries).
    """
    if queries < 1:
        raise ConfigError(f"the number of expected queries is at least 1, not {queries}")
    bits = _SECURITY_BITS + 6 + (queries - 1).bit_length()
    width = -(-bits // 8)
    if width > WIDTHS[-1]:
        raise ConfigError(f"rows for {queries} queries would take more than {WIDTHS[-1]} bytes")
    return width


def prepare(
    folder: Path,
    key: HolderKey,
    name: str,
    items: Any,
    *,
    labels: Any = None,
    room: int = 0,
    queries: int = 1,
    clock: Clock = time.time,
) -> PreparedList:
    """Evaluate all ``items`` and write the base of a list, in a new folder or over an older list.

    ``labels`` are byte strings of at most ``room`` bytes, one for each item. ``queries`` is for how
    many queries together the rate of false positives of 2^-40 is to hold; up to 4 take rows of 6
    bytes, 1024 take 7, 2^18 take 8. Over an older list of the same name and signing key the version
    goes on, with this ``key``: so a key is rotated.

    Raises ``DataError`` for an item that occurs twice, and for labels that do not fit.
    """
    pin, width = key.pin(name), row_width(queries)
    held = Items.of(items)
    entries = _evaluated(key, name, held, _labels(labels, len(held), room), room)
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder / LOCK):
        old = open_list(folder, pin).newest if segment_names(folder) else None
        header = _header(
            key,
            name,
            kind=Kind.BASE,
            version=old.version + 1 if old else 1,
            issued=int(clock()),
            total=len(held),
            width=width,
            room=room,
            follows=old.identity if old else bytes(32),
        )
        return _publish(folder, key, header, entries)


def update(
    folder: Path,
    key: HolderKey,
    name: str,
    *,
    add: Any = (),
    labels: Any = None,
    remove: Any = (),
    clock: Clock = time.time,
) -> PreparedList:
    """Add and remove entries in a new delta; what is in both gets another label.

    When there are as many deltas as there may be, they are merged into a base before. Raises
    ``DataError`` for an item twice, an added one that is listed, or a removed one that is not.
    """
    added, removed = Items.of(add), Items.of(remove)
    with _writing(folder):
        old = _current(folder, key, name)
        room = old.newest.room
        entries = _evaluated(key, name, added, _labels(labels, len(added), room), room)
        gone = _evaluated(key, name, removed, None, 0)
        fresh, rest = _changes(old, entries.tags, gone.tags)
        if len(old.segments) > DELTAS:
            old = _merged(folder, key, old, clock)
        header = _header(
            key,
            name,
            kind=Kind.DELTA,
            version=old.version + 1,
            base=old.newest.base,
            issued=int(clock()),
            total=len(old) + fresh - len(rest),
            width=old.newest.width,
            room=room,
            follows=old.newest.identity,
        )
        return _publish(folder, key, header, entries, rest)


def compact(folder: Path, key: HolderKey, name: str, *, clock: Clock = time.time) -> PreparedList:
    """Merge the deltas into a new base, from the ledgers: the same list as a version of its own."""
    with _writing(folder):
        return _merged(folder, key, _current(folder, key, name), clock)


def _writing(folder: Path) -> AbstractContextManager[None]:
    if not segment_names(folder):
        raise ConfigError(f"there is no prepared list in {folder}")
    return only_writer(folder / LOCK)


def _current(folder: Path, key: HolderKey, name: str) -> PreparedList:
    found = open_list(folder, key.pin(name))
    if found.newest.public_key != key.oprf.public:
        raise KeyMismatch(f"the list in {folder} belongs to another OPRF key of this holder")
    return found


def _labels(labels: Any, count: int, room: int) -> Items | None:
    sealing.sealed_bytes(room)
    if labels is None:
        return Items.of([b""] * count) if room else None
    if not room:
        raise ConfigError("this list has no room for labels")
    held = Items.of(labels)
    sealing.check(held, count, room)
    return held


def _evaluated(
    key: HolderKey, name: str, items: Items, labels: Items | None, room: int
) -> _Entries:
    """The entries of items, block by block; outputs are held for one block only."""
    items.check_distinct()
    tags = np.empty((len(items), 2), np.uint64)
    sealed = np.empty((len(items), sealing.sealed_bytes(room)), np.uint8)
    for start in range(0, len(items), _BLOCK):
        part = slice(start, min(start + _BLOCK, len(items)))
        outputs = oprf.evaluate(key.oprf, items[part])
        tags[part] = sealing.tags(outputs, name)
        if labels is not None:
            entry_keys = sealing.keys(outputs, name)
            sealed[part] = sealing.seal(entry_keys, labels[part], room, name)
    return _Entries.ordered(tags, sealed)


def _changes(old: PreparedList, added: Words, removed: Words) -> tuple[int, Words]:
    """How many are new to the list, and which are removed and not added again."""
    known = old.find(added)[0] >= 0
    again = _among(added, removed)
    if bool(np.any(known & ~again)):
        raise DataError(
            f"{int(np.sum(known & ~again))} of {len(added)} items to add are on the list already; "
            "to give one another label, remove it in the same update"
        )
    missing = int(np.sum(old.find(removed)[0] < 0))
    if missing:
        raise DataError(f"{missing} of {len(removed)} items to remove are not on the list")
    return int(np.sum(~known)), removed[~_among(removed, added)]


def _merged(folder: Path, key: HolderKey, old: PreparedList, clock: Clock) -> PreparedList:
    room = sealing.sealed_bytes(old.newest.room)
    entries = _Entries(np.empty((0, 2), np.uint64), np.empty((0, room), np.uint8))
    for segment in old.segments:
        added, removed = _ledger(folder, segment)
        keep = ~(_among(entries.tags, removed) | _among(entries.tags, added))
        entries = _Entries.ordered(
            np.concatenate([entries.tags[keep], added]),
            np.concatenate([entries.sealed[keep], segment.sealed]),
        )
    header = _header(
        key,
        old.newest.name,
        kind=Kind.BASE,
        version=old.version + 1,
        issued=int(clock()),
        total=len(entries.tags),
        width=old.newest.width,
        room=old.newest.room,
        follows=old.newest.identity,
    )
    return _publish(folder, key, header, entries)


def _among(tags: Words, others: Words) -> NDArray[np.bool_]:
    """Which of ``tags`` are among ``others``, which ascend."""
    return matching.positions(tags, others) >= 0


def _ledger(folder: Path, segment: Segment) -> tuple[Words, Words]:
    """The full tags of a file, added and removed; they have to be the ones it was made from."""
    path = folder / f"{segment.header.file_name}{_LEDGER}"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    counts = segment.header.added, segment.header.removed
    if len(data) == 16 * sum(counts):
        words = np.frombuffer(data, "<u8").reshape(-1, 2)
        parts = words[: counts[0]], words[counts[0] :]
        made = [
            compress(tags, table.bits, segment.header.width)
            for tags, table in zip(parts, (segment.added, segment.removed), strict=True)
        ]
        if all(
            np.array_equal(mine.directory, theirs.directory)
            and np.array_equal(mine.rows, theirs.rows)
            for mine, theirs in zip(made, (segment.added, segment.removed), strict=True)
        ):
            return parts
    raise ListCorrupt(f"{path.name} is not the ledger of its file: prepare the list anew")


def _header(
    key: HolderKey, name: str, *, version: int, base: int | None = None, **rest: Any
) -> Header:
    return Header(
        name=name,
        version=version,
        base=base or version,
        public_key=key.oprf.public,
        signer=key.pin(name).key,
        added=0,
        removed=0,
        added_bits=0,
        removed_bits=0,
        body=b"",
        **rest,
    )


def _publish(
    folder: Path, key: HolderKey, header: Header, entries: _Entries, removed: Words | None = None
) -> PreparedList:
    """Write ledger and file, and then clear away what they replace."""
    gone = np.empty((0, 2), np.uint64) if removed is None else removed
    with replacing(folder / f"{header.file_name}{_LEDGER}") as file:
        file.write(entries.tags.astype("<u8").tobytes() + gone.astype("<u8").tobytes())
    sparse = header.kind is Kind.DELTA
    added_table, removed_table = (
        compress(tags, bucket_bits(len(tags), sparse=sparse), header.width)
        for tags in (entries.tags, gone)
    )
    write_segment(folder, header, added_table, removed_table, entries.sealed, key)
    tidy(folder)
    return open_list(folder, key.pin(header.name))


def tidy(folder: Path) -> None:
    """Remove the files of earlier lists, and what writers that were killed left; for the writer."""
    sweep(folder)
    current = set(segment_names(folder))
    kept = current | {f"{name}{_LEDGER}" for name in current}
    for path in folder.glob("[0-9]*"):
        if path.name not in kept:
            path.unlink(missing_ok=True)
