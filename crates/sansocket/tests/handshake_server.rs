//! The server's side of the opening handshake: RFC 6455 section 4.2, and rows
//! H01 to H41 of the abuse cases, through the public API.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use sansocket::handshake::{
    Accept, AcceptError, FieldFault, HandshakeConfig, HandshakeLimits, HandshakeRule, HeadRule,
    HttpVersion, Incoming, MissingOrigin, NullOrigin, OriginPolicy, Rejection, Reply, ReplyError,
    ServerHandshake,
};
use sansocket::{Tick, Wake};

/// A request that is right in every respect.
const GOOD: &str = "GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

const HOST: &str = "Host: server.example.com\r\n";
const UPGRADE: &str = "Upgrade: websocket\r\n";
const CONNECTION: &str = "Connection: Upgrade\r\n";
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";

const ACCEPT_KEY: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// `GOOD` with a part replaced.
#[track_caller]
fn edited(part: &str, by: &str) -> Vec<u8> {
    assert!(GOOD.contains(part), "{part:?} is not in the request");
    GOOD.replacen(part, by, 1).into_bytes()
}

/// `GOOD` with further header lines.
fn with_lines(lines: &str) -> Vec<u8> {
    edited(VERSION, &format!("{VERSION}{lines}"))
}

/// What an incoming request is, without its borrows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Incomplete,
    Upgrade { head_len: usize },
    Plain { head_len: usize },
    Rejected(Rejection),
}

fn receive(handshake: &mut ServerHandshake<'_>, received: &[u8]) -> Outcome {
    match handshake.receive(received) {
        Ok(Incoming::Incomplete) => Outcome::Incomplete,
        Ok(Incoming::Upgrade(request)) => Outcome::Upgrade { head_len: request.head_len() },
        Ok(Incoming::Plain(request)) => Outcome::Plain { head_len: request.head_len() },
        Err(rejection) => Outcome::Rejected(rejection),
    }
}

/// The outcome of `received`; it must be the same under every cut, byte by
/// byte, when asked again, and with a second request behind it (H36).
#[track_caller]
fn outcome(config: HandshakeConfig<'_>, received: &[u8]) -> Outcome {
    let mut handshake = ServerHandshake::new(config);
    let whole = receive(&mut handshake, received);
    assert_eq!(receive(&mut handshake, received), whole, "asked again");

    // All cuts of an ordinary head, a sample of them for a long one.
    let stride = if received.len() > 1_000 { 509 } else { 1 };
    for cut in (0..received.len()).step_by(stride) {
        let mut handshake = ServerHandshake::new(config);
        let first = receive(&mut handshake, &received[..cut]);
        assert!(first == Outcome::Incomplete || first == whole, "cut at {cut}: {first:?}");
        assert_eq!(receive(&mut handshake, received), whole, "cut at {cut}");
    }

    let mut handshake = ServerHandshake::new(config);
    let bytewise = (0..=received.len()).map(|end| receive(&mut handshake, &received[..end]));
    assert_eq!(settle(bytewise), whole, "byte by byte");

    if whole != Outcome::Incomplete {
        let pipelined = [received, GOOD.as_bytes(), b"\0\r\n\xff"].concat();
        let behind = receive(&mut ServerHandshake::new(config), &pipelined);
        assert_eq!(behind, whole, "with more behind");
    }
    whole
}

/// The outcome of a row of calls: the first that is more than "incomplete".
fn settle(mut outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    outcomes.find(|outcome| *outcome != Outcome::Incomplete).unwrap_or(Outcome::Incomplete)
}

/// An HTTP response, taken apart by the rules of its writer.
#[derive(Debug)]
struct HttpResponse {
    status: u16,
    fields: BTreeMap<String, String>,
    body: String,
}

fn parse_response(bytes: &[u8]) -> HttpResponse {
    let text = str::from_utf8(bytes).expect("responses are ASCII");
    let (head, body) = text.split_once("\r\n\r\n").expect("an empty line");
    let mut lines = head.split("\r\n");
    let status_line = lines.next().expect("a status line");
    let status = status_line.strip_prefix("HTTP/1.1 ").expect("a version");
    let fields = lines.map(|line| {
        let (name, value) = line.split_once(": ").expect("a field line");
        (name.to_ascii_lowercase(), value.to_owned())
    });
    HttpResponse {
        status: status[..3].parse().expect("three digits"),
        fields: fields.collect(),
        body: body.to_owned(),
    }
}

/// Checks the complete answer to a broken rule.
#[track_caller]
fn check_answer(rejection: &Rejection, status: u16) {
    let mut out = [0; 512];
    let len = rejection.write(&mut out).expect("512 bytes suffice");
    assert_eq!(len, rejection.response_len());
    assert_eq!(rejection.write(&mut out[..len - 1]).map_err(|error| error.need), Err(len));

    let response = parse_response(&out[..len]);
    assert_eq!((response.status, rejection.status()), (status, status));
    let field = |name: &str| response.fields.get(name).map(String::as_str);
    let is_426 = status == 426;
    assert_eq!(field("connection"), Some(if is_426 { "close, Upgrade" } else { "close" }));
    assert_eq!(field("upgrade"), is_426.then_some("websocket"));
    assert_eq!(field("allow"), (status == 405).then_some("GET"));
    assert_eq!(field("content-length"), Some(response.body.len().to_string().as_str()));
    assert_eq!(field("content-type"), Some("text/plain; charset=utf-8"));
    let tells_version = is_426 || rejection.rule() == HandshakeRule::VersionMissing;
    assert_eq!(field("sec-websocket-version"), tells_version.then_some("13"));
    assert_eq!(response.body, rejection.body());
}

#[track_caller]
fn check_rejected_by(config: HandshakeConfig<'_>, head: &[u8], status: u16, rule: HandshakeRule) {
    let Outcome::Rejected(rejection) = outcome(config, head) else {
        panic!("accepted: {}", head.escape_ascii());
    };
    assert_eq!(rejection.rule(), rule, "{}", head.escape_ascii());
    check_answer(&rejection, status);
}

