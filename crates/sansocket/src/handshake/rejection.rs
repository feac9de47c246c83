//! Why a request is not a handshake, and the HTTP answer that says so.

use core::fmt;

use super::reply::{put_head, reason};
use crate::http::{HeadError, HeadRule, OutputTooSmall, Writer};

/// A server's answer to a request that breaks a rule: small, `Copy`, and
/// complete. After it is written, the connection is to be closed and nothing
/// more that came on it to be read (RFC 9112 section 9.3).
///
/// ```
/// use sansocket::handshake::{HandshakeConfig, HandshakeRule, HeadRule, ServerHandshake};
///
/// let mut handshake = ServerHandshake::new(HandshakeConfig::new());
/// let Err(rejection) = handshake.receive(b"POST / HTTP/1.1\r\n") else { panic!() };
/// assert_eq!(rejection.status(), 405);
/// assert_eq!(rejection.rule(), HandshakeRule::Head(HeadRule::Method));
///
/// let mut out = [0; 512];
/// let len = rejection.write(&mut out)?;
/// assert!(out[..len].starts_with(b"HTTP/1.1 405 Method Not Allowed\r\n"));
/// # Ok::<(), sansocket::handshake::OutputTooSmall>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    rule: HandshakeRule,
    offset: Option<usize>,
}

impl Rejection {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.rule.status()
    }

    /// The broken rule.
    pub fn rule(&self) -> HandshakeRule {
        self.rule
    }

    /// The offset of the byte that breaks the form of the head; `None` if its
    /// form is right and its meaning wrong.
    pub fn offset(&self) -> Option<usize> {
        self.offset
    }

    /// The header fields that belong to the answer, for those who send it by an
    /// HTTP layer of their own, which adds `Content-Length` and, in HTTP/1.1,
    /// `Connection: close`. HTTP/2 and HTTP/3 want the names in lower case.
    pub fn fields(&self) -> &'static [(&'static str, &'static str)] {
        match (self.status(), self.rule) {
            (405, _) => &[TEXT, ("Allow", "GET")],
            (426, _) => &[TEXT, ("Upgrade", "websocket"), VERSION],
            (_, HandshakeRule::VersionMissing | HandshakeRule::ConnectVersion) => &[TEXT, VERSION],
            _ => &[TEXT],
        }
    }

    /// The body of the answer, plain text. For 403 it gives no reason: who asks
    /// from a wrong page need not learn which would be right.
    pub fn body(&self) -> &'static str {
        match self.status() {
            403 => "Forbidden.",
            _ => self.rule.explanation(),
        }
    }

    /// The length of the complete HTTP/1.1 response, in bytes.
    pub fn response_len(&self) -> usize {
        Writer::measure(|writer| self.put(writer))
    }

    /// Writes the complete HTTP/1.1 response, and returns its length.
    ///
    /// # Errors
    ///
    /// `out` is too short; 512 bytes suffice for every rule.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, OutputTooSmall> {
        let mut writer = Writer::new(out);
        self.put(&mut writer);
        writer.finish()
    }

    fn put(&self, writer: &mut Writer<'_>) {
        let body = self.body().as_bytes();
        put_head(writer, self.status(), Some(body.len()), self.fields());
        writer.put(body);
    }
}

impl From<HandshakeRule> for Rejection {
    fn from(rule: HandshakeRule) -> Self {
        Self { rule, offset: None }
    }
}

impl From<HeadError> for Rejection {
    fn from(error: HeadError) -> Self {
        Self { rule: HandshakeRule::Head(error.rule()), offset: Some(error.offset()) }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status();
        write!(f, "{status} {}: {} (", reason(status), self.rule.explanation())?;
        if let Some(offset) = self.offset {
            write!(f, "at byte {offset}; ")?;
        }
        write!(f, "{})", self.rule.section())
    }
}

impl core::error::Error for Rejection {}

const TEXT: (&str, &str) = ("Content-Type", "text/plain; charset=utf-8");

/// §4.4: the versions that we speak, all one of them.
const VERSION: (&str, &str) = ("Sec-WebSocket-Version", "13");

