//! Real sockets and several threads: no wake-up is lost, and nothing spins.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use sansocket::{CloseCode, Inbox, Message, Role};
use sansocket_tokio::{Receiver, Sender, Transport, accept, connect};
use support::{closed, owned};
use tokio::net::TcpListener;
use tokio::time::timeout;

/// Far more than any of this takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// Receives so many messages, and expects them in order.
async fn expect_all<S: Transport, R: Role>(
    receiver: &mut Receiver<S, R>,
    inbox: &mut Inbox,
    count: u32,
) {
    for expected in 0..count {
        let message = receiver.receive(inbox).await.expect("a message");
        let number = message.as_bytes().first_chunk().expect("a number");
        assert_eq!(u32::from_be_bytes(*number), expected, "lost, or out of order");
    }
}

async fn send_all<S: Transport, R: Role>(sender: &Sender<S, R>, count: u32) {
    let mut payload = vec![7; 300];
    for number in 0..count {
        payload[..4].copy_from_slice(&number.to_be_bytes());
        match number % 3 {
            0 => sender.send(&payload[..]).await.expect("open"),
            _ => sender.feed(&payload[..]).await.expect("open"),
        }
    }
    sender.flush().await.expect("open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_messages_go_both_ways_through_split_halves() {
    const COUNT: u32 = 5_000;
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let (mut receiver, sender) = accept(stream).await.expect("open").split();
        let sending = tokio::spawn(async move { send_all(&sender, COUNT).await });
        let mut inbox = Inbox::new();
        expect_all(&mut receiver, &mut inbox, COUNT).await;
        sending.await.expect("sent");
        receiver.receive(&mut inbox).await.map(owned).expect_err("the end")
    });
    let (mut receiver, sender) = connect(&format!("ws://{address}/")).await.expect("open").split();
    let talk = async {
        let sending = tokio::spawn(async move { send_all(&sender, COUNT).await });
        expect_all(&mut receiver, &mut Inbox::new(), COUNT).await;
        sending.await.expect("sent");
        drop(receiver);
        server.await.expect("served")
    };
    let end = timeout(PATIENCE, talk).await.expect("it hangs");
    assert_eq!(closed(end).code(), CloseCode::GOING_AWAY);
}

// A future that is not a task of the runtime's has a budget too, and is woken at once when that
// is spent.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_sender_outside_the_tasks_of_the_runtime_yields() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let (mut receiver, _sender) = accept(stream).await.expect("open").split();
        expect_all(&mut receiver, &mut Inbox::new(), 2_000).await;
    });
    let socket = connect(&format!("ws://{address}/")).await.expect("open");
    let (_receiver, sender) = socket.split();
    for number in 0..2_000_u32 {
        sender.send(&number.to_be_bytes()[..]).await.expect("open");
    }
    server.await.expect("all came");
}

// Two requests at a time, each waiting for its answer: a wake-up that is lost stops it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_and_answers_take_turns_through_split_halves() {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let mut socket = accept(listener.accept().await.expect("a client").0).await.expect("open");
        let mut inbox = Inbox::new();
        while let Ok(message) = socket.receive(&mut inbox).await {
            socket.feed(message).await.expect("open");
        }
    });
    let (mut receiver, sender) = connect(&format!("ws://{address}/")).await.expect("open").split();
    let (answered, mut answers) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let mut inbox = Inbox::new();
        while let Ok(Message::Text(text)) = receiver.receive(&mut inbox).await {
            answered.send(text.to_owned()).await.expect("wanted");
        }
    });
    let talk = async {
        for number in 0..3_000 {
            let text = number.to_string();
            // Written by the receiving task, or by this one.
            if number % 2 == 0 {
                sender.feed(&text[..]).await.expect("open");
            } else {
                sender.send(&text[..]).await.expect("open");
            }
            assert_eq!(answers.recv().await, Some(text));
        }
    };
    timeout(PATIENCE, talk).await.expect("it hangs");
}