#[track_caller]
fn check_rejected(head: &[u8], status: u16, rule: HandshakeRule) {
    check_rejected_by(HandshakeConfig::new(), head, status, rule);
}

#[track_caller]
fn check_head_rejected(head: &[u8], status: u16, rule: HeadRule) {
    check_rejected(head, status, HandshakeRule::Head(rule));
}

#[track_caller]
fn check_upgrade(head: &[u8]) {
    let outcome = outcome(HandshakeConfig::new(), head);
    assert_eq!(outcome, Outcome::Upgrade { head_len: head.len() }, "{}", head.escape_ascii());
}

/// Calls `look` with the request in `received`.
#[track_caller]
fn with_request<T>(
    received: &[u8],
    look: impl FnOnce(&sansocket::handshake::Request<'_>) -> T,
) -> T {
    match ServerHandshake::new(HandshakeConfig::new()).receive(received) {
        Ok(Incoming::Upgrade(request)) => look(&request),
        other => panic!("no upgrade: {other:?}"),
    }
}

#[test]
fn a_good_request_is_accepted_with_101() {
    // 6455-4.2.1-11, 6455-4.2.1-12, 6455-4.2.2-15, 6455-4.2.2-18, 6455-4.2.2-20,
    // 6455-4.2.2-21, 6455-4.2.2-22, 6455-4.2.2-23, 6455-4.2.2-24, 6455-4.4-02,
    // 6455-11.3.3-01, 8441-9.2-01
    check_upgrade(GOOD.as_bytes());
    let mut out = [0; 512];
    let len = with_request(GOOD.as_bytes(), |request| {
        assert_eq!((request.target(), request.path(), request.query()), ("/chat", "/chat", None));
        assert_eq!((request.host(), request.port()), ("server.example.com", None));
        assert_eq!(request.fields().len(), 5);
        assert!(request.origin().is_none());
        let accepted = request.accept(&Accept::new()).expect("nothing to refuse");
        let len = accepted.write(&mut out).expect("there is room");
        assert_eq!(len, accepted.response_len());
        assert_eq!(accepted.write(&mut [0; 20]).map_err(|error| error.need), Err(len));
        assert_eq!((accepted.status(), accepted.subprotocol()), (101, None));
        let _: sansocket::Negotiated = accepted.negotiated();
        len
    });
    let expected = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT_KEY}\r\n\r\n"
    );
    assert_eq!(str::from_utf8(&out[..len]), Ok(expected.as_str()));
}

#[test]
fn fields_come_in_any_order() {
    // 6455-4.2.1-01
    let mut lines = [HOST, UPGRADE, CONNECTION, KEY, VERSION];
    for first in 0..lines.len() {
        lines.swap(0, first);
        for shift in 0..4 {
            lines[1..].rotate_left(shift);
            check_upgrade(format!("GET / HTTP/1.1\r\n{}\r\n", lines.concat()).as_bytes());
        }
    }
}

#[test]
fn request_lines_must_be_a_get_of_http_1_1() {
    // H01, 6455-4.2.1-03, 6455-10.7-04
    for line in ["POST /chat", "HEAD /chat", "get /chat", "OPTIONS *", "CONNECT a:80", "X! /"] {
        check_head_rejected(&edited("GET /chat", line), 405, HeadRule::Method);
    }
    // H02
    check_head_rejected(&edited("HTTP/1.1", "HTTP/1.0"), 400, HeadRule::VersionMinor);
    check_head_rejected(&edited("HTTP/1.1", "HTTP/2.0"), 505, HeadRule::VersionMajor);
    check_head_rejected(&edited("HTTP/1.1", "HTTP/0.9"), 505, HeadRule::VersionMajor);
    check_upgrade(&edited("HTTP/1.1", "HTTP/1.2"));
    // H03
    check_head_rejected(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, HeadRule::VersionMajor);
    check_head_rejected(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 400, HeadRule::TlsRecord);
    check_head_rejected(b"SSH-2.0-OpenSSH_9.6\r\n", 400, HeadRule::RequestLine);
    check_head_rejected(b"{\"jsonrpc\":\"2.0\"}\n", 400, HeadRule::RequestLine);
    check_head_rejected(b"\0\0\0\0", 400, HeadRule::RequestLine);
    check_head_rejected(&[b'A'; 100], 400, HeadRule::RequestLine);
}

#[test]
fn request_lines_have_single_spaces_and_no_controls() {
    // H04
    for line in [
        " GET /chat HTTP/1.1",
        "GET  /chat HTTP/1.1",
        "GET /chat  HTTP/1.1",
        "GET /chat HTTP/1.1 ",
        "GET\t/chat HTTP/1.1",
        "GET /chat",
        "GET /chat HTTP/11",
        "GET /chat http/1.1",
        "GET /chat HTTP/1.1a",
        "GET\0 /chat HTTP/1.1",
    ] {
        let rule = HeadRule::RequestLine;
        check_head_rejected(&edited("GET /chat HTTP/1.1", line), 400, rule);
    }
    for target in ["/a\tb", "/a\0b", "/a\x7fb", "/a\x01"] {
        check_head_rejected(&edited("/chat", target), 400, HeadRule::TargetByte);
    }
    // RFC 9112 §2.2: one empty line in front is let pass, a second is not.
    check_upgrade(&[b"\r\n", GOOD.as_bytes()].concat());
    check_head_rejected(&[b"\r\n\r\n", GOOD.as_bytes()].concat(), 400, HeadRule::RequestLine);
}

#[test]
fn absolute_targets_name_the_authority() {
    // H05, 6455-4.2.1-04
    for (target, host, port, resource) in [
        ("http://other.example:81/chat?a", "other.example", Some(81), "/chat?a"),
        ("HTTPS://[::1]", "[::1]", None, "/"),
        ("http://other.example?a=b", "other.example", None, "/?a=b"),
    ] {
        let head = edited("/chat", target);
        check_upgrade(&head);
        with_request(&head, |request| {
            assert_eq!((request.host(), request.port()), (host, port));
            assert_eq!(request.resource().to_string(), resource);
            assert_eq!(request.target(), target);
        });
    }
    for target in
        ["ws://a/", "ftp://a/", "http://", "http:///a", "http://u@a/", "a", "*", "http:/a"]
    {
        check_head_rejected(&edited("/chat", target), 400, HeadRule::TargetForm);
    }
    // Host must be there nevertheless.
    let head = edited(HOST, "").replace_once(b"/chat", b"http://a/");
    check_rejected(&head, 400, HandshakeRule::HostMissing);
}

