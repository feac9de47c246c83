//! The operating system's monotonic clock as the engine's ticks, and its
//! deadlines as socket timeouts.

use std::io;
use std::time::{Duration, Instant};

use sansocket::Tick;

use crate::transport::Transport;

/// Ticks since the clock was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Tick {
        Tick::ZERO + self.0.elapsed()
    }
}

/// The read timeout of a socket, set only when it must change.
///
/// A timeout is rounded down to a power of two of milliseconds, so that under load,
/// where the deadline moves with every message, the same one does again and again
/// without a system call. To wake early is harmless; a wait of `t` takes at most
/// about log₂ `t` wake-ups.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadTimeout {
    set: Option<Option<Duration>>,
    max: Option<Duration>,
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Bytes(usize),
    End,
    /// The time is up, or a signal came.
    Nothing,
}

impl ReadTimeout {
    /// No read is to wait longer than `max`.
    pub(crate) fn new(max: Option<Duration>) -> Self {
        Self { set: None, max }
    }

    /// Reads, but returns after `wait` at the latest, and one millisecond at least.
    pub(crate) fn read<T: Transport>(
        &mut self,
        transport: &mut T,
        buf: &mut [u8],
        wait: Option<Duration>,
    ) -> io::Result<Read> {
        let wait = match (wait, self.max) {
            (Some(wait), Some(max)) => Some(wait.min(max)),
            (wait, max) => wait.or(max),
        };
        let timeout = wait.map(round_down);
        if self.set != Some(timeout) {
            transport.set_read_timeout(timeout)?;
            self.set = Some(timeout);
        }
        match transport.read(buf) {
            Ok(0) => Ok(Read::End),
            Ok(len) => Ok(Read::Bytes(len)),
            Err(error) if is_nothing(&error) => Ok(Read::Nothing),
            Err(error) => Err(error),
        }
    }
}

/// Whether the error says only that nothing could be read or written for now.
pub(crate) fn is_nothing(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => true,
        // What Windows says of a timeout. On Unix the system says it of a connection
        // that died.
        io::ErrorKind::TimedOut => cfg!(not(unix)) || error.raw_os_error().is_none(),
        _ => false,
    }
}

fn round_down(wait: Duration) -> Duration {
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(1 << millis.ilog2())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_powers_of_two_and_never_zero_or_late() {
        for (wait, expected) in [(0, 1), (1, 1), (2, 2), (3, 2), (1000, 512), (20_000, 16_384)] {
            assert_eq!(round_down(Duration::from_millis(wait)), Duration::from_millis(expected));
        }
        assert!(round_down(Duration::MAX) < Duration::MAX);
    }
}
