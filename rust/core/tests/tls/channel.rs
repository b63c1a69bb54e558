//! Records after the handshake: sizes, splits, changes of keys, and the ways to end.

use std::io::{Read as _, Write as _};

use plait_core::tls::{Alert, Error, MAX_PLAINTEXT, OVERHEAD, PREFIX};
use proptest::collection::vec;
use proptest::prelude::*;
use rustls::Connection;

use crate::odd_peer::{
    self, OddSender, give, honest, provider, run, server_config, taken, with_client, with_server,
};
use crate::party::{Party, channels, client, open, said, seal};

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];
const KEY_UPDATE_REQUESTED: [u8; 5] = [24, 0, 0, 1, 1];

/// What the peer can read by now.
fn read(peer: &mut Connection) -> Vec<u8> {
    let mut read = Vec::new();
    let _ = peer.reader().read_to_end(&mut read);
    read
}

fn refresh(peer: &mut Connection) {
    peer.refresh_traffic_keys().unwrap();
}

#[test]
fn records_of_every_awkward_size_pass() {
    let (mut ours, mut theirs) = channels();
    for size in [1, 2, 15, 16, 17, 255, 256, 1023, MAX_PLAINTEXT - 1, MAX_PLAINTEXT] {
        let plaintext = vec![size as u8; size];
        let record = seal(&mut ours, &plaintext);
        assert_eq!(record.len(), PREFIX + size + OVERHEAD);
        assert_eq!(record[..3], [23, 3, 3]);
        assert_eq!(open(&mut theirs, &record), (vec![plaintext], Ok(())));
    }
    assert_eq!(MAX_PLAINTEXT, 16384);
}

#[test]
fn several_records_are_sealed_into_one_buffer() {
    let (mut ours, mut theirs) = channels();
    let mut buffer = b"kept".to_vec();
    for plaintext in [&b"one"[..], b"two"] {
        let start = buffer.len();
        buffer.extend_from_slice(&[0; PREFIX]);
        buffer.extend_from_slice(plaintext);
        ours.seal(&mut buffer, start).unwrap();
    }
    assert!(buffer.starts_with(b"kept"));
    assert_eq!(open(&mut theirs, &buffer[4..]).0, [b"one", b"two"]);
}

#[test]
fn plaintext_that_is_no_record_is_refused_and_ends_the_channel() {
    for (size, start) in
        [(0, 0), (1, 0), (PREFIX, 0), (PREFIX + MAX_PLAINTEXT + 1, 0), (8, 9), (8, usize::MAX)]
    {
        let (mut ours, _) = channels();
        let mut buffer = vec![7; size];
        let refused = ours.seal(&mut buffer, start);
        assert!(matches!(refused, Err(Error::PlaintextLength(_))), "{size} from {start}: {refused:?}");
        assert_eq!(buffer, vec![7; size], "nothing was written");
        assert_eq!(ours.seal(&mut vec![0; 8], 0), Err(Error::Ended));
    }
}

#[test]
fn a_partial_record_shows_and_delivers_nothing() {
    let (mut ours, mut theirs) = channels();
    let record = seal(&mut ours, b"record");
    assert!(!theirs.has_partial());
    for byte in &record[..record.len() - 1] {
        assert_eq!(open(&mut theirs, &[*byte]), (vec![], Ok(())));
        assert!(theirs.has_partial());
    }
    assert_eq!(open(&mut theirs, &record[record.len() - 1..]), (vec![b"record".to_vec()], Ok(())));
    assert!(!theirs.has_partial());
}

#[test]
fn replayed_reordered_and_dropped_records_end_the_channel() {
    for order in [&[0, 0][..], &[1, 0], &[1]] {
        let (mut ours, mut theirs) = channels();
        let records = [seal(&mut ours, b"first"), seal(&mut ours, b"second")];
        let stream: Vec<u8> = order.iter().flat_map(|&index| records[index].clone()).collect();
        let (delivered, result) = open(&mut theirs, &stream);
        assert_eq!(result, Err(Error::Decryption));
        assert!(delivered.len() < order.len());
    }
}

#[test]
fn our_own_record_sent_back_ends_the_channel() {
    let (mut ours, _) = channels();
    let record = seal(&mut ours, b"ours");
    assert_eq!(open(&mut ours, &record), (vec![], Err(Error::Decryption)));
}

