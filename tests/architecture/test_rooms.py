"""Each room says what it is for, names what it gives, and stays small enough to be read."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "python" / "plait"
ROOMS = sorted(PACKAGE.glob("*/__init__.py"))
CARD = ("Purpose:", "Takes:", "Gives:", "May look at:")
# Past this a file holds two nouns. Tests and generated tables are read differently, so they are not counted.
LONGEST_FILE = 700
SOURCES = sorted([*PACKAGE.rglob("*.py"), *(ROOT / "rust").glob("*/src/**/*.rs")])
NAMELESS = re.compile(r"^(utils?|helpers?|common|misc)$")


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.parent.name)
def test_a_room_has_its_card(room: Path) -> None:
    docstring = ast.get_docstring(ast.parse(room.read_text())) or ""
    lines = docstring.splitlines()
    for heading in CARD:
        assert any(re.match(rf"{heading} \S", line) for line in lines), f"no line '{heading} …'"


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.parent.name)
def test_a_room_names_what_it_gives(room: Path) -> None:
    assert set(exported(room)) <= top_level_names(room)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(ROOT)))
def test_a_file_stays_readable(source: Path) -> None:
    assert len(source.read_text().splitlines()) <= LONGEST_FILE


def test_every_file_has_a_name_of_its_own() -> None:
    assert [source for source in SOURCES if NAMELESS.match(source.stem)] == []


def exported(module: Path) -> list[str]:
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "__all__" for t in node.targets):
            return list(ast.literal_eval(node.value))
    pytest.fail(f"{module.relative_to(ROOT)} has no __all__")


def top_level_names(module: Path) -> set[str]:
    names: set[str] = {child.stem for child in module.parent.iterdir()}
    for node in ast.walk(ast.parse(module.read_text())):
        match node:
            case ast.ImportFrom() | ast.Import():
                names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                names.add(node.name)
            case ast.Name(ctx=ast.Store()):
                names.add(node.id)
    return names
