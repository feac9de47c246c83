//! Opening a connection as a server.

use std::time::Duration;

#[cfg(feature = "deflate")]
use sansocket::deflate::ServerDeflatePolicy;
use sansocket::handshake::{
    Accept, AgreedExtensions, CheckedReply, HandshakeConfig, HandshakeLimits, Incoming,
    MissingOrigin, NullOrigin, OriginPolicy, OutputTooSmall, PlainRequest, Rejection, Reply,
    ReplyError, Request, ServerExtensions, ServerHandshake,
};
use sansocket::{Connection, NoExtension, Server};

use crate::client::{borrowed, extensions};
use crate::clock::{Clock, Read, ReadTimeout};
use crate::error::AcceptError;
use crate::outbox::write_all;
use crate::pump::{HandshakeResponse, Settings};
use crate::socket::WebSocket;
use crate::transport::Transport;

/// How a server takes connections.
///
/// ```
/// use sansocket_net::AcceptOptions;
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
    /// with secrets are then for [`WebSocket::send_with`], and how much to compress is
    /// for [`Config::deflate`](sansocket::Config::deflate).
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
}

impl Default for AcceptOptions {
    fn default() -> Self {
        Self::new()
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

/// Opens a WebSocket on a connection that came in, with the defaults.
///
/// # Errors
///
/// [`AcceptError`]; the peer has had its answer by then.
pub fn accept<T: Transport>(transport: T) -> Result<WebSocket<T, Server>, AcceptError> {
    accept_with(transport, &AcceptOptions::new(), |_| Decision::by_default())
}

/// Opens a WebSocket on a connection that came in, if `decide` says so when it has
/// seen the request.
///
/// A request that breaks a rule is answered without asking. `decide` is given the
/// others: those for a WebSocket, and plain ones, which a page may be served for.
///
/// # Errors
///
/// [`AcceptError`]; the peer has had its answer by then.
///
/// ```
/// # use std::net::{TcpListener, TcpStream};
/// use sansocket::handshake::Incoming;
/// use sansocket_net::{AcceptOptions, Decision, accept_with};
///
/// # fn serve(stream: TcpStream) -> Result<(), Box<dyn std::error::Error>> {
/// let socket = accept_with(stream, &AcceptOptions::new(), |incoming| match incoming {
///     Incoming::Upgrade(request) if request.path() == "/chat" => {
///         Decision::accept().subprotocol(request.select_subprotocol(&["chat"]))
///     }
///     _ => Decision::reply(404, "nothing here"),
/// })?;
/// # Ok(())
/// # }
/// ```
pub fn accept_with<T: Transport, P: ServerExtensions>(
    mut transport: T,
    options: &AcceptOptions<P>,
    decide: impl FnOnce(&Incoming<'_>) -> Decision,
) -> Result<WebSocket<T, Server, ExtensionOf<P>>, AcceptError> {
    transport.set_write_timeout(Some(options.settings.write_stall))?;
    match open(&mut transport, options, decide) {
        Ok((connection, response, leftover)) => {
            let settings = &options.settings;
            let socket = WebSocket::from_connection(transport, connection, settings, leftover)?;
            Ok(socket.with_response(response))
        }
        Err(error) => {
            if !matches!(error, AcceptError::Io(_) | AcceptError::Incomplete) {
                drain(&mut transport);
            }
            Err(error)
        }
    }
}

/// The extension of a connection; `P` is what the server does about offers.
type ExtensionOf<P> = <<P as ServerExtensions>::Agreed as AgreedExtensions>::Extension;

type Opened<P> = (Connection<Server, ExtensionOf<P>>, HandshakeResponse, Vec<u8>);

/// Reads the request, asks, and writes the answer.
fn open<T: Transport, P: ServerExtensions>(
    transport: &mut T,
    options: &AcceptOptions<P>,
    decide: impl FnOnce(&Incoming<'_>) -> Decision,
) -> Result<Opened<P>, AcceptError> {
    let origins: Vec<&str> = options.origins.iter().flatten().map(String::as_str).collect();
    let policy = match &options.origins {
        None => OriginPolicy::SameHost,
        Some(_) if origins.contains(&"*") => OriginPolicy::Any,
        Some(_) => OriginPolicy::List(&origins),
    };
    let config = HandshakeConfig::new()
        .limits(options.limits)
        .origin(policy)
        .missing_origin(options.missing_origin)
        .null_origin(options.null_origin);
    let mut reading = Reading::new(transport, config);
    let decided = loop {
        match reading.read_more() {
            Err(AcceptError::Rejected(rejection)) => break Err(rejection),
            more => more?,
        }
        match reading.handshake.receive(&reading.received) {
            Ok(Incoming::Incomplete) => {}
            Ok(incoming) => {
                let decision = decide(&incoming);
                break Ok((incoming, decision));
            }
            Err(rejection) => break Err(rejection),
        }
    };
    let mut peer = Answering { transport: reading.transport, stall: options.settings.write_stall };
    match decided {
        Ok((Incoming::Upgrade(request), decision)) => {
            let (answer, accepted) = peer.answer_upgrade(options, &request, decision)?;
            Ok((answer, accepted, reading.received[request.head_len()..].to_vec()))
        }
        Ok((Incoming::Plain(request), decision)) => Err(peer.answer_plain(&request, decision)),
        Ok((Incoming::Incomplete, _)) => Err(AcceptError::Incomplete), // read on above
        Err(rejection) => Err(peer.reject(rejection)),
    }
}

/// A request that is being read.
struct Reading<'t, 'c, T> {
    transport: &'t mut T,
    handshake: ServerHandshake<'c>,
    received: Vec<u8>,
    clock: Clock,
    timeout: ReadTimeout,
}

impl<'t, 'c, T: Transport> Reading<'t, 'c, T> {
    fn new(transport: &'t mut T, config: HandshakeConfig<'c>) -> Self {
        Self {
            transport,
            handshake: ServerHandshake::new(config),
            received: Vec::new(),
            clock: Clock::new(),
            timeout: ReadTimeout::new(None),
        }
    }

    /// Waits for more bytes, within the handshake's deadline.
    fn read_more(&mut self) -> Result<(), AcceptError> {
        let mut chunk = [0; 4096];
        loop {
            self.handshake.handle_timeout(self.clock.now())?;
            let wait = self.handshake.poll_timeout().after(self.clock.now());
            match self.timeout.read(self.transport, &mut chunk, wait)? {
                Read::Bytes(len) => {
                    self.received.extend_from_slice(&chunk[..len]);
                    return Ok(());
                }
                Read::Nothing => {}
                Read::End => return Err(AcceptError::Incomplete),
            }
        }
    }
}

/// Who waits for the answer.
struct Answering<'t, T> {
    transport: &'t mut T,
    stall: Duration,
}

impl<T: Transport> Answering<'_, T> {
    fn answer_upgrade<P: ServerExtensions>(
        &mut self,
        options: &AcceptOptions<P>,
        request: &Request<'_>,
        decision: Decision,
    ) -> Result<(Connection<Server, ExtensionOf<P>>, HandshakeResponse), AcceptError> {
        let fields = borrowed(&decision.fields);
        let mut accept = Accept::new().extensions(options.extensions).fields(&fields);
        let subprotocol = match decision.answer {
            Answer::Accept { subprotocol } => subprotocol,
            Answer::Default => None,
            Answer::Reply { status, body } => {
                let reply = Reply::new(status).fields(&fields).body(&body);
                return Err(self.answer(request.refuse(&reply)));
            }
        };
        if let Some(subprotocol) = &subprotocol {
            accept = accept.subprotocol(subprotocol);
        }
        match request.accept(&accept) {
            Ok(accepted) => {
                self.write(accepted.response_len(), |out| accepted.write(out))?;
                let connection =
                    Connection::new(accepted.negotiated(), Server, &options.settings.config);
                let extensions = extensions(&accepted.extensions());
                Ok((connection, HandshakeResponse { subprotocol, extensions, fields: Vec::new() }))
            }
            Err(error) => {
                let _ = write_all(self.transport, INTERNAL_SERVER_ERROR, self.stall);
                Err(AcceptError::Accept(error))
            }
        }
    }

    fn answer_plain(&mut self, request: &PlainRequest<'_>, decision: Decision) -> AcceptError {
        let fields = borrowed(&decision.fields);
        match decision.answer {
            Answer::Reply { status, body } => {
                self.answer(request.answer(&Reply::new(status).fields(&fields).body(&body)))
            }
            Answer::Accept { .. } | Answer::Default => self.reject(request.rejection()),
        }
    }

    /// Writes the program's own answer.
    fn answer(&mut self, reply: Result<CheckedReply<'_>, ReplyError>) -> AcceptError {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                // The peer has no fault in it.
                let _ = write_all(self.transport, INTERNAL_SERVER_ERROR, self.stall);
                return AcceptError::Reply(error);
            }
        };
        match self.write(reply.response_len(), |out| reply.write(out)) {
            Ok(()) => AcceptError::Answered(reply.status()),
            Err(error) => error,
        }
    }

