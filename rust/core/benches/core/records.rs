//! Noise records, sealed and opened where they stand.

use divan::Bencher;
use divan::counter::BytesCount;
use plait_core::noise::{Error, Handshake, Opener, RecordReader, Sealer};
use plait_core::testing::{DIALER, LISTENER, identity};

/// A small message, a network packet, a record of ours, and the largest.
const LENGTHS: [usize; 4] = [64, 1400, 32 << 10, plait_core::noise::MAX_PLAINTEXT];

#[divan::bench(args = LENGTHS)]
fn seal(bencher: Bencher, length: usize) {
    let (mut sealer, _) = channel();
    let mut record = vec![0; 2 + length];
    bencher.counter(BytesCount::new(length)).bench_local(|| {
        record.truncate(2 + length);
        sealer.seal(&mut record, 0)
    });
}

/// Nothing opens twice, so this seals as well.
#[divan::bench(args = LENGTHS)]
fn seal_and_open(bencher: Bencher, length: usize) {
    let (mut sealer, mut opener) = channel();
    let mut reader = RecordReader::new();
    let mut record = vec![0; 2 + length];
    bencher.counter(BytesCount::new(length)).bench_local(|| {
        record.truncate(2 + length);
        sealer.seal(&mut record, 0)?;
        reader.receive(&mut record, &mut opener, |plaintext| {
            divan::black_box(plaintext);
            Ok::<(), Error>(())
        })
    });
}

fn channel() -> (Sealer, Opener) {
    let mut initiator = Handshake::initiator(&identity(DIALER).0, [7; 32], &[], None).unwrap();
    let mut responder = Handshake::responder(&identity(LISTENER).0, [9; 32], &[], None);
    let mut wire = Vec::new();
    initiator.transmit(&mut wire);
    responder.receive(&wire).unwrap();
    wire.clear();
    responder.transmit(&mut wire);
    let sealer = initiator.receive(&wire).unwrap().1.unwrap().sealer;
    wire.clear();
    initiator.transmit(&mut wire);
    (sealer, responder.receive(&wire).unwrap().1.unwrap().opener)
}
