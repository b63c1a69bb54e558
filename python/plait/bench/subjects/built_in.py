"""The contenders that plait brings along, in the order of the reports' columns."""

from __future__ import annotations

from collections.abc import Sequence

from plait.bench.subjects.asyncio_tls import AsyncioTlsEnds
from plait.bench.subjects.contender import Contender
from plait.bench.subjects.grpc_ends import GrpcEnds
from plait.bench.subjects.plait_ends import PlaitEnds
from plait.bench.subjects.raw_tcp import RawTcpEnds
from plait.bench.subjects.two_ends import TwoEnds
from plait.bench.subjects.websockets_ends import WebsocketsEnds

__all__ = ["CONTENDERS", "QUICK"]

# What most programs choose between, and what they would take without plait.
QUICK: Sequence[Contender] = (
    TwoEnds(RawTcpEnds()),
    TwoEnds(PlaitEnds(security="noise")),
    TwoEnds(PlaitEnds(security="tls")),
    TwoEnds(PlaitEnds(muxer="mplex")),
    TwoEnds(AsyncioTlsEnds()),
)

CONTENDERS: Sequence[Contender] = (
    *QUICK[:3],
    TwoEnds(PlaitEnds(security="none")),
    QUICK[3],
    TwoEnds(PlaitEnds(security="tls", muxer="mplex")),
    # The same stack with another loop, and with asyncio's transports in place of bare sockets.
    TwoEnds(PlaitEnds(loop="asyncio")),
    TwoEnds(PlaitEnds(bare_sockets=False)),
    TwoEnds(PlaitEnds(loop="asyncio", bare_sockets=False)),
    TwoEnds(PlaitEnds("ws")),
    TwoEnds(PlaitEnds("memory")),
    QUICK[4],
    TwoEnds(RawTcpEnds("asyncio")),
    TwoEnds(AsyncioTlsEnds("asyncio")),
    TwoEnds(WebsocketsEnds()),
    TwoEnds(GrpcEnds()),
    TwoEnds(GrpcEnds("uvloop")),
)
