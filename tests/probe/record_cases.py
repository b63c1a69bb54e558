"""Records of the secure channel."""

from __future__ import annotations

import os

from client import (
    ECHO,
    FIN,
    HEADER,
    PING,
    SYN,
    WINDOW,
    EndedError,
    Mux,
    UnexpectedError,
    data,
    dial,
    header,
    message,
)
from noise import MAX_PLAINTEXT, TAG, frame
from registry import case, family

Address = tuple[str, int]

# An open that is answered, as plaintext.
OPENING = data(1, HEADER + message(ECHO) + b"hello", SYN | FIN)
SECOND = data(3, HEADER + message(ECHO) + b"hello", SYN | FIN)
ANSWER = HEADER + message(ECHO) + b"hello"


def expect_answer(mux: Mux) -> None:
    mux.new_id()
    mux.expect(1, ANSWER)
    mux.expect_end(1)


# ---- awkward, to be served


@family("awkward", {f"frames in records of {size} bytes": size for size in (1, 2, 7, 11, 12, 13)})
def small_records(address: Address, size: int) -> None:
    mux = dial(address)
    with mux.wire:
        mux.wire.send(mux.secure.records(OPENING, size))
        expect_answer(mux)
        mux.echo()


@case("awkward", "records split at every byte")
def split_records(address: Address) -> None:
    mux = dial(address)
    with mux.wire:
        for offset in range(1, len(frame(bytes(12 + TAG)))):
            record = mux.secure.record(header(PING, SYN, 0, offset))
            mux.wire.send_pieces((record[:offset], record[offset:]))
            mux.until(lambda offset=offset: offset in mux.pongs)
        mux.echo()


@case("awkward", "records byte by byte")
def byte_by_byte(address: Address) -> None:
    mux = dial(address)
    with mux.wire:
        mux.wire.send_pieces((bytes([byte]) for byte in mux.secure.records(OPENING)), pause=0.0005)
        expect_answer(mux)


@case("awkward", "empty records in between")
def empty_records(address: Address) -> None:
    mux = dial(address)
    with mux.wire:
        for start in range(0, len(OPENING), 5):
            mux.wire.send(mux.secure.record(b"") + mux.secure.record(OPENING[start : start + 5]))
        expect_answer(mux)
        mux.echo()


@case("awkward", "records of the greatest size")
def largest_records(address: Address) -> None:
    mux = dial(address)
    with mux.wire:
        number = mux.open(ECHO)
        body = os.urandom(3 * MAX_PLAINTEXT)
        mux.write(number, body, FIN, size=MAX_PLAINTEXT - 12)
        mux.expect(number, body)
        mux.expect_end(number)


@case("awkward", "a thousand frames in one record")
def many_frames(address: Address) -> None:
    mux = dial(address)
    with mux.wire:
        mux.send(*(header(PING, SYN, 0, number) for number in range(1000)))
        mux.until(lambda: len(mux.pongs) >= 1000)
        if mux.pongs != list(range(1000)):
            raise UnexpectedError("pongs are missing, or out of order")


# ---- illegal, ends this connection without a word


def flipped(mux: Mux) -> bytes:
    record = bytearray(mux.secure.records(SECOND))
    record[-1] ^= 1
    return bytes(record)


def flipped_length(mux: Mux) -> bytes:
    record = mux.secure.records(SECOND)
    return bytes([record[0], record[1] - 1]) + record[2:]


def replayed(mux: Mux) -> bytes:
    record = mux.secure.record(header(WINDOW, 0, 99, 1))
    return record * 2 + mux.secure.record(SECOND)


def reordered(mux: Mux) -> bytes:
    first, second = mux.secure.record(header(PING, SYN, 0, 3)), mux.secure.record(SECOND)
    return second + first


def dropped(mux: Mux) -> bytes:
    mux.secure.record(header(PING, SYN, 0, 3))
    return mux.secure.record(SECOND)


@family(
    "illegal record",
    {
        "flipped": flipped,
        "with a flipped length": flipped_length,
        "replayed": replayed,
        "out of order": reordered,
        "one missing": dropped,
        "of no bytes": lambda mux: frame(b""),
        "of fifteen bytes": lambda mux: frame(bytes(15)),
        "of sixteen bytes that are no tag": lambda mux: frame(bytes(16)),
        "of random bytes": lambda mux: frame(os.urandom(500)),
        "of the greatest size and random": lambda mux: frame(os.urandom(65535)),
        "in clear": lambda mux: SECOND,
    },
)
def illegal_record(address: Address, make: object) -> None:
    mux = dial(address)
    with mux.wire:
        mux.echo()
        mux.wire.send(make(mux))  # type: ignore[operator]
        try:
            while True:
                mux.pump()
        except EndedError:
            pass
        # Stream 1 was the echo; the even ones are the target's own.
        if mux.pongs or any(number % 2 and number > 1 for number in mux.streams):
            raise UnexpectedError("something of it was answered")


@case("illegal record", "our end inside a record")
def truncated(address: Address) -> None:
    for keep in (1, 2, 10, 17):
        mux = dial(address)
        with mux.wire:
            mux.ping()
            mux.wire.send(mux.secure.records(OPENING)[:keep])
            mux.wire.end()
            mux.wire.expect_end()


@case("illegal record", "something wrong behind something right: the right part may be served, no more")
def wrong_behind_right(address: Address) -> None:
    mux = dial(address)
    with mux.wire:
        number = mux.open(ECHO)
        mux.wire.send(mux.secure.record(data(number, b"right")) + frame(os.urandom(40)))
        try:
            while True:
                mux.pump()
        except EndedError:
            pass
        stream = mux.streams[number]
        if stream.ended or bytes(stream.received) not in (b"", b"right"):
            raise UnexpectedError(f"{bytes(stream.received)!r}, end {stream.ended}")
