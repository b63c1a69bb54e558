"""One dial: the end of it that a transport gets, and the end that waits for the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from plait.connection import BytesDriver, Connection, Driver, SocketDriver

if TYPE_CHECKING:
    import socket

    from plait._core import Established, Session

__all__ = ["Outbound"]

Establish: TypeAlias = "Callable[[Driver, Established], Connection]"


class Outbound:
    """What a dial hands to its transport: a factory of one asyncio protocol, which takes a bare socket too.

    Args:
        begin: makes the session, once there is something to drive it over.
        establish: makes the connection of what the upgrade agreed on.
        busy_poll: as `SocketDriver`.
        is_guess: it proposes only the security protocol that this peer took the last time, and its first
            message with it. A peer that has changed its mind refuses, and is dialed again without.

    Attributes:
        established: the connection, or why there is none.
    """

    __slots__ = ("_begin", "_busy_poll", "_driver", "_establish", "established", "is_guess")

    def __init__(
        self, begin: Callable[[], Session], establish: Establish, *, is_guess: bool, busy_poll: bool = True
    ) -> None:
        self._begin = begin
        self._establish = establish
        self._busy_poll = busy_poll
        self._driver: Driver | None = None
        self.is_guess = is_guess
        self.established: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    def __call__(self) -> BytesDriver:
        """The protocol for an asyncio transport."""
        driver = self._driver = BytesDriver(self._begin(), self._succeed, self._fail)
        return driver

    def take_socket(self, sock: socket.socket) -> None:
        """The same for a socket that is connected, and nobody else's from now on."""
        driver = self._driver = SocketDriver(
            self._begin(), self._succeed, self._fail, sock, busy_poll=self._busy_poll
        )
        driver.start()

    def abort(self) -> None:
        """Drops the connection, if there is one yet."""
        if self._driver is not None:
            self._driver.abort()

    def _succeed(self, driver: Driver, agreed: Established) -> Connection:
        connection = self._establish(driver, agreed)
        if self.established.cancelled():
            driver.loop.call_soon(driver.abort)
        else:
            self.established.set_result(connection)
        return connection

    def _fail(self, driver: Driver, error: BaseException) -> None:
        if not self.established.done():
            self.established.set_exception(error)
            self.established.exception()  # whoever dialed may have given up; then nobody asks for it
