//! Handshake bytes and record bytes: forged, altered, repeated, reordered, cut, and split anyhow.
//!
//! What is delivered is what was sealed, up to the first fault and never past it.

#![no_main]

use std::sync::{Arc, LazyLock};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use plait_core::identity::PeerId;
use plait_core::noise::{Completed, Error, Handshake, MAX_PLAINTEXT, RecordReader, StaticKeys};
use plait_core::testing::{DIALER, LISTENER, identity};
use plait_fuzz::Lengths;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    /// Bytes of somebody who has no keys.
    Forged { is_initiator: bool, lengths: Lengths, bytes: &'a [u8] },
    /// An honest handshake with one byte changed.
    Altered { at: u16, xor: u8, lengths: Lengths },
    /// Records of a peer that finished the handshake, and what happened to them on the way.
    Records { records: Vec<Record>, lengths: Lengths, tail: &'a [u8] },
}

#[derive(Arbitrary, Debug)]
struct Record {
    length: u16,
    fault: Fault,
}

#[derive(Arbitrary, Debug)]
enum Fault {
    None,
    Flip { at: u16, bit: u8 },
    Cut { by: u16 },
    Twice,
    Lost,
}

fuzz_target!(|input: Input| match input {
    Input::Forged { is_initiator, lengths, bytes } => forged(is_initiator, lengths, bytes),
    Input::Altered { at, xor, lengths } => altered(at, xor, lengths),
    Input::Records { records, lengths, tail } => carry(&records, lengths, tail),
});

fn forged(is_initiator: bool, lengths: Lengths, bytes: &[u8]) {
    let mut handshake = if is_initiator { initiator() } else { responder() };
    for piece in lengths.cut(bytes) {
        match handshake.receive(piece) {
            Ok((used, completed)) => {
                assert!(completed.is_none(), "a handshake without keys");
                assert_eq!(used, piece.len());
            }
            Err(_) => {
                assert!(matches!(handshake.receive(piece), Err(Error::Ended)));
                break;
            }
        }
        handshake.transmit(&mut Vec::new());
    }
}

fn altered(at: u16, xor: u8, lengths: Lengths) {
    let (completed, wire) = exchange(Some((usize::from(at), xor)), lengths);
    let is_altered = xor != 0 && usize::from(at) < wire;
    assert_ne!(completed.0.is_some() && completed.1.is_some(), is_altered);
}

fn carry(records: &[Record], lengths: Lengths, tail: &[u8]) {
    let (completed, _) = exchange(None, lengths);
    let (Some(mut from), Some(mut to)) = completed else { unreachable!("an honest handshake failed") };
    let mut wire = Vec::new();
    let mut expected = Vec::new();
    let mut is_whole = true;
    for (index, record) in records.iter().take(MOST_RECORDS).enumerate() {
        let length = usize::from(record.length);
        let mut sealed = vec![0; 2];
        sealed.resize(2 + length, index as u8);
        match from.sealer.seal(&mut sealed, 0) {
            Ok(()) => assert!((1..=MAX_PLAINTEXT).contains(&length)),
            Err(error) => {
                assert!(matches!(error, Error::PlaintextLength(_)) && !(1..=MAX_PLAINTEXT).contains(&length));
                break;
            }
        }
        if is_whole && !matches!(record.fault, Fault::Flip { .. } | Fault::Cut { by: 1.. } | Fault::Lost) {
            expected.resize(expected.len() + length, index as u8);
        }
        is_whole &= matches!(record.fault, Fault::None | Fault::Cut { by: 0 });
        match record.fault {
            Fault::None => {}
            Fault::Flip { at, bit } => {
                let at = usize::from(at) % sealed.len();
                sealed[at] ^= 1 << (bit % 8);
            }
            Fault::Cut { by } => sealed.truncate(sealed.len().saturating_sub(usize::from(by))),
            Fault::Twice => sealed.extend_from_within(..),
            Fault::Lost => sealed.clear(),
        }
        wire.extend_from_slice(&sealed);
    }
    wire.extend_from_slice(tail);

    let mut reader = RecordReader::new();
    let mut delivered = Vec::new();
    for piece in lengths.cut(&wire) {
        let mut piece = piece.to_vec();
        let result: Result<(), Error> = reader.receive(&mut piece, &mut to.opener, |plaintext| {
            delivered.extend_from_slice(plaintext);
            Ok(())
        });
        if result.is_err() {
            assert!(to.opener.has_ended() && !reader.has_partial());
            break;
        }
    }
    assert!(delivered == expected, "{} bytes were delivered, not {}", delivered.len(), expected.len());
}

/// Both ends of a handshake, as far as they came, and how many bytes went over the wire.
fn exchange(
    alteration: Option<(usize, u8)>,
    lengths: Lengths,
) -> ((Option<Completed>, Option<Completed>), usize) {
    let mut ends = [(initiator(), None), (responder(), None)];
    let mut total = 0;
    for turn in [0, 1, 0] {
        let mut message = Vec::new();
        ends[turn].0.transmit(&mut message);
        if let Some((at, xor)) = alteration {
            if let Some(byte) = at.checked_sub(total).and_then(|at| message.get_mut(at)) {
                *byte ^= xor;
            }
        }
        total += message.len();
        let (handshake, completed) = &mut ends[1 - turn];
        for piece in lengths.cut(&message) {
            match handshake.receive(piece) {
                Ok((_, Some(done))) => *completed = Some(done),
                Ok((_, None)) => {}
                Err(_) => break,
            }
        }
    }
    let [dialer, listener] = ends;
    ((dialer.1, listener.1), total)
}

fn initiator() -> Handshake {
    let expected = Some(LISTENING.1);
    Handshake::initiator(&DIALING.0, [7; 32], &["/yamux/1.0.0".to_owned()], expected).unwrap()
}

fn responder() -> Handshake {
    Handshake::responder(&LISTENING.0, [9; 32], &["/yamux/1.0.0".to_owned()], None)
}

static DIALING: LazyLock<(Arc<StaticKeys>, PeerId)> = LazyLock::new(|| identity(DIALER));
static LISTENING: LazyLock<(Arc<StaticKeys>, PeerId)> = LazyLock::new(|| identity(LISTENER));

/// Keeps one input under some milliseconds.
const MOST_RECORDS: usize = 8;
