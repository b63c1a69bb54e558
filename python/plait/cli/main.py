"""Arguments in, exit status out; the one place where errors become text."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Coroutine, Sequence
from typing import Any

from plait.cli import bench, identity, info, ping, recv, send, version
from plait.cli.arguments import add_output
from plait.cli.endings import INTERRUPTED, ending_signals, status_of
from plait.cli.output import Output
from plait.exceptions import ConfigError, InvalidMultiaddrError, InvalidPeerIdError, PlaitError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; raises nothing but what argparse does for ``--help`` and wrong usage.

    Args:
        arguments: without the program's name; those of the process by default.
    """
    options = _parser().parse_args(arguments)
    out = Output(json=options.json, verbosity=options.verbose - options.quiet)
    _start_log(options.verbose)
    try:
        status: int | Coroutine[Any, Any, int] = options.run(options, out)
        if not isinstance(status, int):
            status = _run(status)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return INTERRUPTED
    except _EndedError as ended:
        return status_of(ended.number)
    except BrokenPipeError:
        # Whoever read our output (`plait … | head`) has gone.
        _forget_output()
        return FAILED
    except (ConfigError, InvalidMultiaddrError, InvalidPeerIdError) as error:
        out.error(error)
        return USAGE
    except (PlaitError, OSError) as error:
        out.error(error)
        try:
            sys.stdout.flush()
        except OSError:
            _forget_output()
        return FAILED
    except Exception as error:
        out.defect(error)
        if options.verbose:
            traceback.print_exc()
        return FAILED


def _forget_output() -> None:
    """What nobody takes: Python would try again at its end, and complain once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _start_log(verbose: int) -> None:
    import logging

    # A host logs what peers do to it; a user of the command line asked for none of it.
    level = (logging.CRITICAL, logging.WARNING, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")


class _EndedError(Exception):
    """By a signal that is no Ctrl-C."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number)
        self.number = number


def _run(command: Coroutine[Any, Any, int]) -> int:
    import plait

    return plait.run(_until_ended(command))


async def _until_ended(command: Coroutine[Any, Any, int]) -> int:
    """Ends on SIGTERM and SIGHUP as on Ctrl-C, so that no temporary file stays behind."""
    import asyncio

    task = asyncio.current_task()
    assert task is not None  # a coroutine that runs is in a task
    ended: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        ended.append(number)
        task.cancel()

    # Loops on Windows handle none.
    with contextlib.suppress(NotImplementedError):
        for number in ending_signals():
            asyncio.get_running_loop().add_signal_handler(number, end, number)
    try:
        return await command
    except asyncio.CancelledError:
        if ended:
            raise _EndedError(ended[0]) from None
        raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="plait",
        description="libp2p connections: send files, ping, and look at peers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version.text())
    shared = argparse.ArgumentParser(add_help=False)
    add_output(shared)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (recv, send, ping, info, identity, bench, version):
        sub = commands.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.DESCRIPTION,
            epilog=EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[shared],
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


FAILED = 1
USAGE = 2

EPILOG = """\
exit status:
  0    done
  1    it failed: no connection, a file that did not arrive, …
  2    wrong usage: an option, an address or a peer id that cannot be
  129  SIGHUP: the terminal was closed
  130  Ctrl-C
  143  SIGTERM
"""
