"""Sending: each file on a stream of its own, several at once, over one connection."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from plait._core import FileBlock
from plait.exceptions import ConnectionClosedError, NegotiationError, StreamError
from plait.files.disk import BLOCK, DiskThreads
from plait.files.errors import (
    DigestMismatchError,
    FileProtocolError,
    FileRefusedError,
    FileTransferError,
    SendFailedError,
    SourceError,
    TransferAbortedError,
)
from plait.files.exchange import IDLE_TIMEOUT, Exchange
from plait.files.messages import PROTOCOL, RESET_CANCELLED, RESET_SOURCE, Reply, ReplyCode, Request
from plait.files.outgoing import OutgoingFile, Source, collect
from plait.files.progress import Progress

if TYPE_CHECKING:
    from plait.abc import Connection, Network, Stream, Target

__all__ = ["FailedFile", "FileSender", "SendReport", "SentFile", "send_files"]


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file that is at the receiver, verified and under its final name.

    Attributes:
        file: what was sent.
        size: bytes that were sent.
        digest: BLAKE3, 32 bytes.
        seconds: from opening it to the receiver's verdict.
    """

    file: OutgoingFile
    size: int
    digest: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class FailedFile:
    """A file that is not at the receiver.

    Attributes:
        file: what was to be sent.
        error: why it was not.
    """

    file: OutgoingFile
    error: FileTransferError


@dataclass(slots=True)
class SendReport:
    """What became of the files.

    Attributes:
        connection: what they went over.
        sent: in the order in which they were verified.
        failed: in the order in which they failed.
        left_out: links, pipes and the like that were found in folders.
        seconds: from the first request to the last verdict.
    """

    connection: Connection
    sent: list[SentFile] = field(default_factory=list)
    failed: list[FailedFile] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def bytes(self) -> int:
        """Of all files that were sent."""
        return sum(sent.size for sent in self.sent)


