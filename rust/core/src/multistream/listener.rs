//! The side that answers.

use super::message::{Message, MessageReader, NOT_AVAILABLE, encode_header, encode_list, encode_message};
use super::{Error, MAX_ROUNDS, Supported};

/// Answers proposals until one is of a protocol spoken here.
///
/// ```text
///              header                unknown: na
/// AwaitHeader ───────► AwaitProposal ───────────► AwaitAnother ◄─┐
///                            │                     │  │          │ unknown: na
///            known: the same ▼                     │  └──────────┘
///                          Agreed ◄────────────────┘ known: the same
///
/// every state but Agreed: anything malformed, out of place or once too often ─► Failed
/// ```
#[derive(Debug)]
pub struct Listener {
    reader: MessageReader,
    state: State,
    rounds: u8,
}

impl Listener {
    /// Waits for the header of a dialer.
    #[must_use]
    pub fn new() -> Self {
        Self::at(State::AwaitHeader)
    }

    /// Goes on behind the headers, which both sides have sent.
    pub(super) fn greeted() -> Self {
        Self::at(State::AwaitProposal)
    }

    fn at(state: State) -> Self {
        Self { reader: MessageReader::default(), state, rounds: 0 }
    }

    /// Proposals were refused, and nothing was agreed on.
    #[must_use]
    pub const fn has_refused(&self) -> bool {
        matches!(self.state, State::AwaitAnother)
    }

    /// Takes what the dialer sent and appends the answers to `out`: how many of the bytes belonged to
    /// the negotiation, and the protocol if this agreed on one.
    ///
    /// The other bytes, which exist only after an agreement, belong to the next layer: a dialer may
    /// send them without waiting. After an agreement this takes nothing and gives no protocol.
    ///
    /// # Errors
    ///
    /// What the dialer did wrong; the same again at every later call. The answers to what came before
    /// are in `out`.
    pub fn receive(
        &mut self,
        data: &[u8],
        supported: &dyn Supported,
        out: &mut Vec<u8>,
    ) -> Result<(usize, Option<String>), Error> {
        let mut rest = data;
        match self.advance(&mut rest, supported, out) {
            Ok(agreed) => Ok((data.len() - rest.len(), agreed)),
            Err(error) => {
                self.state = State::Failed(error);
                Err(error)
            }
        }
    }

    fn advance(
        &mut self,
        rest: &mut &[u8],
        supported: &dyn Supported,
        out: &mut Vec<u8>,
    ) -> Result<Option<String>, Error> {
        loop {
            match self.state {
                State::AwaitHeader => {
                    if !self.reader.header(rest)? {
                        return Ok(None);
                    }
                    encode_header(out);
                    self.state = State::AwaitProposal;
                }
                State::AwaitProposal | State::AwaitAnother => {}
                State::Agreed => return Ok(None),
                State::Failed(error) => return Err(error),
            }
            let Some(text) = self.reader.next(rest).map_err(|error| self.excuse(error))? else {
                return Ok(None);
            };
            let message = Message::parse(&text).map_err(|error| self.excuse(error))?;
            if let Some(protocol) = self.answer(message, supported, out)? {
                return Ok(Some(protocol));
            }
        }
    }

    /// What is malformed after a refusal was hardly meant as a message.
    fn excuse(&self, error: Error) -> Error {
        if matches!(self.state, State::AwaitAnother) { Error::AfterRefusal } else { error }
    }

    fn answer(
        &mut self,
        message: Message<'_>,
        supported: &dyn Supported,
        out: &mut Vec<u8>,
    ) -> Result<Option<String>, Error> {
        match (self.state, message) {
            (State::AwaitProposal | State::AwaitAnother, Message::Protocol(name))
                if supported.supports(name) =>
            {
                self.state = State::Agreed;
                encode_message(name, out);
                Ok(Some(name.to_owned()))
            }
            // The payload of a refused protocol can by chance be a message. Whether it came before our
            // `na` did depends on how the bytes were split, so this is as strict with every dialer.
            (State::AwaitAnother, Message::NotAvailable) => Err(Error::AfterRefusal),
            (State::AwaitAnother, Message::Protocol(name)) if !name.starts_with('/') => {
                Err(Error::AfterRefusal)
            }
            (State::AwaitProposal | State::AwaitAnother, _) if self.rounds == MAX_ROUNDS => {
                Err(Error::TooManyRounds)
            }
            (State::AwaitProposal | State::AwaitAnother, message) => {
                self.rounds += 1;
                match message {
                    // js listeners take the header as one more word, so a dialer may have learnt to repeat it.
                    Message::Header => encode_header(out),
                    Message::List => encode_list(&supported.names(), out),
                    Message::NotAvailable | Message::Protocol(_) => {
                        self.state = State::AwaitAnother;
                        encode_message(NOT_AVAILABLE, out);
                    }
                }
                Ok(None)
            }
            (State::AwaitHeader | State::Agreed | State::Failed(_), _) => Ok(None),
        }
    }
}

impl Default for Listener {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    AwaitHeader,
    AwaitProposal,
    /// At least one proposal was refused.
    AwaitAnother,
    Agreed,
    Failed(Error),
}
