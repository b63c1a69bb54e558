"""The multiaddr at each end of a connection, from what its asyncio transport knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from plait.addresses import from_socket, parse

if TYPE_CHECKING:
    from multiaddr import Multiaddr

__all__ = ["locate"]


def locate(get_extra_info: Callable[[str], Any], end: Literal["local", "remote"]) -> Multiaddr:
    """The address of one end, without `/p2p`.

    Transports that are no sockets answer to `"local_multiaddr"` and `"remote_multiaddr"`. A socket
    that was gone before anybody asked gives `UNKNOWN`.
    """
    address: Multiaddr | None = get_extra_info(f"{end}_multiaddr")
    if address is not None:
        return address
    name = get_extra_info("peername" if end == "remote" else "sockname")
    return from_socket(name) if name else parse(UNKNOWN)


# What the system itself says of a socket that is connected to nothing.
UNKNOWN = "/ip4/0.0.0.0/tcp/0"
