"""The peerstore in memory."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from plait import addresses as addressing
from plait.exceptions import InvalidKeyError
from plait.identity import PeerId, PeerRecord, PublicKey
from plait.limits import Limits

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.types import AddressLike

__all__ = ["Peerstore"]

# Seconds that an address lives which a peer or a lookup told us: homes get new ones every day or so,
# and a machine that restarts is back within the hour.
LEARNED_LIFETIME = 3600.0


class Peerstore:
    """What is known about peers. Peers can send as much as they like; how much stays is bounded.

    Args:
        limits: how many peers, and how much of each.
        clock: seconds that only go forward.
    """

    __slots__ = ("_clock", "_latest", "_limits", "_peers")

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        # In order of last use, so that the first that is not connected is the one to forget.
        self._peers: dict[PeerId, _Known] = {}
        # The last of them: what a peer says of itself comes in many pieces.
        self._latest: tuple[PeerId, _Known] | None = None

    def add_addresses(
        self, peer: PeerId, addresses: Iterable[AddressLike], *, lifetime: float = LEARNED_LIFETIME
    ) -> None:
        """Remembers where a peer may be; what was known already lives at least as long as before.

        Addresses that we do not understand, and those of other peers, are left out.

        Args:
            peer: whose addresses they are.
            addresses: with or without `/p2p/…` of the peer at the end.
            lifetime: seconds until they are forgotten; `math.inf` for those a user gave.
        """
        self._add(self._touch(peer), peer, addresses, lifetime, certified=False)

    def add_record(self, record: PeerRecord) -> bool:
        """Remembers a verified peer record; addresses of its predecessor go. Says whether it was new.

        A record as old as the one that is known only makes the addresses live longer.
        """
        known = self._touch(record.peer)
        if record.sequence < known.sequence:
            return False
        is_new = record.sequence > known.sequence
        if is_new:
            known.sequence = record.sequence
            for address, entry in list(known.addresses.items()):
                if entry.certified:
                    del known.addresses[address]
        self._add(known, record.peer, record.addresses, LEARNED_LIFETIME, certified=True)
        return is_new

    def set_protocols(self, peer: PeerId, protocols: Iterable[str]) -> None:
        """Replaces what the peer speaks; names that are too long are left out."""
        longest = self._limits.protocol_length
        # Most peers say the same: one copy of each name serves them all.
        usable = dict.fromkeys([sys.intern(name) for name in protocols if len(name) <= longest])
        self._touch(peer).protocols = tuple(usable)[: self._limits.protocols_per_peer]

    def set_agent(self, peer: PeerId, agent: str | None) -> None:
        """Remembers the peer's software, shortened, and without what could upset a terminal."""
        if agent is not None:
            agent = agent[:MAX_AGENT]
            if not agent.isprintable():
                agent = "".join(char if char.isprintable() else "\ufffd" for char in agent)
        self._touch(peer).agent = agent

    def set_public_key(self, peer: PeerId, key: PublicKey) -> None:
        """Remembers the peer's key; raises `InvalidKeyError` when it is the key of another peer."""
        if key.peer_id != peer:
            raise InvalidKeyError(f"the key of {key.peer_id} is not that of {peer}")
        self._touch(peer).public_key = key

    def set_connected(self, peer: PeerId, connected: bool) -> None:
        """While a peer is connected none of its addresses expires and it is never forgotten."""
        known = self._touch(peer)
        if known.connected and not connected:
            # What expired in the meantime was kept for the connection; a redial needs it most now.
            soon = self._clock() + LEARNED_LIFETIME
            for address, entry in known.addresses.items():
                known.addresses[address] = _Entry(max(entry.expires, soon), entry.certified)
        known.connected = connected
        self._trim(known)

    def remove(self, peer: PeerId) -> None:
        """Forgets all about a peer."""
        self._peers.pop(peer, None)
        self._latest = None

    def remove_address(self, peer: PeerId, address: AddressLike) -> None:
        """Forgets one address, for example because another peer answers there."""
        known = self._peers.get(peer)
        if known is not None:
            known.addresses.pop(addressing.split_peer(address)[0], None)

    def addresses(self, peer: PeerId) -> tuple[Multiaddr, ...]:
        """Where the peer may be, without `/p2p/…`: what it signed, then the newest first."""
        known = self._peers.get(peer)
        if known is None:
            return ()
        self._expire(known)
        newest = list(reversed(known.addresses.items()))
        # Sorting keeps the order within each half.
        newest.sort(key=lambda item: not item[1].certified)
        return tuple(address for address, _ in newest)

    def protocols(self, peer: PeerId) -> tuple[str, ...]:
        """What the peer said it speaks; empty when it did not say."""
        known = self._peers.get(peer)
        return known.protocols if known else ()

    def agent(self, peer: PeerId) -> str | None:
        """The peer's software, as it calls itself."""
        known = self._peers.get(peer)
        return known.agent if known else None

    def public_key(self, peer: PeerId) -> PublicKey | None:
        """The peer's key: from its id when it is in there, else as remembered."""
        known = self._peers.get(peer)
        return (known.public_key if known else None) or peer.public_key

    def peers(self) -> tuple[PeerId, ...]:
        """All peers of which something is known."""
        return tuple(self._peers)

    def __contains__(self, peer: object) -> bool:
        return peer in self._peers

    def __len__(self) -> int:
        return len(self._peers)

    def _touch(self, peer: PeerId) -> _Known:
        latest = self._latest
        if latest is not None and latest[0] is peer:
            return latest[1]
        known = self._peers.pop(peer, None)
        if known is None:
            known = _Known()
            if len(self._peers) >= self._limits.peers:
                self._forget_one()
        self._peers[peer] = known
        self._latest = peer, known
        return known

    def _forget_one(self) -> None:
        for peer, known in self._peers.items():
            if not known.connected:
                del self._peers[peer]
                return

    def _add(
        self,
        known: _Known,
        peer: PeerId,
        addresses: Iterable[AddressLike],
        lifetime: float,
        *,
        certified: bool,
    ) -> None:
        expires = self._clock() + lifetime
        # A list may be longer than all we keep; what is not looked at costs nothing.
        for address in addressing.parse_many(islice(addresses, self._limits.addresses_per_peer)):
            bare, owner = addressing.split_peer(address)
            if owner not in (None, peer):
                continue
            old = known.addresses.pop(bare, None)
            if old is not None:
                known.addresses[bare] = _Entry(max(old.expires, expires), old.certified or certified)
            else:
                known.addresses[bare] = _Entry(expires, certified)
        self._trim(known)

    def _expire(self, known: _Known) -> None:
        if known.connected:
            return
        now = self._clock()
        for address, entry in list(known.addresses.items()):
            if entry.expires <= now:
                del known.addresses[address]

    def _trim(self, known: _Known) -> None:
        self._expire(known)
        limits = self._limits
        most = limits.addresses_per_peer if known.connected else limits.addresses_per_absent_peer
        while len(known.addresses) > most:
            # What a user gave goes last, whatever peers send.
            oldest = min(known.addresses, key=lambda address: known.addresses[address].expires == math.inf)
            del known.addresses[oldest]


class _Entry(NamedTuple):
    expires: float
    certified: bool


class _Known:
    """All that is known of one peer."""

    __slots__ = ("addresses", "agent", "connected", "protocols", "public_key", "sequence")

    def __init__(self) -> None:
        # The newest is last.
        self.addresses: dict[Multiaddr, _Entry] = {}
        self.protocols: tuple[str, ...] = ()
        self.agent: str | None = None
        self.public_key: PublicKey | None = None
        self.sequence = -1
        self.connected = False


# Real names stay under 128 characters.
MAX_AGENT = 256
