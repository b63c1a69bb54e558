"""The multiaddr object that plait hands out. Importing this loads the `multiaddr` package."""

from __future__ import annotations

from typing import Any

from multiaddr.multiaddr import Multiaddr
from multiaddr.protocols import REGISTRY

from plait.addresses.components import UNASKED, Component, from_bytes, from_text, to_bytes, to_text

__all__ = ["Address"]


class Address(Multiaddr):
    """A `Multiaddr` that was checked when it was made, knows its components, and prints fast.

    The package prints an address by way of libraries that take long to load, and raises for names
    and bytes that it took without complaint; a log line must not fail for what a peer sent.
    """

    __slots__ = ("_text", "components", "endpoint", "ip")

    def __init__(self, addr: str | bytes | Multiaddr, *, registry: Any = REGISTRY) -> None:
        if isinstance(addr, str):
            # The package makes empty addresses when it takes everything away from one.
            self.components = from_text(addr) if addr else ()
        else:
            self.components = from_bytes(bytes(addr))
        self._set(registry)

    @classmethod
    def from_components(cls, parts: tuple[Component, ...]) -> Address:
        """The address with these components."""
        address = cls.__new__(cls)
        address.components = parts
        address._set(REGISTRY)
        return address

    def _set(self, registry: Any) -> None:
        self.registry = registry
        self._bytes = to_bytes(self.components)
        self._text: str | None = None
        # Where sockets connect to; kept by `host_port`, which is asked several times for each dial.
        self.endpoint: object = UNASKED
        # What it begins with, for filters; likewise.
        self.ip: object = UNASKED

    def __str__(self) -> str:
        if self._text is None:
            self._text = to_text(self.components)
        return self._text

    def __reduce__(self) -> tuple[type[Address], tuple[bytes]]:
        return Address, (self._bytes,)
