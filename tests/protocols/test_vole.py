# SPDX-License-Identifier: Apache-2.0
"""Vector OLE: the correlation holds everywhere, views are uniform, few bytes pass."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from link_kinds import KINDS

from mpc import kernels
from mpc.errors import ConfigError
from mpc.net import memory
from mpc.net.traced import Traced
from mpc.pb.v1 import ot_pb2, vole_pb2
from mpc.protocols import ot, vole
from mpc.protocols.vole import points
from mpc.testing import run_pair, seeded
from tests.protocols.computing import chi_square
from tests.protocols.vole_runs import TREES, checked, correct, every_ring, run

BACKENDS = ["portable"] + (["simd"] if kernels.backend() == "simd" else [])


@every_ring
@pytest.mark.parametrize("count", [0, 1, 2, 127, 128, 1000, 3001, 100_000])
def test_the_correlation_holds(count, ring):
    delta, b, a, c = checked(count, ring)
    assert a.dtype == (np.uint8 if ring is vole.BITS else np.uint64)
    assert a.shape == ((count, 2) if ring is vole.BLOCKS else (count,))
    assert b.shape == c.shape == ((count,) if ring.modular else (count, 2))
    assert delta.shape == (() if ring.modular else (2,))


@every_ring
def test_the_correlation_holds_at_the_size_of_a_big_intersection(ring):
    _, _, a, c = checked(1_363_149, ring)
    # Values and shares are spread over their whole range.
    assert abs(float(np.mean(a[..., -1] >> 63 if a.ndim == 2 else a & 1)) - 0.5) < 0.01
    flat = c.reshape(-1)
    assert len(np.unique(flat[:100_000])) == 100_000


@every_ring
@pytest.mark.parametrize("backend", BACKENDS)
def test_on_both_kernels(ring, backend):
    with kernels.use(backend):
        checked(TREES, ring)
        checked(3, ring)


@pytest.mark.skipif(len(BACKENDS) < 2, reason="this CPU has one backend")
@every_ring
def test_the_kernels_of_two_parties_need_not_be_the_same(ring):
    outputs = []
    for backend in BACKENDS:
        with kernels.use(backend):
            outputs.append(checked(TREES, ring))
    for one, other in zip(*outputs, strict=True):
        assert np.array_equal(one, other)


@every_ring
@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_where_trees_begin(ring, shift):
    low, high = 1, 20_000
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if ring.few(middle) else (low, middle)
    assert not ring.few(low)
    checked(low + shift, ring)


@every_ring
def test_a_ring_that_came_from_another_process_is_the_same(ring):
    checked(TREES, pickle.loads(pickle.dumps(ring)))


@pytest.mark.parametrize("kind", KINDS)
def test_over_every_link(kind, tmp_path):
    with KINDS[kind](tmp_path) as ends:
        checked(TREES, vole.Z64, links=lambda: ends)


@every_ring
def test_a_given_delta_is_kept(ring):
    delta = np.array(12345, np.uint64) if ring.modular else np.array([81, 5], np.uint64)
    for count in (2, TREES):
        assert np.array_equal(checked(count, ring, delta=delta)[0], delta)


@pytest.mark.parametrize(
    ("ring", "delta"),
    [
        (vole.BITS, np.array([2, 1], np.uint64)),
        (vole.NIBBLES, np.array([3, 1], np.uint64)),
        (vole.NIBBLES, np.array([1, 1 << 61], np.uint64)),
        (vole.WORDS, np.array([2, 1], np.int64)),
        (vole.BLOCKS, np.array([1, 2, 3], np.uint64)),
        (vole.Z64, np.array([1], np.uint64)),
    ],
)
def test_a_delta_of_another_ring_is_ours_to_mend(ring, delta):
    with pytest.raises(ConfigError, match="delta"):
        vole.sender(None, 5, ring=ring, delta=delta)


def test_one_set_of_base_transfers_serves_several_runs():
    delta = vole.NIBBLES.fitted(np.array([81, 5], np.uint64))

    def sends(channel):
        bases = ot.bases_sender(channel, delta, rng=seeded(1))
        return [
            vole.sender(channel, count, ring=vole.NIBBLES, bases=bases, rng=seeded(count))[1]
            for count in (TREES, 3)
        ]

    def receives(channel):
        bases = ot.bases_receiver(channel, rng=seeded(2))
        return [
            vole.receiver(channel, count, ring=vole.NIBBLES, bases=bases, rng=seeded(-count))
            for count in (TREES, 3)
        ]

    sent, received = run_pair(sends, receives)
    for b, (a, c) in zip(sent, received, strict=True):
        assert correct(vole.NIBBLES, delta, b, a, c)


def test_a_negative_count():
    with pytest.raises(ConfigError, match="at least 0"):
        vole.receiver(None, -1)


@pytest.mark.parametrize("count", [0, 1, 100, 5000])
def test_random_transfers(count):
    both, (choices, one) = run_pair(
        lambda channel: vole.transfers_sender(channel, count, rng=seeded("s")),
        lambda channel: vole.transfers_receiver(channel, count, rng=seeded("r")),
    )
    rows = np.arange(count)
    assert np.array_equal(both[rows, choices], one)
    assert not np.any(both[rows, 1 - choices] == one)
    assert count < 100 or 0.35 < choices.mean() < 0.65


@every_ring
def test_every_run_is_another(ring):
    first, second = checked(TREES, ring, seed=1), checked(TREES, ring, seed=2)
    for one, other in zip(first, second, strict=True):
        assert not np.array_equal(one, other)


@every_ring
def test_what_each_side_sees_and_holds_is_uniform(ring):
    """Over seeds, with the same inputs. Encodings of points, not uniform bytes, are left out."""
    seen: dict[str, bytearray] = {}

    def keep(*names):
        def note(message):
            for name in names:
                value = getattr(message, name)
                data = value if isinstance(value, bytes) else value.data
                seen.setdefault(f"{type(message).__name__}.{name}", bytearray()).extend(data)

        return note

    left = {
        vole_pb2.PuncturedTrees: keep("sums", "holes"),
        vole_pb2.WordCorrections: keep("differences"),
        vole_pb2.WordHoles: keep("holes"),
        vole_pb2.WordSums: keep("sums"),
    }
    right = {
        ot_pb2.CorrelatedRows: keep("corrections", "bits_tag", "column_tags"),
        vole_pb2.TreeChallenge: keep("combined"),
        vole_pb2.WordCheck: keep("combined"),
    }
    delta = np.array(2, np.uint64) if ring.modular else np.array([17, 0], np.uint64)
    for seed in range(8):
        (_, b), (a, c) = run(TREES, ring, seed=seed, left=left, right=right, delta=delta)
        for name, values in (("a", a), ("b", b), ("c", c)):
            if ring.inside and name != "a":
                # The lowest bits of b are zero, and those of c are a.
                values = (values >> np.uint64(8)).view(np.uint8).reshape(-1, 8)[:, :7]
            if ring is vole.BITS and name == "a":
                values = np.packbits(values)
            if ring is vole.NIBBLES and name == "a":
                values = (values[0::2] | values[1::2] << np.uint64(4)).astype(np.uint8)
            seen.setdefault(name, bytearray()).extend(np.ascontiguousarray(values).tobytes())
    assert len(seen) >= 9
    for name, data in seen.items():
        if len(data) >= 256 * 5:
            assert abs(chi_square(bytes(data))) < 6, name


@every_ring
def test_the_receivers_messages_do_not_tell_its_places(ring):
    """Its choices are summed with columns it alone knows: half ones, whatever they are."""
    sent = []
    drawn = points.draw
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(points, "draw", lambda noise, rng: drawn(noise, rng) * 0)
        run(
            TREES,
            ring,
            right={ot_pb2.CorrelatedRows: lambda m: sent.append(m.corrections.data)},
        )
    ones = np.unpackbits(np.frombuffer(sent[0], np.uint8)).mean()
    assert abs(ones - 0.5) < 0.01


def test_modulo_two_to_the_64_the_noise_is_odd():
    """Even values would vanish modulo 2, and leave fewer points than the estimate needs."""
    seen = []
    honest = points.compressed

    def watch(noise, places, values, *rest, **options):
        seen.append(values)
        return honest(noise, places, values, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(points, "compressed", watch)
        checked(TREES, vole.Z64)
    assert np.all(seen[0] & np.uint64(1))
    assert len(np.unique(seen[0])) == len(seen[0])


@every_ring
def test_the_transcript(ring):
    """Changes only with the protocol: then say why in the commit."""
    ends = [Traced(link) for link in memory.pair()]
    checked(TREES, ring, links=lambda: tuple(ends))
    traffic = ends[0].traffic
    sent, received, rounds, digest = GOLDEN[ring.name]
    assert (traffic.sent_bytes, traffic.received_bytes) == (sent, received)
    assert traffic.rounds == rounds
    assert ends[0].digest().hex() == digest


# Bytes sent and received by the sender, rounds, digest of its transcript.
GOLDEN = {
    "bits": (44519, 24772, 2, "110b706a98bfc07f2e520eb7155dd3cf68a62a35f08da97751696915e8a79e6b"),
    "nibbles": (
        78375,
        63684,
        2,
        "bf8d8f1f90d3de0128ef1d5c64dc60f325fabd0f2f2b2d6769baa5aaeed68cf4",
    ),
    "words": (78375, 446660, 2, "65fd22028856dcccb2c3dc6b37effddb1b4d24af3ad648b7e8514e59e0a6499b"),
    "blocks": (
        78375,
        854212,
        2,
        "ba30731c7bf0379fc185d9df076fe80b292cdc589d9366e7bfed06ed8385ff67",
    ),
    "Z_2^64": (
        155892,
        244362,
        4,
        "0bbc21029ae223237137de94baecc6589a2cdb48dcd7cd99135b374481639b69",
    ),
}


def test_communication_is_sublinear():
    sizes = []
    for count in (100_000, 400_000):
        ends = [Traced(link, digest=False) for link in memory.pair()]
        run(count, vole.BITS, links=lambda held=ends: tuple(held))
        traffic = ends[0].traffic
        sizes.append(traffic.sent_bytes + traffic.received_bytes)
    assert sizes[1] < 1.25 * sizes[0]


def test_secrets_are_not_shown():
    ones = np.ones((3, 2), np.uint64)
    secret = points.Secret(np.array([1, 2, 3]), ones, ones, ones[0], ones)
    assert repr(secret) == "Secret()"
