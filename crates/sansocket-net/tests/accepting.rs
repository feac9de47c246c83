//! A server's opening handshake over sockets: what the program decides, what is
//! refused without asking, and how an answer gets there.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use sansocket::handshake::{
    AcceptError as AcceptFault, FieldFault, HandshakeRule, Incoming, MissingOrigin, NullOrigin,
    ReplyError,
};
use sansocket::{Inbox, Server};
use sansocket_net::{
    AcceptError, AcceptOptions, Decision, Refused, WebSocket, accept, accept_with,
};
use support::{
    Exchange, Peer, REQUEST, owned, read_head, spawn, tcp_pair, words, write_until_dropped,
};

type Accepted = Result<WebSocket<TcpStream, Server>, AcceptError>;

/// A plain GET.
const PLAIN: &str = "GET /page HTTP/1.1\r\nHost: example.com\r\n\r\n";

/// A request for a WebSocket with these further fields.
fn request(fields: &str) -> String {
    format!("{}{fields}\r\n", REQUEST.strip_suffix("\r\n").expect("a head"))
}

/// Has `request` answered, reads the answer to its end, and leaves.
#[track_caller]
fn answered(
    options: AcceptOptions,
    request: &str,
    decide: impl FnOnce(&Incoming<'_>) -> Decision + Send + 'static,
) -> (Exchange, AcceptError) {
    let (ours, mut theirs) = tcp_pair();
    let server = spawn(move || accept_with(ours, &options, decide));
    let answer = Exchange::with(&mut theirs, request);
    drop(theirs);
    (answer, server.join().expect_err("no WebSocket"))
}

#[test]
fn a_decision_answers_with_status_fields_and_body() {
    for request in [REQUEST, PLAIN] {
        let (answer, error) = answered(AcceptOptions::new(), request, |_| {
            Decision::reply(404, "nothing here").field("X-Why", "a test")
        });
        assert_eq!(answer.status(), "404");
        assert!(answer.has_field("X-Why: a test") && answer.has_field("Connection: close"));
        assert!(answer.has_field("Content-Length: 12"));
        assert_eq!(answer.body, b"nothing here");
        assert!(matches!(error, AcceptError::Refused(Refused::Answered(404))));
    }
}

#[test]
fn a_decision_sees_the_request() {
    let (ours, mut theirs) = tcp_pair();
    let server = spawn(move || {
        accept_with(ours, &AcceptOptions::new(), |incoming| match incoming {
            Incoming::Upgrade(request) => {
                assert_eq!((request.path(), request.host()), ("/chat", "example.com"));
                assert_eq!(request.fields().get("Cookie"), Some(&b"id=7"[..]));
                let subprotocol = request.select_subprotocol(&["mqtt", "chat"]);
                Decision::accept().subprotocol(subprotocol).field("X-Seen", "yes")
            }
            _ => Decision::reply(404, ""),
        })
    });
    let request = request("Sec-WebSocket-Protocol: superchat, chat\r\nCookie: id=7\r\n");
    theirs.write_all(request.as_bytes()).expect("the server reads");
    let head = read_head(&mut theirs);
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
    assert!(head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert!(head.contains("\r\nSec-WebSocket-Protocol: chat\r\n"));
    assert!(head.contains("\r\nX-Seen: yes\r\n"));
    assert_eq!(server.join().expect("accepts").subprotocol(), Some("chat"));
}

// H30
#[test]
fn no_common_subprotocol_is_none() {
    let (ours, mut theirs) = tcp_pair();
    let server = spawn(move || {
        accept_with(ours, &AcceptOptions::new(), |incoming| {
            let Incoming::Upgrade(request) = incoming else { panic!("{incoming:?}") };
            Decision::accept().subprotocol(request.select_subprotocol(&["mqtt"]))
        })
    });
    let request = request("Sec-WebSocket-Protocol: chat\r\n");
    theirs.write_all(request.as_bytes()).expect("the server reads");
    let head = read_head(&mut theirs);
    assert!(head.starts_with("HTTP/1.1 101 ") && !head.contains("Sec-WebSocket-Protocol"));
    assert_eq!(server.join().expect("accepts").subprotocol(), None);
}

// H38: the peer has no fault in it, and no byte of the bad answer gets there.
#[test]
fn an_answer_that_cannot_be_given_is_a_500_and_a_typed_error() {
    let upgrade = |decision: fn() -> Decision| {
        let (answer, error) = answered(AcceptOptions::new(), REQUEST, move |_| decision());
        assert_eq!(answer.status(), "500");
        assert!(!answer.head.contains("forged") && answer.body.is_empty());
        error
    };
    let error = upgrade(|| Decision::accept().subprotocol(Some("chat")));
    assert!(matches!(
        error,
        AcceptError::Refused(Refused::Accept(AcceptFault::SubprotocolNotOffered))
    ));
    let error = upgrade(|| Decision::accept().field("X", "a\r\nforged: yes"));
    let fault = AcceptFault::Field { index: 0, fault: FieldFault::Value };
    assert!(matches!(error, AcceptError::Refused(Refused::Accept(found)) if found == fault));
    let error = upgrade(|| Decision::accept().field("Sec-WebSocket-Accept", "forged"));
    let fault = AcceptFault::Field { index: 0, fault: FieldFault::Reserved };
    assert!(matches!(error, AcceptError::Refused(Refused::Accept(found)) if found == fault));
    let error = upgrade(|| Decision::reply(404, "").field("Content-Length", "forged"));
    let fault = ReplyError::Field { index: 0, fault: FieldFault::Reserved };
    assert!(matches!(error, AcceptError::Refused(Refused::Reply(found)) if found == fault));
    for status in [101, 200, 600] {
        let (answer, error) =
            answered(AcceptOptions::new(), REQUEST, move |_| Decision::reply(status, ""));
        assert_eq!(answer.status(), "500");
        assert!(
            matches!(error, AcceptError::Refused(Refused::Reply(found)) if found == ReplyError::Status { status })
        );
    }
    let (answer, error) = answered(AcceptOptions::new(), PLAIN, |_| Decision::reply(204, "forged"));
    assert_eq!(answer.status(), "500");
    assert!(matches!(
        error,
        AcceptError::Refused(Refused::Reply(ReplyError::Body { status: 204 }))
    ));
}

// H14
#[test]
fn a_plain_request_is_answered_with_426_unless_the_program_has_a_page() {
    for decide in [Decision::by_default, Decision::accept] {
        let (answer, error) = answered(AcceptOptions::new(), PLAIN, move |_| decide());
        assert_eq!(answer.status(), "426");
        assert!(answer.has_field("Upgrade: websocket"));
        assert!(answer.has_field("Sec-WebSocket-Version: 13"));
        assert!(
            matches!(error, AcceptError::Refused(Refused::Rejected(rejection)) if rejection.rule() == HandshakeRule::NotWebSocket)
        );
    }
    let page = "x".repeat(100_000);
    let expected = page.clone();
    let (answer, error) =
        answered(AcceptOptions::new(), PLAIN, move |_| Decision::reply(200, page));
    assert_eq!(answer.status(), "200");
    assert!(answer.body == expected.as_bytes());
    assert!(matches!(error, AcceptError::Refused(Refused::Answered(200))));
}

/// The status for an `Origin` field, or none.
#[track_caller]
fn check_origin(options: &AcceptOptions, origin: Option<&str>, expected: &str) {
    let (ours, mut theirs) = tcp_pair();
    let options = options.clone();
    let server = spawn(move || accept_with(ours, &options, |_| Decision::by_default()));
    let field = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
    theirs.write_all(request(&field).as_bytes()).expect("the server reads");
    let head = read_head(&mut theirs);
    assert_eq!(head.split(' ').nth(1), Some(expected), "{origin:?}");
    if expected == "403" {
        let mut body = String::new();
        theirs.read_to_string(&mut body).expect("a body");
        assert_eq!(body, "Forbidden.", "no detail");
        drop(theirs);
        assert!(matches!(server.join(), Err(AcceptError::Refused(Refused::Rejected(_)))));
    } else {
        server.join().expect("accepts");
    }
}

// H26, H27, H28: 6455-10.2-01, 6455-10.2-02
#[test]
fn the_origin_policy_holds() {
    let by_default = AcceptOptions::new();
    check_origin(&by_default, None, "101");
    check_origin(&by_default, Some("http://example.com"), "101");
    check_origin(&by_default, Some("https://evil.example"), "403");
    check_origin(&by_default, Some("null"), "403");
    check_origin(&by_default, Some("http://a b"), "403");

    let listed = by_default.clone().allow_origin("https://a.example").allow_origin("http://b:81");
    check_origin(&listed, Some("https://a.example"), "101");
    check_origin(&listed, Some("http://b:81"), "101");
    check_origin(&listed, Some("http://b:82"), "403");
    check_origin(&listed, Some("http://example.com"), "403");
    check_origin(&listed, None, "101");
    check_origin(&listed.missing_origin(MissingOrigin::Refuse), None, "403");

    let any = by_default.clone().allow_origin("*");
    check_origin(&any, Some("https://evil.example"), "101");
    check_origin(&by_default.null_origin(NullOrigin::Allow), Some("null"), "101");
}

// 6455-4.2.2-01, 6455-10.7-04
#[test]
fn a_refusal_is_not_asked_for() {
    for (request, status) in [
        ("POST /chat HTTP/1.1\r\nHost: a\r\n\r\n", "405"),
        ("GET /chat HTTP/1.0\r\nHost: a\r\n\r\n", "400"),
        ("GET /chat HTTP/1.1\r\n\r\n", "400"),
        ("\x16\x03\x01 hello", "400"),
    ] {
        let (answer, error) = answered(AcceptOptions::new(), request, |_| panic!("asked"));
        assert_eq!(answer.status(), status);
        assert!(matches!(error, AcceptError::Refused(Refused::Rejected(_))));
    }
}

// H36: 6455-7.2.2-01
#[test]
fn nothing_of_a_second_request_is_processed() {
    let both = format!("POST / HTTP/1.1\r\nHost: a\r\n\r\n{REQUEST}");
    let (answer, _) = answered(AcceptOptions::new(), &both, |_| panic!("asked"));
    assert_eq!(answer.status(), "405");
    let length: usize = (answer.head.lines())
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .and_then(|length| length.parse().ok())
        .expect("a length");
    assert_eq!(answer.body.len(), length, "one answer, and the end");

    let both = format!("{PLAIN}{REQUEST}");
    let (answer, _) = answered(AcceptOptions::new(), &both, |_| Decision::reply(404, "no"));
    assert_eq!((answer.status(), &answer.body[..]), ("404", &b"no"[..]));
}

// H07, T13
#[test]
fn a_rejection_arrives_whole_though_the_peer_goes_on_writing() {
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n", "x".repeat(50_000));
    let (answer, error) = answered(AcceptOptions::new(), &request, |_| panic!("asked"));
    assert_eq!(answer.status(), "431");
    assert!(matches!(error, AcceptError::Refused(Refused::Rejected(_))));
}

#[test]
fn a_peer_that_writes_for_ever_after_its_rejection_is_dropped() {
    let (ours, mut theirs) = tcp_pair();
    let server = spawn(move || accept(ours).err());
    theirs.write_all(b"POST / HTTP/1.1\r\n").expect("the server reads");
    write_until_dropped(&mut theirs);
    assert!(matches!(server.join(), Some(AcceptError::Refused(Refused::Rejected(_)))));
}

// H41: 6455-7.2.2-01
#[test]
fn a_peer_that_leaves_inside_its_request_gets_nothing() {
    for part in ["", "GET / HT", &REQUEST[..REQUEST.len() - 1]] {
        let (ours, mut theirs) = tcp_pair();
        theirs.write_all(part.as_bytes()).expect("writes");
        theirs.shutdown(std::net::Shutdown::Write).expect("open");
        let error: Accepted = spawn(move || accept(ours)).join();
        assert!(matches!(error, Err(AcceptError::Incomplete)));
        let mut answer = Vec::new();
        theirs.read_to_end(&mut answer).expect("the end");
        assert_eq!(answer, b"");
    }
}

// H35
#[test]
fn frames_behind_a_rejected_request_are_never_looked_at() {
    let (ours, theirs) = tcp_pair();
    let server = spawn(move || accept(ours).err());
    let mut peer = Peer::of::<Server>(theirs);
    let frames = peer.frame(0x81, b"sneaked in");
    peer.write(&[b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", &frames[..]].concat());
    let mut answer = String::new();
    peer.stream.read_to_string(&mut answer).expect("the answer");
    assert!(answer.starts_with("HTTP/1.1 400 ") && !answer.contains("sneaked"));
    drop(peer);
    assert!(matches!(server.join(), Some(AcceptError::Refused(Refused::Rejected(_)))));
}

#[test]
fn accept_takes_whatever_asks_for_a_websocket() {
    let (ours, theirs) = tcp_pair();
    let server = spawn(move || {
        let mut socket = accept(ours).expect("accepts");
        let message = socket.receive(&mut Inbox::new()).map(owned).expect("a message");
        socket.send(&message).expect("sends");
        socket
    });
    let mut peer = Peer::of::<Server>(theirs);
    peer.write(REQUEST.as_bytes());
    assert!(read_head(&mut peer.stream).starts_with("HTTP/1.1 101 "));
    peer.text("Hello");
    assert_eq!(words(&[peer.next()]), "text Hello");
    server.join();
}
