//! SYN and ACK, which go beside the state of a stream: data may flow before they are answered.

/// How far the opening of a stream has come.
///
/// Nobody waits for it: it decides which flag the next frame carries, and how many streams of ours
/// the peer has not noticed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handshake {
    /// Ours; nothing was sent, so the peer does not know it. The next frame carries SYN.
    SynOwed,
    /// Ours; the peer has not shown that it knows it.
    SynSent,
    /// The peer's; the next frame carries ACK.
    AckOwed,
    /// Both know it.
    Done,
}

impl Handshake {
    /// A frame with the flag that was owed is sent.
    pub(super) fn after_sending(self) -> Self {
        match self {
            Self::SynOwed | Self::SynSent => Self::SynSent,
            Self::AckOwed | Self::Done => Self::Done,
        }
    }

    /// A frame for the stream has arrived. Any frame will do: some peers acknowledge only with
    /// their first data, and some not at all.
    pub(super) fn after_receiving(self) -> Self {
        match self {
            Self::SynSent => Self::Done,
            Self::SynOwed | Self::AckOwed | Self::Done => self,
        }
    }

    /// Ours, and the peer has not shown that it knows it.
    pub(super) fn is_unacknowledged(self) -> bool {
        matches!(self, Self::SynOwed | Self::SynSent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_the_handshake() {
        use Handshake::{AckOwed, Done, SynOwed, SynSent};
        for (step, sent, received, unacknowledged) in [
            (SynOwed, SynSent, SynOwed, true),
            (SynSent, SynSent, Done, true),
            (AckOwed, Done, AckOwed, false),
            (Done, Done, Done, false),
        ] {
            assert_eq!(step.after_sending(), sent);
            assert_eq!(step.after_receiving(), received);
            assert_eq!(step.is_unacknowledged(), unacknowledged);
        }
    }
}
