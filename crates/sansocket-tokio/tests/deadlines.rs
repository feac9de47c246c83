//! Time, which runs while a task waits in a receiving call.

mod support;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sansocket::adapter::{AcceptError, ConnectOptions, Error, Refused, Settings};
use sansocket::handshake::{HandshakeRule, ResponseError};
use sansocket::{
    Cause, CloseCode, Config, Inbox, KeepAlive, Message, OwnedMessage, Role, Rule, Server,
};
use sansocket_tokio::{ConnectError, Transport, WebSocket, accept, connect_over};
use support::{
    End, Peer, TestClient, closed, owned, pair, pair_with, quiet, settle, soon, text, words,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::{Instant, sleep, timeout};

/// Room for everything.
const WIDE: usize = 1 << 20;

async fn receive<S: Transport, R: Role>(
    socket: &mut WebSocket<S, R>,
) -> Result<OwnedMessage, Error> {
    soon(socket.receive(&mut Inbox::new())).await.map(owned)
}

#[track_caller]
fn assert_failed(error: Error, rule: Rule) {
    assert!(matches!(error, Error::Failed(failure) if failure.rule() == rule), "{error:?}");
}

// T01, H40
#[tokio::test(start_paused = true)]
async fn a_slow_request_is_answered_with_408() {
    let (ours, mut theirs) = duplex(WIDE);
    let server = tokio::spawn(accept(ours));
    let started = Instant::now();
    theirs.write_all(b"GET / HTTP/1.1\r\nHost: exam").await.expect("the server reads");
    // A byte now and then gains nothing.
    let mut answer = Vec::new();
    let mut byte = [0];
    loop {
        match timeout(Duration::from_secs(1), theirs.read(&mut byte)).await {
            Ok(Ok(0)) => break,
            Ok(read) => {
                read.expect("no reset");
                answer.extend(byte);
            }
            Err(_) => theirs.write_all(b"x").await.expect("the server reads"),
        }
    }
    assert_eq!(started.elapsed().as_secs(), 10);
    assert!(answer.starts_with(b"HTTP/1.1 408 "));
    drop(theirs);
    let error = soon(server).await.expect("ended").expect_err("too slow");
    assert!(
        matches!(error, AcceptError::Refused(Refused::Rejected(rejection)) if rejection.rule() == HandshakeRule::Timeout)
    );
}

// T01
#[tokio::test(start_paused = true)]
async fn a_slow_response_is_a_timeout() {
    let (ours, mut theirs) = duplex(WIDE);
    let started = Instant::now();
    theirs.write_all(b"HTTP/1.1 101 Swi").await.expect("room");
    let options = ConnectOptions::new();
    let error = soon(connect_over(ours, "ws://a.example/", &options)).await.expect_err("too slow");
    assert!(matches!(error, ConnectError::Response(ResponseError::Timeout)), "{error:?}");
    assert!(error.is_timeout());
    assert_eq!(started.elapsed().as_secs(), 10);
}

// T06: one that does not read does not hold up a handshake either.
#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_the_request_is_a_timeout() {
    let (ours, theirs) = duplex(10);
    let started = Instant::now();
    let options = ConnectOptions::new();
    let error = soon(connect_over(ours, "ws://a.example/", &options)).await.expect_err("stalled");
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(started.elapsed().as_secs(), 30);
    drop(theirs);
}

async fn pings<R: End>() {
    let (mut socket, mut peer) = pair::<R>(&Config::new(), WIDE);
    let started = Instant::now();
    let task = tokio::spawn(async move { (receive(&mut socket).await, socket) });
    let mut payloads = Vec::new();
    for round in 1..=3 {
        let ping = peer.next().await;
        assert_eq!((ping.first, started.elapsed().as_secs()), (0x89, round * 30 - 10));
        sleep(Duration::from_secs(10)).await;
        peer.send(0x8a, &ping.payload).await;
        payloads.push(ping.payload);
    }
    payloads.dedup();
    assert_eq!(payloads.len(), 3, "each Ping has a token of its own");
    settle().await;
    peer.text("alive").await;
    let (message, socket) = task.await.expect("ended");
    assert_eq!(message.expect("a message"), OwnedMessage::Text("alive".into()));
    assert_eq!(socket.counters().round_trip.map(|time| time.as_secs()), Some(10));
}

