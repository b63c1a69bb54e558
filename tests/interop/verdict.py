"""The tables at the end, and what they come to."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from cells import Cell, Table

# Ports and peers differ from cell to cell, the reason does not.
CHANGING = re.compile(r"/tcp/\d+|127\.0\.0\.1:\d+|\b(12D3Koo|Qm|16Uiu2)\w+")
# Of a terminal; a pair's reason takes several lines.
WIDTH = 120


def show(table: Table) -> None:
    print(f"\n{table.title}")
    columns = list(dict.fromkeys(cell.column for cell in table.cells))
    rows = list(dict.fromkeys(cell.row for cell in table.cells))
    found = {(cell.row, cell.column): cell for cell in table.cells}
    words = {place: word(cell) for place, cell in found.items()}
    wide = max(map(len, rows))
    widths = [
        max(len(part) for part in (*column.split("/"), *column_words(words, column))) for column in columns
    ]
    for part in range(max(column.count("/") for column in columns) + 1):
        heads = [(column.split("/") + [""] * part)[part] for column in columns]
        print(line("", wide, heads, widths))
    for row in rows:
        print(line(row, wide, [words.get((row, column), "–") for column in columns], widths))
    for note in notes(table.cells):
        print(textwrap.fill(note, WIDTH, initial_indent="  ", subsequent_indent=" " * 9))
    if table.legend:
        print(textwrap.fill(f"({table.legend})", WIDTH, initial_indent="  ", subsequent_indent="   "))


def line(head: str, wide: int, parts: Sequence[str], widths: Sequence[int]) -> str:
    cells = "".join(f"  {part:<{width}}" for part, width in zip(parts, widths, strict=True))
    return f"  {head:<{wide}}{cells}".rstrip()


def column_words(words: dict[tuple[str, str], str], column: str) -> list[str]:
    return [word for (_, each), word in words.items() if each == column]


def word(cell: Cell) -> str:
    text = cell.shown
    if cell.state == "known":
        text = "known"
    elif cell.state == "failed":
        text = "FAILED" if cell.gates else "fails"
    return f"{text} (2nd)" if cell.tries > 1 else text


def notes(cells: Sequence[Cell]) -> Iterator[str]:
    """Why a cell is not good, once for all columns of a row with the same reason."""
    grouped: dict[tuple[str, str, str, str], list[str]] = {}
    for cell in cells:
        for check, why in cell.failed.items():
            kind = "known" if check in cell.known else "FAILED" if cell.gates else "fails"
            reason = CHANGING.sub("…", cell.known.get(check, why))
            grouped.setdefault((kind, cell.row, check, reason), []).append(cell.column)
        if cell.tries > 1 and cell.state != "failed":
            grouped.setdefault(("2nd", cell.row, "", "failed once, then held"), []).append(cell.column)
    for (kind, row, check, reason), columns in grouped.items():
        yield f"{kind:<6} {row} {check}: {reason} [{' '.join(columns)}]"


def verdict(tables: Sequence[Table], broken: Sequence[str], seconds: float) -> int:
    for table in tables:
        if table.cells:
            show(table)
    cells = [cell for table in tables for cell in table.cells]
    for name in broken:
        print(f"\n{name}: setup.sh FAILED, so nothing was tried with it")
    gating = Counter(cell.state for cell in cells if cell.gates)
    others = Counter(cell.state for cell in cells if not cell.gates)
    failed = gating["failed"] + len(broken)
    again = sum(cell.tries > 1 for cell in cells)
    known = gating["known"]
    print(f"\ninterop: {gating['ok']} cells hold, {known} show a defect of the peer itself, {failed} failed")
    print(f"         beside them {others.total()} that do not gate, {others['failed']} of which failed")
    print(f"         {again} were tried twice; {seconds:.0f} s in all")
    return 1 if failed else 0
