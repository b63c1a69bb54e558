"""The WebSocket transport over real sockets: addresses, flow control, ends, and peers that misbehave."""

from __future__ import annotations

import asyncio
import os
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

import plait
from plait.addresses import host_port, parse, web_socket
from plait.exceptions import ConfigError, ListenError, RemoteProtocolError
from plait.transports import WebSocketOptions, WebSocketTransport, locate
from plait.transports.websocket import pipe as pipe_module
from plait.transports.websocket.framing import Framing
from plait.transports.websocket.pipe import MAX_EARLY, WebSocketPipe

LOOPBACK = parse("/ip4/127.0.0.1/tcp/0/ws")
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
CLOSE_NORMALLY = b"\x88\x82\x00\x00\x00\x00\x03\xe8"


class Recorder(asyncio.Protocol):
    """Remembers what its transport told it."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.received = bytearray()
        self.ends = 0
        self.writing = True
        self.made: asyncio.Future[Any] = loop.create_future()
        self.lost: asyncio.Future[Exception | None] = loop.create_future()
        self.changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made.set_result(transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.changed.set()

    def eof_received(self) -> bool:
        self.ends += 1
        self.changed.set()
        return True  # which a WebSocket cannot do

    def pause_writing(self) -> None:
        self.writing = False
        self.changed.set()

    def resume_writing(self) -> None:
        self.writing = True
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.changed.clear()
            await self.changed.wait()

    async def has(self, size: int) -> None:
        await self.until(lambda: len(self.received) >= size)


class Buffered(asyncio.BufferedProtocol):
    """Lends one buffer for every read, as the driver of a connection does."""

    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self.reads: list[bytes] = []
        self.eof = asyncio.Event()
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.reads.append(bytes(self.buffer[:nbytes]))
        # Fails while a view of the buffer is still held by the transport.
        self.buffer.append(0)
        self.buffer.pop()

    def eof_received(self) -> None:
        self.eof.set()


@asynccontextmanager
async def listening(far: asyncio.BaseProtocol, options: WebSocketOptions | None = None) -> AsyncIterator[Any]:
    """The address of a listener whose only connection gets this protocol."""
    listener = await WebSocketTransport(options).listen(LOOPBACK, lambda: far)
    try:
        yield listener.addresses[0]
    finally:
        await listener.close()


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Recorder, Recorder]]:
    near, far = Recorder(), Recorder()
    async with listening(far) as address:
        await WebSocketTransport().dial(address, lambda: near)
        yield near, far
        for end in (near, far):
            (await end.made).abort()
            await end.lost


@asynccontextmanager
async def raw_client(
    far: asyncio.BaseProtocol, options: WebSocketOptions | None = None, *, request: bytes = REQUEST
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A socket to a listener, with the request sent and its answer read."""
    async with listening(far, options) as address:
        endpoint = host_port(address)
        assert endpoint is not None
        reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
        writer.write(request)
        if request.endswith(b"\r\n\r\n"):
            await reader.readuntil(b"\r\n\r\n")
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


def frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """A short frame, masked with zeros."""
    assert len(payload) < 126
    return struct.pack("!BB4x", opcode | fin << 7, 0x80 | len(payload)) + payload


# Addresses


@pytest.mark.parametrize(
    ("address", "dial", "listen"),
    [
        ("/ip4/1.2.3.4/tcp/1/ws", True, True),
        ("/ip6/::1/tcp/1/ws", True, True),
        ("/ip6zone/eth0/ip6/fe80::1/tcp/1/ws", True, True),
        ("/dns/a.test/tcp/1/ws", True, False),
        ("/dns4/a.test/tcp/1/wss", True, False),
        ("/dns6/a.test/tcp/1/tls/ws", True, False),
        ("/dns/a.test/tcp/1/tls/sni/b.test/ws", True, False),
        ("/ip4/1.2.3.4/tcp/1/tls/sni/b.test/ws", True, True),
        ("/ip4/1.2.3.4/tcp/1/tls/ws", False, True),
        ("/ip4/1.2.3.4/tcp/1/wss", False, True),
        ("/ip4/1.2.3.4/tcp/1/tls/sni/*.b.test/ws", False, True),
        ("/ip4/1.2.3.4/tcp/1", False, False),
        ("/ip4/1.2.3.4/tcp/1/tls", False, False),
        ("/ip4/1.2.3.4/tcp/1/ws/ws", False, False),
        ("/ip4/1.2.3.4/tcp/1/tls/wss", False, False),
        ("/ip4/1.2.3.4/tcp/1/sni/b.test/ws", False, False),
        ("/ip4/1.2.3.4/udp/1/ws", False, False),
        ("/ip4/1.2.3.4/ws", False, False),
        ("/ip4/1.2.3.4/tcp/1/ws/p2p-circuit", False, False),
        ("/memory/1/ws", False, False),
    ],
)
def test_only_websocket_addresses_are_taken(address: str, dial: bool, listen: bool) -> None:
    transport = WebSocketTransport()
    assert transport.can_dial(parse(address)) is dial
    assert transport.can_listen(parse(address)) is listen


