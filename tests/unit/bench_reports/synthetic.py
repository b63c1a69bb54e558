"""A run that nobody measured: figures of a formula, on a machine that does not exist."""

from __future__ import annotations

import math
import random

from plait.bench.results import (
    Cell,
    Curve,
    Environment,
    Failure,
    Finding,
    Metric,
    Run,
    Sample,
    Subject,
    Verdict,
)

RAW = Subject("raw-tcp", "tcp", loop="uvloop")
NOISE = Subject("plait", "tcp", "noise", "yamux", "uvloop", "fd")
TLS = Subject("plait", "tcp", "tls", "yamux", "uvloop", "fd")
MPLEX = Subject("plait", "tcp", "noise", "mplex", "uvloop", "fd")
PEER = Subject("synthetic-peer", "tcp", "noise", "yamux")
SUBJECTS = (RAW, NOISE, TLS, MPLEX, PEER)
SPEED = {RAW: 1000.0, NOISE: 500.0, TLS: 700.0, MPLEX: 497.0, PEER: 200.0}

RATE = Metric("rate", "MB/s", "higher")
CPU = Metric("cpu", "s/GB", "lower")
FAIRNESS = Metric("fairness", "Jain", "higher")
P99 = Metric("p99", "µs", "lower")
MEMORY = Metric("memory", "B/stream", "lower")
CHURN = Metric("rate", "/s", "higher")

ENVIRONMENT = Environment(
    cpu="Synthetic CPU 1000 (made for tests)",
    cores=2,
    kernel="Synthetic 1.0",
    python="CPython 3.11.0",
    plait="0.0.0",
    commit="0000000+",
    versions={"uvloop": "0.0.0"},
    features=("aes", "avx2"),
)


def synthetic_run(rounds: int = 6, *, seed: int = 1, factor: float = 1.0, noise: float = 0.03) -> Run:
    """The same run for the same arguments; `factor` makes plait faster or slower, one round is dropped."""
    source = random.Random(seed)
    found: list[Finding] = []

    def measure(
        scenario: str, subject: Subject, given: dict[str, int | float | str], metric: Metric, value: float
    ) -> None:
        if subject.implementation == "plait" and metric.better != "neither":
            value *= factor if metric.better == "higher" else 1 / factor
        for number in range(-1, rounds):
            wobble = 1 + noise * source.uniform(-1, 1)
            kept = number != 2 or rounds < 6
            found.append(Sample(Cell(scenario, subject, given), metric, number, value * wobble, 1000.0, kept))

    for scenario in ("bulk-up", "bulk-down"):
        for subject in SUBJECTS:
            for write_size in (64, 1024, 16384, 65536, 1 << 20, 4 << 20):
                rate = SPEED[subject] * write_size / (write_size + 4000)
                measure(scenario, subject, {"write_size": write_size}, RATE, rate)
                measure(scenario, subject, {"write_size": write_size}, CPU, 1000 / rate)
    for subject in (NOISE, TLS, PEER):
        for streams in (1, 10, 100, 1000):
            measure(
                "streams",
                subject,
                {"streams": streams},
                RATE,
                SPEED[subject] / (1 + math.log10(streams) / 30),
            )
            measure("streams", subject, {"streams": streams}, FAIRNESS, 1 / (1 + math.log10(streams) / 60))
    for subject in SUBJECTS:
        base = 40_000 / SPEED[subject]
        measure("request-response", subject, {"depth": 1}, P99, base * 2)
        points = [(base * (1 + 9 * (i / 200) ** 12), i / 200) for i in range(201)]
        found.append(Curve(Cell("request-response", subject, {"depth": 1}), "latency", "µs", "share", points))
    for subject in (NOISE, TLS, PEER):
        measure("stream-churn", subject, {}, CHURN, SPEED[subject] * 10)
    for subject in (RAW, NOISE, PEER):
        for delay in (10, 50):
            cell = Cell("distance", subject, {"delay_ms": delay})
            shape = [(t / 20, SPEED[subject] / 1000 * (1 - math.exp(-t / delay))) for t in range(61)]
            found.append(Curve(cell, "share of the link", "s", "share", shape))
    found.append(Verdict(Cell("slow-reader", NOISE), "others unharmed", True, "they lost 1.0 % (synthetic)"))
    found.append(Verdict(Cell("slow-reader", PEER), "memory bounded", False, "it grew to 64 MiB (synthetic)"))
    measure("idle", NOISE, {"what": "stream"}, MEMORY, 700)
    measure("idle", PEER, {"what": "stream"}, MEMORY, 8000)
    for layer, nanoseconds in (
        ("yamux", 0.11),
        ("noise", 0.37),
        ("socket", 0.62),
        ("event loop", 0.05),
        ("handler", 0.14),
    ):
        measure("layers", NOISE, {}, Metric(layer, "ns/byte", "lower"), nanoseconds)
    for layer, microseconds in (
        ("yamux", 0.9),
        ("noise", 1.4),
        ("socket", 12.0),
        ("event loop", 6.5),
        ("handler", 9.0),
    ):
        measure("layers", NOISE, {}, Metric(layer, "µs/operation", "lower"), microseconds)
    found.append(Failure(Cell("connection-churn", PEER), "synthetic-peer went away after 3 connections"))
    return Run("2000-01-01T00:00:00Z", ["plait", "bench", "--quick"], ENVIRONMENT, found, finished=True)
