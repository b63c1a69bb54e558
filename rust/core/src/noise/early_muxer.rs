//! Choosing the muxer inside the handshake.

/// What the two lists of muxers in a handshake came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EarlyMuxer {
    /// Both sides chose this one; its first frame is the first plaintext.
    Agreed(String),
    /// One side said nothing about muxers: negotiate with multistream, the Noise initiator proposing.
    NotOffered,
    /// Both sides said what they have and nothing is in both. The specification says to fail.
    NoOverlap,
}

impl EarlyMuxer {
    /// The first entry of the initiator's list that the responder has too.
    #[must_use]
    pub fn choose(initiator: &[String], responder: &[String]) -> Self {
        if initiator.is_empty() || responder.is_empty() {
            return Self::NotOffered;
        }
        match initiator.iter().find(|muxer| responder.contains(muxer)) {
            Some(muxer) => Self::Agreed(muxer.clone()),
            None => Self::NoOverlap,
        }
    }
}
