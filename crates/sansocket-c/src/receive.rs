//! Bytes of the peer in, events out.

use core::ptr;

use sansocket::{Carry, Data, Event, Failure, Fin, Kind, Message};

use crate::assembler::{sansocket_assembler, sansocket_carry};
use crate::connection::{Endpoint, either, sansocket_connection};
use crate::memory::{self, Object};
use crate::sansocket_status;
use crate::status::report;

/// What a message is: text or binary.
pub type sansocket_message_kind = u32;
/// A text message, UTF-8.
pub const SANSOCKET_TEXT: sansocket_message_kind = 1;
/// A binary message.
pub const SANSOCKET_BINARY: sansocket_message_kind = 2;

/// What the peer sent.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sansocket_event_kind {
    /// Nothing whole yet: more bytes are needed.
    SANSOCKET_NOTHING = 0,
    /// A piece of a message, or with an assembler a whole message.
    SANSOCKET_DATA = 1,
    /// A Ping. Its Pong is owed already, unless that was switched off.
    SANSOCKET_PING = 2,
    /// A Pong, whether asked for or not.
    SANSOCKET_PONG = 3,
    /// The peer's Close frame, the last event. The reply is owed already, unless that was
    /// switched off.
    SANSOCKET_CLOSE = 4,
}
use sansocket_event_kind::*;

/// What one receive made of the bytes it was given.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sansocket_event {
    /// What it is.
    pub kind: sansocket_event_kind,
    /// Of `SANSOCKET_DATA`: `SANSOCKET_TEXT` or `SANSOCKET_BINARY`. Otherwise 0.
    pub message_kind: sansocket_message_kind,
    /// The payload, unmasked; of `SANSOCKET_CLOSE` the reason, which is UTF-8. NULL if there is
    /// none.
    ///
    /// It is lent, from the buffer that was presented, the carry or the storage of the
    /// assembler, and so valid until that buffer is written to or freed, or the next receive
    /// with that carry or assembler. The connection may be used meanwhile, to send it back,
    /// say. A piece of a text may begin and end inside a character.
    pub payload: *const u8,
    /// The length of the payload in bytes.
    pub payload_len: usize,
    /// How many bytes of the buffer are done with. Present the others again: after an event at
    /// once, without one when more bytes are behind them. With a carry, all are done with if
    /// there is no event.
    pub consumed: usize,
    /// Of `SANSOCKET_NOTHING`: how many bytes must be presented together to make progress, the
    /// unconsumed ones included. At most 131. With a carry 0.
    pub need: usize,
    /// Of `SANSOCKET_DATA`: whether the message begins with this piece. Of a whole message,
    /// this and the next are true.
    pub starts_message: bool,
    /// Of `SANSOCKET_DATA`: whether the message ends with this piece.
    pub ends_message: bool,
    /// Of `SANSOCKET_DATA` without an assembler: whether a frame begins with this piece.
    pub starts_frame: bool,
    /// Of a piece with `starts_frame`: whether that frame is its message's last (FIN).
    pub fin: bool,
    /// Of `SANSOCKET_CLOSE`: the close code, 1005 if the frame has none. Otherwise 0.
    pub close_code: u16,
    /// Of a piece with `starts_frame`: the length of the frame's whole payload in bytes.
    pub frame_len: u64,
    /// Of `SANSOCKET_DATA` without an assembler: how many bytes of the frame are still to come.
    pub frame_left: u64,
}

/// Decodes the next event of the `len` bytes at `buf`, in place: payloads are unmasked where
/// they lie. One event a call; call again with what was not consumed until there is
/// `SANSOCKET_NOTHING`, and take `sansocket_poll_transmit` after each.
///
/// Unconsumed bytes (130 at most, once there is `SANSOCKET_NOTHING`) are presented again, with
/// more behind them. Any split of the stream gives the same events, but for the borders of
/// pieces. The buffer stays the caller's, and nothing is kept of it.
///
/// `SANSOCKET_FAILED` when the peer broke a rule, and ever after: the valid bytes before were
/// delivered, the rest is to be thrown away (`event` says that it is consumed), and the Close
/// is owed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_receive(
    connection: *mut sansocket_connection,
    buf: *mut u8,
    len: usize,
    event: *mut sansocket_event,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe { receive(connection, ptr::null_mut(), buf, len, event) })
}

