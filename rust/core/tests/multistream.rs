//! multistream-select as scripts: exact bytes, every state with every input, every malformed message.

use plait_core::multistream::{
    Dialer, Error, HEADER, InvalidProtocol, Listener, MAX_MESSAGE_BYTES, MAX_PROTOCOL_BYTES, MAX_ROUNDS,
    Progress, ProtocolSet, Supported, encode_header, encode_message,
};
use plait_core::varint;

const HEADER_BYTES: &[u8] = b"\x13/multistream/1.0.0\n";
const NOISE: &[u8] = b"\x07/noise\n";
const TLS: &[u8] = b"\x0b/tls/1.0.0\n";
const NOT_AVAILABLE: &[u8] = b"\x03na\n";
const LIST: &[u8] = b"\x03ls\n";

/// Malformed in each way there is; the lengths of the last ones are wrong, so nothing follows them.
fn malformed() -> Vec<(Vec<u8>, Error)> {
    let large = MAX_MESSAGE_BYTES as u64 + 1;
    let mut too_large = Vec::new();
    varint::encode(large, &mut too_large);
    vec![
        (b"\x00".to_vec(), Error::MissingNewline),
        (b"\x06/noise".to_vec(), Error::MissingNewline),
        (b"\x08/no\nise\n".to_vec(), Error::EmbeddedNewline),
        (b"\x02\n\n".to_vec(), Error::EmbeddedNewline),
        (b"\x03/\xff\n".to_vec(), Error::NotUtf8),
        (too_large, Error::TooLarge { length: large }),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f".to_vec(), Error::TooLarge { length: varint::MAX }),
        (b"\x87\x00/noise\n".to_vec(), Error::Length(varint::Error::NotMinimal)),
        (vec![0xff; 9], Error::Length(varint::Error::TooLong)),
    ]
}

fn dialer(protocols: &[&str]) -> Dialer {
    Dialer::new(protocols.iter().map(|&protocol| protocol.to_owned()).collect()).unwrap()
}

fn sent(dialer: &mut Dialer) -> Vec<u8> {
    let mut out = Vec::new();
    dialer.transmit(&mut out);
    out
}

fn protocols(names: &[&str]) -> ProtocolSet {
    ProtocolSet::new(names.iter().copied()).unwrap()
}

/// What `Listener::receive` returns.
type Received = Result<(usize, Option<String>), Error>;

/// A listener for `/noise`, what it made of all of `data`, and what it answered.
fn listen(data: &[u8]) -> (Received, Vec<u8>) {
    let mut out = Vec::new();
    let result = Listener::new().receive(data, &protocols(&["/noise"]), &mut out);
    (result, out)
}

fn agreed_on(protocol: &str, consumed: usize) -> Received {
    Ok((consumed, Some(protocol.to_owned())))
}

#[test]
fn messages_on_the_wire() {
    let table: [(&str, &[u8]); 9] = [
        (HEADER, HEADER_BYTES),
        ("na", NOT_AVAILABLE),
        ("ls", LIST),
        ("/noise", NOISE),
        ("/tls/1.0.0", TLS),
        ("/yamux/1.0.0", b"\x0d/yamux/1.0.0\n"),
        ("/mplex/6.7.0", b"\x0d/mplex/6.7.0\n"),
        ("/ipfs/id/1.0.0", b"\x0f/ipfs/id/1.0.0\n"),
        ("/ipfs/ping/1.0.0", b"\x11/ipfs/ping/1.0.0\n"),
    ];
    for (text, bytes) in table {
        let mut out = Vec::new();
        encode_message(text, &mut out);
        assert_eq!(out, bytes, "{text}");
    }
    let mut out = Vec::new();
    encode_header(&mut out);
    assert_eq!(out, HEADER_BYTES);
}

