"""`/plait/files/1.0.0` byte by byte, without a network: both roles over a stream that is two queues."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait._core import FileBlock
from plait.exceptions import RemoteProtocolError, StreamResetError
from plait.files import (
    DigestMismatchError,
    FailedTransfer,
    FileProtocolError,
    FileReceiver,
    FileRefusedError,
    FileSender,
    InvalidNameError,
    OutgoingFile,
    ReceivedFile,
    ReceiverLimits,
    ReplyCode,
    SourceError,
    TransferAbortedError,
)
from plait.files.destination import Destination
from plait.files.errors import DestinationError
from plait.files.messages import Reply, Request, UnsupportedRequestError
from plait.files.names import check_name, decode_name

DIGEST_OF_NOTHING = bytes.fromhex("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
DIGEST_OF_012 = bytes.fromhex("e1be4d7a8ab5560aa4199eea339849ba8e293d55ca0a81006726d184519e647f")
# docs/protocols/files.md has the first of these two, and how the second is made.
EMPTY_A = bytes.fromhex("0d01000000000000000000000161")
# Half a block: the sender is then in the middle of writing one.
HALF = 1 << 19
SMALL_B = bytes.fromhex("0d01000000000000000003000162") + b"\x00\x01\x02" + DIGEST_OF_012
OK = bytes.fromhex("03000000")


class TestMessages:
    def test_request_as_documented(self) -> None:
        assert Request(b"a", 0).encode() == EMPTY_A[1:]
        assert Request.decode(EMPTY_A[1:]) == Request(b"a", 0)

    def test_reply_as_documented(self) -> None:
        assert Reply(ReplyCode.OK).encode() == OK[1:]
        assert Reply.decode(OK[1:]) == Reply(ReplyCode.OK)
        assert Reply(2, "é").encode() == bytes.fromhex("020002") + "é".encode()

    @given(
        st.binary(max_size=1024), st.integers(0, 2**63 - 1), st.dictionaries(st.integers(0, 255), st.binary())
    )
    def test_requests_come_back(self, name: bytes, size: int, extensions: dict[int, bytes]) -> None:
        request = Request(name, size, extensions)
        assert Request.decode(request.encode()) == request

    def test_every_prefix_is_malformed(self) -> None:
        request = Request(b"name", 5, {7: b"seven"}).encode()
        reply = Reply(ReplyCode.BUSY, "later", {7: b"seven"}).encode()
        # Without its extension a message is whole.
        for end in {*range(len(request))} - {len(request) - 8}:
            with pytest.raises(FileProtocolError):
                Request.decode(request[:end])
        for end in {*range(len(reply))} - {len(reply) - 8}:
            with pytest.raises(FileProtocolError):
                Reply.decode(reply[:end])

    @given(st.binary(max_size=64))
    def test_any_bytes_are_a_message_or_an_error(self, data: bytes) -> None:
        for decode in (Request.decode, Reply.decode):
            with contextlib.suppress(FileProtocolError):
                decode(data)

    @pytest.mark.parametrize("head", [b"\x00\x00", b"\x02\x00", b"\x01\x01", b"\x01\x80"])
    def test_other_versions_and_features_are_refused_whatever_follows(self, head: bytes) -> None:
        for rest in (b"", b"another layout", EMPTY_A[3:]):
            with pytest.raises(UnsupportedRequestError):
                Request.decode(head + rest)

    def test_extensions(self) -> None:
        assert Request.decode(EMPTY_A[1:] + b"\x09\x00\x00").extensions == {9: b""}
        with pytest.raises(FileProtocolError, match="twice"):
            Request.decode(EMPTY_A[1:] + b"\x09\x00\x00\x09\x00\x00")
        with pytest.raises(FileProtocolError, match="cut off"):
            Request.decode(EMPTY_A[1:] + b"\x09\x00\x01")

    def test_a_size_that_cannot_be(self) -> None:
        with pytest.raises(FileProtocolError, match="cannot be"):
            Request.decode(b"\x01\x00" + b"\x80" + bytes(7) + b"\x00\x01a")

    def test_the_text_of_a_reply(self) -> None:
        assert Reply.decode(Reply(1, "a\x1b[2Jb\n").encode()).text == "a\ufffd[2Jb\ufffd"
        assert Reply.decode(Reply(1, "ä" * 300).encode()).text == "ä" * 256
        assert Reply.decode(Reply(1, "x" + "ä" * 300).encode()).text == "x" + "ä" * 255
        with pytest.raises(FileProtocolError, match="UTF-8"):
            Reply.decode(b"\x01\x00\x01\xff")
        with pytest.raises(FileProtocolError, match="too long"):
            Reply.decode(b"\x01\x02\x01" + bytes(513))


BAD_NAMES = [
    "", "/", "/etc/passwd", "a/", "a//b", "//a", ".", "..", "../a", "a/..", "a/../../b", "./a", "a/./b",
    "a\x00b", "a\nb", "a\x7f", "a\\b", "..\\a", "c:", "C:/a", "c:a", "1:", "a/c:b", "\\\\host\\share",
    "x" * 256, "a/" * 600 + "a", "/".join("a" * 33), "\udcff",
]  # fmt: skip
GOOD_NAMES = [
    "a", "a/b", ".hidden", "...", "..a", "a..", "-", " ", "a b", "ä/日本.txt", "x" * 255, "/".join("a" * 32),
    "~", "$HOME", "%2e%2e", "ab:c", "CON", "*?",
]  # fmt: skip


class TestNames:
    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_bad(self, name: str) -> None:
        with pytest.raises(InvalidNameError):
            check_name(name)

    @pytest.mark.parametrize("name", GOOD_NAMES)
    def test_good(self, name: str) -> None:
        assert "/".join(check_name(name)) == name

    @pytest.mark.parametrize("name", [b"\xff", b"a\xc0\xafb", b"\xed\xa0\x80", b"a/\xc0\xae\xc0\xae/b"])
    def test_not_utf8(self, name: bytes) -> None:
        with pytest.raises(InvalidNameError):
            decode_name(name)

    @given(st.lists(st.sampled_from(["a", "b.c", ".", "..", "", "\\", "c:", "x" * 200]), max_size=8))
    def test_what_is_taken_stays_inside(self, parts: list[str]) -> None:
        inbox = Path("/inbox")
        try:
            checked = check_name("/".join(parts))
        except InvalidNameError:
            return
        path = inbox.joinpath(*checked)
        assert inbox in Path(*[part for part in path.parts if part != ".."]).parents
        assert ".." not in path.parts


class TestReceiver:
    async def test_an_empty_file(self, tmp_path: Path) -> None:
        done: list[ReceivedFile] = []
        receiver = FileReceiver(tmp_path, on_file=done.append)
        assert await answer_to(receiver, EMPTY_A + DIGEST_OF_NOTHING) == OK + OK
        assert (tmp_path / "a").read_bytes() == b""
        assert [(file.name, file.size, file.path) for file in done] == [("a", 0, tmp_path / "a")]
        assert done[0].digest == DIGEST_OF_NOTHING

    @pytest.mark.parametrize("piece", [1, 2, 5, 1000])
    async def test_any_split_of_the_bytes(self, tmp_path: Path, piece: int) -> None:
        assert await answer_to(FileReceiver(tmp_path), SMALL_B, piece) == OK + OK
        assert (tmp_path / "b").read_bytes() == b"\x00\x01\x02"

    @pytest.mark.parametrize("then", ["end", "reset"])
    async def test_every_prefix_leaves_nothing(self, tmp_path: Path, then: str) -> None:
        receiver = FileReceiver(tmp_path)
        for end in range(len(SMALL_B)):
            async with serving(receiver) as stream:
                stream.feed(SMALL_B[:end])
                stream.feed_eof() if then == "end" else stream.feed_reset(7)
            assert list(tmp_path.iterdir()) == []
            assert stream.reset_code is not None
        assert receiver.progress.files_failed == len(SMALL_B)

    async def test_tiny_pieces_come_to_whole_blocks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content = bytes(range(250)) * 20
        request = Request(b"tiny", len(content)).encode()
        data = framed(request) + content + await digest_of(content, tmp_path)
        sizes: list[int] = []
        write = Destination.write

        def counted(self: Destination, block: FileBlock) -> None:
            sizes.append(len(block))
            write(self, block)

        monkeypatch.setattr(Destination, "write", counted)
        monkeypatch.setattr("plait.files.receiver.BLOCK", 2000)
        assert await answer_to(FileReceiver(tmp_path / "in"), data, 1) == OK + OK
        assert sizes == [2000, 2000, 1000]
        assert (tmp_path / "in" / "tiny").read_bytes() == content

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (b"\x01\x01", ReplyCode.MALFORMED),
            (b"\x00", ReplyCode.MALFORMED),
            (b"\xff\xff\x03", ReplyCode.MALFORMED),
            (EMPTY_A[:1] + b"\x02" + EMPTY_A[2:], ReplyCode.UNSUPPORTED),
            (EMPTY_A[:2] + b"\x04" + EMPTY_A[3:], ReplyCode.UNSUPPORTED),
            (EMPTY_A[:-1] + b"/", ReplyCode.BAD_NAME),
            (EMPTY_A[:-1] + b"\xff", ReplyCode.BAD_NAME),
        ],
    )
    async def test_a_bad_request_is_answered(self, tmp_path: Path, data: bytes, code: ReplyCode) -> None:
        failures: list[FailedTransfer] = []
        receiver = FileReceiver(tmp_path / "in", on_failure=failures.append)
        assert last_reply(await answer_to(receiver, data)) == code
        assert len(failures) == 1
        assert not (tmp_path / "in").exists()

    async def test_a_digest_of_other_bytes(self, tmp_path: Path) -> None:
        replies = await answer_to(FileReceiver(tmp_path), EMPTY_A + DIGEST_OF_012)
        assert last_reply(replies[len(OK) :]) == ReplyCode.DIGEST_MISMATCH
        assert list(tmp_path.iterdir()) == []

    async def test_bytes_after_the_digest(self, tmp_path: Path) -> None:
        replies = await answer_to(FileReceiver(tmp_path), EMPTY_A + DIGEST_OF_NOTHING + b"!")
        assert last_reply(replies[len(OK) :]) == ReplyCode.MALFORMED
        assert list(tmp_path.iterdir()) == []

    async def test_a_name_that_is_taken(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("old")
        assert last_reply(await answer_to(FileReceiver(tmp_path), EMPTY_A)) == ReplyCode.EXISTS
        assert (tmp_path / "a").read_text() == "old"
        replies = await answer_to(FileReceiver(tmp_path, overwrite=True), EMPTY_A + DIGEST_OF_NOTHING)
        assert replies == OK + OK
        assert (tmp_path / "a").read_text() == ""

    async def test_limits_and_wishes(self, tmp_path: Path) -> None:
        async def no(offer: object) -> bool:
            return False

        small = FileReceiver(tmp_path, limits=ReceiverLimits(max_file_size=2))
        assert last_reply(await answer_to(small, SMALL_B[:14])) == ReplyCode.TOO_LARGE
        assert last_reply(await answer_to(FileReceiver(tmp_path, accept=no), EMPTY_A)) == ReplyCode.DECLINED
        unwilling = FileReceiver(tmp_path, accept=lambda offer: offer.name != "a")
        assert last_reply(await answer_to(unwilling, EMPTY_A)) == ReplyCode.DECLINED
        assert await answer_to(unwilling, SMALL_B) == OK + OK

    async def test_more_transfers_than_allowed(self, tmp_path: Path) -> None:
        receiver = FileReceiver(tmp_path, limits=ReceiverLimits(max_transfers=1))
        async with serving(receiver) as first:
            first.feed(EMPTY_A)
            await first.written(len(OK))
            assert last_reply(await answer_to(receiver, SMALL_B)) == ReplyCode.BUSY
            first.feed(DIGEST_OF_NOTHING)
            first.feed_eof()
        assert bytes(first.sent) == OK + OK
        assert await answer_to(receiver, SMALL_B) == OK + OK

    async def test_a_silent_sender_is_given_up(self, tmp_path: Path) -> None:
        failures: list[FailedTransfer] = []
        limits = ReceiverLimits(idle_timeout=0.02)
        receiver = FileReceiver(tmp_path, limits=limits, on_failure=failures.append)
        async with serving(receiver) as stream:
            stream.feed(SMALL_B[:-1])
        assert stream.reset_code == 0x2101
        assert isinstance(failures[0].error, TransferAbortedError)
        assert list(tmp_path.iterdir()) == []

    async def test_a_full_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(self: Destination, pieces: list[bytes]) -> None:
            raise DestinationError("the receiver's disk is full", errno=errno.ENOSPC)

        monkeypatch.setattr(Destination, "write", fails)
        replies = await answer_to(FileReceiver(tmp_path), SMALL_B)
        assert last_reply(replies[len(OK) :]) == ReplyCode.NO_SPACE
        assert list(tmp_path.iterdir()) == []

    async def test_cancelled_it_leaves_nothing(self, tmp_path: Path) -> None:
        for end in (0, 5, 14, 16, len(SMALL_B)):
            stream = PipeStream()
            task = asyncio.create_task(FileReceiver(tmp_path)(stream))
            stream.feed(SMALL_B[:end])
            if end >= 14:
                await stream.written(len(OK))
            else:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert list(tmp_path.iterdir()) == []

    async def test_a_sender_that_went_away_before_the_verdict_changes_nothing(self, tmp_path: Path) -> None:
        done: list[ReceivedFile] = []
        async with serving(FileReceiver(tmp_path, on_file=done.append)) as stream:
            stream.feed(SMALL_B)
            stream.feed_eof()
            stream.refuse_writes_after(len(OK))
        assert [file.name for file in done] == ["b"]
        assert (tmp_path / "b").exists()

    async def test_wait_idle(self, tmp_path: Path) -> None:
        receiver = FileReceiver(tmp_path)
        await receiver.wait_idle()
        async with serving(receiver) as stream:
            stream.feed(EMPTY_A)
            await stream.written(len(OK))
            waiting = asyncio.create_task(receiver.wait_idle())
            await asyncio.sleep(0)
            assert not waiting.done()
            stream.feed(DIGEST_OF_NOTHING)
            stream.feed_eof()
        await waiting


class TestSender:
    async def test_the_bytes_on_the_wire(self, tmp_path: Path) -> None:
        stream = PipeStream(after_end=OK)
        stream.feed(OK)
        sent = await sender(stream).send_file(make(tmp_path / "b", b"\x00\x01\x02"))
        assert (bytes(stream.sent), stream.ended) == (SMALL_B, True)
        assert (sent.size, sent.digest) == (3, DIGEST_OF_012)

    async def test_a_refusal(self, tmp_path: Path) -> None:
        file = make(tmp_path / "b", b"\x00\x01\x02")
        for code in (*range(1, 9), 10, 200):
            stream = PipeStream()
            stream.feed(framed(Reply(code, "because").encode()))
            with pytest.raises(FileRefusedError, match="b: because") as caught:
                await sender(stream).send_file(file)
            assert caught.value.reason == (code if code < 200 else None)
            assert bytes(stream.sent) == SMALL_B[:14]
            # Also while somebody keeps the error, and with it everything that its frames hold.
            assert not is_open(file.path)

    async def test_a_verdict_that_is_no_good(self, tmp_path: Path) -> None:
        stream = PipeStream()
        stream.feed(OK + framed(Reply(ReplyCode.DIGEST_MISMATCH).encode()))
        with pytest.raises(DigestMismatchError):
            await sender(stream).send_file(make(tmp_path / "b", b"\x00\x01\x02"))

    async def test_a_refusal_in_the_middle_ends_it(self, tmp_path: Path) -> None:
        stream = PipeStream(window=HALF)
        stream.feed(OK)
        file = make(tmp_path / "big", bytes(8 << 20))
        sending = asyncio.create_task(sender(stream).send_file(file))
        await stream.written(HALF)
        stream.feed(framed(Reply(ReplyCode.NO_SPACE, "full").encode()))
        stream.window = 1 << 30
        stream.wake()
        with pytest.raises(FileRefusedError, match="full") as caught:
            await sending
        assert caught.value.reason is ReplyCode.NO_SPACE
        assert stream.reset_code is not None
        assert len(stream.sent) < file.size

    async def test_a_verdict_before_the_end_is_an_error(self, tmp_path: Path) -> None:
        stream = PipeStream(window=HALF)
        stream.feed(OK + OK)
        with pytest.raises(FileProtocolError, match="before the end"):
            await sender(stream).send_file(make(tmp_path / "big", bytes(8 << 20)))

    async def test_what_the_receiver_said_is_told_although_it_then_reset(self, tmp_path: Path) -> None:
        stream = PipeStream(window=HALF)
        stream.feed(OK)
        sending = asyncio.create_task(sender(stream).send_file(make(tmp_path / "big", bytes(8 << 20))))
        await stream.written(HALF)
        stream.feed(framed(Reply(ReplyCode.NO_SPACE, "full").encode()))
        stream.refuse_writes_after(0)
        with pytest.raises(FileRefusedError, match="full"):
            await sending

    @pytest.mark.parametrize(
        "reply", [b"\x00", b"\x01\x00", b"\xff\xff\x03", b"\x80\x00", b"\x05\x00\x00\x00\x01\x00"]
    )
    async def test_a_malformed_reply(self, tmp_path: Path, reply: bytes) -> None:
        for before in (b"", OK):
            stream = PipeStream()
            stream.feed(before + reply)
            with pytest.raises(FileProtocolError):
                await sender(stream).send_file(make(tmp_path / "b", b"\x00\x01\x02"))

    @pytest.mark.parametrize("then", ["end", "reset"])
    async def test_a_receiver_that_goes_away(self, tmp_path: Path, then: str) -> None:
        for end in range(2 * len(OK)):
            stream = PipeStream()
            stream.feed((OK + OK)[:end])
            stream.feed_eof() if then == "end" else stream.feed_reset(7)
            with pytest.raises(TransferAbortedError):
                await sender(stream).send_file(make(tmp_path / "b", b"\x00\x01\x02"))

    async def test_a_silent_receiver_is_given_up(self, tmp_path: Path) -> None:
        for replies in (b"", OK):
            stream = PipeStream()
            stream.feed(replies)
            with pytest.raises(TransferAbortedError, match="no progress for"):
                await sender(stream, idle_timeout=0.02).send_file(make(tmp_path / "b", b"x"))

    async def test_a_file_that_changes_resets_the_stream(self, tmp_path: Path) -> None:
        stream = PipeStream(window=HALF)
        stream.feed(OK)
        sending = asyncio.create_task(sender(stream).send_file(make(tmp_path / "big", bytes(8 << 20))))
        await stream.written(HALF)
        with (tmp_path / "big").open("r+b") as file:
            file.truncate(3 << 20)
        stream.window = 1 << 30
        stream.wake()
        with pytest.raises(SourceError, match="shorter"):
            await sending
        assert stream.reset_code == 0x2102

    async def test_cancelling_resets_the_stream(self, tmp_path: Path) -> None:
        stream = PipeStream(window=HALF)
        stream.feed(OK)
        sending = asyncio.create_task(sender(stream).send_file(make(tmp_path / "big", bytes(8 << 20))))
        await stream.written(HALF)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert stream.reset_code == 0x2101

    async def test_a_file_that_is_gone_opens_no_stream(self, tmp_path: Path) -> None:
        class NoConnection:
            async def open_stream(self, protocol: str) -> Any:
                raise AssertionError("not needed")

        with pytest.raises(SourceError, match="vanished"):
            await FileSender(NoConnection()).send_file(OutgoingFile(tmp_path / "none", "none", 1))  # type: ignore[arg-type]


class PipeStream:
    """One end of a stream; the test is the other end."""

    connection = None
    remote_peer = "the test"

    def __init__(self, piece: int = 1 << 20, window: int = 1 << 30, after_end: bytes = b"") -> None:
        self.sent = bytearray()
        self.ended = False
        self.reset_code: int | None = None
        self.window = window
        self.after_end = after_end
        self._piece = piece
        self._buffer = bytearray()
        self._eof = False
        self._broken: StreamResetError | None = None
        self._writable = 1 << 30
        self._changed = asyncio.Event()

    # What the test does

    def feed(self, data: bytes) -> None:
        self._buffer += data
        self.wake()

    def feed_eof(self) -> None:
        self._eof = True
        self.wake()

    def feed_reset(self, code: int) -> None:
        self._broken = StreamResetError("reset by the test", error_code=code, remote=True)
        self.wake()

    def refuse_writes_after(self, size: int) -> None:
        self._writable = size
        self.wake()

    async def written(self, size: int) -> None:
        while len(self.sent) < size:
            await self._wait()

    def wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # What the protocol does

    async def read(self, n: int = -1) -> bytes:
        assert n >= 0
        while not self._buffer:
            if self._broken is not None:
                raise self._broken
            if self._eof:
                return b""
            await self._wait()
        data = bytes(self._buffer[: min(n, self._piece)])
        del self._buffer[: len(data)]
        return data

    async def readinto(self, block: FileBlock) -> int:
        return block.extend(await self.read(block.room))

    async def readexactly(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            if not (more := await self.read(n - len(data))):
                raise asyncio.IncompleteReadError(data, n)
            data += more
        return data

    async def read_message(self, limit: int) -> bytes:
        length = shift = 0
        while True:
            (byte,) = await self.readexactly(1)
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if length > limit or (byte == 0 and shift > 7):
            raise RemoteProtocolError("the length of a message")
        return await self.readexactly(length)

    async def write(self, data: bytes | FileBlock) -> None:
        data = bytes(data)
        for start in range(0, len(data), 1 << 18):
            while len(self.sent) >= self.window and self._writable > len(self.sent):
                await self._wait()
            if len(self.sent) >= self._writable or self.reset_code is not None:
                raise StreamResetError("reset by the test", remote=True)
            self.sent += data[start : start + (1 << 18)]
            self.wake()
        # A real stream, too, lets others run only when it has to wait; this one is kinder.
        await asyncio.sleep(0)

    async def write_message(self, data: bytes) -> None:
        await self.write(framed(data))

    async def write_eof(self) -> None:
        self.ended = True
        self.feed(self.after_end)

    def reset(self, error_code: int = 0) -> None:
        if self.reset_code is None:
            self.reset_code = error_code
            self.feed_reset(error_code)

    async def __aenter__(self) -> PipeStream:
        return self

    async def __aexit__(self, kind: object, *rest: object) -> None:
        if kind is not None:
            self.reset()

    async def _wait(self) -> None:
        await self._changed.wait()


@contextlib.asynccontextmanager
async def serving(receiver: FileReceiver, piece: int = 1 << 20) -> AsyncIterator[PipeStream]:
    """A stream that `receiver` serves, until it is done with it."""
    stream = PipeStream(piece)
    task = asyncio.create_task(receiver(stream))  # type: ignore[arg-type]
    yield stream
    await task


async def answer_to(receiver: FileReceiver, data: bytes, piece: int = 1 << 20) -> bytes:
    async with serving(receiver, piece) as stream:
        stream.feed(data)
        stream.feed_eof()
    return bytes(stream.sent)


def sender(stream: PipeStream, idle_timeout: float = 10.0) -> FileSender:
    class OneStream:
        async def open_stream(self, protocol: str) -> PipeStream:
            return stream

    return FileSender(OneStream(), idle_timeout=idle_timeout)  # type: ignore[arg-type]


def make(path: Path, content: bytes) -> OutgoingFile:
    path.write_bytes(content)
    return OutgoingFile(path, path.name, len(content))


async def digest_of(content: bytes, folder: Path) -> bytes:
    stream = PipeStream(after_end=OK)
    stream.feed(OK)
    return (await sender(stream).send_file(make(folder / "content", content))).digest


def is_open(path: Path) -> bool:
    return any(os.path.realpath(link) == str(path) for link in Path("/proc/self/fd").iterdir())


def framed(message: bytes) -> bytes:
    assert len(message) < 128
    return bytes([len(message)]) + message


def last_reply(data: bytes) -> int:
    assert data
    assert data[0] == len(data) - 1
    return Reply.decode(data[1:]).code
