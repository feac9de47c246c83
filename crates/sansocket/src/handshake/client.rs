//! The client's side: a request, and the checks on its response (RFC 6455
//! section 4.1).

use core::fmt;

use super::accept_key::{AcceptKey, Key, NONCE_LEN, accept_key};
use super::check::lists_token;
use super::config::HandshakeLimits;
use super::deadline::Deadline;
use super::extensions::{AgreedExtensions, ClientExtensions};
use super::negotiate::{EXTENSIONS_FIELD, Negotiated, SUBPROTOCOL_FIELD};
use super::origin::Origin;
use super::reply::{FieldFault, check_fields, is_handshake_field};
use crate::extension::NoExtension;
#[cfg(feature = "deflate")]
use crate::extension::deflate::{ClientDeflatePolicy, DeflateResponseError};
use crate::http::{
    ExtensionList, ExtensionListError, Fields, HeadError, HeadScanner, HttpVersion, OutputTooSmall,
    Scan, Single, StatusLine, Writer, is_token,
};
use crate::time::{Tick, Wake};
use crate::uri::Uri;

/// What a client asks for. Its `Debug` form leaves the header fields out, which may be
/// credentials.
///
/// ```
/// use sansocket::handshake::ClientRequest;
/// use sansocket::Uri;
///
/// let uri = Uri::parse("wss://example.com/chat")?;
/// let request = ClientRequest::new(&uri)
///     .subprotocols(&["superchat", "chat"])
///     .fields(&[("Authorization", "Bearer 7")]);
/// # Ok::<(), sansocket::UriError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientRequest<'a, P = NoExtension> {
    pub(super) uri: Uri<'a>,
    pub(super) subprotocols: &'a [&'a str],
    pub(super) origin: Option<&'a str>,
    pub(super) fields: &'a [(&'a str, &'a str)],
    pub(super) extensions: P,
}

impl<P: fmt::Debug> fmt::Debug for ClientRequest<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest")
            .field("uri", &self.uri)
            .field("subprotocols", &self.subprotocols)
            .field("origin", &self.origin)
            .field("extensions", &self.extensions)
            .finish_non_exhaustive()
    }
}

impl<'a> ClientRequest<'a> {
    /// Asks for the resource of `uri`, and nothing more.
    pub const fn new(uri: &Uri<'a>) -> Self {
        Self { uri: *uri, subprotocols: &[], origin: None, fields: &[], extensions: NoExtension }
    }
}

