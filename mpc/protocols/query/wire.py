# SPDX-License-Identifier: Apache-2.0
"""Answers as the asker takes them: of the kind that was asked for, or a refusal."""

from __future__ import annotations

import math
from typing import Literal

from mpc.errors import ProtocolError
from mpc.net.channel import Channel
from mpc.pb.v1 import query_pb2 as pb
from mpc.protocols.query.limits import Refused
from mpc.tracing import spanned

_LIMITS = ("rate", "burst", "total", "key")


@spanned("answer")
def answered(channel: Channel, kind: Literal["offer", "chunk", "evaluated"]) -> pb.QueryAnswer:
    """The next answer. Raises ``Refused`` when it is one, ``ProtocolError`` for another kind."""
    answer = channel.recv(pb.QueryAnswer)
    found = answer.WhichOneof("answer")
    if found == "refused" and kind == "evaluated" and answer.refused.limit in _LIMITS:
        refused = answer.refused
        if not 0 <= refused.retry_seconds < math.inf:
            raise ProtocolError(channel.peer, "refused without saying for how long")
        raise Refused(channel.peer, refused.limit, refused.allowed, refused.retry_seconds)
    if found != kind:
        raise ProtocolError(channel.peer, f"answered {found} where {kind} was asked for")
    return answer
