"""The addresses of this machine, without asking the network and without another package."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["interface_hosts"]


def interface_hosts(version: int) -> list[str]:
    """IP addresses (of version 4 or 6) of the interfaces, loopback first.

    Link-local ones are left out, since they mean nothing without a zone. Linux names all others;
    elsewhere it is loopback and the address of the default route.
    """
    family, loopback, elsewhere = FAMILIES[version]
    hosts = [loopback]
    if sys.platform == "linux":
        hosts += _linux_ipv4() if family == socket.AF_INET else _linux_ipv6()
    routed = _routed(family, elsewhere)
    if routed is not None:
        hosts.append(routed)
    return [host for host in dict.fromkeys(hosts) if not ipaddress.ip_address(host).is_link_local]


def _linux_ipv4() -> Iterator[str]:
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:INTERFACE_NAME_SIZE])
            # An interface without an IPv4 address is an error here.
            with contextlib.suppress(OSError):
                answer = fcntl.ioctl(asking.fileno(), SIOCGIFADDR, request)
                yield socket.inet_ntoa(answer[20:24])


def _linux_ipv6() -> Iterator[str]:
    try:
        table = Path("/proc/net/if_inet6").read_text(encoding="ascii")
    except OSError:
        # No IPv6 on this machine.
        return
    for line in table.splitlines():
        yield str(ipaddress.IPv6Address(bytes.fromhex(line[:32])))


def _routed(family: socket.AddressFamily, elsewhere: str) -> str | None:
    """The address that packets to the rest of the world would come from."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # Connecting a datagram socket sends nothing: the kernel only looks up the route.
            probe.connect((elsewhere, 9))
            return str(probe.getsockname()[0]).partition("%")[0]
    except OSError:
        return None


# Loopback, and an address of the blocks set aside for documentation, which only a default route reaches.
FAMILIES = {
    4: (socket.AF_INET, "127.0.0.1", "192.0.2.1"),
    6: (socket.AF_INET6, "::1", "2001:db8::1"),
}
# From linux/sockios.h and linux/if.h (the name is one byte shorter than its field).
SIOCGIFADDR = 0x8915
INTERFACE_NAME_SIZE = 15
