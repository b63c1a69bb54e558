"""How a handler ends is how its stream ends."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from plait.connection.reasons import StreamCode
from plait.exceptions import (
    ConfigError,
    ConnectionLostError,
    LocalProtocolError,
    RemoteProtocolError,
    StreamResetError,
)
from plait.host.router import RESERVED_STREAMS, Router
from plait.protocols import compatible_with


class FakeStream:
    """A stream that only remembers its end."""

    def __init__(
        self, protocol: str = "/a/1", *, siblings: int = 1, close_error: Exception | None = None
    ) -> None:
        self.protocol = protocol
        self.remote_peer = "somebody"
        self.connection = SimpleNamespace(streams=[self] * siblings)
        self.ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._close_error = close_error

    def close_nowait(self) -> bool:
        """As for a stream with bytes that still wait until it is closed."""
        return self.ended.done()

    async def close(self) -> None:
        if self._close_error is not None:
            raise self._close_error
        await asyncio.sleep(0)
        self.ended.set_result("closed")

    def reset(self, error_code: int = 0) -> None:
        self.ended.set_result(error_code)


def start(router: Router, stream: FakeStream) -> FakeStream:
    router.start(stream)  # type: ignore[arg-type]
    return stream


async def returns(stream: Any) -> None:
    return


async def waits(stream: Any) -> None:
    await asyncio.Event().wait()


def raises(error: BaseException) -> Any:
    async def handler(stream: Any) -> None:
        raise error

    return handler


async def test_returning_closes_the_stream() -> None:
    router = Router(10)
    router.add("/a/1", returns)
    assert await start(router, FakeStream()).ended == "closed"
    await router.close()
    assert (router.failed, router.broken, router.running) == (0, 0, 0)


async def test_raising_resets_the_stream_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    router = Router(10)
    router.add("/a/1", raises(ZeroDivisionError("by zero")))
    assert await start(router, FakeStream()).ended == StreamCode.HANDLER_FAILED
    await router.close()
    assert router.failed == 1
    (record,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert "/a/1" in record.getMessage()
    assert record.exc_info is not None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RemoteProtocolError("nonsense"), StreamCode.PROTOCOL_VIOLATION),
        (RemoteProtocolError("nonsense", error_code=0x2222), 0x2222),
        (StreamResetError("gone", remote=True), StreamCode.UNKNOWN),
        (ConnectionLostError("gone"), StreamCode.UNKNOWN),
        (asyncio.IncompleteReadError(b"", 4), StreamCode.UNKNOWN),
    ],
)
async def test_what_a_peer_does_is_counted_and_not_logged(
    error: Exception, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router(10)
    router.add("/a/1", raises(error))
    assert await start(router, FakeStream()).ended == code
    await router.close()
    assert (router.failed, router.broken) == (0, 1)
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


async def test_a_close_that_fails_is_a_broken_handler() -> None:
    router = Router(10)
    router.add("/a/1", returns)
    stream = start(router, FakeStream(close_error=StreamResetError("gone", remote=True)))
    assert await stream.ended == StreamCode.UNKNOWN
    await router.close()
    assert router.broken == 1


async def test_a_handler_that_left_nothing_behind_closes_its_stream_at_once() -> None:
    class Emptied(FakeStream):
        def close_nowait(self) -> bool:
            self.ended.set_result("at once")
            return True

    router = Router(10)
    router.add("/a/1", returns)
    assert await start(router, Emptied()).ended == "at once"
    await router.close()
    assert router.running == 0


async def test_whatever_can_be_awaited_is_a_handler() -> None:
    router = Router(10)
    served = asyncio.get_running_loop().create_future()
    served.set_result(None)
    router.add("/a/1", lambda stream: served)
    assert await start(router, FakeStream()).ended == "closed"
    await router.close()


async def test_a_handler_that_cannot_be_called_fails_and_nothing_else_does() -> None:
    def wants_more(stream: Any, more: Any) -> Any: ...

    router = Router(10)
    router.add("/a/1", wants_more)  # type: ignore[arg-type]
    assert await start(router, FakeStream()).ended == StreamCode.HANDLER_FAILED
    await router.close()
    assert (router.failed, router.running) == (1, 0)


async def test_a_handler_cancelled_before_its_first_step_resets_its_stream() -> None:
    router = Router(10)
    router.add("/a/1", waits)
    stream = start(router, FakeStream())
    await router.close()
    assert stream.ended.result() == StreamCode.SHUTDOWN
    assert router.running == 0


async def test_a_task_is_named_after_what_it_serves() -> None:
    router = Router(10)
    router.add("/a/1", waits)
    start(router, FakeStream())
    await asyncio.sleep(0)
    (task,) = [each for each in asyncio.all_tasks() if each.get_name() == "/a/1"]
    assert "waits" in repr(task)
    assert [frame.f_code.co_name for frame in task.get_stack()] == ["waits"]
    await router.close()


async def test_closing_cancels_handlers_and_resets_their_streams() -> None:
    router = Router(10)
    router.add("/a/1", waits)
    stream = start(router, FakeStream())
    await asyncio.sleep(0)
    assert router.running == 1
    await router.close()
    assert await stream.ended == StreamCode.SHUTDOWN
    assert router.running == 0


async def test_a_handler_that_was_never_run_still_ends_its_stream() -> None:
    router = Router(10)
    router.add("/a/1", waits)
    stream = start(router, FakeStream())
    await router.close()
    assert await stream.ended == StreamCode.SHUTDOWN


async def test_a_handler_that_cancels_itself_resets_its_stream() -> None:
    router = Router(10)
    router.add("/a/1", raises(asyncio.CancelledError()))
    assert await start(router, FakeStream()).ended == StreamCode.UNKNOWN
    await router.close()


async def test_a_handler_may_close_the_router() -> None:
    router = Router(10)

    async def closes(stream: Any) -> None:
        await router.close()

    router.add("/a/1", closes)
    assert await start(router, FakeStream()).ended == "closed"


async def test_streams_after_the_stop_are_reset() -> None:
    router = Router(10)
    router.add("/a/1", returns)
    router.stop()
    assert await start(router, FakeStream()).ended == StreamCode.SHUTDOWN


async def test_a_stream_whose_handler_is_gone_is_reset() -> None:
    router = Router(10)
    router.add("/a/1", returns)
    router.remove("/a/1")
    assert await start(router, FakeStream()).ended == StreamCode.NEGOTIATION_FAILED


async def test_above_the_bound_only_connections_with_many_streams_are_refused() -> None:
    router = Router(1)
    router.add("/a/1", waits)
    start(router, FakeStream())
    greedy = start(router, FakeStream(siblings=RESERVED_STREAMS + 1))
    assert await greedy.ended == StreamCode.RESOURCE_LIMIT
    modest = start(router, FakeStream(siblings=RESERVED_STREAMS))
    assert not modest.ended.done()
    assert (router.refused, router.running) == (1, 2)
    await router.close()


async def test_ended_handlers_make_room() -> None:
    router = Router(1)
    router.add("/a/1", returns)
    for _ in range(3):
        stream = start(router, FakeStream(siblings=RESERVED_STREAMS + 1))
        assert await stream.ended == "closed"
        await asyncio.sleep(0)


def test_protocols_are_told_when_they_change() -> None:
    changes: list[tuple[str, ...]] = []
    router = Router(1, lambda: changes.append(tuple(router.protocols)))
    router.add("/a/1", returns)
    router.add("/b/1", returns)
    router.remove("/a/1")
    assert changes == [("/a/1",), ("/a/1", "/b/1"), ("/b/1",)]


@pytest.mark.parametrize("name", ["", "/a\n/b", "/" + "x" * 512, "é" * 257])
def test_names_that_no_peer_would_take_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        Router(1).add(name, returns)


def test_a_protocol_has_one_handler() -> None:
    router = Router(1)
    router.add("/a/1", returns)
    with pytest.raises(ConfigError, match="/a/1"):
        router.add("/a/1", waits)
    with pytest.raises(LocalProtocolError, match="/b/1"):
        router.remove("/b/1")


async def test_aliases_have_the_same_handler_and_are_announced() -> None:
    changes: list[int] = []
    router = Router(10, lambda: changes.append(1))
    router.add("/a/1", returns, aliases=["/a/0", "/old"])
    assert (router.protocols, len(changes)) == (("/a/1", "/a/0", "/old"), 1)
    for name in router.protocols:
        assert await start(router, FakeStream(name)).ended == "closed"
    with pytest.raises(ConfigError, match="/old"):
        router.add("/b", returns, aliases=["/old"])
    assert "/b" not in router.protocols
    router.remove("/old")
    assert router.protocols == ("/a/1", "/a/0")
    await router.close()


async def test_a_match_takes_what_nobody_serves_under_its_name() -> None:
    router = Router(10)
    assert router.rule is None
    router.add("/a/1", returns, match=lambda name: name.startswith("/a/"))
    router.add("/a/special", raises(ZeroDivisionError()))
    assert router.rule is not None
    assert [router.rule(name) for name in ("/a/7", "/b/7")] == [True, False]
    assert await start(router, FakeStream("/a/7")).ended == "closed"
    assert await start(router, FakeStream("/a/special")).ended == StreamCode.HANDLER_FAILED
    assert await start(router, FakeStream("/b/7")).ended == StreamCode.NEGOTIATION_FAILED
    router.remove("/a/1")
    assert router.rule is None
    assert await start(router, FakeStream("/a/7")).ended == StreamCode.NEGOTIATION_FAILED
    await router.close()


@pytest.mark.parametrize(
    ("proposed", "taken"),
    [
        ("/chat/1.2.0", True),
        ("/chat/1.0.9", True),
        ("/chat/1.3.0", False),
        ("/chat/2.0.0", False),
        ("/chat/0.2.0", False),
        ("/chats/1.2.0", False),
        ("/chat/1.2", False),
        ("/chat/1.2.0/x", False),
        ("/chat/1.0.9999999999", False),
        ("", False),
    ],
)
def test_compatible_versions(proposed: str, taken: bool) -> None:
    assert compatible_with("/chat/1.2.0")(proposed) is taken


def test_a_name_without_a_version_is_compatible_with_nothing() -> None:
    with pytest.raises(ConfigError, match="version"):
        compatible_with("/chat")
