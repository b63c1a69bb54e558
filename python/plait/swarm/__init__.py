"""All connections of a host: made, taken in, known, ended.

Purpose: dial, listen, and keep the register of connections.
Takes: peer ids and multiaddrs; transports that bring raw connections, an upgrader that makes them ours.
Gives: `Swarm`, and connections and events from it.
May look at: transports, upgrade, connection, peerstore, events, limits, abc, addresses, exceptions.
"""

from plait.swarm.swarm import Swarm

__all__ = ["Swarm"]
