# SPDX-License-Identifier: Apache-2.0
"""How an asker gets a list: what is sent, what is gone on with, and what is not believed."""

from __future__ import annotations

from functools import partial
from itertools import count
from types import SimpleNamespace

import pytest
from query_runs import IDS, KEY, REASONS, asked, change, fetched, hold, make
from tampering import Tampering, flipped

from mpc.errors import (
    MessageTooLarge,
    ParameterMismatch,
    ProtocolError,
    VersionMismatch,
)
from mpc.pb.v1 import query_pb2 as pb
from mpc.primitives import prepared
from mpc.protocols import query
from mpc.testing import run_pair

pytestmark = pytest.mark.usefixtures("small_blocks")


def test_a_copy_is_readable_by_its_owner_only(party):
    run_pair(partial(fetched, party), partial(hold, party))
    assert {path.stat().st_mode & 0o777 for path in party.copy.iterdir()} == {0o600}


def test_a_copy_that_is_there_is_not_fetched_again(party):
    for expected in (party.listed.newest.file_bytes, 0):
        copy, served = run_pair(partial(fetched, party), partial(hold, party))
        assert served.file_bytes == expected
        assert len(copy) == 30
    assert not [path for path in party.copy.iterdir() if path.suffix == ".part"]


def test_a_copy_is_believed_by_its_digest_not_its_size(party):
    run_pair(partial(fetched, party), partial(hold, party))
    (base,) = party.copy.glob("*.base")
    whole = base.read_bytes()
    base.write_bytes(flipped(whole, 8 * len(whole) - 8))
    copy, served = run_pair(partial(fetched, party), partial(hold, party))
    assert served.file_bytes == len(whole)
    assert len(copy) == 30
    assert base.read_bytes() == whole


def test_another_list_of_the_same_size_replaces_the_copy(party):
    run_pair(partial(fetched, party), partial(hold, party))
    make(party.folder, items=[f"8{name[1:]}" for name in IDS], labels=REASONS, room=16)
    answers, served = asked(party, [IDS[0], f"8{IDS[0][1:]}"])
    assert served.file_bytes == party.listed.newest.file_bytes
    assert answers.listed.tolist() == [False, True]
    assert [path.name for path in party.copy.glob("*.base")] == [f"{2:020d}.base"]


def test_a_transfer_that_broke_off_goes_on_where_it_stopped(party):
    size = party.listed.newest.file_bytes

    def dying(channel):
        chunks = count()

        def fail(message):
            if message.HasField("chunk") and next(chunks) == 3:
                raise KeyboardInterrupt

        hold(party, Tampering(channel, {pb.QueryAnswer: fail}))

    with pytest.raises(KeyboardInterrupt):
        run_pair(partial(fetched, party), dying)
    (part,) = party.copy.glob(".*.part")
    assert part.stat().st_size == 900
    copy, served = run_pair(partial(fetched, party), partial(hold, party))
    assert (len(copy), served.file_bytes) == (30, size - 900)


def test_a_part_of_another_version_is_not_gone_on_with(party):
    party.copy.mkdir()
    (party.copy / f".{bytes(32).hex()}.part").write_bytes(b"x" * 50)
    copy, served = run_pair(partial(fetched, party), partial(hold, party))
    assert served.file_bytes == copy.newest.file_bytes
    assert sorted(path.suffix for path in party.copy.iterdir()) == ["", ".base"]


@pytest.mark.parametrize("left", [-9, 0, 1, 500])
def test_a_part_that_is_wrong_is_noticed_and_fetched_anew(party, left):
    party.copy.mkdir()
    part = party.copy / f".{party.listed.newest.identity.hex()}.part"
    size = party.listed.newest.file_bytes
    part.write_bytes(b"x" * (size - left))
    copy, served = run_pair(partial(fetched, party), partial(hold, party))
    assert len(copy) == 30
    assert served.file_bytes == size + max(left, 0)


def test_the_offer_stands_while_the_list_moves_on(party):
    """The holder compacts between its offer and the transfer of what it offered."""

    def hurried(channel):
        def compacted(message):
            if message.HasField("offer"):
                prepared.compact(party.folder, KEY, "blacklist")

        hold(party, Tampering(channel, {pb.QueryAnswer: compacted}))

    change(party.folder, add=["new"], labels=["x"])
    copy, _ = run_pair(partial(fetched, party), hurried)
    assert (copy.version, len(copy)) == (2, 31)
    copy, _ = run_pair(partial(fetched, party), partial(hold, party))
    assert copy.version == 3


