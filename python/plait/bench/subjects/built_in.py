"""The contenders that plait brings along, in the order of the reports' columns."""

from __future__ import annotations

from collections.abc import Sequence

from plait.bench.subjects.asyncio_tls import AsyncioTlsEnds
from plait.bench.subjects.contender import Contender
from plait.bench.subjects.grpc_ends import GrpcEnds
from plait.bench.subjects.loops import BEST
from plait.bench.subjects.plait_ends import PlaitEnds
from plait.bench.subjects.raw_tcp import RawTcpEnds
from plait.bench.subjects.two_ends import TwoEnds
from plait.bench.subjects.websockets_ends import WebsocketsEnds

__all__ = ["CONTENDERS", "QUICK"]

# What most programs choose between, and what they would take without plait.
QUICK: Sequence[Contender] = (
    TwoEnds(RawTcpEnds(BEST)),
    TwoEnds(PlaitEnds(security="noise", loop=BEST)),
    TwoEnds(PlaitEnds(security="tls", loop=BEST)),
    TwoEnds(PlaitEnds(muxer="mplex", loop=BEST)),
    TwoEnds(AsyncioTlsEnds(BEST)),
)

_ALL: Sequence[Contender] = (
    *QUICK[:3],
    TwoEnds(PlaitEnds(security="none", loop=BEST)),
    QUICK[3],
    TwoEnds(PlaitEnds(security="tls", muxer="mplex", loop=BEST)),
    # The same stack with another loop, and with asyncio's transports in place of bare sockets.
    TwoEnds(PlaitEnds(loop="asyncio")),
    TwoEnds(PlaitEnds(loop=BEST, bare_sockets=False)),
    TwoEnds(PlaitEnds(loop="asyncio", bare_sockets=False)),
    TwoEnds(PlaitEnds("ws", loop=BEST)),
    TwoEnds(PlaitEnds("memory", loop=BEST)),
    QUICK[4],
    TwoEnds(RawTcpEnds("asyncio")),
    TwoEnds(AsyncioTlsEnds("asyncio")),
    TwoEnds(WebsocketsEnds(BEST)),
    TwoEnds(GrpcEnds("asyncio")),
    TwoEnds(GrpcEnds(BEST)),
)
# Without uvloop some are the same.
CONTENDERS: Sequence[Contender] = tuple({one.subject: one for one in reversed(_ALL)}.values())[::-1]
