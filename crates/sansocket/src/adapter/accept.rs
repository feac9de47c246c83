//! What a server does about requests.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::outcome::HandshakeResponse;
use super::settings::Settings;
use super::{Names, borrowed};
use crate::connection::Connection;
use crate::extension::NoExtension;
#[cfg(feature = "deflate")]
use crate::extension::deflate::ServerDeflatePolicy;
use crate::handshake::{
    Accept, AcceptError, Accepted, AgreedExtensions, CheckedReply, HandshakeConfig,
    HandshakeLimits, Incoming, MissingOrigin, NullOrigin, Opening, OriginPolicy, OutputTooSmall,
    PlainRequest, Rejection, Reply, ReplyError, Request, ServerExtensions,
};
use crate::role::Server;

/// How a server takes connections.
///
/// ```
/// use sansocket::adapter::AcceptOptions;
///
/// let options = AcceptOptions::new().allow_origin("https://app.example.com");
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AcceptOptions<P = NoExtension> {
    origins: Option<Vec<String>>,
    missing_origin: MissingOrigin,
    null_origin: NullOrigin,
    limits: HandshakeLimits,
    settings: Settings,
    extensions: P,
}

/// The extension of a server's connection; `P` is what the server does about offers.
pub type ServerExtension<P> = <<P as ServerExtensions>::Agreed as AgreedExtensions>::Extension;

impl AcceptOptions {
    /// Web pages of the same host only, requests without an Origin, which browsers
    /// do not send, and the engine's limits.
    pub const fn new() -> Self {
        Self {
            origins: None,
            missing_origin: MissingOrigin::Allow,
            null_origin: NullOrigin::Refuse,
            limits: HandshakeLimits::new(),
            settings: Settings::new(),
            extensions: NoExtension,
        }
    }
}

