"""One end of a WebSocket connection, between a socket and whoever uses it."""

from __future__ import annotations

import asyncio
import ssl
import weakref
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from plait.addresses import components, from_socket, join

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.abc import ProtocolFactory
    from plait.transports.websocket.framing import Framing
    from plait.transports.websocket.tls import TlsLayer

__all__ = ["WebSocketPipe"]


class WebSocketPipe(asyncio.Transport, asyncio.BufferedProtocol):
    """To the socket's transport it is the protocol; to its own protocol it is the transport.

    A dialer's protocol is made when the handshake is done, a listener's at once: whoever admits
    connections has to know of each of them, and what it writes by then waits for the handshake.

    A WebSocket has no half-close. `write_eof` closes our direction; the peer answers with its own close as
    soon as it hears of it, and what it sent before that still arrives.

    Args:
        framing: of a new connection.
        tls: around it, if any.
        factory: makes the protocol.
        listens: whether the peer dialed.
        patience: seconds for the handshake, TLS included.

    Attributes:
        opened: done when the handshake is; raises what went wrong.
    """

    def __init__(
        self,
        framing: Framing,
        tls: TlsLayer | None,
        factory: ProtocolFactory,
        *,
        listens: bool,
        patience: float,
    ) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._framing = framing
        self._tls = tls
        self._factory = factory
        self._listens = listens
        self._patience = patience
        self._socket: asyncio.Transport | None = None
        self._protocol: asyncio.BaseProtocol | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._error: Exception | None = None
        # Towards our protocol.
        self._incoming: deque[memoryview] = deque()
        self._is_reading = True
        self._delivery: asyncio.Handle | None = None
        # Towards the peer.
        self._early = bytearray()
        self._is_early_paused = False
        self._is_socket_full = False
        self._owes_answers = False
        self._reads_socket = True
        self._wrote_eof = False
        self._is_closing = False
        self.opened: asyncio.Future[None] = self._loop.create_future()

    # ---- what a protocol asks for

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None  # nobody knows of us before there is one
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As of the socket's transport; also both multiaddrs, and `"ssl_object"` when there is TLS."""
        if name == "local_multiaddr":
            return self._address("sockname", default)
        if name == "remote_multiaddr":
            return self._address("peername", default)
        if name == "ssl_object":
            return default if self._tls is None else self._tls.object
        return default if self._socket is None else self._socket.get_extra_info(name, default)

    # ---- reading

    def is_reading(self) -> bool:
        return self._is_reading and not self._is_closing

    def pause_reading(self) -> None:
        self._is_reading = False
        self._update_reading()

    def resume_reading(self) -> None:
        if not self._is_reading:
            self._is_reading = True
            # Later, because it may be our protocol's answer to a delivery.
            self._delivery = self._delivery or self._loop.call_soon(self._deliver_rest)

    # ---- writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._wrote_eof:
            raise RuntimeError("write after write_eof")
        if self._is_closing or not data:
            return
        if not self._framing.is_connecting:
            self._framing.send(data)
            self._flush()
            return
        self._early += data
        if len(self._early) > MAX_EARLY and not self._is_early_paused:
            self._is_early_paused = True
            self.get_protocol().pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._wrote_eof and not self._is_closing:
            self._wrote_eof = True
            self._framing.close()
            self._flush()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if self._socket is not None:
            self._socket.set_write_buffer_limits(high, low)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return (0, 0) if self._socket is None else self._socket.get_write_buffer_limits()

    def get_write_buffer_size(self) -> int:
        return len(self._early) + (0 if self._socket is None else self._socket.get_write_buffer_size())

    # ---- ending

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        """Sends what is written, closes the WebSocket and waits a moment for the peer to do so too."""
        if self._is_closing:
            return
        self._stop()
        self._framing.close()
        if self._framing.has_ended or self._framing.is_connecting:
            self._close_socket()
        else:
            self._flush()
            self._arm(CLOSE_PATIENCE)
            self._update_reading()  # for the peer's close

    def abort(self) -> None:
        """Ends at once; what is under way is lost."""
        self._stop()
        if self._socket is not None:
            self._socket.abort()

    # ---- from the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast(asyncio.Transport, transport)
        if self._is_closing:
            self._socket.abort()
            return
        self._arm(self._patience)
        if self._listens:
            self._make_protocol()
        self._flush()

    def get_buffer(self, sizehint: int) -> bytearray:
        return _shared_buffer(self._loop)

    def buffer_updated(self, nbytes: int) -> None:
        read = memoryview(_shared_buffer(self._loop))[:nbytes]
        data: bytes | memoryview = read
        if self._tls is not None:
            try:
                data = self._tls.receive(read)
            except ssl.SSLError as error:
                self._fail(error)
                return
        was_connecting = self._framing.is_connecting
        payloads = self._framing.receive(data)
        has_answered = self._flush()
        if has_answered and self._is_socket_full:
            self._owes_answers = True
        if self._framing.error is None and was_connecting and not self._framing.is_connecting:
            self._open()
        if not self._is_closing:
            self._incoming += map(memoryview, payloads)
        self._deliver()
        if self._framing.error is not None:
            self._fail(self._framing.error)
        elif self._tls is not None and self._tls.has_ended:
            self.eof_received()

    def eof_received(self) -> None:
        """The socket closes with our return."""
        if not self._is_closing and not self._framing.has_ended:
            self._framing.receive_eof()
            self._fail(self._framing.error)

    def pause_writing(self) -> None:
        self._is_socket_full = True
        if self._protocol is not None:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._is_socket_full = self._owes_answers = False
        self._update_reading()
        if self._protocol is not None and not self._is_closing:
            self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        # How a socket ends that we have closed tells nothing.
        error = self._error or (None if self._is_closing else exc)
        self._stop()
        if self._timer is not None:
            self._timer.cancel()
        if not self.opened.done():
            self.opened.set_exception(error or ConnectionResetError("the connection ended in its handshake"))
            self.opened.exception()  # nobody looks at a listener's
        if self._protocol is not None:
            self._protocol.connection_lost(error)

    # ---- how it works

    def _make_protocol(self) -> None:
        self._protocol = self._factory()
        self._protocol.connection_made(self)

    def _open(self) -> None:
        """The handshake is done."""
        if self._timer is not None:
            self._timer.cancel()
        if self.opened.done():  # whoever dialed has given up
            self.abort()
            return
        self.opened.set_result(None)
        if not self._listens:
            self._make_protocol()
        early, self._early = self._early, bytearray()
        self._framing.send(early)
        if self._wrote_eof:
            self._framing.close()
        self._flush()
        if self._is_early_paused and not self._is_closing and not self._is_socket_full:
            self.get_protocol().resume_writing()

    def _flush(self) -> bool:
        """Sends what there is; whether there was anything."""
        socket, tls = self._socket, self._tls
        if socket is None or socket.is_closing():
            return False
        if tls is None:
            pieces = self._framing.take_output()
        else:
            if tls.is_ready:
                for piece in self._framing.take_output():
                    tls.send(piece)
            sealed = tls.take_output()
            pieces = [sealed] if sealed else []
        for piece in pieces:
            socket.write(piece)
        return bool(pieces)

    def _deliver(self) -> None:
        while self._incoming and self.is_reading():
            protocol = self.get_protocol()
            if isinstance(protocol, asyncio.BufferedProtocol):
                self._fill_buffer(protocol)
            else:
                data = b"".join(self._incoming)
                self._incoming.clear()
                cast(asyncio.Protocol, protocol).data_received(data)
        if self._framing.has_ended and not self._incoming:
            if self.is_reading():
                # There is no half-close that it could keep open.
                cast(asyncio.Protocol, self.get_protocol()).eof_received()
                self.close()
            elif self._is_closing:
                self._close_socket()
        self._update_reading()

    def _deliver_rest(self) -> None:
        self._delivery = None
        self._deliver()

    def _fill_buffer(self, protocol: asyncio.BufferedProtocol) -> None:
        """As much as fits: small messages together cost one call."""
        target = memoryview(protocol.get_buffer(-1)).cast("B")
        filled = 0
        while self._incoming and filled < len(target):
            chunk = self._incoming.popleft()
            part = chunk[: len(target) - filled]
            if len(part) < len(chunk):
                self._incoming.appendleft(chunk[len(part) :])
            target[filled : filled + len(part)] = part
            filled += len(part)
        # The protocol may want to resize what it lent.
        target.release()
        protocol.buffer_updated(filled)

    def _update_reading(self) -> None:
        """Reads the socket unless somebody is behind: our protocol, or the peer with our answers to pings."""
        socket = self._socket
        if socket is None or socket.is_closing():
            return
        is_behind = not self._is_reading or bool(self._incoming) or self._owes_answers
        wanted = self._is_closing or not is_behind
        if wanted != self._reads_socket:
            self._reads_socket = wanted
            if wanted:
                socket.resume_reading()
            else:
                socket.pause_reading()

    def _fail(self, error: Exception | None) -> None:
        if not self._is_closing:
            self._error = error
        self._stop()
        self._close_socket()

    def _stop(self) -> None:
        """Our protocol gets nothing more but the end."""
        self._is_closing = True
        self._incoming.clear()
        self._early.clear()
        if self._delivery is not None:
            self._delivery.cancel()
            self._delivery = None

    def _close_socket(self) -> None:
        """Sends what is left and ends; no need for a client to let the server be first."""
        socket = self._socket
        if socket is None or socket.is_closing():
            return
        self._flush()
        if self._tls is not None:
            self._tls.close()
            self._flush()
        self._arm(CLOSE_PATIENCE)
        socket.close()

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._on_timer)

    def _on_timer(self) -> None:
        if not self._is_closing:
            self._error = TimeoutError(f"no WebSocket handshake within {self._patience:g} s")
        self.abort()

    def _address(self, end: str, default: Any) -> Multiaddr | Any:
        name = None if self._socket is None else self._socket.get_extra_info(end)
        if not name:
            return default
        suffix = "/ws" if self._tls is None else "/tls/ws"
        return join((*components(from_socket(name)), *components(suffix)))


def _shared_buffer(loop: asyncio.AbstractEventLoop) -> bytearray:
    """One buffer for all sockets of a loop: each uses it only inside one call of the loop."""
    buffer = _buffers.get(loop)
    if buffer is None:
        buffer = _buffers[loop] = bytearray(READ_SIZE)
    return buffer


_buffers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, bytearray] = weakref.WeakKeyDictionary()

# One full message. Also what bounds a turn of the loop: filled with the smallest frames that there are, it
# takes some 50 ms to look at.
READ_SIZE = 64 * 1024
# Written before the handshake is done; an upgrade writes less than 1 KiB before it needs an answer.
MAX_EARLY = 64 * 1024
# Seconds for the peer's close, and for the last bytes to leave. Its close comes one round trip after ours.
CLOSE_PATIENCE = 1.0
