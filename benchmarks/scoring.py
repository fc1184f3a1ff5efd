# SPDX-License-Identifier: Apache-2.0
"""Joint scores between processes over gRPC with TLS: prepared, from nothing, and by Paillier.

A bank has the model and receives, a tax office has the features (and, as ``split``, half of them
are the bank's own). Seconds are those of the bank, from when both are there to its result. The
floor is the bare exchange: the same bytes in the same blocks over the same link, sent as they are,
in the same run. ``prepared`` has its correlations and an open model: it is the online part alone,
and ``offline`` the other, from base transfers to an open model and correlations for all rows, whose
floor is the exchange of its own bytes in as many rounds, or what a link with a shape alone takes
for its messages; ``anew`` is both. Decisions and reasons are prepared too: a third process deals
what a first run took, since the two would be a hundred times as long about it as about what is
measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mpc.net import columns
from mpc.net.mesh import Mesh
from mpc.pb.v1 import scoring_pb2 as pb
from mpc.primitives import paillier
from mpc.protocols.scoring import Model, Roles, logistic, shares
from mpc.protocols.scoring import paillier as encrypted
from mpc.protocols.triples import Triples, dealer, vole

from . import parties
from ._options import key_bits, several, some_of, whole
from .parties import (
    DEALER,
    Seat,
    Times,
    dealing,
    floor_of,
    link_params,
    timed,
    without_dealer,
)
from .record import Record

TOLERANCE = 1e-6

QUICK = "--rows 1,200 --features 4 --shapes tls --forms prepared,offline,anew --repeat 2"
SWEEP = (
    "--rows 256,4096,131072 --shapes tls,lan,wan,slow --most 4096 "
    "--forms prepared,offline,anew,decision --few 4096 --repeat 2"
)
GROWS_WITH = (("rows",),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes, and what is measured."""
    parser.add_argument("--rows", type=several, default="1,100000")
    parser.add_argument("--features", type=whole, default=32)
    parser.add_argument(
        "--shapes",
        type=some_of(*parties.SHAPES),
        default="tls,20ms,wan",
        help="of " + ", ".join(parties.SHAPES),
    )
    parser.add_argument("--forms", type=some_of(*_FORMS), default=",".join(_FORMS))
    parser.add_argument(
        "--few", type=whole, default=100, help="rows of decisions and reasons, at most"
    )
    parser.add_argument(
        "--most", type=whole, default=1 << 20, help="rows over links that are shaped"
    )
    parser.add_argument("--key-bits", type=key_bits, default=3072)
    parser.add_argument("--repeat", type=whole, default=3)


def run(options: argparse.Namespace) -> list[Record]:
    """Measure every form under every shape of the link."""
    measured = parties.play((*_SIDES, DEALER), _job, options)
    records = []
    for (form, shape, rows), (times, floor) in measured["bank"].items():
        params = {"form": form, **link_params(shape), "rows": rows, "features": options.features}
        records.append(times.record("scoring.wall", params, floor))
        for side in _SIDES:
            records += measured[side][form, shape, rows][0].parts("scoring.stage", params, side)
    return records


Key = tuple[str, str, int]
Measured = tuple[Times, tuple[str, float]]
"""The times, and the name and the seconds of their floor."""


def _job(seat: Seat, options: argparse.Namespace) -> dict[Key, Measured]:
    out: dict[Key, Measured] = {}
    for shape in options.shapes:
        for count in options.rows:
            for form in options.forms:
                rows = min(count, options.few) if form in _FEW else count
                if (form, shape, rows) in out or (shape != "tls" and rows > options.most):
                    continue
                case = _Case(rows, options.features, form, options.key_bits)
                few = options.repeat if shape == "tls" else min(options.repeat, _SHAPED_RUNS)
                out[form, shape, rows] = _measured(seat, case, shape, few)
    return out


def _measured(seat: Seat, case: _Case, shape: str, repeat: int) -> Measured:
    """The score, and its floor."""
    bare = 0.0
    if seat.me == DEALER:
        dealing(seat, shape, repeat, deals=False)
        times = dealing(seat, shape, repeat, deals=case.dealt)
    else:
        bare = timed(seat, shape, repeat, without_dealer, case.exchange, lambda _: True).median
        times = timed(seat, shape, repeat, *case.parts(), case.right)
    if case.form == "offline":
        return times, floor_of(seat, shape, repeat, times, *_SIDES)
    return times, ("exchange", bare)


_SIDES = ("bank", "tax")
_FORMS = ("prepared", "offline", "split", "anew", "decision", "reasons", "paillier")
_SHAPED_RUNS = 3  # at most: a long link takes as long each time
_FEW = ("decision", "reasons", "paillier")


