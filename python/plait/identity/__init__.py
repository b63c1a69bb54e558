"""Who a peer is: keys, peer ids, and what is signed with a key.

Purpose: make, read, write and check identities.
Takes: key files, key protobufs, PEM and DER, peer ids as text or bytes, signed envelopes.
Gives: `KeyPair`, `PublicKey`, `KeyType`, `PeerId`, `SignedEnvelope`, `PeerRecord`, `PeerRecordSigner`.
May look at: wire, _core, exceptions, types.
"""

from plait.identity.envelope import SignedEnvelope
from plait.identity.keys import KeyPair, PublicKey
from plait.identity.peer_id import PeerId
from plait.identity.peer_record import PeerRecord, PeerRecordSigner
from plait.wire import KeyType

__all__ = [
    "KeyPair",
    "KeyType",
    "PeerId",
    "PeerRecord",
    "PeerRecordSigner",
    "PublicKey",
    "SignedEnvelope",
]
