# SPDX-License-Identifier: Apache-2.0
"""Correlations in files: what was used is never used again, whatever happens to the process."""

from __future__ import annotations

import shutil
import signal
import stat
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from mesh_runs import KEY, by_dealer, holds, names, whole

from mpc.errors import (
    ConfigError,
    CryptoError,
    ParameterMismatch,
    PeerAborted,
    ProtocolError,
    WrongPassphrase,
)
from mpc.protocols.triples import Bits, Products, TooFew, file
from mpc.testing import run_mesh, seeded

SEGMENT = 4
DEMAND = [Products(10), Bits(64)]  # segments of 4, 4 and 2 products, and of one word of bits


def save(folder, demand=DEMAND, parties=2, seed=0, rows=None):
    def role(mesh, triples):
        triples.prepare(demand)
        rng = seeded(f"{seed} {mesh.me}")
        file.save(mesh, folder / mesh.me, triples, KEY, segment=SEGMENT, rows=rows, rng=rng)

    folder.mkdir(exist_ok=True)
    by_dealer(role, parties, seed=seed)
    return folder


def use(folder, role, parties=2, key=KEY):
    """``role`` with triples from the files of all parties."""

    def play(mesh):
        with file.source(mesh, folder / mesh.me, key) as triples:
            return role(triples)

    return run_mesh(dict.fromkeys(names(parties), play))


def draw(count):
    return lambda triples: triples.draw(Products(count)).take()


def all_left(triples):
    """Every product that the files still give."""
    left = []
    with suppress(ConfigError):
        while True:
            left.append(triples.draw(Products(1)).take())
    return {name: np.concatenate([part[name] for part in left]) for name in left[0]} if left else {}


def taken(results):
    return set(results["p0"]["a"].tolist()) if results["p0"] else set()


def test_each_is_used_once_over_many_openings(tmp_path):
    save(tmp_path)
    seen = set()
    for count, last in ((1, False), (3, False), (2, True)):
        results = use(tmp_path, draw(count))
        assert holds(Products(count), whole(Products(count), list(results.values())))
        assert not seen & taken(results)
        seen |= taken(results)
        assert last or len(seen)
    with pytest.raises(ConfigError, match="has no more of products"):
        use(tmp_path, draw(1))
    assert len(use(tmp_path, lambda t: t.draw(Bits(64)).take())["p1"]["number"]) == 64


def test_half_of_a_segment_that_was_not_drawn_is_lost(tmp_path):
    save(tmp_path)
    first = taken(use(tmp_path, draw(1)))
    rest = taken(use(tmp_path, all_left))
    assert len(first) == 1
    assert len(rest) == 6
    assert not first & rest


def test_a_file_is_the_partys_own(tmp_path):
    save(tmp_path)
    assert stat.S_IMODE((tmp_path / "p0").stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="exists; unused correlations are not overwritten"):
        save(tmp_path)
    assert len(taken(use(tmp_path, all_left))) == 10


def test_nothing_of_a_share_stands_in_the_file(tmp_path):
    save(tmp_path)
    held = (tmp_path / "p0").read_bytes()
    for word in use(tmp_path, all_left)["p0"]["a"]:
        assert word.tobytes() not in held


KILLED = """
import sys, time
from mpc.protocols.triples import Products, file
from mpc.testing import run_mesh, seeded
folder, moment = sys.argv[1:]
read = file._Stored._read
def note(triples):
    (word,) = triples.draw(Products(1)).take()["a"]
    sys.stdout.write(f"taken {word}\\n")  # in one piece, as two threads write
    sys.stdout.flush()
    time.sleep(60)
def before(self, index, secret):
    sys.stdout.write("before reading\\n")
    sys.stdout.flush()
    time.sleep(60)
if moment == "before reading":
    file._Stored._read = before
def play(mesh):
    note(file.source(mesh, f"{folder}/{mesh.me}", bytes(range(32))))
run_mesh({"p0": play, "p1": play})
"""


@pytest.mark.parametrize("moment", ["before reading", "taken"])
def test_a_killed_process_has_used_what_it_took(moment, tmp_path):
    save(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path), moment], stdout=subprocess.PIPE, text=True
    ) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=20)
    assert all(line.startswith(moment) for line in lines), lines
    gone = {int(word) for line in lines for word in line.split()[1:] if moment == "taken"}
    left = use(tmp_path, all_left)
    assert len(taken(left)) == 6
    assert not gone & (taken(left) | set(left["p1"]["a"].tolist()))


