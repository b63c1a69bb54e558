"""Every transport, ours and the example's."""

from __future__ import annotations

import pytest

from plait.testing.compliance import TRANSPORT_CHECKS, TransportCase
from plait.transports import MemorySpace, MemoryTransport, TcpTransport


@pytest.fixture(params=["tcp", "memory", "example"])
def case(request, example, tmp_path) -> TransportCase:
    match request.param:
        case "tcp":
            return TransportCase(make=TcpTransport, listen="/ip4/127.0.0.1/tcp/0")
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
