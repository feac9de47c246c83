//! The client's side of the opening handshake: RFC 6455 section 4.1, and rows
//! C01 to C10 of the abuse cases, through the public API.

use std::time::Duration;

use proptest::prelude::*;
use sansocket::handshake::{
    Accept, Answer, ClientHandshake, ClientRequest, FieldFault, HandshakeConfig, HandshakeLimits,
    HeadRule, Incoming, RequestError, ResponseError, ServerHandshake,
};
use sansocket::{Tick, Uri, Wake};

const NONCE: [u8; 16] = *b"the sample nonce";

/// A response that is right in every respect.
const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

const UPGRADE: &str = "Upgrade: websocket\r\n";
const CONNECTION: &str = "Connection: Upgrade\r\n";
const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

/// `GOOD` with a part replaced.
#[track_caller]
fn edited(part: &str, by: &str) -> Vec<u8> {
    assert!(GOOD.contains(part), "{part:?} is not in the response");
    GOOD.replacen(part, by, 1).into_bytes()
}

/// `GOOD` with further header lines.
fn with_lines(lines: &str) -> Vec<u8> {
    edited(ACCEPT, &format!("{ACCEPT}{lines}"))
}

fn uri(text: &str) -> Uri<'_> {
    Uri::parse(text).expect("a WebSocket URI")
}

/// A handshake that offers the subprotocols `superchat` and `chat`.
fn handshake() -> ClientHandshake<'static> {
    let request = ClientRequest::new(&uri("ws://server.example.com/chat"))
        .subprotocols(&["superchat", "chat"]);
    ClientHandshake::new(request, NONCE).expect("a valid request")
}

/// What an answer is, without its borrows.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Incomplete,
    Accepted { head_len: usize, subprotocol: Option<String> },
    Rejected { head_len: usize, status: u16 },
    Failed(ResponseError),
}

fn receive(handshake: &mut ClientHandshake<'_>, received: &[u8]) -> Outcome {
    match handshake.receive(received) {
        Ok(Answer::Incomplete) => Outcome::Incomplete,
        Ok(Answer::Accepted(response)) => Outcome::Accepted {
            head_len: response.head_len(),
            subprotocol: response.subprotocol().map(str::to_owned),
        },
        Ok(Answer::Rejected(response)) => {
            Outcome::Rejected { head_len: response.head_len(), status: response.status() }
        }
        Err(error) => Outcome::Failed(error),
    }
}

/// The outcome of a row of calls: the first that is more than "incomplete".
fn settle(mut outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    outcomes.find(|outcome| *outcome != Outcome::Incomplete).unwrap_or(Outcome::Incomplete)
}

/// The outcome of `received`; it must be the same under every cut, byte by byte,
/// when asked again, and with frames behind it.
#[track_caller]
fn outcome_of(handshake: &ClientHandshake<'_>, received: &[u8]) -> Outcome {
    let mut first = handshake.clone();
    let whole = receive(&mut first, received);
    assert_eq!(receive(&mut first, received), whole, "asked again");

    // All cuts of an ordinary head, a sample of them for a long one.
    let stride = if received.len() > 1_000 { 509 } else { 1 };
    for cut in (0..received.len()).step_by(stride) {
        let mut handshake = handshake.clone();
        let first = receive(&mut handshake, &received[..cut]);
        assert!(first == Outcome::Incomplete || first == whole, "cut at {cut}: {first:?}");
        assert_eq!(receive(&mut handshake, received), whole, "cut at {cut}");
    }
    let mut bytewise = handshake.clone();
    let bytewise = (0..=received.len()).map(|end| receive(&mut bytewise, &received[..end]));
    assert_eq!(settle(bytewise), whole, "byte by byte");

    if whole != Outcome::Incomplete {
        let more = [received, b"\x81\x05Hello\0\r\n"].concat();
        assert_eq!(receive(&mut handshake.clone(), &more), whole, "with more behind");
    }
    whole
}

#[track_caller]
fn check_failed(head: &[u8], error: ResponseError) {
    assert_eq!(outcome_of(&handshake(), head), Outcome::Failed(error), "{}", head.escape_ascii());
}

