"""The name of a peer: the multihash of its public key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plait import _core
from plait.exceptions import InvalidPeerIdError
from plait.identity import multibase
from plait.types import Buffer

if TYPE_CHECKING:
    from plait.identity.keys import PublicKey

__all__ = ["PeerId"]


class PeerId:
    """Who a peer is, whatever its address. Immutable, hashable, equal when the bytes are equal.

    Args:
        multihash: an identity multihash of at most 42 bytes, or a SHA-256 one.

    Raises:
        InvalidPeerIdError: the bytes are something else.
    """

    __slots__ = ("_multihash", "_text")

    def __init__(self, multihash: Buffer) -> None:
        self._multihash = bytes(multihash)
        self._text: str | None = None
        _core.check_peer_id(self._multihash)

    @classmethod
    def from_text(cls, text: str) -> PeerId:
        """Reads base58 (`12D3KooW…`, `Qm…`) or a CIDv1 in base32, base36, base58 or base16.

        Raises:
            InvalidPeerIdError: the text is neither.
        """
        if len(text) > MAX_TEXT:
            raise InvalidPeerIdError(f"not a peer id: {len(text)} characters are more than any has")
        try:
            if text.startswith(("1", "Qm")):
                return cls(multibase.decode_base58(text))
            cid = multibase.decode(text)
        except ValueError as error:
            raise InvalidPeerIdError(f"not a peer id: {text!r}: {error}") from error
        if not cid.startswith(CID_PREFIX):
            raise InvalidPeerIdError(f"not a peer id: {text!r}: a CID, but not one of a libp2p key")
        return cls(cid[len(CID_PREFIX) :])

    @property
    def public_key(self) -> PublicKey | None:
        """The key, when the id contains it (Ed25519 and secp256k1); `None` when the id is its hash."""
        # The two name each other, and a peer id needs its key far less often than the other way.
        from plait.identity.keys import PublicKey

        if not self._multihash.startswith(IDENTITY_HASH):
            return None
        return PublicKey.from_protobuf(self._multihash[2:])

    def to_cid(self) -> str:
        """The CIDv1 form in base32, as used in names and URLs."""
        return multibase.encode("b", CID_PREFIX + self._multihash)

    def __bytes__(self) -> bytes:
        return self._multihash

    def __str__(self) -> str:
        if self._text is None:
            self._text = multibase.encode_base58(self._multihash)
        return self._text

    def __repr__(self) -> str:
        return f"PeerId.from_text({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PeerId):
            return NotImplemented
        return self._multihash == other._multihash

    def __hash__(self) -> int:
        return hash(self._multihash)

    def __reduce__(self) -> tuple[type[PeerId], tuple[bytes]]:
        return PeerId, (self._multihash,)


# CID version 1, codec libp2p-key.
CID_PREFIX = b"\x01\x72"

# Multihash code of "identity": what follows the length is the key itself.
IDENTITY_HASH = b"\0"

# The longest form, base16 of a CID with a 42-byte key, has 93; decoding base58 takes quadratic time.
MAX_TEXT = 128