def test_an_address_without_a_name_is_dialed_with_a_trust_of_the_users() -> None:
    transport = WebSocketTransport(WebSocketOptions(client_tls=ssl.create_default_context()))
    assert transport.can_dial(parse("/ip4/1.2.3.4/tcp/1/tls/ws"))
    assert not transport.can_dial(parse("/ip4/1.2.3.4/tcp/1/tls/sni/*.b.test/ws"))


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/dns4/localhost/tcp/1/tls/ws", "localhost"),
        ("/dns4/localhost/tcp/1/wss", "localhost"),
        ("/dns4/localhost/tcp/1/tls/sni/b.test/ws", "b.test"),
    ],
)
async def test_the_name_to_prove_outlives_its_resolution(address: str, name: str) -> None:
    found = await WebSocketTransport().resolve(parse(address))
    assert [str(each) for each in found] == [f"/ip4/127.0.0.1/tcp/1/tls/sni/{name}/ws"]


async def test_without_tls_there_is_no_name_to_keep() -> None:
    found = await WebSocketTransport().resolve(parse("/dns4/localhost/tcp/1/ws"))
    assert [str(each) for each in found] == ["/ip4/127.0.0.1/tcp/1/ws"]
    assert await WebSocketTransport().resolve(found[0]) == found


def test_both_forms_of_one_place_are_the_same_place() -> None:
    old, new = web_socket(parse("/ip4/1.2.3.4/tcp/1/wss")), web_socket(parse("/ip4/1.2.3.4/tcp/1/tls/ws"))
    assert old == new
    assert old is not None
    assert str(old.at(old.waist)) == "/ip4/1.2.3.4/tcp/1/tls/ws"


@pytest.mark.parametrize("address", ["/ip4/127.0.0.1/tcp/0/ws", "/ip4/0.0.0.0/tcp/0/ws"])
async def test_a_listener_knows_its_port(address: str) -> None:
    listener = await WebSocketTransport().listen(parse(address), Recorder)
    (bound,) = listener.addresses
    endpoint = host_port(bound)
    assert endpoint is not None
    assert endpoint.port != 0
    assert str(bound) == address.replace("tcp/0", f"tcp/{endpoint.port}")
    await listener.close()


async def test_both_ends_know_each_other() -> None:
    async with connected() as (near, far):
        dialed, accepted = await near.made, await far.made
        assert str(locate(dialed.get_extra_info, "remote")).endswith("/ws")
        assert locate(dialed.get_extra_info, "remote") == locate(accepted.get_extra_info, "local")
        assert locate(dialed.get_extra_info, "local") == locate(accepted.get_extra_info, "remote")
        assert accepted.get_extra_info("peername")[0] == "127.0.0.1"
        assert dialed.get_extra_info("ssl_object") is None


async def test_a_taken_port_is_a_listen_error_with_the_address() -> None:
    async with listening(Recorder()) as address:
        with pytest.raises(ListenError) as caught:
            await WebSocketTransport().listen(address, Recorder)
    assert caught.value.address == str(address)
    assert caught.value.errno


async def test_listening_with_tls_takes_a_certificate() -> None:
    with pytest.raises(ListenError, match="server_tls"):
        await WebSocketTransport().listen(parse("/ip4/127.0.0.1/tcp/0/wss"), Recorder)
    for_clients = WebSocketOptions(server_tls=ssl.create_default_context())
    with pytest.raises(ListenError, match="cannot serve"):
        await WebSocketTransport(for_clients).listen(parse("/ip4/127.0.0.1/tcp/0/tls/ws"), Recorder)


@pytest.mark.parametrize("settings", [{"max_frame": 65536}, {"handshake": 0.0}])
def test_options_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        WebSocketOptions(**settings)


# Bytes and flow control


