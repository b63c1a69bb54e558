"""Up to the secure channel: multistream-select and the Noise handshake."""

from __future__ import annotations

import os
import time

from client import (
    HEADER,
    LS,
    NA,
    NOISE,
    PATIENCE,
    SYN,
    EndedError,
    Mux,
    UnexpectedError,
    Wire,
    dial,
    header,
    message,
)
from client import PING as PING_FRAME
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from noise import (
    DOMAIN,
    YAMUX,
    Identity,
    Initiator,
    field_bytes,
    field_varint,
    frame,
    make_payload,
    raw,
    varint,
)
from registry import case, family

Address = tuple[str, int]


def finish(wire: Wire) -> None:
    """The rest of an honest upgrade, and a look whether it serves."""
    Mux(wire.handshake()).echo()


# ---- multistream-select: awkward, to be served


@case("awkward", "header and proposal each after the answer to the last")
def one_by_one(address: Address) -> None:
    with Wire(address) as wire:
        wire.send(HEADER)
        wire.expect(HEADER)
        wire.send(NOISE)
        wire.expect(NOISE)
        finish(wire)


@case("awkward", "negotiation byte by byte")
def byte_by_byte(address: Address) -> None:
    with Wire(address) as wire:
        wire.send_pieces(bytes([byte]) for byte in HEADER + NOISE)
        wire.expect(HEADER + NOISE)
        finish(wire)


@case("awkward", "negotiation and first handshake message in one segment, split at every byte")
def every_split(address: Address) -> None:
    for offset in range(1, len(HEADER + NOISE) + 34):
        with Wire(address) as wire:
            initiator = Initiator()
            whole = HEADER + NOISE + frame(initiator.first())
            wire.send_pieces((whole[:offset], whole[offset:]))
            wire.expect(HEADER + NOISE)
            initiator.second(wire.take_message())
            wire.send(frame(initiator.third(initiator.payload())))
            Mux(wire.secure(initiator)).ping()


@case("awkward", "several unknown proposals, one after the other")
def several_proposals(address: Address) -> None:
    with Wire(address) as wire:
        wire.send(HEADER)
        wire.expect(HEADER)
        for name in ("/tls/2.0.0", "/plaintext/2.0.0", "/noise/ik", "/x" * 200):
            wire.send(message(name))
            wire.expect(NA)
        wire.send(NOISE)
        wire.expect(NOISE)
        finish(wire)


@case("awkward", "several unknown proposals in one segment")
def pipelined_proposals(address: Address) -> None:
    with Wire(address) as wire:
        wire.send(HEADER + message("/tls/2.0.0") + message("/plaintext/2.0.0") + NOISE)
        wire.expect(HEADER + NA + NA + NOISE)
        finish(wire)


@case("awkward", "fifteen refusals")
def fifteen_refusals(address: Address) -> None:
    with Wire(address) as wire:
        wire.send(HEADER + message("/no") * 15 + NOISE)
        wire.expect(HEADER + NA * 15 + NOISE)
        finish(wire)


@case("awkward", "ls, then a proposal")
def list_first(address: Address) -> None:
    with Wire(address) as wire:
        wire.send(HEADER + LS)
        wire.expect(HEADER)
        length = wire.take(1)[0]
        answer = wire.take(length)
        if answer != b"na\n" and NOISE not in answer:
            raise UnexpectedError(f"ls gave {answer!r}")
        wire.send(NOISE)
        wire.expect(NOISE)
        finish(wire)


@case("awkward", "the header twice")
def header_twice(address: Address) -> None:
    with Wire(address) as wire:
        wire.send(HEADER + HEADER + NOISE)
        wire.expect(HEADER + HEADER + NOISE)
        finish(wire)


@case("awkward", "a proposal of the greatest length")
def longest_proposal(address: Address) -> None:
    with Wire(address) as wire:
        wire.send(HEADER + message("/" + "x" * 1022) + NOISE)
        wire.expect(HEADER + NA + NOISE)
        finish(wire)


# ---- multistream-select: illegal, ends this connection


