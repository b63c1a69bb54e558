//! libp2p connections as pure state machines.
//!
//! Bytes, the time and random seeds come in as arguments; bytes, events and deadlines come out.
//! There are no sockets, no clock, no threads and no callbacks here, so a whole connection runs in
//! a unit test with virtual time.
#![forbid(unsafe_code)]

pub mod buffer;
mod curve;
pub mod delimited;
pub mod fault;
pub mod identity;
pub mod limits;
pub mod messages;
pub mod multistream;
pub mod mux;
pub mod noise;
pub mod plaintext;
pub mod pnet;
pub mod secure;
pub mod session;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
pub mod tls;
pub mod varint;
