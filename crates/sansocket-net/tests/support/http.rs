//! HTTP heads by hand, for both sides of an opening handshake.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use sansocket::handshake::accept_key;

use super::{PATIENCE, Task, spawn};

/// The request of RFC 6455 section 1.2, and no more fields than it needs.
pub(crate) const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// The answer that opens a WebSocket, with these further fields.
pub(crate) fn upgrade_response(request: &str, fields: &str) -> String {
    let key = request
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
        .expect("a request with a key");
    let accept = accept_key(key.trim().as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{fields}\r\n",
        accept.as_str()
    )
}

/// Reads a head up to its empty line, and no byte more.
#[track_caller]
pub(crate) fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a whole head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("a head of ASCII")
}

/// A listener on loopback that does not wait for ever.
#[derive(Debug)]
pub(crate) struct Listener(TcpListener);

impl Listener {
    pub(crate) fn bind() -> Self {
        Self::bind_to("127.0.0.1:0").expect("loopback")
    }

    pub(crate) fn bind_to(address: &str) -> Option<Self> {
        let listener = TcpListener::bind(address).ok()?;
        listener.set_nonblocking(true).expect("nonblocking");
        Some(Self(listener))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("bound")
    }

    /// `ws://` to it, with this path.
    pub(crate) fn uri(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address())
    }

    #[track_caller]
    pub(crate) fn accept(&self) -> TcpStream {
        let start = Instant::now();
        loop {
            match self.0.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).expect("blocking");
                    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                    return stream;
                }
                Err(_) if start.elapsed() < PATIENCE => std::thread::yield_now(),
                Err(error) => panic!("nobody connects: {error}"),
            }
        }
    }

    /// Answers the requests of one connection each, in a thread of its own, and
    /// returns their heads.
    pub(crate) fn answer(self, answers: Vec<String>) -> Task<Vec<String>> {
        spawn(move || {
            let mut heads = Vec::new();
            for answer in answers {
                let mut stream = self.accept();
                heads.push(read_head(&mut stream));
                stream.write_all(answer.as_bytes()).expect("the client reads");
            }
            heads
        })
    }
}

/// What a raw client got for what it sent.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Exchange {
    /// Sends `request` and reads to the end, which must be one, and no reset.
    #[track_caller]
    pub(crate) fn with(stream: &mut TcpStream, request: &str) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("the server reads");
        let head = read_head(stream);
        let mut body = Vec::new();
        stream.read_to_end(&mut body).expect("the answer whole, and then the end");
        Self { head, body }
    }

    pub(crate) fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn has_field(&self, line: &str) -> bool {
        self.head.contains(&format!("\r\n{line}\r\n"))
    }
}
