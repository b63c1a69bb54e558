"""What two peers tell each other about themselves."""

from __future__ import annotations

from typing import NamedTuple

from plait import _core
from plait.types import Buffer

__all__ = ["IdentifyMessage"]


class IdentifyMessage(NamedTuple):
    """Content of an identify exchange; everything in it is a claim of the sender.

    Attributes:
        public_key: the sender's key as a protobuf.
        listen_addrs: binary multiaddrs where the sender says it can be reached.
        protocols: what the sender speaks.
        observed_addr: where the sender sees the receiver, as a binary multiaddr.
        protocol_version: by convention `"ipfs/0.1.0"`; means nothing any more.
        agent_version: the sender's software.
        signed_peer_record: the sender's addresses in a signed envelope.
    """

    public_key: bytes | None = None
    listen_addrs: tuple[bytes, ...] = ()
    protocols: tuple[str, ...] = ()
    observed_addr: bytes | None = None
    protocol_version: str | None = None
    agent_version: str | None = None
    signed_peer_record: bytes | None = None

    @classmethod
    def decode(cls, messages: Buffer) -> IdentifyMessage:
        """Everything that was read until the peer's end: one or more messages, merged.

        Raises `RemoteProtocolError` when it is malformed or too large.
        """
        key, addresses, protocols, observed, version, agent, record = _core.decode_identify(messages)
        return cls(
            public_key=key,
            listen_addrs=tuple(addresses),
            protocols=tuple(protocols),
            observed_addr=observed,
            protocol_version=version,
            agent_version=agent,
            signed_peer_record=record,
        )

    def encode(self) -> bytes:
        """What is written to the stream: one message or two, each with its length in front.

        Raises `LimitError` when it is more than others read.
        """
        return _core.encode_identify(
            self.public_key,
            self.listen_addrs,
            self.protocols,
            self.observed_addr,
            self.protocol_version,
            self.agent_version,
            self.signed_peer_record,
        )
