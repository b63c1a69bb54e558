//! The checks of one handshake, as rustls asks for them.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, PeerIncompatible, SignatureScheme};

use super::Error;
use super::certificate::{self, Remote};
use super::credentials::Credentials;
use crate::identity::{PeerId, Proven};

/// Judges the peer of one handshake, keeps the verdict, and is the only clock that rustls sees.
#[derive(Debug)]
pub(super) struct Verifier {
    provider: Arc<CryptoProvider>,
    proven: Arc<Proven>,
    expected: Option<PeerId>,
    unix_time: u64,
    /// rustls calls through a shared reference and has no room for our errors.
    verdict: OnceLock<Result<Remote, Error>>,
}

impl Verifier {
    pub(super) fn new(credentials: &Credentials, expected: Option<PeerId>, unix_time: u64) -> Self {
        let (provider, proven) = (Arc::clone(credentials.provider()), Arc::clone(credentials.proven()));
        Self { provider, proven, expected, unix_time, verdict: OnceLock::new() }
    }

    /// What came of the peer's certificate; `None` while none has arrived.
    pub(super) fn verdict(&self) -> Option<&Result<Remote, Error>> {
        self.verdict.get()
    }

    fn judge(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
    ) -> Result<(), rustls::Error> {
        let chain: Vec<&[u8]> =
            std::iter::once(certificate).chain(others).map(|certificate| certificate.as_ref()).collect();
        let algorithms = &self.provider.signature_verification_algorithms;
        let verdict = self.verdict.get_or_init(|| {
            certificate::verify(&chain, self.expected, self.unix_time, algorithms, &self.proven)
        });
        match verdict {
            Ok(_) => Ok(()),
            Err(error) => Err(rustls::Error::InvalidCertificate(certificate_error(error))),
        }
    }

    /// With the key from the very bytes that were judged, not by parsing the certificate once more:
    /// the parser of rustls refuses extensions that it does not know.
    fn verify_signature(
        &self,
        message: &[u8],
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let Some(Ok(remote)) = self.verdict() else {
            return Err(rustls::Error::NoCertificatesPresented);
        };
        let key = SubjectPublicKeyInfoDer::from(remote.certificate_key.as_slice());
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What makes rustls send the alert that fits.
fn certificate_error(error: &Error) -> CertificateError {
    match error {
        Error::NotYetValid { .. } => CertificateError::NotValidYet,
        Error::Expired { .. } => CertificateError::Expired,
        Error::SelfSignature | Error::IdentitySignature => CertificateError::BadSignature,
        Error::SignatureAlgorithm | Error::KeyUsage => CertificateError::InvalidPurpose,
        Error::PeerIdMismatch { .. } => CertificateError::ApplicationVerificationFailure,
        _ => CertificateError::BadEncoding,
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.judge(certificate, others).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        _certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify_signature(message, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.judge(certificate, others).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        _certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verify_signature(message, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl TimeProvider for Verifier {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(self.unix_time)))
    }
}
