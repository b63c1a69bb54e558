//! From the first byte to the end.

use crate::time::Instant;

/// How far the connection is from its end. One way only.
///
/// ```text
/// Upgrading --established--> Open --close--> Flushing --all sent--> Leaving --eof, deadline--> Over
///     |  |                    |^                |                      ^
///     |  +-> Guessing --------++                |                      |
///     +---------+---- close, eof, deadline, violation, go-away: -------+------------------> Over
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Upgrading {
        deadline: Instant,
    },
    /// Open for us. The peer has not agreed to the only muxer that we had to propose, so the deadline of the
    /// upgrade still holds.
    Guessing {
        deadline: Instant,
    },
    Open,
    /// We said close; what streams have queued still goes out.
    Flushing {
        code: u32,
        deadline: Instant,
    },
    /// Our go-away is queued or sent; the peer's end is awaited.
    Leaving {
        code: u32,
        deadline: Instant,
    },
    Over,
}
