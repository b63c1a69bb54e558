"""`/perf/1.0.0`: so many bytes up, then so many down, on one stream.

The client writes the size of the download in eight bytes, then the upload, then ends its half; the
server answers only then. Since a few bytes make a server send any amount, no host serves it unless
told to, and then within bounds: `host.handle(perf.PROTOCOL, perf.PerfServer())`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plait.exceptions import LimitError, RemoteProtocolError

if TYPE_CHECKING:
    from plait.abc import Connection, Stream
    from plait.identity import PeerId

__all__ = ["PROTOCOL", "PerfResult", "PerfServer", "measure"]

logger = logging.getLogger(__name__)

PROTOCOL = "/perf/1.0.0"
# Bytes of the download's size, big-endian.
HEADER = 8
# Error codes of resets, as go-libp2p publishes them.
RESOURCE_LIMIT = 0x1002
GATED = 0x1008
# One write: the session takes `bytes` as they are, so a large one costs no more than a small one.
BLOCK = bytes(1024 * 1024)
# One read: a few full records of the secure channel.
READ = 128 * 1024


@dataclass(frozen=True, slots=True)
class PerfResult:
    """What one run took.

    Attributes:
        uploaded: bytes sent.
        upload_seconds: from the first byte to the first byte back, or to the peer's end.
        downloaded: bytes received.
        download_seconds: from the first byte back to the last.
    """

    uploaded: int
    upload_seconds: float
    downloaded: int
    download_seconds: float


class PerfServer:
    """Takes uploads and sends downloads.

    Args:
        max_bytes: most bytes in each direction of one stream.
        max_seconds: longest time of one stream.
        allowed: peers that may use it; everybody when `None`.
    """

    def __init__(
        self,
        max_bytes: int = 16 * 1024**3,
        max_seconds: float = 120.0,
        allowed: Collection[PeerId] | None = None,
    ) -> None:
        # The defaults let a benchmark of a fast machine run for some ten seconds in each direction.
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._allowed = allowed

    async def __call__(self, stream: Stream) -> None:
        """Serves one run, or resets the stream when the run is beyond what is allowed."""
        if self._allowed is not None and stream.remote_peer not in self._allowed:
            stream.reset(GATED)
            return
        try:
            async with asyncio.timeout(self._max_seconds):
                size = await self._take(stream)
                await _send(stream, size)
                await stream.write_eof()
        except (LimitError, TimeoutError) as error:
            logger.debug("perf for %s ended: %s", stream.remote_peer, error)
            stream.reset(RESOURCE_LIMIT)

    async def _take(self, stream: Stream) -> int:
        """Reads everything up to the peer's end; gives how many bytes it wants back."""
        size = int.from_bytes(await stream.readexactly(HEADER), "big")
        if size > self._max_bytes:
            raise LimitError(f"a download of {size} bytes where {self._max_bytes} are the most")
        received = 0
        async for chunk in stream:
            received += len(chunk)
            if received > self._max_bytes:
                raise LimitError(f"an upload of more than {self._max_bytes} bytes")
            # Not held while it waits: the next piece gets its memory, which caches still have.
            del chunk
        return size


async def measure(connection: Connection, upload: int, download: int) -> PerfResult:
    """One run against a peer that serves `/perf/1.0.0`; sizes in bytes.

    Raises:
        ProtocolNotSupportedError: the peer does not serve it.
        RemoteProtocolError: more or fewer bytes came back than were asked for.
        StreamResetError: the peer refused the run or broke off.

    Cancelling it resets the stream.
    """
    if not 0 <= download < 1 << 64 or upload < 0:
        raise LimitError("sizes are from 0 to 2^64 - 1", limit="perf")
    async with await connection.open_stream(PROTOCOL) as stream:
        start = time.perf_counter()
        await stream.write(download.to_bytes(HEADER, "big"))
        await _send(stream, upload)
        await stream.write_eof()
        received = len(await stream.read(READ))
        turned = time.perf_counter()
        if received:
            async for chunk in stream:
                received += len(chunk)
                if received > download:
                    break
                del chunk
        end = time.perf_counter()
        if received != download:
            raise RemoteProtocolError(f"{received} bytes came back where {download} were asked for")
        return PerfResult(upload, turned - start, received, end - turned)


async def _send(stream: Stream, size: int) -> None:
    while size >= len(BLOCK):
        await stream.write(BLOCK)
        size -= len(BLOCK)
    if size:
        await stream.write(BLOCK[:size])