impl<'a, P: ClientExtensions> ClientRequest<'a, P> {
    /// Offers permessage-deflate as `policy` says. Without a policy, nothing is
    /// offered, and the connection is of the same type.
    #[cfg(feature = "deflate")]
    pub fn deflate(
        self,
        policy: impl Into<Option<ClientDeflatePolicy>>,
    ) -> ClientRequest<'a, Option<ClientDeflatePolicy>> {
        self.extensions(policy.into())
    }

    /// Offers these extensions.
    pub fn extensions<Q: ClientExtensions>(self, extensions: Q) -> ClientRequest<'a, Q> {
        let Self { uri, subprotocols, origin, fields, extensions: _ } = self;
        ClientRequest { uri, subprotocols, origin, fields, extensions }
    }

    /// Offers subprotocols, the favourite first.
    pub const fn subprotocols(mut self, subprotocols: &'a [&'a str]) -> Self {
        self.subprotocols = subprotocols;
        self
    }

    /// Sends `Origin`, as `https://example.com`. Only clients that act for a web
    /// page have one (RFC 6455 section 4.1, item 8).
    pub const fn origin(mut self, origin: &'a str) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Adds header fields, such as `Cookie` and `Authorization`.
    pub const fn fields(mut self, fields: &'a [(&'a str, &'a str)]) -> Self {
        self.fields = fields;
        self
    }

    pub(super) fn check(&self) -> Result<(), RequestError> {
        for (index, subprotocol) in self.subprotocols.iter().enumerate() {
            if !is_token(subprotocol.as_bytes()) {
                return Err(RequestError::SubprotocolMalformed { index });
            }
            if self.subprotocols.iter().take(index).any(|earlier| earlier == subprotocol) {
                return Err(RequestError::SubprotocolRepeated { index });
            }
        }
        if self.origin.is_some_and(|origin| Origin::parse(origin).is_none()) {
            return Err(RequestError::OriginMalformed);
        }
        check_fields(self.fields, is_request_field)
            .map_err(|(index, fault)| RequestError::Field { index, fault })
    }

    /// §4.1, items 5 and 6: only what was offered is agreed on.
    pub(super) fn check_agreed<'b>(
        &self,
        fields: &Fields<'b>,
    ) -> Result<Agreed<'b, P::Agreed>, ResponseError> {
        let extensions = self.check_extensions(fields)?;
        Ok(Agreed { subprotocol: self.check_subprotocol(fields)?, extensions })
    }

    fn check_extensions(&self, fields: &Fields<'_>) -> Result<P::Agreed, ResponseError> {
        let list = ExtensionList::parse(fields.get_all(EXTENSIONS_FIELD))
            .map_err(ResponseError::ExtensionsMalformed)?;
        self.extensions.check(list.items())
    }

    fn check_subprotocol<'b>(&self, fields: &Fields<'b>) -> Result<Option<&'b str>, ResponseError> {
        let value = match fields.single(SUBPROTOCOL_FIELD) {
            Single::Absent => return Ok(None),
            Single::Repeated => return Err(ResponseError::SubprotocolRepeated),
            Single::Once(value) => value,
        };
        let offered = self.subprotocols.iter().any(|offer| offer.as_bytes() == value);
        match core::str::from_utf8(value) {
            Ok(subprotocol) if offered => Ok(Some(subprotocol)),
            _ => Err(ResponseError::SubprotocolNotOffered),
        }
    }

    /// The fields in the order of the example in RFC 6455 section 1.2.
    fn put(&self, writer: &mut Writer<'_>, key: &Key) {
        writer.put(b"GET ");
        writer.put_display(self.uri.resource());
        writer.put(b" HTTP/1.1\r\n");
        writer.put_field("Host", self.uri.host_field());
        writer.put(b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ");
        writer.put(key.as_bytes());
        writer.put(b"\r\n");
        if let Some(origin) = self.origin {
            writer.put_text_field("Origin", origin);
        }
        self.put_subprotocols(writer);
        if let Some(offer) = self.extensions.offer() {
            writer.put_field(EXTENSIONS_FIELD, offer);
        }
        writer.put(b"Sec-WebSocket-Version: 13\r\n");
        for (name, value) in self.fields {
            writer.put_text_field(name, value);
        }
        writer.put(b"\r\n");
    }

    fn put_subprotocols(&self, writer: &mut Writer<'_>) {
        let Some((first, others)) = self.subprotocols.split_first() else {
            return;
        };
        writer.put(b"Sec-WebSocket-Protocol: ");
        writer.put(first.as_bytes());
        for subprotocol in others {
            writer.put(b", ");
            writer.put(subprotocol.as_bytes());
        }
        writer.put(b"\r\n");
    }
}

/// A [`ClientRequest`] that must not be sent. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// A subprotocol is not a token.
    SubprotocolMalformed {
        /// Which one, from 0.
        index: usize,
    },
    /// A subprotocol is offered twice.
    SubprotocolRepeated {
        /// Which one, from 0.
        index: usize,
    },
    /// The origin is neither `scheme://host[:port]` nor `null`.
    OriginMalformed,
    /// A header field is not allowed.
    Field {
        /// Which one, from 0.
        index: usize,
        /// What is wrong with it.
        fault: FieldFault,
    },
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SubprotocolMalformed { index } => {
                write!(f, "subprotocol {index} is not a name without spaces and separators")
            }
            Self::SubprotocolRepeated { index } => write!(f, "subprotocol {index} is a repetition"),
            Self::OriginMalformed => {
                f.write_str("the origin must be scheme://host with an optional port, or null")
            }
            Self::Field { index, fault } => write!(f, "header field {index}: {fault}"),
        }
    }
}

impl core::error::Error for RequestError {}

/// Sends one request for a WebSocket, and reads its response.
///
/// ```
/// use sansocket::handshake::{Answer, ClientHandshake, ClientRequest};
/// use sansocket::Uri;
///
/// let uri = Uri::parse("ws://server.example.com/chat")?;
/// // In earnest the nonce is random, and new for each attempt.
/// let nonce = *b"the sample nonce";
/// let mut handshake = ClientHandshake::new(ClientRequest::new(&uri), nonce)?;
///
/// let mut out = [0; 512];
/// let len = handshake.write(&mut out)?;
/// assert!(out[..len].starts_with(b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\n"));
///
/// let received = b"HTTP/1.1 101 Switching Protocols\r\n\
///     Upgrade: websocket\r\n\
///     Connection: Upgrade\r\n\
///     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x89\x00";
/// let Answer::Accepted(response) = handshake.receive(received)? else { panic!() };
/// assert_eq!(&received[response.head_len()..], b"\x89\x00"); // the first frame
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientHandshake<'a, P = NoExtension> {
    request: ClientRequest<'a, P>,
    key: Key,
    expected: AcceptKey,
    scanner: HeadScanner,
    interim_len: u8,
    deadline: Deadline,
    error: Option<ResponseError>,
    received_len: usize,
}

