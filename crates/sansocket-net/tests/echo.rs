//! Messages through a WebSocket on one thread: every kind and size, whole, in
//! fragments and in pieces.

mod support;

use std::io::Write;
use std::net::TcpStream;

use sansocket::{
    CloseCode, Config, Connection, Fin, Inbox, Kind, Message, Negotiated, OwnedMessage, Prepared,
    SendError, Server, State,
};
use sansocket_net::{
    AcceptOptions, Closed, ConnectOptions, Counters, Decision, Error, Settings, Untimed, WebSocket,
    accept, accept_with, connect, connect_over, connect_with,
};
use support::{
    End, Listener, Peer, Pipe, REQUEST, Task, TestClient, closed, frame, open, owned, pair, pipe,
    quiet, read_head, spawn, text, upgrade_response, words,
};

/// Echoes to the end, as the documentation does it.
fn echo<T: sansocket_net::Transport, R: End>(mut socket: WebSocket<T, R>) -> Closed {
    let mut inbox = Inbox::new();
    let mut run = || -> Result<(), Error> {
        loop {
            let message = socket.receive(&mut inbox)?;
            socket.send(message)?;
        }
    };
    closed(run().expect_err("it only ends with an error"))
}

/// Lengths on both sides of every border: of the header's forms, of what is
/// copied behind its head, of the read buffer, of a client's masked pieces.
const LENS: [usize; 12] =
    [0, 1, 125, 126, 16_383, 16_384, 16_385, 32_768, 65_535, 65_536, 100_000, 1 << 20];

fn echoes_every_size<R: End>() {
    let (socket, mut peer) = pair::<R>(&quiet());
    let echo = spawn(|| echo(socket));
    for len in LENS {
        let payload = text(len);
        for first in [0x81, 0x82] {
            // Written by another thread: a large echo begins before its end.
            let (frame, mut stream) =
                (peer.frame(first, payload.as_bytes()), peer.stream.try_clone().expect("clone"));
            let write = spawn(move || stream.write_all(&frame).expect("the other end reads"));
            let answer = peer.next();
            assert_eq!((answer.first, answer.payload.len()), (first, len));
            assert!(answer.payload == payload.as_bytes(), "{len} bytes came back changed");
            write.join();
        }
    }
    peer.close(1000, "");
    peer.end();
    assert_eq!(words(&peer.rest()), "close 1000");
    assert!(echo.join().is_clean());
}

#[test]
fn server_echoes_messages_of_every_kind_and_size() {
    echoes_every_size::<Server>();
}

#[test]
fn client_echoes_messages_of_every_kind_and_size() {
    echoes_every_size::<TestClient>();
}

// 6455-4.1-11, 6455-12-02
#[test]
fn connect_and_accept_understand_each_other() {
    let listener = Listener::bind();
    let uri = listener.uri("/");
    let server = spawn(move || echo_accepted(accept(listener.accept()).expect("accepts")));
    let client = spawn(move || {
        let mut socket = connect(&uri).expect("connects");
        let mut inbox = Inbox::new();
        for len in LENS {
            let (payload, kind) = (text(len), if len % 2 == 0 { Kind::Text } else { Kind::Binary });
            let message = match kind {
                Kind::Text => Message::Text(&payload),
                Kind::Binary => Message::Binary(payload.as_bytes()),
            };
            socket.send(message).expect("sends");
            assert_eq!(socket.receive(&mut inbox).expect("an echo"), message);
        }
        socket.close(&mut inbox, CloseCode::NORMAL, "done").expect("closes")
    });
    let ours = client.join();
    assert!(ours.is_clean());
    assert_eq!((ours.code(), ours.reason()), (CloseCode::NORMAL, "done"));
    assert_eq!(server.join().reason(), "done");
}

/// `messages`, and an owned copy sent back.
fn echo_accepted(mut socket: WebSocket<TcpStream, Server>) -> Closed {
    let mut inbox = Inbox::new();
    let mut count = 0;
    let received: Vec<OwnedMessage> =
        socket.messages(&mut inbox).take(1).map(|message| message.expect("a message")).collect();
    for message in &received {
        socket.send(message).expect("sends");
        count += 1;
    }
    assert_eq!(count, 1);
    echo(socket)
}

