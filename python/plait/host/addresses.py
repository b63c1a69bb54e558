"""What the user means by a target, and the addresses that a host gives out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from plait.addresses import components, parse, split_peer, with_peer
from plait.exceptions import InvalidMultiaddrError
from plait.identity import PeerId

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.abc import Target
    from plait.types import AddressLike

__all__ = ["parse_target", "with_own_peer"]


def parse_target(target: Target) -> tuple[PeerId, Sequence[Multiaddr]]:
    """Whom to dial, and where as far as the target says.

    Args:
        target: a peer id, or a multiaddr that ends in `/p2p/<peer id>`.

    Raises:
        InvalidMultiaddrError: malformed, or without a peer id: who answers could not be checked.
    """
    if isinstance(target, PeerId):
        return target, ()
    # What is left of a target when it is neither a connection nor a peer id.
    address, peer = _split(parse(cast("AddressLike", target)))
    if peer is None:
        raise InvalidMultiaddrError(
            "the address does not say whom to expect there",
            address=str(address),
            hint="add /p2p/<peer id> to it",
        )
    # An address that is nothing but the peer id says nothing about where.
    return peer, () if components(address)[0].name == "p2p" else (address,)


def with_own_peer(addresses: Iterable[Multiaddr], peer: PeerId) -> tuple[Multiaddr, ...]:
    """Addresses in the form that others can dial."""
    return tuple(with_peer(address, peer) for address in addresses)


# A program opens streams to the same few addresses again and again.
@lru_cache(maxsize=256)
def _split(address: Multiaddr) -> tuple[Multiaddr, PeerId | None]:
    return split_peer(address)
