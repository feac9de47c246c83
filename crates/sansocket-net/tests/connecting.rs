//! A client's opening handshake over sockets: what it refuses, where it goes, and
//! how it gets there.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use sansocket::handshake::{FieldFault, HandshakeLimits, RequestError, ResponseError};
use sansocket::uri::UriErrorKind;
use sansocket::{ChaChaKeys, Client};
use sansocket_net::{
    ConnectError, ConnectOptions, Redirects, Rejected, Settings, Stream, WebSocket, connect,
    connect_with,
};
use support::{Listener, Task, read_head, spawn, upgrade_response, write_until_dropped};

type Connected = Result<WebSocket<Stream, Client<ChaChaKeys>>, ConnectError>;

/// Connects to `path` of a server that gives these answers, one a connection.
/// Returns the outcome and the requests.
#[track_caller]
fn connect_to(
    listener: Listener,
    path: &str,
    options: &ConnectOptions,
    answers: &[&str],
) -> (ConnectError, Vec<String>) {
    let uri = listener.uri(path);
    let server = listener.answer(answers.iter().map(|&answer| answer.to_owned()).collect());
    let options = options.clone();
    let connected: Connected = spawn(move || connect_with(&uri, &options)).join();
    (connected.expect_err("no WebSocket"), server.join())
}

#[track_caller]
fn rejected(answer: &str) -> Rejected {
    match connect_to(Listener::bind(), "/", &ConnectOptions::new(), &[answer]).0 {
        ConnectError::Rejected(rejected) => *rejected,
        error => panic!("{error:?}"),
    }
}

