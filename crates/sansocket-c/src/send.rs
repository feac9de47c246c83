//! Messages and control frames out, into memory of the caller's.

use core::mem::MaybeUninit;
use core::str;

use sansocket::{CloseCode, Fin, FrameHead, Kind, Message, Transmit};

use crate::connection::{either, sansocket_connection};
use crate::memory::{self, Object};
use crate::receive::{SANSOCKET_BINARY, SANSOCKET_TEXT, sansocket_message_kind};
use crate::sansocket_status::{self, *};
use crate::status::report;
use crate::text::choose;

/// Whether a fragment is the last of its message.
pub type sansocket_fin = u32;
/// More fragments follow.
pub const SANSOCKET_MORE: sansocket_fin = 0;
/// It is the last.
pub const SANSOCKET_LAST: sansocket_fin = 1;

/// The room that is enough for anything that `sansocket_poll_transmit` has to give, a Ping, a
/// Pong or a Close, in bytes.
pub const SANSOCKET_CONTROL_FRAME_LEN_MAX: usize = 131;

/// What more than its payload a frame takes at most, in bytes.
pub const SANSOCKET_FRAME_HEAD_LEN_MAX: usize = 14;

/// What to do for a connection.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sansocket_transmit {
    /// Nothing to write; go on.
    SANSOCKET_IDLE = 0,
    /// Write these bytes, then ask again.
    SANSOCKET_BYTES = 1,
    /// Something is owed that does not fit: the length says how much room it needs.
    SANSOCKET_FULL = 2,
    /// Nothing to write. Go on reading: the peer has yet to answer our Close, or to end the
    /// transport.
    SANSOCKET_AWAIT_PEER = 3,
    /// When everything is written: shut down the sending side of the transport, and go on
    /// reading until it ends. Do not close it yet, or unread input resets it before the peer
    /// has read why. Said again until then.
    SANSOCKET_HALF_CLOSE = 4,
    /// When everything is written: close the transport.
    SANSOCKET_CLOSE_NOW = 5,
}
use sansocket_transmit::*;

/// Encodes what the protocol owes, to the start of `out`: the latest Pong, a keep-alive Ping,
/// the Close; as many as there is room for. `step` says what to do, `len` how many bytes were
/// written, or are needed (`SANSOCKET_FULL`). `SANSOCKET_CONTROL_FRAME_LEN_MAX` bytes of room
/// are always enough for one frame.
///
/// Take it after each event and before waiting, until there are no more `SANSOCKET_BYTES`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_poll_transmit(
    connection: *mut sansocket_connection,
    out: *mut u8,
    out_size: usize,
    step: *mut sansocket_transmit,
    len: *mut usize,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::write(step, SANSOCKET_IDLE)
            .and_then(|()| memory::output(out, out_size, len))
            .and_then(|output| {
                let endpoint = memory::get(connection)?;
                let transmit =
                    either!(endpoint, connection => connection.poll_transmit(output.room));
                *output.len = match transmit {
                    Transmit::Bytes(bytes) => bytes.len(),
                    Transmit::Full { need } => need,
                    _ => 0,
                };
                memory::write(step, sansocket_transmit::of(transmit))
            })
    })
}

impl sansocket_transmit {
    fn of(transmit: Transmit<'_>) -> Self {
        match transmit {
            Transmit::Bytes(_) => SANSOCKET_BYTES,
            Transmit::Full { .. } => SANSOCKET_FULL,
            Transmit::Idle => SANSOCKET_IDLE,
            Transmit::AwaitPeer => SANSOCKET_AWAIT_PEER,
            Transmit::HalfClose => SANSOCKET_HALF_CLOSE,
            Transmit::CloseNow => SANSOCKET_CLOSE_NOW,
        }
    }
}

