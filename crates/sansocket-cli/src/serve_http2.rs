//! `sansocket serve --http2`: the page and the echo over one HTTP/2 connection (RFC 8441), and
//! over HTTP/1.1 for those who ask for that; a task for each connection and each WebSocket.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::http::HeaderValue;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use sansocket::adapter::Printable;
use sansocket::deflate::{Deflate, ServerDeflatePolicy};
use sansocket::{CloseCode, Inbox, Server};
use sansocket_net::tls;
use sansocket_tokio::hyper::{Upgraded, UpgradedSocket, is_upgrade, upgrade};
use sansocket_tokio::{AcceptOptions, Decision, Error, Sender};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use crate::serve::{ServeArgs, announce, not_found_text};
use crate::{fail, page};

type Options = AcceptOptions<Option<ServerDeflatePolicy>>;
type Socket = UpgradedSocket<Option<ServerDeflatePolicy>>;

/// What all tasks share.
struct Echo {
    options: Options,
    subprotocols: Vec<String>,
    tls: TlsAcceptor,
    /// Places for WebSockets.
    places: Arc<Semaphore>,
    next_id: AtomicU64,
    open: Mutex<HashMap<u64, Sender<Upgraded, Server, Deflate>>>,
}

pub(crate) fn run(args: &ServeArgs, tls: &tls::TlsAcceptor) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(error),
    };
    let mut config = tls.config().clone();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let echo = Arc::new(Echo {
        options: args.options(),
        subprotocols: args.subprotocol.clone(),
        tls: TlsAcceptor::from(Arc::new(config)),
        places: Arc::new(Semaphore::new(args.max_connections)),
        next_id: AtomicU64::new(1),
        open: Mutex::default(),
    });
    runtime.block_on(async {
        let listener = match TcpListener::bind(args.listen).await {
            Ok(listener) => listener,
            Err(error) => return fail(format_args!("cannot listen on {}: {error}", args.listen)),
        };
        if let Err(error) = listener.local_addr().and_then(|address| announce(address, "s")) {
            return fail(error);
        }
        tokio::select! {
            () = echo.clone().accept_all(listener, args.max_connections) => {}
            () = asked_to_stop() => {}
        }
        echo.stop().await;
        ExitCode::SUCCESS
    })
}

