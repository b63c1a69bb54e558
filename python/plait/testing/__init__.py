"""What tests of programs on plait need, whatever runs the tests.

Purpose: hosts in memory, wires that go bad, and a check that nothing stays behind.
Takes: a running event loop.
Gives: `network`, `Wire`, `no_leaks`; in `plait.testing.compliance` what plug-ins have to do.
May look at: host, and all below.
"""

from plait.testing.hosts import network
from plait.testing.leaks import LeakError, no_leaks
from plait.testing.wire import Wire

__all__ = ["LeakError", "Wire", "network", "no_leaks"]