trait ReplaceOnce {
    fn replace_once(&self, part: &[u8], by: &[u8]) -> Vec<u8>;
}

impl ReplaceOnce for Vec<u8> {
    fn replace_once(&self, part: &[u8], by: &[u8]) -> Vec<u8> {
        let at = self.windows(part.len()).position(|window| window == part).expect("it is there");
        [&self[..at], by, &self[at + part.len()..]].concat()
    }
}

#[test]
fn targets_are_ascii_without_fragment() {
    // H37
    for byte in [0x80, 0xc3, 0xff] {
        let head = edited("/chat", "/ch?t").replace_once(b"?", &[byte]);
        check_head_rejected(&head, 400, HeadRule::TargetByte);
        let head = edited("GET", "G?T").replace_once(b"?", &[byte]);
        check_head_rejected(&head, 400, HeadRule::RequestLine);
        let head = with_lines("na?e: a\r\n").replace_once(b"na?e", &[b'n', byte]);
        check_head_rejected(&head, 400, HeadRule::FieldName);
    }
    check_rejected(
        &edited(UPGRADE, "Upgrade: websocket, ä\r\n"),
        400,
        HandshakeRule::UpgradeMalformed,
    );
    check_rejected(
        &edited(CONNECTION, "Connection: Upgrade, ä\r\n"),
        400,
        HandshakeRule::ConnectionMalformed,
    );
    check_upgrade(&with_lines("Cookie: name=ä\r\n"));
    check_upgrade(&with_lines("X: ?\r\n").replace_once(b"?\r\n", b"\xff\xfe\r\n"));
    // H39, 6455-3-06
    for target in ["/chat#top", "/#", "#", "http://a/#b"] {
        check_head_rejected(&edited("/chat", target), 400, HeadRule::TargetFragment);
    }
    for target in ["/a\"b", "/<", "/>"] {
        check_head_rejected(&edited("/chat", target), 400, HeadRule::TargetByte);
    }
    // Browsers send these unescaped.
    check_upgrade(&edited("/chat", "/chat?ids[]=1&q={a|b}^`\\%zz"));
}

#[test]
fn heads_are_bounded() {
    let target = |len: usize| edited("/chat", &format!("/{}", "a".repeat(len - 1)));
    check_upgrade(&target(8 * 1024));
    check_head_rejected(&target(8 * 1024 + 1), 414, HeadRule::TargetLen); // H06
    check_head_rejected(&target(100_000), 414, HeadRule::TargetLen);

    let padding = |len: usize| with_lines(&format!("X: {}\r\n", "a".repeat(len - GOOD.len() - 5)));
    check_upgrade(&padding(16 * 1024));
    check_head_rejected(&padding(16 * 1024 + 1), 431, HeadRule::HeadLen); // H07
    check_head_rejected(&padding(100_000), 431, HeadRule::HeadLen);

    check_upgrade(&with_lines(&"X: a\r\n".repeat(64 - 5)));
    check_head_rejected(&with_lines(&"X: a\r\n".repeat(65 - 5)), 431, HeadRule::FieldCount); // H08
    check_head_rejected(&with_lines(&"X:\r\n".repeat(2_000)), 431, HeadRule::FieldCount);
}

#[test]
fn limits_can_be_set() {
    let limits = HandshakeLimits::new().head_len_max(GOOD.len()).target_len_max(5).fields_max(5);
    let config = HandshakeConfig::new().limits(limits);
    let accepted = Outcome::Upgrade { head_len: GOOD.len() };
    assert_eq!(outcome(config, GOOD.as_bytes()), accepted);
    for (limits, status, rule) in [
        (limits.head_len_max(GOOD.len() - 1), 431, HeadRule::HeadLen),
        (limits.target_len_max(4), 414, HeadRule::TargetLen),
        (limits.fields_max(4), 431, HeadRule::FieldCount),
    ] {
        let config = HandshakeConfig::new().limits(limits);
        check_rejected_by(config, GOOD.as_bytes(), status, HandshakeRule::Head(rule));
    }
    // The cap of 64 fields stays, whatever is asked for.
    let config = HandshakeConfig::new().limits(HandshakeLimits::new().fields_max(1_000));
    let head = with_lines(&"X: a\r\n".repeat(60));
    check_rejected_by(config, &head, 431, HandshakeRule::Head(HeadRule::FieldCount));
}

#[test]
fn field_lines_have_one_form_only() {
    // 6455-4.2.1-02, 6455-10.7-04; H09
    check_head_rejected(&edited("HTTP/1.1\r\n", "HTTP/1.1\n"), 400, HeadRule::BareLf);
    check_head_rejected(&edited("HTTP/1.1\r\n", "HTTP/1.1\r"), 400, HeadRule::BareCr);
    check_head_rejected(&with_lines("X: a\n"), 400, HeadRule::BareLf);
    check_head_rejected(&with_lines("X: a\rb\r\n"), 400, HeadRule::BareCr);
    check_head_rejected(&with_lines("X: a\r\r\n"), 400, HeadRule::BareCr);
    check_head_rejected(&edited("13\r\n\r\n", "13\r\n\n"), 400, HeadRule::BareLf);
    check_head_rejected(&edited("13\r\n\r\n", "13\n\n"), 400, HeadRule::BareLf);
    // H10
    check_head_rejected(&with_lines("X: a\r\n b\r\n"), 400, HeadRule::FoldedLine);
    check_head_rejected(&with_lines("X: a\r\n\tb\r\n"), 400, HeadRule::FoldedLine);
    check_head_rejected(&edited(HOST, &format!(" {HOST}")), 400, HeadRule::FoldedLine);
    // H11
    check_head_rejected(&with_lines("X : a\r\n"), 400, HeadRule::SpaceBeforeColon);
    check_head_rejected(&with_lines("X\t: a\r\n"), 400, HeadRule::SpaceBeforeColon);
    // H12
    for line in ["X(: a\r\n", ": a\r\n", "X\0: a\r\n", "X\r\n", "X\"Y: a\r\n"] {
        check_head_rejected(&with_lines(line), 400, HeadRule::FieldName);
    }
    for byte in (0..b' ').filter(|byte| !b"\t\r\n".contains(byte)).chain([0x7f]) {
        let head = with_lines("X: a?b\r\n").replace_once(b"a?b", &[b'a', byte, b'b']);
        check_head_rejected(&head, 400, HeadRule::ControlByte);
    }
    // 6455-4.2.1-13
    check_upgrade(&with_lines("X:\r\nY: \t \r\nZ:a\tb\r\n"));
}

