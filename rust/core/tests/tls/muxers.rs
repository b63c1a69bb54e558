//! The muxer by ALPN.

use plait_core::noise::EarlyMuxer;
use plait_core::tls::{Error, Handshake};

use crate::odd_peer::{self, client_config, honest, provider, run, server_config};
use crate::party::{MPLEX, NOW, Party, YAMUX, client, connect, names, sent, server};

fn agreed(muxer: &str) -> EarlyMuxer {
    EarlyMuxer::Agreed(muxer.to_owned())
}

/// What our server says to a client with this list.
fn server_with(client_list: &[&str], ours: &[&str]) -> Result<EarlyMuxer, Error> {
    let mut config = client_config(provider(), honest(&Party::new(1)));
    config.alpn_protocols = client_list.iter().map(|name| name.as_bytes().to_vec()).collect();
    let mut server = Party::new(2).server(ours);
    run(&mut server, &mut odd_peer::client(config)).0.map(|completed| completed.early_muxer)
}

/// What our client says to a server with this list.
fn client_with(ours: &[&str], server_list: &[&str]) -> Result<EarlyMuxer, Error> {
    let mut config = server_config(provider(), honest(&Party::new(2)));
    config.alpn_protocols = server_list.iter().map(|name| name.as_bytes().to_vec()).collect();
    let mut client = Party::new(1).client(ours, None);
    run(&mut client, &mut odd_peer::server(config)).0.map(|completed| completed.early_muxer)
}

#[test]
fn muxers_are_agreed_in_the_order_of_the_client() {
    for (clients, servers, expected) in [
        (&[YAMUX][..], &[YAMUX][..], agreed(YAMUX)),
        (&[YAMUX, MPLEX], &[MPLEX, YAMUX], agreed(YAMUX)),
        (&[MPLEX, YAMUX], &[YAMUX, MPLEX], agreed(MPLEX)),
        (&[MPLEX, YAMUX], &[YAMUX], agreed(YAMUX)),
        (&[MPLEX], &[YAMUX], EarlyMuxer::NotOffered),
        (&[], &[YAMUX], EarlyMuxer::NotOffered),
        (&[YAMUX], &[], EarlyMuxer::NotOffered),
        (&[], &[], EarlyMuxer::NotOffered),
    ] {
        let (ours, theirs) = connect(Party::new(1).client(clients, None), Party::new(2).server(servers));
        assert_eq!(ours.early_muxer, expected, "{clients:?} {servers:?}");
        assert_eq!(theirs.early_muxer, expected, "{clients:?} {servers:?}");
    }
}

#[test]
fn the_muxers_are_offered_before_the_name_of_having_none() {
    let hello = sent(&mut Party::new(1).client(&[MPLEX, YAMUX], None));
    let list = b"\x0c/mplex/6.7.0\x0c/yamux/1.0.0\x06libp2p";
    assert!(hello.windows(list.len()).any(|window| window == list));
    let bare = sent(&mut Party::new(1).client(&[], None));
    let list = b"\x00\x10\x00\x09\x00\x07\x06libp2p";
    assert!(bare.windows(list.len()).any(|window| window == list));
}

#[test]
fn a_client_that_puts_none_first_gets_none() {
    assert_eq!(server_with(&["libp2p", YAMUX], &[YAMUX]), Ok(EarlyMuxer::NotOffered));
    assert_eq!(server_with(&["h2", YAMUX, "libp2p"], &[YAMUX]), Ok(agreed(YAMUX)));
}

#[test]
fn a_peer_without_alpn_is_accepted() {
    assert_eq!(server_with(&[], &[YAMUX]), Ok(EarlyMuxer::NotOffered));
    assert_eq!(client_with(&[YAMUX], &[]), Ok(EarlyMuxer::NotOffered));
}

#[test]
fn a_peer_that_knows_only_libp2p_negotiates_later() {
    assert_eq!(server_with(&["libp2p"], &[YAMUX]), Ok(EarlyMuxer::NotOffered));
    assert_eq!(client_with(&[YAMUX], &["libp2p"]), Ok(EarlyMuxer::NotOffered));
}

#[test]
fn lists_with_nothing_in_common_end_the_handshake_on_both_sides() {
    assert_eq!(server_with(&[MPLEX], &[YAMUX]), Err(Error::NoApplicationProtocol));
    let refused = client_with(&[YAMUX], &[MPLEX]);
    let Err(Error::AlertReceived(alert)) = refused else { panic!("{refused:?}") };
    assert_eq!(alert.to_string(), "NoApplicationProtocol");
}

#[test]
fn names_that_alpn_has_no_room_for_are_refused() {
    let credentials = Party::new(1).credentials();
    for length in [0, 256] {
        let muxers = names(&[YAMUX, &"m".repeat(length)]);
        let client = Handshake::client(&credentials, &muxers, None, NOW).map(|_| ());
        assert_eq!(client, Err(Error::ProtocolName(length)));
        let server = Handshake::server(&credentials, &muxers, None, NOW).map(|_| ());
        assert_eq!(server, Err(Error::ProtocolName(length)));
    }
    assert!(Handshake::client(&credentials, &names(&[&"m".repeat(255)]), None, NOW).is_ok());
}

#[test]
fn the_usual_parties_agree_on_yamux() {
    assert_eq!(connect(client(), server()).0.early_muxer, agreed(YAMUX));
}
