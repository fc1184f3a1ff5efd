# SPDX-License-Identifier: Apache-2.0
"""Intersections in buckets: equal to one at once, and gone on with after a break or a kill."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from contextlib import closing
from functools import partial

import pytest
from link_kinds import KINDS
from psi_runs import Counting, expected, ids, intersect, run

from mpc.errors import ChannelError, ConfigError, CryptoError, PeerClosed
from mpc.net import memory as memory_link
from mpc.net.channel import Channel
from mpc.net.grpc_link import Endpoint
from mpc.net.peer import Address, Peer
from mpc.primitives import okvs
from mpc.protocols import psi
from mpc.protocols.psi import agreement
from mpc.testing import run_pair

BUCKETS = {"memory": 384 * 100}  # three of them for 300 items
LEFT, RIGHT = ids(0, 300), ids(200, 400)
KEY = bytes(range(32))


@pytest.fixture(autouse=True)
def buckets_of_few(monkeypatch):
    """Buckets as small as the memory that these tests name, for sets that do not take long."""
    monkeypatch.setattr(agreement, "LEAST_BUCKET", 1)


@pytest.mark.parametrize("security", ["malicious", "semi-honest"])
def test_buckets(security):
    mine, theirs = intersect(LEFT, RIGHT, to_both=True, security=security, **BUCKETS)
    assert mine.tolist() == expected(LEFT, RIGHT)
    assert theirs.tolist() == expected(RIGHT, LEFT)


def test_the_smaller_memory_decides():
    mine, _ = run_pair(
        lambda channel: psi.receiver(channel, LEFT, memory=384 * 150),
        lambda channel: psi.sender(channel, RIGHT),
    )
    assert mine.tolist() == expected(LEFT, RIGHT)


def test_repeated_items_in_buckets():
    left = [name for name in LEFT for _ in range(2)]
    mine, _ = intersect(left, RIGHT, duplicates="first", memory=384 * 200)
    assert mine.tolist() == list(range(400, 600, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_every_link(kind, tmp_path):
    with KINDS[kind](tmp_path) as ends:
        mine, theirs = run(*ends, LEFT, RIGHT, to_both=True, memory=384 * 150)
    assert mine.tolist() == expected(LEFT, RIGHT)
    assert theirs.tolist() == expected(RIGHT, LEFT)


def test_a_bucket_above_its_bound_ends_the_run(monkeypatch):
    monkeypatch.setattr(okvs, "capacity", lambda items, clusters, bits: 20)
    with pytest.raises(CryptoError, match="padded"):
        intersect(LEFT, LEFT, **BUCKETS)


# Runs that break off.


def breaking(link, begun):
    """A link that ends when ``begun``, a list of buckets, has two."""

    class Breaking(Counting):
        def put(self, frame, timeout=None):
            if len(begun) == 2:
                self.link.close()
                raise PeerClosed(self.peer, "gone")
            super().put(frame, timeout)

    return Breaking(link, [])


@pytest.fixture
def begun(monkeypatch):
    """The buckets that a receiver began, as they come."""
    seen = []
    real = psi._receive
    monkeypatch.setattr(psi, "_receive", lambda *args: seen.append(1) or real(*args))
    return seen


def attempt(mine, theirs, left=LEFT, right=RIGHT, options=BUCKETS, wrap=lambda link: link):
    one, other = memory_link.pair()
    found, _ = run_pair(
        partial(psi.receiver, items=left, progress=mine, **options),
        partial(psi.sender, items=right, progress=theirs, **options),
        links=lambda: (wrap(one), other),
    )
    return found.tolist()


def broken_off(mine, theirs, begun):
    """Both sides' progress after one bucket of three."""
    with pytest.raises(ChannelError):
        attempt(mine, theirs, wrap=lambda link: breaking(link, begun))
    assert (mine.done, theirs.done) == (1, 1)
    begun.clear()


@pytest.fixture
def kept(tmp_path):
    """Makes both sides' progress anew from their files."""

    def of(job="friday"):
        return [psi.Progress.kept(tmp_path / side, KEY, job=job) for side in ("mine", "theirs")]

    of.folder = tmp_path
    return of


def test_a_run_goes_on_from_its_first_open_bucket(begun):
    mine, theirs = psi.Progress(), psi.Progress()
    broken_off(mine, theirs, begun)
    assert repr(mine) == "Progress(<1 of 3 buckets>)"
    assert attempt(mine, theirs) == expected(LEFT, RIGHT)
    assert len(begun) == 2


def test_a_finished_run_answers_no_later_call(kept):
    for mine, theirs in ((psi.Progress(), psi.Progress()), kept()):
        for right in (ids(0, 100), ids(50, 350)):
            assert attempt(mine, theirs, right=right) == expected(LEFT, right)
            assert mine.done == theirs.done == mine.marks.sum() == 0
    assert list(kept.folder.iterdir()) == []


