//! The static X25519 key of a host, with the identity's signature over it.

use std::fmt;

use prost::Message as _;

use super::payload::SIGNATURE_DOMAIN;
use crate::curve::Secret;
use crate::identity::{Error, Proven, PublicKey};
use crate::messages::NoisePayload;

/// What all handshakes of one host share, computed once: key pair, identity and signature.
///
/// Never stored beyond the process: the signature lets whoever has the secret be this host.
pub struct StaticKeys {
    pub(super) secret: Secret,
    public: [u8; 32],
    /// The encoded payload, but for the extensions that may differ by connection.
    payload: Vec<u8>,
    /// Of static keys of peers.
    proven: Proven,
}

impl StaticKeys {
    /// Takes 32 random bytes, the identity's public key message and the identity's signature over
    /// [`signed_message`](Self::signed_message) of [`public_of`](Self::public_of) the secret.
    ///
    /// Fails when the signature does not verify, since no peer would accept it.
    pub fn new(secret: [u8; 32], identity_key: Vec<u8>, identity_signature: Vec<u8>) -> Result<Self, Error> {
        let secret = Secret::new(secret);
        let public = secret.public();
        PublicKey::decode(&identity_key)?.verify(&Self::signed_message(&public), &identity_signature)?;
        let payload = NoisePayload {
            identity_key: Some(identity_key),
            identity_sig: Some(identity_signature),
            extensions: None,
        };
        Ok(Self { secret, public, payload: payload.encode_to_vec(), proven: Proven::new() })
    }

    /// The public half of `secret`.
    #[must_use]
    pub fn public_of(secret: &[u8; 32]) -> [u8; 32] {
        Secret::new(*secret).public()
    }

    /// What an identity signs to vouch for a static key.
    #[must_use]
    pub fn signed_message(public: &[u8; 32]) -> Vec<u8> {
        [SIGNATURE_DOMAIN, public].concat()
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    pub(super) const fn proven(&self) -> &Proven {
        &self.proven
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }
}

/// Shows no secret.
impl fmt::Debug for StaticKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StaticKeys").field("public", &self.public).finish_non_exhaustive()
    }
}
