//! The queue that senders share: bounded, in order, written with few writes, and fair.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sansocket::adapter::{Error, Settings};
use sansocket::{Fin, Inbox, Kind, Message, Prepared, SendError, Server};
use sansocket_tokio::{Receiver, Sender, Transport};
use support::{
    End, Fault, TestClient, Wire, frame, open, open_with, owned, pair, pair_with, quiet, settle,
    soon, text, words,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

/// Room for everything.
const WIDE: usize = 1 << 20;

fn bounded(bytes: usize) -> Settings {
    Settings::new().queue_len_max(bytes)
}

/// Messages of one task, numbered.
fn numbered(task: usize, number: usize) -> String {
    format!("{task}:{number}:{}", text(number * 37 % 1500))
}

async fn interleaves_nothing<R: End>() {
    const TASKS: usize = 8;
    const COUNT: usize = 60;
    const BOUND: usize = 2_000;
    let (socket, mut peer) = pair_with::<R>(&quiet(), &bounded(BOUND), 777);
    let (mut receiver, sender) = socket.split();
    let longest = Arc::new(AtomicUsize::new(0));
    for task in 0..TASKS {
        let (sender, longest) = (sender.clone(), longest.clone());
        tokio::spawn(async move {
            for number in 0..COUNT {
                let message = numbered(task, number);
                match number % 3 {
                    0 => sender.send(&message[..]).await.expect("open"),
                    1 => sender.feed(&message[..]).await.expect("open"),
                    _ => {
                        while let Err(error) = sender.try_send(&message[..]) {
                            assert!(matches!(error, Error::QueueFull), "{error:?}");
                            sleep(Duration::from_millis(1)).await;
                        }
                    }
                }
                longest.fetch_max(sender.queue_len(), Ordering::Relaxed);
            }
        });
    }
    tokio::spawn(async move { receiver.receive(&mut Inbox::new()).await.map(owned) });
    let mut next = [0; TASKS];
    for _ in 0..TASKS * COUNT {
        let payload = String::from_utf8(peer.next().await.payload).expect("text");
        let task: usize =
            payload.split(':').next().and_then(|task| task.parse().ok()).expect("one");
        assert_eq!(payload, numbered(task, next[task]), "cut, lost, or out of order");
        next[task] += 1;
    }
    let longest = longest.load(Ordering::Relaxed);
    assert!(longest <= BOUND + 14, "{longest} bytes waited");
}

// 6455-5.4-08
#[tokio::test(start_paused = true)]
async fn what_many_tasks_send_is_whole_and_in_order() {
    interleaves_nothing::<Server>().await;
    interleaves_nothing::<TestClient>().await;
}

#[tokio::test(start_paused = true)]
async fn feed_waits_for_room_and_try_send_does_not() {
    let (socket, mut peer) = pair_with::<Server>(&quiet(), &bounded(1000), 100);
    // 100 bytes are taken by the pipe, and the rest waits.
    socket.feed(&text(900)[..]).await.expect("open");
    socket.feed(&text(150)[..]).await.expect("there is room for it");
    assert!(matches!(socket.sender().try_send(&text(200)[..]), Err(Error::QueueFull)));
    let sender = socket.sender().clone();
    let feeding = tokio::spawn(async move { sender.feed(&text(300)[..]).await });
    settle().await;
    assert!(!feeding.is_finished());
    assert!(socket.sender().queue_len() <= 1000 + 4);
    // Nobody receives: the one who waits for room writes until there is some.
    peer.stream.read_exact(&mut [0; 400]).await.expect("the beginning");
    soon(feeding).await.expect("ended").expect("open");
    let sender = socket.sender().clone();
    tokio::spawn(async move { sender.flush().await });
    peer.stream.read_exact(&mut [0; 504 + 154]).await.expect("the rest");
    assert_eq!(peer.next().await.payload.len(), 300);
    socket.sender().try_send("there is room again").expect("open");
}

#[tokio::test(start_paused = true)]
async fn a_message_longer_than_the_queue_waits_until_it_is_empty() {
    let (socket, mut peer) = pair_with::<TestClient>(&quiet(), &bounded(1000), 100);
    let sender = socket.sender().clone();
    socket.feed(&text(500)[..]).await.expect("open");
    let large = text(5000);
    assert!(matches!(sender.try_send(&large[..]), Err(Error::QueueFull)));
    let task = tokio::spawn(async move { sender.feed(&text(5000)[..]).await });
    settle().await;
    assert!(!task.is_finished());
    assert_eq!(peer.next().await.payload.len(), 500);
    soon(task).await.expect("ended").expect("open");
    // It is the one message more than the bound.
    assert!((1000..=5014).contains(&socket.sender().queue_len()));
    assert!(matches!(socket.sender().try_send("x"), Err(Error::QueueFull)));
    let sender = socket.sender().clone();
    tokio::spawn(async move { sender.flush().await });
    assert_eq!(peer.next().await.payload.len(), 5000);
}

#[tokio::test(start_paused = true)]
async fn senders_that_wait_for_room_take_turns() {
    const TASKS: u8 = 4;
    let (socket, mut peer) = pair_with::<Server>(&quiet(), &bounded(1000), 100);
    for task in 0..TASKS {
        let sender = socket.sender().clone();
        tokio::spawn(async move { while sender.feed(&[task; 90][..]).await.is_ok() {} });
    }
    let mut counts = [0; TASKS as usize];
    for _ in 0..200 {
        counts[usize::from(peer.next().await.payload[0])] += 1;
    }
    assert!(counts.iter().all(|count| *count >= 40), "{counts:?}");
}

// Whoever sends little does not overtake a long message for ever.
#[tokio::test(start_paused = true)]
async fn a_long_message_has_its_turn_beside_busy_senders() {
    let (socket, mut peer) = pair_with::<Server>(&quiet(), &bounded(1000), 100);
    for _ in 0..3 {
        let sender = socket.sender().clone();
        tokio::spawn(async move { while sender.feed(&text(90)[..]).await.is_ok() {} });
    }
    settle().await;
    let sender = socket.sender().clone();
    tokio::spawn(async move { sender.feed(&text(5000)[..]).await });
    for _ in 0..100 {
        if peer.next().await.payload.len() == 5000 {
            return;
        }
    }
    panic!("it waits for ever");
}

// It waits for what was there before, not for what others put behind it.
#[tokio::test(start_paused = true)]
async fn send_returns_beside_senders_that_keep_the_queue_full() {
    let (socket, mut peer) = pair_with::<Server>(&quiet(), &bounded(1000), 100);
    for _ in 0..3 {
        let sender = socket.sender().clone();
        tokio::spawn(async move { while sender.feed(&text(90)[..]).await.is_ok() {} });
    }
    settle().await;
    let sender = socket.sender().clone();
    let sending = tokio::spawn(async move { sender.send("now and then").await });
    let mut after = 0;
    while !sending.is_finished() {
        peer.next().await;
        after += 1;
        assert!(after < 100, "it waits for ever");
    }
    sending.await.expect("ended").expect("open");
}

#[tokio::test(start_paused = true)]
async fn many_fed_messages_are_one_write() {
    let wire = Wire::new::<Server>([(5, frame(0x81, b"enough", Server::PEER_KEY))]).stays();
    let mut socket = open::<Server, _>(wire.clone(), &quiet());
    for number in 0..5 {
        socket.feed(&number.to_string()[..]).await.expect("open");
    }
    assert_eq!(wire.writes(), 0);
    socket.receive(&mut Inbox::new()).await.map(owned).expect("a message");
    assert_eq!(wire.writes(), 1);
    assert_eq!(words(&wire.heard()), "text 0, text 1, text 2, text 3, text 4");
    // And by itself when it is worth a write.
    for _ in 0..20 {
        socket.feed(&text(1000)[..]).await.expect("open");
    }
    assert_eq!(wire.writes(), 2);
    socket.flush().await.expect("open");
    assert_eq!((wire.writes(), wire.heard().len()), (3, 25));
}

// What is written already needs nobody else to write it.
#[tokio::test(start_paused = true)]
async fn a_send_that_is_taken_at_once_does_not_wake_the_receiver() {
    let wire = Wire::new::<Server>([]).stays();
    let (mut receiver, sender) = open::<Server, _>(wire.clone(), &quiet()).split();
    tokio::spawn(async move { receiver.receive(&mut Inbox::new()).await.map(owned) });
    settle().await;
    let calls = wire.calls();
    sender.send("text").await.expect("open");
    sender.ping(b"").await.expect("open");
    sender.send_fragment(Kind::Text, Fin::Last, b"").await.expect("open");
    settle().await;
    assert_eq!(wire.calls() - calls, 6, "three writes and as many flushes, and no read");
    // But one that waits is written by the receiver, which waits too.
    sender.feed("text").await.expect("open");
    settle().await;
    assert_eq!(wire.heard().len(), 4);
}

async fn echoes_at_once<R: End>() {
    let said: Vec<u8> =
        (0..16).flat_map(|number| frame(0x81, &[b'a' + number], R::PEER_KEY)).collect();
    let wire = Wire::new::<R>([(0, said)]).stays();
    let mut socket = open::<R, _>(wire.clone(), &quiet());
    let mut inbox = Inbox::new();
    for _ in 0..16 {
        let message = socket.receive(&mut inbox).await.expect("a message");
        socket.feed(message).await.expect("open");
    }
    assert!(timeout(Duration::from_secs(1), socket.receive(&mut inbox)).await.is_err());
    assert_eq!((wire.writes(), wire.heard().len()), (1, 16));
}

#[tokio::test(start_paused = true)]
async fn sixteen_messages_of_one_read_are_echoed_with_one_write() {
    echoes_at_once::<Server>().await;
    echoes_at_once::<TestClient>().await;
}

#[tokio::test(start_paused = true)]
async fn a_large_message_of_a_server_is_written_from_where_it_lies() {
    let wire = Wire::new::<Server>([]).stays().vectored();
    let socket = open::<Server, _>(wire.clone(), &quiet());
    let large = text(1 << 20);
    socket.feed(&large[..]).await.expect("open");
    assert_eq!((wire.writes(), wire.heard().len()), (1, 1), "one write, with its head");
    assert_eq!(socket.sender().queue_len(), 0);
    assert_eq!(wire.heard()[0].payload, large.as_bytes());
    // With what waited before it too, if there is room for both.
    socket.feed("before").await.expect("open");
    socket.feed(&large[..20_000]).await.expect("open");
    assert_eq!((wire.writes(), wire.heard().len()), (2, 3));
    // One that cannot be written like that is written all the same.
    let wire = Wire::new::<Server>([]).stays();
    let socket = open::<Server, _>(wire.clone(), &quiet());
    socket.send(&large[..]).await.expect("open");
    assert_eq!((wire.writes(), wire.heard().len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_fragmented_message_keeps_other_senders_out() {
    let (socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    let (_receiver, sender) = socket.split();
    let other = sender.clone();
    sender.send_fragment(Kind::Binary, Fin::More, b"be").await.expect("sends");
    let large = text(20_000);
    for refused in [other.send("no").await, other.send(&large[..]).await, other.try_send("no")] {
        let under_way = SendError::MessageUnderWay { kind: Kind::Binary };
        assert!(matches!(refused, Err(Error::Send(error)) if error == under_way));
    }
    let tick = Prepared::new("tick".into());
    assert!(matches!(other.send_prepared(&tick).await, Err(Error::Send(_))));
    assert!(matches!(other.try_send_prepared(&tick), Err(Error::Send(_))));
    sender.send_fragment(Kind::Binary, Fin::Last, b"gun").await.expect("sends");
    other.send_prepared(&tick).await.expect("now it may be sent");
    let frames = [peer.next().await, peer.next().await, peer.next().await];
    assert_eq!(words(&frames), "02 be, 80 gun, text tick");
}

#[tokio::test(start_paused = true)]
async fn a_send_that_may_not_be_leaves_no_trace() {
    let (socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    assert!(socket.ping(&[0; 126]).await.is_err());
    assert!(socket.sender().pong(&[0; 126]).await.is_err());
    assert!(socket.send_fragment(Kind::Text, Fin::Last, b"\xff").await.is_err());
    assert_eq!(socket.sender().queue_len(), 0);
    socket.sender().pong(b"unasked").await.expect("open");
    assert_eq!(words(&[peer.next().await]), "pong unasked");
}

async fn receive_all<S: Transport, R: End>(mut receiver: Receiver<S, R>, count: usize, len: usize) {
    let mut inbox = Inbox::new();
    for _ in 0..count {
        assert_eq!(receiver.receive(&mut inbox).await.expect("a message").len(), len);
    }
    let end = timeout(Duration::from_secs(1), receiver.receive(&mut inbox)).await;
    assert!(end.is_err() || end.is_ok_and(|end| end.is_err()));
}

async fn send_all<S: Transport, R: End>(sender: Sender<S, R>, count: usize, len: usize) {
    for _ in 0..count {
        sender.send(&text(len)[..]).await.expect("open");
    }
}

// Both directions are full, and each side both sends and receives.
#[tokio::test(start_paused = true)]
async fn both_directions_full_at_once_is_no_deadlock() {
    const COUNT: usize = 20;
    for len in [3_000, 100_000] {
        let (ours, theirs) = tokio::io::duplex(500);
        let (here, sender) = open_with::<Server, _>(ours, &quiet(), &bounded(4_000)).split();
        let (there, other) = open_with::<TestClient, _>(theirs, &quiet(), &bounded(4_000)).split();
        soon(async {
            tokio::join!(
                receive_all(here, COUNT, len),
                receive_all(there, COUNT, len),
                send_all(sender, COUNT, len),
                send_all(other, COUNT, len),
            )
        })
        .await;
    }
}

// T07: a peer that does not read holds its sender up, and nothing grows.
#[tokio::test(start_paused = true)]
async fn an_echo_to_a_slow_reader_reads_no_further() {
    let (mut socket, mut peer) = pair_with::<Server>(&quiet(), &bounded(4_000), 1000);
    let task = tokio::spawn(async move {
        let (mut inbox, mut longest) = (Inbox::new(), 0);
        while let Ok(message) = socket.receive(&mut inbox).await
            && socket.feed(message).await.is_ok()
        {
            longest = longest.max(socket.sender().queue_len());
        }
        (longest, socket.counters().bytes_received)
    });
    let message = peer.frame(0x82, &[7; 500]);
    let mut sent = 0;
    while timeout(Duration::from_secs(1), peer.stream.write_all(&message)).await.is_ok() {
        sent += 1;
        assert!(sent < 1000, "it takes everything");
    }
    drop(peer);
    let (longest, received) = soon(task).await.expect("ended");
    assert!((3_000..=4_000).contains(&longest), "{longest} bytes waited");
    // What is in the queue, and what one read brought.
    assert!(received < 4_000 + 64 * 1024, "{received} bytes were read");
}

// F17: 6455-5.5.3-02; P3
#[tokio::test(start_paused = true)]
async fn pongs_that_cannot_be_written_do_not_pile_up() {
    let (mut socket, mut peer) = pair::<Server>(&quiet(), 1000);
    let task = tokio::spawn(async move {
        let mut inbox = Inbox::new();
        for _ in 0..2_000 {
            assert_eq!(socket.receive(&mut inbox).await.expect("one"), Message::Binary(b"."));
        }
        (socket.sender().queue_len(), socket)
    });
    let round = [peer.frame(0x89, &[b'x'; 125]), peer.frame(0x82, b".")].concat();
    for _ in 0..2_000 {
        peer.write(&round).await;
    }
    let (waiting, _socket) = soon(task).await.expect("ended");
    assert!((127..17 * 1024).contains(&waiting), "{waiting} bytes of Pongs");
}

// One sender finds out that the transport failed; the others that wait are told too.
#[tokio::test(start_paused = true)]
async fn all_senders_that_wait_learn_that_the_transport_failed() {
    let wire = Wire::new::<Server>([]).stays().blocks();
    let socket = open::<Server, _>(wire.clone(), &quiet());
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let sender = socket.sender().clone();
            tokio::spawn(async move { sender.send("waits").await })
        })
        .collect();
    settle().await;
    // The transport wakes nobody.
    wire.fail_now(Fault::Error(std::io::ErrorKind::BrokenPipe));
    let error = socket.sender().try_send(&text(20_000)[..]).expect_err("found out");
    assert!(matches!(error, Error::Io(_)), "{error:?}");
    let started = Instant::now();
    for task in waiting {
        let error = soon(task).await.expect("ended").expect_err("it failed");
        assert!(matches!(error, Error::Io(_)), "{error:?}");
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert!(matches!(socket.sender().try_send("x"), Err(Error::Io(_))));
}

#[tokio::test(start_paused = true)]
async fn try_send_says_why_there_will_be_no_room() {
    let wire = Wire::new::<Server>([]).stays().blocks();
    let socket = open_with::<Server, _>(wire.clone(), &quiet(), &bounded(100));
    socket.sender().try_send(&text(80)[..]).expect("there is room");
    assert!(matches!(socket.sender().try_send(&text(80)[..]), Err(Error::QueueFull)));
    wire.fail_now(Fault::Error(std::io::ErrorKind::BrokenPipe));
    assert!(matches!(socket.sender().try_send(&text(80)[..]), Err(Error::Io(_))));
}
