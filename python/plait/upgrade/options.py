"""What a host offers in the upgrade of its connections, and how one dial may differ."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from plait._core import Muxer, ProtocolSet, Security
from plait.exceptions import ConfigError, LocalProtocolError

if TYPE_CHECKING:
    from plait import abc
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
    "make_muxers",
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

DialRole: TypeAlias = Literal["initiator", "responder", "simultaneous"]

M = TypeVar("M", Muxer, Security)


@dataclass(frozen=True, slots=True, kw_only=True)
class DialOptions:
    """How one dial differs from what the host does by default.

    A dial with options makes a connection of its own: one that is there may be of another kind. Plug-ins are
    named by their protocol ids, as all others are.

    Attributes:
        security: security protocols in order of preference; empty: as the host.
        muxers: muxers in order of preference; empty: as the host.
        role: who begins the negotiation. Both sides of a hole punch dial, so they agree beforehand that one
            is the `"responder"`; `"simultaneous"` lets the withdrawn simultaneous-open extension decide,
            which only helps with peers that still speak it.
    """

    security: Sequence[ProtocolId] = ()
    muxers: Sequence[ProtocolId] = ()
    role: DialRole = "initiator"

    def __post_init__(self) -> None:
        # Dials with the same options are shared, so they are keys.
        object.__setattr__(self, "security", tuple(self.security))
        object.__setattr__(self, "muxers", tuple(self.muxers))
        for names in (self.security, self.muxers):
            if len(set(names)) < len(names):
                raise ConfigError(f"a dial names each protocol once, not {', '.join(names)}")
        if self.role not in ("initiator", "responder", "simultaneous"):
            raise ConfigError(f"a dial's role is not {self.role!r}")


def make_security(
    wanted: Iterable[ProtocolId | abc.SecurityProtocol], identity: KeyPair
) -> dict[ProtocolId, Security]:
    """The credentials of an identity for each security protocol: made once, shared by all connections.

    Raises:
        ConfigError: none, one twice, or a name that is not spoken here.
    """
    made = _each_once("security protocols", (_make_security(each, identity) for each in wanted))
    if PLAINTEXT in made:
        if len(made) > 1:
            # Nobody signs the negotiation: whoever is on the path could refuse the others in its name.
            raise ConfigError("plaintext beside a security protocol lets everybody on the path choose it")
        warnings.warn("plaintext connections are not secure", stacklevel=2)
    return made


def make_muxers(wanted: Iterable[ProtocolId | abc.Muxer]) -> dict[ProtocolId, Muxer]:
    """The muxers by their protocol ids.

    Raises:
        ConfigError: none, one twice, or a name that is not spoken here.
    """
    return _each_once("muxers", (_make_muxer(each) for each in wanted))


def _make_security(wanted: ProtocolId | abc.SecurityProtocol, identity: KeyPair) -> Security:
    if not isinstance(wanted, str):
        _check_plugin(wanted)
        return Security.foreign(wanted, identity)
    public_key = identity.public_key.to_protobuf()
    if wanted == NOISE:
        return Security.noise(public_key, identity.sign)
    if wanted == TLS:
        return Security.tls(public_key, identity.sign)
    if wanted == PLAINTEXT:
        return Security.plaintext(public_key)
    raise ConfigError(f"{wanted} is no security protocol of this host")


def _make_muxer(wanted: ProtocolId | abc.Muxer) -> Muxer:
    if not isinstance(wanted, str):
        _check_plugin(wanted)
        return Muxer.foreign(wanted)
    if wanted not in (YAMUX, MPLEX):
        raise ConfigError(f"{wanted} is no muxer of this host")
    return Muxer.named(wanted)


def _check_plugin(plugin: abc.SecurityProtocol | abc.Muxer) -> None:
    """Early, since in a negotiation nobody is left to raise to."""
    name = getattr(plugin, "protocol", None)
    if not isinstance(name, str) or not callable(getattr(plugin, "begin", None)):
        raise ConfigError(f"{plugin!r} is no plug-in: it has no `protocol`, or nothing to `begin`")
    try:
        ProtocolSet([name])
    except LocalProtocolError as error:
        raise ConfigError(f"{plugin!r} cannot be negotiated: {error}") from error


def _each_once(what: str, made: Iterable[M]) -> dict[ProtocolId, M]:
    all_of_them = list(made)
    by_name = {each.protocol: each for each in all_of_them}
    if not by_name or len(by_name) < len(all_of_them):
        raise ConfigError(f"a host needs {what}, each once")
    return by_name
