"""How streams and connections end: each row of the table, over each transport, on each event loop."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from typing import Any

import pytest

import plait
from plait.connection.reasons import StreamCode
from plait.exceptions import ConnectionClosedError, ConnectionLostError, StreamResetError
from plait.host import HostConfig
from plait.limits import Limits, Timeouts
from plait.testing import Wire

PROTOCOL = "/end/1"
# More than any window that is granted at the start, and than what is buffered on the way.
LARGE = 3 * 1024 * 1024
QUIET = HostConfig(identify=False)


class Served:
    """A handler whose stream the test holds; it lives until the test lets it go."""

    def __init__(self, host: plait.Host, protocol: str = PROTOCOL) -> None:
        loop = asyncio.get_running_loop()
        self.stream: asyncio.Future[plait.Stream] = loop.create_future()
        self.outcome: asyncio.Future[str] = loop.create_future()
        host.handle(protocol, self._hold)

    def end(self, how: str) -> None:
        self.outcome.set_result(how)

    async def _hold(self, stream: plait.Stream) -> None:
        self.stream.set_result(stream)
        outcome = await self.outcome
        if outcome == "raise":
            raise RuntimeError("the handler's own mistake")
        if outcome == "cancel":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.Event().wait()


async def drained(stream: plait.Stream) -> int:
    """How many bytes come before the peer's end."""
    total = 0
    async for chunk in stream:
        total += len(chunk)
    return total


async def answers(host: plait.Host, target: Any) -> bool:
    """A ping goes through: the connection, or a new one, works."""
    async with host.open_stream(target, "/ipfs/ping/1.0.0") as stream:
        await stream.write(bytes(32))
        return await stream.readexactly(32) == bytes(32)


# ---- streams


async def test_write_eof_comes_after_what_was_written_and_reading_goes_on(duo):
    async with duo(QUIET) as (alice, bob):

        @bob.handle(PROTOCOL)
        async def count(stream: plait.Stream) -> None:
            await stream.write(str(await drained(stream)).encode())

        async with alice.open_stream(bob.addresses[0], PROTOCOL) as stream:
            await stream.write(bytes(LARGE))
            await stream.write_eof()
            assert await stream.read() == str(LARGE).encode()


async def test_leaving_a_stream_ends_our_half(duo):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        async with alice.open_stream(bob.addresses[0], PROTOCOL) as stream:
            await stream.write(b"last words")
        far = await served.stream
        assert await far.read() == b"last words"
        assert stream.is_closed
        served.end("return")


async def test_a_peer_can_finish_what_it_sends_to_a_stream_that_we_have_left(duo):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        async with alice.open_stream(bob.addresses[0], PROTOCOL):
            far = await served.stream
        # Far more than a window: it only goes through when what nobody reads still earns credit.
        await far.write(bytes(LARGE))
        await far.write_eof()
        served.end("return")
        (connection,) = alice.connections
        assert await answers(alice, connection)
        assert connection.stats()["buffered_in"] == 0


async def test_a_peer_that_never_ends_a_stream_that_we_have_left_is_cut_off(duo):
    config = HostConfig(identify=False, timeouts=Timeouts(linger=0.2))
    async with duo(config) as (alice, bob):
        served = Served(bob)
        async with alice.open_stream(bob.addresses[0], PROTOCOL):
            far = await served.stream
        assert await far.read() == b""
        with pytest.raises(StreamResetError) as caught:
            while True:
                await far.write(bytes(1024))
                await asyncio.sleep(0.01)
        assert caught.value.remote is True
        served.end("return")
        assert await answers(alice, alice.connections[0])


async def test_a_handler_that_returns_ends_its_stream_in_order(duo):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        async with alice.open_stream(bob.addresses[0], PROTOCOL) as stream:
            await (await served.stream).write(b"done")
            served.end("return")
            assert await stream.read() == b"done"
            # Nobody reads there any more; that is no reason to break the sender off.
            await stream.write(bytes(LARGE))
            await stream.write_eof()


