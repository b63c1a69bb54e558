//! Identify, the Noise payload and the record messages: vectors, leniency, bounds.

mod hex;

use hex::bytes;
use plait_core::messages::{
    Envelope, Error, Identify, Key, MAX_ENVELOPE, MAX_IDENTIFY, MAX_IDENTIFY_MESSAGES, MAX_IDENTIFY_SENT,
    MAX_MULTIADDR, MAX_MULTIADDRS, MAX_NOISE_PAYLOAD, MAX_PRIVATE_KEY, MAX_PROTOCOL, MAX_PROTOCOLS,
    NoiseExtensions, NoisePayload, PeerRecord,
};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;

/// One length-delimited protobuf field with a number below 16.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut encoded = vec![number << 3 | 2];
    prost::encode_length_delimiter(content.len(), &mut encoded).unwrap();
    [encoded.as_slice(), content].concat()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("/example/protocol/{number}/1.0.0")).collect()
}

#[test]
fn identify_vector() {
    let message = bytes(
        "0a24080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e1208047f000001060fa1
         1a0e2f697066732f69642f312e302e301a102f697066732f70696e672f312e302e302208047f00000106c350
         2a0a697066732f302e312e30320a746573742f302e302e31",
    );
    let expected = Identify {
        public_key: Some(bytes("080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e")),
        listen_addresses: vec![bytes("047f000001060fa1")],
        protocols: vec!["/ipfs/id/1.0.0".to_owned(), "/ipfs/ping/1.0.0".to_owned()],
        observed_address: Some(bytes("047f00000106c350")),
        protocol_version: Some("ipfs/0.1.0".to_owned()),
        agent_version: Some("test/0.0.1".to_owned()),
        signed_peer_record: None,
    };
    assert_eq!(Identify::decode(&message), Ok(expected.clone()));
    assert_eq!(expected.encode(), Ok(vec![message]));
}

#[test]
fn identify_messages_are_merged() {
    let first = [field(1, b"old key"), field(2, b"one"), field(3, b"/a"), field(6, b"agent")].concat();
    let second = [field(1, b"new key"), field(2, b"two"), field(2, b"one"), field(3, b"/b")].concat();
    let third = field(8, b"record");
    let merged = Identify::decode_all([&first[..], &second, &third]).unwrap();
    let expected = Identify {
        public_key: Some(b"new key".to_vec()),
        listen_addresses: vec![b"one".to_vec(), b"two".to_vec()],
        protocols: vec!["/a".to_owned(), "/b".to_owned()],
        agent_version: Some("agent".to_owned()),
        signed_peer_record: Some(b"record".to_vec()),
        ..Identify::default()
    };
    assert_eq!(merged, expected);
    assert_eq!(Identify::decode(&[first, second, third].concat()), Ok(expected));
}

#[test]
fn identify_drops_entries_that_nobody_can_use() {
    let message = [
        field(2, b""),
        field(2, &[7; MAX_MULTIADDR + 1]),
        field(2, &[7; MAX_MULTIADDR]),
        field(3, b""),
        field(3, &[b'/'; MAX_PROTOCOL + 1]),
        field(3, b"/not-utf8/\xff"),
        field(3, b"/kept"),
        field(4, b""),
        field(6, b"agent \xff"),
        field(7, b"the delta field of old"),
        field(15, b"unknown"),
    ];
    let identify = Identify::decode(&message.concat()).unwrap();
    let expected = Identify {
        listen_addresses: vec![vec![7; MAX_MULTIADDR]],
        protocols: vec!["/kept".to_owned()],
        agent_version: Some("agent \u{fffd}".to_owned()),
        ..Identify::default()
    };
    assert_eq!(identify, expected);
}

#[test]
fn identify_lists_are_cut_to_their_limits() {
    let mut identify = Identify::default();
    for start in 0..3_u16 {
        let addresses =
            (0..MAX_MULTIADDRS as u16).map(|number| field(2, &(start * 1000 + number).to_be_bytes()));
        identify.merge(&addresses.collect::<Vec<_>>().concat()).unwrap();
        let protocols = (0..500).map(|number| field(3, format!("/{start}/{number}").as_bytes()));
        identify.merge(&protocols.collect::<Vec<_>>().concat()).unwrap();
    }
    assert_eq!(identify.listen_addresses.len(), MAX_MULTIADDRS);
    assert_eq!(identify.listen_addresses[99], 99_u16.to_be_bytes());
    assert_eq!(identify.protocols.len(), MAX_PROTOCOLS);
    assert_eq!(identify.protocols[1023], "/2/23");
}

