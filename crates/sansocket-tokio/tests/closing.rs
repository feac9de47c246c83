//! How connections end: closing handshakes, failures, ends and resets of the transport, and
//! sockets that are let go of.

mod support;

use std::io::ErrorKind;
use std::time::Duration;

use sansocket::adapter::{Closed, Error};
use sansocket::{
    Cause, CloseCode, Config, Fin, Inbox, Kind, Message, Replies, SendError, Server, State,
};
use sansocket_tokio::WebSocket;
use support::{
    End, Fault, TestClient, Wire, closed, frame, open, owned, pair, quiet, read_frames, settle,
    soon, text, words,
};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Room for everything.
const WIDE: usize = 1 << 20;

/// Receives to the end, and checks that it stays the end.
async fn receive_all<R: End>(mut socket: WebSocket<DuplexStream, R>) -> (Vec<String>, Error) {
    let (mut inbox, mut texts) = (Inbox::new(), Vec::new());
    loop {
        match soon(socket.receive(&mut inbox)).await {
            Ok(Message::Text(text)) => texts.push(text.to_owned()),
            Ok(Message::Binary(bytes)) => texts.push(format!("{} bytes", bytes.len())),
            Err(error) => {
                check_is_over(&mut socket, &mut inbox, &error).await;
                return (texts, error);
            }
        }
    }
}

/// Every later call gives the same error, and nothing can be sent.
async fn check_is_over<R: End>(
    socket: &mut WebSocket<DuplexStream, R>,
    inbox: &mut Inbox,
    error: &Error,
) {
    for _ in 0..2 {
        let again = soon(socket.receive(inbox)).await.map(owned).expect_err("it is over");
        assert_eq!(format!("{again:?}"), format!("{error:?}"));
        let again = soon(socket.receive_piece(inbox)).await.map(drop).expect_err("it is over");
        assert_eq!(format!("{again:?}"), format!("{error:?}"));
        let sender = socket.sender().clone();
        for refused in [
            soon(sender.send("late")).await,
            soon(sender.feed("late")).await,
            sender.try_send("late"),
            soon(sender.ping(b"late")).await,
            soon(sender.send_fragment(Kind::Text, Fin::Last, b"late")).await,
            soon(sender.close(CloseCode::NORMAL, "")).await,
        ] {
            let refused = refused.expect_err("it is over");
            let is_over = matches!(refused, Error::Send(SendError::Closed) | Error::Io(_));
            assert!(is_over || matches!(refused, Error::WriteStalled), "{refused:?}");
        }
    }
    assert!(matches!(socket.state(), State::Closed | State::Failed));
}

fn receiving<R: End>(socket: WebSocket<DuplexStream, R>) -> JoinHandle<(Vec<String>, Error)> {
    tokio::spawn(receive_all(socket))
}

async fn closes_cleanly<R: End>() {
    let (mut socket, mut peer) = pair::<R>(&quiet(), WIDE);
    let task = tokio::spawn(async move {
        let mut inbox = Inbox::new();
        let closed =
            soon(socket.close(&mut inbox, CloseCode::new(4000), "bye")).await.expect("closes");
        // A second call says the same, with whatever it asks for.
        let again = soon(socket.close(&mut inbox, CloseCode::NORMAL, "")).await;
        assert_eq!(again.expect("it is closed"), closed);
        check_is_over(&mut socket, &mut inbox, &Error::Closed(closed.clone())).await;
        closed
    });
    assert_eq!(words(&[peer.next().await]), "close 4000 bye");
    peer.text("on its way already").await;
    peer.send(0x89, b"and a Ping").await;
    peer.close(4001, "well then").await;
    peer.end().await;
    assert_eq!(words(&peer.rest().await), "pong and a Ping");
    let closed = task.await.expect("closed");
    assert!(closed.is_clean());
    assert_eq!((closed.code().number(), closed.reason()), (4001, "well then"));
    assert_eq!(closed.closure().sent(), Some(CloseCode::new(4000)));
}