@family(
    "illegal negotiation",
    {
        "a header of another version": message("/multistream/2.0.0") + NOISE,
        "a proposal without a header": NOISE,
        "a message of 1025 bytes": HEADER + varint(1025) + b"/" * 1024 + b"\n",
        "a length of 2^62": HEADER + varint(1 << 62),
        "a length that is not minimal": b"\x93\x00" + HEADER[1:] + NOISE,
        "a length of ten bytes": b"\x80" * 9 + b"\x01",
        "an empty message": HEADER + b"\x00",
        "a message without a line end": HEADER + b"\x07/noisex",
        "a name that is not UTF-8": HEADER + b"\x05/\xff\xfe\xc0\n" + b"\x81\x00",
        "a line end inside a name": HEADER + b"\x08/no\nise\n" + b"\x81\x00",
        "thirty refusals": HEADER + message("/no") * 30,
        "ls for ever": HEADER + LS * 300,
        "the header for ever": HEADER * 300,
        "HTTP": b"GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: a browser of some kind\r\n\r\n",
        "TLS": b"\x16\x03\x01\x02\x00" + b"\x01" * 512,
        "zeros": bytes(4096),
        "ones": b"\xff" * 4096,
        "a mebibyte of noise": b"\xfe" + os.urandom(1 << 20),
    },
)
def illegal_negotiation(address: Address, sent: bytes) -> None:
    with Wire(address) as wire:
        try:
            wire.send(sent)
        except ConnectionError:
            return
        wire.expect_end(most=8192)


@case("illegal negotiation", "our end after every byte")
def end_after_every_byte(address: Address) -> None:
    whole = HEADER + NOISE + frame(Initiator().first())
    for offset in range(len(whole)):
        with Wire(address) as wire:
            wire.send(whole[:offset])
            wire.end()
            wire.expect_end()


@case("abort", "reset after every byte of the negotiation")
def reset_after_every_byte(address: Address) -> None:
    whole = HEADER + NOISE + frame(Initiator().first())
    for offset in range(len(whole) + 1):
        wire = Wire(address)
        wire.send(whole[:offset])
        wire.abort()


# ---- the handshake: awkward, to be served


@case("awkward", "third handshake message byte by byte")
def third_byte_by_byte(address: Address) -> None:
    with Wire(address) as wire:
        wire.negotiate()
        initiator = Initiator()
        wire.send_pieces(bytes([byte]) for byte in frame(initiator.first()))
        initiator.second(wire.take_message())
        third = frame(initiator.third(initiator.payload()))
        wire.send_pieces((bytes([byte]) for byte in third), pause=0.0003)
        Mux(wire.secure(initiator)).echo()


@case("awkward", "third handshake message and first frames in one segment")
def third_with_frames(address: Address) -> None:
    with Wire(address) as wire:
        wire.negotiate()
        initiator = Initiator()
        wire.send(frame(initiator.first()))
        initiator.second(wire.take_message())
        third = frame(initiator.third(initiator.payload()))
        secure = wire.secure(initiator)
        wire.send(third + secure.record(header(PING_FRAME, SYN, 0, 5)))
        mux = Mux(secure)
        mux.until(lambda: mux.pongs == [5])
        mux.echo()


@family("awkward", {f"an identity of kind {kind}": kind for kind in Identity.KINDS})
def identity_kind(address: Address, kind: str) -> None:
    mux = dial(address, Identity(kind))
    with mux.wire:
        mux.echo()


@family(
    "awkward",
    {
        "no early muxer": (),
        "an early muxer among others": ("/mplex/6.7.0", YAMUX, "/unknown/1"),
    },
)
def early_muxer(address: Address, muxers: tuple[str, ...]) -> None:
    with Wire(address) as wire:
        wire.negotiate()
        secure = wire.handshake(muxers=muxers)
        if not muxers:
            secure.send(HEADER + message(YAMUX))
            secure.expect(HEADER + message(YAMUX))
        Mux(secure).echo()


@case("awkward", "muxer negotiated byte by byte, each in a record of its own")
def muxer_byte_by_byte(address: Address) -> None:
    with Wire(address) as wire:
        wire.negotiate()
        secure = wire.handshake(muxers=())
        for byte in HEADER + message(YAMUX):
            secure.send(bytes([byte]))
        secure.expect(HEADER + message(YAMUX))
        Mux(secure).echo()


