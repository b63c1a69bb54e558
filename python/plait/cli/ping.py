"""`plait ping`."""

from __future__ import annotations

import argparse

from plait.cli.arguments import add_identity, count, load_identity, seconds
from plait.cli.negotiated import negotiated, negotiated_text
from plait.cli.output import Output

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "ping"
HELP = "measure round trips to a peer"
DESCRIPTION = "Sends libp2p pings over one stream and prints how long each took."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("address", metavar="ADDR", help="/ip4/…/tcp/…/p2p/…")
    parser.add_argument("--count", type=count, default=5, metavar="N", help="how many (default: 5)")
    parser.add_argument(
        "--interval", type=seconds, default=1.0, metavar="SECONDS", help="from one to the next (default: 1)"
    )
    add_identity(parser)


async def run(options: argparse.Namespace, out: Output) -> int:
    import plait
    from plait.protocols import ping

    times: list[float] = []
    async with plait.Host(load_identity(options), listen=()) as host:
        connection = await host.connect(options.address)
        out.note(f"{connection.remote_peer} over {negotiated_text(connection)}")
        try:
            async for elapsed in ping(connection, count=options.count, interval=options.interval):
                times.append(elapsed * 1e3)
                text = f"{len(times)}: {times[-1]:.3f} ms" if out.verbosity >= 0 else None
                out.result("ping", text, number=len(times), ms=times[-1])
        finally:
            # Also after Ctrl-C: what was measured is measured.
            if times:
                _summary(times, out, negotiated(connection))
    return 0


def _summary(times: list[float], out: Output, connection: dict[str, object]) -> None:
    least, mean, most = min(times), sum(times) / len(times), max(times)
    text = f"{len(times)} pings: min {least:.3f} ms, mean {mean:.3f} ms, max {most:.3f} ms"
    out.result("done", text, count=len(times), min_ms=least, mean_ms=mean, max_ms=most, **connection)
