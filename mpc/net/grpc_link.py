# SPDX-License-Identifier: Apache-2.0
"""Links to other processes: an ``Endpoint`` listens, dials, or both, and hands out links.

Either side of a pair may be the one that dials. Where both could, the side whose name sorts first
does, and refuses the other's call with "I dial you", so there is one stream and no race:

* A party that has the peer's address dials it. Its listener refuses the peer's call only when its
  own name sorts first and the peer says that it listens too.
* A party whose call was refused in that way, or that has no address, waits to be called.

Between processes all is TLS 1.3 with certificates on both sides. A listener checks the caller's
certificate against the one trusted for the name it gives, and a caller the listener's. Plaintext
needs ``insecure=True`` and addresses on loopback.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar
from weakref import WeakSet

from mpc.errors import ConfigError, MpcError, PeerClosed, PeerUnreachable
from mpc.net.dialler import Dialler
from mpc.net.link import CAPACITY_BYTES, MAX_FRAME_BYTES
from mpc.net.listener import Listener
from mpc.net.peer import Address, Peer
from mpc.net.runtime import LOOP, detached
from mpc.net.stream import StreamLink
from mpc.net.tls import Identity

T = TypeVar("T")

WAIT_SECONDS = 30.0
_NOTICE_SECONDS = 1.0


class Endpoint:
    """This party on the network, with at most one link at a time to each of ``peers``.

    When a link has ended, ``connect`` gives a new one, which the peer has to open or take anew.

    ``listen`` is where peers may call; ``address`` is then the same with the port the system chose
    for port 0. ``limit`` bounds one frame, and ``capacity`` what waits each way on each link.
    Raises ``ConfigError`` where the port cannot be had, where keys or certificates are missing,
    and where plaintext would leave the machine.
    """

    def __init__(
        self,
        name: str,
        peers: Iterable[Peer],
        *,
        identity: Identity | None = None,
        listen: Address | None = None,
        insecure: bool = False,
        capacity: int = CAPACITY_BYTES,
        limit: int = MAX_FRAME_BYTES,
    ) -> None:
        self.name = name
        self._peers = {peer.name: peer for peer in peers}
        self._identity = None if insecure else identity
        self._bounds = {"capacity": capacity, "limit": limit}
        # Those that ended are their holders' alone.
        self._links: WeakSet[StreamLink] = WeakSet()
        self._ways: set[asyncio.Task[StreamLink]] = set()
        self._closed = False
        self._check_security(listen, insecure=insecure)
        self._loop = LOOP.acquire()
        try:
            self.address = self._run(self._start(listen))
        except BaseException:
            LOOP.release()
            raise

    def connect(
        self,
        peer: str,
        *,
        wait: float = WAIT_SECONDS,
        on_wait: Callable[[str, str], None] | None = None,
    ) -> StreamLink:
        """The link to ``peer``, dialled or awaited for ``wait`` seconds.

        ``on_wait(peer, where)`` is called once when it takes longer than a second. Raises
        ``PeerUnreachable`` when the time is over, and ``PeerUntrusted`` as soon as it is clear
        that certificates or names do not fit.
        """
        future = asyncio.run_coroutine_threadsafe(self._connect(peer, wait), self._loop)
        try:
            try:
                return _result(future, _NOTICE_SECONDS)
            except TimeoutError:
                if on_wait is not None:
                    address = self._peers[peer].address
                    on_wait(peer, str(address or f"our address {self.address}"))
                return _result(future)
        except CancelledError:
            raise PeerClosed(peer, "this side has closed") from None
        finally:
            future.cancel()
            del future  # see ``_result``

    def close(self) -> None:
        """End what is left of the links, and stop listening. Again, it does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self._run(self._stop())
        finally:
            LOOP.release()

    def _check_security(self, listen: Address | None, *, insecure: bool) -> None:
        if insecure:
            for address in (listen, *(peer.address for peer in self._peers.values())):
                if address is not None and not address.is_loopback():
                    raise ConfigError(
                        f"insecure=True works on loopback only, and {address} is not on loopback; "
                        "give keys and certificates instead"
                    )
            return
        missing = [peer.name for peer in self._peers.values() if peer.trust is None]
        if self._identity is None:
            missing.append(self.name)
        if missing:
            raise ConfigError(
                f"no certificate for {', '.join(missing)}; between processes {self.name} needs its "
                "own key and certificate, and a certificate of each peer"
            )

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return _result(asyncio.run_coroutine_threadsafe(work, self._loop))

    # What follows runs on the network thread.

    async def _start(self, listen: Address | None) -> Address | None:
        self._dialler = Dialler(
            self.name,
            identity=self._identity,
            listens=listen is not None,
            new_link=self._new_link,
        )
        self._listener: Listener | None = None
        if listen is None:
            return None
        listener = Listener(
            self.name, self._peers, identity=self._identity, new_link=self._new_link
        )
        address = await listener.start(listen)
        self._listener = listener
        return address

    def _new_link(self, peer: str) -> StreamLink:
        link = StreamLink(self.name, peer, loop=self._loop, **self._bounds)
        self._links.add(link)
        return link

    async def _connect(self, name: str, wait: float) -> StreamLink:
        peer = self._peers[name]
        ways = []
        if peer.address is not None:
            ways.append(asyncio.create_task(self._dialler.dial(peer, peer.address)))
        if self._listener is not None:
            ways.append(asyncio.create_task(self._listener.arrival(name)))
        if not ways:
            raise ConfigError(
                f"{self.name} does not listen and has no address of {name}: give it one of them"
            )
        self._ways.update(ways)
        try:
            done, _ = await asyncio.wait(ways, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise self._unreachable(peer, wait)
            return done.pop().result()
        finally:
            for way in ways:
                way.cancel()
            self._ways.difference_update(ways)

    def _unreachable(self, peer: Peer, wait: float) -> PeerUnreachable:
        troubles = [self._dialler.troubles.get(peer.name)]
        if self._listener is not None:
            troubles.append(self._listener.troubles.get(peer.name))
        why = "; ".join(filter(None, troubles))
        after = f"within {wait:g} s" + (f" ({why})" if why else "")
        if peer.address is None:
            return PeerUnreachable(
                peer.name,
                f"did not call us at {self.address} {after}; start it, and check that its file "
                "has our address; or it stopped because of a fault of its own, such as another "
                "job file",
            )
        return PeerUnreachable(
            peer.name,
            f"could not be reached at {peer.address} {after}; start it there, correct its address "
            "in our file, or wait longer; or it stopped because of a fault of its own, such as "
            "another job file",
        )

    async def _stop(self) -> None:
        for way in self._ways:
            way.cancel()
        for link in list(self._links):
            link.cancel()
        await self._dialler.close()
        if self._listener is not None:
            await self._listener.close()


def _result(future: Future[T], timeout: float | None = None) -> T:
    """What ``future`` gives, or the error it ended with."""
    try:
        return future.result(timeout)
    except MpcError as error:
        raise detached(error) from None
    finally:
        del future  # it holds the error with its past