def test_a_file_serves_as_the_same_progress(begun, kept):
    broken_off(*kept(), begun)
    assert sorted(path.name for path in kept.folder.iterdir()) == ["mine", "theirs"]
    assert attempt(*kept()) == expected(LEFT, RIGHT)
    assert len(begun) == 2
    assert list(kept.folder.iterdir()) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"left": ids(1, 301)},
        {"left": LEFT[::-1]},
        {"right": ids(250, 450)},
        {"options": {"memory": 384 * 101}},
        {"options": {**BUCKETS, "duplicates": "first"}},
    ],
    ids=["items", "order", "items of the peer", "memory", "duplicates"],
)
def test_what_was_found_for_other_contents_is_forgotten(begun, kept, changed, caplog):
    """As many items, as long: nothing but the contents tells that they are others."""
    broken_off(*kept(), begun)
    with caplog.at_level(logging.WARNING, "mpc.protocols.psi"):
        found = attempt(*kept(), **changed)
    assert found == expected(changed.get("left", LEFT), changed.get("right", RIGHT))
    assert len(begun) == 3
    assert "starts anew" in caplog.text
    assert list(kept.folder.iterdir()) == []


def test_a_side_that_forgot_its_run_starts_it_anew(begun, kept):
    broken_off(*kept(), begun)
    (kept.folder / "theirs").unlink()
    assert attempt(*kept()) == expected(LEFT, RIGHT)
    assert len(begun) == 3


def test_files_of_other_jobs_and_keys_and_damaged_ones_are_refused(begun, kept):
    broken_off(*kept(), begun)
    path = kept.folder / "mine"
    whole = path.read_bytes()
    with pytest.raises(ConfigError, match="not the progress of this job"):
        kept(job="monday")
    with pytest.raises(ConfigError, match="not the progress of this job"):
        psi.Progress.kept(path, bytes(32), job="friday")
    for data in (b"", whole[:25], whole[:-1], whole[:60] + b"\0" + whole[61:], b"x" + whole[1:]):
        path.write_bytes(data)
        with pytest.raises(ConfigError, match="not the progress of this job"):
            kept()
    for key, job in ((b"short", "friday"), (KEY, "")):
        with pytest.raises(ConfigError, match="32 bytes"):
            psi.Progress.kept(path, key, job=job)
    with pytest.raises(ConfigError, match="cannot read"):
        psi.Progress.kept(kept.folder, KEY, job="friday")


def test_a_file_tells_nothing_of_what_was_found(begun, tmp_path):
    """None common or all: files as long, without the ids, the key or the bits of the rows."""
    written = []
    for right in (ids(400, 600), LEFT):
        mine = psi.Progress.kept(tmp_path / "mine", KEY, job="friday")
        with pytest.raises(ChannelError):
            attempt(mine, psi.Progress(), right=right, wrap=lambda link: breaking(link, begun))
        written.append((tmp_path / "mine").read_bytes())
        assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o600
        assert mine.key not in written[-1]
        assert LEFT[0].encode() not in written[-1]
        begun.clear()
        mine.clear()
    # Bits of 300 rows, all zero or about a third ones, would stand out.
    assert len(written[0]) == len(written[1]) < 300
    assert bytes(8) not in written[0]


RECEIVER = """
import os, signal, sys
from pathlib import Path
from psi_runs import ids
from mpc.net.channel import Channel
from mpc.net.grpc_link import Endpoint
from mpc.net.peer import Address, Peer
from mpc.protocols import psi
from mpc.protocols.psi import agreement

port, path, kill = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "kill"
real, begun = psi._receive, []
def counted(*arguments):
    begun.append(1)
    if kill and len(begun) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
psi._receive, agreement.LEAST_BUCKET = counted, 1
progress = psi.Progress.kept(path, bytes(range(32)), job="friday")
endpoint = Endpoint("left", [Peer("right", Address("127.0.0.1", port))], insecure=True)
channel = Channel(endpoint.connect("right"))
found = psi.receiver(channel, ids(0, 300), progress=progress, memory=384 * 100)
channel.close()
endpoint.close()
print(len(begun), found.tolist())
"""


def test_a_receiver_killed_between_buckets_resumes(tmp_path):
    """SIGKILL of a process that has done two buckets of three; the next one does the third."""
    path, theirs = tmp_path / "progress", psi.Progress()

    def attempt(how):
        listening = Address("127.0.0.1", 0)
        endpoint = Endpoint("right", [Peer("left")], listen=listening, insecure=True)
        with (
            closing(endpoint),
            subprocess.Popen(
                [sys.executable, "-c", RECEIVER, str(endpoint.address.port), str(path), how],
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            ) as process,
        ):
            channel = Channel(endpoint.connect("left"))
            try:
                psi.sender(channel, RIGHT, progress=theirs, memory=384 * 100)
                channel.close()
            except ChannelError:
                assert how == "kill"
            return process.communicate(timeout=100)[0], process.returncode

    assert attempt("kill") == (b"", -signal.SIGKILL)
    (left_behind,) = tmp_path.iterdir()
    assert b"9100" not in left_behind.read_bytes()
    output, code = attempt("finish")
    assert (output.decode(), code) == (f"1 {expected(LEFT, RIGHT)}\n", 0)
    assert list(tmp_path.iterdir()) == []
