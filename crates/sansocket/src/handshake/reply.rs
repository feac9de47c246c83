//! Answers that the application gives instead of a WebSocket, and the checks on
//! header fields that come from it.

use core::fmt;

use crate::http::{OutputTooSmall, Writer, is_field_value, is_token};

/// An HTTP answer of the application's own: a refusal, a redirect, a page.
///
/// The connection closes behind it. `Connection` and `Content-Length` are added;
/// a `Content-Type` is the application's to give.
///
/// ```
/// use sansocket::handshake::{HandshakeConfig, Incoming, Reply, ServerHandshake};
///
/// let mut handshake = ServerHandshake::new(HandshakeConfig::new());
/// let received = b"GET /old HTTP/1.1\r\nHost: a\r\n\r\n";
/// let Ok(Incoming::Plain(request)) = handshake.receive(received) else { panic!() };
/// let reply = Reply::new(308).fields(&[("Location", "/new")]);
///
/// let mut out = [0; 256];
/// let len = request.answer(&reply)?.write(&mut out)?;
/// assert!(out[..len].ends_with(b"\r\nLocation: /new\r\n\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    status: u16,
    fields: &'a [(&'a str, &'a str)],
    body: &'a [u8],
}

impl<'a> Reply<'a> {
    /// An answer with this status, without fields or body.
    pub const fn new(status: u16) -> Self {
        Self { status, fields: &[], body: &[] }
    }

    /// Sets the header fields.
    pub const fn fields(mut self, fields: &'a [(&'a str, &'a str)]) -> Self {
        self.fields = fields;
        self
    }

    /// Sets the body.
    pub const fn body(mut self, body: &'a [u8]) -> Self {
        self.body = body;
        self
    }

    /// Checks it for a request that may be answered with `lowest` to 599.
    pub(super) fn check(&self, lowest: u16) -> Result<CheckedReply<'a>, ReplyError> {
        let Self { status, fields, body } = *self;
        if !(lowest..=599).contains(&status) {
            return Err(ReplyError::Status { status });
        }
        if !body.is_empty() && !may_have_body(status) {
            return Err(ReplyError::Body { status });
        }
        check_fields(fields, is_framing_field)
            .map_err(|(index, fault)| ReplyError::Field { index, fault })?;
        Ok(CheckedReply { reply: *self })
    }
}

/// A [`Reply`] that passed all checks, ready to write.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct CheckedReply<'a> {
    reply: Reply<'a>,
}

impl<'a> CheckedReply<'a> {
    /// The status.
    pub fn status(&self) -> u16 {
        self.reply.status
    }

    /// The body, for those who send it by themselves behind
    /// [`write_head`](Self::write_head).
    pub fn body(&self) -> &'a [u8] {
        self.reply.body
    }

    /// The length of the complete HTTP/1.1 response, in bytes.
    pub fn response_len(&self) -> usize {
        Writer::measure(|writer| self.put_head(writer)) + self.reply.body.len()
    }

    /// Writes the complete HTTP/1.1 response, and returns its length.
    ///
    /// # Errors
    ///
    /// `out` is too short.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, OutputTooSmall> {
        let mut writer = Writer::new(out);
        self.put_head(&mut writer);
        writer.put(self.reply.body);
        writer.finish()
    }

    /// Writes the response up to its body, and returns the length of that.
    ///
    /// # Errors
    ///
    /// `out` is too short.
    pub fn write_head(&self, out: &mut [u8]) -> Result<usize, OutputTooSmall> {
        let mut writer = Writer::new(out);
        self.put_head(&mut writer);
        writer.finish()
    }

    fn put_head(&self, writer: &mut Writer<'_>) {
        let Reply { status, fields, body } = self.reply;
        // RFC 9110 §8.6: no Content-Length with 204, and in 304 it would speak
        // of another response.
        let body_len = may_have_body(status).then_some(body.len());
        put_head(writer, status, body_len, fields);
    }
}

/// A [`Reply`] that would be no valid answer. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplyError {
    /// The status is not one to give here: 300 to 599 to a handshake, 200 to 599
    /// to a plain request.
    Status {
        /// The status.
        status: u16,
    },
    /// The status does not allow a body.
    Body {
        /// The status.
        status: u16,
    },
    /// A header field is not allowed.
    Field {
        /// Which one, from 0.
        index: usize,
        /// What is wrong with it.
        fault: FieldFault,
    },
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { status } => write!(f, "{status} is no status to give here"),
            Self::Body { status } => write!(f, "a {status} response has no body"),
            Self::Field { index, fault } => write!(f, "header field {index}: {fault}"),
        }
    }
}

