//! Transport records: a 2-byte length, then ciphertext and tag; sealed and opened where they stand.

use super::cipher::CipherState;
use super::{Error, LENGTH_PREFIX, MAX_MESSAGE, TAG_LENGTH};

/// The longest plaintext of one record.
pub const MAX_PLAINTEXT: usize = MAX_MESSAGE - TAG_LENGTH;

/// Seals the records of one direction. The first failure ends it.
#[derive(Debug)]
pub struct Sealer {
    cipher: CipherState,
}

impl Sealer {
    pub(super) const fn new(cipher: CipherState) -> Self {
        Self { cipher }
    }

    /// Makes a record of `buffer[start..]`, whose first two bytes are kept free for the length and
    /// whose rest is the plaintext, of 1 to [`MAX_PLAINTEXT`] bytes. The tag is appended, so keep
    /// [`TAG_LENGTH`] bytes of capacity to spare.
    ///
    /// An empty record is refused because py-libp2p ends the connection over one.
    pub fn seal(&mut self, buffer: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        let result = self.seal_record(buffer, start);
        if result.is_err() {
            self.cipher.end();
        }
        result
    }

    fn seal_record(&mut self, buffer: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        let record = buffer.get_mut(start..).unwrap_or_default();
        let Some((prefix, plaintext)) = record.split_first_chunk_mut::<LENGTH_PREFIX>() else {
            return Err(Error::PlaintextLength(0));
        };
        let sealed = match plaintext.len() {
            length @ 1..=MAX_PLAINTEXT => (length + TAG_LENGTH) as u16,
            length => return Err(Error::PlaintextLength(length)),
        };
        let tag = self.cipher.encrypt(&[], plaintext)?;
        *prefix = sealed.to_be_bytes();
        buffer.extend_from_slice(&tag);
        Ok(())
    }
}

/// Opens the records of one direction, in their order. The first failure ends it.
#[derive(Debug)]
pub struct Opener {
    cipher: CipherState,
}

impl Opener {
    pub(super) const fn new(cipher: CipherState) -> Self {
        Self { cipher }
    }

    /// Opens one record, given without its length prefix; what is returned is its front part.
    pub fn open<'a>(&mut self, record: &'a mut [u8]) -> Result<&'a mut [u8], Error> {
        self.cipher.decrypt(&[], record)
    }

    /// Whether something failed before, so that nothing can be opened any more.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.cipher.has_ended()
    }
}

/// Finds the records in a stream of bytes that is split anyhow, and opens them where they stand.
///
/// The only bytes it copies are those of a record that has not arrived whole; between records it
/// holds no memory.
#[derive(Debug, Default)]
pub struct RecordReader {
    partial: Vec<u8>,
}

impl RecordReader {
    /// A reader at the start of a record.
    #[must_use]
    pub const fn new() -> Self {
        Self { partial: Vec::new() }
    }

    /// Opens every record that is whole by now and gives its plaintext to `sink`, in order, skipping
    /// empty ones. `data` is all used up, and overwritten.
    ///
    /// Any failure, also one of `sink`, ends the opener: nothing of that record and nothing after it
    /// is delivered, now or later.
    pub fn receive<E, F>(&mut self, data: &mut [u8], opener: &mut Opener, mut sink: F) -> Result<(), E>
    where
        E: From<Error>,
        F: FnMut(&[u8]) -> Result<(), E>,
    {
        let result = self.open_records(data, opener, &mut sink);
        if result.is_err() {
            opener.cipher.end();
            self.partial = Vec::new();
        }
        result
    }

    /// Whether part of a record is held: the wire must not end here.
    #[must_use]
    pub fn has_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    fn open_records<E, F>(&mut self, data: &mut [u8], opener: &mut Opener, sink: &mut F) -> Result<(), E>
    where
        E: From<Error>,
        F: FnMut(&[u8]) -> Result<(), E>,
    {
        if opener.has_ended() {
            return Err(Error::Ended.into());
        }
        let mut rest = data;
        while self.has_partial() {
            let length = record_length(&self.partial)?.unwrap_or(LENGTH_PREFIX);
            let missing = length - self.partial.len();
            if missing == 0 {
                let mut record = std::mem::take(&mut self.partial);
                deliver(&mut record, opener, sink)?;
            } else if rest.is_empty() {
                return Ok(());
            } else {
                let (front, after) = rest.split_at_mut(missing.min(rest.len()));
                self.keep(front, length);
                rest = after;
            }
        }
        while let Some(length) = record_length(rest)? {
            if length > rest.len() {
                self.keep(rest, length);
                return Ok(());
            }
            let (record, after) = rest.split_at_mut(length);
            deliver(record, opener, sink)?;
            rest = after;
        }
        self.keep(rest, LENGTH_PREFIX);
        Ok(())
    }

    /// Copies bytes of a record that will be `length` long. Room is made for some times what has
    /// arrived, never for what a length alone promises.
    fn keep(&mut self, bytes: &[u8], length: usize) {
        let held = self.partial.len() + bytes.len();
        if held > self.partial.capacity() {
            let room = length.min(held * ROOM_FACTOR);
            self.partial.reserve_exact(room - self.partial.len());
        }
        self.partial.extend_from_slice(bytes);
    }
}

/// The length of the record at the start of `bytes`, its prefix included; `None` until that is there.
fn record_length(bytes: &[u8]) -> Result<Option<usize>, Error> {
    let [high, low, ..] = bytes else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length < TAG_LENGTH { Err(Error::RecordTooShort(length)) } else { Ok(Some(LENGTH_PREFIX + length)) }
}

fn deliver<E, F>(record: &mut [u8], opener: &mut Opener, sink: &mut F) -> Result<(), E>
where
    E: From<Error>,
    F: FnMut(&[u8]) -> Result<(), E>,
{
    let plaintext = opener.open(&mut record[LENGTH_PREFIX..])?;
    if plaintext.is_empty() { Ok(()) } else { sink(plaintext) }
}

/// In bulk a record arrives in two or three pieces, so that one allocation is nearly always enough.
const ROOM_FACTOR: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(reader: &mut RecordReader, opener: &mut Opener, data: &[u8]) {
        reader.receive(&mut data.to_vec(), opener, |_| Ok::<_, Error>(())).unwrap();
    }

    #[test]
    fn a_length_alone_reserves_nothing() {
        let (mut reader, mut opener) = (RecordReader::new(), Opener::new(CipherState::new([0; 32])));
        for (held, most) in [(1, 2), (2, 8), (3, 12), (4, 12)] {
            receive(&mut reader, &mut opener, &[0xff]);
            assert_eq!(reader.partial.len(), held);
            assert!(reader.partial.capacity() <= most, "{} for {held}", reader.partial.capacity());
        }
    }

    #[test]
    fn nothing_is_held_between_records() {
        let mut sealer = Sealer::new(CipherState::new([0; 32]));
        let (mut reader, mut opener) = (RecordReader::new(), Opener::new(CipherState::new([0; 32])));
        let mut record = vec![0; 1000];
        sealer.seal(&mut record, 0).unwrap();
        receive(&mut reader, &mut opener, &record[..500]);
        assert_eq!(reader.partial.capacity(), record.len(), "room for the rest, once half of it came");
        receive(&mut reader, &mut opener, &record[500..]);
        assert_eq!(reader.partial.capacity(), 0);
    }
}
