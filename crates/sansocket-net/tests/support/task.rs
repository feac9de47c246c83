//! Threads whose end is waited for, but not for ever.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// So long may anything take; far more than it does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A thread and the value it is to come to.
#[derive(Debug)]
pub(crate) struct Task<T> {
    value: mpsc::Receiver<T>,
    thread: JoinHandle<()>,
}

pub(crate) fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Task<T> {
    let (send, value) = mpsc::channel();
    let thread = thread::spawn(move || {
        // Nobody waits any more if it failed before.
        let _ = send.send(work());
    });
    Task { value, thread }
}

impl<T> Task<T> {
    /// The value; fails if the thread does, or if it hangs.
    #[track_caller]
    pub(crate) fn join(self) -> T {
        match self.value.recv_timeout(PATIENCE) {
            Ok(value) => value,
            Err(RecvTimeoutError::Timeout) => panic!("the thread hangs"),
            Err(RecvTimeoutError::Disconnected) => match self.thread.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => panic!("the thread ended without its value"),
            },
        }
    }
}

/// What an application does that has no time for its socket.
pub(crate) fn busy_until_past(time: Duration) {
    let start = Instant::now();
    while start.elapsed() <= time {
        std::hint::spin_loop();
    }
}
