//! One message: a length, a text, a newline.

use std::borrow::Cow;
use std::mem;

use super::Error;
use crate::{delimited, varint};

/// Appends the message that each side sends first.
pub fn encode_header(out: &mut Vec<u8>) {
    out.extend_from_slice(ENCODED_HEADER);
}

/// Appends one message. A `text` over [`MAX_MESSAGE_BYTES`] less one, or with a newline, gives bytes
/// that peers refuse.
pub fn encode_message(text: &str, out: &mut Vec<u8>) {
    varint::encode(text.len() as u64 + 1, out);
    out.extend_from_slice(text.as_bytes());
    out.push(NEWLINE);
}

/// Appends the answer to `ls`: one message that holds a message for each name, as many as fit.
pub(super) fn encode_list(names: &[String], out: &mut Vec<u8>) {
    let mut body = Vec::new();
    for name in names {
        let end = body.len();
        encode_message(name, &mut body);
        if body.len() >= MAX_MESSAGE_BYTES {
            body.truncate(end);
        }
    }
    body.push(NEWLINE);
    delimited::encode(&body, out);
}

/// What a message says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message<'a> {
    Header,
    NotAvailable,
    List,
    Protocol(&'a str),
}

impl<'a> Message<'a> {
    /// Reads the text of a message, its newline already taken off.
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, Error> {
        // The words that we know come first: they need no check of their characters.
        if text == HEADER.as_bytes() {
            return Ok(Self::Header);
        }
        if text == NOT_AVAILABLE.as_bytes() {
            return Ok(Self::NotAvailable);
        }
        if text == LIST.as_bytes() {
            return Ok(Self::List);
        }
        let name = std::str::from_utf8(text).map_err(|_| Error::NotUtf8)?;
        if text.contains(&NEWLINE) { Err(Error::EmbeddedNewline) } else { Ok(Self::Protocol(name)) }
    }
}

/// Cuts the input into messages; owns memory only while it holds a part of one.
#[derive(Debug, Default)]
pub(super) struct MessageReader {
    partial: Vec<u8>,
}

impl MessageReader {
    /// Takes one message off the front of `input` and gives its text, borrowed if it was there in one
    /// piece. `None`: all of `input` was taken, and the message goes on.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Cow<'a, [u8]>>, Error> {
        if !self.partial.is_empty() {
            return Ok(self.complete(input)?.map(Cow::Owned));
        }
        let data = *input;
        if let Some((body, used)) = delimited::decode(data, MAX_MESSAGE_BYTES)? {
            *input = &data[used..];
            return Ok(Some(Cow::Borrowed(without_newline(body)?)));
        }
        // No more than a bounded message, or it would have been complete or refused.
        self.partial.extend_from_slice(data);
        *input = &[];
        Ok(None)
    }

    /// Takes the header off the front of `input`; `false` when it is not all there yet. Whoever begins with
    /// anything else speaks another protocol, and is told from the first byte on: the rest may never come.
    pub(super) fn header(&mut self, input: &mut &[u8]) -> Result<bool, Error> {
        let missing = ENCODED_HEADER.get(self.partial.len()..).unwrap_or_default();
        let (begun, rest) = input.split_at(input.len().min(missing.len()));
        if !missing.starts_with(begun) {
            return Err(Error::HeaderExpected);
        }
        *input = rest;
        if begun.len() == missing.len() {
            drop(mem::take(&mut self.partial));
            return Ok(true);
        }
        self.partial.extend_from_slice(begun);
        Ok(false)
    }

    fn complete(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let held = self.partial.len();
        let more = input.len().min(MAX_ENCODED_BYTES.saturating_sub(held));
        self.partial.extend_from_slice(&input[..more]);
        let Some((body, used)) = delimited::decode(&self.partial, MAX_MESSAGE_BYTES)? else {
            *input = &input[more..];
            return Ok(None);
        };
        let text = without_newline(body)?.to_vec();
        // What was held was not a whole message, so its end is in `input`.
        *input = &input[used.saturating_sub(held)..];
        drop(mem::take(&mut self.partial));
        Ok(Some(text))
    }
}

