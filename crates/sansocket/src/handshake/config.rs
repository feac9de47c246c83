//! What bounds a handshake, and whom a server lets in.

use core::time::Duration;

use super::origin::{MissingOrigin, NullOrigin, OriginPolicy, OriginRules};
use crate::http::{Fields, HeadLimits};

/// Bounds on the head that a peer sends, and on the time that it takes.
///
/// Nothing is reserved for them: a limit costs only what a peer makes of it.
///
/// ```
/// use core::time::Duration;
/// use sansocket::handshake::HandshakeLimits;
///
/// let limits = HandshakeLimits::new().head_len_max(4 * 1024).deadline(Duration::from_secs(3));
/// assert_eq!(limits.time_max(), Duration::from_secs(3));
/// assert_ne!(limits, HandshakeLimits::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeLimits {
    pub(super) head: HeadLimits,
    pub(super) deadline: Duration,
}

impl HandshakeLimits {
    /// The defaults: a head of 16 KiB with a target of 8 KiB and 64 fields, in
    /// 10 seconds.
    pub const fn new() -> Self {
        Self {
            head: HeadLimits {
                head_len_max: 16 * 1024,
                target_len_max: 8 * 1024,
                fields_max: Fields::CAPACITY,
            },
            deadline: Duration::from_secs(10),
        }
    }

    /// The most bytes of a head; beyond it a server answers 431. For a client it
    /// covers the interim responses too.
    pub const fn head_len_max(mut self, bytes: usize) -> Self {
        self.head.head_len_max = bytes;
        self
    }

    /// The most bytes of a request target; beyond it a server answers 414.
    pub const fn target_len_max(mut self, bytes: usize) -> Self {
        self.head.target_len_max = bytes;
        self
    }

    /// The most header fields; beyond it a server answers 431. Never more than
    /// [`Fields::CAPACITY`].
    pub const fn fields_max(mut self, count: usize) -> Self {
        self.head.fields_max = if count < Fields::CAPACITY { count } else { Fields::CAPACITY };
        self
    }

    /// The time from the first `handle_timeout` to the end of the head; beyond
    /// it a server answers 408.
    pub const fn deadline(mut self, total: Duration) -> Self {
        self.deadline = total;
        self
    }

    /// The time that [`deadline`](Self::deadline) gives: for adapters that must do
    /// something else within it, such as TLS.
    pub const fn time_max(&self) -> Duration {
        self.deadline
    }
}

impl Default for HandshakeLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// How a server takes opening handshakes.
///
/// ```
/// use sansocket::handshake::{HandshakeConfig, MissingOrigin, OriginPolicy};
///
/// let config = HandshakeConfig::new()
///     .origin(OriginPolicy::List(&["https://app.example.com"]))
///     .missing_origin(MissingOrigin::Refuse);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandshakeConfig<'c> {
    pub(super) limits: HandshakeLimits,
    pub(super) origin: OriginRules<'c>,
}

impl<'c> HandshakeConfig<'c> {
    /// The defaults: [`HandshakeLimits::new`]; pages of the same host, and
    /// requests without `Origin`, which browsers do not send.
    pub const fn new() -> Self {
        Self { limits: HandshakeLimits::new(), origin: OriginRules::new() }
    }

    /// Sets the bounds.
    pub const fn limits(mut self, limits: HandshakeLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets whose web pages may connect.
    pub const fn origin(mut self, policy: OriginPolicy<'c>) -> Self {
        self.origin.policy = policy;
        self
    }

    /// Sets whether requests without `Origin` are taken.
    pub const fn missing_origin(mut self, missing: MissingOrigin) -> Self {
        self.origin.missing = missing;
        self
    }

    /// Sets whether `Origin: null` is taken.
    pub const fn null_origin(mut self, null: NullOrigin) -> Self {
        self.origin.null = null;
        self
    }
}
