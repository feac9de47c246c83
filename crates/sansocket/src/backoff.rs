//! When to connect again (RFC 6455 section 7.2.3).
//!
//! A server that restarts loses all its clients at once. If they came back at once too,
//! and again and again while it starts, it would never be up. So each waits for a random
//! time, out of an interval that doubles with each failure up to a limit: the *truncated
//! exponential backoff with full jitter* that the RFC asks for.
//!
//! It is a calculation: it knows no clock, no connection and no randomness. Those come as
//! arguments, as everywhere in this crate.

use core::time::Duration;

/// How long to wait before the next attempt.
///
/// ```
/// use core::time::Duration;
/// use sansocket::Backoff;
///
/// let mut backoff = Backoff::new().first(Duration::from_secs(1)).max(Duration::from_secs(20));
/// # let random = || u64::MAX;
/// // The connection broke. `random` is 64 fresh random bits.
/// assert!(backoff.next_delay(random()) <= Duration::from_secs(1));
/// // And it could not be opened again.
/// assert!(backoff.next_delay(random()) <= Duration::from_secs(2));
/// // The server answered 503 with `Retry-After: 5`.
/// let wait = backoff.next_delay_after(Duration::from_secs(5), random());
/// assert!(wait >= Duration::from_secs(5) && wait <= Duration::from_secs(9));
/// // Connected again, and for long: what comes then is a new story.
/// backoff.lived(Duration::from_secs(3600));
/// assert_eq!(backoff.bound(), Duration::from_secs(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Backoff {
    first: Duration,
    max: Duration,
    settled: Duration,
    /// The bound after the last delay, if there was one.
    next: Option<Duration>,
    /// Delays given since the last connection that settled.
    attempts: u32,
}

impl Backoff {
    /// From a second at most for the first delay, up to a minute at most; a
    /// connection has settled when it lived for a minute.
    pub const fn new() -> Self {
        Self {
            first: Duration::from_secs(1),
            max: Duration::from_secs(60),
            settled: Duration::from_secs(60),
            next: None,
            attempts: 0,
        }
    }

    /// The longest first delay. Each further one may be twice as long as the one
    /// before.
    pub const fn first(mut self, bound: Duration) -> Self {
        self.first = bound;
        self
    }

    /// The longest delay of all.
    pub const fn max(mut self, bound: Duration) -> Self {
        self.max = bound;
        self
    }

    /// How long a connection must have lived for the delays to begin anew. Less, and
    /// a server that accepts and drops everybody would be asked as fast as it drops.
    pub const fn settled(mut self, lifetime: Duration) -> Self {
        self.settled = lifetime;
        self
    }

    /// The bound of the next delay.
    pub fn bound(&self) -> Duration {
        self.next.unwrap_or(self.first).min(self.max)
    }

    /// How many delays were given since a connection last settled.
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The time to wait before the next attempt: anything from nothing to
    /// [`bound`](Self::bound), evenly, as `random` says, which must be 64 fresh random
    /// bits. They need not be secret.
    pub fn next_delay(&mut self, random: u64) -> Duration {
        let bound = self.bound();
        self.next = Some(bound.saturating_mul(2));
        self.attempts = self.attempts.saturating_add(1);
        part(bound, random)
    }

    /// As [`next_delay`](Self::next_delay), on top of a time that the server asked for
    /// with `Retry-After`. More than [`max`](Self::max) is not heeded: a server
    /// cannot send its clients away for ever.
    pub fn next_delay_after(&mut self, asked: Duration, random: u64) -> Duration {
        asked.min(self.max).saturating_add(self.next_delay(random))
    }

    /// A connection was open for this long, and is no more.
    pub fn lived(&mut self, lifetime: Duration) {
        if lifetime >= self.settled {
            (self.next, self.attempts) = (None, 0);
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

/// `random` in 2⁶⁴ of `bound`, rounded down.
fn part(bound: Duration, random: u64) -> Duration {
    let scale = |whole: u64| u128::from(whole) * u128::from(random);
    let seconds = scale(bound.as_secs());
    // What is left of a second after the division, in nanoseconds, is worth keeping: a
    // bound is often one second.
    let fraction = u128::from(nanos_of(seconds)) + (scale(u64::from(bound.subsec_nanos())) >> 64);
    let fraction = Duration::from_nanos(u64::try_from(fraction).unwrap_or(u64::MAX));
    Duration::from_secs(u64::try_from(seconds >> 64).unwrap_or(u64::MAX)).saturating_add(fraction)
}

/// The lower half of a fixed-point number of seconds, in nanoseconds.
fn nanos_of(seconds: u128) -> u64 {
    let fraction = seconds & u128::from(u64::MAX);
    u64::try_from((fraction * 1_000_000_000) >> 64).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    // 6455-7.2.3-04
    #[test]
    fn the_default_is_a_new_one() {
        assert_eq!(Backoff::default(), Backoff::new());
    }

    #[test]
    fn bounds_double_up_to_the_limit_and_stay() {
        let mut backoff = Backoff::new().first(SECOND).max(10 * SECOND);
        for bound in [1, 2, 4, 8, 10, 10] {
            assert_eq!(backoff.bound(), bound * SECOND);
            let _ = backoff.next_delay(7);
        }
        assert_eq!(backoff.attempts(), 6);
        for _ in 0..100 {
            let _ = backoff.next_delay(7);
        }
        assert_eq!(backoff.bound(), 10 * SECOND);
    }

    // 6455-7.2.3-02, 6455-7.2.3-03
    #[test]
    fn delays_are_anywhere_between_nothing_and_the_bound() {
        for (bound, random, nanos) in [
            (SECOND, 0, 0),
            (SECOND, 1 << 63, 500_000_000),
            (SECOND, u64::MAX, 999_999_999),
            (3 * SECOND, 1 << 62, 750_000_000),
            (Duration::from_millis(1500), 1 << 63, 750_000_000),
            (Duration::from_nanos(1), u64::MAX, 0),
            (Duration::ZERO, u64::MAX, 0),
        ] {
            let delay = Backoff::new().first(bound).next_delay(random);
            assert_eq!(delay, Duration::from_nanos(nanos), "{bound:?} {random:x}");
        }
        let longest = Backoff::new().first(Duration::MAX).max(Duration::MAX).next_delay(u64::MAX);
        assert!(longest > Duration::MAX / 2);
    }

    #[test]
    fn a_connection_that_lived_begins_anew_and_a_short_one_does_not() {
        let mut backoff = Backoff::new().settled(5 * SECOND);
        for _ in 0..3 {
            let _ = backoff.next_delay(0);
        }
        backoff.lived(5 * SECOND - Duration::from_nanos(1));
        assert_eq!(backoff.bound(), 8 * SECOND);
        backoff.lived(5 * SECOND);
        assert_eq!((backoff.attempts(), backoff.bound()), (0, SECOND));
    }

    #[test]
    fn what_the_server_asks_for_comes_first_and_has_a_limit() {
        let backoff = Backoff::new().first(SECOND).max(10 * SECOND);
        for (asked, random, expected) in [(3, 0, 3_000), (3, 1 << 63, 3_500), (3600, 0, 10_000)] {
            let delay = { backoff }.next_delay_after(asked * SECOND, random);
            assert_eq!(delay, Duration::from_millis(expected));
        }
    }
}
