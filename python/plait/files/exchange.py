"""One stream of the files protocol: what each side says on it, and what its errors mean for a file."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

from plait.exceptions import ConnectionClosedError, RemoteProtocolError, StreamError, StreamResetError
from plait.files.errors import FileProtocolError, TransferAbortedError
from plait.files.messages import (
    DIGEST_SIZE,
    MAX_REPLY,
    MAX_REQUEST,
    RESET_CANCELLED,
    RESET_SOURCE,
    Reply,
    Request,
)

if TYPE_CHECKING:
    from plait._core import FileBlock
    from plait.abc import Stream

__all__ = ["IDLE_TIMEOUT", "Exchange"]

T = TypeVar("T")


class Exchange:
    """The steps of the protocol over one stream, each under the same timeout.

    Every step raises `TransferAbortedError` when the other side gave up, fell silent or went away, and
    `FileProtocolError` for what the protocol forbids.
    """

    __slots__ = ("_idle_timeout", "name", "stream")

    def __init__(self, stream: Stream, idle_timeout: float, name: str | None = None) -> None:
        self.stream = stream
        self.name = name
        self._idle_timeout = idle_timeout

    # The sender's steps

    async def write_request(self, request: Request) -> None:
        await self.within(self.stream.write_message(request.encode()))

    async def write_block(self, block: FileBlock) -> None:
        """All that is in it; afterwards it may be used again."""
        await self.within(self.stream.write(block))

    async def write_digest(self, digest: bytes) -> None:
        """The digest, and the end of our half."""
        await self.within(self.stream.write(digest))
        await self.within(self.stream.write_eof())

    async def read_reply(self) -> Reply:
        return await self.within(self.next_reply())

    async def next_reply(self) -> Reply:
        """The same, for as long as it takes, and with the stream's own errors."""
        return Reply.decode(await self.stream.read_message(MAX_REPLY))

    # The receiver's steps

    async def read_request(self) -> Request:
        return Request.decode(await self.within(self.stream.read_message(MAX_REQUEST)))

    async def read_block(self, block: FileBlock) -> None:
        """All that there is room for in `block`."""
        await self.within(self._gather(block))

    async def read_digest(self) -> bytes:
        """The digest, and the end of the sender's half that has to follow it."""
        digest = await self.within(self.stream.readexactly(DIGEST_SIZE))
        if await self.within(self.stream.read(1)):
            raise FileProtocolError("there are bytes after the digest", name=self.name)
        return digest

    async def write_reply(self, reply: Reply) -> None:
        await self.within(self.stream.write_message(reply.encode()))

    # Both

    async def within(self, step: Awaitable[T]) -> T:
        """Awaits one step, and translates what can go wrong with it."""
        try:
            async with asyncio.timeout(self._idle_timeout):
                return await step
        except TimeoutError:
            why = f"the other side made no progress for {self._idle_timeout:g} s"
            raise TransferAbortedError(why, name=self.name) from None
        except EOFError:
            why = "the other side ended its half before the transfer was complete"
            raise TransferAbortedError(why, name=self.name) from None
        except RemoteProtocolError as error:
            raise FileProtocolError(error.message, name=self.name) from error
        except StreamResetError as error:
            why = RESETS.get(error.error_code or 0, f"the stream was reset: {error}")
            raise TransferAbortedError(why, name=self.name) from error
        except (ConnectionClosedError, StreamError) as error:
            raise TransferAbortedError(f"the connection ended: {error}", name=self.name) from error

    async def _gather(self, block: FileBlock) -> None:
        while block.room:
            if not await self.stream.readinto(block):
                raise EOFError


RESETS = {
    RESET_CANCELLED: "the other side cancelled the transfer",
    RESET_SOURCE: "the file could not be read, or changed while it was sent",
}

# Seconds without any progress. Long enough for the other side's disk to wake up, or to write out what
# it had put off; short enough that whoever watches still believes in it.
IDLE_TIMEOUT = 60.0