// 6455-7.1.2-01, 6455-7.1.6-01, 6455-7.3-03
#[tokio::test(start_paused = true)]
async fn close_sends_a_close_and_returns_the_answer_of_the_peer() {
    closes_cleanly::<Server>().await;
    closes_cleanly::<TestClient>().await;
}

async fn goes_on_receiving<R: End>() {
    let (socket, mut peer) = pair::<R>(&quiet(), WIDE);
    socket.close_send(CloseCode::NORMAL, "").await.expect("sends");
    assert_eq!(socket.state(), State::CloseSent);
    let refused = socket.send("late").await.expect_err("closing");
    assert!(matches!(refused, Error::Send(SendError::Closed)));
    let refused = socket.close_send(CloseCode::NORMAL, "").await.expect_err("a second Close");
    assert!(matches!(refused, Error::Send(SendError::Closed)));
    let task = receiving(socket);
    assert_eq!(words(&[peer.next().await]), "close 1000");
    peer.text("one").await;
    peer.send(0x01, b"t").await;
    peer.send(0x80, b"wo").await;
    peer.send(0x88, b"").await;
    peer.end().await;
    assert_eq!(words(&peer.rest().await), "");
    let (texts, error) = task.await.expect("closed");
    assert_eq!(texts, ["one", "two"]);
    let closed = closed(error);
    assert!(closed.is_clean());
    assert_eq!((closed.code(), closed.reason()), (CloseCode::NO_STATUS, ""));
}

// F23: 6455-7.1.5-02, 6455-7.1.6-02
#[tokio::test(start_paused = true)]
async fn after_close_send_messages_are_still_received() {
    goes_on_receiving::<Server>().await;
    goes_on_receiving::<TestClient>().await;
}

