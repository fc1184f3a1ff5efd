# SPDX-License-Identifier: Apache-2.0
"""Who is at an address, found out before gRPC is let loose on it.

``knock`` makes the connection gRPC would make, with Python's own TLS, and reads the settings an
HTTP/2 server sends first. It sends nothing but the handshake. What it finds out is for the error
message and for the choice between trying again and giving up; gRPC checks all of it again.
"""

from __future__ import annotations

import asyncio
import ssl

from mpc.errors import PeerUntrusted
from mpc.net.peer import Address, Peer
from mpc.net.tls import Identity, Trust

_KNOCK_SECONDS = 5.0
_FRAME_HEADER_BYTES = 9
_SETTINGS = 4


class NotReadyError(Exception):
    """Nobody fit is there now, and that may change: the text says what is there instead."""


class RefusedError(NotReadyError):
    """It ended the connection on seeing our certificate (or was just being stopped)."""


async def knock(peer: Peer, address: Address, identity: Identity | None) -> None:
    """Return when ``peer`` is at ``address`` and takes our certificate.

    Raises ``PeerUntrusted`` when what is there cannot be ``peer``, ``NotReadyError`` otherwise.
    Without an identity, the connection is plain.
    """
    context = None
    if identity is not None and peer.trust is not None:
        context = _context(identity, peer.trust)
    try:
        async with asyncio.timeout(_KNOCK_SECONDS):
            await _look(peer, address, context)
    except TimeoutError:
        raise NotReadyError("it accepts connections but says nothing") from None
    except ssl.SSLCertVerificationError as error:
        raise PeerUntrusted(
            peer.name, f"the certificate shown at {address} is not its own: {error.verify_message}"
        ) from None
    except ssl.SSLError as error:
        raise PeerUntrusted(
            peer.name, f"no TLS 1.3 is spoken at {address} ({error.reason})"
        ) from None
    except OSError as error:
        raise NotReadyError(error.strerror or type(error).__name__) from None


async def _look(peer: Peer, address: Address, context: ssl.SSLContext | None) -> None:
    reader, writer = await asyncio.open_connection(
        address.host, address.port, ssl=context, server_hostname=peer.name if context else None
    )
    try:
        shown = writer.get_extra_info("ssl_object")
        if shown is not None and peer.trust is not None:
            peer.trust.check(ssl.DER_cert_to_PEM_cert(shown.getpeercert(True)).encode())
        # In TLS 1.3 the caller's certificate is judged after the handshake has ended for the
        # caller, so a refusal shows only here.
        header = await reader.read(_FRAME_HEADER_BYTES)
        if not header and context is not None:
            raise RefusedError("it ended the connection on seeing our certificate")
        if len(header) < 4 or header[3] != _SETTINGS:
            raise NotReadyError("what answers there is not a party of this kind")
    finally:
        # Not ``close``, which would wait for gRPC's farewell in TLS, and there is none.
        writer.transport.abort()


def _context(identity: Identity, trust: Trust) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=trust.certificate_pem.decode("ascii"))
    context.load_cert_chain(identity.certificate_path, identity.key_path)
    context.set_alpn_protocols(["h2"])
    return context
