//! What a handshake and a connection came to, in words that outlive them.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::{Names, Printable};
use crate::close_code::{CloseCode, CloseFrame};
use crate::connection::{Cause, Closure};
use crate::error::Failure;
use crate::handshake::{Agreed, AgreedExtensions, Declined, Fields, Response};

/// How a connection ended, with the reason that the peer gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    closure: Closure,
    reason: String,
}

impl Closed {
    /// An end as the engine knows it, and what the peer's Close said.
    pub fn new(closure: Closure, frame: Option<CloseFrame<'_>>) -> Self {
        let reason = frame.map_or_else(String::new, |frame| frame.reason.to_owned());
        Self { closure, reason }
    }

    /// The close code to report (RFC 6455 section 7.1.5): the peer's, 1005 if its
    /// Close had none, 1006 if no Close came.
    pub fn code(&self) -> CloseCode {
        self.closure.code()
    }

    /// The reason in the peer's Close; often empty. For logs, not for users.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether the closing handshake was completed (section 7.1.4).
    pub fn is_clean(&self) -> bool {
        self.closure.is_clean()
    }

    /// Why it ended.
    pub fn cause(&self) -> Cause {
        self.closure.cause()
    }

    /// The failure that ended it, if one did.
    pub fn failure(&self) -> Option<Failure> {
        match self.cause() {
            Cause::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// All that the engine knows of the end.
    pub fn closure(&self) -> Closure {
        self.closure
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.closure.fmt(f)?;
        if !self.reason.is_empty() {
            write!(f, ": {}", Printable(&self.reason))?;
        }
        Ok(())
    }
}

/// What went through a WebSocket so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes read from the transport since the handshake.
    pub bytes_received: u64,
    /// Bytes written to it.
    pub bytes_sent: u64,
    /// Frames received, control frames included.
    pub frames_received: u64,
    /// Frames sent, control frames included.
    pub frames_sent: u64,
    /// Whole messages received.
    pub messages_received: u64,
    /// Whole messages sent.
    pub messages_sent: u64,
    /// The round trip of the last keep-alive Ping.
    pub round_trip: Option<Duration>,
}

impl Counters {
    /// These for what was received, `sending` for what was sent.
    pub fn with_sending(self, sending: &Self) -> Self {
        Self {
            bytes_sent: sending.bytes_sent,
            frames_sent: sending.frames_sent,
            messages_sent: sending.messages_sent,
            ..self
        }
    }
}

/// What was agreed when the connection was opened.
///
/// Its `Debug` form names the fields and keeps their values, which may be secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HandshakeResponse {
    /// The subprotocol in use.
    pub subprotocol: Option<String>,
    /// The extensions agreed on, as the response says them.
    pub extensions: Option<String>,
    /// The header fields of the response, in their order; cookies are among them.
    /// Empty for a server.
    pub fields: Vec<(String, Vec<u8>)>,
}

impl HandshakeResponse {
    /// What the server's answer says.
    pub fn from_response<A: AgreedExtensions>(response: &Response<'_, Agreed<'_, A>>) -> Self {
        Self {
            fields: owned(response.fields()),
            ..Self::from_agreed(response.subprotocol(), &response.extensions())
        }
    }

    /// What both sides agreed to.
    pub fn from_agreed(subprotocol: Option<&str>, extensions: &impl AgreedExtensions) -> Self {
        Self {
            subprotocol: subprotocol.map(str::to_owned),
            extensions: extensions.element().map(|element| element.as_ref().to_owned()),
            fields: Vec::new(),
        }
    }
}

impl fmt::Debug for HandshakeResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeResponse")
            .field("subprotocol", &self.subprotocol)
            .field("extensions", &self.extensions)
            .field("fields", &Names(&self.fields))
            .finish()
    }
}

/// An answer of the server that was not the opening of a WebSocket.
///
/// Its `Debug` form names the fields and keeps their values, which may be secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The HTTP status.
    pub status: u16,
    /// The header fields, in their order.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body, as much of it as came, at most 64 KiB.
    pub body: Vec<u8>,
}

impl Rejected {
    /// What the answer says, and the beginning of its body: what came behind the head.
    pub fn from_response(response: &Response<'_, Declined>, body: &[u8]) -> Self {
        let mut rejected =
            Self { status: response.status(), fields: owned(response.fields()), body: Vec::new() };
        rejected.push_body(body);
        rejected
    }

    /// How many bytes of the body are still to come, at most: what the answer declares, within
    /// 64 KiB.
    pub fn body_len_left(&self) -> usize {
        if matches!(self.status, 204 | 304) {
            return 0; // RFC 9110 sections 15.3.5 and 15.4.5: there is none
        }
        let declared = self.field("Content-Length").and_then(|len| len.parse::<usize>().ok());
        let len = declared.unwrap_or(BODY_LEN_MAX).min(BODY_LEN_MAX);
        len.saturating_sub(self.body.len())
    }

    /// Puts bytes behind the body, as far as they belong to it.
    pub fn push_body(&mut self, bytes: &[u8]) {
        let len = bytes.len().min(self.body_len_left());
        self.body.extend_from_slice(&bytes[..len]);
    }

    /// The value of the first field of this name, if it is text.
    pub fn field(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name))?;
        core::str::from_utf8(value).ok()
    }
}

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected")
            .field("status", &self.status)
            .field("fields", &Names(&self.fields))
            .field("body_len", &self.body.len())
            .finish()
    }
}

fn owned(fields: &Fields<'_>) -> Vec<(String, Vec<u8>)> {
    fields.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
}

const BODY_LEN_MAX: usize = 64 * 1024;
