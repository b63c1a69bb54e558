//! Two sides of ours, and ours with rustls as it is.

use plait_core::tls::{Error, Handshake, PROTOCOL};
use proptest::prelude::*;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, kx_group};

use crate::odd_certificate::OddCertificate;
use crate::odd_peer::{self, certified, client_config, honest, provider, run, server_config};
use crate::party::{
    NOW, Party, YAMUX, channels, client, connect, finish, names, open, receive, seal, sent, server,
};

#[test]
fn both_sides_know_who_the_other_is() {
    let (ours, theirs) = connect(client(), server());
    assert_eq!(ours.remote, Party::new(2).key());
    assert_eq!(ours.remote_peer, Party::new(2).peer_id());
    assert_eq!(theirs.remote, Party::new(1).key());
    assert_eq!(theirs.remote_peer, Party::new(1).peer_id());
    let (mut ours, mut theirs) = (ours.channel, theirs.channel);
    assert_eq!(open(&mut theirs, &seal(&mut ours, b"hello")), (vec![b"hello".to_vec()], Ok(())));
    assert_eq!(open(&mut ours, &seal(&mut theirs, b"world")), (vec![b"world".to_vec()], Ok(())));
}

#[test]
fn the_protocol_has_its_registered_name() {
    assert_eq!(PROTOCOL, "/tls/1.0.0");
}

#[test]
fn credentials_serve_many_handshakes() {
    let (ours, theirs) = (Party::new(1).credentials(), Party::new(2).credentials());
    for _ in 0..3 {
        let client = Handshake::client(&ours, &names(&[YAMUX]), None, NOW).unwrap();
        let server = Handshake::server(&theirs, &names(&[YAMUX]), None, NOW).unwrap();
        assert_eq!(connect(client, server).0.remote_peer, Party::new(2).peer_id());
    }
}

#[test]
fn records_behind_the_handshake_are_left_for_the_channel() {
    let (mut client, mut server) = (client(), server());
    receive(&mut server, &sent(&mut client));
    let mut ours = finish(&mut client, &sent(&mut server)).channel;
    let mut flight = sent(&mut client);
    let handshake = flight.len();
    flight.extend_from_slice(&seal(&mut ours, b"early"));
    let (consumed, completed) = server.receive(&flight).unwrap();
    assert_eq!(consumed, handshake);
    let mut theirs = completed.unwrap().channel;
    assert_eq!(open(&mut theirs, &flight[handshake..]).0, [b"early"]);
}

#[test]
fn a_completed_handshake_takes_nothing_more() {
    let (mut client, mut server) = (client(), server());
    receive(&mut server, &sent(&mut client));
    let flight = sent(&mut server);
    finish(&mut client, &flight);
    assert_eq!(client.receive(&flight).map(|_| ()), Err(Error::Ended));
    finish(&mut server, &sent(&mut client));
    assert_eq!(server.receive(&[]).map(|_| ()), Err(Error::Ended));
}

#[test]
fn byte_by_byte_is_the_same_handshake() {
    let (mut client, mut server) = (client(), server());
    for byte in sent(&mut client) {
        receive(&mut server, &[byte]);
    }
    let flight = sent(&mut server);
    let (last, all_but_last) = flight.split_last().unwrap();
    for byte in all_but_last {
        receive(&mut client, &[*byte]);
    }
    assert_eq!(sent(&mut client), CHANGE_CIPHER_SPEC, "no certificate to whom is not known");
    assert_eq!(finish(&mut client, &[*last]).remote_peer, Party::new(2).peer_id());
    let flight = sent(&mut client);
    let (last, all_but_last) = flight.split_last().unwrap();
    for byte in all_but_last {
        receive(&mut server, &[*byte]);
    }
    assert_eq!(finish(&mut server, &[*last]).remote_peer, Party::new(1).peer_id());
}

#[test]
fn a_hello_over_many_records_is_one_hello() {
    for size in [1, 7, 100] {
        let (mut client, mut server) = (client(), server());
        let hello = sent(&mut client);
        for piece in hello[5..].chunks(size) {
            receive(&mut server, &[&[22, 3, 1, 0, piece.len() as u8], piece].concat());
        }
        assert_eq!(finish(&mut client, &sent(&mut server)).remote_peer, Party::new(2).peer_id());
    }
}

#[test]
fn the_dialed_peer_has_to_answer() {
    let (expected, actual) = (Party::new(7).peer_id(), Party::new(2).peer_id());
    let right = Party::new(1).client(&[YAMUX], Some(actual));
    assert_eq!(connect(right, server()).0.remote_peer, actual);
    let (mut wrong, mut server) = (Party::new(1).client(&[YAMUX], Some(expected)), server());
    receive(&mut server, &sent(&mut wrong));
    let mismatch = wrong.receive(&sent(&mut server)).map(|_| ()).unwrap_err();
    assert_eq!(mismatch, Error::PeerIdMismatch { expected, actual });
    assert_eq!(mismatch.to_string(), format!("dialed {expected}, but {actual} answered"));
}

