//! WebSockets in an HTTP server made of hyper 1.x: an upgrade of HTTP/1.1, or an Extended
//! CONNECT of HTTP/2 (RFC 8441), whichever the request is.

use std::future::Future;

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sansocket::Server;
use sansocket::adapter::{AcceptOptions, Decision, HttpAnswer, Opened, Refused, ServerExtension};
use sansocket::handshake::{
    self, HandshakeConfig, HttpVersion, Incoming, Opening, PseudoFields, Rejection,
    ServerExtensions, extended_connect,
};

use crate::socket::WebSocket;

/// The stream of a WebSocket in an HTTP server.
pub type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

/// A server's WebSocket; `P` is what the server does about offers.
pub type UpgradedSocket<P> = WebSocket<Upgraded, Server, ServerExtension<P>>;

/// What a client offers, for the program to decide.
#[derive(Clone, Debug)]
pub struct Offer<'r> {
    path: &'r str,
    origin: Option<String>,
    subprotocols: Vec<&'r str>,
}

impl<'r> Offer<'r> {
    /// The path of the request.
    pub fn path(&self) -> &'r str {
        self.path
    }

    /// The page that the client acts for, if it says so; it is one that may connect.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The subprotocols offered, the client's favourite first.
    pub fn subprotocols(&self) -> &[&'r str] {
        &self.subprotocols
    }

    /// The client's favourite among those that the server supports.
    pub fn select_subprotocol(&self, supported: &[&str]) -> Option<&'r str> {
        self.subprotocols.iter().find(|name| supported.contains(name)).copied()
    }

    fn of<O: Opening>(request: &handshake::Request<'r, O>) -> Self {
        Self {
            path: request.path(),
            origin: request.origin().map(|origin| origin.to_string()),
            subprotocols: request.subprotocols().collect(),
        }
    }
}

/// What came of a request.
#[derive(Debug)]
#[must_use]
pub struct Upgrade<P: ServerExtensions> {
    /// To be sent, whatever it says.
    pub response: Response<Vec<u8>>,
    /// What opens the WebSocket when that was sent; or why there will be none.
    pub socket: Result<Pending<P>, Refused>,
}

/// A WebSocket that opens when its response was sent.
#[derive(Debug)]
pub struct Pending<P: ServerExtensions> {
    on_upgrade: OnUpgrade,
    opened: Opened<P>,
    options: AcceptOptions<P>,
}

impl<P: ServerExtensions> Pending<P> {
    /// Waits for hyper to hand over the stream. The response must be sent for that, so this is
    /// for a task of its own.
    ///
    /// # Errors
    ///
    /// [`hyper::Error`] if the response could not be sent, or the server was built without
    /// [upgrades](https://docs.rs/hyper/1/hyper/server/conn/http1/struct.Connection.html#method.with_upgrades).
    pub async fn open(self) -> Result<UpgradedSocket<P>, hyper::Error> {
        let stream = TokioIo::new(self.on_upgrade.await?);
        let Opened { connection, response, .. } = self.opened;
        let settings = self.options.driving();
        let socket = WebSocket::from_connection(stream, connection, settings, Vec::new());
        Ok(socket.with_response(response))
    }
}

