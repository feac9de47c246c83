//! Time in the adapter: it runs inside the calls, by the timeouts of the socket.

mod support;

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sansocket::handshake::{HandshakeLimits, HandshakeRule, ResponseError};
use sansocket::{
    Cause, CloseCode, Config, Inbox, KeepAlive, Message, OwnedMessage, Role, Rule, Server,
};
use sansocket_net::{
    AcceptError, AcceptOptions, ConnectError, ConnectOptions, Decision, Error, Refused, Settings,
    Transport, WebSocket, accept_with, connect_with,
};
use support::{
    End, Exchange, Listener, Peer, Scripted, Step, TestClient, busy_until_past, closed, frame,
    open, open_with, owned, pair, quiet, spawn, tcp_pair, text, words,
};

const SOON: Duration = Duration::from_millis(30);

/// So long that no test gets there.
const FAR: Duration = Duration::from_secs(600);

fn receive<T: Transport, R: Role>(socket: &mut WebSocket<T, R>) -> Result<OwnedMessage, Error> {
    socket.receive(&mut Inbox::new()).map(owned)
}

#[track_caller]
fn assert_failed(error: Error, rule: Rule) {
    assert!(matches!(error, Error::Failed(failure) if failure.rule() == rule), "{error:?}");
}

// T01, H40
#[test]
fn a_slow_request_is_answered_with_408() {
    let (ours, mut theirs) = tcp_pair();
    let server = spawn(move || {
        let options = AcceptOptions::new().limits(HandshakeLimits::new().deadline(SOON));
        accept_with(ours, &options, |_| Decision::by_default()).expect_err("too slow")
    });
    let answer = Exchange::with(&mut theirs, "GET / HTTP/1.1\r\nHost: exam");
    assert_eq!(answer.status(), "408");
    drop(theirs);
    let error = server.join();
    assert!(
        matches!(error, AcceptError::Refused(Refused::Rejected(rejection)) if rejection.rule() == HandshakeRule::Timeout)
    );
}

// T01: a byte now and then gains nothing.
#[test]
fn a_request_in_small_steps_is_answered_with_408() {
    let request = "GET / HTTP/1.1\r\nHost: example.com\r\nCookie: ";
    let bytes = request.bytes().chain(std::iter::repeat_n(b'x', 100));
    let steps =
        bytes.flat_map(|byte| [Step::Error(ErrorKind::WouldBlock), Step::Bytes(vec![byte])]);
    // The peer is silent from then on, but is there.
    let steps = steps.chain([Step::UntilWritten(1)]);
    let transport = Scripted::new(steps);
    let options = AcceptOptions::new().limits(HandshakeLimits::new().deadline(SOON));
    let written = transport.clone();
    let error = spawn(move || accept_with(transport, &options, |_| Decision::by_default()).err());
    assert!(matches!(error.join(), Some(AcceptError::Refused(Refused::Rejected(_)))));
    assert!(written.written().starts_with(b"HTTP/1.1 408 "));
    assert!(written.is_ended());
}

// T01
#[test]
fn a_slow_response_is_a_timeout() {
    let listener = Listener::bind();
    let options = ConnectOptions::new().limits(HandshakeLimits::new().deadline(SOON));
    let uri = listener.uri("/");
    let client = spawn(move || connect_with(&uri, &options).expect_err("too slow"));
    let mut stream = listener.accept();
    stream.write_all(b"HTTP/1.1 101 Swi").expect("the client reads");
    let error = client.join();
    assert!(matches!(error, ConnectError::Response(ResponseError::Timeout)), "{error:?}");
    assert!(error.is_timeout());
}

fn ping_pong(interval: Duration, timeout: Duration) -> Config {
    Config::new().keep_alive(KeepAlive::PingPong { interval, timeout })
}

fn pings<R: End>() {
    let (mut socket, mut peer) = pair::<R>(&ping_pong(SOON, FAR));
    let task = spawn(move || {
        let message = receive(&mut socket);
        (message, socket.counters(), socket)
    });
    let mut payloads = Vec::new();
    for _ in 0..3 {
        let ping = peer.next();
        assert_eq!(ping.first, 0x89);
        peer.send(0x8a, &ping.payload);
        payloads.push(ping.payload);
    }
    payloads.dedup();
    assert_eq!(payloads.len(), 3, "each Ping has a token of its own");
    peer.text("alive");
    let (message, counters, _) = task.join();
    assert_eq!(message.expect("a message"), OwnedMessage::Text("alive".into()));
    assert!(counters.frames_sent >= 3);
    assert!(counters.round_trip.is_some_and(|time| time < FAR));
}

// T02
#[test]
fn a_silent_peer_is_pinged_while_a_thread_blocks_in_receive() {
    pings::<Server>();
    pings::<TestClient>();
}