#[test]
fn host_is_one_valid_authority() {
    // H13, 6455-4.2.1-05
    check_rejected(&edited(HOST, ""), 400, HandshakeRule::HostMissing);
    check_rejected(&with_lines(HOST), 400, HandshakeRule::HostRepeated);
    for host in ["", "a b", "a/b", "u@a", "a:b", "a:65536", "[::1", "[a]", "ä", "a, b", ":80"] {
        let head = edited(HOST, &format!("Host: {host}\r\n"));
        check_rejected(&head, 400, HandshakeRule::HostMalformed);
    }
    for host in ["a", "a:", "A:80", "[::1]:9000", "192.0.2.7", "xn--mnchen-3ya.example"] {
        check_upgrade(&edited(HOST, &format!("hOST:\t{host} \r\n")));
    }
}

#[test]
fn a_get_without_upgrade_to_websocket_is_plain() {
    // H14, 6455-4.2.1-06
    for line in [
        "",
        "Upgrade: h2c\r\n",
        "Upgrade: websockets\r\n",
        "Upgrade: websocket/13\r\n",
        "Upgrade:\r\n",
    ] {
        let head = edited(UPGRADE, line);
        let expected = Outcome::Plain { head_len: head.len() };
        assert_eq!(outcome(HandshakeConfig::new(), &head), expected, "{line}");
    }
    // The handshake's other fields do not matter then.
    let head = b"GET /?page HTTP/1.1\r\nHost: a\r\nConnection: (\r\n\r\n";
    let mut handshake = ServerHandshake::new(HandshakeConfig::new());
    let Ok(Incoming::Plain(request)) = handshake.receive(head) else { panic!("not plain") };
    assert_eq!((request.path(), request.query(), request.host()), ("/", Some("page"), "a"));
    assert_eq!(request.rejection().rule(), HandshakeRule::NotWebSocket);
    check_answer(&request.rejection(), 426);

    let fields = [("Content-Type", "text/html")];
    let reply = Reply::new(200).fields(&fields).body(b"<p>Hi");
    let reply = request.answer(&reply).expect("a valid answer");
    let mut out = [0; 256];
    let len = reply.write(&mut out).expect("there is room");
    assert_eq!(len, reply.response_len());
    assert_eq!(
        str::from_utf8(&out[..len]),
        Ok("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\
            Content-Type: text/html\r\n\r\n<p>Hi")
    );
    assert_eq!(reply.write_head(&mut out), Ok(len - reply.body().len()));
    // Form and body are judged for plain requests too.
    check_rejected(b"GET / HTTP/1.1\r\n\r\n", 400, HandshakeRule::HostMissing);
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n";
    check_rejected(head, 400, HandshakeRule::ContentLength);
}

#[test]
fn upgrade_is_a_list_in_any_case() {
    // H15, 6455-2.1-01, 6455-4.2.1-06
    check_upgrade(&edited("websocket", "WebSocket"));
    check_upgrade(&edited("websocket", "WEBSOCKET"));
    // H16
    check_upgrade(&edited("websocket", "h2c, websocket"));
    check_upgrade(&edited("websocket", ",HTTP/2.0 ,, websocket,"));
    check_upgrade(&edited(UPGRADE, "Upgrade: h2c\r\nUpgrade: websocket\r\n"));
    for value in [
        "websocket;",
        "web socket, websocket",
        "websoc\u{212a}et", // the sign of Kelvin is no k
        "\"websocket\"",
        "/a",
        "a/",
        "a/b/c",
    ] {
        let head = edited("websocket", value);
        check_rejected(&head, 400, HandshakeRule::UpgradeMalformed);
    }
}

#[test]
fn connection_is_a_list_with_upgrade() {
    // H17, 6455-4.2.1-07
    for line in [
        "Connection: keep-alive, Upgrade\r\n",
        "Connection: keep-alive\r\nX: a\r\nConnection: upgrade\r\n",
        "connection: UPGRADE\r\n",
        "Connection: , ,keep-alive,,\tUpgrade ,\r\n",
    ] {
        check_upgrade(&edited(CONNECTION, line));
    }
    // H18
    for line in
        ["", "Connection: keep-alive\r\n", "Connection: upgrade-insecure\r\n", "Connection:\r\n"]
    {
        check_rejected(&edited(CONNECTION, line), 400, HandshakeRule::ConnectionMissing);
    }
    let head = edited(CONNECTION, "Connection: Upgrade keep-alive\r\n");
    check_rejected(&head, 400, HandshakeRule::ConnectionMalformed);
}

#[test]
fn the_key_is_sixteen_bytes_once() {
    // H19, 6455-4.2.1-08, 6455-4.3-02
    check_rejected(&edited(KEY, ""), 400, HandshakeRule::KeyMissing);
    // H20, 6455-11.3.1-01
    check_rejected(&with_lines(KEY), 400, HandshakeRule::KeyRepeated);
    // H21
    for key in [
        "",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAA===",
        "AAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAA=",
        "AQIDBAUGBwgJCgsMDQ4PEC==",
        "--------------------_w==",
        "AAAAAAAAAAA AAAAAAAAAAA==",
        "AAAAAAAAAAAAAAAAAAAAAA==, AAAAAAAAAAAAAAAAAAAAAA==",
    ] {
        let head = edited(KEY, &format!("Sec-WebSocket-Key: {key}\r\n"));
        check_rejected(&head, 400, HandshakeRule::KeyMalformed);
    }
    // H22, 6455-4.1-48
    let head = edited(KEY, "sec-websocket-KEY: \t dGhlIHNhbXBsZSBub25jZQ== \t\r\n");
    check_upgrade(&head);
    with_request(&head, |request| {
        let accepted = request.accept(&Accept::new()).expect("nothing to refuse");
        assert!(accepted.fields().any(|field| field == ("Sec-WebSocket-Accept", ACCEPT_KEY)));
    });
}