/// What the received bytes are.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'b, A = NoExtension> {
    /// The beginning of a head: call again with more bytes.
    Incomplete,
    /// The server accepts, and its response passed all checks.
    Accepted(Response<'b, Agreed<'b, A>>),
    /// Any status but 101: a refusal, a redirect, a page. Its body, if wanted,
    /// starts at [`head_len`](Response::head_len); no frame ever follows.
    Rejected(RejectedResponse<'b>),
}

/// Interim responses (1xx) that are skipped, so that a server cannot keep a
/// client waiting with nothing but them.
const INTERIM_MAX: u8 = 8;

impl<'a, P: ClientExtensions> ClientHandshake<'a, P> {
    /// Prepares a handshake with the default [`HandshakeLimits`].
    ///
    /// `nonce` must be random, and drawn anew for each attempt (RFC 6455 section
    /// 4.1, item 7).
    ///
    /// # Errors
    ///
    /// The request has what must not be sent.
    pub fn new(
        request: ClientRequest<'a, P>,
        nonce: [u8; NONCE_LEN],
    ) -> Result<Self, RequestError> {
        request.check()?;
        let key = Key::from_nonce(nonce);
        let limits = HandshakeLimits::new();
        Ok(Self {
            request,
            key,
            expected: accept_key(key.as_bytes()),
            scanner: HeadScanner::response(limits.head),
            interim_len: 0,
            deadline: Deadline::Unarmed(limits.deadline),
            error: None,
            received_len: 0,
        })
    }

    /// Sets other limits, before the first byte is received.
    pub fn limits(mut self, limits: HandshakeLimits) -> Self {
        self.scanner = HeadScanner::response(limits.head);
        self.deadline = Deadline::Unarmed(limits.deadline);
        self
    }

    /// The length of the request, in bytes.
    pub fn request_len(&self) -> usize {
        Writer::measure(|writer| self.request.put(writer, &self.key))
    }

