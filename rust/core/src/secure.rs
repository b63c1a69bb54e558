//! One secure channel type over the security protocols.
//!
//! A channel opens records where they lie and seals them where they were written.

use crate::noise::{Error, Opener, RecordReader, Sealer};

/// Both directions of an authenticated, encrypted channel.
#[derive(Debug)]
pub struct SecureChannel {
    sealer: Sealer,
    opener: Opener,
    reader: RecordReader,
}

impl SecureChannel {
    /// A channel from the keys of a finished handshake.
    #[must_use]
    pub fn new(sealer: Sealer, opener: Opener) -> Self {
        Self { sealer, opener, reader: RecordReader::new() }
    }

    /// Opens every complete record of `data` in place and gives its plaintext to `sink`, in order.
    /// What is left of a record at the end is kept.
    ///
    /// # Errors
    /// What a forged, truncated or too short record raises, or what `sink` raised.
    pub fn receive<E: From<Error>>(
        &mut self,
        data: &mut [u8],
        sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.reader.receive(data, &mut self.opener, sink)
    }

    /// Turns `buffer[start..]` into one record: two bytes kept free for the length, then plaintext.
    ///
    /// # Errors
    /// No more nonces, or too much plaintext.
    pub fn seal(&mut self, buffer: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        self.sealer.seal(buffer, start)
    }

    /// A record has begun and not ended: an end of the transport now is a truncation.
    #[must_use]
    pub fn has_partial(&self) -> bool {
        self.reader.has_partial()
    }
}

/// Bytes that `seal` wants free in front of the plaintext.
pub const RECORD_PREFIX: usize = 2;
