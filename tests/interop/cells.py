"""One cell of a table: what was tried, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

OURS = "plait"
# py-libp2p fails by itself at times, whoever it talks to: its cells are shown and decide nothing.
GATING = ("go", "rust", "js", OURS)
# As many cells at once as the smallest machine has cores.
AT_ONCE = 2


@dataclass
class Cell:
    """`failed` has the reason of each check that failed, `known` the proof that it is the peer's own."""

    row: str
    column: str
    gates: bool
    state: Literal["ok", "known", "failed"] = "ok"
    # What a good cell shows.
    shown: str = "ok"
    failed: dict[str, str] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    tries: int = 1

    @property
    def name(self) -> str:
        return f"{self.row} over {self.column}"

    @property
    def new(self) -> dict[str, str]:
        return {check: why for check, why in self.failed.items() if check not in self.known}


@dataclass(frozen=True)
class Table:
    title: str
    cells: Sequence[Cell]
    # What a reader has to know to read it.
    legend: str = ""


class CheckError(Exception):
    """A check did not hold; the text says why."""


class PeersOwnError(CheckError):
    """A check did not hold, and it was shown that the peer does the same to others; the text is the proof."""


@dataclass(frozen=True)
class Trial:
    """What makes one cell: `attempt` gives what a good cell shows, or raises `CheckError`."""

    row: str
    column: str
    gates: bool
    check: str
    attempt: Callable[[], str]


def pair(dialer: str, listener: str) -> str:
    return f"{dialer} → {listener}"


def both_ways(names: Sequence[str]) -> list[tuple[str, str]]:
    """Dialer and listener: each of the peers with us, we with each of them, and we with ourselves."""
    return [(name, OURS) for name in names] + [(OURS, name) for name in (*names, OURS)]


def gates(*names: str) -> bool:
    return all(name in GATING for name in names)


def run_all(subject: str, trials: Sequence[Trial]) -> list[Cell]:
    """Some at once. One that fails gets a second try, and says so."""
    cells = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for cell in pool.map(run, trials):
            cells.append(cell)
            if len(cells) % 10 == 0 or len(cells) == len(trials):
                print(f"interop: {subject}: {len(cells)} of {len(trials)}", flush=True)
    return cells


def run(trial: Trial) -> Cell:
    cell = once(trial)
    if cell.state == "failed":
        announce_retry(cell)
        cell = once(trial)
        cell.tries = 2
    return cell


def once(trial: Trial) -> Cell:
    cell = Cell(trial.row, trial.column, trial.gates)
    try:
        cell.shown = trial.attempt()
    except PeersOwnError as error:
        cell.state, cell.failed = "known", {trial.check: str(error)}
        cell.known = cell.failed
    except CheckError as error:
        cell.state, cell.failed = "failed", {trial.check: str(error)}
    return cell


def announce_retry(cell: Cell) -> None:
    print(f"interop: {cell.name} failed, once more", flush=True)
    for check, why in cell.new.items():
        print(f"         {check}: {why}", flush=True)