    /// Writes the request, and returns its length. Nothing more may be sent until
    /// the response is accepted.
    ///
    /// # Errors
    ///
    /// `out` is too short.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, OutputTooSmall> {
        let mut writer = Writer::new(out);
        self.request.put(&mut writer, &self.key);
        writer.finish()
    }

    /// Reads the head at the start of `received`: all bytes received so far,
    /// from the first one. Bytes that earlier calls saw are not looked at again,
    /// and the outcome does not depend on how the bytes were cut.
    ///
    /// # Errors
    ///
    /// The response breaks a rule; drop the connection. Every later call returns
    /// the same error.
    pub fn receive<'b>(
        &mut self,
        received: &'b [u8],
    ) -> Result<Answer<'b, P::Agreed>, ResponseError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.received_len = received.len();
        let outcome = self.read(received);
        match outcome {
            Ok(Answer::Incomplete) => {}
            Ok(_) => self.deadline.stop(),
            Err(error) => self.fail(error),
        }
        outcome
    }

    /// The transport ended.
    ///
    /// # Errors
    ///
    /// It ended before the head did, or the handshake had failed before.
    pub fn receive_end(&mut self) -> Result<(), ResponseError> {
        if !matches!(self.deadline, Deadline::Off) {
            self.fail(ResponseError::Incomplete { received_len: self.received_len });
        }
        self.error.map_or(Ok(()), Err)
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Wake {
        self.deadline.wake()
    }

    /// Takes the time. The first call starts the deadline, which covers the
    /// whole response head and the interim ones before it.
    ///
    /// # Errors
    ///
    /// The deadline is over, or the handshake had failed before.
    pub fn handle_timeout(&mut self, now: Tick) -> Result<(), ResponseError> {
        if self.deadline.is_due(now) {
            self.fail(ResponseError::Timeout);
        }
        self.error.map_or(Ok(()), Err)
    }

    fn read<'b>(&mut self, received: &'b [u8]) -> Result<Answer<'b, P::Agreed>, ResponseError> {
        loop {
            let Scan::Complete { head_len } = self.scanner.scan(received)? else {
                return Ok(Answer::Incomplete);
            };
            let line = self.scanner.status_line(received);
            if matches!(line.status, 100 | 102..=199) {
                self.skip_interim()?;
                continue;
            }
            let mut fields = Fields::EMPTY;
            fields.fill(self.scanner.fields(received)?);
            // §4.1, item 1: any other status is HTTP's to handle.
            return Ok(match line.status {
                101 => {
                    let agreed = self.check(&line, &fields)?;
                    Answer::Accepted(Response { line, fields, head_len, outcome: agreed })
                }
                _ => Answer::Rejected(Response {
                    line,
                    fields,
                    head_len,
                    outcome: Declined { _private: () },
                }),
            });
        }
    }

    /// RFC 9110 section 15.2: a client takes interim responses even unasked.
    fn skip_interim(&mut self) -> Result<(), ResponseError> {
        if self.interim_len >= INTERIM_MAX {
            return Err(ResponseError::InterimCount);
        }
        self.interim_len += 1;
        self.scanner.restart_response();
        Ok(())
    }

    /// §4.1: the checks of a 101 response, items 2 to 6 in their order.
    fn check<'b>(
        &self,
        line: &StatusLine<'_>,
        fields: &Fields<'b>,
    ) -> Result<Agreed<'b, P::Agreed>, ResponseError> {
        if line.version < HttpVersion::HTTP_11 {
            return Err(ResponseError::Version);
        }
        check_upgrade(fields)?;
        if !lists_token(fields, "Connection", b"upgrade") {
            return Err(ResponseError::Connection);
        }
        self.check_accept(fields)?;
        self.request.check_agreed(fields)
    }

    fn check_accept(&self, fields: &Fields<'_>) -> Result<(), ResponseError> {
        match fields.single("Sec-WebSocket-Accept") {
            Single::Absent => Err(ResponseError::AcceptMissing),
            Single::Repeated => Err(ResponseError::AcceptRepeated),
            Single::Once(value) if value == self.expected.as_bytes() => Ok(()),
            Single::Once(_) => Err(ResponseError::AcceptMismatch),
        }
    }

    fn fail(&mut self, error: ResponseError) {
        self.error = Some(error);
        self.deadline.stop();
    }
}

/// §4.1, item 2: unlike a request's, this field is `websocket` and nothing more.
fn check_upgrade(fields: &Fields<'_>) -> Result<(), ResponseError> {
    match fields.single("Upgrade") {
        Single::Once(value) if value.eq_ignore_ascii_case(b"websocket") => Ok(()),
        _ => Err(ResponseError::Upgrade),
    }
}

/// `is_handshake_field`, and those that have a method of their own.
fn is_request_field(name: &str) -> bool {
    const NAMES: [&str; 2] = ["Host", "Origin"];
    is_handshake_field(name) || NAMES.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
}

/// A response, borrowed from the bytes received. `O` says what came of it:
/// [`Agreed`] or [`Declined`].
#[derive(Clone, Copy, Debug)]
pub struct Response<'b, O = Agreed<'b>> {
    line: StatusLine<'b>,
    fields: Fields<'b>,
    head_len: usize,
    outcome: O,
}

/// A response with another status than 101.
pub type RejectedResponse<'b> = Response<'b, Declined>;

/// The server switches to the WebSocket protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed<'b, A = NoExtension> {
    subprotocol: Option<&'b str>,
    extensions: A,
}

/// The server stays with HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declined {
    _private: (),
}

impl<'b, O> Response<'b, O> {
    /// The status, 100 to 999; those above 599 mean the same as 500.
    pub fn status(&self) -> u16 {
        self.line.status
    }

    /// The reason phrase, which may be empty or not UTF-8.
    pub fn reason(&self) -> &'b [u8] {
        self.line.reason
    }

    /// The header fields, all of them.
    pub fn fields(&self) -> &Fields<'b> {
        &self.fields
    }

    /// The length of the head and of all interim ones, in bytes from the first
    /// one received: the frames, or the body of a rejection, start behind it.
    pub fn head_len(&self) -> usize {
        self.head_len
    }
}

impl<'b, A: AgreedExtensions> Response<'b, Agreed<'b, A>> {
    /// The agreed subprotocol, one of those offered.
    pub fn subprotocol(&self) -> Option<&'b str> {
        self.outcome.subprotocol()
    }

    /// The agreed extensions.
    pub fn extensions(&self) -> A {
        self.outcome.extensions()
    }

    /// The proof to make a connection of.
    pub fn negotiated(&self) -> Negotiated<A::Extension> {
        self.outcome.negotiated()
    }
}

