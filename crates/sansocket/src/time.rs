//! Time as an argument: a point in time that the caller measures, never we.
//!
//! This module knows no clock. The embedder picks any monotonic one and an
//! epoch of its own, and says with each `handle_timeout` how late it is.

use core::ops::{Add, Sub};
use core::time::Duration;

/// A point in time, in microseconds since an epoch that the embedder chooses.
///
/// Only differences matter. Ticks of different connections may have different
/// epochs. Adding a [`Duration`] and subtracting an earlier tick saturate, so no
/// clock value can make the engine panic.
///
/// ```
/// use core::time::Duration;
/// use sansocket::Tick;
///
/// let start = Tick::from_millis(40);
/// let later = start + Duration::from_millis(2);
/// assert_eq!(later, Tick::from_micros(42_000));
/// assert_eq!(later - start, Duration::from_millis(2));
/// assert_eq!(start - later, Duration::ZERO); // never negative
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(u64);

impl Tick {
    /// The embedder's epoch.
    pub const ZERO: Self = Self(0);

    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// A tick `micros` microseconds after the epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A tick `millis` milliseconds after the epoch, saturating.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }
}

impl Add<Duration> for Tick {
    type Output = Self;

    /// Saturates at the end of time, which no deadline ever reaches.
    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl Sub for Tick {
    type Output = Duration;

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// When `handle_timeout` wants to be called.
///
/// Calling it early, late or twice is harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// At once: something was started that has no deadline yet, or input came
    /// that has no time stamp yet.
    Now,
    /// At this tick, if nothing happens before.
    At(Tick),
    /// No deadline is running.
    Never,
}

impl Wake {
    /// How long to sleep when it is `now`: `None` is for ever.
    ///
    /// ```
    /// use core::time::Duration;
    /// use sansocket::{Tick, Wake};
    ///
    /// let wake = Wake::At(Tick::from_millis(50));
    /// assert_eq!(wake.after(Tick::from_millis(30)), Some(Duration::from_millis(20)));
    /// assert_eq!(Wake::Never.after(Tick::ZERO), None);
    /// ```
    pub fn after(self, now: Tick) -> Option<Duration> {
        match self {
            Self::Now => Some(Duration::ZERO),
            Self::At(tick) => Some(tick - now),
            Self::Never => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sleeps_until_the_wake_up_and_no_longer() {
        let now = Tick::from_millis(30);
        assert_eq!(Wake::Now.after(now), Some(Duration::ZERO));
        assert_eq!(Wake::At(Tick::from_millis(50)).after(now), Some(Duration::from_millis(20)));
        assert_eq!(Wake::At(Tick::ZERO).after(now), Some(Duration::ZERO));
        assert_eq!(Wake::Never.after(now), None);
    }
}
