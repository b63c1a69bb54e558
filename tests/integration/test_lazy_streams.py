"""A stream opens in one flight wherever the peer has said that it speaks the protocol."""

from __future__ import annotations

from typing import Any

import pytest

import plait
from plait.exceptions import ProtocolNotSupportedError
from plait.testing import no_leaks

pytestmark = pytest.mark.in_handlers_too

ECHO = "/echo/1"


async def echo(stream: plait.Stream) -> None:
    await stream.write(await stream.read())


def opened_at_once(opening: Any) -> plait.Stream | None:
    """The stream, when nothing was waited for; an opening that waits is given up."""
    try:
        opening.send(None)
    except StopIteration as done:
        stream: plait.Stream = done.value
        return stream
    opening.close()
    return None


@pytest.mark.parametrize("names", [ECHO, [ECHO, "/nobody/1"]])
async def test_nothing_is_waited_for_when_the_peer_has_said_it(names: Any) -> None:
    async with no_leaks(), plait.Host() as alice, plait.Host(listen=()) as bob:
        alice.handle(ECHO, echo)
        connection = await bob.connect(alice.addresses[0])
        await bob.identified(connection)
        assert ECHO in connection.remote_protocols
        stream = opened_at_once(connection.open_stream(names))
        assert stream is not None
        async with stream:
            await stream.write(b"in one flight")
            await stream.write_eof()
            assert await stream.read() == b"in one flight"
        assert stream.protocol == ECHO


async def test_its_word_is_waited_for_otherwise() -> None:
    async with no_leaks(), plait.Host() as alice, plait.Host(listen=()) as bob:
        alice.handle(ECHO, echo)
        connection = await bob.connect(alice.addresses[0])
        await bob.identified(connection)
        assert opened_at_once(connection.open_stream(ECHO, lazy=False)) is None
        # The second is spoken, but the first is preferred, and only the peer knows.
        assert opened_at_once(connection.open_stream(["/nobody/1", ECHO])) is None
        with pytest.raises(ProtocolNotSupportedError):
            await connection.open_stream("/nobody/1")


async def test_a_refusal_after_all_shows_at_the_first_read() -> None:
    async with no_leaks(), plait.Host() as alice, plait.Host(listen=()) as bob:
        alice.handle(ECHO, echo)
        connection = await bob.connect(alice.addresses[0])
        await bob.identified(connection)
        alice.unhandle(ECHO)
        stream = await connection.open_stream(ECHO)
        with pytest.raises(ProtocolNotSupportedError):
            await stream.read(1)
        stream.reset()
