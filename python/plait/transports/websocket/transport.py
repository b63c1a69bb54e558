"""Dials and serves WebSocket addresses, on top of the TCP transport."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING

from plait.addresses import WebSocketAddress, web_socket
from plait.exceptions import ListenError
from plait.transports.tcp import TcpTransport
from plait.transports.websocket.options import WebSocketOptions
from plait.transports.websocket.pipe import WebSocketPipe
from plait.transports.websocket.tls import TlsLayer

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.abc import Listener, ProtocolFactory

__all__ = ["WebSocketListener", "WebSocketTransport"]


class WebSocketTransport:
    """Dials and serves `/ws`, `/tls/ws`, `/tls/sni/NAME/ws` and `/wss` after `/ip4|ip6/…/tcp/…`.

    Names in place of the IP address are dialed only. The certificate of a TLS server proves its name and
    not its peer id, so the same upgrade follows as over TCP.

    Args:
        options: certificates and bounds.
    """

    def __init__(self, options: WebSocketOptions | None = None) -> None:
        self._options = WebSocketOptions() if options is None else options
        self._tcp = TcpTransport()
        self._trust = self._options.client_tls

    def can_dial(self, address: Multiaddr) -> bool:
        """Whether it can be tried. With the trust of the system that takes a name, for TLS."""
        place = web_socket(address)
        if place is None or _is_wildcard(place):
            return False
        return not place.is_secure or place.server_name is not None or self._options.client_tls is not None

    def can_listen(self, address: Multiaddr) -> bool:
        place = web_socket(address)
        return place is not None and place.endpoint.is_ip

    async def resolve(self, address: Multiaddr) -> Sequence[Multiaddr]:
        """The numeric addresses behind a name, which moves into `/sni`; `[address]` without a name.

        Cancels and raises as of TCP.
        """
        place = _known(address)
        if place.endpoint.is_ip:
            return [address]
        return [place.at(each) for each in await self._tcp.resolve(place.waist)]

    async def dial(self, address: Multiaddr, factory: ProtocolFactory) -> None:
        """Connects, and hands the connection to a protocol of the factory once HTTP is behind it.

        Cancelling closes the socket.

        Raises:
            OSError: no connection, no certificate for that name, or no WebSocket there.
        """
        # The library takes 40 ms to load, which hosts without a WebSocket should not spend.
        from plait.transports.websocket.framing import Framing

        place = _known(address)
        host = place.server_name or place.endpoint.host.partition("%")[0]
        tls = await self._client_tls(host, place) if place.is_secure else None
        framing = Framing.dial(
            _ascii(host),
            place.endpoint.port,
            is_secure=place.is_secure,
            max_frame=self._options.max_frame,
            clock=asyncio.get_running_loop().time,
        )
        pipe = WebSocketPipe(framing, tls, factory, listens=False, patience=self._options.handshake)
        try:
            await self._tcp.dial(place.waist, lambda: pipe)
            await pipe.opened
        except BaseException:
            pipe.abort()
            raise

    async def listen(self, address: Multiaddr, factory: ProtocolFactory) -> WebSocketListener:
        """Serves an address; port 0 takes one that is free.

        Raises:
            ListenError: TLS without a certificate, or what TCP raises.
        """
        from plait.transports.websocket.framing import Framing

        place = _known(address)
        context = self._server_tls(address) if place.is_secure else None
        clock = asyncio.get_running_loop().time

        def accept() -> WebSocketPipe:
            return WebSocketPipe(
                Framing.accept(max_frame=self._options.max_frame, clock=clock),
                None if context is None else TlsLayer(context, server_side=True),
                factory,
                listens=True,
                patience=self._options.handshake,
            )

        try:
            listener = await self._tcp.listen(place.waist, accept)
        except ListenError as error:
            error.address = str(address)
            raise
        return WebSocketListener(listener, place)

    async def _client_tls(self, host: str, place: WebSocketAddress) -> TlsLayer:
        if self._trust is None:
            # Reads some hundred certificates from files.
            self._trust = await asyncio.to_thread(_system_trust)
        has_name = place.server_name is not None or self._trust.check_hostname
        try:
            return TlsLayer(self._trust, server_name=host if has_name else None)
        except ValueError as error:
            raise OSError(f"{host!r} can be no name in a certificate: {error}") from error

    def _server_tls(self, address: Multiaddr) -> ssl.SSLContext:
        context = self._options.server_tls
        if context is None:
            raise ListenError(
                "TLS needs a certificate",
                layer="websocket",
                address=str(address),
                hint="give one to HostConfig as websocket=WebSocketOptions(server_tls=…), or listen on /ws",
            )
        try:
            TlsLayer(context, server_side=True)
        except (ssl.SSLError, ValueError) as error:
            raise ListenError(
                f"server_tls cannot serve: {error}", layer="websocket", address=str(address)
            ) from error
        return context


class WebSocketListener:
    """One served port."""

    def __init__(self, listener: Listener, place: WebSocketAddress) -> None:
        self._listener = listener
        self._addresses = [place.at(each) for each in listener.addresses]

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        return self._addresses

    async def close(self) -> None:
        """Accepts no more; connections that were accepted live on, also in their handshake."""
        await self._listener.close()


def _known(address: Multiaddr) -> WebSocketAddress:
    place = web_socket(address)
    if place is None:
        raise ValueError(f"{address} is no WebSocket address")
    return place


def _is_wildcard(place: WebSocketAddress) -> bool:
    """A place to listen with a certificate for many names; none of them is this one."""
    return place.server_name is not None and place.server_name.startswith("*")


def _system_trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    # A server that would rather speak HTTP/2 has to know.
    context.set_alpn_protocols(["http/1.1"])
    return context


def _ascii(host: str) -> str:
    """A name as it is written in HTTP."""
    try:
        return host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError as error:
        raise OSError(f"{host!r} is no name of a host: {error}") from error
