//! Transports that give and take little, or fail, at every call in turn: nothing
//! is lost, nothing is sent twice, and nothing hangs.

mod support;

use std::io::ErrorKind;

use sansocket::{Inbox, KeepAlive, Kind, Message, Role, Server};
use sansocket_net::{
    AcceptOptions, ConnectOptions, Decision, Error, Settings, Transport, WebSocket, accept_with,
    connect_over,
};
use support::{
    End, Fault, Frame, REQUEST, Scripted, Step, TestClient, frame, open, quiet, read_frames, spawn,
    text, upgrade_response, words,
};

/// Faults after which a call is to be made again.
const HARMLESS: [Fault; 3] = [
    Fault::Error(ErrorKind::Interrupted),
    Fault::Error(ErrorKind::WouldBlock),
    Fault::Error(ErrorKind::TimedOut),
];

/// Faults after which nothing more can be expected.
const FATAL: [Fault; 3] =
    [Fault::Zero, Fault::Error(ErrorKind::ConnectionReset), Fault::Error(ErrorKind::BrokenPipe)];

/// What the peer says in a conversation: a message whole, one in fragments with a
/// Ping between, one longer than everything that is coalesced, and a Close.
fn conversation(key: Option<[u8; 4]>, large: usize) -> Vec<u8> {
    [
        frame(0x81, b"Hello", key),
        frame(0x01, b"in ", key),
        frame(0x89, b"between", key),
        frame(0x80, b"pieces", key),
        frame(0x82, text(large).as_bytes(), key),
        frame(0x88, b"\x03\xe8bye", key),
    ]
    .concat()
}

/// What an echo answers to that.
fn answers(large: usize) -> String {
    let large = text(large);
    format!("text Hello, pong between, text in pieces, binary {large}, close 1000 bye")
}

/// Echoes to the end; returns the messages and how it ended.
fn echo<T: Transport, R: Role>(mut socket: WebSocket<T, R>) -> (usize, Error) {
    let mut inbox = Inbox::with_capacity(256);
    let mut count = 0;
    loop {
        match socket.receive(&mut inbox) {
            Ok(message) => {
                count += 1;
                // A program that takes no notice: the end is told by `receive`.
                let _ = socket.send(message);
            }
            Err(error) => return (count, error),
        }
    }
}

/// An echo over `transport` on a thread of its own, so that it cannot hang.
#[track_caller]
fn run<R: End>(transport: &Scripted) -> (usize, Error) {
    let transport = transport.clone();
    spawn(move || echo(open::<R, _>(transport, &quiet()))).join()
}

fn script<R: End>(large: usize) -> Scripted {
    Scripted::new([Step::Bytes(conversation(R::PEER_KEY, large))])
}

fn written<R: End>(transport: &Scripted) -> Vec<Frame> {
    read_frames(&transport.written(), R::PEER_KEY.is_none())
}

fn any_lengths<R: End>() {
    let large = 20_000;
    for read_len in [1, 2, 3, 7, 14, 256, usize::MAX] {
        for write_len in [1, 3, 100, 16_384, usize::MAX] {
            let transport = script::<R>(large).lens(read_len, write_len);
            let (count, error) = run::<R>(&transport);
            assert_eq!(count, 3, "{read_len} and {write_len}");
            assert!(matches!(error, Error::Closed(closed) if closed.is_clean()));
            assert_eq!(words(&written::<R>(&transport)), answers(large));
        }
    }
}

#[test]
fn reads_and_writes_may_be_of_any_length() {
    any_lengths::<Server>();
    any_lengths::<TestClient>();
}

/// A conversation in many small calls, and one with a message that is written from
/// where it lies: how long its large message is, and its reads and writes are.
const CONVERSATIONS: [(usize, usize, usize); 2] = [(300, 16, 20), (17_000, 4096, 3000)];

/// Runs the conversations with `fault` at each call in turn.
fn at_each_call<R: End>(fault: Fault, judge: impl Fn(&Scripted, usize, Error, &str)) {
    for (large, read_len, write_len) in CONVERSATIONS {
        let calm = script::<R>(large).lens(read_len, write_len);
        run::<R>(&calm);
        assert!(calm.calls() > 10, "too few calls to be worth it");
        for call in 0..calm.calls() {
            let transport = script::<R>(large).lens(read_len, write_len).fault(call, fault);
            let (count, error) = run::<R>(&transport);
            judge(&transport, count, error, &answers(large));
        }
    }
}

