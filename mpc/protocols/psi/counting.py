# SPDX-License-Identifier: Apache-2.0
"""``cardinality_only``: how many items are common, and not which, by way of ``psi_sum``.

The protocol of the rest of this package cannot keep from the receiver which of its items are
common: it computes the tag of each by itself. That takes tags of the receiver's items which come
back in another order, and so a function that the other side evaluates: Diffie–Hellman, two group
operations an item and side. It is semi-honest, and no small change makes it more: a receiver that
masks each item by a scalar of its own learns which are common, and what it sends is as uniform as
it should be. So the caller has to say ``security="semi-honest"``.
"""

from __future__ import annotations

from typing import Any

from mpc.errors import ConfigError
from mpc.net.channel import Channel
from mpc.primitives.rng import Rng
from mpc.protocols import psi_sum
from mpc.protocols.psi.agreement import Terms
from mpc.protocols.psi.progress import Progress


def receiver(
    channel: Channel, items: Any, terms: Terms, progress: Progress | None, rng: Rng
) -> int:
    """The number of common items."""
    _check(terms, progress)
    return psi_sum.receiver(channel, items, duplicates=terms.duplicates, rng=rng).count


def sender(channel: Channel, items: Any, terms: Terms, progress: Progress | None, rng: Rng) -> None:
    """Let the receiver learn the number."""
    _check(terms, progress)
    psi_sum.sender(channel, items, duplicates=terms.duplicates, rng=rng)


def _check(terms: Terms, progress: Progress | None) -> None:
    if terms.security != "semi-honest":
        raise ConfigError(
            "cardinality_only is not secure against a malicious peer; where semi-honest will do, "
            "say so with security='semi-honest'"
        )
    bounds = (terms.pad_to, terms.peer_bound)
    if terms.to_both or bounds != (None, None) or progress is not None:
        raise ConfigError(
            "cardinality_only goes with neither to_both, pad_to, peer_bound nor progress"
        )
