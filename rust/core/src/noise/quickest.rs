//! The AEAD of OpenSSL, which takes less time for long messages and more for short ones.

use std::sync::OnceLock;

use openssl::cipher::{Cipher, CipherRef};
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;

use super::cipher::{Aead, Ring};
use super::{Error, TAG_LENGTH};

/// OpenSSL from [`LONG`] bytes on, ring below; ring for everything where OpenSSL has no such cipher.
#[derive(Clone, Copy, Debug)]
pub struct OpenSsl;

impl Aead for OpenSsl {
    fn seal(
        key: &[u8; 32],
        nonce: u64,
        associated: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], Error> {
        match cipher_for(in_out.len()) {
            Some(cipher) => {
                seal(cipher, key, nonce, associated, in_out).map_err(|_| Error::PlaintextLength(in_out.len()))
            }
            None => Ring::seal(key, nonce, associated, in_out),
        }
    }

    fn open<'a>(
        key: &[u8; 32],
        nonce: u64,
        associated: &[u8],
        in_out: &'a mut [u8],
    ) -> Result<&'a mut [u8], Error> {
        let Some(cipher) = cipher_for(in_out.len()) else {
            return Ring::open(key, nonce, associated, in_out);
        };
        let length = in_out.len().checked_sub(TAG_LENGTH).ok_or(Error::Decryption)?;
        let (body, tag) = in_out.split_at_mut(length);
        if open(cipher, key, nonce, associated, body, tag).is_err() {
            // It was decrypted before it was known to be forged, and nobody is to see that.
            body.fill(0);
            return Err(Error::Decryption);
        }
        Ok(body)
    }
}

fn seal(
    cipher: &CipherRef,
    key: &[u8; 32],
    nonce: u64,
    associated: &[u8],
    in_out: &mut [u8],
) -> Result<[u8; TAG_LENGTH], ErrorStack> {
    let mut context = CipherCtx::new()?;
    context.encrypt_init(Some(cipher), Some(key), Some(&nonce_bytes(nonce)))?;
    context.cipher_update(associated, None)?;
    let length = in_out.len();
    context.cipher_update_inplace(in_out, length)?;
    context.cipher_final(&mut [])?;
    let mut tag = [0; TAG_LENGTH];
    context.tag(&mut tag)?;
    Ok(tag)
}

fn open(
    cipher: &CipherRef,
    key: &[u8; 32],
    nonce: u64,
    associated: &[u8],
    body: &mut [u8],
    tag: &[u8],
) -> Result<(), ErrorStack> {
    let mut context = CipherCtx::new()?;
    context.decrypt_init(Some(cipher), Some(key), Some(&nonce_bytes(nonce)))?;
    context.cipher_update(associated, None)?;
    let length = body.len();
    context.cipher_update_inplace(body, length)?;
    context.set_tag(tag)?;
    context.cipher_final(&mut [])?;
    Ok(())
}

/// Looked up once: OpenSSL takes longer for that than for a short message.
fn cipher_for(length: usize) -> Option<&'static CipherRef> {
    static CIPHER: OnceLock<Option<Cipher>> = OnceLock::new();
    if length < LONG {
        return None;
    }
    CIPHER.get_or_init(|| Cipher::fetch(None, "ChaCha20-Poly1305", None).ok()).as_deref()
}

/// Four zeros, then the counter in little-endian.
fn nonce_bytes(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    nonce
}

/// Setting up a context takes some 400 ns, which a long message wins back.
const LONG: usize = 2048;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|index| (index * 7) as u8).collect()
    }

    proptest! {
        #[test]
        fn the_same_bytes_as_ring(key: [u8; 32], nonce: u64, length in 0..9000usize, flip in 0..9016usize) {
            let (mut ours, mut theirs) = (text(length), text(length));
            let tag = OpenSsl::seal(&key, nonce, b"a", &mut ours).unwrap();
            prop_assert_eq!(tag, Ring::seal(&key, nonce, b"a", &mut theirs).unwrap());
            prop_assert_eq!(&ours, &theirs);
            ours.extend_from_slice(&tag);
            let mut forged = ours.clone();
            prop_assert_eq!(OpenSsl::open(&key, nonce, b"a", &mut ours).unwrap(), text(length));
            let at = flip % forged.len();
            forged[at] ^= 1;
            prop_assert_eq!(OpenSsl::open(&key, nonce, b"a", &mut forged), Err(Error::Decryption));
        }
    }

    #[test]
    fn what_is_shorter_than_a_tag_is_refused() {
        for length in 0..TAG_LENGTH {
            assert!(OpenSsl::open(&[1; 32], 0, &[], &mut vec![0; length]).is_err());
        }
    }
}
