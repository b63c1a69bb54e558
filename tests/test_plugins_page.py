"""What docs/plugins.md shows is what the examples are, and works as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import plait

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "plugins.md").read_text()
# The first line of each block says where it is from.
BLOCKS = re.findall(r"^```python\n# (.*?)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = [(source, code) for source, code in BLOCKS if source.startswith("examples/")]


@pytest.mark.parametrize(("source", "code"), EXAMPLES, ids=[source for source, _ in EXAMPLES])
def test_what_is_shown_stands_in_the_example(source: str, code: str) -> None:
    text = (ROOT / source).read_text()
    position = 0
    for part in code.split("\n# …\n\n"):
        found = text.find(part, position)
        assert found >= 0, f"not in {source}, or not in this order:\n{part}"
        position = found + len(part)


def test_each_kind_is_shown() -> None:
    kinds = [source for source, _ in EXAMPLES]
    assert kinds == [f"examples/plugin_{kind}.py" for kind in ("transport", "security", "muxer")]


def test_a_host_takes_all_three(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = (code for source, code in BLOCKS if source == "a host with all three")
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    names: dict[str, object] = {"folder": Path(tempfile.gettempdir())}
    for kind, name in (("transport", "LocalTransport"), ("security", "SignedOnly"), ("muxer", "Framed")):
        names[name] = getattr(__import__(f"plugin_{kind}"), name)
    exec(code, names)
    assert isinstance(names["config"], plait.HostConfig)
    plait.Host(listen=(), config=names["config"])


def test_the_suite_runs_as_it_is_shown(tmp_path: Path) -> None:
    (code,) = (code for source, code in BLOCKS if source == "test_framed.py")
    (tmp_path / "test_framed.py").write_text(code)
    paths = os.pathsep.join([str(ROOT / "examples"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, cwd=tmp_path, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
