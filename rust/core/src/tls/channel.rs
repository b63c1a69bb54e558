//! Both directions after the handshake.
//!
//! The keys change when the peer says so (KeyUpdate), when it asks for it, and when ours are worn. The
//! change of ours is a record too, and everything sealed after it needs the new key: so it is written
//! where the next record is written, never kept aside to be sent at some other time.

use std::fmt;

use rustls::ExtractedSecrets;

use super::key_schedule::KeySchedule;
use super::record::{ALERT, APPLICATION_DATA, HANDSHAKE, MAX_PLAINTEXT, PREFIX, RecordKey, record_length};
use super::{Alert, Error};

/// An authenticated, encrypted channel.
pub struct Channel {
    schedule: KeySchedule,
    pub(super) sending: RecordKey,
    sends: Sends,
    pub(super) receiving: RecordKey,
    receives: Receives,
    /// The record that is arriving.
    pub(super) partial: Vec<u8>,
    /// The message of the handshake protocol that is arriving, over the records before.
    pub(super) message: Vec<u8>,
    /// Records since there was data in one.
    fruitless: u32,
}

/// What the direction to the peer is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sends {
    Open,
    /// The peer asked for it, and before the next data it must have it.
    KeyUpdate,
    /// The last thing to say.
    Alert(Alert),
    Ended,
}

/// What the direction from the peer is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receives {
    Open,
    /// The peer said that nothing follows.
    Closed,
    Failed,
}

impl Channel {
    pub(super) fn new(secrets: &ExtractedSecrets, schedule: KeySchedule) -> Result<Self, Error> {
        let ExtractedSecrets { tx: (sent, sending), rx: (received, receiving) } = secrets;
        Ok(Self {
            schedule,
            sending: RecordKey::new(*sent, sending)?,
            sends: Sends::Open,
            receiving: RecordKey::new(*received, receiving)?,
            receives: Receives::Open,
            partial: Vec::new(),
            message: Vec::new(),
            fruitless: 0,
        })
    }

