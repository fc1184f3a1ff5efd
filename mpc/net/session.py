# SPDX-License-Identifier: Apache-2.0
"""A session: this party, connected to its peers for one job.

::

    with Session.open("bank.toml", parameters={"kind": "score"}, session_id="2026-11") as session:
        hits = psi_dh.receiver(session.peer("lender_b"), ids)

Opening connects to all parties at once, dialling or being dialled (see ``grpc_link``), and compares
version, names, session id and public parameters with each (see ``handshake``). What fails with one
peer fails the session: the peers that are connected already are told the class of the error, and
the first error is raised, one of this party's own finding if it has any: what another one stopped
for may stand in the hello of a peer that is met already, which is read before. Where a peer stops
because it lost another one, that one's is awaited: ``PeerClosed`` of a party that this one has met,
and of one that it never met ``PeerUnreachable``, when the wait for it is over. Of a party that dies
while all connect, who has met neither it nor those that stopped for it knows no more than that
somebody is not there, or closed before it said hello, which may be one of those.

Leaving the block delivers what was sent and closes. Leaving it by an exception tells every peer the
class name of the exception, nothing else of it, and closes. A session is never used again: a retry
opens a new one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mpc.errors import ConfigError, PeerAborted, PeerClosed, PeerUnreachable
from mpc.net.channel import TIMEOUT_SECONDS, Channel
from mpc.net.config import SessionConfig
from mpc.net.grpc_link import WAIT_SECONDS, Endpoint
from mpc.net.handshake import Parameters, greet, hello
from mpc.net.link import MAX_FRAME_BYTES
from mpc.net.mesh import Mesh, cause, lost
from mpc.net.traced import Traced, Traffic
from mpc.pb.v1.session_pb2 import Hello

__all__ = ["Session", "SessionConfig"]

logger = logging.getLogger("mpc.net")

Show = Callable[[str], None]

_HELLO_SECONDS = 3.0  # for a hello of one that is there, as it is the first thing said


class Session:
    """One channel to each peer of the job. Made by ``open``; ends with its ``with`` block."""

    def __init__(self, config: SessionConfig, session_id: str, endpoint: Endpoint) -> None:
        self.name = config.name
        self.session_id = session_id
        self._endpoint = endpoint
        self._links: dict[str, Traced] = {}
        self._channels: dict[str, Channel] = {}

    @classmethod
    def open(
        cls,
        config: str | Path | Mapping[str, Any] | SessionConfig,
        *,
        parameters: Parameters | None = None,
        session_id: str = "",
        parties: Iterable[str] | None = None,
        wait: float = WAIT_SECONDS,
        timeout: float | None = TIMEOUT_SECONDS,
        on_wait: Show | None = None,
        max_message: int = MAX_FRAME_BYTES,
        insecure: bool = False,
    ) -> Self:
        """Connect to ``parties`` (this one may be among them), or to all peers of ``config``.

        ``config`` is a party's file (see ``config``), or the same data. ``parameters`` are the
        public terms of the job, JSON scalars or lists of them, which all parties must hold alike.
        Peers that are not there yet are awaited for ``wait`` seconds, and ``on_wait`` is given a
        line to show for each; without it, that line is logged as a warning. ``timeout`` bounds
        each send and receive afterwards, and ``max_message`` the bytes of a message from a peer.
        ``insecure`` is plaintext, for tests on loopback.

        Raises ``ConfigError`` before anything is sent; ``PeerUnreachable``, ``PeerUntrusted``,
        ``VersionMismatch`` or ``ParameterMismatch``, naming the peer; ``PeerAborted`` when a peer
        gave up for a reason of its own.
        """
        config = _read(config, insecure=insecure)
        names = _chosen(config, parties)
        hellos = [
            hello(config.name, peer, session=session_id, parameters=parameters or {})
            for peer in names
        ]
        endpoint = _endpoint(config, names, limit=max_message, insecure=insecure)
        session = cls(config, session_id, endpoint)
        session._join_all(hellos, wait=wait, timeout=timeout, show=on_wait or logger.warning)
        return session

    @property
    def peers(self) -> tuple[str, ...]:
        """The names of the parties this session is connected to."""
        return tuple(self._channels)

    def peer(self, name: str) -> Channel:
        """The channel to ``name``."""
        try:
            return self._channels[name]
        except KeyError:
            raise ConfigError(
                f"{self.name} has no connection to {name!r} here, but to {list(self._channels)}"
            ) from None

    def mesh(self, names: Sequence[str]) -> Mesh:
        """A mesh of ``names``, this party among them, in the order all of them agreed on."""
        return Mesh(self.name, names, self._channels)

    def traffic(self, peer: str) -> Traffic:
        """What passed between this party and ``peer``, the handshake included."""
        return self._links[self.peer(peer).peer].traffic

    def close(self) -> None:
        """Deliver what was sent, and close. ``PeerTimeout`` when a peer does not take it."""
        try:
            for channel in self._channels.values():
                channel.close()
        finally:
            self._endpoint.close()

    def abort(self, error: BaseException) -> None:
        """Tell every peer the class name of ``error``, and close."""
        try:
            for channel in list(self._channels.values()):
                channel.abort(error)
        finally:
            self._endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort(error)

    def _join_all(
        self, hellos: Sequence[Hello], *, wait: float, timeout: float | None, show: Show
    ) -> None:
        """Connect to all peers at once; the first failure ends the wait for the others."""

        def join(ours: Hello) -> None:
            self._join(ours, wait=wait, timeout=timeout, show=show)

        with ThreadPoolExecutor(len(hellos), thread_name_prefix="mpc-open") as pool:
            joins = {ours.receiver: pool.submit(join, ours) for ours in hellos}
            try:
                wait_for(joins.values(), return_when=FIRST_EXCEPTION)
                if failures := _failures(joins.values()):
                    raise self._cause(failures, joins)
            except BaseException as error:
                self.abort(error)
                raise
            finally:
                # An error refers to this frame: what gRPC made for it would outlive the error.
                joins.clear()

    def _cause(
        self, failures: Sequence[BaseException], joins: Mapping[str, Future[None]]
    ) -> BaseException:
        """What this party found itself; else who is gone, where a peer stopped because of that
        before this party noticed."""
        if (found := _found(failures)) is not None:
            return found
        # Who stops because of a hello has said its own to whoever said that one.
        met = [join for name, join in joins.items() if name in self._channels]
        wait_for(met, timeout=_HELLO_SECONDS)
        first = _found(_failures(met)) or failures[0]
        if not isinstance(first, PeerAborted) or not lost(first):
            return first
        wait_for(joins.values())
        failures = _failures(joins.values())
        missing = [e for e in failures if isinstance(e, PeerClosed | PeerUnreachable)]
        # Who said why it stops has not died, and its link will not say it again.
        said = {e.peer for e in failures if isinstance(e, PeerAborted)}
        silent = {name: held for name, held in self._channels.items() if name not in said}
        return missing[0] if missing else cause(first, silent)

    def _join(self, ours: Hello, *, wait: float, timeout: float | None, show: Show) -> None:
        peer = ours.receiver
        link = self._endpoint.connect(
            peer, wait=wait, on_wait=lambda name, where: show(f"waiting for {name} at {where}")
        )
        self._links[peer] = Traced(link, digest=False)
        self._channels[peer] = Channel(self._links[peer], timeout=timeout)
        greet(Channel(self._links[peer], timeout=max(wait, 1.0)), ours)


def _found(failures: Sequence[BaseException]) -> BaseException | None:
    """What this party found itself, and did not follow from it or from what another one found."""
    follow = PeerAborted | PeerClosed | PeerUnreachable
    return next((error for error in failures if not isinstance(error, follow)), None)


def _failures(joins: Iterable[Future[None]]) -> list[BaseException]:
    return [error for join in joins if join.done() and (error := join.exception()) is not None]


def _read(
    config: str | Path | Mapping[str, Any] | SessionConfig, *, insecure: bool
) -> SessionConfig:
    if isinstance(config, str | Path):
        return SessionConfig.load(config, insecure=insecure)
    if isinstance(config, Mapping):
        return SessionConfig.of(config, insecure=insecure)
    return config


def _endpoint(
    config: SessionConfig, names: Sequence[str], *, limit: int, insecure: bool
) -> Endpoint:
    """Where this party is called, and from where it calls ``names``."""
    return Endpoint(
        config.name,
        [config.peers[peer] for peer in names],
        identity=config.identity,
        listen=config.listen,
        limit=limit,
        insecure=insecure,
    )


def _chosen(config: SessionConfig, parties: Iterable[str] | None) -> list[str]:
    """The peers to connect to; ConfigError for one the configuration does not know."""
    chosen = list(config.peers) if parties is None else [n for n in parties if n != config.name]
    unknown = [name for name in chosen if name not in config.peers]
    if unknown:
        raise ConfigError(
            f"{config.name} does not know {', '.join(unknown)}: add [peers.{unknown[0]}] with "
            "its certificate to its file"
        )
    if not chosen or len(set(chosen)) != len(chosen):
        raise ConfigError(f"{config.name} needs one peer at least, and each one once: {chosen}")
    return chosen
