//! The server's side: from received bytes to a request (RFC 6455 section 4.2).

use core::fmt;

use super::check::judge;
use super::config::{HandshakeConfig, HandshakeLimits};
use super::deadline::Deadline;
use super::rejection::{HandshakeRule, Rejection};
use super::request::{PlainRequest, Request};
use crate::http::{
    Fields, FieldsFull, HeadLimits, HeadRule, HeadScanner, HttpVersion, RequestLine, Scan,
    is_field_value, is_token,
};
use crate::time::{Tick, Wake};

/// Reads one request for a WebSocket.
///
/// ```
/// use sansocket::handshake::{HandshakeConfig, Incoming, ServerHandshake};
///
/// let mut handshake = ServerHandshake::new(HandshakeConfig::new());
/// let mut received = Vec::new();
/// let mut socket = [&b"GET / HTTP/1.1\r\nHo"[..], b"st: example.com\r\n\r\n"].into_iter();
/// let request = loop {
///     received.extend_from_slice(socket.next().expect("the peer closes early"));
///     match handshake.receive(&received) {
///         Ok(Incoming::Incomplete) => continue,
///         Ok(Incoming::Upgrade(_)) => unreachable!("it does not ask for it"),
///         Ok(Incoming::Plain(request)) => break request,
///         Err(rejection) => panic!("answered with {}", rejection.status()),
///     }
/// };
/// assert_eq!(request.host(), "example.com");
/// ```
#[derive(Clone, Debug)]
pub struct ServerHandshake<'c> {
    config: HandshakeConfig<'c>,
    scanner: HeadScanner,
    deadline: Deadline,
    rejection: Option<Rejection>,
    received_len: usize,
}

/// What the received bytes are.
#[derive(Clone, Copy, Debug)]
pub enum Incoming<'b> {
    /// The beginning of a head: call again with more bytes.
    Incomplete,
    /// A request to open a WebSocket.
    Upgrade(Request<'b>),
    /// A GET that does not ask for a WebSocket. Answer it, or send its
    /// [`rejection`](Request::rejection).
    Plain(PlainRequest<'b>),
}

impl<'c> ServerHandshake<'c> {
    /// Waits for a request.
    pub fn new(config: HandshakeConfig<'c>) -> Self {
        Self {
            config,
            scanner: HeadScanner::request(config.limits.head),
            deadline: Deadline::Unarmed(config.limits.deadline),
            rejection: None,
            received_len: 0,
        }
    }

    /// Reads the head at the start of `received`: all bytes received so far,
    /// from the first one. Bytes that earlier calls saw are not looked at again,
    /// and the outcome does not depend on how the bytes were cut.
    ///
    /// # Errors
    ///
    /// The first broken rule. A rule of form fails as soon as the offending byte
    /// is there, a request line at its end, the rest at the end of the head.
    /// Every later call returns the same rejection.
    pub fn receive<'b>(&mut self, received: &'b [u8]) -> Result<Incoming<'b>, Rejection> {
        if let Some(rejection) = self.rejection {
            return Err(rejection);
        }
        self.received_len = received.len();
        let outcome = self.read(received);
        match outcome {
            Ok(Incoming::Incomplete) => {}
            Ok(_) => self.deadline.stop(),
            Err(rejection) => self.reject(rejection),
        }
        outcome
    }

    /// The transport ended.
    ///
    /// # Errors
    ///
    /// It ended before the head did: close silently, there is nothing to answer
    /// (RFC 9112 section 8).
    pub fn receive_end(&mut self) -> Result<(), HandshakeIncomplete> {
        match self.deadline {
            Deadline::Off => Ok(()),
            Deadline::Unarmed(_) | Deadline::At(_) => {
                self.deadline.stop();
                Err(HandshakeIncomplete { received_len: self.received_len })
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Wake {
        self.deadline.wake()
    }

    /// Takes the time. The first call starts the deadline, which covers the
    /// whole head: a peer gains nothing by sending a byte now and then.
    ///
    /// # Errors
    ///
    /// The deadline is over: 408, from now on also from `receive`.
    pub fn handle_timeout(&mut self, now: Tick) -> Result<(), Rejection> {
        if self.deadline.is_due(now) {
            self.reject(HandshakeRule::Timeout.into());
        }
        self.rejection.map_or(Ok(()), Err)
    }

    fn read<'b>(&mut self, received: &'b [u8]) -> Result<Incoming<'b>, Rejection> {
        let Scan::Complete { head_len } = self.scanner.scan(received)? else {
            return Ok(Incoming::Incomplete);
        };
        let line = self.scanner.request_line(received)?;
        let mut fields = Fields::EMPTY;
        fields.fill(self.scanner.fields(received)?);
        judge(line, &fields, head_len, &self.config)
    }

    fn reject(&mut self, rejection: Rejection) {
        self.rejection = Some(rejection);
        self.deadline.stop();
    }
}

