//! Lengths in front of messages.

use divan::{Bencher, black_box};
use plait_core::varint;

const VALUES: [u64; 3] = [1, 300, u64::MAX >> 1];

#[divan::bench(args = VALUES)]
fn encode(bencher: Bencher, value: u64) {
    let mut out = Vec::with_capacity(16);
    bencher.bench_local(|| {
        out.clear();
        varint::encode(black_box(value), &mut out);
    });
}

#[divan::bench(args = VALUES)]
fn decode(bencher: Bencher, value: u64) {
    let mut wire = Vec::new();
    varint::encode(value, &mut wire);
    bencher.bench(|| varint::decode(black_box(&wire)));
}
