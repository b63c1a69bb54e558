"""The protocols that every host speaks: small services over the seams of a host.

Purpose: identify peers, measure round trips, measure throughput.
Takes: a `Network`, its streams and connections; the peerstore and the event bus.
Gives: `identify`, `ping` and `perf`, each with its service and its client; `compatible_with` for handlers.
May look at: peerstore, events, limits, abc, addresses, identity, wire, exceptions, types.
"""

from plait.protocols.identify import Identify
from plait.protocols.perf import PerfResult, PerfServer, measure
from plait.protocols.ping import PingService, ping
from plait.protocols.versions import compatible_with

__all__ = ["Identify", "PerfResult", "PerfServer", "PingService", "compatible_with", "measure", "ping"]
