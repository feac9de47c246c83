//! The sending side of a socket: the engine's sending half, the bytes that it
//! made, and the transport that takes them.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sansocket::frame::CONTROL_FRAME_LEN_MAX;
use sansocket::{
    CloseCode, CloseSent, Compress, Extension, Fin, Kind, Message, Obligation, Prepared, Role,
    SendError, SendHalf, Server, Transmit,
};

use crate::clock::is_nothing;
use crate::error::Error;
use crate::pump::{Counters, Otherwise, Reply};
use crate::transport::Transport;

/// What is sent goes through here, in order.
#[derive(Debug)]
pub(crate) struct Outbox<T, R, X: Extension> {
    pub(crate) transport: T,
    half: SendHalf<R, X>,
    /// Encoded, and written up to `written`.
    bytes: Vec<u8>,
    written: usize,
    /// How long writing may make no progress.
    stall: Duration,
    /// Since when the transport takes nothing, if it does not.
    blocked_since: Option<Instant>,
    /// Something was written since the transport was last flushed.
    unflushed: bool,
    /// Messages wait in `bytes`, and nothing else, until they are worth a write.
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
    counters: Counters,
}

/// Why nothing can be written any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Stalled,
    Io(io::ErrorKind),
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Stalled => Self::WriteStalled,
            Broken::Io(kind) => Self::Io(kind.into()),
        }
    }
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
            half,
            bytes: Vec::new(),
            written: 0,
            stall,
            blocked_since: None,
            unflushed: false,
            holding: false,
            broken: None,
            taken: Arc::default(),
            taken_before: 0,
            answer: When::Now,
            told: None,
            counters: Counters::default(),
        }
    }

    pub(crate) fn into_transport(self) -> T {
        self.transport
    }

    /// Takes over an obligation. A Pong is encoded at once, so that each Ping has
    /// its own, unless the peer lets too many pile up; then the latest stands for
    /// all (RFC 6455 section 5.5.3).
    pub(crate) fn take(&mut self, obligation: Obligation) {
        self.half.take(obligation);
        self.holding = false;
        if obligation.is_pong() {
            self.encode_owed();
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
            && (self.holding || (self.backlog() == 0 && !self.unflushed))
            && !self.half.is_owing();
        let len = message.len();
        let compressed = compress == Compress::Auto && self.half.compresses(len);
        if len > COALESCED_MAX && !compressed {
            // A head would continue the message, and end it.
            if let Some(kind) = self.half.message_under_way() {
                return Err(SendError::MessageUnderWay { kind }.into());
            }
            let mut head = self.half.head(message.kind(), Fin::Last, len as u64)?;
            self.bytes.extend_from_slice(head.as_bytes());
            if R::MASKS {
                for piece in message.as_bytes().chunks(COALESCED_MAX) {
                    let start = self.bytes.len();
                    self.bytes.extend_from_slice(piece);
                    head.mask(&mut self.bytes[start..]);
                    self.write_all(&[])?;
                }
            } else {
                self.write_all(message.as_bytes())?;
            }
            self.half.payload_written(len as u64)?;
        } else {
            self.half.append_with(message, compress, &mut self.bytes)?;
        }
        self.counters.messages_sent += 1;
        self.counters.frames_sent += 1;
        may_wait &= (1..COALESCED_MAX).contains(&self.backlog());
        self.holding = may_wait;
        if may_wait { Ok(()) } else { self.flush() }
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
        let room = self.half.send_len_max(payload.len());
        self.encode(room, |half, out| half.send_fragment_with(kind, fin, payload, compress, out))?;
        self.counters.frames_sent += 1;
        self.counters.messages_sent += u64::from(fin == Fin::Last);
        self.flush()
    }

    /// Encodes a Ping and writes it.
    pub(crate) fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.send_control(|half, out| half.ping(payload, out))
    }

    /// Encodes a Pong and writes it.
    pub(crate) fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.send_control(|half, out| half.pong(payload, out))
    }

    fn send_control(
        &mut self,
        encode: impl FnOnce(&mut SendHalf<R, X>, &mut [u8]) -> Result<usize, SendError>,
    ) -> Result<(), Error> {
        self.check_unbroken()?;
        self.encode(CONTROL_FRAME_LEN_MAX, encode)?;
        self.counters.frames_sent += 1;
        self.flush()
    }

    /// Encodes a Close; the receiving half must be told of it. Not yet written.
    pub(crate) fn close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
    ) -> Result<CloseSent, Error> {
        self.check_unbroken()?;
        let mut told = None;
        self.encode(CONTROL_FRAME_LEN_MAX, |half, out| {
            let (len, sent) = half.close(code, reason, out)?;
            told = Some(sent);
            Ok(len)
        })?;
        self.counters.frames_sent += 1;
        Ok(told.ok_or(SendError::Closed)?)
    }

    /// Answers the peer's Close. Refused if a Close was sent already, or the code is
    /// not ours to send: then the engine's own answer stands, and without one the
    /// Close is empty.
    pub(crate) fn reply(&mut self, reply: &Reply) -> Option<CloseSent> {
        let sent = self.close(reply.code, &reply.reason);
        match reply.otherwise {
            Otherwise::Engine => sent.ok(),
            Otherwise::Empty => sent.or_else(|_| self.close(None, "")).ok(),
        }
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
            self.encode_owed();
            if self.backlog() == 0 && !self.unflushed {
                return Ok(Flushed::All);
            }
            let over = start.is_some_and(|start| start.elapsed() >= SLICE);
            if over || self.write_once(&[])?.is_none() {
                return Ok(Flushed::Blocked);
            }
            if self.backlog() > 0 {
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
        Counters { bytes_sent: self.taken.load(Ordering::Relaxed), ..self.counters }
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

    fn backlog(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Encodes with `encode` to the end of `bytes`, into at most `room` bytes.
    fn encode(
        &mut self,
        room: usize,
        encode: impl FnOnce(&mut SendHalf<R, X>, &mut [u8]) -> Result<usize, SendError>,
    ) -> Result<(), SendError> {
        let start = self.bytes.len();
        self.bytes.resize(start + room, 0);
        let encoded = encode(&mut self.half, &mut self.bytes[start..]);
        self.bytes.truncate(start + *encoded.as_ref().unwrap_or(&0));
        encoded.map(drop)
    }

    /// What is owed stays in the engine, where the latest Pong stands for all, as
    /// long as too much is waiting or nothing can be written any more.
    fn encode_owed(&mut self) {
        let mut owed = [0; CONTROL_FRAME_LEN_MAX];
        while self.backlog() < BACKLOG_MAX
            && self.broken.is_none()
            && let Transmit::Bytes(bytes) = self.half.poll_transmit(&mut owed)
        {
            self.counters.frames_sent += control_frames(bytes, R::MASKS);
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Writes `bytes` and then `payload`, which is not copied.
    fn write_all(&mut self, mut payload: &[u8]) -> Result<(), Error> {
        self.check_unbroken()?;
        self.holding = false;
        while self.backlog() > 0 || !payload.is_empty() || self.unflushed {
            if let Some(of_payload) = self.write_once(payload)? {
                payload = &payload[of_payload..];
            }
        }
        Ok(())
    }

    /// One write, or a flush if all is written: how much of `payload` it took, or
    /// `None` if it blocked. Fails when it has blocked for the whole stall deadline.
    fn write_once(&mut self, payload: &[u8]) -> Result<Option<usize>, Error> {
        let backlog = self.backlog();
        let waiting = &self.bytes[self.written..];
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
        self.written += len.min(backlog);
        // Moved at most as often as written: the rest is no longer than what went.
        if self.written >= self.bytes.len() / 2 {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        // What a large message took while it was compressed is not kept for the next.
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_MAX {
            self.bytes = Vec::new();
        }
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
        let frame = self.half.send_prepared(prepared)?;
        self.counters.messages_sent += 1;
        self.counters.frames_sent += 1;
        self.encode_owed();
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

/// How many control frames these bytes are.
fn control_frames(mut bytes: &[u8], masked: bool) -> u64 {
    let mut count = 0;
    while let [_, len, ..] = bytes {
        let len = usize::from(len & 0x7f) + if masked { 6 } else { 2 };
        bytes = bytes.get(len..).unwrap_or_default();
        count += 1;
    }
    count
}

/// A message up to this length is copied behind its head, to be written with what
/// else is waiting; a longer one of a server is written from where it lies.
const COALESCED_MAX: usize = 16 * 1024;

/// With more than this unwritten, Pongs are no longer encoded one by one.
const BACKLOG_MAX: usize = 16 * 1024;

/// A buffer that grew longer than this is given back when it is empty.
const KEPT_MAX: usize = 64 * 1024;

/// How long a single write may block before the thread looks around: for the stall
/// deadline, and for what there is to read.
pub(crate) const SLICE: Duration = Duration::from_millis(20);