#[test]
fn a_server_may_expect_a_peer_too() {
    let (expected, actual) = (Party::new(7).peer_id(), Party::new(1).peer_id());
    let credentials = Party::new(2).credentials();
    let mut server = Handshake::server(&credentials, &names(&[YAMUX]), Some(expected), NOW).unwrap();
    let mut client = client();
    receive(&mut server, &sent(&mut client));
    finish(&mut client, &sent(&mut server));
    let refused = server.receive(&sent(&mut client)).map(|_| ());
    assert_eq!(refused, Err(Error::PeerIdMismatch { expected, actual }));
}

#[test]
fn rustls_as_it_is_connects_in_both_roles() {
    let mut peer = odd_peer::server(server_config(provider(), honest(&Party::new(2))));
    assert_eq!(run(&mut client(), &mut peer).0.unwrap().remote_peer, Party::new(2).peer_id());
    assert!(!peer.is_handshaking());
    let mut peer = odd_peer::client(client_config(provider(), honest(&Party::new(1))));
    assert_eq!(run(&mut server(), &mut peer).0.unwrap().remote_peer, Party::new(1).peer_id());
    assert!(!peer.is_handshaking());
}

#[test]
fn every_common_cipher_suite_works() {
    for suite in [
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ] {
        let only = || CryptoProvider { cipher_suites: vec![suite], ..(*provider()).clone() }.into();
        let mut peer = odd_peer::server(server_config(only(), honest(&Party::new(2))));
        let mut channel = run(&mut client(), &mut peer).0.unwrap().channel;
        odd_peer::give(&mut peer, &seal(&mut channel, b"sealed"));
        let mut read = [0; 10];
        assert_eq!(std::io::Read::read(&mut peer.reader(), &mut read).unwrap(), 6);
        std::io::Write::write_all(&mut peer.writer(), b"opened").unwrap();
        assert_eq!(open(&mut channel, &odd_peer::taken(&mut peer)).0, [b"opened"]);
        let mut peer = odd_peer::client(client_config(only(), honest(&Party::new(1))));
        assert!(run(&mut server(), &mut peer).0.is_ok());
    }
}

#[test]
fn a_group_that_was_not_guessed_costs_a_round_and_no_more() {
    let only = CryptoProvider { kx_groups: vec![kx_group::SECP256R1], ..(*provider()).clone() };
    let mut peer = odd_peer::server(server_config(only.clone().into(), honest(&Party::new(2))));
    assert!(run(&mut client(), &mut peer).0.is_ok());
    let both = CryptoProvider { kx_groups: vec![kx_group::SECP384R1, kx_group::X25519], ..only };
    let mut peer = odd_peer::client(client_config(both.into(), honest(&Party::new(1))));
    assert!(run(&mut server(), &mut peer).0.is_ok());
}

#[test]
#[cfg(target_arch = "x86_64")]
fn aes_goes_first_where_the_cpu_has_it() {
    let aes = std::is_x86_feature_detected!("aes") && std::is_x86_feature_detected!("pclmulqdq");
    let hello = sent(&mut client());
    // Behind header, version, random and the echoed session id: the list of suites, longest first.
    let first_suite = &hello[5 + 4 + 2 + 32 + 1 + 32 + 2..][..2];
    assert_eq!(first_suite, if aes { [0x13, 0x01] } else { [0x13, 0x03] });
    // A client that puts ChaCha20 first, as rust-libp2p does on any CPU, gets our choice.
    let mut config = client_config(provider(), honest(&Party::new(1)));
    config.alpn_protocols = vec![b"libp2p".to_vec()];
    let suites = vec![cipher_suite::TLS13_CHACHA20_POLY1305_SHA256, cipher_suite::TLS13_AES_128_GCM_SHA256];
    let provider = CryptoProvider { cipher_suites: suites, ..(*provider()).clone() };
    let mut peer = odd_peer::client(client_config(provider.into(), honest(&Party::new(1))));
    assert!(run(&mut server(), &mut peer).0.is_ok());
    let expected = if aes { "TLS13_AES_128_GCM_SHA256" } else { "TLS13_CHACHA20_POLY1305_SHA256" };
    assert_eq!(format!("{:?}", peer.negotiated_cipher_suite().unwrap().suite()), expected);
}

#[test]
fn no_server_name_is_sent_and_one_that_comes_is_ignored() {
    let hello = sent(&mut client());
    let mut acceptor = rustls::server::Acceptor::default();
    acceptor.read_tls(&mut hello.as_slice()).unwrap();
    let accepted = acceptor.accept().map_err(|(error, _)| error).unwrap().unwrap();
    assert_eq!(accepted.client_hello().server_name(), None);
    let mut named = client_config(provider(), honest(&Party::new(1)));
    named.enable_sni = true;
    let mut peer = odd_peer::client(named);
    assert!(run(&mut server(), &mut peer).0.is_ok());
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let mut config = client_config(provider(), honest(&Party::new(1)));
    config.client_auth_cert_resolver = certified(&[], &OddCertificate::of(&Party::new(1)).pkcs8);
    let (refused, alert) = run(&mut server(), &mut odd_peer::client(config));
    assert_eq!(refused.map(|_| ()), Err(Error::CertificateCount(0)));
    assert!(!alert.is_empty());
}

