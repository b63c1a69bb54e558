"""The seams: what one room may ask of another, without knowing who answers.

Purpose: the verbs between rooms, as `typing.Protocol` classes.
Takes: nothing; there is no logic here.
Gives: `Transport`, `Listener`, `Stream`, `Connection`, `Network`, and the handler types.
May look at: identity, addresses, events (types only).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType

    from multiaddr import Multiaddr

    from plait.events import EventsDropped
    from plait.identity import KeyPair, PeerId
    from plait.types import Direction

__all__ = [
    "Connection",
    "Handler",
    "Listener",
    "Network",
    "Opening",
    "ProtocolFactory",
    "Stream",
    "Target",
    "Transport",
]

Target: TypeAlias = "str | Multiaddr | PeerId | Connection"
Handler: TypeAlias = "Callable[[Any], Awaitable[None]]"
ProtocolFactory: TypeAlias = "Callable[[], asyncio.BaseProtocol]"
T = TypeVar("T", covariant=True)
E = TypeVar("E")


class Stream(Protocol):
    """A two-way flow of bytes with one protocol, multiplexed over a connection."""

    @property
    def id(self) -> int: ...
    @property
    def protocol(self) -> str: ...
    @property
    def connection(self) -> Connection: ...
    @property
    def remote_peer(self) -> PeerId: ...
    @property
    def direction(self) -> Direction: ...

    async def read(self, n: int = -1) -> bytes: ...
    async def readexactly(self, n: int) -> bytes: ...
    async def readinto(self, buffer: bytearray | memoryview) -> int: ...
    async def readuntil(self, separator: bytes = b"\n", limit: int = 65536) -> bytes: ...
    async def read_message(self, limit: int) -> bytes: ...
    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def write(self, data: bytes | bytearray | memoryview) -> None: ...
    def write_nowait(self, data: bytes | bytearray | memoryview) -> None: ...
    async def write_message(self, data: bytes | bytearray | memoryview) -> None: ...
    async def write_eof(self) -> None: ...

    async def close(self) -> None: ...
    def stop_reading(self) -> None: ...
    def reset(self, error_code: int = 0) -> None: ...
    def get_extra_info(self, name: str, default: Any = None) -> Any: ...

    async def __aenter__(self) -> Stream: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Connection(Protocol):
    """An authenticated, multiplexed link to one peer."""

    @property
    def remote_peer(self) -> PeerId: ...
    @property
    def local_peer(self) -> PeerId: ...
    @property
    def remote_address(self) -> Multiaddr: ...
    @property
    def local_address(self) -> Multiaddr: ...
    @property
    def direction(self) -> Direction: ...
    @property
    def security(self) -> str: ...
    @property
    def muxer(self) -> str: ...
    @property
    def early_muxer(self) -> bool: ...
    @property
    def round_trips(self) -> int: ...
    @property
    def rtt(self) -> float | None: ...
    @property
    def streams(self) -> Sequence[Stream]: ...
    @property
    def is_closed(self) -> bool: ...

    async def open_stream(self, protocols: str | Sequence[str]) -> Stream: ...
    async def close(self, error_code: int = 0) -> None: ...
    async def wait_closed(self) -> None: ...


class Transport(Protocol):
    """Raw connections for one kind of multiaddr. Gives bytes to an asyncio protocol, nothing more."""

    def can_dial(self, address: Multiaddr) -> bool: ...
    def can_listen(self, address: Multiaddr) -> bool: ...

    async def resolve(self, address: Multiaddr) -> Sequence[Multiaddr]:
        """The addresses behind a name, of this transport; `[address]` when there is no name in it."""

    async def dial(self, address: Multiaddr, factory: ProtocolFactory) -> None:
        """Connects, and calls `connection_made` of the protocol. Raises `OSError`."""

    async def listen(self, address: Multiaddr, factory: ProtocolFactory) -> Listener:
        """Serves connections, each with a protocol of its own. Raises `ListenError`."""


class Listener(Protocol):
    """A place where peers can connect."""

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        """Where it listens, with real ports and without `/p2p`."""

    async def close(self) -> None:
        """Accepts no more; connections that were accepted live on."""


class Opening(Awaitable[T], AbstractAsyncContextManager[T], Protocol[T]):
    """Something on its way: await it to have it, or enter it to have it closed at the end."""


class Network(Protocol):
    """What protocols, services and files see of a host."""

    @property
    def peer_id(self) -> PeerId: ...
    @property
    def identity(self) -> KeyPair: ...
    @property
    def addresses(self) -> Sequence[Multiaddr]: ...
    @property
    def connections(self) -> Sequence[Connection]: ...
    @property
    def protocols(self) -> Sequence[str]: ...

    def connect(self, target: Target) -> Opening[Connection]: ...
    def open_stream(self, target: Target, protocols: str | Sequence[str]) -> Opening[Stream]: ...
    def handle(
        self,
        protocol: str,
        handler: Handler | None = None,
        *,
        aliases: Sequence[str] = (),
        match: Callable[[str], bool] | None = None,
    ) -> Any: ...
    def unhandle(self, protocol: str) -> None: ...
    def events(self, *classes: type[E]) -> AsyncIterator[E | EventsDropped]: ...