#[test]
fn identify_exchange_is_bounded() {
    let long = field(6, &vec![b'a'; MAX_IDENTIFY]);
    assert!(matches!(Identify::decode(&long), Err(Error::TooLong { max: MAX_IDENTIFY, .. })));
    let longest = field(6, &vec![b'a'; MAX_IDENTIFY - 3]);
    assert_eq!(longest.len(), MAX_IDENTIFY);
    assert!(Identify::decode_all(vec![longest.as_slice(); 8]).is_ok());
    let nine = Identify::decode_all(vec![longest.as_slice(); 9]);
    assert!(matches!(nine, Err(Error::TooLong { max: 65536, .. })), "{nine:?}");
    assert!(Identify::decode_all(vec![&[][..]; MAX_IDENTIFY_MESSAGES]).is_ok());
    let eleven = Identify::decode_all(vec![&[][..]; MAX_IDENTIFY_MESSAGES + 1]);
    assert!(matches!(eleven, Err(Error::TooManyMessages { count: 11, .. })), "{eleven:?}");
}

#[test]
fn identify_that_is_not_protobuf_is_an_error() {
    for message in
        [&b"\x0a"[..], b"\x0a\x05abc", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x08\x01", b"\x0f"]
    {
        let error = Identify::decode(message).unwrap_err();
        assert!(matches!(error, Error::Malformed { message: "identify", .. }), "{message:x?}: {error}");
    }
}

#[test]
fn identify_sends_its_record_apart_when_the_first_message_is_full() {
    let mut identify = Identify {
        public_key: Some(vec![1; 36]),
        protocols: vec!["/a".to_owned()],
        signed_peer_record: Some(vec![2; 3000]),
        ..Identify::default()
    };
    assert_eq!(identify.encode().unwrap().len(), 1);
    identify.protocols = names(40);
    let messages = identify.encode().unwrap();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1], field(8, &[2; 3000]));
    assert_eq!(Identify::decode_all(messages.iter().map(Vec::as_slice)), Ok(identify));
}

#[test]
fn identify_sends_no_message_that_rust_would_not_read() {
    let identify = Identify {
        public_key: Some(vec![1; 36]),
        listen_addresses: (0..MAX_MULTIADDRS as u8).map(|number| vec![number; 50]).collect(),
        protocols: names(500),
        ..Identify::default()
    };
    let messages = identify.encode().unwrap();
    assert!(messages.iter().all(|message| message.len() <= MAX_IDENTIFY_SENT));
    assert!(messages[..messages.len() - 1].iter().all(|message| message.len() > MAX_IDENTIFY_SENT - 60));
    assert_eq!(Identify::decode(&messages[0]).unwrap().public_key, identify.public_key);
    assert_eq!(Identify::decode_all(messages.iter().map(Vec::as_slice)), Ok(identify));
}

#[test]
fn identify_that_cannot_be_sent_is_an_error() {
    let too_long = Identify { agent_version: Some("a".repeat(MAX_IDENTIFY_SENT)), ..Identify::default() };
    assert!(matches!(too_long.encode(), Err(Error::TooLong { max: MAX_IDENTIFY_SENT, .. })));
    let one_protocol = Identify { protocols: vec!["a".repeat(MAX_IDENTIFY_SENT)], ..Identify::default() };
    assert!(matches!(one_protocol.encode(), Err(Error::TooLong { max: MAX_IDENTIFY_SENT, .. })));
    let record = Identify { signed_peer_record: Some(vec![0; MAX_IDENTIFY]), ..Identify::default() };
    assert!(matches!(record.encode(), Err(Error::TooLong { max: MAX_IDENTIFY, .. })));
    let too_many = Identify { protocols: names(2000), ..Identify::default() };
    assert!(matches!(too_many.encode(), Err(Error::TooManyMessages { .. })));
}

#[test]
fn empty_addresses_are_never_sent() {
    let identify = Identify {
        listen_addresses: vec![vec![], vec![4]],
        observed_address: Some(vec![]),
        ..Identify::default()
    };
    assert_eq!(identify.encode(), Ok(vec![field(2, &[4])]));
    let record = PeerRecord { peer_id: vec![9], seq: 0, addresses: vec![vec![], vec![4]] };
    assert_eq!(record.encode(), [field(1, &[9]), field(3, &field(1, &[4]))].concat());
}

