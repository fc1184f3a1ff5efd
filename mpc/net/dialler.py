# SPDX-License-Identifier: Apache-2.0
"""The calling side: from an address to a link. All of it runs on the network thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mpc.errors import PeerUntrusted
from mpc.net.knock import NotReadyError, RefusedError, knock
from mpc.net.peer import Address, Peer, printable
from mpc.net.runtime import aio, grpc
from mpc.net.stream import METHOD, OPTIONS, SERVICE, StreamLink
from mpc.net.tls import Identity

# The answer to a call that is accepted; gRPC gives an empty one where the call fails.
ACCEPTED = ("mpc-accepted", "yes")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
# A listener that is just being stopped looks like one that does not trust us: once is not enough.
_REFUSALS = 4
_ANSWER_SECONDS = 10.0
_FAREWELL_SECONDS = 2.0


class Dialler:
    """Calls peers as ``name``. ``listens`` says whether they could call it as well."""

    def __init__(
        self,
        name: str,
        *,
        identity: Identity | None,
        listens: bool,
        new_link: Callable[[str], StreamLink],
    ) -> None:
        self._name = name
        self._identity = identity
        self._listens = listens
        self._new_link = new_link
        self._lives: set[asyncio.Task[None]] = set()
        # Why the last attempt at a peer failed, for the error when the time is over.
        self.troubles: dict[str, str] = {}

    async def dial(self, peer: Peer, address: Address) -> StreamLink:
        """Call until ``peer`` accepts.

        Raises ``PeerUntrusted`` when certificates or names do not fit; never ends where the peer
        dials us instead. The caller cancels it when the time is over.
        """
        pause, refusals = _FIRST_PAUSE, 0
        while True:
            try:
                await knock(peer, address, self._identity)
                return await self._call(peer, address)
            except RefusedError as refused:
                refusals += 1
                if refusals == _REFUSALS and self._identity is not None:
                    raise PeerUntrusted(
                        peer.name,
                        f"does not take our certificate at {address} ({refused}); it needs the one "
                        f"with the fingerprint {self._identity.fingerprint}",
                    ) from None
            except NotReadyError as trouble:
                self.troubles[peer.name] = str(trouble)
                refusals = 0
            await asyncio.sleep(pause)
            pause = min(1.6 * pause, _LONGEST_PAUSE)

    async def close(self) -> None:
        """Wait until the streams of the links that ended are closed."""
        if self._lives:
            await asyncio.wait(self._lives)

    async def _call(self, peer: Peer, address: Address) -> StreamLink:
        channel = self._channel(peer, address)
        call: Any = channel.stream_stream(f"/{SERVICE}/{METHOD}")(
            metadata=aio.Metadata(
                ("mpc-from", self._name),
                ("mpc-to", peer.name),
                ("mpc-listens", "yes" if self._listens else "no"),
            )
        )
        try:
            await self._accepted(call, peer)
        except BaseException:
            await channel.close()
            raise
        link = self._new_link(peer.name)
        life = asyncio.create_task(_live(link, call, channel))
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)
        return link

    def _channel(self, peer: Peer, address: Address) -> aio.Channel:
        if self._identity is None or peer.trust is None:
            return aio.insecure_channel(str(address), options=OPTIONS)
        return aio.secure_channel(
            str(address),
            grpc.ssl_channel_credentials(
                peer.trust.certificate_pem, self._identity.key_pem, self._identity.certificate_pem
            ),
            options=[*OPTIONS, ("grpc.ssl_target_name_override", peer.name)],
        )

    async def _accepted(self, call: Any, peer: Peer) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                if ACCEPTED in tuple(await call.initial_metadata()):
                    return
                code, details = await call.code(), printable(await call.details() or "")
        except (TimeoutError, aio.AioRpcError) as error:
            raise NotReadyError(f"it does not answer the call: {type(error).__name__}") from None
        if code is grpc.StatusCode.PERMISSION_DENIED:
            raise PeerUntrusted(peer.name, f"refuses us: {details}")
        if code is grpc.StatusCode.FAILED_PRECONDITION:
            self.troubles[peer.name] = f"it means to dial us, and has not got through: {details}"
            await asyncio.Future()
        raise NotReadyError(details)


async def _live(link: StreamLink, call: Any, channel: aio.Channel) -> None:
    try:
        if await link.run(call):
            # All has arrived; this only lets the peer's side of the call end in order.
            with suppress(Exception):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await call.done_writing()
                    await call.code()
    finally:
        await channel.close()
