//! Arbitrary bytes, split anyhow, for a dialer and for a listener: the split must not change the result.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use plait_core::multistream::{Dialer, Error, Listener, Progress, ProtocolSet, encode_header};
use plait_fuzz::Lengths;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// Which of [`NAMES`] we propose, or support.
    names: u8,
    /// Put a correct header in front.
    is_greeted: bool,
    lengths: Lengths,
    bytes: &'a [u8],
}

fuzz_target!(|input: Input| {
    let Input { names, is_greeted, lengths, bytes } = input;
    let names: Vec<String> = (0..NAMES.len())
        .filter(|index| names & 1 << index != 0)
        .map(|index| NAMES[index].to_owned())
        .collect();
    let mut wire = Vec::new();
    if is_greeted {
        encode_header(&mut wire);
    }
    wire.extend_from_slice(bytes);

    let supported = ProtocolSet::new(names.clone()).unwrap();
    assert_eq!(listen(&supported, [&*wire]), listen(&supported, lengths.cut(&wire)));
    if !names.is_empty() {
        assert_eq!(dial(&names, [&*wire]), dial(&names, lengths.cut(&wire)));
    }
});

/// How a negotiation went: its result with the bytes that it took, and the bytes that it sent.
type Outcome<T> = (Result<(usize, T), Error>, Vec<u8>);

fn dial<'a>(names: &[String], pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome<Progress> {
    let mut dialer = Dialer::new(names.to_vec()).unwrap();
    let mut sent = Vec::new();
    dialer.transmit(&mut sent);
    let mut taken = 0;
    for piece in pieces {
        match dialer.receive(piece) {
            // A proposal between a refusal and a later mistake goes out only if the bytes came apart.
            Err(error) => return (Err(error), Vec::new()),
            Ok((used, progress)) => {
                taken += used;
                dialer.transmit(&mut sent);
                if progress != Progress::Pending {
                    return (Ok((taken, progress)), sent);
                }
                assert_eq!(used, piece.len());
            }
        }
    }
    assert!(taken <= MOST_TAKEN);
    (Ok((taken, Progress::Pending)), sent)
}

fn listen<'a>(
    supported: &ProtocolSet,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome<Option<String>> {
    let mut listener = Listener::new();
    let mut sent = Vec::new();
    let mut taken = 0;
    for piece in pieces {
        match listener.receive(piece, supported, &mut sent) {
            Err(error) => return (Err(error), sent),
            Ok((used, protocol)) => {
                taken += used;
                if protocol.is_some() {
                    return (Ok((taken, protocol)), sent);
                }
                assert_eq!(used, piece.len());
            }
        }
    }
    assert!(taken <= MOST_TAKEN);
    (Ok((taken, None)), sent)
}

const NAMES: [&str; 5] = ["/a", "/b/1.0.0", "/noise", "/yamux/1.0.0", "/ipfs/ping/1.0.0"];

/// Rounds are bounded and so are messages, so no peer can keep a negotiation open by sending.
const MOST_TAKEN: usize = 40 * 1026;
