"""Receiving: one handler for all streams of `/plait/files/1.0.0`."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from plait._core import FileBlock
from plait.files.destination import FULL, Destination, Folder
from plait.files.disk import BLOCK, DiskThreads
from plait.files.errors import (
    DestinationError,
    DigestMismatchError,
    FileRefusedError,
    FileTransferError,
    InvalidNameError,
    TransferAbortedError,
)
from plait.files.exchange import IDLE_TIMEOUT, Exchange
from plait.files.messages import MAX_SIZE, RESET_CANCELLED, Reply, ReplyCode, UnsupportedRequestError
from plait.files.names import decode_name
from plait.files.progress import Progress

if TYPE_CHECKING:
    from plait.abc import Stream
    from plait.identity import PeerId

__all__ = ["FailedTransfer", "FileOffer", "FileReceiver", "ReceivedFile", "ReceiverLimits"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FileOffer:
    """A file that a peer would like to send.

    Attributes:
        peer: who offers it; authenticated.
        name: relative path with ``/`` between its parts; checked.
        size: in bytes.
    """

    peer: PeerId
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file that arrived, was verified, and has its final name.

    Attributes:
        peer: who sent it.
        name: as it was offered.
        path: where it is.
        size: in bytes.
        digest: BLAKE3, 32 bytes.
        seconds: from the offer to the final name.
    """

    peer: PeerId
    name: str
    path: Path
    size: int
    digest: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class FailedTransfer:
    """An offer that was refused or a file that did not arrive; nothing is left of it.

    Attributes:
        peer: who offered it.
        name: as it was offered; ``None`` when the offer itself could not be read.
        error: why.
    """

    peer: PeerId
    name: str | None
    error: FileTransferError


@dataclass(frozen=True, slots=True)
class ReceiverLimits:
    """What a receiver takes on.

    Attributes:
        max_file_size: bytes. By default the disk decides: what does not fit into its free space is
            refused before it is sent.
        max_transfers: files arriving at the same time. Each holds two blocks of 1 MiB and a file
            descriptor; senders are told to come back, as waiting would hold their streams.
        idle_timeout: seconds without a block from the sender.
    """

    max_file_size: int = MAX_SIZE
    max_transfers: int = 32
    idle_timeout: float = IDLE_TIMEOUT


Accept: TypeAlias = "Callable[[FileOffer], bool | Awaitable[bool]]"


