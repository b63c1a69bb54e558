"""WebSocket addresses: `/ws`, `/tls/ws`, `/tls/sni/NAME/ws` and the older `/wss` after host and TCP port.

`/wss` and `/tls/ws` are the same place in different bytes; we write `/tls/ws`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from plait.addresses.endpoint import Endpoint, host_port
from plait.addresses.parsing import CACHED, components, join

if TYPE_CHECKING:
    from multiaddr import Multiaddr

__all__ = ["WebSocketAddress", "web_socket"]


class WebSocketAddress(NamedTuple):
    """What a WebSocket address says.

    Attributes:
        endpoint: where the TCP connection goes, without what follows.
        waist: the same as an address.
        is_secure: whether TLS comes before HTTP.
        server_name: whom the certificate has to name: the `/sni` component, else the DNS name in front.
            `None` without TLS, and when there is nothing but an IP address.
    """

    endpoint: Endpoint
    waist: Multiaddr
    is_secure: bool
    server_name: str | None

    def at(self, waist: Multiaddr) -> Multiaddr:
        """The same service at another host and port, in the form in which we write it.

        The name that the certificate has to prove comes along as `/sni`: a DNS name in front, once it is
        replaced by what it stands for, would be lost.
        """
        suffix = "/ws"
        if self.is_secure:
            suffix = "/tls/ws" if self.server_name is None else f"/tls/sni/{self.server_name}/ws"
        return join((*components(waist), *components(suffix)))


@lru_cache(maxsize=CACHED)
def web_socket(address: Multiaddr) -> WebSocketAddress | None:
    """Takes a WebSocket address apart; `None` when it is of another kind, or says more."""
    endpoint = host_port(address)
    if endpoint is None or endpoint.transport != "tcp" or endpoint.rest not in FORMS:
        return None
    parts = components(address)
    waist = join(parts[: -len(endpoint.rest)])
    is_secure = endpoint.rest != ("ws",)
    name = next((part.text for part in parts if part.name == "sni"), None)
    if name is None and is_secure and not endpoint.is_ip:
        name = endpoint.host
    return WebSocketAddress(endpoint._replace(rest=()), waist, is_secure, name)


FORMS = (("ws",), ("wss",), ("tls", "ws"), ("tls", "sni", "ws"))