def test_an_older_list_is_refused(party, tmp_path):
    old = SimpleNamespace(**{**vars(party), "folder": tmp_path / "old"})
    make(old.folder, items=IDS, labels=REASONS, room=16)
    change(party.folder, add=["new"], labels=["x"])
    run_pair(partial(fetched, party), partial(hold, party))
    with pytest.raises(ProtocolError, match="version 1, older than 2"):
        run_pair(partial(fetched, party), partial(hold, old))
    fresh = SimpleNamespace(**{**vars(party), "copy": tmp_path / "fresh"})
    with pytest.raises(ProtocolError, match="version 1, older than 7"):
        run_pair(partial(fetched, fresh, at_least=7), partial(hold, old))


def test_two_lists_of_one_version_are_noticed(party, tmp_path):
    other = SimpleNamespace(**{**vars(party), "folder": tmp_path / "other"})
    make(other.folder, items=IDS[:5], labels=REASONS[:5], room=16)
    run_pair(partial(fetched, party), partial(hold, party))
    with pytest.raises(ProtocolError, match="version 1 that contradicts"):
        run_pair(partial(fetched, party), partial(hold, other))
    make(other.folder, items=IDS[:6], labels=REASONS[:6], room=16)
    with pytest.raises(ProtocolError, match="version 2 that contradicts"):
        run_pair(partial(fetched, party), partial(hold, other))


def test_too_long_a_list(party):
    with pytest.raises(MessageTooLarge, match="more than 1000 bytes"):
        run_pair(partial(fetched, party, most_bytes=1000), partial(hold, party))


def offering(*headers):
    """A holder that offers these bytes."""

    def role(channel):
        channel.recv(pb.QueryRequest)
        channel.send(pb.QueryAnswer(offer=pb.QueryOffer(headers=headers)))
        channel.recv(pb.QueryRequest)

    return role


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda h: [], ProtocolError, "without files"),
        (lambda h: [h[:-1]], ProtocolError, "do not fit"),
        (lambda h: [h[:8] + b"\2" + h[9:]], VersionMismatch, "format 2; this reads format 1"),
        (lambda h: [b"PK" + h[2:]], VersionMismatch, "not a prepared list"),
        (lambda h: [flipped(h, 8 * 20)], ProtocolError, "signature"),
        (lambda h: [h[:-1] + b"\0"], ProtocolError, "signature"),
        (lambda h: [flipped(h, 8 * 165)], ParameterMismatch, "signed by"),
        (lambda h: [h, h], ProtocolError, "does not follow"),
    ],
)
def test_offers_that_are_wrong(party, change, error, message):
    # The signing key stands at 160: magic to name take 48 bytes, numbers 48, two digests 64.
    header = party.listed.newest.packed()
    with pytest.raises(error, match=message):
        run_pair(partial(fetched, party), offering(*change(header)))


def test_another_name_is_a_mismatch(party):
    with pytest.raises(ParameterMismatch, match="greylist"):
        run_pair(
            lambda channel: query.fetch(channel, party.copy, KEY.pin("greylist")),
            partial(hold, party),
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: flipped(data), "not as signed"),
        (lambda data: b"", "0 bytes beside"),
        (lambda data: data + bytes(9999), "bytes beside"),
    ],
)
def test_chunks_that_are_wrong(party, change, message):
    def spoil(answer):
        if answer.HasField("chunk"):
            answer.chunk.data = change(answer.chunk.data)

    with pytest.raises(ProtocolError, match=message):
        run_pair(
            partial(fetched, party),
            lambda channel: hold(party, Tampering(channel, {pb.QueryAnswer: spoil})),
        )
    assert not list(party.copy.glob("*.base"))


def test_a_whole_file_that_is_not_the_one_offered(party, tmp_path):
    other = SimpleNamespace(**{**vars(party), "folder": tmp_path / "other"})
    make(other.folder, items=[f"8{name[1:]}" for name in IDS], labels=REASONS, room=16)
    (base,) = other.folder.glob("*.base")

    def swap(channel):
        channel.recv(pb.QueryRequest)
        headers = [party.listed.newest.packed()]
        channel.send(pb.QueryAnswer(offer=pb.QueryOffer(headers=headers)))
        channel.recv(pb.QueryRequest)
        channel.send(pb.QueryAnswer(chunk=pb.QueryChunk(data=base.read_bytes())))

    with pytest.raises(ProtocolError, match="not as signed: it is another file"):
        run_pair(partial(fetched, party), swap)
    assert not list(party.copy.glob("*.base"))
