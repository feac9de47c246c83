//! Peers made of bytes, transports that misbehave, and threads that cannot hang.

#![allow(dead_code, unused_imports, reason = "each test binary uses another part of it")]

mod ends;
mod frame;
mod http;
mod peer;
mod pipe;
mod scripted;
mod task;

use std::fmt;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;

use sansocket::{
    Client, Config, Connection, KeepAlive, MaskKeys, Message, Negotiated, OwnedMessage, Role,
    Server,
};
use sansocket_net::{Closed, Error, Settings, Transport, WebSocket};

pub(crate) use ends::{CountingKeys, End, TestClient, quiet};
pub(crate) use frame::{Frame, frame, read_frames, words};
pub(crate) use http::{Exchange, Listener, REQUEST, read_head, upgrade_response};
pub(crate) use peer::Peer;
pub(crate) use pipe::{Pipe, pipe};
pub(crate) use scripted::{Fault, Scripted, Step};
pub(crate) use task::{PATIENCE, Task, busy_until_past, spawn};

/// An open WebSocket over `transport`.
pub(crate) fn open<R: End, T: Transport>(transport: T, config: &Config) -> WebSocket<T, R> {
    open_with(transport, config, &Settings::new())
}

pub(crate) fn open_with<R: End, T: Transport>(
    transport: T,
    config: &Config,
    settings: &Settings,
) -> WebSocket<T, R> {
    let connection = Connection::new(Negotiated::from_upgraded(), R::end(), config);
    WebSocket::from_connection(transport, connection, settings, Vec::new()).expect("open")
}

/// An open WebSocket and its peer, over loopback.
pub(crate) fn pair<R: End>(config: &Config) -> (WebSocket<TcpStream, R>, Peer) {
    let (ours, theirs) = tcp_pair();
    (open(ours, config), Peer::of::<R>(theirs))
}

pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = Listener::bind();
    let connecting = TcpStream::connect(listener.address()).expect("connect");
    (connecting, listener.accept())
}

/// Writes until the other end drops the stream, which must not take for ever.
#[track_caller]
pub(crate) fn write_until_dropped(stream: &mut TcpStream) {
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    let error = loop {
        if let Err(error) = stream.write(&[b'x'; 4096]) {
            break error.kind();
        }
    };
    assert!(matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error:?}");
}

/// `len` bytes of text that differ from place to place.
pub(crate) fn text(len: usize) -> String {
    let mut text = "abcdefghijklmnopqrstuvw".repeat(len / 23 + 1);
    text.truncate(len);
    text
}

/// The end of a connection that closed.
#[track_caller]
pub(crate) fn closed(error: Error) -> Closed {
    match error {
        Error::Closed(closed) => closed,
        error => panic!("not closed: {error:?}"),
    }
}

pub(crate) fn owned(message: Message<'_>) -> OwnedMessage {
    message.into()
}