#[track_caller]
fn check_head_failed(head: &[u8], rule: HeadRule) {
    match outcome_of(&handshake(), head) {
        Outcome::Failed(ResponseError::Head(error)) => assert_eq!(error.rule(), rule),
        other => panic!("{other:?}: {}", head.escape_ascii()),
    }
}

#[track_caller]
fn check_accepted(head: &[u8], subprotocol: Option<&str>) {
    let subprotocol = subprotocol.map(str::to_owned);
    let expected = Outcome::Accepted { head_len: head.len(), subprotocol };
    assert_eq!(outcome_of(&handshake(), head), expected, "{}", head.escape_ascii());
}

#[track_caller]
fn check_rejected(head: &[u8], status: u16) {
    let expected = Outcome::Rejected { head_len: head.len(), status };
    assert_eq!(outcome_of(&handshake(), head), expected, "{}", head.escape_ascii());
}

#[track_caller]
fn written(handshake: &ClientHandshake<'_>) -> String {
    let mut out = vec![0; handshake.request_len()];
    let short = out.len() - 1;
    assert_eq!(handshake.write(&mut out[..short]).map_err(|error| error.need), Err(short + 1));
    assert_eq!(handshake.write(&mut out), Ok(short + 1));
    String::from_utf8(out).expect("requests are UTF-8")
}

#[test]
fn a_request_has_the_fields_of_section_4_1() {
    // 6455-4.1-18, 6455-4.1-19, 6455-4.1-20, 6455-4.1-21, 6455-4.1-22, 6455-4.1-23,
    // 6455-4.1-24, 6455-4.1-25, 6455-4.1-26, 6455-4.1-27, 6455-4.1-30, 6455-4.1-31,
    // 6455-4.1-32, 6455-4.1-33, 6455-4.1-34, 6455-4.1-38, 6455-4.3-05, 6455-11.3.1-01,
    // 6455-11.3.5-02, 8441-9.2-01
    let request = ClientRequest::new(&uri("wss://server.example.com:8443/chat?a=b"))
        .subprotocols(&["chat", "superchat"])
        .origin("https://example.com")
        .fields(&[("Cookie", "a=b"), ("Authorization", "Basic eA==")]);
    let handshake = ClientHandshake::new(request, NONCE).expect("a valid request");
    assert_eq!(
        written(&handshake),
        "GET /chat?a=b HTTP/1.1\r\n\
         Host: server.example.com:8443\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Origin: https://example.com\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Cookie: a=b\r\n\
         Authorization: Basic eA==\r\n\r\n"
    );
}

fn error(request: ClientRequest<'_>) -> Option<RequestError> {
    ClientHandshake::new(request, NONCE).err()
}

#[test]
fn a_request_that_must_not_be_sent_is_a_typed_error() {
    let uri = uri("ws://a/");
    let base = ClientRequest::new(&uri);
    assert_eq!(error(base), None);
    // 6455-4.1-35, 6455-4.1-36
    let malformed = Some(RequestError::SubprotocolMalformed { index: 1 });
    for subprotocol in ["", "a b", "ä", "a\r\nX: b"] {
        assert_eq!(error(base.subprotocols(&["a", subprotocol])), malformed);
    }
    for byte in 0..=0x7f_u8 {
        let is_token = byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
        let subprotocol = format!("x{}", char::from(byte));
        let expected = if is_token { None } else { malformed };
        assert_eq!(error(base.subprotocols(&["a", &subprotocol])), expected, "{subprotocol:?}");
    }
    let expected = RequestError::SubprotocolRepeated { index: 2 };
    assert_eq!(error(base.subprotocols(&["a", "b", "a"])), Some(expected));
    assert_eq!(error(base.subprotocols(&["a", "A"])), None);
    // 6455-4.1-31
    for origin in ["example.com", "http://a/b", "http://a\r\nX: b", ""] {
        assert_eq!(error(base.origin(origin)), Some(RequestError::OriginMalformed));
    }
    assert_eq!(error(base.origin("null")), None);
    // H38, on the client's side
    for (field, fault) in [
        (("X", "a\r\nY: b"), FieldFault::Value),
        (("X", "a\0"), FieldFault::Value),
        (("X: b\r\nY", "a"), FieldFault::Name),
        (("", "a"), FieldFault::Name),
        (("host", "a"), FieldFault::Reserved),
        (("Origin", "a"), FieldFault::Reserved),
        (("Upgrade", "h2c"), FieldFault::Reserved),
        (("connection", "close"), FieldFault::Reserved),
        (("Content-Length", "1"), FieldFault::Reserved),
        (("Transfer-Encoding", "chunked"), FieldFault::Reserved),
        (("sec-websocket-key", "a"), FieldFault::Reserved),
        (("Sec-WebSocket-Extensions", "a"), FieldFault::Reserved),
    ] {
        let fields = [("Cookie", "a=b"), field];
        let expected = RequestError::Field { index: 1, fault };
        assert_eq!(error(base.fields(&fields)), Some(expected), "{field:?}");
    }
}

