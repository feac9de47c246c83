//! A WebSocket on one thread.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sansocket::adapter::{CloseReply, Closed, Counters, Error, HandshakeResponse, Settings};
use sansocket::{
    CloseCode, CloseSent, Compress, Connection, Data, Extension, Fin, Inbox, Kind, Message,
    NoExtension, Obligation, OwnedMessage, Prepared, Role, Server, State,
};

use crate::outbox::{Flushed, Outbox, SLICE, When};
use crate::pump::{Link, Pump};
use crate::split::{self, Halves};
use crate::transport::{SplitTransport, Transport};

/// An open WebSocket over a blocking transport.
///
/// It comes from [`connect`](crate::connect), [`accept`](crate::accept) or
/// [`from_connection`](Self::from_connection). Received messages are lent from an
/// [`Inbox`] that the caller keeps, so one can be sent on while it is held:
///
/// ```
/// # fn echo<T: sansocket_net::Transport>(
/// #     mut socket: sansocket_net::WebSocket<T, sansocket::Server>,
/// # ) -> Result<(), sansocket_net::Error> {
/// let mut inbox = sansocket::Inbox::new();
/// loop {
///     let message = socket.receive(&mut inbox)?;
///     socket.send(message)?;
/// }
/// # }
/// ```
///
/// Pings are answered, keep-alive Pings sent and deadlines kept while a call runs.
/// The peer's Close is answered with its own code and reason. Dropping an open
/// WebSocket sends a Close with 1001, if the transport takes it at once.
#[derive(Debug)]
pub struct WebSocket<T: Transport, R: Role, X: Extension = NoExtension> {
    /// `None` only while the value is taken apart.
    live: Option<Live<T, R, X>>,
    response: HandshakeResponse,
}

#[derive(Debug)]
struct Live<T, R, X: Extension> {
    pump: Pump<R, X>,
    outbox: Outbox<T, R, X>,
}

impl<T: Transport, R: Role, X: Extension> WebSocket<T, R, X> {
    /// A WebSocket whose handshake was done elsewhere. `leftover` are the bytes
    /// that were read behind it.
    ///
    /// # Errors
    ///
    /// If the transport's write timeout cannot be set.
    pub fn from_connection(
        mut transport: T,
        connection: Connection<R, X>,
        settings: &Settings,
        leftover: Vec<u8>,
    ) -> io::Result<Self> {
        let stall = settings.write_stall_time();
        transport.set_write_timeout(Some(stall.min(SLICE)))?;
        let (receiving, sending) = connection.into_split();
        let live = Live {
            pump: Pump::new(receiving, leftover, settings.coalesce_time()),
            outbox: Outbox::new(transport, sending, stall),
        };
        Ok(Self { live: Some(live), response: HandshakeResponse::default() })
    }

    pub(crate) fn with_response(mut self, response: HandshakeResponse) -> Self {
        self.response = response;
        self
    }