#[test]
fn dialer_sends_header_and_proposal_together_and_takes_no_byte_too_many() {
    let mut dialer = dialer(&["/noise"]);
    assert_eq!(sent(&mut dialer), [HEADER_BYTES, NOISE].concat());
    assert_eq!(sent(&mut dialer), b"");
    let answer = [HEADER_BYTES, NOISE, b"\x00\x20rest"].concat();
    assert_eq!(dialer.receive(&answer), Ok((28, Progress::Agreed(0))));
    assert_eq!(dialer.receive(&answer[28..]), Ok((0, Progress::Agreed(0))));
    assert_eq!(sent(&mut dialer), b"");
}

#[test]
fn dialer_proposes_one_after_the_other() {
    let mut dialer = dialer(&["/tls/1.0.0", "/noise", "/plaintext/2.0.0"]);
    assert_eq!(sent(&mut dialer), [HEADER_BYTES, TLS].concat());
    assert_eq!(dialer.candidate(), "/tls/1.0.0");
    assert!(!dialer.is_lazy());
    let answer = [HEADER_BYTES, NOT_AVAILABLE].concat();
    assert_eq!(dialer.receive(&answer), Ok((answer.len(), Progress::Pending)));
    assert_eq!(dialer.candidate(), "/noise");
    assert_eq!(sent(&mut dialer), NOISE);
    assert!(!dialer.is_lazy());
    assert_eq!(dialer.receive(NOISE), Ok((8, Progress::Agreed(1))));
    assert_eq!(dialer.protocol(1), "/noise");
    assert_eq!(dialer.protocol(3), "");
}

#[test]
fn dialer_is_lazy_while_its_last_candidate_is_undecided() {
    let mut dialer = dialer(&["/tls/1.0.0", "/noise"]);
    assert!(!dialer.is_lazy());
    dialer.receive(&[HEADER_BYTES, NOT_AVAILABLE].concat()).unwrap();
    assert!(dialer.is_lazy());
    assert_eq!(dialer.receive(NOT_AVAILABLE), Ok((4, Progress::Refused)));
    assert!(!dialer.is_lazy());
    assert_eq!(dialer.receive(NOISE), Ok((0, Progress::Refused)));
}

#[test]
fn dialer_every_state_with_every_message() {
    use Progress::{Agreed, Pending, Refused};
    // Bytes that lead to the state, then the outcome of: header, na, ls, what is proposed there, another protocol.
    let await_header: &[u8] = b"";
    let await_first = HEADER_BYTES.to_vec();
    let await_last = [HEADER_BYTES, NOT_AVAILABLE].concat();
    let agreed = [HEADER_BYTES, NOISE].concat();
    let refused = [HEADER_BYTES, NOT_AVAILABLE, NOT_AVAILABLE].concat();
    let failed = [HEADER_BYTES, LIST].concat();
    let no_header = Err(Error::HeaderExpected);
    let unexpected = Err(Error::UnexpectedAnswer);
    type Row<'a> = (&'a [u8], &'a [u8], [Result<Progress, Error>; 5]);
    let table: [Row<'_>; 6] = [
        (await_header, NOISE, [Ok(Pending), no_header, no_header, no_header, no_header]),
        (&await_first, NOISE, [Ok(Pending), Ok(Pending), unexpected, Ok(Agreed(0)), unexpected]),
        (&await_last, TLS, [Ok(Pending), Ok(Refused), unexpected, Ok(Agreed(1)), unexpected]),
        (&agreed, NOISE, [Ok(Agreed(0)); 5]),
        (&refused, TLS, [Ok(Refused); 5]),
        (&failed, NOISE, [unexpected; 5]),
    ];
    for (script, proposed, expected) in table {
        let messages = [HEADER_BYTES, NOT_AVAILABLE, LIST, proposed, b"\x07/other\n"];
        for (message, expected) in messages.into_iter().zip(expected) {
            let mut dialer = dialer(&["/noise", "/tls/1.0.0"]);
            let before = dialer.receive(script);
            let ended = !matches!(before, Ok((_, Pending)));
            let taken = if ended { 0 } else { message.len() };
            let expected = expected.map(|progress| (taken, progress));
            assert_eq!(dialer.receive(message), expected, "{script:?} then {message:?}");
        }
    }
}

