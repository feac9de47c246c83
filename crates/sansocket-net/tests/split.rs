//! Halves for several threads: one receives, the others send.

mod support;

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use sansocket::{
    Cause, CloseCode, Config, Fin, Inbox, KeepAlive, Kind, Message, OwnedMessage, Prepared,
    Replies, Rule, SendError, Server, State,
};
use sansocket_net::{Closed, Counters, Error, Receiver, Sender, Settings, WebSocket};
use support::{
    End, Peer, Task, TestClient, busy_until_past, closed, open_with, owned, pair, quiet, spawn,
    tcp_pair, text, words, write_until_dropped,
};

type Halves<R> = (Receiver<TcpStream, R>, Sender<TcpStream, R>);

fn split<R: End>(config: &Config) -> (Halves<R>, Peer) {
    let (socket, peer) = pair::<R>(config);
    (socket.split().expect("splits"), peer)
}

fn split_with<R: End>(config: &Config, settings: &Settings) -> (Halves<R>, Peer) {
    let (ours, theirs) = tcp_pair();
    let socket: WebSocket<_, R> = open_with(ours, config, settings);
    (socket.split().expect("splits"), Peer::of::<R>(theirs))
}

/// Receives to the end on a thread of its own.
fn receiving<R: End>(mut receiver: Receiver<TcpStream, R>) -> Task<(Vec<OwnedMessage>, Error)> {
    spawn(move || {
        let (mut inbox, mut messages) = (Inbox::new(), Vec::new());
        loop {
            match receiver.receive(&mut inbox) {
                Ok(message) => messages.push(owned(message)),
                Err(error) => return (messages, error),
            }
        }
    })
}

/// Two of ours, each with these two threads, wired over loopback.
fn wired() -> (Halves<Server>, Halves<TestClient>) {
    let (ours, theirs) = tcp_pair();
    let config = quiet().message_len_max(64 << 20);
    let server: WebSocket<_, Server> = support::open(ours, &config);
    let client: WebSocket<_, TestClient> = support::open(theirs, &config);
    (server.split().expect("splits"), client.split().expect("splits"))
}

/// Sends large messages and Pings as fast as it can, then closes or not.
fn sending<R: End>(sender: Sender<TcpStream, R>, large: usize, count: usize) -> Task<()> {
    spawn(move || {
        let payload = text(large);
        for i in 0..count {
            sender.ping(&[u8::try_from(i).expect("few")]).expect("pings");
            sender.send(payload.as_str()).expect("sends");
            sender.ping(b"").expect("pings");
        }
    })
}

#[test]
fn two_peers_that_block_in_writing_while_both_ping_get_everything() {
    // Far more than the sockets can hold.
    const LARGE: usize = 12 << 20;
    let ((mut server_in, server_out), (mut client_in, client_out)) = wired();
    let writers = (sending(server_out.clone(), LARGE, 2), sending(client_out.clone(), LARGE, 2));
    let expected = text(LARGE);
    let server = spawn(move || {
        let mut inbox = Inbox::new();
        for _ in 0..2 {
            let message = server_in.receive(&mut inbox).expect("a message");
            assert!(message == Message::Text(&text(LARGE)));
        }
        (
            closed(server_in.receive(&mut inbox).map(owned).expect_err("the end")),
            server_in.counters(),
        )
    });
    let client = spawn(move || {
        let mut inbox = Inbox::new();
        for _ in 0..2 {
            let message = client_in.receive(&mut inbox).expect("a message");
            assert!(message == Message::Text(&expected));
        }
        (
            closed(client_in.receive(&mut inbox).map(owned).expect_err("the end")),
            client_in.counters(),
        )
    });
    writers.0.join();
    writers.1.join();
    server_out.close(CloseCode::NORMAL, "done").expect("closes");
    let (ours, counters) = server.join();
    assert!(ours.is_clean() && client.join().0.is_clean());
    // Two messages, four Pings, at least one Pong for the last of them, a Close.
    assert_eq!((counters.messages_received, counters.messages_sent), (2, 2));
    assert!((8..=11).contains(&counters.frames_received), "{counters:?}");
}

