"""From the protocol of an inbound stream to the handler that serves it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from plait.connection.reasons import StreamCode
from plait.exceptions import ConfigError, LocalProtocolError
from plait.host.serving import PEERS_DOING, Serving, code_of

if TYPE_CHECKING:
    from plait.abc import Answer, Handler, Stream
    from plait.host.task import HandlerTask
    from plait.types import ProtocolId

__all__ = ["Router"]


class Router:
    """Runs one task for each inbound stream, and ends the stream as its handler ends.

    A handler that returns closes its stream. One that raises, or whose task is cancelled, resets it
    with a code; nothing it raises reaches the event loop.

    Args:
        maximum: handler tasks at once. Above it a connection still gets `RESERVED_STREAMS`, so that
            one that takes all there are does not shut out the others.
        changed: called when the set of protocols has changed.

    Attributes:
        loop: where its handlers run; there is none before the first.
        failed: handlers that raised by themselves.
        broken: handlers that ended because of what the peer or the network did.
        refused: streams that were reset because too many handlers ran.
    """

    loop: asyncio.AbstractEventLoop

    def __init__(self, maximum: int, changed: Callable[[], None] = lambda: None) -> None:
        self._maximum = maximum
        self._changed = changed
        self._handlers: dict[ProtocolId, Handler] = {}
        # Only of the protocols that have one; in the order in which they were added.
        self._rules: dict[ProtocolId, Callable[[ProtocolId], bool]] = {}
        # Served without a task, each by one piece of bytes.
        self._answers: dict[ProtocolId, Answer] = {}
        self._running = 0
        # Those that neither the event loop nor a stream keeps alive.
        self._held: set[HandlerTask] = set()
        self._is_closed = False
        self.failed = 0
        self.broken = 0
        self.refused = 0

    # Commands

    def add(
        self,
        protocol: ProtocolId,
        handler: Handler,
        *,
        aliases: Sequence[ProtocolId] = (),
        match: Callable[[ProtocolId], bool] | None = None,
    ) -> None:
        """Serves a protocol from now on, also on connections that exist.

        Args:
            aliases: other names of the same protocol, announced as it is.
            match: says of a name that nobody serves under itself whether it is this protocol too.

        Raises:
            ConfigError: the name cannot be one of a protocol, or has a handler already.
        """
        names = (protocol, *aliases)
        for name in names:
            _check_name(name)
            if name in self._handlers:
                raise ConfigError(f"{name} has a handler already", hint="unhandle it first")
        self._handlers |= dict.fromkeys(names, handler)
        if match is not None:
            self._rules[protocol] = match
        self._changed()

    def add_answer(self, protocol: ProtocolId, answer: Answer) -> None:
        """Serves a protocol by what `answer` gives for each stream, which is then closed.

        Raises:
            ConfigError: the name has a handler already.
        """
        self.add(protocol, _never)
        self._answers[protocol] = answer

    def remove(self, protocol: ProtocolId) -> None:
        """Serves a protocol no longer; streams that run go on.

        Raises:
            LocalProtocolError: it has no handler.
        """
        if self._handlers.pop(protocol, None) is None:
            raise LocalProtocolError(f"{protocol} has no handler")
        self._rules.pop(protocol, None)
        self._answers.pop(protocol, None)
        self._changed()

    def start(self, stream: Stream) -> None:
        """Starts the handler of an inbound stream whose protocol is agreed on."""
        handler = self._handler_of(stream.protocol)
        if self._is_closed:
            stream.reset(StreamCode.SHUTDOWN)
        elif handler is None:
            # It was taken away while the stream was on its way.
            stream.reset(StreamCode.NEGOTIATION_FAILED)
        elif stream.protocol in self._answers:
            self._answer(stream)
        elif self._running >= self._maximum and len(stream.connection.streams) > RESERVED_STREAMS:
            self.refused += 1
            stream.reset(StreamCode.RESOURCE_LIMIT)
        else:
            self._spawn(stream, _called(handler, stream))

    def stop(self) -> None:
        """Resets every stream that comes from now on."""
        self._is_closed = True

    async def close(self) -> None:
        """Cancels every handler and waits until all have ended.

        A handler that refuses to end is waited for, since a task cannot be ended from outside;
        cancelling this stops the wait only.
        """
        self.stop()
        others: set[Any] = asyncio.all_tasks() - {asyncio.current_task()} if self._running else set()
        serving: list[Any] = [task for task in others if isinstance(task, Serving) and task.router is self]
        for task in serving:
            task.cancel()
        if serving:
            await asyncio.wait(serving)

    # From a handler

    def hold(self, task: HandlerTask) -> None:
        """It waits for something that may be known to nobody else."""
        self._held.add(task)

    def let_go(self, task: HandlerTask) -> None:
        """It goes on."""
        self._held.discard(task)

    def has_ended(self) -> None:
        """Within the last step of a task."""
        self._running -= 1

    # Getters

    @property
    def is_closed(self) -> bool:
        """No handler starts any more."""
        return self._is_closed

    @property
    def protocols(self) -> Sequence[ProtocolId]:
        """What has a handler, in the order in which it was added."""
        return tuple(self._handlers)

    @property
    def rule(self) -> Callable[[ProtocolId], bool] | None:
        """Says whether a protocol that is not among these is served all the same; `None`: no."""
        return self._is_matched if self._rules else None

    @property
    def running(self) -> int:
        """Handler tasks at the moment."""
        return self._running

    # Which handler

    def _handler_of(self, protocol: ProtocolId) -> Handler | None:
        handler = self._handlers.get(protocol)
        if handler is None:
            served = next((name for name, match in self._rules.items() if match(protocol)), None)
            handler = None if served is None else self._handlers[served]
        return handler

    def _is_matched(self, protocol: ProtocolId) -> bool:
        return any(match(protocol) for match in self._rules.values())

    # One stream

    def _answer(self, stream: Stream) -> None:
        try:
            stream.write_nowait(self._answers[stream.protocol](stream))
        except PEERS_DOING as error:
            self.broken += 1
            stream.reset(code_of(error))
            return
        if not stream.close_nowait():
            # The peer gives no credit for as little as this; it has the time that every handler has.
            self._spawn(stream, stream.close())

    def _spawn(self, stream: Stream, coroutine: Coroutine[Any, Any, object]) -> None:
        self.loop = asyncio.get_running_loop()
        self._running += 1
        Serving(self, coroutine, stream)


def _called(handler: Handler, stream: Stream) -> Coroutine[Any, Any, object]:
    """The coroutine of a handler, whatever else a handler gives to be awaited."""
    try:
        called = handler(stream)
    except Exception as error:
        return _raise(error)
    return called if isinstance(called, CoroutineType) else _await(called)


async def _await(awaitable: Awaitable[object]) -> None:
    await awaitable


async def _raise(error: Exception) -> None:
    raise error


async def _never(stream: Stream) -> None:
    """The handler of a protocol that is served without one."""
    raise AssertionError(f"{stream.protocol} has a handler")


def _check_name(protocol: ProtocolId) -> None:
    if not protocol or "\n" in protocol or len(protocol.encode()) > MAX_NAME_SIZE:
        raise ConfigError(
            f"{protocol[:80]!r} cannot be a protocol id",
            hint=f"it has 1 to {MAX_NAME_SIZE} bytes and no line end, as in /chat/1.0.0",
        )


# Room for the services of the host (identify, push, ping) and a few streams of an application.
RESERVED_STREAMS = 16
# Peers drop names that are longer, see `Limits.protocol_length`.
MAX_NAME_SIZE = 512
