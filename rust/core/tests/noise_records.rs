//! Transport records: any split, and no damage gets anything delivered.

mod hex;

use std::sync::Arc;

use hex::bytes;
use plait_core::identity::{KeyType, PublicKey};
use plait_core::noise::{
    Aead, Error, Handshake, MAX_PLAINTEXT, Opener, RecordReader, Ring, Sealer, StaticKeys,
};
use proptest::collection::vec;
use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

/// The key of the direction that [`channel`] makes, from the end-to-end vector with these parties.
const KEY: &str = "4759d15f0f4cfb9c3cef133e60b44ea3479cae90880a7e71df96f111d78d5953";

/// What the initiator of the vector sends with, and what the responder opens it with.
fn channel() -> (Sealer, Opener) {
    let initiator_seed = bytes("7e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d");
    let muxers = ["/yamux/1.0.0".to_owned()];
    let keys = static_keys(counting_from(0), &initiator_seed);
    let mut initiator = Handshake::initiator(&keys, counting_from(0x20), &muxers, None).unwrap();
    let keys = static_keys(counting_from(1), &counting_from(0));
    let mut responder = Handshake::responder(&keys, counting_from(0x41), &muxers, None);
    let mut wire = [Vec::new(), Vec::new(), Vec::new()];
    initiator.transmit(&mut wire[0]);
    responder.receive(&wire[0]).unwrap();
    responder.transmit(&mut wire[1]);
    let ours = initiator.receive(&wire[1]).unwrap().1.unwrap();
    initiator.transmit(&mut wire[2]);
    let theirs = responder.receive(&wire[2]).unwrap().1.unwrap();
    (ours.sealer, theirs.opener)
}

fn counting_from(first: u8) -> [u8; 32] {
    std::array::from_fn(|index| first + index as u8)
}

fn static_keys(secret: [u8; 32], seed: &[u8]) -> Arc<StaticKeys> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).unwrap();
    let identity = PublicKey::new(KeyType::Ed25519, pair.public_key().as_ref()).unwrap();
    let signature = pair.sign(&StaticKeys::signed_message(&StaticKeys::public_of(&secret)));
    Arc::new(StaticKeys::new(secret, identity.encode(), signature.as_ref().to_vec()).unwrap())
}

fn seal(sealer: &mut Sealer, plaintext: &[u8]) -> Vec<u8> {
    let mut record = [&[0, 0], plaintext].concat();
    sealer.seal(&mut record, 0).unwrap();
    record
}

/// A record with any plaintext, sealed beside the sealer: what an odd peer may send.
fn odd_record(nonce: u64, plaintext: &[u8]) -> Vec<u8> {
    let mut sealed = plaintext.to_vec();
    let tag = Ring::seal(&bytes(KEY).try_into().unwrap(), nonce, &[], &mut sealed).unwrap();
    let length = (sealed.len() + tag.len()) as u16;
    [&length.to_be_bytes(), sealed.as_slice(), &tag].concat()
}

/// A receiving end that remembers what was delivered to it.
struct Receiver {
    reader: RecordReader,
    opener: Opener,
    delivered: Vec<Vec<u8>>,
}

impl Receiver {
    fn new(opener: Opener) -> Self {
        Self { reader: RecordReader::new(), opener, delivered: Vec::new() }
    }

    fn receive(&mut self, data: &[u8]) -> Result<(), Error> {
        let Self { reader, opener, delivered } = self;
        reader.receive(&mut data.to_vec(), opener, |plaintext| {
            delivered.push(plaintext.to_vec());
            Ok(())
        })
    }

    /// Gives damaged bytes in one piece, then what would have been good ones: only `before` may arrive.
    fn assert_ends(mut self, damaged: &[u8], error: &Error, before: &[&[u8]], later: &[u8]) {
        assert_eq!(self.receive(damaged).as_ref(), Err(error));
        assert_eq!(self.delivered, before);
        assert_eq!(self.receive(later), Err(Error::Ended));
        assert_eq!(self.receive(&[]), Err(Error::Ended));
        assert_eq!(self.delivered, before, "nothing after the failure");
        assert!(self.opener.has_ended());
        assert!(!self.reader.has_partial());
    }
}

#[test]
fn records_of_every_awkward_size_pass() {
    let (mut sealer, opener) = channel();
    let mut receiver = Receiver::new(opener);
    let sizes = [1, 2, 15, 16, 17, 255, 256, 1023, 16_384, 65_518, MAX_PLAINTEXT];
    for size in sizes {
        let record = seal(&mut sealer, &vec![size as u8; size]);
        assert_eq!(record.len(), 2 + size + 16);
        receiver.receive(&record).unwrap();
    }
    let plaintexts = sizes.map(|size| vec![size as u8; size]);
    assert_eq!(receiver.delivered, plaintexts);
}

