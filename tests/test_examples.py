"""The examples do what they say, as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import plait

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run(name: str, *arguments: str, temporary: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("size", ["0", "1", "3000000"])
def test_a_file_made_on_the_spot_arrives(size: str, tmp_path: Path) -> None:
    done = run("send_a_file.py", "--size", size, temporary=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    *_, negotiated, figures, verdict = done.stdout.splitlines()
    assert negotiated == f"negotiated tcp, {plait.HostConfig().security[0]}, /yamux/1.0.0"
    assert figures.startswith(f"{int(size):,} bytes in ")
    assert verdict == "verified"
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_user_arrives_and_stays(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    file = tmp_path / "a name with spaces.txt"
    file.write_text("plait\n" * 1000)
    done = run("send_a_file.py", str(file), temporary=tmp_path / "tmp")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\nverified\n")
    assert file.read_text() == "plait\n" * 1000
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = run("send_a_file.py", str(tmp_path / "nothing"), temporary=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"send_a_file: {tmp_path / 'nothing'} is not a file\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("plugin_transport.py", "b'HELLO' from /memory/1"),
        ("plugin_security.py", "b'HELLO' over /example/signed-only/1.0.0"),
        ("plugin_muxer.py", "b'HELLO' over /example/framed/1.0.0"),
    ],
)
def test_a_plug_in_carries_a_stream(name: str, said: str, tmp_path: Path) -> None:
    done = run(name, temporary=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{said}\n", "")
    assert list(tmp_path.iterdir()) == []
