//! Public keys of the four types that libp2p knows, and their signatures.

use std::fmt;

use ed25519_dalek::{Signature as Ed25519Signature, VerifyingKey as Ed25519Key};
use k256::ecdsa::signature::Verifier as _;
use k256::ecdsa::{Signature as Secp256k1Signature, VerifyingKey as Secp256k1Key};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

use super::{Error, PeerId, spki};
use crate::messages::{self, Key};

/// The type of an identity key; the numbers are those of the key message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// PKCS#1 v1.5 signatures with SHA-256, 2048 to 8192 bits: most of the public bootstrap nodes.
    Rsa = 0,
    /// The default everywhere.
    Ed25519 = 1,
    /// ECDSA with SHA-256 on the curve of Bitcoin.
    Secp256k1 = 2,
    /// ECDSA with SHA-256 on P-256.
    Ecdsa = 3,
}

impl KeyType {
    /// The number in the key message.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The type with this number.
    pub const fn from_number(number: i32) -> Result<Self, Error> {
        match number {
            0 => Ok(Self::Rsa),
            1 => Ok(Self::Ed25519),
            2 => Ok(Self::Secp256k1),
            3 => Ok(Self::Ecdsa),
            unknown => Err(Error::UnknownKeyType(unknown)),
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Rsa => "RSA",
            Self::Ed25519 => "Ed25519",
            Self::Secp256k1 => "secp256k1",
            Self::Ecdsa => "ECDSA",
        })
    }
}

/// A public key whose form was checked. That it is a point on its curve is checked when it verifies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey {
    kind: KeyType,
    data: Box<[u8]>,
}

impl PublicKey {
    /// Reads a key message. Field order, unknown fields and long varints are tolerated, because others
    /// tolerate them: the peer id comes from [`encode`](Self::encode), never from these bytes.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        let key = Key::decode_public(message)?;
        let missing = |field| messages::Error::MissingField { message: "public key", field };
        let kind = KeyType::from_number(key.kind.ok_or_else(|| missing("Type"))?)?;
        Self::new(kind, key.data.ok_or_else(|| missing("Data"))?)
    }

    /// A key from its type and its bytes in that type's form.
    pub fn new(kind: KeyType, data: impl Into<Box<[u8]>>) -> Result<Self, Error> {
        let data = data.into();
        let invalid = |why| Error::InvalidKey { kind, why };
        match kind {
            KeyType::Ed25519 if data.len() != ed25519_dalek::PUBLIC_KEY_LENGTH => {
                return Err(invalid("is not 32 bytes"));
            }
            // A longer form of the same point would be another peer id for the same owner.
            KeyType::Secp256k1 if data.len() != 33 || !matches!(data.first(), Some(2 | 3)) => {
                return Err(invalid("is not a compressed point"));
            }
            KeyType::Ecdsa if spki::p256_point(&data).is_none() => {
                return Err(invalid("is not a SubjectPublicKeyInfo with a P-256 point"));
            }
            KeyType::Rsa => {
                spki::rsa_public_key(&data).map_err(invalid)?;
            }
            KeyType::Ed25519 | KeyType::Secp256k1 | KeyType::Ecdsa => {}
        }
        Ok(Self { kind, data })
    }

    /// The canonical key message: both fields, in order, nothing else.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Key::encode(self.kind.number(), self.data.to_vec())
    }

    /// The key's type.
    #[must_use]
    pub const fn kind(&self) -> KeyType {
        self.kind
    }

    /// The key's bytes, in the form of its type.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The name of this key's owner.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        PeerId::from_public_key(self)
    }

    /// Checks that this key's owner has signed `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        match self.kind {
            KeyType::Ed25519 => self.verify_ed25519(message, signature),
            KeyType::Secp256k1 => self.verify_secp256k1(message, signature),
            KeyType::Ecdsa => {
                let point = spki::p256_point(&self.data).ok_or(Error::InvalidSignature)?;
                verify_with_ring(&signature::ECDSA_P256_SHA256_ASN1, point, message, signature)
            }
            KeyType::Rsa => {
                let key = spki::rsa_public_key(&self.data).map_err(|why| self.invalid(why))?;
                verify_with_ring(&signature::RSA_PKCS1_2048_8192_SHA256, key, message, signature)
            }
        }
    }

    /// Without the cofactor, as go verifies. A key of small order is refused: it has a signature over
    /// nearly any message that anybody can write down.
    fn verify_ed25519(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let bytes = self.data.as_ref().try_into().map_err(|_| self.invalid("is not 32 bytes"))?;
        let key = Ed25519Key::from_bytes(bytes).map_err(|_| self.invalid("is not a point of its curve"))?;
        if key.is_weak() {
            return Err(self.invalid("is a point of small order"));
        }
        let signature = Ed25519Signature::from_slice(signature).map_err(|_| Error::InvalidSignature)?;
        key.verify(message, &signature).map_err(|_| Error::InvalidSignature)
    }

    /// The library refuses high-S signatures on this curve, as the other implementations do.
    fn verify_secp256k1(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let key = Secp256k1Key::from_sec1_bytes(&self.data)
            .map_err(|_| self.invalid("is not a point of its curve"))?;
        let signature = Secp256k1Signature::from_der(signature).map_err(|_| Error::InvalidSignature)?;
        key.verify(message, &signature).map_err(|_| Error::InvalidSignature)
    }

    const fn invalid(&self, why: &'static str) -> Error {
        Error::InvalidKey { kind: self.kind, why }
    }
}

fn verify_with_ring(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    UnparsedPublicKey::new(algorithm, key).verify(message, signature).map_err(|_| Error::InvalidSignature)
}