// T02
#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_pinged_after_20_s_and_a_pong_keeps_it_alive() {
    pings::<Server>().await;
    pings::<TestClient>().await;
}

async fn misses_pong<R: End>() {
    let (mut socket, mut peer) = pair::<R>(&Config::new(), WIDE);
    let started = Instant::now();
    let task = tokio::spawn(async move {
        let error = receive(&mut socket).await.expect_err("no Pong");
        (error, receive(&mut socket).await.expect_err("and again"))
    });
    assert_eq!(peer.next().await.first, 0x89);
    assert_eq!(started.elapsed().as_secs(), 20);
    assert_eq!(words(&peer.rest().await), "close 1011");
    assert_eq!(started.elapsed().as_secs(), 40);
    drop(peer);
    let (error, again) = task.await.expect("ended");
    assert_failed(error, Rule::PongTimeout);
    assert_failed(again, Rule::PongTimeout);
}

// F18, T03
#[tokio::test(start_paused = true)]
async fn a_ping_without_pong_fails_the_connection_with_1011_after_20_s() {
    misses_pong::<Server>().await;
    misses_pong::<TestClient>().await;
}

/// The task was away for ten minutes, and this waits in the pipe, the Pong behind it.
async fn comes_back(before: &[usize]) {
    let (mut socket, mut peer) = pair::<Server>(&Config::new(), 4 << 20);
    let mut inbox = Inbox::new();
    // Asked while it waited, and then it went away.
    let waited = timeout(Duration::from_secs(21), socket.receive(&mut inbox)).await;
    assert!(waited.is_err());
    let ping = peer.next().await;
    for len in before {
        peer.send(0x82, &vec![7; *len]).await;
    }
    peer.send(0x8a, &ping.payload).await;
    peer.text("last").await;
    sleep(Duration::from_secs(600)).await;
    for len in before {
        assert_eq!(soon(socket.receive(&mut inbox)).await.expect("it came").len(), *len);
        sleep(Duration::from_secs(600)).await;
    }
    let message = soon(socket.receive(&mut inbox)).await.expect("no timeout");
    assert_eq!(message, Message::Text("last"));
}

// T04
#[tokio::test(start_paused = true)]
async fn a_pong_that_waits_unread_for_a_task_that_is_away_is_no_timeout() {
    comes_back(&[]).await;
    comes_back(&[200_000]).await;
    comes_back(&[40_000; 3]).await;
    comes_back(&[1_000_000, 1_000_000, 1_000_000]).await;
}

// T04: not even the application's own rules count what it did not look at.
#[tokio::test(start_paused = true)]
async fn a_message_that_waits_unread_is_neither_idle_nor_unfinished() {
    let day = Duration::from_secs(24 * 3600);
    let config = quiet()
        .message_idle(Some(Duration::from_secs(60)))
        .assembly_timeout(Some(Duration::from_secs(60)));
    let (mut socket, mut peer) = pair::<Server>(&config, WIDE);
    let mut inbox = Inbox::new();
    peer.text("one").await;
    peer.text(&text(40_000)).await;
    for _ in 0..2 {
        sleep(day).await;
        soon(socket.receive(&mut inbox)).await.expect("it came");
    }
}

async fn is_idle<R: End>() {
    let config = quiet().message_idle(Some(Duration::from_secs(90)));
    let (mut socket, mut peer) = pair::<R>(&config, WIDE);
    let started = Instant::now();
    let task = tokio::spawn(async move { receive(&mut socket).await });
    // Pings are no messages.
    peer.send(0x89, b"x").await;
    assert_eq!(words(&[peer.next().await]), "pong x");
    assert_eq!(words(&peer.rest().await), "close 1008");
    assert_eq!(started.elapsed().as_secs(), 90);
    drop(peer);
    assert_failed(task.await.expect("ended").expect_err("nothing came"), Rule::IdleTimeout);
}

// T05
#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_no_message_fails_the_connection_with_1008() {
    is_idle::<Server>().await;
    is_idle::<TestClient>().await;
}

