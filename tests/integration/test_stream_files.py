"""A file that goes from the disk to a stream and back, its bytes never objects, over every driver."""

from __future__ import annotations

import asyncio
import io
import os
import resource
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import pytest

import plait
from plait.connection import stream_files
from plait.connection.stream_files import BLOCK
from plait.exceptions import ConcurrencyError, LimitError, StreamClosedError, StreamResetError
from plait.host import HostConfig

PROTOCOL = "/files-of-a-stream/1"
# More than all the windows and buffers on the way together.
LARGE = 5 * BLOCK + 17
# Never a multiple of a block, so that no two blocks are alike.
PATTERN = bytes(range(251)) * 1021

Ends: TypeAlias = "Callable[[], AbstractAsyncContextManager[tuple[plait.Stream, plait.Stream]]]"


@asynccontextmanager
async def both(hosts: tuple[plait.Host, plait.Host]) -> AsyncIterator[tuple[plait.Stream, plait.Stream]]:
    """Both ends of one stream, the second as its handler has it."""
    alice, bob = hosts
    arrived: asyncio.Future[plait.Stream] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    @bob.handle(PROTOCOL)
    async def hold(stream: plait.Stream) -> None:
        arrived.set_result(stream)
        await done.wait()

    try:
        async with alice.open_stream(bob.addresses[0], PROTOCOL) as near:
            yield near, await arrived
    finally:
        done.set()


@pytest.fixture
def ends(duo) -> Ends:
    @asynccontextmanager
    async def enter() -> AsyncIterator[tuple[plait.Stream, plait.Stream]]:
        async with duo(HostConfig(identify=False)) as hosts, both(hosts) as (near, far):
            yield near, far

    return enter


