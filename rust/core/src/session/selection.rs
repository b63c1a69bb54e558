//! multistream-select on the way up, for the secure channel and for the muxer.

use super::event::{Reason, Stage};
use crate::multistream::{Decision, Dialer, Error, Listener, Progress, ProtocolSet, Simultaneous};
use crate::secure::Side;

/// One negotiation that is under way.
#[derive(Debug)]
pub(super) struct Selection {
    stage: Stage,
    /// What we speak, in our order.
    ours: Vec<String>,
    state: State,
}

#[derive(Debug)]
enum State {
    Simultaneous(Simultaneous),
    Dialer(Dialer),
    Listener(Listener, ProtocolSet),
}

impl Selection {
    /// The dialer's side, with its opening bytes in `out`.
    pub(super) fn dial(stage: Stage, ours: Vec<String>, out: &mut Vec<u8>) -> Result<Self, Reason> {
        let Ok(mut dialer) = Dialer::new(ours.clone()) else { return Err(nothing(stage, ours)) };
        dialer.transmit(out);
        Ok(Self { stage, ours, state: State::Dialer(dialer) })
    }

    /// The listener's side, which waits for the dialer's bytes.
    pub(super) fn listen(stage: Stage, ours: Vec<String>) -> Self {
        // A name that cannot be negotiated could not be agreed on either.
        let supported = ProtocolSet::new(ours.iter().cloned()).unwrap_or_default();
        Self { stage, ours, state: State::Listener(Listener::new(), supported) }
    }

    /// The side of a dialer that may have met another one, with its opening bytes in `out`.
    pub(super) fn contend(
        stage: Stage,
        ours: Vec<String>,
        number: u64,
        out: &mut Vec<u8>,
    ) -> Result<Self, Reason> {
        let Ok(simultaneous) = Simultaneous::new(ours.clone(), number) else {
            return Err(nothing(stage, ours));
        };
        simultaneous.begin(out);
        Ok(Self { stage, ours, state: State::Simultaneous(simultaneous) })
    }

    /// Takes the negotiation's bytes from the front of `data`, with the index in our list once both agreed.
    pub(super) fn receive(
        &mut self,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<usize>), Reason> {
        let stage = self.stage;
        let malformed = |error| Reason::Negotiation { stage, error };
        let mut before = 0;
        if let State::Simultaneous(simultaneous) = &mut self.state {
            let (used, decision) = simultaneous.receive(data, out).map_err(malformed)?;
            before = used;
            self.state = match decision {
                None => return Ok((used, None)),
                Some(Decision::Dialer(mut dialer)) => {
                    dialer.transmit(out);
                    State::Dialer(dialer)
                }
                Some(Decision::Listener(listener)) => {
                    let supported = ProtocolSet::new(self.ours.iter().cloned()).unwrap_or_default();
                    State::Listener(listener, supported)
                }
            };
        }
        let (used, agreed) = match &mut self.state {
            State::Simultaneous(_) => (0, None),
            State::Dialer(dialer) => {
                let (used, progress) = dialer.receive(&data[before..]).map_err(malformed)?;
                match progress {
                    Progress::Pending => {
                        dialer.transmit(out);
                        (used, None)
                    }
                    Progress::Agreed(index) => (used, Some(index)),
                    Progress::Refused => return Err(nothing(stage, self.ours.clone())),
                }
            }
            State::Listener(listener, supported) => {
                let (used, agreed) =
                    listener.receive(&data[before..], supported, out).map_err(|error| match error {
                        // What a dialer had sent behind its last proposal, sure that it would be taken.
                        Error::AfterRefusal => nothing(stage, self.ours.clone()),
                        other => malformed(other),
                    })?;
                (used, agreed.and_then(|name| self.ours.iter().position(|our| *our == name)))
            }
        };
        Ok((before + used, agreed))
    }

    /// Which side we are, as far as it is decided.
    pub(super) const fn side(&self) -> Side {
        match self.state {
            State::Simultaneous(_) | State::Dialer(_) => Side::Initiator,
            State::Listener(..) => Side::Responder,
        }
    }

    /// The index in our list of what is proposed, if there is no alternative to it: what comes next may
    /// follow before the answer does.
    pub(super) fn only_candidate(&self) -> Option<usize> {
        match &self.state {
            State::Dialer(dialer) if dialer.is_lazy() => self.ours.len().checked_sub(1),
            _ => None,
        }
    }

    /// What the end of the transport means now: a dialer that was refused everything leaves without a word.
    pub(super) fn at_eof(&self) -> Reason {
        match &self.state {
            State::Listener(listener, _) if listener.has_refused() => nothing(self.stage, self.ours.clone()),
            _ => Reason::EofInUpgrade(self.stage),
        }
    }
}

const fn nothing(stage: Stage, ours: Vec<String>) -> Reason {
    Reason::NothingInCommon { stage, ours }
}