#[test]
fn uris_outside_section_3_are_errors() {
    // C10, 6455-2.1-01, 6455-3-01, 6455-3-06, 6455-4.1-03, 6455-4.1-04, 6455-12-01
    for text in [
        "ws://user@a/",
        "ws://user:word@a/",
        "ws://a/#b",
        "ws://a#",
        "http://a/",
        "a",
        "w\u{17f}://a/", // a long s is no s
    ] {
        assert!(Uri::parse(text).is_err(), "{text}");
    }
    let error = Uri::parse("wss://user@a/").expect_err("user information");
    assert_eq!(error.offset(), 10);
    assert!(error.to_string().contains("user information"));
}

#[test]
fn a_good_response_is_accepted() {
    // 6455-2.1-01, 6455-4.1-42, 6455-4.1-43, 6455-4.1-44, 6455-4.1-48, 6455-4.1-51
    check_accepted(GOOD.as_bytes(), None);
    check_accepted(&edited(UPGRADE, "uPGRADE:WebSocket \r\n"), None);
    check_accepted(&edited(CONNECTION, "connection: keep-alive, ,UPGRADE\r\n"), None);
    check_accepted(&edited(CONNECTION, "Connection: a\r\nConnection: upgrade\r\n"), None);
    check_accepted(&edited("HTTP/1.1", "HTTP/1.2"), None);
    check_accepted(&edited(" Switching Protocols", " "), None);
    check_accepted(&edited(" Switching Protocols", ""), None);
    check_accepted(&with_lines("Set-Cookie: a\r\nContent-Length: 0\r\n"), None);
    check_accepted(&with_lines("Sec-WebSocket-Protocol: chat\r\n"), Some("chat"));

    let head = with_lines("Set-Cookie: a=b\r\n");
    let mut handshake = handshake();
    let Ok(Answer::Accepted(response)) = handshake.receive(&head) else { panic!("failed") };
    assert_eq!((response.status(), response.reason()), (101, &b"Switching Protocols"[..]));
    assert_eq!(response.fields().get("set-cookie"), Some(&b"a=b"[..])); // 6455-4.1-52
    let _: sansocket::Negotiated = response.negotiated();
}

#[test]
fn another_status_is_handed_to_the_caller() {
    // C01, 6455-4.1-40, 6455-4.1-41
    for status in [200, 204, 302, 400, 401, 403, 404, 426, 500, 503, 599, 999] {
        check_rejected(&edited("101", &status.to_string()), status);
    }
    check_rejected(b"HTTP/1.0 404 Not Found\r\n\r\n", 404);

    let received = b"HTTP/1.1 401 \xff\r\nWWW-Authenticate: Basic\r\nContent-Length: 3\r\n\r\nNo.";
    let mut handshake = handshake();
    let Ok(Answer::Rejected(response)) = handshake.receive(received) else { panic!("accepted") };
    assert_eq!((response.status(), response.reason()), (401, &b"\xff"[..]));
    assert_eq!(response.fields().get("WWW-Authenticate"), Some(&b"Basic"[..]));
    assert_eq!(&received[response.head_len()..], b"No.");
}

#[test]
fn a_redirect_is_an_answer_with_its_location() {
    // C09
    let received = b"HTTP/1.1 302 Found\r\nLocation: wss://b.example/\r\n\r\n";
    check_rejected(received, 302);
    let mut handshake = handshake();
    let Ok(Answer::Rejected(response)) = handshake.receive(received) else { panic!("accepted") };
    assert_eq!(response.fields().get("location"), Some(&b"wss://b.example/"[..]));
}

