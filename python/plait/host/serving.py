"""A handler at work: its coroutine, and the end of the stream that follows from its end."""

from __future__ import annotations

import logging
from asyncio import CancelledError, current_task
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from plait.connection.reasons import StreamCode
from plait.exceptions import ConnectionClosedError, RemoteProtocolError, StreamResetError

if TYPE_CHECKING:
    from plait.abc import Stream
    from plait.host.router import Router

__all__ = ["PEERS_DOING", "Serving", "code_of"]

logger = logging.getLogger(__name__)


class Serving(Coroutine[Any, Any, None]):
    """What the task of a handler runs: closes the stream when the handler returns, and resets it otherwise.

    An object and not an `async def` around the handler: there may be thousands that wait, and this takes a
    fifth of a frame, and nothing when the handler goes on. It ends within the step in which the handler
    ends, also when that is cancelled before its first.
    """

    __slots__ = ("_coroutine", "_is_closing", "_router", "_stream")

    def __init__(self, router: Router, coroutine: Coroutine[Any, Any, object], stream: Stream) -> None:
        self._router = router
        self._coroutine = coroutine
        self._stream = stream
        self._is_closing = False

    def send(self, value: Any) -> Any:
        """One step. Ends by `StopIteration`, whatever the handler did."""
        return self._step(self._coroutine.send, value)

    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> Any:
        """The same, with an exception at the place where the handler waits."""
        # The form with three arguments is deprecated from Python 3.12 on.
        return self._step(self._coroutine.throw, kind if value is None else value)

    def __next__(self) -> Any:
        return self.send(None)

    def __await__(self) -> Generator[Any, Any, None]:
        return self  # it has the verbs, and no frame

    __iter__ = __await__

    def close(self) -> None:
        """The task goes away unfinished, as with a loop that is closed too early."""
        self._coroutine.close()

    @property
    def __name__(self) -> str:
        """For those who look at tasks."""
        return getattr(self._coroutine, "__qualname__", "handler")

    @property
    def cr_frame(self) -> Any:
        """For `Task.get_stack`."""
        return getattr(self._coroutine, "cr_frame", None)

    # ---- private

    def _step(self, resume: Callable[[Any], Any], argument: Any) -> Any:
        try:
            try:
                return resume(argument)
            except StopIteration:
                if not self._is_closing and not self._stream.close_nowait():
                    # Some of what was written still waits for the peer's window.
                    self._is_closing = True
                    self._coroutine = self._stream.close()
                    with suppress(StopIteration):
                        return self._coroutine.send(None)
            self._leave()
        except BaseException as error:
            self._broke(error)
        raise StopIteration

    def _broke(self, error: BaseException) -> None:
        self._leave()
        router, stream = self._router, self._stream
        if isinstance(error, CancelledError):
            # Nobody awaits this task, so the cancellation ends with it.
            stream.reset(StreamCode.SHUTDOWN if router.is_closed else StreamCode.UNKNOWN)
        elif isinstance(error, PEERS_DOING):
            router.broken += 1
            stream.reset(code_of(error))
            logger.debug("%s from %s broke off: %s", stream.protocol, stream.remote_peer, error)
        elif isinstance(error, Exception):
            router.failed += 1
            stream.reset(StreamCode.HANDLER_FAILED)
            logger.error("the handler of %s failed; its stream was reset", stream.protocol, exc_info=error)
        else:
            stream.reset(StreamCode.HANDLER_FAILED)
            raise error

    def _leave(self) -> None:
        task = current_task()
        assert task is not None  # it is a task that runs this
        self._router.has_ended(task)


def code_of(error: BaseException) -> int:
    """What the peer is told of an error that it caused."""
    if isinstance(error, RemoteProtocolError):
        return StreamCode.PROTOCOL_VIOLATION if error.error_code is None else error.error_code
    return StreamCode.UNKNOWN


# What a peer can cause at will must not fill the log: counted, and told to those who debug.
PEERS_DOING = (ConnectionClosedError, StreamResetError, RemoteProtocolError, EOFError)
