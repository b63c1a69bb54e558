"""What a transport, a security protocol or a muxer has to do, as checks that any test runner can run.

Purpose: hold plug-ins to the same contract as what plait brings along; plait's own pass the same checks.
Takes: a case that says what is checked and what it does not claim to do.
Gives: `TRANSPORT_CHECKS`, `SECURITY_CHECKS` and `MUXER_CHECKS`, async functions of one case each, which raise
    `AssertionError`, or `unittest.SkipTest` for what a case does not claim; and the cases.
May look at: host, and all below.

With pytest::

    @pytest.mark.parametrize("check", MUXER_CHECKS, ids=lambda check: check.__name__)
    async def test_my_muxer(check):
        await check(MuxerCase(muxer=MyMuxer()))
"""

from plait.testing.compliance.muxer import MUXER_CHECKS, MuxerCase
from plait.testing.compliance.security import SECURITY_CHECKS, SecurityCase
from plait.testing.compliance.transport import TRANSPORT_CHECKS, TransportCase

__all__ = [
    "MUXER_CHECKS",
    "SECURITY_CHECKS",
    "TRANSPORT_CHECKS",
    "MuxerCase",
    "SecurityCase",
    "TransportCase",
]
