"""`plait bench compare` and `plait bench gate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from plait.bench import reports
from plait.bench.results import Run
from plait.cli.output import Output

__all__ = ["compare", "gate"]


def compare(options: argparse.Namespace, out: Output) -> int:
    """Prints what changed; 0 whatever it is."""
    found = reports.compare(_load(options.old), _load(options.new))
    if out.json:
        for one in found.changes:
            subject = one.cell.subject
            out.result(
                "change",
                scenario=one.cell.scenario,
                subject=str(subject),
                parameters=dict(one.cell.parameters),
                metric=one.metric.name,
                unit=one.metric.unit,
                old=one.old.median,
                new=one.new.median,
                ratio=one.ratio,
                low=one.low,
                high=one.high,
                outcome=one.outcome,
            )
        out.result(
            "done",
            warnings=list(found.warnings),
            broken=list(found.broken),
            only_old=found.only_old,
            only_new=found.only_new,
        )
        return 0
    text = found.markdown() if options.markdown else found.text()
    out.result("comparison", text.rstrip("\n"))
    return 0


def gate(options: argparse.Namespace, out: Output) -> int:
    """Prints why; the exit status is that of `plait.bench.reports.gate`."""
    try:
        old, new = _load(options.old), _load(options.new)
    except OSError as error:
        # To a build, 1 would say that something became worse.
        out.error(error)
        return UNJUDGED
    status, text = reports.gate(old, new, options.max_regress)
    lines = text.rstrip("\n").splitlines()
    out.result("gate", "\n".join(lines), status=status, max_regress=options.max_regress, lines=lines)
    return status


def _load(path: Path) -> Run:
    return reports.load(path / RESULTS if path.is_dir() else path)


RESULTS = "results.jsonl"
UNJUDGED = 2