impl<P: ServerExtensions> AcceptOptions<P> {
    /// Lets the pages of this origin connect, and no longer those of the same host
    /// unless they are named too; `*` is any. That is no authentication: only
    /// browsers tell the truth about it (RFC 6455 section 10.2).
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.get_or_insert_default().push(origin.into());
        self
    }

    /// Compresses with clients that offer it, as `policy` says (RFC 7692). Messages
    /// with secrets are then sent with [`Compress::Never`](crate::Compress::Never), and how much
    /// to compress is for [`Config::deflate`](crate::Config::deflate).
    ///
    /// Without a policy, no offer is taken, and the socket is of the same type.
    #[cfg(feature = "deflate")]
    pub fn deflate(
        self,
        policy: impl Into<Option<ServerDeflatePolicy>>,
    ) -> AcceptOptions<Option<ServerDeflatePolicy>> {
        AcceptOptions {
            origins: self.origins,
            missing_origin: self.missing_origin,
            null_origin: self.null_origin,
            limits: self.limits,
            settings: self.settings,
            extensions: policy.into(),
        }
    }

    /// What to do with requests that have no Origin.
    pub const fn missing_origin(mut self, missing: MissingOrigin) -> Self {
        self.missing_origin = missing;
        self
    }

    /// What to do with `Origin: null`, which sandboxed pages send.
    pub const fn null_origin(mut self, null: NullOrigin) -> Self {
        self.null_origin = null;
        self
    }

    /// Bounds on the request in bytes, fields and time.
    pub const fn limits(mut self, limits: HandshakeLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How the open connection is driven.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// How the open connection is to be driven.
    pub fn driving(&self) -> &Settings {
        &self.settings
    }

    /// The origins that are named, as [`config`](Self::config) wants them.
    pub fn origins(&self) -> Vec<&str> {
        self.origins.iter().flatten().map(String::as_str).collect()
    }

    /// What a handshake is judged by. `origins` is what [`origins`](Self::origins) gives.
    pub fn config<'c>(&self, origins: &'c [&'c str]) -> HandshakeConfig<'c> {
        let policy = match &self.origins {
            None => OriginPolicy::SameHost,
            Some(_) if origins.contains(&"*") => OriginPolicy::Any,
            Some(_) => OriginPolicy::List(origins),
        };
        HandshakeConfig::new()
            .limits(self.limits)
            .origin(policy)
            .missing_origin(self.missing_origin)
            .null_origin(self.null_origin)
    }

    /// What to write to a client, and what that opens. A request that breaks a rule has its
    /// answer; `decide` is asked about the others. Nothing if there is no whole request yet.
    ///
    /// ```
    /// use sansocket::adapter::{AcceptOptions, Decision, Refused};
    /// use sansocket::handshake::ServerHandshake;
    ///
    /// let options = AcceptOptions::new();
    /// let origins = options.origins();
    /// let mut handshake = ServerHandshake::new(options.config(&origins));
    /// let incoming = handshake.receive(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    /// let (answer, opened) = options.answer(incoming, |_| Decision::reply(404, "")).unwrap();
    /// assert!(answer.starts_with(b"HTTP/1.1 404 Not Found\r\n"));
    /// assert_eq!(opened.unwrap_err(), Refused::Answered(404));
    /// ```
    pub fn answer<'b>(
        &self,
        incoming: Result<Incoming<'b>, Rejection>,
        decide: impl FnOnce(&Incoming<'b>) -> Decision,
    ) -> Option<Answered<Opened<P>>> {
        let incoming = match incoming {
            Ok(incoming) => incoming,
            Err(rejection) => return Some(reject(rejection)),
        };
        match &incoming {
            Incoming::Incomplete => None,
            Incoming::Upgrade(request) => Some(self.answer_upgrade(request, &decide(&incoming))),
            Incoming::Plain(request) => Some(answer_plain(request, &decide(&incoming))),
        }
    }

    /// The same in parts, for a request that an HTTP library has read and will answer: an
    /// upgrade ([`Incoming::from_parts`](crate::handshake::Incoming::from_parts)) or an
    /// [`extended_connect`](crate::handshake::extended_connect).
    ///
    /// ```
    /// use sansocket::adapter::{AcceptOptions, Decision};
    /// use sansocket::handshake::{PseudoFields, extended_connect};
    ///
    /// let options = AcceptOptions::new();
    /// let pseudo = PseudoFields {
    ///     method: "CONNECT",
    ///     protocol: Some("websocket"),
    ///     scheme: Some("https"),
    ///     authority: Some("server.example.com"),
    ///     path: Some("/chat"),
    /// };
    /// let fields = [("sec-websocket-version", &b"13"[..])];
    /// let origins = options.origins();
    /// let request = extended_connect(&pseudo, fields, &options.config(&origins))?;
    /// let (answer, opened) = options.answer_request(&request, &Decision::accept());
    /// assert_eq!((answer.status, answer.fields.len()), (200, 0));
    /// assert!(opened.is_ok());
    /// # Ok::<(), sansocket::handshake::Rejection>(())
    /// ```
    pub fn answer_request<O: Opening>(
        &self,
        request: &Request<'_, O>,
        decision: &Decision,
    ) -> (HttpAnswer, Result<Opened<P>, Refused>) {
        let fields = borrowed(&decision.fields);
        match self.judge(request, decision, &fields) {
            Judged::Accepted(accepted) => {
                let status = accepted.status();
                let fields = owned(accepted.fields());
                let opened = self.opened(&accepted, request.head_len());
                (HttpAnswer { status, fields, body: Vec::new() }, Ok(opened))
            }
            Judged::Replied(reply) => {
                let (status, body) = (reply.status(), reply.body().into());
                let fields = owned(fields.iter().copied());
                (HttpAnswer { status, fields, body }, Err(Refused::Answered(status)))
            }
            Judged::Faulty(fault) => {
                (HttpAnswer { status: 500, fields: Vec::new(), body: Vec::new() }, Err(fault))
            }
        }
    }

    /// What the program decided, if that can be said.
    fn judge<'a, O: Opening>(
        &self,
        request: &Request<'_, O>,
        decision: &'a Decision,
        fields: &'a [(&'a str, &'a str)],
    ) -> Judged<'a, O, P::Agreed> {
        let subprotocol = match &decision.answer {
            Answer::Accept { subprotocol } => subprotocol.as_deref(),
            Answer::Default => None,
            Answer::Reply { status, body } => {
                let reply = request.refuse(&Reply::new(*status).fields(fields).body(body));
                return reply.map_or_else(|e| Judged::Faulty(Refused::Reply(e)), Judged::Replied);
            }
        };
        let mut accept = Accept::new().extensions(self.extensions).fields(fields);
        if let Some(subprotocol) = subprotocol {
            accept = accept.subprotocol(subprotocol);
        }
        let accepted = request.accept(&accept);
        accepted.map_or_else(|e| Judged::Faulty(Refused::Accept(e)), Judged::Accepted)
    }

    fn opened<O: Opening>(
        &self,
        accepted: &Accepted<'_, O, P::Agreed>,
        head_len: usize,
    ) -> Opened<P> {
        Opened {
            connection: Connection::new(accepted.negotiated(), Server, self.settings.engine()),
            response: HandshakeResponse::from_agreed(
                accepted.subprotocol(),
                &accepted.extensions(),
            ),
            head_len,
        }
    }

    fn answer_upgrade(&self, request: &Request<'_>, decision: &Decision) -> Answered<Opened<P>> {
        let fields = borrowed(&decision.fields);
        match self.judge(request, decision, &fields) {
            Judged::Accepted(accepted) => {
                let opened = self.opened(&accepted, request.head_len());
                (written(accepted.response_len(), |out| accepted.write(out)), Ok(opened))
            }
            Judged::Replied(reply) => replied(&reply),
            Judged::Faulty(fault) => (INTERNAL_SERVER_ERROR.into(), Err(fault)),
        }
    }
}

/// What became of a decision.
enum Judged<'a, O, A: AgreedExtensions> {
    Accepted(Accepted<'a, O, A>),
    /// The program answers by itself.
    Replied(CheckedReply<'a>),
    /// The program's answer cannot be given. The client has no fault in it.
    Faulty(Refused),
}

impl Default for AcceptOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// An answer in the parts that an HTTP library sends; that adds how long the body is. The names
/// of fields are for HTTP/1.1, and HTTP/2 wants them in lower case.
///
/// Its `Debug` form names the fields and keeps their values, which may be secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAnswer")
            .field("status", &self.status)
            .field("fields", &Names(&self.fields))
            .field("body_len", &self.body.len())
            .finish()
    }
}