    /// Opens every complete record of `data` in place and gives its plaintext to `sink`, in order,
    /// skipping empty ones. What is left of a record at the end is kept. What follows the peer's
    /// close_notify is ignored, as TLS wants it.
    ///
    /// # Errors
    /// What a forged or misplaced record raises, or what `sink` raised: nothing of that record and
    /// nothing after it is delivered, now or later. After an error of the channel nothing can be sealed
    /// either, only the alert is still to [`transmit`](Self::transmit); after one of `sink`, sealing
    /// goes on, so that what found it wrong can say so.
    pub fn receive<E: From<Error>>(
        &mut self,
        data: &mut [u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.receives == Receives::Failed {
            return Err(Error::Ended.into());
        }
        let result = self.open_records(data, &mut sink);
        if self.receives == Receives::Closed || result.is_err() {
            self.partial = Vec::new();
            self.message = Vec::new();
        }
        result.map_err(|failure| {
            self.receives = Receives::Failed;
            match failure {
                Failure::Sink(error) => error,
                Failure::Channel(error) => {
                    self.fail(&error);
                    error.into()
                }
            }
        })
    }

    /// Makes a record of `buffer[start..]`, whose first [`PREFIX`] bytes are kept free and whose rest
    /// is the plaintext, of 1 to [`MAX_PLAINTEXT`] bytes; keep [`OVERHEAD`](super::OVERHEAD) bytes of
    /// capacity to spare. When the keys have to change, the record that says so is put in front.
    ///
    /// # Errors
    /// The channel was closed or has failed, or there is too much plaintext or none; all of them end it.
    pub fn seal(&mut self, buffer: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        let result = self.seal_data(buffer, start);
        match &result {
            Ok(()) | Err(Error::Ended) => {}
            Err(error) => self.fail(error),
        }
        result
    }

    /// Whether TLS itself has something to say: [`transmit`](Self::transmit) it soon.
    #[must_use]
    pub const fn has_pending(&self) -> bool {
        matches!(self.sends, Sends::KeyUpdate | Sends::Alert(_))
    }

    /// Appends what TLS itself has to say: the answer to a change of keys, or the alert that tells the
    /// peer what was wrong.
    pub fn transmit(&mut self, out: &mut Vec<u8>) {
        match self.sends {
            Sends::Open | Sends::Ended => {}
            Sends::KeyUpdate => match self.update_sending() {
                Ok(record) => out.extend_from_slice(&record),
                Err(error) => self.fail(&error),
            },
            Sends::Alert(alert) => self.say_last(FATAL, alert, out),
        }
    }

    /// Appends the word that nothing follows, to be sent before the transport is closed; nothing can be
    /// sealed any more. Does nothing when this was said, or an alert is due instead, which is appended.
    pub fn close_notify(&mut self, out: &mut Vec<u8>) {
        match self.sends {
            Sends::Ended => {}
            Sends::Alert(alert) => self.say_last(FATAL, alert, out),
            Sends::Open | Sends::KeyUpdate => self.say_last(WARNING, Alert::CLOSE_NOTIFY, out),
        }
    }

    /// A record has begun and not ended: an end of the transport now is a truncation.
    #[must_use]
    pub fn has_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    /// The peer said that nothing follows. An end of the transport without this may have been made by
    /// somebody else; many peers leave it out all the same.
    #[must_use]
    pub fn is_closed_by_peer(&self) -> bool {
        self.receives == Receives::Closed
    }

    fn open_records<E>(
        &mut self,
        mut rest: &mut [u8],
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), Failure<E>> {
        while self.has_partial() && self.receives == Receives::Open {
            let length = match self.partial.first_chunk() {
                Some(header) => record_length(*header)?,
                None => PREFIX,
            };
            let missing = length - self.partial.len();
            if missing == 0 {
                let mut record = std::mem::take(&mut self.partial);
                self.open_record(&mut record, sink)?;
            } else if rest.is_empty() {
                return Ok(());
            } else {
                let (front, after) = rest.split_at_mut(missing.min(rest.len()));
                keep(&mut self.partial, front, length);
                rest = after;
            }
        }
        while self.receives == Receives::Open {
            let length = match rest.first_chunk() {
                Some(header) => record_length(*header)?,
                None => PREFIX,
            };
            if length > rest.len() || rest.len() < PREFIX {
                keep(&mut self.partial, rest, length);
                return Ok(());
            }
            let (record, after) = rest.split_at_mut(length);
            self.open_record(record, sink)?;
            rest = after;
        }
        Ok(())
    }

    fn open_record<E>(
        &mut self,
        record: &mut [u8],
        sink: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), Failure<E>> {
        let (kind, plaintext) = self.receiving.open(record)?;
        // A message that goes on over several records has nothing in between.
        if kind != HANDSHAKE && !self.message.is_empty() {
            return Err(Error::UnexpectedMessage(kind).into());
        }
        match kind {
            APPLICATION_DATA if !plaintext.is_empty() => {
                self.fruitless = 0;
                return sink(plaintext).map_err(Failure::Sink);
            }
            APPLICATION_DATA => {}
            HANDSHAKE => self.receive_handshake(plaintext)?,
            ALERT => self.receive_alert(plaintext)?,
            other => return Err(Error::UnexpectedMessage(other).into()),
        }
        self.fruitless += 1;
        if self.fruitless > MAX_FRUITLESS {
            Err(Error::FruitlessRecords(self.fruitless).into())
        } else {
            Ok(())
        }
    }

    fn receive_alert(&mut self, plaintext: &[u8]) -> Result<(), Error> {
        // The level means nothing any more: the description says it all.
        let &[_level, description] = plaintext else {
            return Err(Error::MalformedMessage("alert".to_owned()));
        };
        match Alert::from_code(description) {
            Alert::CLOSE_NOTIFY => self.receives = Receives::Closed,
            // Said before close_notify by those who break off, and nothing more.
            Alert::USER_CANCELED => {}
            alert => return Err(Error::AlertReceived(alert)),
        }
        Ok(())
    }

    fn receive_handshake(&mut self, plaintext: &[u8]) -> Result<(), Error> {
        if plaintext.is_empty() {
            return Err(Error::UnexpectedMessage(HANDSHAKE));
        }
        self.message.extend_from_slice(plaintext);
        let message = std::mem::take(&mut self.message);
        let mut rest = message.as_slice();
        while let [kind, high, middle, low, after @ ..] = rest {
            let length = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
            if length > MAX_MESSAGE {
                return Err(Error::MessageTooLong(MAX_MESSAGE));
            }
            let Some((body, after)) = after.split_at_checked(length) else { break };
            self.receive_message(*kind, body, after.is_empty())?;
            rest = after;
        }
        self.message = rest.to_vec();
        Ok(())
    }

    fn receive_message(&mut self, kind: u8, body: &[u8], is_last: bool) -> Result<(), Error> {
        match (kind, body) {
            // What follows in the same record would be under a key that is no more.
            (KEY_UPDATE, [NOT_REQUESTED | REQUESTED]) if !is_last => Err(Error::UnexpectedMessage(kind)),
            (KEY_UPDATE, &[request @ (NOT_REQUESTED | REQUESTED)]) => {
                self.receiving = self.schedule.next_receiving()?;
                if request == REQUESTED && self.sends == Sends::Open {
                    self.sends = Sends::KeyUpdate;
                }
                Ok(())
            }
            (KEY_UPDATE, _) => Err(Error::MalformedMessage("key update".to_owned())),
            // Nothing is resumed, so there is nothing to keep.
            (NEW_SESSION_TICKET, _) if self.schedule.is_client() => Ok(()),
            _ => Err(Error::UnexpectedMessage(kind)),
        }
    }

    fn seal_data(&mut self, buffer: &mut Vec<u8>, mut start: usize) -> Result<(), Error> {
        let length = buffer.len().saturating_sub(start).saturating_sub(PREFIX);
        if !(1..=MAX_PLAINTEXT).contains(&length) {
            return Err(Error::PlaintextLength(length));
        }
        match self.sends {
            Sends::Open if !self.sending.is_worn() => {}
            Sends::Open | Sends::KeyUpdate => {
                let record = self.update_sending()?;
                let added = record.len();
                buffer.splice(start..start, record);
                start += added;
            }
            Sends::Alert(_) | Sends::Ended => return Err(Error::Ended),
        }
        self.sending.seal(APPLICATION_DATA, buffer, start)
    }

    /// The record that says that our key changes, the last one under the old key.
    fn update_sending(&mut self) -> Result<Vec<u8>, Error> {
        let mut record = vec![0; PREFIX];
        record.extend_from_slice(&[KEY_UPDATE, 0, 0, 1, NOT_REQUESTED]);
        self.sending.seal(HANDSHAKE, &mut record, 0)?;
        self.sending = self.schedule.next_sending()?;
        self.sends = Sends::Open;
        Ok(record)
    }

    fn say_last(&mut self, level: u8, alert: Alert, out: &mut Vec<u8>) {
        self.sends = Sends::Ended;
        let start = out.len();
        out.extend_from_slice(&[0; PREFIX]);
        out.extend_from_slice(&[level, alert.code()]);
        // Without a nonce left the peer hears nothing: the end of the transport has to do.
        if self.sending.seal(ALERT, out, start).is_err() {
            out.truncate(start);
        }
    }

    /// Ends both directions, but for the alert.
    fn fail(&mut self, error: &Error) {
        self.receives = Receives::Failed;
        self.partial = Vec::new();
        self.message = Vec::new();
        self.sends = match (self.sends, error.alert()) {
            (Sends::Open | Sends::KeyUpdate, Some(alert)) => Sends::Alert(alert),
            (Sends::Alert(alert), _) => Sends::Alert(alert),
            _ => Sends::Ended,
        };
    }
}

/// Shows no key.
impl fmt::Debug for Channel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sends, receives, .. } = self;
        let mut shown = formatter.debug_struct("Channel");
        shown.field("sends", sends).field("receives", receives).finish_non_exhaustive()
    }
}

