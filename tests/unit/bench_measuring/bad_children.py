"""`python -m bad_children HOW`: a child that breaks the protocol in one way."""

from __future__ import annotations

import json
import os
import signal
import sys
import time


def main() -> None:
    how = sys.argv[1]
    if how == "ends":
        sys.stderr.write("a first line\nno more memory\n")
        raise SystemExit(3)
    if how == "closes":
        os.close(1)
        time.sleep(60)
    for line in sys.stdin:
        match how:
            case "answers":
                say(json.dumps({"heard": json.loads(line)}))
            case "garbage":
                say("Segmentation fault (core dumped)")
            case "list":
                say("[1, 2]")
            case "flood":
                while True:
                    sys.stdout.write("x" * 65536)
            case "half":
                sys.stdout.write('{"heard"')
                sys.stdout.flush()
            case "hangs":
                time.sleep(60)
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "error":
                say(json.dumps({"error": "no such\nthing", "unsupported": "x" in line}))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