async def test_a_handler_that_raises_resets_its_stream_and_nothing_else(duo, caplog):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        with caplog.at_level(logging.ERROR):
            async with alice.open_stream(bob.addresses[0], PROTOCOL) as stream:
                await served.stream
                served.end("raise")
                with pytest.raises(StreamResetError) as caught:
                    await stream.read(1)
        assert (caught.value.remote, caught.value.error_code) == (True, StreamCode.HANDLER_FAILED)
        assert [record.exc_info[0] for record in caplog.records] == [RuntimeError]
        assert bob.stats()["handlers_failed"] == 1
        assert await answers(alice, alice.connections[0])


async def test_a_handler_that_is_cancelled_resets_its_stream_and_nothing_else(duo, caplog):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        async with alice.open_stream(bob.addresses[0], PROTOCOL) as stream:
            await served.stream
            served.end("cancel")
            with pytest.raises(StreamResetError) as caught:
                await stream.read(1)
        assert caught.value.remote is True
        assert not caplog.records
        assert await answers(alice, alice.connections[0])


async def test_after_the_peers_end_reading_gives_the_rest_and_then_nothing(duo):
    async with duo(QUIET) as (alice, bob):

        @bob.handle(PROTOCOL)
        async def say(stream: plait.Stream) -> None:
            await stream.write(b"abcdef")

        async with alice.open_stream(bob.addresses[0], PROTOCOL) as stream:
            assert await stream.readexactly(2) == b"ab"
            assert await stream.read() == b"cdef"
            assert await stream.read(1) == b""
            assert await stream.read() == b""


@pytest.mark.parametrize("unread", [0, 10])
async def test_a_reset_by_the_peer_is_an_error_of_reading_and_writing(duo, unread):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        async with alice.open_stream(bob.addresses[0], PROTOCOL) as stream:
            far = await served.stream
            await far.write(bytes(unread))
            # In order: when the answer to this is here, so is what was written.
            assert await answers(alice, alice.connections[0])
            far.reset(0x2345)
            assert await answers(alice, alice.connections[0])
            for use in (stream.read, stream.readexactly, stream.write):
                with pytest.raises(StreamResetError) as caught:
                    await use(b"x" if use == stream.write else 1)
                assert (caught.value.remote, caught.value.error_code) == (True, 0x2345)
            with pytest.raises(StreamResetError):
                await stream.read()
            with pytest.raises(StreamResetError):
                await stream.write_eof()
        served.end("return")


async def test_a_reset_by_the_peer_wakes_who_waits(duo):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        stream = await alice.open_stream(bob.addresses[0], PROTOCOL)
        reading = asyncio.create_task(stream.read(1))
        writing = asyncio.create_task(stream.write(bytes(LARGE)))
        far = await served.stream
        await far.readexactly(1)
        far.reset(7)
        for waiting in (reading, writing):
            with pytest.raises(StreamResetError) as caught:
                await waiting
            assert (caught.value.remote, caught.value.error_code) == (True, 7)
        await stream.close()
        served.end("return")


async def test_what_the_peer_finished_before_it_reset_is_complete(duo):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        async with alice.open_stream(bob.addresses[0], PROTOCOL) as stream:
            far = await served.stream
            await far.write(b"whole")
            await far.write_eof()
            assert await answers(alice, alice.connections[0])
            far.reset(7)
            assert await answers(alice, alice.connections[0])
            assert await stream.read() == b"whole"
            with pytest.raises(StreamResetError):
                await stream.write(b"too late")
        served.end("return")


async def test_our_own_reset_is_told_apart_from_the_peers(duo):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        stream = await alice.open_stream(bob.addresses[0], PROTOCOL)
        reading = asyncio.create_task(stream.read(1))
        far = await served.stream
        stream.reset(9)
        stream.reset(10)  # the first one counts
        with pytest.raises(StreamResetError) as caught:
            await reading
        assert (caught.value.remote, caught.value.error_code) == (False, 9)
        with pytest.raises(StreamResetError) as caught:
            await far.read(1)
        assert (caught.value.remote, caught.value.error_code) == (True, 9)
        served.end("return")


