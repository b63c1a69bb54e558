"""The register of every connection, and the one place where connections begin and end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from plait.connection.reasons import ConnectionCode
from plait.events import (
    ConnectionClosed,
    ConnectionOpened,
    EventBus,
    ListenStarted,
    ListenStopped,
    PeerConnected,
    PeerDisconnected,
    StreamClosed,
    StreamOpened,
)
from plait.exceptions import (
    ConnectionClosedError,
    DialAttempt,
    DialError,
    LimitError,
    PlaitError,
    UpgradeError,
)
from plait.swarm.dialer import Dialer, dial_error
from plait.swarm.listeners import Listeners

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait import abc
    from plait.connection import Connection, Stream
    from plait.identity import PeerId
    from plait.limits import Limits, Timeouts
    from plait.peerstore import Peerstore
    from plait.transports import TransportRegistry
    from plait.upgrade import DialOptions, Upgrader

__all__ = ["Swarm"]


class Swarm:
    """Dials, listens, and knows every connection from its upgrade to its end.

    Args:
        on_connection: called with each connection, before any stream of it.
        on_stream: called with each stream that a peer opened, once its protocol is agreed on.
    """

    def __init__(
        self,
        upgrader: Upgrader,
        transports: TransportRegistry,
        *,
        peerstore: Peerstore,
        bus: EventBus,
        timeouts: Timeouts,
        limits: Limits,
        on_connection: Callable[[Connection], None],
        on_stream: Callable[[abc.Stream], None],
    ) -> None:
        self._upgrader = upgrader
        self._peerstore = peerstore
        self._bus = bus
        self._timeouts = timeouts
        self._limits = limits
        self._on_connection = on_connection
        self._serve = on_stream
        upgrader.on_stream = self._on_stream
        self._connections: dict[PeerId, list[Connection]] = {}
        self._count = 0
        self._is_closed = False
        self._listeners = Listeners(transports, upgrader, timeouts=timeouts, limits=limits, adopt=self._adopt)
        self._dialer = Dialer(
            upgrader.local_peer, transports, upgrader, timeouts=timeouts, limits=limits, adopt=self._adopt
        )

    # Commands

    async def connect(
        self,
        peer: PeerId,
        addresses: Iterable[Multiaddr] = (),
        options: DialOptions | None = None,
        *,
        lazy: bool = False,
    ) -> Connection:
        """A connection to a peer: one that is there, or a new one.

        Args:
            addresses: where the peer may be, besides what the peerstore knows.
            options: how the dial differs from others; a new connection is made then.
            lazy: do not wait for the peer's word on a muxer that was only proposed: what is sent meanwhile
                follows the proposal. `upgrade_error` tells when that was the end of it.

        Raises and cancels as `Dialer.dial`; `LimitError` when the host has all the connections it may have.
        """
        connection = self.connection_to(peer) if options is None else None
        if connection is None:
            if self._count >= self._limits.connections:
                raise self._full()
            known = (*addresses, *self._peerstore.addresses(peer))
            connection = await self._dialer.dial(peer, known, options)
        if not lazy and not connection.has_agreed:
            try:
                await connection.agreed()
            except ConnectionClosedError:
                error = self.upgrade_error(connection)
                if error is None:
                    raise
                raise error from error.__cause__
        return connection

    def upgrade_error(self, connection: Connection) -> DialError | None:
        """Why a connection that was dialed came to nothing after all, if that is so."""
        reason = connection.reason
        if reason is None or connection.has_agreed or not isinstance(reason.__cause__, UpgradeError):
            return None
        cause = reason.__cause__
        seconds = time.time() - connection.opened_at
        attempt = DialAttempt(str(connection.remote_address), cause.stage or "upgrade", cause, seconds)
        return dial_error(connection.remote_peer, [attempt])

    async def listen(self, address: Multiaddr) -> None:
        """Takes connections on an address; raises `ListenError`."""
        for bound in await self._listeners.listen(address):
            self._bus.emit(ListenStarted(bound))

    async def stop_listening(self) -> None:
        """Takes no more connections."""
        bound = self._listeners.bound
        await self._listeners.close()
        for address in bound:
            self._bus.emit(ListenStopped(address, None))

    async def close(self) -> None:
        """Ends everything: listeners, dials, then all connections in parallel.

        What is not closed in order within `Timeouts.shutdown` is dropped, and so is everything when
        this is cancelled. Nothing is left of any connection when it returns.
        """
        self._is_closed = True
        await self.stop_listening()
        await self._dialer.close()
        connections = self.connections
        closing = [asyncio.ensure_future(each.close()) for each in connections]
        try:
            if closing:
                await asyncio.wait(closing, timeout=self._timeouts.shutdown)
        finally:
            for connection in connections:
                connection.abort()
        await asyncio.gather(*closing, return_exceptions=True)

    def set_protocols(self, names: Iterable[str], rule: Callable[[str], bool] | None = None) -> None:
        """What peers may open streams for, on every connection: the names, and what the rule accepts."""
        protocols = self._upgrader.set_protocols(names, rule)
        for connection in self.connections:
            connection.set_protocols(protocols)

    # Getters

    @property
    def connections(self) -> tuple[Connection, ...]:
        """Every connection, in no order."""
        return tuple(each for connections in self._connections.values() for each in connections)

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Every stream of every connection, in no order."""
        return tuple(stream for connection in self.connections for stream in connection.streams)

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        """Where we can be dialed, without `/p2p`."""
        return self._listeners.addresses

    @property
    def refused(self) -> int:
        """Inbound connections that were not admitted."""
        return self._listeners.refused

    @property
    def failed_upgrades(self) -> int:
        """Inbound connections that were never upgraded."""
        return self._listeners.failed

    def connection_to(self, peer: PeerId) -> Connection | None:
        """The connection that streams to a peer go over, if there is one."""
        # The oldest: both sides then keep to the same one after they dialed each other.
        return next((each for each in self._connections.get(peer, ()) if not each.is_closing), None)

    # The life of a connection

    def _adopt(self, connection: Connection) -> PlaitError | None:
        """Takes a connection in; or ends it, and says why."""
        loop = asyncio.get_running_loop()
        # Ended in a turn of its own, since its driver is still at work on the upgrade.
        if self._is_closed:
            loop.call_soon(connection.abort)
            return ConnectionClosedError("the host is closing", remote=False)
        if self._count >= self._limits.connections:
            loop.call_soon(connection.driver.close, ConnectionCode.RESOURCE_LIMIT)
            return self._full()
        peer = connection.remote_peer
        self._connections.setdefault(peer, []).append(connection)
        self._count += 1
        connection.on_stream_end = self._on_stream_end
        # The upgrade took the protocols of its start; a handler may have come since.
        connection.set_protocols(self._upgrader.protocols)
        # Asked while the socket is there: a transport that is gone no longer knows.
        address = connection.remote_address
        if connection.direction == "outbound":
            # It answered there a moment ago: the best place to find it again.
            self._peerstore.add_addresses(peer, [address])
        if len(self._connections[peer]) == 1:
            self._peerstore.set_connected(peer, True)
            if self._bus.wants(PeerConnected):
                self._bus.emit(PeerConnected(peer))
        if self._bus.wants(ConnectionOpened):
            self._bus.emit(
                ConnectionOpened(peer, address, connection.direction, connection.security, connection.muxer)
            )
        self._on_connection(connection)
        # Last, since it calls back at once for a connection that has ended already.
        connection.add_close_callback(self._forget)
        return None

    def _forget(self, connection: Connection) -> None:
        peer = connection.remote_peer
        remaining = self._connections[peer]
        remaining.remove(connection)
        self._count -= 1
        if self._bus.wants(ConnectionClosed):
            self._bus.emit(
                ConnectionClosed(peer, connection.remote_address, connection.direction, _error_of(connection))
            )
        if not remaining:
            del self._connections[peer]
            self._peerstore.set_connected(peer, False)
            if self._bus.wants(PeerDisconnected):
                self._bus.emit(PeerDisconnected(peer))

    def _on_stream(self, stream: Stream) -> None:
        if self._bus.wants(StreamOpened):
            self._bus.emit(StreamOpened(stream.remote_peer, stream.protocol, stream.direction))
        self._serve(stream)

    def _on_stream_end(self, stream: Stream) -> None:
        if self._bus.wants(StreamClosed):
            self._bus.emit(StreamClosed(stream.remote_peer, stream.protocol, stream.direction, stream.error))

    def _full(self) -> LimitError:
        return LimitError(
            f"all {self._limits.connections} connections of the host are in use",
            limit="connections",
            scope="host",
            current=self._count,
            maximum=self._limits.connections,
            hint="close some, or raise Limits.connections",
        )


def _error_of(connection: Connection) -> ConnectionClosedError | None:
    """How it ended; `None` when we closed it in order."""
    reason = connection.reason
    if reason is None or (reason.remote is False and not reason.error_code):
        return None
    return reason
