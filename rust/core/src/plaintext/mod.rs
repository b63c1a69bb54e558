//! `/plaintext/2.0.0`: each side says who it is, and nobody proves anything.
//!
//! For tests and measurements only: whoever sits on the path reads and changes everything and can claim
//! any peer id. Never offered unless it is named.

use prost::Message as _;

use crate::identity::{self, PeerId, PublicKey};
use crate::messages::{Key, MAX_PUBLIC_KEY};
use crate::{delimited, varint};

/// The id that multistream-select proposes.
pub const PROTOCOL: &str = "/plaintext/2.0.0";

/// What this host says about itself, ready to send.
#[derive(Clone, Debug)]
pub struct Claim {
    message: Vec<u8>,
}

impl Claim {
    /// The claim to be the peer of this key.
    #[must_use]
    pub fn new(key: &PublicKey) -> Self {
        let exchange = Exchange {
            id: Some(key.peer_id().as_bytes().to_vec()),
            key: Key::decode_public(&key.encode()).ok(),
        };
        let mut message = Vec::new();
        delimited::encode(&exchange.encode_to_vec(), &mut message);
        Self { message }
    }
}

/// Both messages of one connection. They cross: nobody waits for the other's.
#[derive(Debug)]
pub struct Handshake {
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    expected: Option<PeerId>,
}

impl Handshake {
    /// With `expected`, anybody else who answers is an error.
    #[must_use]
    pub fn new(claim: &Claim, expected: Option<PeerId>) -> Self {
        Self { outgoing: claim.message.clone(), incoming: Vec::new(), expected }
    }

    /// Takes the peer's message from the front of `data`, and gives who it says to be.
    ///
    /// # Errors
    /// Not such a message, an id that does not follow from the key, or another peer than expected.
    pub fn receive(&mut self, data: &[u8]) -> Result<(usize, Option<(PeerId, PublicKey)>), Error> {
        let held = self.incoming.len();
        self.incoming.extend_from_slice(&data[..data.len().min(MAX_ENCODED - held.min(MAX_ENCODED))]);
        let Some((body, used)) = delimited::decode(&self.incoming, MAX_EXCHANGE)? else {
            return Ok((data.len(), None));
        };
        let (peer, key) = self.check(body)?;
        self.incoming = Vec::new();
        Ok((used - held, Some((peer, key))))
    }

    /// Appends our message, once.
    pub fn transmit(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.outgoing);
    }

    fn check(&self, body: &[u8]) -> Result<(PeerId, PublicKey), Error> {
        let exchange = Exchange::decode(body).map_err(|_| Error::Malformed)?;
        let (Some(id), Some(key)) = (exchange.id, exchange.key) else { return Err(Error::Malformed) };
        let key = PublicKey::decode(&key.encode_to_vec())?;
        let actual = PeerId::from_bytes(&id)?;
        if actual != key.peer_id() {
            return Err(Error::ForeignKey(actual));
        }
        match &self.expected {
            Some(expected) if *expected != actual => {
                Err(Error::PeerIdMismatch { expected: *expected, actual })
            }
            _ => Ok((actual, key)),
        }
    }
}

/// Why an exchange failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The length in front of the message, or a message that is longer than any identity makes it.
    #[error(transparent)]
    Length(#[from] delimited::Error),
    /// Not protobuf, or without an id or a key.
    #[error("the peer's message is malformed")]
    Malformed,
    /// The key or the id is not one.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The id does not follow from the key.
    #[error("the peer claims to be {0} with somebody else's key")]
    ForeignKey(PeerId),
    /// Somebody else than was dialed.
    #[error("dialed {expected}, but {actual} answered")]
    PeerIdMismatch {
        /// Whom we dialed.
        expected: PeerId,
        /// Who says it is there.
        actual: PeerId,
    },
}

/// The message of both sides.
#[derive(Clone, PartialEq, prost::Message)]
struct Exchange {
    #[prost(bytes = "vec", optional, tag = "1")]
    id: Option<Vec<u8>>,
    #[prost(message, optional, tag = "2")]
    key: Option<Key>,
}

/// The longest key, the longest id, and the fields' heads.
const MAX_EXCHANGE: usize = MAX_PUBLIC_KEY + 256;

/// With its length in front. Within this many bytes every message is complete or refused.
const MAX_ENCODED: usize = MAX_EXCHANGE + varint::MAX_BYTES;
