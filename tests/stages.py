"""Everything that must hold before a change lands, one stage after the other; the first failure ends it.

`make test` runs all of it, `make lint` (`--lint`) only what executes none of our code.
What follows `--` goes to pytest.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lint", action="store_true", help="only the stages that run nothing")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    options = parser.parse_args()
    stages = [stage for stage in all_stages(options.pytest) if stage.is_lint or not options.lint]
    times: list[tuple[str, float]] = []
    for number, stage in enumerate(stages, 1):
        print(f"== {number}/{len(stages)} {stage.name}", flush=True)
        start = time.monotonic()
        status = stage.run()
        times.append((stage.name, time.monotonic() - start))
        if status != 0:
            print(f"== FAILED: {stage.name} (exit status {status}): {' '.join(stage.command)}")
            return 1
    width = max(len(name) for name, _ in times)
    print("== all stages hold")
    for name, seconds in times:
        print(f"   {name:<{width}}  {seconds:7.1f} s")
    print(f"   {'together':<{width}}  {sum(seconds for _, seconds in times):7.1f} s")
    return 0


@dataclass(frozen=True)
class Stage:
    name: str
    command: list[str]
    is_lint: bool = True

    def run(self) -> int:
        try:
            return subprocess.run(self.command, cwd=ROOT, env=environment(), check=False).returncode
        except FileNotFoundError:
            print(f"   {self.command[0]} is missing")
            return 127


def all_stages(pytest: list[str]) -> list[Stage]:
    features = ["--features", "plait-core/testing"]
    clippy = ["cargo", "clippy", "--quiet", "--locked", "--workspace", "--all-targets", *features]
    # The binding has no Rust tests of its own: pytest goes through it.
    tested = [word for name in ("core", "io", "libcrypto") for word in ("-p", f"plait-{name}")]
    cargo_test = ["cargo", "test", "--quiet", "--locked", *tested, *features]
    # Without our settings stubtest finds no stub in a source folder and calls that a success.
    stubtest = [PYTHON, "-m", "mypy.stubtest", "plait._core._rust", "--mypy-config-file", "pyproject.toml"]
    stubtest += ["--allowlist", "tests/stubtest.txt", "--ignore-unused-allowlist"]
    return [
        Stage("rustfmt", ["cargo", "fmt", "--all", "--check"]),
        Stage("ruff check", [PYTHON, "-m", "ruff", "check", "."]),
        Stage("ruff format", [PYTHON, "-m", "ruff", "format", "--check", "."]),
        Stage("import contracts", [str(script("lint-imports")), "--no-logo"]),
        Stage("mypy", [PYTHON, "-m", "mypy"]),
        Stage("stubtest", stubtest),
        Stage("clippy", [*clippy, "--", "-D", "warnings"]),
        Stage("cargo test", cargo_test, is_lint=False),
        Stage("pytest", [PYTHON, "-m", "pytest", *pytest], is_lint=False),
    ]


def script(name: str) -> Path:
    """A console script of this Python's environment."""
    return Path(sysconfig.get_path("scripts"), name)


def environment() -> dict[str, str]:
    """PyO3's build looks for a Python of its own choice unless it is told which."""
    path = os.pathsep.join([str(Path(PYTHON).parent), os.environ.get("PATH", os.defpath)])
    found = {**os.environ, "PYO3_PYTHON": PYTHON, "PATH": path}
    if shutil.which("cargo", path=path) is None:
        found["PATH"] = os.pathsep.join([path, str(Path.home() / ".cargo" / "bin")])
    return found


if __name__ == "__main__":
    sys.exit(main())
