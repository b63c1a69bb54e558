"""Sentences that several reports need."""

from __future__ import annotations

from collections.abc import Iterator

from plait.bench.reports.summary import Scenario
from plait.bench.results import Environment

__all__ = ["environment_lines", "explained", "rounds_line"]

# By scenario; one of your own is explained where you explain it.
EXPLAINED = {
    "bulk-up": "One stream, as many bytes as it takes, from the dialer to the listener.",
    "bulk-down": "One stream, as many bytes as it takes, from the listener to the dialer.",
    "bulk-duplex": "One stream, bytes in both directions at once; the rate is of both together.",
    "streams": "Many streams of one connection send at once: what they move together, and how evenly.",
    "request-response": "Small requests that wait for their responses, so many on the way at once.",
    "latency-under-load": "Pings on one stream while others move bytes: what waits behind them.",
    "stream-churn": "Streams opened, used once and closed.",
    "connection-churn": "Connections dialed, secured, and closed.",
    "slow-reader": "One stream's reader is slow: what that costs the others, and memory.",
    "stalled-stream": "One stream's reader stops: what that costs the others, and memory.",
    "distance": "A link with delay: how much of it is used, and how soon.",
    "idle": "What connections and streams cost that do nothing.",
    "layers": "The same work with one layer more each time, and what that layer adds.",
}


def explained(scenario: str) -> str:
    """One sentence, or nothing."""
    sentence = EXPLAINED.get(scenario)
    return f"{sentence} " if sentence else ""


def rounds_line(scenario: Scenario) -> str:
    """How many rounds there were and how many do not count."""
    if not scenario.rounds:
        return ""
    rounds = f"{scenario.rounds} round{'' if scenario.rounds == 1 else 's'}"
    if not scenario.dropped:
        return f"{rounds}, none dropped."
    return f"{rounds}, {scenario.dropped} dropped, because the machine's ceiling moved."


def environment_lines(where: Environment) -> Iterator[tuple[str, str]]:
    """Name and value of all that a figure may hang on."""
    yield "CPU", f"{where.cpu}, {where.cores} core{'' if where.cores == 1 else 's'}"
    if where.features:
        yield "CPU features", ", ".join(where.features)
    yield "kernel", where.kernel
    yield "Python", where.python
    yield "plait", where.plait + (f" ({where.commit})" if where.commit else "")
    if where.versions:
        yield "with", ", ".join(f"{name} {version}" for name, version in where.versions.items())
