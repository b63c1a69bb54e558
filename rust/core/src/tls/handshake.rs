//! The handshake: records in, records out, and at its end who the peer is.
//!
//! ```text
//!  client                                              server
//!  hello, muxers ──────────────────────────────────▶
//!                ◀── hello, muxer, certificate, signature, finished
//!  judges, then  ── certificate, signature, finished ─▶ judges
//!  done                                                done, or an alert
//! ```

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::{Acceptor, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};

use super::channel::{Channel, keep};
use super::key_schedule::KeySchedule;
use super::record::{PREFIX, record_length};
use super::verifier::Verifier;
use super::{Credentials, Error};
use crate::identity::{PeerId, PublicKey};
use crate::noise::EarlyMuxer;

/// A handshake that is under way. It ends by giving [`Completed`], or with its first error.
pub struct Handshake {
    side: Side,
    verifier: Arc<Verifier>,
    /// Records that rustls wants to see again, because a message goes on in the next, and behind
    /// `held` the record that is arriving.
    pub(super) incoming: Vec<u8>,
    held: usize,
    /// Records that [`transmit`](Self::transmit) has not taken yet.
    outgoing: Vec<u8>,
}

enum Side {
    Client(Box<UnbufferedClientConnection>),
    /// A server that has to see the client's list of protocols before it has one of its own.
    Listening(Box<Listening>),
    Server(Box<UnbufferedServerConnection>),
    Ended,
}

struct Listening {
    acceptor: Acceptor,
    credentials: Arc<Credentials>,
    alpn: Vec<Vec<u8>>,
}

/// What a handshake came to.
#[derive(Debug)]
pub struct Completed {
    /// The key that the peer proved to own.
    pub remote: PublicKey,
    /// The peer's id.
    pub remote_peer: PeerId,
    /// The muxer that ALPN agreed on, or [`NotOffered`](EarlyMuxer::NotOffered): then multistream
    /// decides, the TLS client proposing. Never [`NoOverlap`](EarlyMuxer::NoOverlap): lists that leave
    /// multistream no room either end the handshake.
    pub early_muxer: EarlyMuxer,
    /// For the records that follow.
    pub channel: Channel,
}

impl Handshake {
    /// The side that begins. `muxers` is what we offer, in our order; with `expected`, anybody else who
    /// answers is an error; `unix_time` in seconds is what the peer's certificate has to be valid at.
    pub fn client(
        credentials: &Arc<Credentials>,
        muxers: &[String],
        expected: Option<PeerId>,
        unix_time: u64,
    ) -> Result<Self, Error> {
        let verifier = Arc::new(Verifier::new(credentials, expected, unix_time));
        let config = credentials.client_config(&verifier, alpn(muxers)?).map_err(Error::from_rustls)?;
        let name = ServerName::from(NO_NAME);
        let connection =
            UnbufferedClientConnection::new(Arc::new(config), name).map_err(Error::from_rustls)?;
        let mut handshake = Self::new(Side::Client(Box::new(connection)), verifier);
        handshake.process()?;
        Ok(handshake)
    }

    /// The side that answers; arguments as for [`client`](Self::client). Of the client's list, in the
    /// client's order, the first that we have is taken.
    pub fn server(
        credentials: &Arc<Credentials>,
        muxers: &[String],
        expected: Option<PeerId>,
        unix_time: u64,
    ) -> Result<Self, Error> {
        let verifier = Arc::new(Verifier::new(credentials, expected, unix_time));
        let (acceptor, credentials) = (Acceptor::default(), Arc::clone(credentials));
        let listening = Listening { acceptor, credentials, alpn: alpn(muxers)? };
        Ok(Self::new(Side::Listening(Box::new(listening)), verifier))
    }

    fn new(side: Side, verifier: Arc<Verifier>) -> Self {
        Self { side, verifier, incoming: Vec::new(), held: 0, outgoing: Vec::new() }
    }

    /// Takes bytes from the wire, split anyhow, and says how many: only the records of the handshake,
    /// what follows belongs to the channel.
    ///
    /// With [`Completed`] the handshake is over, and the client's last flight is still to be
    /// [transmitted](Self::transmit), before anything that the channel seals. That the server accepts
    /// it, only its first record will show: a refusal is an
    /// [`AlertReceived`](Error::AlertReceived) from the channel.
    ///
    /// After an error, or when over, every call fails with [`Error::Ended`]; what is then to be
    /// transmitted tells the peer.
    pub fn receive(&mut self, data: &[u8]) -> Result<(usize, Option<Completed>), Error> {
        if matches!(self.side, Side::Ended) {
            return Err(Error::Ended);
        }
        let result = self.receive_records(data);
        if !matches!(result, Ok((_, None))) {
            self.side = Side::Ended;
            self.incoming = Vec::new();
        }
        result
    }

