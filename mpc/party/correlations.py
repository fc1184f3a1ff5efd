# SPDX-License-Identifier: Apache-2.0
"""Who makes the correlations that a score or a decision computes with, as its job file says::

    source = "vole"       # the default: the parties among themselves, without anyone else
    source = "dealer"     # a third party, which computes with nobody
    dealer = "notary"

A dealer runs ``mpc deal`` with the same job file, and sees no input. It takes less time and bytes
than vector OLE; what it costs in trust is in ``protocols.triples.dealer``, and what follows for a
job is said by ``terms``, at all parties alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from mpc.net import settings
from mpc.net.mesh import Mesh
from mpc.party.outcome import Outcome
from mpc.protocols.triples import Triples, dealer

KINDS = ("vole", "dealer")
DEAL = "deal"
"""The kind of job that a party's file allows a dealer: ``[jobs.deal]``."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source of correlations; ``dealer`` is its name, where there is one."""

    kind: str = "vole"
    dealer: str | None = None

    @property
    def outsiders(self) -> tuple[str, ...]:
        """Who takes part beside the computing parties."""
        return () if self.dealer is None else (self.dealer,)

    def parameters(self) -> dict[str, str]:
        """What the parties compare."""
        return {"source": self.kind, "dealer": self.dealer or ""}

    def terms(self) -> list[str]:
        """What it means for the others, in sentences."""
        if self.dealer is None:
            return [
                "The parties make the random numbers that they compute with among themselves: no "
                "third party is trusted."
            ]
        return [
            f"{self.dealer} makes the random numbers that the others compute with, and sees no "
            f"input. Warning: {self.dealer} together with any one of them could read what all of "
            f"them put into the computation, and if {self.dealer} lies, results are wrong, unseen."
        ]

    def gives(self) -> str:
        """What a dealer gives."""
        return "random numbers that fit together, to each party its share"

    def learns(self) -> str:
        return "how many rows are computed on, and which steps are done"

    def never(self) -> str:
        return "an id, a feature, a weight, any result, unless one of the others helps it"

    def opened(self, mesh: Mesh, computing: Mesh) -> AbstractContextManager[Triples | None]:
        """The correlations of the parties of ``computing``, in its order; None where these make
        them. ``mesh`` has the dealer too."""
        if self.dealer is None:
            return nullcontext()
        return dealer.source(computing, mesh.channel(self.dealer))


def load(file: settings.Section, parties: Sequence[str]) -> Source:
    """The source in a job file whose computing ``parties`` are these."""
    kind = file.text("source", "vole")
    if kind not in KINDS:
        raise file.fault("source", f"must be one of {', '.join(KINDS)}, not {kind!r}")
    if kind != "dealer":
        if file.has("dealer"):
            raise file.fault("dealer", 'is of source = "dealer"')
        return Source(kind)
    named = file.text("dealer")
    if named in parties:
        raise file.fault(
            "dealer", f"names {named!r}, who computes: it would know all masks, and so all inputs"
        )
    return Source(kind, named)


def deal(mesh: Mesh) -> Outcome:
    """Be the dealer of all others in ``mesh``."""
    dealer.serve(mesh)
    return Outcome(["dealt until the others needed no more"])
