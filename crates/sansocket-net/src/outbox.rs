//! The sending side of a socket: what the engine made, and the transport that takes it.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sansocket::adapter::{Broken, CloseReply, Counters, Error, SendQueue};
use sansocket::{
    CloseCode, CloseSent, Compress, Extension, Fin, Kind, Message, Obligation, Prepared, Role,
    SendHalf, Server,
};

use crate::clock::is_nothing;
use crate::transport::Transport;

/// What is sent goes through here, in order.
#[derive(Debug)]
pub(crate) struct Outbox<T, R, X: Extension> {
    pub(crate) transport: T,
    queue: SendQueue<R, X>,
    /// How long writing may make no progress.
    stall: Duration,
    /// Since when the transport takes nothing, if it does not.
    blocked_since: Option<Instant>,
    /// Something was written since the transport was last flushed.
    unflushed: bool,
    /// Messages wait in the queue, and nothing else, until they are worth a write.
    holding: bool,
    /// Writing failed once: the peer cannot be told anything any more.
    broken: Option<Broken>,
    /// How many bytes the transport took; shared with those who cannot wait for the
    /// outbox.
    taken: Arc<AtomicU64>,
    pub(crate) taken_before: u64,
    /// When the next message of the joined socket is to be written.
    pub(crate) answer: When,
    /// A Close that the receiving side has still to be told of.
    pub(crate) told: Option<CloseSent>,
}

/// When a message is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Now,
    /// With those that are expected to follow at once.
    Soon,
}

/// Whether everything was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    All,
    Blocked,
}

impl<T: Transport, R: Role, X: Extension> Outbox<T, R, X> {
    pub(crate) fn new(transport: T, half: SendHalf<R, X>, stall: Duration) -> Self {
        Self {
            transport,
            queue: SendQueue::new(half),
            stall,
            blocked_since: None,
            unflushed: false,
            holding: false,
            broken: None,
            taken: Arc::default(),
            taken_before: 0,
            answer: When::Now,
            told: None,
        }
    }

    pub(crate) fn into_transport(self) -> T {
        self.transport
    }

    /// Takes over an obligation, unless nothing can be written any more.
    pub(crate) fn take(&mut self, obligation: Obligation) {
        self.holding = false;
        if self.broken.is_none() {
            self.queue.take(obligation);
        }
    }

    /// Encodes a message, writes it, and whatever was waiting before it.
    pub(crate) fn send(
        &mut self,
        message: Message<'_>,
        compress: Compress,
        when: When,
    ) -> Result<(), Error> {
        self.check_unbroken()?;
        let mut may_wait = when == When::Soon
            && (self.holding || (self.queue.backlog() == 0 && !self.unflushed))
            && !self.queue.half().is_owing();
        let len = message.len();
        let compressed = compress == Compress::Auto && self.queue.half().compresses(len);
        if len > COALESCED_MAX && !compressed {
            self.send_long(message)?;
        } else {
            self.queue.send(message, compress)?;
        }
        may_wait &= (1..COALESCED_MAX).contains(&self.queue.backlog());
        self.holding = may_wait;
        if may_wait { Ok(()) } else { self.flush() }
    }

    /// Writes a message from where it lies.
    fn send_long(&mut self, message: Message<'_>) -> Result<(), Error> {
        let len = message.len() as u64;
        let mut head = self.queue.begin(message.kind(), len)?;
        if R::MASKS {
            for piece in message.as_bytes().chunks(COALESCED_MAX) {
                self.queue.push_payload(&mut head, piece);
                self.write_all(&[])?;
            }
        } else {
            self.write_all(message.as_bytes())?;
        }
        Ok(self.queue.payload_written(len)?)
    }

    /// Encodes one fragment and writes it.
    pub(crate) fn send_fragment(
        &mut self,
        kind: Kind,
        fin: Fin,
        payload: &[u8],
        compress: Compress,
    ) -> Result<(), Error> {
        self.check_unbroken()?;
        self.queue.send_fragment(kind, fin, payload, compress)?;
        self.flush()
    }

