"""A peer with the shared command line that measures nothing, and does wrong what it is told to do wrong.

fake_peer.py [--wrong WHAT] listen|identify|perf|ping|streams|handshakes …
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys

# What a result has for `--wrong absurd`, over and over.
ABSURD = {"seconds": -1.0, "per_second": "many", "parallel": None, "rtt_ms": []}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--wrong", default="")
    parser.add_argument("command")
    for name in ("--to", "--transport", "--security", "--muxer", "--seconds"):
        parser.add_argument(name, default="")
    for name in ("--up", "--down", "--count", "--parallel"):
        parser.add_argument(name, type=int, default=0)
    options = parser.parse_args()
    if options.command == "listen":
        listen(options.wrong)
    else:
        dial(options)


def listen(wrong: str) -> None:
    if wrong == "dies at once":
        sys.exit("Error: address already in use")
    if wrong == "garbage at once":
        sys.exit(print("<html>not what you think</html>"))
    if wrong != "silent":
        # The port is our process, so that the dialer can end us.
        address = "" if wrong == "nowhere" else f"/ip4/127.0.0.1/tcp/{os.getpid()}/p2p/fake"
        say(event="listening", addrs=[address])
    while True:
        signal.pause()


def dial(options: argparse.Namespace) -> None:
    if options.command == "identify":
        say(agent="fake/1.0\x1b[31m" if not options.wrong else None)
        return
    listener = int(options.to.split("/")[4])
    match options.wrong:
        case "kills its listener":
            os.kill(listener, signal.SIGKILL)
            sys.exit("Error: connection reset")
        case "hangs":
            print("waiting for a stream", file=sys.stderr, flush=True)
            while True:
                signal.pause()
        case "dies":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "garbage":
            print("\x1b[31m10 MB/s\x1b[0m")
        case "absurd":
            say(**ABSURD)
        case "error":
            say(error="stream reset by\nremote")
            sys.exit(1)
        case "one by one":
            say(parallel=1, per_second=1000.0)
        case _:
            say(**answer(options))


def answer(options: argparse.Namespace) -> dict[str, object]:
    """As if the machine were this fast, whatever it is."""
    match options.command:
        case "perf":
            return {"seconds": (options.up + options.down) / 100e6, "cpu_s": 0.01}
        case "ping":
            times = {"n": options.count, "min": 0.1, "p50": 0.2, "p99": 0.5, "max": 1.0}
            return {"rtt_ms": times, "cpu_s": 0.01}
        case _:
            return {"parallel": options.parallel, "per_second": 1000.0}


def say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    main()
