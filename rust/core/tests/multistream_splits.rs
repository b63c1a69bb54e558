//! multistream-select with its bytes split in every way: the result must not change.

use plait_core::multistream::{
    Dialer, Error, HEADER, Listener, Progress, ProtocolSet, Supported, encode_header, encode_message,
};
use proptest::prelude::*;
use proptest::sample::Index;

const NAMES: [&str; 5] = ["/a", "/b/1.0.0", "/c/2", "/c/2.0", "/ipfs/ping/1.0.0"];

/// `bytes` cut at the given places; a place may come twice, so pieces may be empty.
fn split<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    places.push(bytes.len());
    let mut start = 0;
    let piece = |end| &bytes[std::mem::replace(&mut start, end)..end];
    places.into_iter().map(piece).collect()
}

/// What is left of a negotiation: its result, the bytes it took, the bytes it sent.
type Outcome<T> = (Result<T, Error>, usize, Vec<u8>);

fn dial(protocols: &[String], pieces: &[&[u8]]) -> Outcome<Progress> {
    let mut dialer = Dialer::new(protocols.to_vec()).unwrap();
    let mut sent = Vec::new();
    dialer.transmit(&mut sent);
    let mut taken = 0;
    let mut result = Ok(Progress::Pending);
    for piece in pieces {
        match dialer.receive(piece) {
            Ok((consumed, progress)) => {
                taken += consumed;
                result = Ok(progress);
                assert!(progress != Progress::Pending || consumed == piece.len());
            }
            // How much of the piece was good before the error is nobody's business.
            Err(error) => return (Err(error), 0, vec![]),
        }
        dialer.transmit(&mut sent);
    }
    (result, taken, sent)
}

fn listen(supported: &ProtocolSet, pieces: &[&[u8]]) -> Outcome<Option<String>> {
    let mut listener = Listener::new();
    let mut sent = Vec::new();
    let mut taken = 0;
    let mut agreed = None;
    for piece in pieces {
        match listener.receive(piece, supported, &mut sent) {
            Ok((consumed, protocol)) => {
                taken += consumed;
                assert!(protocol.is_some() || agreed.is_some() || consumed == piece.len());
                agreed = agreed.or(protocol);
            }
            Err(error) => return (Err(error), 0, sent),
        }
    }
    (Ok(agreed), taken, sent)
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..12)
}

fn candidates() -> impl Strategy<Value = Vec<String>> {
    prop::sample::subsequence(NAMES.map(String::from).to_vec(), 1..=NAMES.len()).prop_shuffle()
}

fn supported() -> impl Strategy<Value = ProtocolSet> {
    prop::sample::subsequence(NAMES.to_vec(), 0..=NAMES.len())
        .prop_map(|names| ProtocolSet::new(names).unwrap())
}

/// A header most of the time, then words of the negotiation with some garbage in between.
fn script() -> impl Strategy<Value = Vec<u8>> {
    let word =
        prop::sample::select([&NAMES[..], &[HEADER, "na", "na", "na", "ls", "", "slashless"]].concat());
    let message = word.prop_map(|word| {
        let mut out = Vec::new();
        encode_message(word, &mut out);
        out
    });
    let garbage = prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(3)], 0..6);
    let pieces = prop::collection::vec(prop_oneof![8 => message, 1 => garbage], 0..24);
    (prop::bool::weighted(0.9), pieces).prop_map(|(begins_well, pieces)| {
        let mut out = Vec::new();
        if begins_well {
            encode_header(&mut out);
        }
        out.extend(pieces.concat());
        out
    })
}

/// The bytes of one direction: what was written and not yet delivered.
#[derive(Default)]
struct Pipe(Vec<u8>);

impl Pipe {
    /// The reader's buffer of `pending` bytes gets more: at least one while there is one.
    fn deliver(&mut self, pending: &mut Vec<u8>, cut: Index) {
        let most = self.0.len();
        let count = if most == 0 { 0 } else { cut.index(most) + 1 };
        pending.extend(self.0.drain(..count));
    }
}

proptest! {
    #[test]
    fn dialer_does_not_see_splits(protocols in candidates(), script in script(), cuts in cuts()) {
        let whole = dial(&protocols, &[&script]);
        prop_assert_eq!(&dial(&protocols, &split(&script, &cuts)), &whole);
        prop_assert_eq!(&dial(&protocols, &script.chunks(1).collect::<Vec<_>>()), &whole);
    }

    #[test]
    fn listener_does_not_see_splits(supported in supported(), script in script(), cuts in cuts()) {
        let whole = listen(&supported, &[&script]);
        prop_assert_eq!(&listen(&supported, &split(&script, &cuts)), &whole);
        prop_assert_eq!(&listen(&supported, &script.chunks(1).collect::<Vec<_>>()), &whole);
    }

    #[test]
    fn no_bytes_make_either_side_panic(bytes: Vec<u8>, cuts in cuts()) {
        let mut script = Vec::new();
        encode_header(&mut script);
        script.extend(bytes);
        for script in [&script[..], &script[20..]] {
            let pieces = split(script, &cuts);
            let _ = dial(&["/a".to_owned(), "/b".to_owned()], &pieces);
            let _ = listen(&ProtocolSet::default(), &pieces);
        }
    }

    #[test]
    fn both_sides_agree_on_the_first_that_the_listener_speaks(
        protocols in candidates(),
        supported in supported(),
        payload in prop::collection::vec(any::<u8>(), 0..40),
        cuts in prop::collection::vec(any::<Index>(), 1..12),
    ) {
        let expected = protocols.iter().position(|name| supported.supports(name));
        let mut dialer = Dialer::new(protocols.clone()).unwrap();
        let mut listener = Listener::new();
        let (mut to_listener, mut to_dialer) = (Pipe::default(), Pipe::default());
        let (mut at_listener, mut at_dialer) = (Vec::new(), Vec::new());
        let mut progress = Progress::Pending;
        let mut agreed = None;
        let mut refused = false;
        let mut payload_sent = false;
        let mut cuts = cuts.into_iter().cycle();
        loop {
            dialer.transmit(&mut to_listener.0);
            if !payload_sent && (dialer.is_lazy() || matches!(progress, Progress::Agreed(_))) {
                to_listener.0.extend(&payload);
                payload_sent = true;
            }
            if to_listener.0.is_empty() && to_dialer.0.is_empty() {
                break;
            }
            to_listener.deliver(&mut at_listener, cuts.next().unwrap());
            if agreed.is_none() && !refused {
                match listener.receive(&at_listener, &supported, &mut to_dialer.0) {
                    Ok((consumed, protocol)) => {
                        at_listener.drain(..consumed);
                        agreed = protocol;
                    }
                    Err(error) => {
                        // The only thing that this dialer can be blamed for.
                        prop_assert_eq!(error, Error::AfterRefusal);
                        refused = true;
                    }
                }
            }
            to_dialer.deliver(&mut at_dialer, cuts.next().unwrap());
            let (consumed, now) = dialer.receive(&at_dialer).unwrap();
            at_dialer.drain(..consumed);
            progress = now;
        }

        if let Some(index) = expected {
            prop_assert_eq!(progress, Progress::Agreed(index));
            prop_assert_eq!(agreed.as_ref(), Some(&protocols[index]));
            prop_assert_eq!(at_listener, payload);
        } else {
            prop_assert_eq!(progress, Progress::Refused);
            prop_assert_eq!(agreed, None);
        }
        prop_assert_eq!(at_dialer, b"");
    }
}
