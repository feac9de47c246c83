//! Opening connections, and what comes with it: bytes behind the handshake, inboxes, pieces,
//! counters, and what may go from thread to thread.

mod support;

use sansocket::adapter::{
    AcceptError, AcceptOptions, ConnectOptions, Counters, Decision, Error, Refused, Settings,
};
use sansocket::handshake::{Incoming, accept_key};
use sansocket::{ChaChaKeys, Client, CloseCode, Connection, Inbox, Message, Negotiated, Server};
use sansocket_tokio::{
    ConnectError, Messages, Receiver, Redirects, Sender, Stream, WebSocket, accept, accept_with,
    connect_over, connect_with,
};
use support::{End, TestClient, closed, frame, owned, pair, quiet, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};

/// Room for everything.
const WIDE: usize = 1 << 20;

/// The request of RFC 6455 section 1.2, and no more fields than it needs.
const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// Reads a head up to its empty line, and no byte more.
async fn read_head(stream: &mut DuplexStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a whole head"));
    }
    String::from_utf8(head).expect("a head of ASCII")
}

#[tokio::test(start_paused = true)]
async fn frames_behind_the_request_are_the_first_messages() {
    let (ours, mut theirs) = duplex(WIDE);
    let key = Server::PEER_KEY;
    let said = [REQUEST.as_bytes(), &frame(0x81, b"early", key), &frame(0x81, b"bird", key)[..5]];
    theirs.write_all(&said.concat()).await.expect("room");
    let mut socket = accept(ours).await.expect("a request");
    assert!(read_head(&mut theirs).await.starts_with("HTTP/1.1 101 "));
    let mut inbox = Inbox::new();
    assert_eq!(socket.receive(&mut inbox).await.expect("one"), Message::Text("early"));
    theirs.write_all(&frame(0x81, b"bird", key)[5..]).await.expect("room");
    assert_eq!(socket.receive(&mut inbox).await.expect("two"), Message::Text("bird"));
    assert_eq!(socket.counters().bytes_received, 11 + 10);
}

#[tokio::test(start_paused = true)]
async fn frames_behind_the_response_are_the_first_messages() {
    let (ours, mut theirs) = duplex(WIDE);
    let server = tokio::spawn(async move {
        let request = read_head(&mut theirs).await;
        let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            accept_key(key.expect("a key").as_bytes()).as_str()
        );
        let said = [response.as_bytes(), &frame(0x81, b"early", None)].concat();
        theirs.write_all(&said).await.expect("room");
        theirs
    });
    let mut socket =
        connect_over(ours, "ws://a.example/", &ConnectOptions::new()).await.expect("open");
    let mut inbox = Inbox::new();
    assert_eq!(socket.receive(&mut inbox).await.expect("one"), Message::Text("early"));
    drop(server.await.expect("it answered"));
    assert!(!closed(socket.receive(&mut inbox).await.map(owned).expect_err("the end")).is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_decision_sees_the_request_and_answers_it() {
    let (ours, mut theirs) = duplex(WIDE);
    theirs.write_all(REQUEST.as_bytes()).await.expect("room");
    theirs.shutdown().await.expect("open");
    let error = accept_with(ours, &AcceptOptions::new(), |incoming| {
        assert!(matches!(incoming, Incoming::Upgrade(request) if request.path() == "/chat"));
        Decision::reply(404, "nothing here").field("X-Why", "a test")
    })
    .await
    .expect_err("no WebSocket");
    assert!(matches!(error, AcceptError::Refused(Refused::Answered(404))));
    let head = read_head(&mut theirs).await;
    assert!(head.starts_with("HTTP/1.1 404 ") && head.contains("\r\nX-Why: a test\r\n"), "{head}");
    let mut body = String::new();
    theirs.read_to_string(&mut body).await.expect("the body, and the end");
    assert_eq!(body, "nothing here");
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_told_with_its_status_and_body() {
    let (ours, theirs) = duplex(WIDE);
    let server = tokio::spawn(async move {
        accept_with(theirs, &AcceptOptions::new(), |_| Decision::reply(503, "later")).await.err()
    });
    let error = soon(connect_over(ours, "ws://a.example/", &ConnectOptions::new())).await;
    let Err(ConnectError::Rejected(rejected)) = error else { panic!("{error:?}") };
    assert_eq!((rejected.status, &rejected.body[..]), (503, &b"later"[..]));
    assert!(server.await.expect("ended").is_some());
}

// T10
#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_during_the_handshake_is_told() {
    let (ours, mut theirs) = duplex(WIDE);
    theirs.write_all(&REQUEST.as_bytes()[..30]).await.expect("room");
    drop(theirs);
    assert!(matches!(accept(ours).await, Err(AcceptError::Incomplete)));
    let (ours, theirs) = duplex(WIDE);
    drop(theirs);
    let error = soon(connect_over(ours, "ws://a.example/", &ConnectOptions::new())).await;
    assert!(matches!(error, Err(ConnectError::Io(_))), "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_followed_over_tcp_and_nobody_there_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let moved = format!("ws://{address}/there");
        let refused = accept_with(stream, &AcceptOptions::new(), |_| {
            Decision::reply(302, "").field("Location", moved)
        })
        .await;
        assert!(refused.is_err());
        let (stream, _) = listener.accept().await.expect("the client again");
        accept_with(stream, &AcceptOptions::new(), |incoming| match incoming {
            Incoming::Upgrade(request) if request.path() == "/there" => Decision::accept(),
            _ => Decision::reply(404, ""),
        })
        .await
        .expect("a request")
    });
    let options = ConnectOptions::new().redirects(Redirects::Follow);
    let uri = format!("ws://{address}/here");
    let client = connect_with(&uri, &options).await.expect("followed");
    drop((client, server.await.expect("accepted")));
    // The listener is gone.
    assert!(matches!(connect_with(&uri, &options).await, Err(ConnectError::Io(_))));
}

