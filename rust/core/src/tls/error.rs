//! Everything that can end a handshake or a channel.

use rustls::PeerIncompatible;

use super::{Alert, MAX_PLAINTEXT};
use crate::identity::{self, PeerId};

/// Why a handshake or a record failed. All of them end the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A peer proves itself with exactly one certificate.
    #[error("the peer sent {0} certificates instead of one")]
    CertificateCount(usize),
    /// Refused before anything in it was looked at.
    #[error("certificate of {0} bytes is too long")]
    CertificateTooLong(usize),
    /// Not a certificate of X.509 version 3 in DER.
    #[error("malformed certificate")]
    MalformedCertificate,
    /// Its time has not begun; both in seconds since 1970.
    #[error("the certificate is valid from {not_before}, and it is {now}")]
    NotYetValid {
        /// When it begins.
        not_before: u64,
        /// When it was received.
        now: u64,
    },
    /// Its time is over; both in seconds since 1970.
    #[error("the certificate was valid until {not_after}, and it is {now}")]
    Expired {
        /// When it ended.
        not_after: u64,
        /// When it was received.
        now: u64,
    },
    /// Not one of the pairs of key and signature that are accepted: SHA-1, P-521, Ed448, a curve that
    /// is spelled out, P-384 with SHA-256.
    #[error("unsupported certificate key or signature algorithm")]
    SignatureAlgorithm,
    /// The certificate was not signed by the key in it.
    #[error("the certificate is not signed by its own key")]
    SelfSignature,
    /// A certificate of something else than libp2p.
    #[error("the certificate has no libp2p extension")]
    MissingExtension,
    /// Two answers to who the peer is are none.
    #[error("the certificate has more than one libp2p extension")]
    DuplicateExtension,
    /// An extension that says it must not be ignored, and is not known here.
    #[error("the certificate has the unknown critical extension {0}")]
    UnknownCriticalExtension(String),
    /// It says what its key is for, and signing handshakes is not among it.
    #[error("the certificate's key is not for signatures")]
    KeyUsage,
    /// Refused before the signature in it was looked at.
    #[error("libp2p extension of {0} bytes is too long")]
    ExtensionTooLong(usize),
    /// Not a sequence of a public key message and a signature.
    #[error("malformed libp2p extension")]
    MalformedExtension,
    /// The identity key in the extension is not one.
    #[error("identity key: {0}")]
    IdentityKey(identity::Error),
    /// The peer proved to be somebody else than was dialed.
    #[error("dialed {expected}, but {actual} answered")]
    PeerIdMismatch {
        /// Whom we dialed.
        expected: PeerId,
        /// Who says it is there.
        actual: PeerId,
    },
    /// The peer's identity has not signed the key of the certificate.
    #[error("the peer's identity has not signed its certificate key")]
    IdentitySignature,
    /// The peer showed a certificate and did not prove to have its key.
    #[error("the peer has not signed this handshake with its certificate key")]
    HandshakeSignature,
    /// The peer knows no TLS 1.3.
    #[error("the peer does not speak TLS 1.3")]
    NoCommonVersion,
    /// No cipher suite, group or signature scheme in common; what exactly, in rustls' words.
    #[error("nothing in common with the peer: {0}")]
    NoCommonParameters(String),
    /// Both sides named protocols, and none is in both lists.
    #[error("no application protocol in common")]
    NoApplicationProtocol,
    /// The peer ended it.
    #[error("the peer sent the alert {0}")]
    AlertReceived(Alert),
    /// The five bytes in front are not those of a record.
    #[error("not a TLS record: {0:02x?}")]
    MalformedRecord([u8; 5]),
    /// More than a record may have.
    #[error("record of {0} bytes is too long")]
    RecordTooLong(usize),
    /// Flipped, replayed, reordered, or made with another key.
    #[error("decryption failed")]
    Decryption,
    /// A message, or a part of one, where it must not be.
    #[error("unexpected message of type {0}")]
    UnexpectedMessage(u8),
    /// A message of the handshake protocol that is not what it should be; rustls' words if it has any.
    #[error("malformed handshake message: {0}")]
    MalformedMessage(String),
    /// A message of the handshake protocol spread over more records than any certificate needs.
    #[error("handshake message of more than {0} bytes")]
    MessageTooLong(usize),
    /// Records that carry nothing, or change keys, again and again.
    #[error("{0} records in a row without data")]
    FruitlessRecords(u32),
    /// Local misuse: a record has between 1 and [`MAX_PLAINTEXT`] bytes of plaintext.
    #[error("cannot seal {0} bytes in one record, which takes 1 to {MAX_PLAINTEXT}")]
    PlaintextLength(usize),
    /// Local misuse: ALPN has room for names of 1 to 255 bytes.
    #[error("cannot offer a protocol name of {0} bytes")]
    ProtocolName(usize),
    /// Local: what the credentials were to be made of does not make credentials.
    #[error("credentials: {0}")]
    Credentials(identity::Error),
    /// Local: the operating system gave no randomness, or a time does not fit a certificate.
    #[error("cannot make {0}")]
    Unavailable(&'static str),
    /// rustls refuses something that has no variant here, in its words.
    #[error("{0}")]
    Protocol(String),
    /// It failed before, or the handshake is over, or the channel was closed.
    #[error("the channel has ended")]
    Ended,
}

impl Error {
    /// What rustls found wrong, where it was not a certificate: [`Verifier`](super::verifier::Verifier)
    /// keeps the verdict on that.
    pub(super) fn from_rustls(error: rustls::Error) -> Self {
        use rustls::Error as Tls;
        match error {
            Tls::NoCertificatesPresented => Self::CertificateCount(0),
            Tls::InvalidCertificate(_) => Self::HandshakeSignature,
            Tls::AlertReceived(alert) => Self::AlertReceived(Alert::from_code(alert.into())),
            Tls::NoApplicationProtocol => Self::NoApplicationProtocol,
            Tls::DecryptError => Self::Decryption,
            Tls::InvalidMessage(what) => Self::MalformedMessage(format!("{what:?}")),
            Tls::InappropriateMessage { got_type, .. } => Self::UnexpectedMessage(got_type.into()),
            Tls::InappropriateHandshakeMessage { got_type, .. } => Self::UnexpectedMessage(got_type.into()),
            Tls::PeerIncompatible(
                PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled,
            ) => Self::NoCommonVersion,
            Tls::PeerIncompatible(what) => Self::NoCommonParameters(format!("{what:?}")),
            other => Self::Protocol(other.to_string()),
        }
    }

    /// What to tell the peer when this ends a [`Channel`](super::Channel); nothing after its own alert.
    pub(super) const fn alert(&self) -> Option<Alert> {
        match self {
            Self::AlertReceived(_) | Self::Ended => None,
            Self::RecordTooLong(_) => Some(Alert::RECORD_OVERFLOW),
            Self::Decryption => Some(Alert::BAD_RECORD_MAC),
            Self::MalformedMessage(_) | Self::MessageTooLong(_) => Some(Alert::DECODE_ERROR),
            Self::MalformedRecord(_) | Self::UnexpectedMessage(_) | Self::FruitlessRecords(_) => {
                Some(Alert::UNEXPECTED_MESSAGE)
            }
            _ => Some(Alert::INTERNAL_ERROR),
        }
    }
}
