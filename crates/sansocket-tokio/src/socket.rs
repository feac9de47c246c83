//! A WebSocket in one task.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use sansocket::adapter::{Closed, Counters, Error, HandshakeResponse, Settings};
use sansocket::{
    CloseCode, Compress, Connection, Data, Extension, Fin, Inbox, Kind, Message, NoExtension,
    Prepared, Role, Server, State,
};

use crate::messages::Messages;
use crate::receiving::Receiver;
use crate::sender::Sender;
use crate::sending::{Shared, Transport};

/// An open WebSocket over a [`Transport`].
///
/// It comes from [`connect`](crate::connect), [`accept`](crate::accept) or
/// [`from_connection`](Self::from_connection). Received messages are lent from an
/// [`Inbox`] that the caller keeps, so one can be sent on while it is held:
///
/// ```
/// # async fn echo<S: sansocket_tokio::Transport>(
/// #     mut socket: sansocket_tokio::WebSocket<S, sansocket::Server>,
/// # ) -> Result<(), sansocket_tokio::Error> {
/// let mut inbox = sansocket::Inbox::new();
/// loop {
///     let message = socket.receive(&mut inbox).await?;
///     socket.feed(message).await?; // written before the next wait
/// }
/// # }
/// ```
///
/// Pings are answered, keep-alive Pings sent and deadlines kept while a receiving call waits.
/// The peer's Close is answered with its own code and reason. Dropping an open
/// WebSocket sends a Close with 1001, if the transport takes it at once.
///
/// Every call is cancel-safe: its future can be dropped at any point, as `select!` does. A receiving
/// or closing call is then made again. A `send` that was dropped has put its message into the queue,
/// whole, or not at all; who must know which uses [`feed`](Self::feed), which has done so when it is ready,
/// and then [`flush`](Self::flush).
#[derive(Debug)]
pub struct WebSocket<S: Transport, R: Role, X: Extension = NoExtension> {
    receiver: Receiver<S, R, X>,
    sender: Sender<S, R, X>,
    response: HandshakeResponse,
}

impl<S: Transport, R: Role, X: Extension> WebSocket<S, R, X> {
    /// A WebSocket whose handshake was done elsewhere. `leftover` are the bytes
    /// that were read behind it. To be called in a tokio runtime.
    pub fn from_connection(
        stream: S,
        connection: Connection<R, X>,
        settings: &Settings,
        leftover: Vec<u8>,
    ) -> Self {
        let (receiving, sending) = connection.into_split();
        let stall = settings.write_stall_time();
        let shared = Arc::new(Shared::new(stream, sending, stall, settings.queue_len()));
        Self {
            sender: Sender::new(shared.clone()),
            receiver: Receiver::new(shared, receiving, leftover),
            response: HandshakeResponse::default(),
        }
    }

    pub(crate) fn with_response(mut self, response: HandshakeResponse) -> Self {
        self.response = response;
        self
    }

