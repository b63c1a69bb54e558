//! Whole connections, both sides on one core and no socket between them.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

use crate::wire::Hosts;

#[divan::bench]
fn bulk(bencher: Bencher) {
    let mut wire = Hosts::new().connect();
    let streams = wire.open();
    let (data, mut into) = (vec![1; 1 << 20], vec![0; 256 << 10]);
    bencher.counter(BytesCount::new(data.len())).bench_local(|| wire.send(streams, &data, &mut into));
}

#[divan::bench(args = [32, 64, 1024])]
fn message(bencher: Bencher, length: usize) {
    let mut wire = Hosts::new().connect();
    let streams = wire.open();
    let (data, mut into) = (vec![1; length], vec![0; length]);
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| wire.send(streams, &data, &mut into));
}

#[divan::bench]
fn open_use_and_close_a_stream(bencher: Bencher) {
    let mut wire = Hosts::new().connect();
    let (data, mut into) = ([1; 64], [0; 64]);
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| wire.use_stream(&data, &mut into));
}

#[divan::bench]
fn handshake(bencher: Bencher) {
    let hosts = Hosts::new();
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| hosts.connect());
}
