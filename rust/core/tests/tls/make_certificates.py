"""Writes certificates.txt: libp2p certificates of one identity, signed with every algorithm in turn.

Needs nothing but `cryptography`. All keys but the identity's are new each time.
"""

from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

OID = x509.ObjectIdentifier("1.3.6.1.4.1.53594.1.1")
IDENTITY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)


def der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    return bytes([tag, 0x81, length]) + content


def extension(key: CertificateIssuerPrivateKeyTypes) -> bytes:
    info = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    raw = IDENTITY.public_key().public_bytes_raw()
    signature = IDENTITY.sign(b"libp2p-tls-handshake:" + info)
    return der(0x30, der(4, bytes([8, 1, 18, 32]) + raw) + der(4, signature))


def certificate(
    key: CertificateIssuerPrivateKeyTypes,
    algorithm: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None,
    rsa_padding: padding.PSS | None = None,
) -> bytes:
    name = x509.Name([])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(1975, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(4096, 1, 1, tzinfo=UTC))
        .add_extension(x509.UnrecognizedExtension(OID, extension(key)), critical=True)
    )
    signed = builder.sign(key, algorithm, rsa_padding=rsa_padding)
    return signed.public_bytes(serialization.Encoding.DER)


def main() -> None:
    rsa_2048 = rsa.generate_private_key(65537, 2048)
    rsa_1024 = rsa.generate_private_key(65537, 1024)
    p256, p384, p521 = (
        ec.generate_private_key(curve) for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
    )
    sha256, sha384, sha512 = hashes.SHA256(), hashes.SHA384(), hashes.SHA512()

    def pss(algorithm: hashes.HashAlgorithm, salt: int) -> padding.PSS:
        return padding.PSS(padding.MGF1(algorithm), salt)

    rows = [
        ("accepted", "p256-sha256", certificate(p256, sha256)),
        ("accepted", "p384-sha384", certificate(p384, sha384)),
        ("accepted", "ed25519", certificate(ed25519.Ed25519PrivateKey.generate(), None)),
        ("accepted", "rsa-pkcs1-sha256", certificate(rsa_2048, sha256)),
        ("accepted", "rsa-pkcs1-sha384", certificate(rsa_2048, sha384)),
        ("accepted", "rsa-pkcs1-sha512", certificate(rsa_2048, sha512)),
        ("accepted", "rsa-pss-sha256", certificate(rsa_2048, sha256, pss(sha256, 32))),
        ("accepted", "rsa-pss-sha384", certificate(rsa_2048, sha384, pss(sha384, 48))),
        ("accepted", "rsa-pss-sha512", certificate(rsa_2048, sha512, pss(sha512, 64))),
        ("algorithm", "p384-sha256", certificate(p384, sha256)),
        ("algorithm", "p256-sha384", certificate(p256, sha384)),
        ("algorithm", "p521-sha512", certificate(p521, sha512)),
        ("algorithm", "ed448", certificate(ed448.Ed448PrivateKey.generate(), None)),
        ("algorithm", "secp256k1-sha256", certificate(ec.generate_private_key(ec.SECP256K1()), sha256)),
        ("signature", "rsa-1024", certificate(rsa_1024, sha256)),
    ]
    lines = [f"{verdict} {name} {encoded.hex()}\n" for verdict, name, encoded in rows]
    Path(__file__).with_name("certificates.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
