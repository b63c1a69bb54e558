"""What a host offers in the upgrade of its connections, and how one dial may differ."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from plait._core import Security
from plait.exceptions import ConfigError

if TYPE_CHECKING:
    from plait.identity import KeyPair
    from plait.types import ProtocolId

__all__ = [
    "MPLEX",
    "MUXERS",
    "NOISE",
    "PLAINTEXT",
    "SECURITY",
    "TLS",
    "YAMUX",
    "DialOptions",
    "check_muxers",
    "make_security",
]

NOISE = "/noise"
TLS = "/tls/1.0.0"
PLAINTEXT = "/plaintext/2.0.0"
YAMUX = "/yamux/1.0.0"
MPLEX = "/mplex/6.7.0"

# What hosts offer unless told otherwise: first what this CPU encrypts faster. Not plaintext, which secures
# nothing, and not mplex, which the specifications have deprecated: it cannot slow one stream down without
# slowing all.
SECURITY: tuple[ProtocolId, ...] = (TLS, NOISE) if Security.tls_is_fast() else (NOISE, TLS)
MUXERS: tuple[ProtocolId, ...] = (YAMUX,)

Role: TypeAlias = Literal["initiator", "responder", "simultaneous"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DialOptions:
    """How one dial differs from what the host does by default.

    A dial with options makes a connection of its own: one that is there may be of another kind.

    Attributes:
        security: security protocols in order of preference; empty: as the host.
        muxers: muxers in order of preference; empty: as the host.
        role: who begins the negotiation. Both sides of a hole punch dial, so they agree beforehand that one
            is the `"responder"`; `"simultaneous"` lets the withdrawn simultaneous-open extension decide,
            which only helps with peers that still speak it.
    """

    security: Sequence[ProtocolId] = ()
    muxers: Sequence[ProtocolId] = ()
    role: Role = "initiator"

    def __post_init__(self) -> None:
        # Dials with the same options are shared, so they are keys.
        object.__setattr__(self, "security", tuple(self.security))
        object.__setattr__(self, "muxers", tuple(self.muxers))
        for names in (self.security, self.muxers):
            if len(set(names)) < len(names):
                raise ConfigError(f"a dial names each protocol once, not {', '.join(names)}")
        if self.role not in ("initiator", "responder", "simultaneous"):
            raise ConfigError(f"a dial's role is not {self.role!r}")


def make_security(names: Iterable[ProtocolId], identity: KeyPair) -> list[Security]:
    """The credentials of an identity for each security protocol: made once, shared by all connections.

    Raises:
        ConfigError: none, one twice, or one that is not spoken here.
    """
    wanted = list(names)
    if not wanted or len(set(wanted)) < len(wanted):
        raise ConfigError("a host needs security protocols, each once")
    public_key = identity.public_key.to_protobuf()
    made = []
    for name in wanted:
        if name == NOISE:
            made.append(Security.noise(public_key, identity.sign))
        elif name == TLS:
            made.append(Security.tls(public_key, identity.sign))
        elif name == PLAINTEXT:
            if len(wanted) > 1:
                # Nobody signs the negotiation: whoever is on the path could refuse the others in its name.
                raise ConfigError("plaintext beside a security protocol lets everybody on the path choose it")
            warnings.warn("plaintext connections are not secure", stacklevel=2)
            made.append(Security.plaintext(public_key))
        else:
            raise ConfigError(f"{name} is no security protocol of this host")
    return made


def check_muxers(names: Iterable[ProtocolId]) -> list[ProtocolId]:
    """Raises `ConfigError` for none, one twice, or one that is not spoken here."""
    wanted = list(names)
    if not wanted or len(set(wanted)) < len(wanted):
        raise ConfigError("a host needs muxers, each once")
    for name in wanted:
        if name not in (YAMUX, MPLEX):
            raise ConfigError(f"{name} is no muxer of this host")
    return wanted