    /// Waits for the next message and lends it, whole: from where it was read if
    /// it came in one piece.
    ///
    /// Keep to one inbox: it holds the bytes that were read ahead. If the future is dropped,
    /// nothing is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] at the end, clean or not; [`Error::Failed`] if the peer
    /// broke a rule, after the Close was sent; [`Error::ForeignInbox`];
    /// [`Error::WriteStalled`] or [`Error::Io`] if the transport fails.
    pub async fn receive<'i>(&mut self, inbox: &'i mut Inbox) -> Result<Message<'i>, Error> {
        self.receiver.receive(inbox).await
    }

    /// Waits for the next piece of a message and lends it as it came, for messages
    /// that need not be whole in memory. A message begun with this must be finished
    /// with it.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub async fn receive_piece<'i>(&mut self, inbox: &'i mut Inbox) -> Result<Data<'i>, Error> {
        self.receiver.receive_piece(inbox).await
    }

    /// [`receive`](Self::receive) for futures written by hand: when it is ready,
    /// [`Inbox::delivery`] lends the message.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Inbox,
    ) -> Poll<Result<(), Error>> {
        self.receiver.poll_receive(cx, inbox)
    }

    /// The messages as a [`Stream`](futures_core::Stream), and a [`Sink`](futures_sink::Sink) for
    /// answers; each message has storage of its own.
    pub fn into_messages(self) -> Messages<S, R, X> {
        Messages::new(self)
    }

    /// Sends a message, and returns when the transport has taken it; see [`Sender::send`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn send<'m>(&self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        self.sender.send(message).await
    }

    /// [`send`](Self::send), or as it is; see [`Sender::send_with`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn send_with<'m>(
        &self,
        message: impl Into<Message<'m>>,
        compress: Compress,
    ) -> Result<(), Error> {
        self.sender.send_with(message, compress).await
    }

    /// Puts a message into the queue, to be written with others; see [`Sender::feed`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn feed<'m>(&self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        self.sender.feed(message).await
    }

    /// Writes everything that waits.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::WriteStalled`] if the transport fails.
    pub async fn flush(&self) -> Result<(), Error> {
        self.sender.flush().await
    }

    /// Sends one fragment of a message; see [`Sender::send_fragment`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn send_fragment(&self, kind: Kind, fin: Fin, payload: &[u8]) -> Result<(), Error> {
        self.sender.send_fragment(kind, fin, payload).await
    }

    /// Sends a Ping of at most 125 bytes. Keep-alive needs no call.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        self.sender.ping(payload).await
    }

    /// Closes: sends a Close, throws away the messages that come until the peer's
    /// Close does, and ends the transport. Returns how that went; it waits no
    /// longer than the engine's close deadline.
    ///
    /// A connection that is over already says how it ended.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] for a code that this role may not send, or a reason of more
    /// than 123 bytes; [`Error::Failed`] if the peer breaks a rule meanwhile;
    /// [`Error::Io`] or [`Error::WriteStalled`] if the transport fails.
    pub async fn close(
        &mut self,
        inbox: &mut Inbox,
        code: CloseCode,
        reason: &str,
    ) -> Result<Closed, Error> {
        self.begin_close(inbox, code, reason)?;
        poll_fn(|cx| self.receiver.poll_drain(cx, inbox)).await
    }

    /// Queues a Close, unless one is under way.
    pub(crate) fn begin_close(
        &mut self,
        inbox: &mut Inbox,
        code: CloseCode,
        reason: &str,
    ) -> Result<(), Error> {
        if self.state() != State::Open || self.receiver.is_ending() {
            return Ok(());
        }
        self.receiver.enter(inbox)?;
        match self.sender.begin_close(code, reason) {
            // The peer may have said why it does not take it.
            Err(Error::Io(_) | Error::WriteStalled) => Ok(()),
            result => result,
        }
    }

    pub(crate) fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Inbox,
    ) -> Poll<Result<Closed, Error>> {
        self.receiver.poll_drain(cx, inbox)
    }

    /// Sends a Close and leaves the other direction open: messages can be received
    /// until the peer's Close comes.
    ///
    /// # Errors
    ///
    /// As [`close`](Self::close).
    pub async fn close_send(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.sender.close(code, reason).await
    }

    /// Drops the connection without a Close frame.
    pub fn abort(mut self) -> Closed {
        self.receiver.abort()
    }

    /// Where the connection is on its way from open to closed.
    pub fn state(&self) -> State {
        self.receiver.state()
    }

    /// What went through so far.
    pub fn counters(&self) -> Counters {
        self.receiver.counters()
    }

    /// The subprotocol in use.
    pub fn subprotocol(&self) -> Option<&str> {
        self.response.subprotocol.as_deref()
    }

    /// What was agreed when the connection was opened.
    pub fn response(&self) -> &HandshakeResponse {
        &self.response
    }

    /// A way to send from other tasks.
    pub fn sender(&self) -> &Sender<S, R, X> {
        &self.sender
    }

    /// Splits for several tasks: one receives, any number send.
    pub fn split(self) -> (Receiver<S, R, X>, Sender<S, R, X>) {
        (self.receiver, self.sender)
    }
}

impl<S: Transport, X: Extension> WebSocket<S, Server, X> {
    /// Sends a message that was encoded before.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_prepared<P: AsRef<[u8]>>(&self, prepared: &Prepared<P>) -> Result<(), Error> {
        self.sender.send_prepared(prepared).await
    }
}
