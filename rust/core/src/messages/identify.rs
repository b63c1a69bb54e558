//! Identify: what a peer says of itself, in one message or several that are merged.

use prost::Message as _;

use super::{
    Error, MAX_MULTIADDRS, MAX_PROTOCOL, MAX_PROTOCOLS, check_length, decode_bounded, is_usable_multiaddr,
};

/// Longest single message accepted: what go and js accept.
pub const MAX_IDENTIFY: usize = 8192;

/// Longest single message sent: rust reads the first message only, and no more than this of it.
pub const MAX_IDENTIFY_SENT: usize = 4096;

/// Most messages in one exchange: what go and js read before they give up.
pub const MAX_IDENTIFY_MESSAGES: usize = 10;

/// Most bytes accepted in one exchange, over all its messages.
pub const MAX_IDENTIFY_TOTAL: usize = 64 * 1024;

/// What a peer says of itself. None of it is proven, but for what a valid signed record repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identify {
    /// The public key message.
    pub public_key: Option<Vec<u8>>,
    /// Multiaddrs, in binary form, on which the peer says it listens.
    pub listen_addresses: Vec<Vec<u8>>,
    /// Protocol ids that the peer handles.
    pub protocols: Vec<String>,
    /// The receiver's own address as the sender sees it.
    pub observed_address: Option<Vec<u8>>,
    /// By convention `ipfs/0.1.0`; nobody may reject on it.
    pub protocol_version: Option<String>,
    /// Name and version of the sender's software, for people to read.
    pub agent_version: Option<String>,
    /// A signed envelope with the peer's record, not yet verified.
    pub signed_peer_record: Option<Vec<u8>>,
}

impl Identify {
    /// Decodes one message of at most [`MAX_IDENTIFY`] bytes.
    ///
    /// Entries that cannot be used are dropped, not errors: empty, repeated or oversized addresses,
    /// oversized protocol ids and those that are not UTF-8, and what is over the list limits.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut identify = Self::default();
        identify.merge(bytes)?;
        Ok(identify)
    }

    /// Decodes all messages of one exchange, in order, as if they were one.
    pub fn decode_all<'a>(messages: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Error> {
        let mut identify = Self::default();
        let mut total = 0_usize;
        for (index, bytes) in messages.into_iter().enumerate() {
            if index >= MAX_IDENTIFY_MESSAGES {
                return Err(too_many_messages(index.saturating_add(1)));
            }
            total = total.saturating_add(bytes.len());
            check_length("identify", total, MAX_IDENTIFY_TOTAL)?;
            identify.merge(bytes)?;
        }
        Ok(identify)
    }

    /// Merges one more message of at most [`MAX_IDENTIFY`] bytes: a field it has replaces the one
    /// here, its lists are appended.
    pub fn merge(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let wire: IdentifyMessage = decode_bounded("identify", bytes, MAX_IDENTIFY)?;
        replace(&mut self.public_key, wire.public_key);
        replace(
            &mut self.observed_address,
            wire.observed_addr.filter(|address| is_usable_multiaddr(address)),
        );
        replace(&mut self.protocol_version, wire.protocol_version.map(text));
        replace(&mut self.agent_version, wire.agent_version.map(text));
        replace(&mut self.signed_peer_record, wire.signed_peer_record);
        for address in wire.listen_addrs {
            if self.listen_addresses.len() == MAX_MULTIADDRS {
                break;
            }
            if is_usable_multiaddr(&address) && !self.listen_addresses.contains(&address) {
                self.listen_addresses.push(address);
            }
        }
        let room = MAX_PROTOCOLS.saturating_sub(self.protocols.len());
        let short = wire.protocols.into_iter().filter(|name| !name.is_empty() && name.len() <= MAX_PROTOCOL);
        self.protocols.extend(short.filter_map(|name| String::from_utf8(name).ok()).take(room));
        Ok(())
    }

    /// Encodes into as few messages as fit, each at most [`MAX_IDENTIFY_SENT`] bytes but for the
    /// signed record, which gets its own when the first message has no room for it.
    ///
    /// The first message has the scalar fields, the addresses and the protocols, since some peers read
    /// no further. Fails when a field cannot fit or there would be more than [`MAX_IDENTIFY_MESSAGES`].
    pub fn encode(&self) -> Result<Vec<Vec<u8>>, Error> {
        let mut messages = Messages::start(IdentifyMessage {
            public_key: self.public_key.clone(),
            observed_addr: self.observed_address.clone().filter(|address| !address.is_empty()),
            protocol_version: self.protocol_version.clone().map(String::into_bytes),
            agent_version: self.agent_version.clone().map(String::into_bytes),
            ..IdentifyMessage::default()
        })?;
        for address in self.listen_addresses.iter().filter(|address| !address.is_empty()) {
            messages.room_for(address.len(), MAX_IDENTIFY_SENT)?.listen_addrs.push(address.clone());
        }
        for protocol in &self.protocols {
            messages
                .room_for(protocol.len(), MAX_IDENTIFY_SENT)?
                .protocols
                .push(protocol.clone().into_bytes());
        }
        if let Some(record) = &self.signed_peer_record {
            messages.room_for(record.len(), MAX_IDENTIFY)?.signed_peer_record = Some(record.clone());
        }
        messages.finish()
    }
}

/// The messages of one exchange while they are filled, one after the other.
struct Messages {
    full: Vec<Vec<u8>>,
    current: IdentifyMessage,
    length: usize,
}

impl Messages {
    fn start(first: IdentifyMessage) -> Result<Self, Error> {
        let length = first.encoded_len();
        check_length("identify", length, MAX_IDENTIFY_SENT)?;
        Ok(Self { full: Vec::new(), current: first, length })
    }

    /// The message that a field of `field` bytes goes into: the current one when it has the room, else
    /// a new one. A field that needs a message of its own may make it up to `max_alone` bytes long.
    fn room_for(&mut self, field: usize, max_alone: usize) -> Result<&mut IdentifyMessage, Error> {
        let encoded = prost::length_delimiter_len(field).saturating_add(field).saturating_add(FIELD_TAG);
        check_length("identify", encoded, max_alone)?;
        let length = self.length.saturating_add(encoded);
        if length <= MAX_IDENTIFY_SENT {
            self.length = length;
        } else {
            self.full.push(std::mem::take(&mut self.current).encode_to_vec());
            self.length = encoded;
        }
        Ok(&mut self.current)
    }

    fn finish(mut self) -> Result<Vec<Vec<u8>>, Error> {
        self.full.push(self.current.encode_to_vec());
        let count = self.full.len();
        if count > MAX_IDENTIFY_MESSAGES { Err(too_many_messages(count)) } else { Ok(self.full) }
    }
}

/// Strings are bytes here: proto2 peers may send anything, and one bad name must not fail the message.
#[derive(Clone, PartialEq, prost::Message)]
struct IdentifyMessage {
    #[prost(bytes = "vec", optional, tag = "1")]
    public_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    listen_addrs: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    protocols: Vec<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "4")]
    observed_addr: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    protocol_version: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "6")]
    agent_version: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "8")]
    signed_peer_record: Option<Vec<u8>>,
}

fn replace<T>(field: &mut Option<T>, newer: Option<T>) {
    if newer.is_some() {
        *field = newer;
    }
}

/// Only for people to read, so what is not UTF-8 may be replaced.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn too_many_messages(count: usize) -> Error {
    Error::TooManyMessages { message: "identify", count, max: MAX_IDENTIFY_MESSAGES }
}

/// All field numbers are below 16, so that a tag is one byte.
const FIELD_TAG: usize = 1;
