"""Every stack moves bytes the same way: all of them, in order, up to an end, in both directions."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import weakref

import pytest

from plait.bench.subjects import Ends, Pipe
from plait.bench.subjects.answering import GO, TRAILER, Request, answer, drain, read_exactly
from plait.bench.subjects.asyncio_tls import END, AsyncioTlsEnds
from plait.bench.subjects.contender import ContenderError
from plait.bench.subjects.plait_ends import PlaitEnds
from plait.bench.subjects.raw_tcp import RawTcpEnds
from plait.bench.subjects.websockets_ends import WebsocketsEnds
from plait.exceptions import ConfigError
from plait.testing import no_leaks

STACKS: list[Ends] = [
    RawTcpEnds(),
    AsyncioTlsEnds(),
    WebsocketsEnds(),
    PlaitEnds(),
    PlaitEnds(security="none", muxer="mplex"),
    PlaitEnds(security="tls", bare_sockets=False),
    PlaitEnds("ws"),
    PlaitEnds("memory"),
]


@pytest.mark.parametrize("ends", STACKS, ids=lambda ends: str(ends.subject))
async def test_a_pipe_carries_both_directions_to_their_ends(ends: Ends) -> None:
    async with no_leaks():
        async with ends.serve(_echo) as address, ends.dialer(address) as dialer:
            link = await dialer.connect()
            # With zeros behind it, as all that works send.
            sent = random.Random(1).randbytes(400_000) + b"\0"
            for pipe in (await link.open(), await link.open()):
                async with asyncio.TaskGroup() as group:
                    group.create_task(_send(pipe, sent))
                    reading = group.create_task(_read_all(pipe))
                assert reading.result() == sent
                assert await pipe.read(1) == b""
                await pipe.close()
            await link.close()


@pytest.mark.parametrize("ends", STACKS, ids=lambda ends: str(ends.subject))
async def test_each_connection_is_a_new_one_and_the_listener_survives_a_reset(ends: Ends) -> None:
    async with no_leaks():
        async with ends.serve(answer) as address, ends.dialer(address) as dialer:
            links = await asyncio.gather(*(dialer.connect() for _ in range(3)))
            broken = await links[0].open()
            await broken.write(Request("bulk", 64).pack() + GO + bytes(1000))
            broken.reset()
            for link in links[1:]:
                pipe = await link.open()
                await pipe.write(Request("reply", 3).pack() + bytes(10))
                await pipe.write_eof()
                # Every three bytes are answered, and the one that is left over is not.
                assert await _read_all(pipe) == bytes(9)
                await pipe.close()
            for link in links:
                await link.close()


async def test_a_listener_counts_what_came() -> None:
    ends = PlaitEnds("memory")
    async with ends.serve(answer) as address, ends.dialer(address) as dialer:
        link = await dialer.connect()
        pipe = await link.open()
        await pipe.write(Request("bulk", 1000, 0.01, 5000).pack() + GO + bytes(12345))
        await pipe.write_eof()
        count, trailer = await drain(pipe)
        assert TRAILER.unpack(trailer) == (12345,)
        assert 1000 <= count - len(GO) - TRAILER.size <= 5000
        await link.close()


async def test_who_drains_a_pipe_holds_nothing_while_it_waits() -> None:
    class Piece(bytearray):
        """Neither bytes nor what inherits from them takes a weak reference."""

    class Pieces:
        last: weakref.ref[Piece] | None = None

        def __init__(self) -> None:
            self.left = [bytes([number]) * 20 for number in range(3)]

        async def read(self, n: int) -> bytes:
            assert self.last is None or self.last() is None
            if not self.left:
                return b""
            piece = Piece(self.left.pop(0))
            self.last = weakref.ref(piece)
            return piece

    assert await drain(Pieces()) == (60, b"\2" * TRAILER.size)  # type: ignore[arg-type]


async def test_a_slow_reader_reads_slowly() -> None:
    ends = RawTcpEnds("asyncio")
    async with ends.serve(answer) as address, ends.dialer(address) as dialer:
        link = await dialer.connect()
        pipe = await link.open()
        await pipe.write(Request("slow", 1000, 0.2).pack() + bytes(100_000))
        (taken,) = TRAILER.unpack(await read_exactly(pipe, TRAILER.size))
        assert 0 < taken <= 250
        pipe.reset()
        await link.close()


def test_nonsense_is_no_request() -> None:
    for request in (b"\xff" * 26, Request("reply", 0).pack(), Request("bulk", 1 << 30).pack()):
        with pytest.raises(ContenderError):
            Request.unpack(request)
    with pytest.raises(ConfigError):
        PlaitEnds("carrier-pigeon")


@pytest.mark.one_loop
async def test_the_end_of_a_tls_pipe_may_come_in_pieces() -> None:
    from plait.bench.subjects.asyncio_tls import _Pipe

    whole = b"some\0" + END
    for size in range(1, len(whole) + 1):
        reader = asyncio.StreamReader()
        pipe = _Pipe(reader, None)  # type: ignore[arg-type]
        reading = asyncio.create_task(_read_all(pipe))
        for start in range(0, len(whole), size):
            reader.feed_data(whole[start : start + size])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert await reading == b"some\0"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_grpc_works_where_it_is_installed(loop: str) -> None:
    pytest.importorskip("grpc")
    # In a process of its own: its threads and their descriptors stay for as long as that does.
    program = (
        "from plait.bench.subjects import Setting, TwoEnds\n"
        "from plait.bench.subjects.grpc_ends import GrpcEnds\n"
        "from plait.bench.works import Bulk, Requests\n"
        f"with TwoEnds(GrpcEnds({loop!r})).start(Setting()) as running:\n"
        "    print(running.measure(Bulk('duplex', 1000, 0.05, 3), 20).total > 0)\n"
        "    print(len(running.measure(Requests(100, 4, 0.05), 20).latencies) > 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "True"], done.stderr


async def _echo(pipe: Pipe) -> None:
    while data := await pipe.read(65536):
        await pipe.write(data)
    await pipe.write_eof()


async def _send(pipe: Pipe, data: bytes) -> None:
    for start in range(0, len(data), 50_000):
        await pipe.write(data[start : start + 50_000])
    await pipe.write_eof()


async def _read_all(pipe: Pipe) -> bytes:
    parts = []
    while data := await pipe.read(7777):
        parts.append(data)
    return b"".join(parts)
