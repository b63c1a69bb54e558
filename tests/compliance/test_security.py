"""Every security protocol, ours and the example's."""

from __future__ import annotations

import pytest

from plait.testing.compliance import SECURITY_CHECKS, SecurityCase
from plait.upgrade import NOISE, PLAINTEXT, TLS


@pytest.fixture(params=["noise", "tls", "plaintext", "example"])
def case(request, example) -> SecurityCase:
    match request.param:
        case "noise":
            return SecurityCase(security=NOISE)
        case "tls":
            return SecurityCase(security=TLS)
        case "plaintext":
            return SecurityCase(security=PLAINTEXT, encrypts=False, authenticates=False, carries_muxers=False)
        case _:
            return SecurityCase(security=example("plugin_security").SignedOnly(), encrypts=False)


# There is no loop in these sessions.
@pytest.mark.one_loop
@pytest.mark.limit(120)
@pytest.mark.parametrize("check", SECURITY_CHECKS, ids=lambda check: check.__name__)
async def test_security(case, check):
    await check(case)
