"""Elements of HTML and SVG as text, in which nothing of what was measured can become markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

__all__ = ["Markup", "element", "join", "printable"]

# Elements of HTML that have no end.
VOID = frozenset({"br", "col", "meta"})
# No XML parser takes them, and a peer's name may have them.
UNPRINTABLE = re.compile("[^\\t\\n\\r\\x20-\\x7e\\x85\\xa0-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


class Markup(str):
    """Text that is markup already; everything else is escaped where it is used."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str | float | None) -> Markup:
    """`element("a", "text", href="#x", class_="y")`; `None` leaves an attribute out.

    In the names of attributes a `_` at the end goes away and those inside become `-`.
    """
    opened = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escape(value if isinstance(value, str) else f"{value:g}")}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{opened}>")
    return Markup(f"<{name}{opened}>{join(children)}</{name}>")


def join(children: Iterable[str]) -> Markup:
    """One after the other, each escaped unless it is markup."""
    return Markup("".join(child if isinstance(child, Markup) else _escape(child) for child in children))


def printable(text: str) -> str:
    """The text without what moves a cursor or breaks a parser."""
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _escape(text: str) -> str:
    return html.escape(printable(text))
