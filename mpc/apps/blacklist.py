# SPDX-License-Identifier: Apache-2.0
"""The joint blacklist: which of the asker's applicants stand on the lists of other institutions.

    asker                                            holder, each
      intersection.receiver  <- one run with each ->   intersection.sender

Learns: the asker, which holder lists which applicant, and how long each list is; a holder, how many
applicants were asked about, and nothing of who they are or what the answer was. Who shows a public
bound instead (``pad_to``) tells no more of the number than that it is not above. Holders learn
nothing of each other. A holder that takes part in many jobs shows the asker its list only as far as
the asker's applicants reach; an asker who may put any number of names forward can look up as many,
so it is for the holder to agree on how many it answers.

The form that tells the asker no more than that some holder (or at least t of them) lists an
applicant is ``apps.threshold``. Semi-honest, as ``apps.intersection``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.apps import intersection
from mpc.apps.each_peer import each_peer
from mpc.errors import ConfigError
from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.primitives.items import Items
from mpc.primitives.rng import SYSTEM, Rng
from mpc.protocols import psi
from mpc.protocols.psi import Progress
from mpc.protocols.psi_many import NO_BOUNDS


@dataclass(frozen=True, slots=True)
class BlacklistResult:
    """For each applicant, in the asker's order: which holders list it, and whether any does."""

    by_holder: Mapping[str, NDArray[np.bool_]]

    @property
    def listed(self) -> NDArray[np.bool_]:
        listed: NDArray[np.bool_] = np.any(list(self.by_holder.values()), axis=0)
        return listed


def asker(
    mesh: Mesh,
    applicants: Any,
    holders: Sequence[str],
    *,
    pad_to: Mapping[str, int] = NO_BOUNDS,
    memory: int = psi.MEMORY,
    progress: Mapping[str, Progress] | None = None,
    rng: Rng = SYSTEM,
) -> BlacklistResult:
    """Ask ``holders``, all at once, about ``applicants``: strings or bytes, in whatever form
    ``Items.of`` takes. Raises ``DataError`` for an applicant that is null or there twice, before
    anything is sent. ``pad_to`` has the public bound of each party that shows one: ConfigError for
    more applicants than ours, ParameterMismatch for a holder that shows another. ``memory`` (of all
    holders together) and, by holder, ``progress`` are those of ``psi``: a job that broke off goes
    on with each holder from the last bucket that was compared.
    """
    if not holders:
        raise ConfigError("a blacklist job needs at least one holder of a list")
    items = Items.of(applicants)
    items.check_distinct()

    def ask(channel: Channel, own: Rng) -> NDArray[np.bool_]:
        listed = np.zeros(len(items), np.bool_)
        each, kept = memory // len(holders), (progress or {}).get(channel.peer)
        found = intersection.receiver(
            channel,
            items,
            pad_to=pad_to.get(mesh.me),
            peer_bound=pad_to.get(channel.peer),
            memory=each,
            progress=kept,
            rng=own,
        )
        listed[found] = True
        return listed

    return BlacklistResult(each_peer(mesh, holders, ask, rng=rng))


def holder(
    channel: Channel,
    listed: Any,
    *,
    pad_to: int | None = None,
    peer_bound: int | None = None,
    memory: int = psi.MEMORY,
    progress: Progress | None = None,
    rng: Rng = SYSTEM,
) -> int:
    """Answer the asker at the other end of ``channel``; say how many applicants it asked about, as
    ``intersection.sender`` counts them, or the bound it showed.

    ``listed`` is like the asker's ``applicants``, and raises what they do. ``pad_to`` is our public
    bound, and ``peer_bound`` the asker's.
    """
    return intersection.sender(
        channel,
        listed,
        pad_to=pad_to,
        peer_bound=peer_bound,
        memory=memory,
        progress=progress,
        rng=rng,
    )
