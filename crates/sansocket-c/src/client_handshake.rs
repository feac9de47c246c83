//! The opening handshake of a client: a request, and the checks on its response.

use core::mem::MaybeUninit;

use sansocket::handshake::{
    Answer, ClientHandshake, ClientRequest, HandshakeLimits, RejectedResponse, Response,
    ResponseError,
};
use sansocket::{Tick, Uri};

use crate::config::millis;
use crate::memory::{self, Object};
use crate::names::name_of_response_error;
use crate::sansocket_status::{self, *};
use crate::server_handshake::sansocket_rejection;
use crate::status::report;
use crate::text::{FieldList, List, fields, sansocket_field, sansocket_str, texts};
use crate::time::micros;

/// What a client asks for. All zero but for the URI will do. Plain data of the caller's: the
/// structure and its lists are copied; the strings are borrowed, and must live as long as the
/// handshake.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct sansocket_client_request {
    /// The URI, as `ws://example.com/chat`.
    pub uri: sansocket_str,
    /// The subprotocols to offer, the favourite first; at most `SANSOCKET_LIST_MAX`. May be NULL.
    pub subprotocols: *const sansocket_str,
    /// Their number.
    pub subprotocols_len: usize,
    /// The origin, of clients that act for a web page only; `{NULL, 0}` for none.
    pub origin: sansocket_str,
    /// Further header fields, such as `Authorization`; at most `SANSOCKET_LIST_MAX`. May be NULL.
    pub fields: *const sansocket_field,
    /// Their number.
    pub fields_len: usize,
    /// The most bytes of a response head, with all interim ones; 0 is 16 KiB.
    pub head_len_max: usize,
    /// The time from the first `sansocket_client_handshake_handle_timeout` to the end of the
    /// response head; 0 is 10 s.
    pub deadline_ms: u32,
}

/// The size of a client's handshake, in words of eight bytes.
pub const SANSOCKET_CLIENT_HANDSHAKE_WORDS: usize = 218;

/// Sends one request for a WebSocket, and reads its response. Memory of the caller's: nothing to
/// free, but it must stay where it is from its `init` on (it is checked). Over when the
/// connection is open.
#[repr(C)]
#[derive(Debug)]
pub struct sansocket_client_handshake {
    opaque: [MaybeUninit<u64>; SANSOCKET_CLIENT_HANDSHAKE_WORDS],
}

/// The handshake borrows the lists beside it, so after `init` nothing but the handshake is
/// looked at, and the place must stay the same.
pub(crate) struct Asking {
    place: usize,
    subprotocols: List<&'static str>,
    fields: FieldList<'static>,
    checking: Option<Checking>,
}

struct Checking {
    handshake: ClientHandshake<'static>,
    error: Option<ResponseError>,
}

impl Object for sansocket_client_handshake {
    type Value = Asking;
    const TAG: u32 = 0x5357_6368;
}

/// What the received bytes are.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sansocket_response_kind {
    /// The beginning of a head: call again with more bytes.
    SANSOCKET_RESPONSE_INCOMPLETE = 0,
    /// The server accepts, and its response passed all checks.
    SANSOCKET_RESPONSE_ACCEPTED = 1,
    /// Any status but 101: a refusal, a redirect, a page. Its body starts behind the head; no
    /// frame ever follows.
    SANSOCKET_RESPONSE_DECLINED = 2,
}
use sansocket_response_kind::*;

/// The size of a response, in words of eight bytes.
pub const SANSOCKET_RESPONSE_WORDS: usize = 268;

/// A response. Memory of the caller's, on the stack, say: nothing to free, may be moved. It
/// borrows the received bytes: valid as long as they stay where and as they are.
#[repr(C)]
#[derive(Debug)]
pub struct sansocket_response {
    opaque: [MaybeUninit<u64>; SANSOCKET_RESPONSE_WORDS],
}

#[allow(clippy::large_enum_variant, reason = "it lies in memory of one size")]
pub(crate) enum Answered {
    Accepted(Response<'static>),
    Declined(RejectedResponse<'static>),
}

/// The same for either kind of response.
macro_rules! answered {
    ($answered:expr, $response:ident => $call:expr) => {
        match $answered {
            Answered::Accepted($response) => $call,
            Answered::Declined($response) => $call,
        }
    };
}

impl Object for sansocket_response {
    type Value = Answered;
    const TAG: u32 = 0x5357_7273;
}

/// Makes a handshake for `request`. `nonce` points to 16 bytes, which are copied: random, and
/// drawn anew for each attempt (RFC 6455 section 4.1).
///
/// Errors: `SANSOCKET_ERROR_URI`, `SANSOCKET_ERROR_SUBPROTOCOL`, `SANSOCKET_ERROR_ORIGIN`,
/// `SANSOCKET_ERROR_FIELD`, `SANSOCKET_ERROR_TOO_MANY`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_client_handshake_init(
    handshake: *mut sansocket_client_handshake,
    request: *const sansocket_client_request,
    nonce: *const u8,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe { init(handshake, request, nonce) })
}

