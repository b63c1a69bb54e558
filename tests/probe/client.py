"""A dialer that does by hand, byte by byte, what a host would do, and waits no longer than it is told."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from noise import MAX_PLAINTEXT, YAMUX, Cipher, Identity, Initiator, frame, varint

HEADER = b"\x13/multistream/1.0.0\n"
NOISE = b"\x07/noise\n"
NA = b"\x03na\n"
LS = b"\x03ls\n"

DATA, WINDOW, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8
INITIAL_WINDOW = 256 * 1024

ECHO = "/x/echo/1.0.0"
DIGEST = "/x/digest/1.0.0"
RESET = "/x/reset/1.0.0"
PERF = "/perf/1.0.0"
PING_PROTOCOL = "/ipfs/ping/1.0.0"

# For an answer that has to come, on a machine that may be busy with something else.
PATIENCE = 10.0


class UnexpectedError(Exception):
    """The target did something else than it should."""


class EndedError(Exception):
    """The target ended the connection."""


def message(text: str | bytes) -> bytes:
    body = (text.encode() if isinstance(text, str) else text) + b"\n"
    return varint(len(body)) + body


def header(kind: int, flags: int, stream: int, length: int, version: int = 0) -> bytes:
    return struct.pack(">BBHII", version, kind, flags, stream, length)


def data(stream: int, body: bytes, flags: int = 0) -> bytes:
    return header(DATA, flags, stream, len(body)) + body


class Wire:
    """A TCP connection, before anything is agreed on."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.socket.sendall(part)

    def send_pieces(self, pieces: Iterable[bytes], pause: float = 0.001) -> None:
        """Each piece in a segment of its own."""
        for piece in pieces:
            self.socket.sendall(piece)
            time.sleep(pause)

    def receive(self, timeout: float = PATIENCE) -> bytes:
        """What comes next; raises `EndedError` at the end."""
        self.socket.settimeout(timeout)
        try:
            found = self.socket.recv(1 << 18)
        except ConnectionError as error:
            raise EndedError("reset") from error
        finally:
            self.socket.settimeout(PATIENCE)
        if not found:
            raise EndedError("closed")
        return found

    def take(self, count: int) -> bytes:
        while len(self.received) < count:
            self.received += self.receive()
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def expect(self, wanted: bytes) -> None:
        found = self.take(len(wanted))
        if found != wanted:
            raise UnexpectedError(f"{found!r} where {wanted!r} was due")

    def expect_end(self, most: int = 1 << 20, timeout: float = PATIENCE) -> bytes:
        """The target has to end the connection, after at most so many bytes."""
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or len(self.received) > most:
                raise UnexpectedError(f"the connection lives on after {len(self.received)} more bytes")
            try:
                self.received += self.receive(left)
            except EndedError:
                return self.received
            except TimeoutError:
                continue

    def end(self) -> None:
        """Our FIN."""
        self.socket.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # ---- the steps of an upgrade

    def negotiate(self) -> None:
        self.send(HEADER + NOISE)
        self.expect(HEADER + NOISE)

    def take_message(self) -> bytes:
        (length,) = struct.unpack(">H", self.take(2))
        return self.take(length)

    def handshake(self, initiator: Initiator | None = None, muxers: Sequence[str] = (YAMUX,)) -> Secure:
        initiator = Initiator() if initiator is None else initiator
        self.send(frame(initiator.first()))
        initiator.second(self.take_message())
        self.send(frame(initiator.third(initiator.payload(muxers))))
        return self.secure(initiator)

    def secure(self, initiator: Initiator) -> Secure:
        return Secure(self, *initiator.state.split())


@dataclass
class Secure:
    """Records over a wire."""

    wire: Wire
    sealer: Cipher
    opener: Cipher
    plain: bytearray = field(default_factory=bytearray)

    def record(self, plaintext: bytes) -> bytes:
        return frame(self.sealer.seal(plaintext))

    def records(self, plaintext: bytes, size: int = MAX_PLAINTEXT) -> bytes:
        return b"".join(
            self.record(plaintext[start : start + size]) for start in range(0, len(plaintext), size)
        )

    def send(self, plaintext: bytes) -> None:
        self.wire.send(self.records(plaintext))

    def fill(self, timeout: float = PATIENCE) -> None:
        """At least one more record."""
        wire = self.wire
        opened = False
        while not opened:
            while len(wire.received) >= 2:
                (length,) = struct.unpack(">H", wire.received[:2])
                if len(wire.received) < 2 + length:
                    break
                self.plain += self.opener.open(wire.received[2 : 2 + length])
                wire.received = wire.received[2 + length :]
                opened = True
            if not opened:
                wire.received += wire.receive(timeout)

    def take(self, count: int) -> bytes:
        while len(self.plain) < count:
            self.fill()
        taken = bytes(self.plain[:count])
        del self.plain[:count]
        return taken

    def expect(self, wanted: bytes) -> None:
        found = self.take(len(wanted))
        if found != wanted:
            raise UnexpectedError(f"{found!r} where {wanted!r} was due")


@dataclass
class Stream:
    """What came for one stream."""

    received: bytearray = field(default_factory=bytearray)
    credit: int = INITIAL_WINDOW
    unreturned: int = 0
    acknowledged: bool = False
    ended: bool = False
    reset: int | None = None


