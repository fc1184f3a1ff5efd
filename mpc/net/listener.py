# SPDX-License-Identifier: Apache-2.0
"""The called side: from a call to a link. All of it runs on the network thread.

gRPC verified the caller's certificate against all that this party trusts; which of its peers the
caller is, and that the connection is TLS 1.3, is checked here, before a frame is read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from mpc.errors import ConfigError, PeerUntrusted
from mpc.net.dialler import ACCEPTED
from mpc.net.peer import Address, Peer
from mpc.net.runtime import aio, grpc
from mpc.net.stream import METHOD, OPTIONS, SERVICE, StreamLink
from mpc.net.tls import Identity, fingerprint

logger = logging.getLogger("mpc.net")

_STOP_SECONDS = 0.5


class Listener:
    """Takes the calls of ``peers`` to ``name``, one link for each."""

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
            await self._server.stop(None)
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
        try:
            peer = self._admit(context)
        except _RefusedError as refused:
            logger.warning("%s refused a call from %s: %s", self._name, context.peer(), refused)
            await context.abort(refused.code, str(refused))
        link = self._new_link(peer)
        self._arrival(peer).set_result(link)
        await context.send_initial_metadata((ACCEPTED,))
        await link.run(context)

    def _admit(self, context: Any) -> str:
        """The name of the peer that calls, or ``_RefusedError`` with what it is told."""
        told = dict(context.invocation_metadata())
        caller, called = told.get("mpc-from"), told.get("mpc-to")
        peer = self._peers.get(str(caller))
        if peer is None:
            raise _RefusedError(f"{caller!r} is not a peer of {self._name!r} here")
        if self._identity is not None:
            self._check_certificate(peer, context.auth_context())
        if called != self._name:
            raise _RefusedError(f"this is {self._name!r}, not {called!r}")
        if peer.address is not None and self._name < peer.name and told.get("mpc-listens") == "yes":
            raise _RefusedError(
                f"{self._name} dials {peer.name} at {peer.address}",
                grpc.StatusCode.FAILED_PRECONDITION,
            )
        if self._arrival(peer.name).done():
            raise _RefusedError(
                f"{self._name} has a session with {peer.name} already",
                grpc.StatusCode.RESOURCE_EXHAUSTED,
            )
        return peer.name

    def _check_certificate(self, peer: Peer, shown: Mapping[str, list[bytes]]) -> None:
        if shown.get("ssl_tls_version") != [b"TLSv1.3"]:
            raise _RefusedError("the connection is not TLS 1.3")
        certificate = shown["x509_pem_cert"][0]
        try:
            assert peer.trust is not None
            peer.trust.check(certificate)
        except PeerUntrusted as untrusted:
            self.troubles[peer.name] = str(untrusted)
            self._blame(peer, certificate, untrusted)
            raise _RefusedError(
                f"the certificate {fingerprint(certificate)} is not that of {peer.name}"
            ) from None

    def _blame(self, claimed: Peer, certificate: bytes, error: PeerUntrusted) -> None:
        """End the wait for ``claimed`` when the caller is another of our own peers.

        A configured peer under a wrong name is a fault worth stopping for. Somebody else from the
        same authority is only turned away, or anyone could stop the session.
        """
        arrival = self._arrival(claimed.name)
        if not arrival.done() and any(_is(peer, certificate) for peer in self._peers.values()):
            arrival.set_exception(error)
            arrival.exception()  # it is of interest only while somebody waits


class _RefusedError(Exception):
    """The call is not accepted; the text goes to the caller, whom TLS has authenticated."""

    def __init__(
        self, text: str, code: grpc.StatusCode = grpc.StatusCode.PERMISSION_DENIED
    ) -> None:
        super().__init__(text)
        self.code = code


def _is(peer: Peer, certificate: bytes) -> bool:
    try:
        if peer.trust is None:
            return False
        peer.trust.check(certificate)
    except PeerUntrusted:
        return False
    return True