async def test_bytes_arrive_in_both_directions_in_order() -> None:
    async with connected() as (near, far):
        sent = os.urandom(3_000_000)
        (await near.made).write(sent)
        (await far.made).writelines([b"an", bytearray(b"sw"), memoryview(b"er")])
        await far.has(len(sent))
        await near.has(6)
        assert far.received == sent
        assert near.received == b"answer"


async def test_a_buffered_protocol_gets_what_fits_and_small_messages_together() -> None:
    far = Buffered(4)
    async with raw_client(far) as (_, writer):
        writer.write(frame(2, b"a") + frame(2, b"bcdefg") + frame(2, b"hij") + CLOSE_NORMALLY)
        await far.eof.wait()
    assert far.reads == [b"abcd", b"efgh", b"ij"]


async def test_what_is_written_before_the_handshake_waits_for_it() -> None:
    far = Recorder()
    async with listening(far) as address:
        endpoint = host_port(address)
        assert endpoint is not None
        reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
        accepted = await far.made
        accepted.write(b"early ")
        accepted.write(bytes(MAX_EARLY))
        assert not far.writing
        assert accepted.get_write_buffer_size() == 6 + MAX_EARLY
        writer.write(REQUEST)
        await reader.readuntil(b"\r\n\r\n")
        await far.until(lambda: far.writing)
        # Behind the head of a frame that is as large as they come.
        assert (await reader.readexactly(16))[10:] == b"early "
        writer.transport.abort()
        accepted.abort()
        await far.lost


async def test_an_end_that_is_written_before_the_handshake_waits_for_it_too() -> None:
    far = Recorder()
    async with raw_client(far, request=REQUEST[:-2]) as (reader, writer):
        accepted = await far.made
        accepted.write(b"all")
        accepted.write_eof()
        writer.write(REQUEST[-2:])
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(9) == b"\x82\x03all\x88\x02\x03\xe8"
        accepted.abort()
        await far.lost


async def test_a_socket_is_not_read_while_its_protocol_pauses() -> None:
    far = Recorder()
    async with raw_client(far) as (reader, writer):
        accepted = await far.made
        accepted.pause_reading()
        writer.write(frame(9, b"?"))
        for _ in range(20):
            await asyncio.sleep(0)
        # Sent before the ping was looked at, or it would come behind the answer to it.
        accepted.write(b"first")
        accepted.resume_reading()
        assert await reader.readexactly(10) == b"\x82\x05first\x8a\x01?"
        accepted.abort()
        await far.lost


async def test_nothing_is_delivered_while_reading_is_paused_and_all_of_it_later() -> None:
    async with connected() as (near, far):
        accepted = await far.made
        accepted.pause_reading()
        assert not accepted.is_reading()
        near_end = await near.made
        near_end.write(b"wait")
        near_end.close()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not far.received
        accepted.resume_reading()
        await far.until(lambda: far.ends == 1)
        assert far.received == b"wait"
        assert await far.lost is None