@case("awkward", "muxer refused, then accepted, with frames behind the proposal")
def muxer_pipelined(address: Address) -> None:
    with Wire(address) as wire:
        wire.negotiate()
        secure = wire.handshake(muxers=())
        secure.send(HEADER + message("/mplex/6.7.0"))
        secure.expect(HEADER + NA)
        secure.send(message(YAMUX) + header(PING_FRAME, SYN, 0, 9))
        secure.expect(message(YAMUX))
        mux = Mux(secure)
        mux.until(lambda: mux.pongs == [9])
        mux.echo()


@family(
    "awkward",
    {
        "unknown fields in the payload": field_bytes(3, b"old data") + field_varint(99, 1 << 63),
        "certificate hashes in the extensions": field_bytes(4, field_bytes(1, b"h" * 34)),
        "unknown fields in the extensions": field_bytes(4, field_bytes(1025, b"experiment")),
        "four KiB of unknown fields": field_bytes(200, bytes(4096)),
    },
)
def payload_extras(address: Address, extra: bytes) -> None:
    with Wire(address) as wire:
        wire.negotiate()
        initiator = Initiator()
        wire.send(frame(initiator.first()))
        initiator.second(wire.take_message())
        wire.send(frame(initiator.third(initiator.payload() + extra)))
        Mux(wire.secure(initiator)).echo()


# ---- the handshake: illegal, ends this connection and says nothing about why

SMALL_ORDER = {
    "zero": bytes(32),
    "one": b"\x01" + bytes(31),
    "order eight": bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    "another of order eight": bytes.fromhex(
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"
    ),
    "p - 1": b"\xec" + b"\xff" * 30 + b"\x7f",
    "p": b"\xed" + b"\xff" * 30 + b"\x7f",
    "p + 1": b"\xee" + b"\xff" * 30 + b"\x7f",
}


@family(
    "illegal handshake", {f"ephemeral key of small order: {name}": key for name, key in SMALL_ORDER.items()}
)
def small_order(address: Address, key: bytes) -> None:
    with Wire(address) as wire:
        wire.negotiate()
        wire.send(frame(key))
        # What it could answer would be sealed with a key that everybody knows.
        if wire.expect_end():
            raise UnexpectedError("a shared secret of zero was accepted")


@family(
    "illegal handshake",
    {
        "an empty first message": frame(b""),
        "a first message that is too short": frame(bytes(range(31))),
        "a payload in the first message": frame(raw(X25519PrivateKey.generate()) + b"hello"),
    },
)
def illegal_first(address: Address, sent: bytes) -> None:
    with Wire(address) as wire:
        wire.negotiate()
        wire.send(sent)
        if wire.expect_end():
            raise UnexpectedError("it was answered")


def bad_payloads(initiator: Initiator) -> dict[str, bytes]:
    identity, static = initiator.identity, raw(initiator.static)
    signature = identity.sign(DOMAIN + static)
    other = Identity()
    flipped = signature[:10] + bytes([signature[10] ^ 1]) + signature[11:]
    return {
        "nothing": b"",
        "no protobuf": b"\xff" * 40,
        "no key": make_payload(None, signature),
        "no signature": make_payload(identity.public, None),
        "an empty signature": make_payload(identity.public, b""),
        "a flipped signature": make_payload(identity.public, flipped),
        "a signature of another static key": make_payload(identity.public, identity.sign(DOMAIN + bytes(32))),
        "a signature without the domain": make_payload(identity.public, identity.sign(static)),
        "another identity's key": make_payload(other.public, signature),
        "a key of an unknown kind": make_payload(field_varint(1, 77) + identity.public[2:], signature),
        "a key that is too short": make_payload(field_varint(1, 1) + field_bytes(2, bytes(31)), signature),
        "a key without data": make_payload(field_varint(1, 1), signature),
        "a length that leads out of it": b"\x0a\xff\xff\x7f" + identity.public,
        "twenty KiB of it": make_payload(identity.public, signature, extra=field_bytes(200, bytes(20_000))),
        "as much as fits": make_payload(identity.public, signature, extra=field_bytes(200, bytes(65_000))),
        "only muxers we do not speak": initiator.payload(("/mplex/6.7.0", "/unknown/1")),
    }