fn harmless_at_each_call<R: End>() {
    for fault in HARMLESS {
        at_each_call::<R>(fault, |transport, count, error, expected| {
            assert_eq!(count, 3, "{transport:?}");
            assert!(matches!(error, Error::Closed(closed) if closed.is_clean()));
            assert_eq!(words(&written::<R>(transport)), expected, "{transport:?}");
            assert!(transport.is_ended());
        });
    }
}

#[test]
fn an_interrupted_call_is_made_again() {
    harmless_at_each_call::<Server>();
    harmless_at_each_call::<TestClient>();
}

fn fatal_at_each_call<R: End>() {
    for fault in FATAL {
        at_each_call::<R>(fault, |transport, count, error, expected| {
            assert!(count <= 3);
            assert!(matches!(error, Error::Closed(_) | Error::Io(_)), "{error:?} {transport:?}");
            // Whole frames in their order, and at the most one cut off: nothing is
            // sent twice and nothing into the middle of a frame.
            let frames = words(&written::<R>(transport));
            assert!(expected.starts_with(&frames), "{frames} of {transport:?}");
        });
    }
}

#[test]
fn a_failing_transport_ends_the_connection_and_nothing_is_sent_twice() {
    fatal_at_each_call::<Server>();
    fatal_at_each_call::<TestClient>();
}

fn hears_the_rest<R: End>() {
    let key = R::PEER_KEY;
    let first = frame(0x81, b"Hello", key).len();
    let transport = Scripted::new([
        Step::Bytes(frame(0x81, b"Hello", key)),
        Step::Bytes(conversation(key, 300)[first..].to_vec()),
    ]);
    // One read, and then the write of the first echo.
    let transport = transport.fault(1, Fault::Error(ErrorKind::BrokenPipe));
    let (count, error) = run::<R>(&transport);
    assert_eq!(count, 3, "what the peer said is heard");
    let Error::Closed(closed) = error else { panic!("{error:?}") };
    assert_eq!((closed.code().number(), closed.reason()), (1000, "bye"));
    assert_eq!(transport.written(), b"");
}

// T12
#[test]
fn a_transport_that_takes_nothing_more_is_still_read() {
    hears_the_rest::<Server>();
    hears_the_rest::<TestClient>();
}

#[test]
fn nothing_is_kept_for_a_transport_that_takes_nothing_more() {
    let pieces = (0..1000).map(|_| Step::Bytes(frame(0x82, &[0; 1000], Server::PEER_KEY)));
    let transport = Scripted::new(pieces).fault(1, Fault::Zero);
    let mut socket = open::<Server, _>(transport, &quiet());
    let mut inbox = Inbox::new();
    for _ in 0..1000 {
        let message = socket.receive(&mut inbox).expect("a message");
        let error = socket.send(message).expect_err("it takes nothing");
        assert!(matches!(error, Error::Io(error) if error.kind() == ErrorKind::WriteZero));
    }
    let sent = socket.counters();
    assert_eq!((sent.bytes_sent, sent.messages_sent), (0, 1), "what was tried once");
}

/// The server's side from the first byte to the last.
fn serve(transport: &Scripted) -> Result<(usize, Error), String> {
    let transport = transport.clone();
    spawn(move || {
        let settings = Settings::new().config(quiet());
        let options = AcceptOptions::new().settings(settings);
        let accepted = accept_with(transport, &options, |_| Decision::by_default());
        accepted.map(echo).map_err(|error| error.to_string())
    })
    .join()
}

fn request_and_conversation() -> Scripted {
    let bytes = [REQUEST.as_bytes(), &conversation(Server::PEER_KEY, 300)].concat();
    Scripted::new([Step::Bytes(bytes)]).lens(64, 50)
}

#[test]
fn a_server_is_opened_whatever_call_is_interrupted() {
    let calm = request_and_conversation();
    serve(&calm).expect("opens");
    for fault in HARMLESS {
        for call in 0..calm.calls() {
            let transport = request_and_conversation().fault(call, fault);
            let (count, error) = serve(&transport).expect("opens all the same");
            assert_eq!(count, 3, "{fault:?} at call {call}");
            assert!(matches!(error, Error::Closed(closed) if closed.is_clean()));
            assert_eq!(transport.written(), calm.written(), "{fault:?} at call {call}");
        }
    }
}

