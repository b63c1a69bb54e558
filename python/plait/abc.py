"""The seams: what one room may ask of another, without knowing who answers.

Purpose: the verbs between rooms and to plug-ins, as `typing.Protocol` classes.
Takes: nothing; there is no logic here.
Gives: `Transport`, `Listener`, `Stream`, `Connection`, `Network`, and the handler types; `SecurityProtocol`
    and `Muxer` with what belongs to them, for protocols that are written in Python.
May look at: identity, addresses, events (types only).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType

    from multiaddr import Multiaddr

    from plait._core import FileBlock
    from plait.events import EventsDropped
    from plait.identity import KeyPair, PeerId, PublicKey
    from plait.types import Direction, ProtocolId, Role

__all__ = [
    "Answer",
    "Answered",
    "Connection",
    "Frame",
    "GoAway",
    "Handler",
    "Listener",
    "MuxedConnection",
    "Muxer",
    "Network",
    "Opening",
    "ProtocolFactory",
    "SecureChannel",
    "Secured",
    "SecurityHandshake",
    "SecurityProtocol",
    "Stream",
    "StreamCredit",
    "StreamData",
    "StreamFin",
    "StreamOpened",
    "StreamReset",
    "Target",
    "Transport",
]

Target: TypeAlias = "str | Multiaddr | PeerId | Connection"
Handler: TypeAlias = "Callable[[Any], Awaitable[None]]"
ProtocolFactory: TypeAlias = "Callable[[], asyncio.BaseProtocol]"
"""Makes the protocol of one connection. One that also has `take_socket(sock)` takes a connected,
non-blocking stream socket instead, for good; what it does with it costs less than a protocol would."""
Answered: TypeAlias = "Callable[[bytes, Exception | None], None]"
Answer: TypeAlias = "Callable[[Stream], bytes]"
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
    async def readinto(self, buffer: bytearray | memoryview | FileBlock) -> int: ...
    async def readuntil(self, separator: bytes = b"\n", limit: int = 65536) -> bytes: ...
    async def read_message(self, limit: int) -> bytes: ...
    async def recv_file(self, file: IO[bytes], count: int | None = None) -> int: ...
    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def write(self, data: bytes | bytearray | memoryview | FileBlock) -> None: ...
    def write_nowait(self, data: bytes | bytearray | memoryview) -> None: ...
    async def write_message(self, data: bytes | bytearray | memoryview) -> None: ...
    async def send_file(self, file: IO[bytes], offset: int = 0, count: int | None = None) -> int: ...
    async def write_eof(self) -> None: ...

    async def close(self) -> None: ...
    def close_nowait(self) -> bool: ...
    def stop_reading(self) -> None: ...
    def reset(self, error_code: int = 0) -> None: ...
    def get_extra_info(self, name: str, default: Any = None) -> Any: ...

    async def __aenter__(self) -> Stream: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Connection(Protocol):
    """An authenticated, multiplexed link to one peer."""

    remote_protocols: Collection[str]

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

    async def open_stream(self, protocols: str | Sequence[str], *, lazy: bool | None = None) -> Stream: ...
    def ask(self, protocol: str, *, limit: int, timeout: float, answered: Answered) -> None: ...
    async def close(self, error_code: int = 0) -> None: ...
    async def wait_closed(self) -> None: ...
    def add_close_callback(self, callback: Callable[[Connection], None]) -> None: ...


class Transport(Protocol):
    """Raw connections for one kind of multiaddr. Gives bytes to an asyncio protocol, nothing more.

    The transports that it hands to `connection_made` are asyncio's: they call a `BufferedProtocol`, stop at
    `pause_reading`, say `pause_writing` when the other end does not read, and end by `connection_lost`, once.
    One that cannot end its writing side alone says so in `can_write_eof`. Where they are no IP sockets,
    `get_extra_info` answers to `"local_multiaddr"` and `"remote_multiaddr"`.
    """

    def can_dial(self, address: Multiaddr) -> bool:
        """Whether the address (without `/p2p`) is of this kind. Asks nobody."""

    def can_listen(self, address: Multiaddr) -> bool:
        """Whether such an address can be listened on. Asks nobody."""

    async def resolve(self, address: Multiaddr) -> Sequence[Multiaddr]:
        """The addresses behind a name, of this transport; `[address]` when there is no name in it."""

    async def dial(self, address: Multiaddr, factory: ProtocolFactory) -> None:
        """Connects, and calls `connection_made` of the protocol.

        Cancelling it leaves nothing open.

        Raises:
            OSError: nobody is there, or the connection could not be made.
        """

    async def listen(self, address: Multiaddr, factory: ProtocolFactory) -> Listener:
        """Serves connections, each with a protocol of its own.

        Raises:
            ListenError: the address is taken, or not ours.
        """


class Listener(Protocol):
    """A place where peers can connect."""

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        """Where it listens, with real ports and without `/p2p`."""

    async def close(self) -> None:
        """Accepts no more; connections that were accepted live on."""


class SecurityProtocol(Protocol):
    """A way to prove who is at each end of a connection, and to keep it to the two.

    It does no I/O: bytes come in and go out. It is called in the event loop, between two bytes of a
    connection, and must neither block nor await. Whatever it raises ends the connection: during the
    handshake with `HandshakeError`, later with `ConnectionLostError`, and the exception is their cause.

    Attributes:
        protocol: the id that is negotiated, for example `"/noise"`.
    """

    @property
    def protocol(self) -> ProtocolId: ...

    def begin(
        self, identity: KeyPair, role: Role, expected: PeerId | None, muxers: Sequence[ProtocolId]
    ) -> SecurityHandshake:
        """A new connection.

        Args:
            identity: who this host is. One object may serve several hosts.
            role: who begins.
            expected: who has to answer; `None` takes anybody. That it is the right one is checked once more
                by whoever called, so it is a handshake's own choice to say less to others.
            muxers: what this host offers, in its order, for handshakes that carry such a list.
        """


class SecurityHandshake(Protocol):
    """One connection on its way to keys."""

    def receive(self, data: bytes) -> Secured | None:
        """Takes all of `data`, which may begin and end anywhere. `None`: more has to come.

        Raises:
            Exception: any, when the peer did not prove what it has to.
        """

    def transmit(self) -> bytes:
        """What is to be sent since the last call. Asked after `begin` and after each `receive`, also after
        the last and after one that raised."""


@dataclass(frozen=True, slots=True)
class Secured:
    """What a handshake came to.

    Attributes:
        remote_public_key: the key that the peer has proved to own; the peer id follows from it.
        channel: the keys at work.
        unused: the end of what was received last, as far as it belongs to the channel.
        remote_muxers: the muxers that the peer said it has, in its order. The first of the initiator's that
            both have is taken, without a further round trip. When the handshake carries none, it is
            negotiated over the channel.
    """

    remote_public_key: PublicKey
    channel: SecureChannel
    unused: bytes = b""
    remote_muxers: Sequence[ProtocolId] = ()


class SecureChannel(Protocol):
    """Both directions of a connection that has its keys."""

    def receive(self, data: bytes) -> Iterable[bytes]:
        """Takes all of `data`, which may begin and end anywhere; gives the plaintext of each record that is
        complete, in order.

        It may be a generator: what it gave before it raised is delivered.

        Raises:
            Exception: any, for a record that is forged or malformed. Its plaintext must never be given.
        """

    def seal(self, plaintext: bytes) -> bytes:
        """The record, or the records, for up to 32 KiB.

        Raises:
            Exception: any, when no more can be sealed with these keys.
        """

    @property
    def has_partial(self) -> bool:
        """A record has begun and not ended, so that an end of the transport now is a truncation."""


class Muxer(Protocol):
    """Streams over one secure channel: how frames are written and read, and nothing else.

    Buffers, bounds, fairness and the states of streams are kept elsewhere, the same for all muxers. It is
    called in the event loop and must neither block nor await; what it raises ends the connection with
    `RemoteProtocolError`, whose cause it is.

    Attributes:
        protocol: the id that is negotiated, for example `"/yamux/1.0.0"`.
    """

    @property
    def protocol(self) -> ProtocolId: ...

    def begin(self, role: Role, now: float) -> MuxedConnection:
        """One end of a new connection.

        Args:
            role: who began the connection, which mostly decides who gives odd numbers to streams.
            now: seconds on the clock of all later calls.
        """


class MuxedConnection(Protocol):
    """The frames of one connection.

    Streams have numbers from 0 to 2^64-2 of its own choice, unique among those that are alive, in both
    directions together. A number is free again when both directions are finished, or after a reset by
    either end; frames that arrive for it later may be reported or dropped.
    """

    def receive(self, data: bytes, now: float) -> Iterable[Frame]:
        """Takes all of `data`, which may begin and end anywhere; gives what it means, in order.

        It may be a generator: what it gave before it raised counts. A frame's data may be given in parts.

        Raises:
            Exception: any, when the peer broke the protocol.
        """

    def open(self) -> int | None:
        """Begins a stream of ours. `None`: not now; asked again when something was received."""

    def send(self, stream: int, data: bytes) -> int:
        """Frames the beginning of `data`; how many bytes. With fewer than it was given, the stream waits for
        a `StreamCredit`. A protocol without credit takes all."""

    def finish(self, stream: int) -> None:
        """Ends our direction of a stream, after what was sent."""

    def reset(self, stream: int, error_code: int) -> None:
        """Ends both directions at once. The stream is not named again."""

    def consumed(self, stream: int, count: int) -> None:
        """The application has read `count` more bytes: credit for the peer, where the protocol has credit.

        A protocol without stays bounded: a stream with 1 MiB unread stops the reading of the whole
        connection, and is reset when it is not read for some seconds.
        """

    def go_away(self, error_code: int) -> None:
        """Our last word: no more streams. Called once."""

    def transmit(self) -> bytes:
        """The bytes of all frames since the last call. Asked after each of the others, also after one that
        raised, so that it can still tell the peer."""

    def handle_timeout(self, now: float) -> Iterable[Frame]:
        """The time of `next_timeout` has come. It may raise, to give up a peer that does not answer."""

    def next_timeout(self) -> float | None:
        """When to call `handle_timeout`; `None`: never. Asked after each of the others."""


class StreamOpened(NamedTuple):
    """The peer begins a stream."""

    stream: int


class StreamData(NamedTuple):
    """Bytes of a stream."""

    stream: int
    data: bytes


class StreamFin(NamedTuple):
    """The peer finishes its direction of a stream."""

    stream: int


class StreamReset(NamedTuple):
    """The peer resets a stream; code 0 says nothing."""

    stream: int
    error_code: int


class StreamCredit(NamedTuple):
    """A stream that took less than it was given takes bytes again."""

    stream: int


class GoAway(NamedTuple):
    """The peer's last word; it ends the connection."""

    error_code: int


Frame: TypeAlias = StreamOpened | StreamData | StreamFin | StreamReset | StreamCredit | GoAway


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