class FileReceiver:
    """Writes what peers send into a folder: ``host.handle(files.PROTOCOL, FileReceiver("inbox"))``.

    A file appears under its name when all its bytes are there and its digest is right, never before.
    A name that leads out of the folder is refused, and so is one that is taken, unless `overwrite`.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        accept: Accept | None = None,
        limits: ReceiverLimits | None = None,
        on_file: Callable[[ReceivedFile], None] | None = None,
        on_failure: Callable[[FailedTransfer], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """Touches nothing yet; the folder is made when the first file comes.

        Args:
            directory: where files go. Folders of their names are made in it.
            overwrite: replace files of the same name, each in one step. Never replaces a folder.
            accept: asked before anything is written, after our own checks; the sender waits meanwhile.
            limits: see `ReceiverLimits`.
            on_file: told of each file that arrived.
            on_failure: told of each that did not, and why; not of those that our own end cut off.
            on_progress: called after each block, always with the same object.
        """
        self.progress = Progress()
        self._folder = Folder(Path(directory).resolve(), overwrite=overwrite)
        self._accept = accept
        self._limits = limits or ReceiverLimits()
        self._on_file = on_file
        self._on_failure = on_failure
        self._on_progress = on_progress
        self._disk = DiskThreads()
        self._serving = 0
        self._arriving = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(self, stream: Stream) -> None:
        """Serves one stream, which is one file. Raises only what one of the callbacks raised.

        Cancelling removes what had arrived before it ends.
        """
        self._serving += 1
        self._idle.clear()
        self.progress.start()
        try:
            await self._serve(Exchange(stream, self._limits.idle_timeout))
        except Exception:
            self.progress.files_failed += 1
            raise
        finally:
            self._serving -= 1
            if not self._serving:
                self.progress.stop()
                self._idle.set()

    async def wait_idle(self) -> None:
        """Waits until no file is arriving. Cancelling it changes nothing."""
        await self._idle.wait()

    async def _serve(self, exchange: Exchange) -> None:
        peer = exchange.stream.remote_peer
        try:
            received = await self._receive(exchange)
        except FileTransferError as error:
            self.progress.files_failed += 1
            log.debug("a file from %s was not received: %s", peer, error)
            await _refuse(exchange, error)
            if self._on_failure is not None:
                self._on_failure(FailedTransfer(peer, exchange.name, error))
            return
        self.progress.files_done += 1
        if self._on_file is not None:
            self._on_file(received)
        # The file is here; that its sender went away before it could know changes nothing.
        with contextlib.suppress(FileTransferError):
            await exchange.write_reply(Reply(ReplyCode.OK))

    async def _receive(self, exchange: Exchange) -> ReceivedFile:
        started = time.monotonic()
        request = await exchange.read_request()
        parts = decode_name(request.name)
        exchange.name = "/".join(parts)
        offer = FileOffer(exchange.stream.remote_peer, exchange.name, request.size)
        self._arriving += 1
        try:
            await self._check(offer)
            destination = Destination(self._folder, parts, request.size)
            digest = await self._store(exchange, destination, request.size)
        finally:
            self._arriving -= 1
        seconds = time.monotonic() - started
        return ReceivedFile(offer.peer, offer.name, destination.path, offer.size, digest, seconds)

    async def _check(self, offer: FileOffer) -> None:
        if self._arriving > self._limits.max_transfers:
            raise FileRefusedError("the receiver is busy; try again", reason=ReplyCode.BUSY, name=offer.name)
        if offer.size > self._limits.max_file_size:
            why = f"the receiver takes files of at most {self._limits.max_file_size} bytes"
            raise FileRefusedError(why, reason=ReplyCode.TOO_LARGE, name=offer.name)
        if self._accept is not None:
            answer = self._accept(offer)
            if not (await answer if inspect.isawaitable(answer) else answer):
                why = "the receiver does not want it"
                raise FileRefusedError(why, reason=ReplyCode.DECLINED, name=offer.name)

    async def _store(self, exchange: Exchange, destination: Destination, size: int) -> bytes:
        try:
            await self._disk.start(destination.open)
            self.progress.files += 1
            self.progress.total += size
            await exchange.write_reply(Reply(ReplyCode.OK))
            await self._copy(exchange, destination, size)
            digest = await exchange.read_digest()
            # Once it has begun it is seen through, so that whoever cancelled knows what there is.
            await self._disk.settle(destination.commit, digest)
        except BaseException:
            await self._disk.settle(destination.abandon)
            raise
        return digest

    async def _copy(self, exchange: Exchange, destination: Destination, size: int) -> None:
        # While one block is hashed and written, the next one is gathered from the stream.
        writing: asyncio.Future[None] | None = None
        left = size
        block, spare = FileBlock(min(BLOCK, size) or 1), FileBlock(min(BLOCK, size) or 1)
        while left:
            block.clear(left)
            await exchange.read_block(block)
            count = len(block)
            if writing is not None:
                await writing
            writing = self._disk.start(destination.write, block)
            block, spare = spare, block
            left -= count
            self.progress.bytes += count
            if self._on_progress is not None:
                self._on_progress(self.progress)
        if writing is not None:
            await writing


async def _refuse(exchange: Exchange, error: FileTransferError) -> None:
    """Tells the sender why, if there is anyone to tell. What still comes is discarded by the stream's end."""
    if not isinstance(error, TransferAbortedError):
        try:
            await exchange.write_reply(Reply(_reply_code(error), error.message))
        except FileTransferError:
            pass
        else:
            return
    exchange.stream.reset(RESET_CANCELLED)


def _reply_code(error: FileTransferError) -> ReplyCode:
    match error:
        case FileRefusedError(reason=ReplyCode() as reason):
            return reason
        case InvalidNameError():
            return ReplyCode.BAD_NAME
        case DestinationError():
            return ReplyCode.NO_SPACE if error.errno in FULL else ReplyCode.WRITE_FAILED
        case DigestMismatchError():
            return ReplyCode.DIGEST_MISMATCH
        case UnsupportedRequestError():
            return ReplyCode.UNSUPPORTED
        case _:
            return ReplyCode.MALFORMED