#[test]
fn messages_end_after_a_clean_close_and_after_one_error_otherwise() {
    let (mut socket, mut peer) = pair::<Server>(&quiet());
    peer.text("one");
    peer.send(0x82, b"two");
    peer.close(1000, "");
    peer.end();
    let all = spawn(move || {
        let mut inbox = Inbox::new();
        let all: Result<Vec<_>, _> = socket.messages(&mut inbox).collect();
        assert!(socket.messages(&mut inbox).next().is_none(), "and again");
        all
    });
    let expected = [OwnedMessage::Text("one".into()), OwnedMessage::Binary(b"two".into())];
    assert_eq!(all.join().expect("a clean close"), expected);

    let (mut socket, mut peer) = pair::<Server>(&quiet());
    peer.text("one");
    peer.end();
    let all = spawn(move || {
        let mut inbox = Inbox::new();
        socket.messages(&mut inbox).map(|message| message.is_ok()).collect::<Vec<_>>()
    });
    assert_eq!(all.join(), [true, false]);
}

fn joins_fragments<R: End>() {
    let (mut socket, mut peer) = pair::<R>(&quiet());
    // A character cut in two, a Ping between, an empty fragment.
    peer.send(0x01, &"Gr\u{fc}".as_bytes()[..2]);
    peer.send(0x00, b"\xc3");
    peer.send(0x89, b"between");
    peer.send(0x00, b"");
    peer.send(0x80, b"\xbc\xc3\x9fe");
    peer.send(0x02, b"\0");
    peer.send(0x80, b"\xff");
    let task = spawn(move || {
        let mut inbox = Inbox::new();
        assert_eq!(socket.receive(&mut inbox).expect("joined"), Message::Text("Gr\u{fc}\u{df}e"));
        assert_eq!(socket.receive(&mut inbox).expect("joined"), Message::Binary(b"\0\xff"));
        (socket.counters(), socket, inbox)
    });
    assert_eq!(words(&[peer.next()]), "pong between");
    let (counters, ..) = task.join();
    assert_eq!((counters.frames_received, counters.messages_received), (7, 2));
}

// F16, F20
#[test]
fn fragments_are_joined_and_a_ping_between_is_answered() {
    joins_fragments::<Server>();
    joins_fragments::<TestClient>();
}

fn sends_fragments<R: End>() {
    let (mut socket, mut peer) = pair::<R>(&quiet());
    let large = text(40_000);
    socket.send_fragment(Kind::Text, Fin::More, b"\xc3").expect("half a character");
    let refused = socket.send("other").expect_err("a message is under way");
    assert!(matches!(refused, Error::Send(SendError::MessageUnderWay { kind: Kind::Text })));
    socket.ping(b"between").expect("a Ping may go between");
    socket.send_fragment(Kind::Text, Fin::More, b"\xbc").expect("the other half");
    let refused = socket.send_fragment(Kind::Text, Fin::Last, b"\xff").expect_err("no text");
    assert!(matches!(refused, Error::Send(SendError::TextNotUtf8 { at: 0 })));
    socket.send_fragment(Kind::Text, Fin::Last, large.as_bytes()).expect("the end");
    socket.send("other").expect("now it may be sent");
    assert_eq!(words(&[peer.next()]), "01 \\xc3");
    assert_eq!(words(&[peer.next(), peer.next()]), "ping between, 00 \\xbc");
    let last = peer.next();
    assert_eq!((last.first, &last.payload[..]), (0x80, large.as_bytes()));
    assert_eq!(words(&[peer.next()]), "text other");
    let Counters { frames_sent, messages_sent, .. } = socket.counters();
    assert_eq!((frames_sent, messages_sent), (5, 2));
}

#[test]
fn a_message_is_sent_in_fragments() {
    sends_fragments::<Server>();
    sends_fragments::<TestClient>();
}

