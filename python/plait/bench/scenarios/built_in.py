"""The scenarios that plait brings along, in the order of the reports."""

from __future__ import annotations

from collections.abc import Sequence

from plait.bench.scenarios.scenario import Scenario

__all__ = ["SCENARIOS"]

SCENARIOS: Sequence[Scenario] = ()