async def test_a_body_that_raises_resets_the_stream_that_it_holds(duo):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        with pytest.raises(ZeroDivisionError):
            async with alice.open_stream(bob.addresses[0], PROTOCOL):
                raise ZeroDivisionError
        with pytest.raises(StreamResetError) as caught:
            await (await served.stream).read()
        assert caught.value.remote is True
        served.end("return")


# ---- connections


async def test_nonsense_from_the_peer_ends_the_connection_and_its_streams(duo):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        stream = await alice.open_stream(bob.addresses[0], PROTOCOL)
        far = await served.stream
        (connection,) = alice.connections
        Wire(connection).write(b"\x00\x20" + bytes(32))
        with pytest.raises(StreamResetError) as caught:
            await far.read(1)
        assert isinstance(caught.value.__cause__, ConnectionLostError)
        with pytest.raises(StreamResetError) as caught:
            await stream.read(1)
        assert isinstance(caught.value.__cause__, ConnectionClosedError)
        served.end("return")
        assert await answers(alice, bob.addresses[0])


async def test_a_lost_socket_is_an_error_of_every_stream(duo):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        stream = await alice.open_stream(bob.addresses[0], PROTOCOL)
        reading = asyncio.create_task(stream.read(1))
        far = await served.stream
        Wire(far.connection).cut()
        with pytest.raises(StreamResetError) as caught:
            await reading
        cause = caught.value.__cause__
        assert isinstance(cause, ConnectionLostError)
        with pytest.raises(StreamResetError):
            await stream.write(b"x")
        with pytest.raises(StreamResetError):
            await far.read(1)
        served.end("return")


async def test_a_peer_that_ends_and_does_not_read_cannot_keep_the_socket(duo):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        stream = await alice.open_stream(bob.addresses[0], PROTOCOL)
        far = await served.stream
        Wire(far.connection).stop_reading()
        (connection,) = alice.connections
        # More than the kernel takes.
        Wire(connection).write(bytes(16 * 1024 * 1024))
        Wire(far.connection).write_eof()
        with pytest.raises(StreamResetError):
            await stream.read(1)
        await connection.wait_closed()
        Wire(far.connection).cut()
        served.end("return")


async def test_what_had_arrived_can_be_read_after_the_connection_is_lost(duo):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        stream = await alice.open_stream(bob.addresses[0], PROTOCOL)
        far = await served.stream
        await far.write(b"arrived")
        (connection,) = alice.connections
        assert await answers(alice, connection)
        connection.abort()
        assert await stream.read(100) == b"arrived"
        with pytest.raises(StreamResetError):
            await stream.read(100)
        await connection.wait_closed()
        served.end("return")


async def test_a_peer_that_falls_silent_is_given_up(duo):
    timeouts = Timeouts(keepalive_interval=0.2, keepalive_timeout=0.2)
    async with duo(HostConfig(identify=False, timeouts=timeouts)) as (alice, bob):
        served = Served(bob)
        stream = await alice.open_stream(bob.addresses[0], PROTOCOL)
        far = await served.stream
        Wire(far.connection).stop_reading()
        with pytest.raises(StreamResetError) as caught:
            await stream.read(1)
        assert isinstance(caught.value.__cause__, ConnectionLostError)
        served.end("return")


async def test_a_live_but_idle_connection_outlasts_the_keep_alive(duo):
    timeouts = Timeouts(keepalive_interval=0.05, keepalive_timeout=2.0)
    async with duo(HostConfig(identify=False, timeouts=timeouts)) as (alice, bob):
        connection = await alice.connect(bob.addresses[0])
        while connection.stats()["pings_received"] < 3:
            await asyncio.sleep(0.02)
        assert not connection.is_closed


async def test_closing_sends_what_was_written_first(duo):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        stream = await alice.open_stream(bob.addresses[0], PROTOCOL)
        await stream.write(bytes(100_000))
        await alice.connections[0].close()
        far = await served.stream
        assert len(await far.readexactly(100_000)) == 100_000
        # All the bytes, but not the peer's end: nobody said that this was all.
        with pytest.raises(StreamResetError) as caught:
            await far.read(1)
        assert isinstance(caught.value.__cause__, ConnectionClosedError)
        served.end("return")


