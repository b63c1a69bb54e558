"""From text and bytes to addresses, with a cache: the same few addresses come again and again."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from plait.addresses.components import Component
from plait.exceptions import InvalidMultiaddrError
from plait.types import AddressLike

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.addresses.address import Address

__all__ = ["address_of", "components", "join", "parse", "parse_many"]

# Some 500 bytes each; more than a host has peers, and a flood of new ones only empties it.
CACHED = 4096


def parse(address: AddressLike) -> Multiaddr:
    """The multiaddr object of any form of an address.

    Raises:
        InvalidMultiaddrError: empty, malformed, too long, or with a protocol that we do not know.
    """
    return address_of(address)


def parse_many(addresses: Iterable[AddressLike]) -> tuple[Multiaddr, ...]:
    """Those of the addresses that we understand, each once: what a peer sends may be newer than we."""
    found: dict[Multiaddr, None] = {}
    for address in addresses:
        try:
            found[address_of(address)] = None
        except InvalidMultiaddrError:
            continue
    return tuple(found)


def components(address: AddressLike) -> tuple[Component, ...]:
    """What the address is made of, from the outside in; raises `InvalidMultiaddrError`."""
    return address_of(address).components


def join(parts: Iterable[Component]) -> Multiaddr:
    """The address that is made of these components."""
    return _class().from_components(tuple(parts))


def address_of(address: AddressLike) -> Address:
    """The same as `parse`, as our own class."""
    ours = _class()
    if type(address) is ours or isinstance(address, ours):
        return address
    return _parsed(address if isinstance(address, str | bytes) else bytes(address))


@lru_cache(maxsize=1)
def _class() -> type[Address]:
    # Loaded with the first address, because it loads the multiaddr package.
    from plait.addresses.address import Address

    return Address


@lru_cache(maxsize=CACHED)
def _parsed(address: str | bytes) -> Address:
    if not address:
        raise InvalidMultiaddrError("an empty multiaddr")
    parsed = _class()(address)
    if not parsed.components:
        raise InvalidMultiaddrError("an empty multiaddr")
    return parsed
