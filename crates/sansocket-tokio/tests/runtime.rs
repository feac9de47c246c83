//! Where the runtime is missing, where it wants others to run, and times without end.

mod support;

use std::time::Duration;

use sansocket::Server;
use sansocket::adapter::{ConnectOptions, Error, Settings};
use sansocket_tokio::{accept, connect_with};
use support::{open, open_with, quiet, text};
use tokio::io::duplex;

#[test]
fn sockets_can_be_used_and_dropped_outside_the_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("one");
    // More is to be written than fits.
    let (ours, _peer) = duplex(100);
    let socket = runtime.block_on(async { open::<Server, _>(ours, &quiet()) });
    socket.sender().try_send(&text(20_000)[..]).expect("there is room");
    assert!(matches!(socket.sender().try_send(&text(100_000)[..]), Err(Error::QueueFull)));
    drop(socket);
}

#[test]
fn sockets_can_be_dropped_after_their_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("one");
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("two");
    let (ours, _peer) = duplex(100);
    let socket = runtime.block_on(async {
        let socket = open::<Server, _>(ours, &quiet());
        socket.feed(&text(20_000)[..]).await.expect("there is room");
        socket
    });
    drop(runtime);
    other.block_on(async { drop(socket) });
}

#[tokio::test(start_paused = true)]
async fn a_stall_time_without_end_is_none() {
    let (ours, _peer) = duplex(100);
    let settings = Settings::new().write_stall(Duration::MAX);
    let socket = open_with::<Server, _>(ours, &quiet(), &settings);
    socket.feed(&text(20_000)[..]).await.expect("there is room");
    let day = Duration::from_secs(24 * 3600);
    assert!(tokio::time::timeout(day, socket.flush()).await.is_err());
}

#[tokio::test]
async fn a_connect_time_without_end_is_none() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let uri = format!("ws://{}/", listener.local_addr().expect("bound"));
    let server = tokio::spawn(async move { accept(listener.accept().await.expect("one").0).await });
    let options = ConnectOptions::new().connect_timeout(Duration::MAX);
    connect_with(&uri, &options).await.expect("open");
    server.await.expect("served").expect("open");
}