#[cfg(not(feature = "tls"))]
#[tokio::test(start_paused = true)]
async fn a_build_without_tls_says_so() {
    let secure = connect_with("wss://127.0.0.1/", &ConnectOptions::new()).await;
    assert!(matches!(secure, Err(ConnectError::TlsUnsupported)), "{secure:?}");
}

#[tokio::test(start_paused = true)]
async fn leftover_bytes_of_a_handshake_done_elsewhere_are_received_first() {
    let (ours, mut theirs) = duplex(WIDE);
    let connection = Connection::new(Negotiated::from_upgraded(), Server, &quiet());
    let leftover = frame(0x81, b"first", Server::PEER_KEY);
    let mut socket = WebSocket::from_connection(ours, connection, &Settings::new(), leftover);
    theirs.write_all(&frame(0x81, b"second", Server::PEER_KEY)).await.expect("room");
    let mut inbox = Inbox::new();
    assert_eq!(socket.receive(&mut inbox).await.expect("one"), Message::Text("first"));
    assert_eq!(socket.receive(&mut inbox).await.expect("two"), Message::Text("second"));
}

#[tokio::test(start_paused = true)]
async fn two_inboxes_of_one_connection_do_not_mix_its_bytes() {
    let (mut socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    let (mut one, mut other) = (Inbox::new(), Inbox::new());
    peer.text("1").await;
    assert_eq!(socket.receive(&mut one).await.expect("a message"), Message::Text("1"));
    let both = ["2", "3"].map(|text| peer.frame(0x81, text.as_bytes())).concat();
    peer.write(&both).await;
    assert_eq!(socket.receive(&mut other).await.expect("a message"), Message::Text("2"));
    assert!(matches!(socket.receive(&mut one).await, Err(Error::ForeignInbox)));
    assert!(matches!(socket.receive_piece(&mut one).await, Err(Error::ForeignInbox)));
    let refused = socket.close(&mut one, CloseCode::NORMAL, "").await;
    assert!(matches!(refused, Err(Error::ForeignInbox)));
    assert_eq!(socket.receive(&mut other).await.expect("a message"), Message::Text("3"));
}

#[tokio::test(start_paused = true)]
async fn a_message_begun_in_pieces_is_finished_in_pieces() {
    let (mut socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    peer.send(0x01, b"be").await;
    peer.send(0x80, b"gun").await;
    peer.text("next").await;
    let mut inbox = Inbox::new();
    assert_eq!(socket.receive_piece(&mut inbox).await.expect("a piece").bytes(), b"be");
    assert!(matches!(socket.receive(&mut inbox).await, Err(Error::PiecesUnderWay)));
    assert!(socket.receive_piece(&mut inbox).await.expect("nothing was lost").ends_message());
    assert_eq!(socket.receive(&mut inbox).await.expect("a message"), Message::Text("next"));
}

// F19: 6455-8.1-01; P5, P7
#[tokio::test(start_paused = true)]
async fn a_piece_before_a_bad_byte_is_just_what_came_before_it() {
    let (mut socket, mut peer) = pair::<Server>(&quiet(), WIDE);
    peer.send(0x81, b"abc\xffDEFGH").await;
    let mut inbox = Inbox::new();
    assert_eq!(socket.receive_piece(&mut inbox).await.expect("what is valid").bytes(), b"abc");
    assert!(matches!(soon(socket.receive_piece(&mut inbox)).await, Err(Error::Failed(_))));
}

async fn counts<R: End>() {
    let (socket, mut peer) = pair::<R>(&quiet(), WIDE);
    let key = if R::PEER_KEY.is_some() { 4 } else { 0 };
    socket.send("before").await.expect("sends");
    peer.text("12345").await;
    peer.send(0x89, b"x").await;
    peer.send(0x02, b"1").await;
    peer.send(0x80, b"2").await;
    peer.close(1000, "").await;
    peer.end().await;
    let (mut receiver, sender) = socket.split();
    let mut inbox = Inbox::new();
    for _ in 0..2 {
        let message = receiver.receive(&mut inbox).await.expect("a message");
        sender.send(message).await.expect("sends");
    }
    closed(receiver.receive(&mut inbox).await.map(owned).expect_err("the end"));
    let expected = Counters {
        bytes_received: 7 + 3 + 3 + 3 + 4 + 5 * key,
        bytes_sent: 8 + 7 + 3 + 4 + 4 + 5 * (4 - key),
        frames_received: 5,
        frames_sent: 5,
        messages_received: 2,
        messages_sent: 3,
        round_trip: None,
    };
    assert_eq!(receiver.counters(), expected);
    assert_eq!(peer.rest().await.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn counters_are_those_of_both_halves() {
    counts::<Server>().await;
    counts::<TestClient>().await;
}

#[test]
fn everything_can_go_from_thread_to_thread() {
    type Keys = Client<ChaChaKeys>;
    fn is_send_and_sync<T: Send + Sync>() {}
    fn is_send<T: Send>(_: T) {}
    fn futures<R: End>(
        socket: &mut WebSocket<TcpStream, R>,
        inbox: &mut Inbox,
        receiver: &mut Receiver<TcpStream, R>,
        sender: &Sender<TcpStream, R>,
    ) {
        is_send(socket.receive(inbox));
        is_send(socket.receive_piece(inbox));
        is_send(socket.send("text"));
        is_send(socket.flush());
        is_send(socket.close_send(CloseCode::NORMAL, ""));
        is_send(socket.close(inbox, CloseCode::NORMAL, ""));
        is_send(receiver.receive(inbox));
        is_send(sender.send("text"));
        is_send(sender.feed(&b"bytes"[..]));
        is_send(sender.ping(b""));
        is_send(sender.send_fragment(sansocket::Kind::Text, sansocket::Fin::Last, b""));
    }
    is_send_and_sync::<WebSocket<TcpStream, Server>>();
    is_send_and_sync::<WebSocket<Stream, Keys>>();
    is_send_and_sync::<Receiver<TcpStream, Server>>();
    is_send_and_sync::<Sender<TcpStream, Keys>>();
    is_send_and_sync::<Messages<TcpStream, Keys>>();
    is_send_and_sync::<ConnectError>();
    let _ = (futures::<Server>, futures::<TestClient>);
    is_send(connect_with("", &ConnectOptions::new()));
    let stream = |_: TcpStream| is_send(accept(duplex(1).0));
    let _ = stream;
}