    /// Appends what is due to be sent.
    pub fn transmit(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.outgoing);
    }

    /// One record at a time: where the handshake ends is known only by what is in its last record.
    fn receive_records(&mut self, data: &[u8]) -> Result<(usize, Option<Completed>), Error> {
        let mut rest = data;
        loop {
            let arriving = &self.incoming[self.held..];
            let length = match arriving.first_chunk() {
                // rustls refuses such a header too, and finds the alert for it.
                Some(header) => record_length(*header).inspect_err(|_| drop(self.process()))?,
                None => PREFIX,
            };
            let missing = length - self.incoming[self.held..].len();
            if missing > 0 {
                let (front, after) = rest.split_at(missing.min(rest.len()));
                keep(&mut self.incoming, front, self.held + length);
                rest = after;
                if front.len() < missing {
                    return Ok((data.len(), None));
                }
            } else if self.process()? {
                return Ok((data.len() - rest.len(), Some(self.complete()?)));
            }
        }
    }

    /// Lets rustls have what has arrived; `true` when its handshake is over.
    fn process(&mut self) -> Result<bool, Error> {
        if let Side::Listening(listening) = &mut self.side {
            match listening.accept(&self.incoming[self.held..], &self.verifier, &mut self.outgoing)? {
                Some(connection) => self.side = Side::Server(Box::new(connection)),
                None => return self.hold(),
            }
        }
        loop {
            let incoming = self.incoming.as_mut_slice();
            let (discard, step) = match &mut self.side {
                Side::Client(connection) => {
                    take_step(connection.process_tls_records(incoming), &mut self.outgoing)
                }
                Side::Server(connection) => {
                    take_step(connection.process_tls_records(incoming), &mut self.outgoing)
                }
                Side::Listening(_) | Side::Ended => return Err(Error::Ended),
            };
            self.incoming.drain(..discard);
            match step {
                Ok(Step::Again) => {}
                Ok(Step::Blocked) => return self.hold(),
                Ok(Step::Done) => return Ok(true),
                Err(error) => return Err(self.explain(error)),
            }
        }
    }

    /// Keeps what rustls has read and not let go, within bounds.
    fn hold(&mut self) -> Result<bool, Error> {
        self.held = self.incoming.len();
        if self.held > MAX_HELD { Err(Error::MessageTooLong(MAX_HELD)) } else { Ok(false) }
    }

    /// Takes the alert from rustls, and gives the error that it stands for. Nothing is asked of rustls
    /// once it has nothing to send: it would look at the bad record again.
    fn explain(&mut self, error: rustls::Error) -> Error {
        loop {
            let incoming = self.incoming.as_mut_slice();
            let (discard, step) = match &mut self.side {
                Side::Client(connection) if connection.wants_write() => {
                    take_step(connection.process_tls_records(incoming), &mut self.outgoing)
                }
                Side::Server(connection) if connection.wants_write() => {
                    take_step(connection.process_tls_records(incoming), &mut self.outgoing)
                }
                _ => break,
            };
            self.incoming.drain(..discard);
            if !matches!(step, Ok(Step::Again)) {
                break;
            }
        }
        match self.verifier.verdict() {
            Some(Err(verdict)) => verdict.clone(),
            _ => Error::from_rustls(error),
        }
    }

    fn complete(&mut self) -> Result<Completed, Error> {
        let Some(Ok(remote)) = self.verifier.verdict() else { return Err(Error::CertificateCount(0)) };
        let (agreed, secrets, schedule) = match std::mem::replace(&mut self.side, Side::Ended) {
            Side::Client(connection) => {
                let agreed = connection.alpn_protocol().map(<[u8]>::to_vec);
                let (secrets, schedule) =
                    connection.dangerous_into_kernel_connection().map_err(Error::from_rustls)?;
                (agreed, secrets, KeySchedule::Client(schedule))
            }
            Side::Server(connection) => {
                let agreed = connection.alpn_protocol().map(<[u8]>::to_vec);
                let (secrets, schedule) =
                    connection.dangerous_into_kernel_connection().map_err(Error::from_rustls)?;
                (agreed, secrets, KeySchedule::Server(schedule))
            }
            Side::Listening(_) | Side::Ended => return Err(Error::Ended),
        };
        let early_muxer = match agreed {
            Some(name) if name != NO_MUXER => {
                // It was in our own list, which is text.
                EarlyMuxer::Agreed(String::from_utf8(name).map_err(|_| Error::NoApplicationProtocol)?)
            }
            _ => EarlyMuxer::NotOffered,
        };
        Ok(Completed {
            remote: remote.key.clone(),
            remote_peer: remote.peer,
            early_muxer,
            channel: Channel::new(&secrets, schedule)?,
        })
    }
}

