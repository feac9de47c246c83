//! A WebSocket as a stream and a sink.

mod support;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt, stream};
use sansocket::adapter::{Error, Settings};
use sansocket::{CloseCode, Inbox, Message, OwnedMessage, Server};
use support::{
    End, Fault, TestClient, Wire, open_with, pair, pair_with, quiet, settle, soon, text, words,
};
use tokio::io::duplex;
use tokio::time::timeout;

/// Room for everything.
const WIDE: usize = 1 << 20;

fn message(text: &str) -> OwnedMessage {
    OwnedMessage::Text(text.into())
}

async fn echoes<R: End>() {
    let (socket, mut peer) = pair::<R>(&quiet(), WIDE);
    let task = tokio::spawn(async move {
        let (sink, stream) = socket.into_messages().split();
        stream.forward(sink).await
    });
    peer.text("one").await;
    peer.send(0x01, b"t").await;
    peer.send(0x89, b"!").await;
    peer.send(0x80, b"wo").await;
    let frames = [peer.next().await, peer.next().await, peer.next().await];
    let echoed = ["text one", "pong !", "text two"];
    assert!(echoed.iter().all(|frame| words(&frames).contains(frame)), "{}", words(&frames));
    peer.close(1000, "bye").await;
    peer.end().await;
    assert_eq!(words(&peer.rest().await), "close 1000 bye");
    soon(task).await.expect("ended").expect("a clean end");
}

#[tokio::test(start_paused = true)]
async fn a_stream_forwarded_to_its_sink_is_an_echo() {
    echoes::<Server>().await;
    echoes::<TestClient>().await;
}

