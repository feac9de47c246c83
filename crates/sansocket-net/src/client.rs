//! Opening a connection as a client.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

#[cfg(feature = "deflate")]
use sansocket::deflate::ClientDeflatePolicy;
use sansocket::handshake::{
    AgreedExtensions, Answer, ClientExtensions, ClientHandshake, ClientRequest, Fields,
    HandshakeLimits, Response, ResponseError,
};
use sansocket::{ChaChaKeys, Client, Connection, Negotiated, NoExtension, Uri};

use crate::clock::{Clock, Read, ReadTimeout};
use crate::entropy;
use crate::error::{ConnectError, Names, Rejected};
use crate::outbox::write_all;
use crate::pump::{HandshakeResponse, Settings};
use crate::socket::WebSocket;
use crate::transport::Transport;

/// How a client connects.
///
/// ```no_run
/// use sansocket_net::{ConnectOptions, connect_with};
///
/// let options = ConnectOptions::new().subprotocol("chat").field("Authorization", "Bearer x");
/// let socket = connect_with("ws://127.0.0.1:5000/ws", &options)?;
/// assert_eq!(socket.subprotocol(), Some("chat"));
/// # Ok::<(), sansocket_net::ConnectError>(())
/// ```
///
/// Its `Debug` form names the header fields and keeps their values, which may be
/// secrets.
#[derive(Clone)]
#[must_use]
pub struct ConnectOptions<P = NoExtension> {
    subprotocols: Vec<String>,
    origin: Option<String>,
    fields: Vec<(String, String)>,
    settings: Settings,
    limits: HandshakeLimits,
    connect_timeout: Duration,
    redirects: Redirects,
    extensions: P,
}

/// Whether a client goes where the server's 3xx answer points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// No: the answer is a [`ConnectError::Rejected`].
    Refuse,
    /// Yes, at most five times, never from `wss:` to `ws:`. `Authorization`,
    /// `Cookie` and `Proxy-Authorization` are not taken to another host.
    Follow,
}

impl ConnectOptions {
    /// No subprotocol, no Origin, no further fields, 10 s to reach an address,
    /// 10 s for the handshake, no redirects.
    pub const fn new() -> Self {
        Self {
            subprotocols: Vec::new(),
            origin: None,
            fields: Vec::new(),
            settings: Settings::new(),
            limits: HandshakeLimits::new(),
            connect_timeout: Duration::from_secs(10),
            redirects: Redirects::Refuse,
            extensions: NoExtension,
        }
    }
}

impl<P: ClientExtensions> ConnectOptions<P> {
    /// Offers one more subprotocol; the first is the most preferred.
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Sends an Origin, as browsers do (RFC 6455 section 10.2).
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Sends one more header field.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// How the open connection is driven.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Bounds on the server's answer in bytes and time.
    pub const fn limits(mut self, limits: HandshakeLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How long to try to reach all the addresses of the host together.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Offers to compress, as `policy` says (RFC 7692); the server may decline.
    /// Messages with secrets are then for [`WebSocket::send_with`], and how much to
    /// compress is for [`Config::deflate`](sansocket::Config::deflate).
    ///
    /// Without a policy, nothing is offered, and the socket is of the same type.
    #[cfg(feature = "deflate")]
    pub fn deflate(
        self,
        policy: impl Into<Option<ClientDeflatePolicy>>,
    ) -> ConnectOptions<Option<ClientDeflatePolicy>> {
        ConnectOptions {
            subprotocols: self.subprotocols,
            origin: self.origin,
            fields: self.fields,
            settings: self.settings,
            limits: self.limits,
            connect_timeout: self.connect_timeout,
            redirects: self.redirects,
            extensions: policy.into(),
        }
    }

    /// What to do with a 3xx answer.
    pub const fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }
}

impl<P: fmt::Debug> fmt::Debug for ConnectOptions<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("subprotocols", &self.subprotocols)
            .field("origin", &self.origin)
            .field("fields", &Names(&self.fields))
            .field("extensions", &self.extensions)
            .finish_non_exhaustive()
    }
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// A client's socket; `P` is what it offered.
pub(crate) type ClientSocket<T, P> = WebSocket<T, Client<ChaChaKeys>, ExtensionOf<P>>;

/// The extension of a connection; `P` is what the client offered.
type ExtensionOf<P> = <<P as ClientExtensions>::Agreed as AgreedExtensions>::Extension;