fn without_newline(body: &[u8]) -> Result<&[u8], Error> {
    body.strip_suffix(&[NEWLINE]).ok_or(Error::MissingNewline)
}

/// Name and version of the negotiation itself; there never was another version.
pub const HEADER: &str = "/multistream/1.0.0";

/// [`HEADER`] as a message.
pub(crate) const ENCODED_HEADER: &[u8] = b"\x13/multistream/1.0.0\n";

/// Most bytes in a message, newline included and length excluded: what go and js take.
pub const MAX_MESSAGE_BYTES: usize = 1024;

/// "I do not speak that."
pub(super) const NOT_AVAILABLE: &str = "na";

/// "What do you speak?" Peers must not depend on an answer, and we never ask.
pub(super) const LIST: &str = "ls";

pub(super) const NEWLINE: u8 = b'\n';

/// A message of [`MAX_MESSAGE_BYTES`] has a length of two bytes. Within this many bytes every message
/// is complete or refused.
const MAX_ENCODED_BYTES: usize = MAX_MESSAGE_BYTES + 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_messages_are_borrowed_and_nothing_is_kept() {
        let mut reader = MessageReader::default();
        let mut input = &b"\x13/multistream/1.0.0\n\x07/noise\npayload"[..];
        for expected in [HEADER, "/noise"] {
            let text = reader.next(&mut input);
            assert!(matches!(text, Ok(Some(Cow::Borrowed(text))) if text == expected.as_bytes()));
        }
        assert_eq!(input, b"payload");
        assert_eq!(reader.partial.capacity(), 0);
    }

    #[test]
    fn split_message_gives_its_memory_back_when_complete() {
        let mut reader = MessageReader::default();
        let mut first = &b"\x07/no"[..];
        assert_eq!(reader.next(&mut first), Ok(None));
        assert_eq!(first, b"");
        let mut second = &b"ise\npayload"[..];
        assert_eq!(reader.next(&mut second), Ok(Some(Cow::Owned(b"/noise".to_vec()))));
        assert_eq!(second, b"payload");
        assert_eq!(reader.partial.capacity(), 0);
    }

    #[test]
    fn no_split_makes_it_hold_more_than_one_bounded_message() {
        let mut message = Vec::new();
        encode_message(&"x".repeat(MAX_MESSAGE_BYTES - 1), &mut message);
        assert_eq!(message.len(), MAX_ENCODED_BYTES);
        for cut in 0..message.len() {
            let mut reader = MessageReader::default();
            let mut first = &message[..cut];
            assert_eq!(reader.next(&mut first), Ok(None), "cut at {cut}");
            assert_eq!(reader.partial.len(), cut);
            let second = [&message[cut..], &[0; 5000]].concat();
            let mut rest = &second[..];
            let text = reader.next(&mut rest).map(|text| text.map(|text| text.len()));
            assert_eq!(text, Ok(Some(MAX_MESSAGE_BYTES - 1)), "cut at {cut}");
            assert_eq!(rest.len(), 5000, "cut at {cut}");
        }
    }

    #[test]
    fn list_leaves_out_the_names_that_do_not_fit() {
        // Length, newline and the newline of the list leave 1020 bytes for the name.
        for (longest, expected) in
            [(1020, vec![1020]), (1021, vec![5]), (1014, vec![1014]), (1010, vec![1010, 5])]
        {
            let names = ["x".repeat(longest), "short".to_owned()];
            let mut out = Vec::new();
            encode_list(&names, &mut out);
            let mut reader = MessageReader::default();
            let list = reader.next(&mut &out[..]).unwrap().unwrap().into_owned();
            let mut rest = &list[..];
            let mut lengths = Vec::new();
            while let Ok(Some(name)) = reader.next(&mut rest) {
                lengths.push(name.len());
                if rest.is_empty() {
                    break;
                }
            }
            assert_eq!(lengths, expected, "first name of {longest} bytes");
        }
    }
}
