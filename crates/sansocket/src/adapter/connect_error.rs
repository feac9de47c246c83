//! Why a client's connection was not opened.

use alloc::boxed::Box;
use core::convert::Infallible;
use core::fmt;
use std::io;

use super::Printable;
use super::outcome::Rejected;
use super::proxy::ProxyError;
use crate::handshake::{RequestError, ResponseError};
use crate::uri::UriError;

/// Why a client's connection was not opened. `T` is what an adapter says of TLS that failed,
/// if it says that apart.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError<T = Infallible> {
    /// The address is no WebSocket URI.
    Uri(UriError),
    /// The URI is `wss:`, and this build has no TLS: the adapter's feature `tls` adds it.
    TlsUnsupported,
    /// TLS could not be opened, most likely for the server's certificate.
    Tls(T),
    /// The proxy did not connect us.
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
    /// The server does not know Extended CONNECT, and so no WebSockets over HTTP/2.
    ExtendedConnectUnsupported,
    /// The operating system has no randomness for masking keys.
    Entropy(io::Error),
    /// No address could be reached, or the transport reported an error.
    Io(io::Error),
}

/// What an adapter says of TLS that failed.
pub trait TlsFailure: core::error::Error + 'static {
    /// Whether a deadline passed.
    fn is_timeout(&self) -> bool {
        false
    }

    /// Whether the same attempt may succeed later.
    fn is_transient(&self) -> bool {
        self.is_timeout()
    }
}

impl TlsFailure for Infallible {}

impl<T: TlsFailure> ConnectError<T> {
    /// Whether a deadline passed: of the handshake, TLS or a proxy, or of reaching an address.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Response(error) => *error == ResponseError::Timeout,
            Self::Io(error) => error.kind() == io::ErrorKind::TimedOut,
            Self::Tls(error) => error.is_timeout(),
            Self::Proxy(error) => error.is_timeout(),
            _ => false,
        }
    }
}

impl<T: fmt::Display> fmt::Display for ConnectError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(error) => error.fmt(f),
            Self::TlsUnsupported => f.write_str("wss: this build has no TLS"),
            Self::Tls(error) => error.fmt(f),
            Self::Proxy(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Rejected(rejected) => {
                write!(f, "the server answered with HTTP status {}", rejected.status)
            }
            Self::Response(error) => error.fmt(f),
            Self::Redirect(rejected) => {
                let place = rejected.field("Location").unwrap_or("an unknown place");
                write!(f, "redirect to {} not followed", Printable(place))
            }
            Self::ExtendedConnectUnsupported => {
                f.write_str("the server has no WebSockets over HTTP/2")
            }
            Self::Entropy(error) => write!(f, "no randomness for masking keys: {error}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl<T: TlsFailure> core::error::Error for ConnectError<T> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Uri(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Proxy(error) => Some(error),
            Self::Request(error) => Some(error),
            Self::Response(error) => Some(error),
            Self::Entropy(error) | Self::Io(error) => Some(error),
            Self::TlsUnsupported
            | Self::ExtendedConnectUnsupported
            | Self::Rejected(_)
            | Self::Redirect(_) => None,
        }
    }
}

impl<T> From<UriError> for ConnectError<T> {
    fn from(error: UriError) -> Self {
        Self::Uri(error)
    }
}

impl<T> From<ProxyError> for ConnectError<T> {
    fn from(error: ProxyError) -> Self {
        Self::Proxy(error)
    }
}

impl<T> From<RequestError> for ConnectError<T> {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl<T> From<ResponseError> for ConnectError<T> {
    fn from(error: ResponseError) -> Self {
        Self::Response(error)
    }
}

impl<T> From<io::Error> for ConnectError<T> {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
