"""What the machine itself can do right now, with nothing of plait in it; also the program of the other end.

Between rounds, raw TCP over loopback is measured between two bare processes, and sealing on one core. Where
one of them moves, the machine did something else, and the round beside it is not worth much.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Protocol, Self

from plait.bench.cores import pinned
from plait.bench.subjects.child import Child
from plait.bench.unbroken import unbroken

__all__ = ["Ceilings", "MachineCeilings"]

MB = 1e6
# The best of so many bursts: what disturbs one makes it slower and never faster.
BURSTS = 6
# Seconds of one: with a connection of its own, past the first growth of the kernel's buffers.
LOOPBACK_BURST = 0.010
AEAD_BURST = 0.003
WRITE_SIZE = 256 * 1024
# As records are.
RECORD = 16 * 1024
# Seconds that the other end may take to answer or to take what it is sent.
PATIENCE = 10.0


class Ceilings(Protocol):
    """What is measured between rounds."""

    def measure(self) -> Mapping[str, float]:
        """MB/s by name."""


class MachineCeilings:
    """`loopback` and `aead`, from when it is entered until it is left.

    Args:
        cores: of the two ends, as those of the contenders; `None`: wherever the scheduler puts them. Two ends
            on one core can be much faster than on two, so a ceiling has to be free where they are free.
    """

    def __init__(self, cores: tuple[int, int] | None = None) -> None:
        self._cores = cores
        self._seal = _sealing()

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.stop()

    def measure(self) -> Mapping[str, float]:
        """Raises `OSError` or `ContenderError` when the other end is gone, and a new one does not start."""
        with pinned(self._cores[0] if self._cores else None):
            try:
                loopback = max(self._loopback() for _ in range(BURSTS))
            except OSError:
                # Somebody has ended it: a run of an hour should not end with it.
                self._child.stop()
                self._start()
                loopback = max(self._loopback() for _ in range(BURSTS))
            found = {"loopback": loopback / MB}
            if self._seal is not None:
                found["aead"] = max(_rate(self._seal, RECORD, AEAD_BURST) for _ in range(BURSTS)) / MB
        return found

    def _start(self) -> None:
        with ExitStack() as stack:
            with unbroken():
                child = stack.enter_context(
                    Child("plait.bench.ceilings", "the other end of the loopback ceiling")
                )
            told = child.ask({"core": self._cores[1] if self._cores else None}, PATIENCE)
            self._child, self._port = child, int(told["port"])
            stack.pop_all()

    def _loopback(self) -> float:
        """Bytes per second, up to when the other end has them."""
        with socket.create_connection(("127.0.0.1", self._port), PATIENCE) as sock:
            block = bytes(WRITE_SIZE)
            begin, sent = time.perf_counter(), 0
            while time.perf_counter() - begin < LOOPBACK_BURST:
                sock.sendall(block)
                sent += len(block)
            sock.shutdown(socket.SHUT_WR)
            if not sock.recv(1):
                raise ConnectionResetError("the other end of the loopback ceiling is gone")
            return sent / (time.perf_counter() - begin)


def _sealing() -> Callable[[], object] | None:
    """Seals one record."""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    except ImportError:
        return None
    seal, nonce, record = ChaCha20Poly1305(bytes(32)).encrypt, bytes(12), bytes(RECORD)
    return lambda: seal(nonce, record, None)


def _rate(do: Callable[[], object], size: int, seconds: float) -> float:
    begin, done = time.perf_counter(), 0
    while (now := time.perf_counter()) - begin < seconds:
        do()
        done += size
    return done / (now - begin)


def main() -> None:
    """The other end: takes everything, says a byte when there is no more; ends with its standard input."""
    told = json.loads(sys.stdin.readline())
    if told["core"] is not None:
        os.sched_setaffinity(0, {told["core"]})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    buffer = bytearray(WRITE_SIZE)
    with socket.create_server(("127.0.0.1", 0)) as server:
        sys.stdout.write(json.dumps({"port": server.getsockname()[1]}) + "\n")
        sys.stdout.flush()
        while True:
            sock, _ = server.accept()
            with sock:
                try:
                    while sock.recv_into(buffer):
                        pass
                    sock.sendall(b"\0")
                except OSError:
                    # It was broken off; the next comes by itself.
                    continue


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