#[test]
fn a_big_message_is_received_in_pieces_of_the_read_buffer() {
    let (mut socket, mut peer) = pair::<Server>(&quiet());
    let payload = text(1 << 20);
    let (expected, small) = (payload.clone(), 256);
    let task = spawn(move || {
        let (mut inbox, mut joined, mut pieces) = (Inbox::with_capacity(small), Vec::new(), 0);
        loop {
            let piece = socket.receive_piece(&mut inbox).expect("a piece");
            assert!(piece.bytes().len() <= small);
            joined.extend_from_slice(piece.bytes());
            pieces += 1;
            if piece.ends_message() {
                break;
            }
        }
        let whole = socket.receive(&mut inbox).map(owned).expect("whole ones again");
        (joined, pieces, whole, socket)
    });
    peer.text(&payload);
    peer.text("whole");
    let (joined, pieces, whole, _) = task.join();
    assert!(joined == expected.as_bytes());
    assert!(pieces >= (1 << 20) / small);
    assert_eq!(whole, OwnedMessage::Text("whole".into()));
}

#[test]
fn a_prepared_message_is_sent_to_many() {
    let small = Prepared::new("tick".into());
    let payload = text(100_000);
    let large = Prepared::new(Message::Binary(payload.as_bytes()));
    for _ in 0..3 {
        let (mut socket, mut peer) = pair::<Server>(&quiet());
        let (small, large) = (small.clone(), large.clone());
        let task = spawn(move || {
            socket.send_prepared(&small).expect("sends");
            socket.send_prepared(&large).expect("sends");
            (socket.counters(), socket)
        });
        assert_eq!(words(&[peer.next()]), "text tick");
        assert!(peer.next().payload == payload.as_bytes());
        let (counters, _) = task.join();
        assert_eq!((counters.messages_sent, counters.frames_sent), (2, 2));
        assert_eq!(counters.bytes_sent, 2 + 4 + 10 + 100_000);
    }
}

fn pings_and_pongs<R: End>() {
    let (mut socket, mut peer) = pair::<R>(&quiet());
    socket.ping(b"").expect("an empty Ping");
    socket.ping(&[7; 125]).expect("a full Ping");
    let refused = socket.ping(&[7; 126]).expect_err("too long");
    assert!(matches!(refused, Error::Send(SendError::ControlTooLong { len: 126 })));
    socket.pong(b"unasked").expect("a Pong");
    assert_eq!(words(&[peer.next()]), "ping ");
    assert_eq!(peer.next().payload, [7; 125]);
    assert_eq!(words(&[peer.next()]), "pong unasked");
    // Each Ping has its Pong, those in one read too; a Pong is no event.
    let payload = |i: u8| vec![i; usize::from(i) % 126];
    let pings: Vec<u8> = (0..130).flat_map(|i| peer.frame(0x89, &payload(i))).collect();
    peer.write(&pings);
    peer.send(0x8a, b"unasked");
    peer.text("then");
    let task = spawn(move || {
        let mut inbox = Inbox::new();
        let message = socket.receive(&mut inbox).map(owned).expect("only the message");
        (message, socket.counters(), socket)
    });
    for i in 0..130 {
        assert_eq!(peer.next().payload, payload(i));
    }
    let (message, counters, _) = task.join();
    assert_eq!(message, OwnedMessage::Text("then".into()));
    assert_eq!((counters.frames_received, counters.frames_sent), (132, 133));
}

// F17, F18: 6455-5.5.2-02, 6455-5.5.3-01, 6455-5.5.3-04
#[test]
fn pings_are_sent_and_answered_with_their_payload() {
    pings_and_pongs::<Server>();
    pings_and_pongs::<TestClient>();
}

