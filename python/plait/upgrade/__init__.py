"""The upgrade: raw bytes become a connection.

Purpose: say what a host offers (identity, bounds, protocols) and make a driver for each raw connection.
Takes: an identity, timeouts and limits, the names of the protocols that are served.
Gives: `Upgrader`, whose drivers are the asyncio protocols that transports want.
May look at: connection, limits, addresses, identity, _core, types, exceptions.
"""

from plait.upgrade.upgrader import Upgrader

__all__ = ["Upgrader"]
