//! The rows of the opening handshake: a server reads what a browser asks, and writes its
//! answer; a client writes what it asks, and reads the answer of a server.
//!
//! What comes is a whole head, copied into the engine's buffer as a read does it; what is
//! written is copied out, or written there at once. In the end an engine has a connection,
//! or all that it wants for one. Compression is offered by the browser, and by none agreed
//! to.
//!
//! The server's answer being the same each time, so must be the client's key: it is given,
//! not drawn, and the address has been parsed before.
//!
//! Missing are `fastwebsockets` and `yawc`, which leave the handshake to `hyper`, and
//! `websocket-sans-io`, which leaves it to others.

mod engine;
#[cfg(feature = "peers")]
mod peers;

use std::hint::black_box;

use sansocket::Uri;
use sansocket::handshake::{
    Accept, Answer, ClientHandshake, ClientRequest, HandshakeConfig, Incoming, ServerHandshake,
};

use crate::rows::{Case, Entry, Row};

/// Each role.
pub fn cases() -> Vec<Case> {
    let (request, response) = (browser_request(), response_to(NONCE));
    let server = vec![
        Entry::floor("httparse and key", Shaking::server(&request, engine::floor_of_server())),
        Entry::ours("sansocket", Shaking::server(&request, engine::server())),
    ];
    let client = vec![
        Entry::floor("httparse and key", Shaking::client(&response, engine::floor_of_client())),
        Entry::ours("sansocket", Shaking::client(&response, engine::client())),
    ];
    #[cfg(feature = "peers")]
    let (server, client) = (
        server.into_iter().chain(peers::servers(&request)).collect(),
        client.into_iter().chain(peers::clients(&response)).collect(),
    );
    vec![case("server", &request, server), case("client", &response, client)]
}

fn case(name: &str, head: &[u8], rows: Vec<Entry>) -> Case {
    Case { name: name.to_owned(), messages: 1, bytes: head.len(), rows }
}

/// Takes the head that came and a place for the one it writes, and returns the length of
/// that.
trait Engine: FnMut(&[u8], &mut [u8]) -> usize {}

impl<F: FnMut(&[u8], &mut [u8]) -> usize> Engine for F {}

struct Shaking<E> {
    head: Vec<u8>,
    out: Vec<u8>,
    engine: E,
}

impl<E: Engine> Shaking<E> {
    /// Sees for itself that a client would take the answer.
    fn server(request: &[u8], engine: E) -> Self {
        Self::checked(request, engine, |answer| {
            let uri = Uri::parse(ADDRESS).expect("an address");
            let mut client = our_client(&uri, NONCE);
            assert!(matches!(client.receive(answer), Ok(Answer::Accepted(_))));
        })
    }

    /// Sees for itself that a server would take the request.
    fn client(response: &[u8], engine: E) -> Self {
        Self::checked(response, engine, |request| {
            let mut server = ServerHandshake::new(HandshakeConfig::new());
            assert!(matches!(server.receive(request), Ok(Incoming::Upgrade(_))));
        })
    }

    fn checked(head: &[u8], mut engine: E, check: impl Fn(&[u8])) -> Self {
        let (head, mut out) = (head.to_vec(), vec![0; HEAD_LEN_MAX]);
        for _ in 0..2 {
            let len = engine(&head, &mut out);
            check(&out[..len]);
        }
        Self { head, out, engine }
    }
}

impl<E: Engine> Row for Shaking<E> {
    fn run(&mut self, times: usize) {
        for _ in 0..times {
            black_box((self.engine)(black_box(&self.head), black_box(&mut self.out)));
        }
    }
}

/// As from a socket.
fn read<'b>(head: &[u8], buf: &'b mut [u8]) -> &'b [u8] {
    let buf = &mut buf[..head.len()];
    buf.copy_from_slice(head);
    buf
}

/// As to a socket.
fn write(parts: &[&[u8]], out: &mut [u8]) -> usize {
    parts.iter().fold(0, |at, part| {
        out[at..][..part.len()].copy_from_slice(part);
        at + part.len()
    })
}

/// What a browser sends.
fn browser_request() -> Vec<u8> {
    let fields = [
        ("Host", "chat.example.com"),
        ("Connection", "Upgrade"),
        ("Pragma", "no-cache"),
        ("Cache-Control", "no-cache"),
        (
            "User-Agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/138.0.0.0 Safari/537.36",
        ),
        ("Upgrade", "websocket"),
        ("Origin", "https://chat.example.com"),
        ("Sec-WebSocket-Version", "13"),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Accept-Language", "en-GB,en;q=0.9,de;q=0.8"),
        ("Cookie", "session=4f1d2a6c9b8e47d09c3f5a7e; theme=dark"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
    ];
    let fields = fields.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
    format!("GET /rooms/7?since=1718031000 HTTP/1.1\r\n{fields}\r\n").into_bytes()
}

/// What a server answers to a client with this nonce.
fn response_to(nonce: [u8; 16]) -> Vec<u8> {
    let uri = Uri::parse(ADDRESS).expect("an address");
    let (mut request, mut response) = (vec![0; HEAD_LEN_MAX], vec![0; HEAD_LEN_MAX]);
    our_client(&uri, nonce).write(&mut request).expect("room");
    let mut server = ServerHandshake::new(HandshakeConfig::new());
    let Ok(Incoming::Upgrade(asked)) = server.receive(&request) else { panic!("our own") };
    let fields = [("Date", "Mon, 10 Jun 2024 14:50:00 GMT"), ("Server", "example/1.0")];
    let accepted = asked.accept(&Accept::new().fields(&fields)).expect("nothing unasked");
    let len = accepted.write(&mut response).expect("room");
    response.truncate(len);
    response
}

fn our_client<'a>(uri: &Uri<'a>, nonce: [u8; 16]) -> ClientHandshake<'a> {
    ClientHandshake::new(ClientRequest::new(uri), nonce).expect("nothing but an address")
}

const ADDRESS: &str = "ws://chat.example.com/rooms/7?since=1718031000";

/// The nonce of section 1.3 of RFC 6455, and its text.
const NONCE: [u8; 16] = *b"the sample nonce";
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// More than any head here.
const HEAD_LEN_MAX: usize = 1024;
