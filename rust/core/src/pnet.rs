//! Private networks: everything on the wire XORed with XSalsa20 under a key that all members share.
//!
//! It keeps strangers out and says nothing to them; it proves nothing, so the secure channel stays on
//! top. Source: `pnet/Private-Networks-PSK-V1.md`; key files as kubo writes them.

use std::fmt;

use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit, StreamCipher};

use crate::multistream::ENCODED_HEADER;

/// What all members of a private network know.
#[derive(Clone, PartialEq, Eq)]
pub struct NetworkKey([u8; KEY_LENGTH]);

impl NetworkKey {
    /// The key with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; KEY_LENGTH]) -> Self {
        Self(bytes)
    }

    /// The key's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; KEY_LENGTH] {
        &self.0
    }

    /// Reads a `swarm.key` file: two header lines, then the key in base16 or base64, or its bare bytes.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(file: &[u8]) -> Result<Self, InvalidKey> {
        let (magic, rest) = line(file).ok_or(InvalidKey::Header)?;
        if magic != MAGIC {
            return Err(InvalidKey::Header);
        }
        let (encoding, body) = line(rest).ok_or(InvalidKey::Encoding)?;
        match encoding {
            b"/base16/" => base16(body.trim_ascii()),
            b"/base64/" => base64(body.trim_ascii()),
            b"/bin/" => <[u8; KEY_LENGTH]>::try_from(body).ok(),
            _ => return Err(InvalidKey::Encoding),
        }
        .map(Self)
        .ok_or(InvalidKey::Body)
    }

    /// The file that [`NetworkKey::parse`] reads, in base16, which every implementation takes.
    #[must_use]
    pub fn to_file(&self) -> String {
        let magic = String::from_utf8_lossy(MAGIC);
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{magic}\n/base16/\n{digits}\n")
    }
}

/// Shows nothing of the key.
impl fmt::Debug for NetworkKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NetworkKey")
    }
}

/// Both directions of one connection.
pub struct Veil {
    key: NetworkKey,
    nonce: [u8; NONCE_LENGTH],
    /// `None` until the nonce was sent.
    outbound: Option<XSalsa20>,
    inbound: Inbound,
    is_clear: bool,
}

enum Inbound {
    Nonce(Vec<u8>),
    Stream { cipher: XSalsa20, is_empty: bool },
}

impl Veil {
    /// `nonce` is random and never used before.
    #[must_use]
    pub const fn new(key: NetworkKey, nonce: [u8; NONCE_LENGTH]) -> Self {
        Self { key, nonce, outbound: None, inbound: Inbound::Nonce(Vec::new()), is_clear: false }
    }

    /// Appends the nonce, once: `true` then. It goes before everything else, also before anything came.
    pub fn begin(&mut self, out: &mut Vec<u8>) -> bool {
        if self.outbound.is_some() {
            return false;
        }
        out.extend_from_slice(&self.nonce);
        self.outbound = Some(XSalsa20::new(&self.key.0.into(), &self.nonce.into()));
        true
    }

    /// Covers what is sent, in place.
    pub fn cover(&mut self, data: &mut [u8]) {
        if let Some(cipher) = &mut self.outbound {
            cipher.apply_keystream(data);
        }
    }

    /// Uncovers what came, in place; the first of it is the peer's nonce, and is no longer in what is given.
    pub fn uncover<'a>(&mut self, data: &'a mut [u8]) -> &'a mut [u8] {
        let mut rest = data;
        if let Inbound::Nonce(held) = &mut self.inbound {
            let missing = (NONCE_LENGTH - held.len()).min(rest.len());
            let (nonce, after) = rest.split_at_mut(missing);
            held.extend_from_slice(nonce);
            rest = after;
            self.is_clear |= held.starts_with(ENCODED_HEADER);
            let Ok(nonce) = <[u8; NONCE_LENGTH]>::try_from(&held[..]) else { return rest };
            let cipher = XSalsa20::new(&self.key.0.into(), &nonce.into());
            self.inbound = Inbound::Stream { cipher, is_empty: true };
        }
        if let Inbound::Stream { cipher, is_empty } = &mut self.inbound {
            *is_empty &= rest.is_empty();
            cipher.apply_keystream(rest);
        }
        rest
    }

    /// What stands where the peer's nonce should begin is the clear greeting of somebody outside of all
    /// networks. A nonce is random: one in 2^160 looks like it.
    ///
    /// Such a peer may say no more until it has understood our own nonce, which it never does.
    #[must_use]
    pub fn is_greeted_in_clear(&self) -> bool {
        self.is_clear
    }

    /// The peer sent nothing but its nonce, or less. Our own bytes move strangers and members of another
    /// network to end there; a member has more to say from the start.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        matches!(self.inbound, Inbound::Nonce(_) | Inbound::Stream { is_empty: true, .. })
    }

    /// The peer has a key, and nothing to say to us. A member answers our greeting at once; who has another key may
    /// take it for the beginning of something longer, and wait for the rest.
    #[must_use]
    pub const fn is_nonce_all(&self) -> bool {
        matches!(self.inbound, Inbound::Stream { is_empty: true, .. })
    }
}

impl fmt::Debug for Veil {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Veil").finish_non_exhaustive()
    }
}

/// Why a file is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The first line.
    #[error("a swarm key file begins with the line /key/swarm/psk/1.0.0/")]
    Header,
    /// The second line.
    #[error("the second line of a swarm key file is /base16/, /base64/ or /bin/")]
    Encoding,
    /// The rest.
    #[error("a swarm key has 32 bytes in the encoding that its file names")]
    Body,
}