    /// Writes the answer to a request that breaks a rule.
    fn reject(&mut self, rejection: Rejection) -> AcceptError {
        match self.write(rejection.response_len(), |out| rejection.write(out)) {
            Ok(()) => AcceptError::Rejected(rejection),
            Err(error) => error,
        }
    }

    fn write(
        &mut self,
        len: usize,
        encode: impl FnOnce(&mut [u8]) -> Result<usize, OutputTooSmall>,
    ) -> Result<(), AcceptError> {
        let mut out = vec![0; len];
        let len = encode(&mut out).unwrap_or(0); // measured just now
        Ok(write_all(self.transport, &out[..len], self.stall)?)
    }
}

/// The peer may end its direction in peace, so that a reset does not overtake the
/// answer; what it sends is not looked at, and bounded.
fn drain<T: Transport>(transport: &mut T) {
    if transport.shutdown_write().is_err() {
        return;
    }
    let clock = Clock::new();
    let deadline = clock.now() + DRAIN_TIMEOUT;
    let mut timeout = ReadTimeout::new(None);
    let mut scratch = [0; 4096];
    let mut left = DRAIN_LEN_MAX;
    while left > 0 && clock.now() < deadline {
        match timeout.read(transport, &mut scratch, Some(deadline - clock.now())) {
            Ok(Read::Bytes(len)) => left = left.saturating_sub(len),
            Ok(Read::Nothing) => {}
            Ok(Read::End) | Err(_) => break,
        }
    }
}

/// For a program that gives an answer which cannot be given.
const INTERNAL_SERVER_ERROR: &[u8] =
    b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
const DRAIN_LEN_MAX: usize = 64 * 1024;