@pytest.mark.parametrize("size", [1, 3, 4, 12, 59, 60])
def test_a_slot_that_was_half_overwritten_counts_as_used(size, tmp_path):
    save(tmp_path)
    spoil(tmp_path / "p0", slot_at(tmp_path / "p0", 1), bytes(size))
    assert len(taken(use(tmp_path, all_left))) == 6


def slot_at(path, index):
    segments = int.from_bytes(path.read_bytes()[len(file._MAGIC) + 40 :][:4], "little")
    start = len(file._MAGIC) + file._HEADER.size + segments * file._ENTRY.size + file._CHECK_BYTES
    return start + index * file._SLOT_BYTES


def spoil(path, at, data):
    with path.open("r+b") as opened:
        opened.seek(at)
        opened.write(data)


def test_one_partys_backup_revives_nothing(tmp_path):
    save(tmp_path)
    shutil.copy(tmp_path / "p0", tmp_path / "backup")
    used = taken(use(tmp_path, draw(6)))
    shutil.copy(tmp_path / "backup", tmp_path / "p0")
    left = taken(use(tmp_path, all_left))
    assert len(left) == 2
    assert not used & left


def test_another_key(tmp_path):
    save(tmp_path)
    with pytest.raises(WrongPassphrase, match="does not open with this key"):
        use(tmp_path, draw(1), key=bytes(32))
    with pytest.raises(ConfigError, match="has 32 bytes, not 5"):
        use(tmp_path, draw(1), key=b"short")
    assert len(taken(use(tmp_path, all_left))) == 10


def test_another_partys_file(tmp_path):
    """Its shares are known to that party: under them nothing would be hidden from it."""
    save(tmp_path)
    shutil.copy(tmp_path / "p1", tmp_path / "p0")
    with pytest.raises(ConfigError, match="is not this party's"):
        use(tmp_path, draw(1))


def test_a_file_that_was_prepared_among_others(tmp_path):
    save(tmp_path, parties=3)
    with pytest.raises(ConfigError, match="prepared among others"):
        use(tmp_path, draw(1), parties=2)


def test_files_of_two_runs(tmp_path):
    first, second = save(tmp_path / "1"), save(tmp_path / "2", seed=1)
    shutil.copy(second / "p1", first / "p1")
    with pytest.raises(ParameterMismatch, match="parameter 'run' differs") as caught:
        use(first, draw(1))
    assert caught.value.peer in {"p0", "p1"}


def test_a_peer_that_lies_about_its_segments(tmp_path):
    """It says that it has what this party used; and then, that there are more."""
    save(tmp_path)
    use(tmp_path, draw(4))

    def lying(unused):
        def play(mesh):
            if mesh.me == "p0":
                with file.source(mesh, tmp_path / "p0", KEY) as triples:
                    return all_left(triples)
            stored = file._Stored(tmp_path / "p1", KEY, file._party(mesh, b""))
            stored._unused = unused
            mesh.exchange(
                file.pb.Inventory(run=stored._run, digest=stored._digest, unused=bytes(unused))
            )
            return stored.close()

        return run_mesh(dict.fromkeys(names(2), play))

    assert len(lying([True] * 4)["p0"]["a"]) == 6
    with pytest.raises(ProtocolError, match="other segments") as caught:
        lying([True] * 5)
    assert caught.value.peer == "p1"


def test_one_process_at_a_time(tmp_path):
    save(tmp_path)

    def play(mesh):
        path = tmp_path / mesh.me
        in_use = pytest.raises(ConfigError, match="in use by another process")
        with file.source(mesh, path, KEY), in_use:
            file._Stored(path, KEY, file._party(mesh, b""))

    run_mesh(dict.fromkeys(names(2), play))
    assert len(taken(use(tmp_path, all_left))) == 10


@pytest.mark.parametrize("left", [0, 5, 40, 60, 120, 400, -1])
def test_a_file_that_was_cut_short(left, tmp_path):
    save(tmp_path)
    whole_file = (tmp_path / "p0").read_bytes()
    (tmp_path / "p0").write_bytes(whole_file[:left])
    with pytest.raises((ConfigError, WrongPassphrase)) as caught:
        use(tmp_path, draw(1))
    assert str(tmp_path / "p0") in str(caught.value)


def test_a_file_that_is_missing_or_something_else(tmp_path):
    save(tmp_path)
    (tmp_path / "p0").write_bytes(b"PK\x03\x04" * 50)
    with pytest.raises(ConfigError, match="not a file of triples"):
        use(tmp_path, draw(1))
    (tmp_path / "p0").unlink()
    with pytest.raises(ConfigError, match="cannot open"):
        use(tmp_path, draw(1))