/// Connects to a `ws:` URI over TCP, with the defaults.
///
/// # Errors
///
/// [`ConnectError`].
pub fn connect(uri: &str) -> Result<WebSocket<TcpStream, Client<ChaChaKeys>>, ConnectError> {
    connect_with(uri, &ConnectOptions::new())
}

/// Connects to a `ws:` URI over TCP. All addresses of the host are tried in turn;
/// `TCP_NODELAY` is set, since messages are written whole.
///
/// # Errors
///
/// [`ConnectError`].
pub fn connect_with<P: ClientExtensions>(
    uri: &str,
    options: &ConnectOptions<P>,
) -> Result<ClientSocket<TcpStream, P>, ConnectError> {
    let mut options = Cow::Borrowed(options);
    let mut place = uri.to_owned();
    let mut hops = 0;
    loop {
        let uri = Uri::parse(&place)?;
        let rejected = match connect_over(tcp(&uri, options.connect_timeout)?, &place, &options) {
            Err(ConnectError::Rejected(rejected)) => rejected,
            result => return result,
        };
        if options.redirects == Redirects::Refuse
            || !matches!(rejected.status, 301 | 302 | 303 | 307 | 308)
        {
            return Err(ConnectError::Rejected(rejected));
        }
        hops += 1;
        let Some(next) = redirect(&uri, &rejected).filter(|_| hops <= HOPS_MAX) else {
            return Err(ConnectError::Redirect(rejected));
        };
        let Ok(target) = Uri::parse(&next) else {
            return Err(ConnectError::Redirect(rejected));
        };
        if (target.host(), target.port()) != (uri.host(), uri.port()) {
            let fields = &mut options.to_mut().fields;
            fields.retain(|(name, _)| {
                !SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
            });
        }
        place = next;
    }
}

/// Opens a WebSocket over a transport that is connected already. The URI says only
/// what to ask for; redirects are not followed.
///
/// # Errors
///
/// [`ConnectError`].
pub fn connect_over<T: Transport, P: ClientExtensions>(
    mut transport: T,
    uri: &str,
    options: &ConnectOptions<P>,
) -> Result<ClientSocket<T, P>, ConnectError> {
    let uri = Uri::parse(uri)?;
    let subprotocols: Vec<&str> = options.subprotocols.iter().map(String::as_str).collect();
    let fields = borrowed(&options.fields);
    let mut request = ClientRequest::new(&uri)
        .extensions(options.extensions)
        .subprotocols(&subprotocols)
        .fields(&fields);
    if let Some(origin) = &options.origin {
        request = request.origin(origin);
    }
    let handshake = ClientHandshake::new(request, entropy::random()?)?.limits(options.limits);
    let role = entropy::client_role()?;

    let mut head = vec![0; handshake.request_len()];
    if handshake.write(&mut head).is_err() {
        return Err(io::Error::from(io::ErrorKind::OutOfMemory).into()); // measured just now
    }
    let stall = options.settings.write_stall;
    transport.set_write_timeout(Some(stall))?;
    write_all(&mut transport, &head, stall)?;
    let (connection, response, leftover) =
        receive_answer(&mut transport, handshake, |negotiated| {
            Connection::new(negotiated, role, &options.settings.config)
        })?;
    let socket = WebSocket::from_connection(transport, connection, &options.settings, leftover)?;
    Ok(socket.with_response(response))
}

