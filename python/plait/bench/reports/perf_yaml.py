"""`results.yaml` as the perf suite of libp2p/unified-testing writes it, so that its dashboard can read ours.

The shape is that of the programs, which the suite's `docs/results-schema.md` no longer describes:
`perf/run.sh` writes `metadata`, `summary`, `baselineResults` and `testResults`;
`perf/lib/run-single-test.sh` each test; `docs/write-a-perf-test-app.md` and `perf/images/go/v0.45/main.go`
the measurements `upload`, `download` (Gbps) and `latency` (ms), each with `iterations`, quartiles, `min` and
`max` of what lies within 1.5 interquartile ranges of them, `outliers`, and all `samples`
(https://github.com/libp2p/unified-testing, at 7a7e8ae6).

There is no measurement for anything else that was found here; what the suite has no word for is left out. The
suite's latency is a ping of one byte, one at a time: here the median of `request-response` at depth 1.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Sequence

from plait.bench import statistics
from plait.bench.reports.summary import Row, Scenario, Summary, Table, summarise
from plait.bench.results import Run, Subject

__all__ = ["results_yaml"]

# 8 bits in a byte, and 1000 MB/s in a GB/s.
GBPS_OF = {"MB/s": 8 / 1000, "GB/s": 8.0, "B/s": 8e-9}
MILLISECONDS_OF = {"s": 1000.0, "ms": 1.0, "µs": 0.001, "us": 0.001, "ns": 1e-6}
# What marks an outlier, as the suite's programs have it.
FENCE = 1.5
# Not libp2p: what the suite calls a baseline has neither.
BASELINES = frozenset({"raw-tcp", "asyncio-tls", "websockets", "grpc"})


def results_yaml(run: Run | Summary) -> str:
    """The text of the file."""
    summary = summarise(run) if isinstance(run, Run) else run
    return "\n".join(_lines(summary)) + "\n"


def _lines(summary: Summary) -> Iterator[str]:
    tests = {subject: list(_measurements(summary, subject)) for subject in summary.subjects}
    failed = {
        subject: [f for s in summary.scenarios for f in s.failures if f.cell.subject == subject]
        for subject in summary.subjects
    }
    shown = [s for s in summary.subjects if tests[s] or failed[s]]
    baselines = [s for s in shown if s.implementation in BASELINES]
    others = [s for s in shown if s.implementation not in BASELINES]
    passed = [len([s for s in group if tests[s]]) for group in (baselines, others)]
    run = summary.run
    yield "metadata:"
    yield f"  testPass: {_text('plait-bench ' + run.started)}"
    yield f"  startedAt: {_text(run.started)}"
    yield f"  platform: {_text(platform.machine())}"
    yield f"  os: {_text(run.environment.kernel.partition(' ')[0])}"
    yield "  workerCount: 1"
    yield ""
    yield "summary:"
    for name, group, good in (("Baselines", baselines, passed[0]), ("Tests", others, passed[1])):
        yield f"  total{name}: {len(group)}"
        yield f"  {name.lower()}Passed: {good}"
        yield f"  {name.lower()}Failed: {len(group) - good}"
    yield f"  totalAll: {len(shown)}"
    yield f"  passedAll: {sum(passed)}"
    yield f"  failedAll: {len(shown) - sum(passed)}"
    for name, group in (("baselineResults", baselines), ("testResults", others)):
        yield ""
        yield f"{name}:" if group else f"{name}: []"
        for subject in group:
            yield from _test(subject, tests[subject])


def _test(subject: Subject, measurements: Sequence[tuple[str, str, Sequence[float]]]) -> Iterator[str]:
    stack = ", ".join(part for part in (subject.transport, subject.security, subject.muxer) if part)
    beside = " ".join(part for part in (subject.loop, subject.driver) if part)
    name = f"{subject.implementation} x {subject.implementation} ({stack})"
    yield f"  - name: {_text(f'{name} {beside}' if beside else name)}"
    yield f"    dialer: {_text(subject.implementation)}"
    yield f"    listener: {_text(subject.implementation)}"
    yield f"    transport: {_text(subject.transport)}"
    yield f"    secureChannel: {_text(subject.security) if subject.security not in ('', 'none') else 'null'}"
    yield f"    muxer: {_text(subject.muxer) if subject.muxer not in ('', 'none') else 'null'}"
    yield f"    status: {'pass' if measurements else 'fail'}"
    for name, unit, values in measurements:
        ordered = sorted(values)
        first, third = statistics.quantile(ordered, 0.25), statistics.quantile(ordered, 0.75)
        reach = FENCE * (third - first)
        inside = [value for value in ordered if first - reach <= value <= third + reach] or ordered
        outliers = [value for value in ordered if not first - reach <= value <= third + reach]
        yield f"    {name}:"
        yield f"      iterations: {len(ordered)}"
        yield f"      min: {_number(inside[0])}"
        yield f"      q1: {_number(first)}"
        yield f"      median: {_number(statistics.median(ordered))}"
        yield f"      q3: {_number(third)}"
        yield f"      max: {_number(inside[-1])}"
        yield f"      outliers: [{', '.join(map(_number, outliers))}]"
        yield f"      samples: [{', '.join(map(_number, ordered))}]"
        yield f"      unit: {unit}"


def _measurements(summary: Summary, subject: Subject) -> Iterator[tuple[str, str, Sequence[float]]]:
    for name, scenario in (("upload", "bulk-up"), ("download", "bulk-down")):
        best = _largest_write(_table(summary, scenario, GBPS_OF, ("rate",)), subject)
        if best is not None:
            table, row = best
            factor = GBPS_OF[table.metric.unit]
            yield name, "Gbps", [value * factor for value in table.cells[row, subject].values]
    latency = _table(
        summary, "request-response", MILLISECONDS_OF, ("p50", "median", "latency", "p50 latency")
    )
    if latency is not None:
        for row in latency.rows:
            if dict(row).get("depth", 1) == 1 and (row, subject) in latency.cells:
                factor = MILLISECONDS_OF[latency.metric.unit]
                yield "latency", "ms", [value * factor for value in latency.cells[row, subject].values]
                break


def _table(summary: Summary, name: str, units: dict[str, float], metrics: Sequence[str]) -> Table | None:
    scenarios = (scenario for scenario in summary.scenarios if scenario.name == name)
    scenario: Scenario | None = next(scenarios, None)
    tables = scenario.tables if scenario else []
    return next((t for t in tables if t.metric.unit in units and t.metric.name in metrics), None)


def _largest_write(table: Table | None, subject: Subject) -> tuple[Table, Row] | None:
    """The suite uploads as fast as it can, so with writes that are not small: at 64 KiB, or the last."""
    rows = [row for row in table.rows if (row, subject) in table.cells] if table else []
    if table is None or not rows:
        return None
    return table, next((row for row in rows if dict(row).get("write_size") == 65536), rows[-1])


def _number(value: float) -> str:
    return f"{value:.6g}" if abs(value) >= 1e-4 else f"{value:.9f}"


def _text(words: str) -> str:
    # Every string of JSON is one of YAML 1.2, and none of them can be taken for a number or a list.
    return json.dumps(words)
