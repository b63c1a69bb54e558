//! `/tls/1.0.0`: TLS 1.3 with libp2p's certificates, where both sides prove who they are.
//!
//! A [`Handshake`] turns bytes of the wire into [`Completed`]: who the peer is, and a [`Channel`] for
//! the records that follow. The handshake and the key schedule are those of rustls, the primitives
//! those of ring. Two things are here instead: the verdict on the peer's certificate, since no
//! authority vouches for it and generic verifiers refuse what libp2p puts in it; and the records after
//! the handshake, because rustls copies each of them up to three times and here they are sealed and
//! opened where they lie.
//!
//! TLS draws its own randomness, from the operating system by way of ring: the one exception to
//! "randomness is an argument". rustls takes it in many places in the middle of a handshake, and a
//! predictable source put in its way would be a way to break all connections at once.
//!
//! The peer is told why it failed, as TLS wants it: [`Handshake::transmit`] and [`Channel::transmit`]
//! give the alert after an error.

mod alert;
mod certificate;
mod channel;
mod credentials;
mod error;
mod handshake;
mod key_schedule;
mod record;
mod self_signed;
#[cfg(test)]
mod tests;
mod verifier;

pub use alert::Alert;
pub use certificate::verify_certificate;
pub use channel::Channel;
pub use credentials::{CertificateKey, Credentials};
pub use error::Error;
pub use handshake::{Completed, Handshake};
pub use record::{MAX_PLAINTEXT, OVERHEAD, PREFIX};

/// The protocol id of TLS.
pub const PROTOCOL: &str = "/tls/1.0.0";

/// What stands in front of the certificate's key when an identity signs it.
const SIGNATURE_DOMAIN: &[u8] = b"libp2p-tls-handshake:";

/// The extension that says whose certificate it is, registered for libp2p.
const EXTENSION: der::asn1::ObjectIdentifier =
    der::asn1::ObjectIdentifier::new_unwrap("1.3.6.1.4.1.53594.1.1");