impl HttpAnswer {
    /// The answer to a request that breaks a rule.
    pub fn reject(rejection: &Rejection) -> Self {
        Self {
            status: rejection.status(),
            fields: owned(rejection.fields().iter().copied()),
            body: rejection.body().into(),
        }
    }
}

fn owned<'f>(fields: impl Iterator<Item = (&'f str, &'f str)>) -> Vec<(String, String)> {
    fields.map(|(name, value)| (name.into(), value.into())).collect()
}

/// What to write to a client, and what that opens, or why nothing.
pub type Answered<T> = (Vec<u8>, Result<T, Refused>);

/// A connection that a server opened.
#[derive(Debug)]
pub struct Opened<P: ServerExtensions> {
    /// The connection.
    pub connection: Connection<Server, ServerExtension<P>>,
    /// What was agreed.
    pub response: HandshakeResponse,
    /// How many bytes the request took; those behind it are the first of frames.
    pub head_len: usize,
}

/// Why a server opened none; the answer says it to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The request breaks a rule.
    Rejected(Rejection),
    /// The program answered with this status instead of accepting.
    Answered(u16),
    /// The program's answer cannot be given; the client gets a 500.
    Accept(AcceptError),
    /// The program's answer cannot be given; the client gets a 500.
    Reply(ReplyError),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Answered(status) => write!(f, "answered with HTTP status {status}"),
            Self::Accept(error) => error.fmt(f),
            Self::Reply(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Refused {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Rejected(rejection) => Some(rejection),
            Self::Answered(_) => None,
            Self::Accept(error) => Some(error),
            Self::Reply(error) => Some(error),
        }
    }
}

/// What a server answers to a request that breaks no rule.
///
/// Its `Debug` form names the fields and keeps their values, which may be secrets.
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct Decision {
    answer: Answer,
    fields: Vec<(String, String)>,
}

#[derive(Clone, PartialEq, Eq)]
enum Answer {
    Accept { subprotocol: Option<String> },
    Reply { status: u16, body: Vec<u8> },
    Default,
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, status) = match self.answer {
            Answer::Accept { .. } => ("accept", None),
            Answer::Reply { status, .. } => ("reply", Some(status)),
            Answer::Default => ("by_default", None),
        };
        write!(f, "Decision::{name}({status:?}, {:?})", Names(&self.fields))
    }
}

impl Decision {
    /// Opens the WebSocket.
    pub const fn accept() -> Self {
        Self { answer: Answer::Accept { subprotocol: None }, fields: Vec::new() }
    }

    /// Answers with an HTTP status from 200 to 599 and a body instead, and closes.
    pub fn reply(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { answer: Answer::Reply { status, body: body.into() }, fields: Vec::new() }
    }

    /// Accepts what asks for a WebSocket; answers the rest with 426.
    pub const fn by_default() -> Self {
        Self { answer: Answer::Default, fields: Vec::new() }
    }

    /// Accepts with this subprotocol, which must be among those offered. For
    /// [`accept`](Self::accept) alone: other answers agree on none.
    pub fn subprotocol(mut self, name: Option<impl Into<String>>) -> Self {
        if let Answer::Accept { subprotocol } = &mut self.answer {
            *subprotocol = name.map(Into::into);
        }
        self
    }

    /// Adds a header field to the answer.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }
}

fn answer_plain<T>(request: &PlainRequest<'_>, decision: &Decision) -> Answered<T> {
    let fields = borrowed(&decision.fields);
    match &decision.answer {
        Answer::Accept { .. } | Answer::Default => reject(request.rejection()),
        Answer::Reply { status, body } => {
            match request.answer(&Reply::new(*status).fields(&fields).body(body)) {
                Ok(reply) => replied(&reply),
                Err(error) => (INTERNAL_SERVER_ERROR.into(), Err(Refused::Reply(error))),
            }
        }
    }
}

/// The program's own answer.
fn replied<T>(reply: &CheckedReply<'_>) -> Answered<T> {
    let answer = written(reply.response_len(), |out| reply.write(out));
    (answer, Err(Refused::Answered(reply.status())))
}

/// The answer to a request that breaks a rule.
fn reject<T>(rejection: Rejection) -> Answered<T> {
    let answer = written(rejection.response_len(), |out| rejection.write(out));
    (answer, Err(Refused::Rejected(rejection)))
}

/// What `write` writes, which is `len` bytes.
fn written(len: usize, write: impl FnOnce(&mut [u8]) -> Result<usize, OutputTooSmall>) -> Vec<u8> {
    let mut out = vec![0; len];
    let len = write(&mut out).unwrap_or(0); // it was measured
    out.truncate(len);
    out
}

/// For a program that gives an answer which cannot be given.
const INTERNAL_SERVER_ERROR: &[u8] =
    b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
