"""`plait version`."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform

from plait.cli.output import Output

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run", "text"]

NAME = "version"
HELP = "show versions"
DESCRIPTION = "Prints the versions of plait and of what it runs on."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass


def run(options: argparse.Namespace, out: Output) -> int:
    import plait

    found = {
        "plait": plait.__version__,
        "python": platform.python_version(),
        "uvloop": _installed("uvloop"),
        "multiaddr": _installed("multiaddr"),
        "cryptography": _installed("cryptography"),
        "rich": _installed("rich"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    lines = [f"{name} {value or 'not installed'}" for name, value in found.items()]
    out.result("version", "\n".join(lines if out.verbosity >= 0 else lines[:1]), **found)
    return 0


def text() -> str:
    """For ``--version``; without loading the native module."""
    return f"plait {_installed('plait') or 'from its sources'}"


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
