//! Peers that keep to TLS but not to libp2p: rustls as it is, with any certificates and any records.

use std::sync::Arc;

use plait_core::tls::{Channel, Completed, Error, Handshake};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, Connection, ConnectionTrafficSecrets, DigitallySignedStruct,
    DistinguishedName, ServerConfig, ServerConnection, SignatureScheme,
};

use crate::odd_certificate::OddCertificate;
use crate::party::{Party, sent};

/// Certificates and the key that signs the handshake, which need not belong together.
pub(crate) fn certified(chain: &[Vec<u8>], pkcs8: &[u8]) -> Arc<SingleCertAndKey> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.to_vec()));
    let key = rustls::crypto::ring::sign::any_ecdsa_type(&key).unwrap();
    let chain = chain.iter().cloned().map(CertificateDer::from).collect();
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)))
}

/// The one certificate of an honest peer.
pub(crate) fn honest(identity: &Party) -> Arc<SingleCertAndKey> {
    let certificate = OddCertificate::of(identity);
    certified(&[certificate.build()], &certificate.pkcs8)
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A client that trusts anybody, to be changed before it connects.
pub(crate) fn client_config(provider: Arc<CryptoProvider>, key: Arc<SingleCertAndKey>) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting))
        .with_client_cert_resolver(key);
    config.enable_secret_extraction = true;
    config
}

/// A server that trusts anybody and gives no tickets.
pub(crate) fn server_config(provider: Arc<CryptoProvider>, key: Arc<SingleCertAndKey>) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(Arc::new(Trusting))
        .with_cert_resolver(key);
    config.send_tls13_tickets = 0;
    config.enable_secret_extraction = true;
    config
}

pub(crate) fn client(config: ClientConfig) -> Connection {
    let name = ServerName::try_from("named.example").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap().into()
}

pub(crate) fn server(config: ServerConfig) -> Connection {
    ServerConnection::new(Arc::new(config)).unwrap().into()
}

/// Runs a handshake against our side until somebody ends it. Also what our side said last.
pub(crate) fn run(ours: &mut Handshake, peer: &mut Connection) -> (Result<Completed, Error>, Vec<u8>) {
    let mut completed = None;
    for _ in 0..10 {
        give(peer, &sent(ours));
        let flight = taken(peer);
        let mut rest = flight.as_slice();
        while !rest.is_empty() && completed.is_none() {
            match ours.receive(rest) {
                Ok((consumed, done)) => {
                    rest = &rest[consumed..];
                    completed = done;
                }
                Err(error) => return (Err(error), sent(ours)),
            }
        }
        if let Some(completed) = completed {
            give(peer, &sent(ours));
            return (Ok(completed), rest.to_vec());
        }
    }
    panic!("the handshake does not end");
}

/// Gives bytes to the peer, whatever it makes of them.
pub(crate) fn give(peer: &mut Connection, mut bytes: &[u8]) {
    while !bytes.is_empty() && peer.wants_read() {
        peer.read_tls(&mut bytes).unwrap();
        if peer.process_new_packets().is_err() {
            return;
        }
    }
}

/// What the peer has to send.
pub(crate) fn taken(peer: &mut Connection) -> Vec<u8> {
    let mut out = Vec::new();
    while peer.wants_write() {
        peer.write_tls(&mut out).unwrap();
    }
    out
}

/// Our channel as a client, and what sends to it.
pub(crate) fn with_server() -> (Channel, Connection) {
    let mut peer = server(server_config(provider(), honest(&Party::new(2))));
    let mut ours = crate::party::client();
    (run(&mut ours, &mut peer).0.unwrap().channel, peer)
}

/// Our channel as a server, and what sends to it.
pub(crate) fn with_client() -> (Channel, Connection) {
    let mut peer = client(client_config(provider(), honest(&Party::new(1))));
    let mut ours = crate::party::server();
    (run(&mut ours, &mut peer).0.unwrap().channel, peer)
}

/// Seals records of any kind with the keys of a peer.
pub(crate) struct OddSender {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl OddSender {
    pub(crate) fn new(peer: Connection) -> Self {
        let (sequence, secrets) = peer.dangerous_extract_secrets().unwrap().tx;
        let (algorithm, key, iv) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => panic!("an unknown suite"),
        };
        let key = LessSafeKey::new(UnboundKey::new(algorithm, key.as_ref()).unwrap());
        Self { key, iv: iv.as_ref().try_into().unwrap(), sequence }
    }

    /// A record with this content of this type.
    pub(crate) fn seal(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut sealed = [content, &[kind]].concat();
        let [high, low] = ((sealed.len() + 16) as u16).to_be_bytes();
        let header = [23, 3, 3, high, low];
        let mut nonce = self.iv;
        for (byte, number) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= number;
        }
        self.sequence += 1;
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(nonce, Aad::from(header), &mut sealed).unwrap();
        [&header[..], &sealed].concat()
    }
}

#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Trusting {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