/// Reads until the handshake has its answer.
fn receive_answer<T: Transport, P: ClientExtensions, C>(
    transport: &mut T,
    mut handshake: ClientHandshake<'_, P>,
    open: impl FnOnce(Negotiated<ExtensionOf<P>>) -> C,
) -> Result<(C, HandshakeResponse, Vec<u8>), ConnectError> {
    let clock = Clock::new();
    let mut timeout = ReadTimeout::new(None);
    let mut received = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        handshake.handle_timeout(clock.now())?;
        let wait = handshake.poll_timeout().after(clock.now());
        match timeout.read(transport, &mut chunk, wait)? {
            Read::Bytes(len) => received.extend_from_slice(&chunk[..len]),
            Read::Nothing => continue,
            Read::End => {
                handshake.receive_end()?;
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        match handshake.receive(&received)? {
            Answer::Incomplete => {}
            Answer::Accepted(response) => {
                let connection = open(response.negotiated());
                let answer = HandshakeResponse {
                    subprotocol: response.subprotocol().map(str::to_owned),
                    extensions: extensions(&response.extensions()),
                    fields: owned(response.fields()),
                };
                let leftover = received[response.head_len()..].to_vec();
                return Ok((connection, answer, leftover));
            }
            Answer::Rejected(response) => {
                let mut rejected = rejected(&response);
                rejected.body = received[response.head_len()..].to_vec();
                read_body(transport, &mut rejected, clock);
                return Err(ConnectError::Rejected(Box::new(rejected)));
            }
        }
    }
}

fn rejected<O>(response: &Response<'_, O>) -> Rejected {
    Rejected { status: response.status(), fields: owned(response.fields()), body: Vec::new() }
}

/// Reads what comes of the body, within bounds of bytes and time.
fn read_body<T: Transport>(transport: &mut T, rejected: &mut Rejected, clock: Clock) {
    if matches!(rejected.status, 204 | 304) {
        return; // RFC 9110 sections 15.3.5 and 15.4.5: there is none
    }
    let declared = rejected.field("Content-Length").and_then(|len| len.parse::<usize>().ok());
    let len_max = declared.unwrap_or(BODY_LEN_MAX).min(BODY_LEN_MAX);
    let deadline = clock.now() + BODY_TIMEOUT;
    let mut timeout = ReadTimeout::new(None);
    let mut chunk = [0; 4096];
    while rejected.body.len() < len_max && clock.now() < deadline {
        match timeout.read(transport, &mut chunk, Some(deadline - clock.now())) {
            Ok(Read::Bytes(len)) => rejected.body.extend_from_slice(&chunk[..len]),
            Ok(Read::Nothing) => {}
            Ok(Read::End) | Err(_) => break,
        }
    }
    rejected.body.truncate(len_max);
}

/// Tries all addresses of the host, within one timeout.
fn tcp(uri: &Uri<'_>, timeout: Duration) -> Result<TcpStream, ConnectError> {
    if uri.is_secure() {
        return Err(ConnectError::TlsUnsupported);
    }
    let start = Instant::now();
    let host = uri.host().trim_start_matches('[').trim_end_matches(']');
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let mut addresses = (host, uri.port()).to_socket_addrs()?;
    while let Some(address) = addresses.next() {
        // One that never answers leaves half of the time for the others.
        let share = if addresses.len() == 0 { 1 } else { 2 };
        let left = timeout.saturating_sub(start.elapsed()) / share;
        if left.is_zero() {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

/// Where a 3xx answer points, as a WebSocket URI that is no less secure.
fn redirect(from: &Uri<'_>, rejected: &Rejected) -> Option<String> {
    let location = rejected.field("Location")?;
    // A fragment is not for servers, and not in a WebSocket URI.
    let (location, _) = location.split_once('#').unwrap_or((location, ""));
    if location.starts_with('/') && !location.starts_with("//") {
        let scheme = if from.is_secure() { "wss" } else { "ws" };
        return Some(format!("{scheme}://{}{location}", from.host_field()));
    }
    let (scheme, rest) = location.split_once("://")?;
    let secure = match scheme.to_ascii_lowercase().as_str() {
        "ws" | "http" => false,
        "wss" | "https" => true,
        _ => return None,
    };
    if from.is_secure() && !secure {
        return None;
    }
    Some(format!("{}://{rest}", if secure { "wss" } else { "ws" }))
}

pub(crate) fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// What both sides agreed on, as the response says it.
pub(crate) fn extensions(agreed: &impl AgreedExtensions) -> Option<String> {
    agreed.element().map(|element| element.as_ref().to_owned())
}

fn owned(fields: &Fields<'_>) -> Vec<(String, Vec<u8>)> {
    fields.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
}

impl ConnectError {
    /// Whether a deadline passed: of the handshake, or of reaching an address.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Response(error) => *error == ResponseError::Timeout,
            Self::Io(error) => error.kind() == io::ErrorKind::TimedOut,
            _ => false,
        }
    }
}

/// Fields that are for one host's eyes only.
const SECRETS: [&str; 3] = ["Authorization", "Cookie", "Proxy-Authorization"];

const HOPS_MAX: u32 = 5;
const BODY_LEN_MAX: usize = 64 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(1);
