//! Core errors as Python's classes. The classes are Python's; which error becomes which is decided here.

use plait_core::fault::Fault;
use plait_core::mux::codes::connection::PROTOCOL_VIOLATION;
use plait_core::mux::{self, StreamError, Violation};
use plait_core::session::{self, Reason, Refusal, Stage};
use plait_core::{
    delimited as core_delimited, identity as core_identity, messages, multistream, noise, pnet, secure, tls,
    varint,
};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::buf::with_buffer;

/// Python's classes by name. Looked up when an error is made, which is never on the data path.
mod class {
    use pyo3::import_exception;

    import_exception!(plait.exceptions, ConfigError);
    import_exception!(plait.exceptions, ConnectionClosedError);
    import_exception!(plait.exceptions, ConnectionLostError);
    import_exception!(plait.exceptions, HandshakeError);
    import_exception!(plait.exceptions, InvalidKeyError);
    import_exception!(plait.exceptions, InvalidPeerIdError);
    import_exception!(plait.exceptions, InvalidEnvelopeError);
    import_exception!(plait.exceptions, LimitError);
    import_exception!(plait.exceptions, LocalProtocolError);
    import_exception!(plait.exceptions, NegotiationError);
    import_exception!(plait.exceptions, PeerIdMismatchError);
    import_exception!(plait.exceptions, PrivateNetworkError);
    import_exception!(plait.exceptions, ProtocolNotSupportedError);
    import_exception!(plait.exceptions, RemoteProtocolError);
    import_exception!(plait.exceptions, StreamClosedError);
    import_exception!(plait.exceptions, StreamResetError);
    import_exception!(plait.exceptions, UpgradeError);
}

/// Why a session ended, as an exception to raise.
pub(crate) fn reason<'py>(py: Python<'py>, reason: &Reason) -> PyResult<Bound<'py, PyAny>> {
    let with = Keywords::new(py);
    match reason {
        Reason::Local { code } => {
            with.set("error_code", code)?.set("remote", false)?;
            with.make::<class::ConnectionClosedError>("we closed the connection")
        }
        Reason::Remote { code } => {
            with.set("error_code", code)?.set("remote", true)?;
            with.make::<class::ConnectionClosedError>(&format!(
                "the peer closed the connection{}",
                if *code == 0 { String::new() } else { format!(" with code {code:#x}") }
            ))
        }
        Reason::Eof => {
            with.set("remote", true)?;
            with.make::<class::ConnectionLostError>(
                "the peer ended the transport without closing the connection",
            )
        }
        Reason::Truncated => {
            with.make::<class::ConnectionLostError>("the transport ended in the middle of a record")
        }
        Reason::KeepAlive => with
            .make::<class::ConnectionLostError>("the peer did not answer in time; the link counts as dead"),
        Reason::EofInUpgrade(stage) => {
            with.set("stage", stage.as_str())?;
            with.make::<class::UpgradeError>(&format!(
                "the peer ended the transport during the {}",
                stage.as_str()
            ))
        }
        Reason::UpgradeTimeout(stage) => {
            with.set("stage", stage.as_str())?;
            with.make::<class::UpgradeError>(&format!("the {} took too long", stage.as_str()))
        }
        Reason::NothingInCommon { stage, ours } => {
            with.set("stage", stage.as_str())?.set("offered", ours)?;
            with.make::<class::NegotiationError>(&format!(
                "the peer accepts none of {} in the {}",
                ours.join(", "),
                stage.as_str()
            ))
        }
        Reason::Negotiation { stage, error } => {
            with.set("stage", stage.as_str())?;
            with.make::<class::NegotiationError>(&format!("the {} failed: {error}", stage.as_str()))
        }
        Reason::OtherNetwork => {
            with.set("stage", Stage::Security.as_str())?;
            with.make::<class::PrivateNetworkError>(
                "the peer does not seem to be in our private network: it has another key, or none",
            )
        }
        Reason::Handshake(secure::Error::PeerIdMismatch { expected, actual }) => {
            let peer = |id: &core_identity::PeerId| {
                py.import("plait.identity")?.getattr("PeerId")?.call1((id.as_bytes(),))
            };
            with.set("stage", Stage::Handshake.as_str())?;
            with.set("expected", peer(expected)?)?.set("actual", peer(actual)?)?;
            with.make::<class::PeerIdMismatchError>(&format!("dialed {expected}, but {actual} answered"))
        }
        Reason::Handshake(error) => {
            with.set("stage", Stage::Handshake.as_str())?;
            let made =
                with.make::<class::HandshakeError>(&format!("the security handshake failed: {error}"))?;
            caused_by(made, secure_fault(error))
        }
        Reason::Record(error) => {
            let made =
                with.make::<class::ConnectionLostError>(&format!("the secure channel failed: {error}"))?;
            caused_by(made, secure_fault(error))
        }
        Reason::Muxer(fault) => {
            with.set("error_code", PROTOCOL_VIOLATION)?;
            let made = with.make::<class::RemoteProtocolError>(&format!("the muxer failed: {fault}"))?;
            caused_by(made, Some(fault))
        }
        Reason::Violation(violation) => {
            with.set("error_code", violation.code())?;
            with.make::<class::RemoteProtocolError>(&format!(
                "the peer broke a rule of the muxer: {violation}"
            ))
        }
    }
}

