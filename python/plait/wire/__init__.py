"""Protobuf messages, as typed objects over the native module.

Purpose: encode and decode the messages that Python rooms need, each with a bound on its size.
Takes: bytes from a peer or a file; fields to send.
Gives: `KeyType`, `IdentifyMessage`, `EnvelopeMessage`, `PeerRecordMessage` and the key functions.
May look at: _core, exceptions, types.
"""

from plait.wire.envelope import EnvelopeMessage, PeerRecordMessage
from plait.wire.identify import IdentifyMessage
from plait.wire.keys import (
    KeyType,
    decode_private_key,
    decode_public_key,
    encode_private_key,
    encode_public_key,
)

__all__ = [
    "EnvelopeMessage",
    "IdentifyMessage",
    "KeyType",
    "PeerRecordMessage",
    "decode_private_key",
    "decode_public_key",
    "encode_private_key",
    "encode_public_key",
]
