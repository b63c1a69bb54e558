"""Names shared by every room: aliases for typing, no behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from multiaddr import Multiaddr

__all__ = ["AddressLike", "Buffer", "Direction", "ProtocolId", "Role"]

Direction: TypeAlias = Literal["inbound", "outbound"]
"""Who opened a connection or a stream: the other side (``"inbound"``) or we (``"outbound"``)."""

Role: TypeAlias = Literal["initiator", "responder"]
"""Who begins a handshake. Mostly who dialed; hole punching and simultaneous open decide it otherwise."""

ProtocolId: TypeAlias = str
"""What a stream speaks, for example ``"/ipfs/ping/1.0.0"``."""

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Contiguous bytes that we only read."""

AddressLike: TypeAlias = "str | bytes | Multiaddr"
"""A multiaddr in any of the forms in which people hold one."""