// F17
#[test]
fn many_pings_at_once_are_not_kept_in_memory_and_the_last_is_answered() {
    let (mut socket, mut peer) = pair::<Server>(&quiet().control_frames_max(u32::MAX));
    let count = 2000_u32;
    let task = spawn(move || {
        let mut inbox = Inbox::with_capacity(1 << 20);
        let message = socket.receive(&mut inbox).map(owned);
        (message.is_ok(), socket.counters().frames_sent, socket)
    });
    let mut bytes = Vec::new();
    for i in 0..count {
        bytes.extend(peer.frame(0x89, &[&i.to_be_bytes()[..], &[0; 121]].concat()));
    }
    bytes.extend(peer.frame(0x81, b"then"));
    let mut stream = peer.stream.try_clone().expect("clone");
    let write = spawn(move || stream.write_all(&bytes).expect("the other end reads"));
    let mut last = None;
    while last != Some(count - 1) {
        let pong = peer.next();
        let number = u32::from_be_bytes(pong.payload[..4].try_into().expect("a number"));
        assert!(last < Some(number), "in order");
        last = Some(number);
    }
    write.join();
    let (received, sent, _) = task.join();
    assert!(received && sent <= u64::from(count));
}

#[test]
fn a_foreign_inbox_is_refused_and_nothing_is_lost() {
    let (mut first, mut first_peer) = pair::<Server>(&quiet());
    let (mut second, mut second_peer) = pair::<Server>(&quiet());
    for peer in [&mut first_peer, &mut second_peer] {
        let both = [peer.frame(0x81, b"one"), peer.frame(0x81, b"two")].concat();
        peer.write(&both);
    }
    let task = spawn(move || {
        let (mut right, mut other) = (Inbox::new(), Inbox::new());
        while right.unread().is_empty() {
            // Both frames come together, or this test shows nothing.
            first.receive(&mut right).expect("one");
        }
        let refused = first.receive(&mut other).expect_err("an empty inbox");
        assert!(matches!(refused, Error::ForeignInbox));
        let refused = second.receive(&mut right).expect_err("an inbox with another's bytes");
        assert!(matches!(refused, Error::ForeignInbox));
        assert_eq!(first.state(), State::Open);
        assert_eq!(first.receive(&mut right).expect("two"), Message::Text("two"));
        // Now both are empty, and any will do.
        assert_eq!(second.receive(&mut right).expect("one"), Message::Text("one"));
        assert_eq!(second.receive(&mut right).expect("two"), Message::Text("two"));
        (first, second)
    });
    task.join();
}

#[test]
fn inboxes_are_not_mixed_up_though_they_hold_as_many_bytes() {
    let (mut first, mut first_peer) = pair::<Server>(&quiet());
    let (mut second, mut second_peer) = pair::<Server>(&quiet());
    for (peer, text) in [(&mut first_peer, "first"), (&mut second_peer, "other")] {
        let both = [peer.frame(0x81, b"one"), peer.frame(0x81, text.as_bytes())].concat();
        peer.write(&both);
    }
    let task = spawn(move || {
        let (mut ours, mut others) = (Inbox::new(), Inbox::new());
        first.receive(&mut ours).expect("one");
        second.receive(&mut others).expect("one");
        assert_eq!(ours.unread().len(), others.unread().len());
        let refused = first.receive(&mut others).expect_err("another's bytes");
        assert!(matches!(refused, Error::ForeignInbox));
        assert_eq!(first.receive(&mut ours).expect("first"), Message::Text("first"));
        assert_eq!(second.receive(&mut others).expect("other"), Message::Text("other"));
        (first, second)
    });
    task.join();
}

#[test]
fn a_message_begun_in_pieces_is_finished_in_pieces() {
    let (mut socket, mut peer) = pair::<Server>(&quiet());
    peer.send(0x01, b"begun");
    let task = spawn(move || {
        let mut inbox = Inbox::new();
        let piece = socket.receive_piece(&mut inbox).expect("a piece");
        assert_eq!((piece.bytes(), piece.ends_message()), (&b"begun"[..], false));
        (socket, inbox)
    });
    let (mut socket, mut inbox) = task.join();
    peer.send(0x80, b" and ended");
    peer.text("whole");
    let task = spawn(move || {
        let refused = socket.receive(&mut inbox).map(owned).expect_err("pieces are under way");
        assert!(matches!(refused, Error::PiecesUnderWay), "{refused:?}");
        let mut joined = Vec::new();
        loop {
            let piece = socket.receive_piece(&mut inbox).expect("nothing is lost");
            joined.extend_from_slice(piece.bytes());
            if piece.ends_message() {
                break;
            }
        }
        assert_eq!(socket.receive(&mut inbox).expect("whole"), Message::Text("whole"));
        (joined, socket)
    });
    assert_eq!(task.join().0, b" and ended");
}

