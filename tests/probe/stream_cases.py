"""Streams: frames in every order and combination, and the negotiation inside them."""

from __future__ import annotations

import contextlib
import hashlib
import os
from functools import partial

from client import (
    ACK,
    DATA,
    DIGEST,
    ECHO,
    FIN,
    GO_AWAY,
    HEADER,
    INITIAL_WINDOW,
    LS,
    NA,
    PERF,
    PING,
    PING_PROTOCOL,
    RESET,
    RST,
    SYN,
    WINDOW,
    EndedError,
    Mux,
    Stream,
    UnexpectedError,
    data,
    dial,
    header,
    message,
)
from registry import case, family

Address = tuple[str, int]
GREETING = HEADER + message(ECHO)


def digest_of(body: bytes) -> bytes:
    return len(body).to_bytes(8, "big") + hashlib.sha256(body).digest()


def serves(function: object) -> object:
    """The case gets a connection, which has to serve afterwards."""

    def run(address: Address, *arguments: object) -> None:
        mux = dial(address)
        with mux.wire:
            function(mux, *arguments)  # type: ignore[operator]
            mux.echo()

    return run


def ends(function: object, code: int = 1) -> object:
    """The case gets a connection, which has to end with a protocol error."""

    def run(address: Address, *arguments: object) -> None:
        mux = dial(address)
        with mux.wire:
            mux.echo()
            with contextlib.suppress(EndedError):
                function(mux, *arguments)  # type: ignore[operator]
            mux.expect_violation(code)

    return run


def finish_echo(mux: Mux, number: int, body: bytes = b"body") -> None:
    mux.expect(number, GREETING)
    mux.send(data(number, body), header(WINDOW, FIN, number, 0))
    mux.expect(number, body)
    mux.expect_end(number)


# ---- ways to open a stream


@family(
    "awkward",
    {
        "open by a window update": lambda n: header(WINDOW, SYN, n, 0) + data(n, GREETING),
        "open by a window update with credit": lambda n: header(WINDOW, SYN, n, 1 << 20) + data(n, GREETING),
        "open by data": lambda n: data(n, GREETING, SYN),
        "open by empty data": lambda n: data(n, b"", SYN) + data(n, GREETING),
        "open with an ACK beside the SYN": lambda n: data(n, GREETING, SYN | ACK),
        "an ACK on every frame": lambda n: (
            data(n, b"", SYN) + data(n, GREETING, ACK) + header(WINDOW, ACK, n, 0)
        ),
        "open, header alone, then the proposal": lambda n: data(n, HEADER, SYN) + data(n, message(ECHO)),
        "open, proposal byte by byte": lambda n: b"".join(
            [data(n, b"", SYN), *(data(n, bytes([byte])) for byte in GREETING)]
        ),
        "open, empty frames in between": lambda n: data(n, b"", SYN) + data(n, b"") * 50 + data(n, GREETING),
        "open, window updates of nothing": lambda n: data(n, GREETING, SYN) + header(WINDOW, 0, n, 0) * 50,
        "open, pings in between": lambda n: b"".join(
            data(n, bytes([byte]), SYN if index == 0 else 0) + header(PING, SYN, 0, index)
            for index, byte in enumerate(GREETING)
        ),
    },
)
@serves
def opening(mux: Mux, make: object) -> None:
    number = mux.new_id()
    mux.send(make(number))  # type: ignore[operator]
    finish_echo(mux, number)


@case("awkward", "everything in one frame with SYN and FIN")
@serves
def whole_in_one(mux: Mux) -> None:
    number = mux.new_id()
    mux.send(data(number, HEADER + message(DIGEST) + b"abc", SYN | FIN))
    mux.expect(number, HEADER + message(DIGEST) + digest_of(b"abc"))
    mux.expect_end(number)


@case("awkward", "FIN on a frame with data")
@serves
def fin_on_data(mux: Mux) -> None:
    number = mux.open(DIGEST)
    mux.send(data(number, b"abc"), data(number, b"def", FIN))
    mux.expect(number, digest_of(b"abcdef"))
    mux.expect_end(number)


@family(
    "awkward",
    {
        "SYN and FIN on empty data": lambda n: data(n, b"", SYN | FIN),
        "SYN and FIN on a window update": lambda n: header(WINDOW, SYN | FIN, n, 0),
        "SYN, then FIN": lambda n: header(WINDOW, SYN, n, 0) + data(n, b"", FIN),
        "the header, then FIN": lambda n: data(n, HEADER, SYN | FIN),
        "half a proposal, then FIN": lambda n: data(n, GREETING[:-3], SYN | FIN),
    },
)
@serves
def ended_before_a_protocol(mux: Mux, make: object) -> None:
    number = mux.new_id()
    mux.send(make(number))  # type: ignore[operator]
    stream = mux.streams[number]
    mux.until(lambda: stream.ended or stream.reset is not None)


