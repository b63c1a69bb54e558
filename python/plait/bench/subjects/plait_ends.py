"""plait's own stacks: every transport, security protocol and muxer, also one of your own."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plait.bench.results import Subject
from plait.bench.subjects.contender import UnsupportedError
from plait.bench.subjects.loops import BEST
from plait.exceptions import ConfigError

if TYPE_CHECKING:
    from plait import Connection, Host, HostConfig, Stream
    from plait.bench.subjects.ends import Answer, Dialer, Link

__all__ = ["PROTOCOL", "PlaitEnds", "muxer_of", "security_of", "started"]

PROTOCOL = "/plait/bench/1.0.0"
ADDRESSES = {"tcp": "/ip4/127.0.0.1/tcp/0", "ws": "/ip4/127.0.0.1/tcp/0/ws", "memory": "/memory/0"}
# More streams than a host takes from strangers: here both ends are ours, and 10,000 are asked for.
MOST_STREAMS = 16_384


@dataclass(frozen=True)
class PlaitEnds:
    """Two hosts.

    Identify is off: it is a protocol on top, and would run while the first bytes are measured.

    Args:
        transport: `tcp`, `ws` or `memory`.
        security: `noise`, `tls`, `none` for plaintext, or `module:Class` for a plug-in of your own.
        muxer: `yamux`, `mplex`, or `module:Class` likewise.
        loop: `uvloop` or `asyncio`.
        bare_sockets: the driver that has the socket itself; only TCP has the choice.
    """

    transport: str = "tcp"
    security: str = "noise"
    muxer: str = "yamux"
    loop: str = BEST
    bare_sockets: bool = True

    def __post_init__(self) -> None:
        if self.transport not in ADDRESSES:
            raise ConfigError(f"{self.transport!r} is none of {', '.join(ADDRESSES)}")

    @property
    def shares_memory(self) -> bool:
        return self.transport == "memory"

    @property
    def subject(self) -> Subject:
        driver = "fd" if self.transport == "tcp" and self.bare_sockets else "bytes"
        security, muxer = (name.rpartition(":")[2] for name in (self.security, self.muxer))
        return Subject("plait", self.transport, security, muxer, self.loop, driver)

    @asynccontextmanager
    async def serve(self, answer: Answer) -> AsyncIterator[str]:
        from plait import Host

        host = Host(listen=ADDRESSES[self.transport], config=self.config())
        host.handle(PROTOCOL, answer)
        async with started(host):
            yield str(host.addresses[0])

    @asynccontextmanager
    async def dialer(self, address: str) -> AsyncIterator[Dialer]:
        async with AsyncExitStack() as stack:
            yield _Dialer(self, address, stack)

    def config(self) -> HostConfig:
        from plait import HostConfig, Limits

        return HostConfig(
            security=[security_of(self.security)],
            muxers=[muxer_of(self.muxer)],
            identify=False,
            bare_sockets=self.bare_sockets,
            limits=Limits(inbound_streams=MOST_STREAMS, handler_tasks=2 * MOST_STREAMS),
        )


class _Dialer:
    """Hosts that dial: one at a time each, since a host joins dials to the same peer."""

    def __init__(self, ends: PlaitEnds, address: str, stack: AsyncExitStack) -> None:
        from plait import DialOptions

        self._config = ends.config()
        self._address = address
        self._stack = stack
        self._idle: list[Host] = []
        # A dial with options makes a connection of its own.
        self._options = DialOptions(security=[_name(each) for each in self._config.security])

    async def connect(self) -> Link:
        from plait import Host

        if self._idle:
            host = self._idle.pop()
        else:
            host = await self._stack.enter_async_context(started(Host(listen=(), config=self._config)))
        try:
            connection = await host.connect(self._address, self._options)
        finally:
            self._idle.append(host)
        return _Link(connection)


class _Link:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def open(self) -> Stream:
        # As a host does with a protocol that the peer is known to speak.
        return await self._connection.open_stream(PROTOCOL, lazy=True)

    async def close(self) -> None:
        await self._connection.close()


@asynccontextmanager
async def started(host: Host) -> AsyncIterator[Host]:
    """The host, without the warning about plaintext: whoever measures that knows what it is."""
    async with AsyncExitStack() as stack:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "plaintext")
            await stack.enter_async_context(host)
        yield host


def security_of(name: str) -> Any:
    """The protocol id, or the plug-in."""
    from plait import upgrade

    known = {"noise": upgrade.NOISE, "tls": upgrade.TLS, "none": upgrade.PLAINTEXT}
    return known.get(name) or _plugin(name)


def muxer_of(name: str) -> Any:
    """The protocol id, or the plug-in."""
    from plait import upgrade

    known = {"yamux": upgrade.YAMUX, "mplex": upgrade.MPLEX}
    return known.get(name) or _plugin(name)


def _plugin(place: str) -> Any:
    module, colon, name = place.partition(":")
    if not colon:
        raise UnsupportedError(f"plait has no {place!r}", hint="a plug-in is named module:Class")
    try:
        return getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError) as error:
        raise UnsupportedError(f"{place} cannot be imported: {error}") from error


def _name(protocol: Any) -> str:
    return protocol if isinstance(protocol, str) else str(protocol.protocol)
