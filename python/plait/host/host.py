"""A host: one identity, its connections, and what it serves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from enum import Enum, auto
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast, overload

from plait.addresses import parse
from plait.connection import Connection, Stream
from plait.events import EventBus, EventsDropped, IdentifyCompleted, StreamOpened
from plait.exceptions import (
    ConfigError,
    ConnectionClosedError,
    LocalProtocolError,
    PlaitError,
    ProtocolNotSupportedError,
    StreamResetError,
)
from plait.host.addresses import parse_target, with_own_peer
from plait.host.config import HostConfig
from plait.host.opening import Opening
from plait.host.router import Router
from plait.identity import KeyPair, PeerId
from plait.peerstore import Peerstore
from plait.protocols import Identify, PingService
from plait.protocols.identify import PROTOCOL as IDENTIFY
from plait.protocols.identify import PUSH_PROTOCOL as IDENTIFY_PUSH
from plait.protocols.ping import PROTOCOL as PING
from plait.swarm import Swarm
from plait.transports import TransportRegistry, locate
from plait.types import AddressLike
from plait.upgrade import Upgrader

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.abc import Handler, Target
    from plait.types import ProtocolId
    from plait.upgrade import DialOptions

__all__ = ["Host"]

Aliases: TypeAlias = "Sequence[ProtocolId]"
Match: TypeAlias = "Callable[[ProtocolId], bool]"
H = TypeVar("H", bound="Callable[[Any], Any]")
E = TypeVar("E")


class Host:
    """A peer of the network.

    `async with` is its only start and its only stop. Handlers may be added before it starts, and
    should be: a peer that connects first learns of later ones only by a push.

    Args:
        identity: who the host is; a new identity when `None`.
        listen: multiaddrs to take connections on. The default is a free port of loopback: reachable
            by every program of this machine and by nobody else. `"/ip4/0.0.0.0/tcp/4001"` takes
            connections from everywhere; `()` makes a host that only dials.
        config: everything else.

    Raises:
        InvalidMultiaddrError: a listen address is malformed.
    """

    def __init__(
        self,
        identity: KeyPair | None = None,
        listen: AddressLike | Iterable[AddressLike] = ("/ip4/127.0.0.1/tcp/0",),
        *,
        config: HostConfig | None = None,
    ) -> None:
        self.identity = KeyPair.generate() if identity is None else identity
        self.config = HostConfig() if config is None else config
        self.peer_id: PeerId = self.identity.peer_id
        self._listen = tuple(parse(address) for address in _several(listen))
        self._state = _State.NEW
        limits = self.config.limits
        self.peerstore = Peerstore(limits)
        self._bus = EventBus(limits.queued_events)
        self._router = Router(limits.handler_tasks, self._protocols_changed)
        # Those of the swarm, and what they became.
        self._addresses: tuple[Sequence[Multiaddr], Sequence[Multiaddr]] = ((), ())
        self._identify: Identify | None = None
        self._swarm: Swarm | None = None

    # Start and stop

    async def __aenter__(self) -> Host:
        """Listens.

        Raises:
            ListenError: an address cannot be listened on; then nothing is left behind.
            LocalProtocolError: the host was started before.

        Cancelling it stops what was started.
        """
        if self._state is not _State.NEW:
            raise LocalProtocolError("a host starts once", hint="make another one with the same identity")
        self._state = _State.RUNNING
        self._mount_services()
        config = self.config
        upgrader = Upgrader(
            self.identity,
            locate=locate,
            timeouts=config.timeouts,
            limits=config.limits,
            security=config.security,
            muxers=config.muxers,
            private_network=config.private_network,
            busy_poll=config.busy_poll,
        )
        self._swarm = Swarm(
            upgrader,
            TransportRegistry(config.make_transports()),
            peerstore=self.peerstore,
            bus=self._bus,
            timeouts=config.timeouts,
            limits=config.limits,
            on_connection=self._on_connection,
            on_stream=self._router.start,
        )
        # Before the first connection: peers ask at once what we speak.
        self._swarm.set_protocols(self._router.protocols, self._router.rule)
        try:
            for address in self._listen:
                await self._swarm.listen(address)
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends everything, in order; see `close`."""
        await self.close()

    async def close(self) -> None:
        """Stops listening, closes every connection, cancels every handler. Closing twice is fine.

        It takes `Timeouts.shutdown` at most, and as long as handlers take to end once cancelled.
        Cancelling it drops what is still open.
        """
        if self._state is _State.RUNNING:
            await self._stop()

    # Serving

    @overload
    def handle(
        self, protocol: ProtocolId, handler: None = None, *, aliases: Aliases = (), match: Match | None = None
    ) -> Callable[[H], H]: ...
    @overload
    def handle(
        self, protocol: ProtocolId, handler: H, *, aliases: Aliases = (), match: Match | None = None
    ) -> H: ...
    @overload
    def handle(
        self,
        protocol: ProtocolId,
        handler: Handler | None = None,
        *,
        aliases: Aliases = (),
        match: Match | None = None,
    ) -> Any: ...
    def handle(
        self, protocol: ProtocolId, handler: Any = None, *, aliases: Aliases = (), match: Match | None = None
    ) -> Any:
        """Serves a protocol: `@host.handle("/chat/1.0.0")`, or with the handler as second argument.

        The handler gets each stream in a task of its own, one of plait's with the verbs of `asyncio.Task`
        (the loop's task factory has no part in it). When it returns, the stream is closed; when it raises,
        the stream is reset, and the error is logged. `stream.protocol` is the name that the peer proposed.

        Args:
            protocol: the name that peers are told.
            handler: called with each stream.
            aliases: other names that peers are told, for the same handler.
            match: called with each name that nobody serves under itself; whether it is this protocol too.
                `plait.protocols.compatible_with("/chat/1.2.0")` takes the older versions 1.

        Raises:
            ConfigError: not a protocol id, or one that has a handler.
        """
        if handler is None:

            def register(decorated: H) -> H:
                self._router.add(protocol, decorated, aliases=aliases, match=match)
                return decorated

            return register
        self._router.add(protocol, handler, aliases=aliases, match=match)
        return handler

    def unhandle(self, protocol: ProtocolId) -> None:
        """Serves a protocol no longer; streams that run go on. `LocalProtocolError` if it was not served."""
        self._router.remove(protocol)

    # Dialing

    def connect(self, target: Target, options: DialOptions | None = None) -> Opening[Connection]:
        """A connection to a peer: the one that is there, or a new one.

        `await` it to have it, or `async with` it to have it closed at the end, also for others who
        use it then.

        Args:
            target: a multiaddr that ends in `/p2p/…`, or a `PeerId` whose addresses are known.
            options: how this dial differs from the host's others; it makes a new connection then.

        Awaiting raises:
            ConfigError: the options name a protocol that the host does not have.
            InvalidMultiaddrError: malformed, or no `/p2p/…` at its end.
            DialError: with one record for each address in `attempts`.
            LimitError: the host has all the connections it may have.
            ConnectionClosedError: the host is closed.

        Cancelling stops the wait; a dial nobody waits for any more is cancelled.
        """
        return Opening(lambda: self._connect(target, options))

    def open_stream(
        self,
        target: Target,
        protocols: ProtocolId | Sequence[ProtocolId],
        *,
        lazy: bool | None = None,
    ) -> Opening[Stream]:
        """A new stream to a peer, over a connection that is there or a new one.

        `await` it to have it, or `async with` it to have it closed at the end.

        Args:
            target: a multiaddr that ends in `/p2p/…`, a `PeerId` whose addresses are known, or a connection.
            protocols: one, or several in the order of preference.
            lazy: do not wait for the peer to confirm the protocol: what is written follows at once, which
                saves a round trip, and a refusal shows at the first read. `None` does so when the peer has
                said that it speaks the first of them; `False` never; `True` with every single protocol.

        Awaiting raises what `connect` raises, and:
            ProtocolNotSupportedError: the peer speaks none of the protocols.
            StreamResetError: the peer reset the stream instead of answering.

        Cancelling resets the stream.
        """
        return Opening(lambda: self._open_stream(target, protocols, lazy))

    async def identified(self, connection: Connection) -> IdentifyCompleted:
        """What the peer of a connection says about itself, once it has said it.

        Raises and cancels as `Identify.result`.
        """
        if self._identify is None:
            raise LocalProtocolError("this host does not ask peers to identify themselves")
        return await self._identify.result(connection)

    # Watching

    def events(self, *classes: type[E]) -> AsyncIterator[E | EventsDropped]:
        """Events from now on: `async for event in host.events(PeerConnected): …`; all without a class.

        A watcher that is too slow loses the oldest, and gets an `EventsDropped` in their place.
        """
        subscription: AsyncIterator[Any] = self._bus.subscribe(*classes)
        return subscription

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        """Where others can dial this host, with `/p2p/…` at the end; empty unless it listens."""
        if self._swarm is None:
            return ()
        bare = self._swarm.addresses
        if self._addresses[0] is not bare:
            self._addresses = (bare, with_own_peer(bare, self.peer_id))
        return self._addresses[1]

    @property
    def connections(self) -> Sequence[Connection]:
        """Every connection, in no order."""
        return () if self._swarm is None else self._swarm.connections

    @property
    def streams(self) -> Sequence[Stream]:
        """Every stream of every connection, in no order."""
        return () if self._swarm is None else self._swarm.streams

    @property
    def protocols(self) -> Sequence[ProtocolId]:
        """What the host serves."""
        return self._router.protocols

    @property
    def is_closed(self) -> bool:
        """Whether it has ended, or is about to."""
        return self._state is _State.CLOSED

    def stats(self) -> dict[str, int]:
        """Counters for those who watch a host from outside."""
        swarm = self._swarm
        return {
            "connections": len(self.connections),
            "streams": len(self.streams),
            "handlers": self._router.running,
            "handlers_failed": self._router.failed,
            "handlers_broken": self._router.broken,
            "streams_refused": self._router.refused,
            "connections_refused": 0 if swarm is None else swarm.refused,
            "upgrades_failed": 0 if swarm is None else swarm.failed_upgrades,
        }

    def __repr__(self) -> str:
        return f"<Host {self.peer_id} {self._state.name.lower()} {len(self.connections)} connections>"

    # How it works

    def _mount_services(self) -> None:
        config = self.config
        if config.ping:
            self._router.add(PING, PingService(config.ping_idle))
        if config.identify:
            agent = config.agent_version or _default_agent()
            self._identify = Identify(self, self.peerstore, self._bus, agent=agent, timeouts=config.timeouts)
            self._router.add_answer(IDENTIFY, self._identify.answer)
            self._router.add(IDENTIFY_PUSH, self._identify.take_push)

    async def _stop(self) -> None:
        self._state = _State.CLOSED
        self._router.stop()
        # From the last line to the first, each also when one before it failed or was cancelled.
        async with AsyncExitStack() as ending:
            ending.callback(self._bus.close)
            ending.push_async_callback(self._router.close)
            if self._swarm is not None:
                ending.push_async_callback(self._swarm.close)
            if self._identify is not None:
                ending.push_async_callback(self._identify.close)
            if self._swarm is not None:
                ending.push_async_callback(self._swarm.stop_listening)

    async def _connect(self, target: Target, options: DialOptions | None) -> Connection:
        if isinstance(target, Connection):
            return target
        peer, addresses = parse_target(target)
        return await self._running_swarm().connect(peer, addresses, options)

    async def _open_stream(
        self, target: Target, protocols: ProtocolId | Sequence[ProtocolId], lazy: bool | None
    ) -> Stream:
        names = [protocols] if isinstance(protocols, str) else list(protocols)
        if not names:
            raise ConfigError("a stream needs a protocol")
        if isinstance(target, Connection):
            return await self._open_on(target, names, lazy)
        swarm = self._running_swarm()
        peer, addresses = parse_target(target)
        existing = swarm.connection_to(peer)
        if existing is not None:
            try:
                return await self._open_on(existing, names, lazy)
            except (ConnectionClosedError, StreamResetError):
                # Peers close idle connections. Nothing was sent on the stream yet, so a new one is as good.
                if not existing.is_closed:
                    raise
                self._running_swarm()
        connection = await swarm.connect(peer, addresses, lazy=True)
        try:
            return await self._open_on(connection, names, lazy)
        except (ConnectionClosedError, StreamResetError):
            error = swarm.upgrade_error(connection)
            if error is None:
                raise
            raise error from error.__cause__

    async def _open_on(
        self, connection: Connection, names: Sequence[ProtocolId], lazy: bool | None
    ) -> Stream:
        try:
            stream = await connection.open_stream(names, lazy=lazy)
        except ProtocolNotSupportedError as error:
            error.supported = error.supported or await self._spoken_by(connection)
            raise
        if self._bus.wants(StreamOpened):
            self._bus.emit(StreamOpened(stream.remote_peer, stream.protocol, stream.direction))
        return stream

    async def _spoken_by(self, connection: Connection) -> tuple[ProtocolId, ...]:
        """What the peer says it speaks; waits for its word when it is on its way."""
        if self._identify is not None:
            with suppress(PlaitError, TimeoutError):
                return (await self._identify.result(connection)).protocols
        return self.peerstore.protocols(connection.remote_peer)

    def _running_swarm(self) -> Swarm:
        if self._swarm is None or self._state is not _State.RUNNING:
            what = "closed" if self._state is _State.CLOSED else "not started"
            raise ConnectionClosedError(f"the host is {what}", hint="use it inside `async with`")
        return self._swarm

    def _on_connection(self, connection: Connection) -> None:
        if self._identify is not None:
            self._identify.start(connection)

    def _protocols_changed(self) -> None:
        if self._swarm is not None and self._state is _State.RUNNING:
            self._swarm.set_protocols(self._router.protocols, self._router.rule)
            if self._identify is not None:
                self._identify.changed()


class _State(Enum):
    NEW = auto()
    RUNNING = auto()
    CLOSED = auto()


def _several(listen: AddressLike | Iterable[AddressLike]) -> Iterable[AddressLike]:
    if isinstance(listen, str | bytes):
        return [listen]
    # A multiaddr object is iterable too, over its components.
    return (
        [cast("Multiaddr", listen)] if hasattr(listen, "to_bytes") else cast("Iterable[AddressLike]", listen)
    )


def _default_agent() -> str:
    from plait._core import __version__

    return f"plait/{__version__}"
