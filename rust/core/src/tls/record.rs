//! TLS 1.3 records of one direction: sealed and opened where they lie.
//!
//! ```text
//!  23 | 3 3 | length |  plaintext, its true type, zeros  | tag
//!  └── in the clear ─┘ └────────── encrypted ───────────┘
//! ```

use std::fmt;

use ring::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};
use rustls::ConnectionTrafficSecrets;

use super::Error;

/// Bytes in front of each record: its type, the version of old, its length.
pub const PREFIX: usize = 5;

/// What sealing adds behind the plaintext: its true type and the tag.
pub const OVERHEAD: usize = 1 + TAG;

/// The longest plaintext of one record; the limit of TLS.
pub const MAX_PLAINTEXT: usize = 16 * 1024;

/// The length of the record that begins with `header`, the header included. Anything that is not a
/// record fails here, before any of it is kept.
pub(super) fn record_length(header: [u8; PREFIX]) -> Result<usize, Error> {
    let [kind, major, _, high, low] = header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if !(CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&kind) || major != 3 || length == 0 {
        return Err(Error::MalformedRecord(header));
    }
    if length > MAX_CIPHERTEXT { Err(Error::RecordTooLong(length)) } else { Ok(PREFIX + length) }
}

/// The key of one direction with its counter.
pub(super) struct RecordKey {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    /// The number of the next record.
    pub(super) sequence: u64,
}

impl RecordKey {
    /// The key that `sequence` records went through before.
    pub(super) fn new(sequence: u64, secrets: &ConnectionTrafficSecrets) -> Result<Self, Error> {
        let (algorithm, key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(Error::Unavailable("keys of this cipher suite")),
        };
        let mismatch = Error::Unavailable("a key of this length");
        Ok(Self {
            key: LessSafeKey::new(UnboundKey::new(algorithm, key.as_ref()).map_err(|_| mismatch.clone())?),
            iv: iv.as_ref().try_into().map_err(|_| mismatch)?,
            sequence,
        })
    }