#[tokio::test(start_paused = true)]
async fn the_stream_ends_after_a_clean_close() {
    let (socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    let mut messages = socket.into_messages();
    peer.text("one").await;
    peer.close(1000, "").await;
    peer.end().await;
    let received: Vec<_> = messages.by_ref().map(|message| message.expect("valid")).collect().await;
    assert_eq!(received, [message("one")]);
    assert!(messages.next().await.is_none());
    assert!(matches!(messages.send(message("late")).await, Err(Error::Send(_) | Error::Io(_))));
    messages.close().await.expect("it is closed");
}

#[tokio::test(start_paused = true)]
async fn the_stream_ends_after_one_error() {
    let (socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    let mut messages = socket.into_messages();
    let bad = peer.frame(0x83, b"");
    peer.write(&bad).await;
    peer.end().await;
    assert!(matches!(messages.next().await, Some(Err(Error::Failed(_)))));
    assert!(messages.next().await.is_none());
    assert!(matches!(messages.close().await, Err(Error::Failed(_))));

    let (socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    let mut messages = socket.into_messages();
    peer.end().await;
    assert!(
        matches!(messages.next().await, Some(Err(Error::Closed(closed))) if !closed.is_clean())
    );
    assert!(messages.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn send_all_writes_everything_through_a_narrow_pipe() {
    let settings = Settings::new().queue_len_max(2_000);
    let (socket, mut peer) = pair_with::<TestClient>(&quiet(), &settings, 100);
    let task = tokio::spawn(async move {
        let mut messages = socket.into_messages();
        let all = (0..50).map(|number| Ok(OwnedMessage::Binary(vec![number; 300])));
        messages.send_all(&mut stream::iter(all)).await.expect("open");
        messages
    });
    for number in 0..50 {
        assert_eq!(peer.next().await.payload, [number; 300]);
    }
    let messages = soon(task).await.expect("ended");
    assert_eq!(messages.get_ref().sender().queue_len(), 0);
}

// The bound holds for a sink, and one message more.
#[tokio::test(start_paused = true)]
async fn a_sink_waits_for_room() {
    let settings = Settings::new().queue_len_max(2_000);
    let (socket, peer) = pair_with::<Server>(&quiet(), &settings, 100);
    let sender = socket.sender().clone();
    let task = tokio::spawn(async move {
        let mut messages = socket.into_messages();
        let all = (0..50).map(|number| Ok(OwnedMessage::Binary(vec![number; 900])));
        messages.send_all(&mut stream::iter(all)).await
    });
    settle().await;
    assert!(!task.is_finished());
    assert!((1_000..3_000).contains(&sender.queue_len()), "{}", sender.queue_len());
    assert!(matches!(sender.try_send("x"), Err(Error::QueueFull)));
    drop(peer);
    assert!(soon(task).await.expect("ended").is_err());
}

/// How often it was woken.
#[derive(Debug, Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A sink has no place in the line of senders, and must be told when one of them, which
/// had all the room, leaves it.
#[tokio::test(start_paused = true)]
async fn a_sink_is_woken_by_the_sender_that_took_the_room() {
    let settings = Settings::new().queue_len_max(200);
    let (socket, mut peer) = pair_with::<Server>(&quiet(), &settings, 1_000);
    let sender = socket.sender().clone();
    let mut sink = socket.into_messages();
    let woken = Arc::new(Woken::default());
    let (waker, other) = (Waker::from(woken.clone()), Waker::noop());
    let (mut cx, mut other) = (Context::from_waker(&waker), Context::from_waker(other));

    let mut sent = 0;
    while sink.poll_ready_unpin(&mut cx).is_ready() {
        sink.start_send_unpin(OwnedMessage::Binary(vec![1; 100])).expect("room");
        sent += 1;
    }
    let mut sending = pin!(sender.send(&[2; 400]));
    assert!(sending.as_mut().poll(&mut other).is_pending(), "it waits for room");
    for _ in 0..9 {
        peer.next().await;
    }
    // What was freed is the sender's, which has not come yet.
    let mut before = usize::MAX;
    while before != woken.0.load(Ordering::Relaxed) {
        before = woken.0.load(Ordering::Relaxed);
        assert!(sink.poll_ready_unpin(&mut cx).is_pending());
    }
    assert!(
        sending.as_mut().poll(&mut other).is_ready(),
        "there is room, and the transport takes it"
    );
    assert!(woken.0.load(Ordering::Relaxed) > before, "nobody else wakes it");
    assert!(sink.poll_ready_unpin(&mut cx).is_ready());
    for _ in 9..=sent {
        peer.next().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_sink_learns_that_its_transport_failed() {
    let wire = Wire::new::<Server>([]).stays().blocks();
    let socket =
        open_with::<Server, _>(wire.clone(), &quiet(), &Settings::new().queue_len_max(100));
    let sender = socket.sender().clone();
    let task = tokio::spawn(async move {
        let mut messages = socket.into_messages();
        messages.feed(OwnedMessage::Binary(vec![1; 500])).await.expect("there is room");
        messages.feed(OwnedMessage::Binary(vec![2; 500])).await
    });
    settle().await;
    assert!(!task.is_finished());
    wire.fail_now(Fault::Error(std::io::ErrorKind::BrokenPipe));
    assert!(soon(sender.flush()).await.is_err());
    assert!(matches!(soon(task).await.expect("ended"), Err(Error::Io(_))));
}

#[tokio::test(start_paused = true)]
async fn closing_the_sink_closes_the_connection() {
    let (socket, mut peer) = pair::<TestClient>(&quiet(), WIDE);
    peer.text("thrown away").await;
    peer.close(1000, "").await;
    peer.end().await;
    let mut messages = socket.into_messages();
    messages.feed(message("last")).await.expect("open");
    soon(messages.close()).await.expect("clean");
    assert_eq!(words(&peer.rest().await), "text last, close 1000");
    assert!(messages.next().await.is_none());
}

/// The one task waits for messages, the other closes the sink.
async fn ends_the_stream(has_sent_close: bool) {
    let (socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    let sender = socket.sender().clone();
    let (mut sink, mut stream) = socket.into_messages().split();
    let reading = tokio::spawn(async move { stream.next().await.is_none() });
    settle().await;
    if has_sent_close {
        sender.close(CloseCode::NORMAL, "").await.expect("open");
        settle().await;
    }
    let closing = tokio::spawn(async move { sink.close().await });
    assert_eq!(words(&[peer.next().await]), "close 1000");
    settle().await;
    peer.close(1000, "").await;
    peer.end().await;
    soon(closing).await.expect("ended").expect("clean");
    assert!(soon(reading).await.expect("ended"), "the stream is over");
}

#[tokio::test(start_paused = true)]
async fn closing_the_sink_in_one_task_ends_the_stream_in_another() {
    ends_the_stream(false).await;
    ends_the_stream(true).await;
}

// One task sends, another receives, both ways, and more than fits.
#[tokio::test(start_paused = true)]
async fn halves_in_two_tasks_do_not_wait_for_each_other() {
    const COUNT: usize = 30;
    let (ours, theirs) = duplex(500);
    let settings = Settings::new().queue_len_max(2_000);
    let here = open_with::<Server, _>(ours, &quiet(), &settings).into_messages();
    let there = open_with::<TestClient, _>(theirs, &quiet(), &settings).into_messages();
    let (mut sink, stream) = here.split();
    let (mut other_sink, other_stream) = there.split();
    let all = || stream::iter((0..COUNT).map(|_| Ok(message(&text(3_000)))));
    soon(async {
        let (sent, received, other_sent, other_received) = tokio::join!(
            async { sink.send_all(&mut all()).await },
            stream.take(COUNT).count(),
            async { other_sink.send_all(&mut all()).await },
            other_stream.take(COUNT).count(),
        );
        sent.and(other_sent).expect("open");
        assert_eq!((received, other_received), (COUNT, COUNT));
    })
    .await;
}

// One half alone still works, as far as it goes.
#[tokio::test(start_paused = true)]
async fn a_half_whose_other_half_is_dropped_goes_on() {
    let (socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    let (sink, mut stream) = socket.into_messages().split();
    drop(sink);
    peer.send(0x89, b"?").await;
    peer.text("Hello").await;
    assert_eq!(stream.next().await.expect("open").expect("valid"), message("Hello"));
    assert_eq!(words(&[peer.next().await]), "pong ?");

    let (socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    let (mut sink, stream) = socket.into_messages().split();
    drop(stream);
    sink.send(message("Hello")).await.expect("open");
    assert_eq!(words(&[peer.next().await]), "text Hello");
    drop(sink);
    assert_eq!(words(&peer.rest().await), "close 1001");
}

#[tokio::test(start_paused = true)]
async fn what_was_read_ahead_stays_with_the_inner_socket() {
    let (socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    let both = [peer.frame(0x81, b"one"), peer.frame(0x81, b"two")].concat();
    peer.write(&both).await;
    let mut messages = socket.into_messages();
    assert_eq!(messages.next().await.expect("open").expect("valid"), message("one"));
    let (mut socket, mut inbox) = messages.into_inner();
    assert!(matches!(socket.receive(&mut Inbox::new()).await, Err(Error::ForeignInbox)));
    assert_eq!(socket.receive(&mut inbox).await.expect("a message"), Message::Text("two"));
    let day = Duration::from_secs(24 * 3600);
    assert!(timeout(day, socket.receive(&mut inbox)).await.is_err());
    drop(socket);
    assert_eq!(words(&peer.rest().await), format!("close {}", CloseCode::GOING_AWAY.number()));
}
