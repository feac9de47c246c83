//! Where the runtime is missing, where it wants others to run, and times without end.

mod support;

use std::time::Duration;

use sansocket::adapter::{ConnectOptions, Error, Settings};
use sansocket::{Config, Inbox, Rule, Server};
use sansocket_tokio::{accept, connect_with};
use support::{TestClient, Wire, open, open_with, owned, quiet, soon, text};
use tokio::io::duplex;
use tokio::task::coop;
use tokio::time::Instant;

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

/// Spends what the task may do before it has to let others run.
async fn spend_budget() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    while coop::has_budget_remaining() {
        sender.send(()).expect("it is there");
        receiver.recv().await.expect("it was sent");
    }
}

// The transport knows nothing of budgets: what it does not give is not there.
#[tokio::test(start_paused = true)]
async fn deadlines_are_kept_by_a_task_whose_budget_is_spent() {
    let mut socket = open::<TestClient, _>(Wire::new::<TestClient>([]).stays(), &Config::new());
    let started = Instant::now();
    let task = tokio::spawn(async move {
        spend_budget().await;
        socket.receive(&mut Inbox::new()).await.map(owned)
    });
    let error = soon(task).await.expect("ended").expect_err("silence");
    assert!(matches!(error, Error::Failed(failure) if failure.rule() == Rule::PongTimeout));
    assert!(started.elapsed() < Duration::from_secs(60));
}
