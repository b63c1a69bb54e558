"""The multiplexer benchmark as a product: how fast this machine is, with which stack, against what, and why.

Purpose: measure honestly what a stack of transport, security and muxer costs, and say it in reports.
Takes: a plan of scenarios and subjects; two processes, their clocks and their CPU seconds.
Gives: findings (`plait.bench.results`) and reports made of them. Names are loaded when they are first used.
May look at: `files` and everything below it; never `cli`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plait.bench.plan import Plan
    from plait.bench.registry import register_contender, register_scenario, scenario, select
    from plait.bench.run import Watcher

__all__ = [
    "Plan",
    "Watcher",
    "register_contender",
    "register_scenario",
    "scenario",
    "select",
]

# `plait.bench.run` is the module, and its function of that name is taken from there.
PLACES = {"Plan": "plan", "Watcher": "run"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'plait.bench' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"plait.bench.{PLACES.get(name, 'registry')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