def test_a_segment_that_was_damaged(tmp_path):
    save(tmp_path)
    path = tmp_path / "p0"
    spoil(path, path.stat().st_size - 20, bytes(1))
    with pytest.raises(CryptoError, match="is damaged in segment 3"):
        use(tmp_path, lambda triples: triples.draw(Bits(64)).take())
    # And it is used: what the other party has of it was taken.
    with pytest.raises(ConfigError, match="no more of bits"):
        use(tmp_path, lambda triples: triples.draw(Bits(64)).take())


def test_a_slot_that_is_overwritten_while_the_file_is_open(tmp_path):
    save(tmp_path)

    def role(triples):
        spoil(triples._maker._path, slot_at(triples._maker._path, 0), bytes(60))
        with pytest.raises(CryptoError, match="segment 0 no longer opens"):
            triples.draw(Products(1))
        return len(all_left(triples)["a"])

    assert use(tmp_path, role) == {"p0": 6, "p1": 6}


def test_more_rows_than_it_was_made_for_are_refused_before_anything_is_used(tmp_path):
    save(tmp_path, rows=7)
    before = (tmp_path / "p0").read_bytes()

    def role(triples):
        triples.suffice_for(7)
        with pytest.raises(TooFew, match="for up to 7 rows, and 8 are needed") as caught:
            triples.suffice_for(8)
        return caught.value.held, caught.value.needed

    assert use(tmp_path, role) == {"p0": (7, 8), "p1": (7, 8)}
    assert (tmp_path / "p0").read_bytes() == before
    spoil(tmp_path / "p0", len(file._MAGIC) + 32, (9).to_bytes(8, "little"))
    with pytest.raises(WrongPassphrase):  # who can write to it cannot make it look larger
        use(tmp_path, role)
    save(tmp_path / "unsaid")
    assert use(tmp_path / "unsaid", lambda triples: triples.suffice_for(1 << 40))


def test_a_list_of_segments_that_was_changed(tmp_path):
    save(tmp_path)
    data = (tmp_path / "p0").read_bytes()
    (tmp_path / "p0").write_bytes(data.replace(b"products", b"squares\0", 1))
    with pytest.raises(WrongPassphrase, match="list of segments is damaged"):
        use(tmp_path, draw(1))


FULL = """
import resource, sys
sys.path.insert(0, sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
from test_triples_file import save
from pathlib import Path
from mpc.errors import ConfigError
try:
    save(Path(sys.argv[1]))
except ConfigError as error:
    print(error)
"""


def test_a_full_disk_leaves_no_half_a_file(tmp_path, request):
    tests = str(request.path.parent)
    done = subprocess.run(
        [sys.executable, "-B", "-c", FULL, str(tmp_path), tests],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert "cannot write" in done.stdout
    assert "File too large" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_marked_as_used_gives_nothing(tmp_path, monkeypatch):
    save(tmp_path)
    monkeypatch.setattr(file.os, "pwrite", lambda *_: 0)
    with pytest.raises(CryptoError, match="cannot mark segment 0 as used"):
        use(tmp_path, draw(1))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file.os, "fsync", full)
    with pytest.raises(CryptoError, match="No space left on device"):
        use(tmp_path, draw(1))


def test_where_it_cannot_be_written(tmp_path):
    def role(mesh, triples):
        with pytest.raises(ConfigError, match="cannot write"):
            file.save(mesh, tmp_path / "none" / mesh.me, triples, KEY)

    by_dealer(role, 2)


def test_after_an_error_the_file_is_released(tmp_path):
    save(tmp_path)

    def play(mesh):
        with file.source(mesh, tmp_path / mesh.me, KEY):
            raise ValueError("of the job")

    for _ in range(2):
        with pytest.raises((ValueError, PeerAborted)):
            run_mesh(dict.fromkeys(names(2), play))


def test_files_that_must_be_untouched(tmp_path):
    folder = save(tmp_path / "files")

    def role(mesh):
        with file.source(mesh, folder / mesh.me, KEY, untouched=True) as triples:
            return triples.draw(Products(1)).take() if mesh.me == "p0" else None

    run_mesh(dict.fromkeys(names(2), role))
    # p1 has used nothing of its own, and hears of it.
    refused = []

    def again(mesh):
        try:
            role(mesh)
        except ConfigError as error:
            refused.append(str(error))
            raise

    with pytest.raises(ConfigError, match="was used before, here or by a peer"):
        run_mesh(dict.fromkeys(names(2), again))
    assert len(refused) == 2
