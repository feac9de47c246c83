//! Our own rows, and the floors.

use std::hint::black_box;

use httparse::{EMPTY_HEADER, Header};
use sansocket::handshake::{
    Accept, Answer, HandshakeConfig, Incoming, ServerHandshake, accept_key,
};
use sansocket::{Config, Connection, Server, Uri};

use super::{ADDRESS, Engine, HEAD_LEN_MAX, KEY, NONCE, our_client, read, write};

/// `ServerHandshake`, with all its checks and its default rule for `Origin`, and a
/// connection in the end.
pub(super) fn server() -> impl Engine {
    let mut buf = [0; HEAD_LEN_MAX];
    move |head, out| {
        let request = read(head, &mut buf);
        let mut handshake = ServerHandshake::new(HandshakeConfig::new());
        let Ok(Incoming::Upgrade(request)) = handshake.receive(request) else {
            panic!("a valid request")
        };
        let accepted = request.accept(&Accept::new()).expect("nothing unasked");
        let len = accepted.write(out).expect("room");
        black_box(Connection::new(accepted.negotiated(), Server, &Config::new()));
        len
    }
}

/// `ClientHandshake`, with all its checks, and a connection in the end.
pub(super) fn client() -> impl Engine {
    let mut buf = [0; HEAD_LEN_MAX];
    let uri = Uri::parse(ADDRESS).expect("an address");
    move |head, out| {
        let mut handshake = our_client(&uri, NONCE);
        let len = handshake.write(out).expect("room");
        let Ok(Answer::Accepted(response)) = handshake.receive(read(head, &mut buf)) else {
            panic!("a valid response")
        };
        black_box(Connection::new(response.negotiated(), crate::client(), &Config::new()));
        len
    }
}

/// The fields found by the library that the engine takes, the key hashed, and the answer
/// written. Nothing is checked.
pub(super) fn floor_of_server() -> impl Engine {
    let mut buf = [0; HEAD_LEN_MAX];
    move |head, out| {
        let mut fields = [EMPTY_HEADER; FIELDS_MAX];
        let mut request = httparse::Request::new(&mut fields);
        assert!(request.parse(read(head, &mut buf)).is_ok_and(|parsed| parsed.is_complete()));
        let accept = accept_key(field(request.headers, "Sec-WebSocket-Key"));
        write(&[RESPONSE_START, accept.as_bytes(), b"\r\n\r\n"], out)
    }
}

/// The request written, the fields of the answer found by the library that the engine
/// takes, and the accept value compared. Nothing else is checked.
pub(super) fn floor_of_client() -> impl Engine {
    let mut buf = [0; HEAD_LEN_MAX];
    move |head, out| {
        let key = black_box(KEY).as_bytes();
        let len = write(&[REQUEST_START, key, REQUEST_END], out);
        let mut fields = [EMPTY_HEADER; FIELDS_MAX];
        let mut response = httparse::Response::new(&mut fields);
        assert!(response.parse(read(head, &mut buf)).is_ok_and(|parsed| parsed.is_complete()));
        assert_eq!(field(response.headers, "Sec-WebSocket-Accept"), accept_key(key).as_bytes());
        len
    }
}

fn field<'b>(fields: &[Header<'b>], name: &str) -> &'b [u8] {
    let found = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name));
    found.expect("a field of this name").value
}

const REQUEST_START: &[u8] = b"GET /rooms/7?since=1718031000 HTTP/1.1\r\n\
    Host: chat.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: ";
const REQUEST_END: &[u8] = b"\r\nSec-WebSocket-Version: 13\r\n\r\n";

const RESPONSE_START: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: ";

const FIELDS_MAX: usize = 64;