async fn never_finishes<R: End>(payload: &[u8]) {
    let (mut socket, mut peer) = pair::<R>(&quiet(), WIDE);
    peer.send(0x01, payload).await;
    let started = Instant::now();
    let task = tokio::spawn(async move { receive(&mut socket).await });
    assert_eq!(words(&peer.rest().await), "close 1008");
    assert_eq!(started.elapsed().as_secs(), 60);
    drop(peer);
    assert_failed(task.await.expect("ended").expect_err("never whole"), Rule::AssemblyTimeout);
}

// F11
#[tokio::test(start_paused = true)]
async fn a_message_that_is_not_finished_fails_the_connection_with_1008() {
    never_finishes::<Server>(b"begun").await;
    never_finishes::<TestClient>(b"begun").await;
    never_finishes::<Server>(&[b'x'; 100_000]).await;
}

async fn stalls<R: End>() {
    let (socket, peer) = pair::<R>(&quiet(), 1000);
    let (mut receiver, sender) = socket.split();
    let started = Instant::now();
    let senders: Vec<_> = (0..3)
        .map(|task| {
            let sender = sender.clone();
            tokio::spawn(async move {
                match task {
                    0 => sender.send(&text(100_000)[..]).await,
                    1 => sender.feed(&text(100_000)[..]).await,
                    _ => sender.flush().await,
                }
            })
        })
        .collect();
    settle().await;
    let mut inbox = Inbox::new();
    let error = soon(receiver.receive(&mut inbox)).await.map(owned).expect_err("given up");
    assert!(matches!(error, Error::WriteStalled), "{error:?}");
    assert_eq!(started.elapsed().as_secs(), 30);
    for sender in senders {
        let error = soon(sender).await.expect("ended").expect_err("given up");
        assert!(matches!(error, Error::WriteStalled), "{error:?}");
    }
    assert!(matches!(sender.try_send("x"), Err(Error::WriteStalled)));
    let error = soon(receiver.receive(&mut inbox)).await.map(owned).expect_err("given up");
    assert_eq!(closed(error).code(), CloseCode::ABNORMAL);
    drop(peer);
}

// T06
#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_given_up_after_30_s() {
    stalls::<Server>().await;
    stalls::<TestClient>().await;
}

// T06: also if nobody receives.
#[tokio::test(start_paused = true)]
async fn a_sender_alone_gives_a_peer_up_that_does_not_read() {
    let (mut socket, peer) = pair::<Server>(&quiet(), 1000);
    let started = Instant::now();
    assert!(matches!(soon(socket.send(&text(9_000)[..])).await, Err(Error::WriteStalled)));
    assert_eq!(started.elapsed().as_secs(), 30);
    assert!(matches!(receive(&mut socket).await, Err(Error::WriteStalled)));
    drop(peer);
}

// T06: any progress gives it 30 s more.
#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_is_not_given_up() {
    let (socket, mut peer) = pair::<Server>(&quiet(), 1000);
    let task = tokio::spawn(async move { socket.send(&text(20_000)[..]).await });
    for _ in 0..20 {
        sleep(Duration::from_secs(29)).await;
        peer.stream.read_exact(&mut [0; 1000]).await.expect("more of it");
    }
    soon(task).await.expect("ended").expect("it was read in the end");
}

// T06, F17: what came is delivered, although its Pong cannot be written.
#[tokio::test(start_paused = true)]
async fn what_came_is_delivered_although_its_pong_cannot_be_written() {
    let (mut socket, mut peer) = pair::<Server>(&quiet(), 100);
    socket.feed(&text(1000)[..]).await.expect("there is room");
    peer.send(0x89, b"?").await;
    peer.text("important").await;
    let mut inbox = Inbox::new();
    let message = soon(socket.receive(&mut inbox)).await.expect("it was there");
    assert_eq!(message, Message::Text("important"));
    assert!(matches!(soon(socket.receive(&mut inbox)).await, Err(Error::WriteStalled)));
}