/// The plug-in's part in the failure of a secure channel, if it has one.
fn secure_fault(error: &secure::Error) -> Option<&Fault> {
    match error {
        secure::Error::Foreign(fault) => Some(fault),
        _ => None,
    }
}

/// The exception with what a plug-in raised as its cause.
fn caused_by<'py>(made: Bound<'py, PyAny>, fault: Option<&Fault>) -> PyResult<Bound<'py, PyAny>> {
    if let Some(raised) = fault.and_then(|fault| fault.get().downcast_ref::<PyErr>()) {
        made.setattr("__cause__", raised.value(made.py()))?;
    }
    Ok(made)
}

/// Why a stream of ours got no protocol, as an exception to raise.
pub(crate) fn refusal<'py>(py: Python<'py>, refusal: &Refusal) -> PyResult<Bound<'py, PyAny>> {
    let with = Keywords::new(py);
    with.set("stage", "stream negotiation")?;
    match refusal {
        Refusal::NotSupported(names) => {
            with.set("offered", names)?;
            with.make::<class::ProtocolNotSupportedError>(&format!(
                "the peer does not speak {}",
                names.join(", ")
            ))
        }
        Refusal::Malformed(error) => {
            with.make::<class::NegotiationError>(&format!("the stream's negotiation failed: {error}"))
        }
        Refusal::Ended => with
            .make::<class::NegotiationError>("the peer ended the stream instead of agreeing on a protocol"),
        Refusal::TimedOut => {
            with.make::<class::NegotiationError>("the peer did not agree on a protocol in time")
        }
    }
}

/// Why a command failed.
pub(crate) fn command(py: Python<'_>, error: &session::Error) -> PyErr {
    let text = error.to_string();
    let with = Keywords::new(py);
    let made = match error {
        session::Error::Closed | session::Error::Mux(mux::Error::GoingAway) => {
            with.make::<class::ConnectionClosedError>(&text)
        }
        session::Error::Upgrade(why) => reason(py, why),
        session::Error::NotEstablished | session::Error::Protocols(_) => {
            with.make::<class::LocalProtocolError>(&text)
        }
        session::Error::Mux(mux::Error::IdsExhausted | mux::Error::OnlyOneStream) => {
            with.make::<class::LimitError>(&text)
        }
        session::Error::Stream(StreamError::Reset { code }) => with
            .set("error_code", code)
            .and_then(|with| with.set("remote", true))
            .and_then(|with| with.make::<class::StreamResetError>(&text)),
        session::Error::Stream(StreamError::Closed | StreamError::Unknown) => {
            with.make::<class::StreamClosedError>(&text)
        }
    };
    raise(made)
}

/// A key, a peer id or a signature that cannot be used.
pub(crate) fn identity(py: Python<'_>, error: &core_identity::Error) -> PyErr {
    let text = error.to_string();
    let with = Keywords::new(py);
    raise(match error {
        core_identity::Error::InvalidPeerId(_) => with.make::<class::InvalidPeerIdError>(&text),
        core_identity::Error::Message(_)
        | core_identity::Error::UnknownKeyType(_)
        | core_identity::Error::InvalidKey { .. } => with.make::<class::InvalidKeyError>(&text),
        core_identity::Error::InvalidSignature
        | core_identity::Error::UnexpectedPayloadType(_)
        | core_identity::Error::NotTheSigner { .. } => with.make::<class::InvalidEnvelopeError>(&text),
    })
}

/// Credentials that cannot be made of what was given.
pub(crate) fn credentials(py: Python<'_>, error: &tls::Error) -> PyErr {
    raise(Keywords::new(py).make::<class::InvalidKeyError>(&error.to_string()))
}

/// A peer's message that cannot be read.
pub(crate) fn message(py: Python<'_>, error: &messages::Error) -> PyErr {
    raise(Keywords::new(py).make::<class::RemoteProtocolError>(&error.to_string()))
}

/// A message of ours that others would not read.
pub(crate) fn too_large(py: Python<'_>, error: &messages::Error) -> PyErr {
    raise(Keywords::new(py).make::<class::LimitError>(&error.to_string()))
}

/// A peer's message with a wrong length in front.
pub(crate) fn delimited(py: Python<'_>, error: &SplitError) -> PyErr {
    let text = match error {
        SplitError::Delimited(error) => error.to_string(),
        SplitError::Truncated => "the last message is cut off".to_owned(),
    };
    raise(Keywords::new(py).make::<class::RemoteProtocolError>(&text))
}

/// A name that cannot be negotiated.
pub(crate) fn protocol_name(py: Python<'_>, error: &multistream::InvalidProtocol) -> PyErr {
    raise(Keywords::new(py).make::<class::LocalProtocolError>(&error.to_string()))
}

/// A file that holds no network key.
pub(crate) fn network_file(py: Python<'_>, error: pnet::InvalidKey) -> PyErr {
    raise(Keywords::new(py).make::<class::ConfigError>(&error.to_string()))
}