impl core::error::Error for ReplyError {}

/// What is wrong with a header field of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldFault {
    /// The name is not a token.
    Name,
    /// The value has CR, LF, NUL or another control character, which would let
    /// it forge further fields.
    Value,
    /// The field is the handshake's own to send.
    Reserved,
}

impl fmt::Display for FieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the name is not a token",
            Self::Value => "the value has a control character",
            Self::Reserved => "the handshake sends this field itself",
        })
    }
}

/// Checks fields of the application before a byte of them is written (RFC 9112
/// section 11.1). On failure gives the index and the fault.
pub(super) fn check_fields(
    fields: &[(&str, &str)],
    is_reserved: fn(&str) -> bool,
) -> Result<(), (usize, FieldFault)> {
    for (index, (name, value)) in fields.iter().enumerate() {
        if !is_token(name.as_bytes()) {
            return Err((index, FieldFault::Name));
        }
        if !is_field_value(value.as_bytes()) {
            return Err((index, FieldFault::Value));
        }
        if is_reserved(name) {
            return Err((index, FieldFault::Reserved));
        }
    }
    Ok(())
}

/// Fields that say how an HTTP/1.1 message and its connection end.
pub(super) fn is_framing_field(name: &str) -> bool {
    const NAMES: [&str; 4] = ["Connection", "Upgrade", "Content-Length", "Transfer-Encoding"];
    NAMES.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
}

/// Fields that an opening handshake sends itself.
pub(super) fn is_handshake_field(name: &str) -> bool {
    const PREFIX: &[u8] = b"Sec-WebSocket-";
    let prefix = name.as_bytes().get(..PREFIX.len());
    is_framing_field(name) || prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX))
}

/// Puts the head of a response after which the connection closes.
pub(super) fn put_head(
    writer: &mut Writer<'_>,
    status: u16,
    body_len: Option<usize>,
    fields: &[(&str, &str)],
) {
    put_status_line(writer, status);
    // RFC 9110 §7.8: who sends Upgrade lists it in Connection. 426 must send it.
    let connection = if status == 426 { "close, Upgrade" } else { "close" };
    writer.put_text_field("Connection", connection);
    if let Some(body_len) = body_len {
        writer.put_field("Content-Length", body_len);
    }
    for (name, value) in fields {
        writer.put_text_field(name, value);
    }
    writer.put(b"\r\n");
}

pub(super) fn put_status_line(writer: &mut Writer<'_>, status: u16) {
    writer.put(b"HTTP/1.1 ");
    writer.put_display(status);
    writer.put(b" ");
    writer.put(reason(status).as_bytes());
    writer.put(b"\r\n");
}

/// RFC 9110 sections 15.3.5 and 15.4.5.
fn may_have_body(status: u16) -> bool {
    !matches!(status, 204 | 304)
}

/// The reason phrase of RFC 9110 section 15; empty for statuses that an opening
/// handshake hardly meets, which is allowed.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_the_reason_phrase_of_rfc_9110() {
        for (status, phrase) in [
            (101, "Switching Protocols"),
            (200, "OK"),
            (204, "No Content"),
            (301, "Moved Permanently"),
            (302, "Found"),
            (303, "See Other"),
            (304, "Not Modified"),
            (307, "Temporary Redirect"),
            (308, "Permanent Redirect"),
            (400, "Bad Request"),
            (401, "Unauthorized"),
            (403, "Forbidden"),
            (404, "Not Found"),
            (405, "Method Not Allowed"),
            (408, "Request Timeout"),
            (409, "Conflict"),
            (410, "Gone"),
            (414, "URI Too Long"),
            (421, "Misdirected Request"),
            (426, "Upgrade Required"),
            (429, "Too Many Requests"),
            (431, "Request Header Fields Too Large"),
            (500, "Internal Server Error"),
            (501, "Not Implemented"),
            (502, "Bad Gateway"),
            (503, "Service Unavailable"),
            (504, "Gateway Timeout"),
            (505, "HTTP Version Not Supported"),
            (418, ""),
        ] {
            assert_eq!(reason(status), phrase, "{status}");
        }
    }
}
