# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading

import pytest

from mpc.apps import each_peer as module
from mpc.apps.each_peer import each_peer
from mpc.errors import PeerAborted
from mpc.net import memory
from mpc.pb.v1.columns_pb2 import Column
from mpc.primitives.rng import SYSTEM
from mpc.testing import seeded

NAMES = ("hub", "a", "b", "c")


def test_roles_run_at_the_same_time_and_are_named():
    together = threading.Barrier(3)
    hub = memory.mesh(NAMES)["hub"]

    def role(channel, rng):
        together.wait(10)
        return channel.peer.upper()

    assert each_peer(hub, ["c", "a", "b"], role, rng=SYSTEM) == {"c": "C", "a": "A", "b": "B"}
    assert each_peer(hub, [], role, rng=SYSTEM) == {}


def test_each_role_has_randomness_of_its_own_that_the_seed_decides():
    hub = memory.mesh(NAMES)["hub"]
    drawn = [
        each_peer(hub, ["a", "b"], lambda channel, rng: rng.bytes(16), rng=seeded(1))
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0]["a"] != drawn[0]["b"]


def test_the_first_error_is_raised_and_aborts_all():
    meshes = memory.mesh(NAMES)

    def role(channel, rng):
        if channel.peer == "b":
            raise LookupError("first")
        return channel.recv(Column)

    with pytest.raises(LookupError, match="first"):
        each_peer(meshes["hub"], ["a", "b", "c"], role, rng=SYSTEM)
    for name in "abc":
        with pytest.raises(PeerAborted, match="LookupError"):
            meshes[name].channel("hub").recv(Column)


def test_ctrl_c_ends_the_roles(monkeypatch):
    class Interrupted(threading.Thread):
        pressed = False

        def join(self, timeout=None):
            if not Interrupted.pressed:
                Interrupted.pressed = True
                raise KeyboardInterrupt
            super().join(timeout)

    monkeypatch.setattr(module, "Thread", Interrupted)
    meshes = memory.mesh(NAMES)
    with pytest.raises(KeyboardInterrupt):
        each_peer(meshes["hub"], ["a", "b"], lambda c, rng: c.recv(Column), rng=SYSTEM)
    with pytest.raises(PeerAborted, match="KeyboardInterrupt"):
        meshes["a"].channel("hub").recv(Column)
    assert not [t for t in threading.enumerate() if isinstance(t, Interrupted)]
