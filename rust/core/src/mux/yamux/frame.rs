//! The 12 bytes in front of everything, big-endian: version 0, type, flags, stream, length.

use crate::mux::Violation;

/// The size of a header in bytes.
pub(super) const HEADER_LEN: usize = 12;

/// What `length` means, and whether a body follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `length` bytes follow.
    Data,
    /// `length` is credit, or with RST an error code.
    WindowUpdate,
    /// `length` names the ping.
    Ping,
    /// `length` is an error code.
    GoAway,
}

/// Opens a stream.
pub(super) const SYN: u16 = 1;
/// Acknowledges a stream, answers a ping.
pub(super) const ACK: u16 = 2;
/// Ends the sender's direction of a stream.
pub(super) const FIN: u16 = 4;
/// Ends a stream at once.
pub(super) const RST: u16 = 8;

/// One header. Flags that do not exist are kept and mean nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) flags: u16,
    pub(super) stream: u32,
    pub(super) length: u32,
}

impl Header {
    pub(super) fn data(stream: u32, flags: u16, length: u32) -> Self {
        Self { kind: Kind::Data, flags, stream, length }
    }

    pub(super) fn window_update(stream: u32, flags: u16, credit: u32) -> Self {
        Self { kind: Kind::WindowUpdate, flags, stream, length: credit }
    }

    /// A reset in the form that carries its reason.
    pub(super) fn reset(stream: u32, code: u32) -> Self {
        Self::window_update(stream, RST, code)
    }

    pub(super) fn ping(id: u32) -> Self {
        Self { kind: Kind::Ping, flags: SYN, stream: 0, length: id }
    }

    pub(super) fn pong(id: u32) -> Self {
        Self { kind: Kind::Ping, flags: ACK, stream: 0, length: id }
    }

    pub(super) fn go_away(code: u32) -> Self {
        Self { kind: Kind::GoAway, flags: 0, stream: 0, length: code }
    }

    pub(super) fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, Violation> {
        let &[version, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3] = bytes;
        if version != 0 {
            return Err(Violation::Version(version));
        }
        let kind = match kind {
            0 => Kind::Data,
            1 => Kind::WindowUpdate,
            2 => Kind::Ping,
            3 => Kind::GoAway,
            unknown => return Err(Violation::FrameType(unknown)),
        };
        Ok(Self {
            kind,
            flags: u16::from_be_bytes([f0, f1]),
            stream: u32::from_be_bytes([s0, s1, s2, s3]),
            length: u32::from_be_bytes([l0, l1, l2, l3]),
        })
    }

    pub(super) fn encode(self) -> [u8; HEADER_LEN] {
        let [f0, f1] = self.flags.to_be_bytes();
        let [s0, s1, s2, s3] = self.stream.to_be_bytes();
        let [l0, l1, l2, l3] = self.length.to_be_bytes();
        [0, self.kind as u8, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3]
    }
}

/// Puts headers together that arrive in pieces.
#[derive(Debug, Default)]
pub(super) struct HeaderReader {
    partial: [u8; HEADER_LEN],
    filled: usize,
}

impl HeaderReader {
    /// Takes one header from the front of `input`; `None` when all of it was taken and the header
    /// is not complete.
    pub(super) fn receive(&mut self, input: &mut &[u8]) -> Option<[u8; HEADER_LEN]> {
        if self.filled == 0
            && let Some((header, rest)) = input.split_first_chunk()
        {
            *input = rest;
            return Some(*header);
        }
        let (piece, rest) = input.split_at(input.len().min(HEADER_LEN - self.filled));
        self.partial[self.filled..self.filled + piece.len()].copy_from_slice(piece);
        self.filled += piece.len();
        *input = rest;
        if self.filled < HEADER_LEN {
            return None;
        }
        self.filled = 0;
        Some(self.partial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn headers_as_they_are_seen_on_the_wire() {
        for (header, text) in [
            (Header::window_update(1, SYN, 0), "000100010000000100000000"),
            (Header::data(1, SYN, 5), "000000010000000100000005"),
            (Header::window_update(1, ACK, 0), "000100020000000100000000"),
            (Header::window_update(1, 0, 128 << 10), "000100000000000100020000"),
            (Header::window_update(1, FIN, 0), "000100040000000100000000"),
            (Header::data(1, FIN | ACK, 0), "000000060000000100000000"),
            (Header::reset(1, 0x1001), "000100080000000100001001"),
            (Header::ping(0), "000200010000000000000000"),
            (Header::pong(0), "000200020000000000000000"),
            (Header::go_away(0x1005), "000300000000000000001005"),
        ] {
            assert_eq!(header.encode().as_slice(), hex(text), "{header:?}");
            assert_eq!(Header::decode(&header.encode()), Ok(header));
        }
    }

    #[test]
    fn other_versions_and_types_are_violations() {
        let mut bytes = Header::ping(1).encode();
        bytes[1] = 4;
        assert_eq!(Header::decode(&bytes), Err(Violation::FrameType(4)));
        bytes[0] = 1;
        assert_eq!(Header::decode(&bytes), Err(Violation::Version(1)));
    }

    proptest! {
        #[test]
        fn what_decodes_encodes_to_the_same_bytes(bytes: [u8; HEADER_LEN]) {
            if let Ok(header) = Header::decode(&bytes) {
                prop_assert_eq!(header.encode(), bytes);
            }
        }

        #[test]
        fn a_header_may_be_split_anywhere(bytes: [u8; HEADER_LEN], cuts in proptest::collection::vec(0usize..=12, 0..4)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut reader = HeaderReader::default();
            let mut start = 0;
            for cut in cuts.into_iter().filter(|&cut| cut < HEADER_LEN) {
                let mut piece = &bytes[start..cut];
                prop_assert_eq!(reader.receive(&mut piece), None);
                prop_assert!(piece.is_empty());
                start = cut;
            }
            let rest = [&bytes[start..], b"next"].concat();
            let mut rest = rest.as_slice();
            prop_assert_eq!(reader.receive(&mut rest), Some(bytes));
            prop_assert_eq!(rest, b"next".as_slice());
        }
    }
}
