//! What a call says of itself, as a number.

use core::ffi::{CStr, c_char};

use sansocket::handshake::{AcceptError, OutputTooSmall, ReplyError, RequestError};
use sansocket::{Failure, SendError};

use self::sansocket_status::*;
use crate::memory::Output;

/// What a call says of itself. 0 is success; `sansocket_strerror` has a sentence for each.
///
/// After an error of the caller's (`SANSOCKET_ERROR_...`) nothing has changed.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sansocket_status {
    /// It is done.
    SANSOCKET_OK = 0,
    /// The connection failed (RFC 6455 section 7.1.7): the peer broke a rule, or was late.
    /// `sansocket_failure_of` says which rule and where. A Close frame that tells the peer is
    /// owed: go on with `sansocket_poll_transmit`. Every later receive says the same.
    SANSOCKET_FAILED = 1,
    /// The opening handshake failed: the peer broke a rule, or was late. A server answers
    /// with what `sansocket_server_handshake_reject` writes and closes; a client closes.
    SANSOCKET_REJECTED = 2,
    /// A pointer is NULL that must not be.
    SANSOCKET_ERROR_NULL = 3,
    /// An object was not initialised, is another one, or was moved and must not be.
    SANSOCKET_ERROR_OBJECT = 4,
    /// A number without a meaning, or an address that is not aligned.
    SANSOCKET_ERROR_ARGUMENT = 5,
    /// The room is too small. The length says how much is needed.
    SANSOCKET_ERROR_OUTPUT_TOO_SMALL = 6,
    /// A Close frame is sent or owed, or the connection failed: nothing more can be sent.
    SANSOCKET_ERROR_CLOSED = 7,
    /// A fragmented message is unfinished; only its next fragment can be sent.
    SANSOCKET_ERROR_MESSAGE_UNDER_WAY = 8,
    /// The payload of the last head is not reported written.
    SANSOCKET_ERROR_PAYLOAD_UNWRITTEN = 9,
    /// More payload was reported written than the head announced.
    SANSOCKET_ERROR_OVERPAID = 10,
    /// A payload of 2^63 bytes or more.
    SANSOCKET_ERROR_PAYLOAD_TOO_LONG = 11,
    /// A Ping or Pong has at most 125 bytes of payload.
    SANSOCKET_ERROR_CONTROL_TOO_LONG = 12,
    /// What is to be sent as text is not UTF-8.
    SANSOCKET_ERROR_TEXT_NOT_UTF8 = 13,
    /// This close code is not to be sent, or not by this role.
    SANSOCKET_ERROR_CLOSE_CODE = 14,
    /// A close reason has at most 123 bytes.
    SANSOCKET_ERROR_REASON_TOO_LONG = 15,
    /// A close reason needs a code before it.
    SANSOCKET_ERROR_REASON_WITHOUT_CODE = 16,
    /// A subprotocol that was not offered, is not a token, or is offered twice.
    SANSOCKET_ERROR_SUBPROTOCOL = 17,
    /// A header field whose name is no token, whose value has a control character, or that
    /// the handshake sends itself.
    SANSOCKET_ERROR_FIELD = 18,
    /// A status that is not to be given here, or a body that it does not allow.
    SANSOCKET_ERROR_REPLY = 19,
    /// Not a `ws:` or `wss:` URI.
    SANSOCKET_ERROR_URI = 20,
    /// An origin is neither `scheme://host[:port]` nor `null`.
    SANSOCKET_ERROR_ORIGIN = 21,
    /// More origins, subprotocols or header fields than there is room for.
    SANSOCKET_ERROR_TOO_MANY = 22,
    /// The request does not ask for a WebSocket.
    SANSOCKET_ERROR_NOT_UPGRADE = 23,
    /// There is nothing to tell: the connection did not fail, or has not ended.
    SANSOCKET_ERROR_NOTHING = 24,
    /// The library contradicts itself. Please report it.
    SANSOCKET_ERROR_INTERNAL = 25,
}

/// What a status means, in English: one line without a full stop.
///
/// The string is static: it lives for ever, and is not to be freed. Never NULL, whatever
/// the number.
#[unsafe(no_mangle)]
pub extern "C" fn sansocket_strerror(status: i32) -> *const c_char {
    let sentence = STATUSES.iter().find(|(known, _)| *known as i32 == status);
    sentence.map_or(c"no status of sansocket", |(_, sentence)| *sentence).as_ptr()
}

