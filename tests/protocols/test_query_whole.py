# SPDX-License-Identifier: Apache-2.0
"""The online query from the holder's list to the asker's answers, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mpc import kernels
from mpc.errors import (
    ConfigError,
    DataError,
    KeyMismatch,
    MpcError,
    ParameterMismatch,
    ProtocolError,
    WrongPassphrase,
)
from mpc.net.channel import Channel
from mpc.pb.v1 import query_pb2 as pb
from mpc.primitives import prepared
from mpc.primitives.prepared import HolderKey, ListFault, PreparedList
from mpc.protocols import query
from mpc.protocols.query import CounterFile, Gate, Limits, Refused
from mpc.testing import run_pair, seeded

NAME = "blacklist"
LISTED = [f"company {number}" for number in range(700)]
REASONS = [b"fraud" if number % 3 else b"late payment" for number in range(700)]
PLENTY = Limits(rate=1e6, burst=10_000, total=100_000)


@pytest.fixture(scope="module")
def key() -> HolderKey:
    return HolderKey.generate(seeded("query holder"))


@pytest.fixture
def folder(tmp_path: Path, key: HolderKey) -> Path:
    prepared.prepare(tmp_path / "holder", key, NAME, LISTED, labels=REASONS, room=16, queries=1000)
    return tmp_path


def serve(
    folder: Path, key: HolderKey, limits: Limits = PLENTY
) -> Callable[[Channel], query.Served]:
    def role(channel: Channel) -> query.Served:
        with Gate(limits, CounterFile(folder / "counts.json")) as gate:
            return query.holder(channel, key, folder / "holder", name=NAME, gate=gate)

    return role


def asking(
    folder: Path, key: HolderKey, ids: list[str]
) -> Callable[[Channel], tuple[PreparedList, query.Answers]]:
    def role(channel: Channel) -> tuple[PreparedList, query.Answers]:
        copy = query.fetch(channel, folder / "copy", key.pin(NAME))
        answers = query.asker(channel, copy, ids)
        query.end(channel)
        return copy, answers

    return role


@pytest.mark.parametrize("backend", ["portable", "simd"])
def test_listed_ids_open_their_labels_and_others_nothing(
    folder: Path, key: HolderKey, backend: str
) -> None:
    if backend == "simd" and kernels.backend() != "simd":
        pytest.skip("this CPU has no simd kernels")
    ids = ["company 5", "stranger", "company 699", "company 700", "", "company 3"]
    with kernels.use(backend):
        (copy, answers), served = run_pair(asking(folder, key, ids), serve(folder, key))
    assert answers.listed.tolist() == [True, False, True, False, False, True]
    assert answers.labels == (b"fraud", None, b"late payment", None, None, b"late payment")
    assert (answers.version, answers.newest, len(copy)) == (1, 1, 700)
    assert (served.evaluations, served.refused) == (6, 0)
    assert "company" not in repr(answers)


def test_more_ids_than_a_block_and_none(folder: Path, key: HolderKey) -> None:
    ids = [f"company {number}" for number in range(400, 1000)]
    (_, answers), served = run_pair(asking(folder, key, ids), serve(folder, key))
    assert answers.listed.tolist() == [number < 700 for number in range(400, 1000)]
    assert served.evaluations == 600
    (_, none), served = run_pair(asking(folder, key, []), serve(folder, key))
    assert len(none.listed) == len(none.labels) == served.evaluations == 0
    assert served.file_bytes == 0  # the copy was there already


def test_an_updated_list_is_the_list_made_anew(folder: Path, key: HolderKey) -> None:
    run_pair(asking(folder, key, []), serve(folder, key))
    ids = ["company 1", "company 2", "new one", "company 9"]
    prepared.update(
        folder / "holder", key, NAME, add=["new one"], labels=[b"new"], remove=["company 2"]
    )
    (copy, answers), served = run_pair(asking(folder, key, ids), serve(folder, key))
    assert answers.listed.tolist() == [True, False, True, True]
    assert answers.labels[2] == b"new"
    assert (copy.version, len(copy)) == (2, 700)
    assert 0 < served.file_bytes < 2000  # the delta alone
    prepared.compact(folder / "holder", key, NAME)
    (merged, again), _ = run_pair(asking(folder, key, ids), serve(folder, key))
    assert merged.version == 3
    assert again.listed.tolist() == answers.listed.tolist()
    assert again.labels == answers.labels
    with pytest.raises(DataError):
        prepared.update(folder / "holder", key, NAME, remove=["never there"])


def test_an_older_copy_of_the_holder_is_not_accepted(folder: Path, key: HolderKey) -> None:
    old = {path.name: path.read_bytes() for path in (folder / "holder").iterdir()}
    prepared.update(folder / "holder", key, NAME, remove=["company 2"])
    run_pair(asking(folder, key, []), serve(folder, key))
    for path in (folder / "holder").iterdir():
        path.unlink()
    for name, data in old.items():
        (folder / "holder" / name).write_bytes(data)
    with pytest.raises(ProtocolError, match=r"^right: "):
        run_pair(asking(folder, key, []), serve(folder, key))


@pytest.mark.parametrize("part", ["first", "middle", "last", "truncated"])
def test_a_changed_file_is_noticed(folder: Path, key: HolderKey, part: str) -> None:
    run_pair(asking(folder, key, []), serve(folder, key))
    base = max((folder / "copy").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(base.read_bytes())
    place = {"first": 0, "middle": len(data) // 2, "last": len(data) - 1, "truncated": 0}[part]
    data[place] ^= 1
    base.write_bytes(data[: len(data) // 2] if part == "truncated" else data)
    with pytest.raises(ListFault):
        prepared.open_list(folder / "copy", key.pin(NAME))


def test_another_key_name_or_pin_is_refused(folder: Path, key: HolderKey, tmp_path: Path) -> None:
    stranger = HolderKey.generate(seeded("stranger"))
    with pytest.raises(MpcError):
        prepared.open_list(folder / "holder", stranger.pin(NAME))
    with pytest.raises(ParameterMismatch):
        run_pair(asking(folder, stranger, []), serve(folder, key))
    with pytest.raises(MpcError):
        query.holder(Channel(_Nobody()), stranger, folder / "holder", name=NAME, gate=_gate(folder))
    rotated = key.rotated(seeded("rotated"))
    with pytest.raises(KeyMismatch):
        query.holder(Channel(_Nobody()), rotated, folder / "holder", name=NAME, gate=_gate(folder))
    with pytest.raises(ConfigError):
        prepared.open_list(tmp_path / "nothing", key.pin(NAME))


class _Nobody:
    """A link that must not be used."""

    peer = "nobody"

    def put(self, frame: object, timeout: float | None = None) -> None:
        raise AssertionError

    def get(self, timeout: float | None = None) -> bytes:
        raise AssertionError

    def close(self, timeout: float | None = None) -> None:
        raise AssertionError


def _gate(folder: Path) -> Gate:
    return Gate(PLENTY, CounterFile(folder / "counts.json"))


@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        (Limits(rate=1e6, burst=3, total=100), "burst"),
        (Limits(rate=1e6, burst=10, total=3), "total"),
    ],
)
def test_limits_refuse_and_count_nothing(
    folder: Path, key: HolderKey, limits: Limits, limit: str
) -> None:
    def role(channel: Channel) -> query.Answers:
        copy = query.fetch(channel, folder / "copy", key.pin(NAME))
        with pytest.raises(Refused) as refused:
            query.asker(channel, copy, ["a", "b", "c", "d"])
        assert refused.value.limit == limit
        answers = query.asker(channel, copy, ["company 1", "b", "c"])
        query.end(channel)
        return answers

    answers, served = run_pair(role, serve(folder, key, limits))
    assert answers.listed.tolist() == [True, False, False]
    assert (served.evaluations, served.refused) == (3, 1)


def test_the_total_outlives_the_process(folder: Path, key: HolderKey) -> None:
    limits = Limits(rate=1e6, burst=10, total=4)
    run_pair(asking(folder, key, ["a", "b", "c"]), serve(folder, key, limits))
    assert CounterFile(folder / "counts.json").used("left") == 3
    with pytest.raises(Refused):
        run_pair(asking(folder, key, ["a", "b"]), serve(folder, key, limits))


def test_the_rate_fills_up_again(folder: Path) -> None:
    now = [0.0]
    gate = Gate(
        Limits(rate=2.0, burst=4, total=100),
        CounterFile(folder / "counts.json"),
        clock=lambda: now[0],
    )
    gate.admit("bank", 4)
    with pytest.raises(Refused) as refused:
        gate.admit("bank", 2)
    assert refused.value.limit == "rate"
    assert refused.value.retry_seconds == pytest.approx(1.0)
    now[0] = 1.0
    gate.admit("bank", 2)
    gate.admit("other", 4)


def test_an_evaluation_under_another_key_is_noticed(folder: Path, key: HolderKey) -> None:
    rotated = key.rotated(seeded("rotated"))
    run_pair(asking(folder, key, []), serve(folder, key))
    copy = prepared.open_list(folder / "copy", key.pin(NAME))

    def dishonest(channel: Channel) -> None:
        request = channel.recv(pb.QueryRequest)
        elements = np.frombuffer(request.blinded.elements.data, np.uint8).reshape(-1, 32)
        evaluated = query._evaluated(channel.peer, rotated, elements, seeded(1))
        channel.send(pb.QueryAnswer(evaluated=evaluated))

    with pytest.raises(ProtocolError, match="evaluations"):
        run_pair(lambda channel: query.asker(channel, copy, ["company 1"]), dishonest)


def test_what_is_asked_is_fresh_each_time(folder: Path, key: HolderKey) -> None:
    run_pair(asking(folder, key, []), serve(folder, key))
    copy = prepared.open_list(folder / "copy", key.pin(NAME))
    seen = []

    def listening(channel: Channel) -> None:
        seen.append(bytes(channel.recv(pb.QueryRequest).blinded.elements.data))
        raise ConfigError("heard enough")

    for _ in range(3):
        with pytest.raises(ConfigError, match="heard enough"):
            run_pair(lambda channel: query.asker(channel, copy, ["company 1"]), listening)
    assert len(set(seen)) == 3


def test_keys_are_kept_under_a_passphrase(tmp_path: Path, key: HolderKey) -> None:
    key.save(tmp_path / "holder.key", "correct horse")
    assert HolderKey.load(tmp_path / "holder.key", "correct horse").pin(NAME) == key.pin(NAME)
    with pytest.raises(WrongPassphrase):
        HolderKey.load(tmp_path / "holder.key", "battery staple")
    with pytest.raises(ConfigError, match="not overwritten"):
        key.save(tmp_path / "holder.key", "another")


def test_duplicates_and_long_labels_are_named(tmp_path: Path, key: HolderKey) -> None:
    with pytest.raises(DataError):
        prepared.prepare(tmp_path, key, NAME, ["a", "b", "a"])
    with pytest.raises(DataError):
        prepared.prepare(tmp_path, key, NAME, ["a"], labels=[b"12345"], room=4)
    assert list(tmp_path.glob("*.list")) == []