async def send_files(
    network: Network,
    target: Target,
    paths: Iterable[str | os.PathLike[str]],
    *,
    parallel: int | None = None,
    on_file: Callable[[SentFile], None] | None = None,
    on_failure: Callable[[FailedFile], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> SendReport:
    """Sends files and folders to a peer, and returns when all of them were verified there.

    Args:
        network: the host that dials.
        target: the peer: an address with ``/p2p``, a `PeerId`, or a connection.
        paths: what to send; see `collect` for how folders and links are taken.
        parallel: files at once; `PARALLEL` by default.
        on_file: told of each file that was verified at the peer.
        on_failure: told of each that was not.
        on_progress: called after each block, always with the same object.

    Raises:
        SourceError, InvalidNameError: one of the paths cannot be sent; nothing was.
        DialError: the peer cannot be reached.
        ProtocolNotSupportedError: it takes no files.
        SendFailedError: some files failed, and the others were sent; its report says which.

    Cancelling it gives up the files that are on their way; those that were verified stay.
    """
    disk = DiskThreads()
    try:
        files, left_out = await disk.start(collect, paths)
    finally:
        disk.close()
    connection = await network.connect(target)
    sender = FileSender(
        connection, parallel=parallel, on_file=on_file, on_failure=on_failure, on_progress=on_progress
    )
    return await sender.send(files, left_out)


class FileSender:
    """Sends files over one connection, which stays open afterwards.

    Attributes:
        progress: of the running call to `send`.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        parallel: int | None = None,
        on_file: Callable[[SentFile], None] | None = None,
        on_failure: Callable[[FailedFile], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        idle_timeout: float = IDLE_TIMEOUT,
    ) -> None:
        """Sends nothing yet.

        Args:
            connection: to the receiver.
            parallel: files at once, each on its own stream; `PARALLEL` by default.
            on_file: told of each file that was verified at the peer.
            on_failure: told of each that was not.
            on_progress: called after each block, always with the same object.
            idle_timeout: seconds without progress after which a file is given up.
        """
        self.progress = Progress()
        self._connection = connection
        self._parallel = max(1, PARALLEL if parallel is None else parallel)
        self._on_file = on_file
        self._on_failure = on_failure
        self._on_progress = on_progress
        self._idle_timeout = idle_timeout
        self._disk = DiskThreads()

    async def send(self, files: Sequence[OutgoingFile], left_out: Iterable[Path] = ()) -> SendReport:
        """Sends all files; one that fails does not stop the others, the end of the connection does.

        Raises:
            ProtocolNotSupportedError: the peer takes no files.
            SendFailedError: some files failed.

        Cancelling it gives up the files that are on their way.
        """
        report = SendReport(self._connection, left_out=list(left_out))
        self.progress = Progress(sum(file.size for file in files), len(files))
        self.progress.start()
        todo = iter(files)
        try:
            async with asyncio.TaskGroup() as group:
                workers = [
                    group.create_task(self._work(todo, report))
                    for _ in range(min(self._parallel, len(files)))
                ]
        finally:
            self.progress.stop()
            report.seconds = self.progress.seconds
        for worker in workers:
            if refused := worker.result():
                raise refused
        if report.failed:
            raise _failure(report)
        return report

    async def send_file(self, file: OutgoingFile) -> SentFile:
        """Sends one file.

        Raises:
            SourceError: it cannot be read, or changed meanwhile.
            FileRefusedError: the receiver would not take it, or could not keep it.
            DigestMismatchError: it arrived damaged, and was thrown away.
            TransferAbortedError: the receiver or the connection gave up.
            FileProtocolError: the receiver broke the rules.
            ProtocolNotSupportedError: the peer takes no files.

        Cancelling it resets the stream, and the receiver removes what it has.
        """
        started = time.monotonic()
        source = await self._disk.start(Source, file)
        try:
            async with await self._open_stream(file) as stream:
                try:
                    exchange = Exchange(stream, self._idle_timeout, file.name)
                    await exchange.write_request(Request(file.name.encode(), source.size))
                    _check_reply(await exchange.read_reply(), file)
                    digest = await self._copy(exchange, source, file)
                except BaseException as error:
                    stream.reset(RESET_SOURCE if isinstance(error, SourceError) else RESET_CANCELLED)
                    raise
        finally:
            await self._disk.settle(source.close)
        return SentFile(file, source.size, digest, time.monotonic() - started)

    async def _work(self, todo: Iterator[OutgoingFile], report: SendReport) -> NegotiationError | None:
        for file in todo:
            try:
                sent = await self.send_file(file)
            except FileTransferError as error:
                report.failed.append(failed := FailedFile(file, error))
                self.progress.files_failed += 1
                if self._on_failure is not None:
                    self._on_failure(failed)
            except NegotiationError as error:
                # It would be the same for every other file.
                return error
            else:
                report.sent.append(sent)
                self.progress.files_done += 1
                if self._on_file is not None:
                    self._on_file(sent)
        return None

    async def _open_stream(self, file: OutgoingFile) -> Stream:
        try:
            return await self._connection.open_stream(PROTOCOL)
        except (ConnectionClosedError, StreamError) as error:
            raise TransferAbortedError(f"no stream for it: {error}", name=file.name) from error

    async def _copy(self, exchange: Exchange, source: Source, file: OutgoingFile) -> bytes:
        """The bytes, the digest, and the verdict; returns the digest."""
        # The receiver may say at any time that it cannot go on, and then discards what comes.
        verdict = asyncio.create_task(exchange.next_reply())
        try:
            digest = await self._write_bytes(exchange, source, verdict)
            if digest is not None:
                await exchange.write_digest(digest)
            _check_reply(await exchange.within(verdict), file)
            if digest is None:
                raise FileProtocolError("the receiver's verdict came before the end", name=file.name)
            return digest
        except TransferAbortedError:
            # What the receiver said before it went away tells more than that it is gone.
            await asyncio.wait([verdict], timeout=LAST_WORD)
            if verdict.done() and not verdict.cancelled() and verdict.exception() is None:
                _check_reply(verdict.result(), file)
            raise
        finally:
            verdict.cancel()
            await asyncio.wait([verdict])

    async def _write_bytes(
        self, exchange: Exchange, source: Source, verdict: asyncio.Task[Reply]
    ) -> bytes | None:
        """Sends the bytes and returns their digest; `None` if the receiver answered before."""
        # While one block goes to the stream, the next one is read and hashed into the other.
        left, size = source.size, min(BLOCK, source.size) or 1
        spare = FileBlock(size)
        reading = self._read(source, FileBlock(size), left)
        while left:
            block = await reading
            length = len(block)
            left -= length
            if left:
                reading = self._read(source, spare, left)
            if verdict.done():
                return None
            await exchange.write_block(block)
            spare = block
            self.progress.bytes += length
            if self._on_progress is not None:
                self._on_progress(self.progress)
        return await self._disk.start(source.finish)

    def _read(self, source: Source, block: FileBlock, left: int) -> asyncio.Future[FileBlock]:
        """Begins to read the next block."""
        block.clear(left)
        return self._disk.start(source.read, block)


def _check_reply(reply: Reply, file: OutgoingFile) -> None:
    if reply.code == ReplyCode.OK:
        return
    text = reply.text or "the receiver gave no reason"
    if reply.code == ReplyCode.DIGEST_MISMATCH:
        raise DigestMismatchError(text, name=file.name)
    known = reply.code in ReplyCode.__members__.values()
    raise FileRefusedError(text, reason=ReplyCode(reply.code) if known else None, name=file.name)


def _failure(report: SendReport) -> SendFailedError:
    first = report.failed[0].error
    if len(report.failed) + len(report.sent) == 1:
        error = SendFailedError(str(first), report=report)
    else:
        total = len(report.failed) + len(report.sent)
        why = f"{len(report.failed)} of {total} files were not sent; the first: {first}"
        error = SendFailedError(why, report=report)
    error.__cause__ = first
    return error


# Seconds for a verdict that has arrived to be read once the stream is broken: turns of the loop, no travel.
LAST_WORD = 0.5

# Enough for small files to hide each other's round trips; more only makes disks jump.
PARALLEL = 4
