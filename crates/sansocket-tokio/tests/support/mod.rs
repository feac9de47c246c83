//! Peers made of bytes, and transports that hesitate, fail and count.

#![allow(dead_code, unused_imports, reason = "each test binary uses another part of it")]

#[path = "../../../sansocket-net/tests/support/ends.rs"]
mod ends;
#[path = "../../../sansocket-net/tests/support/frame.rs"]
mod frame;
mod peer;
mod wire;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use sansocket::adapter::{Closed, Error, Settings};
use sansocket::{
    Client, Config, Connection, KeepAlive, MaskKeys, Message, Negotiated, OwnedMessage, Role,
    Server,
};
use sansocket_tokio::{Transport, WebSocket};
use tokio::io::{DuplexStream, duplex};
use tokio::time::timeout;

pub(crate) use ends::{CountingKeys, End, TestClient, quiet};
pub(crate) use frame::{Frame, frame, read_frames, words};
pub(crate) use peer::Peer;
pub(crate) use wire::{Fault, Wire};

/// An open WebSocket over `transport`.
pub(crate) fn open<R: End, S: Transport>(transport: S, config: &Config) -> WebSocket<S, R> {
    open_with(transport, config, &Settings::new())
}

pub(crate) fn open_with<R: End, S: Transport>(
    transport: S,
    config: &Config,
    settings: &Settings,
) -> WebSocket<S, R> {
    let connection = Connection::new(Negotiated::from_upgraded(), R::end(), config);
    WebSocket::from_connection(transport, connection, settings, Vec::new())
}

/// An open WebSocket and its peer, and `width` bytes between them.
pub(crate) fn pair<R: End>(config: &Config, width: usize) -> (WebSocket<DuplexStream, R>, Peer) {
    pair_with(config, &Settings::new(), width)
}

pub(crate) fn pair_with<R: End>(
    config: &Config,
    settings: &Settings,
    width: usize,
) -> (WebSocket<DuplexStream, R>, Peer) {
    let (ours, theirs) = duplex(width);
    (open_with(ours, config, settings), Peer::of::<R>(theirs))
}

/// What the future comes to; fails if it hangs.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it hangs")
}

/// So long may anything take; far more than it does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3600);

/// Lets all other tasks go as far as they can, without time passing.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
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
