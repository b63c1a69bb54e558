"""The benchmark as a library: what the page shows runs, and what is registered is a part of every run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import FakeContender, FakeScenario

from plait.bench import Plan, register_contender, register_scenario, registry, scenario, select
from plait.exceptions import ConfigError

ROOT = Path(__file__).resolve().parent.parent.parent.parent
EXAMPLE = ROOT / "examples" / "benchmark_of_your_own.py"
PAGE = (ROOT / "docs" / "benchmarks.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SHOWN = [block.partition("\n")[2] for block in BLOCKS if block.startswith(f"# examples/{EXAMPLE.name}\n")]


@pytest.fixture
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_contenders", {})
    monkeypatch.setattr(registry, "_scenarios", {})


def test_what_the_page_shows_stands_in_the_example() -> None:
    assert len(SHOWN) == 3
    for block in SHOWN:
        assert block in EXAMPLE.read_text()


def test_the_example_measures_a_muxer_and_a_question_of_its_own() -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "first-byte" in done.stdout
    assert "Framed" in done.stdout
    assert "not measured" not in done.stdout


@pytest.mark.usefixtures("_own_registry")
def test_what_is_registered_is_found_and_is_in_a_full_run() -> None:
    question, somebody = FakeScenario("own-question"), FakeContender("somebody")
    assert register_scenario(question) is question
    assert register_contender(somebody) is somebody
    assert scenario("own-question") is question
    assert registry.scenarios()[-1] is question
    assert registry.contenders()[-1] is somebody
    assert select("somebody") == [somebody]
    plan = Plan.full()
    assert question in plan.scenarios
    assert somebody in plan.contenders


@pytest.mark.usefixtures("_own_registry")
def test_a_name_is_taken_once() -> None:
    with pytest.raises(ConfigError, match="bulk-up is registered already"):
        register_scenario(FakeScenario("bulk-up"))
    register_contender(FakeContender("somebody"))
    with pytest.raises(ConfigError, match="somebody is registered already"):
        register_contender(FakeContender("somebody"))


@pytest.mark.usefixtures("_own_registry")
def test_a_selection_takes_all_words() -> None:
    found = {str(one.subject) for one in select("plait noise asyncio")}
    assert found == {"plait tcp/noise/yamux asyncio fd", "plait tcp/noise/yamux asyncio bytes"}
    with pytest.raises(ConfigError, match="there are raw-tcp"):
        select("plait carrier-pigeon")


def test_asking_for_the_package_loads_nothing_of_it() -> None:
    program = "import sys, plait.bench; print(*(m for m in sys.modules if m.startswith('plait')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["plait", "plait.bench"]


def test_each_name_of_the_package_is_there() -> None:
    import plait.bench

    assert [name for name in plait.bench.__all__ if not hasattr(plait.bench, name)] == []
    assert set(plait.bench.__all__) <= set(dir(plait.bench))
    with pytest.raises(AttributeError):
        plait.bench.nothing  # noqa: B018
