"""The wire of one session: an asyncio protocol and nothing more.

After any call into the session the driver uses the events, sends what there is to send and arms one
timer. It decides nothing: the session knows the protocol, the connection knows the application.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, cast

from plait._core import CLOSED, ESTABLISHED, Established, ReceiveBuffer, Session
from plait.exceptions import ConnectionClosedError, UpgradeError

if TYPE_CHECKING:
    from plait.connection.connection import Connection

__all__ = ["Driver"]

# One read of the socket. Loopback and fast links fill it; larger ones fall out of the second-level cache.
READ_SIZE = 256 * 1024
# Sealed bytes for one write: enough to make the call cheap, little enough to stay in the cache.
WRITE_SIZE = 128 * 1024
# What the transport may hold back before it stops us: one write under way and one behind it.
HIGH_WATER = 256 * 1024
LOW_WATER = 64 * 1024
# How long a socket that we end is still read, so that the kernel does not answer late bytes with a
# reset that would destroy our last ones on their way.
DRAIN_TIME = 1.0


class State(Enum):
    """One way, top to bottom."""

    NEW = auto()
    OPEN = auto()
    # The session is over; its last bytes are on their way and the peer's are thrown away.
    DRAINING = auto()
    GONE = auto()


class Driver(asyncio.BufferedProtocol):
    """Carries bytes between an asyncio transport and a session.

    Args:
        session: the sans-I/O connection, in whatever state.
        establish: called once with what the upgrade agreed on; gives the connection.
        fail: called once instead of it when the upgrade fails, with the reason.
    """

    __slots__ = (
        "_buffer",
        "_connection",
        "_drain_timer",
        "_eof_sent",
        "_establish",
        "_fail",
        "_flush_handle",
        "_reading_paused",
        "_state",
        "_timer",
        "_transport",
        "_writing_paused",
        "closed",
        "loop",
        "now",
        "session",
    )

    def __init__(
        self,
        session: Session,
        establish: Callable[[Driver, Established], Connection],
        fail: Callable[[Driver, BaseException], None],
    ) -> None:
        self.session = session
        self._establish = establish
        self._fail = fail
        self.loop = asyncio.get_running_loop()
        # The clock of every call into the session.
        self.now: Callable[[], float] = self.loop.time
        self._buffer = _shared_buffer(self.loop)
        self._connection: Connection | None = None
        self._transport: asyncio.Transport | None = None
        self._state = State.NEW
        self._timer: asyncio.TimerHandle | None = None
        self._drain_timer: asyncio.TimerHandle | None = None
        self._flush_handle: asyncio.Handle | None = None
        self._writing_paused = False
        self._reading_paused = False
        self._eof_sent = False
        # Resolved when the transport is gone; nothing of this connection is left in the loop then.
        self.closed: asyncio.Future[None] = self.loop.create_future()

    # ---- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._state is not State.NEW:  # aborted while the transport was still connecting
            self._transport.abort()
            return
        self._state = State.OPEN
        self._transport.set_write_buffer_limits(HIGH_WATER, LOW_WATER)
        self._settle()

    def get_buffer(self, sizehint: int) -> ReceiveBuffer:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._state is State.OPEN:
            events = self.session.receive(self._buffer, nbytes, self.now())
            if events:
                self._dispatch(events)
            self._settle()

    def eof_received(self) -> None:
        self._end(None)
        # The transport closes when all is sent, which a peer that does not read could put off for ever.
        if self._drain_timer is None and self._transport is not None:
            self._drain_timer = self.loop.call_later(DRAIN_TIME, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)
        self._state = State.GONE
        for timer in (self._timer, self._drain_timer, self._flush_handle):
            if timer is not None:
                timer.cancel()
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._settle()

    # ---- from the connection

    def flush_soon(self) -> None:
        """Sends what the session has at the end of this turn of the loop: all of its writes together."""
        if self._flush_handle is None and self._state is State.OPEN and not self._writing_paused:
            self._flush_handle = self.loop.call_soon(self._flush_turn)

    def close(self, error_code: int) -> None:
        """Ends the session gracefully; `closed` tells when the transport is gone."""
        if self._state is State.NEW:
            self.abort()
        elif self._state is State.OPEN:
            self._dispatch(self.session.close(error_code, self.now()))
            self._settle()

    def abort(self, cause: BaseException | None = None) -> None:
        """Drops the connection at once; what was not sent is lost. Idempotent."""
        if self._state in (State.NEW, State.OPEN):
            error = ConnectionClosedError("we dropped the connection", remote=False)
            error.__cause__ = cause
            self._state = State.DRAINING
            self._over(error)
        if self._transport is None:
            self._state = State.GONE
            if not self.closed.done():
                self.closed.set_result(None)
        else:
            self._transport.abort()

    def get_extra_info(self, name: str) -> Any:
        """What the transport knows by this name, or None."""
        return None if self._transport is None else self._transport.get_extra_info(name)

    # ---- after each call into the session

    def _flush_turn(self) -> None:
        self._flush_handle = None
        self._settle()

    def _settle(self) -> None:
        """Sends, and arms the timer."""
        self._flush()
        if self._state is not State.OPEN:
            return
        deadline = self.session.next_timeout()
        if deadline is None:
            return
        if self._timer is not None:
            if self._timer.when() <= deadline:
                return  # it finds the later deadline when it fires, which is cheaper than moving it each time
            self._timer.cancel()
        self._timer = self.loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._state is State.OPEN:
            events = self.session.handle_timeout(self.now())
            if events:
                self._dispatch(events)
            self._settle()

    def _flush(self) -> None:
        transport = self._transport
        if transport is None or self._state is not State.OPEN:
            return
        session = self.session
        now = self.now()
        while not self._writing_paused:
            data = session.transmit(WRITE_SIZE, now)
            if not data:
                if session.is_leaving:
                    self._send_eof(transport)
                break
            transport.write(data)
        if events := session.take_events():
            self._dispatch(events)
            # A session that is closing waits to see whether these made anybody write.
            self.flush_soon()
        if self._state is State.OPEN:
            self._watch_overload(transport)

    def _watch_overload(self, transport: asyncio.Transport) -> None:
        """A peer that makes us answer and does not read the answers is not read either."""
        overloaded = self.session.is_overloaded
        if overloaded and not self._reading_paused:
            self._reading_paused = True
            transport.pause_reading()
        elif self._reading_paused and not overloaded:
            self._reading_paused = False
            transport.resume_reading()

    def _dispatch(self, events: list[tuple[Any, ...]]) -> None:
        if not events:
            return
        if self._connection is None and events[0][0] == ESTABLISHED:
            self._connection = self._establish(self, events[0][1])
            del events[0]
        last = events[-1] if events else None
        if last is not None and last[0] == CLOSED:
            del events[-1]
            if events and self._connection is not None:
                self._connection.handle_events(events)
            self._finish(last[1])
        elif events and self._connection is not None:
            self._connection.handle_events(events)

    # ---- the end

    def _end(self, cause: BaseException | None) -> None:
        """The transport gives nothing more."""
        if self._state is not State.OPEN:
            return
        for event in self.session.receive_eof():
            error = event[1]
            if cause is not None:
                error.__cause__ = cause
            self._state = State.DRAINING
            self._over(error)

    def _finish(self, reason: BaseException) -> None:
        """The session is over: its last bytes go out, then the transport closes."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            self._writing_paused = False  # what is left is small and bounded
            self._flush()
            self._state = State.DRAINING
            if transport.can_write_eof():
                self._send_eof(transport)
                if self._reading_paused:
                    transport.resume_reading()
                self._drain_timer = self.loop.call_later(DRAIN_TIME, transport.abort)
            else:
                transport.close()
        self._state = State.DRAINING
        self._over(reason)

    def _send_eof(self, transport: asyncio.Transport) -> None:
        if not self._eof_sent and not transport.is_closing():
            self._eof_sent = True
            transport.write_eof()

    def _over(self, reason: BaseException) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._connection is not None:
            self._connection.handle_closed(reason)
        else:
            error = reason
            if isinstance(reason, ConnectionClosedError) and not isinstance(reason, UpgradeError):
                error = UpgradeError(f"the connection ended during the upgrade: {reason}", stage="upgrade")
                error.__cause__ = reason
            self._fail(self, error)


def _shared_buffer(loop: asyncio.AbstractEventLoop) -> ReceiveBuffer:
    """One buffer for all connections of a loop: each uses it only inside one call of the loop."""
    buffer = _buffers.get(loop)
    if buffer is None:
        buffer = _buffers[loop] = ReceiveBuffer(READ_SIZE)
    return buffer


_buffers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, ReceiveBuffer] = weakref.WeakKeyDictionary()
