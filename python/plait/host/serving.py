"""A handler at work: its coroutine, and the end of the stream that follows from its end."""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from plait.connection.reasons import StreamCode
from plait.exceptions import ConnectionClosedError, RemoteProtocolError, StreamResetError
from plait.host.task import HandlerTask

if TYPE_CHECKING:
    from plait.abc import Stream
    from plait.host.router import Router

__all__ = ["PEERS_DOING", "Serving", "code_of"]

logger = logging.getLogger(__name__)


class Serving(HandlerTask):
    """The task of a handler: closes the stream when the handler returns, and resets it otherwise.

    It ends within the step in which the handler ends, also when that is cancelled before its first.
    """

    __slots__ = ("_stream",)
    _owner: Router

    def __init__(self, router: Router, coroutine: Coroutine[Any, Any, object], stream: Stream) -> None:
        self._stream = stream
        super().__init__(router, coroutine)

    @property
    def router(self) -> Router:
        """Which started it."""
        return self._owner

    def _describe(self) -> str:
        return self._stream.protocol

    def _after(self, error: BaseException | None) -> Coroutine[Any, Any, object] | None:
        try:
            if error is not None:
                self._broke(error)
            elif not self._stream.close_nowait():
                # Some of what was written still waits for the peer's window.
                return self._stream.close()
        except Exception as failure:
            self._broke(failure)
        except BaseException:
            self._owner.has_ended()
            raise
        self._owner.has_ended()
        return None

    def _broke(self, error: BaseException) -> None:
        router, stream = self._owner, self._stream
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


def code_of(error: BaseException) -> int:
    """What the peer is told of an error that it caused."""
    if isinstance(error, RemoteProtocolError):
        return StreamCode.PROTOCOL_VIOLATION if error.error_code is None else error.error_code
    return StreamCode.UNKNOWN


# What a peer can cause at will must not fill the log: counted, and told to those who debug.
PEERS_DOING = (ConnectionClosedError, StreamResetError, RemoteProtocolError, EOFError)
