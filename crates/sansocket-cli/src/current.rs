//! The connection of the moment, for those who send while it is opened, lost and opened
//! again.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sansocket::deflate::Deflate;
use sansocket::{ChaChaKeys, Client, CloseCode};
use sansocket_net::{Sender, Stream};

pub(crate) type Sending = Sender<Stream, Client<ChaChaKeys>, Deflate>;

/// Shared by the thread that connects and receives, the one that sends lines, and the
/// one that signals come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Current {
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    sender: Option<Sending>,
    /// The how many-th it is.
    number: u64,
    /// All was said.
    over: bool,
}

impl Current {
    /// One was opened. It is closed at once if nobody wants it any more.
    pub(crate) fn opened(&self, sender: Sending) {
        let mut state = self.state();
        if state.over {
            close(&sender);
        }
        state.number += 1;
        state.sender = Some(sender);
        self.shared.1.notify_all();
    }

    /// It is no more.
    pub(crate) fn lost(&self) {
        self.state().sender = None;
    }

    /// Waits for a connection after this one; `None` if there will be none.
    pub(crate) fn after(&self, number: u64) -> Option<(u64, Sending)> {
        let waiting = |state: &mut State| !state.over && !state.is_after(number);
        let state = self.shared.1.wait_while(self.state(), waiting);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let sender = state.sender.clone().filter(|_| state.is_after(number))?;
        Some((state.number, sender))
    }

    /// All was said: closes what is open, and nothing is opened again.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.over = true;
        let sender = state.sender.clone();
        drop(state);
        self.shared.1.notify_all();
        if let Some(sender) = sender {
            close(&sender);
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state().over
    }

    /// Waits, but not beyond the end.
    pub(crate) fn pause(&self, delay: Duration) {
        drop(self.shared.1.wait_timeout_while(self.state(), delay, |state| !state.over));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_after(&self, number: u64) -> bool {
        self.sender.is_some() && self.number > number
    }
}

fn close(sender: &Sending) {
    // The end is reported where it is received.
    let _ = sender.close(CloseCode::NORMAL, "");
}
