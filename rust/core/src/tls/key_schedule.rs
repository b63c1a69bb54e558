//! The keys after those in use, derived by rustls.

use rustls::client::ClientConnectionData;
use rustls::kernel::KernelConnection;
use rustls::server::ServerConnectionData;

use super::Error;
use super::record::RecordKey;

/// What is left of rustls once it has given the keys away.
pub(super) enum KeySchedule {
    Client(KernelConnection<ClientConnectionData>),
    Server(KernelConnection<ServerConnectionData>),
}

impl KeySchedule {
    pub(super) const fn is_client(&self) -> bool {
        matches!(self, Self::Client(_))
    }

    /// The next key for what we send.
    pub(super) fn next_sending(&mut self) -> Result<RecordKey, Error> {
        let next = match self {
            Self::Client(connection) => connection.update_tx_secret(),
            Self::Server(connection) => connection.update_tx_secret(),
        };
        let (sequence, secrets) = next.map_err(Error::from_rustls)?;
        RecordKey::new(sequence, &secrets)
    }

    /// The next key for what we receive.
    pub(super) fn next_receiving(&mut self) -> Result<RecordKey, Error> {
        let next = match self {
            Self::Client(connection) => connection.update_rx_secret(),
            Self::Server(connection) => connection.update_rx_secret(),
        };
        let (sequence, secrets) = next.map_err(Error::from_rustls)?;
        RecordKey::new(sequence, &secrets)
    }
}
