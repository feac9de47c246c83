//! Why a client's connection was not opened.

use std::fmt;
use std::io;

use sansocket::UriError;
use sansocket::adapter::Rejected;
use sansocket::handshake::{RequestError, ResponseError};

#[cfg(feature = "proxy")]
use crate::proxy::ProxyError;
#[cfg(feature = "tls")]
use crate::tls::TlsError;

/// Why a client's connection was not opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is no WebSocket URI.
    Uri(UriError),
    /// The URI is `wss:`, and this build has no TLS: the feature `tls` adds it.
    TlsUnsupported,
    /// TLS could not be opened, most likely for the server's certificate.
    #[cfg(feature = "tls")]
    Tls(TlsError),
    /// The proxy did not connect us.
    #[cfg(feature = "proxy")]
    Proxy(ProxyError),
    /// What was asked for cannot be asked: a bad subprotocol or header field.
    Request(RequestError),
    /// The server did not answer with the opening of a WebSocket.
    Rejected(Box<Rejected>),
    /// The server's answer breaks a rule of the opening handshake, or came too
    /// late.
    Response(ResponseError),
    /// The server asked to go elsewhere, and that is not allowed: too often, to
    /// less security, or to no WebSocket address.
    Redirect(Box<Rejected>),
    /// The operating system has no randomness for masking keys.
    Entropy(getrandom::Error),
    /// No address could be reached, or the transport reported an error.
    Io(io::Error),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(error) => error.fmt(f),
            Self::TlsUnsupported => f.write_str("wss: this build has no TLS"),
            #[cfg(feature = "tls")]
            Self::Tls(error) => error.fmt(f),
            #[cfg(feature = "proxy")]
            Self::Proxy(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Rejected(rejected) => {
                write!(f, "the server answered with HTTP status {}", rejected.status)
            }
            Self::Response(error) => error.fmt(f),
            Self::Redirect(rejected) => {
                let place = rejected.field("Location").unwrap_or("an unknown place");
                write!(f, "redirect to {} not followed", place.escape_debug())
            }
            Self::Entropy(error) => write!(f, "no randomness for masking keys: {error}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Uri(error) => Some(error),
            Self::Request(error) => Some(error),
            Self::Response(error) => Some(error),
            Self::Entropy(error) => Some(error),
            Self::Io(error) => Some(error),
            #[cfg(feature = "tls")]
            Self::Tls(error) => Some(error),
            #[cfg(feature = "proxy")]
            Self::Proxy(error) => Some(error),
            Self::TlsUnsupported | Self::Rejected(_) | Self::Redirect(_) => None,
        }
    }
}

#[cfg(feature = "proxy")]
impl From<ProxyError> for ConnectError {
    fn from(error: ProxyError) -> Self {
        Self::Proxy(error)
    }
}

#[cfg(feature = "tls")]
impl From<TlsError> for ConnectError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl From<UriError> for ConnectError {
    fn from(error: UriError) -> Self {
        Self::Uri(error)
    }
}

impl From<RequestError> for ConnectError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<ResponseError> for ConnectError {
    fn from(error: ResponseError) -> Self {
        Self::Response(error)
    }
}

impl From<getrandom::Error> for ConnectError {
    fn from(error: getrandom::Error) -> Self {
        Self::Entropy(error)
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
