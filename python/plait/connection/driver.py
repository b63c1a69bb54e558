"""What moves the bytes of one session: the part that all drivers share.

After any call into the session a driver uses the events, sends what there is to send and arms one
timer. It decides nothing: the session knows the protocol, the connection knows the application.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NoReturn

from plait._core import CLOSED, ESTABLISHED, Established, Session
from plait.exceptions import ConnectionClosedError, UpgradeError

if TYPE_CHECKING:
    from plait.connection.connection import Connection

__all__ = ["DRAIN_TIME", "Driver", "State"]

# How long a socket that we end is still read, so that the kernel does not answer late bytes with a
# reset that would destroy our last ones on their way.
DRAIN_TIME = 1.0


class State(Enum):
    """One way, top to bottom."""

    NEW = auto()
    OPEN = auto()
    # The session is over; its last bytes are on their way and the peer's are thrown away.
    DRAINING = auto()
    GONE = auto()


def _over_already(driver: Driver, outcome: Any) -> NoReturn:
    raise AssertionError("a driver that is gone tells nobody anything")


class Driver(ABC):
    """Carries bytes between a session and something that takes and gives them.

    Args:
        session: the sans-I/O connection, in whatever state.
        establish: called once with what the upgrade agreed on; gives the connection.
        fail: called once instead of it when the upgrade fails, with the reason.

    Attributes:
        loop: where it lives.
        now: the clock of every call into the session.
        closed: resolved when nothing of the connection is left in the loop.
        is_asking: what is sent next is little, and of a kind that peers answer.
    """

    __slots__ = (
        "_connection",
        "_establish",
        "_fail",
        "_flush_handle",
        "_state",
        "_timer",
        "closed",
        "is_asking",
        "loop",
        "now",
        "session",
    )

    def __init__(
        self,
        session: Session,
        establish: Callable[[Driver, Established], Connection],
        fail: Callable[[Driver, BaseException], None],
    ) -> None:
        self.session = session
        self._establish = establish
        self._fail = fail
        self.loop = asyncio.get_running_loop()
        self.now: Callable[[], float] = self.loop.time
        self._connection: Connection | None = None
        self.is_asking = False
        self._state = State.NEW
        self._timer: asyncio.TimerHandle | None = None
        self._flush_handle: asyncio.Handle | None = None
        self.closed: asyncio.Future[None] = self.loop.create_future()

    # ---- from the connection

    def flush_soon(self) -> None:
        """Sends what the session has at the end of this turn of the loop: all of its writes together."""
        if self._flush_handle is None and self._state is State.OPEN:
            self._flush_handle = self.loop.call_soon(self._flush_turn)

    def close(self, error_code: int) -> None:
        """Ends the session gracefully; `closed` tells when nothing is left."""
        if self._state is State.NEW:
            self.abort()
        elif self._state is State.OPEN:
            self._dispatch(self.session.close(error_code, self.now()))
            self._flush_turn()

    def abort(self, cause: BaseException | None = None) -> None:
        """Drops the connection at once; what was not sent is lost. Idempotent."""
        if self._state in (State.NEW, State.OPEN):
            error = ConnectionClosedError("we dropped the connection", remote=False)
            error.__cause__ = cause
            self._state = State.DRAINING
            self._disarm()
            self._over(error)
        self._drop()

    @abstractmethod
    def get_extra_info(self, name: str) -> Any:
        """What is known by this name about what lies below, as asyncio's transports have it; or None."""

    # ---- what a driver has of its own

    @abstractmethod
    def _flush(self) -> None:
        """Sends what the session has, and does what comes of it."""

    @abstractmethod
    def _finish(self) -> None:
        """The session is over: sends its last bytes, then ends what lies below."""

    @abstractmethod
    def _drop(self) -> None:
        """Ends what lies below, at once."""

    @abstractmethod
    def _on_timer(self) -> None:
        """The session's deadline has come."""

    # ---- after each call into the session

    def _flush_turn(self) -> None:
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None
        if self._state is State.OPEN:
            self._flush()

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(deadline, self._on_timer)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _dispatch(self, events: list[tuple[Any, ...]]) -> None:
        if not events:
            return
        if self._connection is None and events[0][0] == ESTABLISHED:
            self._connection = self._establish(self, events[0][1])
            del events[0]
            if not events:
                return
        last = events[-1]
        if last[0] == CLOSED:
            del events[-1]
            if events and self._connection is not None:
                self._connection.handle_events(events)
            if self._state is State.OPEN:
                self._disarm()
                self._finish()
                self._over(last[1])
        elif self._connection is not None:
            self._connection.handle_events(events)

    # ---- the end

    def _end(self, cause: BaseException | None) -> None:
        """Nothing more comes from below."""
        if self._state is not State.OPEN:
            return
        for event in self.session.receive_eof():
            error = event[1]
            if cause is not None:
                error.__cause__ = cause
            self._state = State.DRAINING
            self._disarm()
            self._over(error)

    def _over(self, reason: BaseException) -> None:
        if self._connection is not None:
            self._connection.handle_closed(reason)
        else:
            error = reason
            if isinstance(reason, ConnectionClosedError) and not isinstance(reason, UpgradeError):
                error = UpgradeError(f"the connection ended during the upgrade: {reason}", stage="upgrade")
                error.__cause__ = reason
            self._fail(self, error)

    def _gone(self) -> None:
        """Nothing lies below any more."""
        self._state = State.GONE
        for handle in (self._timer, self._flush_handle):
            if handle is not None:
                handle.cancel()
        # They know this driver as well, and what refers to itself waits for the garbage collector.
        self._timer = self._flush_handle = self._connection = None
        self._establish = self._fail = _over_already
        if not self.closed.done():
            self.closed.set_result(None)
