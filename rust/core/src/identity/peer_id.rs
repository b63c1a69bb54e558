//! Peer ids: the multihash of a canonical public key message.

use std::fmt;

use ring::digest;

use super::{Error, PublicKey, base58};

/// The name of a peer: the multihash of its public key, or the key itself where that is short.
///
/// Compared and hashed by its bytes. Displayed in base58, as everywhere in libp2p.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerId {
    length: u8,
    /// Zero beyond `length`, so that the derived comparison is the comparison of the ids.
    bytes: [u8; MAX_LENGTH],
}

impl PeerId {
    /// The id of the peer that owns `key`.
    #[must_use]
    pub fn from_public_key(key: &PublicKey) -> Self {
        let message = key.encode();
        if message.len() <= MAX_INLINE {
            Self::assemble(IDENTITY, &message)
        } else {
            Self::assemble(SHA2_256, digest::digest(&digest::SHA256, &message).as_ref())
        }
    }

    /// Reads a multihash: an inline key message of at most 42 bytes, or a SHA-256 digest.
    pub fn from_bytes(multihash: &[u8]) -> Result<Self, Error> {
        let [code, length, digest @ ..] = multihash else {
            return Err(Error::InvalidPeerId("is shorter than a multihash"));
        };
        if digest.len() != usize::from(*length) {
            return Err(Error::InvalidPeerId("is not as long as its multihash says"));
        }
        match *code {
            IDENTITY if digest.len() > MAX_INLINE => {
                Err(Error::InvalidPeerId("has an inline key of more than 42 bytes"))
            }
            SHA2_256 if digest.len() != SHA2_256_LENGTH => {
                Err(Error::InvalidPeerId("has a SHA-256 digest that is not 32 bytes"))
            }
            code @ (IDENTITY | SHA2_256) => Ok(Self::assemble(code, digest)),
            _ => Err(Error::InvalidPeerId("is neither an inline key nor a SHA-256 digest")),
        }
    }

    /// The multihash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// The key, when the id has it inline. `None` too when what is inline is not the canonical message
    /// of a legal key: no owner of such an id can exist.
    #[must_use]
    pub fn public_key(&self) -> Option<PublicKey> {
        let [IDENTITY, _, message @ ..] = self.as_bytes() else { return None };
        PublicKey::decode(message).ok().filter(|key| key.peer_id() == *self)
    }

    /// Callers pass at most [`MAX_INLINE`] bytes of digest, which is what the array has room for.
    fn assemble(code: u8, digest: &[u8]) -> Self {
        let mut bytes = [0; MAX_LENGTH];
        bytes[0] = code;
        bytes[1] = digest.len() as u8;
        bytes[2..][..digest.len()].copy_from_slice(digest);
        Self { length: digest.len() as u8 + 2, bytes }
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&base58::encode(self.as_bytes()))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PeerId({self})")
    }
}

/// The multihash code of "no hash: this is the thing itself".
const IDENTITY: u8 = 0x00;

/// The multihash code of SHA-256.
const SHA2_256: u8 = 0x12;

/// What SHA-256 gives.
const SHA2_256_LENGTH: usize = 32;

/// The longest key message that stands in the id itself; the specification's limit, inclusive.
const MAX_INLINE: usize = 42;

/// Code, length and the longest inline key.
const MAX_LENGTH: usize = 2 + MAX_INLINE;
