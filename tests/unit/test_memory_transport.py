"""What asyncio protocols may rely on when they talk in memory instead of over a socket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plait.addresses import parse
from plait.exceptions import ListenError
from plait.transports.memory import MAX_DELIVERY, MemoryPipe, MemorySpace, MemoryTransport, connect_pair


class Recorder(asyncio.Protocol):
    """Remembers what its transport told it."""

    def __init__(self, *, keep_open: bool = False) -> None:
        self.keep_open = keep_open
        self.received = bytearray()
        self.writing = True
        self.transport: Any = None
        self.eof = asyncio.Event()
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.changed.set()

    def eof_received(self) -> bool:
        self.eof.set()
        return self.keep_open

    def pause_writing(self) -> None:
        self.writing = False

    def resume_writing(self) -> None:
        self.writing = True
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)

    async def has(self, size: int) -> None:
        while len(self.received) < size:
            self.changed.clear()
            await self.changed.wait()


class Buffered(asyncio.BufferedProtocol):
    """Lends one buffer for every read, as the driver of a connection does."""

    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self.reads: list[bytes] = []
        self.eof = asyncio.Event()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.reads.append(bytes(self.buffer[:nbytes]))
        # Fails while a view of the buffer is still held by the transport.
        self.buffer.append(0)
        self.buffer.pop()

    def eof_received(self) -> None:
        self.eof.set()


async def pair(*, keep_open: bool = False) -> tuple[Recorder, Recorder]:
    near, far = Recorder(keep_open=keep_open), Recorder(keep_open=keep_open)
    connect_pair(near, far)
    return near, far


async def test_bytes_arrive_in_a_later_turn_and_in_order() -> None:
    near, far = await pair()
    near.transport.write(b"one ")
    near.transport.writelines([b"two ", bytearray(b"three")])
    assert not far.received
    await far.has(13)
    assert far.received == b"one two three"
    near.transport.close()
    far.transport.close()
    assert await near.lost is None


async def test_a_written_buffer_may_be_used_again_at_once() -> None:
    near, far = await pair()
    data = bytearray(b"first")
    near.transport.write(data)
    data[:] = b"later"
    await far.has(5)
    assert far.received == b"first"
    near.transport.abort()


async def test_a_buffered_protocol_gets_what_fits_into_its_buffer() -> None:
    near, far = Recorder(), Buffered(4)
    connect_pair(near, far)
    near.transport.write(b"abcdefghij")
    near.transport.write_eof()
    await far.eof.wait()
    assert far.reads == [b"abcd", b"efgh", b"ij"]
    assert await near.lost is None


async def test_a_large_write_comes_in_bounded_pieces() -> None:
    near, far = Recorder(), Buffered(4 * MAX_DELIVERY)
    connect_pair(near, far)
    near.transport.write(bytes(2 * MAX_DELIVERY + 1))
    near.transport.write_eof()
    await far.eof.wait()
    assert [len(each) for each in far.reads] == [MAX_DELIVERY, MAX_DELIVERY, 1]


async def test_writing_pauses_above_the_mark_and_resumes_below_it() -> None:
    near, far = await pair()
    near.transport.set_write_buffer_limits(high=10, low=4)
    assert near.transport.get_write_buffer_limits() == (4, 10)
    far.transport.pause_reading()
    near.transport.write(bytes(10))
    assert near.writing
    near.transport.write(b"x")
    assert not near.writing
    assert near.transport.get_write_buffer_size() == 11
    far.transport.resume_reading()
    await far.has(11)
    assert near.writing
    near.transport.abort()


@pytest.mark.parametrize(("high", "low"), [(1, 2), (5, -1)])
async def test_impossible_marks_are_refused(high: int, low: int) -> None:
    near, _ = await pair()
    with pytest.raises(ValueError, match="at least"):
        near.transport.set_write_buffer_limits(high, low)
    near.transport.abort()


async def test_nothing_is_delivered_while_reading_is_paused() -> None:
    near, far = await pair()
    far.transport.pause_reading()
    assert not far.transport.is_reading()
    near.transport.write(b"wait")
    near.transport.write_eof()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not far.received
    assert not far.eof.is_set()
    far.transport.resume_reading()
    await far.eof.wait()
    assert far.received == b"wait"


async def test_half_close_leaves_the_other_direction_open() -> None:
    near, far = await pair(keep_open=True)
    near.transport.write(b"question")
    near.transport.write_eof()
    await far.eof.wait()
    far.transport.write(b"answer")
    await near.has(6)
    with pytest.raises(RuntimeError):
        near.transport.write(b"more")
    far.transport.close()
    await near.eof.wait()
    assert not near.lost.done()
    near.transport.close()
    assert await near.lost is None
    assert await far.lost is None


async def test_an_end_that_is_not_kept_open_closes() -> None:
    near, far = await pair()
    near.transport.write_eof()
    assert await far.lost is None
    assert await near.lost is None


async def test_the_end_is_told_once() -> None:
    near, far = await pair(keep_open=True)
    near.transport.write_eof()
    await far.eof.wait()
    far.eof.clear()
    far.transport.pause_reading()
    far.transport.resume_reading()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not far.eof.is_set()
    near.transport.abort()


async def test_close_sends_everything_first() -> None:
    near, far = await pair()
    far.transport.pause_reading()
    near.transport.write(bytes(1000))
    near.transport.close()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not near.lost.done()
    far.transport.resume_reading()
    assert await near.lost is None
    assert len(far.received) == 1000
    assert far.eof.is_set()


async def test_an_end_that_is_closing_takes_nothing_more() -> None:
    near, far = await pair(keep_open=True)
    far.transport.pause_reading()
    near.transport.write(b"not taken yet")
    near.transport.close()
    far.transport.write(bytes(1000))
    assert far.transport.get_write_buffer_size() == 0
    far.transport.resume_reading()
    assert await near.lost is None
    assert not near.received
    far.transport.abort()
    await far.lost


async def test_abort_drops_everything_and_resets_the_other_end() -> None:
    near, far = await pair()
    far.transport.pause_reading()
    near.transport.write(b"lost")
    near.transport.abort()
    assert await near.lost is None
    assert isinstance(await far.lost, ConnectionResetError)
    assert not far.received


async def test_writing_to_an_end_that_is_gone_is_a_reset() -> None:
    near, far = await pair(keep_open=True)
    near.transport.close()
    await near.lost
    far.transport.write(b"too late")
    assert isinstance(await far.lost, ConnectionResetError)


async def test_ending_twice_ends_once() -> None:
    near, far = await pair()
    for _ in range(2):
        near.transport.abort()
        near.transport.close()
        near.transport.write_eof()
    assert await near.lost is None
    assert await far.lost is not None


async def test_the_protocol_can_be_replaced() -> None:
    near, far = await pair()
    other = Recorder()
    far.transport.set_protocol(other)
    assert far.transport.get_protocol() is other
    near.transport.write(b"to the other")
    await other.has(12)
    near.transport.abort()
    await other.lost


async def test_a_listener_is_found_by_its_number() -> None:
    transport = MemoryTransport(MemorySpace())
    near, far = Recorder(), Recorder()
    listener = await transport.listen(parse("/memory/7"), lambda: far)
    await transport.dial(parse("/memory/7"), lambda: near)
    assert [str(each) for each in listener.addresses] == ["/memory/7"]
    assert str(near.transport.get_extra_info("remote_multiaddr")) == "/memory/7"
    assert near.transport.get_extra_info("local_multiaddr") == far.transport.get_extra_info(
        "remote_multiaddr"
    )
    near.transport.abort()
    await far.lost


async def test_zero_takes_a_free_number() -> None:
    transport = MemoryTransport(MemorySpace())
    first = await transport.listen(parse("/memory/0"), Recorder)
    second = await transport.listen(parse("/memory/0"), Recorder)
    assert first.addresses != second.addresses
    assert "/memory/0" not in map(str, [*first.addresses, *second.addresses])


async def test_a_number_is_served_once_until_it_is_closed() -> None:
    transport = MemoryTransport(MemorySpace())
    listener = await transport.listen(parse("/memory/7"), Recorder)
    with pytest.raises(ListenError) as caught:
        await transport.listen(parse("/memory/7"), Recorder)
    assert "/memory/7" in str(caught.value)
    await listener.close()
    await (await transport.listen(parse("/memory/7"), Recorder)).close()


async def test_nobody_there_is_a_refused_connection() -> None:
    transport = MemoryTransport(MemorySpace())
    with pytest.raises(ConnectionRefusedError):
        await transport.dial(parse("/memory/7"), Recorder)


async def test_closing_a_listener_leaves_its_connections() -> None:
    transport = MemoryTransport(MemorySpace())
    near, far = Recorder(), Recorder()
    listener = await transport.listen(parse("/memory/7"), lambda: far)
    await transport.dial(parse("/memory/7"), lambda: near)
    await listener.close()
    near.transport.write(b"still here")
    await far.has(10)
    near.transport.abort()
    await far.lost


@pytest.mark.parametrize("address", ["/ip4/1.2.3.4/tcp/1", "/memory/7/p2p-circuit"])
def test_only_memory_addresses_are_taken(address: str) -> None:
    transport = MemoryTransport()
    assert not transport.can_dial(parse(address))
    assert not transport.can_listen(parse(address))
    assert transport.can_dial(parse("/memory/7"))


def test_pipes_are_asyncio_transports() -> None:
    assert issubclass(MemoryPipe, asyncio.Transport)
