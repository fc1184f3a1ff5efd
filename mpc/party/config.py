# SPDX-License-Identifier: Apache-2.0
"""A party's own file: who it is, whom it knows, which data it has, and what it lets be done.

::

    name = "tax_office"                  # with listen, key, certificate and [peers.NAME]:
    listen = "10.0.0.7:7100"             # see mpc.net.session
    key = "tax_office.key"
    certificate = "tax_office.crt"

    [peers.bank]
    certificate = "bank.crt"

    [data.companies]                     # the catalog: a name for a file and its id columns
    file = "companies.parquet"
    id = ["uscc"]
    identifier = "uscc"                  # optional: check ids as "uscc" or "resident" codes
    dates = "listed_on"                  # optional: of a list, the day of each entry
    duplicates = "first"                 # optional: leave out rows that repeat an id ...
    nulls = "drop"                       # ... and rows without one; each is an error otherwise
    delimiter = ";"                      # optional: of a CSV file

    [jobs.score]                         # this party takes part in score jobs, with this data
    data = "companies"

    triples = "tax_office.triples"       # optional: for jobs with source = "file"

    [jobs.deal]                          # this party makes correlations for jobs of others

A job of a kind without a ``[jobs.KIND]`` table is refused: nothing is given that was not allowed.
An asker or receiver adds ``output``, and in ``[jobs.score]`` and ``[jobs.decision]`` a model owner
``scorecard``, to that table. In ``[jobs.decision]`` a list is ``list = "NAME"``. There, and in
``[jobs.blacklist]`` for jobs with a threshold or a count, ``most_keys`` bounds how many keys each
asker may ask in all jobs together, counted as ``lookup.room`` does, in a file beside this one;
where it is not said, each job may ask about ``limit.UNSAID_KEYS`` ids. A key that jobs of a kind
do not use is refused (``KEYS``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from mpc.errors import PolicyError
from mpc.net import settings
from mpc.net.config import SessionConfig

IDENTIFIERS = ("uscc", "resident")
KEYS = {
    "blacklist": ("data", "most_keys", "output"),
    "score": ("data", "output", "scorecard", "triples"),
    "deal": (),
    "decision": ("data", "list", "most_keys", "output", "scorecard", "triples"),
}
"""What a ``[jobs.KIND]`` table may say, by kind."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table of this party: its file, the columns that make an id, how ids are checked, the
    column of days of a list, and which rows are left out."""

    file: Path
    id: tuple[str, ...]
    identifier: str | None
    dates: str | None = None
    duplicates: Literal["error", "first"] = "error"
    nulls: Literal["error", "drop"] = "error"
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class Grant:
    """What this party allows to jobs of one kind: which data, and where results and models are.

    ``most_keys`` bounds the keys that an asker may ask, ever; ``counts`` is where they are counted.
    None is a bound on each job alone (``limit``).
    ``triples`` is where correlations made ahead are kept.
    """

    data: Dataset | None
    output: Path | None
    scorecard: Path | None
    list: Dataset | None
    most_keys: int | None
    counts: Path
    triples: Path | None


@dataclass(frozen=True, slots=True)
class PartyConfig:
    """Everything in a party's file."""

    session: SessionConfig
    grants: Mapping[str, Grant]

    @property
    def name(self) -> str:
        return self.session.name

    def grant(self, kind: str) -> Grant:
        """PolicyError when this party takes no part in jobs of this ``kind``."""
        if kind not in self.grants:
            raise PolicyError(
                f"{self.name} takes part in no {kind} job; its operator allows it with a "
                f"[jobs.{kind}] table in its file"
            )
        return self.grants[kind]


def load(path: str | Path) -> PartyConfig:
    """Read a party's file. ConfigError names the file, the key and the mend."""
    file = settings.read(path)
    data = {name: _dataset(section) for name, section in file.sections("data")}
    grants = {kind: _grant(file, kind, section, data) for kind, section in file.sections("jobs")}
    return PartyConfig(SessionConfig.load(path), grants)


def _dataset(section: settings.Section) -> Dataset:
    identifier = section.text("identifier") if section.has("identifier") else None
    if identifier not in (None, *IDENTIFIERS):
        raise section.fault("identifier", f"must be one of {', '.join(IDENTIFIERS)}")
    dates = section.text("dates") if section.has("dates") else None
    duplicates = _one_of(section, "duplicates", ("error", "first"))
    nulls = _one_of(section, "nulls", ("error", "drop"))
    if dates is not None and duplicates == "first":
        raise section.fault(
            "duplicates",
            'cannot be "first" in a list with dates: an old entry would stand for a newer one',
        )
    dataset = Dataset(
        file=section.file("file"),
        id=section.texts("id"),
        identifier=identifier,
        dates=dates,
        duplicates=cast(Literal["error", "first"], duplicates),
        nulls=cast(Literal["error", "drop"], nulls),
        delimiter=section.character("delimiter", ","),
    )
    section.done()
    return dataset


def _one_of(section: settings.Section, key: str, known: tuple[str, ...]) -> str:
    """One of the words ``known``, the first where there is no such key."""
    word = section.text(key, known[0])
    if word not in known:
        raise section.fault(key, f"must be one of {', '.join(known)}, not {word!r}")
    return word


def _grant(
    file: settings.Section, kind: str, section: settings.Section, data: Mapping[str, Dataset]
) -> Grant:
    if kind not in KEYS:
        raise file.fault(f"jobs.{kind}", f"is no kind of job; there are {', '.join(sorted(KEYS))}")
    # Before anything is read: a limit that is not kept must not look as if it were.
    section.offers(*KEYS[kind])
    section.done()
    most_keys = section.whole("most_keys", 0) if section.has("most_keys") else None
    if most_keys is not None and most_keys < 0:
        raise section.fault("most_keys", f"must be 0 or more, not {most_keys}")
    return Grant(
        data=_named(section, "data", data),
        output=section.optional_file("output"),
        scorecard=section.optional_file("scorecard"),
        list=_named(section, "list", data),
        most_keys=most_keys,
        counts=section.path.with_suffix(".keys.json"),
        triples=section.optional_file("triples"),
    )


def _named(section: settings.Section, key: str, data: Mapping[str, Dataset]) -> Dataset | None:
    if not section.has(key):
        return None
    named = section.text(key)
    if named not in data:
        raise section.fault(key, f"names {named!r}, but there is no [data.{named}] table")
    return data[named]