/// Encodes a whole message as one frame to the start of `out`; `len` says how many bytes to
/// write. The payload is copied, a client's masked in the same pass; it may be lent from an
/// event, and must not overlap `out`.
///
/// Errors, with which nothing has changed: `SANSOCKET_ERROR_TEXT_NOT_UTF8`,
/// `SANSOCKET_ERROR_CLOSED`, `SANSOCKET_ERROR_MESSAGE_UNDER_WAY` between fragments,
/// `SANSOCKET_ERROR_PAYLOAD_UNWRITTEN` behind a head, `SANSOCKET_ERROR_OUTPUT_TOO_SMALL`, where
/// `len` says how much room is needed: at most `SANSOCKET_FRAME_HEAD_LEN_MAX` more than the
/// payload.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_send(
    connection: *mut sansocket_connection,
    kind: sansocket_message_kind,
    payload: *const u8,
    payload_len: usize,
    out: *mut u8,
    out_size: usize,
    len: *mut usize,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::output(out, out_size, len).and_then(|output| {
            let endpoint = memory::get(connection)?;
            let message = message_of(kind, memory::input(payload, payload_len)?)?;
            output.fill(|room| either!(endpoint, connection => connection.send(message, room)))
        })
    })
}

/// Encodes one fragment of a message (RFC 6455 section 5.4) to the start of `out`; the first
/// begins the message, the one with `SANSOCKET_LAST` ends it. A fragment of a text may end
/// inside a character. Control frames may go between fragments, other messages may not.
///
/// Errors as of `sansocket_send`; `SANSOCKET_ERROR_MESSAGE_UNDER_WAY` also if `kind` is not that
/// of the message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_send_fragment(
    connection: *mut sansocket_connection,
    kind: sansocket_message_kind,
    fin: sansocket_fin,
    payload: *const u8,
    payload_len: usize,
    out: *mut u8,
    out_size: usize,
    len: *mut usize,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::output(out, out_size, len).and_then(|output| {
            let endpoint = memory::get(connection)?;
            let (kind, fin) = (kind_of(kind)?, fin_of(fin)?);
            let payload = memory::input(payload, payload_len)?;
            output.fill(|room| {
                either!(endpoint, connection => connection.send_fragment(kind, fin, payload, room))
            })
        })
    })
}

/// Encodes a Ping with at most 125 bytes of payload to the start of `out`. Keep-alive needs no
/// call: see `sansocket_config`.
///
/// Errors as of `sansocket_send`; `SANSOCKET_ERROR_CONTROL_TOO_LONG`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_ping(
    connection: *mut sansocket_connection,
    payload: *const u8,
    payload_len: usize,
    out: *mut u8,
    out_size: usize,
    len: *mut usize,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::output(out, out_size, len).and_then(|output| {
            let endpoint = memory::get(connection)?;
            let payload = memory::input(payload, payload_len)?;
            output.fill(|room| either!(endpoint, connection => connection.ping(payload, room)))
        })
    })
}

/// Encodes a Pong with at most 125 bytes of payload to the start of `out`. Pings are answered
/// without it, unless that was switched off.
///
/// Errors as of `sansocket_ping`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_pong(
    connection: *mut sansocket_connection,
    payload: *const u8,
    payload_len: usize,
    out: *mut u8,
    out_size: usize,
    len: *mut usize,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::output(out, out_size, len).and_then(|output| {
            let endpoint = memory::get(connection)?;
            let payload = memory::input(payload, payload_len)?;
            output.fill(|room| either!(endpoint, connection => connection.pong(payload, room)))
        })
    })
}

/// Encodes a Close frame to the start of `out`: begins the closing handshake, or completes it
/// in place of the automatic reply, as long as that was not taken. `code` 0 is none; then the
/// reason must be empty. The reason is UTF-8 of at most 123 bytes.
///
/// Go on with `sansocket_poll_transmit`, which says what to do with the transport.
///
/// Errors: `SANSOCKET_ERROR_CLOSED` if a Close was sent, or the connection failed;
/// `SANSOCKET_ERROR_CLOSE_CODE`, `SANSOCKET_ERROR_REASON_TOO_LONG`,
/// `SANSOCKET_ERROR_REASON_WITHOUT_CODE`, `SANSOCKET_ERROR_TEXT_NOT_UTF8`,
/// `SANSOCKET_ERROR_OUTPUT_TOO_SMALL`, `SANSOCKET_ERROR_PAYLOAD_UNWRITTEN`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_close(
    connection: *mut sansocket_connection,
    code: u16,
    reason: *const u8,
    reason_len: usize,
    out: *mut u8,
    out_size: usize,
    len: *mut usize,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::output(out, out_size, len).and_then(|output| {
            let endpoint = memory::get(connection)?;
            let reason = text_of(memory::input(reason, reason_len)?)?;
            let code = Some(code).filter(|code| *code != 0).map(CloseCode::new);
            output
                .fill(|room| either!(endpoint, connection => connection.close(code, reason, room)))
        })
    })
}