impl<'b, A: AgreedExtensions> Agreed<'b, A> {
    /// The agreed subprotocol, one of those offered.
    pub fn subprotocol(&self) -> Option<&'b str> {
        self.subprotocol
    }

    /// The agreed extensions.
    pub fn extensions(&self) -> A {
        self.extensions
    }

    /// The proof to make a connection of.
    pub fn negotiated(&self) -> Negotiated<A::Extension> {
        Negotiated::new(self.extensions.extension())
    }
}

/// What is wrong with a response (RFC 6455 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseError {
    /// The form of the head.
    Head(HeadError),
    /// More than 8 interim responses.
    InterimCount,
    /// A 101 of HTTP/1.0, which knows no upgrade.
    Version,
    /// `Upgrade` is missing, repeated, or not `websocket`.
    Upgrade,
    /// `Connection` is missing or does not list `Upgrade`.
    Connection,
    /// There is no `Sec-WebSocket-Accept`.
    AcceptMissing,
    /// There are several `Sec-WebSocket-Accept` fields.
    AcceptRepeated,
    /// `Sec-WebSocket-Accept` does not fit the key: no WebSocket server has read
    /// the request.
    AcceptMismatch,
    /// `Sec-WebSocket-Extensions` is not a list of extensions.
    ExtensionsMalformed(ExtensionListError),
    /// The server uses an extension that was not offered.
    ExtensionNotOffered,
    /// The server's permessage-deflate breaks a rule (RFC 7692 section 7).
    #[cfg(feature = "deflate")]
    Deflate(DeflateResponseError),
    /// There are several `Sec-WebSocket-Protocol` fields.
    SubprotocolRepeated,
    /// The server names a subprotocol that was not offered, or no single one.
    SubprotocolNotOffered,
    /// The transport ended inside the handshake.
    Incomplete {
        /// How many bytes had come.
        received_len: usize,
    },
    /// The head did not end before the deadline.
    Timeout,
}

impl ResponseError {
    /// The section that has the rule.
    pub fn section(&self) -> &'static str {
        match self {
            Self::Head(error) => error.rule().section(),
            Self::InterimCount => "RFC 9110 section 15.2",
            Self::Version => "RFC 9110 section 7.8",
            Self::AcceptRepeated => "RFC 6455 section 11.3.3",
            Self::ExtensionsMalformed(_) => "RFC 6455 section 9.1",
            Self::SubprotocolRepeated => "RFC 6455 section 11.3.4",
            Self::Upgrade
            | Self::Connection
            | Self::AcceptMissing
            | Self::AcceptMismatch
            | Self::ExtensionNotOffered
            | Self::SubprotocolNotOffered => "RFC 6455 section 4.1",
            #[cfg(feature = "deflate")]
            Self::Deflate(error) => error.section(),
            Self::Incomplete { .. } => "RFC 9112 section 8",
            Self::Timeout => "RFC 6455 section 10.4",
        }
    }
}

impl From<HeadError> for ResponseError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let explanation = match self {
            Self::Head(error) => return error.fmt(f),
            #[cfg(feature = "deflate")]
            Self::Deflate(error) => return error.fmt(f),
            Self::InterimCount => "The server sends interim responses without end.",
            Self::Version => "The server switches protocols in HTTP/1.0.",
            Self::Upgrade => "The Upgrade header field of the response must be \"websocket\".",
            Self::Connection => {
                "The Connection header field of the response must list \"Upgrade\"."
            }
            Self::AcceptMissing => "The response has no Sec-WebSocket-Accept header field.",
            Self::AcceptRepeated => {
                "The response has more than one Sec-WebSocket-Accept header field."
            }
            Self::AcceptMismatch => {
                "The Sec-WebSocket-Accept header field does not fit the key that was sent."
            }
            Self::ExtensionsMalformed(_) => {
                "The Sec-WebSocket-Extensions header field of the response is malformed."
            }
            Self::ExtensionNotOffered => "The server uses an extension that was not offered.",
            Self::SubprotocolRepeated => "The server names more than one subprotocol.",
            Self::SubprotocolNotOffered => "The server chose a subprotocol that was not offered.",
            Self::Incomplete { .. } => "The server closed the connection inside the handshake.",
            Self::Timeout => "The server took too long to answer.",
        };
        write!(f, "{explanation} ({})", self.section())
    }
}

impl core::error::Error for ResponseError {}
