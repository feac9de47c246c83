//! The half that sends, from any number of tasks.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use sansocket::adapter::Error;
use sansocket::{
    CloseCode, Compress, Extension, Fin, Kind, Message, NoExtension, Prepared, Role, Server,
};
use tokio::sync::SemaphorePermit;
use tokio::task::coop;

use crate::sending::{Sending, Shared, Transport, Waiting};

/// The half that sends. It can be cloned and used from any number of tasks; what they
/// send does not interleave.
///
/// What is sent waits in one queue, bounded in bytes
/// ([`Settings::queue_len_max`](sansocket::adapter::Settings::queue_len_max)), and is written by
/// whoever comes next: the senders themselves, or the task that receives.
///
/// No call loses part of a message when its future is dropped: the message is in the queue, or
/// it is not.
#[derive(Debug)]
pub struct Sender<S: Transport, R: Role, X: Extension = NoExtension> {
    shared: Arc<Shared<S, R, X>>,
}

impl<S: Transport, R: Role, X: Extension> Sender<S, R, X> {
    pub(crate) fn new(shared: Arc<Shared<S, R, X>>) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &Shared<S, R, X> {
        &self.shared
    }

    /// Sends a message, and returns when the transport has taken it, and everything before it.
    ///
    /// If the future is dropped, the message was sent whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if it may not be sent now; [`Error::Io`] if the transport
    /// fails: what the peer said before can still be received then;
    /// [`Error::WriteStalled`]: the connection is given up.
    pub async fn send<'m>(&self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        self.send_with(message, Compress::Auto).await
    }

    /// [`send`](Self::send), or as it is: [`Compress::Never`] is for messages with
    /// secrets.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_with<'m>(
        &self,
        message: impl Into<Message<'m>>,
        compress: Compress,
    ) -> Result<(), Error> {
        let message = message.into();
        self.send_when_room(message.len(), |sending| sending.enqueue(message, compress)).await
    }

    /// Puts a message into the queue, and returns when it is there. Messages that are fed one
    /// after the other are written together: when 16 KiB are waiting, when the receiving task
    /// waits for more, or with [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn feed<'m>(&self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        self.feed_with(message, Compress::Auto).await
    }

    /// [`feed`](Self::feed), or as it is.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn feed_with<'m>(
        &self,
        message: impl Into<Message<'m>>,
        compress: Compress,
    ) -> Result<(), Error> {
        let message = message.into();
        self.when_room(message.len(), |sending| sending.enqueue(message, compress)).await
    }

    /// Puts a message into the queue if there is room, without waiting: what a server does that
    /// would rather drop a message than wait for a slow peer.
    ///
    /// # Errors
    ///
    /// [`Error::QueueFull`] if there is none; else as [`send`](Self::send).
    pub fn try_send<'m>(&self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        let message = message.into();
        self.try_when_room(message.len(), |sending| sending.enqueue(message, Compress::Auto))
    }

    /// How many bytes are waiting to be written.
    pub fn queue_len(&self) -> usize {
        self.shared.lock().queue.backlog()
    }

    /// Writes everything that waits now.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::WriteStalled`] if the transport fails.
    pub async fn flush(&self) -> Result<(), Error> {
        let mut end = None;
        self.until(|sending| {
            let end = *end.get_or_insert_with(|| sending.queue_end());
            Ok(sending.flush_to(end)?.then_some(()))
        })
        .await
    }

    /// Sends one fragment of a message; the one with [`Fin::Last`] ends it. Other senders must
    /// wait for that: their messages are refused meanwhile.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_fragment(&self, kind: Kind, fin: Fin, payload: &[u8]) -> Result<(), Error> {
        self.send_fragment_with(kind, fin, payload, Compress::Auto).await
    }

    /// [`send_fragment`](Self::send_fragment), or as it is, which the first fragment
    /// decides for all of the message.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_fragment_with(
        &self,
        kind: Kind,
        fin: Fin,
        payload: &[u8],
        compress: Compress,
    ) -> Result<(), Error> {
        self.send_when_room(payload.len(), |sending| {
            Ok(sending.queue.send_fragment(kind, fin, payload, compress)?)
        })
        .await
    }

    /// Sends a Ping of at most 125 bytes. Keep-alive needs no call.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        self.send_when_room(payload.len(), |sending| Ok(sending.queue.ping(payload)?)).await
    }

    /// Sends a Pong that nobody asked for, of at most 125 bytes.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn pong(&self, payload: &[u8]) -> Result<(), Error> {
        self.send_when_room(payload.len(), |sending| Ok(sending.queue.pong(payload)?)).await
    }

    /// Sends a Close. The receiver reports the end when the peer's Close comes, or
    /// its deadline passes.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] for a code that this role may not send, a reason of more
    /// than 123 bytes, or a connection that is closing already; else as
    /// [`flush`](Self::flush).
    pub async fn close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.begin_close(code, reason)?;
        self.flush().await
    }

    /// Puts a Close into the queue.
    pub(crate) fn begin_close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let result = self.shared.lock().close(code, reason);
        self.shared.waiting.wake_receiver();
        result
    }

    /// [`when_room`](Self::when_room), and waits until it is written.
    async fn send_when_room(
        &self,
        len: usize,
        enqueue: impl FnOnce(&mut Sending<S, R, X>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.when_room(len, |sending| {
            enqueue(sending)?;
            sending.flush().map(drop)
        })
        .await?;
        self.flush().await
    }

    /// Puts something of about `len` bytes into the queue when there is room.
    async fn when_room(
        &self,
        len: usize,
        enqueue: impl FnOnce(&mut Sending<S, R, X>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let room = match self.try_room(len)? {
            Some(room) => room,
            None => self.wait_for_room(len).await?,
        };
        self.put(room, enqueue)
    }

    fn try_when_room(
        &self,
        len: usize,
        enqueue: impl FnOnce(&mut Sending<S, R, X>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let room = self.try_room(len)?.ok_or(Error::QueueFull)?;
        self.put(room, enqueue)
    }

    fn put(
        &self,
        room: SemaphorePermit<'_>,
        enqueue: impl FnOnce(&mut Sending<S, R, X>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let is_written = {
            let mut sending = self.shared.lock();
            sending.check_unbroken()?;
            enqueue(&mut sending)?;
            sending.hold(room);
            sending.is_written()
        };
        if !is_written {
            self.shared.waiting.wake_receiver();
        }
        Ok(())
    }

    /// Room for `len` bytes, if there is some when what can be written is.
    fn try_room(&self, len: usize) -> Result<Option<SemaphorePermit<'_>>, Error> {
        let Waiting { room, .. } = &*self.shared.waiting;
        let needed = self.shared.waiting.room_for(len);
        if let Ok(room) = room.try_acquire_many(needed) {
            return Ok(Some(room));
        }
        self.shared.lock().flush()?;
        Ok(room.try_acquire_many(needed).ok())
    }

    /// Waits in turn for room, and writes meanwhile.
    async fn wait_for_room(&self, len: usize) -> Result<SemaphorePermit<'_>, Error> {
        let waiting = &self.shared.waiting;
        let mut room = pin!(waiting.room.acquire_many(waiting.room_for(len)));
        let mut writing = pin!(self.until(|sending| sending.flush().map(|_| None)));
        poll_fn(|cx| {
            if let Poll::Ready(Err(error)) = writing.as_mut().poll(cx) {
                return Poll::Ready(Err(error));
            }
            match ready!(room.as_mut().poll(cx)) {
                Ok(room) => Poll::Ready(Ok(room)),
                // It is closed when the transport is given up.
                Err(_closed) => Poll::Ready(Err(self.shared.lock().why_broken())),
            }
        })
        .await
    }

    /// Tries until it is done, whenever the transport has taken something.
    async fn until(
        &self,
        mut attempt: impl FnMut(&mut Sending<S, R, X>) -> Result<Option<()>, Error>,
    ) -> Result<(), Error> {
        loop {
            let mut taken = pin!(self.shared.waiting.senders.notified());
            // From here on nothing is missed.
            taken.as_mut().enable();
            if attempt(&mut self.shared.lock())?.is_some() {
                return Ok(());
            }
            taken.await;
            // A transport that only wants others to run may wake at once.
            coop::consume_budget().await;
        }
    }
}

impl<S: Transport, X: Extension> Sender<S, Server, X> {
    /// Sends a message that was encoded before, once for many connections.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_prepared<P: AsRef<[u8]>>(&self, prepared: &Prepared<P>) -> Result<(), Error> {
        self.send_when_room(prepared.frame_len(), |sending| {
            Ok(sending.queue.send_prepared(prepared)?)
        })
        .await
    }

    /// [`try_send`](Self::try_send) for a message that was encoded before.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_send_prepared<P: AsRef<[u8]>>(&self, prepared: &Prepared<P>) -> Result<(), Error> {
        self.try_when_room(prepared.frame_len(), |sending| {
            Ok(sending.queue.send_prepared(prepared)?)
        })
    }
}

impl<S: Transport, R: Role, X: Extension> Clone for Sender<S, R, X> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}
