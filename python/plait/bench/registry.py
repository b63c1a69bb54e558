"""What can be measured and what can be asked, by name; programs add their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plait.exceptions import ConfigError

if TYPE_CHECKING:
    from plait.bench.scenarios import Scenario
    from plait.bench.subjects import Contender

__all__ = [
    "contenders",
    "quick_contenders",
    "register_contender",
    "register_scenario",
    "scenario",
    "scenarios",
    "select",
]

_contenders: dict[str, Contender] = {}
_scenarios: dict[str, Scenario] = {}


def register_contender(contender: Contender) -> Contender:
    """Adds a column. Raises `ConfigError` when there is one of this name."""
    _load()
    return _add_contender(contender)


def register_scenario(scenario: Scenario) -> Scenario:
    """Adds a question. Raises `ConfigError` when there is one of this name."""
    _load()
    return _add_scenario(scenario)


def contenders() -> Sequence[Contender]:
    """All, in the order in which they were registered: the baselines first."""
    _load()
    return tuple(_contenders.values())


def quick_contenders() -> Sequence[Contender]:
    """Those of a short run: raw TCP, asyncio with TLS, and the stacks that most programs choose between."""
    from plait.bench.subjects.built_in import QUICK

    return QUICK


def scenarios() -> Sequence[Scenario]:
    """All, in the order in which they were registered."""
    _load()
    return tuple(_scenarios.values())


def scenario(name: str) -> Scenario:
    """The one of this name. Raises `ConfigError` that says which there are."""
    _load()
    if name not in _scenarios:
        raise ConfigError(f"no scenario is called {name!r}", hint=f"there are {', '.join(_scenarios)}")
    return _scenarios[name]


def select(words: str) -> Sequence[Contender]:
    """Contenders whose name has each of these words in it: `"plait tcp/noise uvloop"`.

    Raises `ConfigError` that says which there are, when none has.
    """
    _load()
    found = [one for name, one in _contenders.items() if all(word in name for word in words.split())]
    if not found:
        raise ConfigError(
            f"nothing to measure is called {words!r}", hint=f"there are {', '.join(_contenders)}"
        )
    return found


def _load() -> None:
    """What plait brings along, once, when somebody first asks."""
    if not _contenders and not _scenarios:
        from plait.bench.scenarios.built_in import SCENARIOS
        from plait.bench.subjects.built_in import CONTENDERS

        for scenario in SCENARIOS:
            _add_scenario(scenario)
        for contender in CONTENDERS:
            _add_contender(contender)


def _add_contender(contender: Contender) -> Contender:
    name = str(contender.subject)
    if name in _contenders:
        raise ConfigError(f"{name} is registered already")
    _contenders[name] = contender
    return contender


def _add_scenario(scenario: Scenario) -> Scenario:
    if scenario.name in _scenarios:
        raise ConfigError(f"{scenario.name} is registered already")
    _scenarios[scenario.name] = scenario
    return scenario