impl Listening {
    /// The connection, once the client's hello is whole. rustls on its own would choose by our order,
    /// so it is given the one protocol that is to be chosen, or all of ours when it has to refuse.
    fn accept(
        &mut self,
        mut record: &[u8],
        verifier: &Arc<Verifier>,
        out: &mut Vec<u8>,
    ) -> Result<Option<UnbufferedServerConnection>, Error> {
        while !record.is_empty() {
            self.acceptor.read_tls(&mut record).map_err(|_| Error::MessageTooLong(MAX_HELD))?;
        }
        let accepted = match self.acceptor.accept() {
            Ok(None) => return Ok(None),
            Ok(Some(accepted)) => accepted,
            Err((error, mut alert)) => {
                // Writing to memory cannot fail.
                let _ = alert.write_all(out);
                return Err(Error::from_rustls(error));
            }
        };
        let ours = std::mem::take(&mut self.alpn);
        let chosen = accepted
            .client_hello()
            .alpn()
            .and_then(|mut offered| offered.find(|name| ours.iter().any(|own| own == name)))
            .map(<[u8]>::to_vec);
        let alpn = chosen.map_or(ours, |name| vec![name]);
        let config = self.credentials.server_config(verifier, alpn).map_err(Error::from_rustls)?;
        UnbufferedServerConnection::new(Arc::new(config)).map(Some).map_err(Error::from_rustls)
    }
}

/// Shows no keys.
impl fmt::Debug for Handshake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Client(_) => "client",
            Side::Listening(_) | Side::Server(_) => "server",
            Side::Ended => "ended",
        };
        formatter.debug_struct("Handshake").field("side", &side).finish_non_exhaustive()
    }
}

/// What to do after a step of rustls.
enum Step {
    Again,
    Blocked,
    Done,
}

/// Handles one state of rustls, whichever its side; also how many bytes it has no use for any more.
fn take_step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    out: &mut Vec<u8>,
) -> (usize, Result<Step, rustls::Error>) {
    let step = match status.state {
        Ok(ConnectionState::EncodeTlsData(data)) => {
            encode(data, out);
            Ok(Step::Again)
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Ok(Step::Again)
        }
        Ok(ConnectionState::BlockedHandshake) => Ok(Step::Blocked),
        Ok(ConnectionState::WriteTraffic(_)) => Ok(Step::Done),
        // Data and closing belong to records that are never given to it.
        Ok(_) => Err(rustls::Error::HandshakeNotComplete),
        Err(error) => Err(error),
    };
    (status.discard, step)
}

/// Appends a record that rustls has made. It says how long it is only by refusing to do with less.
fn encode<Data>(mut data: EncodeTlsData<'_, Data>, out: &mut Vec<u8>) {
    if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
        let start = out.len();
        out.resize(start + size.required_size, 0);
        // The size is the one that it asked for.
        let written = data.encode(&mut out[start..]).unwrap_or(0);
        out.truncate(start + written);
    }
}

/// The muxers, then the name of having none.
fn alpn(muxers: &[String]) -> Result<Vec<Vec<u8>>, Error> {
    let names = muxers.iter().map(|name| match name.len() {
        1..=255 => Ok(name.clone().into_bytes()),
        length => Err(Error::ProtocolName(length)),
    });
    names.chain([Ok(NO_MUXER.to_vec())]).collect()
}

/// What ALPN says when multistream is to choose the muxer.
const NO_MUXER: &[u8] = b"libp2p";

/// rustls wants a name of the server and sends none that is an address; nothing is compared with it.
const NO_NAME: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

/// What is kept of a message that goes on in the next record: twice the longest certificate.
const MAX_HELD: usize = 16 * 1024;
