//! Which names we may offer, and which of them we answer to.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::MAX_ROUNDS;
use super::message::{HEADER, LIST, MAX_MESSAGE_BYTES, NEWLINE, NOT_AVAILABLE};

/// What a [`Listener`](super::Listener) agrees to.
pub trait Supported {
    /// Whether the protocol with exactly this name is spoken here.
    fn supports(&self, protocol: &str) -> bool;

    /// Names for the answer to `ls`, which is cut to what fits one message.
    fn names(&self) -> Vec<String>;
}

/// A set of protocol ids, sorted by name, and perhaps a rule for others.
#[derive(Clone, Default)]
pub struct ProtocolSet {
    names: BTreeSet<String>,
    rule: Option<Rule>,
}

/// Says whether a protocol that is not in the set is spoken all the same.
pub type Rule = Arc<dyn Fn(&str) -> bool + Send + Sync>;

impl fmt::Debug for ProtocolSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ProtocolSet")
            .field("names", &self.names)
            .field("has_rule", &self.rule.is_some())
            .finish()
    }
}

impl ProtocolSet {
    /// The set of these protocols.
    ///
    /// # Errors
    ///
    /// [`InvalidProtocol`] if one of them cannot be negotiated.
    pub fn new<I>(protocols: I) -> Result<Self, InvalidProtocol>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let mut set = Self::default();
        for protocol in protocols {
            set.insert(protocol.into())?;
        }
        Ok(set)
    }

    /// The same set, and in addition every protocol that the rule accepts. `ls` does not list those.
    #[must_use]
    pub fn with_rule(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Adds a protocol; false if it was there already.
    ///
    /// # Errors
    ///
    /// [`InvalidProtocol`] if it cannot be negotiated.
    pub fn insert(&mut self, protocol: String) -> Result<bool, InvalidProtocol> {
        check_protocol(&protocol)?;
        Ok(self.names.insert(protocol))
    }

    /// Removes a protocol; false if it was not there.
    pub fn remove(&mut self, protocol: &str) -> bool {
        self.names.remove(protocol)
    }
}

impl Supported for ProtocolSet {
    fn supports(&self, protocol: &str) -> bool {
        self.names.contains(protocol) || self.rule.as_ref().is_some_and(|accepts| accepts(protocol))
    }

    fn names(&self) -> Vec<String> {
        self.names.iter().cloned().collect()
    }
}

/// Why we cannot negotiate what our own side asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProtocol {
    /// A dialer needs at least one candidate.
    #[error("no protocol to propose")]
    NoCandidate,
    /// More candidates than a listener like ours would refuse one by one.
    #[error("{count} protocols to propose, more than {MAX_ROUNDS}")]
    TooManyCandidates {
        /// How many there are.
        count: usize,
    },
    /// A protocol id needs at least one character.
    #[error("protocol id is empty")]
    Empty,
    /// The message with this protocol id would be over 1 KiB.
    #[error("protocol id of {length} bytes is longer than {MAX_PROTOCOL_BYTES}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A newline ends the message.
    #[error("protocol id {0:?} contains a newline")]
    Newline(String),
    /// The negotiation uses this word itself.
    #[error("{0:?} belongs to the negotiation and cannot be a protocol id")]
    Reserved(String),
}

pub(super) fn check_protocol(protocol: &str) -> Result<(), InvalidProtocol> {
    if protocol.is_empty() {
        Err(InvalidProtocol::Empty)
    } else if protocol.len() > MAX_PROTOCOL_BYTES {
        Err(InvalidProtocol::TooLong { length: protocol.len() })
    } else if protocol.as_bytes().contains(&NEWLINE) {
        Err(InvalidProtocol::Newline(protocol.to_owned()))
    } else if [HEADER, NOT_AVAILABLE, LIST].contains(&protocol) {
        Err(InvalidProtocol::Reserved(protocol.to_owned()))
    } else {
        Ok(())
    }
}

/// Longest protocol id: one message less its newline.
pub const MAX_PROTOCOL_BYTES: usize = MAX_MESSAGE_BYTES - 1;
