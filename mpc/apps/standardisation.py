# SPDX-License-Identifier: Apache-2.0
"""How feature owners bring their columns to one scale: z = (x - mean) / scale.

The model owner tells each owner the means and scales of that owner's own features, in one message,
``Standardisation``. They are figures of the model owner's population; the weights stay home.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mpc.apps.row_report import first_rows
from mpc.apps.scorecard_file import Scorecard
from mpc.apps.tables import Table
from mpc.errors import DataError, ProtocolError
from mpc.net import columns
from mpc.net.channel import Channel
from mpc.net.mesh import Mesh
from mpc.pb.v1 import scorecard_pb2 as pb

Floats = NDArray[np.float64]


def tell(mesh: Mesh, features: Mapping[str, Sequence[str]], scorecard: Scorecard) -> None:
    """Send each owner of ``features`` but this party how to standardise its own."""
    for owner, names in features.items():
        if owner != mesh.me:
            means, scales = scorecard.standardisation(names)
            message = pb.Standardisation(
                names=names, means=columns.pack(means), scales=columns.pack(scales)
            )
            mesh.channel(owner).send(message)


def told(channel: Channel, names: Sequence[str]) -> tuple[Floats, Floats]:
    """The means and scales the model owner sends, checked."""
    peer, message = channel.peer, channel.recv(pb.Standardisation)
    if list(message.names) != list(names):
        raise ProtocolError(peer, f"standardises {list(message.names)}, the job says {list(names)}")
    means, scales = (
        columns.unpack_uint64(column, peer=peer, count=len(names)).view(np.float64)
        for column in (message.means, message.scales)
    )
    if not (np.isfinite(means).all() and np.isfinite(scales).all() and (scales > 0).all()):
        raise ProtocolError(peer, "a mean or scale is not finite, or a scale not positive")
    return means, scales


def applied(
    table: Table,
    names: Sequence[str],
    rows: NDArray[np.integer],
    by: tuple[Floats, Floats],
    limit: float,
    values: Floats | None = None,
) -> Floats:
    """The features ``names`` in ``rows`` of a table, standardised; ``values`` if they are read.

    DataError for one that is missing, or more than ``limit`` scales from its mean.
    """
    means, scales = by
    z = ((table.features(names, rows) if values is None else values) - means) / scales
    for column, name in enumerate(names):
        far = rows[~(np.abs(z[:, column]) <= limit)]
        if len(far):
            raise DataError(
                f"{table.path}, column {name!r}: {len(far):,} of {len(rows):,} rows are "
                f"more than {limit:.0f} scales from the mean "
                f"({first_rows(np.sort(far))}); mend them, or ask for another scale"
            )
    return np.asarray(z, np.float64)