impl<'b> Incoming<'b> {
    /// Judges a request that another parser has read, by the same rules. Never
    /// [`Incomplete`](Self::Incomplete).
    ///
    /// Names and values are checked as if they came from the wire; the deadline
    /// is the other parser's.
    ///
    /// ```
    /// use sansocket::handshake::{HandshakeConfig, HttpVersion, Incoming};
    ///
    /// let fields = [("host", &b"example.com"[..]), ("upgrade", b"h2c")];
    /// let config = HandshakeConfig::new();
    /// let incoming = Incoming::from_parts("GET", "/", HttpVersion::HTTP_11, fields, &config)?;
    /// assert!(matches!(incoming, Incoming::Plain(_)));
    /// # Ok::<(), sansocket::handshake::Rejection>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first broken rule.
    pub fn from_parts(
        method: &str,
        target: &'b str,
        version: HttpVersion,
        fields: impl IntoIterator<Item = (&'b str, &'b [u8])>,
        config: &HandshakeConfig<'_>,
    ) -> Result<Self, Rejection> {
        let HandshakeLimits { head: limits, .. } = config.limits;
        check_target_len(target, &limits).map_err(HandshakeRule::Head)?;
        let line = RequestLine::judge(method, target, version).map_err(HandshakeRule::Head)?;
        let fields = collect_fields(fields, &limits).map_err(HandshakeRule::Head)?;
        judge(line, &fields, 0, config)
    }
}

pub(super) fn check_target_len(target: &str, limits: &HeadLimits) -> Result<(), HeadRule> {
    if target.len() > limits.target_len_max {
        return Err(HeadRule::TargetLen);
    }
    Ok(())
}

/// Takes over fields that another parser has read, within the limits.
pub(super) fn collect_fields<'b>(
    parsed: impl IntoIterator<Item = (&'b str, &'b [u8])>,
    limits: &HeadLimits,
) -> Result<Fields<'b>, HeadRule> {
    let mut fields = Fields::EMPTY;
    let mut fields_len = 0_usize;
    for (name, value) in parsed {
        if fields.len() >= limits.fields_max {
            return Err(HeadRule::FieldCount);
        }
        fields_len = fields_len.saturating_add(name.len()).saturating_add(value.len());
        if fields_len > limits.head_len_max {
            return Err(HeadRule::HeadLen);
        }
        if !is_token(name.as_bytes()) {
            return Err(HeadRule::FieldName);
        }
        if !is_field_value(value) {
            return Err(HeadRule::ControlByte);
        }
        fields.push(name, value).map_err(|FieldsFull| HeadRule::FieldCount)?;
    }
    Ok(fields)
}

/// The transport ended inside the opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeIncomplete {
    /// How many bytes had come. 0 is an ordinary way to leave.
    pub received_len: usize,
}

impl fmt::Display for HandshakeIncomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "handshake incomplete: the peer closed after {} bytes", self.received_len)
    }
}

impl core::error::Error for HandshakeIncomplete {}