// 6455-5.4-08, 6455-6.1-10
#[test]
fn many_senders_do_not_interleave() {
    const SENDERS: u8 = 6;
    const COUNT: u8 = 40;
    let ((receiver, sender), mut peer) = split::<Server>(&quiet());
    let receiver = receiving(receiver);
    let tasks: Vec<Task<()>> = (0..SENDERS)
        .map(|id| {
            let sender = sender.clone();
            spawn(move || {
                for i in 0..COUNT {
                    // Short ones are coalesced, long ones written from where they lie.
                    let len = if i % 4 == 0 { 40_000 } else { usize::from(i) };
                    let payload = [&[id, i][..], &vec![id; len]].concat();
                    sender.send(&payload[..]).expect("sends");
                }
            })
        })
        .collect();
    let mut next = [0; SENDERS as usize];
    for _ in 0..u32::from(SENDERS) * u32::from(COUNT) {
        let frame = peer.next();
        let (id, i) = (frame.payload[0], frame.payload[1]);
        assert_eq!((frame.first, i), (0x82, next[usize::from(id)]), "in each sender's order");
        assert!(frame.payload[2..].iter().all(|byte| *byte == id), "whole");
        next[usize::from(id)] += 1;
    }
    tasks.into_iter().for_each(Task::join);
    peer.close(1000, "");
    peer.end();
    assert_eq!(words(&peer.rest()), "close 1000");
    assert!(closed(receiver.join().1).is_clean());
}

#[test]
fn a_fragmented_message_keeps_other_senders_out() {
    let ((_receiver, sender), mut peer) = split::<Server>(&quiet());
    let other = sender.clone();
    sender.send_fragment(Kind::Binary, Fin::More, b"be").expect("sends");
    let refused = other.send("no").expect_err("a message is under way");
    assert!(matches!(refused, Error::Send(SendError::MessageUnderWay { kind: Kind::Binary })));
    let tick = Prepared::new("tick".into());
    assert!(matches!(other.send_prepared(&tick), Err(Error::Send(_))));
    sender.send_fragment(Kind::Binary, Fin::Last, b"gun").expect("sends");
    other.send_prepared(&tick).expect("now it may be sent");
    assert_eq!(words(&[peer.next(), peer.next(), peer.next()]), "02 be, 80 gun, text tick");
}

fn closes_from_the_sender<R: End>() -> Closed {
    let ((receiver, sender), mut peer) = split::<R>(&quiet());
    let receiver = receiving(receiver);
    sender.close(CloseCode::new(4000), "bye").expect("closes");
    assert!(matches!(sender.send("late"), Err(Error::Send(SendError::Closed))));
    assert!(matches!(sender.close(CloseCode::NORMAL, ""), Err(Error::Send(SendError::Closed))));
    assert_eq!(words(&[peer.next()]), "close 4000 bye");
    peer.text("on its way");
    peer.close(4001, "too");
    peer.end();
    assert_eq!(words(&peer.rest()), "");
    let (messages, error) = receiver.join();
    assert_eq!(messages, [OwnedMessage::Text("on its way".into())]);
    closed(error)
}

#[test]
fn a_sender_closes_while_the_receiver_blocks() {
    for closed in [closes_from_the_sender::<Server>(), closes_from_the_sender::<TestClient>()] {
        assert!(closed.is_clean());
        assert_eq!((closed.code().number(), closed.reason()), (4001, "too"));
        assert_eq!(closed.closure().sent(), Some(CloseCode::new(4000)));
    }
}

// T08
#[test]
fn a_senders_close_without_answer_is_given_up_at_its_deadline() {
    let config = quiet().close_timeout(Duration::from_millis(30));
    let ((receiver, sender), mut peer) = split::<Server>(&config);
    let receiver = receiving(receiver);
    sender.close(CloseCode::NORMAL, "").expect("closes");
    assert_eq!(words(&peer.rest()), "close 1000");
    let closed = closed(receiver.join().1);
    assert_eq!((closed.code(), closed.cause()), (CloseCode::ABNORMAL, Cause::CloseTimeout));
}

// T08: the time runs from the Close, not from when the receiver last looked.
#[test]
fn the_time_to_answer_a_senders_close_begins_with_the_close() {
    let timeout = Duration::from_millis(200);
    let ((mut receiver, sender), mut peer) = split::<Server>(&quiet().close_timeout(timeout));
    busy_until_past(timeout);
    sender.close(CloseCode::NORMAL, "").expect("closes");
    let task = spawn(move || receiver.receive(&mut Inbox::new()).map(owned).expect_err("closed"));
    assert_eq!(words(&[peer.next()]), "close 1000");
    // The first look of the receiver finds nothing.
    busy_until_past(Duration::from_millis(20));
    peer.close(1000, "");
    peer.end();
    assert!(closed(task.join()).is_clean());
}

