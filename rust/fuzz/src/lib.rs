//! What several targets need: bytes in pieces, and frames that are nearly right.

use arbitrary::Arbitrary;

/// Lengths of pieces, taken in turn. 0 stands for all the rest.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Lengths([u8; 3]);

impl Lengths {
    /// `bytes` in pieces.
    pub fn cut(self, mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut turn = self.0.into_iter().cycle();
        std::iter::from_fn(move || {
            if bytes.is_empty() {
                return None;
            }
            let length = match turn.next() {
                None | Some(0) => bytes.len(),
                Some(length) => usize::from(length).min(bytes.len()),
            };
            let (piece, rest) = bytes.split_at(length);
            bytes = rest;
            Some(piece)
        })
    }
}

/// A yamux frame from a small world: few streams, known types and flags, so that frames meet the
/// streams that earlier ones opened.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Frame {
    kind: Kind,
    flags: u8,
    stream: u8,
    length: Length,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Data,
    WindowUpdate,
    Ping,
    GoAway,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Length {
    /// A body of this length follows.
    Body(u8),
    /// A body that is larger than any segment.
    Bulk(u16),
    /// Only the length field; a body would have to come from elsewhere.
    Bare(u32),
}

impl Frame {
    /// Appends the frame.
    pub fn encode(self, out: &mut Vec<u8>) {
        let Self { kind, flags, stream, length } = self;
        let (claimed, body) = match length {
            Length::Body(length) => (u32::from(length), usize::from(length)),
            Length::Bulk(length) => (u32::from(length), usize::from(length)),
            Length::Bare(length) => (length, 0),
        };
        out.extend_from_slice(&[0, kind as u8, 0, flags & 0xf]);
        out.extend_from_slice(&u32::from(stream % 16).to_be_bytes());
        out.extend_from_slice(&claimed.to_be_bytes());
        if matches!(kind, Kind::Data) {
            out.resize(out.len() + body, stream);
        }
    }
}

/// A data frame with a body.
pub fn data_frame(stream: u32, flags: u8, body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 0, 0, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
    out.extend_from_slice(body);
}

/// Walks over frames that we made ourselves.
///
/// # Panics
/// One of them is cut short, or is none.
pub fn check_frames(mut wire: &[u8]) {
    while let Some((header, rest)) = wire.split_first_chunk::<HEADER_LENGTH>() {
        assert_eq!(header[0], 0, "version");
        assert!(header[1] <= 3, "type {}", header[1]);
        let length = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let body = if header[1] == 0 { length } else { 0 };
        assert!(body <= rest.len(), "a frame was cut in two");
        wire = &rest[body..];
    }
    assert!(wire.is_empty(), "a header was cut in two");
}

const HEADER_LENGTH: usize = 12;
