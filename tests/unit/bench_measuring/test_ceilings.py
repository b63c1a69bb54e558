"""The machine's own ceilings, and being kept on a core."""

from __future__ import annotations

import os
import signal
import time

import pytest

from plait.bench import usage
from plait.bench.ceilings import MachineCeilings
from plait.bench.cores import pinned, two_cores
from plait.exceptions import ConfigError


@pytest.mark.parametrize("pin", [False, True])
def test_both_are_measured_as_often_as_one_likes(pin: bool) -> None:
    if pin and len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core")
    before = os.sched_getaffinity(0)
    with MachineCeilings(two_cores() if pin else None) as ceilings:
        for _ in range(3):
            found = ceilings.measure()
            assert set(found) == {"loopback", "aead"}
            assert all(value > 0 for value in found.values())
    assert os.sched_getaffinity(0) == before


def test_an_other_end_that_was_ended_is_started_again() -> None:
    with MachineCeilings() as ceilings:
        os.kill(ceilings._child.pid, signal.SIGKILL)
        assert ceilings.measure()["loopback"] > 0


def test_who_has_one_core_cannot_be_kept_on_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    with pytest.raises(ConfigError, match="two cores"):
        two_cores()
    monkeypatch.delattr(os, "sched_getaffinity")
    with pytest.raises(ConfigError, match="without pinning"):
        two_cores()


def test_being_kept_on_a_core_ends() -> None:
    before = os.sched_getaffinity(0)
    core = min(before)
    with pytest.raises(KeyError):
        with pinned(core):
            assert os.sched_getaffinity(0) == {core}
            raise KeyError
    assert os.sched_getaffinity(0) == before
    with pinned(None):
        assert os.sched_getaffinity(0) == before


def test_what_a_process_uses_grows_when_it_works_and_is_given_back_when_it_settles() -> None:
    before = usage.usage()
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
    # More than earlier tests can have left free, since the allocator would give that first.
    held = [bytes(1 << 16) for _ in range(4096)]
    time.sleep(0.001)
    after = usage.usage()
    assert after.cpu - before.cpu >= 0.02
    assert after.memory - before.memory > 1 << 23
    assert after.wakeups > before.wakeups
    del held
    usage.settle()
    assert usage.usage().memory < after.memory