// C01
#[test]
fn an_answer_other_than_101_is_a_rejection_with_all_that_it_says() {
    let refusal = rejected(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nX: 1\r\nContent-Length: 5\r\n\r\n\
         so no and this is too much",
    );
    assert_eq!((refusal.status, &refusal.body[..]), (401, &b"so no"[..]));
    assert_eq!(refusal.field("www-authenticate"), Some("Basic"));
    assert_eq!(refusal.fields.len(), 3);

    // Even with everything else as it should be.
    let refusal = rejected("HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    assert_eq!((refusal.status, &refusal.body[..]), (200, &b""[..]));

    // A body that the end of the stream ends, or that is cut off.
    let refusal = rejected("HTTP/1.1 500 Oops\r\n\r\nall of it");
    assert_eq!(refusal.body, b"all of it");
    let refusal = rejected("HTTP/1.1 500 Oops\r\nContent-Length: 50\r\n\r\nsome of it");
    assert_eq!(refusal.body, b"some of it");
}

// C01
#[test]
fn the_body_of_a_rejection_is_bounded() {
    for field in ["", "Content-Length: 10000000\r\n", "Content-Length: nonsense\r\n"] {
        let listener = Listener::bind();
        let uri = listener.uri("/");
        let client = spawn(move || connect(&uri).expect_err("rejected"));
        let mut stream = listener.accept();
        read_head(&mut stream);
        stream.write_all(format!("HTTP/1.1 404 No\r\n{field}\r\n").as_bytes()).expect("reads");
        write_until_dropped(&mut stream);
        let ConnectError::Rejected(rejected) = client.join() else { panic!("no rejection") };
        assert_eq!((rejected.status, rejected.body.len()), (404, 64 * 1024));
    }
}

// C01
#[test]
fn the_body_of_a_rejection_is_not_waited_for_too_long() {
    let listener = Listener::bind();
    let uri = listener.uri("/");
    let client = spawn(move || connect(&uri).expect_err("rejected"));
    let mut stream = listener.accept();
    read_head(&mut stream);
    stream.write_all(b"HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\npart").expect("reads");
    let ConnectError::Rejected(rejected) = client.join() else { panic!("no rejection") };
    assert_eq!(rejected.body, b"part");
}

/// A 101 that is not as it must be.
#[track_caller]
fn refused(change: impl Fn(String) -> String + Send + 'static) -> ResponseError {
    let listener = Listener::bind();
    let uri = listener.uri("/");
    let options = ConnectOptions::new().subprotocol("chat");
    let client = spawn(move || connect_with(&uri, &options).expect_err("refused"));
    let mut stream = listener.accept();
    let request = read_head(&mut stream);
    let answer = change(upgrade_response(&request, "Sec-WebSocket-Protocol: chat\r\n"));
    // The client may have seen enough before the last byte.
    let _ = stream.write_all(answer.as_bytes());
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut late = Vec::new();
    let end = stream.read_to_end(&mut late).map_err(|error| error.kind());
    assert!(matches!(end, Ok(_) | Err(ErrorKind::ConnectionReset)), "{end:?}");
    assert_eq!(late, b"", "no Close: there was no connection");
    match client.join() {
        ConnectError::Response(error) => error,
        error => panic!("{error:?}"),
    }
}

// C02, C03, C04, C05, C07: 6455-4.1-40, 6455-7.1.4-03, 6455-7.2.1-01
#[test]
fn a_response_that_breaks_a_rule_opens_nothing() {
    let replace = |from: &'static str, to: &'static str| {
        refused(move |answer| {
            assert!(answer.contains(from));
            answer.replacen(from, to, 1)
        })
    };
    let errors = [
        replace("Upgrade: websocket\r\n", ""),
        replace("Connection: Upgrade\r\n", "Connection: close\r\n"),
        replace("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x"),
        replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
        replace("-Protocol: chat", "-Protocol: other"),
        replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n"),
        refused(|answer| answer.replacen("\r\n\r\n", &format!("\r\nX: {}", "x".repeat(20_000)), 1)),
        refused(|answer| answer[..answer.len() - 1].to_owned()),
    ];
    for (i, error) in errors.iter().enumerate() {
        assert!(!errors[..i].contains(error), "each of its own: {error:?}");
    }
}

// C06
#[test]
fn interim_responses_are_skipped() {
    let listener = Listener::bind();
    let uri = listener.uri("/");
    let client = spawn(move || connect(&uri).map(|socket| socket.response().fields.len()));
    let mut stream = listener.accept();
    let request = read_head(&mut stream);
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(3);
    stream.write_all((early + &upgrade_response(&request, "")).as_bytes()).expect("reads");
    assert_eq!(client.join().expect("connects"), 3, "the fields of the last");
}

const ELSEWHERE: &str = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n";

fn moved(location: &str) -> String {
    format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

fn following() -> ConnectOptions {
    ConnectOptions::new().redirects(Redirects::Follow)
}

// C09
#[test]
fn a_redirect_is_a_rejection_unless_asked_for() {
    let refusal = rejected(ELSEWHERE);
    assert_eq!((refusal.status, refusal.field("Location")), (302, Some("/elsewhere")));
    // Nor is anything followed that is no redirect.
    let answer = "HTTP/1.1 300 Multiple Choices\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n";
    let (error, _) = connect_to(Listener::bind(), "/", &following(), &[answer]);
    assert!(matches!(error, ConnectError::Rejected(rejected) if rejected.status == 300));
}

// C09
#[test]
fn a_redirect_is_followed_by_path_and_by_address() {
    let (first, second) = (Listener::bind(), Listener::bind());
    let uri = first.uri("/start?x=1");
    let there = format!("http://{}/end#top", second.address());
    let answers =
        [moved("/next?url=http://elsewhere/&y=2"), moved(&format!("ws://{}/b", first.address()))];
    let first = first.answer(answers.into_iter().chain([moved(&there)]).collect());
    let second: Task<String> = spawn(move || {
        let mut stream = second.accept();
        let request = read_head(&mut stream);
        stream.write_all(upgrade_response(&request, "").as_bytes()).expect("the client reads");
        request
    });
    let options = following().field("Authorization", "Bearer x");
    spawn(move || connect_with(&uri, &options).map(drop)).join().expect("connects");
    let heads = first.join();
    let paths: Vec<_> = heads.iter().map(|head| head.split(' ').nth(1).expect("a path")).collect();
    assert_eq!(paths, ["/start?x=1", "/next?url=http://elsewhere/&y=2", "/b"]);
    assert!(heads.iter().all(|head| head.contains("\r\nAuthorization: Bearer x\r\n")));
    let last = second.join();
    assert!(last.starts_with("GET /end HTTP/1.1\r\n"));
    // Another port is another host: it does not get the secret.
    assert!(!last.contains("Authorization"));
}

// C09
#[test]
fn secrets_are_not_taken_to_another_host_and_not_back() {
    let (first, second) = (Listener::bind(), Listener::bind());
    let (uri, there, back) = (first.uri("/"), second.uri("/"), first.uri("/back"));
    let first = first.answer(vec![moved(&there), "HTTP/1.1 404 No\r\n\r\n".to_owned()]);
    let second = second.answer(vec![moved(&back)]);
    let options = following()
        .field("authorization", "Bearer x")
        .field("Cookie", "id=7")
        .field("Proxy-Authorization", "Basic x")
        .field("X-Public", "yes");
    let error = spawn(move || connect_with(&uri, &options).expect_err("404 in the end")).join();
    assert!(matches!(error, ConnectError::Rejected(_)));
    let (heads, other) = (first.join(), second.join());
    assert!(heads[0].contains("Bearer x") && heads[0].contains("id=7"));
    for head in [&heads[1], &other[0]] {
        assert!(head.contains("\r\nX-Public: yes\r\n"));
        for secret in ["Bearer x", "id=7", "Basic x"] {
            assert!(!head.contains(secret), "{head}");
        }
    }
}

// C09: the same machine by another name is another host.
#[test]
fn secrets_are_not_taken_to_another_name() {
    let listener = Listener::bind();
    let port = listener.address().port();
    let options = following().field("Cookie", "id=7");
    let answers = [&moved(&format!("ws://localhost:{port}/")), "HTTP/1.1 404 No\r\n\r\n"];
    let (error, heads) = connect_to(listener, "/", &options, &answers);
    assert!(matches!(error, ConnectError::Rejected(_)));
    assert!(heads[0].contains("id=7") && !heads[1].contains("id=7"));
    assert!(heads[1].contains(&format!("\r\nHost: localhost:{port}\r\n")));
}

// C09
#[test]
fn a_redirect_is_not_followed_for_ever() {
    let (error, heads) = connect_to(Listener::bind(), "/", &following(), &[ELSEWHERE; 6]);
    let ConnectError::Redirect(last) = error else { panic!("{error:?}") };
    assert_eq!((last.status, heads.len()), (302, 6));
}

// C09, C10
#[test]
fn a_redirect_to_no_websocket_address_is_not_followed() {
    for location in [
        "ftp://127.0.0.1/",
        "//127.0.0.1/",
        "relative",
        "",
        "ws://user@127.0.0.1/",
        "ws://",
        "http://127.0.0.1:99999/",
        "/with space",
    ] {
        let (error, _) = connect_to(Listener::bind(), "/", &following(), &[&moved(location)]);
        let ConnectError::Redirect(last) = error else { panic!("{location}: {error:?}") };
        assert_eq!(last.status, 307);
    }
    let answer = "HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n";
    let (error, _) = connect_to(Listener::bind(), "/", &following(), &[answer]);
    assert!(matches!(error, ConnectError::Redirect(_)), "without Location");
}

#[cfg(not(feature = "tls"))]
#[test]
fn without_tls_its_addresses_are_refused_before_anything_is_done() {
    assert!(matches!(connect("wss://127.0.0.1/"), Err(ConnectError::TlsUnsupported)));
    let secure = moved("wss://127.0.0.1/");
    let (error, _) = connect_to(Listener::bind(), "/", &following(), &[&secure]);
    assert!(matches!(error, ConnectError::TlsUnsupported));
}

// C10: 6455-4.1-04, 6455-12-01
#[test]
fn a_bad_uri_is_refused_before_anything_is_done() {
    for (uri, kind) in [
        ("http://127.0.0.1/", UriErrorKind::Scheme),
        ("ws://user@127.0.0.1/", UriErrorKind::UserInformation),
        ("ws://127.0.0.1/#top", UriErrorKind::Fragment),
    ] {
        let error = connect(uri).expect_err("refused");
        assert!(matches!(&error, ConnectError::Uri(error) if error.kind() == kind), "{error:?}");
    }
}

#[test]
fn a_request_that_must_not_be_sent_is_refused() {
    let listener = Listener::bind();
    let check = |options: ConnectOptions| match connect_with(&listener.uri("/"), &options) {
        Err(ConnectError::Request(error)) => error,
        other => panic!("{other:?}"),
    };
    let fault = check(ConnectOptions::new().field("X", "a\r\nY: b"));
    assert_eq!(fault, RequestError::Field { index: 0, fault: FieldFault::Value });
    let fault = check(ConnectOptions::new().field("Upgrade", "h2c"));
    assert_eq!(fault, RequestError::Field { index: 0, fault: FieldFault::Reserved });
    let fault = check(ConnectOptions::new().subprotocol("a b"));
    assert_eq!(fault, RequestError::SubprotocolMalformed { index: 0 });
    let fault = check(ConnectOptions::new().origin("no origin"));
    assert_eq!(fault, RequestError::OriginMalformed);
}

// 6455-12-02
#[test]
fn the_request_has_what_was_asked_for() {
    let options = ConnectOptions::new()
        .subprotocol("a")
        .subprotocol("b")
        .origin("https://app.example")
        .field("Cookie", "id=7");
    let listener = Listener::bind();
    let address = listener.address();
    let (_, heads) = connect_to(listener, "/p?q=1", &options, &["HTTP/1.1 404 No\r\n\r\n"]);
    let head = &heads[0];
    assert!(head.starts_with("GET /p?q=1 HTTP/1.1\r\n"));
    for line in [
        &format!("Host: {address}"),
        "Sec-WebSocket-Protocol: a, b",
        "Origin: https://app.example",
        "Cookie: id=7",
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} in {head}");
    }
}

// 6455-4.1-28
#[test]
fn keys_are_drawn_anew_for_each_attempt() {
    let (_, heads) = connect_to(Listener::bind(), "/", &following(), &[ELSEWHERE; 6]);
    let mut keys: Vec<_> = (heads.iter())
        .map(|head| head.lines().find(|line| line.starts_with("Sec-WebSocket-Key")))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 6);
}

