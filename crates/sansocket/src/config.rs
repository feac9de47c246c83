//! Limits, deadlines and switches of a connection, with their defaults.

use core::time::Duration;

#[cfg(feature = "deflate")]
use crate::extension::deflate::DeflateConfig;
use crate::frame::Leniency;

/// How a connection behaves: its limits, its deadlines, its switches.
///
/// Everything has the default that its method names. Durations are kept in whole
/// milliseconds, at least one, at most 49 days.
///
/// ```
/// use core::time::Duration;
/// use sansocket::{Config, KeepAlive};
///
/// let config = Config::new()
///     .message_len_max(64 * 1024)
///     .keep_alive(KeepAlive::Off)
///     .message_idle(Some(Duration::from_secs(60)));
/// assert_eq!(config, config.clone());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Config {
    pub(crate) message_len_max: u64,
    pub(crate) frame_len_max: Option<u64>,
    pub(crate) fragments_max: Option<u32>,
    pub(crate) control_frames_max: u32,
    pub(crate) keep_alive: KeepAlive,
    pub(crate) message_idle: Option<Duration>,
    pub(crate) assembly_timeout: Option<Duration>,
    pub(crate) close_timeout: Duration,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) replies: Replies,
    pub(crate) leniency: Leniency,
    #[cfg(feature = "deflate")]
    pub(crate) deflate: DeflateConfig,
}

/// How a connection finds out that its peer is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    /// Not at all.
    Off,
    /// An unasked-for Pong after each interval, as a one-way heartbeat (RFC 6455
    /// section 5.5.3). It keeps middleboxes awake and expects no answer.
    UnsolicitedPong {
        /// The time between two of them.
        interval: Duration,
    },
    /// A Ping after an interval in which nothing came; no Pong for it within the
    /// timeout fails the connection (close code 1011).
    ///
    /// Any data that comes meanwhile shows that the peer lives and starts the
    /// timeout anew; a Pong that was not asked for does not.
    PingPong {
        /// The silence before a Ping.
        interval: Duration,
        /// The silence after it.
        timeout: Duration,
    },
}

/// Which replies of the protocol the engine gives by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replies {
    /// A Pong for each Ping, a Close for the peer's Close.
    Automatic,
    /// A Close for the peer's Close; Pings are left to the application.
    CloseOnly,
    /// None: the application answers Pings and the peer's Close. It must, by RFC
    /// 6455 sections 5.5.1 and 5.5.2.
    Manual,
}

impl Config {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            message_len_max: 1 << 20,
            frame_len_max: None,
            fragments_max: None,
            control_frames_max: 1024,
            keep_alive: KeepAlive::PingPong {
                interval: Duration::from_secs(20),
                timeout: Duration::from_secs(20),
            },
            message_idle: None,
            assembly_timeout: Some(Duration::from_secs(60)),
            close_timeout: Duration::from_secs(5),
            lifetime: None,
            replies: Replies::Automatic,
            leniency: Leniency::NONE,
            #[cfg(feature = "deflate")]
            deflate: DeflateConfig::new(),
        }
    }

    /// The longest message to accept, in bytes. Default: 1 MiB. A longer one
    /// fails with 1009 at the header that says so. A compressed one may have an eighth,
    /// a 64th and 64 bytes more on the wire, and fails where it becomes longer than the
    /// limit.
    pub const fn message_len_max(mut self, bytes: u64) -> Self {
        self.message_len_max = bytes;
        self
    }

    /// The longest frame to accept, in bytes of payload. Default: the limit for
    /// messages. A longer one fails with 1009 at its header. A compressed one may be
    /// longer as a message may.
    pub const fn frame_len_max(mut self, bytes: u64) -> Self {
        self.frame_len_max = Some(bytes);
        self
    }

    /// How many fragments a message may have, empty ones included. Default:
    /// 1,024, or one for each KiB of the message limit if that is more. One more
    /// fails with 1008.
    pub const fn fragments_max(mut self, count: u32) -> Self {
        self.fragments_max = Some(count);
        self
    }

    /// How many control frames the peer may send in a second without any data
    /// between. Default: 1,024. One more fails with 1008. The seconds are those
    /// of `handle_timeout`.
    pub const fn control_frames_max(mut self, count: u32) -> Self {
        self.control_frames_max = count;
        self
    }

    /// How to find out that the peer is gone. Default: a Ping after 20 s of
    /// silence, dead 20 s later.
    pub const fn keep_alive(mut self, keep_alive: KeepAlive) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// The application's own rule: fail with 1008 when no message came for this
    /// long, whatever Pongs came. Default: `None`. For clients that send a
    /// message every X, give 2·X.
    pub const fn message_idle(mut self, deadline: Option<Duration>) -> Self {
        self.message_idle = deadline;
        self
    }

    /// How long a message may take from its first byte to its last. Default:
    /// 60 s; `None` waits for ever. A later one fails with 1008.
    pub const fn assembly_timeout(mut self, deadline: Option<Duration>) -> Self {
        self.assembly_timeout = deadline;
        self
    }

    /// How long to wait for the peer's Close after ours. Default: 5 s.
    pub const fn close_timeout(mut self, deadline: Duration) -> Self {
        self.close_timeout = deadline;
        self
    }

    /// After how long to begin the closing handshake in any case: a server with
    /// 1012, a client with 1001. Default: `None`, never.
    pub const fn lifetime(mut self, lifetime: Option<Duration>) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Which replies the engine gives by itself. Default:
    /// [`Replies::Automatic`].
    pub const fn replies(mut self, replies: Replies) -> Self {
        self.replies = replies;
        self
    }

    /// How to compress, and how far to decompress, if that is agreed on.
    #[cfg(feature = "deflate")]
    pub fn deflate(mut self, deflate: DeflateConfig) -> Self {
        self.deflate = deflate;
        self
    }

    /// A server takes unmasked frames too, against RFC 6455 section 5.1. Default:
    /// off.
    pub const fn accept_unmasked(mut self) -> Self {
        self.leniency = self.leniency.and(Leniency::ACCEPT_UNMASKED);
        self
    }

    /// A frame's length may stand in a longer form than it needs, against RFC 6455
    /// section 5.2. Default: off.
    pub const fn accept_non_minimal_length(mut self) -> Self {
        self.leniency = self.leniency.and(Leniency::ACCEPT_NON_MINIMAL_LENGTH);
        self
    }

    pub(crate) fn fragments(&self) -> u32 {
        let per_kib = u32::try_from(self.message_len_max / 1024).unwrap_or(u32::MAX);
        self.fragments_max.unwrap_or(per_kib.max(1024))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}
