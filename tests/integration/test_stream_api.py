"""What a stream promises to whoever reads from it and writes to it."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import plait
from plait.exceptions import (
    ConcurrencyError,
    LimitError,
    RemoteProtocolError,
    StreamClosedError,
    StreamResetError,
)
from plait.host import HostConfig

PROTOCOL = "/api/1"
pytestmark = pytest.mark.in_handlers_too

QUIET = HostConfig(identify=False)
WINDOW = 256 * 1024
# Bytes that are queued besides, when they need not be copied.
LOAN = 1024 * 1024
# What is written, and how much of it waits at most.
QUEUED = pytest.mark.parametrize(("make", "most"), [(bytearray, WINDOW), (bytes, WINDOW + LOAN)])
# More than all the windows and buffers on the way together.
LARGE = 4 * 1024 * 1024


@pytest.fixture
def ends(duo):
    """`async with ends() as (near, far):` both ends of one stream."""

    @asynccontextmanager
    async def enter() -> AsyncIterator[tuple[plait.Stream, plait.Stream]]:
        async with duo(QUIET) as (alice, bob):
            arrived: asyncio.Future[plait.Stream] = asyncio.get_running_loop().create_future()
            done = asyncio.Event()

            @bob.handle(PROTOCOL)
            async def hold(stream: plait.Stream) -> None:
                arrived.set_result(stream)
                await done.wait()

            async with alice.open_stream(bob.addresses[0], PROTOCOL) as near:
                yield near, await arrived
            done.set()

    return enter


async def turn(stream: plait.Stream) -> None:
    """Waits until what either end has sent so far is at the other end."""
    async with await stream.connection.open_stream("/ipfs/ping/1.0.0") as probe:
        await probe.write(bytes(32))
        await probe.readexactly(32)


async def cancelled(task: asyncio.Task[object]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# ---- reading


async def test_read_gives_what_there_is_and_waits_only_when_there_is_nothing(ends):
    async with ends() as (near, far):
        await far.write(b"abc")
        assert await near.read(100) == b"abc"
        waiting = asyncio.create_task(near.read(100))
        await turn(near)
        assert not waiting.done()
        await far.write(b"d")
        assert await waiting == b"d"
        assert await near.read(0) == b""


@pytest.mark.parametrize("duo", ["tcp"], indirect=True)
async def test_who_waits_for_much_gets_it_without_a_copy_in_between(ends):
    async with ends() as (near, far):
        sending = asyncio.create_task(far.write(bytes(LARGE)))
        received = 0
        while received < LARGE:
            received += len(await near.read(LARGE))
        await sending
        # The queue of a stream would have taken that much, and keeps its memory for a while.
        assert near.connection.stats()["memory"] < 64 * 1024


async def test_read_without_a_number_gives_everything_up_to_the_end(ends):
    async with ends() as (near, far):
        body = os.urandom(LARGE)
        sending = asyncio.create_task(far.write(body))
        reading = asyncio.create_task(near.read())
        await sending
        await far.write_eof()
        assert await reading == body
        assert await near.read() == b""


async def test_readexactly(ends):
    async with ends() as (near, far):
        await far.write(b"abcdef")
        assert await near.readexactly(4) == b"abcd"
        assert await near.readexactly(0) == b""
        waiting = asyncio.create_task(near.readexactly(4))
        await far.write(b"gh")
        assert await waiting == b"efgh"
        await far.write(b"ij")
        await far.write_eof()
        with pytest.raises(asyncio.IncompleteReadError) as caught:
            await near.readexactly(3)
        assert (caught.value.partial, caught.value.expected) == (b"ij", 3)


async def test_readinto_fills_the_callers_own_memory(ends):
    async with ends() as (near, far):
        await far.write(b"abcdef")
        await turn(near)
        small = bytearray(4)
        assert await near.readinto(small) == 4
        assert small == b"abcd"
        large = bytearray(10)
        assert await near.readinto(memoryview(large)[1:]) == 2
        assert large == b"\0ef" + bytes(7)
        await far.write_eof()
        assert await near.readinto(large) == 0


async def test_readuntil_takes_no_more_than_it_was_asked_for(ends):
    async with ends() as (near, far):
        await far.write(b"one\r\ntwo\r\nrest")
        await turn(near)
        assert await near.readuntil(b"\r\n") == b"one\r\n"
        assert await near.readuntil(b"\r\n") == b"two\r\n"
        buffer = bytearray(2)
        assert await near.readinto(buffer) == 2
        assert buffer == b"re"
        assert await near.read(10) == b"st"


async def test_readuntil_finds_a_separator_in_two_pieces(ends):
    async with ends() as (near, far):
        waiting = asyncio.create_task(near.readuntil(b"--end"))
        for piece in (b"body-", b"-e", b"nd-"):
            await far.write(piece)
            await turn(near)
        assert await waiting == b"body--end"
        assert await near.read(10) == b"-"


async def test_readuntil_has_a_limit_and_loses_nothing_by_it(ends):
    async with ends() as (near, far):
        await far.write(b"x" * 100 + b"\n")
        await turn(near)
        with pytest.raises(asyncio.LimitOverrunError):
            await near.readuntil(b"\n", limit=50)
        assert await near.readuntil(b"\n", limit=101) == b"x" * 100 + b"\n"
        await far.write(b"no end")
        await far.write_eof()
        with pytest.raises(asyncio.IncompleteReadError) as caught:
            await near.readuntil(b"\n")
        assert caught.value.partial == b"no end"


async def test_iteration_gives_all_bytes_and_ends(ends):
    async with ends() as (near, far):
        body = os.urandom(LARGE)

        async def send() -> None:
            await far.write(body)
            await far.write_eof()

        sending = asyncio.create_task(send())
        assert b"".join([chunk async for chunk in near]) == body
        await sending


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16383, 16384, 300_000])
async def test_messages_arrive_whole(ends, size):
    async with ends() as (near, far):
        body = os.urandom(size)
        sending = asyncio.create_task(far.write_message(body))
        assert await near.read_message(300_000) == body
        await sending


async def test_a_message_over_the_limit_is_refused_before_it_is_read(ends):
    async with ends() as (near, far):
        await far.write_message(bytes(101))
        with pytest.raises(RemoteProtocolError):
            await near.read_message(100)


@pytest.mark.parametrize("prefix", [b"\x81\x00", b"\x80" * 9 + b"\x01", b"\xff" * 12])
async def test_a_message_with_a_malformed_length_is_refused(ends, prefix):
    async with ends() as (near, far):
        await far.write(prefix)
        with pytest.raises(RemoteProtocolError):
            await near.read_message(100)


async def test_the_end_between_messages_and_inside_one(ends):
    async with ends() as (near, far):
        await far.write_message(b"whole")
        await far.write(b"\x05half")
        await far.write_eof()
        assert await near.read_message(10) == b"whole"
        with pytest.raises(asyncio.IncompleteReadError) as caught:
            await near.read_message(10)
        assert caught.value.partial == b"half"
        with pytest.raises(asyncio.IncompleteReadError) as caught:
            await near.read_message(10)
        assert caught.value.partial == b""


@pytest.mark.parametrize("verb", ["read", "readall", "readexactly", "readinto", "readuntil", "iterate"])
async def test_cancelling_a_read_loses_nothing(ends, verb):
    async with ends() as (near, far):
        reads = {
            "read": lambda: near.read(100),
            "readall": lambda: near.read(),
            "readexactly": lambda: near.readexactly(100),
            "readinto": lambda: near.readinto(bytearray(100)),
            "readuntil": lambda: near.readuntil(b"\n"),
            "iterate": lambda: anext(near),
        }
        for _ in range(3):
            if verb in ("readall", "readexactly", "readuntil"):
                await far.write(b"abc")
                await turn(near)
            reading = asyncio.ensure_future(reads[verb]())
            await asyncio.sleep(0)
            await cancelled(reading)
        # Cancelled in the very turn in which the bytes arrive.
        reading = asyncio.ensure_future(reads[verb]())
        await asyncio.sleep(0)
        await far.write(b"def")
        while not near.connection.stats()["buffered_in"] and not reading.done():
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        await far.write_eof()
        sent = (b"abc" * 3 if verb in ("readall", "readexactly", "readuntil") else b"") + b"def"
        given = b"" if reading.cancelled() else reading.result()
        assert given in (b"", b"def")
        assert given + await near.read() == sent


# ---- writing


@QUEUED
async def test_write_returns_before_the_peer_reads_and_waits_when_it_never_does(ends, make, most):
    async with ends() as (near, far):
        # One to the peer's window and one to our buffer, with some room for the protocol's name.
        await near.write(make(WINDOW - 1000))
        await near.write(make(WINDOW))
        writing = asyncio.create_task(near.write(make(LARGE)))
        await turn(near)
        assert not writing.done()
        assert near.connection.stats()["buffered_out"] <= most
        await far.readexactly(2 * WINDOW - 1000 + LARGE)
        await writing


async def test_cancelling_a_write_never_splits_the_data(ends):
    async with ends() as (near, far):
        parts = [bytes([number]) * (WINDOW + 1000) for number in range(6)]
        for part in parts:
            writing = asyncio.create_task(near.write(part))
            await asyncio.sleep(0)
            if not writing.done():
                await cancelled(writing)
        ending = asyncio.create_task(near.write_eof())
        assert await far.read() == b"".join(parts)
        await ending


async def test_write_takes_every_kind_of_buffer_and_none_may_change_it_later(ends):
    async with ends() as (near, far):
        changing = bytearray(b"y" * (3 * WINDOW))
        writing = asyncio.create_task(near.write(changing))
        await asyncio.sleep(0)
        changing[:] = b"n" * len(changing)
        assert await far.readexactly(len(changing)) == b"y" * len(changing)
        await writing
        for data in (b"", b"ab", bytearray(b"cd"), memoryview(b"xefx")[1:3]):
            await near.write(data)
        assert await far.readexactly(6) == b"abcdef"


@QUEUED
async def test_write_nowait_takes_all_or_says_that_it_is_full(ends, make, most):
    async with ends() as (near, far):
        taken = 0
        with pytest.raises(LimitError) as caught:
            while True:
                near.write_nowait(make(100_000))
                taken += 100_000
        assert caught.value.limit == "send_buffer"
        assert taken < WINDOW + most
        await far.readexactly(taken)
        near.write_nowait(b"again")
        assert await far.readexactly(5) == b"again"


async def test_write_eof_is_once_and_for_all(ends):
    async with ends() as (near, far):
        await near.write_eof()
        await near.write_eof()
        for write in (near.write, near.write_message):
            with pytest.raises(StreamClosedError):
                await write(b"x")
        with pytest.raises(StreamClosedError):
            near.write_nowait(b"x")
        assert await far.read() == b""
        await far.write(b"still open")
        assert await near.read(100) == b"still open"


async def test_a_closed_stream_can_do_nothing_more(ends):
    async with ends() as (near, _):
        await near.close()
        await near.close()
        assert near.is_closed
        for use in (near.read(1), near.readexactly(1), near.write(b"x"), near.write_eof()):
            with pytest.raises(StreamClosedError):
                await use
        near.reset()
        near.stop_reading()


async def test_closing_waits_for_what_was_written(ends):
    async with ends() as (near, far):
        body = os.urandom(LARGE)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await near.write(body)
        closing = asyncio.create_task(near.close())
        assert await far.read() == body
        await closing


async def test_cancelling_a_close_resets_what_could_not_be_sent(ends):
    async with ends() as (near, far):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await near.write(bytes(LARGE))
        closing = asyncio.create_task(near.close())
        await asyncio.sleep(0)
        await cancelled(closing)
        with pytest.raises(StreamResetError):
            await far.read()


# ---- several tasks


async def test_two_readers_at_once_are_a_mistake(ends):
    async with ends() as (near, far):
        first = asyncio.create_task(near.read(10))
        await asyncio.sleep(0)
        for second in (near.read(1), near.readexactly(1), near.readinto(bytearray(1)), near.readuntil()):
            with pytest.raises(ConcurrencyError):
                await second
        await far.write(b"for the first")
        assert await first == b"for the fi"


async def test_two_writers_at_once_are_a_mistake(ends):
    async with ends() as (near, far):
        first = asyncio.create_task(near.write(bytes(LARGE)))
        await asyncio.sleep(0)
        with pytest.raises(ConcurrencyError):
            await near.write(b"x")
        assert len(await far.readexactly(LARGE)) == LARGE
        await first
        await near.write_eof()
        assert await far.read() == b""


async def test_one_reads_while_another_writes(ends):
    async with ends() as (near, far):
        body = os.urandom(LARGE)

        async def echo() -> None:
            async for chunk in far:
                await far.write(chunk)
            await far.write_eof()

        async def send() -> None:
            await near.write(body)
            await near.write_eof()

        echoing, sending = asyncio.create_task(echo()), asyncio.create_task(send())
        assert await near.read() == body
        await asyncio.gather(echoing, sending)


async def test_who_gave_up_reading_does_not_hold_up_the_sender(ends):
    async with ends() as (near, far):
        await far.write(b"unread")
        await turn(near)
        near.stop_reading()
        await far.write(bytes(LARGE))
        await turn(near)
        with pytest.raises(StreamClosedError):
            await near.read(1)
        assert near.connection.stats()["buffered_in"] == 0
        await near.write(b"I still talk")
        assert await far.readexactly(12) == b"I still talk"


async def test_giving_up_reading_wakes_who_reads(ends):
    async with ends() as (near, _):
        reading = asyncio.create_task(near.read(1))
        await asyncio.sleep(0)
        near.stop_reading()
        with pytest.raises(StreamClosedError):
            await reading


async def test_closing_wakes_who_reads(ends):
    async with ends() as (near, _):
        reading = asyncio.create_task(near.read(1))
        await asyncio.sleep(0)
        await near.close()
        with pytest.raises(StreamClosedError):
            await reading


# ---- as asyncio's own pair


async def test_the_asyncio_pair_serves_code_that_was_written_for_sockets(ends):
    async with ends() as (near, far):
        reader, writer = near.as_asyncio()
        far_reader, far_writer = far.as_asyncio()
        writer.write(b"GET /\n")
        writer.writelines([b"Host: x\n", b"\n"])
        await writer.drain()
        assert [await far_reader.readline() for _ in range(3)] == [b"GET /\n", b"Host: x\n", b"\n"]
        far_writer.write(b"HTTP 200\nbody")
        assert far_writer.can_write_eof()
        far_writer.write_eof()
        assert await reader.readuntil(b" ") == b"HTTP "
        assert await reader.readexactly(3) == b"200"
        assert not reader.at_eof()
        assert [line async for line in reader] == [b"\n", b"body"]
        assert reader.at_eof()
        assert writer.get_extra_info("peer_id") == near.remote_peer
        assert writer.get_extra_info("nothing", 5) == 5
        writer.close()
        assert writer.is_closing()
        await writer.wait_closed()
        assert await far_reader.read() == b""


async def test_drain_of_the_asyncio_pair_waits_for_the_peer(ends):
    async with ends() as (near, far):
        _, writer = near.as_asyncio()
        writer.write(bytes(LARGE))
        draining = asyncio.create_task(writer.drain())
        await turn(near)
        assert not draining.done()
        await far.readexactly(LARGE)
        await draining
        far.reset(3)
        await turn(near)
        with pytest.raises(ConnectionResetError):
            await writer.drain()


async def test_closing_the_connection_first_sends_what_the_asyncio_pair_was_given(ends):
    async with ends() as (near, far):
        _, writer = near.as_asyncio()
        data = os.urandom(3 << 20)
        writer.write(data)
        writer.write_eof()
        closing = asyncio.create_task(near.connection.close())
        assert await far.readexactly(len(data)) == data
        await closing


# ---- memory


@pytest.mark.limit(60)
async def test_slow_readers_on_both_ends_keep_memory_bounded(ends):
    async with ends() as (near, far):
        size = 24 * 1024 * 1024
        block = os.urandom(1 << 20)
        most = dict.fromkeys(("buffered_in", "buffered_out"), 0)

        async def send(stream: plait.Stream) -> None:
            for _ in range(size // len(block)):
                await stream.write(block)
            await stream.write_eof()

        async def receive(stream: plait.Stream) -> str:
            digest = hashlib.sha256()
            while data := await stream.read(65536):
                digest.update(data)
                for key in most:
                    most[key] = max(most[key], stream.connection.stats()[key])
                await asyncio.sleep(0)
            return digest.hexdigest()

        results = await asyncio.gather(send(near), send(far), receive(near), receive(far))
        expected = hashlib.sha256(block * (size // len(block))).hexdigest()
        assert results[2:] == [expected, expected]
        assert most["buffered_in"] <= 16 * 1024 * 1024
        assert most["buffered_out"] <= WINDOW + LOAN


async def test_who_never_reads_holds_one_window(ends):
    async with ends() as (near, far):
        writing = asyncio.create_task(near.write(bytes(LARGE)))
        await turn(near)
        held = far.connection.stats()["buffered_in"]
        await turn(near)
        # The name of the protocol came out of the same window.
        assert WINDOW - 100 < held <= WINDOW
        assert far.connection.stats()["buffered_in"] == held
        await cancelled(writing)
        near.reset()