#[test]
fn several_records_are_sealed_into_one_buffer() {
    let (mut sealer, opener) = channel();
    let mut buffer = b"kept".to_vec();
    for plaintext in [&b"one"[..], b"two"] {
        let start = buffer.len();
        buffer.extend_from_slice(&[0, 0]);
        buffer.extend_from_slice(plaintext);
        sealer.seal(&mut buffer, start).unwrap();
    }
    assert!(buffer.starts_with(b"kept"));
    let mut receiver = Receiver::new(opener);
    receiver.receive(&buffer[4..]).unwrap();
    assert_eq!(receiver.delivered, [b"one", b"two"]);
}

#[test]
fn plaintext_that_is_no_record_is_refused_and_ends_the_sealer() {
    for (size, start) in [(0, 0), (1, 0), (2, 0), (2 + MAX_PLAINTEXT + 1, 0), (3, 4), (3, usize::MAX)] {
        let (mut sealer, _) = channel();
        let mut buffer = vec![7; size];
        let refused = sealer.seal(&mut buffer, start);
        assert!(matches!(refused, Err(Error::PlaintextLength(_))), "{size} from {start}: {refused:?}");
        assert_eq!(buffer, vec![7; size], "nothing was written");
        assert_eq!(sealer.seal(&mut vec![0; 3], 0), Err(Error::Ended));
    }
}

#[test]
fn empty_records_are_skipped() {
    let (_, opener) = channel();
    let mut receiver = Receiver::new(opener);
    let stream = [odd_record(0, b""), odd_record(1, b"data"), odd_record(2, b""), odd_record(3, b"more")];
    receiver.receive(&stream.concat()).unwrap();
    assert_eq!(receiver.delivered, [b"data", b"more"]);
}

#[test]
fn records_shorter_than_their_tag_are_refused_from_the_prefix_alone() {
    for length in 0..16_u8 {
        let (mut sealer, opener) = channel();
        let good = seal(&mut sealer, b"good");
        let damaged = [good.as_slice(), &[0, length]].concat();
        let error = Error::RecordTooShort(length.into());
        Receiver::new(opener).assert_ends(&damaged, &error, &[b"good"], &seal(&mut sealer, b"later"));
    }
}

#[test]
fn a_short_record_is_refused_also_when_its_prefix_is_split() {
    let (_, opener) = channel();
    let mut receiver = Receiver::new(opener);
    assert_eq!(receiver.receive(&[0]), Ok(()));
    assert_eq!(receiver.receive(&[15]), Err(Error::RecordTooShort(15)));
    assert!(!receiver.reader.has_partial());
}

#[test]
fn a_flipped_bit_anywhere_ends_the_channel() {
    let (mut sealer, _) = channel();
    let (first, second, later) =
        (seal(&mut sealer, b"first"), seal(&mut sealer, b"second"), seal(&mut sealer, b"later"));
    // The prefix is not authenticated: flipping it moves the boundary, which the tag then tells.
    for index in 1..second.len() {
        let mut damaged = [first.as_slice(), &second, &later].concat();
        damaged[first.len() + index] ^= 1;
        let mut receiver = Receiver::new(channel().1);
        assert_eq!(receiver.receive(&damaged), Err(Error::Decryption), "byte {index}");
        assert_eq!(receiver.delivered, [b"first"]);
        assert_eq!(receiver.receive(&later), Err(Error::Ended));
        assert_eq!(receiver.delivered, [b"first"]);
    }
}

#[test]
fn a_replayed_record_ends_the_channel() {
    let (mut sealer, opener) = channel();
    let (first, second) = (seal(&mut sealer, b"first"), seal(&mut sealer, b"second"));
    let replayed = [first.as_slice(), &first].concat();
    Receiver::new(opener).assert_ends(&replayed, &Error::Decryption, &[b"first"], &second);
}

#[test]
fn reordered_records_end_the_channel() {
    let (mut sealer, opener) = channel();
    let (first, second) = (seal(&mut sealer, b"first"), seal(&mut sealer, b"second"));
    let reordered = [second.as_slice(), &first].concat();
    Receiver::new(opener).assert_ends(&reordered, &Error::Decryption, &[], &second);
}

#[test]
fn a_dropped_record_ends_the_channel() {
    let (mut sealer, opener) = channel();
    seal(&mut sealer, b"dropped");
    let (second, third) = (seal(&mut sealer, b"second"), seal(&mut sealer, b"third"));
    Receiver::new(opener).assert_ends(&second, &Error::Decryption, &[], &third);
}

