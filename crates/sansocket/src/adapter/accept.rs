//! What a server does about requests.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::borrowed;
use super::outcome::HandshakeResponse;
use super::settings::Settings;
use crate::connection::Connection;
use crate::extension::NoExtension;
#[cfg(feature = "deflate")]
use crate::extension::deflate::ServerDeflatePolicy;
use crate::handshake::{
    Accept, AcceptError, AgreedExtensions, CheckedReply, HandshakeConfig, HandshakeLimits,
    Incoming, MissingOrigin, NullOrigin, OriginPolicy, PlainRequest, Rejection, Reply, ReplyError,
    Request, ServerExtensions,
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
        let decision = match incoming {
            Incoming::Incomplete => return None,
            _ => decide(&incoming),
        };
        match incoming {
            Incoming::Upgrade(request) => Some(self.answer_upgrade(&request, decision)),
            Incoming::Plain(request) => Some(answer_plain(&request, decision)),
            Incoming::Incomplete => None,
        }
    }

    fn answer_upgrade(&self, request: &Request<'_>, decision: Decision) -> Answered<Opened<P>> {
        let fields = borrowed(&decision.fields);
        let subprotocol = match &decision.answer {
            Answer::Accept { subprotocol } => subprotocol.as_deref(),
            Answer::Default => None,
            Answer::Reply { status, body } => {
                return answer(request.refuse(&Reply::new(*status).fields(&fields).body(body)));
            }
        };
        let accepted = match request.accept(&self.accept(subprotocol, &fields)) {
            Ok(accepted) => accepted,
            Err(error) => return (INTERNAL_SERVER_ERROR.into(), Err(Refused::Accept(error))),
        };
        let mut response = vec![0; accepted.response_len()];
        let len = accepted.write(&mut response).unwrap_or(0); // measured just now
        response.truncate(len);
        let agreed = HandshakeResponse::from_agreed(subprotocol, &accepted.extensions());
        let connection = Connection::new(accepted.negotiated(), Server, self.settings.engine());
        let head_len = request.head_len();
        (response, Ok(Opened { connection, response: agreed, head_len }))
    }

    fn accept<'a>(
        &self,
        subprotocol: Option<&'a str>,
        fields: &'a [(&'a str, &'a str)],
    ) -> Accept<'a, P> {
        let accept = Accept::new().extensions(self.extensions).fields(fields);
        match subprotocol {
            Some(subprotocol) => accept.subprotocol(subprotocol),
            None => accept,
        }
    }
}

impl Default for AcceptOptions {
    fn default() -> Self {
        Self::new()
    }
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
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Decision {
    answer: Answer,
    fields: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Accept { subprotocol: Option<String> },
    Reply { status: u16, body: Vec<u8> },
    Default,
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

    /// Accepts with this subprotocol, which must be among those offered.
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

fn answer_plain<T>(request: &PlainRequest<'_>, decision: Decision) -> Answered<T> {
    let fields = borrowed(&decision.fields);
    match &decision.answer {
        Answer::Reply { status, body } => {
            answer(request.answer(&Reply::new(*status).fields(&fields).body(body)))
        }
        Answer::Accept { .. } | Answer::Default => reject(request.rejection()),
    }
}

/// The program's own answer.
fn answer<T>(reply: Result<CheckedReply<'_>, ReplyError>) -> Answered<T> {
    let reply = match reply {
        Ok(reply) => reply,
        // The client has no fault in it.
        Err(error) => return (INTERNAL_SERVER_ERROR.into(), Err(Refused::Reply(error))),
    };
    let mut out = vec![0; reply.response_len()];
    let len = reply.write(&mut out).unwrap_or(0); // measured just now
    out.truncate(len);
    (out, Err(Refused::Answered(reply.status())))
}

/// The answer to a request that breaks a rule.
fn reject<T>(rejection: Rejection) -> Answered<T> {
    let mut out = vec![0; rejection.response_len()];
    let len = rejection.write(&mut out).unwrap_or(0); // measured just now
    out.truncate(len);
    (out, Err(Refused::Rejected(rejection)))
}

/// For a program that gives an answer which cannot be given.
const INTERNAL_SERVER_ERROR: &[u8] =
    b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
