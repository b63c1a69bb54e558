"""Too much of what is allowed, peers that do not read, and ends at every stage."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from client import (
    ACK,
    DIGEST,
    ECHO,
    FIN,
    HEADER,
    LS,
    NOISE,
    PATIENCE,
    PERF,
    PING,
    RST,
    SYN,
    WINDOW,
    EndedError,
    Mux,
    UnexpectedError,
    Wire,
    data,
    dial,
    header,
    message,
)
from noise import Initiator, frame
from registry import case, family
from watch import Watched

Address = tuple[str, int]
GREETING = HEADER + message(ECHO)

# ---- floods: served or ended, but bounded


def numbered(count: int, make: object) -> bytes:
    return b"".join(make(1 + 2 * index) for index in range(count))  # type: ignore[operator]


@family(
    "flood",
    {
        "SYN": lambda: numbered(20_000, lambda n: header(WINDOW, SYN, n, 0)),
        "SYN and RST": lambda: numbered(
            20_000, lambda n: header(WINDOW, SYN, n, 0) + header(WINDOW, RST, n, 0)
        ),
        "SYN, a proposal and RST": lambda: numbered(
            5_000, lambda n: data(n, GREETING, SYN) + header(WINDOW, RST, n, 0)
        ),
        "SYN, a proposal and FIN": lambda: numbered(5_000, lambda n: data(n, GREETING, SYN | FIN)),
        "RST for streams that never were": lambda: numbered(100_000, lambda n: header(WINDOW, RST, n, 0)),
        "window updates of nothing": lambda: data(1, GREETING, SYN) + header(WINDOW, 0, 1, 0) * 100_000,
        "window updates of one byte": lambda: data(1, GREETING, SYN) + header(WINDOW, 0, 1, 1) * 100_000,
        "window updates for streams that never were": lambda: header(WINDOW, 0, 77, 1) * 300_000,
        "empty data": lambda: data(1, GREETING, SYN) + data(1, b"") * 100_000,
        "data of one byte": lambda: data(1, HEADER + message(DIGEST), SYN) + data(1, b"x") * 100_000,
        "pings": lambda: header(PING, SYN, 0, 1) * 100_000,
        "pongs": lambda: header(PING, ACK, 0, 1) * 100_000,
        "refused proposals": lambda: numbered(2_000, lambda n: data(n, HEADER + message("/no") * 14, SYN)),
        "ls": lambda: numbered(2_000, lambda n: data(n, HEADER + LS * 14, SYN)),
        "streams that wait with half a proposal": lambda: numbered(
            2_000, lambda n: data(n, GREETING[:-1], SYN)
        ),
        "streams that stay open": lambda: numbered(2_000, lambda n: data(n, GREETING + b"x", SYN)),
    },
)
def frames(address: Address, make: object) -> None:
    mux = dial(address)
    with mux.wire:
        try:
            mux.flood(make())  # type: ignore[operator]
            mux.ping(0xABCDEF)
        except EndedError:
            pass


@case("flood", "empty records")
def empty_records(address: Address) -> None:
    mux = dial(address)
    with mux.wire:
        try:
            for _ in range(50):
                mux.wire.send(b"".join(mux.secure.record(b"") for _ in range(1000)))
            mux.ping()
        except (EndedError, ConnectionError):
            pass


@case("flood", "records of one byte")
def tiny_records(address: Address) -> None:
    mux = dial(address)
    with mux.wire:
        mux.wire.send(mux.secure.records(header(PING, SYN, 0, 4) * 2000, size=1))
        mux.until(lambda: len(mux.pongs) == 2000)


# ---- peers that stop in the middle


# The target's own timeouts for an upgrade and for a stream's protocol are 10 s each.
STALL_PATIENCE = 20.0


@case("stall", "at every stage of the upgrade, and a byte now and then")
def stalled_upgrades(address: Address) -> None:
    wires = []
    for prefix in (b"", HEADER[:7], HEADER, HEADER + NOISE, HEADER + NOISE + frame(Initiator().first())):
        wire = Wire(address)
        wire.send(prefix)
        wires.append(wire)
    muxer = Wire(address)
    muxer.negotiate()
    muxer.handshake(muxers=()).send(HEADER)
    loris, streams = Wire(address), dial(address)
    streams.send(data(streams.new_id(), GREETING[:-1], SYN))
    # Takes the target's own ping on the way, which has to be answered.
    streams.ping()
    begin = time.monotonic()
    try:
        for byte in HEADER + NOISE:
            loris.send(bytes([byte]))
            time.sleep(0.5)
        raise UnexpectedError("a byte now and then holds a slot for ever")
    except ConnectionError:
        pass
    try:
        for wire in (*wires, muxer):
            wire.expect_end(timeout=max(begin + STALL_PATIENCE - time.monotonic(), 0.1))
        streams.expect_reset(1)
        streams.echo()
    finally:
        for wire in (*wires, muxer, loris, streams.wire):
            wire.socket.close()


# ---- peers that do not read


def push(mux: Mux, make: Callable[[int], bytes]) -> None:
    """Sends and never reads, until the target takes no more, or ends it, or has taken very much."""
    mux.wire.socket.settimeout(1.0)
    with contextlib.suppress(TimeoutError, ConnectionError):
        for start in range(0, 2_000_000, 20_000):
            mux.send(*(make(number) for number in range(start, start + 20_000)))


@case("never reads", "pongs")
def unread_pongs(address: Address) -> None:
    mux = dial(address)
    with mux.wire:
        push(mux, lambda number: header(PING, SYN, 0, number))


@case("never reads", "refusals of streams")
def unread_refusals(address: Address) -> None:
    mux = dial(address)
    with mux.wire:
        push(mux, lambda number: header(WINDOW, SYN, 1 + 2 * number, 0))


@case("never reads", "a large download")
def unread_download(address: Address) -> None:
    mux = dial(address)
    with mux.wire:
        for _ in range(20):
            number = mux.new_id()
            head = HEADER + message(PERF) + (1 << 30).to_bytes(8, "big")
            mux.send(data(number, head, SYN | FIN), header(WINDOW, 0, number, 1 << 30))
        time.sleep(0.5)


@case("never reads", "its echo")
def unread_echo(address: Address) -> None:
    mux = dial(address)
    with mux.wire:
        for _ in range(20):
            mux.send(data(mux.new_id(), GREETING + bytes(200_000), SYN))
        time.sleep(0.5)


@case("never reads", "a large download, with our end sent: the descriptor comes back")
def unread_download_and_end(address: Address) -> None:
    target = Watched.current()
    before = target.descriptors()
    held = []
    for _ in range(20):
        mux = dial(address)
        head = HEADER + message(PERF) + (1 << 30).to_bytes(8, "big")
        mux.send(data(1, head, SYN | FIN), header(WINDOW, 0, 1, 1 << 30))
        held.append(mux)
    time.sleep(0.5)
    for mux in held:
        mux.wire.end()
    try:
        target.wait_for("descriptors", lambda: target.descriptors() <= before)
    finally:
        for mux in held:
            mux.wire.socket.close()


@case("never reads", "the target's go-away")
def unread_go_away(address: Address) -> None:
    target = Watched.current()
    before = target.descriptors()
    held = []
    for _ in range(20):
        mux = dial(address)
        mux.send(header(9, 0, 0, 0))
        held.append(mux)
    try:
        target.wait_for("descriptors", lambda: target.descriptors() <= before)
    finally:
        for mux in held:
            mux.wire.socket.close()


# ---- ends at every stage


def at_connect(wire: Wire) -> None:
    pass


def at_header(wire: Wire) -> None:
    wire.send(HEADER)
    wire.expect(HEADER)


def at_proposal(wire: Wire) -> None:
    wire.negotiate()


def at_first_message(wire: Wire) -> None:
    wire.negotiate()
    wire.send(frame(Initiator().first()))


def at_second_message(wire: Wire) -> None:
    at_first_message(wire)
    wire.take_message()


def at_third_message(wire: Wire) -> None:
    wire.negotiate()
    wire.handshake()


def at_muxer(wire: Wire) -> None:
    wire.negotiate()
    Mux(wire.handshake()).ping()


def at_muxer_negotiation(wire: Wire) -> None:
    wire.negotiate()
    wire.handshake(muxers=()).send(HEADER)


def at_stream_negotiation(wire: Wire) -> None:
    wire.negotiate()
    Mux(wire.handshake()).send(data(1, GREETING[:30], SYN))


def at_open_stream(wire: Wire) -> None:
    wire.negotiate()
    Mux(wire.handshake()).open(ECHO)


def in_a_frame(wire: Wire) -> None:
    wire.negotiate()
    mux = Mux(wire.handshake())
    mux.send(data(mux.open(DIGEST), bytes(10_000))[:5000])


def in_a_record(wire: Wire) -> None:
    wire.negotiate()
    mux = Mux(wire.handshake())
    wire.send(mux.secure.record(data(mux.open(DIGEST), bytes(10_000)))[:5000])


def in_an_upload(wire: Wire) -> None:
    wire.negotiate()
    mux = Mux(wire.handshake())
    mux.write(mux.open(DIGEST), bytes(300_000))


def in_a_download(wire: Wire) -> None:
    wire.negotiate()
    mux = Mux(wire.handshake())
    number = mux.open(PERF)
    mux.send(data(number, (1 << 30).to_bytes(8, "big"), FIN))
    mux.until(lambda: len(mux.streams[number].received) > 1 << 20)


def with_many_streams(wire: Wire) -> None:
    wire.negotiate()
    mux = Mux(wire.handshake())
    for _ in range(100):
        mux.open(ECHO, b"x")


STAGES = [
    at_connect,
    at_header,
    at_proposal,
    at_first_message,
    at_second_message,
    at_third_message,
    at_muxer,
    at_muxer_negotiation,
    at_stream_negotiation,
    at_open_stream,
    in_a_frame,
    in_a_record,
    in_an_upload,
    in_a_download,
    with_many_streams,
]


@family("abort", {f"reset {stage.__name__.replace('_', ' ')}": stage for stage in STAGES})
def reset(address: Address, stage: object) -> None:
    for _ in range(5):
        wire = Wire(address)
        stage(wire)  # type: ignore[operator]
        wire.abort()


@family("abort", {f"end {stage.__name__.replace('_', ' ')}": stage for stage in STAGES})
def end(address: Address, stage: object) -> None:
    with Wire(address) as wire:
        stage(wire)  # type: ignore[operator]
        wire.end()
        wire.expect_end(most=64 << 20)


@case("abort", "go on sending after our reset was due")
def send_into_the_dark(address: Address) -> None:
    mux = dial(address)
    mux.send(header(WINDOW, SYN, 1000, 0))
    deadline = time.monotonic() + PATIENCE
    try:
        while time.monotonic() < deadline:
            mux.send(data(1, GREETING, SYN))
            time.sleep(0.001)
    except (ConnectionError, EndedError):
        return
    finally:
        mux.wire.socket.close()
    raise UnexpectedError("it goes on taking frames after a violation")
