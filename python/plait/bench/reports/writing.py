"""All reports of a run into one folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from plait.bench.reports.html import page
from plait.bench.reports.jsonl import warn_on_stderr
from plait.bench.reports.markdown import markdown
from plait.bench.reports.perf_yaml import results_yaml
from plait.bench.reports.summary import Summary, summarise
from plait.bench.results import Run

__all__ = ["write_all"]

REPORTS: dict[str, Callable[[Summary], str]] = {
    "report.html": page,
    "report.md": markdown,
    "results.yaml": results_yaml,
}


def write_all(
    run: Run | Summary, directory: str | Path, warn: Callable[[str], None] = warn_on_stderr
) -> list[Path]:
    """Writes `report.html`, `report.md` and `results.yaml`; returns the paths of those that were written.

    A file that cannot be written is one warning: what was measured is worth more than its report.
    """
    folder = Path(directory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        warn(f"no reports in {folder}: {error.strerror or error}")
        return []
    summary = summarise(run) if isinstance(run, Run) else run
    written = []
    for name, report in REPORTS.items():
        path = folder / name
        try:
            path.write_bytes(report(summary).encode("utf-8", "replace"))
        except OSError as error:
            warn(f"no {path}: {error.strerror or error}")
        else:
            written.append(path)
    return written
