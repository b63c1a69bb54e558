"""The driver over a bare socket: bytes go between the kernel and the session without becoming objects.

One call into the session reads until there is nothing more, opens, routes, seals and sends; what it
gives back is what somebody has to be told, and what the loop has to watch.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from plait._core import (
    WIRE,
    WIRE_BLOCKED,
    WIRE_ENDED,
    WIRE_FINISHED,
    WIRE_MIXED,
    WIRE_MORE,
    WIRE_OVERLOADED,
    WIRE_RELIEVED,
    WIRE_UNMIXED,
    Established,
    Session,
)
from plait.connection.busy_poll import PROMPT, Attention, poll_of
from plait.connection.driver import DRAIN_TIME, Driver, State

if TYPE_CHECKING:
    from plait.connection.connection import Connection

__all__ = ["SocketDriver"]

# One look at what comes after the end, only to throw it away.
DISCARD_SIZE = 64 * 1024
# `TCP_NOTSENT_LOWAT` of <linux/tcp.h>: what the kernel has taken cannot be overtaken any more. Python has its
# name from 3.12 on.
NOTSENT_LOWAT = 25 if sys.platform == "linux" else None
# Bytes that wait there beside small messages: enough to keep the link busy until we are called again.
FEW = 128 * 1024
# Back to what the system has for all sockets.
AS_MANY_AS_FIT = 0
# The socket's buffer towards a peer of this machine: one write of the session. The kernel makes it twice as
# much, for what it costs to keep. More would fall out of the caches before the peer reads it.
NEAR_BUFFER = 512 * 1024
# Microseconds. On loopback it takes ten or so; where it takes longer, somebody simulates a distance.
NEAR_RTT = 1000
# Where `struct tcp_info` of <linux/tcp.h> has the round trip.
TCP_INFO_RTT = struct.Struct("=68xI")


class SocketDriver(Driver):
    """Carries bytes between a connected stream socket and a session.

    Args:
        session, establish, fail: as `Driver`.
        sock: non-blocking and connected; the driver's from now on.
        busy_poll: stay awake for the answer to little when the last one came at once.
    """

    __slots__ = ("_asked_at", "_attention", "_fileno", "_is_reading", "_is_writing", "_poll", "_socket")

    def __init__(
        self,
        session: Session,
        establish: Callable[[Driver, Established], Connection],
        fail: Callable[[Driver, BaseException], None],
        sock: socket.socket,
        *,
        busy_poll: bool = True,
    ) -> None:
        super().__init__(session, establish, fail)
        self._socket = sock
        self._fileno = sock.fileno()
        # What the loop watches.
        self._is_reading = False
        self._is_writing = False
        # When something was sent that asks for an answer; 0 when nothing was.
        self._asked_at = 0.0
        # Of a peer that answers at once.
        self._attention: Attention | None = None
        self._poll = poll_of(self.loop) if busy_poll else None

    def start(self) -> None:
        """Begins the upgrade."""
        if self._state is State.NEW:
            self._state = State.OPEN
            if _is_near(self._socket):
                with contextlib.suppress(OSError):  # the system allows less, or the socket is gone already
                    self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, NEAR_BUFFER)
            self._read(True)
            self._flush()

    def get_extra_info(self, name: str) -> Any:
        with contextlib.suppress(OSError):
            if name == "peername":
                return self._socket.getpeername()
            if name == "sockname":
                return self._socket.getsockname()
            if name == "socket":
                return self._socket
        return None

    # ---- from the loop

    def _on_readable(self) -> None:
        if self._state is State.OPEN:
            if self._asked_at:
                self._learn(perf_counter() - self._asked_at)
            events = self.session.read_socket(self._fileno, self.now())
            if events is not None:
                self._use(events)
        else:
            self._discard()

    def _on_writable(self) -> None:
        self._write(False)
        if (events := self.session.flush_socket(self._fileno, self.now(), has_room=True)) is not None:
            self._use(events)
        # Nothing is read any more when the peer had ended before us: then this was all that kept it.
        if self._state is State.DRAINING and not self._is_reading and not self._is_writing:
            self._drop()

    def _on_timer(self) -> None:
        self._timer = None
        if self._state is State.OPEN:
            events = self.session.expire_socket(self._fileno, self.now())
            if events is not None:
                self._use(events)

    # ---- after each call into the session

    def _flush(self) -> None:
        events = self.session.flush_socket(self._fileno, self.now())
        if self.is_asking:
            self.is_asking = False
            if self._poll is not None:
                self._asked_at = perf_counter()
                if self._attention is not None and self._attention.ask():
                    self._poll.stay_awake(self._asked_at)
        if events is not None:
            self._use(events)

    def _learn(self, seconds: float) -> None:
        self._asked_at = 0.0
        if self._attention is None:
            if seconds < PROMPT:
                self._attention = Attention(seconds)
        elif not self._attention.answered(seconds):
            self._attention = None

    def _use(self, events: list[tuple[Any, ...]]) -> None:
        flags, error = 0, None
        if events[-1][0] == WIRE:
            _, flags, deadline, error = events.pop()
            if deadline is not None and self._state is State.OPEN:
                self._arm(deadline)
            if flags:
                self._watch(flags)
        if events:
            self._dispatch(events)
            # Who was woken by them reads and writes in the next turn, and this comes right behind it.
            self.flush_soon()
        elif flags & WIRE_MORE:
            self.flush_soon()
        if error is not None:
            self._end(error)
            self._drop()
        elif flags & WIRE_ENDED:
            self._peer_ended()

    def _watch(self, flags: int) -> None:
        if flags & WIRE_BLOCKED:
            self._write(True)
        if flags & WIRE_OVERLOADED:
            # A peer that makes us answer and does not read the answers is not read either.
            self._read(False)
        elif flags & WIRE_RELIEVED:
            self._read(True)
        if flags & (WIRE_MIXED | WIRE_UNMIXED):
            self._let_wait(FEW if flags & WIRE_MIXED else AS_MANY_AS_FIT)
        if flags & WIRE_FINISHED:
            with contextlib.suppress(OSError):  # the peer is gone already
                self._socket.shutdown(socket.SHUT_WR)

    def _let_wait(self, unsent: int) -> None:
        """So many bytes wait in the socket at most, beside those that are on their way."""
        if NOTSENT_LOWAT is not None:
            with contextlib.suppress(OSError):  # not TCP, or gone already
                self._socket.setsockopt(socket.IPPROTO_TCP, NOTSENT_LOWAT, unsent)

    def _read(self, wanted: bool) -> None:
        if wanted and not self._is_reading:
            self.loop.add_reader(self._fileno, self._on_readable)
        elif self._is_reading and not wanted:
            self.loop.remove_reader(self._fileno)
        self._is_reading = wanted

    def _write(self, wanted: bool) -> None:
        if wanted and not self._is_writing:
            self.loop.add_writer(self._fileno, self._on_writable)
        elif self._is_writing and not wanted:
            self.loop.remove_writer(self._fileno)
        self._is_writing = wanted

    # ---- the end

    def _finish(self) -> None:
        self._state = State.DRAINING
        self._read(True)
        self._flush()
        self._drain_for_a_while()

    def _peer_ended(self) -> None:
        """What is on its way still goes out."""
        self._end(None)
        self._read(False)
        if self._is_writing:
            self._drain_for_a_while()
        else:
            self._drop()

    def _drain_for_a_while(self) -> None:
        if self._state is State.DRAINING and self._timer is None:
            self._timer = self.loop.call_later(DRAIN_TIME, self._drop)

    def _discard(self) -> None:
        try:
            while data := self._socket.recv(DISCARD_SIZE):
                if len(data) < DISCARD_SIZE:
                    return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._peer_ended()

    def _drop(self) -> None:
        if self._state is not State.GONE:
            self._read(False)
            self._write(False)
            self._socket.close()
            # What can still be read outlives this, and is not to keep the buffer of all connections.
            self.session.leave_segment()
            self._gone()


def _is_near(sock: socket.socket) -> bool:
    """The peer is on this machine, and nobody simulates a distance."""
    if sys.platform != "linux":
        return False
    try:
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        peer = sock.getpeername()[0]
        if peer != "::1" and not peer.startswith("127."):
            return False
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_RTT.size)
    except OSError:  # gone already, or not TCP
        return False
    round_trip: int = TCP_INFO_RTT.unpack(info)[0]
    return round_trip < NEAR_RTT
