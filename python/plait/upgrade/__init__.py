"""The upgrade: raw bytes become a connection.

Purpose: say what a host offers (identity, security, muxers, bounds, protocols) and make a driver for each
    raw connection.
Takes: an identity, timeouts and limits, the names of the protocols that are served.
Gives: `Upgrader`, whose drivers are the asyncio protocols that transports want; `DialOptions`, and
    `PrivateNetwork` with its key.
May look at: connection, limits, addresses, identity, _core, types, exceptions.
"""

from plait.upgrade.options import MPLEX, NOISE, PLAINTEXT, TLS, YAMUX, DialOptions
from plait.upgrade.private_network import PrivateNetwork
from plait.upgrade.upgrader import Upgrader

__all__ = ["MPLEX", "NOISE", "PLAINTEXT", "TLS", "YAMUX", "DialOptions", "PrivateNetwork", "Upgrader"]