/// The rules of the server's side of an opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeRule {
    /// The form of the head.
    Head(HeadRule),
    /// There is no `Host`.
    HostMissing,
    /// There are several `Host` fields.
    HostRepeated,
    /// `Host` is not `host[:port]`.
    HostMalformed,
    /// `Content-Length` announces a body, twice anything, or nonsense.
    ContentLength,
    /// There is a `Transfer-Encoding`.
    TransferEncoding,
    /// The request does not ask for a WebSocket.
    NotWebSocket,
    /// `Upgrade` is not a list of protocols.
    UpgradeMalformed,
    /// `Connection` is missing or does not list `Upgrade`.
    ConnectionMissing,
    /// `Connection` is not a list of tokens.
    ConnectionMalformed,
    /// There is no `Sec-WebSocket-Version`.
    VersionMissing,
    /// There are several `Sec-WebSocket-Version` fields.
    VersionRepeated,
    /// The version is not 13.
    VersionUnsupported,
    /// There is no `Sec-WebSocket-Key`.
    KeyMissing,
    /// There are several `Sec-WebSocket-Key` fields.
    KeyRepeated,
    /// The key is not base64 of 16 bytes.
    KeyMalformed,
    /// `Sec-WebSocket-Protocol` is not a list of tokens, or is empty.
    SubprotocolMalformed,
    /// A subprotocol is offered twice.
    SubprotocolRepeated,
    /// More than 64 subprotocols are offered.
    SubprotocolCount,
    /// `Sec-WebSocket-Extensions` is not a list of extensions.
    ExtensionsMalformed,
    /// There is no `Origin`, and the server wants one.
    OriginMissing,
    /// There are several `Origin` fields.
    OriginRepeated,
    /// `Origin` is neither `scheme://host[:port]` nor `null`.
    OriginMalformed,
    /// The origin may not connect.
    OriginRefused,
    /// The head did not end before the deadline.
    Timeout,
    /// The method of a request with `:protocol` is not CONNECT.
    ConnectMethod,
    /// `:protocol` of an Extended CONNECT is not `websocket`.
    ConnectProtocol,
    /// `:scheme`, `:authority` or `:path` is missing or malformed.
    ConnectTarget,
    /// An Extended CONNECT has a field that is only for HTTP/1.1 connections.
    ConnectField,
    /// `Host` contradicts `:authority`.
    ConnectHost,
    /// The version in an Extended CONNECT is not 13.
    ConnectVersion,
}

impl HandshakeRule {
    /// The HTTP status for breaking it.
    pub fn status(self) -> u16 {
        match self {
            Self::Head(rule) => head_status(rule),
            Self::OriginMissing
            | Self::OriginRepeated
            | Self::OriginMalformed
            | Self::OriginRefused => 403,
            Self::Timeout => 408,
            Self::NotWebSocket | Self::VersionUnsupported => 426,
            Self::ConnectProtocol => 501,
            _ => 400,
        }
    }

