//! Error codes that go-libp2p publishes for connections and streams.
//!
//! The two columns are off by one from each other, so they are never interchangeable.

/// Why a connection ended: the value of a go-away.
pub mod connection {
    /// An orderly end.
    pub const NORMAL: u32 = 0;
    /// Yamux's own code for a peer that broke the protocol; every implementation knows it.
    pub const YAMUX_PROTOCOL_ERROR: u32 = 1;
    /// No protocol could be agreed on.
    pub const NEGOTIATION_FAILED: u32 = 0x1000;
    /// A limit of the local end was reached.
    pub const RESOURCE_LIMIT: u32 = 0x1001;
    /// The peer asks too often.
    pub const RATE_LIMITED: u32 = 0x1002;
    /// The peer broke the rules.
    pub const PROTOCOL_VIOLATION: u32 = 0x1003;
    /// Another connection to the same peer took its place.
    pub const SUPPLANTED: u32 = 0x1004;
    /// Closed to make room.
    pub const GARBAGE_COLLECTED: u32 = 0x1005;
    /// The local end is shutting down.
    pub const SHUTDOWN: u32 = 0x1006;
    /// The local end does not want this peer.
    pub const GATED: u32 = 0x1007;
}

/// Why a stream was reset.
pub mod stream {
    /// No reason given.
    pub const NONE: u32 = 0;
    /// No protocol could be agreed on.
    pub const NEGOTIATION_FAILED: u32 = 0x1001;
    /// A limit of the local end was reached.
    pub const RESOURCE_LIMIT: u32 = 0x1002;
    /// The peer asks too often.
    pub const RATE_LIMITED: u32 = 0x1003;
    /// The peer broke the rules.
    pub const PROTOCOL_VIOLATION: u32 = 0x1004;
    /// Another stream took its place.
    pub const SUPPLANTED: u32 = 0x1005;
    /// Closed to make room, or because nobody closed it for long.
    pub const GARBAGE_COLLECTED: u32 = 0x1006;
    /// The local end is shutting down.
    pub const SHUTDOWN: u32 = 0x1007;
    /// The local end does not want this peer.
    pub const GATED: u32 = 0x1008;
}
