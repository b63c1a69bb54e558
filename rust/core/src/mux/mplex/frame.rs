//! A header: the id and the flag in one varint, the length in another.

use crate::mux::Violation;
use crate::varint;

/// What is said, and by which end's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) stream: WireId,
    /// How many bytes follow.
    pub(super) length: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Opens a stream; its body is a name that means nothing.
    NewStream,
    /// Data.
    Message,
    /// Ends the sender's direction.
    Close,
    /// Ends both.
    Reset,
}

/// What names a stream: both ends count from zero, so the number alone would be ambiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct WireId {
    /// Less than 2^60, as the header has room for.
    pub(super) number: u64,
    /// The peer opened it.
    pub(super) is_inbound: bool,
}

impl Header {
    pub(super) fn new(kind: Kind, stream: WireId, length: u32) -> Self {
        Self { kind, stream, length }
    }

    /// Reads a header as the peer sent it, at the start of `bytes`; with how many bytes it took.
    /// `None` while it is incomplete.
    pub(super) fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        let Some((head, first)) = varint::decode(bytes).map_err(Violation::Header)? else {
            return Ok(None);
        };
        // Before the length: an unknown flag stays one, whatever follows.
        let (kind, is_inbound) = match head % FLAGS {
            0 => (Kind::NewStream, true),
            1 => (Kind::Message, false),
            2 => (Kind::Message, true),
            3 => (Kind::Close, false),
            4 => (Kind::Close, true),
            5 => (Kind::Reset, false),
            6 => (Kind::Reset, true),
            _ => return Err(Violation::UnknownFlag),
        };
        let Some((length, second)) = varint::decode(&bytes[first..]).map_err(Violation::Header)? else {
            return Ok(None);
        };
        let length = u32::try_from(length)
            .ok()
            .filter(|&length| length <= MAX_MESSAGE)
            .ok_or(Violation::MessageTooLong(length))?;
        let stream = WireId { number: head / FLAGS, is_inbound };
        Ok(Some((Self { kind, stream, length }, first + second)))
    }

    /// Appends the header as we send it.
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        // The flags of the end that opened the stream are the even ones.
        let flag = match (self.kind, self.stream.is_inbound) {
            (Kind::NewStream, _) => 0,
            (Kind::Message, true) => 1,
            (Kind::Message, false) => 2,
            (Kind::Close, true) => 3,
            (Kind::Close, false) => 4,
            (Kind::Reset, true) => 5,
            (Kind::Reset, false) => 6,
        };
        varint::encode(self.stream.number * FLAGS + flag, out);
        varint::encode(u64::from(self.length), out);
    }
}

/// Puts headers together that arrive in pieces.
#[derive(Debug, Default)]
pub(super) struct HeaderReader {
    partial: Vec<u8>,
}

impl HeaderReader {
    /// Takes one header from the front of `input`; `None` when all of it was taken and the header
    /// is not complete.
    pub(super) fn receive(&mut self, input: &mut &[u8]) -> Result<Option<Header>, Violation> {
        if self.partial.is_empty()
            && let Some((header, used)) = Header::decode(input)?
        {
            *input = &input[used..];
            return Ok(Some(header));
        }
        // A header is rarely cut, so one byte at a time is fast enough.
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            self.partial.push(byte);
            if let Some((header, _)) = Header::decode(&self.partial)? {
                self.partial.clear();
                return Ok(Some(header));
            }
        }
        Ok(None)
    }
}

/// The most that a message may carry, in bytes. The protocol says so.
pub(super) const MAX_MESSAGE: u32 = 1 << 20;

/// The most that a header takes: an id in nine bytes, a length of [`MAX_MESSAGE`] in three.
pub(super) const MAX_HEADER: usize = varint::MAX_BYTES + 3;

/// The flag is the last octal digit of the first varint.
const FLAGS: u64 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(number: u64, is_inbound: bool) -> WireId {
        WireId { number, is_inbound }
    }

    /// The header as the other end means it: what it opened, we did not.
    fn mirrored(header: Header) -> Header {
        let stream = WireId { is_inbound: !header.stream.is_inbound, ..header.stream };
        Header { stream, ..header }
    }

    #[test]
    fn headers_as_they_are_seen_on_the_wire() {
        use Kind::{Close, Message, NewStream, Reset};
        for (header, bytes) in [
            (Header::new(NewStream, id(0, false), 1), &[0x00, 0x01][..]),
            (Header::new(Message, id(0, false), 5), &[0x02, 0x05]),
            (Header::new(Message, id(0, true), 5), &[0x01, 0x05]),
            (Header::new(Close, id(0, false), 0), &[0x04, 0x00]),
            (Header::new(Close, id(0, true), 0), &[0x03, 0x00]),
            (Header::new(NewStream, id(17, false), 0), &[0x88, 0x01, 0x00]),
            (Header::new(Reset, id(17, false), 0), &[0x8e, 0x01, 0x00]),
            (Header::new(Reset, id(17, true), 0), &[0x8d, 0x01, 0x00]),
            (Header::new(Message, id(1, false), MAX_MESSAGE), &[0x0a, 0x80, 0x80, 0x40]),
        ] {
            let mut out = Vec::new();
            header.encode(&mut out);
            assert_eq!(out, bytes, "{header:?}");
            assert_eq!(Header::decode(bytes), Ok(Some((mirrored(header), bytes.len()))));
        }
    }

    #[test]
    fn the_longest_header_has_its_room() {
        let longest = Header::new(Kind::Reset, id((1 << 60) - 1, true), MAX_MESSAGE);
        let mut out = Vec::new();
        longest.encode(&mut out);
        assert_eq!(out.len(), MAX_HEADER);
        assert_eq!(Header::decode(&out), Ok(Some((mirrored(longest), MAX_HEADER))));
    }

    #[test]
    fn malformed_headers_are_refused_as_soon_as_they_are_seen() {
        let table: [(&[u8], Violation); 6] = [
            (&[0x07], Violation::UnknownFlag),
            (&[0x8f, 0x01], Violation::UnknownFlag),
            (&[0x80; 9], Violation::Header(varint::Error::TooLong)),
            (&[0x82, 0x00], Violation::Header(varint::Error::NotMinimal)),
            (&[0x02, 0x81, 0x80, 0x40], Violation::MessageTooLong((1 << 20) + 1)),
            (&[0x02, 0x80, 0x80, 0x80, 0x80, 0x10], Violation::MessageTooLong(1 << 32)),
        ];
        for (bytes, violation) in table {
            assert_eq!(Header::decode(bytes), Err(violation), "{bytes:02x?}");
            for end in 0..bytes.len() {
                assert_eq!(Header::decode(&bytes[..end]), Ok(None), "{bytes:02x?} up to {end}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_header_may_be_split_anywhere(number in 0..1u64 << 60, flag in 0u64..7, length in 0u64..=1 << 20, cut: prop::sample::Index) {
            let mut bytes = Vec::new();
            varint::encode(number * 8 + flag, &mut bytes);
            varint::encode(length, &mut bytes);
            let (expected, size) = Header::decode(&bytes).unwrap().unwrap();
            prop_assert_eq!(size, bytes.len());
            let mut reader = HeaderReader::default();
            let (mut first, second) = bytes.split_at(cut.index(size));
            prop_assert_eq!(reader.receive(&mut first), Ok(None));
            prop_assert!(first.is_empty());
            let rest = [second, b"next"].concat();
            let mut rest = rest.as_slice();
            prop_assert_eq!(reader.receive(&mut rest), Ok(Some(expected)));
            prop_assert_eq!(rest, b"next".as_slice());
        }
    }
}
