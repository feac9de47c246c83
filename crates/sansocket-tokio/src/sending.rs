//! The transport and what waits to be written to it; senders and the receiver share it
//! under a lock that nobody holds while waiting.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use sansocket::adapter::{Broken, Counters, Error, SendQueue};
use sansocket::{CloseCode, CloseSent, Compress, Extension, Message, Role, SendHalf};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, Sleep, sleep_until};

/// A stream of bytes that a WebSocket can run over.
pub trait Transport: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport for S {}

#[derive(Debug)]
pub(crate) struct Shared<S, R, X: Extension> {
    sending: Mutex<Sending<S, R, X>>,
    pub(crate) waiting: Arc<Waiting>,
}

impl<S: Transport, R: Role, X: Extension> Shared<S, R, X> {
    pub(crate) fn new(
        stream: S,
        half: SendHalf<R, X>,
        stall: Duration,
        queue_len_max: usize,
    ) -> Self {
        let waiting = Arc::new(Waiting::new(queue_len_max));
        let sending = Sending {
            stream: Some(stream),
            queue: SendQueue::new(half),
            held: 0,
            stall: Some(stall),
            stalling: None,
            unflushed: false,
            broken: None,
            told: None,
            bytes_sent: 0,
            ready: waiting.clone().into(),
            waiting: waiting.clone(),
        };
        Self { sending: Mutex::new(sending), waiting }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Sending<S, R, X>> {
        // A task that panicked while sending left whole frames; they can be gone on with.
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits until something can be written. The transport knows one waker for that, so this
/// is it, and wakes them all.
#[derive(Debug)]
pub(crate) struct Waiting {
    receiver: Mutex<Option<Waker>>,
    sink: Mutex<Option<Waker>>,
    pub(crate) senders: Notify,
    /// A permit for each byte that may still be put into the queue. Who waits for many is not
    /// overtaken by those who need few.
    pub(crate) room: Semaphore,
    room_max: u32,
}

impl Waiting {
    fn new(queue_len_max: usize) -> Self {
        let room_max = u32::try_from(queue_len_max).unwrap_or(u32::MAX).max(1);
        Self {
            receiver: Mutex::default(),
            sink: Mutex::default(),
            senders: Notify::new(),
            room: Semaphore::new(usize::try_from(room_max).unwrap_or(Semaphore::MAX_PERMITS)),
            room_max,
        }
    }

    /// How much room a frame with a payload of this length needs: all there is if it is longer
    /// than that.
    pub(crate) fn room_for(&self, payload_len: usize) -> u32 {
        let len = u32::try_from(payload_len).unwrap_or(u32::MAX).saturating_add(HEAD_LEN_MAX);
        len.min(self.room_max)
    }

    pub(crate) fn set_receiver(&self, waker: &Waker) {
        set(&self.receiver, waker);
    }

    pub(crate) fn set_sink(&self, waker: &Waker) {
        set(&self.sink, waker);
    }

    /// The receiving task is not waiting.
    pub(crate) fn clear_receiver(&self) {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// The sink, if it waits, looks for room.
    pub(crate) fn wake_sink(&self) {
        wake(&self.sink);
    }

    /// The receiving task, if it waits, writes what the senders left.
    pub(crate) fn wake_receiver(&self) {
        wake(&self.receiver);
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        wake(&self.receiver);
        wake(&self.sink);
        self.senders.notify_waiters();
    }
}

fn set(slot: &Mutex<Option<Waker>>, waker: &Waker) {
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *slot {
        Some(old) => old.clone_from(waker),
        None => *slot = Some(waker.clone()),
    }
}

fn wake(slot: &Mutex<Option<Waker>>) {
    let waker = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[derive(Debug)]
pub(crate) struct Sending<S, R, X: Extension> {
    /// `None` when nobody is there any more to receive.
    stream: Option<S>,
    pub(crate) queue: SendQueue<R, X>,
    /// Permits that what waits in the queue has used; never more than its bytes.
    held: usize,
    /// How long writing may make no progress; `None`: for ever.
    stall: Option<Duration>,
    /// Until when, if the transport takes nothing.
    stalling: Option<Pin<Box<Sleep>>>,
    /// Something was written since the transport was last flushed.
    unflushed: bool,
    /// Writing failed once: the peer cannot be told anything any more.
    broken: Option<Broken>,
    /// A Close that the receiving half has still to be told of.
    pub(crate) told: Option<CloseSent>,
    bytes_sent: u64,
    /// Wakes all that wait.
    ready: Waker,
    waiting: Arc<Waiting>,
}

/// Whether everything was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    All,
    Blocked,
}

impl<S: Transport, R: Role, X: Extension> Sending<S, R, X> {
    /// What was put into the queue took this room, and gives it back when it is written.
    pub(crate) fn hold(&mut self, room: SemaphorePermit<'_>) {
        self.held += room.num_permits();
        room.forget();
        self.release();
    }

    /// Gives back the room of what was written.
    fn release(&mut self) {
        let backlog = self.queue.backlog();
        if self.held > backlog {
            self.waiting.room.add_permits(self.held - backlog);
            self.held = backlog;
            // It has no place in the line, so nobody else tells it that there is room.
            self.waiting.wake_sink();
        }
    }

    /// Puts a message behind the others, and writes if that is worth it: a long one is written
    /// from where it lies, as far as the transport takes it at once.
    pub(crate) fn enqueue(
        &mut self,
        message: Message<'_>,
        compress: Compress,
    ) -> Result<(), Error> {
        self.check_unbroken()?;
        let len = message.len();
        let compressed = compress == Compress::Auto && self.queue.half().compresses(len);
        if R::MASKS || compressed || len <= COPIED_MAX {
            self.queue.send(message, compress)?;
        } else {
            let mut head = self.queue.begin(message.kind(), len as u64)?;
            let rest = self.write_through(message.as_bytes())?;
            self.queue.push_payload(&mut head, rest);
            self.queue.payload_written(len as u64)?;
        }
        if self.queue.backlog() > COPIED_MAX {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what waits, and `payload` behind it, as far as it goes; gives back the rest.
    fn write_through<'p>(&mut self, mut payload: &'p [u8]) -> Result<&'p [u8], Error> {
        while !payload.is_empty()
            && let Poll::Ready(of_payload) = self.write_once(payload)?
        {
            payload = &payload[of_payload..];
        }
        Ok(payload)
    }

    /// Encodes a Close; the receiving half is told of it when its task looks. If it cannot be
    /// written any more that is an error, but the time for the peer's answer runs all the same.
    pub(crate) fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.told = Some(self.queue.close(Some(code), reason)?);
        self.check_unbroken()
    }

    /// Where the queue ends now, counted in all bytes that were to be written so far.
    pub(crate) fn queue_end(&self) -> u64 {
        self.bytes_sent + self.queue.backlog() as u64
    }

    /// [`flush`](Self::flush): whether everything up to `end` was written. What others put behind
    /// it is not waited for.
    pub(crate) fn flush_to(&mut self, end: u64) -> Result<bool, Error> {
        let flushed = self.flush()?;
        Ok(flushed == Flushed::All || (self.queue.backlog() > 0 && self.bytes_sent >= end))
    }

    /// Writes what is encoded and owed, as far as the transport takes it now. If that is not all,
    /// all that wait are woken when it takes more, or has taken nothing for too long.
    pub(crate) fn flush(&mut self) -> Result<Flushed, Error> {
        self.check_unbroken()?;
        loop {
            self.queue.encode_owed();
            if self.is_written() {
                return Ok(Flushed::All);
            }
            if self.write_once(&[])?.is_pending() {
                return Ok(Flushed::Blocked);
            }
        }
    }

    /// Whether the transport has taken all that is encoded.
    pub(crate) fn is_written(&self) -> bool {
        self.queue.backlog() == 0 && !self.unflushed
    }

    /// One write, or a flush if all is written: how much of `payload` it took.
    fn write_once(&mut self, payload: &[u8]) -> Result<Poll<usize>, Error> {
        let mut cx = Context::from_waker(&self.ready);
        let Some(stream) = &mut self.stream else {
            return Err(Error::Io(io::ErrorKind::BrokenPipe.into()));
        };
        let stream = Pin::new(stream);
        let waiting = self.queue.unwritten();
        let backlog = waiting.len();
        let result = match (waiting, payload) {
            ([], []) => {
                stream.poll_flush(&mut cx).map_ok(|()| self.unflushed = false).map_ok(|()| 0)
            }
            (waiting, []) => non_zero(stream.poll_write(&mut cx, waiting)),
            ([], payload) => non_zero(stream.poll_write(&mut cx, payload)),
            (waiting, payload) if stream.is_write_vectored() => {
                let both = [IoSlice::new(waiting), IoSlice::new(payload)];
                non_zero(stream.poll_write_vectored(&mut cx, &both))
            }
            (waiting, _) => non_zero(stream.poll_write(&mut cx, waiting)),
        };
        let Poll::Ready(result) = result else { return self.poll_stalled() };
        let len = result.inspect_err(|error| self.give_up(Broken::Io(error.kind())))?;
        self.stalling = None;
        self.unflushed |= len > 0;
        self.bytes_sent += len as u64;
        self.queue.wrote(len.min(backlog));
        self.release();
        Ok(Poll::Ready(len.saturating_sub(backlog)))
    }

    /// The transport takes nothing: fails if it has not for the whole stall deadline.
    fn poll_stalled(&mut self) -> Result<Poll<usize>, Error> {
        let deadline = self.stall.and_then(|stall| Instant::now().checked_add(stall));
        // Outside of a runtime no time passes; whoever waits is inside of one.
        let (Some(deadline), Ok(_)) = (deadline, Handle::try_current()) else {
            return Ok(Poll::Pending);
        };
        let stalling = self.stalling.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if stalling.deadline() > deadline {
            stalling.as_mut().reset(deadline); // there is a hurry now
        }
        let mut cx = Context::from_waker(&self.ready);
        if stalling.as_mut().poll(&mut cx).is_pending() {
            return Ok(Poll::Pending);
        }
        self.give_up(Broken::Stalled);
        Err(Error::WriteStalled)
    }

    /// Nothing will be written any more, and all that wait for it are told.
    fn give_up(&mut self, broken: Broken) {
        self.broken.get_or_insert(broken);
        self.waiting.room.close();
        self.ready.wake_by_ref();
    }

    /// Reads what is there.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Ok(0)) };
        let mut into = ReadBuf::new(into);
        Pin::new(stream).poll_read(cx, &mut into).map_ok(|()| into.filled().len())
    }

    /// Ends the sending direction.
    pub(crate) fn poll_shutdown(&mut self) -> Poll<io::Result<()>> {
        let mut cx = Context::from_waker(&self.ready);
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_shutdown(&mut cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// From now on writing may make no progress only this long.
    pub(crate) fn hurry(&mut self, stall: Duration) {
        self.stall = Some(self.stall.map_or(stall, |now| now.min(stall)));
    }

    /// Tells the peer that nobody receives any more, as far as that does not wait, and ends.
    pub(crate) fn part(&mut self) {
        if self.broken.is_none() {
            // Nobody waits for it, and the runtime may be gone that its timer belongs to.
            self.stall = None;
            // Best effort: there is nobody to report an error to.
            let _ = self.close(CloseCode::GOING_AWAY, "");
            let _ = self.flush();
            let _ = self.poll_shutdown();
        }
        self.end();
    }

    /// Nobody receives any more: the stream ends, whoever still sends.
    pub(crate) fn end(&mut self) -> Option<S> {
        self.give_up(Broken::Io(io::ErrorKind::BrokenPipe));
        self.stream.take()
    }

    pub(crate) fn is_stalled(&self) -> bool {
        self.broken == Some(Broken::Stalled)
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// What was sent so far.
    pub(crate) fn counters(&self) -> Counters {
        Counters { bytes_sent: self.bytes_sent, ..self.queue.counters() }
    }

    /// Why nothing can be written any more.
    pub(crate) fn why_broken(&self) -> Error {
        self.broken.unwrap_or(Broken::Io(io::ErrorKind::BrokenPipe)).into()
    }

    /// Whether the queue has room for anything when what can be written is. An error if there
    /// never will be.
    pub(crate) fn has_room(&mut self) -> Result<bool, Error> {
        self.check_unbroken()?;
        if self.waiting.room.available_permits() == 0 {
            self.flush()?;
        }
        Ok(self.waiting.room.available_permits() > 0)
    }

    /// Takes the room that a message needs, or what there is of it.
    pub(crate) fn hold_some(&mut self, payload_len: usize) {
        let waiting = self.waiting.clone();
        let needed = usize::try_from(waiting.room_for(payload_len)).unwrap_or(usize::MAX);
        let some = u32::try_from(needed.min(waiting.room.available_permits())).unwrap_or(0);
        if let Ok(room) = waiting.room.try_acquire_many(some) {
            self.hold(room);
        }
    }

    /// Nothing follows what was not written whole.
    pub(crate) fn check_unbroken(&self) -> Result<(), Error> {
        self.broken.map_or(Ok(()), |broken| Err(broken.into()))
    }
}

/// A transport that takes nothing, and says no more about it, never will.
fn non_zero(written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
    match written {
        Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        written => written,
    }
}

/// A message up to this length is copied behind its head, to be written with what else is
/// waiting, and so much may wait before it is written without being asked for.
const COPIED_MAX: usize = 16 * 1024;

/// RFC 6455 section 5.2: two bytes, eight of length, and a masking key.
const HEAD_LEN_MAX: u32 = 14;
