//! What a handshake and a connection came to, in words that outlive them.

use std::time::Duration;

use sansocket::adapter::{Closed, Counters, HandshakeResponse, Rejected};
use sansocket::handshake::{Answer, ClientHandshake, ClientRequest};
use sansocket::{Cause, CloseCode, CloseFrame, Config, Connection, Server, Uri};

use crate::support::{Part, TestClient, in_both_roles, open, receive_all};

use Part::Frame;

/// Does something with the answer to a client that offers two subprotocols.
fn hear<T>(received: &[u8], take: impl FnOnce(Answer<'_>) -> T) -> T {
    let uri = Uri::parse("ws://server.example.com/chat").expect("a valid URI");
    let request = ClientRequest::new(&uri).subprotocols(&["chat", "superchat"]);
    // The nonce of RFC 6455 section 1.3.
    let mut handshake =
        ClientHandshake::new(request, *b"the sample nonce").expect("it may be sent");
    take(handshake.receive(received).expect("it breaks no rule"))
}

// 6455-4.1-51, 6455-4.1-52
#[test]
fn what_was_agreed_outlives_the_response() {
    let response = hear(
        b"HTTP/1.1 101 Switching Protocols\r\n\
          Upgrade: websocket\r\n\
          Connection: Upgrade\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
          Sec-WebSocket-Protocol: superchat\r\n\
          Set-Cookie: id=s3cret\r\n\
          Set-Cookie: \xff\r\n\r\n",
        |answer| match answer {
            Answer::Accepted(response) => HandshakeResponse::from_response(&response),
            answer => panic!("{answer:?}"),
        },
    );
    assert_eq!((response.subprotocol.as_deref(), &response.extensions), (Some("superchat"), &None));
    let fields: Vec<_> =
        response.fields.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    assert_eq!(fields.len(), 6);
    assert_eq!(fields[4..], [("Set-Cookie", &b"id=s3cret"[..]), ("Set-Cookie", b"\xff")]);

    let logged = format!("{response:?}");
    assert!(logged.contains("superchat") && logged.contains("Set-Cookie"), "{logged}");
    assert!(!logged.contains("s3cret"), "{logged}");
}

/// What becomes of an answer that opens no WebSocket.
fn rejected(received: &[u8]) -> Rejected {
    hear(received, |answer| match answer {
        Answer::Rejected(response) => {
            Rejected::from_response(&response, &received[response.head_len()..])
        }
        answer => panic!("{answer:?}"),
    })
}

const MAX: usize = 64 * 1024;

// C01
#[test]
fn the_body_of_a_rejection_is_as_long_as_declared_and_within_64_kib() {
    for (status, fields, sent, kept, left) in [
        // Less, as much and more than is declared.
        ("404 No", "Content-Length: 5\r\n", 3, 3, 2),
        ("404 No", "Content-Length: 5\r\n", 5, 5, 0),
        ("404 No", "content-length: 5\r\n", 9, 5, 0),
        ("404 No", "Content-Length: 0\r\n", 9, 0, 0),
        // What the transport ends.
        ("404 No", "", 0, 0, MAX),
        ("404 No", "", 9, 9, MAX - 9),
        ("404 No", "", MAX, MAX, 0),
        ("404 No", "", MAX + 1, MAX, 0),
        // More than is kept, or than can be counted.
        ("404 No", "Content-Length: 65536\r\n", 9, 9, MAX - 9),
        ("404 No", "Content-Length: 65537\r\n", MAX + 1, MAX, 0),
        ("404 No", "Content-Length: 99999999999999999999999\r\n", 9, 9, MAX - 9),
        // No length at all.
        ("404 No", "Content-Length: five\r\n", 9, 9, MAX - 9),
        ("404 No", "Content-Length: -5\r\n", 9, 9, MAX - 9),
        ("404 No", "Content-Length: \r\n", 9, 9, MAX - 9),
        // RFC 9110: there is no body, whatever is said.
        ("204 None", "Content-Length: 5\r\n", 5, 0, 0),
        ("304 Same", "", 5, 0, 0),
    ] {
        let head = format!("HTTP/1.1 {status}\r\n{fields}\r\n");
        let body = vec![b'x'; sent];
        let whole = rejected(&[head.as_bytes(), &body].concat());
        assert_eq!((whole.body.len(), whole.body_len_left()), (kept, left), "{head}{sent}");

        // In whatever pieces it comes.
        let mut pieces = rejected(head.as_bytes());
        assert_eq!(pieces.body_len_left(), kept + left, "{head}{sent}");
        body.chunks(1_000).for_each(|piece| pieces.push_body(piece));
        assert!(pieces == whole, "{head}{sent}");
    }
}

#[test]
fn a_rejection_is_read_by_the_names_of_its_fields() {
    let rejected = rejected(
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nSet-Cookie: s3cret\r\n\
          X-Two: 1\r\nX-Two: 2\r\nX-Bytes: \xff\r\n\r\nhidden",
    );
    assert_eq!((rejected.status, &rejected.body[..]), (401, &b"hidden"[..]));
    for (name, value) in [
        ("WWW-Authenticate", Some("Basic")),
        ("www-authenticate", Some("Basic")),
        ("X-Two", Some("1")),
        ("X-Bytes", None),
        ("X-Other", None),
    ] {
        assert_eq!(rejected.field(name), value, "{name}");
    }
    let logged = format!("{rejected:?}");
    for shown in ["401", "WWW-Authenticate", "Set-Cookie", "body_len: 6"] {
        assert!(logged.contains(shown), "{shown} in {logged}");
    }
    for hidden in ["Basic", "s3cret", "hidden"] {
        assert!(!logged.contains(hidden), "{hidden} in {logged}");
    }
}

/// How a connection ends that hears this, and then the end of the transport; and
/// what is said of it if the peer's Close was `frame`.
fn closed<R: crate::support::Endpoint>(
    parts: &[Part<'_>],
    frame: Option<CloseFrame<'_>>,
) -> Closed {
    let mut connection: Connection<R> = open(&Config::new());
    let failure = receive_all(&mut connection, parts).err();
    let closed = Closed::new(connection.receive_end(), frame);
    assert_eq!(closed.failure(), failure);
    closed
}

// 6455-7.1.5-01, 6455-7.1.5-02, 6455-7.1.5-03, 6455-7.1.6-01, 6455-7.1.6-02
#[test]
fn an_end_says_how_it_came_and_what_the_peer_gave_as_its_reason() {
    fn ends<R: crate::support::Endpoint>() {
        let going = |reason| Some(CloseFrame { code: CloseCode::GOING_AWAY, reason });
        for (parts, frame, code, is_clean, reason, text) in [
            (&[Frame(0x88, b"\x03\xe9bye")][..], going("bye"), 1001, true, "bye", "1001: bye"),
            (&[Frame(0x88, b"\x03\xe9")], going(""), 1001, true, "", "1001"),
            // What a log shows of a reason steers nothing.
            (&[Frame(0x88, b"\x03\xe9a\nb")], going("a\nb"), 1001, true, "a\nb", "1001: a\\nb"),
            (&[Frame(0x88, b"")], None, 1005, true, "", "1005"),
            (&[], None, 1006, false, "", "the peer left without a Close frame"),
            (&[Frame(0x01, b"a")], None, 1006, false, "", "the peer left inside a message"),
        ] {
            let closed = closed::<R>(parts, frame);
            assert_eq!(
                (closed.code().number(), closed.is_clean(), closed.reason()),
                (code, is_clean, reason),
                "{parts:?}"
            );
            assert_eq!(closed.is_clean(), closed.cause() == Cause::ClosingHandshake);
            assert_eq!(closed.failure(), None);
            assert_eq!(closed.closure().cause(), closed.cause());
            let text = if is_clean { format!("closed with {text}") } else { text.to_owned() };
            assert_eq!(closed.to_string(), text);
        }
        let failed = closed::<R>(&[Frame(0x81, b"\xff")], None);
        let failure = failed.failure().expect("no text");
        assert_eq!(failed.cause(), Cause::Failed(failure));
        assert_eq!((failed.code(), failed.is_clean()), (CloseCode::ABNORMAL, false));
        assert_eq!(failed.to_string(), failure.to_string());
    }
    in_both_roles([ends::<Server>, ends::<TestClient>]);
}

#[test]
fn what_was_sent_is_counted_apart_from_what_was_received() {
    let received = Counters {
        bytes_received: 1,
        bytes_sent: 2,
        frames_received: 3,
        frames_sent: 4,
        messages_received: 5,
        messages_sent: 6,
        round_trip: Some(Duration::from_millis(7)),
    };
    let sent = Counters {
        bytes_received: 11,
        bytes_sent: 12,
        frames_received: 13,
        frames_sent: 14,
        messages_received: 15,
        messages_sent: 16,
        round_trip: None,
    };
    let both = Counters { bytes_sent: 12, frames_sent: 14, messages_sent: 16, ..received };
    assert_eq!(received.with_sending(&sent), both);
}
