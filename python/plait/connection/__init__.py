"""Connections and streams: a session, its wire, and what the application holds.

Purpose: drive one session over one transport or socket, and give its streams to people who await.
Takes: a session, an asyncio transport or a bare socket, the session's events.
Gives: `Connection`, `Stream`, `BytesDriver` and `SocketDriver`, the error codes of the wire.
May look at: events, limits, abc, addresses, identity, wire, _core, types, exceptions.
"""

from plait.connection.bytes_driver import BytesDriver
from plait.connection.connection import Connection, Locate
from plait.connection.driver import Driver
from plait.connection.reasons import ConnectionCode, StreamCode
from plait.connection.socket_driver import SocketDriver
from plait.connection.stream import Stream

__all__ = [
    "BytesDriver",
    "Connection",
    "ConnectionCode",
    "Driver",
    "Locate",
    "SocketDriver",
    "Stream",
    "StreamCode",
]
