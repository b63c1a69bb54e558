"""The file of a run: what is written is read, and what is broken is told apart from what is broken off."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.bench.reports import Writer, load
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
from plait.exceptions import ConfigError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBER = st.floats(allow_nan=False)
SUBJECTS = st.builds(Subject, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT)
CELLS = st.builds(
    Cell,
    TEXT,
    SUBJECTS,
    st.dictionaries(TEXT, st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT),
)
METRICS = st.builds(Metric, TEXT, TEXT, st.sampled_from(["higher", "lower", "neither"]))
FINDINGS: st.SearchStrategy[Finding] = st.one_of(
    st.builds(Sample, CELLS, METRICS, st.integers(-1, 99), NUMBER, NUMBER, st.booleans()),
    st.builds(Curve, CELLS, TEXT, TEXT, TEXT, st.lists(st.tuples(NUMBER, NUMBER), max_size=5)),
    st.builds(Verdict, CELLS, TEXT, st.booleans(), TEXT),
    st.builds(Failure, CELLS, TEXT),
)
ENVIRONMENTS = st.builds(
    Environment,
    TEXT,
    st.integers(1, 512),
    TEXT,
    TEXT,
    TEXT,
    st.none() | TEXT,
    st.dictionaries(TEXT, TEXT, max_size=3),
    st.lists(TEXT, max_size=3),
)
RUNS = st.builds(
    Run, TEXT, st.lists(TEXT, max_size=4), ENVIRONMENTS, st.lists(FINDINGS, max_size=6), st.booleans()
)
HEADER_ONLY = Run("2000-01-01T00:00:00Z", ["synthetic"], Environment("c", 1, "k", "p", "0", None))
FAILURE = Failure(Cell("synthetic", Subject("synthetic")), "made for this test")


def save(run: Run, path: Path) -> None:
    with Writer(path) as writer:
        writer.write_run(run)
        for finding in run.findings:
            writer.write(finding)
        if run.finished:
            writer.finish()


@given(run=RUNS)
def test_a_run_comes_back_as_it_was(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("runs") / "results.jsonl"
    save(run, path)
    assert load(path) == run


def test_each_finding_is_on_disk_when_write_returns(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with Writer(path) as writer:
        writer.write_run(HEADER_ONLY)
        writer.write(FAILURE)
        assert load(path).findings == [FAILURE]


def test_a_file_may_end_anywhere_behind_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    save(Run("s", ["c"], HEADER_ONLY.environment, [FAILURE, FAILURE], finished=True), path)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole)):
        path.write_bytes(whole[:end])
        run = load(path)
        assert run.findings == [FAILURE] * len(run.findings)
        # The last line without its line break is complete JSON too.
        assert run.finished == (end >= len(whole) - 1)


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        ([b""], 1),
        ([b"hello\n"], 1),
        ([b"[1]\n"], 1),
        ([b'{"plait_bench":99}\n'], 1),
        ([b"\xff\xfe\n"], 1),
        ([b"[" * 100_000 + b"\n"], 1),
        ([None, b"{}\n", b"\n"], 2),
        ([None, b'{"kind":"sample"}\n'], 2),
        ([None, b"torn{\n", b'{"kind":"end"}\n'], 2),
    ],
)
def test_garbage_is_one_clear_line_with_its_number(
    lines: list[bytes | None], number: int, tmp_path: Path
) -> None:
    path = tmp_path / "results.jsonl"
    save(HEADER_ONLY, path)
    header = path.read_bytes()
    path.write_bytes(b"".join(header if line is None else line for line in lines))
    with pytest.raises(ConfigError, match=rf"results\.jsonl, line {number}: ") as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_one_warning(tmp_path: Path) -> None:
    warnings: list[str] = []
    with Writer(tmp_path / "nowhere" / "results.jsonl", warnings.append) as writer:
        writer.write_run(HEADER_ONLY)
        writer.write(FAILURE)
        writer.finish()
    assert len(warnings) == 1
    assert "No such file" in warnings[0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_warning() -> None:
    warnings: list[str] = []
    with Writer("/dev/full", warnings.append) as writer:
        writer.write_run(HEADER_ONLY)
        writer.write(FAILURE)
        writer.write(FAILURE)
    assert len(warnings) == 1
    assert "No space left" in warnings[0]
