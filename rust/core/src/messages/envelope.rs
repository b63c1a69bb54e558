//! Signed envelopes and the peer record that travels in them.
//!
//! Only the encoding is here; who may sign what is for [`crate::identity`].

use super::{Error, MAX_MULTIADDRS, check_length, decode_bounded, is_usable_multiaddr};

/// Longest envelope: it has to fit into one identify message.
pub const MAX_ENVELOPE: usize = 8192;

/// `Envelope`: a payload with the key and the signature that vouch for it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Envelope {
    /// The public key message of the signer.
    #[prost(bytes = "vec", optional, tag = "1")]
    pub public_key: Option<Vec<u8>>,
    /// What the payload is, as raw bytes.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub payload_type: Option<Vec<u8>>,
    /// The payload, in the form of its type.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub payload: Option<Vec<u8>>,
    /// The signature over domain, type and payload.
    #[prost(bytes = "vec", optional, tag = "5")]
    pub signature: Option<Vec<u8>>,
}

impl Envelope {
    /// Decodes an envelope of at most [`MAX_ENVELOPE`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        decode_bounded("envelope", bytes, MAX_ENVELOPE)
    }

    /// Encodes the envelope, if it is within what others accept.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let bytes = prost::Message::encode_to_vec(self);
        check_length("envelope", bytes.len(), MAX_ENVELOPE)?;
        Ok(bytes)
    }
}

/// `PeerRecord`: where a peer says it can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerRecord {
    /// The peer id's multihash.
    pub peer_id: Vec<u8>,
    /// Grows with each record of this peer; the newest wins.
    pub seq: u64,
    /// Multiaddrs in binary form.
    pub addresses: Vec<Vec<u8>>,
}

impl PeerRecord {
    /// Decodes a record of at most [`MAX_ENVELOPE`] bytes. Empty and oversized addresses are dropped,
    /// and so is what follows the first hundred.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let wire: PeerRecordMessage = decode_bounded("peer record", bytes, MAX_ENVELOPE)?;
        let addresses = wire.addresses.into_iter().map(|info| info.multiaddr);
        let addresses = addresses.filter(|address| is_usable_multiaddr(address)).take(MAX_MULTIADDRS);
        Ok(Self { peer_id: wire.peer_id, seq: wire.seq, addresses: addresses.collect() })
    }

    /// Encodes the record, without its empty addresses.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let addresses = self.addresses.iter().filter(|address| !address.is_empty());
        let addresses = addresses.map(|address| AddressInfo { multiaddr: address.clone() }).collect();
        let wire = PeerRecordMessage { peer_id: self.peer_id.clone(), seq: self.seq, addresses };
        prost::Message::encode_to_vec(&wire)
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct PeerRecordMessage {
    #[prost(bytes = "vec", tag = "1")]
    peer_id: Vec<u8>,
    #[prost(uint64, tag = "2")]
    seq: u64,
    #[prost(message, repeated, tag = "3")]
    addresses: Vec<AddressInfo>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AddressInfo {
    #[prost(bytes = "vec", tag = "1")]
    multiaddr: Vec<u8>,
}
