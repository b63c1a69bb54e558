//! Two dialers that met: `/libp2p/simultaneous-connect`, which decides who goes on as the listener.
//!
//! The specifications have withdrawn this extension in favour of roles that are fixed beforehand, so it
//! is only spoken when asked for. Source: `connections/simopen.md`, revision 1.

use super::message::{Message, MessageReader, encode_header, encode_message};
use super::{Dialer, Error, InvalidProtocol, Listener, MAX_ROUNDS};

/// The word that says: I speak this extension, and I think that I am the dialer.
pub const SIMULTANEOUS: &str = "/libp2p/simultaneous-connect";

/// A dialer that does not know yet whether the other side is one too.
///
/// ```text
///             header              the same word                  select: lower      responder
/// AwaitHeader ──────► AwaitAnswer ─────────────► AwaitNumber ───────────────► AwaitResponder ──► a dialer
///                          │ na                        │ select: higher   initiator
///                          ▼                           └────────────► AwaitInitiator ──────────► a listener
///                       a dialer whose first proposal is sent
/// ```
#[derive(Debug)]
pub struct Simultaneous {
    protocols: Box<[String]>,
    reader: MessageReader,
    awaited: Awaited,
    number: u64,
    /// Messages passed over: what the other side had pipelined.
    skipped: u8,
}

/// What became of it.
#[derive(Debug)]
pub enum Decision {
    /// The other side is a listener, or has the lower number: we go on as the dialer.
    Dialer(Dialer),
    /// The other side has the higher number: we go on as the listener.
    Listener(Listener),
}

impl Simultaneous {
    /// For a dialer of `protocols`, the first of which is proposed at once, so that a plain listener costs
    /// no round trip more. `number` is random.
    ///
    /// # Errors
    /// As [`Dialer::new`].
    pub fn new(protocols: Vec<String>, number: u64) -> Result<Self, InvalidProtocol> {
        let protocols = Dialer::new(protocols)?.into_protocols();
        Ok(Self { protocols, reader: MessageReader::default(), awaited: Awaited::Header, number, skipped: 0 })
    }

    /// Appends the opening, which is due once.
    pub fn begin(&self, out: &mut Vec<u8>) {
        encode_header(out);
        encode_message(SIMULTANEOUS, out);
        if let Some(first) = self.protocols.first() {
            encode_message(first, out);
        }
    }

    /// Takes the negotiation's bytes from the front of `data` and appends the answers: how many, and the
    /// decision when there is one. What follows it belongs to the dialer or listener that it gives.
    ///
    /// # Errors
    /// Anything else than the extension allows, or the same number on both sides.
    pub fn receive(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(usize, Option<Decision>), Error> {
        let mut rest = data;
        let decision = self.advance(&mut rest, out)?;
        Ok((data.len() - rest.len(), decision))
    }

    fn advance(&mut self, rest: &mut &[u8], out: &mut Vec<u8>) -> Result<Option<Decision>, Error> {
        if self.awaited == Awaited::Header {
            if !self.reader.header(rest)? {
                return Ok(None);
            }
            self.awaited = Awaited::Answer;
        }
        while let Some(text) = self.reader.next(rest)? {
            match (self.awaited, Message::parse(&text)?) {
                (Awaited::Answer, Message::NotAvailable) => {
                    return Ok(Some(Decision::Dialer(Dialer::greeted(self.protocols.clone(), 1))));
                }
                (Awaited::Answer, Message::Protocol(SIMULTANEOUS)) => {
                    encode_message(&format!("{SELECT}{}", self.number), out);
                    self.awaited = Awaited::Number;
                }
                (Awaited::Number, Message::Protocol(word)) if word.starts_with(SELECT) => {
                    let digits = &word[SELECT.len()..];
                    let theirs: u64 = digits.parse().map_err(|_| Error::UnexpectedAnswer)?;
                    self.awaited = match self.number.cmp(&theirs) {
                        std::cmp::Ordering::Equal => return Err(Error::Tie),
                        std::cmp::Ordering::Less => Awaited::Initiator,
                        std::cmp::Ordering::Greater => {
                            encode_message(INITIATOR, out);
                            Awaited::Responder
                        }
                    };
                }
                // What the other side proposed before it knew of us.
                (Awaited::Number, _) if self.skipped < MAX_ROUNDS => self.skipped += 1,
                (Awaited::Number, _) => return Err(Error::TooManyRounds),
                (Awaited::Initiator, Message::Protocol(INITIATOR)) => {
                    encode_message(RESPONDER, out);
                    return Ok(Some(Decision::Listener(Listener::greeted())));
                }
                (Awaited::Responder, Message::Protocol(RESPONDER)) => {
                    return Ok(Some(Decision::Dialer(Dialer::greeted(self.protocols.clone(), 0))));
                }
                _ => return Err(Error::UnexpectedAnswer),
            }
        }
        Ok(None)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Header,
    Answer,
    Number,
    Initiator,
    Responder,
}

const SELECT: &str = "select:";
const INITIATOR: &str = "initiator";
const RESPONDER: &str = "responder";