/// Writes the request to the start of `out`. Nothing more may be sent until the response is
/// accepted. `SANSOCKET_ERROR_OUTPUT_TOO_SMALL` says how much room it needs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_client_handshake_write(
    handshake: *mut sansocket_client_handshake,
    out: *mut u8,
    out_size: usize,
    len: *mut usize,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        memory::output(out, out_size, len).and_then(|output| {
            let handshake = &checking(handshake)?.handshake;
            output.fill(|room| handshake.write(room))
        })
    })
}

/// Reads the head at the start of the `len` bytes at `received`: all bytes received so far,
/// from the first one. Bytes that earlier calls saw are not looked at again.
///
/// `kind` says what they are. If it is not `SANSOCKET_RESPONSE_INCOMPLETE`, the response is in
/// `response`, and borrows `received`. `SANSOCKET_REJECTED` when a rule is broken, and ever
/// after: close the transport.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_client_handshake_receive(
    handshake: *mut sansocket_client_handshake,
    received: *const u8,
    len: usize,
    kind: *mut sansocket_response_kind,
    response: *mut sansocket_response,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments; the response is used no longer
    // than the received bytes.
    report(unsafe {
        memory::write(kind, SANSOCKET_RESPONSE_INCOMPLETE).and_then(|()| {
            memory::check_place(response)?;
            let received = memory::input::<'static>(received, len)?;
            let checking = checking(handshake)?;
            match checking.handshake.receive(received) {
                Ok(Answer::Incomplete) => Ok(()),
                Ok(Answer::Accepted(answer)) => {
                    memory::write(kind, SANSOCKET_RESPONSE_ACCEPTED)?;
                    memory::put(response, Answered::Accepted(answer))
                }
                Ok(Answer::Rejected(answer)) => {
                    memory::write(kind, SANSOCKET_RESPONSE_DECLINED)?;
                    memory::put(response, Answered::Declined(answer))
                }
                Err(error) => Err(checking.fail(error)),
            }
        })
    })
}

/// The transport ended. `SANSOCKET_REJECTED` if it ended before the head did.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_client_handshake_receive_end(
    handshake: *mut sansocket_client_handshake,
) -> sansocket_status {
    // SAFETY: what the caller promises for this argument.
    report(unsafe {
        checking(handshake).and_then(|checking| {
            let outcome = checking.handshake.receive_end();
            outcome.map_err(|error| checking.fail(error))
        })
    })
}

/// Writes to `at_us` when `sansocket_client_handshake_handle_timeout` wants to be called; see
/// `sansocket_poll_timeout`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_client_handshake_poll_timeout(
    handshake: *mut sansocket_client_handshake,
    at_us: *mut u64,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        checking(handshake)
            .and_then(|checking| memory::write(at_us, micros(checking.handshake.poll_timeout())))
    })
}

/// Takes the time. The first call starts the deadline, which covers the whole response head.
/// `SANSOCKET_REJECTED` when it is over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_client_handshake_handle_timeout(
    handshake: *mut sansocket_client_handshake,
    now_us: u64,
) -> sansocket_status {
    let now = Tick::from_micros(now_us);
    // SAFETY: what the caller promises for this argument.
    report(unsafe {
        checking(handshake).and_then(|checking| {
            let outcome = checking.handshake.handle_timeout(now);
            outcome.map_err(|error| checking.fail(error))
        })
    })
}

/// Writes to `rejection` why the response was `SANSOCKET_REJECTED`; `SANSOCKET_ERROR_NOTHING` if it
/// was not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_client_handshake_rejection(
    handshake: *mut sansocket_client_handshake,
    rejection: *mut sansocket_rejection,
) -> sansocket_status {
    // SAFETY: what the caller promises for these arguments.
    report(unsafe {
        checking(handshake).and_then(|checking| {
            let error = checking.error.ok_or(SANSOCKET_ERROR_NOTHING)?;
            memory::write(rejection, error.into())
        })
    })
}

/// The status of the response; 0 if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_response_status(response: *const sansocket_response) -> u16 {
    // SAFETY: what the caller promises for this argument.
    unsafe { memory::peek(response) }
        .map_or(0, |answer| answered!(answer, response => response.status()))
}

