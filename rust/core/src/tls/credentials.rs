//! What a host proves itself with, made once and shared by all its connections.

use std::fmt;
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring as provider;
use rustls::crypto::ring::cipher_suite::{
    TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig, SignatureScheme};

use super::verifier::Verifier;
use super::{Error, SIGNATURE_DOMAIN, self_signed};
use crate::identity::{Proven, PublicKey};

/// The key pair of a certificate that is still to be made: fresh, on P-256 as everywhere in libp2p,
/// and unrelated to the identity.
///
/// Its randomness is ring's, from the operating system, and not an argument: ring makes ECDSA keys and
/// signatures with no other, nor does rustls on top of it.
pub struct CertificateKey {
    key: Arc<dyn SigningKey>,
    /// The SubjectPublicKeyInfo, with a named curve and an uncompressed point: the one form that peers
    /// arrive at when they encode the key again.
    info: Vec<u8>,
    serial: [u8; SERIAL],
}

impl CertificateKey {
    /// A new key pair. Fails when the operating system has no randomness.
    pub fn generate() -> Result<Self, Error> {
        let no_key = Error::Unavailable("a certificate key");
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
            .map_err(|_| no_key.clone())?;
        let pair = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.as_ref()));
        let key = provider::sign::any_ecdsa_type(&pair).map_err(|_| no_key.clone())?;
        let info = key.public_key().ok_or_else(|| no_key.clone())?.as_ref().to_vec();
        let mut serial = [0; SERIAL];
        random.fill(&mut serial).map_err(|_| no_key)?;
        // Positive, and no byte too many.
        serial[0] = serial[0] & 0x7f | 0x40;
        Ok(Self { key, info, serial })
    }

    /// What an identity signs to vouch for this key.
    #[must_use]
    pub fn signed_message(&self) -> Vec<u8> {
        [SIGNATURE_DOMAIN, &self.info].concat()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.key
            .choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])
            .and_then(|signer| signer.sign(message).ok())
            .ok_or(Error::Unavailable("a signature"))
    }
}

/// Shows no secret.
impl fmt::Debug for CertificateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CertificateKey").field("info", &self.info).finish_non_exhaustive()
    }
}

/// What all handshakes of one host share, computed once: certificate, key, and what is offered.
///
/// Never stored beyond the process: whoever has the key is this host.
pub struct Credentials {
    certificate: CertificateDer<'static>,
    resolver: Arc<SingleCertAndKey>,
    provider: Arc<CryptoProvider>,
    /// Of certificates of peers.
    proven: Arc<Proven>,
}

impl Credentials {
    /// Takes the identity's public key message and its signature over the key's
    /// [`signed_message`](CertificateKey::signed_message); `unix_time` in seconds. The certificate is
    /// valid from an hour before that for a hundred years.
    ///
    /// Fails when the signature does not verify, since no peer would accept it.
    pub fn new(
        key: CertificateKey,
        identity_key: Vec<u8>,
        identity_signature: Vec<u8>,
        unix_time: u64,
    ) -> Result<Self, Error> {
        PublicKey::decode(&identity_key)
            .and_then(|identity| identity.verify(&key.signed_message(), &identity_signature))
            .map_err(Error::Credentials)?;
        let sign = |message: &[u8]| key.sign(message).map_err(Unbuilt);
        let certificate =
            self_signed::build(&key.serial, &key.info, &identity_key, &identity_signature, unix_time, sign)
                .map_err(|Unbuilt(error)| error)?;
        let certificate = CertificateDer::from(certificate);
        let certified = CertifiedKey::new(vec![certificate.clone()], key.key);
        let cipher_suites = cipher_suites();
        Ok(Self {
            certificate,
            resolver: Arc::new(SingleCertAndKey::from(certified)),
            provider: Arc::new(CryptoProvider { cipher_suites, ..provider::default_provider() }),
            proven: Arc::new(Proven::new()),
        })
    }

    /// The certificate, in DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    pub(super) const fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    pub(super) const fn proven(&self) -> &Arc<Proven> {
        &self.proven
    }

    /// The side of a dialer. No server name is sent, nothing is resumed, no session is kept.
    pub(super) fn client_config(
        &self,
        verifier: &Arc<Verifier>,
        alpn: Vec<Vec<u8>>,
    ) -> Result<ClientConfig, rustls::Error> {
        let clock = Arc::clone(verifier);
        let mut config = ClientConfig::builder_with_details(Arc::clone(&self.provider), clock)
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(verifier) as _)
            .with_client_cert_resolver(Arc::clone(&self.resolver) as _);
        config.alpn_protocols = alpn;
        config.enable_sni = false;
        config.resumption = Resumption::disabled();
        config.enable_secret_extraction = true;
        Ok(config)
    }

    /// The side of a listener. A certificate is demanded, no ticket is given.
    pub(super) fn server_config(
        &self,
        verifier: &Arc<Verifier>,
        alpn: Vec<Vec<u8>>,
    ) -> Result<ServerConfig, rustls::Error> {
        let clock = Arc::clone(verifier);
        let mut config = ServerConfig::builder_with_details(Arc::clone(&self.provider), clock)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::clone(verifier) as _)
            .with_cert_resolver(Arc::clone(&self.resolver) as _);
        config.alpn_protocols = alpn;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.enable_secret_extraction = true;
        // rust-libp2p puts ChaCha20 first whatever its CPU is, so the order of a client says little.
        config.ignore_client_order = true;
        Ok(config)
    }
}

/// Shows no secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// A certificate that could not be written: the time does not fit, or there is no signature.
struct Unbuilt(Error);

impl From<der::Error> for Unbuilt {
    fn from(_: der::Error) -> Self {
        Self(Error::Unavailable("a certificate"))
    }
}

/// AES where the CPU computes it, at several times the speed of ChaCha20; else ChaCha20, because AES in
/// software is slower than that. Of the two AES the shorter key first: it is faster and long enough.
fn cipher_suites() -> Vec<rustls::SupportedCipherSuite> {
    let mut suites = vec![TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256];
    if !has_aes_instructions() {
        suites.rotate_right(1);
    }
    suites
}

/// Whether this CPU has instructions for AES and for the carry-less multiplication of its GCM: without
/// them ChaCha20-Poly1305 is the faster cipher, and safer against being timed.
#[must_use]
pub fn has_aes_instructions() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let has = std::is_x86_feature_detected!("aes") && std::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    let has =
        std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    let has = false;
    has
}

/// Bytes of a serial number, as long as makes two of them different for ever.
const SERIAL: usize = 16;