@family("illegal handshake", {f"payload: {name}": name for name in bad_payloads(Initiator())})
def illegal_payload(address: Address, name: str) -> None:
    with Wire(address) as wire:
        wire.negotiate()
        initiator = Initiator()
        wire.send(frame(initiator.first()))
        initiator.second(wire.take_message())
        wire.send(frame(initiator.third(bad_payloads(initiator)[name])))
        if wire.expect_end():
            raise UnexpectedError("it was told why")


@case("illegal handshake", "a small RSA key")
def small_rsa(address: Address) -> None:
    with Wire(address) as wire:
        wire.negotiate()
        wire.handshake(Initiator(identity=Identity("rsa", bits=1024)))
        if wire.expect_end():
            raise UnexpectedError("it was accepted")


@case("illegal handshake", "a signature of all zeros for each kind of key")
def zero_signatures(address: Address) -> None:
    for kind in Identity.KINDS:
        with Wire(address) as wire:
            wire.negotiate()
            initiator = Initiator(identity=Identity(kind))
            wire.send(frame(initiator.first()))
            initiator.second(wire.take_message())
            length = len(initiator.identity.sign(b"x"))
            wire.send(frame(initiator.third(make_payload(initiator.identity.public, bytes(length)))))
            wire.expect_end()


@case("illegal handshake", "one flipped bit anywhere in the third message")
def flipped_third(address: Address) -> None:
    for offset in range(0, 180, 9):
        with Wire(address) as wire:
            wire.negotiate()
            initiator = Initiator()
            wire.send(frame(initiator.first()))
            initiator.second(wire.take_message())
            third = bytearray(initiator.third(initiator.payload()))
            third[offset] ^= 4
            wire.send(frame(bytes(third)))
            if wire.expect_end():
                raise UnexpectedError(f"it was told why, at {offset}")


@case("illegal handshake", "a third message cut short, and its end")
def short_third(address: Address) -> None:
    for keep in (0, 1, 47, 48, 63, 64, 100):
        with Wire(address) as wire:
            wire.negotiate()
            initiator = Initiator()
            wire.send(frame(initiator.first()))
            initiator.second(wire.take_message())
            wire.send(frame(initiator.third(initiator.payload())[:keep]))
            if wire.expect_end():
                raise UnexpectedError(f"it was told why, at {keep}")


@case("illegal handshake", "the first message again instead of the third")
def first_again(address: Address) -> None:
    with Wire(address) as wire:
        wire.negotiate()
        first = frame(Initiator().first())
        wire.send(first)
        wire.take_message()
        wire.send(first)
        wire.expect_end()


@case("illegal handshake", "our end inside a handshake message")
def end_in_handshake(address: Address) -> None:
    for keep in (1, 2, 20):
        with Wire(address) as wire:
            wire.negotiate()
            wire.send(frame(Initiator().first())[:keep])
            wire.end()
            wire.expect_end()


# ---- slots


@case("flood", "two hundred connections that say nothing")
def half_open(address: Address, prefix: bytes = b"") -> None:
    wires = [Wire(address) for _ in range(200)]
    try:
        for wire in wires:
            wire.send(prefix)
        begin = time.monotonic()
        honest = dial(address)
        with honest.wire:
            honest.echo()
        if time.monotonic() - begin > PATIENCE:
            raise UnexpectedError("an honest peer had to wait for the silent ones")
    except (EndedError, ConnectionError) as error:
        raise UnexpectedError("an honest peer was refused because of the silent ones") from error
    finally:
        for wire in wires:
            wire.socket.close()


@case("flood", "two hundred handshakes that stop in the middle")
def half_handshakes(address: Address) -> None:
    half_open(address, HEADER + NOISE + frame(Initiator().first()))


@case("flood", "three hundred connections")
def many_connections(address: Address) -> None:
    identity = Identity()
    held = []
    try:
        for _ in range(300):
            held.append(dial(address, identity))
        for mux in held[::30]:
            mux.echo()
    finally:
        for mux in held:
            mux.wire.socket.close()


@case("flood", "five hundred connections, each reset at once")
def connect_and_reset(address: Address) -> None:
    for _ in range(500):
        Wire(address).abort()
