"""An honest peer that keeps pinging the target: one line with the seconds of each answer."""

from __future__ import annotations

import os
import sys
import time

from client import PING_PROTOCOL, dial

# Often enough to notice every stall that lasts.
INTERVAL = 0.05


def main() -> None:
    mux = dial((sys.argv[1], int(sys.argv[2])))
    number = mux.open(PING_PROTOCOL)
    while True:
        body = os.urandom(32)
        begin = time.monotonic()
        mux.write(number, body)
        mux.expect(number, body)
        print(f"{time.monotonic() - begin:.6f}", flush=True)
        time.sleep(INTERVAL)


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(0)
