"""`plait bench`, and what is done with its results.

Everything that measures is imported when it is asked for: the parser is made for every command.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from plait.cli.arguments import add_output, count, seconds
from plait.cli.output import Output

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run", "share"]

NAME = "bench"
HELP = "measure how fast this machine is, with which stack, and against what"
DESCRIPTION = """\
Without an ACTION it measures: `--quick` in two minutes, else for hours, with everything that there
is. The table is printed; each round is written to results.jsonl as it is made, and report.html,
report.md and results.yaml are made of it. Ctrl-C keeps what was measured. Nothing else should run."""

ACTIONS = {
    "list": "scenarios and subjects that there are, and what is not installed",
    "compare": "what became better or worse from one run to another",
    "gate": "exit status 1 when something became worse, 2 when that cannot be judged",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action")
    for name, text in ACTIONS.items():
        # A parser each, or no option could stand before OLD.
        action = actions.add_parser(
            name, help=text, description=text, epilog=parser.epilog, formatter_class=parser.formatter_class
        )
        add_output(action, nested=True)
        if name == "list":
            continue
        for which in ("old", "new"):
            action.add_argument(which, type=Path, metavar=which.upper(), help="results.jsonl, or its folder")
        if name == "gate":
            action.add_argument(
                "--max-regress",
                type=share,
                default=share("5%"),
                metavar="SHARE",
                help="5%% (default) or 0.05",
            )
        else:
            action.add_argument("--markdown", action="store_true", help="for a pull request")
    _add_choices(parser)
    _add_sizes(parser)


def _add_choices(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what is measured (all of these may be repeated)")
    what.add_argument(
        "--scenario", action="append", default=[], metavar="NAME", help="this one, or those that begin so"
    )
    what.add_argument(
        "--subject",
        action="append",
        default=[],
        metavar="WORDS",
        help="those with all these words in their names",
    )
    what.add_argument(
        "--stack",
        action="append",
        default=[],
        metavar="STACK",
        help="plait, and peers, over tcp/noise/yamux, …",
    )
    what.add_argument(
        "--loop", action="append", default=[], metavar="NAME", help="only on uvloop, or asyncio"
    )
    what.add_argument("--driver", action="append", default=[], metavar="NAME", help="only with this driver")
    what.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="another implementation, behind the command line that peers share",
    )
    what.add_argument(
        "--to",
        action="append",
        default=[],
        metavar="[NAME=]ADDR",
        help="whoever serves /perf/1.0.0 there; alone, nothing else is measured",
    )
    what.add_argument(
        "--load",
        action="append",
        default=[],
        metavar="MODULE",
        help="import it first: it registers subjects and scenarios of your own",
    )


def _add_sizes(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how, and where to")
    how.add_argument("--quick", action="store_true", help="small sizes, fewer subjects: two minutes")
    how.add_argument("--rounds", type=count, metavar="N", help="of each cell; five at least for a ranking")
    how.add_argument("--seconds", type=seconds, metavar="S", help="of one measurement")
    how.add_argument("--patience", type=seconds, metavar="S", help="after which a measurement hangs")
    how.add_argument(
        "--tolerance",
        type=share,
        metavar="SHARE",
        help="how far the machine's ceiling may move before a round is dropped (default: 15%%)",
    )
    how.add_argument("--pin", action="store_true", help="the dialer on one core, the listener on another")
    how.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the results and reports; what is there is replaced (default: plait-bench-TIME)",
    )


def run(options: argparse.Namespace, out: Output) -> int:
    match options.action:
        case "list":
            from plait.cli.bench.listing import list_all

            return list_all(options, out)
        case "compare":
            from plait.cli.bench.comparing import compare

            return compare(options, out)
        case "gate":
            from plait.cli.bench.comparing import gate

            return gate(options, out)
    from plait.cli.bench.measuring import measure

    return measure(options, out)


def share(text: str) -> float:
    """5% or 0.05, as a share of one."""
    number, percent = text.removesuffix("%").strip(), text.endswith("%")
    try:
        value = float(number) / (100 if percent else 1)
    except ValueError:
        value = math.nan
    # 5 without a sign would be 500 %, which nobody means.
    if not 0 <= value < math.inf or (value >= 1 and not percent):
        raise argparse.ArgumentTypeError(f"{text!r} is no share: write 5% or 0.05")
    return value