async def test_a_protocol_that_pauses_in_the_middle_gets_the_rest_when_it_goes_on() -> None:
    class Slow(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.made.result().pause_reading()

    far = Slow()
    async with raw_client(far) as (_, writer):
        for number in range(3):
            writer.write(frame(2, b"%d" % number))
            await far.has(number + 1)
            far.made.result().resume_reading()
        writer.write(CLOSE_NORMALLY)
        assert await far.lost is None
    assert far.received == b"012"
    assert far.ends == 1


async def test_a_peer_that_does_not_read_pauses_our_writing() -> None:
    async with connected() as (near, far):
        writer, accepted = await near.made, await far.made
        writer.set_write_buffer_limits(high=1000, low=100)
        accepted.pause_reading()
        sent = 0
        while near.writing:
            writer.write(bytes(100_000))
            sent += 100_000
            await asyncio.sleep(0)
        assert writer.get_write_buffer_size() > 1000
        accepted.resume_reading()
        await near.until(lambda: near.writing)
        await far.has(sent)


async def test_a_peer_that_pings_and_reads_no_answers_is_not_read() -> None:
    """Otherwise the answers would pile up here, as fast as it asks."""
    far = Recorder()
    async with raw_client(far) as (reader, writer):
        accepted = await far.made
        accepted.set_write_buffer_limits(high=1000, low=100)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        while far.writing:
            accepted.write(bytes(100_000))
            await asyncio.sleep(0)
        full = accepted.get_write_buffer_size()
        # A byte of data between any two, so that it is no flood.
        writer.write((frame(9, bytes(125)) + frame(2, b"x")) * 20_000)
        await far.has(1)
        for _ in range(50):
            await asyncio.sleep(0)
        read = len(far.received)
        assert read < 5000
        assert accepted.get_write_buffer_size() < full + 5000 * 127
        reader._transport.resume_reading()  # type: ignore[attr-defined]
        while len(far.received) < 20_000:
            await reader.read(1 << 20)
        accepted.abort()
        await far.lost


async def test_the_protocol_can_be_replaced() -> None:
    async with connected() as (near, far):
        accepted, other = await far.made, Recorder()
        accepted.set_protocol(other)
        assert accepted.get_protocol() is other
        (await near.made).write(b"to the other")
        await other.has(12)
        accepted.set_protocol(far)


async def test_small_writes_of_one_turn_are_one_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def send(self: Framing, data: bytes) -> None:
        sizes.append(len(data))
        original(self, data)

    original = Framing.send
    monkeypatch.setattr(Framing, "send", send)
    async with plait.Host(listen=str(LOOPBACK)) as alice, plait.Host(listen=()) as bob:
        received = asyncio.Event()

        @alice.handle("/small/1")
        async def small(stream: plait.Stream) -> None:
            await stream.readexactly(100)
            received.set()

        connection = await bob.connect(alice.addresses[0])
        await bob.identified(connection)
        stream = await connection.open_stream("/small/1")
        sizes.clear()
        for _ in range(100):
            stream.write_nowait(b"x")
        await received.wait()
    assert max(sizes) > 100  # the other host may say something of its own before
    assert len(sizes) < 10


# Ends


async def test_close_sends_everything_and_both_ends_in_order() -> None:
    async with connected() as (near, far):
        dialed = await near.made
        dialed.write(bytes(1_000_000))
        dialed.close()
        assert dialed.is_closing()
        dialed.write(b"too late")
        assert await far.lost is None
        assert await near.lost is None
        assert len(far.received) == 1_000_000
        assert (near.ends, far.ends) == (0, 1)


async def test_write_eof_still_takes_what_was_under_way() -> None:
    async with connected() as (near, far):
        dialed, accepted = await near.made, await far.made
        assert dialed.can_write_eof()
        accepted.write(b"under way")
        dialed.write(b"last")
        dialed.write_eof()
        dialed.write_eof()
        with pytest.raises(RuntimeError):
            dialed.write(b"more")
        assert await far.lost is None
        assert await near.lost is None
        assert (far.received, near.received) == (b"last", b"under way")
        assert (near.ends, far.ends) == (1, 1)


async def test_abort_ends_at_once_and_is_an_error_for_the_other() -> None:
    async with connected() as (near, far):
        (await near.made).abort()
        assert await near.lost is None
        assert isinstance(await far.lost, ConnectionResetError)


async def test_ending_twice_ends_once() -> None:
    async with connected() as (near, _):
        dialed = await near.made
        for _ in range(2):
            dialed.close()
            dialed.write_eof()
            dialed.abort()
        assert await near.lost is None


async def test_a_peer_that_does_not_close_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe_module, "CLOSE_PATIENCE", 0.05)
    far = Recorder()
    async with raw_client(far) as (reader, _):
        (await far.made).close()
        assert await reader.readexactly(4) == b"\x88\x02\x03\xe8"
        assert await far.lost is None
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(1)


async def test_a_peer_that_does_not_read_cannot_put_off_our_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe_module, "CLOSE_PATIENCE", 0.05)
    async with connected() as (near, far):
        (await far.made).pause_reading()
        while near.writing:
            (await near.made).write(bytes(100_000))
            await asyncio.sleep(0)
        (await near.made).close()
        assert await near.lost is None


@pytest.mark.parametrize(("code", "orderly"), [(1000, True), (1001, True), (1011, False)])
async def test_close_codes_are_ends_or_errors(code: int, orderly: bool) -> None:
    far = Recorder()
    async with raw_client(far) as (reader, writer):
        payload = struct.pack("!H", code)
        writer.write(frame(2, b"last") + frame(8, payload))
        assert await reader.read() == b"\x88\x02" + payload
        error = await far.lost
    assert (error is None) is orderly
    assert far.ends == orderly
    assert far.received == b"last"