const STATUSES: &[(sansocket_status, &CStr)] = &[
    (SANSOCKET_OK, c"done"),
    (SANSOCKET_FAILED, c"the connection failed"),
    (SANSOCKET_REJECTED, c"the opening handshake failed"),
    (SANSOCKET_ERROR_NULL, c"a pointer is NULL"),
    (SANSOCKET_ERROR_OBJECT, c"an object is not initialised, of another type, or was moved"),
    (SANSOCKET_ERROR_ARGUMENT, c"an argument has no meaning, or is not aligned"),
    (SANSOCKET_ERROR_OUTPUT_TOO_SMALL, c"the room for output is too small"),
    (SANSOCKET_ERROR_CLOSED, c"the connection is closing or closed"),
    (SANSOCKET_ERROR_MESSAGE_UNDER_WAY, c"another message is unfinished"),
    (SANSOCKET_ERROR_PAYLOAD_UNWRITTEN, c"the payload of the last head is not written yet"),
    (SANSOCKET_ERROR_OVERPAID, c"more payload was written than announced"),
    (SANSOCKET_ERROR_PAYLOAD_TOO_LONG, c"a payload of 2^63 bytes or more"),
    (SANSOCKET_ERROR_CONTROL_TOO_LONG, c"a control frame has at most 125 bytes of payload"),
    (SANSOCKET_ERROR_TEXT_NOT_UTF8, c"what is to be sent as text is not UTF-8"),
    (SANSOCKET_ERROR_CLOSE_CODE, c"the close code is not to be sent"),
    (SANSOCKET_ERROR_REASON_TOO_LONG, c"a close reason has at most 123 bytes"),
    (SANSOCKET_ERROR_REASON_WITHOUT_CODE, c"a close reason needs a code"),
    (SANSOCKET_ERROR_SUBPROTOCOL, c"a subprotocol is malformed, repeated, or was not offered"),
    (SANSOCKET_ERROR_FIELD, c"a header field is malformed or reserved"),
    (SANSOCKET_ERROR_REPLY, c"the status is not to be given here, or allows no body"),
    (SANSOCKET_ERROR_URI, c"not a WebSocket URI"),
    (SANSOCKET_ERROR_ORIGIN, c"an origin must be scheme://host with an optional port, or null"),
    (SANSOCKET_ERROR_TOO_MANY, c"too many origins, subprotocols or header fields"),
    (SANSOCKET_ERROR_NOT_UPGRADE, c"the request does not ask for a WebSocket"),
    (SANSOCKET_ERROR_NOTHING, c"there is nothing to tell"),
    (SANSOCKET_ERROR_INTERNAL, c"the library contradicts itself"),
];

/// The number that C gets.
pub(crate) fn report(outcome: Result<(), sansocket_status>) -> sansocket_status {
    outcome.err().unwrap_or(SANSOCKET_OK)
}

impl Output<'_> {
    /// Has something written there, and tells how much that was, or how much room is missing.
    pub(crate) fn fill<E: Into<Unsent>>(
        self,
        write: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<(), sansocket_status> {
        match write(self.room).map_err(Into::into) {
            Ok(len) => *self.len = len,
            Err(Unsent { status, need }) => {
                *self.len = need;
                return Err(status);
            }
        }
        Ok(())
    }
}

/// Why nothing was written.
pub(crate) struct Unsent {
    status: sansocket_status,
    need: usize,
}

impl From<OutputTooSmall> for Unsent {
    fn from(error: OutputTooSmall) -> Self {
        Self { status: SANSOCKET_ERROR_OUTPUT_TOO_SMALL, need: error.need }
    }
}

impl From<SendError> for Unsent {
    fn from(error: SendError) -> Self {
        let need = match error {
            SendError::OutputTooSmall { need } => need,
            _ => 0,
        };
        Self { status: error.into(), need }
    }
}

impl From<SendError> for sansocket_status {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Closed => SANSOCKET_ERROR_CLOSED,
            SendError::OutputTooSmall { .. } => SANSOCKET_ERROR_OUTPUT_TOO_SMALL,
            SendError::PayloadUnwritten { .. } => SANSOCKET_ERROR_PAYLOAD_UNWRITTEN,
            SendError::Overpaid { .. } => SANSOCKET_ERROR_OVERPAID,
            SendError::MessageUnderWay { .. } => SANSOCKET_ERROR_MESSAGE_UNDER_WAY,
            SendError::PayloadTooLong { .. } => SANSOCKET_ERROR_PAYLOAD_TOO_LONG,
            SendError::ControlTooLong { .. } => SANSOCKET_ERROR_CONTROL_TOO_LONG,
            SendError::TextNotUtf8 { .. } => SANSOCKET_ERROR_TEXT_NOT_UTF8,
            SendError::CloseCode { .. } => SANSOCKET_ERROR_CLOSE_CODE,
            SendError::ReasonTooLong { .. } => SANSOCKET_ERROR_REASON_TOO_LONG,
            SendError::ReasonWithoutCode => SANSOCKET_ERROR_REASON_WITHOUT_CODE,
            _ => SANSOCKET_ERROR_INTERNAL,
        }
    }
}

impl From<Failure> for sansocket_status {
    fn from(_: Failure) -> Self {
        SANSOCKET_FAILED
    }
}

impl From<AcceptError> for sansocket_status {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::SubprotocolNotOffered => SANSOCKET_ERROR_SUBPROTOCOL,
            AcceptError::Field { .. } => SANSOCKET_ERROR_FIELD,
            _ => SANSOCKET_ERROR_INTERNAL,
        }
    }
}

impl From<ReplyError> for sansocket_status {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::Status { .. } | ReplyError::Body { .. } => SANSOCKET_ERROR_REPLY,
            ReplyError::Field { .. } => SANSOCKET_ERROR_FIELD,
            _ => SANSOCKET_ERROR_INTERNAL,
        }
    }
}

impl From<RequestError> for sansocket_status {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::SubprotocolMalformed { .. }
            | RequestError::SubprotocolRepeated { .. } => SANSOCKET_ERROR_SUBPROTOCOL,
            RequestError::OriginMalformed => SANSOCKET_ERROR_ORIGIN,
            RequestError::Field { .. } => SANSOCKET_ERROR_FIELD,
            _ => SANSOCKET_ERROR_INTERNAL,
        }
    }
}
