"""plait with plait through the official transport test, in both of its forms, over a Redis of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

PROGRAM = [sys.executable, "-W", "error", str(Path(__file__).with_name("transport.py"))]
STACKS = [f"tcp/{security}/{muxer}" for security in ("noise", "tls") for muxer in ("yamux", "mplex")]
STACKS += ["ws/noise/yamux", "ws/tls/yamux"]
FORMS = ("old", "new")
KEY = "a5b50d5e"
LISTS = {"old": "listenerAddr", "new": f"{KEY}_listener_multiaddr"}
NAMES = {
    "old": ("transport", "security", "muxer", "is_dialer", "ip", "redis_addr"),
    "new": ("TRANSPORT", "SECURE_CHANNEL", "MUXER", "IS_DIALER", "LISTENER_IP", "REDIS_ADDR"),
}
YAML = re.compile(r"latency:\n  handshake_plus_one_rtt: (\d+\.\d+)\n  ping_rtt: (\d+\.\d+)\n  unit: ms\n")
# Longer than anything here needs; what hangs is ended and shown instead of waited for.
PATIENCE = 60

# --- Redis -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def redis_port() -> Iterator[int]:
    """A server in a folder of its own; it is stopped and forgets everything at the end."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip(
            "*** redis-server IS MISSING (apt-get install redis-server): NOTHING OF THIS WAS TRIED ***"
        )
    with tempfile.TemporaryDirectory(prefix="plait-redis-") as folder:
        for _ in range(PORTS_TRIED):
            port = free_port()
            command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
                try:
                    assert server.stdout is not None
                    if any("Ready to accept connections" in each for each in server.stdout):
                        yield port
                        return
                finally:
                    server.kill()
    pytest.fail("redis-server did not start")


# Somebody else may take a free port before the server does.
PORTS_TRIED = 5


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def client(redis_port: int) -> Iterator[Redis]:
    # Surrogates, since a dump of a key is no text.
    with Redis(
        host="127.0.0.1", port=redis_port, decode_responses=True, encoding_errors="surrogateescape"
    ) as each:
        each.flushall()
        yield each


# --- the two sides -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("stack", STACKS)
def test_plait_with_plait(form: str, stack: str, client: Redis, redis_port: int) -> None:
    with started(environment(form, stack, redis_port, is_dialer=False)) as listener:
        dialed = dial(environment(form, stack, redis_port, is_dialer=True))
        assert (dialed.returncode, dialed.stderr) == (0, "")
        whole, single = read(form, dialed.stdout)
        assert whole > single > 0
        assert client.llen(LISTS[form]) == 0
        # It stays until it is stopped, and has said nothing where results belong.
        assert listener.poll() is None
        listener.terminate()
        assert listener.communicate(timeout=PATIENCE) == ("", "")
        assert listener.returncode == 0


def read(form: str, text: str) -> tuple[float, float]:
    if form == "new":
        found = YAML.fullmatch(text)
        assert found, text
        return float(found[1]), float(found[2])
    assert text.count("\n") == 1
    report = json.loads(text)
    assert list(report) == ["handshakePlusOneRTTMillis", "pingRTTMilllis"]
    return report["handshakePlusOneRTTMillis"], report["pingRTTMilllis"]


@pytest.mark.parametrize("form", FORMS)
def test_a_dialer_waits_for_its_listener(form: str, client: Redis, redis_port: int) -> None:
    with started(environment(form, STACKS[0], redis_port, is_dialer=True)) as dialer:
        while not client.info("clients")["blocked_clients"]:
            assert dialer.poll() is None, dialer.communicate()
        with started(environment(form, STACKS[0], redis_port, is_dialer=False)):
            out, errors = dialer.communicate(timeout=PATIENCE)
    assert (dialer.returncode, errors) == (0, "")
    read(form, out)


@pytest.mark.parametrize("left", ["a text", "a list"])
def test_what_an_earlier_run_left_is_gone(left: str, client: Redis, redis_port: int) -> None:
    nobody = "/ip4/192.0.2.1/tcp/1"
    if left == "a text":
        client.set(LISTS["new"], nobody)
    else:
        client.rpush(LISTS["new"], nobody)
    before = client.dump(LISTS["new"])
    with started(environment("new", STACKS[0], redis_port, is_dialer=False)) as listener:
        while client.dump(LISTS["new"]) in (before, None):
            assert listener.poll() is None, listener.communicate()
        (address,) = client.lrange(LISTS["new"], 0, -1)
    assert str(address).startswith("/ip4/127.0.0.1/tcp/")