#[test]
fn a_record_with_its_end_cut_out_ends_the_channel() {
    let (mut sealer, opener) = channel();
    let (first, second) = (seal(&mut sealer, b"first"), seal(&mut sealer, b"second"));
    let cut = [&first[..first.len() - 3], &second].concat();
    Receiver::new(opener).assert_ends(&cut, &Error::Decryption, &[], &second);
}

#[test]
fn our_own_record_sent_back_ends_the_channel() {
    let (mut sealer, _) = channel();
    let record = seal(&mut sealer, b"ours");
    let mut other_direction = odd_record(0, b"ours");
    assert_eq!(record, other_direction, "the key of the vector is the key of this direction");
    let key = bytes("a8b5dce3cef845d63c9671c350eb15cbb50b6c6d5f0d3231d32d711dab1ed191").try_into().unwrap();
    assert_eq!(Ring::open(&key, 0, &[], &mut other_direction[2..]).map(|_| ()), Err(Error::Decryption));
}

#[test]
fn a_wire_that_ends_inside_a_record_shows() {
    let (mut sealer, opener) = channel();
    let record = seal(&mut sealer, b"record");
    let mut receiver = Receiver::new(opener);
    assert!(!receiver.reader.has_partial());
    for byte in &record[..record.len() - 1] {
        receiver.receive(&[*byte]).unwrap();
        assert!(receiver.reader.has_partial());
        assert!(receiver.delivered.is_empty());
    }
    receiver.receive(&record[record.len() - 1..]).unwrap();
    assert!(!receiver.reader.has_partial());
    assert_eq!(receiver.delivered, [b"record"]);
}

#[test]
fn a_sink_that_fails_gets_nothing_more() {
    let (mut sealer, mut opener) = channel();
    let mut data =
        [seal(&mut sealer, b"one"), seal(&mut sealer, b"two"), seal(&mut sealer, b"three")].concat();
    let mut reader = RecordReader::new();
    let mut delivered = Vec::new();
    let mut sink = |plaintext: &[u8]| {
        delivered.push(plaintext.to_vec());
        if plaintext == b"two" { Err(Error::Ended) } else { Ok(()) }
    };
    assert_eq!(reader.receive(&mut data, &mut opener, &mut sink), Err(Error::Ended));
    assert_eq!(reader.receive(&mut seal(&mut sealer, b"four"), &mut opener, &mut sink), Err(Error::Ended));
    assert_eq!(delivered, [&b"one"[..], b"two"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_split_of_the_records_delivers_the_same(
        plaintexts in vec(vec(any::<u8>(), 1..300), 1..12),
        cuts in vec(1_usize..400, 1..40),
    ) {
        let (mut sealer, opener) = channel();
        let stream: Vec<u8> = plaintexts.iter().flat_map(|plaintext| seal(&mut sealer, plaintext)).collect();
        let mut receiver = Receiver::new(opener);
        let mut rest = stream.as_slice();
        for cut in cuts.into_iter().cycle() {
            let piece = &rest[..cut.min(rest.len())];
            receiver.receive(piece).unwrap();
            rest = &rest[piece.len()..];
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(receiver.delivered, plaintexts);
        prop_assert!(!receiver.reader.has_partial());
    }

    #[test]
    fn any_damage_delivers_whole_records_before_it_and_nothing_else(
        plaintexts in vec(vec(any::<u8>(), 1..60), 1..12),
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
        cut in 1_usize..200,
    ) {
        let (mut sealer, opener) = channel();
        let records: Vec<Vec<u8>> = plaintexts.iter().map(|plaintext| seal(&mut sealer, plaintext)).collect();
        let mut stream = records.concat();
        let at = at.index(stream.len());
        stream[at] ^= flip;
        let mut end = 0;
        let whole = records.iter().take_while(|record| { end += record.len(); end <= at }).count();
        let mut receiver = Receiver::new(opener);
        for piece in stream.chunks(cut) {
            // A longer length may leave the damaged record waiting for more: no error yet, no delivery either.
            let _ = receiver.receive(piece);
        }
        prop_assert_eq!(&receiver.delivered[..], &plaintexts[..whole]);
    }

    #[test]
    fn any_bytes_are_survived(data in vec(any::<u8>(), 0..2000), cut in 1_usize..300) {
        let mut receiver = Receiver::new(channel().1);
        for piece in data.chunks(cut) {
            let _ = receiver.receive(piece);
        }
        prop_assert!(receiver.delivered.is_empty());
    }
}
