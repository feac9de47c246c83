//! Answers to messages that were read together are written together, and none is kept
//! back for longer than that takes.

mod support;

use std::time::Duration;

use sansocket::{CloseCode, Inbox, Message, Role, Server};
use sansocket_net::{Settings, Transport, WebSocket};
use support::{
    End, Scripted, Step, TestClient, frame, open_with, quiet, read_frames, spawn, words,
};

/// As long as it takes: no clock decides these tests.
const COALESCED: Duration = Duration::from_secs(3600);

/// Text messages with these payloads.
fn texts<R: End>(payloads: &[&str]) -> Step {
    let key = (!R::MASKS).then_some([1, 2, 3, 4]);
    Step::Bytes(payloads.iter().flat_map(|text| frame(0x81, text.as_bytes(), key)).collect())
}

fn socket<R: End>(transport: &Scripted, coalesce: Duration) -> WebSocket<Scripted, R> {
    open_with(transport.clone(), &quiet(), &Settings::new().coalesce(coalesce))
}

fn written<R: Role>(transport: &Scripted) -> String {
    words(&read_frames(&transport.written(), R::MASKS))
}

/// Receives a message and sends it back.
fn echo<T: Transport, R: Role>(socket: &mut WebSocket<T, R>, inbox: &mut Inbox) {
    let message = socket.receive(inbox).expect("a message");
    socket.send(message).expect("open");
}

fn one_write_answers_all_messages_of_a_read<R: End>() {
    let transport = Scripted::new([texts::<R>(&["a", "b", "c"]), texts::<R>(&["d"])]);
    let (mut socket, mut inbox) = (socket::<R>(&transport, COALESCED), Inbox::new());
    echo(&mut socket, &mut inbox);
    echo(&mut socket, &mut inbox);
    assert_eq!((transport.calls(), written::<R>(&transport).as_str()), (1, ""));
    echo(&mut socket, &mut inbox);
    assert_eq!(transport.calls(), 2, "one read and one write");
    assert_eq!(written::<R>(&transport), "text a, text b, text c");
    // Alone in its read: it waits for nothing.
    echo(&mut socket, &mut inbox);
    assert_eq!(transport.calls(), 4);
    assert_eq!(written::<R>(&transport), "text a, text b, text c, text d");
}

#[test]
fn server_answers_all_messages_of_a_read_with_one_write() {
    one_write_answers_all_messages_of_a_read::<Server>();
}

#[test]
fn client_answers_all_messages_of_a_read_with_one_write() {
    one_write_answers_all_messages_of_a_read::<TestClient>();
}

#[test]
fn without_time_to_wait_each_message_is_written_at_once() {
    let transport = Scripted::new([texts::<Server>(&["a", "b"])]);
    let (mut socket, mut inbox) = (socket::<Server>(&transport, Duration::ZERO), Inbox::new());
    echo(&mut socket, &mut inbox);
    assert_eq!(written::<Server>(&transport), "text a");
    echo(&mut socket, &mut inbox);
    assert_eq!(written::<Server>(&transport), "text a, text b");
}

#[test]
fn only_one_message_waits_for_each_received() {
    let transport = Scripted::new([texts::<Server>(&["a", "b"])]);
    let (mut socket, mut inbox) = (socket::<Server>(&transport, COALESCED), Inbox::new());
    echo(&mut socket, &mut inbox);
    assert_eq!(written::<Server>(&transport), "");
    socket.send("not an answer").expect("open");
    assert_eq!(written::<Server>(&transport), "text a, text not an answer");
}

/// What a program may do in the middle of a batch.
type Interlude = fn(&mut WebSocket<Scripted, Server>, &mut Inbox);

#[test]
fn an_answer_waits_for_no_other_call() {
    let interludes: [(Interlude, &str); 6] = [
        (|socket, _| socket.flush().expect("open"), "text a"),
        (|socket, _| socket.ping(b"?").expect("open"), "text a, ping ?"),
        (|socket, _| socket.close_send(CloseCode::NORMAL, "").expect("open"), "text a, close 1000"),
        // Nothing is left to be received, and the peer ends.
        (|socket, inbox| while socket.receive(inbox).is_ok() {}, "text a"),
        (|socket, inbox| _ = socket.close(inbox, CloseCode::NORMAL, ""), "text a, close 1000"),
        (|socket, _| socket.send(&[b'x'; 20_000][..]).expect("open"), "text a, binary xxx"),
    ];
    for (interlude, expected) in interludes {
        let transport = Scripted::new([texts::<Server>(&["a", "b"])]);
        let (mut socket, mut inbox) = (socket::<Server>(&transport, COALESCED), Inbox::new());
        echo(&mut socket, &mut inbox);
        interlude(&mut socket, &mut inbox);
        let written = written::<Server>(&transport);
        assert!(written.starts_with(expected), "{written} instead of {expected}");
    }
}

