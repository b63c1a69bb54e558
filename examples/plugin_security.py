"""A security protocol of one's own: each record is signed with the identity, and nothing is encrypted.

NOT SECURE: everybody on the path reads everything. It shows where such code goes, in the fewest lines that
still prove who is there and let nothing through that was changed.

    python examples/plugin_security.py
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator, Sequence

import plait
from plait.abc import Secured


class SignedOnly:
    """The plug-in. It keeps nothing, so one object serves any number of hosts."""

    protocol = "/example/signed-only/1.0.0"

    def begin(
        self, identity: plait.KeyPair, role: str, expected: plait.PeerId | None, muxers: Sequence[str]
    ) -> Handshake:
        return Handshake(identity, role, muxers)


class Handshake:
    """Each side says hello, with its key and a number used once; its first signature covers both hellos."""

    def __init__(self, identity: plait.KeyPair, role: str, muxers: Sequence[str]) -> None:
        key = identity.public_key.to_protobuf().hex()
        hello = {"key": key, "once": secrets.token_hex(16), "muxers": list(muxers)}
        self.identity, self.role = identity, role
        self.hello = json.dumps(hello).encode()
        self.out = framed(self.hello)
        self.incoming = Frames()
        self.peer: plait.PublicKey | None = None
        self.muxers: Sequence[str] = ()
        self.channel: Channel | None = None

    def receive(self, data: bytes) -> Secured | None:
        self.incoming.push(data)
        if self.channel is None:
            hello = self.incoming.next()
            if hello is None:
                return None
            self.channel = self.meet(hello)
        # An empty record: whoever could sign it has the key, and means this connection.
        if self.peer is None or self.channel.open(self.incoming) is None:
            return None
        return Secured(self.peer, self.channel, unused=self.incoming.take(), remote_muxers=self.muxers)

    def meet(self, hello: bytes) -> Channel:
        said = json.loads(hello)
        self.peer = plait.PublicKey.from_protobuf(bytes.fromhex(said["key"]))
        self.muxers = [str(name) for name in said["muxers"]]
        both = (self.hello, hello) if self.role == "initiator" else (hello, self.hello)
        channel = Channel(self.identity, self.peer, self.role, b"".join(framed(each) for each in both))
        self.out += channel.seal(b"")
        return channel

    def transmit(self) -> bytes:
        out, self.out = self.out, b""
        return out


class Channel:
    """Records: a signature, then what it is for."""

    def __init__(self, identity: plait.KeyPair, peer: plait.PublicKey, role: str, hellos: bytes) -> None:
        self.identity, self.peer = identity, peer
        self.roles = ("initiator", "responder") if role == "initiator" else ("responder", "initiator")
        self.hellos = hellos
        self.sent = self.received = 0
        self.incoming = Frames()

    def receive(self, data: bytes) -> Iterator[bytes]:
        self.incoming.push(data)
        while (plaintext := self.open(self.incoming)) is not None:
            yield plaintext

    def open(self, incoming: Frames) -> bytes | None:
        record = incoming.next()
        if record is None:
            return None
        length = int.from_bytes(record[:2], "big")
        signature, plaintext = record[2 : 2 + length], record[2 + length :]
        signed = self.signed(self.roles[1], self.received, plaintext)
        if len(signature) != length or not self.peer.verify(signed, signature):
            raise ValueError("a record that the peer did not sign")
        self.received += 1
        return plaintext

    def seal(self, plaintext: bytes) -> bytes:
        signature = self.identity.sign(self.signed(self.roles[0], self.sent, plaintext))
        self.sent += 1
        return framed(len(signature).to_bytes(2, "big") + signature + plaintext)

    def signed(self, role: str, number: int, plaintext: bytes) -> bytes:
        # Role and number: nothing can be sent back, twice, or in another order.
        return f"{SignedOnly.protocol} {role} {number} ".encode() + self.hellos + plaintext

    @property
    def has_partial(self) -> bool:
        return bool(self.incoming.buffer)


class Frames:
    """Four bytes of length, then so many bytes: what came of them, in any pieces."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def push(self, data: bytes) -> None:
        self.buffer += data

    def next(self) -> bytes | None:
        length = int.from_bytes(self.buffer[:4], "big")
        if length > MAX_FRAME:
            raise ValueError(f"a frame of {length} bytes")
        if len(self.buffer) < 4 + length or len(self.buffer) < 4:
            return None
        frame = bytes(self.buffer[4 : 4 + length])
        del self.buffer[: 4 + length]
        return frame

    def take(self) -> bytes:
        rest = bytes(self.buffer)
        self.buffer.clear()
        return rest


def framed(frame: bytes) -> bytes:
    return len(frame).to_bytes(4, "big") + frame


# A record of 32 KiB, its signature, and some.
MAX_FRAME = 40_000


async def main() -> None:
    config = plait.HostConfig(security=[SignedOnly()])
    async with plait.Host(config=config) as alice, plait.Host(config=config) as bob:

        @alice.handle("/shout/1.0.0")
        async def shout(stream: plait.Stream) -> None:
            async for chunk in stream:
                await stream.write(chunk.upper())

        async with bob.open_stream(alice.addresses[0], "/shout/1.0.0") as stream:
            await stream.write(b"hello")
            await stream.write_eof()
            print(await stream.read(), "over", stream.connection.security)


if __name__ == "__main__":
    asyncio.run(main())
