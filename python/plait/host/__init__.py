"""What the user holds: a host, its configuration, its handlers.

Purpose: put the rooms below together and give them one face.
Takes: an identity, listen addresses, a configuration, handlers.
Gives: `Host`, `HostConfig`, `run`; streams and connections through them.
May look at: protocols, swarm, transports, upgrade, connection, peerstore, events, limits, and all below.
"""

from plait.host.config import HostConfig
from plait.host.host import Host
from plait.host.loop import run

__all__ = ["Host", "HostConfig", "run"]
