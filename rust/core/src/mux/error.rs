//! What goes wrong in a multiplexer: by us, by one stream, by the peer.

use super::codes;
use crate::varint;

/// Why no stream can be opened any more on this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// All stream ids of our half were used; a new connection has new ones.
    #[error("all stream ids of this connection are used up")]
    IdsExhausted,
    /// One of the ends said go-away, or the peer broke the protocol.
    #[error("the connection is going away")]
    GoingAway,
    /// There is no multiplexer: the connection is one stream, and it exists already.
    #[error("a connection without a multiplexer has one stream only")]
    OnlyOneStream,
}

/// Why a stream cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The peer reset it.
    #[error("the peer reset the stream with code {code:#x}")]
    Reset {
        /// The reason as the peer gave it; 0 when it gave none.
        code: u32,
    },
    /// We have closed this direction ourselves.
    #[error("this direction of the stream is closed")]
    Closed,
    /// There is no such stream, or it was released or reset by us.
    #[error("there is no such stream")]
    Unknown,
}

/// How the peer broke the protocol. The connection is over; where the protocol has a go-away, one
/// with [`Violation::code`] is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A frame of a version that is not 0.
    #[error("a frame of version {0}, only 0 exists")]
    Version(u8),
    /// A frame of a type that does not exist.
    #[error("a frame of unknown type {0}")]
    FrameType(u8),
    /// Data or credit for stream 0, which stands for the connection itself.
    #[error("a stream frame for stream 0")]
    StreamZero,
    /// The peer opened a stream with an id of our half.
    #[error("the peer opened stream {0}, an id of our half")]
    WrongParity(u32),
    /// The peer opened a stream that is open.
    #[error("the peer opened stream {0} twice")]
    DuplicateStream(u64),
    /// More data than the window had room for.
    #[error("{length} bytes for stream {stream} with a window of {window}")]
    WindowExceeded {
        /// The stream's id on the wire.
        stream: u32,
        /// The length of the frame's body in bytes.
        length: u32,
        /// What the window had left in bytes.
        window: u32,
    },
    /// Credit that no 32-bit window can hold.
    #[error("credit of {credit} overflows the window of stream {stream}")]
    CreditOverflow {
        /// The stream's id on the wire.
        stream: u32,
        /// The credit that was given in bytes.
        credit: u32,
    },
    /// An mplex header that is not made of varints.
    #[error("a malformed header: {0}")]
    Header(varint::Error),
    /// An mplex message with the one flag that means nothing.
    #[error("a message with flag 7, which does not exist")]
    UnknownFlag,
    /// An mplex message that is longer than the protocol allows.
    #[error("a message of {0} bytes, more than 1 MiB")]
    MessageTooLong(u64),
    /// The peer opens and resets streams faster than anything honest.
    #[error("the peer resets too many of its streams")]
    TooManyResets,
    /// Floods of frames that carry nothing.
    #[error("too many frames that say nothing")]
    TooManyEmptyFrames,
    /// Floods of frames for streams that do not exist.
    #[error("too many frames for streams that do not exist")]
    TooManyIgnoredFrames,
    /// The peer goes on sending on streams that it has ended.
    #[error("too many frames after the end of a stream")]
    TooManyFramesAfterFin,
}

impl Violation {
    /// The code of the go-away that answers it, or would if the protocol had one.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Version(_)
            | Self::FrameType(_)
            | Self::StreamZero
            | Self::WrongParity(_)
            | Self::DuplicateStream(_)
            | Self::WindowExceeded { .. }
            | Self::CreditOverflow { .. } => codes::connection::YAMUX_PROTOCOL_ERROR,
            Self::Header(_)
            | Self::UnknownFlag
            | Self::MessageTooLong(_)
            | Self::TooManyResets
            | Self::TooManyEmptyFrames
            | Self::TooManyIgnoredFrames
            | Self::TooManyFramesAfterFin => codes::connection::PROTOCOL_VIOLATION,
        }
    }
}
