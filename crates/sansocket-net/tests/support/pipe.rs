//! A stream in memory, both ways.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::PATIENCE;

/// One end. Reading blocks; dropping an end is the end of the stream for the other.
#[derive(Debug)]
pub(crate) struct Pipe {
    incoming: Arc<Lane>,
    outgoing: Arc<Lane>,
    /// What was written and not flushed; `None` writes through.
    pub(crate) buffer: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Lane {
    state: Mutex<(VecDeque<u8>, bool)>,
    changed: Condvar,
}

pub(crate) fn pipe() -> (Pipe, Pipe) {
    let (there, back) = (Arc::new(Lane::default()), Arc::new(Lane::default()));
    let first = Pipe { incoming: back.clone(), outgoing: there.clone(), buffer: None };
    (first, Pipe { incoming: there, outgoing: back, buffer: None })
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, (VecDeque<u8>, bool)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, bytes: &[u8]) {
        self.state().0.extend(bytes);
        self.changed.notify_all();
    }

    fn end(&self) {
        self.state().1 = true;
        self.changed.notify_all();
    }
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let nothing = |(bytes, ended): &mut (VecDeque<u8>, bool)| bytes.is_empty() && !*ended;
        let waited =
            self.incoming.changed.wait_timeout_while(self.incoming.state(), PATIENCE, nothing);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return Err(io::Error::other("the test hangs"));
        }
        state.0.read(buf)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.buffer {
            Some(buffer) => buffer.extend_from_slice(bytes),
            None => self.outgoing.push(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(buffer) = &mut self.buffer {
            self.outgoing.push(buffer);
            buffer.clear();
        }
        Ok(())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.incoming.end();
        self.outgoing.end();
    }
}