#[test]
fn a_sink_that_fails_gets_nothing_more_and_may_still_be_explained() {
    let (mut ours, mut theirs) = channels();
    let mut data = [seal(&mut ours, b"one"), seal(&mut ours, b"two"), seal(&mut ours, b"three")].concat();
    let mut delivered = Vec::new();
    let result = theirs.receive(&mut data, |plaintext| {
        delivered.push(plaintext.to_vec());
        if plaintext == b"two" { Err(Error::PlaintextLength(7)) } else { Ok(()) }
    });
    assert_eq!(result, Err(Error::PlaintextLength(7)));
    assert_eq!(delivered, [&b"one"[..], b"two"]);
    assert_eq!(open(&mut theirs, &seal(&mut ours, b"four")), (vec![], Err(Error::Ended)));
    assert!(!theirs.has_pending());
    assert_eq!(open(&mut ours, &seal(&mut theirs, b"go away")).0, [b"go away"]);
}

#[test]
fn records_in_the_clear_are_refused() {
    for record in [&[20, 3, 3, 0, 1, 1][..], &[21, 3, 3, 0, 2, 1, 0], &[22, 3, 3, 0, 5, 24, 0, 0, 1, 0]] {
        let (_, mut theirs) = channels();
        assert_eq!(open(&mut theirs, record), (vec![], Err(Error::UnexpectedMessage(record[0]))));
        assert!(!theirs.is_closed_by_peer());
    }
}

#[test]
fn record_lengths_are_bounded_by_the_header_alone() {
    let refused = |header: [u8; 5]| open(&mut channels().1, &header).1;
    assert_eq!(refused([23, 3, 3, 0x41, 0x00]), Ok(()));
    assert_eq!(refused([23, 3, 3, 0x41, 0x01]), Err(Error::RecordTooLong(0x4101)));
    assert_eq!(refused([23, 3, 3, 0xff, 0xff]), Err(Error::RecordTooLong(0xffff)));
    for malformed in [[23, 3, 3, 0, 0], [24, 3, 3, 0, 9], [19, 3, 3, 0, 9], [23, 2, 3, 0, 9]] {
        assert_eq!(refused(malformed), Err(Error::MalformedRecord(malformed)));
    }
}

#[test]
fn a_peer_may_change_its_key() {
    for (mut ours, mut peer) in [with_server(), with_client()] {
        for round in 0..3_u8 {
            refresh(&mut peer);
            peer.writer().write_all(&[round]).unwrap();
            assert_eq!(open(&mut ours, &taken(&mut peer)), (vec![vec![round]], Ok(())));
            // rustls asks for the same of us.
            assert!(ours.has_pending());
            give(&mut peer, &said(&mut ours));
            assert!(!ours.has_pending());
            give(&mut peer, &seal(&mut ours, &[round, round]));
            assert_eq!(read(&mut peer), [round, round]);
        }
    }
}

#[test]
fn the_answer_to_a_change_of_keys_goes_before_the_next_data() {
    let (mut ours, mut peer) = with_server();
    refresh(&mut peer);
    assert_eq!(open(&mut ours, &taken(&mut peer)), (vec![], Ok(())));
    let record = seal(&mut ours, b"data");
    assert_eq!(record.len(), 2 * (PREFIX + OVERHEAD) + 5 + 4);
    assert!(!ours.has_pending());
    assert_eq!(said(&mut ours), []);
    give(&mut peer, &record);
    assert_eq!(read(&mut peer), b"data");
}

#[test]
fn one_answer_is_enough_for_many_requests() {
    let (mut ours, peer) = with_server();
    let mut sender = OddSender::new(peer);
    let record = sender.seal(HANDSHAKE, &KEY_UPDATE_REQUESTED);
    assert_eq!(open(&mut ours, &record).1, Ok(()));
    assert_eq!(said(&mut ours).len(), PREFIX + OVERHEAD + 5);
    assert_eq!(said(&mut ours), []);
}

#[test]
fn a_change_of_keys_that_asks_for_nothing_gets_nothing() {
    let (mut ours, peer) = with_client();
    let record = OddSender::new(peer).seal(HANDSHAKE, &KEY_UPDATE);
    assert_eq!(open(&mut ours, &record).1, Ok(()));
    assert!(!ours.has_pending());
}

#[test]
fn malformed_changes_of_keys_end_the_channel() {
    let with = |content: &[u8]| {
        let (mut ours, peer) = with_server();
        open(&mut ours, &OddSender::new(peer).seal(HANDSHAKE, content)).1
    };
    let malformed = Err(Error::MalformedMessage("key update".to_owned()));
    assert_eq!(with(&[24, 0, 0, 1, 2]), malformed);
    assert_eq!(with(&[24, 0, 0, 0]), malformed);
    assert_eq!(with(&[24, 0, 0, 2, 0, 0]), malformed);
    assert_eq!(with(&[KEY_UPDATE, KEY_UPDATE].concat()), Err(Error::UnexpectedMessage(24)));
}

