//! The side that proposes.

use super::message::{Message, MessageReader, encode_header, encode_message};
use super::protocol_set::check_protocol;
use super::{Error, InvalidProtocol, MAX_ROUNDS};

/// Proposes one protocol after the other until the peer takes one.
///
/// ```text
///              header              the name proposed
/// AwaitHeader ───────► AwaitAnswer ─────────────────► Agreed
///                      │   ▲  │
///              na, and └───┘  └───► Refused
///         one is left         na, and none is left
///
/// AwaitHeader, AwaitAnswer: anything else ─► Failed
/// ```
///
/// Call [`transmit`](Self::transmit) once at the start and after each [`receive`](Self::receive).
#[derive(Debug)]
pub struct Dialer {
    protocols: Box<[String]>,
    reader: MessageReader,
    /// The header is still to be sent.
    owes_header: bool,
    state: State,
    /// Index of the protocol that the next answer is about.
    candidate: usize,
    /// How many of the protocols were proposed.
    proposed: usize,
    repeated_headers: u8,
}

impl Dialer {
    /// Prepares to propose `protocols`, the preferred one first.
    ///
    /// # Errors
    ///
    /// [`InvalidProtocol`] if there are none, too many, or one that cannot be negotiated.
    pub fn new(protocols: Vec<String>) -> Result<Self, InvalidProtocol> {
        if protocols.is_empty() {
            return Err(InvalidProtocol::NoCandidate);
        }
        if protocols.len() > usize::from(MAX_ROUNDS) {
            return Err(InvalidProtocol::TooManyCandidates { count: protocols.len() });
        }
        protocols.iter().try_for_each(|protocol| check_protocol(protocol))?;
        Ok(Self::at(State::AwaitHeader, protocols.into_boxed_slice(), 0))
    }

    /// Goes on behind the headers, which both sides have sent, and behind `proposed` proposals.
    pub(super) fn greeted(protocols: Box<[String]>, proposed: usize) -> Self {
        Self::at(State::AwaitAnswer, protocols, proposed)
    }

    pub(super) fn into_protocols(self) -> Box<[String]> {
        self.protocols
    }

    fn at(state: State, protocols: Box<[String]>, proposed: usize) -> Self {
        let reader = MessageReader::default();
        let owes_header = matches!(state, State::AwaitHeader);
        Self { protocols, reader, owes_header, state, candidate: 0, proposed, repeated_headers: 0 }
    }

    /// Takes what the peer sent: how many of the bytes belonged to the negotiation, and how it stands.
    ///
    /// The other bytes, which exist only after an agreement or a refusal, belong to the next layer.
    /// After an agreement or a refusal this takes nothing and repeats it.
    ///
    /// # Errors
    ///
    /// What the peer did wrong; the same again at every later call.
    pub fn receive(&mut self, data: &[u8]) -> Result<(usize, Progress), Error> {
        let mut rest = data;
        match self.advance(&mut rest) {
            Ok(progress) => Ok((data.len() - rest.len(), progress)),
            Err(error) => {
                self.state = State::Failed(error);
                Err(error)
            }
        }
    }

    /// Appends what is to be sent now: at first the header and the first proposal together, later the
    /// next proposal after a refusal, otherwise nothing.
    pub fn transmit(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.owes_header) {
            encode_header(out);
        }
        // More than one only if a peer refused what it had not yet seen: it gets the same bytes as if it had waited.
        for protocol in self.protocols.iter().take(self.candidate + 1).skip(self.proposed) {
            encode_message(protocol, out);
            self.proposed += 1;
        }
    }

    /// Whether payload may follow the proposal without waiting for the answer, because only one
    /// candidate remains: a refusal then costs nothing but the payload.
    #[must_use]
    pub fn is_lazy(&self) -> bool {
        let pending = matches!(self.state, State::AwaitHeader | State::AwaitAnswer);
        pending && self.candidate + 1 == self.protocols.len()
    }

    /// All candidates, in the order of preference.
    #[must_use]
    pub fn protocols(&self) -> &[String] {
        &self.protocols
    }

    /// The protocol that is proposed now, or was the last one to be.
    #[must_use]
    pub fn candidate(&self) -> &str {
        self.protocol(self.candidate)
    }

    /// The protocol with this index in the list that [`new`](Self::new) was given; empty if there is none.
    #[must_use]
    pub fn protocol(&self, index: usize) -> &str {
        self.protocols.get(index).map_or("", String::as_str)
    }

    fn advance(&mut self, rest: &mut &[u8]) -> Result<Progress, Error> {
        loop {
            match self.state {
                State::AwaitHeader => {
                    if !self.reader.header(rest)? {
                        return Ok(Progress::Pending);
                    }
                    self.state = State::AwaitAnswer;
                }
                State::AwaitAnswer => {}
                State::Agreed => return Ok(Progress::Agreed(self.candidate)),
                State::Refused => return Ok(Progress::Refused),
                State::Failed(error) => return Err(error),
            }
            let Some(text) = self.reader.next(rest)? else { return Ok(Progress::Pending) };
            self.state = self.after(Message::parse(&text)?)?;
        }
    }

    fn after(&mut self, message: Message<'_>) -> Result<State, Error> {
        match (self.state, message) {
            // A listener that sends its header unasked and then also answers ours as just another word.
            (State::AwaitAnswer, Message::Header) if self.repeated_headers < MAX_ROUNDS => {
                self.repeated_headers += 1;
                Ok(State::AwaitAnswer)
            }
            (State::AwaitAnswer, Message::Header) => Err(Error::TooManyRounds),
            (State::AwaitAnswer, Message::NotAvailable) if self.candidate + 1 < self.protocols.len() => {
                self.candidate += 1;
                Ok(State::AwaitAnswer)
            }
            (State::AwaitAnswer, Message::NotAvailable) => Ok(State::Refused),
            (State::AwaitAnswer, Message::Protocol(name)) if name == self.candidate() => Ok(State::Agreed),
            (State::AwaitAnswer, Message::Protocol(_) | Message::List) => Err(Error::UnexpectedAnswer),
            (ended @ (State::AwaitHeader | State::Agreed | State::Refused | State::Failed(_)), _) => {
                Ok(ended)
            }
        }
    }
}

/// How a negotiation stands for the dialer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not decided.
    Pending,
    /// The peer took the protocol with this index.
    Agreed(usize),
    /// The peer took none.
    Refused,
}

#[derive(Clone, Copy, Debug)]
enum State {
    AwaitHeader,
    AwaitAnswer,
    Agreed,
    Refused,
    Failed(Error),
}
