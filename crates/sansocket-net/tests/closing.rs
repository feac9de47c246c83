//! How connections end: closing handshakes, failures, ends and resets of the
//! transport.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sansocket::{Cause, CloseCode, Config, Inbox, Message, Replies, SendError, Server, State};
use sansocket_net::{Closed, Error, WebSocket};
use support::{
    End, Peer, Scripted, Step, Task, TestClient, busy_until_past, closed, frame, open, owned, pair,
    quiet, spawn, text, words, write_until_dropped,
};

/// Receives to the end, and checks that it stays the end.
fn receive_all<R: End>(mut socket: WebSocket<TcpStream, R>) -> (Vec<String>, Error) {
    let (mut inbox, mut texts) = (Inbox::new(), Vec::new());
    loop {
        match socket.receive(&mut inbox) {
            Ok(Message::Text(text)) => texts.push(text.to_owned()),
            Ok(Message::Binary(bytes)) => texts.push(format!("{} bytes", bytes.len())),
            Err(error) => {
                check_is_over(&mut socket, &mut inbox, &error);
                return (texts, error);
            }
        }
    }
}

/// Every later call gives the same error, and nothing can be sent.
fn check_is_over<R: End>(socket: &mut WebSocket<TcpStream, R>, inbox: &mut Inbox, error: &Error) {
    for _ in 0..2 {
        let again = socket.receive(inbox).expect_err("it is over");
        assert_eq!(format!("{again:?}"), format!("{error:?}"));
        let again = socket.receive_piece(inbox).expect_err("it is over");
        assert_eq!(format!("{again:?}"), format!("{error:?}"));
        let refused = socket.send("late").expect_err("it is over");
        assert!(matches!(refused, Error::Send(SendError::Closed) | Error::Io(_)), "{refused:?}");
    }
    assert!(matches!(socket.state(), State::Closed | State::Failed));
}

fn closes_cleanly<R: End>() {
    let (mut socket, mut peer) = pair::<R>(&quiet());
    let task = spawn(move || {
        let mut inbox = Inbox::new();
        let closed = socket.close(&mut inbox, CloseCode::new(4000), "bye").expect("closes");
        // A second call says the same, with whatever it asks for.
        let again = socket.close(&mut inbox, CloseCode::NORMAL, "").expect("it is closed");
        assert_eq!(again, closed);
        check_is_over(&mut socket, &mut inbox, &Error::Closed(closed.clone()));
        closed
    });
    assert_eq!(words(&[peer.next()]), "close 4000 bye");
    peer.text("on its way already");
    peer.send(0x89, b"and a Ping");
    peer.close(4001, "well then");
    peer.end();
    let rest = words(&peer.rest());
    assert_eq!(rest, "pong and a Ping");
    let closed = task.join();
    assert!(closed.is_clean());
    assert_eq!((closed.code().number(), closed.reason()), (4001, "well then"));
    assert_eq!(closed.closure().sent(), Some(CloseCode::new(4000)));
}

// 6455-7.1.2-01, 6455-7.1.6-01, 6455-7.3-03
#[test]
fn close_sends_a_close_and_returns_the_answer_of_the_peer() {
    closes_cleanly::<Server>();
    closes_cleanly::<TestClient>();
}

fn goes_on_receiving<R: End>() {
    let (mut socket, mut peer) = pair::<R>(&quiet());
    let task = spawn(move || {
        socket.close_send(CloseCode::NORMAL, "").expect("sends");
        assert_eq!(socket.state(), State::CloseSent);
        let refused = socket.send("late").expect_err("closing");
        assert!(matches!(refused, Error::Send(SendError::Closed)));
        let refused = socket.close_send(CloseCode::NORMAL, "").expect_err("a second Close");
        assert!(matches!(refused, Error::Send(SendError::Closed)));
        receive_all(socket)
    });
    assert_eq!(words(&[peer.next()]), "close 1000");
    peer.text("one");
    peer.send(0x01, b"t");
    peer.send(0x80, b"wo");
    peer.send(0x88, b"");
    peer.end();
    assert_eq!(words(&peer.rest()), "");
    let (texts, error) = task.join();
    assert_eq!(texts, ["one", "two"]);
    let closed = closed(error);
    assert!(closed.is_clean());
    assert_eq!((closed.code(), closed.reason()), (CloseCode::NO_STATUS, ""));
}

