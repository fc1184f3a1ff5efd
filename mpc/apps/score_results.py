# SPDX-License-Identifier: Apache-2.0
"""What the receiver of a joint score gets, and the form of ``mpc.protocols.scoring`` it comes by.

    receiver                       feature owner k                      model owner
                   <----------- the score, in one of its forms ------------>
      probability  <--------------- (a receiver who is not the model owner) -- Bands
      band         <--------------- BandNames ----------------------------->

The names of the bands, not where they begin, go to all parties with the result ``band``; a receiver
of probabilities gets both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mpc.apps import scorecard_file
from mpc.apps.scorecard_file import Band, Scorecard
from mpc.errors import ConfigError, ProtocolError
from mpc.net import columns
from mpc.net.mesh import Mesh
from mpc.pb.v1 import scorecard_pb2 as pb
from mpc.primitives import paillier
from mpc.primitives.rng import SYSTEM, Rng
from mpc.protocols import scoring
from mpc.protocols.scoring import shares
from mpc.protocols.triples import Triples, vole

Floats = NDArray[np.float64]

OUTPUTS = ("probability", "band", "decision", "reasons")
FORMS = ("auto", "shares", "paillier")
SHARES_ROWS = 1  # from so many rows on the form on shares is faster: measured, from one on


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to come out, and by which form; public, and the same at every party.

    ``reasons`` of the features that lower the score most, or that raise it, come with any output;
    ``threshold`` is that of a decision, unless the model owner's scorecard has one that only it
    knows. The form is chosen by the number of rows when it is "auto".
    """

    output: str = "probability"
    reasons: int = 0
    raising: bool = False
    threshold: float | None = None
    form: str = "auto"
    key_bits: int = 3072

    def __post_init__(self) -> None:
        for what, word, known in (("output", self.output, OUTPUTS), ("form", self.form, FORMS)):
            if word not in known:
                raise ConfigError(f"{what} must be one of {', '.join(known)}, not {word!r}")
        if (self.output == "reasons") > self.reasons or self.reasons < 0:
            raise ConfigError("the output 'reasons' needs reasons, how many of them, above 0")
        if self.form == "paillier" and (self.output != "probability" or self.reasons):
            raise ConfigError("the Paillier form gives probabilities alone; take form 'shares'")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise ConfigError(f"the threshold is {self.threshold}, not between 0 and 1")

    def by_shares(self, rows: int) -> bool:
        """Whether ``rows`` rows are scored on shares."""
        if self.form == "auto":
            return rows >= SHARES_ROWS or self.output != "probability" or self.reasons > 0
        return self.form == "shares"

    def checked(self, card: Scorecard) -> None:
        """ConfigError for what the model owner's scorecard lacks."""
        if self.output == "decision" and self.threshold is None and card.threshold is None:
            raise ConfigError("a decision needs a threshold, in the scorecard or in the job")
        if self.reasons > len(card.features):
            raise ConfigError(f"{self.reasons} reasons of {len(card.features)} features")


@dataclass(frozen=True, slots=True)
class Scores:
    """What the receiver gets for the ids at ``positions``, ascending; None is what was not asked.

    ``reasons`` has the names of features for each row, the weightiest first, and None where there
    are no more that lower the score (or raise it).
    """

    positions: NDArray[np.intp]
    probability: Floats | None = None
    band: list[str] | None = None
    decision: NDArray[np.bool_] | None = None
    reasons: list[tuple[str | None, ...]] | None = None

    def sorted(self) -> Scores:
        """The same with ascending positions."""
        order = np.argsort(self.positions)
        return Scores(
            self.positions[order],
            None if self.probability is None else self.probability[order],
            None if self.band is None else [self.band[i] for i in order],
            None if self.decision is None else self.decision[order],
            None if self.reasons is None else [self.reasons[i] for i in order],
        )


@dataclass(frozen=True, slots=True)
class Scored:
    """What one party brings to the score: rows in the agreed order, and its secrets."""

    mesh: Mesh
    roles: scoring.Roles
    names: dict[str, tuple[str, ...]]
    positions: NDArray[np.intp] = field(repr=False)
    rows: int
    features: Floats | None = field(repr=False)
    card: Scorecard | None = field(repr=False)
    rng: Rng = field(default=SYSTEM, repr=False)

    @property
    def receives(self) -> bool:
        return self.mesh.me == self.roles.receiver

    @property
    def model(self) -> scoring.Model | None:
        if self.card is None:
            return None
        weights = {owner: self.card.weights(names) for owner, names in self.names.items()}
        return scoring.Model(weights, self.card.intercept)