fn misses_pong<R: End>() {
    let (mut socket, mut peer) = pair::<R>(&ping_pong(SOON, SOON));
    let task = spawn(move || {
        let error = receive(&mut socket).expect_err("no Pong");
        (error, receive(&mut socket).expect_err("and again"))
    });
    assert_eq!(peer.next().first, 0x89);
    // This one does not count.
    peer.send(0x8a, b"a wrong one");
    assert_eq!(words(&peer.rest()), "close 1011");
    drop(peer);
    let (error, again) = task.join();
    assert_failed(error, Rule::PongTimeout);
    assert_failed(again, Rule::PongTimeout);
}

// F18, T03
#[test]
fn a_ping_without_pong_fails_the_connection_with_1011() {
    misses_pong::<Server>();
    misses_pong::<TestClient>();
}

#[test]
fn unsolicited_pongs_are_sent_while_a_thread_blocks_in_receive() {
    let config = Config::new().keep_alive(KeepAlive::UnsolicitedPong { interval: SOON });
    let (mut socket, mut peer) = pair::<Server>(&config);
    let task = spawn(move || receive(&mut socket).map(|message| (message, socket)));
    assert_eq!(words(&[peer.next(), peer.next()]), "pong , pong ");
    peer.text("enough");
    assert!(task.join().is_ok());
}

/// An application is away for longer than the timeout, and what waits for it in
/// its socket is the Pong, with this before it.
fn comes_back(before: &[u8], messages: usize) {
    let timeout = Duration::from_millis(20);
    let key = Server::PEER_KEY;
    let ping_len = 2 + 8;
    let pong = |written: &[u8]| frame(0x8a, &written[2..10], Server::PEER_KEY);
    let script = [
        Step::UntilWritten(ping_len),
        Step::Bytes(frame(0x81, b"first", key)),
        Step::Bytes(before.to_vec()),
        Step::Answer(pong),
        Step::Bytes(frame(0x81, b"last", key)),
        Step::UntilWritten(2 * ping_len),
        Step::Answer(|written| frame(0x8a, &written[12..20], Server::PEER_KEY)),
        Step::Bytes(frame(0x88, b"", key)),
    ];
    let transport = Scripted::new(script.into_iter().filter(
        |step| !matches!(step, Step::Bytes(bytes) if bytes.is_empty()), // an end of the stream
    ));
    let mut socket = open::<Server, _>(transport, &ping_pong(timeout, timeout));
    let task = spawn(move || {
        let mut inbox = Inbox::new();
        assert_eq!(socket.receive(&mut inbox).expect("first"), Message::Text("first"));
        for _ in 0..messages {
            busy_until_past(2 * timeout);
            socket.receive(&mut inbox).expect("what came before the Pong");
        }
        busy_until_past(2 * timeout);
        assert_eq!(socket.receive(&mut inbox).expect("no timeout"), Message::Text("last"));
        closed(socket.receive(&mut inbox).map(owned).expect_err("closed"))
    });
    assert!(task.join().is_clean());
}

// T04
#[test]
fn a_pong_that_waits_unread_for_a_slow_application_is_no_timeout() {
    comes_back(b"", 0);
}

// T04
#[test]
fn a_pong_that_waits_behind_large_messages_is_no_timeout() {
    comes_back(&frame(0x82, &[1; 200_000], Server::PEER_KEY), 1);
    let large = frame(0x82, &[1; 40_000], Server::PEER_KEY);
    comes_back(&large.repeat(3), 3);
}

// T04: not even the application's own rule counts what it did not look at.
#[test]
fn a_message_that_waits_unread_is_not_idle() {
    let key = Server::PEER_KEY;
    let script = [
        Step::Bytes(frame(0x81, b"one", key)),
        Step::Bytes(frame(0x81, &[b'x'; 40_000], key)),
        Step::Bytes(frame(0x88, b"", key)),
    ];
    let config = quiet().message_idle(Some(SOON)).assembly_timeout(Some(SOON));
    let mut socket = open::<Server, _>(Scripted::new(script), &config);
    let mut inbox = Inbox::new();
    socket.receive(&mut inbox).expect("one");
    busy_until_past(2 * SOON);
    socket.receive(&mut inbox).expect("two");
    busy_until_past(2 * SOON);
    assert!(closed(socket.receive(&mut inbox).map(owned).expect_err("closed")).is_clean());
}

fn is_idle<R: End>() {
    let (mut socket, mut peer) = pair::<R>(&quiet().message_idle(Some(SOON)));
    let task = spawn(move || receive(&mut socket).expect_err("nothing came"));
    // Pings are no messages.
    peer.send(0x89, b"x");
    assert_eq!(words(&[peer.next()]), "pong x");
    assert_eq!(words(&peer.rest()), "close 1008");
    drop(peer);
    assert_failed(task.join(), Rule::IdleTimeout);
}

// T05
#[test]
fn a_peer_that_sends_no_message_fails_the_connection_with_1008() {
    is_idle::<Server>();
    is_idle::<TestClient>();
}

