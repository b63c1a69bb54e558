"""What we know about other peers, between connections.

Purpose: remember addresses, protocols, software and keys of peers, within bounds.
Takes: addresses of dials and of users, what identify learned, signed peer records.
Gives: `Peerstore`, which lives in memory.
May look at: limits, addresses, identity, exceptions, types.
"""

from plait.peerstore.memory import Peerstore

__all__ = ["Peerstore"]