#[test]
fn upgrade_and_connection_must_agree_to_switch() {
    // C02, 6455-2.1-01, 6455-4.1-40, 6455-4.1-42, 6455-4.1-43
    for line in [
        "",
        "Upgrade: h2c\r\n",
        "Upgrade: websocket, h2c\r\n",
        "Upgrade: websocket\r\nUpgrade: websocket\r\n",
        "Upgrade: websocket/13\r\n",
        "Upgrade: websoc\u{212a}et\r\n", // the sign of Kelvin is no k
        "Upgrade:\r\n",
    ] {
        check_failed(&edited(UPGRADE, line), ResponseError::Upgrade);
    }
    for line in ["", "Connection: close\r\n", "Connection: upgrades\r\n", "Connection:\r\n"] {
        check_failed(&edited(CONNECTION, line), ResponseError::Connection);
    }
    check_failed(&edited("HTTP/1.1", "HTTP/1.0"), ResponseError::Version);
}

#[test]
fn the_accept_value_must_fit_the_key() {
    // C03, 6455-4.1-40, 6455-4.1-44, 6455-11.3.3-01
    check_failed(&edited(ACCEPT, ""), ResponseError::AcceptMissing);
    check_failed(&with_lines(ACCEPT), ResponseError::AcceptRepeated);
    for value in [
        "",
        "dGhlIHNhbXBsZSBub25jZQ==",
        "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo= x",
        "\"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\"",
    ] {
        let head = edited(ACCEPT, &format!("Sec-WebSocket-Accept: {value}\r\n"));
        check_failed(&head, ResponseError::AcceptMismatch);
    }
    let line = "sec-websocket-accept:\t s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \t\r\n";
    check_accepted(&edited(ACCEPT, line), None);
}

#[test]
fn extensions_that_were_not_offered_fail() {
    // C04, 6455-4.1-40, 6455-4.1-45, 6455-9.1-02, 6455-11.3.2-02
    for lines in [
        "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        "Sec-WebSocket-Extensions: ,\r\nSec-WebSocket-Extensions: x; a=\"1\"\r\n",
    ] {
        check_failed(&with_lines(lines), ResponseError::ExtensionNotOffered);
    }
    for value in ["", ",", "a b", "a; =1"] {
        let head = with_lines(&format!("Sec-WebSocket-Extensions: {value}\r\n"));
        let outcome = outcome_of(&handshake(), &head);
        assert!(matches!(outcome, Outcome::Failed(ResponseError::ExtensionsMalformed(_))));
    }
}

#[test]
fn subprotocols_that_were_not_offered_fail() {
    // C05, 6455-4.1-40, 6455-4.1-46, 6455-8.1-02, 6455-11.3.4-02
    for value in ["other", "Chat", "", "chat, superchat", "chat,", "ä"] {
        let head = with_lines(&format!("Sec-WebSocket-Protocol: {value}\r\n"));
        check_failed(&head, ResponseError::SubprotocolNotOffered);
    }
    let head = [&GOOD.as_bytes()[..GOOD.len() - 2], b"Sec-WebSocket-Protocol: chat\xff\r\n\r\n"];
    check_failed(&head.concat(), ResponseError::SubprotocolNotOffered);
    let line = "Sec-WebSocket-Protocol: chat\r\n";
    check_failed(&with_lines(&line.repeat(2)), ResponseError::SubprotocolRepeated);

    let none = ClientHandshake::new(ClientRequest::new(&uri("ws://a/")), NONCE);
    let outcome = outcome_of(&none.expect("a valid request"), &with_lines(line));
    assert_eq!(outcome, Outcome::Failed(ResponseError::SubprotocolNotOffered));
}

#[test]
fn interim_responses_are_skipped_up_to_eight() {
    // C06
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\nUpgrade: x\r\n\r\n";
    for count in [1, 8] {
        check_accepted(&[&interim.repeat(count), GOOD].concat().into_bytes(), None);
    }
    check_accepted(&["HTTP/1.1 100\r\n\r\n", GOOD].concat().into_bytes(), None);
    let nine = [&interim.repeat(9), GOOD].concat();
    check_failed(nine.as_bytes(), ResponseError::InterimCount);
    let rejection = [interim, "HTTP/1.1 400 Bad\r\n\r\n"].concat();
    check_rejected(rejection.as_bytes(), 400);
    // Each has 64 fields at most, all together the bytes of one head.
    let fields = |count| format!("HTTP/1.1 102 \r\n{}\r\n", "a:\r\n".repeat(count));
    check_accepted(&[&fields(64).repeat(8), GOOD].concat().into_bytes(), None);
    check_head_failed(&[&fields(65), GOOD].concat().into_bytes(), HeadRule::FieldCount);
    let long = format!("HTTP/1.1 102 \r\na: {}\r\n\r\n", "b".repeat(4_000)).repeat(5);
    check_head_failed(long.as_bytes(), HeadRule::HeadLen);
}

