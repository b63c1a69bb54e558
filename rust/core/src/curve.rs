//! X25519 by the fastest implementation that runs on this processor.
//!
//! Equal arguments give equal bytes whoever computes them, so the two can be mixed at will. graviola takes
//! less than half of the time and wants a processor of the last ten years; x25519-dalek runs everywhere.

use std::fmt;

use x25519_dalek::{PublicKey, StaticSecret};

/// A secret key. Its bytes are overwritten when it goes away.
pub(crate) struct Secret(StaticSecret);

impl Secret {
    pub(crate) fn new(bytes: [u8; 32]) -> Self {
        Self(StaticSecret::from(bytes))
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        fast::public(self.0.as_bytes()).unwrap_or_else(|| PublicKey::from(&self.0).to_bytes())
    }

    /// What both sides compute; `None` for a key of the other side that makes it the same for everybody.
    pub(crate) fn agree(&self, remote: &[u8; 32]) -> Option<[u8; 32]> {
        fast::agree(self.0.as_bytes(), remote).unwrap_or_else(|| {
            let shared = self.0.diffie_hellman(&PublicKey::from(*remote));
            shared.was_contributory().then(|| shared.to_bytes())
        })
    }
}

/// Shows no secret.
impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Secret").finish_non_exhaustive()
    }
}

/// Each gives `None` where graviola does not run.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod fast {
    use graviola::key_agreement::x25519::{PublicKey, StaticPrivateKey};
    // Without what this looks for it would panic.
    use graviola::util::is_cpu_supported;

    pub(super) fn public(secret: &[u8; 32]) -> Option<[u8; 32]> {
        is_cpu_supported().then(|| StaticPrivateKey::from_array(secret).public_key().as_bytes())
    }

    pub(super) fn agree(secret: &[u8; 32], remote: &[u8; 32]) -> Option<Option<[u8; 32]>> {
        is_cpu_supported().then(|| {
            let remote = PublicKey::from_array(remote);
            StaticPrivateKey::from_array(secret).diffie_hellman(&remote).ok().map(|shared| shared.0)
        })
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod fast {
    pub(super) fn public(_: &[u8; 32]) -> Option<[u8; 32]> {
        None
    }

    pub(super) fn agree(_: &[u8; 32], _: &[u8; 32]) -> Option<Option<[u8; 32]>> {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(hex: &str) -> [u8; 32] {
        let mut out = [0; 32];
        for (byte, pair) in out.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        }
        out
    }

    fn everywhere(secret: [u8; 32], remote: [u8; 32]) -> ([u8; 32], Option<[u8; 32]>) {
        let secret = StaticSecret::from(secret);
        let shared = secret.diffie_hellman(&PublicKey::from(remote));
        let public = PublicKey::from(&secret).to_bytes();
        (public, shared.was_contributory().then(|| shared.to_bytes()))
    }

    /// RFC 7748, section 6.1.
    #[test]
    fn the_vectors_of_the_rfc() {
        let alice = bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let bob = bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        let shared = bytes("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        let (alice, bob) = (Secret::new(alice), Secret::new(bob));
        assert_eq!(alice.public(), bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
        assert_eq!(bob.public(), bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
        assert_eq!(alice.agree(&bob.public()), Some(shared));
        assert_eq!(bob.agree(&alice.public()), Some(shared));
    }

    #[test]
    fn a_key_that_makes_every_secret_the_same_is_refused() {
        let one = bytes("0100000000000000000000000000000000000000000000000000000000000000");
        // Of order 8, as RFC 7748 and everybody after it lists it.
        let eight = bytes("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
        for weak in [[0; 32], one, eight] {
            assert_eq!(Secret::new([7; 32]).agree(&weak), None);
            assert_eq!(everywhere([7; 32], weak).1, None);
        }
    }

    proptest! {
        #[test]
        fn both_implementations_agree(secret: [u8; 32], remote: [u8; 32]) {
            let ours = Secret::new(secret);
            prop_assert_eq!((ours.public(), ours.agree(&remote)), everywhere(secret, remote));
        }
    }
}
