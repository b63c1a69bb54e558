"""Percentiles and the curve of latencies, for the scenarios that have them."""

from __future__ import annotations

from collections.abc import Sequence

from plait.bench.results import Metric
from plait.bench.scenarios.scenario import Line
from plait.bench.statistics import quantile

__all__ = ["PERCENTILES", "curve"]

PERCENTILES = {
    0.5: Metric("p50", "µs", "lower"),
    0.9: Metric("p90", "µs", "lower"),
    0.99: Metric("p99", "µs", "lower"),
    0.999: Metric("p99.9", "µs", "lower"),
}
# Half of what matters lies behind 99 %: hundredths up to there, then as many points for each nine more.
SHARES = (
    *(share / 100 for share in range(100)),
    *(1 - 10**-nines * (1 - step / 10) for nines in (2, 3, 4) for step in range(10)),
    1.0,
)


def curve(latencies: Sequence[float]) -> Line:
    """The cumulative distribution of ascending latencies in seconds, as far as there are values for it."""
    points = [
        (quantile(latencies, share) * 1e6, share)
        for share in SHARES
        # Past that, a share is less than one value.
        if share == 1.0 or (1 - share) * len(latencies) >= 1
    ]
    return Line("latency", "µs", "share", points)