async def test_closing_breaks_a_write_that_is_under_way(duo):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        stream = await alice.open_stream(bob.addresses[0], PROTOCOL)
        await served.stream
        writing = asyncio.create_task(stream.write(bytes(LARGE)))
        await asyncio.sleep(0)
        await alice.connections[0].close()
        with pytest.raises(StreamResetError) as caught:
            await writing
        assert isinstance(caught.value.__cause__, ConnectionClosedError)
        served.end("return")


async def test_closing_breaks_a_writer_that_never_stops(duo):
    config = HostConfig(identify=False, timeouts=Timeouts(close=0.2))
    async with duo(config) as (alice, bob):
        served = Served(bob)
        stream = await alice.open_stream(bob.addresses[0], PROTOCOL)
        far = await served.stream

        async def write_on() -> None:
            while True:
                await stream.write(bytes(1 << 20))

        writing = asyncio.create_task(write_on())
        # Some windows on, the peer takes the whole send buffer at once.
        await far.readexactly(LARGE)
        reading = asyncio.create_task(drained(far))
        await alice.connections[0].close()
        for each in (writing, reading):
            with pytest.raises(StreamResetError) as caught:
                await each
            assert isinstance(caught.value.__cause__, ConnectionClosedError)
        served.end("return")


async def test_writing_while_the_connection_is_being_closed(duo):
    async with duo(QUIET) as (alice, bob):
        served = Served(bob)
        stream = await alice.open_stream(bob.addresses[0], PROTOCOL)
        far = await served.stream
        Wire(far.connection).stop_reading()
        closing = asyncio.create_task(alice.connections[0].close())
        with pytest.raises(StreamResetError) as caught:
            while True:
                await stream.write(b"x")
                await asyncio.sleep(0)
        assert caught.value.remote is False
        Wire(far.connection).resume_reading()
        await closing
        served.end("return")


async def test_closing_tells_the_peer_and_waits_for_its_end(duo):
    async with duo(QUIET) as (alice, bob):
        connection = await alice.connect(bob.addresses[0])
        assert await answers(alice, connection)
        (far,) = bob.connections
        await connection.close(0x1006)
        await connection.close()
        assert connection.is_closed
        assert connection.reason is not None
        assert (connection.reason.remote, connection.reason.error_code) == (False, 0x1006)
        await far.wait_closed()
        assert far.reason is not None
        assert (far.reason.remote, far.reason.error_code) == (True, 0x1006)
        assert not isinstance(far.reason, ConnectionLostError)
        assert (alice.connections, bob.connections) == ((), ())


async def test_closing_does_not_wait_for_ever_for_a_peer_that_does_nothing(duo):
    config = HostConfig(identify=False, timeouts=Timeouts(close=0.2))
    async with duo(config) as (alice, bob):
        served = Served(bob)
        stream = await alice.open_stream(bob.addresses[0], PROTOCOL)
        far = await served.stream
        Wire(far.connection).stop_reading()
        writing = asyncio.create_task(stream.write(bytes(16 * 1024 * 1024)))
        await asyncio.sleep(0)
        await alice.connections[0].close()
        with pytest.raises(StreamResetError):
            await writing
        Wire(far.connection).resume_reading()
        served.end("return")


@pytest.mark.parametrize("how", ["close", "abort", "exit"])
async def test_a_stream_that_is_being_opened_fails_with_its_connection(duo, how):
    config = HostConfig(identify=False, timeouts=Timeouts(close=0.2), limits=Limits(unacknowledged_streams=1))
    async with duo(config) as (alice, bob):
        connection = await alice.connect(bob.addresses[0])
        assert await answers(alice, connection)
        (far,) = bob.connections
        Wire(far).stop_reading()
        # One waits for the peer's answer, the other for leave to open at all.
        opens = [asyncio.create_task(connection.open_stream(PROTOCOL)) for _ in range(2)]
        await asyncio.sleep(0)
        if how == "close":
            await connection.close()
        elif how == "abort":
            connection.abort()
        else:
            await alice.close()
        for each in opens:
            with pytest.raises(ConnectionClosedError):
                await each
        with pytest.raises(ConnectionClosedError):
            await connection.open_stream(PROTOCOL)
        await connection.wait_closed()
        assert connection.streams == ()
        Wire(far).cut()


