//! How a connection ends, and what can be learnt of it.

use core::ffi::c_char;
use core::fmt::{self, Write};

use sansocket::{Cause, CloseCode, Closure, Failure, State};

use crate::connection::{Endpoint, either, sansocket_connection};
use crate::memory::{self, Output};
use crate::names::{name_of_rule, section_of_rule};
use crate::sansocket_status::{self, SANSOCKET_ERROR_NOTHING, SANSOCKET_ERROR_OUTPUT_TOO_SMALL};
use crate::status::report;

/// Where a connection is on its way from open to closed.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sansocket_state {
    /// Data may flow both ways.
    SANSOCKET_STATE_OPEN = 0,
    /// Our Close is owed or sent, the peer's has not come.
    SANSOCKET_STATE_CLOSE_SENT = 1,
    /// The peer's Close has come, ours is still to be sent by the application.
    SANSOCKET_STATE_CLOSE_RECEIVED = 2,
    /// Both Close frames are sent or owed, or the transport is gone.
    SANSOCKET_STATE_CLOSED = 3,
    /// The connection failed: the Close that says why is owed or sent.
    SANSOCKET_STATE_FAILED = 4,
}
use sansocket_state::*;

/// Why a connection failed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sansocket_failure {
    /// The rule that was broken, as `"text-not-utf8"`: a static string with a NUL. The names are
    /// those of `docs/conformance/vectors`.
    pub rule: *const c_char,
    /// Where the rule stands, as `"RFC 6455 section 8.1"`: a static string with a NUL.
    pub section: *const c_char,
    /// How many bytes of the frame stream came before the first one that cannot be; for a
    /// deadline, how many had been consumed.
    pub offset: u64,
    /// The close code that tells the peer.
    pub close_code: u16,
}

/// Why a connection ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sansocket_cause {
    /// The closing handshake was completed: both sides sent Close.
    SANSOCKET_CAUSE_CLOSING_HANDSHAKE = 0,
    /// A rule was broken or a deadline passed: see `sansocket_failure_of`.
    SANSOCKET_CAUSE_FAILED = 1,
    /// The transport ended between two messages, without the closing handshake.
    SANSOCKET_CAUSE_TRANSPORT_ENDED = 2,
    /// The transport ended inside a frame or a message.
    SANSOCKET_CAUSE_TRUNCATED = 3,
    /// The transport was reset.
    SANSOCKET_CAUSE_TRANSPORT_RESET = 4,
    /// A Close was not answered in time.
    SANSOCKET_CAUSE_CLOSE_TIMEOUT = 5,
    /// The application dropped the connection.
    SANSOCKET_CAUSE_ABORTED = 6,
    /// Another one, which this version has no number for.
    SANSOCKET_CAUSE_OTHER = 7,
}
use sansocket_cause::*;

/// How a connection ended.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sansocket_closure {
    /// Why. The closure is clean (RFC 6455 section 7.1.4) if it was the closing handshake.
    pub cause: sansocket_cause,
    /// The close code to report: that of the peer's Close, 1005 if it had none, 1006 if no
    /// Close came.
    pub code: u16,
    /// The code that we sent or queued: 1005 for a Close without one, 0 if we sent no Close.
    pub sent: u16,
}

/// The transport ended: no byte will follow. With a carry or unconsumed bytes, they are lost.
///
/// A Close that is still owed is given by `sansocket_poll_transmit`, since a peer that stopped
/// sending may still read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_receive_end(
    connection: *mut sansocket_connection,
) -> sansocket_status {
    // SAFETY: what the caller promises for this argument.
    report(unsafe {
        memory::get(connection).map(|endpoint| {
            either!(endpoint, connection => _ = connection.receive_end());
        })
    })
}

/// The transport was reset, or can no longer be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_receive_reset(
    connection: *mut sansocket_connection,
) -> sansocket_status {
    // SAFETY: what the caller promises for this argument.
    report(unsafe {
        memory::get(connection).map(|endpoint| {
            either!(endpoint, connection => _ = connection.receive_reset());
        })
    })
}

/// Gives the connection up at once: no Close frame, nothing more is owed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_abort(
    connection: *mut sansocket_connection,
) -> sansocket_status {
    // SAFETY: what the caller promises for this argument.
    report(unsafe {
        memory::get(connection).map(|endpoint| {
            either!(endpoint, connection => _ = connection.abort());
        })
    })
}

/// Fails the connection for a reason of the application's own: a Close with `code` is owed, and
/// nothing more is delivered. A code that this role may not send is replaced by 1011. For a
/// closing handshake there is `sansocket_close`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_fail(
    connection: *mut sansocket_connection,
    code: u16,
) -> sansocket_status {
    let code = CloseCode::new(code);
    // SAFETY: what the caller promises for this argument.
    report(unsafe {
        memory::get(connection).map(|endpoint| {
            either!(endpoint, connection => _ = connection.fail_with(code));
        })
    })
}

