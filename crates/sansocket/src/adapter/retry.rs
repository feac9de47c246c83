//! Whether it is worth trying again.
//!
//! How long to wait first is [`Backoff`](crate::Backoff)'s.

use core::time::Duration;
use std::io;

use super::connect_error::{ConnectError, TlsFailure};
use super::error::Error;
use super::outcome::{Closed, Rejected};
use crate::close_code::CloseCode;
use crate::connection::Cause;
use crate::error::Rule;
use crate::handshake::ResponseError;

impl Rejected {
    /// Whether the same attempt may succeed later: the server said so (408, 425, 429, and 5xx
    /// but for 501 and 505).
    pub fn is_transient(&self) -> bool {
        match self.status {
            408 | 425 | 429 => true,
            501 | 505 => false,
            status => status >= 500,
        }
    }

    /// How long the server asked to wait, if it did, and in seconds. It may also name a
    /// date (RFC 9110 section 10.2.3), which is not looked at.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.field("Retry-After")?;
        if seconds.is_empty() || !seconds.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // More than that is for ever too.
        Some(Duration::from_secs(seconds.parse().unwrap_or(u64::MAX)))
    }
}

impl<T: TlsFailure> ConnectError<T> {
    /// Whether the same attempt may succeed later: nobody was there, or not in time, or
    /// the server said so ([`Rejected::is_transient`]). Another address, request, answer or
    /// certificate is for somebody to change first.
    ///
    /// ```
    /// use sansocket::adapter::ConnectError;
    ///
    /// let error: ConnectError = sansocket::Uri::parse("ws://user@a.example/").unwrap_err().into();
    /// assert!(!error.is_transient());
    /// ```
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Rejected(rejected) => rejected.is_transient(),
            Self::Response(error) => {
                matches!(error, ResponseError::Timeout | ResponseError::Incomplete { .. })
            }
            Self::Tls(error) => error.is_transient(),
            Self::Proxy(error) => error.is_transient(),
            Self::Io(error) => is_transient_io(error),
            Self::Uri(_)
            | Self::TlsUnsupported
            | Self::Request(_)
            | Self::Redirect(_)
            | Self::ExtendedConnectUnsupported
            | Self::Entropy(_) => false,
        }
    }

    /// How long the server asked to wait, if it did: [`Rejected::retry_after`].
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Rejected(rejected) => rejected.retry_after(),
            _ => None,
        }
    }
}

impl Error {
    /// Whether the connection was lost, or the server is to be back, so that a new one
    /// is worth trying. Not if it was closed because all was said, for a rule that one of
    /// the two broke, or with a code that only the application knows.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Closed(closed) => closed.is_transient(),
            Self::Failed(failure) => {
                matches!(
                    failure.rule(),
                    Rule::PongTimeout | Rule::AssemblyTimeout | Rule::IdleTimeout
                )
            }
            Self::WriteStalled => true,
            Self::Io(error) => is_transient_io(error),
            Self::Send(_)
            | Self::Assembly(_)
            | Self::ForeignInbox
            | Self::PiecesUnderWay
            | Self::QueueFull => false,
        }
    }
}

impl Closed {
    /// Whether the connection was lost, or the server is to be back; not if the application had
    /// said all, whatever became of it then.
    pub fn is_transient(&self) -> bool {
        let is_done =
            self.cause() == Cause::Aborted || self.closure().sent() == Some(CloseCode::NORMAL);
        !is_done
            && matches!(
                self.code(),
                CloseCode::GOING_AWAY
                    | CloseCode::ABNORMAL
                    | CloseCode::INTERNAL_ERROR
                    | CloseCode::SERVICE_RESTART
                    | CloseCode::TRY_AGAIN_LATER
                    | CloseCode::BAD_GATEWAY
            )
    }
}

/// Whether a transport's error may pass: not what the system says of a call that was wrong, and
/// always will be.
pub fn is_transient_io(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Unsupported
    )
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;
    use alloc::vec::Vec;

    use super::*;

    fn rejected(status: u16, fields: &[(&str, &str)]) -> Rejected {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
        Rejected { status, fields: fields.iter().map(owned).collect(), body: Vec::new() }
    }

    #[test]
    fn statuses_that_say_later_are_transient_and_no_others() {
        for (status, expected) in [
            (200, false),
            (302, false),
            (400, false),
            (401, false),
            (404, false),
            (408, true),
            (425, true),
            (426, false),
            (429, true),
            (500, true),
            (501, false),
            (502, true),
            (503, true),
            (505, false),
        ] {
            assert_eq!(rejected(status, &[]).is_transient(), expected, "{status}");
        }
    }

    #[test]
    fn the_time_to_wait_is_read_where_it_is_in_seconds() {
        for (value, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ] {
            let error = rejected(503, &[("retry-after", value)]);
            assert_eq!(error.retry_after(), expected.map(Duration::from_secs), "{value}");
        }
        assert_eq!(rejected(503, &[]).retry_after(), None);
    }

    #[test]
    fn what_is_lost_is_transient_and_what_is_wrong_is_not() {
        let io = |kind: io::ErrorKind| io::Error::from(kind);
        assert!(Error::WriteStalled.is_transient());
        assert!(Error::Io(io(io::ErrorKind::ConnectionReset)).is_transient());
        assert!(!Error::Io(io(io::ErrorKind::InvalidData)).is_transient());
        assert!(!Error::ForeignInbox.is_transient());
        assert!(!Error::QueueFull.is_transient());
    }
}