// At the end, when nobody gains by it, there is less patience.
#[tokio::test(start_paused = true)]
async fn a_last_word_that_is_not_read_is_given_up_after_a_second() {
    let (mut socket, mut peer) = pair::<Server>(&quiet(), 100);
    socket.feed(&text(1000)[..]).await.expect("there is room");
    peer.close(1000, "").await;
    let started = Instant::now();
    let error = receive(&mut socket).await.expect_err("closed");
    assert_eq!(started.elapsed().as_secs(), 1);
    assert_eq!(closed(error).code(), CloseCode::NORMAL);
}

// T08
#[tokio::test(start_paused = true)]
async fn a_close_to_a_peer_that_does_not_read_is_given_up_at_its_deadline() {
    let (mut socket, _peer) = pair::<Server>(&quiet(), 100);
    socket.feed(&text(1000)[..]).await.expect("there is room");
    let started = Instant::now();
    let closed = soon(socket.close(&mut Inbox::new(), CloseCode::NORMAL, "")).await;
    assert_eq!(closed.expect("an end").cause(), Cause::CloseTimeout);
    assert!((5..=6).contains(&started.elapsed().as_secs()));
}

// T16
#[tokio::test(start_paused = true)]
async fn a_lifetime_ends_with_a_closing_handshake() {
    let config = quiet().lifetime(Some(Duration::from_secs(3600)));
    let (mut socket, mut peer) = pair::<Server>(&config, WIDE);
    let task = tokio::spawn(async move { socket.receive(&mut Inbox::new()).await.map(owned) });
    sleep(Duration::from_secs(3599)).await;
    assert!(!task.is_finished());
    assert_eq!(words(&[peer.next().await]), "close 1012");
    peer.close(1012, "").await;
    peer.end().await;
    let closed = closed(task.await.expect("ended").expect_err("its time is over"));
    assert_eq!(closed.cause(), Cause::ClosingHandshake);
}

#[tokio::test(start_paused = true)]
async fn unsolicited_pongs_are_sent_while_a_task_receives() {
    let interval = Duration::from_secs(15);
    let config = Config::new().keep_alive(KeepAlive::UnsolicitedPong { interval });
    let (mut socket, mut peer) = pair::<Server>(&config, WIDE);
    let started = Instant::now();
    let task = tokio::spawn(async move { receive(&mut socket).await.map(|_| socket) });
    assert_eq!(words(&[peer.next().await, peer.next().await]), "pong , pong ");
    assert_eq!(started.elapsed().as_secs(), 30);
    peer.text("enough").await;
    task.await.expect("ended").expect("a message");
}

/// A peer takes ten minutes over a message, always reading; the Ping waits behind it.
async fn reads_for_long(mut peer: Peer, len: usize) -> Peer {
    let mut left = len + 10;
    while left > 0 {
        sleep(Duration::from_secs(10)).await;
        let some = left.min(len / 60);
        peer.stream.read_exact(&mut vec![0; some]).await.expect("more of it");
        left -= some;
    }
    peer
}

// T03, T04: a Ping that waits behind a large message is not yet asked, whoever writes that.
#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_long_over_a_large_message_is_not_dead() {
    const LEN: usize = 600_000;
    let (socket, peer) = pair_with::<Server>(&Config::new(), &Settings::new(), 1000);
    let (mut receiver, sender) = socket.split();
    let sending = tokio::spawn(async move { sender.send(&vec![7; LEN][..]).await });
    settle().await;
    let receiving = tokio::spawn(async move {
        let (mut inbox, mut hesitates) = (Inbox::new(), false);
        let mut receiving = pin!(receiver.receive(&mut inbox));
        // When it looks, the sender has written already what there was room for.
        poll_fn(|cx| {
            hesitates = !hesitates;
            if hesitates {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            receiving.as_mut().poll(cx)
        })
        .await
        .map(owned)
    });
    let mut peer = reads_for_long(peer, LEN).await;
    soon(sending).await.expect("ended").expect("it was read");
    while peer.next().await.first != 0x89 {}
    peer.close(1000, "").await;
    peer.end().await;
    let error = soon(receiving).await.expect("ended").expect_err("no message");
    assert_eq!(closed(error).code(), CloseCode::NORMAL);
}