#[test]
fn two_certificates_are_refused_in_both_roles() {
    let certificate = OddCertificate::of(&Party::new(2));
    let key = certified(&[certificate.build(), certificate.build()], &certificate.pkcs8);
    let mut peer = odd_peer::server(server_config(provider(), key.clone()));
    assert_eq!(run(&mut client(), &mut peer).0.map(|_| ()), Err(Error::CertificateCount(2)));
    let mut peer = odd_peer::client(client_config(provider(), key));
    assert_eq!(run(&mut server(), &mut peer).0.map(|_| ()), Err(Error::CertificateCount(2)));
}

#[test]
fn a_certificate_of_somebody_else_cannot_be_used() {
    // Overheard in full, but without its key.
    let overheard = OddCertificate::of(&Party::new(3)).build();
    let key = certified(&[overheard], &OddCertificate::of(&Party::new(2)).pkcs8);
    let mut peer = odd_peer::server(server_config(provider(), key.clone()));
    assert_eq!(run(&mut client(), &mut peer).0.map(|_| ()), Err(Error::HandshakeSignature));
    let mut peer = odd_peer::client(client_config(provider(), key));
    assert_eq!(run(&mut server(), &mut peer).0.map(|_| ()), Err(Error::HandshakeSignature));
}

#[test]
fn an_expired_certificate_ends_the_handshake_without_a_panic() {
    let mut certificate = OddCertificate::of(&Party::new(2));
    (certificate.not_before, certificate.not_after) = (0, 5 * 365 * 24 * 3600);
    let key = certified(&[certificate.build()], &certificate.pkcs8);
    let expired = Error::Expired { not_after: certificate.not_after, now: NOW };
    let mut peer = odd_peer::server(server_config(provider(), key.clone()));
    assert_eq!(run(&mut client(), &mut peer).0.map(|_| ()), Err(expired.clone()));
    let mut peer = odd_peer::client(client_config(provider(), key));
    assert_eq!(run(&mut server(), &mut peer).0.map(|_| ()), Err(expired));
}

#[test]
fn critical_extension_of_libp2p_passes_and_another_does_not() {
    // Generic verifiers refuse libp2p's own, where it is critical.
    for (id, critical, expected) in [
        ("2.5.29.19", true, Err(Error::UnknownCriticalExtension("2.5.29.19".to_owned()))),
        ("2.5.29.19", false, Ok(())),
    ] {
        let mut certificate = OddCertificate::of(&Party::new(1));
        assert!(certificate.extensions[0].1);
        certificate.extensions.push((id, critical, vec![0x30, 0]));
        let key = certified(&[certificate.build()], &certificate.pkcs8);
        let mut peer = odd_peer::client(client_config(provider(), key));
        assert_eq!(run(&mut server(), &mut peer).0.map(|_| ()), expected);
    }
}

#[test]
fn the_clock_is_the_one_that_was_given() {
    let late = Handshake::client(&Party::new(1).credentials(), &[], None, u64::MAX).unwrap();
    let mut late = late;
    let mut server = server();
    receive(&mut server, &sent(&mut late));
    let refused = late.receive(&sent(&mut server)).map(|_| ());
    assert!(matches!(refused, Err(Error::Expired { now: u64::MAX, .. })), "{refused:?}");
}

#[test]
fn channels_of_two_handshakes_do_not_fit_together() {
    let ((mut ours, _), (_, mut theirs)) = (channels(), channels());
    assert_eq!(open(&mut theirs, &seal(&mut ours, b"data")), (vec![], Err(Error::Decryption)));
}

/// For middleboxes that know nothing newer than TLS 1.2.
const CHANGE_CIPHER_SPEC: [u8; 6] = [20, 3, 3, 0, 1, 1];

proptest! {
    // Each case is a handshake without optimisation.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_split_of_the_bytes_gives_the_same_handshake(
        cuts in proptest::collection::vec(1_usize..300, 1..30),
    ) {
        let mut cuts = cuts.into_iter().cycle();
        let mut pieces = |handshake: &mut Handshake, flight: Vec<u8>| {
            let mut rest = flight.as_slice();
            let mut last = None;
            while !rest.is_empty() {
                let piece = &rest[..cuts.next().unwrap().min(rest.len())];
                let (consumed, completed) = handshake.receive(piece).unwrap();
                assert_eq!(consumed, piece.len());
                rest = &rest[consumed..];
                last = completed;
            }
            last
        };
        let (mut client, mut server) = (client(), server());
        prop_assert!(pieces(&mut server, sent(&mut client)).is_none());
        let ours = pieces(&mut client, sent(&mut server)).unwrap();
        let theirs = pieces(&mut server, sent(&mut client)).unwrap();
        prop_assert_eq!(ours.remote_peer, Party::new(2).peer_id());
        prop_assert_eq!(theirs.remote_peer, Party::new(1).peer_id());
        prop_assert_eq!(ours.early_muxer, theirs.early_muxer);
    }
}
