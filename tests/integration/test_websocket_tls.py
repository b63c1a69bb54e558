"""`/tls/ws`: certificates, names, and what an outer TLS does not prove."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import plait
from plait.addresses import host_port, split_peer
from plait.exceptions import DialError, PeerIdMismatchError
from plait.host import HostConfig
from plait.limits import Timeouts
from plait.testing import no_leaks
from plait.transports import WebSocketOptions
from plait.transports.websocket.framing import Framing
from plait.transports.websocket.tls import TlsLayer
from plait.upgrade import TLS

NAMED = "/ip4/127.0.0.1/tcp/0/tls/sni/localhost/ws"


@dataclass
class Certificates:
    """Of one authority that nobody else knows.

    Attributes:
        server: shows a certificate for `localhost`.
        by_address: shows one for 127.0.0.1.
        client: trusts the authority.
    """

    server: ssl.SSLContext
    by_address: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    key = ec.generate_private_key(ec.SECP256R1())
    authority = certificate("authority", key, key, "authority", [], is_authority=True)
    pem = authority.public_bytes(serialization.Encoding.PEM).decode()

    def server(kind: str, name: x509.GeneralName) -> ssl.SSLContext:
        own = ec.generate_private_key(ec.SECP256R1())
        shown = certificate(kind, own, key, "authority", [name])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(written(folder / kind, shown, own))
        return context

    return Certificates(
        server("name", x509.DNSName("localhost")),
        server("address", x509.IPAddress(ipaddress.ip_address("127.0.0.1"))),
        ssl.create_default_context(cadata=pem),
    )


def certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    issuer: str,
    names: list[x509.GeneralName],
    *,
    is_authority: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())


def written(path: Path, shown: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Path:
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(shown.public_bytes(pem) + plain)
    return path


def config(
    *,
    client: ssl.SSLContext | None = None,
    server: ssl.SSLContext | None = None,
    timeouts: Timeouts | None = None,
) -> HostConfig:
    options = WebSocketOptions(client_tls=client, server_tls=server)
    return HostConfig(websocket=options, timeouts=timeouts or Timeouts())


@asynccontextmanager
async def hosts(
    client: HostConfig, server: HostConfig, listen: str = NAMED
) -> AsyncIterator[tuple[plait.Host, plait.Host]]:
    async with no_leaks():
        async with (
            plait.Host(listen=listen, config=server) as alice,
            plait.Host(listen=(), config=client) as bob,
        ):
            yield alice, bob


def place_of(host: plait.Host) -> tuple[str, int]:
    endpoint = host_port(host.addresses[0])
    assert endpoint is not None
    return endpoint.host, endpoint.port


async def failure(bob: plait.Host, target: str) -> DialError:
    with pytest.raises(DialError) as caught:
        await bob.connect(target)
    return caught.value


# Hosts


@pytest.mark.parametrize("form", ["/tls/ws", "/wss"])
async def test_a_name_in_front_is_the_name_in_the_certificate(certificates: Certificates, form: str) -> None:
    client, server = config(client=certificates.client), config(server=certificates.server)
    async with hosts(client, server, "/ip4/127.0.0.1/tcp/0/wss") as (alice, bob):
        # Said in the one form that we write, whatever was asked for.
        assert split_peer(alice.addresses[0])[0].to_bytes().hex().endswith("c003dd03")
        target = f"/dns4/localhost/tcp/{place_of(alice)[1]}{form}/p2p/{alice.peer_id}"
        connection = await bob.connect(target)
        assert str(connection.remote_address).endswith("/tls/sni/localhost/ws")
        assert str(alice.connections[0].remote_address).endswith("/tls/ws")


async def test_streams_run_in_both_directions(certificates: Certificates) -> None:
    client, server = config(client=certificates.client), config(server=certificates.server)
    async with hosts(client, server) as (alice, bob):

        @alice.handle("/double/1")
        async def double(stream: plait.Stream) -> None:
            async for chunk in stream:
                await stream.write(chunk * 2)

        async with bob.open_stream(alice.addresses[0], "/double/1") as stream:
            sent = bytes(range(256)) * 4000

            async def send() -> None:
                await stream.write(sent)
                await stream.write_eof()

            sending = asyncio.ensure_future(send())
            received = await stream.read()
            await sending
        assert len(received) == 2 * len(sent)
        assert set(received) == set(sent)


async def test_a_certificate_for_another_name_is_refused(certificates: Certificates) -> None:
    client, server = config(client=certificates.client), config(server=certificates.server)
    async with hosts(client, server) as (alice, bob):
        error = await failure(bob, str(alice.addresses[0]).replace("localhost", "other.test"))
        assert isinstance(error.attempts[0].error, ssl.SSLCertVerificationError)
        assert "other.test" in str(error)


async def test_a_certificate_that_the_system_does_not_know_is_refused(certificates: Certificates) -> None:
    async with hosts(config(), config(server=certificates.server)) as (alice, bob):
        error = await failure(bob, str(alice.addresses[0]))
        assert isinstance(error.attempts[0].error, ssl.SSLCertVerificationError)


async def test_an_address_without_a_name_is_not_tried_with_the_systems_trust(
    certificates: Certificates,
) -> None:
    async with hosts(config(), config(server=certificates.server), "/ip4/127.0.0.1/tcp/0/wss") as (
        alice,
        bob,
    ):
        error = await failure(bob, str(alice.addresses[0]))
        assert error.attempts[0].stage == "check"


async def test_a_certificate_may_be_for_an_address(certificates: Certificates) -> None:
    client, server = config(client=certificates.client), config(server=certificates.by_address)
    async with hosts(client, server, "/ip4/127.0.0.1/tcp/0/tls/ws") as (alice, bob):
        await bob.connect(alice.addresses[0])
    wrong = config(server=certificates.server)
    async with hosts(client, wrong, "/ip4/127.0.0.1/tcp/0/tls/ws") as (alice, bob):
        error = await failure(bob, str(alice.addresses[0]))
        assert isinstance(error.attempts[0].error, ssl.SSLCertVerificationError)


async def test_who_checks_no_certificates_dials_without_a_name(certificates: Certificates) -> None:
    careless = ssl.create_default_context()
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    client, server = config(client=careless), config(server=certificates.server)
    async with hosts(client, server, "/ip4/127.0.0.1/tcp/0/tls/ws") as (alice, bob):
        await bob.connect(alice.addresses[0])


async def test_the_certificate_says_nothing_about_the_peer_id(certificates: Certificates) -> None:
    client, server = config(client=certificates.client), config(server=certificates.server)
    async with hosts(client, server) as (alice, bob):
        other = plait.KeyPair.generate().peer_id
        with pytest.raises(PeerIdMismatchError) as caught:
            await bob.connect(f"{split_peer(alice.addresses[0])[0]}/p2p/{other}")
        assert caught.value.actual == alice.peer_id


async def test_the_secure_channel_inside_may_be_tls_again(certificates: Certificates) -> None:
    client, server = config(client=certificates.client), config(server=certificates.server)
    client, server = (dataclasses.replace(each, security=[TLS]) for each in (client, server))
    async with hosts(client, server) as (alice, bob):
        connection = await bob.connect(alice.addresses[0])
        assert connection.security == TLS


async def test_a_name_that_cannot_be_one_is_a_failed_attempt(certificates: Certificates) -> None:
    client, server = config(client=certificates.client), config(server=certificates.server)
    async with hosts(client, server) as (alice, bob):
        for name in (".localhost", "ü" * 70):
            error = await failure(bob, str(alice.addresses[0]).replace("localhost", name))
            assert isinstance(error.attempts[0].error, OSError)


@pytest.mark.parametrize("listen", [NAMED, "/ip4/127.0.0.1/tcp/0/ws"])
async def test_who_connects_and_says_nothing_is_dropped(certificates: Certificates, listen: str) -> None:
    """TLS and HTTP are inside the deadline of the upgrade, and count as a handshake from the first packet."""
    short = config(server=certificates.server, timeouts=Timeouts(upgrade=0.1))
    async with hosts(config(), short, listen) as (alice, _):
        reader, writer = await asyncio.open_connection(*place_of(alice))
        assert await reader.read() == b""
        assert alice.stats()["upgrades_failed"] == 1
        writer.close()


async def test_plain_http_at_a_tls_listener_ends(certificates: Certificates) -> None:
    async with hosts(config(), config(server=certificates.server)) as (alice, _):
        reader, writer = await asyncio.open_connection(*place_of(alice))
        writer.write(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        # An alert: a version that is not spoken, or a record that is none.
        assert (await reader.read())[:1] in (b"", b"\x15")
        assert alice.stats()["upgrades_failed"] == 1
        writer.close()


async def test_a_tls_dial_of_a_plain_listener_is_an_error(certificates: Certificates) -> None:
    async with hosts(config(client=certificates.client), config(), "/ip4/127.0.0.1/tcp/0/ws") as (alice, bob):
        target = str(alice.addresses[0]).replace("/ws", "/tls/sni/localhost/ws")
        assert isinstance((await failure(bob, target)).attempts[0].error, OSError)


# The layer


def layers(certificates: Certificates) -> tuple[TlsLayer, TlsLayer]:
    return (
        TlsLayer(certificates.client, server_name="localhost"),
        TlsLayer(certificates.server, server_side=True),
    )


def test_a_handshake_may_come_byte_by_byte(certificates: Certificates) -> None:
    near, far = layers(certificates)
    while not (near.is_ready and far.is_ready):
        for source, target in ((near, far), (far, near)):
            for byte in source.take_output():
                assert target.receive(memoryview(bytes([byte]))) == b""
    near.send(bytes(100_000))
    assert far.receive(memoryview(near.take_output())) == bytes(100_000)
    near.close()
    far.receive(memoryview(near.take_output()))
    assert far.has_ended


def test_a_record_that_was_changed_is_an_error(certificates: Certificates) -> None:
    near, far = layers(certificates)
    while not (near.is_ready and far.is_ready):
        far.receive(memoryview(near.take_output()))
        near.receive(memoryview(far.take_output()))
    near.send(b"hello")
    sealed = bytearray(near.take_output())
    sealed[-1] ^= 1
    with pytest.raises(ssl.SSLError):
        far.receive(memoryview(sealed))
    assert not far.is_ready


async def test_a_handshake_cut_anywhere_is_an_error_in_time(certificates: Certificates) -> None:
    """The listener's side of TLS and HTTP; every seventh byte, so that each field is cut somewhere."""
    flight = bytearray()

    async def relay(listener: tuple[str, int], cut: int) -> None:
        """Dials with a real peer's bytes, of which only the first `cut` go through."""
        near, framing = TlsLayer(certificates.client, server_name="localhost"), None
        reader, writer = await asyncio.open_connection(*listener)
        sent = 0
        flight.clear()
        while sent < cut:
            data = near.take_output()
            if near.is_ready and framing is None:
                framing = Framing.dial(
                    "localhost", 443, is_secure=True, max_frame=1 << 20, clock=asyncio.get_running_loop().time
                )
                for piece in framing.take_output():
                    near.send(piece)
                data += near.take_output()
            if not data and framing is not None:
                break
            flight.extend(data)
            writer.write(data[: cut - sent])
            sent += len(data)
            if not near.is_ready and sent < cut:
                near.receive(memoryview(await reader.read(65536)))
        writer.write_eof()
        while await reader.read(65536):
            pass
        writer.close()

    async with hosts(config(), config(server=certificates.server)) as (alice, _):
        await relay(place_of(alice), 1 << 20)
        whole = len(flight)
        failed = alice.stats()["upgrades_failed"]
        for cut in range(0, whole, 7):
            await relay(place_of(alice), cut)
            failed += 1
            assert alice.stats()["upgrades_failed"] == failed