class _Case:
    """Some rows, a model, and one way to score them."""

    def __init__(self, rows: int, features: int, form: str, key_bits: int) -> None:
        draw = np.random.default_rng(rows)
        own = features // 2 if form == "split" else 0
        owners = {"tax": features - own} | ({"bank": own} if own else {})
        self.rows, self.form = rows, form
        self.roles = Roles("bank", "bank", owners)
        self.features = {name: draw.normal(0, 1, (rows, d)) for name, d in owners.items()}
        self.model = Model({name: draw.normal(0, 0.5, d) for name, d in owners.items()}, -1.0)
        self.key_bits = key_bits
        self.secret: paillier.SecretKey | None = None

    def parts(self) -> tuple[Callable[[Mesh], Any], Callable[[Any], Any]]:
        """What is not counted, and what is."""
        if self.form == "paillier":
            return self._keyed, self._paillier
        if self.form in ("anew", "offline"):
            return without_dealer, self._anew if self.form == "anew" else self._prepared
        results = {"decision": self._decision, "reasons": self._reasons}
        result = results.get(self.form, self._probability)
        return (partial(self._dealt, result) if self.dealt else self._prepared), result

    @property
    def dealt(self) -> bool:
        """Whether it is the dealer's correlations that it is prepared with."""
        return self.form in ("decision", "reasons")

    def exchange(self, mesh: Mesh) -> None:
        """The masked features and parts of the scores, as nothing but bytes."""
        width = self.roles.features["tax"]
        step = max(1, shares.BLOCK_BYTES // (8 * width))
        words = np.zeros((min(step, self.rows), width), np.uint64)
        for start in range(0, self.rows, step):
            part = words[: self.rows - start]
            if mesh.me == "tax":
                mesh.channel("bank").send(pb.MaskedFeatures(), words=part)
            else:
                column = mesh.channel("tax").recv(pb.MaskedFeatures).words
                columns.unpack(column, width=8 * width, count=len(part), peer="tax")
        if mesh.me == "tax":
            high = np.zeros(self.rows, np.uint64)
            mesh.channel("bank").send(pb.HighParts(words=columns.pack(high)))
        else:
            columns.unpack_uint64(mesh.channel("tax").recv(pb.HighParts).words, peer="tax")

    def right(self, found: Any) -> bool:
        """Whether the bank's result is the plain one; of what was made offline, a score's."""
        if isinstance(found, shares.Opened):
            found = self._probability(found)
        if found is None:
            return True
        names = list(self.roles.features)
        table = np.concatenate([self.features[name] for name in names], axis=1)
        weights = np.concatenate([self.model.weights[name] for name in names])
        logits = table @ weights + self.model.intercept
        if self.form == "decision":
            return np.array_equal(found, logits >= 0)
        if self.form == "reasons":
            parts = table * weights
            order = np.argsort(parts, axis=1, kind="stable")[:, :3]
            lowers = np.take_along_axis(parts, order, axis=1) < 0
            return np.array_equal(found, np.where(lowers, order, -1))
        return bool(np.abs(found - logistic(logits)).max(initial=0) <= TOLERANCE)

    def _mine(self, mesh: Mesh) -> dict[str, Any]:
        return {"rows": self.rows, "features": self.features.get(mesh.me)}

    def _opened(self, mesh: Mesh, triples: Triples) -> shares.Opened:
        model = self.model if mesh.me == "bank" else None
        return shares.open_model(mesh, self.roles, triples, model=model)

    def _anew(self, mesh: Mesh) -> Any:
        inner = self.roles.over(mesh)
        return self._probability(self._opened(inner, vole.source(inner)))

    def _prepared(self, mesh: Mesh) -> shares.Opened:
        inner = self.roles.over(without_dealer(mesh))
        opened = self._opened(inner, vole.source(inner))
        shares.prepare(opened, self.rows)
        return opened

    def _dealt(self, result: Callable[[shares.Opened], Any], mesh: Mesh) -> shares.Opened:
        """With an open model, and all that a first run took, once more."""
        inner = self.roles.over(without_dealer(mesh))
        triples = dealer.source(inner, mesh.channel(DEALER))
        opened = self._opened(inner, triples)
        result(opened)
        shares.prepare(opened, self.rows)
        triples.prepare([kind for kind in triples.drawn if not hasattr(kind, "holder")])
        triples.close()
        return opened

    def _probability(self, opened: shares.Opened) -> Any:
        return shares.probability(opened, **self._mine(opened.mesh))

    def _decision(self, opened: shares.Opened) -> Any:
        threshold = 0.5 if opened.owns else None
        return shares.decision(opened, threshold=threshold, **self._mine(opened.mesh))

    def _reasons(self, opened: shares.Opened) -> Any:
        return shares.reasons(opened, count=3, **self._mine(opened.mesh))

    def _keyed(self, mesh: Mesh) -> Mesh:
        """The key, which stays from run to run, is not counted."""
        if mesh.me == "bank" and self.secret is None:
            self.secret = paillier.keygen(self.key_bits, allow_weak=True)[0]
        return without_dealer(mesh)

    def _paillier(self, mesh: Mesh) -> Any:
        bank = mesh.me == "bank"
        logits = encrypted.score(
            mesh,
            self.roles,
            model=self.model if bank else None,
            secret=self.secret if bank else None,
            **self._mine(mesh),
        )
        return None if logits is None else logistic(logits)
