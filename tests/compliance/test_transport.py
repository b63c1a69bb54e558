"""Every transport, ours and the example's."""

from __future__ import annotations

import pytest

from plait.testing.compliance import TRANSPORT_CHECKS, TransportCase
from plait.transports import MemorySpace, MemoryTransport, TcpTransport, WebSocketTransport


@pytest.fixture(params=["tcp", "ws", "memory", "example"])
def case(request, example, tmp_path) -> TransportCase:
    match request.param:
        case "tcp":
            return TransportCase(make=TcpTransport, listen="/ip4/127.0.0.1/tcp/0")
        case "ws":
            # A WebSocket that was ended in one direction is ended in both.
            return TransportCase(
                make=WebSocketTransport, listen="/ip4/127.0.0.1/tcp/0/ws", has_half_close=False
            )
        case "memory":
            space = MemorySpace()
            return TransportCase(make=lambda: MemoryTransport(space), listen="/memory/0")
        case _:
            local = example("plugin_transport").LocalTransport
            return TransportCase(make=lambda: local(tmp_path), listen="/memory/1")


@pytest.mark.limit(30)
@pytest.mark.parametrize("check", TRANSPORT_CHECKS, ids=lambda check: check.__name__)
async def test_transport(case, check):
    await check(case)