fn never_finishes<R: End>(payload: &[u8], inbox_len: usize) {
    let (mut socket, mut peer) = pair::<R>(&quiet().assembly_timeout(Some(SOON)));
    peer.send(0x01, payload);
    let task = spawn(move || {
        let mut inbox = Inbox::with_capacity(inbox_len);
        socket.receive(&mut inbox).map(owned).expect_err("never whole")
    });
    assert_eq!(words(&peer.rest()), "close 1008");
    drop(peer);
    assert_failed(task.join(), Rule::AssemblyTimeout);
}

// F11
#[test]
fn a_message_that_is_not_finished_fails_the_connection_with_1008() {
    never_finishes::<Server>(b"begun", 256);
    never_finishes::<TestClient>(b"begun", 256);
}

// F11
#[test]
fn a_message_that_stops_where_the_read_buffer_ends_fails_too() {
    // Both fill reads of 256 bytes exactly, so that more might be there.
    never_finishes::<Server>(&[b'x'; 256 - 8], 256);
    never_finishes::<TestClient>(&[b'x'; 512 - 4], 256);
}

fn stalls<R: End>() {
    let (ours, theirs) = tcp_pair();
    let peer = Peer::of::<R>(theirs);
    let settings = Settings::new().write_stall(SOON);
    let mut socket = open_with::<R, _>(ours, &quiet(), &settings);
    let task = spawn(move || {
        let large = text(1 << 20);
        let started = Instant::now();
        let error = loop {
            if let Err(error) = socket.send(large.as_str()) {
                break error;
            }
        };
        assert!(matches!(error, Error::WriteStalled), "{error:?}");
        assert!(started.elapsed() >= SOON);
        let again = socket.send("more").expect_err("given up");
        assert!(matches!(again, Error::WriteStalled | Error::Send(_)), "{again:?}");
        let mut inbox = Inbox::new();
        let error = socket.receive(&mut inbox).map(owned).expect_err("given up");
        assert!(matches!(error, Error::WriteStalled), "{error:?}");
        closed(socket.receive(&mut inbox).map(owned).expect_err("given up")).code()
    });
    // The peer is there, and does not read.
    assert_eq!(task.join(), CloseCode::ABNORMAL);
    drop(peer);
}

// T06
#[test]
fn a_peer_that_does_not_read_is_given_up() {
    stalls::<Server>();
    stalls::<TestClient>();
}

// T06: the answers are the adapter's own, and nobody calls `send`.
#[test]
fn a_peer_that_pings_and_does_not_read_is_given_up() {
    let (ours, theirs) = tcp_pair();
    let mut peer = Peer::of::<Server>(theirs);
    let settings = Settings::new().write_stall(SOON);
    let config = quiet().control_frames_max(u32::MAX);
    let mut socket = open_with::<Server, _>(ours, &config, &settings);
    let task = spawn(move || receive(&mut socket).expect_err("given up"));
    let pings = peer.frame(0x89, &[0; 125]).repeat(1000);
    let error = loop {
        if let Err(error) = peer.stream.write(&pings) {
            break error.kind();
        }
    };
    assert!(matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error:?}");
    assert!(matches!(task.join(), Error::WriteStalled));
}

fn lives_no_longer<R: End>(code: u16) {
    let (mut socket, mut peer) = pair::<R>(&quiet().lifetime(Some(SOON)));
    let task = spawn(move || receive(&mut socket).expect_err("its time is over"));
    assert_eq!(words(&[peer.next()]), format!("close {code}"));
    peer.close(code, "");
    peer.end();
    assert_eq!(words(&peer.rest()), "");
    let closed = closed(task.join());
    assert_eq!(closed.cause(), Cause::ClosingHandshake);
    assert_eq!(closed.closure().sent(), Some(CloseCode::new(code)));
}

// T16
#[test]
fn a_lifetime_ends_with_a_closing_handshake() {
    lives_no_longer::<Server>(1012);
    lives_no_longer::<TestClient>(1001);
}

/// A socket that counts the calls which set its timeouts.
#[derive(Debug)]
struct Counting {
    stream: TcpStream,
    calls: Arc<AtomicUsize>,
}

impl Read for Counting {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buf)
    }
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Counting {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.stream.set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.stream.set_write_timeout(timeout)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown_write()
    }
}

#[test]
fn timeouts_are_set_far_more_seldom_than_messages_are_received() {
    const COUNT: usize = 500;
    let (ours, theirs) = tcp_pair();
    let mut peer = Peer::of::<Server>(theirs);
    let calls = Arc::new(AtomicUsize::new(0));
    let config = Config::new().message_idle(Some(FAR)).lifetime(Some(FAR));
    let counting = Counting { stream: ours, calls: calls.clone() };
    let mut socket = open::<Server, _>(counting, &config);
    let task = spawn(move || {
        let mut inbox = Inbox::new();
        for _ in 0..COUNT {
            let message = socket.receive(&mut inbox).expect("a message");
            socket.send(message).expect("sends");
        }
        socket
    });
    for _ in 0..COUNT {
        peer.text("one at a time");
        assert_eq!(words(&[peer.next()]), "text one at a time");
    }
    task.join();
    assert!(calls.load(Ordering::Relaxed) <= COUNT / 20, "{calls:?} calls for {COUNT} messages");
}
