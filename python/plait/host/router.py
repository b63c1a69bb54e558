"""From the protocol of an inbound stream to the handler that serves it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from plait.connection.reasons import StreamCode
from plait.exceptions import (
    ConfigError,
    ConnectionClosedError,
    LocalProtocolError,
    RemoteProtocolError,
    StreamResetError,
)

if TYPE_CHECKING:
    from plait.abc import Answer, Handler, Stream
    from plait.types import ProtocolId

__all__ = ["Router"]

logger = logging.getLogger(__name__)


class Router:
    """Runs one task for each inbound stream, and ends the stream as its handler ends.

    A handler that returns closes its stream. One that raises, or whose task is cancelled, resets it
    with a code; nothing it raises reaches the event loop.

    Args:
        maximum: handler tasks at once. Above it a connection still gets `RESERVED_STREAMS`, so that
            one that takes all there are does not shut out the others.
        changed: called when the set of protocols has changed.

    Attributes:
        failed: handlers that raised by themselves.
        broken: handlers that ended because of what the peer or the network did.
        refused: streams that were reset because too many handlers ran.
    """

    def __init__(self, maximum: int, changed: Callable[[], None] = lambda: None) -> None:
        self._maximum = maximum
        self._changed = changed
        self._handlers: dict[ProtocolId, Handler] = {}
        # Only of the protocols that have one; in the order in which they were added.
        self._rules: dict[ProtocolId, Callable[[ProtocolId], bool]] = {}
        # Served without a task, each by one piece of bytes.
        self._answers: dict[ProtocolId, Answer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
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
        elif len(self._tasks) >= self._maximum and len(stream.connection.streams) > RESERVED_STREAMS:
            self.refused += 1
            stream.reset(StreamCode.RESOURCE_LIMIT)
        else:
            self._spawn(stream, self._serve(handler, stream))

    def stop(self) -> None:
        """Resets every stream that comes from now on."""
        self._is_closed = True

    async def close(self) -> None:
        """Cancels every handler and waits until all have ended.

        A handler that refuses to end is waited for, since a task cannot be ended from outside;
        cancelling this stops the wait only.
        """
        self.stop()
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # Getters

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
        return len(self._tasks)

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
            stream.reset(_code_of(error))
            return
        if not stream.close_nowait():
            # The peer gives no credit for as little as this; it has the time that every handler has.
            self._spawn(stream, stream.close())

    def _spawn(self, stream: Stream, serving: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(serving)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, stream))

    async def _serve(self, handler: Handler, stream: Stream) -> None:
        try:
            await handler(stream)
            await stream.close()
        except asyncio.CancelledError:
            # Nobody awaits this task, so the cancellation ends with it.
            stream.reset(StreamCode.SHUTDOWN if self._is_closed else StreamCode.UNKNOWN)
        except PEERS_DOING as error:
            self.broken += 1
            stream.reset(_code_of(error))
            logger.debug("%s from %s broke off: %s", stream.protocol, stream.remote_peer, error)
        except Exception:
            self.failed += 1
            stream.reset(StreamCode.HANDLER_FAILED)
            logger.exception("the handler of %s failed; its stream was reset", stream.protocol)
        except BaseException:
            stream.reset(StreamCode.HANDLER_FAILED)
            raise

    def _ended(self, stream: Stream, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            # Cancelled before its first step: then nothing of the task ever ran.
            stream.reset(StreamCode.SHUTDOWN)


def _code_of(error: BaseException) -> int:
    if isinstance(error, RemoteProtocolError):
        return StreamCode.PROTOCOL_VIOLATION if error.error_code is None else error.error_code
    return StreamCode.UNKNOWN


async def _never(stream: Stream) -> None:
    """The handler of a protocol that is served without one."""
    raise AssertionError(f"{stream.protocol} has a handler")


def _check_name(protocol: ProtocolId) -> None:
    if not protocol or "\n" in protocol or len(protocol.encode()) > MAX_NAME_SIZE:
        raise ConfigError(
            f"{protocol[:80]!r} cannot be a protocol id",
            hint=f"it has 1 to {MAX_NAME_SIZE} bytes and no line end, as in /chat/1.0.0",
        )


# What a peer can cause at will must not fill the log: counted, and told to those who debug.
PEERS_DOING = (ConnectionClosedError, StreamResetError, RemoteProtocolError, EOFError)
# Room for the services of the host (identify, push, ping) and a few streams of an application.
RESERVED_STREAMS = 16
# Peers drop names that are longer, see `Limits.protocol_length`.
MAX_NAME_SIZE = 512