/// Answers a request for a WebSocket, if `decide` says so when it has seen the offer. One that
/// breaks a rule is answered without asking.
///
/// An HTTP/2 server must say that it knows Extended CONNECT:
/// `hyper::server::conn::http2::Builder::enable_connect_protocol`.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use hyper::{Request, Response, body::Incoming};
/// use sansocket::Inbox;
/// use sansocket_tokio::{AcceptOptions, Decision, hyper::upgrade};
///
/// async fn chat(mut request: Request<Incoming>) -> Response<Full<Bytes>> {
///     let upgrade = upgrade(&mut request, &AcceptOptions::new(), |offer| {
///         Decision::accept().subprotocol(offer.select_subprotocol(&["chat"]))
///     });
///     if let Ok(pending) = upgrade.socket {
///         tokio::spawn(async move {
///             let mut socket = pending.open().await?;
///             let mut inbox = Inbox::new();
///             loop {
///                 let message = socket.receive(&mut inbox).await?;
///                 socket.feed(message).await?;
///             }
///             # #[allow(unreachable_code)]
///             Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
///         });
///     }
///     upgrade.response.map(|body| Full::new(Bytes::from(body)))
/// }
/// ```
pub fn upgrade<B, P: ServerExtensions>(
    request: &mut Request<B>,
    options: &AcceptOptions<P>,
    decide: impl FnOnce(&Offer<'_>) -> Decision,
) -> Upgrade<P> {
    let on_upgrade = hyper::upgrade::on(&mut *request);
    let origins = options.origins();
    let (answer, opened) = judge(request, options, &options.config(&origins), decide);
    let response = response(answer, request.version());
    let socket = opened.map(|opened| Pending { on_upgrade, opened, options: options.clone() });
    Upgrade { response, socket }
}

/// Whether a request asks for a WebSocket, in its way of HTTP: a server may route by it.
pub fn is_upgrade<B>(request: &Request<B>) -> bool {
    match request.version() {
        Version::HTTP_2 | Version::HTTP_3 => {
            request.method() == Method::CONNECT
                && protocol(request).is_some_and(|protocol| protocol == "websocket")
        }
        _ => {
            let upgrades = request.headers().get_all(http::header::UPGRADE);
            let mut names = upgrades.iter().filter_map(|value| value.to_str().ok());
            names.any(|names| {
                names.split(',').any(|name| name.trim().eq_ignore_ascii_case("websocket"))
            })
        }
    }
}

fn judge<B, P: ServerExtensions>(
    request: &Request<B>,
    options: &AcceptOptions<P>,
    config: &HandshakeConfig<'_>,
    decide: impl FnOnce(&Offer<'_>) -> Decision,
) -> (HttpAnswer, Result<Opened<P>, Refused>) {
    let fields = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let version = match request.version() {
        Version::HTTP_2 | Version::HTTP_3 => {
            let pseudo = pseudo_fields(request);
            return match extended_connect(&pseudo, fields, config) {
                Ok(request) => options.answer_request(&request, &decide(&Offer::of(&request))),
                Err(rejection) => rejected(rejection),
            };
        }
        Version::HTTP_11 => HttpVersion::HTTP_11,
        _ => HttpVersion::HTTP_10,
    };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    match Incoming::from_parts(request.method().as_str(), target, version, fields, config) {
        Ok(Incoming::Upgrade(request)) => {
            options.answer_request(&request, &decide(&Offer::of(&request)))
        }
        Ok(Incoming::Plain(request)) => rejected(request.rejection()),
        // Not of a request that another parser has read.
        Ok(Incoming::Incomplete) => rejected(handshake::HandshakeRule::NotWebSocket.into()),
        Err(rejection) => rejected(rejection),
    }
}

fn pseudo_fields<B>(request: &Request<B>) -> PseudoFields<'_> {
    let uri = request.uri();
    PseudoFields {
        method: request.method().as_str(),
        protocol: protocol(request),
        scheme: uri.scheme_str(),
        authority: uri.authority().map(|authority| authority.as_str()),
        path: uri.path_and_query().map(|path| path.as_str()),
    }
}

fn protocol<B>(request: &Request<B>) -> Option<&str> {
    request.extensions().get::<Protocol>().map(Protocol::as_str)
}

fn rejected<T>(rejection: Rejection) -> (HttpAnswer, Result<T, Refused>) {
    (HttpAnswer::reject(&rejection), Err(Refused::Rejected(rejection)))
}

/// The engine has checked what is in it.
fn response(answer: HttpAnswer, version: Version) -> Response<Vec<u8>> {
    let mut response = Response::new(answer.body);
    *response.version_mut() = version;
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in answer.fields {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
        {
            headers.append(name, value);
        }
    }
    response
}

/// What a router makes of an upgrade: the answer at once, and the WebSocket for a task.
impl<P: ServerExtensions + Send + 'static> Upgrade<P>
where
    Pending<P>: Send,
{
    /// Runs `serve` in a task of its own with the WebSocket, if there will be one, and gives back
    /// the response to send.
    pub fn on_open<F>(
        self,
        serve: impl FnOnce(UpgradedSocket<P>) -> F + Send + 'static,
    ) -> Response<Vec<u8>>
    where
        F: Future<Output = ()> + Send,
        UpgradedSocket<P>: Send,
    {
        if let Ok(pending) = self.socket {
            tokio::spawn(async move {
                // A client that left before it had its answer wants nothing more.
                if let Ok(socket) = pending.open().await {
                    serve(socket).await;
                }
            });
        }
        self.response
    }
}
