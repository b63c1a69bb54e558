"""A question on a stream of its own, and the whole answer: without a task, for what every connection asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from plait.exceptions import PlaitError, RemoteProtocolError, StreamResetError

if TYPE_CHECKING:
    import asyncio

    from plait.connection.connection import Connection
    from plait.connection.driver import Driver

__all__ = ["Answered", "Exchange"]

Answered: TypeAlias = "Callable[[bytes, Exception | None], None]"
"""Gets everything up to the peer's end; or why there is no answer, and then nothing."""


class Exchange:
    """One question to one peer. It takes the place of a `Stream` in the connection's table.

    Args:
        limit: bytes of the longest answer.
        timeout: seconds for all of it.
        answered: called once, from inside the connection's events or the event loop.
    """

    __slots__ = ("_answered", "_connection", "_driver", "_id", "_limit", "_parts", "_room", "_timer")

    def __init__(
        self,
        connection: Connection,
        driver: Driver,
        stream_id: int,
        *,
        limit: int,
        timeout: float,
        answered: Answered,
    ) -> None:
        self._connection = connection
        self._driver = driver
        self._id = stream_id
        self._limit = limit
        self._room = limit
        self._answered = answered
        self._parts: list[bytes] = []
        self._timer: asyncio.TimerHandle = driver.loop.call_later(timeout, self._too_late, timeout)

    # ---- from the connection

    def handle_ready(self, protocol: str) -> None:
        """The peer speaks the protocol; the answer follows."""

    def handle_readable(self) -> None:
        """Some of the answer is there, or its end."""
        try:
            while (data := self._driver.session.read(self._id, self._room + 1)) is not None:
                if not data:
                    self._finish(b"".join(self._parts), None)
                    return
                self._room -= len(data)
                if self._room < 0:
                    raise RemoteProtocolError(f"an answer of more than {self._limit} bytes")
                self._parts.append(data)
        except PlaitError as error:
            self._finish(b"", error)
        else:
            self._driver.flush_soon()  # reading has given the peer credit

    def handle_writable(self) -> None:
        """Nothing is written."""

    def handle_end(self, error: Exception) -> None:
        """The peer refused or reset the stream."""
        self._finish(b"", error)

    def handle_connection_closed(self, reason: Exception) -> None:
        """There will be no answer."""
        error = StreamResetError(f"the connection ended: {reason}")
        error.__cause__ = reason
        self._finish(b"", error)

    # ---- private

    def _too_late(self, seconds: float) -> None:
        self._finish(b"", TimeoutError(f"no answer within {seconds:g} s"))

    def _finish(self, answer: bytes, error: Exception | None) -> None:
        self._timer.cancel()
        self._connection.forget(self._id)
        session = self._driver.session
        if error is None:
            session.release(self._id, self._driver.now())
        else:
            session.reset(self._id, 0)
        self._driver.flush_soon()
        self._answered(answer, error)
