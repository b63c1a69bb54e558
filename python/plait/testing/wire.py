"""What lies below a connection, for tests of how connections end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from plait.connection import BytesDriver, SocketDriver

if TYPE_CHECKING:
    from plait.connection import Connection

__all__ = ["Wire"]


class Wire:
    """The wire of one end of a connection, which the other end cannot tell from a real one going bad."""

    def __init__(self, connection: Connection) -> None:
        self._driver = connection.driver

    def stop_reading(self) -> None:
        """Nothing that the other end sends is read any more: it cannot tell this from a peer that hangs."""
        if isinstance(self._driver, SocketDriver):
            self._driver._read(False)
        else:
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Goes on where it stopped."""
        if isinstance(self._driver, SocketDriver):
            self._driver._read(True)
        else:
            self.transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Puts bytes on the wire that no session made. What the kernel does not take keeps the end busy."""
        if not isinstance(self._driver, SocketDriver):
            self.transport.write(data)
            return
        view = memoryview(data)
        try:
            while view:
                view = view[self._driver._socket.send(view) :]
        except BlockingIOError:
            self._driver._write(True)

    def write_eof(self) -> None:
        """Ends the sending half, without a word of the session."""
        if isinstance(self._driver, SocketDriver):
            self._driver._socket.shutdown(1)
        else:
            self.transport.write_eof()

    def cut(self) -> None:
        """Ends both halves at once; to this end it looks as if the other had done it."""
        if isinstance(self._driver, SocketDriver):
            self._driver._end(None)
            self._driver._drop()
        else:
            self.transport.abort()

    @property
    def transport(self) -> asyncio.Transport:
        """The asyncio transport, where there is one."""
        return cast(asyncio.Transport, cast(BytesDriver, self._driver)._transport)