def test_a_listener_on_every_interface_gives_an_address_that_others_can_dial(
    client: Redis, redis_port: int
) -> None:
    told = environment("new", STACKS[0], redis_port, is_dialer=False) | {"LISTENER_IP": "0.0.0.0"}
    with started(told):
        found = client.blpop([LISTS["new"]], timeout=PATIENCE)
    assert found is not None
    address = str(found[1])
    assert re.fullmatch(r"/ip4/[\d.]+/tcp/[1-9]\d*/p2p/\w+", address)
    assert not address.startswith("/ip4/0.0.0.0/")
    assert address.startswith("/ip4/127.") is not has_a_network()


def has_a_network() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: the kernel looks for a route to an address that only a default route reaches.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return False
        return not str(probe.getsockname()[0]).startswith("127.")


def test_debug_goes_where_no_result_is(client: Redis, redis_port: int) -> None:
    listener = environment("new", STACKS[0], redis_port, is_dialer=False)
    with started(listener | {"DEBUG": "true"}) as child:
        dialed = dial(environment("new", STACKS[0], redis_port, is_dialer=True) | {"DEBUG": "true"})
        child.send_signal(signal.SIGINT)
        out, errors = child.communicate(timeout=PATIENCE)
    assert (dialed.returncode, child.returncode, out) == (0, 0, "")
    read("new", dialed.stdout)
    assert "dialing /ip4/" in dialed.stderr
    assert "listening on /ip4/" in errors


# --- errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "change", "says"),
    [
        ("old", {"transport": "quic-v1"}, "transport is 'quic-v1'; plait speaks tcp"),
        ("new", {"SECURE_CHANNEL": "plaintext"}, "SECURE_CHANNEL is 'plaintext'; plait speaks noise, tls"),
        ("new", {"MUXER": ""}, "MUXER is not set"),
        ("old", {"is_dialer": "yes"}, "is_dialer is 'yes', neither true nor false"),
        ("old", {"test_timeout_seconds": "soon"}, "test_timeout_seconds is 'soon'"),
        ("new", {"REDIS_ADDR": "127.0.0.1:here"}, "the address of Redis is '127.0.0.1:here'"),
        ("new", {"LISTENER_IP": "localhost", "IS_DIALER": "false"}, "'localhost' is no IP address"),
        ("old", {"test_timeout_seconds": "0.2"}, "not done within 0.2 s"),
        (
            "old",
            {"test_timeout_seconds": "0.2", "is_dialer": "false"},
            "nobody stopped the listener within 0.2 s",
        ),
    ],
)
def test_an_error_is_one_line_and_a_status(
    form: str, change: dict[str, str], says: str, client: Redis, redis_port: int
) -> None:
    failed = dial(environment(form, STACKS[0], redis_port, is_dialer=True) | change)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert re.fullmatch(rf"transport: {re.escape(says)}.*\n", failed.stderr), failed.stderr


def test_an_address_where_nobody_listens(client: Redis, redis_port: int) -> None:
    nobody = f"/ip4/127.0.0.1/tcp/{free_port()}/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
    client.rpush(LISTS["new"], nobody)
    failed = dial(environment("new", STACKS[0], redis_port, is_dialer=True))
    assert (failed.returncode, failed.stdout) == (1, "")
    assert re.fullmatch(r"transport: could not connect to .*refused.*\n", failed.stderr), failed.stderr


def test_without_redis() -> None:
    told = environment("old", STACKS[0], free_port(), is_dialer=True) | {"test_timeout_seconds": "0.2"}
    failed = dial(told)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert re.fullmatch(r"transport: (no Redis at 127\.0\.0\.1:\d+|not done) .*\n", failed.stderr), (
        failed.stderr
    )


# --- one side of the test ----------------------------------------------------------------------------------


def environment(form: str, stack: str, redis_port: int, *, is_dialer: bool) -> dict[str, str]:
    values = [*stack.split("/"), str(is_dialer).lower(), "127.0.0.1", f"127.0.0.1:{redis_port}"]
    told = dict(zip(NAMES[form], values, strict=True))
    return told | ({"TEST_KEY": KEY, "DEBUG": "false"} if form == "new" else {"test_timeout_seconds": "60"})


@contextlib.contextmanager
def started(told: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    ours = {name for names in NAMES.values() for name in names} | {"TEST_KEY", "DEBUG"}
    rest = {name: value for name, value in os.environ.items() if name not in ours}
    with subprocess.Popen(
        PROGRAM, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=rest | told, text=True
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def dial(told: dict[str, str]) -> subprocess.CompletedProcess[str]:
    with started(told) as child:
        out, errors = child.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(PROGRAM, child.returncode, out, errors)
