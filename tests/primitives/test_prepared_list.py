# SPDX-License-Identifier: Apache-2.0
"""Prepared lists: what they find, their labels, and their updates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from prepared_lists import IDS, KEY, PIN, REASONS, as_dict, ask, change, clock, files, make

from mpc import kernels
from mpc.errors import ConfigError, DataError, KeyMismatch
from mpc.primitives import oprf
from mpc.primitives.items import Items
from mpc.primitives.prepared import (
    ListCorrupt,
    compact,
    labels,
    open_list,
    store,
)
from mpc.primitives.prepared.header import HEADER_BYTES, Kind
from mpc.primitives.rng import uint64
from mpc.testing import seeded


def test_a_list_finds_its_entries_and_opens_their_labels(tmp_path, backend):
    listed = make(tmp_path, items=IDS, labels=REASONS, room=12)
    others = [f"8{i}" for i in range(200)]
    assert as_dict(listed, IDS[::-1] + others) == dict(zip(IDS, REASONS, strict=True))
    assert (len(listed), listed.version, listed.newest.issued) == (50, 1, 1_700_000_000)
    assert "50 entries" in repr(listed)
    assert IDS[0] not in repr(listed)


def test_both_backends_write_the_same_file(tmp_path):
    written = set()
    for name in {"portable", kernels.backend()}:
        with kernels.use(name):
            make(tmp_path / name, items=IDS, labels=REASONS, room=12)
        (base,) = (tmp_path / name).glob("*.base")
        written.add(base.read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_entries(tmp_path, count):
    listed = make(tmp_path, items=IDS[:count])
    assert as_dict(listed, IDS) == dict.fromkeys(IDS[:count])
    assert len(listed) == count
    assert ask(listed, []) == ([], [])


def test_a_hundred_thousand_entries(tmp_path):
    ids = [f"{i:018d}" for i in range(100_000)]
    if kernels.backend() != "simd":  # the reference takes minutes
        ids = ids[:1000]
    listed = make(tmp_path, items=ids)
    (base,) = tmp_path.glob("*.base")
    assert base.stat().st_size - HEADER_BYTES < 51 / 8 * len(ids) + 64
    found, _ = ask(listed, ids[::97] + [f"x{i}" for i in range(500)])
    assert found == [True] * len(ids[::97]) + [False] * 500
    assert listed.false_positives() < 2.0**-42
    assert listed.false_positives(4) < 2.0**-40


def test_the_order_of_entries_is_not_in_the_file(tmp_path):
    order = np.random.default_rng(3).permutation(50)
    make(tmp_path / "a", items=IDS, labels=REASONS, room=12)
    make(
        tmp_path / "b",
        items=[IDS[i] for i in order],
        labels=[REASONS[i] for i in order],
        room=12,
    )
    assert files(tmp_path / "a") == files(tmp_path / "b")
    for name in files(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_rfc_9497_outputs_are_what_a_list_knows(tmp_path):
    """Appendix A.1.2: the published outputs of both inputs open a list of these inputs."""
    secret = oprf.derive_key(oprf.Mode.VOPRF, bytes.fromhex("a3" * 32), b"test key")
    rfc = replace(KEY, oprf=secret)
    listed = make(tmp_path, key=rfc, items=[b"\0", b"\x5a" * 17], labels=["0", "Z"], room=1)
    published = [
        "b58cfbe118e0cb94d79b5fd6a6dafb98764dff49c14e1770b566e42402da1a7d"
        "a4d8527693914139caee5bd03903af43a491351d23b430948dd50cde10d32b3c",
        "8a9a2f3c7f085b65933594309041fc1898d42d0858e59f90814ae90571a6df60"
        "356f4610bf816f27afdd84f47719e480906d27ecd994985890e5f539e7ea74b6",
        "00" * 64,
    ]
    outputs = np.frombuffer(bytes.fromhex("".join(published)), np.uint8).reshape(3, 64)
    found, opened = listed.look_up(outputs)
    assert found.tolist() == [True, True, False]
    assert opened == [b"0", b"Z", None]


def test_duplicates_are_an_error(tmp_path):
    with pytest.raises(DataError, match="1 of 3 items repeat"):
        make(tmp_path, items=["a", "b", b"a"])
    make(tmp_path, items=["a"])
    with pytest.raises(DataError, match="repeat"):
        change(tmp_path, add=["b", "b"])
    with pytest.raises(DataError, match="repeat"):
        change(tmp_path, remove=["a", "a"])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"labels": [b"x"], "room": 4}, DataError, "1 labels do not go with 2"),
        ({"labels": [b"12345", b"x"], "room": 4}, DataError, "exceed the 4 bytes .* row 0"),
        ({"labels": [b"x", b"y"]}, ConfigError, "no room"),
        ({"room": -1}, ConfigError, "0 to"),
        ({"room": 1 << 16}, ConfigError, "0 to"),
        ({"queries": 0}, ConfigError, "at least 1"),
        ({"queries": 1 << 19}, ConfigError, "more than 8 bytes"),
    ],
)
def test_what_cannot_be_prepared(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        make(tmp_path, items=["a", "b"], **options)
    assert files(tmp_path) == []


def test_a_list_without_labels_for_its_room_has_empty_ones(tmp_path):
    assert ask(make(tmp_path, items=["a"], room=5), ["a", "b"]) == ([True, False], [b"", None])


# Labels


def entry_keys(count, seed="keys"):
    return uint64(seeded(seed), (count, 4))


@pytest.mark.parametrize("room", [1, 14, 30, 31, 62, 63, 200])
def test_labels_open_under_their_keys_and_no_others(room, backend):
    texts = [bytes([i]) * min(i, room) for i in range(20)]
    sealed = labels.seal(entry_keys(20), Items.of(texts), room, "a")
    assert sealed.shape == (20, room + 18)
    assert labels.unseal(entry_keys(20), sealed, "a") == texts
    for keys, name in ((entry_keys(20, "other"), "a"), (entry_keys(20), "b")):
        with pytest.raises(ListCorrupt, match="does not open"):
            labels.unseal(keys, sealed, name)
    outputs = np.frombuffer(seeded("outputs").bytes(20 * 64), np.uint8).reshape(20, 64)
    sealed = labels.seal(labels.keys(outputs, "a"), Items.of(texts), room, "a")
    for output, row, text in zip(outputs, sealed, texts, strict=True):
        assert labels.unseal_one(output.tobytes(), row.tobytes(), "a") == text
        with pytest.raises(ListCorrupt, match="does not open"):
            labels.unseal_one(output.tobytes(), row.tobytes(), "b")


def test_every_bit_of_a_sealed_label_is_held():
    output = np.frombuffer(seeded("output").bytes(64), np.uint8).reshape(1, 64)
    keys = labels.keys(output, "a")
    sealed = labels.seal(keys, Items.of([b"fraud"]), 8, "a")
    for bit in range(8 * sealed.shape[1]):
        spoilt = sealed.copy()
        spoilt[0, bit // 8] ^= 1 << bit % 8
        with pytest.raises(ListCorrupt):
            labels.unseal(keys, spoilt, "a")
        with pytest.raises(ListCorrupt):
            labels.unseal_one(output.tobytes(), spoilt.tobytes(), "a")


def test_a_sealed_label_tells_nothing_of_its_length_or_text():
    """Bytes of 4000 sealed labels, half of them empty, by chi-square at one in a thousand."""
    for text in (b"", b"x" * 16):
        sealed = labels.seal(entry_keys(4000, repr(text)), Items.of([text] * 4000), 16, "a")
        for column in sealed.T:
            counts = np.bincount(column >> 4, minlength=16)
            # Fifteen degrees of freedom, 34 columns twice: 47.6 is exceeded in one of 300 runs.
            assert ((counts - 250) ** 2 / 250).sum() < 47.6


def test_relabelling_takes_another_stream():
    keys = entry_keys(1)
    one, other = (labels.seal(keys, Items.of([t]), 16, "a") for t in (b"first", b"second"))
    plain = [t.ljust(16, b"\0") for t in (b"first", b"second")]
    difference = bytes(a ^ b for a, b in zip(*plain, strict=True))
    assert (one ^ other)[0, 18:].tobytes() != difference


# Updates


def test_updates_equal_a_rebuilt_list(tmp_path, backend):
    """Random additions, removals and new labels, against a dict; compaction at any time."""
    choose = np.random.default_rng(5)
    held = {name: b"%d" % i for i, name in enumerate(IDS[:20])}
    listed = make(tmp_path, items=list(held), labels=list(held.values()), room=8)
    for turn in range(6):
        gone = [str(n) for n in choose.permutation(list(held))[:4]]
        new = [str(n) for n in choose.permutation([n for n in IDS if n not in held])[:5]]
        again = gone[:2]  # removed and added: another label
        texts = [b"t%d-%d" % (turn, i) for i in range(len(new + again))]
        listed = change(tmp_path, add=new + again, labels=texts, remove=gone)
        for name in gone:
            del held[name]
        held.update(zip(new + again, texts, strict=True))
        assert as_dict(listed, IDS) == held
        assert (len(listed), listed.version) == (len(held), turn + (2 if turn < 4 else 3))
        if turn == 3:
            listed = compact(tmp_path, KEY, "blacklist", clock=clock)
            assert as_dict(listed, IDS) == held
            assert len(listed.segments) == 1
    compacted = compact(tmp_path, KEY, "blacklist", clock=clock)
    rebuilt = make(tmp_path / "new", items=list(held), labels=list(held.values()), room=8)
    # The body is that of a list made at once; only version and predecessor differ.
    assert compacted.newest.body == rebuilt.newest.body
    assert len(files(tmp_path)) == 3  # a base, its ledger, and the other folder


def test_an_update_evaluates_only_what_changed(tmp_path, monkeypatch):
    make(tmp_path, items=IDS)
    seen = []
    real = oprf.evaluate
    monkeypatch.setattr(oprf, "evaluate", lambda k, i: seen.append(len(i)) or real(k, i))
    change(tmp_path, add=["a", "b"], remove=IDS[:1])
    compact(tmp_path, KEY, "blacklist")
    assert sum(seen) == 3


def test_updates_that_make_no_sense_change_nothing(tmp_path):
    make(tmp_path, items=IDS[:5])
    before = files(tmp_path)
    with pytest.raises(DataError, match="1 of 2 items to add are on the list already"):
        change(tmp_path, add=["new", IDS[2]])
    with pytest.raises(DataError, match="2 of 3 items to remove are not on the list"):
        change(tmp_path, remove=[IDS[1], "x", "y"])
    with pytest.raises(ConfigError, match="no room"):
        change(tmp_path, add=["new"], labels=["x"])
    with pytest.raises(KeyMismatch, match="another OPRF key"):
        change(tmp_path, key=KEY.rotated(seeded(1)), add=["new"])
    with pytest.raises(ConfigError, match="no prepared list"):
        change(tmp_path / "empty", add=["new"])
    assert files(tmp_path) == before


def test_a_removed_entry_may_come_back(tmp_path):
    make(tmp_path, items=IDS[:3])
    change(tmp_path, remove=IDS[:1])
    listed = change(tmp_path, add=IDS[:1])
    assert as_dict(listed, IDS) == dict.fromkeys(IDS[:3])
    assert as_dict(change(tmp_path), IDS) == dict.fromkeys(IDS[:3])


def test_the_deltas_that_are_too_many_are_merged(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "DELTAS", 2)
    make(tmp_path, items=IDS[:3])
    for turn in range(3, 6):
        listed = change(tmp_path, add=[IDS[turn]])
    assert [s.header.kind for s in listed.segments] == [Kind.BASE, Kind.DELTA]
    assert as_dict(listed, IDS) == dict.fromkeys(IDS[:6])
    assert listed.version == 5


def test_a_rotated_key_closes_the_list_to_old_outputs(tmp_path):
    make(tmp_path, items=IDS)
    newer = KEY.rotated(seeded("newer"))
    listed = make(tmp_path, key=newer, items=IDS)
    assert (listed.version, len(listed.segments)) == (2, 1)
    assert ask(listed, IDS, newer)[0] == [True] * 50
    assert ask(listed, IDS, KEY)[0] == [False] * 50
    assert ask(open_list(tmp_path, PIN), IDS, newer)[0] == [True] * 50


def test_a_ledger_of_another_list_is_not_merged(tmp_path):
    make(tmp_path, items=IDS)
    make(tmp_path / "other", items=[f"x{i}" for i in range(50)])
    name = "00000000000000000001.base.ledger"
    (tmp_path / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(ListCorrupt, match="not the ledger"):
        compact(tmp_path, KEY, "blacklist")
    (tmp_path / name).write_bytes(bytes(16))
    with pytest.raises(ListCorrupt, match="not the ledger"):
        compact(tmp_path, KEY, "blacklist")
    (tmp_path / name).unlink()
    with pytest.raises(ConfigError, match="cannot read"):
        compact(tmp_path, KEY, "blacklist")
    assert len(open_list(tmp_path, PIN)) == 50
