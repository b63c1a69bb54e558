"""The suite itself: each defect that it is there for is found, by the check that is there for it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import Any

import pytest

from plait.abc import Frame, Secured, StreamCredit, StreamData, StreamFin, StreamReset
from plait.testing.compliance import (
    MUXER_CHECKS,
    SECURITY_CHECKS,
    TRANSPORT_CHECKS,
    MuxerCase,
    SecurityCase,
    TransportCase,
)
from plait.transports import MemorySpace, MemoryTransport
from plait.transports.memory import MemoryPipe

CHECKS = {check.__name__: check for check in (*SECURITY_CHECKS, *MUXER_CHECKS)}
ON_TRANSPORTS = {check.__name__: check for check in TRANSPORT_CHECKS}


def ignores_signatures(module: Any) -> dict[str, Any]:
    class Channel(module.Channel):  # type: ignore[misc, name-defined]
        def open(self, incoming: Any) -> bytes | None:
            record = incoming.next()
            if record is None:
                return None
            return bytes(record[2 + int.from_bytes(record[:2], "big") :])

    return {"Channel": Channel}


def loses_what_comes_in_two_pieces(module: Any) -> dict[str, Any]:
    class Channel(module.Channel):  # type: ignore[misc, name-defined]
        def receive(self, data: bytes) -> Any:
            self.incoming.take()
            return super().receive(data)

    return {"Channel": Channel}


def takes_a_recording_for_the_peer(module: Any) -> dict[str, Any]:
    class Channel(module.Channel):  # type: ignore[misc, name-defined]
        def signed(self, role: str, number: int, plaintext: bytes) -> bytes:
            return plaintext

    return {"Channel": Channel}


def forgets_what_follows_the_handshake(module: Any) -> dict[str, Any]:
    return {"Handshake": with_outcome(module, unused=b"")}


def says_nothing_of_muxers(module: Any) -> dict[str, Any]:
    return {"Handshake": with_outcome(module, remote_muxers=())}


def takes_itself_for_the_peer(module: Any) -> dict[str, Any]:
    class Handshake(module.Handshake):  # type: ignore[misc, name-defined]
        def receive(self, data: bytes) -> Secured | None:
            secured = super().receive(data)
            if secured is None:
                return None
            return dataclasses.replace(secured, remote_public_key=self.identity.public_key)

    return {"Handshake": Handshake}


def with_outcome(module: Any, **changes: Any) -> type:
    class Handshake(module.Handshake):  # type: ignore[misc, name-defined]
        def receive(self, data: bytes) -> Secured | None:
            secured = super().receive(data)
            return None if secured is None else dataclasses.replace(secured, **changes)

    return Handshake


@pytest.mark.one_loop
@pytest.mark.parametrize(
    ("defect", "check", "complaint"),
    [
        (ignores_signatures, "a_byte_that_was_changed_is_never_delivered", "changed"),
        (loses_what_comes_in_two_pieces, "bytes_may_come_in_any_pieces", "in pieces of 1"),
        (forgets_what_follows_the_handshake, "the_muxer_is_chosen_early", "."),
        (says_nothing_of_muxers, "the_muxer_is_chosen_early", "."),
        (takes_a_recording_for_the_peer, "nobody_else_can_take_part", "recording"),
        (takes_itself_for_the_peer, "both_sides_learn_who_the_other_is", "no connection"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
async def test_security(example, monkeypatch, defect, check, complaint) -> None:
    module = example("plugin_security")
    for name, broken in defect(module).items():
        monkeypatch.setattr(module, name, broken)
    with pytest.raises(AssertionError, match=complaint):
        await CHECKS[check](SecurityCase(security=module.SignedOnly(), encrypts=False))


@pytest.mark.one_loop
async def test_a_protocol_that_encrypts_nothing_is_found_out(example) -> None:
    with pytest.raises(AssertionError):
        await CHECKS["nobody_on_the_path_can_read"](
            SecurityCase(security=example("plugin_security").SignedOnly())
        )


def never_gives_credit(module: Any) -> dict[str, Any]:
    return {"consumed": lambda self, stream, count: None}


def never_tells_of_credit(module: Any) -> dict[str, Any]:
    return {"receive": without(module, StreamCredit)}


def never_tells_of_ends(module: Any) -> dict[str, Any]:
    return {"receive": without(module, StreamFin)}


def never_tells_of_resets(module: Any) -> dict[str, Any]:
    return {"receive": without(module, StreamReset)}


def mixes_streams(module: Any) -> dict[str, Any]:
    def change(frame: Frame) -> Frame:
        return StreamData(frame.stream - 2, frame.data) if isinstance(frame, StreamData) else frame

    return {"receive": changing(module, change)}


def takes_everything(module: Any) -> dict[str, Any]:
    def send(self: Any, stream: int, data: bytes) -> int:
        self.frame(module.DATA, stream, len(data), data)
        return len(data)

    def meaning(self: Any, kind: int, stream: int, number: int, body: bytes) -> Frame:
        self.theirs[stream] = 1 << 30
        return module.Connection.meaning(self, kind, stream, number, body)  # type: ignore[no-any-return]

    return {"send": send, "meaning": meaning}


def forgets_the_rest_of_a_frame(module: Any) -> dict[str, Any]:
    def receive(self: Any, data: bytes, now: float) -> Any:
        yield from module.Connection.receive(self, data, now)
        self.incoming.clear()

    return {"receive": receive}


def says_no_last_word(module: Any) -> dict[str, Any]:
    return {"go_away": lambda self, error_code: None}


def forgets_codes(module: Any) -> dict[str, Any]:
    return {"reset": lambda self, stream, code: module.Connection.reset(self, stream, 0)}


def without(module: Any, kind: type) -> Any:
    return changing(module, lambda frame: None if isinstance(frame, kind) else frame)


def changing(module: Any, change: Any) -> Any:
    def receive(self: Any, data: bytes, now: float) -> Any:
        for frame in module.Connection.receive(self, data, now):
            changed = change(frame)
            if changed is not None:
                yield changed

    return receive


@pytest.mark.one_loop
@pytest.mark.parametrize(
    ("defect", "check"),
    [
        (never_gives_credit, "a_writer_waits_for_the_reader"),
        (never_tells_of_credit, "a_writer_waits_for_the_reader"),
        (never_gives_credit, "a_stream_that_is_given_up_costs_nothing"),
        (never_tells_of_ends, "each_direction_ends_by_itself"),
        (never_tells_of_ends, "streams_come_and_go"),
        (never_tells_of_resets, "a_reset_ends_both_directions"),
        (forgets_codes, "a_reset_ends_both_directions"),
        (mixes_streams, "many_streams_do_not_mix"),
        (takes_everything, "a_stream_that_nobody_reads_does_not_hold_up_the_others"),
        (forgets_the_rest_of_a_frame, "frames_may_come_in_any_pieces"),
        (says_no_last_word, "the_end_is_said"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
async def test_muxer(example, defect, check) -> None:
    module = example("plugin_muxer")
    connection = type("Connection", (module.Connection,), defect(module))

    class Plugin(module.Framed):  # type: ignore[misc, name-defined]
        def begin(self, role: str, now: float) -> Any:
            return connection(1 if role == "initiator" else 2)

    with pytest.raises(AssertionError):
        await CHECKS[check](MuxerCase(muxer=Plugin()))


class Broken(MemoryTransport):
    """Memory with a defect in each pipe that it dials."""

    def __init__(self, space: MemorySpace, defect: Any) -> None:
        super().__init__(space)
        self.defect = defect

    async def dial(self, address: Any, factory: Any) -> None:
        def spoiling() -> asyncio.BaseProtocol:
            protocol = factory()
            made = protocol.connection_made

            def connection_made(transport: Any) -> None:
                self.defect(transport)
                made(transport)

            protocol.connection_made = connection_made
            return protocol  # type: ignore[no-any-return]

        await super().dial(address, spoiling)


def never_pauses(pipe: MemoryPipe) -> None:
    pipe._high = 1 << 40


def drops_what_it_closes_over(pipe: MemoryPipe) -> None:
    pipe.close = pipe.abort  # type: ignore[method-assign]


def ends_both_ways(pipe: MemoryPipe) -> None:
    pipe.write_eof = pipe.close  # type: ignore[method-assign]


def has_no_addresses(pipe: MemoryPipe) -> None:
    pipe.get_extra_info = lambda name, default=None: default  # type: ignore[method-assign]


def loses_pieces(pipe: MemoryPipe) -> None:
    pipe.writelines = lambda pieces: None  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("defect", "check"),
    [
        (never_pauses, "a_writer_is_told_to_wait"),
        (drops_what_it_closes_over, "a_close_sends_what_was_written"),
        (ends_both_ways, "one_direction_ends_alone"),
        (has_no_addresses, "both_ends_know_their_addresses"),
        (loses_pieces, "bytes_go_both_ways"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
async def test_transport(monkeypatch, defect, check) -> None:
    monkeypatch.setattr("plait.testing.compliance.transport.PATIENCE", 0.5)
    space = MemorySpace()
    case = TransportCase(make=lambda: Broken(space, defect), listen="/memory/0")
    with pytest.raises((AssertionError, TimeoutError)):
        await ON_TRANSPORTS[check](case)


async def test_a_dial_that_reaches_nobody_and_says_nothing() -> None:
    class Friendly(MemoryTransport):
        async def dial(self, address: Any, factory: Any) -> None:
            with contextlib.suppress(OSError):
                await super().dial(address, factory)

    space = MemorySpace()
    case = TransportCase(make=lambda: Friendly(space), listen="/memory/0")
    with pytest.raises(AssertionError):
        await ON_TRANSPORTS["nobody_there_is_an_os_error"](case)
