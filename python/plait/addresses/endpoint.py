"""The network end of an address: `/ip4|ip6|dns…/…/tcp|udp/…`, which sockets understand."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from plait.addresses.components import UNASKED, Component
from plait.addresses.parsing import address_of, components, join, parse
from plait.exceptions import InvalidMultiaddrError
from plait.types import AddressLike

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from multiaddr import Multiaddr

__all__ = [
    "Endpoint",
    "from_socket",
    "host_port",
    "is_link_local",
    "is_loopback",
    "is_public",
    "is_relayed",
    "is_unspecified",
    "with_host",
    "with_port",
]


class Endpoint(NamedTuple):
    """Where a socket connects to or listens.

    Attributes:
        network: `"ip4"`, `"ip6"`, `"dns"`, `"dns4"` or `"dns6"`.
        host: IP address or name, as sockets take it: with the zone after `%` if there is one.
        transport: `"tcp"` or `"udp"`.
        port: its port.
        rest: names of the components after these, for example `("ws", "p2p")`.
    """

    network: str
    host: str
    transport: str
    port: int
    rest: tuple[str, ...]

    @property
    def is_ip(self) -> bool:
        """Whether there is an IP address, and no name to look up."""
        return self.network in ("ip4", "ip6")


def host_port(address: AddressLike) -> Endpoint | None:
    """The network end of an address; `None` when it does not begin with one."""
    parsed = address_of(address)
    if parsed.endpoint is UNASKED:
        parsed.endpoint = _endpoint_of(parsed.components)
    return cast("Endpoint | None", parsed.endpoint)


def _endpoint_of(parts: tuple[Component, ...]) -> Endpoint | None:
    zone = f"%{parts[0].text}" if parts[0].name == "ip6zone" else ""
    parts = parts[1:] if zone else parts
    if len(parts) < 2 or parts[0].name not in NETWORKS or parts[1].name not in TRANSPORTS:
        return None
    if zone and parts[0].name != "ip6":
        return None
    port = int.from_bytes(parts[1].value, "big")
    rest = tuple(part.name for part in parts[2:])
    return Endpoint(parts[0].name, f"{parts[0].text}{zone}", parts[1].name, port, rest)


def from_socket(name: tuple[Any, ...], transport: str = "tcp") -> Multiaddr:
    """The address for what `getsockname` or `getpeername` of an IP socket gave."""
    port = int(name[1])
    (known,) = _port_component(transport)
    return join(
        (*_host_components(str(name[0])), known._replace(value=port.to_bytes(2, "big"), text=str(port)))
    )


def with_host(address: AddressLike, host: str) -> Multiaddr:
    """The address with an IP address in place of what it begins with.

    Raises:
        InvalidMultiaddrError: `host` is no IP address, or the address begins with no host.
    """
    parts = components(address)
    if parts[0].name == "ip6zone":
        parts = parts[1:]
    if not parts or parts[0].name not in NETWORKS:
        raise InvalidMultiaddrError(f"{parse(address)} does not begin with a host")
    return join((*_host_components(host), *parts[1:]))


def with_port(address: AddressLike, port: int) -> Multiaddr:
    """The address with another port; listeners on port 0 learn theirs from the system.

    Raises:
        InvalidMultiaddrError: the address has no port.
    """
    parts = list(components(address))
    for index, part in enumerate(parts):
        if part.name in TRANSPORTS:
            parts[index : index + 1] = components(f"/{part.name}/{port}")
            return join(parts)
    raise InvalidMultiaddrError(f"{parse(address)} has no port")


def is_loopback(address: AddressLike) -> bool:
    """Whether it never leaves this machine."""
    ip = _ip(address)
    return ip is not None and ip.is_loopback


def is_unspecified(address: AddressLike) -> bool:
    """Whether it stands for all addresses of a machine, which can be listened on and not dialed."""
    ip = _ip(address)
    return ip is not None and ip.is_unspecified


def is_link_local(address: AddressLike) -> bool:
    """Whether it means something only on one link."""
    ip = _ip(address)
    return ip is not None and ip.is_link_local


def is_public(address: AddressLike) -> bool:
    """Whether anybody on the Internet could reach it, as far as the address tells; names count."""
    ip = _ip(address)
    if ip is not None:
        return ip.is_global
    return components(address)[0].name in (*NETWORKS, "dnsaddr")


def is_relayed(address: AddressLike) -> bool:
    """Whether it goes through a relay."""
    return any(component.name == "p2p-circuit" for component in components(address))


@lru_cache(maxsize=2)
def _port_component(transport: str) -> tuple[Component, ...]:
    return components(f"/{transport}/0")


def _host_components(host: str) -> tuple[Component, ...]:
    address, _, zone = host.partition("%")
    if ":" not in address:
        return components(f"/ip4/{address}")
    # A socket for both families gives IPv4 peers this form; everybody else knows them by the other.
    mapped = components(f"/ip6/{address}")[0].value
    if mapped.startswith(V4_MAPPED):
        return components(f"/ip4/{'.'.join(str(byte) for byte in mapped[len(V4_MAPPED) :])}")
    return components(f"/ip6zone/{zone}/ip6/{address}" if zone else f"/ip6/{address}")


def _ip(address: AddressLike) -> IPv4Address | IPv6Address | None:
    parsed = address_of(address)
    if parsed.ip is UNASKED:
        parsed.ip = _ip_of(parsed.components)
    return cast("IPv4Address | IPv6Address | None", parsed.ip)


def _ip_of(parts: tuple[Component, ...]) -> IPv4Address | IPv6Address | None:
    # Loaded on first use; only filters of addresses ask.
    import ipaddress

    for component in parts[:2]:
        if component.name in ("ip4", "ip6"):
            ip = ipaddress.ip_address(component.value)
            return getattr(ip, "ipv4_mapped", None) or ip
    return None


NETWORKS = ("ip4", "ip6", "dns", "dns4", "dns6")
TRANSPORTS = ("tcp", "udp")
V4_MAPPED = bytes(10) + b"\xff\xff"
