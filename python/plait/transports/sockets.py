"""TCP sockets without asyncio transports: connecting and accepting."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from plait.addresses import Endpoint, from_socket

if TYPE_CHECKING:
    from multiaddr import Multiaddr

__all__ = ["BACKLOG", "FAMILIES", "Acceptor", "TakeSocket", "connect", "listening_socket", "watches_sockets"]

logger = logging.getLogger(__name__)

TakeSocket: TypeAlias = Callable[[socket.socket], None]


def watches_sockets(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop can say when a bare socket is ready. Windows' proactor cannot."""
    return type(loop).add_reader is not asyncio.AbstractEventLoop.add_reader


async def connect(endpoint: Endpoint) -> socket.socket:
    """A connected, non-blocking socket without delays for small packets.

    Cancelling closes it.

    Raises:
        OSError: the connection could not be made.
    """
    sock = socket.socket(FAMILIES[endpoint.network], socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex((endpoint.host, endpoint.port))
        if code in (errno.EINPROGRESS, errno.EINTR) and not _is_connected(sock):
            await _writable(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code not in (0, errno.EINPROGRESS, errno.EINTR):
            raise OSError(code, f"connecting to {endpoint.host} port {endpoint.port}: {os.strerror(code)}")
    except BaseException:
        sock.close()
        raise
    return sock


def listening_socket(endpoint: Endpoint) -> socket.socket:
    """A socket that listens on a numeric address; an IPv6 one takes no IPv4 connections.

    Raises:
        OSError: the address is not ours, or the port is taken or forbidden.
    """
    sock = socket.socket(FAMILIES[endpoint.network], socket.SOCK_STREAM)
    try:
        # Connections of the last run that are still on their way out do not keep the port.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind((endpoint.host, endpoint.port))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


class Acceptor:
    """One served TCP port.

    Args:
        sock: listens already; closed with this.
        take: gets each accepted socket, non-blocking, for good.
    """

    def __init__(self, sock: socket.socket, take: TakeSocket) -> None:
        self._socket = sock
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._addresses = [from_socket(sock.getsockname())]
        self._loop.add_reader(sock.fileno(), self._accept)

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        """Where it listens, with the real port."""
        return self._addresses

    async def close(self) -> None:
        """Accepts no more; connections that were accepted live on. Closing twice is fine."""
        if self._pause is not None:
            self._pause.cancel()
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _accept(self) -> None:
        """One connection; the loop calls again while there are more, after others had their turn."""
        try:
            accepted, _address = self._socket.accept()
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            if error.errno in EXHAUSTED:
                self._wait(error)
            # Anything else is the end of that one connection, before we had it.
            return
        try:
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            accepted.close()
        else:
            self._take(accepted)

    def _wait(self, error: OSError) -> None:
        """The connections stay with the kernel; asking again at once would only burn the processor."""
        logger.warning("no more connections are accepted for %g s: %s", PAUSE, error)
        self._loop.remove_reader(self._socket.fileno())
        self._pause = self._loop.call_later(PAUSE, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        self._loop.add_reader(self._socket.fileno(), self._accept)


def _is_connected(sock: socket.socket) -> bool:
    """On one machine it is, once the call has returned; asking costs less than a turn of the loop."""
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


async def _writable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_writer(sock.fileno(), _resolve, ready)
    try:
        await ready
    finally:
        loop.remove_writer(sock.fileno())


def _resolve(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


FAMILIES = {
    "ip4": socket.AF_INET,
    "ip6": socket.AF_INET6,
    "dns": socket.AF_UNSPEC,
    "dns4": socket.AF_INET,
    "dns6": socket.AF_INET6,
}
# Connections the kernel completes while the loop is busy: a tenth of a second of a burst that a
# core could upgrade.
BACKLOG = 256
# The process or the system has no descriptor or no memory for one more.
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
# Seconds until it may have one again, as asyncio's own servers wait.
PAUSE = 1.0