#[test]
fn tickets_are_tolerated_from_a_server_and_from_nobody_else() {
    let mut config = server_config(provider(), honest(&Party::new(2)));
    config.send_tls13_tickets = 4;
    config.ticketer = rustls::crypto::ring::Ticketer::new().unwrap();
    let mut peer = odd_peer::server(config);
    let mut channel = run(&mut client(), &mut peer).0.unwrap().channel;
    peer.writer().write_all(b"after").unwrap();
    let flight = taken(&mut peer);
    assert!(flight.len() > 400, "there are tickets in it");
    assert_eq!(open(&mut channel, &flight), (vec![b"after".to_vec()], Ok(())));
    let ticket = [4, 0, 0, 2, 1, 1];
    let (mut ours, peer) = with_client();
    let record = OddSender::new(peer).seal(HANDSHAKE, &ticket);
    assert_eq!(open(&mut ours, &record).1, Err(Error::UnexpectedMessage(4)));
}

#[test]
fn a_message_may_go_on_in_the_next_record() {
    let (mut ours, peer) = with_server();
    let mut sender = OddSender::new(peer);
    let ticket = [&[4, 0, 1, 0], [7; 256].as_slice()].concat();
    for piece in ticket.chunks(3) {
        let (delivered, result) = open(&mut ours, &sender.seal(HANDSHAKE, piece));
        assert!(delivered.is_empty());
        if let Err(error) = result {
            // Small pieces are refused for being many.
            assert_eq!(error, Error::FruitlessRecords(17));
            break;
        }
    }
    let (mut ours, peer) = with_server();
    let mut sender = OddSender::new(peer);
    for piece in ticket.chunks(100) {
        assert_eq!(open(&mut ours, &sender.seal(HANDSHAKE, piece)).1, Ok(()));
    }
    assert_eq!(open(&mut ours, &sender.seal(DATA, b"data")).0, [b"data"]);
    assert_eq!(open(&mut ours, &sender.seal(HANDSHAKE, &ticket[..50])).1, Ok(()));
    assert_eq!(open(&mut ours, &sender.seal(DATA, b"data")), (vec![], Err(Error::UnexpectedMessage(DATA))));
}

#[test]
fn messages_that_belong_to_a_handshake_end_the_channel() {
    for kind in [0_u8, 1, 2, 5, 8, 11, 13, 15, 20, 254] {
        let (mut ours, peer) = with_server();
        let record = OddSender::new(peer).seal(HANDSHAKE, &[kind, 0, 0, 0]);
        assert_eq!(open(&mut ours, &record), (vec![], Err(Error::UnexpectedMessage(kind))));
    }
    let (mut ours, peer) = with_server();
    let record = OddSender::new(peer).seal(HANDSHAKE, &[4, 0xff, 0xff, 0xff]);
    assert_eq!(open(&mut ours, &record).1, Err(Error::MessageTooLong(16 * 1024)));
    let (mut ours, peer) = with_server();
    let record = OddSender::new(peer).seal(HANDSHAKE, &[]);
    assert_eq!(open(&mut ours, &record).1, Err(Error::UnexpectedMessage(HANDSHAKE)));
    let (mut ours, peer) = with_server();
    let record = OddSender::new(peer).seal(20, &[1]);
    assert_eq!(open(&mut ours, &record).1, Err(Error::UnexpectedMessage(20)));
}

#[test]
fn records_without_data_are_bounded_in_a_row() {
    for (kind, content) in [(DATA, &[][..]), (HANDSHAKE, &[4, 0, 0, 0]), (ALERT, &[1, 90])] {
        let (mut ours, peer) = with_server();
        let mut sender = OddSender::new(peer);
        for _ in 0..3 {
            for _ in 0..16 {
                assert_eq!(open(&mut ours, &sender.seal(kind, content)), (vec![], Ok(())));
            }
            assert_eq!(open(&mut ours, &sender.seal(DATA, b"data")).0, [b"data"]);
        }
        for _ in 0..16 {
            assert_eq!(open(&mut ours, &sender.seal(kind, content)).1, Ok(()));
        }
        assert_eq!(open(&mut ours, &sender.seal(kind, content)).1, Err(Error::FruitlessRecords(17)));
    }
}

