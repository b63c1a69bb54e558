"""TCP over IPv4 and IPv6, and the names of the domain name system that stand for such addresses.

Both event loops set `TCP_NODELAY` on every TCP socket they make or accept, so small frames leave at
once; a test holds them to it.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from plait.addresses import Endpoint, from_socket, host_port
from plait.exceptions import ListenError
from plait.transports.sockets import (
    BACKLOG,
    FAMILIES,
    Acceptor,
    TakeSocket,
    connect,
    listening_socket,
    watches_sockets,
)

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.abc import Listener, ProtocolFactory

__all__ = ["TcpListener", "TcpTransport"]


class TcpTransport:
    """Dials and serves `/ip4|ip6/…/tcp/…`; dials `/dns|dns4|dns6/…/tcp/…`.

    Args:
        bare_sockets: hand sockets over as they are to a factory that takes them, where the event loop can
            watch a bare socket. Otherwise they become asyncio transports, which cost more.
    """

    def __init__(self, *, bare_sockets: bool = True) -> None:
        self._bare_sockets = bare_sockets

    def can_dial(self, address: Multiaddr) -> bool:
        return _endpoint(address) is not None

    def can_listen(self, address: Multiaddr) -> bool:
        endpoint = _endpoint(address)
        return endpoint is not None and endpoint.is_ip

    async def resolve(self, address: Multiaddr) -> Sequence[Multiaddr]:
        """The numeric addresses behind a name, at most `MAX_RESOLVED`; `[address]` without a name.

        Cancelling stops the wait; the system's resolver finishes in its own thread.

        Raises:
            OSError: the name does not resolve.
        """
        endpoint = _known_endpoint(address)
        if endpoint.is_ip:
            return [address]
        found = await asyncio.get_running_loop().getaddrinfo(
            endpoint.host, endpoint.port, family=FAMILIES[endpoint.network], type=socket.SOCK_STREAM
        )
        # The same address can come several times; the resolver's order is kept.
        return list(dict.fromkeys(from_socket(info[4]) for info in found))[:MAX_RESOLVED]

    async def dial(self, address: Multiaddr, factory: ProtocolFactory) -> None:
        """Connects, and hands the connection to a protocol of the factory.

        Cancelling closes the socket.

        Raises:
            OSError: the connection could not be made.
        """
        endpoint = _known_endpoint(address)
        take = self._taker(factory)
        if take is not None and endpoint.is_ip:
            take(await connect(endpoint))
        else:
            await asyncio.get_running_loop().create_connection(factory, endpoint.host, endpoint.port)

    async def listen(self, address: Multiaddr, factory: ProtocolFactory) -> Listener:
        """Serves an address; port 0 takes one that is free.

        An IPv6 address never takes IPv4 connections, not even `::`.

        Raises:
            ListenError: the address is not ours, or the port is taken or forbidden.
        """
        endpoint = _known_endpoint(address)
        take = self._taker(factory)
        try:
            if take is not None:
                return Acceptor(listening_socket(endpoint), take)
            server = await asyncio.get_running_loop().create_server(
                factory, endpoint.host, endpoint.port, family=FAMILIES[endpoint.network], backlog=BACKLOG
            )
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            raise ListenError(why, errno=error.errno, layer="tcp", address=str(address)) from error
        return TcpListener(server)

    def _taker(self, factory: ProtocolFactory) -> TakeSocket | None:
        """What takes bare sockets, if anything does and the loop can watch them."""
        if not self._bare_sockets or not watches_sockets(asyncio.get_running_loop()):
            return None
        take: TakeSocket | None = getattr(factory, "take_socket", None)
        return take


class TcpListener:
    """One served TCP port."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self._addresses = [from_socket(each.getsockname()) for each in server.sockets]

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        return self._addresses

    async def close(self) -> None:
        """Accepts no more; connections that were accepted live on.

        `Server.wait_closed` is not waited for: from Python 3.12 on it waits for those connections.
        """
        self._server.close()
        # uvloop closes the descriptor in the next turn.
        await asyncio.sleep(0)


def _endpoint(address: Multiaddr) -> Endpoint | None:
    """The network end of a plain TCP address; `None` when it is of another kind."""
    endpoint = host_port(address)
    if endpoint is None or endpoint.transport != "tcp" or endpoint.rest:
        return None
    return endpoint


def _known_endpoint(address: Multiaddr) -> Endpoint:
    endpoint = _endpoint(address)
    if endpoint is None:
        raise ValueError(f"{address} is no plain TCP address")
    return endpoint


# A name with more addresses than this is a list of a whole service, not of one peer.
MAX_RESOLVED = 16
