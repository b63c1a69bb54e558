"""From a raw connection to an authenticated, multiplexed one.

The steps run inside the session: multistream-select for the secure channel, its handshake, the muxer.
There is no task here and nothing to await but the result; the deadline of the whole upgrade is the
session's too.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from plait._core import MemoryBudget, ProtocolSet, Session, SessionConfig
from plait.connection import BytesDriver, Connection, Driver, Locate, SocketDriver, Stream
from plait.exceptions import ConfigError
from plait.identity import PeerId
from plait.limits import Limits, Timeouts
from plait.upgrade.options import MUXERS, SECURITY, DialOptions, make_muxers, make_security
from plait.upgrade.outbound import Outbound

if TYPE_CHECKING:
    import socket

    from multiaddr import Multiaddr

    from plait import abc
    from plait._core import Established
    from plait.identity import KeyPair
    from plait.types import ProtocolId
    from plait.upgrade.private_network import PrivateNetwork

__all__ = ["Upgrader"]


class Upgrader:
    """Makes the drivers of a host's connections.

    The Noise static key is made here, once, and signed once with the identity: what the spec asks for
    is a proof that both belong together, and a signature per connection would prove nothing more.

    Args:
        identity: who we are.
        timeouts: of which `upgrade`, `negotiate`, `close`, `linger` and the keep-alive's are used.
        limits: the streams' and buffers' bounds.
        security: security protocols in order of preference, ours by name, plug-ins as they are.
        muxers: muxers in order of preference, likewise.
        private_network: the network outside of which nobody is spoken to.
        busy_poll: stay awake for answers that come at once, see `HostConfig`.
        locate: the `"local"` or `"remote"` multiaddr of a transport, given its `get_extra_info`; asked only
            when somebody wants to know.

    Attributes:
        on_connection: called with each inbound connection, once established.
        on_stream: called with each stream that a peer opens; it may come in the same segment that
            establishes its connection, before whoever dialed knows.
        on_failure: called with the driver and the error of each inbound connection that was not.
        budget: what all connections together hold for streams that nobody reads.
        protocols: what new connections serve.

    Raises:
        ConfigError: security protocols or muxers that cannot be offered.
    """

    def __init__(
        self,
        identity: KeyPair,
        *,
        locate: Locate,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        security: Iterable[ProtocolId | abc.SecurityProtocol] = SECURITY,
        muxers: Iterable[ProtocolId | abc.Muxer] = MUXERS,
        private_network: PrivateNetwork | None = None,
        busy_poll: bool = True,
    ) -> None:
        timeouts = timeouts or Timeouts()
        limits = limits or Limits()
        self._locate = locate
        self._busy_poll = busy_poll
        self.identity = identity
        self.local_peer: PeerId = identity.peer_id
        self.budget = MemoryBudget(limits.host_buffer)
        self.protocols = ProtocolSet(())
        self.on_connection: Callable[[Connection], None] = _drop
        self.on_stream: Callable[[Stream], None] = _refuse
        self.on_failure: Callable[[Driver, BaseException], None] = _ignore
        self._security = make_security(security, identity)
        self._muxers = make_muxers(muxers)
        # By what a dial asked for; the empty one is everybody's.
        self._configs: dict[tuple[Sequence[str], Sequence[str]], SessionConfig] = {}
        self._spoken = LastSpoken()
        self._config = SessionConfig(
            security=list(self._security.values()),
            muxers=list(self._muxers.values()),
            private_network=None if private_network is None else private_network.key,
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

    def set_protocols(self, names: Iterable[str], rule: Callable[[str], bool] | None = None) -> ProtocolSet:
        """What connections serve from now on; live ones get it by `Connection.set_protocols`.

        `rule` says whether a protocol that is not among the names is served all the same.
        """
        self.protocols = ProtocolSet(names, rule)
        return self.protocols

    def outbound(
        self,
        expected_peer: PeerId | None,
        remote_address: Multiaddr,
        options: DialOptions | None = None,
        *,
        guess: bool = True,
    ) -> Outbound:
        """What a transport that dials `remote_address` hands its connection to.

        Args:
            expected_peer: whom the handshake has to prove; `None` takes whoever answers.
            remote_address: what was dialed, without `/p2p`.
            options: how this dial differs.
            guess: save a round trip by what the peer took the last time.

        Its `established` raises `PeerIdMismatchError`, `HandshakeError`, `NegotiationError`,
        or `UpgradeError` when the connection or the time ended first. Cancelling it does nothing;
        `abort` drops the connection.

        Raises:
            ConfigError: the options name a protocol that this host does not have.
        """
        options = options or NO_OPTIONS
        offered = options.security or tuple(self._security)
        last = self._spoken.get(expected_peer, offered) if guess and len(offered) > 1 else None
        guessed = () if last is None else (last,)
        config = self._config_for(guessed or options.security, options.muxers)
        expected = None if expected_peer is None else bytes(expected_peer)

        def begin() -> Session:
            now = asyncio.get_running_loop().time()
            if options.role == "responder":
                return Session.accept(config, self.protocols, now, expected_peer=expected)
            contend = options.role == "simultaneous"
            return Session.dial(config, self.protocols, expected, now, contend=contend)

        def establish(driver: Driver, agreed: Established) -> Connection:
            connection = self._connection(driver, agreed, remote_address, expected_peer)
            self._spoken.note(connection.remote_peer, offered, agreed.security)
            return connection

        return Outbound(begin, establish, is_guess=bool(guessed), busy_poll=self._busy_poll)

    def inbound(self) -> BytesDriver:
        """The protocol for a connection that a transport accepted."""
        return BytesDriver(self._answer(), self._accept, self.on_failure)

    def inbound_socket(self, sock: socket.socket) -> SocketDriver:
        """The same for a connected socket; it begins with `start`."""
        return SocketDriver(self._answer(), self._accept, self.on_failure, sock, busy_poll=self._busy_poll)

    def _answer(self) -> Session:
        return Session.accept(self._config, self.protocols, asyncio.get_running_loop().time())

    def _config_for(self, security: Sequence[str], muxers: Sequence[str]) -> SessionConfig:
        if not security and not muxers:
            return self._config
        key = (tuple(security), tuple(muxers))
        config = self._configs.get(key)
        if config is None:
            try:
                chosen = [self._security[name] for name in security or self._security]
            except KeyError as error:
                raise ConfigError(f"{error} is no security protocol of this host") from None
            try:
                chosen_muxers = [self._muxers[name] for name in muxers or self._muxers]
            except KeyError as error:
                raise ConfigError(f"{error} is no muxer of this host") from None
            if len(self._configs) >= MAX_CONFIGS:
                self._configs.clear()
            config = self._configs[key] = self._config.replace(chosen, chosen_muxers)
        return config

    def _accept(self, driver: Driver, agreed: Established) -> Connection:
        connection = self._connection(driver, agreed, None)
        self.on_connection(connection)
        return connection

    def _connection(
        self,
        driver: Driver,
        agreed: Established,
        dialed: Multiaddr | None,
        expected_peer: PeerId | None = None,
    ) -> Connection:
        return Connection(
            driver,
            agreed,
            local_peer=self.local_peer,
            # The handshake has proven that it is this one.
            remote_peer=expected_peer or PeerId(agreed.remote_peer),
            direction="inbound" if dialed is None else "outbound",
            locate=self._locate,
            dialed=dialed,
            on_stream=self.on_stream,
        )


class LastSpoken:
    """The security protocol that each of the peers dialed last has taken from a list.

    From another list, or from the same in another order, it might have taken another one.
    """

    def __init__(self) -> None:
        self._protocols: OrderedDict[tuple[PeerId, Sequence[ProtocolId]], ProtocolId] = OrderedDict()

    def get(self, peer: PeerId | None, offered: Sequence[ProtocolId]) -> ProtocolId | None:
        return None if peer is None else self._protocols.get((peer, offered))

    def note(self, peer: PeerId, offered: Sequence[ProtocolId], protocol: ProtocolId) -> None:
        self._protocols[peer, offered] = protocol
        self._protocols.move_to_end((peer, offered))
        if len(self._protocols) > MAX_SPOKEN:
            self._protocols.popitem(last=False)


def _drop(connection: Connection) -> None:
    """Nobody takes inbound connections here."""
    connection.driver.loop.call_soon(connection.abort)


def _refuse(stream: Stream) -> None:
    """Nobody takes inbound streams here."""
    stream.reset()


def _ignore(driver: Driver, error: BaseException) -> None:
    """A connection that came to nothing, and nobody who wants to know."""


NO_OPTIONS = DialOptions()
# Different wishes of dials; a program has a handful, and one that makes them up only loses the cache.
MAX_CONFIGS = 64
# Peers remembered: as many as a busy host has connections. An entry saves one round trip.
MAX_SPOKEN = 1024
