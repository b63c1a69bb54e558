"""What a command says about a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plait.abc import Connection

__all__ = ["negotiated", "negotiated_text"]


def negotiated(connection: Connection) -> dict[str, Any]:
    """The fields that every event about a connection has."""
    return {
        "peer": str(connection.remote_peer),
        "address": str(connection.remote_address),
        "transport": _transport(connection),
        "security": connection.security,
        "muxer": connection.muxer,
        "early_muxer": connection.early_muxer,
    }


def negotiated_text(connection: Connection) -> str:
    return f"{_transport(connection)}, {connection.security}, {connection.muxer}"


def _transport(connection: Connection) -> str:
    # Loaded when there is a connection, and not to print the help.
    from plait.addresses import host_port

    endpoint = host_port(connection.remote_address)
    # What has no port has its name in front: /memory/…
    return endpoint.transport if endpoint else str(connection.remote_address).split("/")[1]