#[test]
fn dialer_refuses_everything_malformed() {
    for (bytes, error) in malformed() {
        for script in [HEADER_BYTES, &[HEADER_BYTES, NOT_AVAILABLE].concat()] {
            let mut dialer = dialer(&["/noise", "/tls/1.0.0"]);
            assert_eq!(dialer.receive(&[script, &bytes].concat()), Err(error), "{bytes:02x?}");
            assert_eq!(dialer.receive(HEADER_BYTES), Err(error), "an error stays");
        }
        assert_eq!(dialer(&["/noise"]).receive(&bytes), Err(Error::HeaderExpected), "{bytes:02x?}");
    }
}

#[test]
fn dialer_knows_one_version() {
    for other in ["/multistream/1.0.1", "/multistream/2.0.0", "/multistream/1.0.0 ", "/multistream/1.0.0/"] {
        let mut bytes = Vec::new();
        encode_message(other, &mut bytes);
        assert_eq!(dialer(&["/noise"]).receive(&bytes), Err(Error::HeaderExpected), "{other}");
        assert_eq!(listen(&bytes), (Err(Error::HeaderExpected), vec![]), "{other}");
    }
}

#[test]
fn dialer_does_not_take_a_longer_or_shorter_name_for_its_own() {
    for answer in [&b"\x06/nois\n"[..], b"\x08/noise \n", b"\x08/noise\r\n", b"\x01\n"] {
        let mut dialer = dialer(&["/noise"]);
        let answer = [HEADER_BYTES, answer].concat();
        assert_eq!(dialer.receive(&answer), Err(Error::UnexpectedAnswer), "{answer:?}");
    }
}

#[test]
fn dialer_takes_the_header_of_a_go_listener_before_it_sent_anything() {
    let mut dialer = dialer(&["/noise"]);
    assert_eq!(dialer.receive(HEADER_BYTES), Ok((20, Progress::Pending)));
    assert_eq!(sent(&mut dialer), [HEADER_BYTES, NOISE].concat());
    assert_eq!(dialer.receive(NOISE), Ok((8, Progress::Agreed(0))));
}

#[test]
fn dialer_bounds_repeated_headers() {
    let headers = HEADER_BYTES.repeat(usize::from(MAX_ROUNDS) + 1);
    let enough = [&headers[..], NOISE].concat();
    assert_eq!(dialer(&["/noise"]).receive(&enough), Ok((enough.len(), Progress::Agreed(0))));
    let too_many = [&headers[..], HEADER_BYTES].concat();
    assert_eq!(dialer(&["/noise"]).receive(&too_many), Err(Error::TooManyRounds));
}

#[test]
fn dialer_sends_every_proposal_even_to_a_peer_that_refused_it_unseen() {
    let mut dialer = dialer(&["/noise", "/tls/1.0.0"]);
    dialer.receive(&[HEADER_BYTES, NOT_AVAILABLE].concat()).unwrap();
    assert_eq!(sent(&mut dialer), [HEADER_BYTES, NOISE, TLS].concat());
}

#[test]
fn only_what_can_be_negotiated_can_be_proposed_or_supported() {
    let longest = "x".repeat(MAX_PROTOCOL_BYTES);
    let too_long = "x".repeat(MAX_PROTOCOL_BYTES + 1);
    let table: [(&str, Result<(), InvalidProtocol>); 9] = [
        ("/noise", Ok(())),
        ("without a slash", Ok(())),
        (&longest, Ok(())),
        (&too_long, Err(InvalidProtocol::TooLong { length: MAX_PROTOCOL_BYTES + 1 })),
        ("", Err(InvalidProtocol::Empty)),
        ("/a\nb", Err(InvalidProtocol::Newline("/a\nb".into()))),
        ("na", Err(InvalidProtocol::Reserved("na".into()))),
        ("ls", Err(InvalidProtocol::Reserved("ls".into()))),
        (HEADER, Err(InvalidProtocol::Reserved(HEADER.into()))),
    ];
    for (name, expected) in table {
        let proposed = Dialer::new(vec!["/noise".into(), name.into()]).map(|_| ());
        assert_eq!(proposed, expected, "{name:?}");
        assert_eq!(ProtocolSet::new([name]).map(|_| ()), expected, "{name:?}");
    }
    let many = |count: u8| Dialer::new((0..count).map(|index| format!("/{index}")).collect()).map(|_| ());
    assert_eq!(many(0), Err(InvalidProtocol::NoCandidate));
    assert_eq!(many(MAX_ROUNDS), Ok(()));
    assert_eq!(many(MAX_ROUNDS + 1), Err(InvalidProtocol::TooManyCandidates { count: 17 }));
}