#[test]
fn a_server_gives_up_whatever_call_fails() {
    let calm = request_and_conversation();
    serve(&calm).expect("opens");
    for fault in FATAL {
        for call in 0..calm.calls() {
            let transport = request_and_conversation().fault(call, fault);
            let _ = serve(&transport); // either way, but without a hang
            assert!(calm.written().starts_with(&transport.written()), "{fault:?} at call {call}");
        }
    }
}

#[test]
fn a_rejection_is_written_whole_whatever_call_is_interrupted() {
    let request =
        || Scripted::new([Step::Bytes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec())]).lens(10, 10);
    let calm = request();
    serve(&calm).expect_err("a plain request");
    assert!(calm.written().starts_with(b"HTTP/1.1 426 "));
    for fault in HARMLESS {
        for call in 0..calm.calls() {
            let transport = request().fault(call, fault);
            serve(&transport).expect_err("a plain request");
            assert_eq!(transport.written(), calm.written(), "{fault:?} at call {call}");
        }
    }
}

/// The client's side from the first byte to the last.
fn connect(transport: &Scripted) -> Result<(usize, Error), String> {
    let transport = transport.clone();
    spawn(move || {
        let config = quiet().keep_alive(KeepAlive::Off);
        let options = ConnectOptions::new().settings(Settings::new().config(config));
        let connected = connect_over(transport, "ws://example.com/", &options);
        connected.map(echo).map_err(|error| error.to_string())
    })
    .join()
}

fn response_and_conversation() -> Scripted {
    let answer = |written: &[u8]| {
        let request = std::str::from_utf8(written).expect("a request");
        assert!(request.ends_with("\r\n\r\n"), "the whole request");
        [upgrade_response(request, "").into_bytes(), conversation(None, 300)].concat()
    };
    Scripted::new([Step::Answer(answer)]).lens(64, 50)
}

/// The frames behind the request.
fn frames_behind(written: &[u8]) -> String {
    let end = written.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    words(&read_frames(&written[end + 4..], true))
}

// 6455-4.1-02, 6455-4.1-39: the answer comes when the whole request was written, and nothing
// behind it
#[test]
fn a_client_is_opened_whatever_call_is_interrupted() {
    let calm = response_and_conversation();
    connect(&calm).expect("opens");
    assert_eq!(frames_behind(&calm.written()), answers(300));
    for fault in HARMLESS {
        for call in 0..calm.calls() {
            let transport = response_and_conversation().fault(call, fault);
            let (count, error) = connect(&transport).expect("opens all the same");
            assert_eq!(count, 3, "{fault:?} at call {call}");
            assert!(matches!(error, Error::Closed(closed) if closed.is_clean()));
            assert_eq!(frames_behind(&transport.written()), answers(300), "{fault:?} at {call}");
        }
    }
}

#[test]
fn a_client_gives_up_whatever_call_fails() {
    let calm = response_and_conversation();
    connect(&calm).expect("opens");
    for fault in FATAL {
        for call in 0..calm.calls() {
            let transport = response_and_conversation().fault(call, fault);
            let opened = connect(&transport); // either way, but without a hang
            assert!(opened.is_ok() || transport.calls() <= calm.calls(), "{opened:?}");
        }
    }
}

#[test]
fn fragments_sent_through_small_writes_arrive_whole() {
    for write_len in [1, 7, 1000] {
        let transport = Scripted::new([]).lens(1, write_len);
        let mut socket = open::<TestClient, _>(transport.clone(), &quiet());
        let large = text(20_000);
        socket.send_fragment(Kind::Text, sansocket::Fin::More, large.as_bytes()).expect("sends");
        socket.ping(b"x").expect("sends");
        socket.send_fragment(Kind::Text, sansocket::Fin::Last, b"end").expect("sends");
        socket.send(Message::Binary(large.as_bytes())).expect("sends");
        let expected = format!("01 {large}, ping x, 80 end, binary {large}");
        assert_eq!(words(&written::<TestClient>(&transport)), expected);
    }
}
