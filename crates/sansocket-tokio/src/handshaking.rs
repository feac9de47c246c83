//! Reading and writing while a connection opens, within the engine's deadlines.

use std::future::Future;
use std::io;
use std::time::Duration;

use sansocket::{Tick, Wake};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use crate::sending::Transport;

/// Time since a handshake began.
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

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Bytes,
    End,
    /// The time is up.
    Nothing,
}

/// Reads more behind what was received, but waits no longer than until `wake`.
pub(crate) async fn read_more<S: Transport>(
    stream: &mut S,
    received: &mut Vec<u8>,
    wake: Wake,
    clock: Clock,
) -> io::Result<Read> {
    // Not into an array: that would be a part of the task for as long as it lives.
    received.reserve(READ_LEN);
    let Some(len) = within(wake.after(clock.now()), stream.read_buf(received)).await else {
        return Ok(Read::Nothing);
    };
    Ok(if len? == 0 { Read::End } else { Read::Bytes })
}

/// Writes all of `bytes`, which are few, in the time that writing may make no progress.
pub(crate) async fn write_all<S: Transport>(
    stream: &mut S,
    bytes: &[u8],
    stall: Duration,
) -> io::Result<()> {
    let write = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    within(Some(stall), write).await.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
}

/// What comes of it within that time, if anything does.
pub(crate) async fn within<T>(
    time: Option<Duration>,
    future: impl Future<Output = T>,
) -> Option<T> {
    match time {
        Some(time) => timeout(time, future).await.ok(),
        None => Some(future.await),
    }
}

/// How much to have room for when reading.
pub(crate) const READ_LEN: usize = 4096;
