"""What a transport has to do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias, cast
from unittest import SkipTest

from plait.addresses import parse, split_peer, with_peer
from plait.connection import Stream
from plait.exceptions import DialError, ListenError
from plait.host import Host, HostConfig
from plait.identity import KeyPair
from plait.testing.leaks import no_leaks
from plait.transports import locate

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.abc import Listener, Transport

__all__ = ["TRANSPORT_CHECKS", "TransportCase"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportCase:
    """A transport, and what it claims.

    Attributes:
        make: a transport; what one listens on, another one can dial.
        listen: an address to listen on, again and again.
        has_half_close: one direction can end alone.
        is_exclusive: an address that is listened on is taken.
    """

    make: Callable[[], Transport]
    listen: str
    has_half_close: bool = True
    is_exclusive: bool = True


async def addresses_can_be_dialed(case: TransportCase) -> None:
    """Those of a listener are real, can be written down, and take a `/p2p/…`."""
    transport = case.make()
    peer = KeyPair.from_seed(bytes(32)).peer_id
    async with no_leaks(), _listening(case, transport) as (listener, _):
        assert listener.addresses
        for address in listener.addresses:
            assert transport.can_dial(address)
            assert transport.can_listen(address)
            assert parse(str(address)) == address
            assert parse(address.to_bytes()) == address
            assert split_peer(with_peer(address, peer)) == (address, peer)
            assert list(await transport.resolve(address)) == [address]
    for foreign in ("/ip4/127.0.0.1/udp/1/quic-v1", "/dns4/example.org/udp/1"):
        assert not transport.can_listen(parse(foreign))


async def both_ends_know_their_addresses(case: TransportCase) -> None:
    """Who dialed knows where to, who listens where at; the other two are addresses of some kind."""
    async with no_leaks(), _connected(case) as (dialer, listener, address):
        assert locate(dialer.transport.get_extra_info, "remote") == address
        assert locate(listener.transport.get_extra_info, "local") == address
        assert str(locate(dialer.transport.get_extra_info, "local")).startswith("/")
        assert str(locate(listener.transport.get_extra_info, "remote")).startswith("/")


async def bytes_go_both_ways(case: TransportCase) -> None:
    """In order, and nothing else."""
    async with no_leaks(), _connected(case) as (dialer, listener, _):
        dialer.transport.write(b"question")
        dialer.transport.writelines([b" and", b" more"])
        await listener.has(len(b"question and more"))
        listener.transport.write(bytearray(b"answer"))
        await dialer.has(6)
        assert (bytes(listener.received), bytes(dialer.received)) == (b"question and more", b"answer")


async def much_data_arrives_as_it_was(case: TransportCase) -> None:
    """Some MiB in both directions at once, written without waiting for anybody."""
    body = random.Random(1).randbytes(4 << 20)
    async with no_leaks(), _connected(case) as (dialer, listener, _):
        for position in range(0, len(body), 50_000):
            piece = body[position : position + 50_000]
            dialer.transport.write(piece)
            listener.transport.write(piece)
        await asyncio.gather(listener.has(len(body)), dialer.has(len(body)))
        assert listener.received == body
        assert dialer.received == body


async def a_writer_is_told_to_wait(case: TransportCase) -> None:
    """`pause_writing` while the other end does not read, `resume_writing` when it does; nothing is lost."""
    async with no_leaks(), _connected(case) as (dialer, listener, _):
        listener.transport.pause_reading()
        piece = bytes(range(256)) * 256
        written = 0
        while dialer.may_write:
            dialer.transport.write(piece)
            written += len(piece)
            assert written < MAX_UNREAD, "nobody stops the writer"
            await asyncio.sleep(0)
        listener.transport.resume_reading()
        await dialer.writable()
        await listener.has(written)
        assert listener.received == piece * (written // len(piece))


async def one_direction_ends_alone(case: TransportCase) -> None:
    """After `write_eof` the other end learns of it, and may still answer; or both end together, in order."""
    if not case.has_half_close:
        async with no_leaks(), _connected(case) as (dialer, listener, _):
            dialer.transport.write(b"last")
            if dialer.transport.can_write_eof():
                dialer.transport.write_eof()
            else:
                dialer.transport.close()
            await listener.ended()
            assert bytes(listener.received) == b"last"
        raise SkipTest("both directions end together")
    async with no_leaks(), _connected(case) as (dialer, listener, _):
        assert dialer.transport.can_write_eof()
        dialer.transport.write(b"last")
        dialer.transport.write_eof()
        await listener.eof.wait()
        assert bytes(listener.received) == b"last"
        listener.transport.write(b"answer")
        await dialer.has(6)


async def a_close_sends_what_was_written(case: TransportCase) -> None:
    """Everything, then the end; both ends are told once, without an error at the one that closed."""
    body = random.Random(2).randbytes(1 << 20)
    async with no_leaks(), _connected(case) as (dialer, listener, _):
        dialer.transport.write(body)
        dialer.transport.close()
        assert dialer.transport.is_closing()
        await listener.has(len(body))
        await listener.ended()
        listener.transport.close()
        assert await dialer.lost is None
        await listener.lost
        assert listener.received == body
        assert dialer.times_lost == listener.times_lost == 1


async def an_abort_ends_both_ends(case: TransportCase) -> None:
    """At once, whatever was under way."""
    async with no_leaks(), _connected(case) as (dialer, listener, _):
        listener.transport.pause_reading()
        while dialer.may_write:
            dialer.transport.write(bytes(1 << 16))
            await asyncio.sleep(0)
        dialer.transport.abort()
        await dialer.lost
        listener.transport.resume_reading()
        await listener.ended()
        listener.transport.abort()
        await listener.lost
        assert dialer.times_lost == listener.times_lost == 1


async def nobody_there_is_an_os_error(case: TransportCase) -> None:
    """Also where somebody was a moment ago."""
    transport = case.make()
    async with no_leaks():
        async with _listening(case, transport) as (listener, _):
            address = listener.addresses[0]
        try:
            await transport.dial(address, _End)
        except OSError:
            return
        raise AssertionError("dialed somebody who is not there")


async def a_listener_that_closes_leaves_its_connections(case: TransportCase) -> None:
    """It accepts no more; those that are there go on. It can close twice, and listen again."""
    transport = case.make()
    async with no_leaks():
        async with _listening(case, transport) as (listener, accepted):
            address = listener.addresses[0]
            dialer = _End()
            await transport.dial(address, lambda: dialer)
            other = await (await accepted.get()).made()
            await listener.close()
            await listener.close()
            dialer.transport.write(b"still here")
            await other.has(10)
            await _end(dialer, other)
        async with _listening(case, transport, str(address)) as (again, _):
            assert list(again.addresses) == [address]


async def an_address_is_taken_once(case: TransportCase) -> None:
    """Listening where somebody listens is a `ListenError`, which is an `OSError`."""
    if not case.is_exclusive:
        raise SkipTest("several may listen on one address")
    transport = case.make()
    async with no_leaks(), _listening(case, transport) as (listener, _):
        try:
            await transport.listen(listener.addresses[0], _End)
        except ListenError:
            return
        raise AssertionError("two listen on one address")


async def a_dial_can_be_cancelled(case: TransportCase) -> None:
    """At any of its awaits, without a trace."""
    transport = case.make()
    async with no_leaks(), _listening(case, transport) as (listener, accepted):
        for turns in range(6):
            dialer = _End()
            task = asyncio.ensure_future(transport.dial(listener.addresses[0], lambda end=dialer: end))  # type: ignore[misc]
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                await task
            if dialer.is_made:
                # Not waited for: uvloop closes what was cancelled without a word to the protocol.
                dialer.transport.abort()
        other = _End()
        await transport.dial(listener.addresses[0], lambda: other)
        await _end(other)
        while not accepted.empty():
            await _end(await accepted.get_nowait().made())


async def a_protocol_may_be_replaced_at_once(case: TransportCase) -> None:
    """As a host does with what it accepts: another protocol from the first moment on, of the other kind."""
    transport = case.make()
    arrived: asyncio.Queue[_Buffered] = asyncio.Queue()

    class Gate(asyncio.Protocol):
        def connection_made(self, made: asyncio.BaseTransport) -> None:
            inner = _Buffered()
            cast(asyncio.Transport, made).set_protocol(inner)
            inner.connection_made(made)
            arrived.put_nowait(inner)

    async with no_leaks():
        listener = await transport.listen(parse(case.listen), Gate)
        try:
            dialer = _End()
            await transport.dial(listener.addresses[0], lambda: dialer)
            other = await arrived.get()
            dialer.transport.write(b"to the second one")
            await other.has(17)
            await _end(dialer, other)
        finally:
            await listener.close()


async def hosts_meet_over_it(case: TransportCase) -> None:
    """Two hosts: streams, some MiB, many connections at once, and an end that leaves nothing behind."""
    config = HostConfig(transports=lambda: [case.make()])
    body = random.Random(3).randbytes(2 << 20)
    async with no_leaks(), Host(listen=case.listen, config=config) as server:

        @server.handle("/echo/1")
        async def echo(stream: Stream) -> None:
            async for chunk in stream:
                await stream.write(chunk)

        async def one(size: int) -> None:
            async with (
                Host(listen=(), config=config) as client,
                client.open_stream(server.addresses[0], "/echo/1") as stream,
            ):
                sending = asyncio.ensure_future(_send(stream, body[:size]))
                assert await stream.read() == body[:size]
                await sending
                assert stream.remote_peer == server.peer_id

        await one(len(body))
        await asyncio.gather(*(one(1000) for _ in range(20)))
        address, peer = server.addresses[0], KeyPair.from_seed(bytes(32)).peer_id
        async with Host(listen=(), config=config) as client:
            try:
                await client.connect(with_peer(split_peer(address)[0], peer))
            except DialError:
                return
            raise AssertionError("took one host for another")


async def _send(stream: Stream, body: bytes) -> None:
    await stream.write(body)
    await stream.write_eof()


class _Recorder:
    """What a transport told its protocol."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.received = bytearray()
        self.is_made = False
        self.may_write = True
        self.times_lost = 0
        self.eof = asyncio.Event()
        self.lost: asyncio.Future[Exception | None] = loop.create_future()
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.is_made = True
        self._changed.set()

    def eof_received(self) -> bool:
        self.eof.set()
        self._changed.set()
        return True

    def pause_writing(self) -> None:
        self.may_write = False

    def resume_writing(self) -> None:
        self.may_write = True
        self._changed.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.times_lost += 1
        if not self.lost.done():
            self.lost.set_result(error)
        self._changed.set()

    def take(self, data: bytes | memoryview) -> None:
        self.received += data
        self._changed.set()

    async def made(self) -> Self:
        """Waits for the transport."""
        while not self.is_made:
            await self._change()
        return self

    async def has(self, size: int) -> None:
        """Waits for so many bytes."""
        while len(self.received) < size:
            await self._change()

    async def writable(self) -> None:
        """Waits until it need not wait."""
        while not self.may_write:
            await self._change()

    async def ended(self) -> None:
        """Waits for the end of what the other end sends, of whatever kind."""
        while not self.eof.is_set() and not self.times_lost:
            await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        async with asyncio.timeout(PATIENCE):
            await self._changed.wait()


