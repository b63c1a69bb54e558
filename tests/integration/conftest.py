"""Two connected hosts over each transport, with a check that nothing stays behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest

import plait
from plait.host import HostConfig
from plait.testing import network, no_leaks

Duo = Callable[..., AbstractAsyncContextManager[tuple[plait.Host, plait.Host]]]


@pytest.fixture(params=["tcp", "tcp-bytes", "ws", "memory"])
def duo(request: pytest.FixtureRequest) -> Duo:
    """`async with duo() as (alice, bob):` two hosts that reach each other; none of them has dialed yet."""

    @asynccontextmanager
    async def enter(config: HostConfig | None = None) -> AsyncIterator[tuple[plait.Host, plait.Host]]:
        if request.param == "tcp-bytes":
            config = replace(config or HostConfig(), bare_sockets=False)
        async with no_leaks():
            if request.param == "memory":
                async with network(2, config=config) as (alice, bob):
                    yield alice, bob
            else:
                listen = "/ip4/127.0.0.1/tcp/0" + ("/ws" if request.param == "ws" else "")
                async with (
                    plait.Host(listen=listen, config=config) as alice,
                    plait.Host(listen=listen, config=config) as bob,
                ):
                    yield alice, bob

    return enter
