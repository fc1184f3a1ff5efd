# SPDX-License-Identifier: Apache-2.0
"""What a threshold shows the asker and all holders but one, who collude: of the last one nothing
but the result.

All that reaches them of it is kept. Whatever its list is, that is as many messages of the same
sizes; numbers that are uniform; and shares of the result that are what theirs lack. So whoever
knows just the colluders' own data and the result can make up such a view.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from lookup_runs import secrets_of

from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.net.traced import Traced
from mpc.pb.v1 import arith_pb2
from mpc.primitives.xor_sharing import XorShare
from mpc.protocols import arith, boolean, lookup
from mpc.testing import seeded
from tests.protocols.computing import evenly, looks_uniform, recorded
from tests.protocols.threshold_runs import KEYS, LISTS, counted, ids, run, terms_of

MANY, SEEDS = 300, 2
GOLDEN = [(504502, 33478, 39, 14), (355, 355, 12, 6)]
KNOWN = ids(range(MANY))
HALF = ids(range(0, MANY, 2))
COLLUDERS, LAST = ("p0", "p1", "p2"), "p3"
# What the last one lists of the keys: as many entries each time, as their number is no secret.
LASTS = {
    "none": ids(range(90_000, 90_000 + MANY)),
    "all": KNOWN,
    "some": ids([*range(MANY // 3), *range(90_000, 90_000 + MANY - MANY // 3)]),
}


@dataclass
class View:
    """What came of the last holder, and the colluders' own shares of the result."""

    result: object
    sizes: list[tuple[str, str, int]]
    lookups: bytes
    openings: dict[int, bytes]
    handed: np.ndarray | None
    theirs: np.ndarray
    places: np.ndarray


def handed_by(message, output, bins):
    words = np.frombuffer(message.words.data, np.uint64)
    if output == "count":
        return words
    return np.unpackbits(words.view(np.uint8), bitorder="little")[:bins]


def joint_view(lists, terms, seed, monkeypatch):
    meshes, own = {}, {}

    def wrap(mesh):
        meshes[mesh.me] = recorded(mesh)
        return meshes[mesh.me]

    def keeping(reveal):
        def keep(mesh, x, **options):
            own[mesh.me] = x
            return reveal(mesh, x, **options)

        return keep

    with monkeypatch.context() as patch:
        patch.setattr(boolean, "reveal", keeping(boolean.reveal))
        patch.setattr(arith, "reveal", keeping(arith.reveal))
        result, *others = run(KNOWN, lists, terms, seed=seed, wrap=wrap)
    if terms.output == "shares":
        own = dict(zip(meshes, [result, *others], strict=True))
    came = {name: meshes[name].channel(LAST).came for name in COLLUDERS}
    opened = [[m for m in came[name] if isinstance(m, arith_pb2.Opening)] for name in COLLUDERS]
    assert opened[0] == opened[1] == opened[2]
    layout = lookup.Layout.of(KNOWN, rng=seeded(f"{seed} 0")).table
    bins = len(KNOWN) if terms.output == "shares" else layout.size
    handed = [m for m in came["p0"] if isinstance(m, arith_pb2.HandedShares)]
    assert not any(isinstance(m, arith_pb2.HandedShares) for n in ("p1", "p2") for m in came[n])
    words = np.stack([own[name].words for name in COLLUDERS])
    if isinstance(own["p0"], XorShare):
        theirs = np.bitwise_xor.reduce(words).view(np.uint8)
        theirs = np.unpackbits(theirs, bitorder="little")[:bins]
    else:
        theirs = words.sum(axis=0, dtype=np.uint64)
    by_width = {}
    for message in opened[0]:
        width = message.words.width
        by_width[width] = by_width.get(width, b"") + message.words.data
    return View(
        result,
        [(name, m.DESCRIPTOR.name, m.ByteSize()) for name in COLLUDERS for m in came[name]],
        b"".join(secrets_of(message) for message in came["p0"]),
        by_width,
        handed_by(handed[0], terms.output, bins) if handed else None,
        theirs,
        np.arange(bins) if terms.output == "shares" else layout.places,
    )


