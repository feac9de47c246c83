//! How an open connection is driven.

use core::time::Duration;

use crate::config::Config;

/// How a WebSocket is driven: the engine's configuration, and what only an adapter
/// can know.
///
/// ```
/// use core::time::Duration;
/// use sansocket::adapter::Settings;
///
/// let settings = Settings::new().write_stall(Duration::from_secs(5));
/// assert_ne!(settings, Settings::default());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Settings {
    config: Config,
    write_stall: Duration,
    coalesce: Duration,
    queue_len_max: usize,
}

impl Settings {
    /// The engine's defaults, 30 s for a write without progress, a millisecond for answers
    /// to be written together, and a queue of 64 KiB.
    pub const fn new() -> Self {
        Self {
            config: Config::new(),
            write_stall: Duration::from_secs(30),
            coalesce: Duration::from_millis(1),
            queue_len_max: 64 * 1024,
        }
    }

    /// Limits, deadlines and switches of the engine. With
    /// [`Replies::Manual`](crate::Replies::Manual) or `CloseOnly` Pings stay
    /// unanswered: only messages are delivered by adapters. The peer's Close is always
    /// answered.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// How long writing may make no progress before the connection is given up.
    /// Default: 30 s; at least one millisecond.
    pub fn write_stall(mut self, stall: Duration) -> Self {
        self.write_stall = stall.max(Duration::from_millis(1));
        self
    }

    /// How long after a read its messages may be received for their answers to wait for each
    /// other, to be written together. Default: one millisecond; zero: each message is written at
    /// once. How long an answer then waits is for the program: until its next call.
    ///
    /// For blocking adapters; an asynchronous one writes when its task has nothing else to do.
    pub fn coalesce(mut self, time: Duration) -> Self {
        self.coalesce = time;
        self
    }

    /// How many bytes may wait to be written before sending waits too. Default: 64 KiB. A
    /// message that is longer waits for an empty queue. For adapters with a queue.
    pub fn queue_len_max(mut self, bytes: usize) -> Self {
        self.queue_len_max = bytes;
        self
    }

    /// What the engine is given.
    pub fn engine(&self) -> &Config {
        &self.config
    }

    /// How long writing may make no progress.
    pub fn write_stall_time(&self) -> Duration {
        self.write_stall
    }

    /// How long answers may wait for each other.
    pub fn coalesce_time(&self) -> Duration {
        self.coalesce
    }

    /// How many bytes may wait to be written.
    pub fn queue_len(&self) -> usize {
        self.queue_len_max
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}
