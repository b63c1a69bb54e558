//! What the peer hears when we fail, and we when it does.

use plait_core::tls::{Alert, Error};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::cipher_suite;

use crate::odd_certificate::OddCertificate;
use crate::odd_peer::{self, certified, client_config, honest, provider, run, server_config};
use crate::party::{Party, YAMUX, client, finish, open, receive, said, sent, server};

/// What is wrong with a certificate.
type Change = fn(&mut OddCertificate);

/// What a peer makes of what we said last.
fn heard(peer: &mut rustls::Connection, mut said: &[u8]) -> String {
    peer.read_tls(&mut said).unwrap();
    peer.process_new_packets().unwrap_err().to_string()
}

#[test]
fn a_server_hears_why_its_certificate_was_refused() {
    let cases: [(Change, &str); 5] = [
        (|certificate| certificate.not_after = certificate.not_before, "CertificateExpired"),
        (|certificate| certificate.extensions.clear(), "BadCertificate"),
        (|certificate| certificate.extensions[0].2.truncate(9), "BadCertificate"),
        (|certificate| certificate.key = OddCertificate::of(&Party::new(2)).key, "DecryptError"),
        (|certificate| certificate.algorithms = ["300906072a8648ce3d0401"; 2], "UnsupportedCertificate"),
    ];
    for (change, alert) in cases {
        let mut certificate = OddCertificate::of(&Party::new(2));
        change(&mut certificate);
        let key = certified(&[certificate.build()], &certificate.pkcs8);
        let mut peer = odd_peer::server(server_config(provider(), key));
        let mut ours = client();
        let (refused, said) = run(&mut ours, &mut peer);
        assert!(refused.is_err());
        assert_eq!(heard(&mut peer, &said), format!("received fatal alert: {alert}"));
    }
}

#[test]
fn the_wrong_peer_hears_that_access_is_denied() {
    let mut peer = odd_peer::server(server_config(provider(), honest(&Party::new(2))));
    let mut ours = Party::new(1).client(&[YAMUX], Some(Party::new(7).peer_id()));
    let (refused, said) = run(&mut ours, &mut peer);
    assert!(matches!(refused, Err(Error::PeerIdMismatch { .. })));
    assert!(heard(&mut peer, &said).contains("AccessDenied"));
    assert_eq!(ours.receive(&[]).map(|_| ()), Err(Error::Ended));
    assert_eq!(sent(&mut ours), [], "an alert is said once");
}

#[test]
fn a_refused_client_hears_it_on_its_first_read() {
    let credentials = Party::new(2).credentials();
    let (expected, muxers) = (Party::new(7).peer_id(), [YAMUX.to_owned()]);
    let server = plait_core::tls::Handshake::server(&credentials, &muxers, Some(expected), crate::party::NOW);
    let (mut client, mut server) = (client(), server.unwrap());
    receive(&mut server, &sent(&mut client));
    let mut channel = finish(&mut client, &sent(&mut server)).channel;
    assert!(server.receive(&sent(&mut client)).is_err());
    let (delivered, result) = open(&mut channel, &sent(&mut server));
    assert!(delivered.is_empty());
    let Err(Error::AlertReceived(alert)) = result else { panic!("{result:?}") };
    assert_eq!((alert.code(), alert.to_string().as_str()), (49, "AccessDenied"));
    assert!(alert.refuses_identity());
    let mut buffer = vec![0; 6];
    assert_eq!(channel.seal(&mut buffer, 0), Err(Error::Ended), "nobody would read it");
}

#[test]
fn alerts_about_who_we_are_are_told_from_others() {
    for code in [42, 43, 44, 45, 46, 48, 49, 51, 116] {
        assert!(Alert::from_code(code).refuses_identity(), "{code}");
    }
    for code in [0, 10, 20, 22, 40, 47, 50, 70, 80, 90, 120, 255] {
        assert!(!Alert::from_code(code).refuses_identity(), "{code}");
    }
}

