//! The AEAD that takes least time: OpenSSL's for long messages where one is loaded, ring's otherwise.

use plait_libcrypto::Cipher;

use super::cipher::{Aead, Ring, nonce_bytes};
use super::{Error, TAG_LENGTH};

/// OpenSSL from [`LONG`] bytes on, if this process has it and gains by it; ring for all else.
#[derive(Clone, Copy, Debug)]
pub struct Quickest;

impl Aead for Quickest {
    fn seal(
        key: &[u8; 32],
        nonce: u64,
        associated: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LENGTH], Error> {
        match cipher_for(in_out.len()) {
            Some(cipher) => cipher
                .seal(key, &nonce_bytes(nonce), associated, in_out)
                .ok_or(Error::PlaintextLength(in_out.len())),
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
        let (body, tag) = in_out.split_last_chunk_mut().ok_or(Error::Decryption)?;
        if cipher.open(key, &nonce_bytes(nonce), associated, body, tag) {
            Ok(body)
        } else {
            Err(Error::Decryption)
        }
    }
}

/// Whose AEAD long messages go through, by name.
#[must_use]
pub fn long_messages_by() -> &'static str {
    if cipher_for(LONG).is_some() { "OpenSSL" } else { "ring" }
}

fn cipher_for(length: usize) -> Option<Cipher> {
    if length < LONG { None } else { plait_libcrypto::loaded() }
}

/// What OpenSSL takes longer to begin, a long message wins back.
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
            // Where there is no OpenSSL this compares ring with itself.
            let _ = plait_libcrypto::load();
            let (mut ours, mut theirs) = (text(length), text(length));
            let tag = Quickest::seal(&key, nonce, b"a", &mut ours).unwrap();
            prop_assert_eq!(tag, Ring::seal(&key, nonce, b"a", &mut theirs).unwrap());
            prop_assert_eq!(&ours, &theirs);
            ours.extend_from_slice(&tag);
            let mut forged = ours.clone();
            prop_assert_eq!(Quickest::open(&key, nonce, b"a", &mut ours).unwrap(), text(length));
            let at = flip % forged.len();
            forged[at] ^= 1;
            prop_assert_eq!(Quickest::open(&key, nonce, b"a", &mut forged), Err(Error::Decryption));
        }
    }

    #[test]
    fn what_is_shorter_than_a_tag_is_refused() {
        for length in 0..TAG_LENGTH {
            assert!(Quickest::open(&[1; 32], 0, &[], &mut vec![0; length]).is_err());
        }
    }
}
