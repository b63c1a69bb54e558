//! Cut and changed bytes, at every place: an error or a wait, and never data.

use plait_core::tls::{Error, Handshake};
use proptest::prelude::*;

use crate::party::{channels, client, finish, open, receive, seal, sent, server};

/// A client that has sent its hello, a server that has answered, and the answer.
fn answered() -> (Handshake, Handshake, Vec<u8>) {
    let (mut client, mut server) = (client(), server());
    receive(&mut server, &sent(&mut client));
    let flight = sent(&mut server);
    (client, server, flight)
}

/// No byte of a flight, flipped, lets the other side complete: but for the minor version in front of
/// each record, which is of old and which TLS says to ignore.
fn flip_each(flight_of: &dyn Fn() -> (Handshake, Vec<u8>)) {
    let length = flight_of().1.len();
    for index in 0..length {
        let (mut receiver, mut flight) = flight_of();
        let ignored = minor_versions(&flight).contains(&index);
        // Signatures differ in length by a byte or two from run to run.
        let Some(byte) = flight.get_mut(index) else { continue };
        *byte ^= 0x20;
        if let Ok((consumed, completed)) = receiver.receive(&flight) {
            assert!(completed.is_none() || ignored, "byte {index}");
            assert_eq!(consumed, flight.len());
        }
    }
}

fn minor_versions(mut flight: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut start = 0;
    while let [_, _, _, high, low, ..] = flight {
        found.push(start + 2);
        let length = 5 + usize::from(u16::from_be_bytes([*high, *low]));
        flight = &flight[length..];
        start += length;
    }
    found
}

#[test]
fn no_prefix_of_a_flight_completes_a_handshake() {
    let (mut client, mut server, flight) = answered();
    for byte in &flight[..flight.len() - 1] {
        receive(&mut client, &[*byte]);
    }
    let early = sent(&mut client);
    finish(&mut client, &flight[flight.len() - 1..]);
    let flight = [early, sent(&mut client)].concat();
    for byte in &flight[..flight.len() - 1] {
        receive(&mut server, &[*byte]);
        assert_eq!(sent(&mut server), []);
    }
}

#[test]
fn a_changed_byte_of_the_servers_flight_never_completes() {
    flip_each(&|| {
        let (client, _, flight) = answered();
        (client, flight)
    });
}

#[test]
fn a_changed_byte_of_the_clients_last_flight_never_completes() {
    flip_each(&|| {
        let (mut client, server, flight) = answered();
        finish(&mut client, &flight);
        (server, sent(&mut client))
    });
}

#[test]
fn a_changed_byte_of_the_hello_never_completes() {
    // What is changed may only be a word that means nothing: then the two sides differ on what was
    // said, and find out.
    let length = sent(&mut client()).len();
    for index in 0..length {
        let (mut client, mut server) = (client(), server());
        let mut hello = sent(&mut client);
        hello[index] ^= 0x20;
        if server.receive(&hello).is_err() {
            continue;
        }
        let answer = sent(&mut server);
        if answer.is_empty() {
            continue;
        }
        // The version in the header of the first record is the one thing that nobody looks at.
        let is_legacy_version = index == 2;
        let completed = matches!(client.receive(&answer), Ok((_, Some(_))));
        assert_eq!(completed, is_legacy_version, "byte {index}");
    }
}

#[test]
fn a_changed_byte_of_a_record_ends_the_channel() {
    let (mut ours, _) = channels();
    let length = seal(&mut ours, b"second").len();
    for index in 0..length {
        let (mut ours, mut theirs) = channels();
        let (first, mut second) = (seal(&mut ours, b"first"), seal(&mut ours, b"second"));
        let later = seal(&mut ours, b"later");
        second[index] ^= 0x20;
        let (delivered, result) = open(&mut theirs, &[first, second, later.clone()].concat());
        assert_eq!(delivered, [b"first"], "byte {index}");
        match index {
            // A longer record: it has not arrived.
            3 | 4 if result.is_ok() => assert!(theirs.has_partial()),
            _ => {
                assert!(result.is_err(), "byte {index}");
                assert_eq!(open(&mut theirs, &later), (vec![], Err(Error::Ended)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_bytes_are_survived(data in proptest::collection::vec(any::<u8>(), 0..500)) {
        prop_assert!(!matches!(client().receive(&data), Ok((_, Some(_)))));
        prop_assert!(!matches!(server().receive(&data), Ok((_, Some(_)))));
        let (_, mut channel) = channels();
        prop_assert!(open(&mut channel, &data).0.is_empty());
    }

    #[test]
    fn any_bytes_in_a_record_are_survived(
        kind in 20_u8..24,
        data in proptest::collection::vec(any::<u8>(), 1..500),
    ) {
        let length = data.len() as u16;
        let record = [&[kind, 3, 3], &length.to_be_bytes()[..], &data].concat();
        let (mut client, server, _) = answered();
        for mut handshake in [client, server] {
            prop_assert!(!matches!(handshake.receive(&record), Ok((_, Some(_)))));
        }
        client = self::client();
        prop_assert!(!matches!(client.receive(&record), Ok((_, Some(_)))));
    }
}