#[test]
fn tls_1_2_is_refused_in_both_roles() {
    // A hello of TLS 1.2: one suite, signature_algorithms, and no supported_versions.
    let mut hello = vec![22, 3, 1, 0, 55, 1, 0, 0, 51, 3, 3];
    hello.extend_from_slice(&[7; 32]);
    hello.extend_from_slice(&[0, 0, 2, 0xc0, 0x2b, 1, 0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3]);
    let mut ours = server();
    assert_eq!(ours.receive(&hello).map(|_| ()), Err(Error::NoCommonVersion));
    assert_eq!(sent(&mut ours), [21, 3, 3, 0, 2, 2, 70], "protocol_version");
    // And the answer of such a server.
    let mut hello = vec![22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3];
    hello.extend_from_slice(&[7; 32]);
    hello.extend_from_slice(&[0, 0xc0, 0x2b, 0]);
    let mut ours = client();
    sent(&mut ours);
    assert_eq!(ours.receive(&hello).map(|_| ()), Err(Error::NoCommonVersion));
    assert_eq!(sent(&mut ours), [21, 3, 3, 0, 2, 2, 70], "protocol_version");
}

#[test]
fn an_alert_from_the_peer_is_told() {
    let mut ours = client();
    sent(&mut ours);
    let refused = ours.receive(&[21, 3, 3, 0, 2, 2, 40]).map(|_| ());
    assert_eq!(refused, Err(Error::AlertReceived(Alert::from_code(40))));
    assert_eq!(refused.unwrap_err().to_string(), "the peer sent the alert HandshakeFailure");
    assert_eq!(sent(&mut ours), [], "nothing to say to that");
}

#[test]
fn what_is_no_tls_is_refused_from_its_first_bytes() {
    for garbage in [&b"\x13/multistream/1.0.0\n"[..], b"GET / HTTP/1.1\r\n", &[22, 2, 0, 0, 5], &[0; 5]] {
        let header: [u8; 5] = garbage[..5].try_into().unwrap();
        for mut ours in [client(), server()] {
            sent(&mut ours);
            assert_eq!(ours.receive(&header[..4]).map(|_| ()), Ok(()));
            assert_eq!(ours.receive(&header[4..]).map(|_| ()), Err(Error::MalformedRecord(header)));
            assert_eq!(sent(&mut ours), [21, 3, 3, 0, 2, 2, 50], "decode_error");
        }
    }
}

#[test]
fn a_record_longer_than_any_is_refused_from_its_header() {
    for mut ours in [client(), server()] {
        sent(&mut ours);
        assert_eq!(ours.receive(&[22, 3, 3, 0xff, 0xff]).map(|_| ()), Err(Error::RecordTooLong(0xffff)));
    }
}

#[test]
fn a_message_without_end_is_refused() {
    // A hello that says it has 64000 bytes, in records of 4000: four are kept, not the fifth.
    for (mut ours, hello) in [(client(), 2), (server(), 1)] {
        let first = [&[22, 3, 3, 0x0f, 0xa0, hello, 0, 0xfa, 0], [0; 3996].as_slice()].concat();
        let next = [&[22, 3, 3, 0x0f, 0xa0], [0; 4000].as_slice()].concat();
        assert_eq!(ours.receive(&first).map(|_| ()), Ok(()));
        for _ in 0..3 {
            assert_eq!(ours.receive(&next).map(|_| ()), Ok(()));
        }
        assert_eq!(ours.receive(&next).map(|_| ()), Err(Error::MessageTooLong(16 * 1024)));
    }
}

#[test]
fn nothing_in_common_is_named() {
    let chacha = vec![cipher_suite::TLS13_CHACHA20_POLY1305_SHA256];
    let only = CryptoProvider { cipher_suites: chacha, ..(*provider()).clone() };
    let mut peer = odd_peer::client(client_config(only.into(), honest(&Party::new(1))));
    let mut hello = odd_peer::taken(&mut peer);
    // The one suite becomes one that nobody has.
    let at = hello.windows(2).position(|pair| pair == [0x13, 0x03]).unwrap();
    hello[at + 1] = 0x77;
    let refused = server().receive(&hello).map(|_| ());
    assert_eq!(refused, Err(Error::NoCommonParameters("NoCipherSuitesInCommon".to_owned())));
}

#[test]
fn a_channel_says_why_it_failed() {
    let (mut ours, mut peer) = odd_peer::with_server();
    let mut record = odd_peer::taken(&mut peer);
    std::io::Write::write_all(&mut peer.writer(), b"data").unwrap();
    record.extend_from_slice(&odd_peer::taken(&mut peer));
    *record.last_mut().unwrap() ^= 1;
    assert_eq!(open(&mut ours, &record), (vec![], Err(Error::Decryption)));
    assert!(ours.has_pending());
    let said = said(&mut ours);
    assert!(heard(&mut peer, &said).contains("BadRecordMac"));
    assert!(!ours.has_pending());
}