/// The size of a frame head, in words of eight bytes.
pub const SANSOCKET_FRAME_HEAD_WORDS: usize = 6;

/// The head of a frame whose payload the caller writes itself, as with `writev`. Memory of the
/// caller's: nothing to free, may be moved between calls.
#[repr(C)]
#[derive(Debug)]
pub struct sansocket_frame_head {
    opaque: [MaybeUninit<u64>; SANSOCKET_FRAME_HEAD_WORDS],
}

impl Object for sansocket_frame_head {
    type Value = FrameHead;
    const TAG: u32 = 0x5357_6668;
}

/// Makes the head of a frame of a message, whose payload of `payload_len` bytes the caller
/// writes behind it: its bytes go to `out`, which has room for `SANSOCKET_FRAME_HEAD_LEN_MAX`,
/// and `len` says how many they are. A client masks the payload with
/// `sansocket_frame_head_mask` before it writes it.
///
/// A head is a debt: no other frame is given until `sansocket_payload_written` was told of the
/// whole payload. That a text payload is UTF-8, and that each head's ends between characters,
/// is the caller's promise here.
///
/// Errors as of `sansocket_send_fragment`, but for the text; `SANSOCKET_ERROR_PAYLOAD_TOO_LONG`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_send_head(
    connection: *mut sansocket_connection,
    kind: sansocket_message_kind,
    fin: sansocket_fin,
    payload_len: u64,
    head: *mut sansocket_frame_head,
    out: *mut u8,
    out_size: usize,
    len: *mut usize,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::output(out, out_size, len).and_then(|output| {
            let endpoint = memory::get(connection)?;
            let (kind, fin) = (kind_of(kind)?, fin_of(fin)?);
            let Some(room) = output.room.first_chunk_mut() else {
                *output.len = SANSOCKET_FRAME_HEAD_LEN_MAX;
                return Err(SANSOCKET_ERROR_OUTPUT_TOO_SMALL);
            };
            // Before the debt is made.
            memory::check_place(head)?;
            let made = either!(endpoint, connection => connection.head(kind, fin, payload_len))?;
            *output.len = copy_head(&made, room);
            memory::put(head, made)
        })
    })
}

/// Masks the next `len` bytes of the payload in place, if it is a client's; a server's stay as
/// they are. The pieces must come in order, each once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_frame_head_mask(
    head: *mut sansocket_frame_head,
    piece: *mut u8,
    len: usize,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::get(head).and_then(|head| memory::bytes(piece, len).map(|piece| head.mask(piece)))
    })
}

/// `len` bytes of the payload of the last head were written.
///
/// `SANSOCKET_ERROR_OVERPAID` if that is more than was left of it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_payload_written(
    connection: *mut sansocket_connection,
    len: u64,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::get(connection).and_then(|endpoint| {
            Ok(either!(endpoint, connection => connection.payload_written(len))?)
        })
    })
}

fn copy_head(head: &FrameHead, room: &mut [u8; SANSOCKET_FRAME_HEAD_LEN_MAX]) -> usize {
    let bytes = head.as_bytes();
    room.iter_mut().zip(bytes).for_each(|(room, byte)| *room = *byte);
    bytes.len()
}

fn message_of(
    kind: sansocket_message_kind,
    payload: &[u8],
) -> Result<Message<'_>, sansocket_status> {
    Ok(match kind_of(kind)? {
        Kind::Text => Message::Text(text_of(payload)?),
        Kind::Binary => Message::Binary(payload),
    })
}

fn text_of(bytes: &[u8]) -> Result<&str, sansocket_status> {
    str::from_utf8(bytes).map_err(|_| SANSOCKET_ERROR_TEXT_NOT_UTF8)
}

fn kind_of(number: sansocket_message_kind) -> Result<Kind, sansocket_status> {
    choose(number, &[(SANSOCKET_TEXT, Kind::Text), (SANSOCKET_BINARY, Kind::Binary)])
}

fn fin_of(number: sansocket_fin) -> Result<Fin, sansocket_status> {
    choose(number, &[(SANSOCKET_MORE, Fin::More), (SANSOCKET_LAST, Fin::Last)])
}
