//! Noise's SymmetricState: the running hash and the keys that are drawn from it.

use ring::{digest, hkdf};

use super::cipher::CipherState;
use super::{Error, TAG_LENGTH};

/// Hash, chaining key and, from the first Diffie-Hellman on, a cipher.
pub(super) struct SymmetricState {
    chaining_key: [u8; 32],
    hash: [u8; 32],
    cipher: Option<CipherState>,
}

impl SymmetricState {
    pub(super) fn new(prologue: &[u8]) -> Self {
        let mut state = Self { chaining_key: *PROTOCOL_NAME, hash: *PROTOCOL_NAME, cipher: None };
        state.mix_hash(prologue);
        state
    }

    pub(super) fn mix_hash(&mut self, data: &[u8]) {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.hash);
        context.update(data);
        self.hash.copy_from_slice(context.finish().as_ref());
    }

    pub(super) fn mix_key(&mut self, secret: &[u8]) -> Result<(), Error> {
        let (chaining_key, key) = derive_two(&self.chaining_key, secret)?;
        self.chaining_key = chaining_key;
        self.cipher = Some(CipherState::new(key));
        Ok(())
    }

    /// Encrypts what stands in `message` from `start` on, in place, and appends the tag. Before there is
    /// a key, only hashes it.
    pub(super) fn encrypt_and_hash(&mut self, message: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        if let Some(cipher) = &mut self.cipher {
            let tag = cipher.encrypt(&self.hash, &mut message[start..])?;
            message.extend_from_slice(&tag);
        }
        self.mix_hash(&message[start..]);
        Ok(())
    }

    /// The reverse, in place.
    pub(super) fn decrypt_and_hash<'a>(&mut self, data: &'a mut [u8]) -> Result<&'a mut [u8], Error> {
        let associated = self.hash;
        self.mix_hash(data);
        match &mut self.cipher {
            Some(cipher) => cipher.decrypt(&associated, data),
            None => Ok(data),
        }
    }

    /// How many bytes encryption adds now.
    pub(super) const fn overhead(&self) -> usize {
        if self.cipher.is_some() { TAG_LENGTH } else { 0 }
    }

    /// Ends the handshake.
    pub(super) fn split(self) -> Result<Split, Error> {
        let (initiator, responder) = derive_two(&self.chaining_key, &[])?;
        Ok(Split {
            initiator: CipherState::new(initiator),
            responder: CipherState::new(responder),
            handshake_hash: self.hash,
        })
    }
}

/// What a handshake leaves: a cipher for what each party sends, and the hash of all that was said.
pub(super) struct Split {
    pub(super) initiator: CipherState,
    pub(super) responder: CipherState,
    pub(super) handshake_hash: [u8; 32],
}

/// Noise's HKDF with two outputs, which is the standard one with no info and 64 bytes of output.
fn derive_two(chaining_key: &[u8; 32], secret: &[u8]) -> Result<([u8; 32], [u8; 32]), Error> {
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, chaining_key).extract(secret);
    let (mut first, mut second) = ([0; 32], [0; 32]);
    let mut output = [0; 64];
    // Neither can fail: 64 bytes are within what HKDF can give, and are what is asked for.
    let expanded = extracted.expand(&[], TwoKeys).map_err(|_| Error::Ended)?;
    expanded.fill(&mut output).map_err(|_| Error::Ended)?;
    first.copy_from_slice(&output[..32]);
    second.copy_from_slice(&output[32..]);
    Ok((first, second))
}

struct TwoKeys;

impl hkdf::KeyType for TwoKeys {
    fn len(&self) -> usize {
        64
    }
}

/// As long as a hash, so that it is the first hash and the first chaining key as it stands.
const PROTOCOL_NAME: &[u8; 32] = b"Noise_XX_25519_ChaChaPoly_SHA256";

#[cfg(test)]
mod tests {
    use super::derive_two;

    /// The chain "HMAC(t, 1), HMAC(t, first || 2)" that the Noise specification writes out.
    #[test]
    fn key_derivation_is_the_chain_of_the_specification() {
        use ring::hmac::{HMAC_SHA256, Key, sign};
        let (chaining_key, secret) = ([3; 32], [4; 32]);
        let temporary = sign(&Key::new(HMAC_SHA256, &chaining_key), &secret);
        let temporary = Key::new(HMAC_SHA256, temporary.as_ref());
        let first = sign(&temporary, &[1]);
        let second = sign(&temporary, &[first.as_ref(), &[2]].concat());
        let derived = derive_two(&chaining_key, &secret).unwrap();
        assert_eq!(derived.0, first.as_ref());
        assert_eq!(derived.1, second.as_ref());
    }
}
