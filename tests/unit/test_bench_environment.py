"""What a report says about the machine, from the words of several kernels, and when nothing answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from plait.bench import environment as module
from plait.bench.environment import commit_of, cpu_of, environment, features_of

X86 = """\
processor\t: 0
vendor_id\t: AuthenticAMD
model\t\t: 17
model name\t: AMD   EPYC 9000  Synthetic
flags\t\t: fpu vme avx512f aes avx2 aes_not_this
processor\t: 1
model name\t: another
flags\t\t: vaes
"""
ARM = """\
processor\t: 0
Features\t: fp asimd evtstrm aes pmull sha1 sha2
CPU implementer\t: 0x41
CPU part\t: 0xd0c
"""
RASPBERRY = f"{ARM}\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 4 Model B\n"


@pytest.mark.parametrize(
    ("cpuinfo", "cpu", "features"),
    [
        (X86, "AMD EPYC 9000 Synthetic", ("aes", "avx2", "avx512f")),
        (ARM, "ARM implementer 0x41 part 0xd0c", ("aes", "asimd", "pmull", "sha1", "sha2")),
        (RASPBERRY, "Raspberry Pi 4 Model B", ("aes", "asimd", "pmull", "sha1", "sha2")),
        ("", None, ()),
        ("model name\t:\nflags\t:\n", None, ()),
    ],
)
def test_cpus(cpuinfo: str, cpu: str | None, features: tuple[str, ...]) -> None:
    assert cpu_of(cpuinfo) == cpu
    assert features_of(cpuinfo) == features


def test_here() -> None:
    found = environment({"go": "go-libp2p 0.0"})
    assert found.cpu
    assert 1 <= found.cores <= (os.cpu_count() or 1)
    assert found.python.endswith(".".join(map(str, sys.version_info[:3])))
    assert found.versions["go"] == "go-libp2p 0.0"
    assert "cryptography" in found.versions
    assert found.versions["long Noise records"] in ("OpenSSL", "ring")


def test_nothing_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(*arguments: object, **named: object) -> None:
        raise OSError("no such thing")

    for platform in ("darwin", "win32", "unheard-of"):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setattr(module, "_text_of", lambda path: "")
        monkeypatch.setattr(module, "SOURCE_TREE", tmp_path)
        monkeypatch.setattr(subprocess, "run", fails)
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
        found = environment()
        assert found.cpu
        assert found.cores >= 1
        assert found.commit is None
        assert found.features == ()


class TestCommit:
    def test_of_a_tree(self, tmp_path: Path) -> None:
        repository(tmp_path)
        commit = commit_of(tmp_path)
        assert commit is not None
        assert len(commit) >= 10
        assert not commit.endswith("+")
        (tmp_path / "untracked").touch()
        assert commit_of(tmp_path) == commit
        (tmp_path / "file").write_text("changed")
        assert commit_of(tmp_path) == f"{commit}+"

    def test_inside_of_somebody_elses_repository(self, tmp_path: Path) -> None:
        repository(tmp_path)
        (tmp_path / "lib").mkdir()
        assert commit_of(tmp_path / "lib") is None

    def test_a_hook_of_another_repository(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        repository(tmp_path)
        commit = commit_of(tmp_path)
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
        assert commit_of(tmp_path) == commit

    def test_without_a_commit_or_without_git(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / ".git").mkdir()
        assert commit_of(tmp_path) is None
        repository(tmp_path)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert commit_of(tmp_path) is None


def repository(folder: Path) -> None:
    """A repository with one commit of one file."""
    (folder / "file").write_text("first")
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    for words in (["init", "-q"], ["add", "file"], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *words], cwd=folder, env=variables, check=True)