@case("awkward", "a first body of exactly the window")
@serves
def full_first_body(mux: Mux) -> None:
    number = mux.new_id()
    body = os.urandom(INITIAL_WINDOW - len(HEADER + message(DIGEST)))
    mux.send(data(number, HEADER + message(DIGEST) + body, SYN))
    mux.send(header(WINDOW, FIN, number, 0))
    mux.expect(number, HEADER + message(DIGEST) + digest_of(body))
    mux.expect_end(number)


@case("awkward", "ids with gaps, and one below the last")
@serves
def gaps(mux: Mux) -> None:
    for number in (101, 31, 4_000_001, 33):
        mux.streams[number] = Stream()
        mux.send(data(number, GREETING, SYN))
        finish_echo(mux, number)


@case("awkward", "an id again, after both sides ended it")
@serves
def id_again(mux: Mux) -> None:
    number = mux.new_id()
    for _ in range(5):
        mux.streams[number].ended = False
        mux.send(data(number, GREETING, SYN))
        finish_echo(mux, number)


@case("awkward", "an id again, after our reset")
@serves
def id_after_reset(mux: Mux) -> None:
    number = mux.open(ECHO)
    mux.send(header(WINDOW, RST, number, 0), data(number, GREETING, SYN))
    finish_echo(mux, number)


# ---- frames for streams that are gone


@family(
    "awkward",
    {
        "data": lambda n: data(n, b"late"),
        "empty data": lambda n: data(n, b""),
        "a window update": lambda n: header(WINDOW, 0, n, 65536),
        "the largest window update": lambda n: header(WINDOW, 0, n, 0xFFFFFFFF),
        "FIN": lambda n: header(WINDOW, FIN, n, 0),
        "RST": lambda n: header(WINDOW, RST, n, 0x1001),
        "RST on data": lambda n: header(DATA, RST, n, 0),
        "ACK": lambda n: header(WINDOW, ACK, n, 0),
        "half a mebibyte of data": lambda n: data(n, bytes(1 << 19)),
    },
)
@serves
def late(mux: Mux, make: object) -> None:
    closed, aborted, never = mux.open(ECHO), mux.open(ECHO), 99_999
    mux.send(data(closed, b"", FIN), header(WINDOW, RST, aborted, 7))
    mux.expect_end(closed)
    mux.ping()
    for number in (closed, aborted, never, 100_000):
        mux.send(make(number))  # type: ignore[operator]
    mux.ping()
    if mux.streams[aborted].reset is not None:
        raise UnexpectedError("a reset was answered")


# ---- resets


@family(
    "awkward",
    {
        "reset with a code": lambda n: data(n, GREETING, SYN) + header(WINDOW, RST, n, 0x2345),
        "reset on empty data": lambda n: data(n, GREETING, SYN) + header(DATA, RST, n, 0),
        "opened and reset in one frame": lambda n: header(WINDOW, SYN | RST, n, 0),
        "opened and reset in one data frame": lambda n: header(DATA, SYN | RST, n, 0),
        "reset in the middle of a proposal": lambda n: (
            data(n, GREETING[:25], SYN) + header(WINDOW, RST, n, 0)
        ),
        "FIN and RST in one frame": lambda n: data(n, GREETING, SYN) + header(WINDOW, FIN | RST, n, 0),
        "reset after FIN": lambda n: data(n, GREETING, SYN | FIN) + header(WINDOW, RST, n, 0),
    },
)
@serves
def resets(mux: Mux, make: object) -> None:
    for _ in range(20):
        mux.send(make(mux.new_id()))  # type: ignore[operator]
    mux.ping()


@case("awkward", "the target resets, and says which code")
@serves
def reset_by_target(mux: Mux) -> None:
    number = mux.open(RESET)
    mux.send(data(number, b"x"))
    mux.expect_reset(number)


# ---- flow control and half close


@case("awkward", "credit in pieces of a few bytes")
@serves
def credit_in_pieces(mux: Mux) -> None:
    mux.gives_credit = False
    number = mux.open(PERF)
    size = INITIAL_WINDOW + 3000
    mux.send(data(number, size.to_bytes(8, "big"), FIN))
    stream = mux.streams[number]
    first = INITIAL_WINDOW - len(HEADER + message(PERF))
    mux.until(lambda: len(stream.received) == first)
    while len(stream.received) < size:
        before = len(stream.received)
        mux.send(header(WINDOW, 0, number, 7))
        mux.until(lambda before=before: len(stream.received) == min(before + 7, size))
    del stream.received[:]
    mux.expect_end(number)


