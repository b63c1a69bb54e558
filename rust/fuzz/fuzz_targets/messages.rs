//! Arbitrary bytes for every decoder of a whole message. What decodes must encode, and decode to the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plait_core::identity::{PeerId, PublicKey};
use plait_core::messages::{Envelope, Identify, Key, NoisePayload, PeerRecord};
use plait_core::{delimited, varint};

fuzz_target!(|bytes: &[u8]| {
    let _ = Key::decode_private(bytes);
    let _ = NoisePayload::decode(bytes);
    let _ = PeerRecord::decode(bytes);
    let _ = Identify::decode_all(bytes.split(|byte| *byte == 0xff));
    let _ = delimited::decode(bytes, 1024);
    if let Ok(Some((value, used))) = varint::decode(bytes) {
        let mut again = Vec::new();
        varint::encode(value, &mut again);
        assert_eq!(again, bytes[..used]);
    }
    if let Ok(key) = PublicKey::decode(bytes) {
        assert_eq!(PublicKey::decode(&key.encode()).unwrap().peer_id(), key.peer_id());
        let _ = key.verify(b"message", bytes);
    }
    if let Ok(peer) = PeerId::from_bytes(bytes) {
        assert_eq!(peer.as_bytes(), bytes);
        let _ = peer.to_string();
        let _ = peer.public_key();
    }
    let _ = Envelope::decode(bytes);
});