#[test]
fn response_heads_are_bounded() {
    // C07
    let padding = |len: usize| with_lines(&format!("X: {}\r\n", "a".repeat(len - GOOD.len() - 5)));
    check_accepted(&padding(16 * 1024), None);
    check_head_failed(&padding(16 * 1024 + 1), HeadRule::HeadLen);
    check_head_failed(&with_lines(&"X: a\r\n".repeat(62)), HeadRule::FieldCount);
    let reason = format!("HTTP/1.1 101 {}", "a".repeat(20_000));
    check_head_failed(reason.as_bytes(), HeadRule::HeadLen);

    let limits = HandshakeLimits::new().head_len_max(GOOD.len() - 1);
    let outcome = outcome_of(&handshake().limits(limits), GOOD.as_bytes());
    assert!(matches!(outcome, Outcome::Failed(ResponseError::Head(_))));
}

#[test]
fn malformed_responses_fail_at_once() {
    // 6455-4.1-47
    for (head, rule) in [
        (&b"SSH-2.0-OpenSSH_9.6\r\n"[..], HeadRule::StatusLine),
        (b"\x15\x03\x01\x00\x02\x02\x46", HeadRule::StatusLine),
        (b"HTTP/1.1 101\n", HeadRule::BareLf),
        (b"HTTP/2.0 101 x\r\n", HeadRule::VersionMajor),
        (b"HTTP/1.1 10 x\r\n", HeadRule::StatusLine),
        (b"HTTP/1.1 101 x\r\nA: b\r\n c", HeadRule::FoldedLine),
        (b"HTTP/1.1 101 x\r\nA : b", HeadRule::SpaceBeforeColon),
        (b"HTTP/1.1 101 x\r\nA: b\x01", HeadRule::ControlByte),
        (b"HTTP/1.1 101 x\r\nA: b\rc", HeadRule::BareCr),
        (b"HTTP/1.1 101 x\r\n: b", HeadRule::FieldName),
    ] {
        check_head_failed(head, rule);
    }
}

#[test]
fn frames_behind_the_head_are_left_over() {
    // C08, 6455-4.1-49
    let received = [GOOD.as_bytes(), b"\x81\x05Hello"].concat();
    let mut handshake = handshake();
    let Ok(Answer::Accepted(response)) = handshake.receive(&received) else { panic!("failed") };
    assert_eq!(&received[response.head_len()..], b"\x81\x05Hello");
}

#[test]
fn a_slow_response_fails_at_the_total_deadline() {
    let mut handshake = handshake();
    assert_eq!(handshake.poll_timeout(), Wake::Now);
    assert_eq!(handshake.handle_timeout(Tick::ZERO), Ok(()));
    let deadline = Tick::ZERO + Duration::from_secs(10);
    assert_eq!(receive(&mut handshake, b"HTTP/1.1 102 \r\n\r\nHTTP"), Outcome::Incomplete);
    assert_eq!(handshake.handle_timeout(Tick::from_millis(9_999)), Ok(()));
    assert_eq!(handshake.poll_timeout(), Wake::At(deadline));
    assert_eq!(handshake.handle_timeout(deadline), Err(ResponseError::Timeout));
    assert_eq!(handshake.poll_timeout(), Wake::Never);
    let late = receive(&mut handshake, GOOD.as_bytes());
    assert_eq!(late, Outcome::Failed(ResponseError::Timeout));
}