class Mux:
    """Yamux by hand over a secure channel. Pings are answered, credit is given, unless told otherwise."""

    def __init__(self, secure: Secure) -> None:
        self.secure = secure
        self.streams: dict[int, Stream] = {}
        self.pongs: list[int] = []
        self.gone: int | None = None
        self.next_id = 1
        self.gives_credit = True
        self.answers_pings = True

    @property
    def wire(self) -> Wire:
        return self.secure.wire

    def send(self, *frames: bytes) -> None:
        self.secure.send(b"".join(frames))

    def flood(self, frames: bytes) -> None:
        """Sends however much the target takes, and reads meanwhile so that it can answer."""
        wire = self.wire
        records = memoryview(self.secure.records(frames))
        wire.socket.setblocking(False)
        deadline = time.monotonic() + PATIENCE
        try:
            while records:
                try:
                    records = records[wire.socket.send(records[: 1 << 18]) :]
                    deadline = time.monotonic() + PATIENCE
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise UnexpectedError("the target takes nothing more") from None
                    time.sleep(0.001)
                except ConnectionError as error:
                    raise EndedError("reset") from error
                try:
                    if not (found := wire.socket.recv(1 << 18)):
                        raise EndedError("closed")
                    wire.received += found
                except BlockingIOError:
                    pass
                except ConnectionError as error:
                    raise EndedError("reset") from error
        finally:
            wire.socket.settimeout(PATIENCE)

    # ---- what comes

    def pump(self, timeout: float = PATIENCE) -> None:
        """Takes one frame."""
        secure = self.secure
        while len(secure.plain) < 12:
            secure.fill(timeout)
        _, kind, flags, stream, length = struct.unpack(">BBHII", secure.take(12))
        if kind == PING:
            if flags & ACK:
                self.pongs.append(length)
            elif self.answers_pings:
                self.send(header(PING, ACK, 0, length))
        elif kind == GO_AWAY:
            self.gone = length
        else:
            self._take_stream_frame(kind, flags, stream, length)

    def _take_stream_frame(self, kind: int, flags: int, number: int, length: int) -> None:
        stream = self.streams.setdefault(number, Stream())
        stream.acknowledged |= bool(flags & ACK)
        if flags & RST:
            stream.reset = length
            return
        if kind == WINDOW:
            stream.credit += length
        elif length:
            stream.received += self.secure.take(length)
            stream.unreturned += length
            if self.gives_credit and stream.unreturned >= INITIAL_WINDOW // 2:
                self.send(header(WINDOW, 0, number, stream.unreturned))
                stream.unreturned = 0
        stream.ended |= bool(flags & FIN)

    def until(self, done: object, timeout: float = PATIENCE) -> None:
        """Takes frames until `done()`."""
        deadline = time.monotonic() + timeout
        while not done():  # type: ignore[operator]
            left = deadline - time.monotonic()
            if left <= 0:
                raise UnexpectedError("nothing came of it in time")
            try:
                self.pump(left)
            except TimeoutError:
                continue

    # ---- streams

    def new_id(self) -> int:
        number, self.next_id = self.next_id, self.next_id + 2
        self.streams[number] = Stream()
        return number

    def open(self, protocol: str, body: bytes = b"") -> int:
        """Header, proposal and body in the frame that opens the stream; waits for the answer."""
        number = self.new_id()
        opening = HEADER + message(protocol) + body
        self.streams[number].credit -= len(opening)
        self.send(data(number, opening, SYN))
        self.expect(number, HEADER + message(protocol))
        return number

    def expect(self, number: int, wanted: bytes) -> None:
        stream = self.streams[number]
        self.until(lambda: len(stream.received) >= len(wanted) or stream.ended or stream.reset is not None)
        found = bytes(stream.received[: len(wanted)])
        if found != wanted:
            raise UnexpectedError(
                f"{found[:60]!r} on stream {number} (end {stream.ended}, reset {stream.reset})"
            )
        del stream.received[: len(wanted)]

    def expect_end(self, number: int) -> None:
        stream = self.streams[number]
        self.until(lambda: stream.ended or stream.reset is not None)
        if not stream.ended or stream.received:
            raise UnexpectedError(f"no clean end: {bytes(stream.received[:40])!r}, reset {stream.reset}")

    def expect_reset(self, number: int) -> int:
        stream = self.streams[number]
        self.until(lambda: stream.reset is not None)
        assert stream.reset is not None
        return stream.reset

    def write(self, number: int, body: bytes, flags: int = 0, size: int = 16384) -> None:
        """In frames of at most `size`, never more than there is credit for."""
        stream = self.streams[number]
        for start in range(0, len(body), size):
            part = body[start : start + size]
            self.until(lambda part=part: stream.credit >= len(part) or stream.reset is not None)
            stream.credit -= len(part)
            self.send(data(number, part))
        if flags:
            self.send(data(number, b"", flags))

    def echo(self, body: bytes = b"are you there?") -> None:
        """The proof that the connection serves."""
        number = self.open(ECHO)
        self.write(number, body, FIN)
        self.expect(number, body)
        self.expect_end(number)

    def ping(self, opaque: int = 77) -> None:
        """The proof that the muxer answers, and has seen all that was sent before."""
        self.send(header(PING, SYN, 0, opaque))
        self.until(lambda: opaque in self.pongs)
        self.pongs.remove(opaque)

    def expect_violation(self, code: int = 1) -> None:
        """The target says go-away with this code and ends the connection."""
        with contextlib.suppress(EndedError):
            self.until(lambda: False)
        if self.gone != code:
            raise UnexpectedError(f"go-away {self.gone} where {code} was due")


def dial(address: tuple[str, int], identity: Identity | None = None) -> Mux:
    """The whole upgrade, as an honest peer does it."""
    wire = Wire(address)
    wire.negotiate()
    return Mux(wire.handshake(Initiator(identity=identity) if identity else None))