#[test]
fn close_notify_is_a_clean_end() {
    let (mut ours, mut theirs) = channels();
    let mut flight = seal(&mut ours, b"last");
    ours.close_notify(&mut flight);
    let length = flight.len();
    ours.close_notify(&mut flight);
    assert_eq!(flight.len(), length, "it is said once");
    assert_eq!(ours.seal(&mut vec![0; 8], 0), Err(Error::Ended));
    assert!(!theirs.is_closed_by_peer());
    assert_eq!(open(&mut theirs, &flight), (vec![b"last".to_vec()], Ok(())));
    assert!(theirs.is_closed_by_peer());
    assert!(!theirs.has_partial());
    // The other direction goes on until it is closed too.
    assert_eq!(open(&mut ours, &seal(&mut theirs, b"answer")).0, [b"answer"]);
    let mut flight = Vec::new();
    theirs.close_notify(&mut flight);
    assert_eq!(open(&mut ours, &flight), (vec![], Ok(())));
    assert!(ours.is_closed_by_peer());
}

#[test]
fn rustls_understands_our_end_and_we_its() {
    let (mut ours, mut peer) = with_server();
    let mut out = Vec::new();
    ours.close_notify(&mut out);
    let mut rest = out.as_slice();
    peer.read_tls(&mut rest).unwrap();
    assert!(peer.process_new_packets().unwrap().peer_has_closed());
    peer.send_close_notify();
    assert_eq!(open(&mut ours, &taken(&mut peer)), (vec![], Ok(())));
    assert!(ours.is_closed_by_peer());
}

#[test]
fn what_follows_close_notify_is_ignored() {
    let (mut ours, peer) = with_server();
    let mut sender = OddSender::new(peer);
    let stream = [sender.seal(ALERT, &[1, 0]), sender.seal(DATA, b"late"), vec![0xff; 9]].concat();
    assert_eq!(open(&mut ours, &stream), (vec![], Ok(())));
    assert_eq!(open(&mut ours, &sender.seal(DATA, b"later")), (vec![], Ok(())));
    assert!(ours.is_closed_by_peer() && !ours.has_partial());
}

#[test]
fn an_end_without_close_notify_shows_as_truncated() {
    let (mut ours, mut theirs) = channels();
    let record = seal(&mut ours, b"record");
    assert_eq!(open(&mut theirs, &record[..record.len() - 1]).1, Ok(()));
    assert!(theirs.has_partial() && !theirs.is_closed_by_peer());
}

#[test]
fn an_alert_ends_the_channel_without_an_answer() {
    let (mut ours, peer) = with_server();
    let record = OddSender::new(peer).seal(ALERT, &[2, 80]);
    assert_eq!(open(&mut ours, &record), (vec![], Err(Error::AlertReceived(Alert::from_code(80)))));
    assert!(!ours.has_pending());
    let mut out = Vec::new();
    ours.close_notify(&mut out);
    assert_eq!(out, []);
    let (mut ours, peer) = with_server();
    let record = OddSender::new(peer).seal(ALERT, &[2]);
    assert_eq!(open(&mut ours, &record).1, Err(Error::MalformedMessage("alert".to_owned())));
}

#[test]
fn a_failed_channel_says_its_alert_also_when_it_is_closed() {
    let (mut ours, mut theirs) = channels();
    assert_eq!(open(&mut ours, &[23, 3, 3, 0xff, 0xff]).1, Err(Error::RecordTooLong(0xffff)));
    assert_eq!(ours.seal(&mut vec![0; 8], 0), Err(Error::Ended));
    let mut out = Vec::new();
    ours.close_notify(&mut out);
    assert_eq!(open(&mut theirs, &out).1, Err(Error::AlertReceived(Alert::from_code(22))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_split_of_the_records_delivers_the_same(
        plaintexts in vec(vec(any::<u8>(), 1..300), 1..12),
        cuts in vec(1_usize..400, 1..40),
        refreshed in 0_usize..12,
    ) {
        let (mut ours, mut theirs) = with_server();
        let mut stream = Vec::new();
        for (index, plaintext) in plaintexts.iter().enumerate() {
            if index == refreshed {
                refresh(&mut theirs);
            }
            theirs.writer().write_all(plaintext).unwrap();
            stream.extend_from_slice(&taken(&mut theirs));
        }
        let mut delivered = Vec::new();
        let mut rest = stream.as_slice();
        for cut in cuts.into_iter().cycle() {
            let piece = &rest[..cut.min(rest.len())];
            let (more, result) = open(&mut ours, piece);
            prop_assert_eq!(result, Ok(()));
            delivered.extend(more);
            rest = &rest[piece.len()..];
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(delivered, plaintexts);
        prop_assert!(!ours.has_partial());
    }
}
