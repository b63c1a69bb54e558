//! Signatures that were found good before.
//!
//! A host vouches for its static key or its certificate once and shows the same signature to everybody,
//! for as long as it runs. Checking it takes a third of a handshake, and gives the same answer each time:
//! whether these bytes are signed by this key depends on nothing else.

use std::array;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use ring::digest;

/// What was proven, by the digest of all that the proof depends on. Only successes are kept.
///
/// Two proofs may want the same place, and then the later one has it: whoever floods a host with new
/// identities makes it check again, and takes no memory.
///
/// Words of two that are written to one place at the same time may mix. That proves nothing either: a
/// digest of which every word is one of theirs takes as long to find as a collision of the whole.
pub(crate) struct Proven {
    /// Not there before the first proof.
    places: OnceLock<Box<[Place]>>,
}

/// Of one proof.
pub(crate) type Digest = [u64; 4];

type Place = [AtomicU64; 4];

impl Proven {
    pub(crate) const fn new() -> Self {
        Self { places: OnceLock::new() }
    }

    /// The digest of what a proof depends on, in parts that cannot be mistaken for other ones.
    pub(crate) fn digest(parts: &[&[u8]]) -> Digest {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let finished = context.finish();
        let (words, _) = finished.as_ref().as_chunks::<8>();
        array::from_fn(|index| words.get(index).map_or(0, |word| u64::from_be_bytes(*word)))
    }

    /// Whether this was proven before, as far as anybody remembers.
    pub(crate) fn has(&self, digest: &Digest) -> bool {
        let Some(place) = self.places.get().and_then(|places| places.get(index(digest))) else {
            return false;
        };
        place.iter().zip(digest).all(|(known, word)| known.load(Ordering::Relaxed) == *word)
    }

    /// Remembers that this is proven.
    pub(crate) fn add(&self, digest: &Digest) {
        let places = self.places.get_or_init(|| (0..PLACES).map(|_| Place::default()).collect());
        if let Some(place) = places.get(index(digest)) {
            for (known, word) in place.iter().zip(digest) {
                known.store(*word, Ordering::Relaxed);
            }
        }
    }
}

impl fmt::Debug for Proven {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Proven").finish_non_exhaustive()
    }
}

fn index(digest: &Digest) -> usize {
    // Far below the size of an address on every platform.
    (digest[0] % PLACES) as usize
}

/// Half as many as a host has connections by default, in 16 KiB.
const PLACES: u64 = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_added_is_there() {
        let proven = Proven::new();
        let digest = Proven::digest(&[b"key", b"signature"]);
        assert!(!proven.has(&digest));
        proven.add(&digest);
        assert!(proven.has(&digest));
        for other in [&[&b"keysignature"[..]][..], &[b"keys", b"ignature"], &[b"key", b"signature", b""]] {
            assert!(!proven.has(&Proven::digest(other)));
        }
    }

    #[test]
    fn of_two_in_one_place_the_later_one_stays() {
        let proven = Proven::new();
        let (first, second) = ([7; 4], [7, 7, 7, 8]);
        proven.add(&first);
        proven.add(&second);
        assert!(proven.has(&second) && !proven.has(&first));
    }

    #[test]
    fn every_place_can_be_had() {
        let proven = Proven::new();
        for word in 0..PLACES {
            proven.add(&[word, 1, 2, 3]);
        }
        for word in 0..PLACES {
            assert!(proven.has(&[word, 1, 2, 3]));
            assert!(!proven.has(&[word + PLACES, 1, 2, 3]));
        }
    }
}