fn answers<R: End>() {
    let ((receiver, sender), mut peer) = split::<R>(&quiet());
    let receiver = receiving(receiver);
    for i in 0..50 {
        peer.send(0x89, &[i]);
        assert_eq!(peer.next().payload, [i]);
    }
    peer.close(1000, "bye");
    peer.end();
    assert_eq!(words(&peer.rest()), "close 1000 bye");
    assert!(closed(receiver.join().1).is_clean());
    assert!(matches!(sender.send("late"), Err(Error::Send(SendError::Closed))));
}

#[test]
fn the_receiver_answers_pings_and_the_close() {
    answers::<Server>();
    answers::<TestClient>();
}

// What the receiver owes while a sender has the outbox goes out behind the message.
#[test]
fn what_is_owed_while_a_sender_blocks_is_sent_by_it() {
    const LARGE: usize = 16 << 20;
    let ((mut receiver, sender), mut peer) = split::<Server>(&quiet());
    let sending = spawn(move || {
        sender.send(text(LARGE).as_str()).expect("sends");
        sender
    });
    // The message has begun, and does not go on until its peer reads.
    let mut byte = [0];
    assert_eq!(peer.stream.peek(&mut byte).expect("bytes"), 1);
    peer.send(0x89, b"1");
    peer.send(0x89, b"2");
    peer.text("seen");
    let receiving = spawn(move || {
        let mut inbox = Inbox::new();
        let seen = receiver.receive(&mut inbox).map(owned).expect("it does not block");
        (seen, receiver)
    });
    let (seen, receiver) = receiving.join();
    assert_eq!(seen, OwnedMessage::Text("seen".into()));
    assert_eq!(peer.next().payload.len(), LARGE);
    // §5.5.3: the latest stands for all.
    assert_eq!(words(&[peer.next()]), "pong 2");
    drop((sending.join(), receiver));
}

// P4, with a sender in the way that then goes on.
#[test]
fn a_failure_while_a_sender_blocks_is_told_behind_the_message() {
    const LARGE: usize = 16 << 20;
    let ((receiver, sender), mut peer) = split::<Server>(&quiet());
    let sending = spawn(move || {
        // It is whole, or it is cut off by the end: the failure waits for nobody
        // longer than a second.
        let first = sender.send(text(LARGE).as_str()).is_ok();
        (first, sender.send("late").is_ok())
    });
    let mut byte = [0];
    assert_eq!(peer.stream.peek(&mut byte).expect("bytes"), 1);
    let bad = peer.frame(0x83, b"");
    peer.write(&bad);
    let receiver = receiving(receiver);
    assert_eq!(peer.next().payload.len(), LARGE);
    assert_eq!(words(&peer.rest()), "close 1002");
    drop(peer);
    assert!(matches!(receiver.join().1, Error::Failed(failure) if failure.code().number() == 1002));
    assert_eq!(sending.join(), (true, false));
}

#[test]
fn a_failure_frees_a_sender_that_blocks_for_ever() {
    let ((receiver, sender), mut peer) = split::<Server>(&quiet());
    let sending = spawn(move || {
        let large = text(1 << 20);
        loop {
            if let Err(error) = sender.send(large.as_str()) {
                return error;
            }
        }
    });
    let mut byte = [0];
    assert_eq!(peer.stream.peek(&mut byte).expect("bytes"), 1);
    let bad = peer.frame(0x83, b"");
    peer.write(&bad);
    // The peer is there, and reads nothing.
    assert!(matches!(receiving(receiver).join().1, Error::Failed(_)));
    assert!(matches!(sending.join(), Error::Io(_) | Error::Send(SendError::Closed)));
    drop(peer);
}

