"""Findings as objects of JSON and back.

A value that is no finite number is a string (`"nan"`), since JSON has no number for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from plait.bench.results import (
    Better,
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

__all__ = ["finding_of", "header", "record", "run_of"]

# Changes when a reader of the old one would misread the new one.
VERSION = 1
BETTER: Mapping[str, Better] = {"higher": "higher", "lower": "lower", "neither": "neither"}


def header(run: Run) -> dict[str, Any]:
    """The first line: what was run, where."""
    where = run.environment
    return {
        "plait_bench": VERSION,
        "started": run.started,
        "command": list(run.command),
        "environment": {
            "cpu": where.cpu,
            "cores": where.cores,
            "kernel": where.kernel,
            "python": where.python,
            "plait": where.plait,
            "commit": where.commit,
            "versions": dict(where.versions),
            "features": list(where.features),
        },
    }


def run_of(header: Any) -> Run:
    """A run without findings, from its first line.

    Raises `ValueError` for what is no such line, or is of a version that this program does not know.
    """
    if not isinstance(header, dict) or "plait_bench" not in header:
        raise ValueError("this is no file of benchmark results")
    if header["plait_bench"] != VERSION:
        raise ValueError(
            f"version {header['plait_bench']!r} of the file is not {VERSION}: it is of another plait"
        )
    where = _dict(header, "environment")
    return Run(
        started=_text(header, "started"),
        command=_texts(header, "command"),
        environment=Environment(
            cpu=_text(where, "cpu"),
            cores=_whole(where, "cores"),
            kernel=_text(where, "kernel"),
            python=_text(where, "python"),
            plait=_text(where, "plait"),
            commit=None if where.get("commit") is None else _text(where, "commit"),
            versions={key: _text(_dict(where, "versions"), key) for key in _dict(where, "versions")},
            features=_texts(where, "features"),
        ),
    )


def record(finding: Finding) -> dict[str, Any]:
    """One finding; `kind` says which."""
    cell = finding.cell
    stack = cell.subject
    about = {
        "scenario": cell.scenario,
        "subject": {
            "implementation": stack.implementation,
            "transport": stack.transport,
            "security": stack.security,
            "muxer": stack.muxer,
            "loop": stack.loop,
            "driver": stack.driver,
        },
        "parameters": {
            name: value if isinstance(value, int | str) else _finite(value)
            for name, value in cell.parameters.items()
        },
    }
    match finding:
        case Sample():
            return {
                "kind": "sample",
                **about,
                "metric": finding.metric.name,
                "unit": finding.metric.unit,
                "better": finding.metric.better,
                "round": finding.round,
                "value": _finite(finding.value),
                "ceiling": _finite(finding.ceiling),
                "kept": finding.kept,
            }
        case Curve():
            return {
                "kind": "curve",
                **about,
                "name": finding.name,
                "x_unit": finding.x_unit,
                "y_unit": finding.y_unit,
                "points": [[_finite(x), _finite(y)] for x, y in finding.points],
            }
        case Verdict():
            return {
                "kind": "verdict",
                **about,
                "name": finding.name,
                "passed": finding.passed,
                "detail": finding.detail,
            }
        case Failure():
            return {"kind": "failure", **about, "why": finding.why}


def finding_of(record: Any) -> Finding:
    """The finding again. Raises `ValueError` for what is none."""
    if not isinstance(record, dict):
        raise ValueError("a finding is an object")
    subject = _dict(record, "subject")
    parts = ("implementation", "transport", "security", "muxer", "loop", "driver")
    given = _dict(record, "parameters")
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(f"the parameter {name!r} is neither number nor text")
    cell = Cell(_text(record, "scenario"), Subject(*(_text(subject, part) for part in parts)), given)
    match record.get("kind"):
        case "sample":
            better = BETTER.get(_text(record, "better"))
            if better is None:
                raise ValueError("'better' is neither higher, lower nor neither")
            metric = Metric(_text(record, "metric"), _text(record, "unit"), better)
            value, ceiling = _number(record, "value"), _number(record, "ceiling")
            return Sample(cell, metric, _whole(record, "round"), value, ceiling, _truth(record, "kept"))
        case "curve":
            names = (_text(record, "name"), _text(record, "x_unit"), _text(record, "y_unit"))
            return Curve(cell, *names, [_point(pair) for pair in _list(record, "points")])
        case "verdict":
            detail = _text(record, "detail")
            return Verdict(cell, _text(record, "name"), _truth(record, "passed"), detail)
        case "failure":
            return Failure(cell, _text(record, "why"))
        case kind:
            raise ValueError(f"no kind of finding is called {kind!r}")


def _finite(value: float) -> float | str:
    return value if math.isfinite(value) else str(float(value))


def _point(pair: Any) -> tuple[float, float]:
    if not isinstance(pair, list) or len(pair) != 2:
        raise ValueError("a point of a curve is a pair")
    return _as_number(pair[0], "a point"), _as_number(pair[1], "a point")


def _as_number(value: Any, what: str) -> float:
    if value in ("nan", "inf", "-inf"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{what} is no number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{what} is out of range") from None


def _number(record: Mapping[str, Any], key: str) -> float:
    return _as_number(record.get(key), repr(key))


def _whole(record: Mapping[str, Any], key: str) -> int:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{key!r} is no whole number")
    return value


def _truth(record: Mapping[str, Any], key: str) -> bool:
    value = record.get(key)
    if not isinstance(value, bool):
        raise ValueError(f"{key!r} is neither true nor false")
    return value


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key!r} is no text")
    return value


def _list(record: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = record.get(key)
    if not isinstance(value, list):
        raise ValueError(f"{key!r} is no list")
    return value


def _texts(record: Mapping[str, Any], key: str) -> list[str]:
    values = _list(record, key)
    if not all(isinstance(value, str) for value in values):
        raise ValueError(f"{key!r} is no list of texts")
    return list(values)


def _dict(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = record.get(key)
    if not isinstance(value, dict):
        raise ValueError(f"{key!r} is no object")
    return value