// C08
#[test]
fn a_client_gets_the_frames_that_came_with_the_response() {
    let listener = Listener::bind();
    let uri = listener.uri("/chat");
    let server = spawn(move || {
        let mut stream = listener.accept();
        let request = read_head(&mut stream);
        let mut bytes = upgrade_response(&request, "").into_bytes();
        bytes.extend(frame(0x81, b"one", None));
        bytes.extend(frame(0x82, &[5; 20_000], None));
        bytes.extend(&frame(0x81, b"three", None)[..3]);
        stream.write_all(&bytes).expect("the client reads");
        stream.write_all(b"hree").expect("the client reads");
        stream
    });
    let client = spawn(move || {
        let mut socket = connect(&uri).expect("connects");
        let mut inbox = Inbox::with_capacity(256);
        assert_eq!(socket.receive(&mut inbox).expect("one"), Message::Text("one"));
        assert_eq!(socket.receive(&mut inbox).expect("two"), Message::Binary(&[5; 20_000]));
        assert_eq!(socket.receive(&mut inbox).expect("three"), Message::Text("three"));
    });
    client.join();
    server.join();
}

// C08, H35: 6455-4.2.2-28
#[test]
fn a_server_gets_the_frames_that_came_with_the_request() {
    let (ours, theirs) = support::tcp_pair();
    let mut peer = Peer::of::<Server>(theirs);
    let mut bytes = REQUEST.as_bytes().to_vec();
    bytes.extend(peer.frame(0x81, b"one"));
    bytes.extend(&peer.frame(0x81, b"two")[..4]);
    peer.write(&bytes);
    let server = spawn(move || {
        let mut socket = accept(ours).expect("accepts");
        let mut inbox = Inbox::new();
        let one = socket.receive(&mut inbox).map(owned).expect("one");
        let two = socket.receive(&mut inbox).map(owned).expect("two");
        (one, two, socket)
    });
    assert!(read_head(&mut peer.stream).starts_with("HTTP/1.1 101 "));
    let rest = peer.frame(0x81, b"two")[4..].to_vec();
    peer.write(&rest);
    let (one, two, _) = server.join();
    assert_eq!(one, OwnedMessage::Text("one".into()));
    assert_eq!(two, OwnedMessage::Text("two".into()));
}

#[test]
fn the_transport_can_be_taken_back_with_the_bytes_read_ahead() {
    let (ours, theirs) = support::tcp_pair();
    let mut peer = Peer::of::<Server>(theirs);
    let ahead = peer.frame(0x81, b"ahead");
    let bytes = [REQUEST.as_bytes(), &ahead].concat();
    peer.write(&bytes);
    let socket = spawn(move || accept(ours).expect("accepts")).join();
    read_head(&mut peer.stream);
    let (transport, leftover) = socket.into_inner();
    assert_eq!(leftover, ahead);
    // No Close was sent, and the two parts make a WebSocket again.
    let connection = Connection::new(Negotiated::from_upgraded(), Server, &quiet());
    let again = WebSocket::from_connection(transport, connection, &Settings::new(), leftover)
        .expect("open");
    let echo = spawn(|| echo(again));
    assert_eq!(words(&[peer.next()]), "text ahead");
    peer.close(1000, "");
    peer.end();
    assert_eq!(words(&peer.rest()), "close 1000");
    assert!(echo.join().is_clean());
}