// F23: 6455-7.1.5-02, 6455-7.1.6-02
#[test]
fn after_close_send_messages_are_still_received() {
    goes_on_receiving::<Server>();
    goes_on_receiving::<TestClient>();
}

#[test]
fn a_close_that_may_not_be_sent_changes_nothing() {
    // F30
    let (mut socket, mut peer) = pair::<Server>(&quiet());
    let mut inbox = Inbox::new();
    for (code, reason) in [(1005, ""), (1010, ""), (999, ""), (1000, "x".repeat(124).as_str())] {
        let refused = socket.close(&mut inbox, CloseCode::new(code), reason).expect_err("refused");
        assert!(
            matches!(
                refused,
                Error::Send(SendError::CloseCode { .. } | SendError::ReasonTooLong { len: 124 })
            ),
            "{refused:?}"
        );
        assert_eq!(socket.state(), State::Open);
    }
    socket.send("still open").expect("sends");
    assert_eq!(words(&[peer.next()]), "text still open");
}

/// The peer's Close, and how it is answered by an end in the role `R`.
fn answers_close<R: End>(body: &[u8], answer: &str, code: u16, reason: &str) {
    let (socket, mut peer) = pair::<R>(&quiet());
    peer.text("before");
    peer.send(0x89, b"owed");
    peer.send(0x01, b"unfinished");
    let close = [peer.frame(0x88, body), peer.frame(0x81, b"behind")].concat();
    peer.write(&close);
    peer.end();
    let (texts, error) = spawn(|| receive_all(socket)).join();
    assert_eq!(texts, ["before"]);
    assert_eq!(words(&peer.rest()), format!("pong owed, {answer}"));
    let closed = closed(error);
    assert!(closed.is_clean());
    assert_eq!((closed.code().number(), closed.reason()), (code, reason));
}

// F23, F26, F28, F31: 6455-5.5.1-09, 6455-7.1.6-01, iana-close-codes-04
#[test]
fn the_peers_close_is_answered_with_its_code_and_reason() {
    for (body, answer, code, reason) in [
        (&b"\x03\xe8"[..], "close 1000", 1000, ""),
        (b"\x03\xe9going", "close 1001 going", 1001, "going"),
        (b"\x13\x87\xc3\xa9", "close 4999 \\xc3\\xa9", 4999, "\u{e9}"),
        (b"", "close", 1005, ""),
    ] {
        answers_close::<Server>(body, answer, code, reason);
        answers_close::<TestClient>(body, answer, code, reason);
    }
    // A code that is not ours to send is echoed by the engine, without its reason.
    answers_close::<TestClient>(b"\x03\xf4again", "close 1012", 1012, "again");
}

#[test]
fn the_peers_close_is_answered_when_replies_are_left_to_the_adapters_caller_too() {
    for (body, answer) in [(&b"\x03\xe8bye"[..], "close 1000 bye"), (b"", "close")] {
        let (socket, mut peer) = pair::<Server>(&quiet().replies(Replies::Manual));
        peer.send(0x88, body);
        peer.end();
        let (_, error) = spawn(|| receive_all(socket)).join();
        assert_eq!(words(&peer.rest()), answer);
        assert!(closed(error).is_clean());
    }
}

fn says_that_it_goes<R: End>() {
    let (mut socket, mut peer) = pair::<R>(&quiet());
    socket.send("last").expect("sends");
    drop(socket);
    assert_eq!(words(&peer.rest()), "text last, close 1001");
}

// 6455-7.3-03
#[test]
fn dropping_an_open_websocket_sends_1001() {
    says_that_it_goes::<Server>();
    says_that_it_goes::<TestClient>();
}

