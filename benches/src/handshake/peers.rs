//! Other implementations. Those that want a stream get one in memory, and have a
//! connection in the end, with its buffers: of 16 KiB, where that can be chosen.

use std::future::Future;
use std::hint::black_box;
use std::io::{self, Cursor, Read, Write};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use sockudo_ws::handshake as sockudo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_websockets::{ClientBuilder, ServerBuilder};
use tungstenite::client::IntoClientRequest;
use tungstenite::http::{HeaderValue, Uri};
use tungstenite::protocol::WebSocketConfig;

use super::{ADDRESS, Engine, HEAD_LEN_MAX, KEY, Shaking, read, response_to, write};
use crate::memory::ready;
use crate::rows::Entry;

pub(super) fn servers(request: &[u8]) -> [Entry; 4] {
    [
        Entry::peer("tungstenite", Shaking::server(request, tungstenite_server)),
        Entry::peer("tokio-websockets", Shaking::server(request, tokio_server())),
        Entry::peer("sockudo-ws", Shaking::server(request, sockudo_server())),
        Entry::lesser("nexus-web", Shaking::server(request, nexus_server)),
    ]
}

/// Without `nexus-web`, which draws its key from the operating system.
pub(super) fn clients(response: &[u8]) -> [Entry; 3] {
    [
        Entry::peer("tungstenite", Shaking::client(response, tungstenite_client())),
        Entry::peer("tokio-websockets", Shaking::client(&tokio_response(), tokio_client())),
        Entry::peer("sockudo-ws", Shaking::client(response, sockudo_client())),
    ]
}

/// Its `accept_with_config`. It makes an `http::Request` on the way.
fn tungstenite_server(head: &[u8], out: &mut [u8]) -> usize {
    wired(head, out, |wire| {
        let socket = tungstenite::accept_with_config(wire, Some(tungstenite_config()));
        black_box(socket.expect("a valid request"));
    })
}

/// Its `client_with_config`. The request is made once, with the key, and cloned.
fn tungstenite_client() -> impl Engine {
    let mut request = ADDRESS.into_client_request().expect("an address");
    request.headers_mut().insert("Sec-WebSocket-Key", HeaderValue::from_static(KEY));
    move |head, out| {
        wired(head, out, |wire| {
            let (request, config) = (request.clone(), Some(tungstenite_config()));
            let socket = tungstenite::client::client_with_config(request, wire, config);
            black_box(socket.expect("a valid response"));
        })
    }
}

fn tungstenite_config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(BUF_LEN)
}

/// Its `accept`, polled by hand with a waker that does nothing. It makes an
/// `http::Request` on the way, and takes any key.
fn tokio_server() -> impl Engine {
    let builder = ServerBuilder::new();
    move |head, out| {
        wired(head, out, |wire| {
            let socket = ready(poll(builder.accept(wire)));
            black_box(socket.expect("a valid request"));
        })
    }
}

/// Its `connect_on`, polled by hand with a waker that does nothing. It draws its key, from
/// a generator that can be told what is next.
fn tokio_client() -> impl Engine {
    let builder = ClientBuilder::from_uri(Uri::from_static(ADDRESS));
    move |head, out| {
        fastrand::seed(SEED);
        wired(head, out, |wire| {
            let socket = ready(poll(builder.connect_on(wire)));
            black_box(socket.expect("a valid response"));
        })
    }
}

/// What a server answers to the key that is drawn.
fn tokio_response() -> Vec<u8> {
    response_to(fastrand::Rng::with_seed(SEED).u128(..).to_ne_bytes())
}

/// Its functions that lie below its streams, so without a connection in the end.
fn sockudo_server() -> impl Engine {
    let mut buf = [0; HEAD_LEN_MAX];
    move |head, out| {
        let request = sockudo::parse_request(read(head, &mut buf)).expect("a valid request");
        let (request, _) = request.expect("a whole request");
        let accept = sockudo::generate_accept_key(request.key);
        write(&[&sockudo::build_response(&accept, None, None)], out)
    }
}

/// As the server.
fn sockudo_client() -> impl Engine {
    let mut buf = [0; HEAD_LEN_MAX];
    let uri = Uri::from_static(ADDRESS);
    move |head, out| {
        let (host, path) = (uri.host().expect("a host"), uri.path_and_query().expect("a path"));
        let request =
            sockudo::build_request_with_headers(host, path.as_str(), KEY, None, None, None);
        let len = write(&[&request.expect("a valid request")], out);
        let response = sockudo::parse_response(read(head, &mut buf)).expect("a valid response");
        let (response, _) = response.expect("a whole response");
        assert!(sockudo::validate_accept_key(KEY, response.accept.expect("an accept value")));
        len
    }
}

/// Its `accept`. It takes any key.
fn nexus_server(head: &[u8], out: &mut [u8]) -> usize {
    wired(head, out, |wire| {
        let builder = nexus_web::ws::ClientBuilder::new().buffer_capacity(BUF_LEN);
        let socket = builder.write_buffer_capacity(BUF_LEN).accept(wire);
        black_box(socket.expect("a valid request"));
    })
}

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Returns how much was written.
fn wired<'a>(head: &'a [u8], out: &'a mut [u8], shake: impl FnOnce(&mut Wire<'a>)) -> usize {
    let mut wire = Wire { head, out: Cursor::new(out) };
    shake(&mut wire);
    usize::try_from(wire.out.position()).expect("a head in memory")
}

/// A stream: gives the head that came, and takes the one that goes.
struct Wire<'a> {
    head: &'a [u8],
    out: Cursor<&'a mut [u8]>,
}

impl Read for Wire<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.head.read(buf)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Wire<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.head).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.out.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const BUF_LEN: usize = 16 * 1024;

const SEED: u64 = 7;
