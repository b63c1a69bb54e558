"""The metrics that several scenarios have: one name, one unit, everywhere."""

from __future__ import annotations

from collections.abc import Iterator

from plait.bench.results import Metric
from plait.bench.scenarios.scenario import Figure

__all__ = ["CHURN", "EACH", "GROWN", "RATE", "cpu_figures", "has_streams"]

MB = 1e6
GB = 1e9
# Muxers that put many streams on one connection; elsewhere a stream is a connection.
NO_MUXER = ("", "none")

RATE = Metric("rate", "MB/s", "higher")
CPU = Metric("cpu", "s/GB", "lower")
DIALER_CPU = Metric("cpu of the dialer", "s/GB", "lower")
LISTENER_CPU = Metric("cpu of the listener", "s/GB", "lower")
CHURN = Metric("rate", "/s", "higher")
EACH = Metric("each", "µs", "lower")
GROWN = Metric("left behind", "B/each", "lower")


def cpu_figures(near: float | None, far: float | None, size: int) -> Iterator[Figure]:
    """Of both ends together, and of each where they are two processes that both tell."""
    if near is None or not size:
        return
    yield Figure(CPU, (near + (far or 0.0)) / size * GB)
    if far is not None:
        yield Figure(DIALER_CPU, near / size * GB)
        yield Figure(LISTENER_CPU, far / size * GB)


def has_streams(muxer: str) -> bool:
    """Whether a stream is less than a connection there."""
    return muxer not in NO_MUXER