/// `sansocket_receive` over buffers that are not presented again: without an event, all of
/// `buf` is consumed, and the beginning of a header or control frame is in `carry`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_receive_carried(
    connection: *mut sansocket_connection,
    carry: *mut sansocket_carry,
    buf: *mut u8,
    len: usize,
    event: *mut sansocket_event,
) -> sansocket_status {
    if carry.is_null() {
        return sansocket_status::SANSOCKET_ERROR_NULL;
    }
    // SAFETY: what the caller promises for these arguments.
    report(unsafe { receive(connection, carry, buf, len, event) })
}

/// `sansocket_receive`, but `SANSOCKET_DATA` is a whole message: pieces are put together in
/// `assembler`. `carry` may be NULL; if not, it is `sansocket_receive_carried`.
///
/// A message that does not fit the assembler fails the connection with 1009
/// (`SANSOCKET_FAILED`), where it becomes too long. Give the assembler as much storage as
/// `message_len_max` allows; then that is told at the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_receive_message(
    connection: *mut sansocket_connection,
    carry: *mut sansocket_carry,
    assembler: *mut sansocket_assembler,
    buf: *mut u8,
    len: usize,
    event: *mut sansocket_event,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe { receive_message(connection, carry, assembler, buf, len, event) })
}

/// The arguments as they are used.
struct Source<'a> {
    endpoint: &'a mut Endpoint,
    carry: Option<&'a mut Carry>,
}

unsafe fn receive(
    connection: *mut sansocket_connection,
    carry: *mut sansocket_carry,
    buf: *mut u8,
    len: usize,
    event: *mut sansocket_event,
) -> Result<(), sansocket_status> {
    // SAFETY: what the caller promises; the objects, the buffer and the event are apart.
    unsafe {
        memory::write(event, sansocket_event::nothing(0))?;
        let buf = memory::bytes(buf, len)?;
        let mut source = Source::at(connection, carry)?;
        let (told, outcome) = match source.next(buf) {
            Ok(next) => (sansocket_event::of(&next).with_consumed(len - next.rest.len()), Ok(())),
            Err(failure) => (sansocket_event::nothing(len), Err(failure.into())),
        };
        memory::write(event, told)?;
        outcome
    }
}

unsafe fn receive_message(
    connection: *mut sansocket_connection,
    carry: *mut sansocket_carry,
    assembler: *mut sansocket_assembler,
    buf: *mut u8,
    len: usize,
    event: *mut sansocket_event,
) -> Result<(), sansocket_status> {
    // SAFETY: what the caller promises; the objects, the buffer and the event are apart.
    unsafe {
        memory::write(event, sansocket_event::nothing(0))?;
        let buf = memory::bytes(buf, len)?;
        let assembler = memory::get(assembler)?;
        let mut source = Source::at(connection, carry)?;
        let (told, outcome) = match source.next_message(assembler, buf) {
            Ok(told) => (told, Ok(())),
            Err(failure) => (sansocket_event::nothing(len), Err(failure.into())),
        };
        memory::write(event, told)?;
        outcome
    }
}

/// What came, and what is left.
struct Next<'c, 'b> {
    event: Option<Event<'c>>,
    rest: &'b mut [u8],
    need: usize,
}

