"""`plait bench compare` and `gate`: what they print, and the exit status that a build looks at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from synthetic import synthetic_run

from plait.bench.reports import Writer
from plait.bench.results import Run
from plait.cli import main
from plait.cli.bench import share


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Files of a run, of the same again, of a slower one, and of one with too few rounds."""
    save(synthetic_run(), tmp_path / "old.jsonl")
    save(synthetic_run(seed=2), tmp_path / "same.jsonl")
    save(synthetic_run(seed=2, factor=0.7), tmp_path / "slower.jsonl")
    save(synthetic_run(2), tmp_path / "few.jsonl")
    (tmp_path / "folder").mkdir()
    save(synthetic_run(seed=2, factor=0.7), tmp_path / "folder" / "results.jsonl")
    (tmp_path / "text").write_text("no results\n")
    return tmp_path


@pytest.mark.parametrize(
    ("new", "limit", "status", "says"),
    [
        ("same.jsonl", "10%", 0, "within 10.0%"),
        ("slower.jsonl", "10%", 1, "regressed: the limit is 10.0%"),
        ("slower.jsonl", "0.5", 0, "within 50.0%"),
        ("folder", "10%", 1, "regressed"),
        ("few.jsonl", "10%", 2, "cannot be judged"),
    ],
)
def test_gate(
    runs: Path, new: str, limit: str, status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["bench", "gate", str(runs / "old.jsonl"), str(runs / new), "--max-regress", limit]
    assert main(words) == status
    assert says in capsys.readouterr().out
    assert main([*words, "--json"]) == status
    told = json.loads(capsys.readouterr().out)
    assert (told["event"], told["status"]) == ("gate", status)
    assert says in told["lines"][-1]


@pytest.mark.parametrize("missing", ["nothing.jsonl", "text", "."])
def test_a_gate_without_results_says_that_it_cannot_judge(
    runs: Path, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "gate", str(runs / "old.jsonl"), str(runs / missing)]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"plait: {runs / missing}".removesuffix("/."))
    assert said.out == ""


def test_compare(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "compare", str(runs / "old.jsonl"), str(runs / "slower.jsonl")]
    assert main(words) == 0
    assert "worse: " in capsys.readouterr().out
    assert main([*words, "--markdown"]) == 0
    assert "### plait bench, compared" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    *changes, done = map(json.loads, capsys.readouterr().out.splitlines())
    assert {change["event"] for change in changes} == {"change"}
    assert "worse" in {change["outcome"] for change in changes}
    assert done["event"] == "done"


def test_compare_without_results(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "compare", str(runs / "old.jsonl"), str(runs / "nothing")]) == 1
    assert main(["bench", "compare", str(runs / "old.jsonl"), str(runs / "text")]) == 2
    assert "line 1: no JSON" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(("text", "value"), [("5%", 0.05), ("0.05", 0.05), ("0", 0), ("150 %", 1.5)])
def test_shares(text: str, value: float) -> None:
    assert share(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["5", "-1%", "nan", "inf%", "", "%", "much", "5%%"])
def test_what_is_no_share(runs: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    old = str(runs / "old.jsonl")
    with pytest.raises(SystemExit, match="2"):
        main(["bench", "gate", old, old, f"--max-regress={text}"])
    assert "write 5% or 0.05" in capsys.readouterr().err


def save(run: Run, path: Path) -> None:
    with Writer(path) as writer:
        writer.write_run(run)
        for finding in run.findings:
            # One scenario tells as much as all.
            if finding.cell.scenario == "bulk-up":
                writer.write(finding)
        writer.finish()