#[test]
fn the_version_is_13_once() {
    // H23, 6455-4.2.1-09, 6455-4.3-06, 6455-4.4-03
    check_rejected(&edited(VERSION, ""), 400, HandshakeRule::VersionMissing);
    // H24, 6455-4.2.2-10, 6455-4.3-05
    for version in ["8", "25", "13, 8", "013", "", "13.0", "+13", "256"] {
        let head = edited(VERSION, &format!("Sec-WebSocket-Version: {version}\r\n"));
        check_rejected(&head, 426, HandshakeRule::VersionUnsupported);
        // Another version may have no key.
        let head = head.replace_once(KEY.as_bytes(), b"");
        check_rejected(&head, 426, HandshakeRule::VersionUnsupported);
    }
    // H25, 6455-11.3.5-02
    check_rejected(&with_lines(VERSION), 400, HandshakeRule::VersionRepeated);
}

#[test]
fn pages_of_other_hosts_are_refused() {
    let config = HandshakeConfig::new();
    let origin = |value: &str| with_lines(&format!("Origin: {value}\r\n"));
    for value in ["http://server.example.com", "https://SERVER.example.com:443"] {
        check_upgrade(&origin(value));
        with_request(&origin(value), |request| {
            let origin = request.origin().expect("there is one");
            assert_eq!((origin.as_str(), origin.is_null()), (value, false));
        });
    }
    // H26, 6455-10.2-02
    for value in ["http://evil.example", "http://server.example.com:8080", "file://"] {
        check_rejected(&origin(value), 403, HandshakeRule::OriginRefused);
    }
    let Outcome::Rejected(rejection) = outcome(config, &origin("http://evil.example")) else {
        panic!("accepted");
    };
    assert_eq!(rejection.body(), "Forbidden.");
    // H27
    check_rejected(&origin("null"), 403, HandshakeRule::OriginRefused);
    let head = with_lines("Origin: http://server.example.com\r\nOrigin: http://a\r\n");
    check_rejected(&head, 403, HandshakeRule::OriginRepeated);
    for value in [
        "",
        "server.example.com",
        "http://a http://b",
        "http://server.example.com/",
        "ä",
        "NULL",
        "http://[x]",
    ] {
        check_rejected(&origin(value), 403, HandshakeRule::OriginMalformed);
        let config = config.origin(OriginPolicy::Any).null_origin(NullOrigin::Allow);
        check_rejected_by(config, &origin(value), 403, HandshakeRule::OriginMalformed);
    }
    // The origin is judged last, when all else is right.
    let head = origin("http://evil.example").replace_once(KEY.as_bytes(), b"");
    check_rejected(&head, 400, HandshakeRule::KeyMissing);
}

#[test]
fn origin_policies_have_named_switches() {
    #[track_caller]
    fn check(config: HandshakeConfig<'_>, line: &str, expected: Option<HandshakeRule>) {
        let head = with_lines(line);
        match expected {
            Some(rule) => check_rejected_by(config, &head, 403, rule),
            None => {
                let expected = Outcome::Upgrade { head_len: head.len() };
                assert_eq!(outcome(config, &head), expected, "{line}");
            }
        }
    }
    // 6455-4.2.1-10, 6455-10.2-01
    let refused = Some(HandshakeRule::OriginRefused);
    let config = HandshakeConfig::new();

    let list = config.origin(OriginPolicy::List(&["https://app.example", "http://b:81"]));
    check(list, "Origin: https://APP.example:443\r\n", None);
    check(list, "Origin: http://b:81\r\n", None);
    check(list, "Origin: http://app.example\r\n", refused);
    check(list, "Origin: http://server.example.com\r\n", refused); // H26
    check(list, "Origin: null\r\n", refused);
    check(list.null_origin(NullOrigin::Allow), "Origin: null\r\n", None); // H27
    check(config.origin(OriginPolicy::List(&["null"])), "Origin: null\r\n", None);
    check(list, "", None); // H28
    let missing = Some(HandshakeRule::OriginMissing);
    check(list.missing_origin(MissingOrigin::Refuse), "", missing);
    check(config.missing_origin(MissingOrigin::Refuse), "", missing);

    let any = config.origin(OriginPolicy::Any);
    check(any, "Origin: http://evil.example\r\n", None);
    check(any, "Origin: null\r\n", None);
}

#[test]
fn same_host_uses_the_authority_of_an_absolute_target() {
    let head = with_lines("Origin: http://other.example\r\n");
    check_rejected(&head, 403, HandshakeRule::OriginRefused);
    check_upgrade(&head.replace_once(b"/chat", b"http://other.example/chat"));
}

