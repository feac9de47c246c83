//! A WebSocket as a stream and a sink of messages that own their bytes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::FusedStream;
use futures_sink::Sink;
use sansocket::adapter::Error;
use sansocket::{CloseCode, Compress, Extension, Inbox, NoExtension, OwnedMessage, Role};

use crate::sending::{Flushed, Transport};
use crate::socket::WebSocket;

/// What [`WebSocket::into_messages`] gives: for code that is written for streams and sinks.
///
/// The stream ends after a clean closing handshake, and after one error otherwise. Closing the
/// sink closes the connection with 1000, and throws away what comes until then.
#[derive(Debug)]
pub struct Messages<S: Transport, R: Role, X: Extension = NoExtension> {
    socket: WebSocket<S, R, X>,
    inbox: Inbox,
    over: bool,
}

impl<S: Transport, R: Role, X: Extension> Messages<S, R, X> {
    pub(crate) fn new(socket: WebSocket<S, R, X>) -> Self {
        Self { socket, inbox: Inbox::new(), over: false }
    }

    /// The WebSocket, and the inbox with what was read ahead.
    pub fn into_inner(self) -> (WebSocket<S, R, X>, Inbox) {
        (self.socket, self.inbox)
    }

    /// The WebSocket.
    pub fn get_ref(&self) -> &WebSocket<S, R, X> {
        &self.socket
    }
}

// Nothing in it is pinned.
impl<S: Transport, R: Role, X: Extension> Unpin for Messages<S, R, X> {}

impl<S: Transport, R: Role, X: Extension> Stream for Messages<S, R, X> {
    type Item = Result<OwnedMessage, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        let received = ready!(this.socket.poll_receive(cx, &mut this.inbox));
        Poll::Ready(match received.and_then(|()| this.inbox.message().ok_or(Error::ForeignInbox)) {
            Ok(message) => Some(Ok(message.into())),
            Err(error) => {
                this.over = true;
                let is_clean = matches!(&error, Error::Closed(closed) if closed.is_clean());
                (!is_clean).then_some(Err(error))
            }
        })
    }
}

impl<S: Transport, R: Role, X: Extension> FusedStream for Messages<S, R, X> {
    fn is_terminated(&self) -> bool {
        self.over
    }
}

impl<S: Transport, R: Role, X: Extension> Sink<OwnedMessage> for Messages<S, R, X> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let shared = self.socket.sender().shared();
        // Before it is tried, so that no wake-up is missed.
        shared.waiting.set_sink(cx.waker());
        if shared.lock().has_room()? { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn start_send(self: Pin<&mut Self>, message: OwnedMessage) -> Result<(), Error> {
        let shared = self.socket.sender().shared();
        {
            let mut sending = shared.lock();
            sending.enqueue(message.as_message(), Compress::Auto)?;
            sending.hold_some(message.as_message().len());
        }
        shared.waiting.wake_receiver();
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let shared = self.socket.sender().shared();
        shared.waiting.set_sink(cx.waker());
        match shared.lock().flush()? {
            Flushed::All => Poll::Ready(Ok(())),
            Flushed::Blocked => Poll::Pending,
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        this.socket.begin_close(&mut this.inbox, CloseCode::NORMAL, "")?;
        if !std::mem::replace(&mut this.over, true) {
            // A task that waits in the stream would not be woken by anything else any more.
            this.socket.sender().shared().waiting.wake_receiver();
        }
        this.socket.poll_drain(cx, &mut this.inbox).map_ok(drop)
    }
}