// T13: 6455-7.1.1-01
#[test]
fn dropping_a_websocket_with_unread_input_does_not_reset_its_close() {
    let (socket, mut peer) = pair::<Server>(&quiet());
    let unread: Vec<u8> = (0..2000).flat_map(|_| peer.frame(0x81, b"unread")).collect();
    peer.write(&unread);
    drop(socket);
    assert_eq!(words(&peer.rest()), "close 1001");
}

#[test]
fn dropping_a_websocket_after_its_end_sends_nothing_more() {
    let (mut socket, mut peer) = pair::<Server>(&quiet());
    peer.close(1000, "");
    peer.end();
    let task = spawn(move || {
        closed(socket.receive(&mut Inbox::new()).map(owned).expect_err("closed"));
        drop(socket);
    });
    task.join();
    assert_eq!(words(&peer.rest()), "close 1000");
}

#[test]
fn dropping_while_the_peer_does_not_read_does_not_block() {
    let (socket, peer) = pair::<Server>(&quiet());
    // The transport is full: one Close more does not fit.
    socket.get_ref().set_nonblocking(true).expect("nonblocking");
    let large = vec![0; 1 << 20];
    let mut writer = socket.get_ref();
    while writer.write(&large).is_ok() {}
    socket.get_ref().set_nonblocking(false).expect("blocking");
    spawn(move || drop(socket)).join();
    drop(peer);
}

#[test]
fn abort_sends_nothing() {
    let (socket, mut peer) = pair::<Server>(&quiet());
    let closed = socket.abort();
    assert_eq!((closed.code(), closed.cause()), (CloseCode::ABNORMAL, Cause::Aborted));
    assert!(!closed.is_clean());
    assert_eq!(words(&peer.rest()), "");
}

/// A frame that breaks a rule, as this end's peer sends it, and its code.
fn bad_frames<R: End>() -> Vec<(Vec<u8>, u16)> {
    let masked = |bytes: &[u8], first| frame(first, bytes, R::PEER_KEY);
    let wrong_mask = if R::PEER_KEY.is_some() { None } else { Server::PEER_KEY };
    vec![
        (masked(b"x", 0x83), 1002),
        (masked(b"x", 0xc1), 1002),
        (masked(b"x", 0x80), 1002),
        (frame(0x81, b"x", wrong_mask), 1002),
        (masked(b"\xf4\x90", 0x81), 1007),
        (masked(b"\x03\xed", 0x88), 1002),
        (masked(&[0; 101], 0x82), 1009),
    ]
}

/// P4: what came before the bad frame is delivered and answered, then comes the
/// Close, and all that before the call returns.
fn fails_properly<R: End>() {
    for (bad, code) in bad_frames::<R>() {
        let (socket, mut peer) = pair::<R>(&quiet().message_len_max(100));
        let before = [peer.frame(0x81, b"before"), peer.frame(0x89, b"1"), peer.frame(0x89, b"2")];
        let all = [&before.concat()[..], &bad, &peer.frame(0x81, b"behind")].concat();
        peer.write(&all);
        peer.end();
        let (texts, error) = spawn(|| receive_all(socket)).join();
        assert_eq!(texts, ["before"]);
        let Error::Failed(failure) = error else { panic!("{error:?}") };
        assert_eq!(failure.code().number(), code);
        // The call has returned: everything must be here.
        assert_eq!(words(&peer.arrived()), format!("pong 1, pong 2, close {code}"));
    }
}

// 6455-7.1.7-05
#[test]
fn a_failure_is_reported_after_its_close_was_written() {
    fails_properly::<Server>();
    fails_properly::<TestClient>();
}

fn drains<R: End>() {
    let (socket, mut peer) = pair::<R>(&quiet());
    let task = spawn(|| receive_all(socket));
    peer.text("before");
    let bad = peer.frame(0x83, b"");
    peer.write(&bad);
    let more = peer.frame(0x82, &[0; 1000]);
    for _ in 0..32 {
        peer.write(&more);
    }
    // Only now does it read: our Close and the end, and no reset.
    assert_eq!(words(&peer.rest()), "close 1002");
    drop(peer);
    let (texts, error) = task.join();
    assert_eq!(texts, ["before"]);
    assert!(matches!(error, Error::Failed(_)));
}

