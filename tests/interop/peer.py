"""plait behind the command line that the other implementations' peers share, on the defaults that users get.

One JSON object a line on stdout, messages on stderr; exit status 0 when the check held.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import plait
from plait import upgrade
from plait.events import ConnectionOpened, EventsDropped
from plait.exceptions import StreamResetError
from plait.identity import KeyType
from plait.protocols import perf as perf_protocol
from plait.protocols import ping as ping_probes

ECHO = "/x/echo/1.0.0"  # echoes until the remote closes its write side, then closes
DIGEST = "/x/digest/1.0.0"  # reads to end of stream, answers 8-byte length + sha256, closes
RESET = "/x/reset/1.0.0"  # reads one byte, then resets the stream

LISTEN = {"tcp": "/ip4/127.0.0.1/tcp/0", "ws": "/ip4/127.0.0.1/tcp/0/ws"}

# The commands of the shared line take no size of their own when `--up` is left out.
DEFAULT_BODY = 1 << 20
# A stream that is held open still has to answer, however many there are.
HELD_ANSWER_SECONDS = 30.0

SECURITY = {"noise": upgrade.NOISE, "tls": upgrade.TLS, "plaintext": upgrade.PLAINTEXT}
MUXERS = {"yamux": upgrade.YAMUX, "mplex": upgrade.MPLEX}

Report = dict[str, Any]
Action = Callable[[plait.Host, plait.Connection, argparse.Namespace], Awaitable[Report]]


def main() -> int:
    options = parse(sys.argv[1:])
    try:
        plait.run(run(options))
    except (plait.PlaitError, CheckError, OSError, TimeoutError) as error:
        text = f"{type(error).__name__}: {error}"
        say({"error": " ".join(text.split())})
        print(f"{options.command}: {text}", file=sys.stderr)
        return 1
    return 0


class CheckError(Exception):
    """The remote answered, but not what it should."""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="peer.py", description=__doc__)
    parser.add_argument("command", choices=["listen", "handshakes", "hold", *ACTIONS])
    parser.add_argument("--addr", action="append", default=[], help="listen address, repeatable")
    parser.add_argument("--to", help="multiaddr with /p2p/…")
    parser.add_argument("--transport", choices=[*LISTEN], default="tcp")
    parser.add_argument("--security", choices=list(SECURITY), help="only this one")
    parser.add_argument("--muxer", choices=list(MUXERS), help="only this one")
    parser.add_argument("--psk", type=Path, help="swarm.key file of a private network")
    kinds = [kind.name.lower() for kind in KeyType]
    parser.add_argument("--key", choices=kinds, default="ed25519", help="kind of a new identity")
    parser.add_argument("--seed", type=bytes.fromhex, help="64 hex digits: a fixed Ed25519 identity")
    parser.add_argument("--up", type=int, default=0, help="bytes")
    parser.add_argument("--down", type=int, default=0, help="bytes")
    parser.add_argument("--count", type=int, default=100, help="how many")
    parser.add_argument("--parallel", type=int, default=1, help="at a time")
    parser.add_argument("--block", type=int, default=65536, help="bytes a write of digest and echo")
    parser.add_argument("--code", type=int, default=0, help="error code of /x/reset and of abort")
    parser.add_argument("--at-once", action="store_true", help="abort: --count streams, without a byte")
    parser.add_argument("--connections", action="store_true", help="listen: a line for each connection")
    parser.add_argument(
        "--seconds", type=float, default=0.0, help="end a listener or a hold by itself (0: never)"
    )
    parser.add_argument("--timeout", type=float, default=110.0, help="for dial and action, in seconds")
    options = parser.parse_args(arguments)
    if options.command != "listen" and not options.to:
        parser.error(f"{options.command} needs --to")
    if options.seed is not None and len(options.seed) != 32:
        parser.error("--seed wants 64 hex digits")
    if options.seed is not None and options.key != "ed25519":
        parser.error("--seed fixes an Ed25519 identity only")
    return options


async def run(options: argparse.Namespace) -> None:
    match options.command:
        case "listen":
            await listen(options)
        case "hold":
            await hold(options)
        case "handshakes":
            async with asyncio.timeout(options.timeout):
                await handshakes(options)
        case command:
            await act(command, options)


def new_host(
    options: argparse.Namespace, listen: Sequence[str], key: plait.KeyPair | None = None
) -> plait.Host:
    """A host on the defaults, less what the command line says."""
    chosen: dict[str, Any] = {}
    if options.security is not None:
        chosen["security"] = [SECURITY[options.security]]
    if options.muxer is not None:
        chosen["muxers"] = [MUXERS[options.muxer]]
    if options.psk is not None:
        chosen["private_network"] = plait.PrivateNetwork.load(options.psk)
    return plait.Host(key or identity(options), listen=listen, config=plait.HostConfig(**chosen))


# --- the listening side ------------------------------------------------------------------------------------


async def listen(options: argparse.Namespace) -> None:
    addresses = options.addr or [LISTEN[options.transport]]
    async with asyncio.TaskGroup() as group, new_host(options, addresses) as host:
        serve(host, options)
        if options.connections:
            # Its events end with the host, and so does the task.
            group.create_task(report_connections(host, host.events(ConnectionOpened)))
        # Before the line that others wait for: they may end us as soon as they have read it.
        stop = Stop()
        say({"event": "listening", "peer": str(host.peer_id), "addrs": [str(a) for a in host.addresses]})
        await stop.wait(options.seconds)


async def report_connections(
    host: plait.Host, events: AsyncIterator[ConnectionOpened | EventsDropped]
) -> None:
    """What was negotiated, as this side sees it."""
    async for event in events:
        if isinstance(event, ConnectionOpened):
            for connection in host.connections:
                if connection.remote_peer == event.peer:
                    say({"event": "connected", "peer": str(event.peer), **negotiated(connection)})


def serve(host: plait.Host, options: argparse.Namespace) -> None:
    host.handle(perf_protocol.PROTOCOL, perf_protocol.PerfServer())

    @host.handle(ECHO)
    async def echo(stream: plait.Stream) -> None:
        async for chunk in stream:
            await stream.write(chunk)

    @host.handle(DIGEST)
    async def digest(stream: plait.Stream) -> None:
        total, sha256 = 0, hashlib.sha256()
        async for chunk in stream:
            total += len(chunk)
            sha256.update(chunk)
        await stream.write(total.to_bytes(8, "big") + sha256.digest())

    @host.handle(RESET)
    async def reset(stream: plait.Stream) -> None:
        await stream.readexactly(1)
        stream.reset(options.code)


class Stop:
    """SIGTERM and Ctrl-C, from when it is made."""

    def __init__(self) -> None:
        self._told = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told.set)

    async def wait(self, seconds: float) -> None:
        """Until told, and no longer than so many seconds (0: without an end)."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds or None):
                await self._told.wait()


