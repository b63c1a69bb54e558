"""A muxer of one's own: frames with a length in front, and credit, so that each stream goes at its own pace.

python examples/plugin_muxer.py
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Iterator

import plait
from plait.abc import Frame, GoAway, StreamCredit, StreamData, StreamFin, StreamOpened, StreamReset

OPEN, DATA, FIN, RESET, CREDIT, GO_AWAY = range(6)
# The kind, the stream, then a number: the length of what follows for DATA, bytes of credit, or a code.
HEADER = struct.Struct(">BII")
# What each side may send on a stream before the other one has read of it.
WINDOW = 256 * 1024


class Framed:
    """The plug-in."""

    protocol = "/example/framed/1.0.0"

    def begin(self, role: str, now: float) -> Connection:
        return Connection(first=1 if role == "initiator" else 2)


class Connection:
    """One end. Whoever began the connection gives odd numbers to its streams, the other one even ones."""

    def __init__(self, first: int) -> None:
        self.number = first
        self.incoming = bytearray()
        self.out = bytearray()
        # What we may still send, and what the peer may, of each stream.
        self.ours: dict[int, int] = {}
        self.theirs: dict[int, int] = {}

    # From the peer

    def receive(self, data: bytes, now: float) -> Iterator[Frame]:
        self.incoming += data
        while len(self.incoming) >= HEADER.size:
            kind, stream, number = HEADER.unpack_from(self.incoming)
            end = HEADER.size + (number if kind == DATA else 0)
            if kind == DATA and number > self.theirs.get(stream, WINDOW):
                raise ValueError(f"{number} bytes are more than stream {stream} has credit for")
            if len(self.incoming) < end:
                return
            body = bytes(self.incoming[HEADER.size : end])
            del self.incoming[:end]
            yield self.meaning(kind, stream, number, body)

    def meaning(self, kind: int, stream: int, number: int, body: bytes) -> Frame:
        if kind == OPEN:
            if stream % 2 == self.number % 2:
                raise ValueError(f"the peer opened stream {stream}, a number of ours")
            self.begin(stream)
            return StreamOpened(stream)
        if kind == DATA:
            if stream in self.theirs:
                self.theirs[stream] -= number
            return StreamData(stream, body)
        if kind == FIN:
            self.theirs.pop(stream, None)
            return StreamFin(stream)
        if kind == RESET:
            self.end(stream)
            return StreamReset(stream, number)
        if kind == CREDIT:
            if stream in self.ours:
                self.ours[stream] += number
            return StreamCredit(stream)
        if kind == GO_AWAY:
            return GoAway(number)
        raise ValueError(f"frames of kind {kind} do not exist")

    # To the peer

    def open(self) -> int | None:
        stream, self.number = self.number, self.number + 2
        self.begin(stream)
        self.frame(OPEN, stream, 0)
        return stream

    def send(self, stream: int, data: bytes) -> int:
        count = min(len(data), self.ours[stream])
        if count:
            self.ours[stream] -= count
            self.frame(DATA, stream, count, data[:count])
        return count

    def finish(self, stream: int) -> None:
        self.ours.pop(stream, None)
        self.frame(FIN, stream, 0)

    def reset(self, stream: int, error_code: int) -> None:
        self.end(stream)
        self.frame(RESET, stream, error_code)

    def consumed(self, stream: int, count: int) -> None:
        if stream in self.theirs:
            self.theirs[stream] += count
            self.frame(CREDIT, stream, count)

    def go_away(self, error_code: int) -> None:
        self.frame(GO_AWAY, 0, error_code)

    def transmit(self) -> bytes:
        out, self.out = bytes(self.out), bytearray()
        return out

    # It asks nobody whether they are still there, so it has no timers.

    def handle_timeout(self, now: float) -> Iterable[Frame]:
        return ()

    def next_timeout(self) -> float | None:
        return None

    # What both directions share

    def frame(self, kind: int, stream: int, number: int, body: bytes = b"") -> None:
        self.out += HEADER.pack(kind, stream, number) + body

    def begin(self, stream: int) -> None:
        self.ours[stream] = self.theirs[stream] = WINDOW

    def end(self, stream: int) -> None:
        self.ours.pop(stream, None)
        self.theirs.pop(stream, None)


async def main() -> None:
    config = plait.HostConfig(muxers=[Framed()])
    async with plait.Host(config=config) as alice, plait.Host(config=config) as bob:

        @alice.handle("/shout/1.0.0")
        async def shout(stream: plait.Stream) -> None:
            async for chunk in stream:
                await stream.write(chunk.upper())

        async with bob.open_stream(alice.addresses[0], "/shout/1.0.0") as stream:
            await stream.write(b"hello")
            await stream.write_eof()
            print(await stream.read(), "over", stream.connection.muxer)


if __name__ == "__main__":
    asyncio.run(main())