    /// Waits for the next message and lends it, whole: from where it was read if
    /// it came in one piece.
    ///
    /// Keep to one inbox: it holds the bytes that were read ahead.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] at the end, clean or not; [`Error::Failed`] if the peer
    /// broke a rule, after the Close was sent; [`Error::ForeignInbox`];
    /// [`Error::WriteStalled`] or [`Error::Io`] if the transport fails.
    pub fn receive<'i>(&mut self, inbox: &'i mut Inbox) -> Result<Message<'i>, Error> {
        let Live { pump, outbox } = self.live();
        pump.receive(outbox, inbox)?;
        inbox.message().ok_or(Error::ForeignInbox)
    }

    /// Waits for the next piece of a message and lends it as it came, for messages
    /// that need not be whole in memory. A message begun with this must be finished
    /// with it.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub fn receive_piece<'i>(&mut self, inbox: &'i mut Inbox) -> Result<Data<'i>, Error> {
        let Live { pump, outbox } = self.live();
        pump.receive_piece(outbox, inbox)?;
        inbox.data().ok_or(Error::ForeignInbox)
    }

    /// The messages to come, each with storage of its own, until the connection is
    /// closed cleanly.
    pub fn messages<'s>(&'s mut self, inbox: &'s mut Inbox) -> Messages<'s, T, R, X> {
        Messages { socket: self, inbox, over: false }
    }

    /// Sends a message, and returns when the transport has taken it.
    ///
    /// Answers to messages that were read together are written together: while more of
    /// them are there to be received, the first message sent after each
    /// [`receive`](Self::receive) waits for the next answer, or for the next call of any other
    /// kind, so it is written only then, and an error in writing it comes only then. A message
    /// that is received later than [`Settings::coalesce`] after its read has its answer written at
    /// once, and so has what exceeds 16 KiB. Whoever answers, and calls nothing more for long,
    /// calls [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if it may not be sent now; [`Error::Io`] if the transport
    /// fails: what the peer said before can still be received then;
    /// [`Error::WriteStalled`]: the connection is given up.
    pub fn send<'m>(&mut self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        self.send_with(message, Compress::Auto)
    }

    /// [`send`](Self::send), or as it is: [`Compress::Never`] is for messages with
    /// secrets.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_with<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        compress: Compress,
    ) -> Result<(), Error> {
        let outbox = &mut self.live().outbox;
        let when = std::mem::replace(&mut outbox.answer, When::Now);
        outbox.send(message.into(), compress, when)
    }

    /// Writes the messages that wait for others to be written with.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::WriteStalled`] if the transport fails.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.live().outbox.flush()
    }

    /// Sends one fragment of a message; the one with [`Fin::Last`] ends it.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_fragment(&mut self, kind: Kind, fin: Fin, payload: &[u8]) -> Result<(), Error> {
        self.live().outbox.send_fragment(kind, fin, payload, Compress::Auto)
    }

    /// [`send_fragment`](Self::send_fragment), or as it is, which the first fragment
    /// decides for all of the message.
    ///
    /// # Errors
    ///
    /// As [`send_fragment`](Self::send_fragment).
    pub fn send_fragment_with(
        &mut self,
        kind: Kind,
        fin: Fin,
        payload: &[u8],
        compress: Compress,
    ) -> Result<(), Error> {
        self.live().outbox.send_fragment(kind, fin, payload, compress)
    }

    /// Sends a Ping of at most 125 bytes. Keep-alive needs no call.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.live().outbox.ping(payload)
    }

    /// Sends a Pong that nobody asked for, of at most 125 bytes.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.live().outbox.pong(payload)
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
    pub fn close(
        &mut self,
        inbox: &mut Inbox,
        code: CloseCode,
        reason: &str,
    ) -> Result<Closed, Error> {
        let Live { pump, outbox } = self.live();
        if pump.state() == State::Open {
            pump.enter(inbox)?;
            // Written while the answer is waited for.
            match outbox.close(Some(code), reason) {
                Ok(sent) => pump.close_sent(sent),
                // The peer may have said why it does not take it.
                Err(Error::Io(_) | Error::WriteStalled) => {}
                Err(error) => return Err(error),
            }
        }
        loop {
            match self.receive_piece(inbox) {
                Ok(_) => {}
                Err(Error::Closed(closed)) => return Ok(closed),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a Close and leaves the other direction open: messages can be received
    /// until the peer's Close comes.
    ///
    /// # Errors
    ///
    /// As [`close`](Self::close).
    pub fn close_send(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let Live { pump, outbox } = self.live();
        let sent = outbox.close(Some(code), reason)?;
        let flushed = outbox.flush();
        pump.close_sent(sent);
        flushed
    }

    /// Drops the connection without a Close frame.
    pub fn abort(mut self) -> Closed {
        let _ = self.live().outbox.try_flush();
        let closure = self.live().pump.half().abort(|_| {});
        self.live = None;
        Closed::new(closure, None)
    }

    /// Where the connection is on its way from open to closed.
    pub fn state(&self) -> State {
        self.live.as_ref().map_or(State::Closed, |live| live.pump.state())
    }

    /// What went through so far.
    pub fn counters(&self) -> Counters {
        let live = self.live.as_ref();
        live.map(|live| live.pump.counters(&live.outbox.counters())).unwrap_or_default()
    }

    /// The subprotocol in use.
    pub fn subprotocol(&self) -> Option<&str> {
        self.response.subprotocol.as_deref()
    }

    /// What the server said when it opened the connection.
    pub fn response(&self) -> &HandshakeResponse {
        &self.response
    }

    /// The transport. To read or write there breaks the connection.
    pub fn get_ref(&self) -> &T {
        &self.live.as_ref().expect("taken apart only by value").outbox.transport
    }

    /// Takes the transport back, without a Close, and with it the bytes read ahead
    /// that are not in an inbox.
    pub fn into_inner(mut self) -> (T, Vec<u8>) {
        let Live { pump, mut outbox } = self.take();
        // An error is for whoever uses the transport next.
        let _ = outbox.flush();
        let mut transport = outbox.into_transport();
        // As they were, most likely; a transport without timeouts has none to set.
        let _ = transport.set_read_timeout(None);
        let _ = transport.set_write_timeout(None);
        (transport, pump.into_leftover())
    }

    fn live(&mut self) -> &mut Live<T, R, X> {
        self.live.as_mut().expect("taken apart only by value")
    }

    fn take(&mut self) -> Live<T, R, X> {
        self.live.take().expect("taken apart only by value")
    }
}

impl<T: SplitTransport, R: Role, X: Extension> WebSocket<T, R, X> {
    /// Splits for two threads: one receives, any number send.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the transport cannot be cloned, [`Error::Io`] or [`Error::WriteStalled`] if
    /// what waits cannot be written; the transport is dropped then, with a Close.
    pub fn split(mut self) -> Result<Halves<T, R, X>, Error> {
        self.flush()?;
        let other = self.live().outbox.transport.try_clone().map_err(Error::Io)?;
        let Live { pump, outbox } = self.take();
        Ok(split::split(pump, outbox, other))
    }
}

impl<T: Transport, X: Extension> WebSocket<T, Server, X> {
    /// Sends a message that was encoded before.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_prepared<S: AsRef<[u8]>>(&mut self, prepared: &Prepared<S>) -> Result<(), Error> {
        self.live().outbox.send_prepared(prepared)
    }
}

impl<T: Transport, R: Role, X: Extension> Drop for WebSocket<T, R, X> {
    /// The value is the lifetime of the connection: at its end the peer is told, as
    /// far as that does not block.
    fn drop(&mut self) {
        if let Some(Live { pump, outbox }) = &mut self.live
            && pump.ended().is_none()
            && !outbox.is_broken()
        {
            outbox.hurry(Duration::from_millis(1));
            // Best effort: there is nobody to report an error to.
            let _ = outbox.close(Some(CloseCode::GOING_AWAY), "");
            let _ = outbox.try_flush();
            let _ = outbox.transport.shutdown_write();
        }
    }
}

/// On one thread the two sides reach each other directly.
impl<T: Transport, R: Role, X: Extension> Link for Outbox<T, R, X> {
    type Transport = T;

    fn transport(&mut self) -> &mut T {
        &mut self.transport
    }

    fn oblige(&mut self, obligation: Obligation) {
        self.take(obligation);
    }

    fn close_sent(&mut self) -> Option<CloseSent> {
        self.told.take()
    }

    fn expect_more(&mut self, more: bool) {
        self.answer = if more { When::Soon } else { When::Now };
    }

    fn is_holding(&mut self) -> bool {
        Outbox::is_holding(self)
    }

    fn flush(&mut self) -> Result<Flushed, Error> {
        self.try_flush()
    }

    fn is_blocked(&mut self) -> bool {
        Outbox::is_blocked(self)
    }

    fn reply(&mut self, reply: CloseReply) {
        self.told = Outbox::reply(self, &reply);
    }

    fn has_transmitted(&mut self) -> bool {
        let taken = self.taken().load(Ordering::Relaxed);
        let before = std::mem::replace(&mut self.taken_before, taken);
        self.is_blocked() && before != taken
    }

    fn is_stalled(&mut self) -> bool {
        Outbox::is_stalled(self)
    }

    fn hurry(&mut self, patience: Duration) {
        self.hurry(patience);
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.transport.shutdown_write()
    }
}

/// The iterator of [`WebSocket::messages`]. It ends after a clean closing
/// handshake, and after one error otherwise.
#[derive(Debug)]
pub struct Messages<'s, T: Transport, R: Role, X: Extension> {
    socket: &'s mut WebSocket<T, R, X>,
    inbox: &'s mut Inbox,
    over: bool,
}

impl<T: Transport, R: Role, X: Extension> Iterator for Messages<'_, T, R, X> {
    type Item = Result<OwnedMessage, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        match self.socket.receive(self.inbox) {
            Ok(message) => Some(Ok(message.into())),
            Err(Error::Closed(closed)) if closed.is_clean() => {
                self.over = true;
                None
            }
            Err(error) => {
                self.over = true;
                Some(Err(error))
            }
        }
    }
}