#[test]
fn peer_record_drops_addresses_that_nobody_can_use() {
    let mut addresses =
        vec![field(3, b""), field(3, &field(1, b"")), field(3, &field(1, &[7; MAX_MULTIADDR + 1]))];
    addresses.extend((0..150).map(|number| field(3, &field(1, &[number]))));
    let record = PeerRecord::decode(&[field(1, b"id"), addresses.concat()].concat()).unwrap();
    assert_eq!(record.peer_id, b"id");
    assert_eq!(record.seq, 0);
    assert_eq!(record.addresses, (0..MAX_MULTIADDRS as u8).map(|number| vec![number]).collect::<Vec<_>>());
}

#[test]
fn every_message_is_bounded_before_it_is_decoded() {
    let too_long = |error: Error, bound| matches!(error, Error::TooLong { max, .. } if max == bound);
    let bytes = vec![0xff; 10_000];
    assert!(too_long(Envelope::decode(&bytes).unwrap_err(), MAX_ENVELOPE));
    assert!(too_long(PeerRecord::decode(&bytes).unwrap_err(), MAX_ENVELOPE));
    assert!(too_long(NoisePayload::decode(&bytes).unwrap_err(), MAX_NOISE_PAYLOAD));
    assert!(too_long(Key::decode_private(&bytes).unwrap_err(), MAX_PRIVATE_KEY));
    let envelope = Envelope { payload: Some(bytes), ..Envelope::default() };
    assert!(too_long(envelope.encode().unwrap_err(), MAX_ENVELOPE));
}

#[test]
fn noise_payload_keeps_unknown_fields_out_of_the_way() {
    let extensions = [field(1, &[8; 34]), field(2, b"/yamux/1.0.0"), field(2, b"\xff"), field(9, b"private")];
    let message = [
        field(1, b"key"),
        field(2, b"signature"),
        field(3, b"data of old"),
        field(4, &extensions.concat()),
        bytes("c0bb7f01"), // a varint in field 260024
    ];
    let payload = NoisePayload::decode(&message.concat()).unwrap();
    assert_eq!(payload.identity_key.as_deref(), Some(&b"key"[..]));
    assert_eq!(payload.identity_sig.as_deref(), Some(&b"signature"[..]));
    assert_eq!(payload.stream_muxers(), ["/yamux/1.0.0"]);
}

#[test]
fn more_than_a_hundred_muxers_count_as_none() {
    let muxers = |count: usize| {
        let stream_muxers = vec![b"/m".to_vec(); count];
        let payload =
            NoisePayload { extensions: Some(NoiseExtensions { stream_muxers }), ..NoisePayload::default() };
        NoisePayload::decode(&payload.encode_to_vec()).unwrap().stream_muxers().len()
    };
    assert_eq!(muxers(100), 100);
    assert_eq!(muxers(101), 0);
}

#[test]
fn private_keys_are_read_but_not_shown() {
    let key = Key::decode_private(&bytes(
        "080112407e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d
         1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e",
    ))
    .unwrap();
    assert_eq!(key.kind, Some(1));
    assert_eq!(key.data.as_ref().unwrap().len(), 64);
    assert_eq!(format!("{key:?}"), "Key { kind: Some(1), .. }");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn identify_is_read_as_it_was_sent(
        public_key in proptest::option::of(vec(any::<u8>(), 0..50)),
        listen_addresses in proptest::collection::hash_set(vec(any::<u8>(), 1..100), 0..60),
        protocols in vec("/[a-z]{1,80}", 0..60),
        agent_version in proptest::option::of(".{0,80}"),
        signed_peer_record in proptest::option::of(vec(any::<u8>(), 0..4000)),
    ) {
        let identify = Identify {
            public_key,
            listen_addresses: listen_addresses.into_iter().collect(),
            protocols,
            agent_version,
            signed_peer_record,
            ..Identify::default()
        };
        let messages = identify.encode().unwrap();
        prop_assert_eq!(Identify::decode_all(messages.iter().map(Vec::as_slice)), Ok(identify));
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
        let _ = Identify::decode(&bytes);
        let _ = NoisePayload::decode(&bytes).map(|payload| payload.stream_muxers());
        let _ = Envelope::decode(&bytes);
        let _ = PeerRecord::decode(&bytes);
        let _ = Key::decode_public(&bytes);
    }
}
