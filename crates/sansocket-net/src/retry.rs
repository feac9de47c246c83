//! Whether it is worth trying again.
//!
//! How long to wait first is [`Backoff`](sansocket::Backoff)'s.

use std::time::Duration;

use sansocket::adapter::is_transient_io;
use sansocket::handshake::ResponseError;

use crate::error::ConnectError;
#[cfg(feature = "proxy")]
use crate::proxy::ProxyError;
#[cfg(feature = "tls")]
use crate::tls::TlsError;

impl ConnectError {
    /// Whether the same attempt may succeed later: nobody was there, or not in time, or
    /// the server said so (408, 425, 429, and 5xx but for 501 and 505). Another address,
    /// request, answer or certificate is for somebody to change first.
    ///
    /// ```
    /// let error = sansocket_net::connect("ws://user@a.example/").unwrap_err();
    /// assert!(!error.is_transient());
    /// ```
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Rejected(rejected) => rejected.is_transient(),
            Self::Response(ResponseError::Timeout | ResponseError::Incomplete { .. }) => true,
            Self::Io(error) => is_transient_io(error),
            #[cfg(feature = "tls")]
            Self::Tls(TlsError::Timeout | TlsError::Incomplete) => true,
            #[cfg(feature = "tls")]
            Self::Tls(TlsError::Io(error)) => is_transient_io(error),
            #[cfg(feature = "proxy")]
            Self::Proxy(error) => match error {
                ProxyError::Status(502..=504) | ProxyError::Reply(1 | 3..=6) => true,
                ProxyError::Timeout | ProxyError::Incomplete => true,
                ProxyError::Io(error) => is_transient_io(error),
                _ => false,
            },
            _ => false,
        }
    }

    /// How long the server asked to wait, if it did, and in seconds. It may also name a
    /// date (RFC 9110 section 10.2.3), which is not looked at.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected(rejected) => rejected.retry_after(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_is_lost_is_transient_and_what_is_wrong_is_not() {
        let io = |kind: io::ErrorKind| io::Error::from(kind);
        for (error, expected) in [
            (ConnectError::Io(io(io::ErrorKind::ConnectionRefused)), true),
            (ConnectError::Io(io(io::ErrorKind::TimedOut)), true),
            (ConnectError::Io(io(io::ErrorKind::InvalidInput)), false),
            (ConnectError::Response(ResponseError::Timeout), true),
            (ConnectError::Response(ResponseError::Incomplete { received_len: 1 }), true),
            (ConnectError::Response(ResponseError::AcceptMismatch), false),
            (ConnectError::TlsUnsupported, false),
        ] {
            assert_eq!(error.is_transient(), expected, "{error:?}");
        }
        assert_eq!(ConnectError::TlsUnsupported.retry_after(), None);
    }
}
