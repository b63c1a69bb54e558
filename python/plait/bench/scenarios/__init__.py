"""The questions of the benchmark, a file for each.

Purpose: say which works answer a question, and what their outcomes mean: metrics, curves, verdicts.
Takes: a plan's sizes, and outcomes of works.
Gives: `Scenario`, the seam, and what it reads from an outcome.
May look at: `bench.works`, `bench.results`, `bench.statistics`; nothing that runs anything.
"""

from plait.bench.scenarios.scenario import Figure, Judgement, Line, Reading, Scenario

__all__ = ["Figure", "Judgement", "Line", "Reading", "Scenario"]
