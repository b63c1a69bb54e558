"""A connection: which peer, which streams, and how it ends. The bytes are elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from sys import intern
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from plait._core import (
    MUXER_AGREED,
    OPEN_CREDIT,
    READABLE,
    STREAM_OPENED,
    STREAM_READY,
    STREAM_REFUSED,
    STREAM_RESET,
    WRITABLE,
    Established,
    ProtocolSet,
    Session,
)
from plait.connection.driver import Driver
from plait.connection.exchange import Answered, Exchange
from plait.connection.stream import Stream, reset_by_peer
from plait.exceptions import ConnectionClosedError, ConnectionLostError, LimitError

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.identity import PeerId
    from plait.types import Direction

__all__ = ["Connection", "Locate"]

Locate: TypeAlias = "Callable[[Callable[[str], Any], Literal['local', 'remote']], Multiaddr]"
"""Tells an end's multiaddr from a transport's `get_extra_info`."""


class Connection:
    """An authenticated, multiplexed link to one peer.

    A connection is made by an upgrade, never by its constructor alone.

    Attributes:
        driver: the wire.
        session: the protocols.
        remote_peer: who is at the other end; proven by the handshake.
        local_peer: who we are.
        direction: who dialed.
        security: protocol id of the secure channel.
        muxer: protocol id of the muxer.
        early_muxer: the muxer was agreed on inside the security handshake.
        round_trips: round trips of the upgrade, without the transport's own.
        opened_at: when it was established, in seconds since the epoch.
        remote_protocols: what the peer has said on this connection that it speaks; nothing until it has.
        on_stream: called with each stream that the peer opened, once its protocol is agreed on.
        on_stream_end: called with each stream, of either side, that the application is done with.
    """

    __slots__ = (
        "__weakref__",
        "_agreement",
        "_close_callbacks",
        "_credit",
        "_local_address",
        "_locate",
        "_reason",
        "_remote_address",
        "_streams",
        "direction",
        "driver",
        "early_muxer",
        "local_peer",
        "muxer",
        "on_stream",
        "on_stream_end",
        "opened_at",
        "remote_peer",
        "remote_protocols",
        "round_trips",
        "security",
        "session",
    )

    def __init__(
        self,
        driver: Driver,
        established: Established,
        *,
        local_peer: PeerId,
        remote_peer: PeerId,
        direction: Direction,
        locate: Locate,
        dialed: Multiaddr | None,
        on_stream: Callable[[Stream], None],
    ) -> None:
        self.driver = driver
        self.session: Session = driver.session
        self._streams: dict[int, Stream | Exchange] = {}
        self._reason: ConnectionClosedError | None = None
        self._credit: list[asyncio.Future[None]] = []
        # `None` from the peer's word on the muxer on, which most connections begin with.
        self._agreement: asyncio.Future[None] | None = (
            None if established.muxer_agreed else driver.loop.create_future()
        )
        self._close_callbacks: list[Callable[[Connection], None]] = []
        self._locate = locate
        self._remote_address = dialed
        self._local_address: Multiaddr | None = None
        self.direction = direction
        self.local_peer = local_peer
        self.remote_peer = remote_peer
        self.security = established.security
        self.muxer = established.muxer
        self.early_muxer = established.early_muxer
        self.round_trips = established.round_trips
        self.opened_at = time.time()
        self.remote_protocols: Collection[str] = ()
        self.on_stream = on_stream
        self.on_stream_end: Callable[[Stream], None] | None = None

    # ---- commands

    async def open_stream(self, protocols: str | Sequence[str], *, lazy: bool | None = None) -> Stream:
        """Opens a stream for the first of `protocols` that the peer speaks.

        Args:
            protocols: one protocol id, or several in the order of preference.
            lazy: do not wait for the peer's confirmation. What is written follows the proposal in the
                same flight; a refusal shows at the first read. `None` does so when the peer has said that
                it speaks the first of the protocols; `False` never; `True` with every single protocol
                (multistream-select has no way back from a wrong guess).

        Raises:
            ProtocolNotSupportedError: the peer speaks none of them.
            ConnectionClosedError: the connection is closed, or closes meanwhile.
            StreamResetError: the peer reset the stream instead of answering.
            NegotiationError: no answer in time, or nonsense.

        Cancelling it resets the stream.
        """
        names = [protocols] if isinstance(protocols, str) else list(protocols)
        if lazy is None and names and names[0] in self.remote_protocols:
            # A peer that has said it speaks a protocol does not refuse it, and no other one is preferred.
            lazy, names = True, names[:1]
        loop = asyncio.get_running_loop()
        while True:
            self._check_open()
            stream_id = self.session.open_stream(names, loop.time())
            if stream_id is not None:
                break
            credit = loop.create_future()
            self._credit.append(credit)
            try:
                await credit
            finally:
                self._credit.remove(credit)
        stream = Stream(self, stream_id, names[0], "outbound")
        self._streams[stream_id] = stream
        self.driver.flush_soon()
        if not lazy or len(names) > 1:
            try:
                await stream.confirmed()
            except BaseException as error:
                stream.reset()
                if isinstance(error.__cause__, ConnectionClosedError):
                    self._check_open()
                raise
        return stream

    async def agreed(self) -> None:
        """Waits until the peer has agreed to the muxer.

        It has with the connection, unless the handshake left the muxer to the channel: then the last one
        there is to propose is used before the answer, and a peer that refuses it ends the connection.

        Raises:
            ConnectionClosedError: the connection ended before; the cause of `reason` says why.

        Cancelling it does nothing.
        """
        if self._agreement is not None:
            await asyncio.shield(self._agreement)
            if self._agreement is not None:
                self._check_open()

    def ask(self, protocol: str, *, limit: int, timeout: float, answered: Answered) -> None:
        """Opens a stream only to read everything that the peer says on it; nothing is awaited.

        Args:
            limit: bytes of the longest answer.
            timeout: seconds until there is none.
            answered: called once, with the answer or with the error that `open_stream` and `read` would
                have raised; `TimeoutError` when it was too late.

        Raises:
            ConnectionClosedError: the connection is closed.
            LimitError: too many streams wait for the peer already.
        """
        self._check_open()
        stream_id = self.session.open_stream([protocol], self.driver.now())
        if stream_id is None:
            raise LimitError(
                "the peer has not acknowledged the streams before", limit="unacknowledged_streams"
            )
        self._streams[stream_id] = Exchange(
            self, self.driver, stream_id, limit=limit, timeout=timeout, answered=answered
        )
        self.driver.flush_soon()

    async def close(self, error_code: int = 0) -> None:
        """Says go-away, after everything that the streams have queued, and waits for the peer's end.

        It takes the configured time at most; then the connection is dropped. Streams that are open end
        with `StreamResetError`. Closing twice is fine. Cancelling it leaves the closing under way.
        """
        self.driver.close(error_code)
        await self.wait_closed()

    def abort(self, cause: BaseException | None = None) -> None:
        """Drops the connection at once; what was not sent is lost."""
        self.driver.abort(cause)

    async def wait_closed(self) -> None:
        """Waits until nothing of the connection is left. Cancelling it does nothing."""
        await asyncio.shield(self.driver.closed)

    def add_close_callback(self, callback: Callable[[Connection], None]) -> None:
        """Calls `callback(self)` once when the connection is over; at once if it is."""
        if self._reason is not None:
            callback(self)
        else:
            self._close_callbacks.append(callback)

    def set_protocols(self, protocols: ProtocolSet) -> None:
        """What the peer may open streams for from now on."""
        self.session.set_protocols(protocols)

    # ---- getters

    @property
    def remote_address(self) -> Multiaddr:
        """The peer's address, without `/p2p`."""
        if self._remote_address is None:
            self._remote_address = self._locate(self.driver.get_extra_info, "remote")
        return self._remote_address

    @property
    def local_address(self) -> Multiaddr:
        """Our address, without `/p2p`."""
        if self._local_address is None:
            self._local_address = self._locate(self.driver.get_extra_info, "local")
        return self._local_address

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams that are open, in no order."""
        return tuple(each for each in self._streams.values() if isinstance(each, Stream))

    @property
    def has_agreed(self) -> bool:
        """Whether the peer has agreed to the muxer; `agreed` waits for it."""
        return self._agreement is None

    @property
    def is_closed(self) -> bool:
        """The connection is over; `reason` says why."""
        return self._reason is not None

    @property
    def is_closing(self) -> bool:
        """We are closing it, or it is over: no more streams can be opened."""
        return self._reason is not None or self.session.is_leaving

    @property
    def reason(self) -> ConnectionClosedError | None:
        """Why it ended; `None` while it lives."""
        return self._reason

    @property
    def rtt(self) -> float | None:
        """The smallest round trip of the muxer's pings so far, in seconds."""
        return self.session.rtt

    def stats(self) -> dict[str, int]:
        """The session's counters: streams, bytes buffered in both directions, frames, resets."""
        return self.session.stats()

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else "open"
        return f"<Connection {self.direction} {self.remote_peer} {state} {len(self._streams)} streams>"

    # ---- from the driver

    def handle_events(self, events: list[tuple[Any, ...]]) -> None:
        """What the session said, in order."""
        streams = self._streams
        for event in events:
            kind = event[0]
            if kind == READABLE:
                if stream := streams.get(event[1]):
                    stream.handle_readable()
            elif kind == WRITABLE:
                if stream := streams.get(event[1]):
                    stream.handle_writable()
            elif kind == STREAM_OPENED:
                # Many streams have one protocol, and one copy of its name.
                stream = Stream(self, event[1], intern(event[2]), "inbound")
                streams[event[1]] = stream
                self.on_stream(stream)
            elif kind == STREAM_READY:
                if stream := streams.get(event[1]):
                    stream.handle_ready(event[2])
            elif kind == STREAM_REFUSED:
                if stream := streams.get(event[1]):
                    stream.handle_end(event[2])
            elif kind == STREAM_RESET:
                if stream := streams.get(event[1]):
                    stream.handle_end(reset_by_peer(event[2]))
            elif kind == OPEN_CREDIT:
                for credit in self._credit:
                    if not credit.done():
                        credit.set_result(None)
            elif kind == MUXER_AGREED and self._agreement is not None:
                self._agreement.set_result(None)
                self._agreement = None

    def handle_closed(self, reason: BaseException) -> None:
        """The session is over."""
        if isinstance(reason, ConnectionClosedError):
            self._reason = reason
        else:
            self._reason = ConnectionLostError(f"the connection was dropped: {reason}", remote=False)
            self._reason.__cause__ = reason
        for stream in tuple(self._streams.values()):
            stream.handle_connection_closed(self._reason)
        if self._agreement is not None:
            self._agreement.set_result(None)
        for credit in self._credit:
            if not credit.done():
                credit.set_result(None)
        callbacks, self._close_callbacks = self._close_callbacks, []
        for callback in callbacks:
            callback(self)

    def forget(self, stream_id: int) -> None:
        """The application is done with a stream."""
        stream = self._streams.pop(stream_id, None)
        if self.on_stream_end is not None and isinstance(stream, Stream):
            self.on_stream_end(stream)

    def _check_open(self) -> None:
        if self._reason is not None:
            raise ConnectionClosedError(
                f"the connection to {self.remote_peer} is closed: {self._reason}",
                reason=self._reason.reason,
                error_code=self._reason.error_code,
                remote=self._reason.remote,
            ) from self._reason
