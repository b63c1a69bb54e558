"""`results.jsonl`: a line for each finding as it is made, so that what ends early has lost nothing."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from plait.bench.reports import records
from plait.bench.results import Finding, Run
from plait.exceptions import ConfigError

__all__ = ["Writer", "load", "warn_on_stderr"]


def warn_on_stderr(text: str) -> None:
    """Where a warning goes when nobody else wants it."""
    sys.stderr.write(f"plait: {text}\n")


class Writer:
    """Writes a run to a file, line by line.

    Measuring is what costs; so nothing here raises because of the file. The first `OSError` becomes one
    warning, and what comes later is not written.

    Args:
        path: of the file; one that is there is replaced.
        warn: is given the warning; by default it goes to standard error.
    """

    __slots__ = ("_file", "_path", "_warn")

    def __init__(self, path: str | Path, warn: Callable[[str], None] = warn_on_stderr) -> None:
        self._path = Path(path)
        self._warn = warn
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        try:
            self._file = self._path.open("wb")
        except OSError as error:
            self._give_up(error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as failure:
                self._give_up(failure)

    def write_run(self, run: Run) -> None:
        """The first line: all of the run but its findings."""
        self._line(records.header(run))

    def write(self, finding: Finding) -> None:
        """One finding, on its way to the disk when this returns."""
        self._line(records.record(finding))

    def finish(self) -> None:
        """The last line: the run came to its end."""
        self._line({"kind": "end"})

    def _line(self, record: dict[str, Any]) -> None:
        if self._file is None:
            return
        text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        try:
            # A peer's words may hold halves of characters, which UTF-8 has not.
            self._file.write(text.encode("utf-8", "replace") + b"\n")
            self._file.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        file, self._file = self._file, None
        if file is not None:
            # It tries to write the same bytes again.
            with contextlib.suppress(OSError):
                file.close()
        self._warn(f"results are no longer written to {self._path}: {error.strerror or error}")


def load(path: str | Path) -> Run:
    """A run from its file. The last line may be broken: then the run was broken off there.

    Raises `ConfigError` with the number of the line for what is no results file, and `OSError`.
    """
    run: Run | None = None
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                record = json.loads(line)
                if run is None:
                    run = records.run_of(record)
                elif isinstance(record, dict) and record.get("kind") == "end":
                    run.finished = True
                else:
                    run.findings.append(records.finding_of(record))
            except (ValueError, RecursionError) as error:
                # Each line is written whole with its end: only the last can lack it.
                if run is not None and not line.endswith(b"\n"):
                    break
                why = error if not isinstance(error, RecursionError | json.JSONDecodeError) else "no JSON"
                raise ConfigError(f"{path}, line {number}: {why}") from None
    if run is None:
        raise ConfigError(f"{path}, line 1: this is no file of benchmark results")
    return run