// T06
#[test]
fn a_sender_that_stalls_ends_the_connection_for_the_receiver_too() {
    let settings = Settings::new().write_stall(Duration::from_millis(30));
    let ((receiver, sender), mut peer) = split_with::<Server>(&quiet(), &settings);
    let receiver = receiving(receiver);
    peer.text("before");
    let sending = spawn(move || {
        let large = text(1 << 20);
        loop {
            if let Err(error) = sender.send(large.as_str()) {
                return (error, sender);
            }
        }
    });
    // The sender stays alive, and so does the peer, who does not read.
    let (error, _sender) = sending.join();
    assert!(matches!(error, Error::WriteStalled), "{error:?}");
    let (messages, error) = receiver.join();
    assert_eq!(messages, [OwnedMessage::Text("before".into())]);
    assert!(matches!(error, Error::WriteStalled), "{error:?}");
    drop(peer);
}

// 6455-5.5.1-08; with replies left to the application too, which is not asked here
#[test]
fn the_peers_close_is_answered_with_code_and_reason_beside_a_busy_sender() {
    for replies in [Replies::Automatic, Replies::Manual] {
        for _ in 0..10 {
            let ((receiver, sender), mut peer) = split::<Server>(&quiet().replies(replies));
            let receiver = receiving(receiver);
            let sending = spawn(move || while sender.send("busy").is_ok() {});
            peer.next();
            peer.close(4000, "enough");
            let last = peer.rest().pop().expect("a Close at least");
            assert_eq!(last.in_words(), "close 4000 enough");
            drop(peer);
            sending.join();
            let closed = closed(receiver.join().1);
            assert!(closed.is_clean());
            assert_eq!(closed.closure().sent(), Some(CloseCode::new(4000)));
        }
        // And beside one that does nothing.
        let ((receiver, _sender), mut peer) = split::<Server>(&quiet().replies(replies));
        let receiver = receiving(receiver);
        peer.close(4000, "enough");
        assert_eq!(words(&peer.rest()), "close 4000 enough");
        drop(peer);
        assert!(closed(receiver.join().1).is_clean());
    }
}

// T12: the peer leaves, and our Close is remembered.
#[test]
fn a_senders_close_is_known_when_the_peer_just_leaves() {
    let ((receiver, sender), mut peer) = split::<Server>(&quiet());
    sender.close(CloseCode::NORMAL, "").expect("open");
    assert_eq!(peer.next().in_words(), "close 1000");
    peer.end();
    let closed = closed(receiving(receiver).join().1);
    assert_eq!(closed.closure().sent(), Some(CloseCode::NORMAL));
    assert_eq!(closed.cause(), Cause::TransportEnded);
}

// T03, T04: a Ping that waits behind a large message is not yet asked.
#[test]
fn a_peer_that_takes_long_over_a_large_message_is_not_dead() {
    let silence = Duration::from_millis(40);
    let config =
        Config::new().keep_alive(KeepAlive::PingPong { interval: silence, timeout: silence });
    let ((mut receiver, sender), mut peer) = split::<Server>(&config);
    let len = 8 << 20;
    let sending = spawn(move || sender.send(&vec![7; len]).map(|()| sender));
    let reading = spawn(move || {
        // Small reads make it take a good while longer than the silence.
        let (mut left, mut chunk) = (len + 10, [0; 512]);
        while left > 0 {
            left -= peer.stream.read(&mut chunk[..left.min(512)]).expect("more of it");
        }
        while peer.next().first != 0x89 {}
        peer.close(1000, "");
        peer
    });
    let closed = closed(receiver.receive(&mut Inbox::new()).expect_err("no message"));
    assert_eq!(closed.code(), CloseCode::NORMAL);
    drop((sending.join().expect("it was taken"), reading.join()));
}

#[test]
fn dropping_the_receiver_sends_1001_and_ends_the_stream() {
    let ((receiver, sender), mut peer) = split::<Server>(&quiet());
    sender.send("last").expect("sends");
    drop(receiver);
    assert_eq!(words(&peer.rest()), "text last, close 1001");
    assert!(sender.send("late").is_err());
}

#[test]
fn dropping_the_receiver_frees_a_sender_that_blocks() {
    let ((receiver, sender), peer) = split::<Server>(&quiet());
    let sending = spawn(move || {
        let large = text(1 << 20);
        while sender.send(large.as_str()).is_ok() {}
    });
    let mut byte = [0];
    assert_eq!(peer.stream.peek(&mut byte).expect("bytes"), 1);
    drop(receiver);
    sending.join();
}

