"""Whether the muxer came inside the security handshake, as either side reports it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cells import OURS, CheckError, Table, Trial, both_ways, gates, pair, run_all
from pairs import Pairs, Report, Side

STACKS = [f"{security}/{muxer}" for security in ("noise", "tls") for muxer in ("yamux", "mplex")]
# Those that negotiate it there: with them it has to be seen. rust offers none, nor does py.
EARLY = ("go", "js", OURS)


def early_muxers(pairs: Pairs, built: Sequence[str]) -> Table:
    trials = [
        Trial(pair(*sides), stack, gates(*sides), "early muxer", partial(attempt, pairs, *sides, stack))
        for sides in both_ways(built)
        for stack in STACKS
    ]
    return Table(
        "who saw the muxer come inside the handshake, over tcp",
        run_all("early muxers", trials),
        f"dialer/listener; ? does not say; has to be seen with {', '.join(EARLY)}",
    )


def attempt(pairs: Pairs, dialer: str, listener: str, stack: str) -> str:
    watched = Side(listener, ("--connections",) if listener == OURS else ())
    answer = pairs.ask(Side(dialer), watched, f"tcp/{stack}", "ping", "--count", "1")
    reports = [word(report) for report in (answer.dialer, answer.listener)]
    shown = "/".join(reports)
    # Both sides know it from the same handshake, so whoever speaks has to say the same.
    if "yes" in reports and "no" in reports:
        raise CheckError(f"the sides differ: {shown}")
    peer = listener if dialer == OURS else dialer
    if peer in EARLY and "yes" not in reports:
        raise CheckError(f"not seen: {shown}")
    return shown


def word(report: Report | None) -> str:
    seen = None if report is None else report.get("early_muxer")
    return "?" if seen is None else "yes" if seen else "no"