#[test]
fn the_deadline_ends_with_the_head() {
    for received in [GOOD, "HTTP/1.1 404 x\r\n\r\n"] {
        let limits = HandshakeLimits::new().deadline(Duration::from_millis(5));
        let mut handshake = handshake().limits(limits);
        assert_eq!(handshake.handle_timeout(Tick::ZERO), Ok(()));
        assert_eq!(handshake.poll_timeout(), Wake::At(Tick::from_millis(5)));
        receive(&mut handshake, received.as_bytes());
        assert_eq!(handshake.poll_timeout(), Wake::Never);
        assert_eq!(handshake.handle_timeout(Tick::from_millis(1_000)), Ok(()));
        assert_eq!(handshake.receive_end(), Ok(()));
    }
}

#[test]
fn an_end_inside_the_head_fails() {
    let mut handshake = handshake();
    receive(&mut handshake, &GOOD.as_bytes()[..20]);
    let expected = ResponseError::Incomplete { received_len: 20 };
    assert_eq!(handshake.receive_end(), Err(expected));
    assert_eq!(receive(&mut handshake, GOOD.as_bytes()), Outcome::Failed(expected));
    assert_eq!(handshake.poll_timeout(), Wake::Never);
}

#[test]
fn both_roles_of_this_crate_agree() {
    let fields = [("Cookie", "a=b")];
    for (text, subprotocols, chosen) in
        [("ws://a.example", &[][..], None), ("wss://[::1]:8443/x?y", &["b", "a"], Some("a"))]
    {
        let uri = uri(text);
        let request = ClientRequest::new(&uri).subprotocols(subprotocols).fields(&fields);
        let mut client = ClientHandshake::new(request, NONCE).expect("a valid request");
        let sent = written(&client);

        let mut server = ServerHandshake::new(HandshakeConfig::new());
        let Ok(Incoming::Upgrade(request)) = server.receive(sent.as_bytes()) else {
            panic!("no upgrade")
        };
        assert_eq!(request.head_len(), sent.len());
        assert_eq!((request.host(), request.resource()), (uri.host(), uri.resource()));
        assert!(request.subprotocols().eq(subprotocols.iter().copied()));
        assert_eq!(request.fields().get("cookie"), Some(&b"a=b"[..]));
        let accept = chosen.map_or(Accept::new(), |chosen| Accept::new().subprotocol(chosen));
        let accepted = request.accept(&accept).expect("it fits");
        let mut out = vec![0; accepted.response_len()];
        accepted.write(&mut out).expect("there is room");

        let Ok(Answer::Accepted(response)) = client.receive(&out) else { panic!("failed") };
        assert_eq!(response.subprotocol(), chosen);
    }
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
        interim in 0_usize..3,
        head in heads(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let head = [b"HTTP/1.1 100 \r\na: b\r\n\r\n".repeat(interim), head].concat();
        let whole = receive(&mut handshake(), &head);
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(head.len() + 1)).collect();
        ends.sort_unstable();
        ends.push(head.len());
        let mut handshake = handshake();
        let cut = ends.iter().map(|end| receive(&mut handshake, &head[..*end]));
        prop_assert_eq!(settle(cut), whole);
    }

    #[test]
    fn shrinking_and_changing_input_never_panics(heads in prop::collection::vec(heads(), 1..5)) {
        let mut handshake = handshake();
        for head in &heads {
            let _ = handshake.receive(head);
        }
    }

    #[test]
    fn no_uri_panics(text in "(ws|wss|x)?:?/?/?[\\PC@:\\[\\]/?#%]{0,20}") {
        if let Ok(uri) = Uri::parse(&text) {
            let handshake = ClientHandshake::new(ClientRequest::new(&uri), NONCE);
            let sent = written(&handshake.expect("nothing to refuse"));
            let mut server = ServerHandshake::new(HandshakeConfig::new());
            prop_assert!(matches!(server.receive(sent.as_bytes()), Ok(Incoming::Upgrade(_))));
        }
    }
}

#[test]
fn a_request_keeps_its_header_fields_to_itself() {
    let uri = uri("wss://example.com/chat");
    let request = ClientRequest::new(&uri)
        .subprotocols(&["superchat"])
        .origin("https://page.example")
        .fields(&[("Authorization", "Bearer secret")]);
    let shown = format!("{request:?}");
    assert!(["chat", "superchat", "https://page.example"].iter().all(|part| shown.contains(part)));
    assert!(!shown.contains("secret") && !shown.contains("Authorization"), "{shown}");
}
