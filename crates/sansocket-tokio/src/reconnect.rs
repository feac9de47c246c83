//! Connecting again, each time later.
//!
//! When, is [`Backoff`]'s to say; here is only the waiting, and what came before.

use std::future::Future;
use std::time::Duration;

use sansocket::Backoff;
use tokio::time::{Instant, sleep};

use crate::client::random;
use crate::error::ConnectError;

/// A client's connections, one after the other: how long to wait before the next attempt.
///
/// It is for as long as the program wants to be connected. A connection that lived for long makes
/// the delays begin anew; one that was lost soon does not.
///
/// ```no_run
/// use sansocket::{Backoff, Inbox};
/// use sansocket_tokio::{ConnectOptions, Connector, Error, Reconnect};
///
/// # async fn stay() -> Result<(), Box<dyn std::error::Error>> {
/// let (connector, options) = (Connector::new(), ConnectOptions::new());
/// let mut again = Reconnect::new(Backoff::new());
/// loop {
///     // Waits before each attempt but the very first, until one succeeds or none can.
///     let mut socket = connector.connect_again("wss://a.example/", &options, &mut again).await?;
///     let mut inbox = Inbox::new();
///     let end: Error = loop {
///         match socket.receive(&mut inbox).await {
///             Ok(message) => println!("{message:?}"),
///             Err(end) => break end,
///         }
///     };
///     if !end.is_transient() {
///         return Err(end.into()); // all was said, or something is wrong
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Reconnect {
    backoff: Backoff,
    last: Last,
    random: fn() -> Result<u64, ConnectError>,
}

/// What became of the last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    /// There was none.
    Never,
    /// It opened a connection, at that time.
    Opened(Instant),
    /// It did not: so long after then comes the next.
    Failed(Instant, Duration),
    /// It is under way, or was dropped on its way.
    Begun,
}

impl Reconnect {
    /// With the delays of `backoff`. The first attempt of all has none.
    pub const fn new(backoff: Backoff) -> Self {
        Self { backoff, last: Last::Never, random: random_bits }
    }

    /// The state of the delays: how many there were, how long the next one may be.
    pub const fn backoff(&self) -> &Backoff {
        &self.backoff
    }

