"""From a raw connection to an authenticated, multiplexed one.

The steps run inside the session: multistream-select for the secure channel, its handshake, the muxer.
There is no task here and nothing to await but the result; the deadline of the whole upgrade is the
session's too.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from plait._core import MemoryBudget, ProtocolSet, Session, SessionConfig, noise_signed_message
from plait.connection import Connection, Driver, Locate, Stream
from plait.limits import Limits, Timeouts

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait._core import Established
    from plait.identity import KeyPair, PeerId

__all__ = ["OutboundDriver", "Upgrader"]


class OutboundDriver(Driver):
    """The driver of a dial: `established` is the connection, or why there is none."""

    __slots__ = ("established",)

    established: asyncio.Future[Connection]


class Upgrader:
    """Makes the drivers of a host's connections.

    The Noise static key is made here, once, and signed once with the identity: what the spec asks for
    is a proof that both belong together, and a signature per connection would prove nothing more.

    Args:
        identity: who we are.
        timeouts: of which `upgrade`, `negotiate`, `close`, `linger` and the keep-alive's are used.
        limits: the streams' and buffers' bounds.
        locate: the `"local"` or `"remote"` multiaddr of a transport, given its `get_extra_info`; asked only
            when somebody wants to know.

    Attributes:
        on_connection: called with each inbound connection, once established.
        on_stream: called with each stream that a peer opens; it may come in the same segment that
            establishes its connection, before whoever dialed knows.
        on_failure: called with the driver and the error of each inbound connection that was not.
        budget: what all connections together hold for streams that nobody reads.
        protocols: what new connections serve.
    """

    def __init__(
        self,
        identity: KeyPair,
        *,
        locate: Locate,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
    ) -> None:
        timeouts = timeouts or Timeouts()
        limits = limits or Limits()
        self._locate = locate
        noise_secret = secrets.token_bytes(32)
        self.identity = identity
        self.local_peer: PeerId = identity.peer_id
        self.budget = MemoryBudget(limits.host_buffer)
        self.protocols = ProtocolSet(())
        self.on_connection: Callable[[Connection], None] = _drop
        self.on_stream: Callable[[Stream], None] = _refuse
        self.on_failure: Callable[[Driver, BaseException], None] = _ignore
        self._config = SessionConfig(
            noise_secret=noise_secret,
            identity_key=identity.public_key.to_protobuf(),
            identity_signature=identity.sign(noise_signed_message(noise_secret)),
            budget=self.budget,
            upgrade_timeout=timeouts.upgrade,
            negotiate_timeout=timeouts.negotiate,
            close_timeout=timeouts.close,
            linger=timeouts.linger,
            keepalive_interval=timeouts.keepalive_interval,
            keepalive_timeout=timeouts.keepalive_timeout,
            max_inbound_streams=limits.inbound_streams,
            max_negotiating_streams=limits.negotiating_streams,
            max_unacknowledged_streams=limits.unacknowledged_streams,
            max_stream_window=limits.stream_window,
            max_buffered=limits.connection_buffer,
            send_buffer=limits.send_buffer,
        )

    def set_protocols(self, names: Iterable[str]) -> ProtocolSet:
        """What connections serve from now on; live ones get it by `Connection.set_protocols`."""
        self.protocols = ProtocolSet(names)
        return self.protocols

    def outbound(self, expected_peer: PeerId | None, remote_address: Multiaddr) -> OutboundDriver:
        """The protocol for a transport that dials `remote_address`.

        Args:
            expected_peer: whom the handshake has to prove; `None` takes whoever answers.
            remote_address: what was dialed, without `/p2p`.

        The driver's `established` raises `PeerIdMismatchError`, `HandshakeError`, `NegotiationError`,
        or `UpgradeError` when the connection or the time ended first. Cancelling it does nothing;
        `abort` drops the connection.
        """

        def establish(driver: Driver, agreed: Established) -> Connection:
            connection = self._connection(driver, agreed, remote_address)
            if established.cancelled():
                driver.loop.call_soon(driver.abort)
            else:
                established.set_result(connection)
            return connection

        def fail(driver: Driver, error: BaseException) -> None:
            if not established.done():
                established.set_exception(error)
                established.exception()  # whoever dialed may have given up; then nobody asks for it

        session = Session.dial(
            self._config,
            self.protocols,
            None if expected_peer is None else bytes(expected_peer),
            asyncio.get_running_loop().time(),
        )
        driver = OutboundDriver(session, establish, fail)
        established = driver.established = driver.loop.create_future()
        return driver

    def inbound(self) -> Driver:
        """The protocol for a connection that a transport accepted."""
        session = Session.accept(self._config, self.protocols, asyncio.get_running_loop().time())
        return Driver(session, self._accept, self.on_failure)

    def _accept(self, driver: Driver, agreed: Established) -> Connection:
        connection = self._connection(driver, agreed, None)
        self.on_connection(connection)
        return connection

    def _connection(self, driver: Driver, agreed: Established, dialed: Multiaddr | None) -> Connection:
        return Connection(
            driver,
            agreed,
            local_peer=self.local_peer,
            direction="inbound" if dialed is None else "outbound",
            locate=self._locate,
            dialed=dialed,
            on_stream=self.on_stream,
        )


def _drop(connection: Connection) -> None:
    """Nobody takes inbound connections here."""
    connection.driver.loop.call_soon(connection.abort)


def _refuse(stream: Stream) -> None:
    """Nobody takes inbound streams here."""
    stream.reset()


def _ignore(driver: Driver, error: BaseException) -> None:
    """A connection that came to nothing, and nobody who wants to know."""