# --- one connection and one action on it -------------------------------------------------------------------


async def act(command: str, options: argparse.Namespace) -> None:
    patience = options.timeout + (options.seconds if command == "hold-streams" else 0)
    async with new_host(options, ()) as host, asyncio.timeout(patience):
        begin = time.perf_counter()
        connection = await host.connect(options.to)
        dial_ms = (time.perf_counter() - begin) * 1e3
        # Identify belongs to the dial, not to what is measured; without it the rest can still be asked.
        with contextlib.suppress(plait.PlaitError, TimeoutError):
            await host.identified(connection)
        cpu = time.process_time()
        report = await ACTIONS[command](host, connection, options)
        cpu_s = time.process_time() - cpu
        say({"action": command, "dial_ms": dial_ms, "cpu_s": cpu_s, **negotiated(connection), **report})


async def identify(host: plait.Host, connection: plait.Connection, options: argparse.Namespace) -> Report:
    found = await host.identified(connection)
    return {
        "agent": found.agent,
        "protocols": list(found.protocols),
        "listenAddrs": [str(a) for a in found.addresses],
        "observedAddr": str(found.observed_address),
    }


async def ping(host: plait.Host, connection: plait.Connection, options: argparse.Namespace) -> Report:
    return {"rtt_ms": stats(await pings(connection, options.count))}


async def perf(host: plait.Host, connection: plait.Connection, options: argparse.Namespace) -> Report:
    begin = time.perf_counter()
    await perf_protocol.measure(connection, upload=options.up, download=options.down)
    seconds = time.perf_counter() - begin
    rate = (options.up + options.down) / (1 << 20) / seconds
    return {"up": options.up, "down": options.down, "seconds": seconds, "MiBps": rate}


