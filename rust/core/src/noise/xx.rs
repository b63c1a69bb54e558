//! Noise's HandshakeState for the pattern XX, with any payloads and any prologue.
//!
//! ```text
//! 1. initiator -> responder   e
//! 2. responder -> initiator   e, ee, s, es
//! 3. initiator -> responder   s, se
//! ```

use std::sync::Arc;

use super::symmetric::{Split, SymmetricState};
use super::{Error, StaticKeys};
use crate::curve::Secret;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Initiator,
    Responder,
}

/// Both parties in one type; which messages are whose is for the caller to know.
pub(super) struct Xx {
    role: Role,
    symmetric: SymmetricState,
    /// Index into [`PATTERN`] of the message that is next, whichever side it is from.
    next: usize,
    statics: Arc<StaticKeys>,
    ephemeral: Secret,
    remote_static: [u8; 32],
    remote_ephemeral: [u8; 32],
}

impl Xx {
    pub(super) fn new(role: Role, prologue: &[u8], statics: Arc<StaticKeys>, ephemeral: [u8; 32]) -> Self {
        Self {
            role,
            symmetric: SymmetricState::new(prologue),
            next: 0,
            statics,
            ephemeral: Secret::new(ephemeral),
            remote_static: [0; 32],
            remote_ephemeral: [0; 32],
        }
    }

    /// Appends the next message, its payload given in parts.
    pub(super) fn write_message(&mut self, payload: &[&[u8]], message: &mut Vec<u8>) -> Result<(), Error> {
        for token in self.advance()? {
            let start = message.len();
            match token {
                Token::E => {
                    message.extend_from_slice(&self.ephemeral.public());
                    self.symmetric.mix_hash(&message[start..]);
                }
                Token::S => {
                    message.extend_from_slice(self.statics.public());
                    self.symmetric.encrypt_and_hash(message, start)?;
                }
                Token::Dh(mine, theirs) => self.mix_secret(*mine, *theirs)?,
            }
        }
        let start = message.len();
        for part in payload {
            message.extend_from_slice(part);
        }
        self.symmetric.encrypt_and_hash(message, start)
    }

    /// Reads the next message in place and gives its payload.
    pub(super) fn read_message<'a>(&mut self, message: &'a mut [u8]) -> Result<&'a mut [u8], Error> {
        let mut rest = message;
        for token in self.advance()? {
            match token {
                Token::E => {
                    let key = take(&mut rest, 32)?;
                    self.symmetric.mix_hash(key);
                    self.remote_ephemeral.copy_from_slice(key);
                }
                Token::S => {
                    let sealed = take(&mut rest, 32 + self.symmetric.overhead())?;
                    self.remote_static.copy_from_slice(self.symmetric.decrypt_and_hash(sealed)?);
                }
                Token::Dh(initiators, responders) => self.mix_secret(*initiators, *responders)?,
            }
        }
        self.symmetric.decrypt_and_hash(rest)
    }

    /// The peer's static key; zeros until the message that has it.
    pub(super) const fn remote_static(&self) -> &[u8; 32] {
        &self.remote_static
    }

    /// What the handshake leaves once all its messages have passed.
    pub(super) fn split(self) -> Result<Split, Error> {
        self.symmetric.split()
    }

    fn advance(&mut self) -> Result<&'static [Token], Error> {
        let tokens = PATTERN.get(self.next).ok_or(Error::Ended)?;
        self.next += 1;
        Ok(tokens)
    }

    fn mix_secret(&mut self, initiators: Pair, responders: Pair) -> Result<(), Error> {
        let (mine, theirs) = match self.role {
            Role::Initiator => (initiators, responders),
            Role::Responder => (responders, initiators),
        };
        let secret = match mine {
            Pair::Ephemeral => &self.ephemeral,
            Pair::Static => &self.statics.secret,
        };
        let remote = match theirs {
            Pair::Ephemeral => self.remote_ephemeral,
            Pair::Static => self.remote_static,
        };
        let shared = secret.agree(&remote).ok_or(Error::SmallOrderKey)?;
        self.symmetric.mix_key(&shared)
    }
}

/// Which of a party's two key pairs.
#[derive(Clone, Copy, Debug)]
enum Pair {
    Ephemeral,
    Static,
}

/// One step of a message: a key is sent, or a secret is mixed in of the initiator's key pair and the
/// responder's.
#[derive(Debug)]
enum Token {
    E,
    S,
    Dh(Pair, Pair),
}

