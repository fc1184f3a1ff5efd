# SPDX-License-Identifier: Apache-2.0
"""What tests of prepared lists share."""

from __future__ import annotations

from functools import partial

from mpc.primitives import oprf
from mpc.primitives.items import Items
from mpc.primitives.prepared import HolderKey, prepare, update
from mpc.testing import seeded

KEY = HolderKey.generate(seeded("holder"))
PIN = KEY.pin("blacklist")
IDS = [f"9135{i:014d}" for i in range(50)]
REASONS = [b"" if i % 7 == 0 else b"reason %d" % i for i in range(50)]


def clock():
    return 1_700_000_000.0


make = partial(prepare, key=KEY, name="blacklist", clock=clock)
change = partial(update, key=KEY, name="blacklist", clock=clock)


def ask(listed, ids, key=KEY):
    """What a list says of ids together, which is what it says of each alone."""
    outputs = oprf.evaluate(key.oprf, Items.of(ids))
    found, opened = listed.look_up(outputs)
    for i in range(0, len(outputs), 7):
        one = slice(i, i + 1)
        alone, label = listed.look_up(outputs[one])
        assert (alone.dtype, alone.tolist(), label) == (bool, found[one].tolist(), opened[one])
    return found.tolist(), opened


def as_dict(listed, ids):
    """What the list says of each id that is on it."""
    found, opened = ask(listed, ids)
    return {name: label for name, hit, label in zip(ids, found, opened, strict=True) if hit}


def files(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")
