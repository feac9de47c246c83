//! Why a proxy was of no use.

use core::fmt;
use std::io;

use crate::adapter::is_transient_io;
use crate::handshake::ResponseError;
use crate::uri::UriError;

/// Why a text is no address of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyUriError {
    /// It begins with neither `http://` nor `socks5://`.
    Scheme,
    /// The user is empty, has a colon, or is too long, or a `%` is not followed by two
    /// digits.
    Credentials,
    /// The host or the port is malformed.
    Authority(UriError),
    /// Something stands behind host and port.
    Path,
}

impl fmt::Display for ProxyUriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the proxy's address must begin with http:// or socks5://",
            Self::Credentials => "user and password of the proxy are malformed",
            Self::Authority(_) => "host and port of the proxy are malformed",
            Self::Path => "the proxy's address has something behind host and port",
        })
    }
}

impl core::error::Error for ProxyUriError {}

/// Why a proxy did not connect us.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProxyError {
    /// It answered CONNECT with this HTTP status; 407: it wants to know who we are.
    Status(u16),
    /// It answered with this reply of SOCKS (RFC 1928 section 6).
    Reply(u8),
    /// It wants to know who we are, or does not believe it.
    Credentials,
    /// The host's name is too long for it.
    HostName,
    /// Its answer breaks a rule of HTTP.
    Answer(ResponseError),
    /// Its answer is not that of such a proxy.
    Protocol,
    /// It took too long.
    Timeout,
    /// It left before its answer was whole.
    Incomplete,
    /// The transport reported an error.
    Io(io::Error),
}

impl ProxyError {
    /// Whether it took too long.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }

    /// Whether the same attempt may succeed later: the proxy or the server was not there, or not
    /// in time.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Status(status) => matches!(status, 502..=504),
            Self::Reply(reply) => matches!(reply, 1 | 3..=6),
            Self::Timeout | Self::Incomplete => true,
            Self::Io(error) => is_transient_io(error),
            Self::Credentials | Self::HostName | Self::Answer(_) | Self::Protocol => false,
        }
    }
}

impl From<io::Error> for ProxyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ResponseError> for ProxyError {
    fn from(error: ResponseError) -> Self {
        Self::Answer(error)
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(407) => f.write_str("proxy: it wants a user and a password (407)"),
            Self::Status(status) => write!(f, "proxy: it answered with HTTP status {status}"),
            Self::Reply(reply) => write!(f, "proxy: {}", reason(*reply)),
            Self::Credentials => f.write_str("proxy: it refuses the user and password, or none"),
            Self::HostName => f.write_str("proxy: the host's name is too long"),
            Self::Answer(error) => write!(f, "proxy: {error}"),
            Self::Protocol => f.write_str("proxy: its answer is not that of such a proxy"),
            Self::Timeout => f.write_str("proxy: it took too long"),
            Self::Incomplete => f.write_str("proxy: it left before its answer was whole"),
            Self::Io(error) => write!(f, "proxy: {error}"),
        }
    }
}

impl core::error::Error for ProxyError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Answer(error) => Some(error),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// RFC 1928 section 6.
fn reason(reply: u8) -> &'static str {
    match reply {
        2 => "its rules do not allow this connection",
        3 => "the network cannot be reached",
        4 => "the host cannot be reached",
        5 => "the connection was refused",
        6 => "the host is too far away",
        7 => "it does not make such connections",
        8 => "it does not know such addresses",
        _ => "it failed",
    }
}