async def streams(host: plait.Host, connection: plait.Connection, options: argparse.Namespace) -> Report:
    """Open, one byte there and back, close."""
    times: list[float] = []

    async def one(worker: int) -> None:
        begin = time.perf_counter()
        async with await connection.open_stream(ECHO) as stream:
            await stream.write(b"\x07")
            await stream.write_eof()
            if await stream.read() != b"\x07":
                raise CheckError("echo lost")
        times.append(time.perf_counter() - begin)

    begin = time.perf_counter()
    await share(options.parallel, options.count, one)
    seconds = time.perf_counter() - begin
    return {"parallel": options.parallel, "per_second": options.count / seconds, "ms": stats(times)}


async def digest(host: plait.Host, connection: plait.Connection, options: argparse.Namespace) -> Report:
    """Half close: the answer comes after our end of stream."""
    body = os.urandom(options.up or DEFAULT_BODY)
    async with await connection.open_stream(DIGEST) as stream:
        await write_in_blocks(stream, body, options.block)
        await stream.write_eof()
        answer = await stream.read()
    if answer != len(body).to_bytes(8, "big") + hashlib.sha256(body).digest():
        raise CheckError("wrong digest")
    return {"ok": True, "bytes": len(body)}


async def echo(host: plait.Host, connection: plait.Connection, options: argparse.Namespace) -> Report:
    """Without a half close, for a peer that cannot do one."""
    body = os.urandom(options.up or DEFAULT_BODY)
    async with await connection.open_stream(ECHO) as stream:
        sending = write_in_blocks(stream, body, options.block)
        _, answer = await asyncio.gather(sending, stream.readexactly(len(body)))
    if answer != body:
        raise CheckError("echo differs")
    return {"ok": True, "bytes": len(body)}


async def reset(host: plait.Host, connection: plait.Connection, options: argparse.Namespace) -> Report:
    """The remote resets: that is no end of stream, and the connection lives."""
    stream = await connection.open_stream(RESET)
    await stream.write(b"\x01")
    try:
        seen = await stream.read(1)
    except StreamResetError as error:
        report = {"status": "reset", "is_reset": True, "remote": error.remote, "code": error.error_code}
    else:
        raise CheckError(f"not a reset: {'a byte' if seen else 'the end of the stream'}")
    return {**report, "ping_after_ms": await ping_after(connection)}


async def abort(host: plait.Host, connection: plait.Connection, options: argparse.Namespace) -> Report:
    """We reset: the connection lives."""
    for _ in range(options.count if options.at_once else 1):
        stream = await connection.open_stream(ECHO)
        if not options.at_once:
            await stream.write(b"\x01")
        stream.reset(options.code)
    return {"status": "aborted", "ping_after_ms": await ping_after(connection)}


async def info(host: plait.Host, connection: plait.Connection, options: argparse.Namespace) -> Report:
    """What was negotiated."""
    found = [
        {
            "addr": str(each.remote_address),
            "limited": False,
            "direct": True,
            "transport": "tcp",
            "direction": str(each.direction),
            **negotiated(each),
        }
        for each in host.connections
        if each.remote_peer == connection.remote_peer
    ]
    return {"connections": found}


async def hold_streams(host: plait.Host, connection: plait.Connection, options: argparse.Namespace) -> Report:
    """Streams left open after one byte there and back; at the end all of them must still work."""
    held: list[plait.Stream] = []

    async def one(worker: int) -> None:
        stream = await connection.open_stream(ECHO)
        await there_and_back(stream, b"\x07")
        held.append(stream)

    begin = time.perf_counter()
    await share(options.parallel, options.count, one)
    stop = Stop()
    say({"event": "held", "count": len(held), "seconds": time.perf_counter() - begin})
    await stop.wait(options.seconds)
    for stream in held:
        await there_and_back(stream, b"\x08")
    return {"alive": len(held)}


ACTIONS: dict[str, Action] = {
    "identify": identify,
    "ping": ping,
    "perf": perf,
    "streams": streams,
    "digest": digest,
    "echo": echo,
    "reset": reset,
    "abort": abort,
    "info": info,
    "hold-streams": hold_streams,
}


# --- many connections --------------------------------------------------------------------------------------


