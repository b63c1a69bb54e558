"""Connections inside one process: `/memory/N` addresses, for tests and for hosts side by side.

They behave as sockets do where it matters: bytes arrive in a later turn of the loop, in pieces that
need not be those that were written, with flow control, half close, graceful close and abort.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from plait.addresses import components, parse
from plait.exceptions import ListenError

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.abc import ProtocolFactory

__all__ = ["MemoryListener", "MemoryPipe", "MemorySpace", "MemoryTransport", "connect_pair"]


class MemoryTransport:
    """Dials and serves `/memory/N` addresses of one space.

    Args:
        space: where names are looked up; by default the space of the process, so that any two hosts
            of a program find each other.
    """

    def __init__(self, space: MemorySpace | None = None) -> None:
        self._space = PROCESS_SPACE if space is None else space

    def can_dial(self, address: Multiaddr) -> bool:
        return _number(address) is not None

    def can_listen(self, address: Multiaddr) -> bool:
        return _number(address) is not None

    async def resolve(self, address: Multiaddr) -> Sequence[Multiaddr]:
        return [address]

    async def dial(self, address: Multiaddr, factory: ProtocolFactory) -> None:
        """Connects to a listener of the same event loop.

        Raises:
            ConnectionRefusedError: nobody listens there.
        """
        number = cast(int, _number(address))
        listener = self._space.listeners.get(number)
        if listener is None or listener.loop is not asyncio.get_running_loop():
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED), str(address))
        local = next(self._space.numbers)
        connect_pair(factory(), listener.factory(), dialer_number=local, listener_number=number)

    async def listen(self, address: Multiaddr, factory: ProtocolFactory) -> MemoryListener:
        """Serves a number; `/memory/0` takes one that is free.

        Raises:
            ListenError: the number is taken.
        """
        number = cast(int, _number(address)) or next(self._space.numbers)
        if number in self._space.listeners:
            raise ListenError(
                "the address is in use", errno=errno.EADDRINUSE, layer="memory", address=str(address)
            )
        listener = MemoryListener(self._space, number, factory)
        self._space.listeners[number] = listener
        return listener


class MemorySpace:
    """The names under which memory listeners are found."""

    def __init__(self) -> None:
        self.listeners: dict[int, MemoryListener] = {}
        # Dialers take a number too, so that both ends of a connection have an address.
        self.numbers: Iterator[int] = itertools.count(FIRST_FREE_NUMBER)


class MemoryListener:
    """One served number of a space."""

    def __init__(self, space: MemorySpace, number: int, factory: ProtocolFactory) -> None:
        self.loop = asyncio.get_running_loop()
        self.factory = factory
        self._space = space
        self._number = number

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        return [_address(self._number)]

    async def close(self) -> None:
        """Accepts no more; connections that were accepted live on."""
        if self._space.listeners.get(self._number) is self:
            del self._space.listeners[self._number]


def connect_pair(
    dialer: asyncio.BaseProtocol,
    listener: asyncio.BaseProtocol,
    *,
    dialer_number: int = 1,
    listener_number: int = 2,
) -> tuple[MemoryPipe, MemoryPipe]:
    """Two ends of one connection; each protocol gets its `connection_made` before this returns."""
    near = MemoryPipe(dialer, dialer_number, listener_number)
    far = MemoryPipe(listener, listener_number, dialer_number)
    near._peer, far._peer = far, near
    # The listener first: what the dialer writes at once then has somebody to arrive at.
    listener.connection_made(far)
    dialer.connection_made(near)
    return near, far


class MemoryPipe(asyncio.Transport):
    """One end of a connection.

    What one end writes waits at the other end until that one's protocol takes it, and counts as the
    writer's buffer until then.
    """

    def __init__(self, protocol: asyncio.BaseProtocol, local: int, remote: int) -> None:
        super().__init__({"local_number": local, "remote_number": remote})
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._peer: MemoryPipe | None = None
        # Towards our protocol.
        self._incoming: deque[memoryview] = deque()
        self._incoming_size = 0
        self._has_eof = False
        self._eof_delivered = False
        self._is_reading = True
        self._delivery: asyncio.Handle | None = None
        # Towards the peer.
        self._high = HIGH_WATER
        self._low = LOW_WATER
        self._is_write_paused = False
        self._wrote_eof = False
        self._is_closing = False
        self._is_lost = False

    # What a protocol asks for

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        # Text forms are made only when somebody asks: most connections of a test never do.
        if name == "local_multiaddr":
            return _address(super().get_extra_info("local_number"))
        if name == "remote_multiaddr":
            return _address(super().get_extra_info("remote_number"))
        return super().get_extra_info(name, default)

    # Reading

    def is_reading(self) -> bool:
        return self._is_reading and not self._is_closing

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        if self._is_closing or self._is_reading:
            return
        self._is_reading = True
        self._deliver_soon()

    # Writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._wrote_eof:
            raise RuntimeError("write after write_eof")
        if self._is_closing or not data:
            return
        peer = self._peer
        if peer is None or peer._is_lost:
            self._lose_soon(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
            return
        if peer._is_closing:
            # It takes nothing more; a socket would not tell us sooner either.
            return
        # A copy, because the caller may use its buffer again as soon as this returns.
        peer._incoming.append(memoryview(bytes(data)))
        peer._incoming_size += len(data)
        peer._deliver_soon()
        if not self._is_write_paused and peer._incoming_size > self._high:
            self._is_write_paused = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if self._wrote_eof or self._is_closing:
            return
        self._wrote_eof = True
        self._send_eof()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not 0 <= low <= high:
            raise ValueError(f"high ({high}) must be at least low ({low}), and low at least 0")
        self._high, self._low = high, low

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        return 0 if self._peer is None else self._peer._incoming_size

    # Ending

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        """Sends what is written, then ends; `connection_lost(None)` when the other end has taken it."""
        if self._is_closing:
            return
        self._is_closing = True
        self._discard_incoming()
        self._send_eof()
        if self.get_write_buffer_size() == 0:
            self._lose_soon(None)

    def abort(self) -> None:
        """Ends at once and drops what is under way; the other end sees a reset connection."""
        self._lose_soon(None)

    # How it works

    def _deliver_soon(self) -> None:
        if self._delivery is None:
            self._delivery = self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._delivery = None
        if not self._is_reading or self._is_closing:
            return
        if self._incoming:
            before = self._incoming_size
            if isinstance(self._protocol, asyncio.BufferedProtocol):
                self._fill_buffer(self._protocol)
            else:
                cast(asyncio.Protocol, self._protocol).data_received(self._take(MAX_DELIVERY))
            if self._peer is not None and self._incoming_size < before:
                self._peer._on_taken()
        if self._incoming:
            self._deliver_soon()
        elif self._has_eof and not self._eof_delivered:
            self._deliver_eof()

    def _deliver_eof(self) -> None:
        if self._is_closing or not self._is_reading:
            return
        self._eof_delivered = True
        if not cast(asyncio.Protocol, self._protocol).eof_received():
            self.close()

    def _fill_buffer(self, protocol: asyncio.BufferedProtocol) -> None:
        target = memoryview(protocol.get_buffer(-1)).cast("B")
        data = self._take(min(len(target), MAX_DELIVERY))
        target[: len(data)] = data
        # The protocol may want to resize what it lent.
        target.release()
        protocol.buffer_updated(len(data))

    def _take(self, limit: int) -> bytes:
        chunks: list[memoryview] = []
        while self._incoming and limit > 0:
            chunk = self._incoming.popleft()
            if len(chunk) > limit:
                self._incoming.appendleft(chunk[limit:])
                chunk = chunk[:limit]
            limit -= len(chunk)
            chunks.append(chunk)
        data = b"".join(chunks)
        self._incoming_size -= len(data)
        return data

    def _on_taken(self) -> None:
        """The other end took some of what we wrote."""
        if self._is_write_paused and self.get_write_buffer_size() <= self._low:
            self._is_write_paused = False
            if not self._is_closing:
                self._protocol.resume_writing()
        if self._is_closing and self.get_write_buffer_size() == 0:
            self._lose_soon(None)

    def _send_eof(self) -> None:
        peer = self._peer
        if peer is not None and not peer._is_lost:
            peer._has_eof = True
            peer._deliver_soon()

    def _discard_incoming(self) -> None:
        self._is_reading = False
        self._incoming.clear()
        self._incoming_size = 0
        if self._peer is not None:
            self._loop.call_soon(self._peer._on_taken)

    def _lose_soon(self, error: Exception | None) -> None:
        if self._is_lost:
            return
        self._is_closing = self._is_lost = True
        self._loop.call_soon(self._lose, error)

    def _lose(self, error: Exception | None) -> None:
        self._discard_incoming()
        peer, self._peer = self._peer, None
        if peer is not None and not peer._is_lost and not peer._has_eof:
            # An end without the end of our bytes: for the other one that is a reset.
            peer._incoming.clear()
            peer._incoming_size = 0
            peer._lose_soon(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
        self._protocol.connection_lost(error)


def _number(address: Multiaddr) -> int | None:
    """N of `/memory/N`; `None` when the address is of another kind."""
    parts = components(address)
    if len(parts) != 1 or parts[0].name != "memory":
        return None
    return int.from_bytes(parts[0].value, "big")


def _address(number: int) -> Multiaddr:
    return parse(f"/memory/{number}")


# As asyncio's own transports, so that backpressure in tests begins where it does on sockets.
HIGH_WATER = 64 * 1024
LOW_WATER = 16 * 1024
# As much as asyncio takes from a socket at once.
MAX_DELIVERY = 256 * 1024
# Low numbers are for people to choose, high ones are given out.
FIRST_FREE_NUMBER = 1 << 20

# One for all hosts of the process: an address then means the same to each of them.
PROCESS_SPACE = MemorySpace()