// T13: 6455-7.1.1-01
#[test]
fn a_peer_that_still_writes_after_its_bad_frame_gets_the_close_and_no_reset() {
    drains::<Server>();
    drains::<TestClient>();
}

// T13
#[test]
fn a_peer_that_writes_for_ever_after_its_bad_frame_is_dropped() {
    let (socket, mut peer) = pair::<Server>(&quiet());
    let task = spawn(|| receive_all(socket).1);
    let bad = peer.frame(0x83, b"");
    peer.write(&bad);
    write_until_dropped(&mut peer.stream);
    assert!(matches!(task.join(), Error::Failed(_)));
}

fn ends_without_the_peer<R: End>(last: &[u8], expected: &str) {
    let (socket, mut peer) = pair::<R>(&quiet());
    let started = Instant::now();
    let task = spawn(|| receive_all(socket).1);
    peer.write(last);
    // The peer goes on living, and neither writes nor ends anything.
    assert_eq!(words(&peer.rest()), expected);
    let error = task.join();
    assert!(started.elapsed() >= Duration::from_millis(900), "it had its second to end in");
    match error {
        Error::Closed(closed) => assert!(closed.is_clean()),
        Error::Failed(failure) => assert_eq!(failure.code().number(), 1002),
        error => panic!("{error:?}"),
    }
}

// T13
#[test]
fn a_server_waits_for_a_silent_peers_end_but_not_for_long() {
    let close = frame(0x88, b"\x03\xe8", Server::PEER_KEY);
    ends_without_the_peer::<Server>(&close, "close 1000");
}

// T09: 6455-7.1.1-04
#[test]
fn a_client_waits_for_the_servers_end_but_not_for_long() {
    ends_without_the_peer::<TestClient>(&frame(0x88, b"\x03\xe8", None), "close 1000");
}

#[test]
fn a_failed_connection_waits_for_its_peer_but_not_for_long() {
    let bad = frame(0x83, b"", Server::PEER_KEY);
    ends_without_the_peer::<Server>(&bad, "close 1002");
}

// 6455-5.5.1-12, 6455-7.1.1-03, 6455-7.1.1-05: it ends its side, and only then the peer
// says more
#[test]
fn a_server_ends_the_transport_at_once_and_first() {
    let (mut socket, mut peer) = pair::<Server>(&quiet());
    let task = spawn(move || {
        closed(socket.receive(&mut Inbox::new()).map(owned).expect_err("closed"));
        socket.counters().bytes_received
    });
    peer.close(1000, "");
    assert_eq!(words(&peer.rest()), "close 1000");
    peer.text("late");
    peer.end();
    assert_eq!(task.join(), 8 + 10, "the Close, and what came behind it");
}

fn ends_by_itself<R: End>() {
    let (mut socket, mut peer) = pair::<R>(&quiet());
    let bad = peer.frame(0x83, b"");
    peer.write(&bad);
    peer.end();
    let task = spawn(move || (socket.receive(&mut Inbox::new()).map(owned), socket));
    let (failed, socket) = task.join();
    assert!(matches!(failed, Err(Error::Failed(_))));
    assert_eq!(words(&peer.rest()), "close 1002");
    drop(socket);
}

// 6455-7.1.7-01, 6455-7.1.7-03: not only when it is dropped
#[test]
fn a_failed_connection_ends_its_transport() {
    ends_by_itself::<Server>();
    ends_by_itself::<TestClient>();
}

// T09: 6455-5.5.1-13, 6455-7.1.1-03, 6455-7.1.1-06; the server is to end the transport first.
#[test]
fn a_client_does_not_end_the_transport_before_the_server_does() {
    let (socket, mut peer) = pair::<TestClient>(&quiet());
    let task = spawn(|| receive_all(socket).1);
    peer.close(1000, "");
    assert_eq!(words(&[peer.next()]), "close 1000");
    let timeout = Some(Duration::from_millis(30));
    peer.stream.set_read_timeout(timeout).expect("a timeout");
    let read = peer.stream.read(&mut [0]).map_err(|error| error.kind());
    assert_eq!(read, Err(ErrorKind::WouldBlock), "neither bytes nor the end");
    peer.end();
    assert!(closed(task.join()).is_clean());
}