    /// The section that has the rule.
    pub fn section(self) -> &'static str {
        match self {
            Self::Head(rule) => rule.section(),
            Self::HostMissing | Self::HostRepeated | Self::HostMalformed => "RFC 9112 section 3.2",
            Self::ContentLength => "RFC 9112 section 6.3",
            Self::TransferEncoding => "RFC 9112 section 6.1",
            Self::NotWebSocket
            | Self::UpgradeMalformed
            | Self::ConnectionMissing
            | Self::ConnectionMalformed
            | Self::VersionMissing
            | Self::KeyMissing
            | Self::KeyMalformed => "RFC 6455 section 4.2.1",
            Self::VersionRepeated => "RFC 6455 section 11.3.5",
            Self::VersionUnsupported => "RFC 6455 section 4.4",
            Self::KeyRepeated => "RFC 6455 section 11.3.1",
            Self::SubprotocolMalformed | Self::SubprotocolRepeated => "RFC 6455 section 4.1",
            Self::SubprotocolCount => "RFC 6455 section 10.4",
            Self::ExtensionsMalformed => "RFC 6455 section 9.1",
            Self::OriginMissing | Self::OriginRefused => "RFC 6455 section 10.2",
            Self::OriginRepeated | Self::OriginMalformed => "RFC 6454 section 7",
            Self::Timeout => "RFC 9110 section 15.5.9",
            Self::ConnectMethod | Self::ConnectTarget => "RFC 8441 section 4",
            Self::ConnectProtocol => "RFC 9220 section 3",
            Self::ConnectField | Self::ConnectHost | Self::ConnectVersion => "RFC 8441 section 5",
        }
    }

    /// What is wrong and what would be right, in a sentence or two.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Head(rule) => rule.explanation(),
            Self::HostMissing => "The Host header field is missing.",
            Self::HostRepeated => "There must be only one Host header field.",
            Self::HostMalformed => {
                "The Host header field must be a host name or address, with a port if it is not \
                 the default."
            }
            Self::ContentLength => {
                "A WebSocket handshake has no body, but Content-Length announces one."
            }
            Self::TransferEncoding => {
                "A WebSocket handshake has no body, but Transfer-Encoding announces one."
            }
            Self::NotWebSocket => {
                "This is a WebSocket server. Open it with a WebSocket client, which sends \
                 \"Upgrade: websocket\"."
            }
            Self::UpgradeMalformed => "The Upgrade header field must be a list of protocols.",
            Self::ConnectionMissing => {
                "The Connection header field must list \"Upgrade\". A proxy on the way may have \
                 removed it."
            }
            Self::ConnectionMalformed => "The Connection header field must be a list of tokens.",
            Self::VersionMissing => {
                "The Sec-WebSocket-Version header field is missing; it must be 13."
            }
            Self::VersionRepeated => "There must be only one Sec-WebSocket-Version header field.",
            Self::VersionUnsupported => {
                "This version of the WebSocket protocol is not supported; Sec-WebSocket-Version \
                 must be 13."
            }
            Self::KeyMissing => "The Sec-WebSocket-Key header field is missing.",
            Self::KeyRepeated => "There must be only one Sec-WebSocket-Key header field.",
            Self::KeyMalformed => {
                "The Sec-WebSocket-Key header field must be 16 random bytes in base64."
            }
            Self::SubprotocolMalformed => {
                "The Sec-WebSocket-Protocol header field must be a list of names without spaces \
                 or separators."
            }
            Self::SubprotocolRepeated => {
                "The Sec-WebSocket-Protocol header field must not name a subprotocol twice."
            }
            Self::SubprotocolCount => {
                "The Sec-WebSocket-Protocol header field names too many subprotocols."
            }
            Self::ExtensionsMalformed => {
                "The Sec-WebSocket-Extensions header field is not a list of extensions with \
                 parameters."
            }
            Self::OriginMissing => "The Origin header field is missing, and this server wants one.",
            Self::OriginRepeated => "There must be only one Origin header field.",
            Self::OriginMalformed => {
                "The Origin header field must be scheme://host with an optional port, or null."
            }
            Self::OriginRefused => "Pages of this origin may not connect.",
            Self::Timeout => "The request took too long to arrive.",
            Self::ConnectMethod => "A request with :protocol must have the method CONNECT.",
            Self::ConnectProtocol => {
                "The :protocol of an Extended CONNECT must be \"websocket\"; nothing else is \
                 served here."
            }
            Self::ConnectTarget => {
                "An Extended CONNECT needs :scheme, :authority and :path, each well-formed."
            }
            Self::ConnectField => {
                "Connection, Upgrade and similar header fields do not exist in HTTP/2 and HTTP/3."
            }
            Self::ConnectHost => "The Host header field contradicts :authority.",
            Self::ConnectVersion => {
                "This version of the WebSocket protocol is not supported; sec-websocket-version \
                 must be 13."
            }
        }
    }
}

fn head_status(rule: HeadRule) -> u16 {
    match rule {
        HeadRule::Method => 405,
        HeadRule::TargetLen => 414,
        HeadRule::FieldCount | HeadRule::HeadLen => 431,
        HeadRule::VersionMajor => 505,
        HeadRule::TlsRecord
        | HeadRule::RequestLine
        | HeadRule::StatusLine
        | HeadRule::VersionMinor
        | HeadRule::TargetByte
        | HeadRule::TargetFragment
        | HeadRule::TargetForm
        | HeadRule::BareCr
        | HeadRule::BareLf
        | HeadRule::ControlByte
        | HeadRule::FoldedLine
        | HeadRule::FieldName
        | HeadRule::SpaceBeforeColon => 400,
    }
}
