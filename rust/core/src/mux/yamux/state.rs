//! How far a stream has come.
//!
//! ```text
//!               our FIN                  peer's FIN
//!       ┌──────────────► SendClosed ──────────────┐
//!      Open                                       ├──► Closed
//!       └──────────────► ReceiveClosed ───────────┘
//!             peer's FIN       │        our FIN
//!                              │ peer's RST
//!                              └──────────────────► Cut
//!      Open, SendClosed ── peer's RST ────────────► Reset
//! ```
//!
//! Our own reset is no state: the stream is forgotten at once. Nor is SYN and ACK: data may flow
//! before either is answered, so [`Handshake`] goes beside it.

/// Which directions of a stream are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Both.
    Open,
    /// Our FIN is sent, the peer's is not here.
    SendClosed,
    /// The peer's FIN is here, ours is not sent.
    ReceiveClosed,
    /// Both FINs went by.
    Closed,
    /// The peer's FIN, and later its RST: what it sent is complete, what we send goes nowhere.
    Cut,
    /// The peer's RST: nothing can be read or sent.
    Reset,
}

/// What moves a [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    FinSent,
    FinReceived,
    ResetReceived,
}

impl State {
    pub(super) fn after(self, input: Input) -> Self {
        use Input::{FinReceived, FinSent, ResetReceived};
        match (self, input) {
            (Self::Open, FinSent) => Self::SendClosed,
            (Self::Open, FinReceived) => Self::ReceiveClosed,
            (Self::Open | Self::SendClosed, ResetReceived) => Self::Reset,
            (Self::SendClosed, FinReceived) | (Self::ReceiveClosed, FinSent) => Self::Closed,
            (Self::ReceiveClosed, ResetReceived) => Self::Cut,
            // A second FIN says nothing new, and what is over stays as it ended.
            (Self::SendClosed, FinSent) | (Self::ReceiveClosed, FinReceived) => self,
            (Self::Closed | Self::Cut | Self::Reset, _) => self,
        }
    }

    /// The peer may still send.
    pub(super) fn can_receive(self) -> bool {
        matches!(self, Self::Open | Self::SendClosed)
    }

    /// We may still send.
    pub(super) fn can_send(self) -> bool {
        matches!(self, Self::Open | Self::ReceiveClosed)
    }

    /// Neither end sends any more, the id is free again on the wire.
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Cut | Self::Reset)
    }
}

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
    fn every_state_with_every_input() {
        use Input::{FinReceived, FinSent, ResetReceived};
        use State::{Closed, Cut, Open, ReceiveClosed, Reset, SendClosed};
        let table = [
            (Open, [SendClosed, ReceiveClosed, Reset]),
            (SendClosed, [SendClosed, Closed, Reset]),
            (ReceiveClosed, [Closed, ReceiveClosed, Cut]),
            (Closed, [Closed, Closed, Closed]),
            (Cut, [Cut, Cut, Cut]),
            (Reset, [Reset, Reset, Reset]),
        ];
        for (state, expected) in table {
            let inputs = [FinSent, FinReceived, ResetReceived];
            assert_eq!(inputs.map(|input| state.after(input)), expected, "{state:?}");
        }
    }

    #[test]
    fn every_state_knows_what_is_still_open() {
        use State::{Closed, Cut, Open, ReceiveClosed, Reset, SendClosed};
        for (state, receive, send, over) in [
            (Open, true, true, false),
            (SendClosed, true, false, false),
            (ReceiveClosed, false, true, false),
            (Closed, false, false, true),
            (Cut, false, false, true),
            (Reset, false, false, true),
        ] {
            assert_eq!((state.can_receive(), state.can_send(), state.is_over()), (receive, send, over));
        }
    }

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
