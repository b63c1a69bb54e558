"""Where a peer is: what we need on top of `multiaddr.Multiaddr`.

Purpose: parse, check, take apart and put together multiaddrs.
Takes: multiaddrs as text, bytes or objects; socket addresses.
Gives: `parse` and `parse_many`, `Component`, `Endpoint`, `WebSocketAddress`, and questions about addresses.
May look at: identity, exceptions, types.
"""

from plait.addresses.components import Component
from plait.addresses.endpoint import (
    Endpoint,
    from_socket,
    host_port,
    is_link_local,
    is_loopback,
    is_public,
    is_relayed,
    is_unspecified,
    with_host,
    with_port,
)
from plait.addresses.parsing import components, join, parse, parse_many
from plait.addresses.peer import peer_of, split_peer, with_peer
from plait.addresses.websocket import WebSocketAddress, web_socket

__all__ = [
    "Component",
    "Endpoint",
    "WebSocketAddress",
    "components",
    "from_socket",
    "host_port",
    "is_link_local",
    "is_loopback",
    "is_public",
    "is_relayed",
    "is_unspecified",
    "join",
    "parse",
    "parse_many",
    "peer_of",
    "split_peer",
    "web_socket",
    "with_host",
    "with_peer",
    "with_port",
]
