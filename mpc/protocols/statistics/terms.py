# SPDX-License-Identifier: Apache-2.0
"""What the parties agree on about a group, and how they find out that they do.

every party  StatisticsTerms  <------>  StatisticsTerms  every other party
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mpc.errors import ConfigError, ParameterMismatch
from mpc.net.mesh import Mesh
from mpc.pb.v1 import statistics_pb2 as pb

MOST_ROWS = 1 << 40
_LARGEST_BITS = 62  # of an encoded value, so that a difference of two has a sign


@dataclass(frozen=True, slots=True)
class Terms:
    """What all parties hold alike: they compare it when they make a group."""

    rows: int
    """The most rows that a party has."""
    bound: float
    """No value is larger than this in size."""
    fraction_bits: int = 8
    minimum: int = 10
    """A figure of fewer rows is withheld."""
    to: str | None = None
    """Who gets the figure; None is everyone."""

    def __post_init__(self) -> None:
        if not (1 <= self.rows <= MOST_ROWS and 1 <= self.minimum <= MOST_ROWS):
            raise ConfigError(
                f"{self.rows} rows and a minimum of {self.minimum}: 1 to {MOST_ROWS} each"
            )
        if not 0 <= self.fraction_bits <= 40:
            raise ConfigError(f"{self.fraction_bits} fraction bits, not 0 to 40")
        if not 0 < self.bound < math.ldexp(1.0, _LARGEST_BITS - self.fraction_bits):
            raise ConfigError(
                f"a bound of {self.bound} with {self.fraction_bits} fraction bits, not above 0 and "
                f"below 2^{_LARGEST_BITS} units"
            )


def agree(mesh: Mesh, terms: Terms) -> None:
    """All parties hold the same terms. One round.

    Raises ConfigError where they name no party as the receiver, and ParameterMismatch, which names
    the field, for a peer that holds others.
    """
    if terms.to is not None and terms.to not in mesh.names:
        raise ConfigError(f"the figure goes to {terms.to!r}, who is none of {mesh.names}")
    ours = pb.StatisticsTerms(
        rows=terms.rows,
        bound=terms.bound,
        fraction_bits=terms.fraction_bits,
        minimum=terms.minimum,
        to=terms.to or "",
    )
    for name, theirs in mesh.exchange(ours).items():
        for field in pb.StatisticsTerms.DESCRIPTOR.fields:
            mine, other = getattr(ours, field.name), getattr(theirs, field.name)
            if mine != other:
                raise ParameterMismatch(name, field.name, repr(mine), repr(other)[:100])