fn line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().take(MAX_LINE).position(|&byte| byte == b'\n')?;
    let line = &text[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), &text[end + 1..]))
}

fn base16(text: &[u8]) -> Option<[u8; KEY_LENGTH]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> =
        text.chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect();
    bytes?.try_into().ok()
}

fn base64(text: &[u8]) -> Option<[u8; KEY_LENGTH]> {
    let digit = |byte: &u8| BASE64.iter().position(|each| each == byte).and_then(|at| u32::try_from(at).ok());
    let text = text.strip_suffix(b"=")?;
    let mut bytes = Vec::with_capacity(KEY_LENGTH);
    for group in text.chunks(4) {
        let bits = group.iter().try_fold(0, |bits, byte| Some(bits << 6 | digit(byte)?))?;
        let bits: u32 = bits << (6 * (4 - group.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes.try_into().ok()
}

/// Bytes of a key.
pub const KEY_LENGTH: usize = 32;

/// Bytes of a nonce, sent in clear before anything else.
pub const NONCE_LENGTH: usize = 24;

const MAGIC: &[u8] = b"/key/swarm/psk/1.0.0/";

/// Far more than either line has; a file without line ends is not searched to its end.
const MAX_LINE: usize = 64;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    fn sample() -> NetworkKey {
        NetworkKey::new(std::array::from_fn(|index| index as u8))
    }

    #[test]
    fn keystream_vector() {
        let key = decode("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389");
        let nonce = decode("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
        let mut veil = Veil::new(NetworkKey::new(key.try_into().unwrap()), nonce.try_into().unwrap());
        veil.begin(&mut Vec::new());
        let mut zeros = [0; 32];
        veil.cover(&mut zeros);
        let expected = "eea6a7251c1e72916d11c2cb214d3c252539121d8e234e652d651fa4c8cff880";
        assert_eq!(zeros[..], decode(expected));
    }

    #[test]
    fn wire_vector_over_every_split() {
        let plain = decode("132f6d756c746973747265616d2f312e302e300a072f6e6f6973650a");
        let wire = decode(
            "6465666768696a6b6c6d6e6f707172737475767778797a7b\
             7b529294468e369c0a7d8e783043e8bcc4bb42dc1e6def8ca10cde44",
        );
        let nonce: [u8; NONCE_LENGTH] = wire[..NONCE_LENGTH].try_into().unwrap();
        let mut veil = Veil::new(sample(), nonce);
        let mut out = Vec::new();
        assert!(veil.begin(&mut out));
        assert!(!veil.begin(&mut out), "once");
        let start = out.len();
        out.extend_from_slice(&plain);
        veil.cover(&mut out[start..]);
        assert_eq!(out, wire);
        for split in 0..=wire.len() {
            let mut veil = Veil::new(sample(), [0; NONCE_LENGTH]);
            let (mut front, mut back) = (wire[..split].to_vec(), wire[split..].to_vec());
            let received = [&*veil.uncover(&mut front), &*veil.uncover(&mut back)].concat();
            assert_eq!(received, plain, "split at {split}");
        }
    }

    #[test]
    fn key_files_in_every_encoding() {
        let digits = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        for file in [
            format!("/key/swarm/psk/1.0.0/\n/base16/\n{digits}"),
            format!("/key/swarm/psk/1.0.0/\r\n/base16/\r\n{}\r\n", digits.to_uppercase()),
            format!("/key/swarm/psk/1.0.0/\n/base64/\n{base64}\n"),
        ] {
            assert_eq!(NetworkKey::parse(file.as_bytes()), Ok(sample()), "{file}");
        }
        let bare = [&b"/key/swarm/psk/1.0.0/\n/bin/\n"[..], &sample().0].concat();
        assert_eq!(NetworkKey::parse(&bare), Ok(sample()));
        assert_eq!(NetworkKey::parse(sample().to_file().as_bytes()), Ok(sample()));
    }

    #[test]
    fn everything_else_is_no_key() {
        let digits = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let rows = [
            (String::new(), InvalidKey::Header),
            (digits.to_owned(), InvalidKey::Header),
            (format!("/key/swarm/psk/1.0.1/\n/base16/\n{digits}"), InvalidKey::Header),
            ("/key/swarm/psk/1.0.0/\n".to_owned(), InvalidKey::Encoding),
            (format!("/key/swarm/psk/1.0.0/\n/base32/\n{digits}"), InvalidKey::Encoding),
            (format!("/key/swarm/psk/1.0.0/\n/base16/\n{}", &digits[1..]), InvalidKey::Body),
            (format!("/key/swarm/psk/1.0.0/\n/base16/\n{}", &digits[2..]), InvalidKey::Body),
            (format!("/key/swarm/psk/1.0.0/\n/base16/\n{digits}00"), InvalidKey::Body),
            (format!("/key/swarm/psk/1.0.0/\n/base16/\n{}g", &digits[1..]), InvalidKey::Body),
            ("/key/swarm/psk/1.0.0/\n/base64/\nAAEC\n".to_owned(), InvalidKey::Body),
            ("/key/swarm/psk/1.0.0/\n/base64/\n=\n".to_owned(), InvalidKey::Body),
            ("/key/swarm/psk/1.0.0/\n/bin/\nshort".to_owned(), InvalidKey::Body),
        ];
        for (file, error) in rows {
            assert_eq!(NetworkKey::parse(file.as_bytes()), Err(error), "{file:?}");
        }
    }
}