/// Writes to `state` where the connection is on its way from open to closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_state_of(
    connection: *const sansocket_connection,
    state: *mut sansocket_state,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::peek(connection)
            .map(|endpoint| either!(endpoint, connection => connection.state()))
            .and_then(|found| memory::write(state, found.into()))
    })
}

/// Writes to `failure` why the connection failed; `SANSOCKET_ERROR_NOTHING` if it did not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_failure_of(
    connection: *mut sansocket_connection,
    failure: *mut sansocket_failure,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::get(connection)
            .and_then(failure_in)
            .and_then(|found| memory::write(failure, found.into()))
    })
}

/// Writes why the connection failed as a sentence for a log, UTF-8 without a NUL, to the start
/// of `out`, and its length to `len`. 256 bytes are enough. `SANSOCKET_ERROR_NOTHING` if it did
/// not fail.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_failure_text(
    connection: *mut sansocket_connection,
    out: *mut u8,
    out_size: usize,
    len: *mut usize,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::output(out, out_size, len).and_then(|output| {
            let failure = memory::get(connection).and_then(failure_in)?;
            put_text(output, failure)
        })
    })
}

/// Writes to `closure` how the connection ended; `SANSOCKET_ERROR_NOTHING` while its transport is
/// still of use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_closure_of(
    connection: *const sansocket_connection,
    closure: *mut sansocket_closure,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::peek(connection)
            .and_then(|endpoint| {
                let found = either!(endpoint, connection => connection.closure());
                found.ok_or(SANSOCKET_ERROR_NOTHING)
            })
            .and_then(|found| memory::write(closure, found.into()))
    })
}

/// A failed connection says so at each receive, and an empty one changes nothing.
fn failure_in(endpoint: &mut Endpoint) -> Result<Failure, sansocket_status> {
    if either!(endpoint, connection => connection.state()) != State::Failed {
        return Err(SANSOCKET_ERROR_NOTHING);
    }
    let received = either!(endpoint, connection => connection.receive(&mut []).map(|_| ()));
    received.err().ok_or(SANSOCKET_ERROR_NOTHING)
}

impl From<Failure> for sansocket_failure {
    fn from(failure: Failure) -> Self {
        Self {
            rule: name_of_rule(failure.rule()).as_ptr(),
            section: section_of_rule(failure.rule()).as_ptr(),
            offset: failure.offset(),
            close_code: failure.code().number(),
        }
    }
}

impl From<State> for sansocket_state {
    fn from(state: State) -> Self {
        match state {
            State::Open => SANSOCKET_STATE_OPEN,
            State::CloseSent => SANSOCKET_STATE_CLOSE_SENT,
            State::CloseReceived => SANSOCKET_STATE_CLOSE_RECEIVED,
            State::Closed => SANSOCKET_STATE_CLOSED,
            State::Failed => SANSOCKET_STATE_FAILED,
        }
    }
}

impl From<Closure> for sansocket_closure {
    fn from(closure: Closure) -> Self {
        let cause = match closure.cause() {
            Cause::ClosingHandshake => SANSOCKET_CAUSE_CLOSING_HANDSHAKE,
            Cause::Failed(_) => SANSOCKET_CAUSE_FAILED,
            Cause::TransportEnded => SANSOCKET_CAUSE_TRANSPORT_ENDED,
            Cause::Truncated => SANSOCKET_CAUSE_TRUNCATED,
            Cause::TransportReset => SANSOCKET_CAUSE_TRANSPORT_RESET,
            Cause::CloseTimeout => SANSOCKET_CAUSE_CLOSE_TIMEOUT,
            Cause::Aborted => SANSOCKET_CAUSE_ABORTED,
            _ => SANSOCKET_CAUSE_OTHER,
        };
        let sent = closure.sent().map_or(0, CloseCode::number);
        Self { cause, code: closure.code().number(), sent }
    }
}

/// What `told` says, in the room of `output`.
fn put_text(output: Output<'_>, told: impl fmt::Display) -> Result<(), sansocket_status> {
    let Output { room, len } = output;
    let mut text = Text { room, len: 0 };
    // It never fails: what does not fit is counted.
    let _ = write!(text, "{told}");
    *len = text.len;
    let fits = text.len <= text.room.len();
    if fits { Ok(()) } else { Err(SANSOCKET_ERROR_OUTPUT_TOO_SMALL) }
}

struct Text<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl Write for Text<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let free = self.room.get_mut(self.len..).unwrap_or_default();
        free.iter_mut().zip(piece.bytes()).for_each(|(free, byte)| *free = byte);
        self.len = self.len.saturating_add(piece.len());
        Ok(())
    }
}