async def handshakes(options: argparse.Namespace) -> None:
    """A new connection each time: transport, security, muxer, then close.

    As go's and rust's, a close does not wait for the peer's end of it before the next one begins.
    """
    times: list[float] = []
    async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as closing:
        # A host keeps one connection to a peer, so every worker has a host.
        hosts = [await stack.enter_async_context(new_host(options, ())) for _ in range(options.parallel)]

        async def one(worker: int) -> None:
            begin = time.perf_counter()
            connection = await hosts[worker].connect(options.to)
            times.append(time.perf_counter() - begin)
            last.update(negotiated(connection))
            closing.create_task(connection.close())
            await asyncio.sleep(0)

        last: Report = {}
        cpu, begin = time.process_time(), time.perf_counter()
        await share(options.parallel, options.count, one)
        seconds, cpu_s = time.perf_counter() - begin, time.process_time() - cpu
    rate = len(times) / seconds
    say(
        {
            "action": "handshakes",
            "parallel": options.parallel,
            "per_second": rate,
            "ms": stats(times),
            "cpu_s": cpu_s,
            **last,
        }
    )


async def hold(options: argparse.Namespace) -> None:
    """Idle connections, each from an identity of its own."""
    raise_descriptor_limit()
    kind = KeyType[options.key.upper()]
    connections: list[plait.Connection] = []
    times: list[float] = []

    async with contextlib.AsyncExitStack() as stack:

        async def one(worker: int) -> None:
            host = await stack.enter_async_context(new_host(options, (), plait.KeyPair.generate(kind)))
            begin = time.perf_counter()
            connections.append(await host.connect(options.to))
            times.append(time.perf_counter() - begin)

        begin = time.perf_counter()
        async with asyncio.timeout(options.timeout):
            await share(options.parallel, options.count, one)
        seconds = time.perf_counter() - begin
        check_alive(connections, options.count)
        stop = Stop()
        say({"event": "held", "count": len(connections), "seconds": seconds, "ms": stats(times)})
        await stop.wait(options.seconds)
        alive = sum(not connection.is_closed for connection in connections)
        say({"action": "hold", "count": options.count, "alive": alive})
        check_alive(connections, options.count)


def check_alive(connections: Sequence[plait.Connection], count: int) -> None:
    alive = sum(not connection.is_closed for connection in connections)
    if alive != count:
        raise CheckError(f"{alive} of {count} connections alive")


def raise_descriptor_limit() -> None:
    """A thousand connections need more descriptors than a shell's usual 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# --- what the actions share --------------------------------------------------------------------------------


async def share(workers: int, count: int, job: Callable[[int], Coroutine[Any, Any, None]]) -> None:
    """Shares `count` jobs between so many workers; the first error ends them all."""
    left = count

    async def work(worker: int) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await job(worker)

    if workers == 1:
        await work(0)
        return
    try:
        async with asyncio.TaskGroup() as group:
            for worker in range(workers):
                group.create_task(work(worker))
    except ExceptionGroup as group_error:
        raise group_error.exceptions[0] from None


async def pings(connection: plait.Connection, count: int) -> list[float]:
    """Seconds of each of so many probes on one stream."""
    return [seconds async for seconds in ping_probes(connection, count=count, interval=0)]


async def ping_after(connection: plait.Connection) -> float:
    """Milliseconds; the proof that a connection outlived a stream's reset."""
    (seconds,) = await pings(connection, 1)
    return seconds * 1e3


async def write_in_blocks(stream: plait.Stream, body: bytes, block: int) -> None:
    view = memoryview(body)
    for start in range(0, len(view), block):
        await stream.write(view[start : start + block])


async def there_and_back(stream: plait.Stream, byte: bytes) -> None:
    async with asyncio.timeout(HELD_ANSWER_SECONDS):
        await stream.write(byte)
        if await stream.readexactly(1) != byte:
            raise CheckError("echo differs")


def identity(options: argparse.Namespace) -> plait.KeyPair:
    if options.seed is not None:
        return plait.KeyPair.from_seed(options.seed)
    return plait.KeyPair.generate(KeyType[options.key.upper()])


def negotiated(connection: plait.Connection) -> Report:
    return {
        "security": connection.security,
        "muxer": connection.muxer,
        "early_muxer": connection.early_muxer,
    }


def stats(seconds: Sequence[float]) -> Report:
    """Milliseconds, as the other peers give them."""
    if not seconds:
        return {"n": 0}
    ordered = sorted(seconds)

    def quantile(q: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(q * len(ordered)))] * 1e3, 3)

    return {
        "n": len(ordered),
        "min": quantile(0),
        "p50": quantile(0.5),
        "p99": quantile(0.99),
        "max": quantile(1),
    }


def say(report: Report) -> None:
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    sys.exit(main())
