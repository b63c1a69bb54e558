"""WebSocket as bytes in and bytes out: what peers may send, what they may not, and how it ends."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.exceptions import RemoteProtocolError
from plait.transports.websocket.framing import HOLLOW_BURST, HOLLOW_RATE, MAX_HEAD, MAX_MESSAGE, Framing

MAX_FRAME = 1024 * 1024
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def dialer(clock: Clock | None = None) -> Framing:
    return Framing.dial("a.test", 80, is_secure=False, max_frame=MAX_FRAME, clock=clock or Clock())


def listener(clock: Clock | None = None) -> Framing:
    return Framing.accept(max_frame=MAX_FRAME, clock=clock or Clock())


def pair(clock: Clock | None = None) -> tuple[Framing, Framing]:
    near, far = dialer(clock), listener(clock)
    assert far.receive(output(near)) == []
    assert near.receive(output(far)) == []
    assert near.is_open
    assert far.is_open
    return near, far


def output(framing: Framing) -> bytes:
    return b"".join(framing.take_output())


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True) -> bytes:
    """One frame; with a mask, as clients send them, unless told otherwise."""
    mask_bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", opcode | fin << 7, mask_bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", opcode | fin << 7, mask_bit | 126, size)
    else:
        head = struct.pack("!BBQ", opcode | fin << 7, mask_bit | 127, size)
    if not masked:
        return head + payload
    mask = b"\x01\x80\xfe\x7f"
    repeated = mask * (size // 4 + 1)
    return head + mask + bytes(a ^ b for a, b in zip(payload, repeated, strict=False))


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """Opcode and payload of unmasked frames, as servers send them."""
    found = []
    while data:
        size, start = data[1], 2
        assert size < 127, "not for large ones, nor for masked ones"
        if size == 126:
            size, start = struct.unpack("!H", data[2:4])[0], 4
        found.append((data[0] & 0x0F, data[start : start + size]))
        data = data[start + size :]
    return found


def joined(payloads: Sequence[bytes | bytearray | memoryview]) -> bytes:
    return b"".join(bytes(each) for each in payloads)


# Opening


def test_nothing_is_offered_that_is_not_needed() -> None:
    request = output(dialer()).decode()
    assert request.startswith("GET / HTTP/1.1\r\nHost: a.test\r\n")
    for header in ("extensions", "protocol", "origin"):
        assert f"sec-websocket-{header}:" not in request.lower()
        assert f"\r\n{header}:" not in request.lower()


def test_offered_compression_is_declined() -> None:
    far = listener()
    offer = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
    far.receive(REQUEST.removesuffix(b"\r\n") + offer)
    answer = output(far).lower()
    assert far.is_open
    assert answer.startswith(b"http/1.1 101")
    assert b"extensions" not in answer
    # RFC 6455, section 1.3.
    assert b"s3pplmbitxaq9kygzzhzrbk+xoo=" in answer


def test_compression_that_was_not_offered_is_refused() -> None:
    near, far = dialer(), listener()
    far.receive(output(near))
    answer = output(far).replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    near.receive(answer)
    assert isinstance(near.error, ConnectionError)
    assert not near.is_open


def test_bytes_right_behind_the_answer_are_not_lost() -> None:
    near, far = dialer(), listener()
    far.receive(output(near))
    far.send(b"hello")
    assert joined(near.receive(output(far))) == b"hello"


def test_any_path_and_any_origin_is_taken() -> None:
    far = listener()
    far.receive(
        REQUEST.replace(b"GET / ", b"GET /p2p?x=1 ").replace(b"\r\n\r\n", b"\r\nOrigin: null\r\n\r\n")
    )
    assert far.is_open


@pytest.mark.parametrize("role", ["listener", "dialer"])
def test_the_handshake_may_come_byte_by_byte(role: str) -> None:
    near, far = dialer(), listener()
    request = output(near)
    if role == "listener":
        for byte in request:
            assert not far.is_open
            far.receive(bytes([byte]))
        assert far.is_open
    else:
        far.receive(request)
        for byte in output(far):
            assert not near.is_open
            near.receive(bytes([byte]))
        assert near.is_open


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "HTTP 404"),
        (b"HTTP/1.1 301 Moved\r\nLocation: ws://b.test/\r\nContent-Length: 0\r\n\r\n", "HTTP 301"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP 200"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "Connection header"),
        (b"\x13/multistream/1.0.0\n", "HTTP status line"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "HTTP status line"),
    ],
)
def test_an_answer_that_is_no_websocket_says_what_it_was(answer: bytes, words: str) -> None:
    near = dialer()
    near.receive(answer)
    near.receive_eof()
    assert isinstance(near.error, ConnectionError)
    assert words in str(near.error)
    assert str(near.error).isprintable()


def test_the_end_of_an_answer_may_be_the_end_of_the_connection() -> None:
    near = dialer()
    near.receive(b"HTTP/1.1 503 Busy\r\n\r\nthe body goes on until")
    assert near.error is None
    near.receive_eof()
    assert "HTTP 503" in str(near.error)


def test_a_wrong_accept_value_is_refused() -> None:
    near = dialer()
    near.receive(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    assert "Sec-WebSocket-Accept" in str(near.error)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", b"426"),
        (REQUEST.replace(b"GET", b"POST"), b"405"),
        (REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"), b"505"),
        (REQUEST.replace(b"Version: 13", b"Version: 8"), b"400"),
        (REQUEST.replace(b"Key: dGhl", b"Key: "), b"400"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n", b"414"),
    ],
)
def test_a_request_that_is_no_websocket_is_answered_in_http(request_bytes: bytes, status: bytes) -> None:
    far = listener()
    far.receive(request_bytes)
    assert output(far).startswith(b"HTTP/1.1 " + status)
    assert isinstance(far.error, ConnectionError)


@pytest.mark.parametrize(
    "garbage",
    [b"\x13/multistream/1.0.0\n\r\n", b"\x16\x03\x01\x02\x00\x01\n\r\n", b"GET\r\n", bytes(40) + b"\n"],
)
def test_what_is_no_http_is_a_clear_error(garbage: bytes) -> None:
    far = listener()
    far.receive(garbage)
    assert isinstance(far.error, ConnectionError)
    assert "HTTP request" in str(far.error)
    assert str(far.error).isprintable()


def test_a_head_without_end_is_cut_short() -> None:
    for framing, first in ((listener(), REQUEST[:-2]), (dialer(), b"HTTP/1.1 101 Switching Protocols\r\n")):
        framing.receive(first)
        sent = 0
        while framing.error is None:
            assert sent <= MAX_HEAD
            framing.receive(b"X-Filler: " + b"x" * 990 + b"\r\n")
            sent += 1002
        assert str(MAX_HEAD) in str(framing.error)
        assert first.partition(b"\r\n")[0].decode() in str(framing.error)


def test_a_long_first_piece_behind_the_head_is_no_long_head() -> None:
    far = listener()
    assert joined(far.receive(REQUEST + frame(BINARY, bytes(2 * MAX_HEAD)))) == bytes(2 * MAX_HEAD)
    assert far.is_open


# Messages


@pytest.mark.parametrize("size", [1, 125, 126, 127, 65535, 65536, 65537])
def test_every_form_of_length_is_understood(size: int) -> None:
    _, far = pair()
    payload = bytes(range(256)) * (size // 256 + 1)
    assert joined(far.receive(frame(BINARY, payload[:size]))) == payload[:size]


def test_fragments_of_one_byte_with_a_ping_in_between() -> None:
    _, far = pair()
    wire = frame(BINARY, b"a", fin=False)
    wire += (
        frame(CONT, b"b", fin=False) + frame(PING, b"?") + frame(CONT, b"c", fin=False) + frame(CONT, b"d")
    )
    got = []
    for byte in wire:
        got += far.receive(bytes([byte]))
    assert [bytes(each) for each in got] == [b"a", b"b", b"c", b"d"]
    assert frames(output(far)) == [(PONG, b"?")]


def test_a_fragment_is_handed_on_before_its_message_is_complete() -> None:
    _, far = pair()
    assert joined(far.receive(frame(BINARY, b"first", fin=False))) == b"first"
    # No message is ever put together, so any number of full frames may be one.
    for _ in range(3):
        assert len(joined(far.receive(frame(CONT, bytes(MAX_FRAME), fin=False)))) == MAX_FRAME


def test_empty_messages_are_skipped() -> None:
    _, far = pair()
    assert joined(far.receive(frame(BINARY) + frame(BINARY, b"x") + frame(CONT, fin=True))) == b"x"
    assert isinstance(far.error, RemoteProtocolError)  # a continuation of nothing


def test_what_we_send_is_binary_masked_by_the_dialer_and_bounded() -> None:
    near, far = pair()
    near.send(bytes(MAX_MESSAGE + 1))
    pieces = near.take_output()
    assert [piece[0] for piece in pieces] == [0x80 | BINARY] * 2
    assert all(piece[1] & 0x80 for piece in pieces)
    assert [len(each) for each in far.receive(b"".join(pieces))] == [MAX_MESSAGE, 1]
    far.send(memoryview(b"answer"))
    assert output(far) == bytes([0x80 | BINARY, 6]) + b"answer"


def test_each_message_has_a_mask_of_its_own() -> None:
    near, _ = pair()
    near.send(bytes(64))
    near.send(bytes(64))
    assert len(set(near.take_output())) == 2


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (frame(TEXT, b"text"), 1003),
        (frame(BINARY, b"x", masked=False), 1002),
        (frame(0x3, b"x"), 1002),
        (frame(CONT, b"x"), 1002),
        (frame(BINARY, b"x", fin=False) + frame(BINARY, b"y"), 1002),
        (frame(PING, fin=False), 1002),
        (frame(PING, bytes(126)), 1002),
        (b"\xc2\x81\x00\x00\x00\x00x", 1002),
        (frame(BINARY, bytes(MAX_FRAME + 1))[:14], 1009),
        (b"\x82\xff" + b"\xff" * 8, 1009),
        (frame(CLOSE, b"\x00"), 1002),
        (frame(CLOSE, b"\x03\xed"), 1002),
        (frame(CLOSE, b"\x03\xe8\xff\xff"), 1007),
    ],
    ids=[
        "text",
        "without a mask",
        "unknown opcode",
        "continues nothing",
        "a message inside another",
        "control in fragments",
        "long control",
        "reserved bit",
        "one byte too long",
        "length without end",
        "half a close code",
        "a close code that is never sent",
        "a reason that is no text",
    ],
)
def test_a_violation_is_answered_with_its_code_and_ends_it(wire: bytes, code: int) -> None:
    _, far = pair()
    assert far.receive(wire)[1:] == []
    assert isinstance(far.error, RemoteProtocolError)
    assert not far.is_open
    (answer,) = frames(output(far))
    assert answer[0] == CLOSE
    assert struct.unpack("!H", answer[1][:2])[0] == code
    assert far.receive(frame(BINARY, b"more")) == []


def test_a_dialer_takes_no_masked_frame() -> None:
    near, _ = pair()
    near.receive(frame(BINARY, b"x", masked=True))
    assert isinstance(near.error, RemoteProtocolError)


# Floods


@pytest.mark.parametrize("hollow", [frame(PING, b"!"), frame(PONG), frame(BINARY)])
def test_a_flood_of_frames_that_bring_nothing_ends_it(hollow: bytes) -> None:
    _, far = pair(Clock())
    far.receive(hollow * (HOLLOW_BURST + 1))
    assert far.error is None
    far.receive(hollow)
    assert isinstance(far.error, RemoteProtocolError)
    assert struct.pack("!H", 1008) in output(far)


def test_pings_in_peace_go_on_for_ever() -> None:
    clock = Clock()
    _, far = pair(clock)
    for _ in range(10 * HOLLOW_BURST):
        clock.now += 1 / HOLLOW_RATE
        far.receive(frame(PING))
        assert frames(output(far)) == [(PONG, b"")]


def test_an_empty_end_of_every_message_is_no_flood() -> None:
    _, far = pair()
    message = frame(BINARY, b"x", fin=False) + frame(CONT)
    assert joined(far.receive(message * (4 * HOLLOW_BURST))) == b"x" * (4 * HOLLOW_BURST)
    assert far.error is None


# Ends


@pytest.mark.parametrize("payload", [b"\x03\xe8", b"\x03\xe8bye", b"\x03\xe9", b""], ids=repr)
def test_an_orderly_close_is_an_end_and_answered(payload: bytes) -> None:
    _, far = pair()
    assert (
        joined(far.receive(frame(BINARY, b"last") + frame(CLOSE, payload) + frame(BINARY, b"late")))
        == b"last"
    )
    assert far.has_ended
    assert far.error is None
    assert frames(output(far)) == [(CLOSE, payload)]
    far.send(b"nobody listens")
    assert output(far) == b""


@pytest.mark.parametrize("code", [1002, 1008, 1011, 4000])
def test_another_close_code_is_an_error_that_says_why(code: int) -> None:
    _, far = pair()
    far.receive(frame(CLOSE, struct.pack("!H", code) + b"no\nroom"))
    assert isinstance(far.error, ConnectionResetError)
    assert str(code) in str(far.error)
    assert r"no\nroom" in str(far.error)


def test_an_end_without_a_close_is_an_error() -> None:
    _, far = pair()
    far.receive(frame(BINARY, b"half a frame")[:5])
    far.receive_eof()
    assert isinstance(far.error, ConnectionResetError)


def test_what_was_under_way_when_we_closed_still_arrives() -> None:
    near, far = pair()
    far.send(b"under way")
    near.close()
    near.send(b"not any more")
    assert joined(near.receive(output(far))) == b"under way"
    assert joined(far.receive(output(near))) == b""
    assert far.has_ended
    near.receive(output(far))
    assert near.has_ended


def test_closing_twice_closes_once() -> None:
    near, _ = pair()
    near.close()
    assert output(near)
    near.close()
    assert output(near) == b""


# Any bytes


def test_a_request_cut_anywhere_is_an_error() -> None:
    for cut in range(len(REQUEST)):
        far = listener()
        far.receive(REQUEST[:cut])
        far.receive_eof()
        assert isinstance(far.error, ConnectionError)
        assert not far.is_open


def test_an_answer_cut_anywhere_is_an_error() -> None:
    far = listener()
    near = dialer()
    far.receive(output(near))
    whole = len(output(far))
    for cut in range(whole):
        near, far = dialer(), listener()
        far.receive(output(near))
        near.receive(output(far)[:cut])
        near.receive_eof()
        assert isinstance(near.error, ConnectionError)


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_raise_in_the_handshake(data: bytes, listens: bool) -> None:
    framing = listener() if listens else dialer()
    framing.receive(data)
    framing.receive_eof()
    assert isinstance(framing.error, Exception)


ANY_FRAME = st.builds(
    frame,
    st.integers(0, 15),
    st.binary(max_size=130),
    fin=st.booleans(),
    masked=st.sampled_from([True] * 9 + [False]),
)


@given(st.lists(st.one_of(ANY_FRAME, st.binary(max_size=12)), max_size=8), st.booleans())
def test_no_frames_raise(pieces: list[bytes], at_once: bool) -> None:
    """Also when they come together with the request, before it could be answered."""
    far = listener()
    if at_once:
        far.receive(REQUEST + b"".join(pieces))
    else:
        for piece in [REQUEST, *pieces]:
            far.receive(piece)
            far.take_output()
    far.receive_eof()
    far.close()
    assert far.error is not None or far.has_ended
