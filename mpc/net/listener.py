# SPDX-License-Identifier: Apache-2.0
"""The called side: from a call to a link. All of it runs on the network thread.

gRPC verified the caller's certificate against all that this party trusts; which of its peers the
caller is, and that the connection is TLS 1.3, is checked here, before a frame is read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mpc.errors import ConfigError, PeerUntrusted
from mpc.net.dialler import ACCEPTED
from mpc.net.peer import Address, Peer
from mpc.net.runtime import aio, grpc
from mpc.net.stream import METHOD, OPTIONS, SERVICE, StreamLink
from mpc.net.tls import Identity, Trust, fingerprint

logger = logging.getLogger("mpc.net")

_STOP_SECONDS = 0.5


class Listener:
    """Takes the calls of ``peers`` to ``name``, one link at a time for each."""

    def __init__(
        self,
        name: str,
        peers: Mapping[str, Peer],
        *,
        identity: Identity | None,
        new_link: Callable[[str], StreamLink],
    ) -> None:
        self._name = name
        self._peers = peers
        self._identity = identity
        self._new_link = new_link
        self._arrivals: dict[str, asyncio.Future[StreamLink]] = {}
        self._server = aio.server(options=OPTIONS)
        # Who called in a peer's name and was turned away, for the error when the time is over.
        self.troubles: dict[str, str] = {}

    async def start(self, address: Address) -> Address:
        """Listen, and return the address with its port. ConfigError when it cannot be had."""
        handler: Any = grpc.stream_stream_rpc_method_handler(self._serve)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),)
        )
        try:
            port = self._open(str(address))
        except RuntimeError:
            await self.close()
            raise ConfigError(
                f"{self._name} cannot listen at {address}: another process has the port, or the "
                "address is not one of this machine"
            ) from None
        await self._server.start()
        return Address(address.host, port)

    async def arrival(self, peer: str) -> StreamLink:
        """The link that ``peer`` opened, as soon as it does."""
        return await asyncio.shield(self._arrival(peer))

    async def close(self) -> None:
        """Take no more calls, and end the streams."""
        await self._server.stop(_STOP_SECONDS)
        # gRPC's own thread ends with the last of its objects; this one refers to itself through
        # its handler, so it would wait for the garbage collector.
        del self._server

    def _open(self, address: str) -> int:
        if self._identity is None:
            return self._server.add_insecure_port(address)
        roots = [peer.trust.certificate_pem for peer in self._peers.values() if peer.trust]
        credentials = grpc.ssl_server_credentials(
            [(self._identity.key_pem, self._identity.certificate_pem)],
            root_certificates=b"".join(roots),
            require_client_auth=True,
        )
        return self._server.add_secure_port(address, credentials)

    def _arrival(self, peer: str) -> asyncio.Future[StreamLink]:
        return self._arrivals.setdefault(peer, asyncio.get_running_loop().create_future())

    async def _serve(self, _requests: object, context: Any) -> None:
        told = dict(context.invocation_metadata())
        refusal = self._refusal(told, context)
        if refusal is not None:
            if refusal.code is grpc.StatusCode.PERMISSION_DENIED:
                logger.warning("%s refused %s: %s", self._name, context.peer(), refusal.text)
            # Not ``abort``: it raises, and an exception and a frame that hold each other would
            # keep gRPC's objects, and with them its thread, until they are collected.
            context.set_code(refusal.code)
            context.set_details(refusal.text)
            return
        await context.send_initial_metadata((ACCEPTED,))
        peer = str(told["mpc-from"])
        arrival = self._arrival(peer)
        if arrival.done():
            return
        # From here to ``run`` nothing is awaited: who gets the link can rely on its being run.
        link = self._new_link(peer)
        arrival.set_result(link)
        try:
            await link.run(context)
        finally:
            del self._arrivals[peer]  # whoever has the link keeps it, and the peer may come again

    def _refusal(self, told: Mapping[str, str | bytes], context: Any) -> _Refusal | None:
        """Why the call is not accepted, if it is not."""
        peer = self._peers.get(str(told.get("mpc-from")))
        if peer is None:
            return _Refusal(f"{told.get('mpc-from')!r} is not expected by {self._name!r}")
        if peer.trust is not None and self._identity is not None:
            misfit = self._misfit(peer, peer.trust, context.auth_context())
            if misfit is not None:
                return _Refusal(misfit)
        if told.get("mpc-to") != self._name:
            return _Refusal(f"this is {self._name!r}, not {told.get('mpc-to')!r}")
        dialled = peer.address is not None and self._name < peer.name
        if dialled and told.get("mpc-listens") == "yes":
            text = f"{self._name} dials {peer.name} at {peer.address}"
            return _Refusal(text, grpc.StatusCode.FAILED_PRECONDITION)
        if self._arrival(peer.name).done():
            text = f"{self._name} has a session with {peer.name} already"
            return _Refusal(text, grpc.StatusCode.RESOURCE_EXHAUSTED)
        return None

    def _misfit(self, peer: Peer, trust: Trust, shown: Mapping[str, list[bytes]]) -> str | None:
        """Why the connection is not that of ``peer``, if it is not."""
        if shown.get("ssl_tls_version") != [b"TLSv1.3"]:
            return "the connection is not TLS 1.3"
        certificate = shown["x509_pem_cert"][0]
        if _fits(trust, certificate):
            return None
        text = f"called with the certificate {fingerprint(certificate)}, which is not its own"
        self.troubles[peer.name] = text
        # A peer of ours under a wrong name is a fault worth stopping for. Somebody else, from an
        # authority we trust, is only turned away, or anyone there could stop the session.
        arrival = self._arrival(peer.name)
        known = (other.trust for other in self._peers.values())
        if not arrival.done() and any(t is not None and _fits(t, certificate) for t in known):
            arrival.set_exception(PeerUntrusted(peer.name, text))
            arrival.exception()  # it is of interest only while somebody waits
        return f"the certificate {fingerprint(certificate)} is not that of {peer.name}"


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A call that is not accepted; the text goes to the caller, whom TLS has authenticated."""

    text: str
    code: grpc.StatusCode = grpc.StatusCode.PERMISSION_DENIED


def _fits(trust: Trust, certificate: bytes) -> bool:
    try:
        trust.check(certificate)
    except PeerUntrusted:
        return False
    return True
