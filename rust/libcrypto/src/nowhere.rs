//! Platforms where it was not measured, or where `ring` is as quick.

use std::convert::Infallible;

use super::{KEY_LENGTH, NONCE_LENGTH, TAG_LENGTH};

/// ChaCha20-Poly1305 of OpenSSL: there is none here.
#[derive(Clone, Copy, Debug)]
pub struct Cipher(Infallible);

/// No cipher.
#[must_use]
pub const fn loaded() -> Option<Cipher> {
    None
}

/// No cipher.
#[must_use]
pub const fn load() -> Option<Cipher> {
    None
}

impl Cipher {
    /// Never called.
    #[must_use]
    pub fn seal(
        self,
        _key: &[u8; KEY_LENGTH],
        _nonce: &[u8; NONCE_LENGTH],
        _associated: &[u8],
        _in_out: &mut [u8],
    ) -> Option<[u8; TAG_LENGTH]> {
        match self.0 {}
    }

    /// Never called.
    #[must_use]
    pub fn open(
        self,
        _key: &[u8; KEY_LENGTH],
        _nonce: &[u8; NONCE_LENGTH],
        _associated: &[u8],
        _in_out: &mut [u8],
        _tag: &[u8; TAG_LENGTH],
    ) -> bool {
        match self.0 {}
    }
}
