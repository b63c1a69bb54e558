//! Messages with their length in front, as a [`varint`].

use crate::varint;

/// Appends the length of `body` and `body`.
pub fn encode(body: &[u8], out: &mut Vec<u8>) {
    varint::encode(body.len() as u64, out);
    out.extend_from_slice(body);
}

/// Reads the message at the start of `data`: its body and how many bytes it took, length included.
///
/// `None` means that it is not all there yet. The length is checked against `max` as soon as it is
/// complete, so nobody has to keep, or make room for, a body that would be refused.
///
/// # Errors
///
/// [`Error::Length`] if the length is not a varint, [`Error::TooLarge`] if it is more than `max`.
pub fn decode(data: &[u8], max: usize) -> Result<Option<(&[u8], usize)>, Error> {
    let Some((announced, prefix)) = varint::decode(data)? else { return Ok(None) };
    let length = usize::try_from(announced)
        .ok()
        .filter(|&length| length <= max)
        .ok_or(Error::TooLarge { length: announced, max })?;
    // Saturated is longer than any slice, hence rightly "not all there".
    let end = prefix.saturating_add(length);
    Ok(data.get(prefix..end).map(|body| (body, end)))
}

/// Why bytes are not an acceptable message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The length is not a varint.
    #[error("message length: {0}")]
    Length(#[from] varint::Error),
    /// The length is over the bound of the protocol.
    #[error("message of {length} bytes is over the bound of {max}")]
    TooLarge {
        /// What the peer announced.
        length: u64,
        /// What the protocol allows.
        max: usize,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bound_is_checked_before_the_body_is_there() {
        assert_eq!(decode(&[3], 3), Ok(None));
        assert_eq!(decode(&[4], 3), Err(Error::TooLarge { length: 4, max: 3 }));
        assert_eq!(decode(&[0], 0), Ok(Some((&[][..], 1))));
        let mut huge = Vec::new();
        varint::encode(varint::MAX, &mut huge);
        assert_eq!(decode(&huge, 3), Err(Error::TooLarge { length: varint::MAX, max: 3 }));
        assert_eq!(decode(&huge, usize::MAX), Ok(None));
    }

    #[test]
    fn length_must_be_a_varint() {
        assert_eq!(decode(&[0x81, 0x00, 0x00], 3), Err(Error::Length(varint::Error::NotMinimal)));
        assert_eq!(decode(&[0x80; 9], 3), Err(Error::Length(varint::Error::TooLong)));
    }

    proptest! {
        #[test]
        fn every_body_survives_and_every_proper_prefix_is_incomplete(body in prop::collection::vec(any::<u8>(), 0..300), tail: Vec<u8>) {
            let mut bytes = Vec::new();
            encode(&body, &mut bytes);
            let length = bytes.len();
            for end in 0..length {
                prop_assert_eq!(decode(&bytes[..end], 300), Ok(None));
            }
            bytes.extend(tail);
            prop_assert_eq!(decode(&bytes, 300), Ok(Some((&body[..], length))));
        }
    }
}
