# SPDX-License-Identifier: Apache-2.0
"""The joint blacklist that names no list: whether enough lists hold an applicant, or how many do.

    asker                              every holder
      its applicants                     its list, with dates where only young entries count   read
      seeds of every two parties, correlations that all make, protocols.threshold
      a bit or a count for each          how many were asked

Who learns what, and who may collude: ``protocols.threshold``. Who shows a public bound in place of
how many ids it has (``pad_to``) takes random ones to its own, which are on no list.
``apps.blacklist`` is the form that tells the asker which holder lists whom; it takes less time, as
holders do not meet each other.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.apps.holding import Holding
from mpc.errors import ConfigError
from mpc.net.mesh import Mesh
from mpc.primitives.items import Items
from mpc.primitives.rng import SYSTEM, Rng
from mpc.protocols import seeds, threshold
from mpc.protocols.psi.agreement import shown
from mpc.protocols.query.limits import Gate
from mpc.protocols.threshold import Listed, Terms
from mpc.protocols.triples import vole


def entries(
    me: str,
    held: Holding,
    since: date | None,
    *,
    pad_to: int | None = None,
    rng: Rng = SYSTEM,
) -> Listed:
    """The list of ``me`` out of its table, with the days of its entries where only those
    ``since`` then count. With ``pad_to`` so many entries count, random ones among them.

    Raises ConfigError where no column of dates is named or more than ``pad_to`` count, DataError
    where it lacks any.
    """
    listed = _listed(me, held, since)
    if pad_to is None:
        return listed
    young = listed.young(since)
    keys = young.padded(shown(len(young), pad_to), rng)
    return Listed(keys, None if since is None else np.full(len(keys), since, "datetime64[D]"))


def _listed(me: str, held: Holding, since: date | None) -> Listed:
    if since is None:
        return Listed(held.ids.array())
    if held.dates is None:
        raise ConfigError(f"{me}: entries since {since} count: name the list's column of dates")
    held.table.require([held.dates])
    return Listed(held.ids.array(), held.table.days(held.dates, held.rows))


def ask(
    mesh: Mesh,
    terms: Terms,
    applicants: Any,
    *,
    pad_to: int | None = None,
    rng: Rng = SYSTEM,
) -> NDArray[Any]:
    """What the terms' output, "bit" or "count", says of each of ``applicants``, in their order.

    With ``pad_to`` holders are asked about so many. ConfigError where there are more applicants.
    """
    own = Items.of(applicants)
    keys = own.padded(shown(len(own), pad_to), rng)
    agreed = seeds.agree(mesh, rng=rng)
    made = vole.source(mesh, rng=rng)
    found = threshold.asker(mesh, terms, keys, seeds=agreed, triples=made, rng=rng)
    return np.asarray(found)[: len(own)]


def answer(
    mesh: Mesh, terms: Terms, listed: Listed, *, gate: Gate | None = None, rng: Rng = SYSTEM
) -> int:
    """Play the part of a holder; how many applicants were asked about."""
    agreed = seeds.agree(mesh, rng=rng)
    made = vole.source(mesh, rng=rng)
    asked = threshold.holder(mesh, terms, listed, seeds=agreed, triples=made, gate=gate, rng=rng)
    assert isinstance(asked, int), "shares are for other computations"
    return asked
