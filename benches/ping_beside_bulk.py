"""Pings beside eight transfers on one connection, by who listens: what waits behind the transfers.

    .venv/bin/python benches/ping_beside_bulk.py --peer go=COMMAND --peer rust=COMMAND

plait dials. Each COMMAND is a program with the command line of `tests/interop/peer.py`, which is taken too.
Rounds go around between them. Nothing else may run meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import plait
from plait.protocols import perf, ping

OURS = shlex.join([sys.executable, str(Path(__file__).resolve().parent.parent / "tests/interop/peer.py")])
STACK = ["--transport", "tcp", "--security", "noise", "--muxer", "yamux"]
TRANSFERS = 8
# Bytes of one run of perf: long enough that its beginning and end are nothing.
AMOUNT = 64_000_000
# Seconds until all transfers are under way, and between two pings.
WARM_UP, PAUSE = 0.5, 0.005


class Result(NamedTuple):
    p50: float
    p99: float
    rate: float


async def measure(command: str, upload: bool, seconds: float) -> Result:
    listener = await asyncio.create_subprocess_exec(
        *shlex.split(command), "listen", *STACK, stdout=asyncio.subprocess.PIPE
    )
    assert listener.stdout is not None
    try:
        said = json.loads(await listener.stdout.readline())
        address = next(each for each in said["addrs"] if "127.0.0.1" in each)
        if "/p2p/" not in address:
            address += f"/p2p/{said['peer']}"
        config = plait.HostConfig(security=["/noise"])
        async with plait.Host(listen=(), config=config) as host:
            connection = await host.connect(address)
            await host.identified(connection)
            return await beside(connection, upload, seconds)
    finally:
        listener.terminate()
        await listener.wait()


async def beside(connection: plait.Connection, upload: bool, seconds: float) -> Result:
    moved = 0

    async def transfer() -> None:
        nonlocal moved
        while True:
            await perf.measure(connection, AMOUNT if upload else 0, 0 if upload else AMOUNT)
            moved += AMOUNT

    transfers = [asyncio.create_task(transfer()) for _ in range(TRANSFERS)]
    try:
        await asyncio.sleep(WARM_UP)
        trips: list[float] = []
        start, before = time.perf_counter(), moved
        async for trip in ping(connection, count=10**6, interval=PAUSE):
            trips.append(trip)
            if time.perf_counter() - start > seconds:
                break
        rate = (moved - before) / (time.perf_counter() - start) / 1e6
    finally:
        for each in transfers:
            each.cancel()
        await asyncio.gather(*transfers, return_exceptions=True)
    trips.sort()
    return Result(trips[len(trips) // 2] * 1e3, trips[len(trips) * 99 // 100] * 1e3, rate)


async def run(peers: dict[str, str], rounds: int, seconds: float) -> None:
    found: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for _ in range(rounds):
        for direction in ("download", "upload"):
            for name, command in peers.items():
                found[name, direction].append(await measure(command, direction == "upload", seconds))
    print(f"medians of {rounds} rounds [least-most]; milliseconds, and MB/s of all transfers")
    for (name, direction), results in sorted(found.items(), key=lambda item: item[0][::-1]):
        p99 = [each.p99 for each in results]
        print(
            f"{direction:9} {name:6} p50 {statistics.median(each.p50 for each in results):6.2f}"
            f"   p99 {statistics.median(p99):6.2f} [{min(p99):.2f}-{max(p99):.2f}]"
            f"   {statistics.median(each.rate for each in results):6.0f} MB/s"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args(arguments)
    peers = {"plait": OURS} | dict(each.split("=", 1) for each in options.peer)
    plait.run(run(peers, options.rounds, options.seconds))


if __name__ == "__main__":
    main()
