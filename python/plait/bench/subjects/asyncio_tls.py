"""What a Python programmer would pick instead: `asyncio.open_connection(ssl=…)`.

The certificate is made for the occasion; the dialer trusts it and nothing else. A pipe is a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

from plait.bench.results import Subject
from plait.bench.subjects.loops import BEST
from plait.bench.subjects.pipe_each import PipeEach

if TYPE_CHECKING:
    from plait.bench.subjects.ends import Answer, Dialer

__all__ = ["AsyncioTlsEnds"]

# asyncio's TLS cannot end one half. What nothing else sends stands for it.
END = bytes.fromhex("d7a24f1e83c65b90aa3c71e8059bd246")
# Of asyncio's stream reader; twice as much may be held before it stops the socket.
READ_LIMIT = 256 * 1024
# Longer than any run.
VALID = timedelta(days=2)


@dataclass(frozen=True)
class AsyncioTlsEnds:
    """TLS 1.3 with asyncio's streams, on either loop."""

    loop: str = BEST

    @property
    def shares_memory(self) -> bool:
        return False

    @property
    def subject(self) -> Subject:
        return Subject("asyncio-tls", "tcp", "tls", loop=self.loop)

    @asynccontextmanager
    async def serve(self, answer: Answer) -> AsyncIterator[str]:
        certificate, key = _self_signed()
        context = _server_context(certificate, key)
        pipes: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(_serve(_Pipe(reader, writer), answer))
            pipes.add(task)
            task.add_done_callback(pipes.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context, limit=READ_LIMIT)
        try:
            yield f"{server.sockets[0].getsockname()[1]} {certificate.hex()}"
        finally:
            server.close()
            for task in pipes:
                task.cancel()
            await asyncio.gather(*pipes, return_exceptions=True)
            # uvloop closes the descriptor in the next turn.
            await asyncio.sleep(0)

    @asynccontextmanager
    async def dialer(self, address: str) -> AsyncIterator[Dialer]:
        port, _, certificate = address.partition(" ")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(cadata=bytes.fromhex(certificate).decode())
        yield _Dialer(int(port), context)


class _Dialer:
    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._port = port
        self._context = context

    async def connect(self) -> PipeEach:
        return PipeEach(await self._pipe(), self._pipe)

    async def _pipe(self) -> _Pipe:
        return _Pipe(
            *await asyncio.open_connection("127.0.0.1", self._port, ssl=self._context, limit=READ_LIMIT)
        )


class _Pipe:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        # What may be the beginning of the end.
        self._held = b""
        self._ended = False

    async def read(self, n: int) -> bytes:
        while not self._ended:
            data = self._held + await self._reader.read(n)
            if len(data) == len(self._held) or data.endswith(END):
                self._ended = True
                data, self._held = data.removesuffix(END), b""
                return data
            # An end may come in two pieces; nothing that is sent here ends like the beginning of one.
            held = _beginning(data) if data[-1] in END else 0
            data, self._held = data[: len(data) - held], data[len(data) - held :]
            if data:
                return data
        return b""

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def write_eof(self) -> None:
        await self.write(END)

    async def close(self) -> None:
        self._writer.close()
        # The other end may have gone first, in whatever way.
        with contextlib.suppress(OSError, ssl.SSLError):
            await self._writer.wait_closed()

    def reset(self) -> None:
        self._writer.transport.abort()


def _beginning(data: bytes) -> int:
    """How many bytes at the end of `data` could be the first of `END`."""
    return next((size for size in range(len(END) - 1, 0, -1) if data.endswith(END[:size])), 0)


async def _serve(pipe: _Pipe, answer: Answer) -> None:
    # A dialer that goes away in the middle is its affair.
    with contextlib.suppress(OSError, EOFError):
        try:
            await answer(pipe)
        finally:
            await pipe.close()


def _server_context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # It takes a certificate from a file only.
    with tempfile.TemporaryDirectory() as folder:
        chain = Path(folder, "chain.pem")
        chain.write_bytes(key + certificate)
        context.load_cert_chain(chain)
    return context


def _self_signed() -> tuple[bytes, bytes]:
    """A certificate for loopback and its key, in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "plait bench")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - VALID)
        .not_valid_after(now + VALID)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
