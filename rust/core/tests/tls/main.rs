//! TLS, one file per behaviour.

mod alerts;
mod certificates;
mod channel;
mod credentials;
mod damage;
mod handshake;
#[path = "../hex/mod.rs"]
mod hex;
mod muxers;
mod odd_certificate;
mod odd_peer;
mod party;
