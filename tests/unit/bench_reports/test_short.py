"""A run in a dozen lines."""

from __future__ import annotations

from synthetic import ENVIRONMENT, NOISE, PEER, synthetic_run

from plait.bench.reports import short
from plait.bench.results import Cell, Failure, Metric, Run, Sample


def test_a_figure_of_each_scenario_and_what_does_not_hold() -> None:
    run = synthetic_run()
    lines = short(run, width=1000).splitlines()
    for name in ("bulk-up", "bulk-down", "streams", "request-response", "stream-churn", "idle"):
        (line,) = [line for line in lines if line.startswith(f"  {name} (")]
        assert "synthetic-peer" in line
    assert "  bulk-up (rate, MB/s; write size 64 KiB): raw-tcp " in "\n".join(lines)
    assert any(line.startswith("  layers (ns/byte, plait noise/yamux): yamux 0.1") for line in lines)
    assert "  NO memory bounded: slow-reader (synthetic-peer noise/yamux)" in lines
    assert lines[-1].startswith(
        "  not measured: connection-churn (synthetic-peer noise/yamux): synthetic-peer"
    )
    # What has no better and worse is in the page.
    assert not any(line.startswith("  distance") for line in lines)


def test_the_metric_that_most_have() -> None:
    rate, p50 = Metric("rate", "/s", "higher"), Metric("p50", "µs", "lower")
    found = [
        Sample(Cell("request-response", subject, {"depth": 1}), metric, 0, 5.0)
        for subject, metric in ((NOISE, rate), (NOISE, p50), (PEER, p50))
    ]
    text = short(Run("", [], ENVIRONMENT, [*found]), width=1000)
    assert "request-response (p50, µs; depth 1): plait uvloop fd 5.00, synthetic-peer 5.00" in text


def test_the_same_reason_once_and_no_line_too_long() -> None:
    why = "it died\x1b[2J of " + "this " * 40
    found = [Failure(Cell(name, PEER), why) for name in ("bulk-up", "bulk-up", "streams")]
    text = short(Run("", [], ENVIRONMENT, [*found]), width=80)
    assert text.count("not measured") == 1
    assert "bulk-up (synthetic-peer tcp/noise/yamux), streams (" in text.replace("\n      ", " ")
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