/// A peer id given by Python.
pub(crate) fn peer_id(multihash: &Bound<'_, PyAny>) -> PyResult<core_identity::PeerId> {
    with_buffer(multihash, core_identity::PeerId::from_bytes)?
        .map_err(|error| identity(multihash.py(), &error))
}

/// One exception for each variant of each core error, by the variant's name: so that a test sees that
/// none is mapped by accident.
#[pyfunction]
pub(crate) fn every_error(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for sample in every_reason() {
        list.append((format!("Reason::{}", name(&sample)), reason(py, &sample)?))?;
    }
    for sample in every_refusal() {
        list.append((format!("Refusal::{}", name(&sample)), refusal(py, &sample)?))?;
    }
    for sample in every_command() {
        list.append((format!("Error::{sample:?}"), command(py, &sample).into_value(py)))?;
    }
    for sample in every_identity() {
        list.append((format!("identity::{}", name(&sample)), identity(py, &sample).into_value(py)))?;
    }
    Ok(list)
}

fn every_reason() -> Vec<Reason> {
    let stage = Stage::Muxer;
    let peer = |byte: u8| {
        let key = core_identity::PublicKey::new(core_identity::KeyType::Ed25519, [byte; 32]);
        key.map(|key| key.peer_id())
    };
    let mut all = vec![
        Reason::Local { code: 0 },
        Reason::Remote { code: 1 },
        Reason::Eof,
        Reason::Truncated,
        Reason::EofInUpgrade(stage),
        Reason::KeepAlive,
        Reason::UpgradeTimeout(stage),
        Reason::NothingInCommon { stage, ours: vec!["/a".to_owned()] },
        Reason::Negotiation { stage, error: multistream::Error::Length(varint::Error::TooLong) },
        Reason::OtherNetwork,
        Reason::Handshake(noise::Error::Decryption.into()),
        Reason::Record(noise::Error::Decryption.into()),
        Reason::Violation(Violation::StreamZero),
        Reason::Muxer(Fault::misuse("is a sample")),
    ];
    if let (Ok(expected), Ok(actual)) = (peer(1), peer(2)) {
        all.push(Reason::Handshake(secure::Error::PeerIdMismatch { expected, actual }));
    }
    all
}

fn every_refusal() -> Vec<Refusal> {
    vec![
        Refusal::NotSupported(vec!["/a".to_owned()]),
        Refusal::Malformed(multistream::Error::NotUtf8),
        Refusal::Ended,
        Refusal::TimedOut,
    ]
}

fn every_command() -> Vec<session::Error> {
    vec![
        session::Error::Closed,
        session::Error::NotEstablished,
        session::Error::Upgrade(Reason::NothingInCommon { stage: Stage::Security, ours: vec![] }),
        session::Error::Protocols(multistream::InvalidProtocol::NoCandidate),
        session::Error::Mux(mux::Error::IdsExhausted),
        session::Error::Mux(mux::Error::GoingAway),
        session::Error::Mux(mux::Error::OnlyOneStream),
        session::Error::Stream(StreamError::Reset { code: 7 }),
        session::Error::Stream(StreamError::Closed),
        session::Error::Stream(StreamError::Unknown),
    ]
}

fn every_identity() -> Vec<core_identity::Error> {
    let kind = core_identity::KeyType::Rsa;
    vec![
        core_identity::Error::Message(messages::Error::MissingField { message: "key", field: "Type" }),
        core_identity::Error::UnknownKeyType(9),
        core_identity::Error::InvalidKey { kind, why: "is a sample" },
        core_identity::Error::InvalidPeerId("is a sample"),
        core_identity::Error::InvalidSignature,
        core_identity::Error::UnexpectedPayloadType(vec![1]),
    ]
}

/// A variant's name: what stands before its fields.
fn name(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// Why a sequence of delimited messages cannot be taken apart.
#[derive(Debug)]
pub(crate) enum SplitError {
    Delimited(core_delimited::Error),
    Truncated,
}

impl From<core_delimited::Error> for SplitError {
    fn from(error: core_delimited::Error) -> Self {
        Self::Delimited(error)
    }
}

fn raise(made: PyResult<Bound<'_, PyAny>>) -> PyErr {
    match made {
        Ok(exception) => PyErr::from_value(exception),
        // Making the exception failed; that failure is the better one to show than none.
        Err(error) => error,
    }
}

/// Keyword arguments of an exception in the making.
struct Keywords<'py>(Bound<'py, PyDict>);

impl<'py> Keywords<'py> {
    fn new(py: Python<'py>) -> Self {
        Self(PyDict::new(py))
    }

    fn set(&self, name: &str, value: impl IntoPyObject<'py>) -> PyResult<&Self> {
        self.0.set_item(name, value)?;
        Ok(self)
    }

    fn make<E: pyo3::PyTypeInfo>(&self, text: &str) -> PyResult<Bound<'py, PyAny>> {
        debug_assert!(self.0.py().get_type::<E>().is_subclass_of::<PyException>().unwrap_or(false));
        self.0.py().get_type::<E>().call((text,), Some(&self.0))
    }
}
