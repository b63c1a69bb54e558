"""A link with distance inside one process: so many bytes per second, and each arrives so much later.

Nothing is lost and nothing overtakes. What cannot be sent yet stops the writer, as a socket's full buffer
does; what is on its way is bounded by rate and delay alone.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from plait.addresses import components, parse
from plait.exceptions import ListenError

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.abc import Listener, ProtocolFactory

__all__ = ["DelayedPipe", "DelayedTransport"]

# As a socket's send buffer on loopback, within which the kernel's auto-tuning begins.
HIGH_WATER = 256 * 1024
LOW_WATER = 64 * 1024


class DelayedTransport:
    """A transport of hosts for `/memory/N`, for both ends of the link.

    Args:
        delay: seconds one way.
        rate: bytes per second in each direction of each connection.
    """

    def __init__(self, delay: float, rate: float) -> None:
        self._delay = delay
        self._rate = rate
        self._served: dict[str, ProtocolFactory] = {}
        self._numbers = itertools.count(1)

    def can_dial(self, address: Multiaddr) -> bool:
        return [part.name for part in components(address)] == ["memory"]

    can_listen = can_dial

    async def resolve(self, address: Multiaddr) -> Sequence[Multiaddr]:
        return [address]

    async def dial(self, address: Multiaddr, factory: ProtocolFactory) -> None:
        """Raises `ConnectionRefusedError` when nobody listens there."""
        served = self._served.get(str(address))
        if served is None:
            raise ConnectionRefusedError(f"nobody listens on {address}")
        dialer, listener = factory(), served()
        near = DelayedPipe(dialer, parse("/memory/0"), address, self._delay, self._rate)
        far = DelayedPipe(listener, address, parse("/memory/0"), self._delay, self._rate)
        near.other, far.other = far, near
        listener.connection_made(far)
        dialer.connection_made(near)

    async def listen(self, address: Multiaddr, factory: ProtocolFactory) -> Listener:
        given = parse(f"/memory/{next(self._numbers)}")
        if str(given) in self._served:
            raise ListenError("the address is in use", layer="memory", address=str(given))
        self._served[str(given)] = factory
        return _Listener(given, self._served)


class _Listener:
    def __init__(self, address: Multiaddr, served: dict[str, ProtocolFactory]) -> None:
        self.addresses = [address]
        self._served = served

    async def close(self) -> None:
        self._served.pop(str(self.addresses[0]), None)


class DelayedPipe(asyncio.Transport):
    """One end of a connection."""

    other: DelayedPipe

    def __init__(
        self, protocol: asyncio.BaseProtocol, local: Multiaddr, remote: Multiaddr, delay: float, rate: float
    ) -> None:
        super().__init__({"local_multiaddr": local, "remote_multiaddr": remote})
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._delay = delay
        self._rate = rate
        # When the link has sent all that was written.
        self._free_at = 0.0
        self._is_paused = False
        self._relief: asyncio.TimerHandle | None = None
        self._high, self._low = HIGH_WATER, LOW_WATER
        # On the way to us: when it arrives, and what; `None` is the end.
        self._arriving: deque[tuple[float, bytes | None]] = deque()
        self._arrival: asyncio.TimerHandle | None = None
        self._is_reading = True
        self._is_closing = False
        self._has_ended = False

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    # Writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_closing or self._has_ended:
            return
        now = self._loop.time()
        self._free_at = max(now, self._free_at) + len(data) / self._rate
        self.other._expect(self._free_at + self._delay, bytes(data))
        if not self._is_paused and self.get_write_buffer_size() > self._high:
            self._is_paused = True
            self._protocol.pause_writing()
            self._go_on_later()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            self.other._expect(max(self._loop.time(), self._free_at) + self._delay, None)

    def get_write_buffer_size(self) -> int:
        return max(0, int((self._free_at - self._loop.time()) * self._rate))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = HIGH_WATER if high is None else high
        self._low = self._high // 4 if low is None else low

    def _go_on_later(self) -> None:
        self._relief = self._loop.call_at(self._free_at - self._low / self._rate, self._go_on)

    def _go_on(self) -> None:
        # A timer may be early by the clock's resolution.
        if self.get_write_buffer_size() > self._high:
            self._go_on_later()
            return
        self._relief = None
        self._is_paused = False
        self._protocol.resume_writing()

    # Reading

    def is_reading(self) -> bool:
        return self._is_reading and not self._is_closing

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True
        self._wait()

    def _expect(self, at: float, data: bytes | None) -> None:
        if not self._is_closing:
            self._arriving.append((at, data))
            self._wait()

    def _wait(self) -> None:
        if self._arrival is None and self._arriving and self._is_reading:
            self._arrival = self._loop.call_at(self._arriving[0][0], self._arrive)

    def _arrive(self) -> None:
        self._arrival = None
        # A timer may be early by the clock's resolution.
        now = self._loop.time() + EARLY
        while self._arriving and self._arriving[0][0] <= now and self.is_reading():
            _, data = self._arriving.popleft()
            if data is None:
                if not cast(asyncio.Protocol, self._protocol).eof_received():
                    self.close()
            else:
                self._deliver(data)
        self._wait()

    def _deliver(self, data: bytes) -> None:
        if not isinstance(self._protocol, asyncio.BufferedProtocol):
            cast(asyncio.Protocol, self._protocol).data_received(data)
            return
        rest = memoryview(data)
        while rest and not self._is_closing:
            with memoryview(self._protocol.get_buffer(-1)).cast("B") as target:
                count = min(len(rest), len(target))
                target[:count] = rest[:count]
            rest = rest[count:]
            self._protocol.buffer_updated(count)

    # Ending

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        """What was written still arrives."""
        self.write_eof()
        self._lose()

    def abort(self) -> None:
        """What is on its way still arrives: the other end is too far away to know."""
        self.close()

    def _lose(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        self._arriving.clear()
        for timer in (self._arrival, self._relief):
            if timer is not None:
                timer.cancel()
        self._loop.call_soon(self._protocol.connection_lost, None)


# Seconds: what a clock of the loop may be off.
EARLY = 0.001
