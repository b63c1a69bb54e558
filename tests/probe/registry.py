"""The table of cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Check = Callable[[tuple[str, int]], None]


@dataclass(frozen=True)
class Case:
    """One thing to do to the target.

    Attributes:
        group: what kind of thing it is.
        name: what is done.
        check: does it to the address, raises when the target takes it badly.
    """

    group: str
    name: str
    check: Check


CASES: list[Case] = []


def case(group: str, name: str, *arguments: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds a function to the table; several times with different arguments for a family of cases."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        CASES.append(Case(group, name, lambda address: function(address, *arguments)))
        return function

    return add


def family(group: str, members: dict[str, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds a function once for each member, with the member's value as its argument."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        for name, value in members.items():
            case(group, name, value)(function)
        return function

    return add