fn ends<R: End>(last: &[u8], cause: Cause) {
    let (socket, mut peer) = pair::<R>(&quiet());
    peer.text("one");
    peer.text("two");
    let ping = peer.frame(0x89, b"owed");
    peer.write(&[&ping, last].concat());
    peer.end();
    let (texts, error) = spawn(|| receive_all(socket)).join();
    assert_eq!(texts, ["one", "two"]);
    let closed = closed(error);
    assert_eq!((closed.code(), closed.cause()), (CloseCode::ABNORMAL, cause));
    assert!(!closed.is_clean());
    // It only stopped sending, and may well have read what it was owed.
    assert_eq!(words(&peer.rest()), "pong owed");
}

// T10
#[test]
fn an_end_without_close_is_1006_and_earlier_messages_are_delivered() {
    ends::<Server>(b"", Cause::TransportEnded);
    ends::<TestClient>(b"", Cause::TransportEnded);
}

// T11
#[test]
fn an_end_inside_a_message_is_truncated_and_nothing_of_it_is_delivered() {
    let parts: [(u8, &[u8]); 2] = [(0x81, b"cut"), (0x01, b"fragment")];
    for (first, payload) in parts {
        for (frame, is_server) in
            [(frame(first, payload, Server::PEER_KEY), true), (frame(first, payload, None), false)]
        {
            let len = if first == 0x01 { frame.len() } else { frame.len() - 1 };
            match is_server {
                true => ends::<Server>(&frame[..len], Cause::Truncated),
                false => ends::<TestClient>(&frame[..len], Cause::Truncated),
            }
        }
    }
}

/// A peer that is gone with a reset: it leaves with bytes of ours unread.
fn reset(mut peer: Peer) {
    // Until there is something that it does not read.
    let peeked = peer.stream.peek(&mut [0]).expect("something unread");
    assert_eq!(peeked, 1);
    peer.stream.flush().expect("nothing to flush");
    drop(peer);
}

// T12
#[cfg(target_os = "linux")]
#[test]
fn a_reset_after_the_peers_close_still_gives_its_code() {
    let (mut socket, mut peer) = pair::<Server>(&quiet());
    socket.send("unread").expect("sends");
    peer.text("before");
    peer.close(4000, "why");
    reset(peer);
    let task = spawn(move || {
        // Whoever sends first finds out.
        while socket.send(text(1 << 16).as_str()).is_ok() {}
        let refused = socket.send("more").expect_err("and stays so");
        assert!(matches!(refused, Error::Io(_)), "{refused:?}");
        receive_all(socket)
    });
    let (texts, error) = task.join();
    assert_eq!(texts, ["before"]);
    let closed = closed(error);
    assert_eq!((closed.code().number(), closed.reason()), (4000, "why"));
}

// T12
#[cfg(target_os = "linux")]
#[test]
fn closing_a_connection_that_the_peer_closed_and_reset_gives_its_code() {
    let (mut socket, mut peer) = pair::<Server>(&quiet());
    socket.send("unread").expect("sends");
    peer.close(4000, "why");
    reset(peer);
    let task = spawn(move || {
        while socket.send("x").is_ok() {}
        socket.close(&mut Inbox::new(), CloseCode::NORMAL, "").expect("it says how it ended")
    });
    assert_eq!(task.join().code().number(), 4000);
}

// T12
#[test]
fn a_reset_without_close_is_no_clean_end() {
    let (mut socket, peer) = pair::<Server>(&quiet());
    socket.send("unread").expect("sends");
    reset(peer);
    let task = spawn(move || {
        let mut inbox = Inbox::new();
        let first = socket.receive(&mut inbox).map(owned).expect_err("reset");
        let second = socket.receive(&mut inbox).map(owned).expect_err("reset");
        (first, second)
    });
    let (first, second) = task.join();
    assert!(matches!(&first, Error::Io(error) if error.kind() == ErrorKind::ConnectionReset));
    let closed = closed(second);
    assert_eq!((closed.code(), closed.cause()), (CloseCode::ABNORMAL, Cause::TransportReset));
}

