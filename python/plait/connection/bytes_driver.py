"""The driver over an asyncio transport: wherever somebody else has the socket, or there is none."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from plait._core import Established, ReceiveBuffer, Session
from plait.connection.driver import DRAIN_TIME, Driver, State

if TYPE_CHECKING:
    from plait.connection.connection import Connection

__all__ = ["BytesDriver"]

# One read of the socket. Loopback and fast links fill it; larger ones fall out of the second-level cache.
READ_SIZE = 256 * 1024
# Sealed bytes for one write: enough to make the call cheap, little enough to stay in the cache.
WRITE_SIZE = 128 * 1024
# What the transport may hold back before it stops us: one write under way and one behind it.
HIGH_WATER = 256 * 1024
LOW_WATER = 64 * 1024


class BytesDriver(Driver, asyncio.BufferedProtocol):
    """Carries bytes between an asyncio transport and a session; arguments as `Driver`."""

    __slots__ = (
        "_buffer",
        "_drain_timer",
        "_eof_sent",
        "_fires_at",
        "_reading_paused",
        "_transport",
        "_writing_paused",
    )

    def __init__(
        self,
        session: Session,
        establish: Callable[[Driver, Established], Connection],
        fail: Callable[[Driver, BaseException], None],
    ) -> None:
        super().__init__(session, establish, fail)
        self._buffer = _shared_buffer(self.loop)
        self._transport: asyncio.Transport | None = None
        self._drain_timer: asyncio.TimerHandle | None = None
        self._fires_at = 0.0
        self._writing_paused = False
        self._reading_paused = False
        self._eof_sent = False

    # ---- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._state is not State.NEW:  # aborted while the transport was still connecting
            self._transport.abort()
            return
        self._state = State.OPEN
        self._transport.set_write_buffer_limits(HIGH_WATER, LOW_WATER)
        self._flush()

    def get_buffer(self, sizehint: int) -> ReceiveBuffer:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._state is State.OPEN:
            events = self.session.receive(self._buffer, nbytes, self.now())
            if events:
                self._dispatch(events)
            self._flush()

    def eof_received(self) -> None:
        self._end(None)
        # The transport closes when all is sent, which a peer that does not read could put off for ever.
        if self._drain_timer is None and self._transport is not None:
            self._drain_timer = self.loop.call_later(DRAIN_TIME, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)
        if self._drain_timer is not None:
            self._drain_timer.cancel()
        self._gone()

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._flush()

    # ---- from the connection

    def flush_soon(self) -> None:
        if not self._writing_paused:
            super().flush_soon()

    def get_extra_info(self, name: str) -> Any:
        return None if self._transport is None else self._transport.get_extra_info(name)

    # ---- after each call into the session

    def _flush(self) -> None:
        self._send()
        if self._state is not State.OPEN:
            return
        deadline = self.session.next_timeout()
        # A timer that is too early finds the later deadline when it fires: cheaper than moving it each time.
        if deadline is not None and (self._timer is None or deadline < self._fires_at):
            # Kept here: what uvloop gives for a time that has passed does not know it.
            self._fires_at = deadline
            self._arm(deadline)

    def _on_timer(self) -> None:
        self._timer = None
        if self._state is State.OPEN:
            events = self.session.handle_timeout(self.now())
            if events:
                self._dispatch(events)
            self._flush()

    def _send(self) -> None:
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

    # ---- the end

    def _finish(self) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing():
            self._writing_paused = False  # what is left is small and bounded
            self._send()
            self._state = State.DRAINING
            if transport.can_write_eof():
                self._send_eof(transport)
                if self._reading_paused:
                    transport.resume_reading()
                self._drain_timer = self.loop.call_later(DRAIN_TIME, transport.abort)
            else:
                transport.close()
        self._state = State.DRAINING

    def _drop(self) -> None:
        if self._transport is None:
            self._gone()
        else:
            self._transport.abort()

    def _send_eof(self, transport: asyncio.Transport) -> None:
        if not self._eof_sent and not transport.is_closing():
            self._eof_sent = True
            transport.write_eof()


def _shared_buffer(loop: asyncio.AbstractEventLoop) -> ReceiveBuffer:
    """One buffer for all connections of a loop: each uses it only inside one call of the loop."""
    buffer = _buffers.get(loop)
    if buffer is None:
        buffer = _buffers[loop] = ReceiveBuffer(READ_SIZE)
    return buffer


_buffers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, ReceiveBuffer] = weakref.WeakKeyDictionary()