#[test]
fn set_knows_what_it_was_told() {
    let mut set = protocols(&["/b", "/a"]);
    assert_eq!(set.insert("/c".into()), Ok(true));
    assert_eq!(set.insert("/c".into()), Ok(false));
    assert!(set.remove("/b"));
    assert!(!set.remove("/b"));
    assert_eq!(set.names(), ["/a", "/c"]);
    assert!(set.supports("/a") && !set.supports("/b") && !set.supports("/a "));
}

#[test]
fn listener_answers_header_and_echo_in_one_piece() {
    let hello = [HEADER_BYTES, NOISE].concat();
    assert_eq!(listen(&hello), (agreed_on("/noise", 28), hello));
}

#[test]
fn listener_leaves_the_payload_of_a_lazy_dialer() {
    let hello = [HEADER_BYTES, NOISE, b"\x00\x20payload"].concat();
    assert_eq!(listen(&hello), (agreed_on("/noise", 28), hello[..28].to_vec()));
}

#[test]
fn listener_serves_a_dialer_that_waits_for_the_header() {
    let mut listener = Listener::new();
    let set = protocols(&["/noise"]);
    let mut out = Vec::new();
    assert_eq!(listener.receive(HEADER_BYTES, &set, &mut out), Ok((20, None)));
    assert_eq!(out, HEADER_BYTES);
    out.clear();
    assert_eq!(listener.receive(NOISE, &set, &mut out), agreed_on("/noise", 8));
    assert_eq!(out, NOISE);
    assert_eq!(listener.receive(b"payload", &set, &mut out), Ok((0, None)));
    assert_eq!(out, NOISE);
}

#[test]
fn listener_refuses_until_it_finds_something() {
    let script = [HEADER_BYTES, b"\x1d/libp2p/simultaneous-connect\n", TLS, NOISE].concat();
    let answers = [HEADER_BYTES, NOT_AVAILABLE, NOT_AVAILABLE, NOISE].concat();
    assert_eq!(listen(&script), (agreed_on("/noise", script.len()), answers));
}

