//! A transport in memory whose calls go wrong as told.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sansocket_net::{SplitTransport, Transport};

/// What goes wrong in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An error of this kind; nothing is read or written.
    Error(ErrorKind),
    /// A write that takes nothing; a read that finds the end.
    Zero,
}

/// What the other end sends: what one read after the other gives, and then the end.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Bytes(Vec<u8>),
    Error(ErrorKind),
    /// Nothing until so many bytes were written.
    UntilWritten(usize),
    /// Bytes made of what was written.
    Answer(fn(&[u8]) -> Vec<u8>),
}

#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    shared: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    script: VecDeque<Step>,
    /// What is left of the step under way.
    bytes: VecDeque<u8>,
    /// At most so many bytes a read, and a write.
    read_len_max: usize,
    write_len_max: usize,
    /// The call with this number goes wrong.
    fault: Option<(usize, Fault)>,
    /// Reads and writes so far.
    calls: usize,
    written: Vec<u8>,
    ended: bool,
}

impl Scripted {
    pub(crate) fn new(script: impl IntoIterator<Item = Step>) -> Self {
        let inner = Inner {
            script: script.into_iter().collect(),
            read_len_max: usize::MAX,
            write_len_max: usize::MAX,
            ..Inner::default()
        };
        Self { shared: Arc::new(Mutex::new(inner)) }
    }

    pub(crate) fn lens(self, read_len_max: usize, write_len_max: usize) -> Self {
        let mut inner = self.inner();
        (inner.read_len_max, inner.write_len_max) = (read_len_max, write_len_max);
        drop(inner);
        self
    }

    pub(crate) fn fault(self, call: usize, fault: Fault) -> Self {
        self.inner().fault = Some((call, fault));
        self
    }

    /// Everything written so far.
    pub(crate) fn written(&self) -> Vec<u8> {
        self.inner().written.clone()
    }

    /// How many reads and writes there were.
    pub(crate) fn calls(&self) -> usize {
        self.inner().calls
    }

    /// Whether the sending direction was ended.
    pub(crate) fn is_ended(&self) -> bool {
        self.inner().ended
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Counts a call, and says whether it goes wrong.
    fn call(&mut self) -> Option<Fault> {
        self.calls += 1;
        self.fault.filter(|(call, _)| *call + 1 == self.calls).map(|(_, fault)| fault)
    }
}

impl Read for Scripted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.inner();
        match inner.call() {
            Some(Fault::Error(kind)) => return Err(kind.into()),
            Some(Fault::Zero) => {
                (inner.script, inner.bytes) = Default::default();
                return Ok(0);
            }
            None => {}
        }
        if inner.bytes.is_empty() {
            match inner.script.pop_front() {
                None => return Ok(0),
                Some(Step::Error(kind)) => return Err(kind.into()),
                Some(Step::UntilWritten(len)) => {
                    if inner.written.len() < len {
                        inner.script.push_front(Step::UntilWritten(len));
                    }
                    return Err(ErrorKind::WouldBlock.into());
                }
                Some(Step::Answer(answer)) => inner.bytes = answer(&inner.written).into(),
                Some(Step::Bytes(bytes)) => inner.bytes = bytes.into(),
            }
        }
        let len = buf.len().min(inner.read_len_max);
        inner.bytes.read(&mut buf[..len])
    }
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.inner();
        match inner.call() {
            Some(Fault::Error(kind)) => return Err(kind.into()),
            Some(Fault::Zero) => return Ok(0),
            None => {}
        }
        assert!(!inner.ended, "a write behind the end");
        let len = bytes.len().min(inner.write_len_max);
        inner.written.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let max = self.inner().write_len_max;
        let all = bufs.iter().flat_map(|buf| buf.iter().copied());
        self.write(&all.take(max).collect::<Vec<u8>>())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Scripted {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO));
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO));
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.inner().ended = true;
        Ok(())
    }
}

impl SplitTransport for Scripted {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn shutdown_both(&mut self) -> io::Result<()> {
        self.shutdown_write()
    }
}
