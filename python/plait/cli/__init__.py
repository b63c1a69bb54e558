"""The command line: `plait recv`, `send`, `ping`, `info`, `id`, `version`.

Purpose: a thin skin over the library, one file per command.
Takes: the arguments of the process.
Gives: `main`, which returns the exit status.
May look at: everything.
"""

from plait.cli.main import main

__all__ = ["main"]