#[test]
fn an_answer_is_not_lost_with_its_socket() {
    let ends: [fn(WebSocket<Scripted, Server>); 3] =
        [drop, |socket| drop(socket.abort()), |socket| drop(socket.into_inner())];
    for end in ends {
        let transport = Scripted::new([texts::<Server>(&["a", "b"])]);
        let (mut socket, mut inbox) = (socket::<Server>(&transport, COALESCED), Inbox::new());
        echo(&mut socket, &mut inbox);
        end(socket);
        assert!(written::<Server>(&transport).starts_with("text a"));
    }
}

#[test]
fn a_pong_takes_waiting_answers_along() {
    let ping = Step::Bytes(frame(0x89, b"!", Some([1, 2, 3, 4])));
    let Step::Bytes(mut bytes) = texts::<Server>(&["a"]) else { unreachable!() };
    if let (Step::Bytes(ping), Step::Bytes(b)) = (ping, texts::<Server>(&["b", "c"])) {
        bytes.extend([ping, b].concat());
    }
    let transport = Scripted::new([Step::Bytes(bytes)]);
    let (mut socket, mut inbox) = (socket::<Server>(&transport, COALESCED), Inbox::new());
    echo(&mut socket, &mut inbox);
    let message = socket.receive(&mut inbox).expect("a message");
    assert_eq!(message, Message::Text("b"));
    assert_eq!(written::<Server>(&transport), "text a, pong !");
}

#[test]
fn no_more_than_16_kib_wait() {
    let payload = "x".repeat(5000);
    let transport = Scripted::new([texts::<Server>(&[payload.as_str(); 6])]);
    let (mut socket, mut inbox) =
        (socket::<Server>(&transport, COALESCED), Inbox::with_capacity(1 << 16));
    for _ in 0..3 {
        echo(&mut socket, &mut inbox);
        assert!(transport.written().is_empty());
    }
    echo(&mut socket, &mut inbox);
    assert!(transport.written().len() > 20_000);
}

#[test]
fn split_halves_answer_on_one_thread_with_one_write_and_others_wait_for_nothing() {
    let transport = Scripted::new([texts::<Server>(&["a", "b", "c", "d"])]);
    let halves = socket::<Server>(&transport, COALESCED).split().expect("splits");
    let ((mut receiver, sender), mut inbox) = (halves, Inbox::new());
    for _ in 0..2 {
        sender.send(receiver.receive(&mut inbox).expect("a message")).expect("open");
    }
    assert_eq!(written::<Server>(&transport), "");
    let other = sender.clone();
    spawn(move || other.send("from elsewhere").expect("open")).join();
    assert_eq!(written::<Server>(&transport), "text a, text b, text from elsewhere");
    sender.send(receiver.receive(&mut inbox).expect("a message")).expect("open");
    assert!(written::<Server>(&transport).ends_with("elsewhere"));
    sender.send(receiver.receive(&mut inbox).expect("a message")).expect("open");
    assert!(written::<Server>(&transport).ends_with("text c, text d"));
}

/// Receives, and answers the first message only, until there is nothing more.
fn answer_the_first(transport: &Scripted) {
    let halves = socket::<Server>(transport, COALESCED).split().expect("splits");
    let ((mut receiver, sender), mut inbox) = (halves, Inbox::new());
    sender.send(receiver.receive(&mut inbox).expect("a message")).expect("open");
    assert_eq!(written::<Server>(transport), "");
    while receiver.receive(&mut inbox).is_ok() {}
}

#[test]
fn split_halves_write_an_answer_before_they_wait() {
    // The peer goes on only when it has it.
    let waits = || Step::UntilWritten(3);
    let transport = Scripted::new([texts::<Server>(&["a", "b"]), waits(), texts::<Server>(&["c"])]);
    answer_the_first(&transport);
    assert_eq!(written::<Server>(&transport), "text a");

    let Step::Bytes(both) = texts::<Server>(&["a", "b"]) else { unreachable!() };
    let (now, later) = both.split_at(both.len() - 1);
    let bytes = |bytes: &[u8]| Step::Bytes(bytes.to_vec());
    let transport = Scripted::new([bytes(now), waits(), bytes(later)]);
    answer_the_first(&transport);
    assert_eq!(written::<Server>(&transport), "text a");
}