fn gives_up<R: End>() -> Closed {
    let (mut socket, mut peer) = pair::<R>(&quiet().close_timeout(Duration::from_millis(30)));
    let task: Task<Closed> = spawn(move || {
        socket.close(&mut Inbox::new(), CloseCode::NORMAL, "bye").expect("says how it went")
    });
    // It reads, it even talks, and does not answer.
    peer.text("something else");
    assert_eq!(words(&peer.rest()), "close 1000 bye");
    task.join()
}

// T08
#[test]
fn a_close_without_answer_is_given_up_at_its_deadline() {
    for closed in [gives_up::<Server>(), gives_up::<TestClient>()] {
        assert!(!closed.is_clean());
        assert_eq!((closed.code(), closed.cause()), (CloseCode::ABNORMAL, Cause::CloseTimeout));
        assert_eq!(closed.closure().sent(), Some(CloseCode::NORMAL));
    }
}

// T08
#[test]
fn the_time_to_answer_a_close_begins_with_the_close() {
    let timeout = Duration::from_millis(40);
    let answer = frame(0x88, b"\x03\xe8", Server::PEER_KEY);
    // The peer needs more than the first look at the transport.
    let script = [Step::Error(ErrorKind::WouldBlock), Step::Bytes(answer)];
    let mut socket = open::<Server, _>(Scripted::new(script), &quiet().close_timeout(timeout));
    busy_until_past(2 * timeout);
    let closed = socket.close(&mut Inbox::new(), CloseCode::NORMAL, "").expect("closes");
    assert!(closed.is_clean(), "{closed:?}");
}

#[test]
fn closing_while_the_peer_sends_a_lot_ends_with_its_close() {
    let (mut socket, mut peer) = pair::<TestClient>(&quiet());
    let mut stream = peer.stream.try_clone().expect("clone");
    let (large, close) = (peer.frame(0x82, &vec![1; 1 << 20]), peer.frame(0x88, b"\x03\xe8"));
    let write = spawn(move || {
        for _ in 0..4 {
            stream.write_all(&large).expect("the other end reads");
        }
        stream.write_all(&close).expect("the other end reads");
    });
    let task = spawn(move || {
        let mut inbox = Inbox::new();
        socket.receive(&mut inbox).map(owned).expect("the first");
        let closed = socket.close(&mut inbox, CloseCode::NORMAL, "").expect("closes");
        (closed, socket.counters())
    });
    write.join();
    assert_eq!(words(&[peer.next()]), "close 1000");
    peer.end();
    let (closed, counters) = task.join();
    assert!(closed.is_clean());
    assert_eq!(counters.frames_received, 5);
}

// F29
#[test]
fn crossed_closes_are_a_clean_end() {
    let (mut socket, mut peer) = pair::<Server>(&quiet());
    peer.close(4001, "mine");
    peer.end();
    let task = spawn(move || socket.close(&mut Inbox::new(), CloseCode::new(4000), "ours"));
    let closed = task.join().expect("closes");
    assert_eq!(words(&peer.rest()), "close 4000 ours");
    assert!(closed.is_clean());
    assert_eq!((closed.code().number(), closed.reason()), (4001, "mine"));
}

#[test]
fn a_failure_while_closing_is_told() {
    let (mut socket, mut peer) = pair::<Server>(&Config::new());
    let task = spawn(move || socket.close(&mut Inbox::new(), CloseCode::NORMAL, ""));
    assert_eq!(words(&[peer.next()]), "close 1000");
    let bad = peer.frame(0x83, b"");
    peer.write(&bad);
    peer.end();
    // §5.5.1: one Close, and that was the one.
    assert_eq!(words(&peer.rest()), "");
    assert!(matches!(task.join(), Err(Error::Failed(_))));
}