impl Echo {
    async fn accept_all(self: Arc<Self>, listener: TcpListener, max: usize) {
        let connections = Arc::new(Semaphore::new(max));
        loop {
            // Those beyond wait to be accepted; those inside leave when they do nothing.
            let Ok(place) = connections.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((tcp, peer)) => {
                    let echo = self.clone();
                    tokio::spawn(async move {
                        echo.serve(tcp, peer).await;
                        drop(place);
                    });
                }
                // Out of file descriptors, most likely: those open will free some.
                Err(error) => {
                    eprintln!("not accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// One connection: TLS says which version of HTTP it is.
    async fn serve(self: Arc<Self>, tcp: TcpStream, peer: SocketAddr) {
        // Messages are written whole, and an echo is waited for.
        let _ = tcp.set_nodelay(true);
        let stream = match timeout(HANDSHAKE_TIMEOUT, self.tls.accept(tcp)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return eprintln!("{peer} {error}"),
            Err(_) => return eprintln!("{peer} TLS took too long"),
        };
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let client = Arc::new(Client::new(peer));
        let service = service_fn({
            let client = client.clone();
            move |request| {
                client.note();
                let response = self.answer(request, &client);
                async move { Ok::<_, Infallible>(response) }
            }
        });
        let stream = TokioIo::new(stream);
        let served = if is_http2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            let mut connection = pin!(
                builder
                    .timer(TokioTimer::new())
                    // RFC 8441 section 3: in the first settings, or no client would ask.
                    .enable_connect_protocol()
                    .max_concurrent_streams(STREAMS_MAX)
                    .max_header_list_size(HEAD_LEN_MAX)
                    .keep_alive_interval(KEEP_ALIVE)
                    .keep_alive_timeout(KEEP_ALIVE)
                    .serve_connection(stream, service)
            );
            tokio::select! {
                served = connection.as_mut() => served,
                // HTTP/2 has no deadline of its own for the first request, nor for the next.
                () = client.is_idle() => {
                    connection.as_mut().graceful_shutdown();
                    timeout(STOP_TIMEOUT, connection).await.unwrap_or(Ok(()))
                }
            }
        } else {
            let mut builder = http1::Builder::new();
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(HANDSHAKE_TIMEOUT)
                .serve_connection(stream, service)
                .with_upgrades()
                .await
        };
        if let Err(error) = served {
            eprintln!("{peer} {error}");
        }
    }

    fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        client: &Arc<Client>,
    ) -> Response<Full<Bytes>> {
        let response = match (request.uri().path(), is_upgrade(&request)) {
            (_, true) | ("/ws", _) => return self.open(request, client),
            ("/", _) if matches!(*request.method(), Method::GET | Method::HEAD) => page(),
            ("/", _) => text(StatusCode::METHOD_NOT_ALLOWED, "the page is there to GET\n"),
            _ => text(StatusCode::NOT_FOUND, not_found_text()),
        };
        let (version, path) = (request.version(), Printable(request.uri().path()));
        eprintln!("{} {version:?} {path} {}", client.peer, response.status());
        response
    }

    /// Opens a WebSocket, if the request is one for `/ws`, or says why not.
    fn open(
        self: &Arc<Self>,
        mut request: Request<Incoming>,
        client: &Arc<Client>,
    ) -> Response<Full<Bytes>> {
        let peer = client.peer;
        let place = self.places.clone().try_acquire_owned();
        let supported: Vec<&str> = self.subprotocols.iter().map(String::as_str).collect();
        let mut line = request.uri().path().to_owned();
        let way = match request.version() {
            Version::HTTP_2 => "HTTP/2, extended CONNECT",
            _ => "HTTP/1.1, upgrade",
        };
        let upgrade = upgrade(&mut request, &self.options, |offer| {
            line = format!("{} (origin {})", offer.path(), offer.origin().unwrap_or("none"));
            match offer.path() {
                "/ws" if place.is_ok() => {
                    Decision::accept().subprotocol(offer.select_subprotocol(&supported))
                }
                "/ws" => plain(503, "too many connections: try again later\n"),
                _ => plain(404, not_found_text()),
            }
        });
        if let Err(refused) = &upgrade.socket {
            eprintln!("{peer} {way}, {}: {refused}", Printable(&line));
        }
        let (echo, client) = (self.clone(), client.clone());
        let response = upgrade.on_open(move |socket| async move {
            let _open = Open::new(&client);
            let id = echo.next_id.fetch_add(1, Ordering::Relaxed);
            let extensions = socket.response().extensions.as_deref().unwrap_or("no extension");
            eprintln!("#{id} {peer} opened {} by {way}, {extensions}", Printable(&line));
            echo.echo(id, socket, peer).await;
            drop(place);
        });
        response.map(|body| Full::new(Bytes::from(body)))
    }

    async fn echo(&self, id: u64, mut socket: Socket, peer: SocketAddr) {
        self.open_sockets().insert(id, socket.sender().clone());
        let mut inbox = Inbox::new();
        let end = loop {
            match socket.receive(&mut inbox).await {
                // A send that fails is not the end of the story: the peer's Close may be
                // waiting.
                Ok(message) => match socket.feed(message).await {
                    Ok(()) | Err(Error::Send(_) | Error::Io(_)) => {}
                    Err(error) => break error,
                },
                Err(error) => break error,
            }
        };
        self.open_sockets().remove(&id);
        let counters = socket.counters();
        eprintln!(
            "#{id} {peer} closed: {}; {} messages, {} bytes received, {} bytes sent",
            Printable(&end.to_string()),
            counters.messages_received,
            counters.bytes_received,
            counters.bytes_sent,
        );
    }

    /// Closes every WebSocket with 1001, and waits for the answers, but not for long.
    async fn stop(&self) {
        let senders: Vec<_> = self.open_sockets().values().cloned().collect();
        eprintln!("stopping: {} connections to close", senders.len());
        for sender in senders {
            // A peer that does not read may hold one of them up.
            tokio::spawn(async move {
                sender.close(CloseCode::GOING_AWAY, "the server is stopping").await
            });
        }
        let closed = async {
            while !self.open_sockets().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if timeout(STOP_TIMEOUT, closed).await.is_err() {
            let left = self.open_sockets().len();
            eprintln!("stopped with {left} connections that did not answer");
        }
    }

    fn open_sockets(&self) -> MutexGuard<'_, HashMap<u64, Sender<Upgraded, Server, Deflate>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is at the other end of a connection, and how long nothing need be wanted there.
struct Client {
    peer: SocketAddr,
    /// Put off by each request, and by the end of each WebSocket.
    leaves_at: Mutex<Instant>,
    /// WebSockets that are open.
    open: AtomicUsize,
}

impl Client {
    fn new(peer: SocketAddr) -> Self {
        let leaves_at = Mutex::new(Instant::now() + HANDSHAKE_TIMEOUT);
        Self { peer, leaves_at, open: AtomicUsize::new(0) }
    }

    /// Something is wanted now.
    fn note(&self) {
        *self.leaves_at() = Instant::now() + IDLE_TIMEOUT;
    }

    fn leaves_at(&self) -> MutexGuard<'_, Instant> {
        self.leaves_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready when no request came in time, or none for long, and no WebSocket is open.
    async fn is_idle(&self) {
        loop {
            let left = self.leaves_at().saturating_duration_since(Instant::now());
            let is_open = self.open.load(Ordering::Relaxed) > 0;
            if left.is_zero() && !is_open {
                return;
            }
            tokio::time::sleep(if is_open { IDLE_TIMEOUT } else { left }).await;
        }
    }
}

/// A WebSocket that is open.
struct Open(Arc<Client>);

impl Open {
    fn new(client: &Arc<Client>) -> Self {
        client.open.fetch_add(1, Ordering::Relaxed);
        Self(client.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.note();
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn page() -> Response<Full<Bytes>> {
    let response = Response::builder();
    let response = page::FIELDS
        .into_iter()
        .fold(response, |response, (name, value)| response.header(name, value));
    response.body(Full::from(page::HTML)).unwrap_or_default() // every field is a good one
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    response
}

fn plain(status: u16, body: &str) -> Decision {
    Decision::reply(status, body).field("Content-Type", TEXT)
}

/// Until somebody wants us to end.
async fn asked_to_stop() {
    let (stop, mut stopped) = tokio::sync::mpsc::unbounded_channel();
    let handler = ctrlc::set_handler(move || {
        // The second one finds nobody to tell.
        let _ = stop.send(());
    });
    if handler.is_ok() {
        stopped.recv().await;
    } else {
        std::future::pending::<()>().await;
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

/// How long TLS may take, and how long a request.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may be silent before it is asked, and then to answer.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How long a connection without WebSockets may be there between two requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

const STOP_TIMEOUT: Duration = Duration::from_secs(4);

/// Streams of one connection at a time.
const STREAMS_MAX: u32 = 200;

const HEAD_LEN_MAX: u32 = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many seconds a connection leaves.
    async fn leaves_after(client: &Client) -> u64 {
        let start = Instant::now();
        timeout(Duration::from_secs(3600), client.is_idle()).await.expect("it leaves");
        start.elapsed().as_secs()
    }

    fn client() -> Arc<Client> {
        Arc::new(Client::new(([127, 0, 0, 1], 1).into()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_asks_for_nothing_leaves() {
        assert_eq!(leaves_after(&client()).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_asked_once_leaves_later() {
        let client = client();
        client.note();
        assert_eq!(leaves_after(&client).await, 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_with_an_open_websocket_stays() {
        let client = client();
        client.note();
        let open = Open::new(&client);
        let waited = timeout(Duration::from_secs(3600), client.is_idle()).await;
        assert!(waited.is_err(), "it left");
        drop(open);
        assert_eq!(leaves_after(&client).await, 60);
    }
}
