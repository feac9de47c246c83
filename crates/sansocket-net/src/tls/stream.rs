//! TLS over a TCP stream, for one thread or two.
//!
//! Three locks, none of which is held in waiting for what another thread must do: the
//! session's, for as long as encrypting or decrypting takes; the reader's, which blocks
//! in TCP for other readers only; the writer's, likewise. A reader that has an alert to
//! send does so if nobody writes, and else leaves it to whoever does.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use rustls::Connection;

use super::incoming::Incoming;
use super::outgoing::Outgoing;
use crate::outbox::SLICE;
use crate::transport::{SplitTransport, Transport};

/// TLS over TCP, its handshake done.
///
/// It comes from a [`TlsAcceptor`](super::TlsAcceptor) or a
/// [`TlsConnector`](super::TlsConnector). It takes at most 100 KiB, whatever the peer does.
///
/// A read gives [`io::ErrorKind::UnexpectedEof`] if TCP ended and the peer had not said
/// so inside TLS: somebody between may have cut the rest off. `shutdown_write` says so to
/// the peer; dropping it does not.
pub struct TlsStream {
    shared: Arc<Shared>,
    /// What this handle asked for last.
    read_timeout: Option<Duration>,
}

struct Shared {
    tcp: TcpStream,
    session: Mutex<Connection>,
    incoming: Mutex<Incoming>,
    outgoing: Mutex<Outgoing>,
    /// The end was said, or is about to be: nothing more is written.
    ending: AtomicBool,
}

impl TlsStream {
    pub(super) fn new(tcp: TcpStream, mut session: Connection) -> Self {
        session.set_buffer_limit(Some(RECORD_LEN));
        let shared = Shared {
            tcp,
            session: Mutex::new(session),
            incoming: Mutex::new(Incoming::new()),
            outgoing: Mutex::default(),
            ending: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), read_timeout: None }
    }

    /// The TCP stream, for its addresses and options. To read or write there breaks
    /// the connection.
    pub fn tcp(&self) -> &TcpStream {
        &self.shared.tcp
    }

    /// Looks at the TLS session: its version, cipher, protocol, and the peer's
    /// certificates. Other threads wait meanwhile.
    pub fn session<S>(&self, look: impl FnOnce(&Connection) -> S) -> S {
        look(&lock(&self.shared.session))
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("tcp", &self.shared.tcp).finish_non_exhaustive()
    }
}

impl Read for TlsStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let Shared { tcp, session, incoming, .. } = &*self.shared;
        let read = lock(incoming).read(tcp, self.read_timeout, session, buf);
        if lock(session).wants_write() {
            self.shared.answer();
        }
        read
    }
}

impl Write for TlsStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let Shared { tcp, session, .. } = &*self.shared;
        self.shared.writing()?.write(tcp, session, bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        let Shared { tcp, session, .. } = &*self.shared;
        let mut outgoing = lock(&self.shared.outgoing);
        // The end took along what it could.
        if self.shared.is_ending() { outgoing.written() } else { outgoing.flush(tcp, session) }
    }
}

impl Transport for TlsStream {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.shared.tcp.set_read_timeout(timeout)?;
        self.read_timeout = timeout;
        Ok(())
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.shared.tcp.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.shared.end(Shutdown::Write)
    }
}

impl SplitTransport for TlsStream {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { shared: self.shared.clone(), read_timeout: self.read_timeout })
    }

    fn shutdown_both(&mut self) -> io::Result<()> {
        self.shared.end(Shutdown::Both)
    }
}

impl Shared {
    /// The writer's lock, unless nothing may be written any more.
    fn writing(&self) -> io::Result<MutexGuard<'_, Outgoing>> {
        let outgoing = lock(&self.outgoing);
        if self.is_ending() { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(outgoing) }
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Writes what reading gave rise to: an alert. Best effort: whoever is writing
    /// takes it along.
    fn answer(&self) {
        if let Some(mut outgoing) = self.try_writing() {
            let _ = outgoing.flush(&self.tcp, &self.session);
        }
    }

    /// Says that nothing follows, if the socket takes that soon, and ends TCP.
    fn end(&self, how: Shutdown) -> io::Result<()> {
        // A writer sees this before it can have the lock again.
        if !self.ending.swap(true, Ordering::Relaxed)
            && let Some(mut outgoing) = self.writing_soon()
        {
            let _ = self.tcp.set_write_timeout(Some(SLICE));
            lock(&self.session).send_close_notify();
            // If it cannot be said, the end comes without it.
            let _ = outgoing.flush(&self.tcp, &self.session);
        }
        self.tcp.shutdown(how)
    }

    /// The writer's lock, if whoever has it is soon done. One that blocks is ended with
    /// TCP.
    fn writing_soon(&self) -> Option<MutexGuard<'_, Outgoing>> {
        let start = Instant::now();
        loop {
            let outgoing = self.try_writing();
            if outgoing.is_some() || start.elapsed() > 2 * SLICE {
                return outgoing;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn try_writing(&self) -> Option<MutexGuard<'_, Outgoing>> {
        match self.outgoing.try_lock() {
            Ok(outgoing) => Some(outgoing),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// What is behind the lock has no state that a panic could leave half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How much plaintext is encrypted at a time (RFC 8446 section 5.1).
const RECORD_LEN: usize = 16 * 1024;
