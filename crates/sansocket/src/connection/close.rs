//! The closing handshake and how a connection ends (RFC 6455 section 7).
//!
//! ```text
//!            we send Close            peer's Close comes
//!   Open ──────────────────► CloseSent ────────────────► Closed
//!     │  peer's Close comes                we reply        ▲
//!     ├──────────────────► CloseReceived ─────────────────┤
//!     │  a rule is broken                                  │ the transport ends,
//!     └──────────────────► Failed ────────────────────────┘ or time is up
//! ```

use core::fmt;

use crate::close_code::CloseCode;
use crate::error::Failure;

/// Where a connection is on its way from open to closed.
///
/// The states before, while the opening handshake runs, are types of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Data may flow both ways.
    Open,
    /// Our Close is queued or sent, the peer's has not come.
    CloseSent,
    /// The peer's Close has come, ours is still to be sent by the application.
    CloseReceived,
    /// Both Close frames are sent or queued, or the transport is gone.
    Closed,
    /// The connection failed: the Close that says why is queued or sent.
    Failed,
}

/// What to do with the transport, once everything owed is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum TransportStep {
    /// Keep it as it is.
    Keep,
    /// Go on reading: the peer has yet to answer or to end the transport.
    AwaitPeer,
    /// Shut down the sending side, then go on reading, so that unread input does
    /// not reset the transport before our Close arrives (section 7.1.1).
    HalfClose,
    /// Drop it now.
    CloseNow,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closure {
    code: CloseCode,
    sent: Option<CloseCode>,
    cause: Cause,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The closing handshake was completed: both sides sent Close.
    ClosingHandshake,
    /// A rule was broken or a deadline passed.
    Failed(Failure),
    /// The transport ended between two messages, without the closing handshake.
    TransportEnded,
    /// The transport ended inside a frame or a message.
    Truncated,
    /// The transport was reset.
    TransportReset,
    /// The peer did not answer our Close in time, or the application the peer's.
    CloseTimeout,
    /// The application dropped the connection.
    Aborted,
}

impl Closure {
    /// The close code to report (section 7.1.5): that of the peer's Close, 1005 if
    /// it had none, 1006 if no Close came.
    pub const fn code(&self) -> CloseCode {
        self.code
    }

    /// The code that we sent or queued: 1005 for a Close without one, `None` if we
    /// sent no Close.
    pub const fn sent(&self) -> Option<CloseCode> {
        self.sent
    }

    /// Whether the connection was closed cleanly (section 7.1.4): after a complete
    /// closing handshake.
    pub const fn is_clean(&self) -> bool {
        matches!(self.cause, Cause::ClosingHandshake)
    }

    /// Why it ended.
    pub const fn cause(&self) -> Cause {
        self.cause
    }
}

impl fmt::Display for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::ClosingHandshake => write!(f, "closed with {}", self.code),
            Cause::Failed(failure) => failure.fmt(f),
            Cause::TransportEnded => f.write_str("the peer left without a Close frame"),
            Cause::Truncated => f.write_str("the peer left inside a message"),
            Cause::TransportReset => f.write_str("the transport was reset"),
            Cause::CloseTimeout => f.write_str("a Close was not answered in time"),
            Cause::Aborted => f.write_str("dropped by the application"),
        }
    }
}

/// What has happened of the closing handshake so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Closing {
    /// The code of our Close, queued or sent; 1005 for none.
    pub(crate) sent: Option<CloseCode>,
    /// The code of the peer's Close; 1005 for none.
    pub(crate) received: Option<CloseCode>,
    /// How it ended, if not by the closing handshake or a failure.
    pub(crate) over: Option<Over>,
    /// Bytes thrown away since the connection was done.
    discarded: u32,
}

/// How the transport came to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Ended,
    Truncated,
    Reset,
    CloseTimeout,
    /// What could be waited for has been waited for.
    Lingered,
    Aborted,
}

impl Closing {
    /// The closing handshake is complete, as far as receiving goes.
    pub(crate) fn is_complete(&self) -> bool {
        self.sent.is_some() && self.received.is_some()
    }

    /// Throws bytes away that came after the end; a peer that goes on sending
    /// is not listened to for long.
    pub(crate) fn discard(&mut self, len: usize) {
        self.discarded = self.discarded.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
        if self.discarded > DISCARDED_MAX {
            self.end(Over::Lingered);
        }
    }

    /// The first end stays.
    pub(crate) fn end(&mut self, over: Over) {
        self.over.get_or_insert(over);
    }

    pub(crate) fn closure(&self, over: Over, failure: Option<Failure>) -> Closure {
        let cause = match (failure, over) {
            (Some(failure), _) => Cause::Failed(failure),
            (None, _) if self.is_complete() => Cause::ClosingHandshake,
            (None, Over::Aborted) => Cause::Aborted,
            (None, Over::Ended | Over::Lingered) => Cause::TransportEnded,
            (None, Over::Truncated) => Cause::Truncated,
            (None, Over::Reset) => Cause::TransportReset,
            (None, Over::CloseTimeout) => Cause::CloseTimeout,
        };
        Closure { code: self.received.unwrap_or(CloseCode::ABNORMAL), sent: self.sent, cause }
    }
}

/// How many bytes may come after the end before the transport is dropped.
const DISCARDED_MAX: u32 = 64 * 1024;

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::error::Rule;
    use std::string::ToString;

    #[test]
    fn a_closure_says_how_it_came() {
        let code = CloseCode::GOING_AWAY;
        let failure = Failure { rule: Rule::PongTimeout, offset: 7 };
        for (cause, text) in [
            (Cause::ClosingHandshake, "closed with 1001"),
            (Cause::Failed(failure), &*failure.to_string()),
            (Cause::TransportEnded, "the peer left without a Close frame"),
            (Cause::Truncated, "the peer left inside a message"),
            (Cause::TransportReset, "the transport was reset"),
            (Cause::CloseTimeout, "a Close was not answered in time"),
            (Cause::Aborted, "dropped by the application"),
        ] {
            assert_eq!(Closure { code, sent: None, cause }.to_string(), text);
        }
    }

    #[test]
    fn what_comes_after_the_end_is_thrown_away_up_to_64_kib() {
        let mut closing = Closing::default();
        closing.discard(1);
        closing.discard(64 * 1024 - 1);
        assert!(closing.over.is_none());
        closing.discard(1);
        assert!(matches!(closing.over, Some(Over::Lingered)));
    }
}
