//! The AEAD behind a small trait, and the key with its counter.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::{Error, TAG_LENGTH};

/// ChaCha20-Poly1305 by somebody's implementation.
///
/// Equal arguments give equal bytes whoever computes them, so that a faster implementation can take
/// over at any message. No key schedule is kept between messages: building it takes some nanoseconds,
/// keeping it takes more memory than everything else of an idle connection.
pub trait Aead {
    /// Encrypts `in_out` in place and gives the tag.
    fn seal(
        key: &[u8; 32],
        nonce: u64,
        associated: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], Error>;

    /// Checks ciphertext and tag in `in_out` and decrypts in place; the plaintext is its front part.
    fn open<'a>(
        key: &[u8; 32],
        nonce: u64,
        associated: &[u8],
        in_out: &'a mut [u8],
    ) -> Result<&'a mut [u8], Error>;
}

/// The AEAD of ring.
#[derive(Clone, Copy, Debug)]
pub struct Ring;

impl Aead for Ring {
    fn seal(
        key: &[u8; 32],
        nonce: u64,
        associated: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], Error> {
        let length = in_out.len();
        let tag = ring_key(key)?
            .seal_in_place_separate_tag(ring_nonce(nonce), Aad::from(associated), in_out)
            .map_err(|_| Error::PlaintextLength(length))?;
        tag.as_ref().try_into().map_err(|_| Error::PlaintextLength(length))
    }

    fn open<'a>(
        key: &[u8; 32],
        nonce: u64,
        associated: &[u8],
        in_out: &'a mut [u8],
    ) -> Result<&'a mut [u8], Error> {
        ring_key(key)?
            .open_in_place(ring_nonce(nonce), Aad::from(associated), in_out)
            .map_err(|_| Error::Decryption)
    }
}

fn ring_key(key: &[u8; 32]) -> Result<LessSafeKey, Error> {
    UnboundKey::new(&CHACHA20_POLY1305, key).map(LessSafeKey::new).map_err(|_| Error::Ended)
}

fn ring_nonce(counter: u64) -> Nonce {
    Nonce::assume_unique_for_key(nonce_bytes(counter))
}

/// Four zeros, then the counter in little-endian.
pub(super) fn nonce_bytes(counter: u64) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    nonce
}

/// Noise's CipherState: a key and the counter of what was done with it. The first failure takes the
/// key away, so that nothing can follow it.
pub(super) struct CipherState {
    key: Option<[u8; 32]>,
    nonce: u64,
}

impl CipherState {
    pub(super) const fn new(key: [u8; 32]) -> Self {
        Self { key: Some(key), nonce: 0 }
    }

    pub(super) fn encrypt(
        &mut self,
        associated: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], Error> {
        let (key, nonce) = self.next()?;
        Backend::seal(&key, nonce, associated, in_out).inspect_err(|_| self.end())
    }

    pub(super) fn decrypt<'a>(
        &mut self,
        associated: &[u8],
        in_out: &'a mut [u8],
    ) -> Result<&'a mut [u8], Error> {
        let (key, nonce) = self.next()?;
        Backend::open(&key, nonce, associated, in_out).inspect_err(|_| self.end())
    }

    /// Forgets the key: everything from here on fails.
    pub(super) const fn end(&mut self) {
        self.key = None;
    }

    pub(super) const fn has_ended(&self) -> bool {
        self.key.is_none()
    }

    /// The key, with a nonce that it was not used with before. The last one is reserved by the
    /// specification.
    fn next(&mut self) -> Result<([u8; 32], u64), Error> {
        let key = self.key.ok_or(Error::Ended)?;
        let nonce = self.nonce;
        if nonce == u64::MAX {
            self.end();
            return Err(Error::NoncesExhausted);
        }
        self.nonce = nonce + 1;
        Ok((key, nonce))
    }
}

/// Shows no key.
impl fmt::Debug for CipherState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nonce, .. } = self;
        formatter.debug_struct("CipherState").field("nonce", nonce).finish_non_exhaustive()
    }
}

/// The implementation that all channels use.
type Backend = super::quickest::Quickest;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_nonce_is_never_used() {
        let mut cipher = CipherState { key: Some([7; 32]), nonce: u64::MAX - 1 };
        assert!(cipher.encrypt(&[], &mut [1]).is_ok());
        assert_eq!(cipher.encrypt(&[], &mut [1]), Err(Error::NoncesExhausted));
        assert_eq!(cipher.encrypt(&[], &mut [1]), Err(Error::Ended));

        let mut cipher = CipherState { key: Some([7; 32]), nonce: u64::MAX };
        assert_eq!(cipher.decrypt(&[], &mut [1; 17]), Err(Error::NoncesExhausted));
        assert!(cipher.has_ended());
    }

    #[test]
    fn nonces_are_little_endian_after_four_zeros() {
        let nonce = nonce_bytes(0x0102_0304_0506_0708);
        assert_eq!(nonce, [0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1]);
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(format!("{:?}", CipherState::new([0xab; 32])), "CipherState { nonce: 0, .. }");
    }
}
