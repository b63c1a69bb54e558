//! What TLS says when something ends.

use std::fmt;

use rustls::AlertDescription;

/// The description of an alert, by its number in the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alert(u8);

impl Alert {
    /// The two have no protocol in common to speak over the channel.
    pub const NO_APPLICATION_PROTOCOL: Self = Self(120);
    pub(super) const CLOSE_NOTIFY: Self = Self(0);
    pub(super) const UNEXPECTED_MESSAGE: Self = Self(10);
    pub(super) const BAD_RECORD_MAC: Self = Self(20);
    pub(super) const RECORD_OVERFLOW: Self = Self(22);
    pub(super) const DECODE_ERROR: Self = Self(50);
    pub(super) const INTERNAL_ERROR: Self = Self(80);
    pub(super) const USER_CANCELED: Self = Self(90);

    /// The alert with this number, be it known or not.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        Self(code)
    }

    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }

    /// Whether the peer says that it does not accept who we are. A client hears this only after its
    /// handshake, on its first read, since a server judges the client's certificate last: such an
    /// alert before the first frame is a failed handshake, not a broken connection.
    #[must_use]
    pub const fn refuses_identity(self) -> bool {
        // From bad_certificate to certificate_unknown, unknown_ca, access_denied, decrypt_error (which
        // is about a signature), certificate_required.
        matches!(self.0, 42..=46 | 48 | 49 | 51 | 116)
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", AlertDescription::from(self.0))
    }
}

impl fmt::Debug for Alert {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Alert({} {self})", self.0)
    }
}