    /// Makes a record of `buffer[start..]`, whose first [`PREFIX`] bytes are free.
    pub(super) fn seal(&mut self, kind: u8, buffer: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        let length = buffer.len().saturating_sub(start).saturating_sub(PREFIX);
        if !(1..=MAX_PLAINTEXT).contains(&length) {
            return Err(Error::PlaintextLength(length));
        }
        let nonce = self.next_nonce()?;
        buffer.push(kind);
        // At most MAX_PLAINTEXT + OVERHEAD, which two bytes can say.
        let [high, low] = ((length + OVERHEAD) as u16).to_be_bytes();
        let header = [APPLICATION_DATA, LEGACY_VERSION[0], LEGACY_VERSION[1], high, low];
        let (prefix, plaintext) = buffer[start..].split_at_mut(PREFIX);
        prefix.copy_from_slice(&header);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(header), plaintext)
            .map_err(|_| Error::PlaintextLength(length))?;
        buffer.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens a whole record: its true type, and the plaintext.
    pub(super) fn open<'a>(&mut self, record: &'a mut [u8]) -> Result<(u8, &'a [u8]), Error> {
        let Some((header, sealed)) = record.split_first_chunk_mut::<PREFIX>() else {
            return Err(Error::Decryption);
        };
        // Nothing else is sent once both sides have keys.
        if header[0] != APPLICATION_DATA {
            return Err(Error::UnexpectedMessage(header[0]));
        }
        let nonce = self.next_nonce()?;
        let opened =
            self.key.open_in_place(nonce, Aad::from(*header), sealed).map_err(|_| Error::Decryption)?;
        if opened.len() > MAX_PLAINTEXT + 1 {
            return Err(Error::RecordTooLong(opened.len()));
        }
        // The zeros behind the type only hide how long the plaintext is.
        let end = opened.iter().rposition(|&byte| byte != 0).ok_or(Error::UnexpectedMessage(0))?;
        Ok((opened[end], &opened[..end]))
    }

    /// Whether so many records went through this key that another one has to take over.
    pub(super) const fn is_worn(&self) -> bool {
        self.sequence >= RECORDS_PER_KEY
    }

    /// The number of the record, in the low bytes of the IV.
    fn next_nonce(&mut self) -> Result<Nonce, Error> {
        let mut nonce = self.iv;
        for (byte, number) in nonce[NONCE_LEN - 8..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= number;
        }
        self.sequence = self.sequence.checked_add(1).ok_or(Error::Ended)?;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

/// Shows no key.
impl fmt::Debug for RecordKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RecordKey").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

/// What every record says since TLS 1.2.
const LEGACY_VERSION: [u8; 2] = [3, 3];

/// The tag of all three AEADs.
const TAG: usize = 16;

/// What TLS 1.3 lets a record grow by encryption and padding.
const MAX_CIPHERTEXT: usize = MAX_PLAINTEXT + 256;

/// The confidentiality of AES-GCM begins to suffer after 2^24.5 full records. ChaCha20 would last, but
/// one rule for all costs it one key derivation in 256 GiB.
pub(super) const RECORDS_PER_KEY: u64 = 1 << 24;

#[cfg(test)]
mod tests {
    use rustls::crypto::cipher::{AeadKey, Iv};

    use super::*;

    fn key() -> RecordKey {
        let secrets =
            ConnectionTrafficSecrets::Chacha20Poly1305 { key: AeadKey::from([7; 32]), iv: Iv::from([9; 12]) };
        RecordKey::new(0, &secrets).unwrap()
    }

    /// A record with this inner plaintext, type and padding included.
    fn seal_inner(key: &mut RecordKey, inner: &[u8]) -> Vec<u8> {
        let [high, low] = ((inner.len() + TAG) as u16).to_be_bytes();
        let header = [APPLICATION_DATA, 3, 3, high, low];
        let mut sealed = inner.to_vec();
        let nonce = key.next_nonce().unwrap();
        key.key.seal_in_place_append_tag(nonce, Aad::from(header), &mut sealed).unwrap();
        [&header[..], &sealed].concat()
    }

    #[test]
    fn padding_is_taken_off() {
        let (mut ours, mut theirs) = (key(), key());
        let mut record = seal_inner(&mut theirs, b"data\x17\0\0\0\0");
        assert_eq!(ours.open(&mut record), Ok((APPLICATION_DATA, &b"data"[..])));
        let mut record = seal_inner(&mut theirs, b"\0\0\x17");
        assert_eq!(ours.open(&mut record), Ok((APPLICATION_DATA, &b"\0\0"[..])));
    }

    #[test]
    fn a_record_of_nothing_but_padding_is_refused() {
        for inner in [&b""[..], b"\0\0\0"] {
            let mut record = seal_inner(&mut key(), inner);
            assert_eq!(key().open(&mut record), Err(Error::UnexpectedMessage(0)));
        }
    }

    #[test]
    fn more_plaintext_than_a_record_may_have_is_refused() {
        let mut inner = vec![1; MAX_PLAINTEXT + 2];
        let mut record = seal_inner(&mut key(), &inner);
        assert_eq!(key().open(&mut record), Err(Error::RecordTooLong(MAX_PLAINTEXT + 2)));
        inner.truncate(MAX_PLAINTEXT + 1);
        let mut record = seal_inner(&mut key(), &inner);
        assert_eq!(key().open(&mut record).map(|(_, plaintext)| plaintext.len()), Ok(MAX_PLAINTEXT));
    }

    #[test]
    fn a_key_is_worn_before_its_cipher_suffers() {
        let mut key = key();
        key.sequence = RECORDS_PER_KEY - 1;
        assert!(!key.is_worn());
        key.seal(APPLICATION_DATA, &mut vec![0; PREFIX + 1], 0).unwrap();
        assert!(key.is_worn());
    }

    #[test]
    fn no_nonce_is_used_twice() {
        let mut key = key();
        key.sequence = u64::MAX;
        assert_eq!(key.seal(APPLICATION_DATA, &mut vec![0; PREFIX + 1], 0), Err(Error::Ended));
    }
}
