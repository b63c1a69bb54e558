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
//!      any ── we give it up ──────────────────────► Reset
//! ```
//!
//! A reset that the application asks for is no state: the stream is forgotten at once. FIN and RST are yamux's words; mplex
//! calls them Close and Reset. Opening is no state either: data may flow before it is answered.

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
    /// The peer's RST, or ours without the application's asking: nothing can be read or sent.
    Reset,
}

/// What moves a [`State`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    FinSent,
    FinReceived,
    ResetReceived,
    /// We reset it ourselves, and the application has yet to learn of it.
    GivenUp,
}

impl State {
    pub(super) fn after(self, input: Input) -> Self {
        use Input::{FinReceived, FinSent, GivenUp, ResetReceived};
        match (self, input) {
            (_, GivenUp) => Self::Reset,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_with_every_input() {
        use Input::{FinReceived, FinSent, GivenUp, ResetReceived};
        use State::{Closed, Cut, Open, ReceiveClosed, Reset, SendClosed};
        let table = [
            (Open, [SendClosed, ReceiveClosed, Reset, Reset]),
            (SendClosed, [SendClosed, Closed, Reset, Reset]),
            (ReceiveClosed, [Closed, ReceiveClosed, Cut, Reset]),
            (Closed, [Closed, Closed, Closed, Reset]),
            (Cut, [Cut, Cut, Cut, Reset]),
            (Reset, [Reset, Reset, Reset, Reset]),
        ];
        for (state, expected) in table {
            let inputs = [FinSent, FinReceived, ResetReceived, GivenUp];
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
}
