# SPDX-License-Identifier: Apache-2.0
"""Who makes the correlations that a score or a decision computes with, as its job file says::

    source = "vole"       # the default: the parties among themselves, without anyone else
    source = "dealer"     # a third party, which computes with nobody
    dealer = "notary"

    source = "file"       # the parties among themselves, ahead, by ``mpc prepare``

A file is a party's own (``triples`` in its ``[jobs.KIND]``), encrypted under a key derived from
that of its certificate, and serves one job: what was used, or half used, or made for another job
file is refused.

A dealer runs ``mpc deal`` with the same job file, and sees no input. It takes less time and bytes
than vector OLE; what it costs in trust is in ``protocols.triples.dealer``, and what follows for a
job is said by ``terms``, at all parties alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from mpc.errors import ConfigError
from mpc.net import settings
from mpc.net.config import SessionConfig
from mpc.net.mesh import Mesh
from mpc.party import own_key
from mpc.party.config import Grant
from mpc.party.outcome import Outcome
from mpc.protocols.triples import TooFew, Triples, dealer, file, vole
from mpc.protocols.triples.kinds import Kind

KINDS = ("vole", "dealer", "file")
_MEND = (
    "all parties remove theirs, if there is one, and run mpc prepare PARTY.toml JOB.toml --rows "
)
DEAL = "deal"
"""The kind of job that a party's file allows a dealer: ``[jobs.deal]``."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A party's file of correlations, and its key."""

    path: Path
    key: bytes = field(repr=False)
    purpose: bytes
    """Of which job: the digest of what its parties compare."""

    def check(self, *, made: bool) -> None:
        """ConfigError where the file is not there to be used, or there before it is made."""
        if self.path.exists() != made:
            raise ConfigError(f"{self.path} {'does not exist' if made else 'exists'}: {_MEND}N")

    @contextmanager
    def opened(self, computing: Mesh) -> Iterator[Triples]:
        """What is in the files of all parties of ``computing``. A ConfigError where that does not
        suffice says how to make a new one; where it was made for too few rows, nothing is used."""
        try:
            with file.source(
                computing, self.path, self.key, untouched=True, purpose=self.purpose
            ) as triples:
                yield triples
        except TooFew as error:
            error.add_note(f"{self.path} is unused; to have more, {_MEND}{error.needed}")
            raise
        except ConfigError as error:
            if str(self.path) in str(error):
                error.add_note(f"it serves one job, of as many rows as were prepared: {_MEND}N")
            raise

    def made(self, computing: Mesh, drawn: list[Kind], rows: int) -> None:
        """Make what a job of ``rows`` rows draws, among the parties of ``computing``, into a new
        file."""
        with vole.source(computing) as triples:
            triples.prepare_like(drawn)
            file.save(computing, self.path, triples, self.key, purpose=self.purpose, rows=rows)


def stored(
    source: Source, grant: Grant, config: SessionConfig, parameters: Mapping[str, object]
) -> Stored | None:
    """Where this party keeps what was made ahead for the job of these ``parameters``; None for
    other sources."""
    if not source.ahead:
        return None
    if grant.triples is None:
        raise ConfigError(
            f'a job with source = "file" needs triples = "FILE" in [jobs.{parameters["kind"]}]'
        )
    purpose = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).digest()
    return Stored(grant.triples, own_key.derived(config, b"triples"), purpose)


@dataclass(frozen=True, slots=True)
class Source:
    """A source of correlations; ``dealer`` is its name, where there is one."""

    kind: str = "vole"
    dealer: str | None = None

    @property
    def ahead(self) -> bool:
        """Whether they are made before the job, by ``mpc prepare``."""
        return self.kind == "file"

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
            where = ", ahead, and keep their shares in encrypted files" if self.ahead else ""
            return [
                "The parties make the random numbers that they compute with among themselves"
                f"{where}: no third party is trusted."
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

    def opened(
        self, mesh: Mesh, computing: Mesh, stored: Stored | None
    ) -> AbstractContextManager[Triples | None]:
        """The correlations of the parties of ``computing``, in its order; None where these make
        them. ``mesh`` has the dealer too, and ``stored`` is this party's file where it has one."""
        if stored is not None:
            return stored.opened(computing)
        if self.dealer is None:
            return nullcontext()
        return dealer.source(computing, mesh.channel(self.dealer))


def load(job: settings.Section, parties: Sequence[str]) -> Source:
    """The source in a job file whose computing ``parties`` are these."""
    kind = job.text("source", "vole")
    if kind not in KINDS:
        raise job.fault("source", f"must be one of {', '.join(KINDS)}, not {kind!r}")
    if kind != "dealer":
        if job.has("dealer"):
            raise job.fault("dealer", 'is of source = "dealer"')
        return Source(kind)
    named = job.text("dealer")
    if named in parties:
        raise job.fault(
            "dealer", f"names {named!r}, who computes: it would know all masks, and so all inputs"
        )
    return Source(kind, named)


def deal(mesh: Mesh) -> Outcome:
    """Be the dealer of all others in ``mesh``."""
    dealer.serve(mesh)
    return Outcome(["dealt until the others needed no more"])
