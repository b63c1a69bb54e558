"""Where a run was measured. Best effort on every platform: what cannot be found out is said to be unknown."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from plait._core import long_noise_records_by
from plait.bench.results import Environment

__all__ = ["commit_of", "cpu_of", "environment", "features_of"]


def environment(versions: Mapping[str, str] | None = None) -> Environment:
    """This machine, this interpreter and what is installed, now. Never raises; takes some milliseconds.

    Args:
        versions: of what takes part besides and has no package here: `{"go": "go-libp2p 0.48"}`.
    """
    cpuinfo = _text_of(Path("/proc/cpuinfo"))
    return Environment(
        cpu=cpu_of(cpuinfo) or _cpu_elsewhere() or platform.processor() or platform.machine() or UNKNOWN,
        cores=_cores(),
        kernel=" ".join(part for part in (platform.system(), platform.release()) if part) or UNKNOWN,
        python=_python(),
        plait=_version("plait") or UNKNOWN,
        commit=commit_of(SOURCE_TREE),
        # It has no number of its own, and is a tenth of what Noise costs.
        versions={**_installed(), "long Noise records": long_noise_records_by(), **(versions or {})},
        features=features_of(cpuinfo),
    )


def cpu_of(cpuinfo: str) -> str | None:
    """The model in the text of `/proc/cpuinfo`; `None` where the kernel names none."""
    for name in ("model name", "Model", "Hardware", "cpu model", "cpu", "uarch"):
        found = re.search(rf"^{name}[ \t]*:[ \t]*(\S.*)$", cpuinfo, re.MULTILINE)
        if found:
            return " ".join(found[1].split())
    # Most ARM kernels only number the maker and the part.
    maker = re.search(r"^CPU implementer[ \t]*:[ \t]*(\S+)", cpuinfo, re.MULTILINE)
    part = re.search(r"^CPU part[ \t]*:[ \t]*(\S+)", cpuinfo, re.MULTILINE)
    return f"ARM implementer {maker[1]} part {part[1]}" if maker and part else None


def features_of(cpuinfo: str) -> tuple[str, ...]:
    """Those of `FEATURES` that the text of `/proc/cpuinfo` lists, in that order."""
    listed: set[str] = set()
    for line in re.findall(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)[:1]:
        listed.update(line.split())
    return tuple(name for name in FEATURES if name in listed)


def commit_of(tree: Path) -> str | None:
    """The commit of the source tree in this folder, with `+` when a file that git knows was changed.

    `None` without a git repository exactly there, without git, or when it does not answer.
    """
    # An installed package may lie inside of somebody else's repository; that is no version of ours.
    if not (tree / ".git").exists():
        return None
    found = _git(tree, "rev-parse", "--short=10", "HEAD")
    if not found:
        return None
    changed = _git(tree, "status", "--porcelain", "--untracked-files=no")
    return found if changed == "" else f"{found}+"


def _git(tree: Path, *arguments: str) -> str | None:
    # A hook's variables name another repository, and a benchmark has no business with the index's lock.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return _output(["git", "-C", str(tree), *arguments], {**variables, "GIT_OPTIONAL_LOCKS": "0"})


def _cpu_elsewhere() -> str | None:
    if sys.platform == "darwin":
        return _output(["sysctl", "-n", "machdep.cpu.brand_string"])
    if sys.platform == "win32":
        return os.environ.get("PROCESSOR_IDENTIFIER")
    return None


def _cores() -> int:
    with contextlib.suppress(AttributeError, OSError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _python() -> str:
    # Without the lock it is another machine.
    free = " free-threaded" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    return f"{platform.python_implementation()} {platform.python_version()}{free}"


def _installed() -> dict[str, str]:
    return {name: version for name in PACKAGES if (version := _version(name))}


def _version(package: str) -> str | None:
    try:
        if package == "plait":
            from plait import __version__

            return __version__
        return importlib.metadata.version(package)
    # Broken metadata raises whatever its reader stumbles over.
    except Exception:
        return None


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _output(command: Sequence[str], variables: Mapping[str, str] | None = None) -> str | None:
    """What a program prints, without the white space around it; `None` when it fails in any way."""
    try:
        done = subprocess.run(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return done.stdout.decode("utf-8", "replace").strip()


UNKNOWN = "unknown"
# python/plait/bench/environment.py, in a checkout.
SOURCE_TREE = Path(__file__).resolve().parents[3]
# Seconds; a file system that takes longer for a status has other troubles.
PATIENCE = 10.0
# Packages that take part in a measurement, or are measured beside us.
PACKAGES = ("uvloop", "cryptography", "websockets", "grpcio")
# What ciphers and copies are chosen by; x86 first, then ARM, as their kernels spell them.
FEATURES = (
    "aes",
    "vaes",
    "pclmulqdq",
    "vpclmulqdq",
    "sha_ni",
    "avx",
    "avx2",
    "avx512f",
    "avx512vl",
    "avx512_ifma",
    "bmi2",
    "adx",
    "erms",
    "asimd",
    "pmull",
    "sha1",
    "sha2",
    "sha3",
    "sve",
    "sve2",
)
