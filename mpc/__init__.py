# SPDX-License-Identifier: Apache-2.0
"""Secure multi-party computation for finance: joint blacklists and scores between processes.

Start with ``mpc.Session`` and the protocols, one module each, in ``mpc.protocols``::

    with mpc.Session.open("bank.toml") as session:
        hits = psi_dh.receiver(session.peer("lender_b"), ids)
"""

from __future__ import annotations

from mpc.errors import MpcError

TYPE_CHECKING = (
    False  # as in typing, which takes longer to load than all else before Ctrl-C is ours
)
if TYPE_CHECKING:
    from mpc.net.mesh import Mesh
    from mpc.net.session import Session

__all__ = ["Mesh", "MpcError", "Session", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Load what needs gRPC only when it is asked for, so that ``import mpc`` stays quick."""
    if name == "Session":
        from mpc.net.session import Session

        return Session
    if name == "Mesh":
        from mpc.net.mesh import Mesh

        return Mesh
    raise AttributeError(f"module 'mpc' has no attribute {name!r}")