/// The agreed subprotocol, one of those offered; `{NULL, 0}` for none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_response_subprotocol(
    response: *const sansocket_response,
) -> sansocket_str {
    // SAFETY: what the caller promises for this argument.
    match unsafe { memory::peek(response) } {
        Ok(Answered::Accepted(response)) => sansocket_str::of_option(response.subprotocol()),
        _ => sansocket_str::NOTHING,
    }
}

/// The value of a header field with this name, whatever its case, the one at this place of them,
/// from 0; `{NULL, 0}` behind the last. It may be other bytes than UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_response_field(
    response: *const sansocket_response,
    name: sansocket_str,
    index: usize,
) -> sansocket_str {
    // SAFETY: what the caller promises for these arguments.
    unsafe {
        let (Ok(answer), Ok(name)) = (memory::peek(response), name.text(SANSOCKET_ERROR_FIELD))
        else {
            return sansocket_str::NOTHING;
        };
        let value = answered!(answer, response => response.fields().get_all(name).nth(index));
        value.map_or(sansocket_str::NOTHING, sansocket_str::of)
    }
}

/// The length of the head and of all interim ones, in bytes from the first one received: the
/// frames, or the body of a response that declines, start behind it. 0 if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansocket_response_head_len(response: *const sansocket_response) -> usize {
    // SAFETY: what the caller promises for this argument.
    unsafe { memory::peek(response) }
        .map_or(0, |answer| answered!(answer, response => response.head_len()))
}

unsafe fn init(
    handshake: *mut sansocket_client_handshake,
    request: *const sansocket_client_request,
    nonce: *const u8,
) -> Result<(), sansocket_status> {
    // SAFETY: what the caller promises for these arguments; the strings live as long as the
    // handshake, and it stays where it is.
    unsafe {
        let given = memory::read(request)?;
        let nonce = memory::read(nonce.cast::<[u8; 16]>())?;
        let uri = Uri::parse(given.uri.text(SANSOCKET_ERROR_URI)?)?;
        let origin = given.origin.optional(SANSOCKET_ERROR_ORIGIN)?;
        let asking = Asking {
            place: handshake as usize,
            subprotocols: texts(
                given.subprotocols,
                given.subprotocols_len,
                SANSOCKET_ERROR_SUBPROTOCOL,
            )?,
            fields: fields(given.fields, given.fields_len)?,
            checking: None,
        };
        memory::put(handshake, asking)?;
        let asking = memory::place(handshake)?;
        let subprotocols: &'static List<_> = &(*asking).subprotocols;
        let fields: &'static List<_> = &(*asking).fields;
        let mut wanted = ClientRequest::new(&uri)
            .subprotocols(subprotocols.as_slice())
            .fields(fields.as_slice());
        if let Some(origin) = origin {
            wanted = wanted.origin(origin);
        }
        let made = ClientHandshake::new(wanted, nonce)?.limits(given.limits());
        (&raw mut (*asking).checking).write(Some(Checking { handshake: made, error: None }));
    }
    Ok(())
}

impl sansocket_client_request {
    fn limits(self) -> HandshakeLimits {
        let mut limits = HandshakeLimits::new();
        if self.head_len_max != 0 {
            limits = limits.head_len_max(self.head_len_max);
        }
        if self.deadline_ms != 0 {
            limits = limits.deadline(millis(self.deadline_ms));
        }
        limits
    }
}

/// The part of the handshake that is used after `init`.
unsafe fn checking<'a>(
    handshake: *mut sansocket_client_handshake,
) -> Result<&'a mut Checking, sansocket_status> {
    // SAFETY: the caller gives a handshake; the lists beside are not touched, so what borrows
    // them stays valid.
    unsafe {
        let asking = memory::place(handshake)?;
        if (&raw const (*asking).place).read() != handshake as usize {
            return Err(SANSOCKET_ERROR_OBJECT);
        }
        let checking = &mut (*asking).checking;
        checking.as_mut().ok_or(SANSOCKET_ERROR_OBJECT)
    }
}

impl Checking {
    fn fail(&mut self, error: ResponseError) -> sansocket_status {
        self.error = Some(error);
        SANSOCKET_REJECTED
    }
}

impl From<ResponseError> for sansocket_rejection {
    fn from(error: ResponseError) -> Self {
        let offset = match error {
            ResponseError::Head(error) => error.offset(),
            _ => usize::MAX,
        };
        Self { rule: name_of_response_error(error).as_ptr(), offset, status: 0 }
    }
}