async def test_cancelling_an_open_resets_the_stream(duo):
    async with duo(QUIET) as (alice, bob):
        connection = await alice.connect(bob.addresses[0])
        assert await answers(alice, connection)
        (far,) = bob.connections
        Wire(far).stop_reading()
        opening = asyncio.create_task(connection.open_stream("/ipfs/ping/1.0.0"))
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert connection.streams == ()
        Wire(far).resume_reading()
        assert await answers(alice, connection)
        assert connection.stats()["outbound_streams"] <= 1


async def test_a_host_that_exits_ends_everything_it_has(duo):
    async with duo() as (alice, bob):
        served = Served(bob)
        stream = await alice.open_stream(bob.addresses[0], PROTOCOL)
        reading = asyncio.create_task(stream.read(1))
        far = await served.stream
        await bob.close()
        with pytest.raises(StreamResetError) as caught:
            await reading
        assert isinstance(caught.value.__cause__, ConnectionClosedError)
        with pytest.raises(StreamResetError):
            await far.read(1)
        assert (bob.connections, bob.streams, bob.stats()["handlers"]) == ((), (), 0)
        with pytest.raises(plait.PlaitError):
            await alice.connect(bob.peer_id)


async def test_both_ends_may_close_at_the_same_time(duo):
    async with duo() as (alice, bob):
        connection = await alice.connect(bob.addresses[0])
        assert await answers(alice, connection)
        (far,) = bob.connections
        await asyncio.gather(connection.close(), far.close())
        assert connection.is_closed
        assert far.is_closed


async def test_streams_that_ended_leave_nothing_in_the_session(duo):
    async with duo(QUIET) as (alice, bob):

        @bob.handle(PROTOCOL)
        async def echo(stream: plait.Stream) -> None:
            await stream.write(await stream.read())

        connection = await alice.connect(bob.addresses[0])
        for _ in range(50):
            async with await connection.open_stream(PROTOCOL) as stream:
                await stream.write(b"x")
                await stream.write_eof()
                assert await stream.read() == b"x"
        (far,) = bob.connections
        for each in (connection, far):
            assert each.streams == ()
            stats = each.stats()
            while stats["inbound_streams"] + stats["outbound_streams"]:
                assert await answers(alice, connection)
                await asyncio.sleep(0.01)
                stats = each.stats()
            assert (stats["buffered_in"], stats["buffered_out"]) == (0, 0)


@pytest.mark.parametrize("with_identify", [True, False])
async def test_nothing_refers_to_a_connection_that_is_over(duo, with_identify):
    """Also when it ends while identify asks; and over bare TCP the garbage collector is not needed for it."""
    async with duo(HostConfig(identify=with_identify)) as (alice, bob):
        await asyncio.sleep(0)
        gc.collect()
        gc.disable()
        try:
            references = []
            for _ in range(3):
                connection = await alice.connect(bob.addresses[0])
                while not bob.connections:
                    await asyncio.sleep(0)
                references += [weakref.ref(connection), weakref.ref(bob.connections[0])]
                await connection.close()
                del connection
                while bob.connections:
                    await asyncio.sleep(0)
            turns = 0
            while any(reference() is not None for reference in references) and turns < 1000:
                await asyncio.sleep(0)
                turns += 1
            if "/ws" in str(bob.addresses[0]):
                gc.collect()  # frames and TLS refer to each other there
            assert [reference() for reference in references] == [None] * 6
        finally:
            gc.enable()


async def test_a_connection_that_is_being_closed_is_not_used_for_anything_new(duo):
    async with duo() as (alice, bob):
        first = await alice.connect(bob.addresses[0])
        closing = asyncio.create_task(first.close())
        await asyncio.sleep(0)
        second = await alice.connect(bob.addresses[0])
        assert second is not first
        assert await answers(alice, second)
        await closing
