# SPDX-License-Identifier: Apache-2.0
"""Vector OLE without its checks: the same correlation, in fewer messages, with views as uniform."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.errors import ConfigError
from mpc.net import memory
from mpc.net.channel import Channel
from mpc.pb.v1 import ot_pb2, vole_pb2
from mpc.protocols import vole
from mpc.testing import run_pair, seeded
from tests.protocols.computing import chi_square
from tests.protocols.tampering import Tampering
from tests.protocols.vole_runs import RINGS, TREES, correct, every_ring

UNCHECKED = [ring for ring in RINGS if not ring.modular]


def run(count, ring, *, seed=0, left=None, right=None):
    """Both roles; ``left`` and ``right`` see what the sender and the receiver send."""

    def sender(channel):
        watched = Tampering(channel, left or {})
        delta, b = vole.lazy_sender(
            watched, count, ring=ring, security="semi-honest", rng=seeded(f"s{seed}")
        )
        return delta, b()

    def receiver(channel):
        watched = Tampering(channel, right or {})
        a, c = vole.lazy_receiver(
            watched, count, ring=ring, security="semi-honest", rng=seeded(f"r{seed}")
        )
        return a, c()

    return run_pair(sender, receiver)


@pytest.mark.parametrize("ring", UNCHECKED, ids=lambda ring: ring.name)
@pytest.mark.parametrize("count", [0, 1, 200, TREES])
def test_the_correlation_holds(ring, count):
    (delta, b), (a, c) = run(count, ring)
    assert len(a) == len(b) == len(c) == count
    assert correct(ring, delta, b, a, c)


@pytest.mark.parametrize("ring", [vole.WORDS, vole.BLOCKS], ids=lambda ring: ring.name)
def test_the_receiver_has_its_values_before_the_trees(ring):
    """They are what the correlation is of, and c awaits one message of the sender's."""
    left, right = memory.pair()
    (delta, b), (a, c) = run_pair(
        lambda channel: _after_word(channel, ring),
        lambda channel: _word_first(channel, ring),
        links=lambda: (left, right),
    )
    assert correct(ring, delta, b, a, c)


def _after_word(channel, ring):
    """A sender that withholds its trees until it hears that the receiver has a."""

    def wait(_message):
        channel.recv(vole_pb2.TreeAnswer)

    changed = Tampering(channel, {vole_pb2.PuncturedTrees: wait})
    delta, b = vole.lazy_sender(changed, TREES, ring=ring, security="semi-honest")
    return delta, b()


def _word_first(channel, ring):
    a, c = vole.lazy_receiver(channel, TREES, ring=ring, security="semi-honest")
    channel.send(vole_pb2.TreeAnswer())
    return a, c()


def test_what_each_side_sees_is_uniform():
    seen = {}

    def keep(*names):
        def note(message):
            for name in names:
                value = getattr(message, name)
                data = value if isinstance(value, bytes) else value.data
                seen.setdefault(f"{type(message).__name__}.{name}", bytearray()).extend(data)

        return note

    left = {vole_pb2.PuncturedTrees: keep("sums", "holes")}
    right = {ot_pb2.CorrelatedRows: keep("corrections", "bits_tag", "column_tags")}
    for seed in range(8):
        (_, b), (a, c) = run(TREES, vole.WORDS, seed=seed, left=left, right=right)
        for name, values in (("a", a), ("b", b), ("c", c)):
            seen.setdefault(name, bytearray()).extend(np.ascontiguousarray(values).tobytes())
    assert len(seen) == 8
    for name, data in seen.items():
        if len(data) >= 256 * 5:
            assert abs(chi_square(bytes(data))) < 6, name


@every_ring
def test_a_security_that_is_not_there_is_ours_to_mend(ring):
    channel = Channel(memory.pair()[0])
    for role in (vole.lazy_sender, vole.lazy_receiver):
        with pytest.raises(ConfigError, match="security"):
            role(channel, TREES, ring=ring, security="none")
    if ring.modular:
        with pytest.raises(ConfigError, match="semi-honest"):
            vole.lazy_receiver(channel, TREES, ring=ring, security="semi-honest")