@case("awkward", "four MiB up and down at once")
@serves
def both_ways(mux: Mux) -> None:
    number = mux.open(ECHO)
    body = os.urandom(4 << 20)
    mux.write(number, body, FIN)
    mux.expect(number, body)
    mux.expect_end(number)


@case("awkward", "we end first, and read for long")
@serves
def end_first(mux: Mux) -> None:
    number = mux.open(PERF)
    size = 3 << 20
    mux.send(data(number, size.to_bytes(8, "big")), header(WINDOW, FIN, number, 0))
    mux.expect(number, bytes(size))
    mux.expect_end(number)


@case("awkward", "credit after our own end")
@serves
def credit_after_end(mux: Mux) -> None:
    number = mux.open(ECHO)
    mux.send(data(number, b"x", FIN), header(WINDOW, 0, number, 1000), header(WINDOW, 0, number, 0))
    mux.expect(number, b"x")
    mux.expect_end(number)


@case("awkward", "a stream that we never end: the others go on")
@serves
def never_ended(mux: Mux) -> None:
    for _ in range(50):
        mux.open(ECHO, b"left alone")


@case("awkward", "one stream whose window is full: the others go on")
@serves
def one_full(mux: Mux) -> None:
    mux.gives_credit = False
    number = mux.open(PERF)
    mux.send(data(number, (1 << 30).to_bytes(8, "big"), FIN))
    mux.until(lambda: len(mux.streams[number].received) >= INITIAL_WINDOW - 100)
    for _ in range(10):
        mux.echo()
    mux.send(header(WINDOW, RST, number, 0))


@case("awkward", "two hundred streams at once")
@serves
def two_hundred(mux: Mux) -> None:
    numbers = [mux.new_id() for _ in range(200)]
    mux.send(*(data(number, GREETING + b"%d" % number, SYN | FIN) for number in numbers))
    for number in numbers:
        mux.expect(number, GREETING + b"%d" % number)
        mux.expect_end(number)


@case("awkward", "five hundred streams one after the other")
@serves
def one_after_the_other(mux: Mux) -> None:
    for _ in range(500):
        number = mux.new_id()
        mux.send(data(number, GREETING + b"x", SYN | FIN))
        mux.expect(number, GREETING + b"x")
        mux.expect_end(number)


# ---- pings


@case("awkward", "pings with odd numbers, each answered once")
@serves
def odd_pings(mux: Mux) -> None:
    numbers = [0, 0xFFFFFFFF, 5, 5, 1 << 31]
    mux.send(*(header(PING, SYN, 0, number) for number in numbers))
    mux.ping(123)
    if mux.pongs != numbers:
        raise UnexpectedError(f"{mux.pongs} where {numbers} were due")


@case("awkward", "pongs for pings that never were")
@serves
def unasked_pongs(mux: Mux) -> None:
    mux.send(*(header(PING, ACK, 0, number) for number in range(1000, 1020)))


@case("awkward", "the target's pings are never answered, for a while")
@serves
def unanswered_pings(mux: Mux) -> None:
    mux.answers_pings = False
    mux.echo()


# ---- negotiation inside a stream


@case("awkward", "several proposals in a stream")
@serves
def stream_proposals(mux: Mux) -> None:
    number = mux.new_id()
    mux.send(data(number, HEADER + message("/a") + message("/b/1.0.0"), SYN))
    mux.expect(number, HEADER + NA + NA)
    mux.send(data(number, message(ECHO)))
    mux.expect(number, message(ECHO))
    mux.send(data(number, b"x", FIN))
    mux.expect(number, b"x")
    mux.expect_end(number)


@case("awkward", "ls in a stream")
@serves
def stream_list(mux: Mux) -> None:
    number = mux.new_id()
    mux.send(data(number, HEADER + LS, SYN))
    mux.expect(number, HEADER)
    stream = mux.streams[number]
    mux.until(lambda: len(stream.received) > 3)
    if not stream.received.startswith(NA) and message(PING_PROTOCOL) not in stream.received:
        raise UnexpectedError(f"ls gave {bytes(stream.received)!r}")
    del stream.received[:]
    mux.send(data(number, message(ECHO)))
    mux.expect(number, message(ECHO))