#[test]
fn a_stream_without_its_receiver_is_not_kept_open_by_a_sender() {
    let ((receiver, sender), mut peer) = split::<Server>(&quiet());
    let receiver = receiving(receiver);
    peer.close(1000, "");
    // The peer does not end its side, so our receiver gives up waiting for it.
    assert_eq!(words(&peer.rest()), "close 1000");
    assert!(closed(receiver.join().1).is_clean());
    // Whoever still has a sender does not hold up the peer, who writes on.
    write_until_dropped(&mut peer.stream);
    drop(sender);
}

#[test]
fn dropping_all_senders_leaves_the_receiver_as_it_is() {
    let ((mut receiver, sender), mut peer) = split::<Server>(&quiet());
    drop(sender.clone());
    drop(sender);
    peer.send(0x89, b"still there?");
    peer.text("Hello");
    let task = spawn(move || (receiver.receive(&mut Inbox::new()).map(owned), receiver));
    assert_eq!(words(&[peer.next()]), "pong still there?");
    let (message, receiver) = task.join();
    assert_eq!(message.expect("a message"), OwnedMessage::Text("Hello".into()));
    assert_eq!(receiver.state(), State::Open);
}

// T02, T03
#[test]
fn keep_alive_runs_in_the_receiver() {
    let soon = Duration::from_millis(30);
    let config = Config::new().keep_alive(KeepAlive::PingPong { interval: soon, timeout: soon });
    let ((receiver, sender), mut peer) = split::<Server>(&config);
    let receiver = receiving(receiver);
    assert_eq!(peer.next().first, 0x89);
    let last = peer.rest().pop().expect("a Close");
    assert_eq!(words(&[last]), "close 1011");
    drop(peer);
    let error = receiver.join().1;
    assert!(matches!(error, Error::Failed(failure) if failure.rule() == Rule::PongTimeout));
    assert!(matches!(sender.send("late"), Err(Error::Send(SendError::Closed))));
}

// T10
#[test]
fn an_end_without_close_is_told_to_both() {
    let ((receiver, sender), mut peer) = split::<Server>(&quiet());
    peer.text("one");
    peer.end();
    let (messages, error) = receiving(receiver).join();
    assert_eq!(messages, [OwnedMessage::Text("one".into())]);
    assert_eq!(closed(error).cause(), Cause::TransportEnded);
    assert!(sender.send("late").is_err());
    assert_eq!(words(&peer.rest()), "");
}

fn counts<R: End>() {
    let (mut socket, mut peer) = pair::<R>(&quiet());
    let key = if R::PEER_KEY.is_some() { 4 } else { 0 };
    socket.send("before").expect("sends");
    let (mut receiver, sender) = socket.split().expect("splits");
    peer.text("12345");
    peer.send(0x89, b"x");
    peer.send(0x02, b"1");
    peer.send(0x80, b"2");
    peer.close(1000, "");
    peer.end();
    let task = spawn(move || {
        let mut inbox = Inbox::new();
        for _ in 0..2 {
            let message = receiver.receive(&mut inbox).expect("a message");
            sender.send(message).expect("sends");
        }
        closed(receiver.receive(&mut inbox).map(owned).expect_err("the end"));
        receiver.counters()
    });
    let expected = Counters {
        bytes_received: 7 + 3 + 3 + 3 + 4 + 5 * key,
        bytes_sent: 8 + 7 + 3 + 4 + 4 + 5 * (4 - key),
        frames_received: 5,
        frames_sent: 5,
        messages_received: 2,
        messages_sent: 3,
        round_trip: None,
    };
    assert_eq!(task.join(), expected);
    assert_eq!(peer.rest().len(), 5);
}

#[test]
fn counters_are_those_of_both_halves() {
    counts::<Server>();
    counts::<TestClient>();
}

#[test]
fn a_big_message_is_received_in_pieces() {
    let ((mut receiver, _sender), mut peer) = split::<TestClient>(&quiet());
    let payload = text(200_000);
    let expected = payload.clone();
    let task = spawn(move || {
        let (mut inbox, mut joined) = (Inbox::new(), Vec::new());
        loop {
            let piece = receiver.receive_piece(&mut inbox).expect("a piece");
            joined.extend_from_slice(piece.bytes());
            if piece.ends_message() {
                return (joined, receiver);
            }
        }
    });
    peer.text(&payload);
    assert!(task.join().0 == expected.as_bytes());
}
