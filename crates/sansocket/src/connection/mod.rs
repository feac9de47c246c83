//! One open WebSocket: the two halves, closing and time beside each other.

mod carry;
mod close;
mod event;
#[cfg(feature = "alloc")]
mod inbox;
mod obligation;
mod receive;
mod send;
mod short;
mod timers;

use core::time::Duration;

pub use carry::{Carried, Carry};
pub use close::{Cause, Closure, State, TransportStep};
pub use event::{Event, Received};
#[cfg(feature = "alloc")]
pub use inbox::{Delivery, Inbox, InboxError, Ready};
pub use obligation::{CloseSent, Obligation};
pub use receive::ReceiveHalf;
pub use send::{FrameHead, HEAD_GAP, SendError, SendHalf, Transmit};

use crate::close_code::CloseCode;
use crate::config::Config;
use crate::connection::obligation::Owed;
use crate::error::Failure;
use crate::extension::{Compress, Extension, NoExtension};
#[cfg(feature = "alloc")]
use crate::frame::CONTROL_FRAME_LEN_MAX;
use crate::handshake::Negotiated;
use crate::message::{Data, Message, Prepared};
use crate::opcode::{Fin, Kind};
use crate::role::{Role, Server};
use crate::time::{Tick, Wake};

/// An open WebSocket connection: the engine.
///
/// It owns no socket, no clock and no buffer. The embedder's loop is always the
/// same, over any transport:
///
/// 1. **Receive.** Present the bytes that came to [`receive`](Self::receive), and
///    again the `rest`, until it has no event. Tell the end of the transport with
///    [`receive_end`](Self::receive_end).
/// 2. **Send.** Answer events with [`send`](Self::send) and its siblings, and take
///    what the protocol owes with [`poll_transmit`](Self::poll_transmit), at the
///    latest before going back to the transport; taken after each event, each
///    Ping has its Pong.
/// 3. **Let time pass.** Call [`handle_timeout`](Self::handle_timeout) once per
///    wake-up, after the input; sleep until
///    [`poll_timeout`](Self::poll_timeout).
///
/// When a call returns a [`Failure`], the Close frame that says why is queued:
/// write what `poll_transmit` gives and do what it says before reporting it.
///
/// ```
/// use sansocket::{Config, Connection, Event, Negotiated, Server, Transmit};
///
/// let mut connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
/// let mut bytes = *b"\x82\x83\x01\x02\x03\x04\x49\x6b\x22"; // "Hi!" masked
/// let received = connection.receive(&mut bytes)?;
///
/// let Some(Event::Data(data)) = received.event else { panic!("no data") };
/// let message = data.into_message().expect("one frame, all there");
/// let mut out = [0; 64];
/// let len = connection.send(message, &mut out)?; // while `message` is held
/// assert_eq!(out[..len], *b"\x82\x03Hi!");
/// assert_eq!(connection.poll_transmit(&mut out), Transmit::Idle);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Connection<R, X: Extension = NoExtension> {
    receiving: ReceiveHalf<R, X>,
    sending: SendHalf<R, X>,
}

impl<R: Role, X: Extension> Connection<R, X> {
    /// A connection whose opening handshake `negotiated` proves.
    pub fn new(negotiated: Negotiated<X>, role: R, config: &Config) -> Self {
        let (receiving, sending) = negotiated.into_extension().attach(config, R::MASKS);
        Self {
            receiving: ReceiveHalf::new(config, receiving),
            sending: SendHalf::new(role, sending),
        }
    }

