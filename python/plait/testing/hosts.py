"""Hosts that reach each other in memory: no sockets, no ports, nobody else."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from plait.host import Host, HostConfig
from plait.transports import MemorySpace, MemoryTransport

__all__ = ["network"]


@asynccontextmanager
async def network(
    count: int, *, config: HostConfig | None = None, connected: bool = False
) -> AsyncIterator[tuple[Host, ...]]:
    """`async with network(3) as (alice, bob, carol):`

    Args:
        count: how many hosts.
        config: for all of them; its transports are replaced by one in memory.
        connected: connect each to each other, the earlier ones dial.
    """
    space = MemorySpace()
    settings = dataclasses.replace(
        HostConfig() if config is None else config, transports=lambda: [MemoryTransport(space)]
    )
    async with AsyncExitStack() as stack:
        hosts = [
            await stack.enter_async_context(Host(listen="/memory/0", config=settings)) for _ in range(count)
        ]
        if connected:
            for index, host in enumerate(hosts):
                for other in hosts[index + 1 :]:
                    await host.connect(other.addresses[0])
        yield tuple(hosts)