async def test_an_end_without_a_close_is_an_error() -> None:
    far = Recorder()
    async with raw_client(far) as (_, writer):
        writer.write(frame(2, b"last"))
        writer.write_eof()
        assert isinstance(await far.lost, ConnectionResetError)
    assert far.received == b"last"
    assert far.ends == 0


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (frame(1, b"text"), 1003),
        (b"\x82\x01x", 1002),
        (b"\x82\xff" + struct.pack("!Q", 1024 * 1024 + 1), 1009),
        (frame(9, b"") * 200, 1008),
    ],
    ids=["text", "without a mask", "too large", "flood"],
)
async def test_a_violation_is_told_to_both_sides(wire: bytes, code: int) -> None:
    far = Recorder()
    async with raw_client(far) as (reader, writer):
        writer.write(frame(2, b"fine") + wire)
        assert struct.pack("!H", code) in await reader.read()
        assert isinstance(await far.lost, RemoteProtocolError)
    assert far.received == b"fine"


# The handshake


async def test_a_slow_handshake_frees_its_place() -> None:
    far = Recorder()
    async with raw_client(far, WebSocketOptions(handshake=0.05), request=REQUEST[:-1]) as (reader, _):
        assert isinstance(await far.lost, TimeoutError)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(1)


async def test_the_handshake_has_no_deadline_once_it_is_done() -> None:
    far = Recorder()
    async with raw_client(far, WebSocketOptions(handshake=0.05)) as (_, writer):
        await asyncio.sleep(0.1)
        writer.write(frame(2, b"late"))
        await far.has(4)
        far.made.result().abort()
        await far.lost


async def test_what_is_no_http_ends_the_connection_with_an_error() -> None:
    far = Recorder()
    async with raw_client(far, request=b"\x13/multistream/1.0.0\n\r\n") as (reader, _):
        assert await reader.read() == b""
        assert "HTTP" in str(await far.lost)


async def test_a_browser_that_comes_by_gets_an_answer() -> None:
    far = Recorder()
    async with raw_client(far, request=b"GET / HTTP/1.1\r\nHost: a.test\r\n") as (reader, writer):
        writer.write(b"\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
        assert isinstance(await far.lost, ConnectionError)


@asynccontextmanager
async def server(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> AsyncIterator[Any]:
    """The WebSocket address of a server that is none."""

    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await answer(reader, writer)
        writer.close()
        over.set()

    serving = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = serving.sockets[0].getsockname()[1]
    try:
        yield parse(f"/ip4/127.0.0.1/tcp/{port}/ws")
        await over.wait()
    finally:
        serving.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"),
        (b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", "302"),
        (b"\x13/multistream/1.0.0\n\r\n", "HTTP"),
        (b"", "HTTP"),
    ],
    ids=["404", "redirect", "multistream", "nothing"],
)
async def test_a_dial_of_what_is_no_websocket_says_so(answer: bytes, words: str) -> None:
    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    def nobody() -> Recorder:
        raise AssertionError("there is no connection")

    async with server(send) as address:
        with pytest.raises(OSError, match=words):
            await WebSocketTransport().dial(address, nobody)


async def test_a_server_that_says_nothing_is_given_up() -> None:
    async def wait(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        with suppress(ConnectionResetError):
            await reader.read()

    async with server(wait) as address:
        with pytest.raises(TimeoutError, match="handshake"):
            await WebSocketTransport(WebSocketOptions(handshake=0.05)).dial(address, Recorder)


async def test_a_cancelled_dial_closes_its_socket() -> None:
    async def wait(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        with suppress(ConnectionResetError):
            await reader.read()

    async with server(wait) as address:
        patient = WebSocketTransport(WebSocketOptions(handshake=600))
        dial = asyncio.ensure_future(patient.dial(address, Recorder))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(dial, 0.05)
        # Leaving waits for the server, which waits for our end.


async def test_nobody_there_is_a_refused_connection() -> None:
    async with listening(Recorder()) as address:
        pass
    with pytest.raises(ConnectionRefusedError):
        await WebSocketTransport().dial(address, Recorder)


async def test_a_closed_listener_takes_nobody_and_drops_nobody() -> None:
    near, far = Recorder(), Recorder()
    async with listening(far) as address:
        await WebSocketTransport().dial(address, lambda: near)
    (await near.made).write(b"still here")
    await far.has(10)
    (await near.made).close()
    assert await far.lost is None
    assert await near.lost is None


def test_a_pipe_is_an_asyncio_transport() -> None:
    assert issubclass(WebSocketPipe, asyncio.Transport)