class _End(_Recorder, asyncio.Protocol):
    def data_received(self, data: bytes) -> None:
        self.take(data)


class _Buffered(_Recorder, asyncio.BufferedProtocol):
    def __init__(self) -> None:
        super().__init__()
        self._buffer = bytearray(1 << 16)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.take(memoryview(self._buffer)[:nbytes])


@asynccontextmanager
async def _listening(
    case: TransportCase, transport: Transport, address: str = ""
) -> AsyncIterator[tuple[Listener, asyncio.Queue[_End]]]:
    accepted: asyncio.Queue[_End] = asyncio.Queue()

    def accept() -> _End:
        end = _End()
        accepted.put_nowait(end)
        return end

    listener = await transport.listen(parse(address or case.listen), accept)
    try:
        yield listener, accepted
    finally:
        await listener.close()


@asynccontextmanager
async def _connected(case: TransportCase) -> AsyncIterator[tuple[_End, _End, Multiaddr]]:
    transport = case.make()
    async with _listening(case, transport) as (listener, accepted):
        address = listener.addresses[0]
        assert case.make().can_dial(address)
        dialer = _End()
        await transport.dial(address, lambda: dialer)
        assert dialer.is_made, "dialed, and nobody was told"
        other = await (await accepted.get()).made()
        try:
            yield dialer, other, address
        finally:
            await _end(dialer, other)


async def _end(*ends: _Recorder) -> None:
    for end in ends:
        if not end.times_lost:
            end.transport.abort()
    for end in ends:
        await end.lost


TransportCheck: TypeAlias = Callable[[TransportCase], Awaitable[None]]

TRANSPORT_CHECKS: Sequence[TransportCheck] = (
    addresses_can_be_dialed,
    both_ends_know_their_addresses,
    bytes_go_both_ways,
    much_data_arrives_as_it_was,
    a_writer_is_told_to_wait,
    one_direction_ends_alone,
    a_close_sends_what_was_written,
    an_abort_ends_both_ends,
    nobody_there_is_an_os_error,
    a_listener_that_closes_leaves_its_connections,
    an_address_is_taken_once,
    a_dial_can_be_cancelled,
    a_protocol_may_be_replaced_at_once,
    hosts_meet_over_it,
)

# Seconds for bytes on their way within one machine.
PATIENCE = 20.0
# The kernel's buffers of both ends and the transports' own: loopback takes some MiB.
MAX_UNREAD = 64 << 20