/// Whose error it was.
enum Failure<E> {
    Channel(Error),
    Sink(E),
}

impl<E> From<Error> for Failure<E> {
    fn from(error: Error) -> Self {
        Self::Channel(error)
    }
}

/// Copies bytes of a record that will be `length` long. Room is made for some times what has arrived,
/// never for what a length alone promises.
pub(super) fn keep(partial: &mut Vec<u8>, bytes: &[u8], length: usize) {
    let held = partial.len() + bytes.len();
    if held > partial.capacity() {
        let room = length.min(held.saturating_mul(ROOM_FACTOR)).max(held);
        partial.reserve_exact(room - partial.len());
    }
    partial.extend_from_slice(bytes);
}

/// In bulk a record arrives in two or three pieces, so that one allocation is nearly always enough.
const ROOM_FACTOR: usize = 4;

const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;
const NOT_REQUESTED: u8 = 0;
const REQUESTED: u8 = 1;

const WARNING: u8 = 1;
const FATAL: u8 = 2;

/// A session ticket may have the peer's certificates in it, and even then is shorter.
const MAX_MESSAGE: usize = 16 * 1024;

/// Tickets come in twos or fours and key updates alone. More in a row is work for nothing, which go
/// ends at the same number.
const MAX_FRUITLESS: u32 = 16;
