"""Every muxer, ours and the example's."""

from __future__ import annotations

import pytest

from plait.testing.compliance import MUXER_CHECKS, MuxerCase
from plait.upgrade import MPLEX, YAMUX


@pytest.fixture(params=["yamux", "mplex", "example"])
def case(request, example) -> MuxerCase:
    match request.param:
        case "yamux":
            return MuxerCase(muxer=YAMUX)
        case "mplex":
            return MuxerCase(muxer=MPLEX, has_credit=False, has_codes=False, has_go_away=False)
        case _:
            return MuxerCase(muxer=example("plugin_muxer").Framed())


# There is no loop in these sessions.
@pytest.mark.one_loop
@pytest.mark.limit(120)
@pytest.mark.parametrize("check", MUXER_CHECKS, ids=lambda check: check.__name__)
async def test_muxer(case, check):
    await check(case)