#[test]
fn listener_every_state_with_every_message() {
    let messages: [&[u8]; 7] = [HEADER_BYTES, NOT_AVAILABLE, LIST, NOISE, TLS, b"\x06other\n", b"\x01\n"];
    let names: &[u8] = b"\x09\x07/noise\n\n";
    let no_header = Err(Error::HeaderExpected);
    let excused = Err(Error::AfterRefusal);
    let ended = Ok(&b""[..]);
    let refusal = Ok(NOT_AVAILABLE);
    let await_another = [HEADER_BYTES, TLS].concat();
    let agreed = [HEADER_BYTES, NOISE].concat();
    let failed = [HEADER_BYTES, TLS, NOT_AVAILABLE].concat();
    // Bytes that lead to the state, then what each of the messages is answered with.
    type Row<'a> = (&'a [u8], [Result<&'a [u8], Error>; 7]);
    let table: [Row<'_>; 5] = [
        (b"", [Ok(HEADER_BYTES), no_header, no_header, no_header, no_header, no_header, no_header]),
        (HEADER_BYTES, [Ok(HEADER_BYTES), refusal, Ok(names), Ok(NOISE), refusal, refusal, refusal]),
        (&await_another, [Ok(HEADER_BYTES), excused, Ok(names), Ok(NOISE), refusal, excused, excused]),
        (&agreed, [ended; 7]),
        (&failed, [excused; 7]),
    ];
    let set = protocols(&["/noise"]);
    for (script, expected) in table {
        for (message, expected) in messages.into_iter().zip(expected) {
            let mut listener = Listener::new();
            let _ = listener.receive(script, &set, &mut Vec::new());
            let mut out = Vec::new();
            let result = listener.receive(message, &set, &mut out);
            assert_eq!(result.as_ref().map(|_| &out[..]).map_err(|&error| error), expected, "{message:?}");
            let agreed = matches!(result, Ok((_, Some(protocol))) if protocol == "/noise");
            assert_eq!(agreed, message == NOISE && expected == Ok(NOISE), "{message:?}");
        }
    }
}

#[test]
fn another_protocol_is_noticed_at_the_first_wrong_byte() {
    for (at, _) in HEADER_BYTES.iter().enumerate() {
        let mut bytes = HEADER_BYTES[..=at].to_vec();
        assert_eq!(Listener::new().receive(&bytes[..at], &protocols(&[]), &mut vec![]), Ok((at, None)));
        bytes[at] ^= 0x20;
        assert_eq!(listen(&bytes), (Err(Error::HeaderExpected), vec![]), "{bytes:02x?}");
        assert_eq!(dialer(&["/noise"]).receive(&bytes), Err(Error::HeaderExpected), "{bytes:02x?}");
    }
}

#[test]
fn listener_refuses_everything_malformed() {
    for (bytes, error) in malformed() {
        assert_eq!(listen(&bytes), (Err(Error::HeaderExpected), vec![]), "{bytes:02x?}");
        let (result, answers) = listen(&[HEADER_BYTES, &bytes].concat());
        assert_eq!((result, answers), (Err(error), HEADER_BYTES.to_vec()), "{bytes:02x?}");
    }
}

#[test]
fn listener_keeps_payload_behind_a_refused_proposal_apart_from_violations() {
    let garbage = malformed().into_iter().map(|(bytes, _)| bytes);
    for bytes in garbage.chain([b"\x06hello\n".to_vec()]) {
        let (result, answers) = listen(&[HEADER_BYTES, TLS, &bytes].concat());
        assert_eq!(result, Err(Error::AfterRefusal), "{bytes:02x?}");
        assert_eq!(answers, [HEADER_BYTES, NOT_AVAILABLE].concat());
    }
}

#[test]
fn listener_bounds_the_rounds() {
    let rounds = usize::from(MAX_ROUNDS);
    for repeated in [TLS, LIST, HEADER_BYTES] {
        let enough = [HEADER_BYTES, &repeated.repeat(rounds), NOISE].concat();
        assert_eq!(listen(&enough).0, agreed_on("/noise", enough.len()));
        let too_many = [HEADER_BYTES, &repeated.repeat(rounds + 1), NOISE].concat();
        assert_eq!(listen(&too_many).0, Err(Error::TooManyRounds));
    }
}

#[test]
fn listener_lists_names_in_nested_form() {
    let mut out = Vec::new();
    let set = protocols(&["/tls/1.0.0", "/noise"]);
    let script = [HEADER_BYTES, LIST].concat();
    assert_eq!(Listener::new().receive(&script, &set, &mut out), Ok((script.len(), None)));
    assert_eq!(out, [HEADER_BYTES, b"\x15\x07/noise\n\x0b/tls/1.0.0\n\n"].concat());
}

#[test]
fn longest_message_is_taken_and_the_next_longer_is_not() {
    let longest = "x".repeat(MAX_PROTOCOL_BYTES);
    let set = protocols(&[&longest]);
    let mut script = HEADER_BYTES.to_vec();
    encode_message(&longest, &mut script);
    let result = Listener::new().receive(&script, &set, &mut Vec::new());
    assert_eq!(result, agreed_on(&longest, script.len()));
    let mut script = HEADER_BYTES.to_vec();
    encode_message(&format!("{longest}x"), &mut script);
    let result = Listener::new().receive(&script, &set, &mut Vec::new());
    assert_eq!(result, Err(Error::TooLarge { length: 1025 }));
}

#[test]
fn a_stream_pays_little_for_its_negotiation() {
    assert!(size_of::<Dialer>() <= 80, "{}", size_of::<Dialer>());
    assert!(size_of::<Listener>() <= 48, "{}", size_of::<Listener>());
}