#[test]
fn offered_subprotocols_are_distinct_tokens() {
    let offer = |value: &str| with_lines(&format!("Sec-WebSocket-Protocol: {value}\r\n"));
    // 6455-4.2.1-11, 6455-11.3.4-01, 6455-4.3-01
    let head = with_lines("Sec-WebSocket-Protocol: b, ,a\r\nsec-websocket-protocol:\tC ,\r\n");
    check_upgrade(&head);
    with_request(&head, |request| {
        assert!(request.subprotocols().eq(["b", "a", "C"]));
        assert_eq!(request.select_subprotocol(&["c", "a", "b"]), Some("b"));
        assert_eq!(request.select_subprotocol(&["c"]), None);
    });
    // H29
    for value in ["", ",", " , ,", "a b", "a/b", "\"a\"", "a, ä", "a;b"] {
        check_rejected(&offer(value), 400, HandshakeRule::SubprotocolMalformed);
    }
    // 6455-8.1-02
    let head = offer("a?").replace_once(b"a?", b"a\xff");
    check_rejected(&head, 400, HandshakeRule::SubprotocolMalformed);
    check_rejected(&offer("a, b, a"), 400, HandshakeRule::SubprotocolRepeated);
    let head = with_lines("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n");
    check_rejected(&head, 400, HandshakeRule::SubprotocolRepeated);
    check_upgrade(&offer("a, A")); // tokens have case
    let spaces = " ".repeat(10_000);
    check_rejected(&offer(&spaces), 400, HandshakeRule::SubprotocolMalformed);
    check_rejected(&offer(&format!("a{spaces}b")), 400, HandshakeRule::SubprotocolMalformed);
    check_upgrade(&offer(&format!("{spaces}a,{}b", " ".repeat(4_000))));
    let many: Vec<_> = (0..65).map(|number| number.to_string()).collect();
    check_upgrade(&offer(&many[..64].join(",")));
    check_rejected(&offer(&many.join(",")), 400, HandshakeRule::SubprotocolCount);
}

#[test]
fn the_agreed_subprotocol_is_one_of_those_offered() {
    let head = with_lines("Sec-WebSocket-Protocol: superchat, chat\r\n");
    with_request(&head, |request| {
        // 6455-4.2.2-13, 6455-4.2.2-16, 6455-4.2.2-25
        let accepted = request.accept(&Accept::new().subprotocol("chat")).expect("offered");
        assert_eq!(accepted.subprotocol(), Some("chat"));
        assert_eq!(accepted.fields().last(), Some(("Sec-WebSocket-Protocol", "chat")));
        // H30, 6455-4.2.2-14, 6455-4.2.2-15
        let accepted = request.accept(&Accept::new()).expect("nothing to refuse");
        assert!(accepted.fields().all(|(name, _)| name != "Sec-WebSocket-Protocol"));
        let refusal = request.refuse(&Reply::new(400)).expect("a valid refusal");
        assert_eq!(refusal.status(), 400);
        for subprotocol in ["other", "Chat", "", "superchat, chat"] {
            let error = request.accept(&Accept::new().subprotocol(subprotocol)).err();
            assert_eq!(error, Some(AcceptError::SubprotocolNotOffered), "{subprotocol}");
        }
    });
}

#[test]
fn extension_lists_are_checked_and_not_echoed() {
    let offer = |value: &str| with_lines(&format!("Sec-WebSocket-Extensions: {value}\r\n"));
    // H31, 6455-9.1-02
    for value in ["", ",", "a b", "a;", "a; =1", "a; b=\"\"", "a; b=\"c d\"", "ä", "a; b=\"c"] {
        check_rejected(&offer(value), 400, HandshakeRule::ExtensionsMalformed);
    }
    // H32, 6455-4.2.1-12, 6455-4.2.2-18, 6455-4.2.2-19
    let head = offer("mux; depth=\"4\", x-unknown");
    check_upgrade(&head);
    with_request(&head, |request| {
        let names: Vec<_> = request.extensions().items().map(|item| item.name()).collect();
        assert_eq!(names, ["mux", "x-unknown"]);
        let accepted = request.accept(&Accept::new()).expect("nothing to refuse");
        assert!(accepted.fields().all(|(name, _)| name != "Sec-WebSocket-Extensions"));
    });
}

#[test]
fn a_handshake_has_no_body() {
    // H33
    for value in ["1", "5", "", "00", "+0", "-1", "0x0", "18446744073709551616", "0, 0", "0 0"] {
        let head = with_lines(&format!("Content-Length: {value}\r\n"));
        check_rejected(&head, 400, HandshakeRule::ContentLength);
    }
    check_upgrade(&with_lines("content-length: 0\r\n"));
    for value in ["chunked", "identity", ""] {
        let head = with_lines(&format!("Transfer-Encoding: {value}\r\n"));
        check_rejected(&head, 400, HandshakeRule::TransferEncoding);
    }
    // H34
    let head = with_lines("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n");
    check_rejected(&head, 400, HandshakeRule::TransferEncoding);
    let head = with_lines("Content-Length: 0\r\nContent-Length: 4\r\n");
    check_rejected(&head, 400, HandshakeRule::ContentLength);
}

#[test]
fn bytes_behind_the_head_are_left_over() {
    // H35, 6455-4.2.2-28
    let received = [GOOD.as_bytes(), b"\x81\x85\0\0\0\0Hello"].concat();
    with_request(&received, |request| {
        assert_eq!(&received[request.head_len()..], b"\x81\x85\0\0\0\0Hello");
    });
}

#[test]
fn a_rejection_stays() {
    // H36
    let mut handshake = ServerHandshake::new(HandshakeConfig::new());
    let first = receive(&mut handshake, &edited(KEY, ""));
    assert!(matches!(first, Outcome::Rejected(_)));
    assert_eq!(receive(&mut handshake, GOOD.as_bytes()), first);
    assert_eq!(handshake.poll_timeout(), Wake::Never);
}

#[test]
fn the_application_cannot_inject_or_forge_fields() {
    // H38
    with_request(GOOD.as_bytes(), |request| {
        let accept = |field| {
            let fields = [("Set-Cookie", "a=b"), field];
            request.accept(&Accept::new().fields(&fields)).err()
        };
        let refuse = |field| {
            let fields = [("Set-Cookie", "a=b"), field];
            request.refuse(&Reply::new(401).fields(&fields)).err()
        };
        for (field, fault) in [
            (("X", "a\r\nY: b"), FieldFault::Value),
            (("X", "a\nb"), FieldFault::Value),
            (("X", "a\0"), FieldFault::Value),
            (("X", "\x7f"), FieldFault::Value),
            (("X\r\nY", "b"), FieldFault::Name),
            (("X Y", "b"), FieldFault::Name),
            (("X:", "b"), FieldFault::Name),
            (("", "b"), FieldFault::Name),
            (("ä", "b"), FieldFault::Name),
            (("content-length", "3"), FieldFault::Reserved),
            (("Connection", "close"), FieldFault::Reserved),
            (("Transfer-Encoding", "chunked"), FieldFault::Reserved),
            (("upgrade", "h2c"), FieldFault::Reserved),
        ] {
            assert_eq!(accept(field), Some(AcceptError::Field { index: 1, fault }), "{field:?}");
            assert_eq!(refuse(field), Some(ReplyError::Field { index: 1, fault }), "{field:?}");
        }
        for name in ["Sec-WebSocket-Accept", "sec-websocket-protocol", "Sec-WebSocket-Extensions"] {
            let expected = AcceptError::Field { index: 1, fault: FieldFault::Reserved };
            assert_eq!(accept((name, "a")), Some(expected));
        }
        assert_eq!(accept(("X", "")), None);
        assert_eq!(accept(("X", "ä\t\"")), None);

        let accept = Accept::new().fields(&[("Set-Cookie", "a=b"), ("set-cookie", "c=d")]);
        let accepted = request.accept(&accept).expect("valid fields");
        let mut out = [0; 512];
        let len = accepted.write(&mut out).expect("there is room");
        assert!(out[..len].ends_with(b"\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\n\r\n"));
    });
}

