"""The contenders that plait brings along, in the order of the reports' columns."""

from __future__ import annotations

from collections.abc import Sequence

from plait.bench.subjects.contender import Contender

__all__ = ["CONTENDERS", "QUICK"]

CONTENDERS: Sequence[Contender] = ()
QUICK: Sequence[Contender] = ()