    /// Attempts until one succeeds, and waits before each, but for the very first: as long as
    /// [`Backoff::next_delay`] says, on top of what the server asked for. The time between
    /// a success and the next call counts as the life of the connection.
    ///
    /// If the future is dropped, the next call waits for the rest of the delay; an attempt
    /// that was dropped on its way counts as one that failed.
    ///
    /// # Errors
    ///
    /// The first [`ConnectError`] that is not [transient](ConnectError::is_transient): trying
    /// again does not help.
    pub async fn until_open<T, F>(
        &mut self,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, ConnectError>
    where
        F: Future<Output = Result<T, ConnectError>>,
    {
        loop {
            self.wait().await?;
            self.last = Last::Begun;
            let error = match attempt().await {
                Ok(opened) => {
                    self.last = Last::Opened(Instant::now());
                    return Ok(opened);
                }
                Err(error) => error,
            };
            self.failed(error.retry_after())?;
            if !error.is_transient() {
                return Err(error);
            }
        }
    }

    /// Waits until the next attempt may be.
    async fn wait(&mut self) -> Result<(), ConnectError> {
        match self.last {
            Last::Never | Last::Failed(..) => {}
            Last::Opened(since) => {
                self.backoff.lived(since.elapsed());
                self.failed(None)?;
            }
            Last::Begun => self.failed(None)?,
        }
        if let Last::Failed(when, delay) = self.last {
            sleep(delay.saturating_sub(when.elapsed())).await;
        }
        Ok(())
    }

    /// The next attempt is for later.
    fn failed(&mut self, asked: Option<Duration>) -> Result<(), ConnectError> {
        let random = (self.random)()?;
        let delay = match asked {
            Some(asked) => self.backoff.next_delay_after(asked, random),
            None => self.backoff.next_delay(random),
        };
        self.last = Last::Failed(Instant::now(), delay);
        Ok(())
    }
}

fn random_bits() -> Result<u64, ConnectError> {
    random().map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::pending;
    use std::io;

    use sansocket::adapter::Rejected;
    use sansocket::handshake::ResponseError;
    use tokio::time::{advance, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Half of each bound.
    fn halves() -> Reconnect {
        let backoff = Backoff::new().first(2 * SECOND).max(10 * SECOND).settled(60 * SECOND);
        Reconnect { random: || Ok(1 << 63), ..Reconnect::new(backoff) }
    }

    fn refused() -> ConnectError {
        io::Error::from(io::ErrorKind::ConnectionRefused).into()
    }

    fn rejected(status: u16, wait: &str) -> ConnectError {
        let fields = vec![("Retry-After".to_owned(), wait.as_bytes().to_vec())];
        ConnectError::Rejected(Box::new(Rejected { status, fields, body: Vec::new() }))
    }

    /// Attempts with these outcomes, and then a success. When each was, in seconds.
    async fn attempts(
        again: &mut Reconnect,
        outcomes: impl IntoIterator<Item = ConnectError>,
    ) -> (Vec<u64>, Result<(), ConnectError>) {
        let (start, mut times) = (Instant::now(), Vec::new());
        let mut outcomes = outcomes.into_iter();
        let result = again
            .until_open(|| {
                times.push(start.elapsed().as_secs());
                let outcome = outcomes.next().map_or(Ok(()), Err);
                async move { outcome }
            })
            .await;
        (times, result)
    }

    #[tokio::test(start_paused = true)]
    async fn the_delays_are_those_of_the_calculator() {
        let mut again = halves();
        let (times, result) = attempts(&mut again, (0..5).map(|_| refused())).await;
        // After 1, 2, 4, 5, 5 seconds.
        assert_eq!(times, [0, 1, 3, 7, 12, 17]);
        assert!(result.is_ok());
        assert_eq!(again.backoff().attempts(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_is_asked_no_sooner_than_it_wants() {
        let (times, result) = attempts(
            &mut halves(),
            [rejected(503, "5"), rejected(429, "7"), rejected(503, "86400")],
        )
        .await;
        // 5 + 1, 7 + 2, and 10 + 4, since it cannot send its clients away for ever.
        assert_eq!(times, [0, 6, 15, 29]);
        assert!(result.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_succeed_is_not_tried_again() {
        for hopeless in [
            ConnectError::TlsUnsupported,
            ResponseError::AcceptMismatch.into(),
            rejected(404, "5"),
            io::Error::from(io::ErrorKind::InvalidInput).into(),
        ] {
            let said = hopeless.to_string();
            let (times, result) = attempts(&mut halves(), [refused(), hopeless]).await;
            assert_eq!(times, [0, 1], "{said}");
            assert_eq!(result.expect_err("hopeless").to_string(), said);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_connection_that_lived_begins_anew() {
        for (lifetime, times) in [(59, [2, 6]), (60, [1, 3])] {
            let mut again = halves();
            attempts(&mut again, [refused()]).await.1.expect("the second one opens");
            advance(lifetime * SECOND).await;
            let (found, result) = attempts(&mut again, [refused()]).await;
            result.expect("opens");
            assert_eq!(found, times, "after {lifetime} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_lost_at_once_is_not_opened_at_once() {
        let mut again = halves();
        let start = Instant::now();
        for seconds in [0, 1, 3, 7, 12] {
            attempts(&mut again, []).await.1.expect("opens");
            assert_eq!(start.elapsed(), seconds * SECOND);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_goes_on_where_it_was_dropped() {
        let (mut again, start) = (halves(), Instant::now());
        let count = Cell::new(0);
        let attempt = || {
            count.set(count.get() + 1);
            let outcome = if count.get() <= 3 { Err(refused()) } else { Ok(()) };
            async move { outcome }
        };
        // Every 300 ms somebody gives up and calls again: at 0, 1, 3 and 7 s there are attempts.
        while timeout(Duration::from_millis(300), again.until_open(attempt)).await.is_err() {}
        assert_eq!((count.get(), start.elapsed()), (4, 7 * SECOND));
        assert_eq!(again.backoff().attempts(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_was_dropped_is_one_that_failed() {
        let (mut again, start) = (halves(), Instant::now());
        let late = timeout(SECOND, again.until_open(pending::<Result<(), _>>)).await;
        assert!(late.is_err());
        attempts(&mut again, []).await.1.expect("opens");
        assert_eq!((again.backoff().attempts(), start.elapsed()), (1, 2 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn delays_without_end_are_no_error() {
        let backoff = Backoff::new().first(Duration::MAX).max(Duration::MAX);
        let mut again = Reconnect { random: || Ok(u64::MAX), ..Reconnect::new(backoff) };
        let opening = attempts(&mut again, [rejected(503, "99999999999999999999")]);
        assert!(timeout(1000 * SECOND, opening).await.is_err());
    }

    #[test]
    fn randomness_differs() {
        assert_ne!(random_bits().expect("entropy"), random_bits().expect("entropy"));
    }
}