    /// Encodes a Ping and writes it.
    pub(crate) fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.check_unbroken()?;
        self.queue.ping(payload)?;
        self.flush()
    }

    /// Encodes a Pong and writes it.
    pub(crate) fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.check_unbroken()?;
        self.queue.pong(payload)?;
        self.flush()
    }

    /// Encodes a Close; the receiving half must be told of it. Not yet written.
    pub(crate) fn close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
    ) -> Result<CloseSent, Error> {
        self.check_unbroken()?;
        Ok(self.queue.close(code, reason)?)
    }

    /// Answers the peer's Close, unless a Close was sent already or nothing can be.
    pub(crate) fn reply(&mut self, reply: &CloseReply) -> Option<CloseSent> {
        self.check_unbroken().ok()?;
        self.queue.reply(reply)
    }

    /// Writes everything encoded and owed, for as long as there is progress.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        while self.try_flush()? == Flushed::Blocked {}
        Ok(())
    }

    /// Writes what can be written within a slice of time, or until the first write
    /// that blocks for the transport's write timeout, which is no longer.
    pub(crate) fn try_flush(&mut self) -> Result<Flushed, Error> {
        self.check_unbroken()?;
        self.holding = false;
        let mut start: Option<Instant> = None;
        loop {
            self.queue.encode_owed();
            if self.queue.backlog() == 0 && !self.unflushed {
                return Ok(Flushed::All);
            }
            let over = start.is_some_and(|start| start.elapsed() >= SLICE);
            if over || self.write_once(&[])?.is_none() {
                return Ok(Flushed::Blocked);
            }
            if self.queue.backlog() > 0 {
                // Most are done with one write, which needs no clock.
                start.get_or_insert_with(Instant::now);
            }
        }
    }

    /// How many bytes the transport took, as it goes on.
    pub(crate) fn taken(&self) -> &Arc<AtomicU64> {
        &self.taken
    }

    /// What was sent so far.
    pub(crate) fn counters(&self) -> Counters {
        Counters { bytes_sent: self.taken.load(Ordering::Relaxed), ..self.queue.counters() }
    }

    /// Whether the transport was given up since it took nothing.
    pub(crate) fn is_stalled(&self) -> bool {
        self.broken == Some(Broken::Stalled)
    }

    /// Whether all that waits are messages that may wait for more of them.
    pub(crate) fn is_holding(&self) -> bool {
        self.holding
    }

    /// Whether the last write blocked.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked_since.is_some()
    }

    /// From now on a write may block only this long, and writing make no progress.
    pub(crate) fn hurry(&mut self, stall: Duration) {
        self.stall = self.stall.min(stall);
        self.blocked_since = None;
        // If the timeout cannot be set, the stall is noticed later.
        let _ = self.transport.set_write_timeout(Some(self.stall.min(SLICE)));
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Nothing follows what was not written whole, and nothing is kept for it.
    fn check_unbroken(&self) -> Result<(), Error> {
        self.broken.map_or(Ok(()), |broken| Err(broken.into()))
    }

    /// Writes what is unwritten and then `payload`, which is not copied.
    fn write_all(&mut self, mut payload: &[u8]) -> Result<(), Error> {
        self.check_unbroken()?;
        self.holding = false;
        while self.queue.backlog() > 0 || !payload.is_empty() || self.unflushed {
            if let Some(of_payload) = self.write_once(payload)? {
                payload = &payload[of_payload..];
            }
        }
        Ok(())
    }

    /// One write, or a flush if all is written: how much of `payload` it took, or
    /// `None` if it blocked. Fails when it has blocked for the whole stall deadline.
    fn write_once(&mut self, payload: &[u8]) -> Result<Option<usize>, Error> {
        let waiting = self.queue.unwritten();
        let backlog = waiting.len();
        let result = match (waiting, payload) {
            ([], []) => self.transport.flush().map(|()| self.unflushed = false).map(|()| 0),
            (waiting, []) => non_zero(self.transport.write(waiting)),
            (waiting, payload) => {
                let both = [IoSlice::new(waiting), IoSlice::new(payload)];
                non_zero(self.transport.write_vectored(&both))
            }
        };
        let result = match result {
            Err(error) if is_nothing(&error) => {
                let since = *self.blocked_since.get_or_insert_with(Instant::now);
                if since.elapsed() < self.stall {
                    return Ok(None);
                }
                self.broken = Some(Broken::Stalled);
                return Err(Error::WriteStalled);
            }
            result => result,
        };
        let len = result.inspect_err(|error| self.broken = Some(Broken::Io(error.kind())))?;
        self.blocked_since = None;
        self.unflushed |= len > 0;
        self.taken.fetch_add(len as u64, Ordering::Relaxed);
        self.queue.wrote(len.min(backlog));
        Ok(Some(len.saturating_sub(backlog)))
    }
}

impl<T: Transport, X: Extension> Outbox<T, Server, X> {
    /// Writes a message that was encoded before.
    pub(crate) fn send_prepared<S: AsRef<[u8]>>(
        &mut self,
        prepared: &Prepared<S>,
    ) -> Result<(), Error> {
        self.check_unbroken()?;
        let frame = self.queue.begin_prepared(prepared)?;
        self.write_all(frame)
    }
}

/// Writes all of `bytes`, for as long as there is progress.
pub(crate) fn write_all<T: Transport>(
    transport: &mut T,
    mut bytes: &[u8],
    stall: Duration,
) -> io::Result<()> {
    let mut progress = Instant::now();
    loop {
        let result = match bytes {
            [] => transport.flush().map(|()| 0),
            bytes => non_zero(transport.write(bytes)),
        };
        match result {
            Ok(0) => return Ok(()),
            Ok(len) => (bytes, progress) = (&bytes[len..], Instant::now()),
            Err(error) if !is_nothing(&error) => return Err(error),
            Err(_) if progress.elapsed() < stall => {}
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// A transport that takes nothing, and says no more about it, never will.
fn non_zero(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        written => written,
    }
}

/// A message up to this length is copied behind its head, to be written with what
/// else is waiting; a longer one of a server is written from where it lies.
const COALESCED_MAX: usize = 16 * 1024;

/// How long a single write may block before the thread looks around: for the stall
/// deadline, and for what there is to read.
pub(crate) const SLICE: Duration = Duration::from_millis(20);