#[test]
fn the_application_refuses_with_a_status_that_fits() {
    with_request(GOOD.as_bytes(), |request| {
        // 6455-4.2.2-05, 6455-4.2.2-06, 6455-4.2.2-08, 6455-4.2.2-12
        for status in [300, 307, 401, 404, 503, 599] {
            assert!(request.refuse(&Reply::new(status)).is_ok());
        }
        for status in [0, 100, 101, 200, 299, 600, 65_535] {
            let error = request.refuse(&Reply::new(status)).err();
            assert_eq!(error, Some(ReplyError::Status { status }));
        }
        let error = request.refuse(&Reply::new(304).body(b"a")).err();
        assert_eq!(error, Some(ReplyError::Body { status: 304 }));

        let reply = Reply::new(499).fields(&[("WWW-Authenticate", "Basic")]).body(b"No.");
        let mut out = [0; 256];
        let reply = request.refuse(&reply).expect("a valid refusal");
        let len = reply.write(&mut out).expect("there is room");
        assert_eq!(
            str::from_utf8(&out[..len]),
            Ok("HTTP/1.1 499 \r\nConnection: close\r\nContent-Length: 3\r\n\
                WWW-Authenticate: Basic\r\n\r\nNo.")
        );
        assert_eq!(reply.write(&mut out[..9]).map_err(|error| error.need), Err(len));
    });
    let mut handshake = ServerHandshake::new(HandshakeConfig::new());
    let Ok(Incoming::Plain(request)) = handshake.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    else {
        panic!("not plain");
    };
    let mut out = [0; 64];
    let reply = request.answer(&Reply::new(204)).expect("a valid answer");
    let len = reply.write(&mut out).expect("there is room");
    assert_eq!(&out[..len], b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    assert!(request.answer(&Reply::new(101)).is_err());
}

#[test]
fn a_slow_head_is_answered_at_the_total_deadline() {
    // H40
    let mut handshake = ServerHandshake::new(HandshakeConfig::new());
    assert_eq!(handshake.poll_timeout(), Wake::Now);
    let start = Tick::from_millis(5_000);
    assert_eq!(handshake.handle_timeout(start), Ok(()));
    let deadline = start + Duration::from_secs(10);
    assert_eq!(handshake.poll_timeout(), Wake::At(deadline));
    for second in 1..10 {
        let received = &GOOD.as_bytes()[..second];
        assert_eq!(receive(&mut handshake, received), Outcome::Incomplete);
        assert_eq!(handshake.handle_timeout(start + Duration::from_secs(second as u64)), Ok(()));
        assert_eq!(handshake.poll_timeout(), Wake::At(deadline), "one byte buys no time");
    }
    let rejection = handshake.handle_timeout(deadline).expect_err("the time is over");
    assert_eq!(rejection.rule(), HandshakeRule::Timeout);
    check_answer(&rejection, 408);
    assert_eq!(handshake.poll_timeout(), Wake::Never);
    assert_eq!(receive(&mut handshake, GOOD.as_bytes()), Outcome::Rejected(rejection));
    assert_eq!(handshake.handle_timeout(Tick::ZERO), Err(rejection));
}

#[test]
fn the_deadline_ends_with_the_head() {
    let limits = HandshakeLimits::new().deadline(Duration::from_millis(3));
    let mut handshake = ServerHandshake::new(HandshakeConfig::new().limits(limits));
    assert_eq!(handshake.handle_timeout(Tick::ZERO), Ok(()));
    assert_eq!(handshake.poll_timeout(), Wake::At(Tick::from_millis(3)));
    receive(&mut handshake, GOOD.as_bytes());
    assert_eq!(handshake.poll_timeout(), Wake::Never);
    assert_eq!(handshake.handle_timeout(Tick::from_millis(1_000)), Ok(()));
    assert_eq!(handshake.receive_end(), Ok(()));
}

#[test]
fn an_end_inside_the_head_is_no_answerable_error() {
    // H41
    for len in [0, 1, GOOD.len() - 1] {
        let mut handshake = ServerHandshake::new(HandshakeConfig::new());
        receive(&mut handshake, &GOOD.as_bytes()[..len]);
        let incomplete = handshake.receive_end().expect_err("the head is incomplete");
        assert_eq!(incomplete.received_len, len);
        assert_eq!(handshake.poll_timeout(), Wake::Never);
    }
}

#[test]
fn rules_are_applied_in_the_documented_order() {
    // 6455-4.2.1-02, 6455-4.2.2-01: everything is wrong at once; one repair after the other.
    let mut head = "GET / HTTP/1.1\r\nContent-Length: 1\r\nConnection: x\r\nUpgrade: websocket\r\n\
        Origin: http://a\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: x\r\n\
        Sec-WebSocket-Extensions: ,\r\nSec-WebSocket-Protocol: ,\r\n\r\n"
        .to_owned();
    for (rule, wrong, right) in [
        (HandshakeRule::HostMissing, "Content", "Host: b\r\nContent"),
        (HandshakeRule::ContentLength, "Length: 1", "Length: 0"),
        (HandshakeRule::ConnectionMissing, "Connection: x", "Connection: Upgrade"),
        (HandshakeRule::VersionUnsupported, "Version: 8", "Version: 13"),
        (HandshakeRule::KeyMalformed, "Key: x", "Key: AAAAAAAAAAAAAAAAAAAAAA=="),
        (HandshakeRule::SubprotocolMalformed, "Protocol: ,", "Protocol: a"),
        (HandshakeRule::ExtensionsMalformed, "Extensions: ,", "Extensions: a"),
        (HandshakeRule::OriginRefused, "http://a", "http://b"),
    ] {
        check_rejected(head.as_bytes(), rule.status(), rule);
        head = head.replacen(wrong, right, 1);
    }
    check_upgrade(head.as_bytes());
}

#[test]
fn rejections_tell_where_and_why() {
    let Outcome::Rejected(rejection) = outcome(HandshakeConfig::new(), b"GET / HTTP/1.1\r\n x")
    else {
        panic!("accepted");
    };
    assert_eq!(rejection.offset(), Some(16));
    assert_eq!(
        rejection.to_string(),
        "400 Bad Request: A header field is continued on a second line, which HTTP no longer \
         allows. (at byte 16; RFC 9112 section 5.2)"
    );
    let rejection = Rejection::from(HandshakeRule::OriginRefused);
    assert_eq!(rejection.offset(), None);
    assert!(rejection.to_string().starts_with("403 Forbidden: Pages of this origin"));
}

/// Takes a head apart, and judges its parts.
fn from_parts(head: &[u8]) -> Result<bool, Rejection> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(head).expect("the head is well-formed");
    let fields = request.headers.iter().map(|field| (field.name, field.value));
    let (method, target) = (request.method.expect("there"), request.path.expect("there"));
    let config = HandshakeConfig::new();
    let incoming = Incoming::from_parts(method, target, HttpVersion::HTTP_11, fields, &config)?;
    Ok(matches!(incoming, Incoming::Upgrade(_)))
}