/// A clean conversation between two of ours; fails if either hangs.
fn converse<T: sansocket_net::Transport + Send + 'static>(ours: T, theirs: T) {
    let server = spawn(move || {
        let mut socket = accept(ours).expect("accepts");
        let mut inbox = Inbox::new();
        for _ in 0..2 {
            let message = socket.receive(&mut inbox).expect("a message");
            socket.send(message).expect("sends");
        }
        closed(socket.receive(&mut inbox).expect_err("the end"))
    });
    let client = spawn(move || {
        let mut socket =
            connect_over(theirs, "ws://localhost/", &ConnectOptions::new()).expect("connects");
        let (mut inbox, large) = (Inbox::new(), text(100_000));
        for message in ["small", &large] {
            socket.send(message).expect("sends");
            assert!(socket.receive(&mut inbox).expect("an echo") == Message::Text(message));
        }
        socket.close(&mut inbox, CloseCode::NORMAL, "").expect("closes")
    });
    assert!(server.join().is_clean());
    assert!(client.join().is_clean());
}

#[cfg(unix)]
#[test]
fn unix_sockets_are_transports() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    converse(ours, theirs);
}

#[test]
fn any_stream_is_a_transport_without_deadlines() {
    let (ours, theirs) = pipe();
    converse(Untimed(ours), Untimed(theirs));
}

// 6455-5.1-02: a server that is strict takes it
#[test]
fn a_client_masks_inside_tls_too() {
    let (ours, theirs) = pipe();
    let server = spawn(move || {
        let mut socket = accept(Untimed(ours)).expect("accepts");
        socket.receive(&mut Inbox::new()).map(owned)
    });
    // Whoever has such a transport says so by the URI.
    let mut client = connect_over(Untimed(theirs), "wss://localhost/", &ConnectOptions::new())
        .expect("connects");
    client.send("secret").expect("sends");
    assert_eq!(server.join().expect("a masked frame"), OwnedMessage::Text("secret".into()));
}

#[test]
fn a_stream_that_buffers_is_flushed() {
    let (mut ours, mut theirs) = pipe();
    for end in [&mut ours, &mut theirs] {
        end.buffer = Some(Vec::new());
    }
    converse(Untimed(ours), Untimed(theirs));
}

#[test]
fn an_answer_other_than_101_goes_through_a_stream_that_buffers() {
    use std::io::Read;
    let (mut ours, mut theirs): (Pipe, Pipe) = pipe();
    ours.buffer = Some(Vec::new());
    theirs.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("writes");
    let task = spawn(move || accept(Untimed(ours)).is_err());
    let mut answer = Vec::new();
    theirs.read_to_end(&mut answer).expect("the answer, and its end");
    assert!(answer.starts_with(b"HTTP/1.1 426 "));
    assert!(task.join());
}

// RFC 6455 section 5.2: headers of 2 and 4 bytes, and a key of 4 if masked.
fn counts_exactly<R: End>() {
    let (mut socket, mut peer) = pair::<R>(&quiet());
    let key = if R::PEER_KEY.is_some() { 4 } else { 0 };
    peer.text("12345");
    peer.send(0x89, b"x");
    peer.send(0x02, &[1; 200]);
    peer.send(0x80, &[1; 50]);
    peer.close(1000, "ok");
    peer.end();
    let task = spawn(move || {
        let mut inbox = Inbox::new();
        assert_eq!(socket.counters(), Counters::default());
        for _ in 0..2 {
            let message = socket.receive(&mut inbox).expect("a message");
            socket.send(message).expect("sends");
        }
        closed(socket.receive(&mut inbox).expect_err("the end"));
        (socket.counters(), socket)
    });
    let (counters, _) = task.join();
    let received = (2 + 5) + (2 + 1) + (4 + 200) + (2 + 50) + (2 + 4);
    let sent = (2 + 5) + (2 + 1) + (4 + 250) + (2 + 4);
    let expected = Counters {
        bytes_received: received + 5 * key,
        bytes_sent: sent + 4 * (4 - key),
        frames_received: 5,
        frames_sent: 4,
        messages_received: 2,
        messages_sent: 2,
        round_trip: None,
    };
    assert_eq!(counters, expected);
    let all = peer.rest();
    assert_eq!(all.len(), 4);
    assert_eq!(words(&all[..2]), "text 12345, pong x");
    assert_eq!(words(&all[3..]), "close 1000 ok");
}