@family(
    "illegal in a stream",
    {
        "no header": message(ECHO),
        "another header": message("/multistream/2.0.0"),
        "a message that is too long": HEADER + b"\xff\x7f",
        "a length that is not minimal": HEADER + b"\x81\x00",
        "an empty message": HEADER + b"\x00",
        "no line end": HEADER + b"\x04/abc",
        "a name that is not UTF-8": HEADER + b"\x05/\xff\xfe\xc0\n\x81\x00",
        "twenty refusals": HEADER + message("/no") * 20,
        "data behind a refused proposal": HEADER + message("/no") + b"\x00\xff\x00 some payload",
        "HTTP": b"GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: a browser of some kind\r\n\r\n",
    },
)
@serves
def illegal_in_a_stream(mux: Mux, body: bytes) -> None:
    other = mux.open(ECHO)
    number = mux.new_id()
    mux.send(data(number, body, SYN))
    mux.expect_reset(number)
    # It ends this stream and no other.
    mux.send(data(other, b"still here", FIN))
    mux.expect(other, b"still here")
    mux.expect_end(other)


@case("illegal in a stream", "half a ping, then the end")
@serves
def half_a_ping(mux: Mux) -> None:
    number = mux.open(PING_PROTOCOL)
    mux.send(data(number, bytes(31), FIN))
    mux.expect_reset(number)


@case("illegal in a stream", "a download of 2^64 - 1 bytes")
@serves
def too_much_perf(mux: Mux) -> None:
    number = mux.open(PERF)
    mux.send(data(number, b"\xff" * 8, FIN))
    mux.expect_reset(number)


@case("illegal in a stream", "data after our own end is not delivered")
@serves
def data_after_end(mux: Mux) -> None:
    number = mux.open(DIGEST)
    mux.send(data(number, b"abc", FIN), data(number, b"def"), data(number, b"", FIN))
    mux.expect(number, digest_of(b"abc"))
    mux.expect_end(number)


# ---- illegal for the muxer: ends the connection with a go-away


@family(
    "illegal frame",
    {
        "version 1": lambda mux: header(PING, SYN, 0, 1, version=1),
        "version 255": lambda mux: header(DATA, 0, 1, 0, version=255),
        "type 4": lambda mux: header(4, 0, 0, 0),
        "type 255": lambda mux: header(255, 0, 1, 0),
        "a SYN of our parity": lambda mux: header(WINDOW, SYN, 1000, 0),
        "a SYN for stream 0": lambda mux: header(WINDOW, SYN, 0, 0),
        "data for stream 0": lambda mux: data(0, b"x"),
        "a window update for stream 0": lambda mux: header(WINDOW, 0, 0, 5),
        "a second SYN for a live stream": lambda mux: header(WINDOW, SYN, mux.open(ECHO), 0),
        "a first body over the window": lambda mux: header(DATA, SYN, mux.new_id(), INITIAL_WINDOW + 1),
        "a body of two MiB": lambda mux: header(DATA, 0, mux.open(ECHO), 2 << 20),
        "a body of 2^32 - 1": lambda mux: header(DATA, 0, mux.open(ECHO), 0xFFFFFFFF),
        "credit of 2^32 - 1, twice": lambda mux: header(WINDOW, 0, mux.open(ECHO), 0xFFFFFFFF) * 2,
        "credit that overflows with the SYN": lambda mux: header(WINDOW, SYN, mux.new_id(), 0xFFFFFFFF),
        "random bytes": lambda mux: b"\x7f" + os.urandom(63),
    },
)
@ends
def illegal_frame(mux: Mux, make: object) -> None:
    mux.send(make(mux))  # type: ignore[operator]


@case("illegal frame", "more than the window in many frames")
@ends
def window_exceeded(mux: Mux) -> None:
    mux.gives_credit = False
    number = mux.open(ECHO)
    # Without credit for its answers the target stops reading, and so stops giving us credit.
    for _ in range(200):
        mux.send(data(number, bytes(16384)))


@case("illegal frame", "data after our own end, again and again")
@partial(ends, code=0x1003)
def data_after_end_often(mux: Mux) -> None:
    mux.gives_credit = False
    number = mux.open(PERF)
    mux.send(data(number, (1 << 30).to_bytes(8, "big"), FIN))
    mux.send(data(number, b"late") * 5000)


@family("illegal frame", {f"unknown flags {flags:#x}": flags for flags in (0x10, 0x8000, 0xFFF0)})
def unknown_flags(address: Address, flags: int) -> None:
    # The protocol does not say; what must not happen is that somebody else notices.
    mux = dial(address)
    with mux.wire:
        try:
            mux.send(header(PING, SYN | flags, 0, 1), data(mux.new_id(), GREETING, SYN | flags))
            mux.echo()
        except EndedError:
            pass


# ---- go-away


@family("awkward", {f"go-away {code:#x}": code for code in (0, 1, 2, 0x1005, 0xFFFFFFFF)})
def go_away(address: Address, code: int) -> None:
    mux = dial(address)
    with mux.wire:
        number = mux.open(ECHO)
        mux.send(data(number, b"last"), header(GO_AWAY, 0, 0, code), header(GO_AWAY, 0, 0, code))
        mux.wire.expect_end()
