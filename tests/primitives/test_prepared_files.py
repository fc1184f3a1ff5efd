# SPDX-License-Identifier: Apache-2.0
"""The files of prepared lists: killed writers, every changed byte, and forged headers."""

from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest
from prepared_lists import IDS, KEY, PIN, REASONS, as_dict, change, files, make

from mpc.errors import ConfigError, KeyMismatch
from mpc.kernels import matching
from mpc.primitives.prepared import (
    HolderKey,
    ListCorrupt,
    ListForged,
    ListFormat,
    ListStale,
    ListTruncated,
    chain,
    compact,
    open_list,
)
from mpc.primitives.prepared.header import HEADER_BYTES, Header, Kind
from mpc.primitives.prepared.segment import open_segment, write_segment
from mpc.primitives.prepared.tables import bucket_bits, compress
from mpc.primitives.rng import uint64
from mpc.primitives.whole_file import only_writer, replacing
from mpc.testing import seeded


@pytest.mark.parametrize("unnamed", [True, False])
def test_a_writer_that_is_killed_leaves_the_old_list(tmp_path, unnamed):
    make(tmp_path, items=IDS[:5])
    script = f"""
import os
if not {unnamed}: os.O_TMPFILE = 0
from pathlib import Path
from mpc.primitives.prepared import HolderKey, segment, store
from mpc.testing import seeded
real = store.write_segment
class Dying:
    def __init__(self, file): self.file, self.left = file, 1
    def write(self, data):
        if not self.left: self.file.flush(); os._exit(7)
        self.left -= 1
        return self.file.write(data)
from contextlib import contextmanager
replacing = segment.replacing
@contextmanager
def dying(path):
    with replacing(path) as file:
        yield Dying(file)
segment.replacing = dying
key = HolderKey.generate(seeded("holder"))
store.update(Path({str(tmp_path)!r}), key, "blacklist", add=["new"])
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert done.returncode == 7, done.stderr
    left = [name for name in files(tmp_path) if name.endswith(".unfinished")]
    assert len(left) == (0 if unnamed else 1)
    assert as_dict(open_list(tmp_path, PIN), [*IDS, "new"]) == dict.fromkeys(IDS[:5])
    # The next writer is not held up by the lock, and clears the rest away.
    listed = change(tmp_path, add=["new"])
    assert as_dict(listed, [*IDS, "new"]) == dict.fromkeys([*IDS[:5], "new"])
    assert not [name for name in files(tmp_path) if name.endswith(".unfinished")]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), replacing(path) as file:
        file.write("not bytes")
    assert path.read_bytes() == b"old"
    assert files(tmp_path) == ["file"]
    with (
        pytest.raises(ConfigError, match="cannot write"),
        replacing(tmp_path / "no folder" / "file"),
    ):
        pass


def test_one_writer_at_a_time(tmp_path):
    with (
        only_writer(tmp_path / ".lock"),
        pytest.raises(ConfigError, match="another process or thread"),
    ):
        make(tmp_path, items=IDS)
    make(tmp_path, items=IDS)
    with pytest.raises(ConfigError, match="cannot write"), only_writer(tmp_path / "no" / "lock"):
        pass


def written(folder):
    """A base with two deltas, which removed and labelled."""
    make(folder, items=IDS[:40], labels=REASONS[:40], room=12)
    change(folder, add=IDS[40:44], labels=REASONS[40:44], remove=IDS[:3])
    return change(folder, add=IDS[44:46], labels=REASONS[44:46], remove=IDS[3:5])


def test_every_bit_of_a_header_is_held(tmp_path):
    """Each byte changed in turn: the error says which kind of fault it is."""
    written(tmp_path)
    path = tmp_path / "00000000000000000003.delta"
    whole = path.read_bytes()
    signer = struct.calcsize("<8sHBBHBB32s6Q32s32s")
    for place in range(HEADER_BYTES):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        if place < 10:
            expected = ListFormat
        elif signer <= place < signer + 32:
            expected = KeyMismatch
        else:
            expected = ListForged
        with pytest.raises(expected):
            open_list(tmp_path, PIN)


def test_every_part_of_a_body_is_held(tmp_path):
    listed = written(tmp_path)
    for segment in listed.segments:
        path = tmp_path / segment.header.file_name
        whole = path.read_bytes()
        for place in range(HEADER_BYTES, len(whole), 23):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(ListCorrupt, match="not those that were signed"):
                open_list(tmp_path, PIN)
        path.write_bytes(whole + b"\0")
        with pytest.raises(ListCorrupt):
            open_list(tmp_path, PIN)
        for size in (len(whole) - 1, HEADER_BYTES, HEADER_BYTES - 1, 9, 3, 0):
            path.write_bytes(whole[:size])
            with pytest.raises(ListTruncated):
                open_list(tmp_path, PIN)
        path.write_bytes(whole)
    assert len(open_list(tmp_path, PIN)) == len(listed)


def test_another_pin_is_another_list(tmp_path):
    make(tmp_path, items=IDS)
    with pytest.raises(KeyMismatch, match="signed by"):
        open_list(tmp_path, HolderKey.generate(seeded(9)).pin("blacklist"))
    with pytest.raises(KeyMismatch, match="'blacklist', not 'greylist'"):
        open_list(tmp_path, KEY.pin("greylist"))
    with pytest.raises(ConfigError, match="no prepared list"):
        open_list(tmp_path / "nothing", PIN)


def test_an_older_list_is_noticed(tmp_path):
    written(tmp_path)
    assert open_list(tmp_path, PIN, at_least=3).version == 3
    (tmp_path / "00000000000000000003.delta").unlink()
    assert open_list(tmp_path, PIN).version == 2
    with pytest.raises(ListStale, match="older than 3"):
        open_list(tmp_path, PIN, at_least=3)


def test_files_that_do_not_follow_each_other(tmp_path):
    written(tmp_path / "a")
    make(tmp_path / "b", items=IDS[:39], labels=REASONS[:39], room=12)
    change(tmp_path / "b", add=IDS[40:44], labels=REASONS[40:44], remove=IDS[:3])
    base, first, second = (f"{n:020d}.{k}" for n, k in ((1, "base"), (2, "delta"), (3, "delta")))
    whole = {name: (tmp_path / "a" / name).read_bytes() for name in (base, first, second)}

    def refused(**contents):
        folder = tmp_path / "c"
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for name, data in contents.items():
            (folder / name).write_bytes(data)
        with pytest.raises(ListStale):
            open_list(folder, PIN)

    stale_base = (tmp_path / "b" / base).read_bytes()
    stale_delta = (tmp_path / "b" / first).read_bytes()
    refused(**{base: stale_base, first: whole[first]})
    refused(**{base: whole[base], first: stale_delta})
    refused(**{base: whole[base], second: whole[second]})
    refused(**{first: whole[first], second: whole[second]})
    refused(**{base: whole[base], second: whole[first]})
    refused(**{f"{7:020d}.base": whole[base]})


def header_of(**changes):
    usual = {
        "kind": Kind.BASE,
        "name": "blacklist",
        "version": 1,
        "base": 1,
        "issued": 0,
        "added": 0,
        "removed": 0,
        "total": 0,
        "width": 6,
        "room": 0,
        "added_bits": 0,
        "removed_bits": 0,
        "follows": bytes(32),
        "public_key": KEY.oprf.public,
        "signer": PIN.key,
        "body": bytes(32),
    }
    return Header(**{**usual, **changes})


def test_headers_come_back_as_they_were():
    header = header_of(total=5, added=5, issued=77, room=3)
    again = Header.parse(header.signed(KEY), PIN)
    for field in fields(Header):
        if field.name != "signature":
            assert getattr(again, field.name) == getattr(header, field.name)
    assert again.identity != header.identity  # it covers the signature


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 0},
        {"width": 9},
        {"room": 65535},
        {"version": 2},
        {"version": 0, "base": 0},
        {"removed": 1},
        {"total": 1},
        {"added": 1 << 32, "total": 1 << 32},
        {"added_bits": 1},
        {"removed_bits": 32},
        {"kind": Kind.DELTA},
        {"kind": 2},
        {"public_key": bytes(32)},
        {"public_key": b"\xff" * 32},
    ],
)
def test_signed_headers_that_no_honest_holder_makes(changes):
    with pytest.raises(ListCorrupt):
        Header.parse(header_of(**changes).signed(KEY), PIN)


def test_a_signed_directory_that_leads_out_of_the_file(tmp_path):
    table = compress(matching.sort(uint64(seeded(1), (100, 2))), 2, 6)
    table.directory[2] = 1 << 31
    empty = compress(np.empty((0, 2), np.uint64), 0, 6)
    header = header_of(total=100)
    write_segment(tmp_path, header, table, empty, np.empty((100, 0), np.uint8), KEY)
    with pytest.raises(ListCorrupt, match="directory"):
        open_list(tmp_path, PIN)


def test_memory_is_bounded_by_what_is_looked_up(tmp_path):
    """A list of 30 MB is opened and asked in a process that grows by a few."""
    count = 1 << 20
    tags = matching.sort(uint64(seeded("big"), (count, 2)))
    table = compress(tags, bucket_bits(count, sparse=False), 6)
    empty = compress(np.empty((0, 2), np.uint64), 0, 6)
    sealed = np.zeros((count, 24), np.uint8)
    write_segment(tmp_path, header_of(total=count, room=6), table, empty, sealed, KEY)
    make(tmp_path / "small", items=["a"])
    script = f"""
from pathlib import Path
import numpy as np
from mpc.primitives.prepared import Pin, open_list
def now():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
pin = Pin("blacklist", bytes.fromhex({PIN.key.hex()!r}))
open_list(Path({str(tmp_path / "small")!r}), pin)  # the kernels are loaded, big as they are
before = now()
found = open_list(Path({str(tmp_path)!r}), pin)
tags = np.array({tags[::50_000].tolist()!r}, np.uint64)
rows = found.find(tags)[1]
assert (rows == np.arange(0, {count}, 50_000)).all(), rows
print(now() - before)
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    size = open_segment(tmp_path / "00000000000000000001.base", PIN).header.file_bytes
    assert size > 30_000_000
    assert int(done.stdout) < 12_000  # kilobytes


def test_a_reader_follows_a_writer_that_replaces_files(tmp_path, monkeypatch):
    make(tmp_path, items=IDS)
    real, turns = chain.segment_names, []

    def replaced_meanwhile(folder):
        names = real(folder)
        if not turns:
            turns.append(1)
            compact(tmp_path, KEY, "blacklist")
        return names

    monkeypatch.setattr(chain, "segment_names", replaced_meanwhile)
    assert open_list(tmp_path, PIN).version == 2
