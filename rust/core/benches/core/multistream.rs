//! A negotiation, both sides: what every stream pays.

use divan::Bencher;
use plait_core::multistream::{Dialer, Listener, Progress, ProtocolSet};

const SUPPORTED: [&str; 4] = ["/echo/1.0.0", "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", "/perf/1.0.0"];

#[divan::bench]
fn first_candidate(bencher: Bencher) {
    bench(bencher, &["/echo/1.0.0"]);
}

#[divan::bench]
fn third_candidate(bencher: Bencher) {
    bench(bencher, &["/echo/3.0.0", "/echo/2.0.0", "/echo/1.0.0"]);
}

fn bench(bencher: Bencher, candidates: &[&str]) {
    let supported = ProtocolSet::new(SUPPORTED).unwrap();
    let candidates: Vec<String> = candidates.iter().map(ToString::to_string).collect();
    let (mut there, mut back) = (Vec::new(), Vec::new());
    bencher.with_inputs(|| candidates.clone()).bench_local_values(|candidates| {
        let mut dialer = Dialer::new(candidates).unwrap();
        let mut listener = Listener::new();
        loop {
            there.clear();
            back.clear();
            dialer.transmit(&mut there);
            let (_, agreed) = listener.receive(&there, &supported, &mut back).unwrap();
            if let (_, Progress::Agreed(_)) = dialer.receive(&back).unwrap() {
                return agreed;
            }
        }
    });
}
