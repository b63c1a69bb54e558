"""In which order the addresses of a peer are tried, and how far apart.

Private and public addresses are two queues that run side by side: those of a local network answer
or fail within milliseconds, and should neither wait for the others nor hold them up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from plait.addresses import components, is_public

if TYPE_CHECKING:
    from multiaddr import Multiaddr

__all__ = ["DialQueue", "rank"]


@dataclass(frozen=True, slots=True)
class DialQueue:
    """Addresses to try one after the other.

    Attributes:
        addresses: the likeliest first.
        delay: seconds before the next one is tried while the last one has not failed.
    """

    addresses: tuple[Multiaddr, ...]
    delay: float


def rank(addresses: Iterable[Multiaddr]) -> tuple[DialQueue, DialQueue]:
    """Sorts addresses into those of our own networks and all others."""
    near: list[Multiaddr] = []
    far: list[Multiaddr] = []
    for address in addresses:
        (far if is_public(address) else near).append(address)
    return (
        DialQueue(_families_in_turn(near), PRIVATE_DELAY),
        DialQueue(_families_in_turn(far), PUBLIC_DELAY),
    )


def _families_in_turn(addresses: list[Multiaddr]) -> tuple[Multiaddr, ...]:
    """IPv6 first, then the families in turn, so that a family without a route costs one delay."""
    six = [each for each in addresses if _is_ip6(each)]
    four = [each for each in addresses if not _is_ip6(each)]
    pairs = chain.from_iterable(zip_longest(six, four))
    return tuple(each for each in pairs if each is not None)


def _is_ip6(address: Multiaddr) -> bool:
    return components(address)[0].name in ("ip6", "ip6zone")


# RFC 8305 recommends 250 ms; what answers later is slower than its rival anyway.
PUBLIC_DELAY = 0.25
# Several round trips of a local network.
PRIVATE_DELAY = 0.03