    /// Decodes the next event, in place: `buf` is unmasked where it lies, and the
    /// event borrows from it.
    ///
    /// One event a call, and the bytes behind it as `rest`: call again with them.
    /// Without an event, everything that could be consumed is, and `rest` wants
    /// `need - rest.len()` more bytes behind it. Any split of the stream gives the
    /// same events, but for the borders of [`Data`](crate::Data) pieces.
    ///
    /// After the peer's Close all bytes are thrown away.
    ///
    /// # Errors
    ///
    /// The [`Failure`] when the peer broke a rule. The valid bytes before were
    /// delivered; the Close frame is queued for
    /// [`poll_transmit`](Self::poll_transmit); every later call returns the same.
    #[inline]
    pub fn receive<'b>(&mut self, buf: &'b mut [u8]) -> Result<Received<'b>, Failure> {
        let sending = &mut self.sending;
        self.receiving.receive(buf, |obligation| sending.take(obligation))
    }

    /// Decompresses the next part of a compressed piece (RFC 7692 section 6.2) to
    /// the start of `out`, and lends it as a piece of the message: plain, and checked
    /// if it is text. `None` when the piece is used up, or was not compressed.
    ///
    /// Call it until it gives nothing, before the next [`receive`](Self::receive):
    /// the data behind cannot be made plain without that before. `out` may have any
    /// length but zero; it and the length of the piece bound what one call does. The
    /// limits of the configuration are checked before a byte over them is written.
    ///
    /// # Errors
    ///
    /// The [`Failure`] when the data is none, goes over a limit, or is not the text
    /// that it should be; its offset is that of the decompressed byte in the message.
    /// What was valid before was lent.
    #[inline]
    pub fn inflate<'o>(
        &mut self,
        piece: &mut Data<'_>,
        out: &'o mut [u8],
    ) -> Result<Option<Data<'o>>, Failure> {
        let sending = &mut self.sending;
        self.receiving.inflate(piece, out, |obligation| sending.take(obligation))
    }

    /// The transport ended: no byte will follow. Returns how the connection ended.
    ///
    /// Unless the closing handshake was complete, that is an abnormal closure
    /// (1006), and inside a message a truncated one. A Close that is still owed is
    /// given by [`poll_transmit`](Self::poll_transmit), since a peer that stopped
    /// sending may still read.
    pub fn receive_end(&mut self) -> Closure {
        let sending = &mut self.sending;
        self.receiving.receive_end(|obligation| sending.take(obligation))
    }

    /// The transport was reset, or can no longer be written.
    pub fn receive_reset(&mut self) -> Closure {
        let sending = &mut self.sending;
        self.receiving.receive_reset(|obligation| sending.take(obligation))
    }

    /// Gives the connection up at once: no Close frame, nothing more is owed.
    pub fn abort(&mut self) -> Closure {
        let sending = &mut self.sending;
        self.receiving.abort(|obligation| sending.take(obligation))
    }

    /// Fails the connection for a reason of the application's own: a Close frame
    /// with `code` is queued, and nothing more is delivered (RFC 6455 section
    /// 7.1.7). For a closing handshake there is [`close`](Self::close).
    ///
    /// Returns the failure, or the earlier one if the connection had failed. A
    /// code that this role may not send is replaced by 1011. What is closed already
    /// stays as it is.
    pub fn fail_with(&mut self, code: CloseCode) -> Failure {
        let sending = &mut self.sending;
        self.receiving.fail_with(code, |obligation| sending.take(obligation))
    }

    /// What the protocol owes, and what to do with the transport.
    ///
    /// As many owed frames as `out` has room for are encoded to its start: the
    /// latest Pong, a keep-alive Ping, the Close. 131 bytes are always enough for
    /// one. Ask again until there are no [`Transmit::Bytes`]. Nothing is given while
    /// the payload of a [`head`](Self::head) is unwritten.
    #[inline]
    pub fn poll_transmit<'o>(&mut self, out: &'o mut [u8]) -> Transmit<'o> {
        match self.sending.poll_transmit(out) {
            Transmit::Idle if self.sending.is_owing() => Transmit::Idle,
            Transmit::Idle => match self.receiving.transport_step() {
                TransportStep::Keep => Transmit::Idle,
                TransportStep::AwaitPeer => Transmit::AwaitPeer,
                TransportStep::HalfClose => Transmit::HalfClose,
                TransportStep::CloseNow => Transmit::CloseNow,
            },
            transmit => transmit,
        }
    }

    /// [`poll_transmit`](Self::poll_transmit) to the end of a vector, until there
    /// is nothing more to write. Returns what to do with the transport after that.
    #[cfg(feature = "alloc")]
    pub fn append_transmit(&mut self, out: &mut alloc::vec::Vec<u8>) -> Transmit<'static> {
        loop {
            let mut owed = [0; CONTROL_FRAME_LEN_MAX];
            match self.poll_transmit(&mut owed) {
                Transmit::Bytes(bytes) => out.extend_from_slice(bytes),
                // `owed` has room for any frame, so this is never `Full`.
                Transmit::Idle | Transmit::Full { .. } => return Transmit::Idle,
                Transmit::AwaitPeer => return Transmit::AwaitPeer,
                Transmit::HalfClose => return Transmit::HalfClose,
                Transmit::CloseNow => return Transmit::CloseNow,
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called: the
    /// earliest of all deadlines, or now if something waits for a time.
    pub fn poll_timeout(&self) -> Wake {
        self.receiving.poll_timeout()
    }

    /// Lets time pass: it is `now`.
    ///
    /// Call it once per wake-up, after the input that was there was received. What
    /// came since the last call counts as come now; what was started gets its
    /// deadline; what is due is done. Calling it early, late, twice, or with a
    /// clock that jumped does no harm.
    ///
    /// # Errors
    ///
    /// The [`Failure`] when a deadline passed that fails the connection, now or
    /// before; the Close frame is queued.
    pub fn handle_timeout(&mut self, now: Tick) -> Result<(), Failure> {
        let sending = &mut self.sending;
        self.receiving.handle_timeout(now, |obligation| sending.take(obligation))
    }

    /// Encodes a whole message as one frame to the start of `out`, a client's
    /// masked in the pass that copies it. Returns the number of bytes to write.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] once a Close is sent or queued,
    /// [`SendError::OutputTooSmall`] (see [`frame_len`](Self::frame_len)),
    /// [`SendError::MessageUnderWay`] between fragments,
    /// [`SendError::PayloadUnwritten`] behind a head. Nothing has changed then.
    #[inline]
    pub fn send<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        self.sending.send(message, out)
    }

    /// [`send`](Self::send) to the end of a vector, which grows by what the frame
    /// needs.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), but for the room.
    #[cfg(feature = "alloc")]
    #[inline]
    pub fn append<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        out: &mut alloc::vec::Vec<u8>,
    ) -> Result<(), SendError> {
        self.sending.append(message, out)
    }

    /// [`send`](Self::send), or as it is: [`Compress::Never`] is for secrets.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_with<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        compress: Compress,
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        self.sending.send_with(message, compress, out)
    }

    /// [`append`](Self::append), or as it is: [`Compress::Never`] is for secrets.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    #[cfg(feature = "alloc")]
    pub fn append_with<'m>(
        &mut self,
        message: impl Into<Message<'m>>,
        compress: Compress,
        out: &mut alloc::vec::Vec<u8>,
    ) -> Result<(), SendError> {
        self.sending.append_with(message, compress, out)
    }

    /// How many bytes [`send`](Self::send) and [`send_fragment`](Self::send_fragment)
    /// ask for at most, with `payload_len` bytes of payload: those of the frame, or,
    /// where messages are compressed, of the longest that it can become.
    pub fn send_len_max(&self, payload_len: usize) -> usize {
        self.sending.send_len_max(payload_len)
    }

    /// How many bytes an uncompressed frame with `payload_len` bytes of payload takes
    /// in this role.
    pub fn frame_len(payload_len: usize) -> usize {
        send::frame_len::<R>(payload_len)
    }

    /// Encodes one fragment of a message (RFC 6455 section 5.4) to the start of
    /// `out`; the first begins the message, the one with [`Fin::Last`] ends it.
    ///
    /// A fragment of a text may end inside a character; the text as a whole is
    /// checked. Control frames may go between fragments, other messages may not.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`SendError::MessageUnderWay`] also if `kind` is not
    /// that of the message, and [`SendError::TextNotUtf8`].
    ///
    /// ```
    /// use sansocket::{Config, Connection, Fin, Kind, Negotiated, Server};
    ///
    /// let mut connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
    /// let mut out = [0; 16];
    /// let len = connection.send_fragment(Kind::Text, Fin::More, b"Hel", &mut out)?;
    /// assert_eq!(out[..len], *b"\x01\x03Hel");
    /// let len = connection.send_fragment(Kind::Text, Fin::Last, b"lo", &mut out)?;
    /// assert_eq!(out[..len], *b"\x80\x02lo");
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn send_fragment(
        &mut self,
        kind: Kind,
        fin: Fin,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        self.sending.send_fragment(kind, fin, payload, out)
    }

    /// [`send_fragment`](Self::send_fragment), or as it is: the first fragment says so
    /// for all of the message.
    ///
    /// # Errors
    ///
    /// As [`send_fragment`](Self::send_fragment);
    /// [`SendError::CompressionUnderWay`] for [`Compress::Never`] in a message that was
    /// begun compressed.
    pub fn send_fragment_with(
        &mut self,
        kind: Kind,
        fin: Fin,
        payload: &[u8],
        compress: Compress,
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        self.sending.send_fragment_with(kind, fin, payload, compress, out)
    }

    /// Makes the head of a frame whose payload of `payload_len` bytes the caller
    /// writes itself behind it, as with a vectored write. A client masks the
    /// payload with [`FrameHead::mask`] before it writes it.
    ///
    /// A head is a debt: until [`payload_written`](Self::payload_written) was told
    /// of the whole payload, no other frame is given. That a text payload is UTF-8,
    /// and that each head's ends between characters, is the caller's promise here.
    ///
    /// # Errors
    ///
    /// As [`send_fragment`](Self::send_fragment), but for the room and the text;
    /// [`SendError::PayloadTooLong`].
    ///
    /// ```
    /// use sansocket::{Config, Connection, Fin, Kind, Negotiated, SendError, Server};
    ///
    /// let mut connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
    /// let head = connection.head(Kind::Binary, Fin::Last, 70_000)?;
    /// assert_eq!(head.as_bytes(), b"\x82\x7f\0\0\0\0\0\x01\x11\x70");
    /// assert_eq!(connection.ping(b"", &mut [0; 8]), Err(SendError::PayloadUnwritten { left: 70_000 }));
    /// connection.payload_written(70_000)?;
    /// assert_eq!(connection.ping(b"", &mut [0; 8]), Ok(2));
    /// # Ok::<(), SendError>(())
    /// ```
    pub fn head(&mut self, kind: Kind, fin: Fin, payload_len: u64) -> Result<FrameHead, SendError> {
        self.sending.head(kind, fin, payload_len)
    }

    /// `len` bytes of the payload of the last head were written.
    ///
    /// # Errors
    ///
    /// [`SendError::Overpaid`] if that is more than was left of it.
    pub fn payload_written(&mut self, len: u64) -> Result<(), SendError> {
        self.sending.payload_written(len)?;
        if self.sending.is_owing() {
            self.receiving.note_transmitted();
        }
        Ok(())
    }

    /// Turns a payload that was written to `buf` behind a gap of [`HEAD_GAP`]
    /// bytes into a whole message, in place, and returns the frame. What is in the
    /// gap does not matter.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`SendError::OutputTooSmall`] if `buf` is shorter
    /// than the gap, and [`SendError::TextNotUtf8`].
    ///
    /// ```
    /// use sansocket::{Config, Connection, HEAD_GAP, Kind, Negotiated, Server};
    ///
    /// let mut connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
    /// let mut buf = vec![0; HEAD_GAP];
    /// buf.extend_from_slice(b"serialised"); // by any serialiser that appends
    /// assert_eq!(connection.send_in_place(Kind::Text, &mut buf)?, b"\x81\x0aserialised");
    /// # Ok::<(), sansocket::SendError>(())
    /// ```
    pub fn send_in_place<'o>(
        &mut self,
        kind: Kind,
        buf: &'o mut [u8],
    ) -> Result<&'o [u8], SendError> {
        self.sending.send_in_place(kind, buf)
    }

    /// Encodes a Ping with at most 125 bytes of payload (RFC 6455 section 5.5.2)
    /// to the start of `out`. Keep-alive needs no call: see
    /// [`KeepAlive`](crate::KeepAlive).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`SendError::ControlTooLong`].
    pub fn ping(&mut self, payload: &[u8], out: &mut [u8]) -> Result<usize, SendError> {
        self.sending.ping(payload, out)
    }

    /// Encodes a Pong (section 5.5.3) to the start of `out`; Pings are answered
    /// without it, unless that was switched off.
    ///
    /// # Errors
    ///
    /// As [`ping`](Self::ping).
    pub fn pong(&mut self, payload: &[u8], out: &mut [u8]) -> Result<usize, SendError> {
        self.sending.pong(payload, out)
    }

    /// Encodes a Close frame to the start of `out`: begins the closing handshake
    /// (RFC 6455 section 7.1.2), or completes it in place of the automatic reply,
    /// as long as that was not taken.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if one was sent, or the connection failed;
    /// [`SendError::CloseCode`] for a code that this role may not send;
    /// [`SendError::ReasonTooLong`], [`SendError::ReasonWithoutCode`];
    /// [`SendError::OutputTooSmall`], [`SendError::PayloadUnwritten`].
    pub fn close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
        out: &mut [u8],
    ) -> Result<usize, SendError> {
        let (len, sent) = self.sending.close(code, reason, out)?;
        self.receiving.close_sent(sent);
        if self.state() == State::Closed {
            self.sending.take(Obligation(Owed::PeerClosed));
        }
        Ok(len)
    }

    /// The kind of the fragmented message that is being sent, if there is one.
    pub fn message_under_way(&self) -> Option<Kind> {
        self.sending.message_under_way()
    }

    /// Where the connection is on its way from open to closed.
    pub fn state(&self) -> State {
        self.receiving.state()
    }

    /// How the connection ended; `None` while its transport is still of use.
    pub fn closure(&self) -> Option<Closure> {
        self.receiving.closure()
    }

    /// The round trip of the last keep-alive Ping that was answered, as the ticks
    /// of `handle_timeout` saw it.
    pub fn round_trip(&self) -> Option<Duration> {
        self.receiving.round_trip()
    }

    /// How many bytes of the frame stream have been consumed.
    pub fn offset(&self) -> u64 {
        self.receiving.offset()
    }

    /// The longest message that is accepted, in bytes.
    pub fn message_len_max(&self) -> u64 {
        self.receiving.message_len_max()
    }

    /// Splits the connection for two threads or tasks; see [`ReceiveHalf`].
    pub fn into_split(self) -> (ReceiveHalf<R, X>, SendHalf<R, X>) {
        (self.receiving, self.sending)
    }
}

impl<X: Extension> Connection<Server, X> {
    /// The bytes of a prepared message, to be written as they are.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), but for the room.
    pub fn send_prepared<'p, S: AsRef<[u8]>>(
        &mut self,
        prepared: &'p Prepared<S>,
    ) -> Result<&'p [u8], SendError> {
        self.sending.send_prepared(prepared)
    }
}