def content(size: int) -> bytes:
    return (PATTERN * (size // len(PATTERN) + 1))[:size]


def made(tmp_path: Path, size: int) -> Path:
    path = tmp_path / f"sample-{size}"
    path.write_bytes(content(size))
    return path


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


async def cancelled(task: asyncio.Task[int]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def blocked(stream: plait.Stream) -> Callable[[], bool]:
    """The session takes nothing more."""
    return lambda: bool(stream._queue)


# ---- what arrives


@pytest.mark.parametrize("size", [0, 1, 4096, BLOCK - 1, BLOCK, BLOCK + 1, LARGE])
async def test_a_file_arrives_as_it_is(ends, tmp_path, size):
    source, target = made(tmp_path, size), tmp_path / "target"
    async with ends() as (near, far):

        async def send() -> None:
            with source.open("rb") as file:
                assert await near.send_file(file) == size
                assert file.tell() == size
            # Our half is the caller's to end.
            await near.write(b"more")
            await near.write_eof()

        with target.open("wb") as file:
            sending = asyncio.create_task(send())
            assert await far.recv_file(file, size) == size
            assert file.tell() == size
            assert await far.read() == b"more"
            await sending
    assert target.read_bytes() == source.read_bytes()


async def test_a_part_of_a_file_into_the_middle_of_another(ends, tmp_path):
    source, target = made(tmp_path, LARGE), tmp_path / "target"
    async with ends() as (near, far):
        with source.open("rb") as file, target.open("w+b") as into:
            # Written through Python's buffer, and read ahead into it.
            into.write(b"head")
            file.read(100)
            sending = asyncio.create_task(near.send_file(file, 7, 2 * BLOCK))
            assert await far.recv_file(into, 2 * BLOCK) == 2 * BLOCK == await sending
            assert file.tell() == 7 + 2 * BLOCK
            into.write(b"tail")
            assert await near.send_file(file, LARGE) == await near.send_file(file, LARGE + 5) == 0
    assert target.read_bytes() == b"head" + content(LARGE)[7 : 7 + 2 * BLOCK] + b"tail"


async def test_what_was_read_ahead_of_the_file_belongs_to_it(ends, tmp_path):
    async with ends() as (near, far):
        await near.write(b"a line\n" + content(1000))
        await near.write_eof()
        assert await far.readuntil(b"\n") == b"a line\n"
        with (tmp_path / "target").open("wb") as file:
            assert await far.recv_file(file, 100) == 100
            assert await far.recv_file(file) == 900
            assert await far.recv_file(file) == 0
    assert (tmp_path / "target").read_bytes() == content(1000)


async def test_a_file_that_is_not_in_memory(ends, tmp_path):
    source = made(tmp_path, 3 * BLOCK)
    async with ends() as (near, far):
        with source.open("rb") as file, (tmp_path / "target").open("wb") as target:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            sending = asyncio.create_task(near.send_file(file))
            assert await far.recv_file(target, 3 * BLOCK) == await sending
    assert (tmp_path / "target").read_bytes() == content(3 * BLOCK)


async def test_without_reads_and_writes_at_a_place(ends, tmp_path, monkeypatch):
    monkeypatch.setattr(stream_files, "IS_POSITIONED", False)
    source = made(tmp_path, LARGE)
    async with ends() as (near, far):
        with source.open("rb") as file, (tmp_path / "target").open("wb") as target:
            sending = asyncio.create_task(near.send_file(file, 3))
            assert await far.recv_file(target, LARGE - 3) == await sending
            assert (file.tell(), target.tell()) == (LARGE, LARGE - 3)
    assert (tmp_path / "target").read_bytes() == content(LARGE)[3:]


async def test_who_does_not_read_is_waited_for_in_bounded_memory(ends, tmp_path):
    source = made(tmp_path, LARGE)
    async with ends() as (near, far):
        with source.open("rb") as file:
            sending = asyncio.create_task(near.send_file(file))
            await until(blocked(near))
            assert near.connection.stats()["buffered_out"] <= plait.Limits().send_buffer
            with (tmp_path / "target").open("wb") as target:
                await far.recv_file(target, LARGE)
            await sending
    assert (tmp_path / "target").read_bytes() == content(LARGE)


# ---- one reader, one writer


async def test_nobody_writes_between_the_bytes_of_a_file(ends, tmp_path):
    source = made(tmp_path, LARGE)
    async with ends() as (near, far):
        with source.open("rb") as file, (tmp_path / "target").open("wb") as target:
            sending = asyncio.create_task(near.send_file(file))
            await until(lambda: near._writer is not None)
            with pytest.raises(ConcurrencyError):
                await near.write(b"x")
            with pytest.raises(ConcurrencyError), source.open("rb") as other:
                await near.send_file(other)
            with pytest.raises(LimitError):
                near.write_nowait(b"x")
            receiving = asyncio.create_task(far.recv_file(target, LARGE))
            await until(lambda: far._reader is not None)
            for read in (far.read(1), far.recv_file(target), far.readinto(bytearray(1))):
                with pytest.raises(ConcurrencyError):
                    await read
            assert await sending == await receiving
            # And afterwards everybody may again.
            await near.write(b"x")
            assert await far.read(1) == b"x"
    assert (tmp_path / "target").read_bytes() == content(LARGE)


async def test_a_file_goes_behind_what_was_written_before(ends, tmp_path):
    source, front = made(tmp_path, BLOCK), bytes(2 * BLOCK)
    async with ends() as (near, far):
        near.write_nowait(front)
        assert near._queue
        with source.open("rb") as file, (tmp_path / "target").open("wb") as target:
            sending = asyncio.create_task(near.send_file(file))
            await far.recv_file(target, 3 * BLOCK)
            await sending
    assert (tmp_path / "target").read_bytes() == front + content(BLOCK)


# ---- what is no file


async def test_what_cannot_be_sent_or_received(ends, tmp_path):
    text = tmp_path / "text"
    text.write_text("text")
    async with ends() as (near, far):
        reading, writing = os.pipe()
        with (
            open(reading, "rb") as pipe,
            open(writing, "wb") as other_end,
            text.open() as as_text,
            text.open("rb") as file,
        ):
            for none in (pipe, other_end, as_text, io.BytesIO(b"bytes"), object()):
                with pytest.raises(ValueError, match="file"):
                    await near.send_file(none)
                with pytest.raises(ValueError, match="file"):
                    await far.recv_file(none)
            for offset, count in (-1, None), (0, -1):
                with pytest.raises(ValueError, match="negative"):
                    await near.send_file(file, offset, count)
            with pytest.raises(ValueError, match="negative"):
                await far.recv_file(file, -1)
        with pytest.raises(ValueError, match="file"):
            await near.send_file(file)
        # None of it has touched the stream.
        await near.write(b"x")
        assert await far.read(1) == b"x"


async def test_a_file_that_is_too_short_is_not_begun(ends, tmp_path):
    source = made(tmp_path, 1000)
    async with ends() as (near, far):
        with source.open("rb") as file:
            with pytest.raises(EOFError, match="1000 bytes"):
                await near.send_file(file, 1, 1000)
            assert await near.send_file(file, 1, 999) == 999
        assert len(await far.readexactly(999)) == 999


async def test_a_stream_that_is_over(ends, tmp_path):
    source = made(tmp_path, 1000)
    async with ends() as (near, far):
        with source.open("r+b") as file:
            await near.write_eof()
            with pytest.raises(StreamClosedError):
                await near.send_file(file)
            await near.close()
            with pytest.raises(StreamClosedError):
                await near.recv_file(file)
            far.reset(5)
            for broken in (far.send_file(file), far.recv_file(file)):
                with pytest.raises(StreamResetError):
                    await broken


# ---- ends


async def test_a_file_that_becomes_shorter_breaks_the_stream(ends, tmp_path):
    source = made(tmp_path, LARGE)
    async with ends() as (near, far):
        with source.open("rb") as file, (tmp_path / "target").open("wb") as target:
            sending = asyncio.create_task(near.send_file(file))
            await until(blocked(near))
            os.truncate(source, 3 * BLOCK)
            with pytest.raises(StreamResetError):
                await far.recv_file(target)
            with pytest.raises(EOFError, match="shorter"):
                await sending
    received = (tmp_path / "target").read_bytes()
    assert len(received) <= 3 * BLOCK
    assert received == content(len(received))


async def test_a_file_that_grows_is_sent_as_it_was(ends, tmp_path):
    source = made(tmp_path, LARGE)
    async with ends() as (near, far):
        with source.open("rb") as file, (tmp_path / "target").open("wb") as target:
            sending = asyncio.create_task(near.send_file(file))
            await until(blocked(near))
            with source.open("ab") as more:
                more.write(b"more")
            assert await far.recv_file(target, LARGE) == await sending == LARGE


async def test_a_file_that_is_given_up_halfway_breaks_the_stream(ends, tmp_path):
    source = made(tmp_path, LARGE)
    async with ends() as (near, far):
        with source.open("rb") as file, (tmp_path / "target").open("wb") as target:
            sending = asyncio.create_task(near.send_file(file))
            await until(blocked(near))
            await cancelled(sending)
            assert near.is_closed
            assert 0 < file.tell() < LARGE
            with pytest.raises(StreamResetError):
                await far.recv_file(target)
            # What came is there, and the position says how much.
            assert target.tell() == os.path.getsize(tmp_path / "target")


async def test_given_up_before_its_first_byte_nothing_has_happened(ends, tmp_path, monkeypatch):
    source = made(tmp_path, 1000)
    disk: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with ends() as (near, far):
        with monkeypatch.context() as patch, source.open("rb") as file:
            patch.setattr(stream_files._Disk, "read", lambda *_: disk)
            sending = asyncio.create_task(near.send_file(file))
            await until(lambda: near._writer is not None)
            sending.cancel()
            await asyncio.sleep(0)
            # The disk has the descriptor, and is waited for.
            assert not sending.done()
            disk.set_result(0)
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert file.tell() == 0
        await near.write(b"x")
        assert await far.read(1) == b"x"


async def test_cancelling_a_file_that_arrives_loses_nothing(ends, tmp_path):
    data = content(BLOCK + 300_000)
    async with ends() as (near, far):
        with (tmp_path / "target").open("wb") as target:
            receiving = asyncio.create_task(far.recv_file(target))
            await near.write(data)
            await until(lambda: os.path.getsize(tmp_path / "target") >= BLOCK)
            await cancelled(receiving)
            there = target.tell()
            await near.write_eof()
            rest = await far.read()
            assert there >= BLOCK
    assert (tmp_path / "target").read_bytes() + rest == data
    assert there == len(data) - len(rest)


async def test_a_peer_that_ends_too_soon(ends, tmp_path):
    async with ends() as (near, far):
        await near.write(content(1000))
        await near.write_eof()
        with (tmp_path / "target").open("wb") as target:
            with pytest.raises(EOFError, match="1000 of 1001"):
                await far.recv_file(target, 1001)
            assert target.tell() == 1000
    assert (tmp_path / "target").read_bytes() == content(1000)


async def test_a_disk_that_takes_no_more(ends, tmp_path):
    async with ends() as (near, far):
        with source_of(tmp_path) as file, (tmp_path / "target").open("wb") as target:
            sending = asyncio.create_task(near.send_file(file))
            with largest_file(BLOCK + 5), pytest.raises(OSError, match="File too large"):
                await far.recv_file(target)
            assert target.tell() == BLOCK
            far.reset()
            # Unless it is all on its way already.
            with suppress(StreamResetError):
                await sending


@contextmanager
def source_of(tmp_path: Path) -> Iterator[io.BufferedReader]:
    with made(tmp_path, LARGE).open("rb") as file:
        yield file


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process becomes larger. Python ignores the signal, so it is an error of `write`."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
