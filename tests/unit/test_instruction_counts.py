"""When the gate on instruction counts fails, and when it has nothing to compare with."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

COUNT = Path(__file__).parents[2] / "benches" / "counts" / "count.py"
HERE = {"rustc": "1", "libc": "1", "valgrind": "1", "cpu": "a", "cpu features": "x"}


@pytest.fixture(scope="module")
def gate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("plait_count", COUNT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclass looks itself up.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(importlib.import_module("sys").modules, "plait_count", module)
        spec.loader.exec_module(module)
    return module


def counts(gate: ModuleType, **change: float) -> dict[str, dict[str, float]]:
    """1000 instructions in each column of each work, with changes in per cent."""
    columns = {column: 1000 * (1 + change.get(column, 0.0) / 100) for column in gate.COLUMNS}
    return {work.name: columns for work in gate.WORKS}


def verdict(gate: ModuleType, now: dict[str, Any], **elsewhere: str) -> int:
    baseline = {"environment": HERE, "counts": counts(gate)}
    status: int = gate.check(now, baseline, {**HERE, **elsewhere}, 3.0)
    return status


def test_what_is_within_the_tolerance_passes(gate, capsys):
    assert verdict(gate, counts(gate, core=2.9, libc=-2.9, crypto=50)) == 0
    assert f"core and libc of {len(gate.WORKS)} works, all within 3 %" in capsys.readouterr().out


@pytest.mark.parametrize("change", [{"core": 3.1}, {"core": -3.1}, {"libc": 3.1}])
def test_what_is_not_fails_and_says_where(gate, capsys, change):
    assert verdict(gate, counts(gate, **change)) == 1
    (column,) = change
    assert f"bulk-tls: {column} {change[column]:+.1f} %" in capsys.readouterr().err


def test_a_work_without_a_baseline_fails(gate, capsys):
    baseline = {"environment": HERE, "counts": {}}
    assert gate.check(counts(gate), baseline, HERE, 3.0) == 1
    assert "bulk: not in the baseline" in capsys.readouterr().err
    assert gate.check(counts(gate), None, HERE, 3.0) == 2


@pytest.mark.parametrize(
    ("elsewhere", "not_compared"),
    [
        ({"cpu": "b"}, ["libc"]),
        ({"libc": "2"}, ["libc"]),
        ({"valgrind": "2"}, ["libc"]),
        ({"cpu features": ""}, ["core", "libc"]),
        ({"rustc": "2"}, ["core", "libc"]),
    ],
)
def test_another_machine_is_no_regression(gate, capsys, elsewhere, not_compared):
    changes = dict.fromkeys(not_compared, 20.0)
    assert verdict(gate, counts(gate, **changes), **elsewhere) == 0
    said = capsys.readouterr().out
    assert all(f"*** {column} IS NOT COMPARED" in said for column in not_compared)
    if "core" not in not_compared:
        assert verdict(gate, counts(gate, core=4.0), **elsewhere) == 1
