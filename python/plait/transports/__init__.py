"""Raw connections: from an address to bytes in an asyncio protocol, and nothing above that.

Purpose: dial and listen, for each kind of address.
Takes: multiaddrs without `/p2p`, and a factory of asyncio protocols.
Gives: `TcpTransport`, `WebSocketTransport`, `MemoryTransport`, the `TransportRegistry`, and which address is
    at which end; for transports of others, `with_addresses`.
May look at: limits, abc, addresses, exceptions.
"""

from plait.transports.interfaces import interface_hosts
from plait.transports.locate import locate
from plait.transports.memory import MemorySpace, MemoryTransport
from plait.transports.naming import with_addresses
from plait.transports.registry import TransportRegistry
from plait.transports.tcp import TcpTransport
from plait.transports.websocket import WebSocketOptions, WebSocketTransport

__all__ = [
    "MemorySpace",
    "MemoryTransport",
    "TcpTransport",
    "TransportRegistry",
    "WebSocketOptions",
    "WebSocketTransport",
    "interface_hosts",
    "locate",
    "with_addresses",
]