impl Source<'_> {
    unsafe fn at(
        connection: *mut sansocket_connection,
        carry: *mut sansocket_carry,
    ) -> Result<Self, sansocket_status> {
        // SAFETY: the caller gives a connection, and a carry or NULL.
        unsafe {
            let endpoint = memory::get(connection)?;
            let carry = if carry.is_null() { None } else { Some(memory::get(carry)?) };
            Ok(Self { endpoint, carry })
        }
    }

    fn next<'c, 'b: 'c>(&'c mut self, buf: &'b mut [u8]) -> Result<Next<'c, 'b>, Failure> {
        if let Some(carry) = &mut self.carry {
            let carried = either!(self.endpoint, connection => carry.receive(connection, buf))?;
            return Ok(Next { event: carried.event, rest: carried.rest, need: 0 });
        }
        let received = either!(self.endpoint, connection => connection.receive(buf))?;
        Ok(Next { event: received.event, rest: received.rest, need: received.need })
    }

    /// The next event that is not a piece.
    fn next_message(
        &mut self,
        assembler: &mut <sansocket_assembler as Object>::Value,
        buf: &mut [u8],
    ) -> Result<sansocket_event, Failure> {
        let (len, mut rest) = (buf.len(), buf);
        loop {
            let next = self.next(rest)?;
            let consumed = len - next.rest.len();
            let Some(Event::Data(data)) = next.event else {
                return Ok(sansocket_event::of(&next).with_consumed(consumed));
            };
            match assembler.push(data).map(|assembled| assembled.message()) {
                Ok(None) => rest = next.rest,
                Ok(Some(message)) => {
                    return Ok(sansocket_event::of_message(message).with_consumed(consumed));
                }
                Err(error) => {
                    let code = error.close_code();
                    return Err(either!(self.endpoint, connection => connection.fail_with(code)));
                }
            }
        }
    }
}

impl sansocket_event {
    fn nothing(consumed: usize) -> Self {
        Self {
            kind: SANSOCKET_NOTHING,
            message_kind: 0,
            payload: ptr::null(),
            payload_len: 0,
            consumed,
            need: 0,
            starts_message: false,
            ends_message: false,
            starts_frame: false,
            fin: false,
            close_code: 0,
            frame_len: 0,
            frame_left: 0,
        }
    }

    fn of(next: &Next<'_, '_>) -> Self {
        match &next.event {
            None => Self { need: next.need, ..Self::nothing(0) },
            Some(Event::Data(data)) => Self::of_data(data),
            Some(Event::Ping(payload)) => Self::with_payload(SANSOCKET_PING, payload),
            Some(Event::Pong(payload)) => Self::with_payload(SANSOCKET_PONG, payload),
            Some(Event::Close(None)) => {
                Self { close_code: 1005, ..Self::with_payload(SANSOCKET_CLOSE, b"") }
            }
            Some(Event::Close(Some(frame))) => Self {
                close_code: frame.code.number(),
                ..Self::with_payload(SANSOCKET_CLOSE, frame.reason.as_bytes())
            },
        }
    }

    fn of_data(data: &Data<'_>) -> Self {
        let start = data.frame_start();
        Self {
            message_kind: number_of(data.kind()),
            starts_message: data.starts_message(),
            ends_message: data.ends_message(),
            starts_frame: start.is_some(),
            fin: start.is_some_and(|start| start.fin == Fin::Last),
            frame_len: start.map_or(0, |start| start.payload_len),
            frame_left: data.frame_left(),
            ..Self::with_payload(SANSOCKET_DATA, data.bytes())
        }
    }

    fn of_message(message: Message<'_>) -> Self {
        Self {
            message_kind: number_of(message.kind()),
            starts_message: true,
            ends_message: true,
            ..Self::with_payload(SANSOCKET_DATA, message.as_bytes())
        }
    }

    fn with_payload(kind: sansocket_event_kind, payload: &[u8]) -> Self {
        let start = if payload.is_empty() { ptr::null() } else { payload.as_ptr() };
        Self { kind, payload: start, payload_len: payload.len(), ..Self::nothing(0) }
    }

    fn with_consumed(self, consumed: usize) -> Self {
        Self { consumed, ..self }
    }
}

pub(crate) fn number_of(kind: Kind) -> sansocket_message_kind {
    match kind {
        Kind::Text => SANSOCKET_TEXT,
        Kind::Binary => SANSOCKET_BINARY,
    }
}