def check_uniform(views, listed, output, cells):
    """All numbers in the views, and those of keys that the last one lists apart from the others."""
    assert looks_uniform(b"".join(view.lookups for view in views))
    for width in {width for view in views for width in view.openings}:
        opened = np.frombuffer(b"".join(view.openings[width] for view in views), np.uint8)
        assert fair(opened, cells if width == 1 else 256)
    shares = [view.theirs if output == "shares" else view.handed for view in views]
    for rows in (np.flatnonzero(listed), np.flatnonzero(~listed)):
        if not len(rows):
            continue
        at = [share[view.places[rows]] for share, view in zip(shares, views, strict=True)]
        if output == "bit":
            first = [np.frombuffer(v.openings[1], np.uint8)[v.places[rows]] for v in views]
            assert fair(np.concatenate(first), cells)
            assert evenly(np.concatenate(at), 2)
        else:
            assert fair(np.concatenate(at).view(np.uint8), 256)


def fair(numbers, cells):
    """``evenly``, of the halves of bytes where there are too few to tell 256 of them apart."""
    return evenly(numbers, cells) if cells <= 16 else evenly(nibbles(numbers), 16)


def nibbles(numbers):
    return np.concatenate([numbers & 15, numbers >> 4])


@pytest.mark.parametrize(
    ("output", "others", "weights"),
    [
        ("bit", (KNOWN, KNOWN), (1, 1, 1)),
        ("bit", (HALF, KNOWN), (40, 30, 50)),
        ("count", (HALF, KNOWN), (40, 30, 50)),
        ("shares", (HALF, KNOWN), (1, 1, 1)),
    ],
    ids=["bit that is one", "bit", "count", "shares"],
)
def test_the_asker_with_all_holders_but_one_learns_nothing_but_the_result(
    output, others, weights, monkeypatch
):
    at_least = 2 if weights[0] == 1 else 80  # all three, or those of 30 and 50
    terms = terms_of([*others, []], at_least, output=output, weights=weights)
    cells = 2 << terms.total.bit_length()  # of what is opened to compare
    sizes = set()
    for last in LASTS.values():
        lists = [*others, last]
        views = [joint_view(lists, terms, seed, monkeypatch) for seed in range(SEEDS)]
        check_made_up(views, np.array(counted(KNOWN, lists, weights)), terms)
        check_uniform(views, np.isin(KNOWN, last), output, cells)
        sizes.add(tuple(views[0].sizes))
    assert len(sizes) == 1


def check_made_up(views, counts, terms):
    """What the last one hands over is the result without the colluders' own shares of it."""
    for view in views:
        theirs = view.theirs[view.places]
        if terms.output == "shares":
            assert view.handed is None
            assert not view.openings
        elif terms.output == "count":
            assert np.array_equal(view.result, counts)
            assert np.array_equal(view.handed[view.places], counts.astype(np.uint64) - theirs)
        else:
            assert np.array_equal(view.result, counts >= terms.threshold)
            assert np.array_equal(view.handed[view.places], view.result ^ theirs)


def test_how_much_two_parties_have_in_common_shows_nowhere():
    """Pairs of lists meet in none, some or all of their entries, and so do lists and keys; every
    party sees as many messages of the same sizes, and the bit is the same."""
    keys, same, other = ids(range(40)), ids(range(40)), ids(range(500, 540))
    half = ids([*range(20), *range(600, 620)])
    traffic = []
    for lists in ([same, same, other], [other, half, half], [other, other, other]):
        links = {}
        found = run(keys, lists, terms_of(lists, 3), seed=4, wrap=tracing(links))
        assert found[0].tolist() == [0] * len(keys)
        traffic.append({ends: link.traffic for ends, link in links.items()})
    assert traffic[0] == traffic[1] == traffic[2]


def tracing(links):
    """Traces all links of a mesh and keeps them in ``links``."""

    def wrap(mesh):
        for name in mesh.peers:
            links[mesh.me, name] = Traced(mesh.channel(name)._link, digest=False)
        channels = {name: Channel(links[mesh.me, name]) for name in mesh.peers}
        return Mesh(mesh.me, mesh.names, channels)

    return wrap


def test_the_golden_traffic():
    """Bytes there and back, messages and rounds, of the asker with a holder, and of two holders.

    Changes only in a commit that says why. The digest of it all does not tell: protobuf writes
    the weights in any order. That of a lookup is in its tests."""
    links = {}
    run(KEYS, LISTS, terms_of(LISTS, 2), wrap=tracing(links))
    seen = [links[ends].traffic for ends in (("p0", "p1"), ("p1", "p2"))]
    assert [(t.sent_bytes, t.received_bytes, t.messages, t.rounds) for t in seen] == GOLDEN