// 6455-5.3-02, 6455-10.3-01
#[test]
fn each_connection_masks_with_keys_of_its_own() {
    let listener = Listener::bind();
    let mut keys = Vec::new();
    for _ in 0..2 {
        let uri = listener.uri("/");
        let client = spawn(move || {
            let mut socket = connect(&uri).expect("connects");
            for _ in 0..2 {
                socket.send("x").expect("sends");
            }
            socket
        });
        let mut stream = listener.accept();
        let request = read_head(&mut stream);
        stream.write_all(upgrade_response(&request, "").as_bytes()).expect("the client reads");
        for _ in 0..2 {
            let mut frame = [0; 7];
            stream.read_exact(&mut frame).expect("a frame");
            keys.push(frame[2..6].to_vec());
        }
        drop((stream, client.join()));
    }
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 4);
}

// 6455-4.1-13, 6455-7.1.4-03
#[test]
fn nobody_there_is_an_error_of_the_transport() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
    let error = connect(&format!("ws://{port}/")).expect_err("nobody listens");
    assert!(
        matches!(&error, ConnectError::Io(error) if error.kind() == ErrorKind::ConnectionRefused)
    );
    assert!(!error.is_timeout());
}

#[test]
fn no_time_to_connect_is_a_timeout() {
    let listener = Listener::bind();
    let options = ConnectOptions::new().connect_timeout(Duration::ZERO);
    let error = connect_with(&listener.uri("/"), &options).expect_err("no time");
    assert!(error.is_timeout(), "{error:?}");
}

