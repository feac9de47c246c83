//! Why there is no TLS.

use std::fmt;
use std::io;

use rustls::pki_types::pem;
use rustls::{AlertDescription, CertificateError, InconsistentKeys, InvalidMessage};
use sansocket::adapter::{TlsFailure, is_transient_io};

/// Why a TLS handshake did not succeed. Nothing was sent inside it then.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The host is nothing that a certificate could be for.
    HostName,
    /// The peer's certificate does not do.
    Certificate {
        /// What is wrong with it, by who can do something about it.
        fault: CertificateFault,
        /// In detail.
        error: rustls::Error,
    },
    /// The peer gave up, and said why: it may not trust our certificate.
    Alert(AlertDescription),
    /// The peer speaks something else than TLS.
    NotTls,
    /// The handshake took too long.
    Timeout,
    /// The peer left before the end of the handshake.
    Incomplete,
    /// The peer broke a rule, or has no protocol or cipher in common with us.
    Protocol(rustls::Error),
    /// The transport reported an error.
    Io(io::Error),
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateFault {
    /// Nobody who is trusted here has signed it.
    UnknownIssuer,
    /// It is for other names than the one in the address.
    OtherName,
    /// Its time is over.
    Expired,
    /// Its time has not come; or the clock here is wrong.
    NotYetValid,
    /// Its issuer took it back.
    Revoked,
    /// Something else: it is broken, or for another use.
    Other,
}

impl CertificateFault {
    fn of(error: &CertificateError) -> Self {
        use CertificateError as E;
        match error {
            E::UnknownIssuer => Self::UnknownIssuer,
            E::NotValidForName | E::NotValidForNameContext { .. } => Self::OtherName,
            E::Expired | E::ExpiredContext { .. } => Self::Expired,
            E::NotValidYet | E::NotValidYetContext { .. } => Self::NotYetValid,
            E::Revoked => Self::Revoked,
            _ => Self::Other,
        }
    }
}

impl TlsError {
    /// Whether the handshake took too long.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }
}

impl TlsFailure for TlsError {
    fn is_timeout(&self) -> bool {
        self.is_timeout()
    }

    fn is_transient(&self) -> bool {
        match self {
            Self::Timeout | Self::Incomplete => true,
            Self::Io(error) => is_transient_io(error),
            _ => false,
        }
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        use rustls::Error as E;
        match error {
            E::InvalidCertificate(ref certificate) => {
                Self::Certificate { fault: CertificateFault::of(certificate), error }
            }
            E::AlertReceived(alert) => Self::Alert(alert),
            E::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Self::NotTls,
            error => Self::Protocol(error),
        }
    }
}

impl From<io::Error> for TlsError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownIssuer => "nobody who is trusted here has signed it",
            Self::OtherName => "it is for another name",
            Self::Expired => "it has expired",
            Self::NotYetValid => "it is not valid yet",
            Self::Revoked => "it was revoked",
            Self::Other => "it cannot be used",
        })
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostName => f.write_str("TLS: no certificate could be for this host"),
            Self::Certificate { fault, error } => {
                write!(f, "TLS: the peer's certificate is refused: {fault}")?;
                match fault {
                    CertificateFault::OtherName | CertificateFault::Other => write!(f, ": {error}"),
                    _ => Ok(()),
                }
            }
            Self::Alert(alert) => write!(f, "TLS: the peer refused: {alert:?}"),
            Self::NotTls => f.write_str("TLS: the peer speaks something else"),
            Self::Timeout => f.write_str("TLS: the handshake took too long"),
            Self::Incomplete => f.write_str("TLS: the peer left in the handshake"),
            Self::Protocol(error) => write!(f, "TLS: {error}"),
            Self::Io(error) => write!(f, "TLS: {error}"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Certificate { error, .. } | Self::Protocol(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::HostName | Self::Alert(_) | Self::NotTls | Self::Timeout | Self::Incomplete => {
                None
            }
        }
    }
}

/// Why certificates or a key cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// The PEM text is broken.
    Pem(pem::Error),
    /// The PEM text has no certificate in it.
    NoCertificate,
    /// The PEM text has no private key in it, or a form of key that is not known.
    NoKey,
    /// The key is not that of the first certificate.
    OtherKey,
    /// The certificate or the key cannot be used.
    Rustls(rustls::Error),
}

impl From<rustls::Error> for TlsConfigError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Self::OtherKey,
            error => Self::Rustls(error),
        }
    }
}

impl fmt::Display for TlsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem(error) => write!(f, "broken PEM: {error}"),
            Self::NoCertificate => f.write_str("no certificate in the PEM text"),
            Self::NoKey => f.write_str("no private key in the PEM text"),
            Self::OtherKey => f.write_str("the key is not that of the first certificate"),
            Self::Rustls(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TlsConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Pem(error) => Some(error),
            Self::Rustls(error) => Some(error),
            Self::NoCertificate | Self::NoKey | Self::OtherKey => None,
        }
    }
}
