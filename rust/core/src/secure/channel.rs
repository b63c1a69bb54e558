//! Both directions of a channel that has its keys.

use super::{Error, ForeignChannel};
use crate::noise::{self, Opener, RecordReader, Sealer};
use crate::tls;

/// An authenticated, encrypted channel (or, in plaintext, one that only looks like it).
#[derive(Debug)]
pub enum SecureChannel {
    /// Noise transport messages.
    Noise {
        /// For what we send.
        sealer: Sealer,
        /// For what we receive.
        opener: Opener,
        /// Cuts the received bytes into records.
        reader: RecordReader,
    },
    /// TLS 1.3 application data.
    Tls(Box<tls::Channel>),
    /// The bytes as they are.
    Clear,
    /// What somebody else makes of them.
    Foreign(Box<dyn ForeignChannel>),
}

impl SecureChannel {
    /// A channel from the keys of a finished Noise handshake.
    #[must_use]
    pub const fn noise(sealer: Sealer, opener: Opener) -> Self {
        Self::Noise { sealer, opener, reader: RecordReader::new() }
    }

    /// Opens every complete record of `data` in place and gives its plaintext to `sink`, in order.
    /// What is left of a record at the end is kept.
    ///
    /// # Errors
    /// What a forged, truncated or too short record raises, or what `sink` raised.
    pub fn receive<E: From<Error>>(
        &mut self,
        data: &mut [u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Noise { opener, reader, .. } => {
                let sink = |plaintext: &[u8]| sink(plaintext).map_err(Failure::Sink);
                reader.receive(data, opener, sink).map_err(|failure| match failure {
                    Failure::Record(error) => E::from(error),
                    Failure::Sink(error) => error,
                })
            }
            Self::Tls(channel) => {
                let sink = |plaintext: &[u8]| sink(plaintext).map_err(Failure::Sink);
                channel.receive(data, sink).map_err(|failure| match failure {
                    Failure::Record(error) => E::from(error),
                    Failure::Sink(error) => error,
                })
            }
            Self::Clear => sink(data),
            Self::Foreign(channel) => {
                let mut plaintexts = Vec::new();
                let received = channel.receive(data, &mut plaintexts);
                plaintexts.iter().filter(|each| !each.is_empty()).try_for_each(|each| sink(each))?;
                received.map_err(|fault| E::from(fault.into()))
            }
        }
    }

    /// Turns `buffer[start..]` into one record: [`SecureChannel::prefix`] bytes kept free, then plaintext.
    ///
    /// # Errors
    /// No more keys, or too much plaintext.
    pub fn seal(&mut self, buffer: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        match self {
            Self::Noise { sealer, .. } => Ok(sealer.seal(buffer, start)?),
            Self::Tls(channel) => Ok(channel.seal(buffer, start)?),
            Self::Clear => Ok(()),
            Self::Foreign(channel) => {
                let plaintext = buffer.split_off(start);
                Ok(channel.seal(&plaintext, buffer)?)
            }
        }
    }

    /// Bytes that [`SecureChannel::seal`] wants free in front of the plaintext.
    #[must_use]
    pub const fn prefix(&self) -> usize {
        match self {
            Self::Noise { .. } => noise::LENGTH_PREFIX,
            Self::Tls(_) => tls::PREFIX,
            Self::Clear | Self::Foreign(_) => 0,
        }
    }

    /// Plaintext of one record at most that is worth sealing at once.
    #[must_use]
    pub const fn record_size(&self) -> usize {
        match self {
            Self::Noise { .. } | Self::Clear | Self::Foreign(_) => RECORD_PLAINTEXT,
            Self::Tls(_) => tls::MAX_PLAINTEXT,
        }
    }

    /// The channel itself has something to say.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        matches!(self, Self::Tls(channel) if channel.has_pending())
    }

    /// Appends what the channel itself has to say, also after a failure.
    pub fn transmit(&mut self, out: &mut Vec<u8>) {
        if let Self::Tls(channel) = self {
            channel.transmit(out);
        }
    }

    /// Appends the word that nothing follows, once, where there is such a word; nothing can be sealed then.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if let Self::Tls(channel) = self {
            channel.close_notify(out);
        }
    }

    /// The peer said that word.
    #[must_use]
    pub fn is_finished_by_peer(&self) -> bool {
        matches!(self, Self::Tls(channel) if channel.is_closed_by_peer())
    }

    /// A record has begun and not ended: an end of the transport now is a truncation.
    #[must_use]
    pub fn has_partial(&self) -> bool {
        match self {
            Self::Noise { reader, .. } => reader.has_partial(),
            Self::Tls(channel) => channel.has_partial(),
            Self::Clear => false,
            // Whoever cannot tell has not ended in order.
            Self::Foreign(channel) => channel.has_partial().unwrap_or(true),
        }
    }
}

/// What went wrong inside of a reader: the record, or what was done with it.
enum Failure<E> {
    Record(Error),
    Sink(E),
}

impl<E> From<noise::Error> for Failure<E> {
    fn from(error: noise::Error) -> Self {
        Self::Record(error.into())
    }
}

impl<E> From<tls::Error> for Failure<E> {
    fn from(error: tls::Error) -> Self {
        Self::Record(error.into())
    }
}

/// Half of a core's first-level data cache: larger records fall out of it between copying and sealing,
/// smaller ones pay more tags and more calls.
const RECORD_PLAINTEXT: usize = 32 * 1024;
