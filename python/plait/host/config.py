"""Everything about a host that can be set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from plait.exceptions import ConfigError
from plait.limits import Limits, Timeouts
from plait.transports import MemoryTransport, TcpTransport, WebSocketOptions, WebSocketTransport
from plait.upgrade.options import MUXERS, SECURITY

if TYPE_CHECKING:
    from plait.abc import Muxer, SecurityProtocol, Transport
    from plait.types import ProtocolId
    from plait.upgrade import PrivateNetwork

__all__ = ["HostConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfig:
    """Settings of a host; `dataclasses.replace` makes a variant.

    Attributes:
        timeouts: the protective ones.
        limits: how much the host does and keeps at once.
        agent_version: what the host calls itself to peers; `"plait/<version>"` when empty.
        identify: ask peers what they are, and tell them what we are. Peers that hear nothing may
            refuse to open streams.
        ping: answer pings. js-libp2p drops connections whose pings fail.
        ping_idle: seconds without a ping after which a ping stream is closed.
        bare_sockets: move bytes between TCP sockets and sessions without asyncio transports, where the event
            loop can watch sockets. It is faster; `False` is for event loops that watch them badly.
        busy_poll: on bare sockets, keep the event loop going around for some microseconds after a small write
            to a peer whose last answer came at once, instead of sleeping and being woken late. It halves
            short round trips on one machine; `False` saves their power.
        websocket: certificates and bounds of WebSockets.
        transports: makes the transports of a host; the first that knows an address gets it. TCP, WebSocket
            and memory when `None`.
        security: security protocols in order of preference: names from `plait.upgrade`, or plug-ins.
        muxers: muxers in order of preference, likewise. mplex only when it is named.
        private_network: speak to nobody outside of this network.
    """

    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits = field(default_factory=Limits)
    agent_version: str = ""
    identify: bool = True
    ping: bool = True
    # Four times the interval of the slowest pinger that is known, rust's 15 s.
    ping_idle: float = 60.0
    bare_sockets: bool = True
    busy_poll: bool = True
    websocket: WebSocketOptions = field(default_factory=WebSocketOptions)
    transports: Callable[[], Sequence[Transport]] | None = None
    security: Sequence[ProtocolId | SecurityProtocol] = SECURITY
    muxers: Sequence[ProtocolId | Muxer] = MUXERS
    private_network: PrivateNetwork | None = None

    def __post_init__(self) -> None:
        if "\n" in self.agent_version or len(self.agent_version) > MAX_AGENT:
            raise ConfigError(f"agent_version has more than {MAX_AGENT} characters, or a line end")
        if self.ping_idle <= 0:
            raise ConfigError("ping_idle has to be more than 0 s")

    def make_transports(self) -> Sequence[Transport]:
        """What a host dials and listens with, in the order in which they are asked."""
        if self.transports is not None:
            return self.transports()
        tcp = TcpTransport(bare_sockets=self.bare_sockets)
        return (tcp, WebSocketTransport(self.websocket), MemoryTransport())


# As kubo has it; longer names only take room from addresses in identify.
MAX_AGENT = 128
