"""The listener's process: `python -m plait.bench.subjects.listening`.

It speaks JSON lines: the first on its standard input says what to listen with, the first that it says is the
address. Then each line is a question about what it has used. It ends when its standard input does, so
that it never outlives the process that started it, whatever happens to that one.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import json
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO, cast

from plait.bench import usage
from plait.bench.subjects.answering import answer
from plait.bench.subjects.contender import UnsupportedError
from plait.bench.subjects.loops import loop_factory

if TYPE_CHECKING:
    from plait.bench.subjects.ends import Ends

__all__ = ["order", "remake"]

Say = Callable[[dict[str, Any]], None]


def order(ends: Ends, core: int | None) -> dict[str, Any]:
    """The first line: how to make `ends` again. Raises `UnsupportedError` when no other process could."""
    kind = type(ends)
    if kind.__module__ == "__main__" or "<locals>" in kind.__qualname__:
        raise UnsupportedError(
            f"{kind.__qualname__} is not importable, so another process cannot make it again",
            hint="put it into a module, or measure it in one process",
        )
    shallow = {field.name: getattr(ends, field.name) for field in dataclasses.fields(cast(Any, ends))}
    return {"ends": f"{kind.__module__}:{kind.__qualname__}", "fields": shallow, "core": core}


def remake(order: dict[str, Any]) -> Ends:
    """The ends again."""
    module, _, name = order["ends"].partition(":")
    made: Ends = getattr(importlib.import_module(module), name)(**order["fields"])
    return made


def main() -> None:
    # What libraries print must not come between the lines of the protocol.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(line: dict[str, Any]) -> None:
        out.write(json.dumps(line) + "\n")
        out.flush()

    told = json.loads(sys.stdin.readline())
    if told["core"] is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {told["core"]})
    try:
        ends = remake(told)
        with asyncio.Runner(loop_factory=loop_factory(ends.subject.loop)) as runner:
            runner.run(_listen(ends, say))
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}", "unsupported": isinstance(error, UnsupportedError)})
        raise SystemExit(1) from error


async def _listen(ends: Ends, say: Say) -> None:
    async with ends.serve(answer) as address:
        # A thread of its own answers also while the loop is busy, and waking it does not wake the loop.
        threading.Thread(target=_answer_questions, args=(sys.stdin, say), daemon=True).start()
        say({"address": address})
        await asyncio.get_running_loop().create_future()


def _answer_questions(questions: TextIO, say: Say) -> None:
    try:
        for line in questions:
            if json.loads(line).get("settle"):
                usage.settle()
            say(dataclasses.asdict(usage.usage()))
    finally:
        # Nothing here is worth an orderly end that could hang.
        os._exit(0)


if __name__ == "__main__":
    main()