#[test]
fn all_addresses_of_a_host_are_tried() {
    // `localhost` is both, or one of them; somebody listens at one only.
    let mut tried = 0;
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Some(listener) = Listener::bind_to(address) else { continue };
        let uri = format!("ws://localhost:{}/", listener.address().port());
        let resolved = std::net::ToSocketAddrs::to_socket_addrs(&("localhost", 1));
        if !resolved.is_ok_and(|mut all| all.any(|one| one.ip() == listener.address().ip())) {
            continue; // this machine's name for it leads elsewhere
        }
        let server = listener.answer(vec!["HTTP/1.1 404 No\r\n\r\n".to_owned()]);
        let error = spawn(move || connect(&uri).expect_err("404")).join();
        assert!(matches!(error, ConnectError::Rejected(_)), "{address}: {error:?}");
        server.join();
        tried += 1;
    }
    assert!(tried > 0, "localhost is nowhere");
}

#[test]
fn an_ipv6_address_is_a_host() {
    let Some(listener) = Listener::bind_to("[::1]:0") else { return }; // a machine without it
    let address = listener.address();
    let options = ConnectOptions::new().limits(HandshakeLimits::new());
    let (_, heads) = connect_to(listener, "/", &options, &["HTTP/1.1 404 No\r\n\r\n"]);
    assert!(heads[0].contains(&format!("\r\nHost: {address}\r\n")));
}

#[test]
fn no_patience_for_writing_is_a_little_all_the_same() {
    let listener = Listener::bind();
    let settings = Settings::new().write_stall(Duration::ZERO);
    let options = ConnectOptions::new().settings(settings);
    let (error, _) = connect_to(listener, "/", &options, &["HTTP/1.1 404 No\r\n\r\n"]);
    assert!(matches!(error, ConnectError::Rejected(_)), "{error:?}");
}
