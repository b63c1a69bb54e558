"""WebSocket messages as a flow of bytes: what we use of the `websockets` library, and our rules on top.

The boundaries of messages mean nothing. What arrives is handed on frame by frame, so that no message is
ever put together, however long it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

from websockets.client import ClientProtocol
from websockets.frames import OK_CLOSE_CODES, CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import WebSocketURI

from plait.exceptions import RemoteProtocolError
from plait.limits import TokenBucket

__all__ = ["Framing", "Payload"]


class Framing:
    """One end of a WebSocket: bytes of the connection in and out, bytes of the socket in and out.

    After any call there may be something in `take_output`. No call raises for what the peer sent.

    Attributes:
        error: why it is over, when the peer is to blame.
        has_ended: whether the peer said in an orderly way that nothing follows.
    """

    def __init__(self, wire: ClientProtocol | ServerProtocol, clock: Callable[[], float]) -> None:
        self._wire = wire
        self._head_size = 0
        self._head = b""
        self._was_hollow = False
        self._hollow = TokenBucket(HOLLOW_RATE, HOLLOW_BURST, clock)
        self.error: Exception | None = None
        self.has_ended = False

    @classmethod
    def dial(
        cls, host: str, port: int, *, is_secure: bool, max_frame: int, clock: Callable[[], float]
    ) -> Framing:
        """The end that dials, with its request to be sent.

        Args:
            host: name or IP address of the server, for the `Host` header.
            port: of the server.
            is_secure: whether there is TLS around it.
            max_frame: as in `WebSocketOptions`.
            clock: seconds that never go back.
        """
        uri = WebSocketURI(is_secure, host, port, path="/", query="")
        wire = ClientProtocol(uri, max_size=(None, max_frame), logger=WIRE_LOGGER)
        wire.send_request(wire.connect())
        return cls(wire, clock)

    @classmethod
    def accept(cls, *, max_frame: int, clock: Callable[[], float]) -> Framing:
        """The end that listens. It takes any path and any origin: peers prove themselves later."""
        # Frames have a limit and messages none, because no message is put together.
        return cls(ServerProtocol(max_size=(None, max_frame), logger=WIRE_LOGGER), clock)

    @property
    def is_connecting(self) -> bool:
        """Whether the handshake is under way."""
        return self._wire.state is State.CONNECTING and self.error is None

    @property
    def is_open(self) -> bool:
        """Whether bytes can be sent: after the handshake, before either side's close."""
        return self._wire.state is State.OPEN

    def receive(self, data: bytes | memoryview) -> list[Payload]:
        """The bytes of the connection that came with these of the socket."""
        if self.error is not None or self.has_ended:
            return []
        if self.is_connecting:
            self._head_size += len(data)
            self._head += bytes(data[: SHOWN - len(self._head)]) if len(self._head) < SHOWN else b""
        # Its buffer takes anything that has bytes.
        self._wire.receive_data(data)  # type: ignore[arg-type]
        payloads = self._handle_events()
        if self.is_connecting and self._head_size > MAX_HEAD:
            line = _shown(self._head.decode("latin-1").partition("\r\n")[0])
            self._fail(ConnectionError(f"an HTTP head of more than {MAX_HEAD} bytes: {line}"))
        return payloads

    def receive_eof(self) -> None:
        """The socket gives nothing more."""
        if self.error is not None or self.has_ended:
            return
        was_connecting = self.is_connecting
        self._wire.receive_eof()
        self._handle_events()
        if not was_connecting or self.error is None:
            self.error = ConnectionResetError("the peer ended the connection without closing the WebSocket")

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Sends bytes, in messages that every peer takes; drops them when the peer takes no more."""
        view = memoryview(data).cast("B")
        for start in range(0, len(view), MAX_MESSAGE):
            if self.is_open:
                self._wire.send_binary(view[start : start + MAX_MESSAGE])

    def close(self) -> None:
        """Says that nothing follows. What the peer sent before it heard that still arrives."""
        if self.is_open:
            self._wire.send_close(CloseCode.NORMAL_CLOSURE)

    def take_output(self) -> list[bytes]:
        """What has to be sent, in order."""
        # An empty piece is the library's wish to end the socket; that follows from our attributes too.
        return [piece for piece in self._wire.data_to_send() if piece]

    def _handle_events(self) -> list[Payload]:
        payloads: list[Payload] = []
        for event in self._wire.events_received():
            if self.error is not None or self.has_ended:
                break
            if isinstance(event, Frame):
                self._handle_frame(event, payloads)
            elif isinstance(event, Request):
                self._answer(event)
        wire = self._wire
        if self.error is None and wire.handshake_exc is not None:
            what = "there" if isinstance(wire, ClientProtocol) else "request"
            self._fail(ConnectionError(f"no WebSocket {what}: {_told(wire.handshake_exc)}"))
        elif self.error is None and wire.parser_exc is not None:
            self.error = _violation(f"broken frames: {_told(wire.parser_exc)}", CloseCode.PROTOCOL_ERROR)
        return payloads

    def _answer(self, request: Request) -> None:
        if not isinstance(self._wire, ServerProtocol) or self._wire.eof_sent:
            # A frame came before our answer, and that one has ended the connection already.
            self._fail(ConnectionError("no WebSocket request: it ended before it began"))
            return
        self._wire.send_response(self._wire.accept(request))

    def _handle_frame(self, frame: Frame, payloads: list[Payload]) -> None:
        if frame.opcode is Opcode.CLOSE:
            self._handle_close()
        elif frame.opcode is Opcode.TEXT:
            code = CloseCode.UNSUPPORTED_DATA
            self._fail(_violation("a text message", code), code)
        elif frame.data and frame.opcode in (Opcode.BINARY, Opcode.CONT):
            self._was_hollow = False
            payloads.append(frame.data)
        elif not self._was_hollow:
            # One between two that bring something is how some libraries end a message.
            self._was_hollow = True
        elif not self._hollow.take():
            code = CloseCode.POLICY_VIOLATION
            self._fail(_violation("a flood of frames that bring nothing", code), code)

    def _handle_close(self) -> None:
        close = self._wire.close_rcvd
        if close is None or close.code in OK_CLOSE_CODES:
            self.has_ended = True
        else:
            reason = f": {_shown(close.reason)}" if close.reason else ""
            self.error = ConnectionResetError(f"the peer closed the WebSocket with {close.code}{reason}")

    def _fail(self, error: Exception, code: CloseCode | None = None) -> None:
        self.error = error
        if code is not None:
            self._wire.fail(code)


def _violation(what: str, code: CloseCode) -> RemoteProtocolError:
    return RemoteProtocolError(f"the peer sent {what}", layer="websocket", error_code=code)


def _told(error: BaseException) -> str:
    """What the library says; its cause says what exactly."""
    return _shown(f"{error}: {error.__cause__}" if error.__cause__ is not None else str(error))


def _shown(text: str) -> str:
    """A text that may be the peer's, safe in a log and no longer than somebody reads."""
    safe = text.encode("unicode_escape").decode("ascii")
    return safe if len(safe) <= SHOWN else f"{safe[:SHOWN]}..."


Payload: TypeAlias = "bytes | bytearray | memoryview"

# What every implementation sends itself, so that it takes as much; a larger one saves nothing.
MAX_MESSAGE = 64 * 1024
# A head has some 200 bytes, and a proxy in between adds a few headers. The library alone would take a
# megabyte of them.
MAX_HEAD = 16 * 1024
# Pings, pongs and empty messages in a second, with no data between them. Libraries ping every 20 s, some
# every few seconds.
HOLLOW_RATE = 10.0
# What has piled up after a loop, or a whole machine, stood still for a while.
HOLLOW_BURST = 128
# Characters of what a peer said that are worth a place in an error.
SHOWN = 200

# The library logs each connection as news and each frame when debugging; neither is worth a line of ours.
WIRE_LOGGER = logging.getLogger(f"{__name__}.wire")
WIRE_LOGGER.setLevel(logging.WARNING)
