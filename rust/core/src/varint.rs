//! Unsigned varints as multiformats defines them: canonical, and never more than nine bytes.
//!
//! Not for integers inside protobuf messages, which may take ten bytes and need not be minimal.

/// Appends `value`.
///
/// A value above [`MAX`] comes out as ten bytes, which no decoder takes: only a caller who encodes
/// something else than a length or a code can get there.
pub fn encode(value: u64, out: &mut Vec<u8>) {
    let mut rest = value;
    while rest >= CONTINUATION {
        out.push((rest % CONTINUATION + CONTINUATION) as u8);
        rest /= CONTINUATION;
    }
    out.push(rest as u8);
}

/// Reads the varint at the start of `data`: its value and how many bytes it took.
///
/// `None` means that `data` is a proper beginning of a varint. More bytes never change an answer
/// that was not `None`.
///
/// # Errors
///
/// [`Error::TooLong`] as soon as the ninth byte announces a tenth, [`Error::NotMinimal`] for
/// trailing zero groups.
pub fn decode(data: &[u8]) -> Result<Option<(u64, usize)>, Error> {
    let mut value = 0;
    for (index, &byte) in data.iter().take(MAX_BYTES).enumerate() {
        let group = u64::from(byte) % CONTINUATION;
        value |= group << (7 * index);
        if u64::from(byte) < CONTINUATION {
            // Two encodings of one number would let two peers hash or compare the same thing differently.
            return if byte == 0 && index > 0 {
                Err(Error::NotMinimal)
            } else {
                Ok(Some((value, index + 1)))
            };
        }
    }
    if data.len() >= MAX_BYTES { Err(Error::TooLong) } else { Ok(None) }
}

/// Why bytes are not a varint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It goes on after nine bytes.
    #[error("varint is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// A shorter encoding of the same value exists.
    #[error("varint is not in its shortest form")]
    NotMinimal,
}

/// The specification stops at 63 bits, so that every value fits a signed integer as well.
pub const MAX: u64 = (1 << 63) - 1;

/// What [`MAX`] takes.
pub const MAX_BYTES: usize = 9;

/// The bit that says "more bytes follow", and at the same time the base of the digits.
const CONTINUATION: u64 = 0x80;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        encode(value, &mut out);
        out
    }

    #[test]
    fn known_values() {
        let table: [(u64, &[u8]); 9] = [
            (0, &[0x00]),
            (1, &[0x01]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (255, &[0xff, 0x01]),
            (300, &[0xac, 0x02]),
            (16383, &[0xff, 0x7f]),
            (16384, &[0x80, 0x80, 0x01]),
            (MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        ];
        for (value, bytes) in table {
            assert_eq!(encoded(value), bytes, "encoding {value}");
            assert_eq!(decode(bytes), Ok(Some((value, bytes.len()))), "decoding {value}");
        }
    }

    #[test]
    fn malformed() {
        for incomplete in [&[][..], &[0x80], &[0x80; 8]] {
            assert_eq!(decode(incomplete), Ok(None), "{incomplete:02x?}");
        }
        let table: [(&[u8], Error); 5] = [
            (&[0x81, 0x00], Error::NotMinimal),
            (&[0x80, 0x00], Error::NotMinimal),
            (&[0x80; 9], Error::TooLong),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Error::TooLong),
            (&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], Error::TooLong),
        ];
        for (bytes, error) in table {
            assert_eq!(decode(bytes), Err(error), "{bytes:02x?}");
        }
        assert_eq!(decode(&encoded(MAX + 1)), Err(Error::TooLong));
    }

    proptest! {
        #[test]
        fn every_value_survives_and_every_proper_prefix_is_incomplete(shift in 0u32..64, seed: u64, tail: Vec<u8>) {
            let value = (seed & MAX) >> shift;
            let mut bytes = encoded(value);
            let length = bytes.len();
            for end in 0..length {
                prop_assert_eq!(decode(&bytes[..end]), Ok(None));
            }
            bytes.extend(tail);
            prop_assert_eq!(decode(&bytes), Ok(Some((value, length))));
        }

        #[test]
        fn whatever_decodes_is_canonical(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            if let Ok(Some((value, length))) = decode(&bytes) {
                prop_assert_eq!(encoded(value), &bytes[..length]);
            }
        }
    }
}
