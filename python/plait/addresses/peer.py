"""The peer in an address: the `/p2p/…` at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plait.addresses.parsing import components, join, parse
from plait.exceptions import InvalidMultiaddrError
from plait.identity import PeerId
from plait.types import AddressLike

if TYPE_CHECKING:
    from multiaddr import Multiaddr

__all__ = ["peer_of", "split_peer", "with_peer"]


def peer_of(address: AddressLike) -> PeerId | None:
    """Whose address it is: the last `/p2p`, unless that is only the relay before `/p2p-circuit`."""
    for component in reversed(components(address)):
        if component.name == "p2p-circuit":
            return None
        if component.name == "p2p":
            return PeerId(component.value)
    return None


def split_peer(address: AddressLike) -> tuple[Multiaddr, PeerId | None]:
    """The address without the `/p2p/…` at its end, and the peer that was there.

    An address that is nothing but `/p2p/…` stays as it is: without it there would be none.
    """
    parts = components(address)
    if parts[-1].name != "p2p":
        return parse(address), None
    peer = PeerId(parts[-1].value)
    return join(parts[:-1]) if parts[:-1] else parse(address), peer


def with_peer(address: AddressLike, peer: PeerId) -> Multiaddr:
    """The address with `/p2p/…` at its end, once.

    Raises:
        InvalidMultiaddrError: it is the address of another peer.
    """
    there = split_peer(address)[1]
    if there == peer:
        return parse(address)
    if there is not None:
        raise InvalidMultiaddrError(f"{parse(address)} is an address of another peer than {peer}")
    return join((*components(address), *components(f"/p2p/{peer}")))