#[test]
fn counters_are_exact() {
    counts_exactly::<Server>();
    counts_exactly::<TestClient>();
}

#[test]
fn both_ends_know_the_subprotocol_and_the_client_the_response() {
    let listener = Listener::bind();
    let uri = listener.uri("/");
    let server: Task<Option<String>> = spawn(move || {
        let socket = accept_with(listener.accept(), &AcceptOptions::new(), |_| {
            Decision::accept()
                .subprotocol(Some("b"))
                .field("Set-Cookie", "id=7")
                .field("set-cookie", "x=1")
        });
        let socket = socket.expect("accepts");
        assert_eq!(socket.response().fields, []);
        socket.subprotocol().map(str::to_owned)
    });
    let client = spawn(move || {
        let options = ConnectOptions::new().subprotocol("a").subprotocol("b");
        let socket = connect_with(&uri, &options).expect("connects");
        assert_eq!(socket.subprotocol(), Some("b"));
        let cookies: Vec<&[u8]> = (socket.response().fields.iter())
            .filter(|(name, _)| name.eq_ignore_ascii_case("Set-Cookie"))
            .map(|(_, value)| &value[..])
            .collect();
        assert_eq!(cookies, [&b"id=7"[..], b"x=1"]);
    });
    assert_eq!(server.join().as_deref(), Some("b"));
    client.join();
}

#[test]
fn an_inbox_of_any_size_serves_messages_of_any_size() {
    for capacity in [0, 256, 257, 1000, 1 << 16] {
        let (mut socket, mut peer) = pair::<Server>(&quiet());
        let lens = [0, 1, 124, 125, 126, 249, 250, 251, 252, 256, 257, 5000, 70_000];
        let task = spawn(move || {
            let mut inbox = Inbox::with_capacity(capacity);
            for len in lens {
                let message = socket.receive(&mut inbox).expect("a message");
                assert!(message == Message::Text(&text(len)), "{len} in {capacity}");
            }
            socket
        });
        for len in lens {
            peer.text(&text(len));
        }
        task.join();
    }
}

#[test]
fn the_message_limit_of_the_settings_holds() {
    let config = Config::new().message_len_max(10);
    let (ours, theirs) = support::tcp_pair();
    let mut peer = Peer::of::<Server>(theirs);
    let request = [REQUEST.as_bytes(), &peer.frame(0x82, &[0; 11])].concat();
    peer.write(&request);
    peer.end();
    let server = spawn(move || {
        let options = AcceptOptions::new().settings(Settings::new().config(config));
        let mut socket = accept_with(ours, &options, |_| Decision::by_default()).expect("accepts");
        socket.receive(&mut Inbox::new()).map(owned).expect_err("too big")
    });
    assert!(matches!(server.join(), Error::Failed(failure) if failure.code().number() == 1009));
    read_head(&mut peer.stream);
    assert_eq!(words(&peer.rest()), "close 1009");
}

#[test]
fn an_upgraded_stream_is_a_websocket_in_either_role() {
    let (ours, theirs) = pipe();
    let server = open::<Server, _>(Untimed(ours), &quiet());
    let client = open::<TestClient, _>(Untimed(theirs), &quiet());
    let (echo, mut client) = (spawn(|| echo(server)), client);
    let task = spawn(move || {
        let mut inbox = Inbox::new();
        client.send("Hello").expect("sends");
        assert_eq!(client.receive(&mut inbox).expect("an echo"), Message::Text("Hello"));
        client.close(&mut inbox, CloseCode::new(4321), "").expect("closes")
    });
    assert_eq!(task.join().code(), CloseCode::new(4321));
    assert_eq!(echo.join().code(), CloseCode::new(4321));
}