#[tokio::test(start_paused = true)]
async fn closing_goes_on_from_a_close_that_a_sender_sent() {
    let (mut socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    socket.sender().close(CloseCode::new(4000), "").await.expect("open");
    peer.close(4000, "").await;
    peer.end().await;
    let mut inbox = Inbox::new();
    let closed = soon(socket.close(&mut inbox, CloseCode::NORMAL, "")).await.expect("closes");
    assert!(closed.is_clean());
    assert_eq!(closed.closure().sent(), Some(CloseCode::new(4000)));
    assert_eq!(words(&peer.rest().await), "close 4000");
}

#[tokio::test(start_paused = true)]
async fn a_close_that_may_not_be_sent_changes_nothing() {
    // F30
    let (mut socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    let mut inbox = Inbox::new();
    for (code, reason) in [(1005, ""), (1010, ""), (999, ""), (1000, "x".repeat(124).as_str())] {
        let refused = soon(socket.close(&mut inbox, CloseCode::new(code), reason))
            .await
            .expect_err("refused");
        assert!(
            matches!(
                refused,
                Error::Send(SendError::CloseCode { .. } | SendError::ReasonTooLong { len: 124 })
            ),
            "{refused:?}"
        );
        assert_eq!(socket.state(), State::Open);
    }
    socket.send("still open").await.expect("sends");
    assert_eq!(words(&[peer.next().await]), "text still open");
}

/// The peer's Close, and how it is answered by an end in the role `R`.
async fn answers_close<R: End>(body: &[u8], answer: &str, code: u16, reason: &str) {
    let (socket, mut peer) = pair::<R>(&quiet(), WIDE);
    peer.text("before").await;
    peer.send(0x89, b"owed").await;
    peer.send(0x01, b"unfinished").await;
    let close = [peer.frame(0x88, body), peer.frame(0x81, b"behind")].concat();
    peer.write(&close).await;
    peer.end().await;
    let (texts, error) = receive_all(socket).await;
    assert_eq!(texts, ["before"]);
    assert_eq!(words(&peer.rest().await), format!("pong owed, {answer}"));
    let closed = closed(error);
    assert!(closed.is_clean());
    assert_eq!((closed.code().number(), closed.reason()), (code, reason));
}

// F23, F26, F28, F31: 6455-5.5.1-09, 6455-7.1.6-01, iana-close-codes-04
#[tokio::test(start_paused = true)]
async fn the_peers_close_is_answered_with_its_code_and_reason() {
    for (body, answer, code, reason) in [
        (&b"\x03\xe8"[..], "close 1000", 1000, ""),
        (b"\x03\xe9going", "close 1001 going", 1001, "going"),
        (b"\x13\x87\xc3\xa9", "close 4999 \\xc3\\xa9", 4999, "\u{e9}"),
        (b"", "close", 1005, ""),
    ] {
        answers_close::<Server>(body, answer, code, reason).await;
        answers_close::<TestClient>(body, answer, code, reason).await;
    }
    // A code that is not ours to send is echoed by the engine, without its reason.
    answers_close::<TestClient>(b"\x03\xf4again", "close 1012", 1012, "again").await;
}

#[tokio::test(start_paused = true)]
async fn the_peers_close_is_answered_when_replies_are_left_to_the_adapters_caller_too() {
    for (body, answer) in [(&b"\x03\xe8bye"[..], "close 1000 bye"), (b"", "close")] {
        let (socket, mut peer) = pair::<Server>(&quiet().replies(Replies::Manual), WIDE);
        peer.send(0x88, body).await;
        peer.end().await;
        let (_, error) = receive_all(socket).await;
        assert_eq!(words(&peer.rest().await), answer);
        assert!(closed(error).is_clean());
    }
}

// F29
#[tokio::test(start_paused = true)]
async fn crossed_closes_are_a_clean_end() {
    let (mut socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    peer.close(4001, "mine").await;
    peer.end().await;
    let closed = soon(socket.close(&mut Inbox::new(), CloseCode::new(4000), "ours")).await;
    let closed = closed.expect("closes");
    assert_eq!(words(&peer.rest().await), "close 4000 ours");
    assert!(closed.is_clean());
    assert_eq!((closed.code().number(), closed.reason()), (4001, "mine"));
    assert_eq!(closed.closure().sent(), Some(CloseCode::new(4000)));
}

async fn says_that_it_goes<R: End>() {
    let (socket, mut peer) = pair::<R>(&quiet(), WIDE);
    socket.feed("last").await.expect("sends");
    drop(socket);
    assert_eq!(words(&peer.rest().await), "text last, close 1001");

    // A sender that lives on keeps nothing open, and does not wait for ever.
    let (socket, mut peer) = pair::<R>(&quiet(), WIDE);
    let (receiver, sender) = socket.split();
    drop(receiver);
    assert_eq!(words(&peer.rest().await), "close 1001");
    for refused in [
        soon(sender.send("late")).await,
        soon(sender.feed("late")).await,
        sender.try_send("late"),
        soon(sender.flush()).await,
        soon(sender.close(CloseCode::NORMAL, "")).await,
    ] {
        let refused = refused.expect_err("nobody receives");
        assert!(matches!(refused, Error::Io(_) | Error::Send(SendError::Closed)), "{refused:?}");
    }
}

// 6455-7.3-03
#[tokio::test(start_paused = true)]
async fn dropping_an_open_websocket_sends_1001() {
    says_that_it_goes::<Server>().await;
    says_that_it_goes::<TestClient>().await;
}

#[tokio::test(start_paused = true)]
async fn dropping_a_websocket_after_its_end_sends_nothing_more() {
    let (mut socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    peer.close(1000, "").await;
    peer.end().await;
    closed(soon(socket.receive(&mut Inbox::new())).await.map(owned).expect_err("closed"));
    drop(socket);
    assert_eq!(words(&peer.rest().await), "close 1000");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_receiver_frees_senders_that_wait() {
    let (socket, peer) = pair::<Server>(&quiet(), 100);
    let (receiver, sender) = socket.split();
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let sender = sender.clone();
            tokio::spawn(async move {
                let large = text(1 << 17);
                while sender.send(&large[..]).await.is_ok() {}
            })
        })
        .collect();
    settle().await;
    drop(receiver);
    for task in tasks {
        soon(task).await.expect("it ended");
    }
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn dropping_all_senders_leaves_the_receiver_as_it_is() {
    let (socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    let (mut receiver, sender) = socket.split();
    drop(sender.clone());
    drop(sender);
    peer.send(0x89, b"still there?").await;
    peer.text("Hello").await;
    let mut inbox = Inbox::new();
    assert_eq!(receiver.receive(&mut inbox).await.expect("a message"), Message::Text("Hello"));
    assert_eq!(words(&[peer.next().await]), "pong still there?");
    assert_eq!(receiver.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn abort_sends_nothing() {
    let (socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    let closed = socket.abort();
    assert_eq!((closed.code(), closed.cause()), (CloseCode::ABNORMAL, Cause::Aborted));
    assert!(!closed.is_clean());
    assert_eq!(words(&peer.rest().await), "");
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

/// P4: what came before the bad frame is delivered and answered, then comes the Close, and all
/// that before the call returns.
async fn fails_properly<R: End>() {
    for (bad, code) in bad_frames::<R>() {
        let key = R::PEER_KEY;
        let before =
            [frame(0x81, b"before", key), frame(0x89, b"1", key), frame(0x89, b"2", key)].concat();
        let wire = Wire::new::<R>([(0, [before, bad, frame(0x81, b"behind", key)].concat())]);
        let mut socket = open::<R, _>(wire.clone(), &quiet().message_len_max(100));
        let mut inbox = Inbox::new();
        assert_eq!(socket.receive(&mut inbox).await.expect("valid"), Message::Text("before"));
        let error = soon(socket.receive(&mut inbox)).await.map(owned).expect_err("a bad frame");
        let Error::Failed(failure) = error else { panic!("{error:?}") };
        assert_eq!(failure.code().number(), code);
        // The call has returned: everything must be there.
        let written = words(&read_frames(&wire.written(), R::MASKS));
        assert_eq!(written, format!("pong 1, pong 2, close {code}"));
        assert!(wire.is_ended());
    }
}

// 6455-7.1.7-05
#[tokio::test(start_paused = true)]
async fn a_failure_is_reported_after_its_close_was_written() {
    fails_properly::<Server>().await;
    fails_properly::<TestClient>().await;
}

// T13: 6455-7.1.1-01
#[tokio::test(start_paused = true)]
async fn a_peer_that_writes_for_ever_after_its_bad_frame_is_dropped() {
    let (socket, mut peer) = pair::<Server>(&quiet(), 4096);
    let task = receiving(socket);
    let bad = peer.frame(0x83, b"");
    peer.write(&bad).await;
    let error = soon(async {
        loop {
            if let Err(error) = tokio::io::AsyncWriteExt::write(&mut peer.stream, &[0; 4096]).await
            {
                return error.kind();
            }
        }
    });
    assert_eq!(error.await, ErrorKind::BrokenPipe);
    assert!(matches!(task.await.expect("ended").1, Error::Failed(_)));
    assert_eq!(words(&peer.rest().await), "close 1002");
}

async fn ends_without_the_peer<R: End>(last: Vec<u8>, expected: &str) {
    let (socket, mut peer) = pair::<R>(&quiet(), WIDE);
    let started = Instant::now();
    peer.write(&last).await;
    // The peer goes on living, and neither writes nor ends anything.
    let (_, error) = receive_all(socket).await;
    assert_eq!(started.elapsed().as_millis(), 1_000, "it had its second to end in");
    assert_eq!(words(&peer.rest().await), expected);
    match error {
        Error::Closed(closed) => assert!(closed.is_clean()),
        Error::Failed(failure) => assert_eq!(failure.code().number(), 1002),
        error => panic!("{error:?}"),
    }
}

// T09, T13: 6455-7.1.1-04
#[tokio::test(start_paused = true)]
async fn the_end_of_a_silent_peer_is_waited_for_but_not_for_long() {
    let key = Server::PEER_KEY;
    ends_without_the_peer::<Server>(frame(0x88, b"\x03\xe8", key), "close 1000").await;
    ends_without_the_peer::<TestClient>(frame(0x88, b"\x03\xe8", None), "close 1000").await;
    ends_without_the_peer::<Server>(frame(0x83, b"", key), "close 1002").await;
    ends_without_the_peer::<TestClient>(frame(0x83, b"", None), "close 1002").await;
}

// T09: 6455-5.5.1-13, 6455-7.1.1-03, 6455-7.1.1-06; the server is to end the transport first.
#[tokio::test(start_paused = true)]
async fn a_client_does_not_end_the_transport_before_the_server_does() {
    let wire = Wire::new::<TestClient>([(0, frame(0x88, b"\x03\xe8", None))]).stays();
    let socket = open::<TestClient, _>(wire.clone(), &quiet());
    let (mut receiver, _sender) = socket.split();
    let task = tokio::spawn(async move { receiver.receive(&mut Inbox::new()).await.map(owned) });
    settle().await;
    assert_eq!(words(&wire.heard()), "close 1000");
    assert!(!wire.is_ended() && !task.is_finished());
    assert!(closed(soon(task).await.expect("ended").expect_err("closed")).is_clean());
}

async fn ends<R: End>(last: &[u8], cause: Cause) {
    let (socket, mut peer) = pair::<R>(&quiet(), WIDE);
    peer.text("one").await;
    peer.text("two").await;
    let ping = peer.frame(0x89, b"owed");
    peer.write(&[&ping, last].concat()).await;
    peer.end().await;
    let (texts, error) = receive_all(socket).await;
    assert_eq!(texts, ["one", "two"]);
    let closed = closed(error);
    assert_eq!((closed.code(), closed.cause()), (CloseCode::ABNORMAL, cause));
    assert!(!closed.is_clean());
    // It only stopped sending, and may well have read what it was owed.
    assert_eq!(words(&peer.rest().await), "pong owed");
}

// T10
#[tokio::test(start_paused = true)]
async fn an_end_without_close_is_1006_and_earlier_messages_are_delivered() {
    ends::<Server>(b"", Cause::TransportEnded).await;
    ends::<TestClient>(b"", Cause::TransportEnded).await;
}

// T11
#[tokio::test(start_paused = true)]
async fn an_end_inside_a_message_is_truncated_and_nothing_of_it_is_delivered() {
    ends::<Server>(&frame(0x81, b"cut", Server::PEER_KEY)[..8], Cause::Truncated).await;
    ends::<TestClient>(&frame(0x81, b"cut", None)[..4], Cause::Truncated).await;
    ends::<Server>(&frame(0x01, b"fragment", Server::PEER_KEY), Cause::Truncated).await;
    ends::<TestClient>(&frame(0x01, b"fragment", None), Cause::Truncated).await;
}

// T12
#[tokio::test(start_paused = true)]
async fn a_reset_is_no_clean_end() {
    let wire = Wire::new::<Server>([(0, frame(0x81, b"before", Server::PEER_KEY))]).stays();
    let mut socket = open::<Server, _>(wire.clone(), &quiet());
    let mut inbox = Inbox::new();
    assert_eq!(socket.receive(&mut inbox).await.expect("it came"), Message::Text("before"));
    wire.fail_now(Fault::Error(ErrorKind::ConnectionReset));
    let first = soon(socket.receive(&mut inbox)).await.map(owned).expect_err("reset");
    assert!(matches!(&first, Error::Io(error) if error.kind() == ErrorKind::ConnectionReset));
    let second = soon(socket.receive(&mut inbox)).await.map(owned).expect_err("reset");
    let closed = closed(second);
    assert_eq!((closed.code(), closed.cause()), (CloseCode::ABNORMAL, Cause::TransportReset));
}

// T12: what the peer said before is worth more than that it cannot be written to.
#[tokio::test(start_paused = true)]
async fn closing_a_connection_that_the_peer_closed_and_left_gives_its_code() {
    let (mut socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    peer.close(4000, "why").await;
    drop(peer);
    let refused = soon(socket.send("x")).await.expect_err("nobody reads");
    assert!(matches!(refused, Error::Io(_)));
    let closed = soon(socket.close(&mut Inbox::new(), CloseCode::NORMAL, "")).await;
    assert_eq!(closed.expect("an end").code().number(), 4000);
}

// T08
#[tokio::test(start_paused = true)]
async fn closing_a_connection_that_cannot_be_written_to_ends_at_the_close_deadline() {
    let wire = Wire::new::<Server>([]).stays();
    let mut socket = open::<Server, _>(wire.clone(), &quiet());
    wire.fail_now(Fault::Deaf);
    assert!(matches!(soon(socket.send("x")).await, Err(Error::Io(_))));
    let started = Instant::now();
    let closed = soon(socket.close(&mut Inbox::new(), CloseCode::NORMAL, "")).await;
    assert!(!closed.expect("an end").is_clean());
    assert!(started.elapsed() <= Duration::from_secs(6));
}

// The same, found out only by the Close itself.
#[tokio::test(start_paused = true)]
async fn a_close_that_cannot_be_written_is_given_up_at_its_deadline() {
    let wire = Wire::new::<Server>([]).stays().fault(0, Fault::Deaf);
    let mut socket = open::<Server, _>(wire, &quiet());
    let started = Instant::now();
    let closed = soon(socket.close(&mut Inbox::new(), CloseCode::NORMAL, "")).await;
    assert_eq!(closed.expect("an end").cause(), Cause::CloseTimeout);
    assert_eq!(started.elapsed().as_secs(), 5);
}

async fn gives_up<R: End>() -> Closed {
    let (mut socket, mut peer) = pair::<R>(&Config::new(), WIDE);
    // It talks, and does not answer.
    peer.text("something else").await;
    let started = Instant::now();
    let closed = soon(socket.close(&mut Inbox::new(), CloseCode::NORMAL, "bye")).await;
    assert_eq!(started.elapsed().as_secs(), 5);
    assert_eq!(words(&peer.rest().await), "close 1000 bye");
    closed.expect("says how it went")
}

// T08
#[tokio::test(start_paused = true)]
async fn a_close_without_answer_is_given_up_at_its_deadline() {
    for closed in [gives_up::<Server>().await, gives_up::<TestClient>().await] {
        assert!(!closed.is_clean());
        assert_eq!((closed.code(), closed.cause()), (CloseCode::ABNORMAL, Cause::CloseTimeout));
        assert_eq!(closed.closure().sent(), Some(CloseCode::NORMAL));
    }
}

// T08: the time runs from the Close, not from when the receiver last looked.
#[tokio::test(start_paused = true)]
async fn the_time_to_answer_a_close_begins_with_the_close() {
    let (socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    let (mut receiver, sender) = socket.split();
    tokio::time::sleep(Duration::from_secs(600)).await;
    sender.close(CloseCode::NORMAL, "").await.expect("open");
    let task = tokio::spawn(async move { receiver.receive(&mut Inbox::new()).await.map(owned) });
    tokio::time::sleep(Duration::from_secs(4)).await;
    peer.close(1000, "").await;
    peer.end().await;
    assert!(closed(soon(task).await.expect("ended").expect_err("closed")).is_clean());
}

#[tokio::test(start_paused = true)]
async fn closing_while_the_peer_sends_a_lot_ends_with_its_close() {
    let (mut socket, mut peer) = pair::<TestClient>(&quiet(), 4096);
    let talk = tokio::spawn(async move {
        let large = peer.frame(0x82, &vec![1; 1 << 20]);
        for _ in 0..4 {
            peer.write(&large).await;
        }
        peer.close(1000, "").await;
        peer.end().await;
        peer.rest().await
    });
    let mut inbox = Inbox::new();
    soon(socket.receive(&mut inbox)).await.map(owned).expect("the first");
    let closed = soon(socket.close(&mut inbox, CloseCode::NORMAL, "")).await.expect("closes");
    assert!(closed.is_clean());
    assert_eq!(socket.counters().frames_received, 5);
    assert_eq!(words(&talk.await.expect("said")), "close 1000");
}

#[tokio::test(start_paused = true)]
async fn a_failure_while_closing_is_told() {
    let (mut socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    let bad = peer.frame(0x83, b"");
    peer.write(&bad).await;
    peer.end().await;
    let failed = soon(socket.close(&mut Inbox::new(), CloseCode::NORMAL, "")).await;
    assert!(matches!(failed, Err(Error::Failed(_))));
    // §5.5.1: one Close, and that was the one.
    assert_eq!(words(&peer.rest().await), "close 1000");
}

// 6455-5.5.1-08
#[tokio::test(start_paused = true)]
async fn the_peers_close_is_answered_with_code_and_reason_beside_a_busy_sender() {
    for replies in [Replies::Automatic, Replies::Manual] {
        let (socket, mut peer) = pair::<Server>(&quiet().replies(replies), 4096);
        let sender = socket.sender().clone();
        let task = receiving(socket);
        let sending = tokio::spawn(async move { while sender.send("busy").await.is_ok() {} });
        peer.next().await;
        peer.close(4000, "enough").await;
        let last = peer.rest().await.pop().expect("a Close at least");
        assert_eq!(last.in_words(), "close 4000 enough");
        drop(peer);
        soon(sending).await.expect("it ended");
        let closed = closed(soon(task).await.expect("ended").1);
        assert!(closed.is_clean());
        assert_eq!(closed.closure().sent(), Some(CloseCode::new(4000)));
    }
}

// P4, with a sender in the way that then goes on.
#[tokio::test(start_paused = true)]
async fn a_failure_while_a_sender_waits_is_told_behind_its_message() {
    const LARGE: usize = 1 << 20;
    let (socket, mut peer) = pair::<Server>(&quiet(), 1000);
    let sender = socket.sender().clone();
    let sending = tokio::spawn(async move {
        let first = sender.send(text(LARGE).as_str()).await.is_ok();
        (first, sender.send("late").await.is_ok())
    });
    settle().await;
    let bad = peer.frame(0x83, b"");
    peer.write(&bad).await;
    let task = receiving(socket);
    assert_eq!(peer.next().await.payload.len(), LARGE);
    assert_eq!(words(&peer.rest().await), "close 1002");
    drop(peer);
    let (_, error) = soon(task).await.expect("ended");
    assert!(matches!(error, Error::Failed(failure) if failure.code().number() == 1002));
    assert_eq!(soon(sending).await.expect("ended"), (true, false));
}

#[tokio::test(start_paused = true)]
async fn a_failure_frees_a_sender_whose_peer_does_not_read() {
    let (socket, mut peer) = pair::<Server>(&quiet(), 1000);
    let sender = socket.sender().clone();
    let sending = tokio::spawn(async move { sender.send(text(1 << 20).as_str()).await });
    settle().await;
    let bad = peer.frame(0x83, b"");
    peer.write(&bad).await;
    let started = Instant::now();
    let (_, error) = receive_all(socket).await;
    assert!(matches!(error, Error::Failed(_)), "{error:?}");
    assert_eq!(started.elapsed().as_secs(), 1);
    let refused = soon(sending).await.expect("ended").expect_err("it was not taken");
    assert!(matches!(refused, Error::Io(_) | Error::WriteStalled), "{refused:?}");
    drop(peer);
}

// A receiver whose future is dropped while the connection ends has still said its Close.
#[tokio::test(start_paused = true)]
async fn dropping_a_websocket_in_the_middle_of_its_end_loses_no_close() {
    let (mut socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    let bad = peer.frame(0x83, b"");
    peer.write(&bad).await;
    let mut inbox = Inbox::new();
    tokio::select! {
        biased;
        _ = socket.receive(&mut inbox) => panic!("the peer has a second to end in"),
        () = settle() => {}
    }
    drop(socket);
    assert_eq!(words(&peer.rest().await), "close 1002");
}
