"""What the README shows runs as it stands and prints what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# A word that a shell line of the README stands for, or an option's own argument.
COMMAND = re.compile(r"^    plait (\w+)", re.MULTILINE)


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_example_prints_what_stands_below_it(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text()
    (program,), (expected,) = fenced(text, "python"), fenced(text, "text")
    example = tmp_path / "example.py"
    example.write_text(program)
    command = [sys.executable, "-W", "error", str(example)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (expected, "", 0)


def test_the_commands_of_the_first_screen_exist() -> None:
    for name in COMMAND.findall((ROOT / "README.md").read_text()):
        command = [sys.executable, "-m", "plait", name, "--help"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert name in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    inside = [target for target in targets if "://" not in target]
    missing = [target for target in inside if not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("verb", re.findall(r"`make (\w+)`", (ROOT / "CONTRIBUTING.md").read_text()))
def test_the_verbs_of_the_makefile_exist(verb: str) -> None:
    assert re.search(rf"^{verb}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
