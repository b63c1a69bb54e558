"""Addresses for connections whose sockets have none that a multiaddr could be made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.abc import ProtocolFactory

__all__ = ["with_addresses"]


def with_addresses(
    factory: ProtocolFactory, *, local: Multiaddr, remote: Multiaddr
) -> Callable[[], asyncio.BaseProtocol]:
    """A factory of the same protocols, whose asyncio transports say which multiaddrs they connect.

    For transports that are no IP sockets: what they give to the event loop instead of the factory.

    Args:
        factory: as `Transport.dial` or `Transport.listen` got it.
        local: this end, without `/p2p`.
        remote: the other end, without `/p2p`.
    """
    return lambda: _Naming(factory, {"local_multiaddr": local, "remote_multiaddr": remote})


class _Naming(asyncio.Protocol):
    """The first protocol of a connection, which makes place for the real one."""

    def __init__(self, factory: ProtocolFactory, names: dict[str, Multiaddr]) -> None:
        self._factory = factory
        self._names = names

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        inner = cast(asyncio.Transport, transport)
        protocol = self._factory()
        inner.set_protocol(protocol)
        protocol.connection_made(NamedTransport(inner, self._names))


class NamedTransport(asyncio.Transport):
    """A transport with more to say about itself; everything else is the inner one's."""

    __slots__ = ("_inner", "_names")

    def __init__(self, inner: asyncio.Transport, names: dict[str, Multiaddr]) -> None:
        super().__init__()
        self._inner = inner
        self._names = names

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        known = self._names.get(name)
        return self._inner.get_extra_info(name, default) if known is None else known

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._inner.get_protocol()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._inner.set_protocol(protocol)

    def is_reading(self) -> bool:
        return self._inner.is_reading()

    def pause_reading(self) -> None:
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        self._inner.resume_reading()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._inner.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self._inner.writelines(list_of_data)

    def can_write_eof(self) -> bool:
        return self._inner.can_write_eof()

    def write_eof(self) -> None:
        self._inner.write_eof()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._inner.set_write_buffer_limits(high, low)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._inner.get_write_buffer_limits()

    def get_write_buffer_size(self) -> int:
        return self._inner.get_write_buffer_size()

    def is_closing(self) -> bool:
        return self._inner.is_closing()

    def close(self) -> None:
        self._inner.close()

    def abort(self) -> None:
        self._inner.abort()
