"""What can be set about WebSockets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plait.exceptions import ConfigError

if TYPE_CHECKING:
    import ssl

__all__ = ["WebSocketOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketOptions:
    """Settings of the WebSocket transport.

    Attributes:
        client_tls: whom `/tls/ws` dials trust; the certificates of the system when `None`. With a context of
            its own a host also dials addresses that have no name, which only a context that checks no names,
            or a certificate for the IP address, lets through.
        server_tls: the certificate of `/tls/ws` listeners, which cannot listen without it.
        max_frame: bytes of one frame that we take. A connection may hold one that is not complete yet.
        handshake: seconds from the TCP connection to the end of TLS and HTTP.
    """

    client_tls: ssl.SSLContext | None = None
    server_tls: ssl.SSLContext | None = None
    # Peers send the records of their secure channel, 64 KiB, and some of them several in one: rust 192 KiB.
    max_frame: int = 1024 * 1024
    # As long as the upgrade that follows may take; others allow 15 s.
    handshake: float = 10.0

    def __post_init__(self) -> None:
        if self.max_frame < SMALLEST_MAX_FRAME:
            raise ConfigError(f"max_frame has to be {SMALLEST_MAX_FRAME} at least, so that a record fits")
        if self.handshake <= 0:
            raise ConfigError("handshake has to be more than 0 s")


# A Noise message with the length before it.
SMALLEST_MAX_FRAME = 2 + 65535
