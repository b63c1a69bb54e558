"""`plait info`."""

from __future__ import annotations

import argparse
import contextlib
from typing import Any

from plait.cli.arguments import add_identity, load_identity
from plait.cli.negotiated import negotiated
from plait.cli.output import Output

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "info"
HELP = "show what a peer says about itself"
DESCRIPTION = """\
Connects, asks the peer to identify itself, and prints that with what was negotiated and the
round trip time. All but the peer id, security and muxer is the peer's own claim."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("address", metavar="ADDR", help="/ip4/…/tcp/…/p2p/…")
    add_identity(parser)


async def run(options: argparse.Namespace, out: Output) -> int:
    import plait
    from plait.exceptions import ProtocolNotSupportedError
    from plait.protocols import ping

    async with plait.Host(load_identity(options), listen=()) as host:
        connection = await host.connect(options.address)
        found = await host.identified(connection)
        rtt: float | None = None
        # A peer need not answer pings.
        with contextlib.suppress(ProtocolNotSupportedError):
            [rtt] = [elapsed async for elapsed in ping(connection, count=1)]
        fields: dict[str, Any] = {
            **negotiated(connection),
            "rtt_ms": None if rtt is None else rtt * 1e3,
            "agent": found.agent,
            "protocols": list(found.protocols),
            "addresses": [str(address) for address in found.addresses],
            "observed_address": None if found.observed_address is None else str(found.observed_address),
        }
        out.result("info", _text(fields), **fields)
    return 0


def _text(fields: dict[str, Any]) -> str:
    """One line a field; a list has its other lines below its first."""
    lines: list[str] = []
    for name, value in fields.items():
        if isinstance(value, float):
            value = f"{value:.3f}"
        values = value if isinstance(value, list) else [value]
        heading = name.replace("_", " ")
        for each in values or [None]:
            lines.append(f"{heading + ':' if heading else '':<18}{_readable(each)}")
            heading = ""
    return "\n".join(lines)


def _readable(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    # A peer chose most of it, and terminals obey control characters.
    text = str(value)
    return text if text.isprintable() else ascii(text)