const PATTERN: [&[Token]; 3] = {
    use Pair::{Ephemeral, Static};
    use Token::{Dh, E, S};
    [&[E], &[E, Dh(Ephemeral, Ephemeral), S, Dh(Ephemeral, Static)], &[S, Dh(Static, Ephemeral)]]
};

/// Takes the first `length` bytes off the front.
fn take<'a>(rest: &mut &'a mut [u8], length: usize) -> Result<&'a mut [u8], Error> {
    let (front, after) = std::mem::take(rest).split_at_mut_checked(length).ok_or(Error::Decryption)?;
    *rest = after;
    Ok(front)
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;
    use crate::identity::{KeyType, PublicKey};

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn party(role: Role, prologue: &[u8], secret: &str, ephemeral: &str) -> Xx {
        let secret = bytes(secret).try_into().unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
        let identity = PublicKey::new(KeyType::Ed25519, pair.public_key().as_ref()).unwrap();
        let signature = pair.sign(&StaticKeys::signed_message(&StaticKeys::public_of(&secret)));
        let statics = StaticKeys::new(secret, identity.encode(), signature.as_ref().to_vec()).unwrap();
        Xx::new(role, prologue, Arc::new(statics), bytes(ephemeral).try_into().unwrap())
    }

    /// The vector for this pattern and suite that cacophony publishes.
    #[test]
    fn cacophony_vector() {
        let prologue = bytes("4a6f686e2047616c74");
        let mut initiator = party(
            Role::Initiator,
            &prologue,
            "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
            "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
        );
        let mut responder = party(
            Role::Responder,
            &prologue,
            "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
            "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
        );
        let handshake = [
            (
                "4c756477696720766f6e204d69736573",
                "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d697365\
                 73",
            ),
            (
                "4d757272617920526f746862617264",
                "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f14480884381cbad1f276e038c48378ffce2b652\
                 85e08d6b68aaa3629a5a8639392490e5b9bd5269c2f1e4f488ed8831161f19b7815528f8982ffe09be9b5c412f8a0d\
                 b50f8814c7194e83f23dbd8d162c9326ad",
            ),
            (
                "462e20412e20486179656b",
                "c7195ffacac1307ff99046f219750fc47693e23c3cb08b89c2af808b444850a80ae475b9df0f169ae80a89be0865b5\
                 7f58c9fea0d4ec82a286427402f113e4b6ae769a1d95941d49b25030",
            ),
        ];
        for (index, (payload, expected)) in handshake.into_iter().enumerate() {
            let (sender, receiver) =
                if index == 1 { (&mut responder, &mut initiator) } else { (&mut initiator, &mut responder) };
            let mut message = Vec::new();
            sender.write_message(&[&bytes(payload)], &mut message).unwrap();
            assert_eq!(message, bytes(expected), "message {}", index + 1);
            assert_eq!(receiver.read_message(&mut message).unwrap(), bytes(payload));
        }

        let (mut ours, mut theirs) = (initiator.split().unwrap(), responder.split().unwrap());
        let hash = bytes("c8e5f64e846193be2a834104c2a009868d6c9f3bd3c186299888b488b2f1f58e");
        assert_eq!(ours.handshake_hash.as_slice(), hash);
        assert_eq!(theirs.handshake_hash.as_slice(), hash);
        let transport = [
            (
                (&mut theirs.responder, &mut ours.responder),
                "4361726c204d656e676572",
                "96763ed773f8e47bb3712f0e29b3060ffc956ffc146cee53d5e1df",
            ),
            (
                (&mut ours.initiator, &mut theirs.initiator),
                "4a65616e2d426170746973746520536179",
                "3e40f15f6f3a46ae446b253bf8b1d9ffb6ed9b174d272328ff91a7e2e5c79c07f5",
            ),
        ];
        for ((sender, receiver), payload, expected) in transport {
            let mut message = bytes(payload);
            let tag = sender.encrypt(&[], &mut message).unwrap();
            message.extend_from_slice(&tag);
            assert_eq!(message, bytes(expected));
            assert_eq!(receiver.decrypt(&[], &mut message).unwrap(), bytes(payload));
        }
    }

    #[test]
    fn a_fourth_message_does_not_exist() {
        let mut party = party(Role::Initiator, &[], &"11".repeat(32), &"22".repeat(32));
        party.next = PATTERN.len();
        assert_eq!(party.write_message(&[], &mut Vec::new()), Err(Error::Ended));
        assert_eq!(party.read_message(&mut []).map(|_| ()), Err(Error::Ended));
    }
}
