"""The TLS around a WebSocket, as bytes in and bytes out.

The loops' own TLS transports tell us of an inbound connection only when its handshake is done; by then
nobody could have refused it. With bytes in and out the handshake is a part of the connection's upgrade:
admitted first, under its deadline, dropped like any other.
"""

from __future__ import annotations

import contextlib
import ssl

__all__ = ["TlsLayer"]


class TlsLayer:
    """One end of a TLS connection.

    Args:
        context: whom to trust, or what to show.
        server_side: whether we are the server.
        server_name: whom the certificate has to name, as a client.

    Raises:
        ValueError: the context needs a name, or the name cannot be one.
        ssl.SSLError: the context is for the other side.
    """

    __slots__ = ("_incoming", "_object", "_outgoing", "has_ended", "is_ready")

    def __init__(
        self, context: ssl.SSLContext, *, server_side: bool = False, server_name: str | None = None
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_name
        )
        self.is_ready = False
        # The peer said that nothing follows.
        self.has_ended = False
        if not server_side:
            self._shake_hands()

    @property
    def object(self) -> ssl.SSLObject:
        """For whoever wants to know the certificate or the cipher."""
        return self._object

    def receive(self, data: memoryview) -> bytes:
        """What bytes from the socket mean.

        Raises `ssl.SSLError`; after that only `take_output` is left.
        """
        self._incoming.write(data)
        try:
            return self._read()
        except ssl.SSLError:
            self.is_ready = False
            raise

    def send(self, data: bytes) -> None:
        """Seals bytes once the handshake is done."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._object.write(rest) :]

    def close(self) -> None:
        """Tells the peer that nothing follows."""
        if self.is_ready:
            # It wants the peer's answer, for which nobody waits.
            with contextlib.suppress(ssl.SSLError):
                self._object.unwrap()

    def take_output(self) -> bytes:
        """What has to be sent."""
        return self._outgoing.read()

    def _read(self) -> bytes:
        if not self.is_ready:
            self._shake_hands()
        chunks: list[bytes] = []
        while self.is_ready and not self.has_ended:
            try:
                chunk = self._object.read(RECORD)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                chunk = b""
            if not chunk:
                self.has_ended = True
            chunks.append(chunk)
        return b"".join(chunks)

    def _shake_hands(self) -> None:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.is_ready = True


# One read gives one record, which has no more than this.
RECORD = 16 * 1024