def score(given: Scored, wanted: Wanted, triples: Triples | None) -> Scores | None:
    """The scores, at the receiver; None at the others.

    ``triples`` are of the parties of the roles; without any they make them, if any are needed.
    TooFew where they were made ahead for fewer rows.
    """
    if not wanted.by_shares(given.rows):
        return _with_bands(given, _by_paillier(given, wanted))
    mesh = given.roles.over(given.mesh)
    triples = triples or vole.source(mesh, rng=given.rng)
    triples.suffice_for(given.rows)
    opened = shares.open_model(mesh, given.roles, triples, model=given.model, rng=given.rng)
    scores = Scores(given.positions)
    match wanted.output:
        case "probability":
            values = shares.probability(opened, rows=given.rows, features=given.features)
            scores = _with_bands(given, values) or scores
        case "band":
            scores = replace(scores, band=_banded(given, opened))
        case "decision":
            scores = replace(scores, decision=_decided(given, wanted, opened))
    if wanted.reasons:
        scores = replace(scores, reasons=_reasons(given, wanted, opened))
    return scores if given.receives else None


def _by_paillier(given: Scored, wanted: Wanted) -> Floats | None:
    secret = None
    if given.card is not None:
        secret, _ = paillier.keygen(wanted.key_bits, rng=given.rng)
    logits = scoring.paillier.score(
        given.mesh,
        given.roles,
        rows=given.rows,
        features=given.features,
        model=given.model,
        secret=secret,
        rng=given.rng,
    )
    return None if logits is None else scoring.logistic(logits)


def _with_bands(given: Scored, probability: Floats | None) -> Scores | None:
    """The probabilities with their bands, which the model owner tells the receiver."""
    if given.card is not None and not given.receives:
        _hand_over_bands(given.mesh, given.roles.receiver, given.card)
    if probability is None:
        return None
    bands = _bands_of(given.mesh, given.roles) if given.card is None else given.card.bands
    return Scores(given.positions, probability, scorecard_file.band(bands, probability))


def _banded(given: Scored, opened: shares.Opened) -> list[str] | None:
    names, limits = band_names(given.mesh, given.roles.model_owner, given.card), None
    if given.card is not None:
        limits = [band.start for band in given.card.bands[1:]]
    found = shares.band(
        opened, rows=given.rows, count=len(names), features=given.features, limits=limits
    )
    return None if found is None else [names[i] for i in found]


def _decided(given: Scored, wanted: Wanted, opened: shares.Opened) -> NDArray[np.bool_] | None:
    threshold = None
    if given.card is not None:
        threshold = given.card.threshold if wanted.threshold is None else wanted.threshold
    return shares.decision(opened, rows=given.rows, features=given.features, threshold=threshold)


def _reasons(
    given: Scored, wanted: Wanted, opened: shares.Opened
) -> list[tuple[str | None, ...]] | None:
    found = shares.reasons(
        opened,
        rows=given.rows,
        count=wanted.reasons,
        features=given.features,
        raising=wanted.raising,
    )
    names = [name for owner in given.roles.features for name in given.names[owner]]
    if found is None:
        return None
    return [tuple(names[i] if i >= 0 else None for i in row) for row in found]


def band_names(mesh: Mesh, model_owner: str, card: Scorecard | None) -> list[str]:
    """The names of the bands, which the model owner, who has the card, tells all."""
    if card is not None:
        names = [band.name for band in card.bands]
        mesh.broadcast(pb.BandNames(names=names))
        return names
    names = list(mesh.channel(model_owner).recv(pb.BandNames).names)
    if not names:
        raise ProtocolError(model_owner, "has no bands")
    return _shown(names, model_owner)


def _shown(names: list[str], peer: str) -> list[str]:
    """Names of bands from ``peer``, which are written and shown: without control characters."""
    if not all(name and name.isprintable() for name in names):
        raise ProtocolError(peer, "a band has no name, or control characters in it")
    return names


def _hand_over_bands(mesh: Mesh, receiver: str, scorecard: Scorecard) -> None:
    starts = np.array([band.start for band in scorecard.bands])
    names = [band.name for band in scorecard.bands]
    mesh.channel(receiver).send(pb.Bands(names=names, starts=columns.pack(starts)))


def _bands_of(mesh: Mesh, roles: scoring.Roles) -> Sequence[Band]:
    """The bands the model owner sends, checked: they begin at 0 and ascend below 1."""
    peer = roles.model_owner
    message = mesh.channel(peer).recv(pb.Bands)
    starts = columns.unpack_uint64(message.starts, peer=peer, count=len(message.names))
    values = starts.view(np.float64)
    ascending = len(values) and values[0] == 0 and (np.diff(values) > 0).all() and values[-1] < 1
    if not ascending:
        raise ProtocolError(peer, "the bands do not begin at 0 and ascend below 1")
    names = _shown(list(message.names), peer)
    return [Band(*pair) for pair in zip(names, values.tolist(), strict=True)]