#[test]
fn parsed_requests_are_judged_by_the_same_rules() {
    assert_eq!(from_parts(GOOD.as_bytes()), Ok(true));
    assert_eq!(from_parts(&edited(UPGRADE, "")), Ok(false));
    for (head, rule) in [
        (edited("GET", "POST"), HandshakeRule::Head(HeadRule::Method)),
        (edited("/chat", "*"), HandshakeRule::Head(HeadRule::TargetForm)),
        (edited(HOST, ""), HandshakeRule::HostMissing),
        (edited(CONNECTION, ""), HandshakeRule::ConnectionMissing),
        (edited(KEY, ""), HandshakeRule::KeyMissing),
        (edited("13", "8"), HandshakeRule::VersionUnsupported),
        (with_lines("Origin: http://evil\r\n"), HandshakeRule::OriginRefused),
    ] {
        let rejection = from_parts(&head).expect_err("a rule is broken");
        assert_eq!((rejection.rule(), rejection.offset()), (rule, None));
    }
}

#[test]
fn parts_are_checked_like_bytes_from_the_wire() {
    let judge = |target: &str, version, field: (&str, &[u8]), count| {
        let fields = std::iter::repeat_n(field, count);
        let incoming =
            Incoming::from_parts("GET", target, version, fields, &HandshakeConfig::new());
        match incoming.map_err(|rejection| rejection.rule()) {
            Err(HandshakeRule::Head(rule)) => Some(rule),
            _ => None,
        }
    };
    let field = ("X", &b"a"[..]);
    let version = HttpVersion::HTTP_11;
    assert_eq!(judge("/", version, field, 64), None);
    assert_eq!(judge("/", version, field, 65), Some(HeadRule::FieldCount));
    assert_eq!(judge("/", version, ("X", &[b'a'; 8_191]), 2), None);
    assert_eq!(judge("/", version, ("X", &[b'a'; 8_192]), 2), Some(HeadRule::HeadLen));
    assert_eq!(judge("/", version, ("X Y", b"a"), 1), Some(HeadRule::FieldName));
    assert_eq!(judge("/", version, ("X", b"a\r\nHost: b"), 1), Some(HeadRule::ControlByte));
    assert_eq!(judge(&"/".repeat(8_192), version, field, 1), None);
    assert_eq!(judge(&"/".repeat(8_193), version, field, 1), Some(HeadRule::TargetLen));
    assert_eq!(judge("/a b", version, field, 1), Some(HeadRule::TargetByte));
    assert_eq!(judge("/#", version, field, 1), Some(HeadRule::TargetFragment));
    assert_eq!(judge("/", HttpVersion::HTTP_10, field, 1), Some(HeadRule::VersionMinor));
    let version = HttpVersion { major: 2, minor: 0 };
    assert_eq!(judge("/", version, field, 1), Some(HeadRule::VersionMajor));
}

/// A good head with some of its bytes changed, or anything at all.
fn heads() -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((0..GOOD.len(), any::<u8>()), 0..4);
    let edited = edits.prop_map(|edits| {
        let mut head = GOOD.as_bytes().to_vec();
        edits.into_iter().for_each(|(at, byte)| head[at] = byte);
        head
    });
    prop_oneof![edited, prop::collection::vec(any::<u8>(), 0..300)]
}

proptest! {
    #[test]
    fn any_split_gives_the_same_outcome(
        head in heads(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let config = HandshakeConfig::new();
        let whole = receive(&mut ServerHandshake::new(config), &head);
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(head.len() + 1)).collect();
        ends.sort_unstable();
        ends.push(head.len());
        let mut handshake = ServerHandshake::new(config);
        let cut = ends.iter().map(|end| receive(&mut handshake, &head[..*end]));
        prop_assert_eq!(settle(cut), whole);
    }

    #[test]
    fn shrinking_and_changing_input_never_panics(heads in prop::collection::vec(heads(), 1..5)) {
        let mut handshake = ServerHandshake::new(HandshakeConfig::new());
        for head in &heads {
            if let Ok(Incoming::Upgrade(request)) = handshake.receive(head) {
                let _ = request.accept(&Accept::new());
            }
        }
    }
}
