//! What a server answers, and what that opens.

use sansocket::adapter::{
    AcceptOptions, Answered, Decision, HandshakeResponse, Opened, Refused, Settings,
};
use sansocket::handshake::{
    AcceptError, FieldFault, HandshakeLimits, HandshakeRule, Incoming, MissingOrigin, NullOrigin,
    ReplyError, ServerExtensions, ServerHandshake,
};
use sansocket::{Config, Event};

use crate::source;
use crate::support::{Endpoint, Part};

/// The request of RFC 6455 section 1.3, but for its Origin.
const UPGRADE: &str = "GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\n\r\n";

/// The beginning of every answer that accepts it.
const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

const PLAIN: &str = "GET / HTTP/1.1\r\nHost: server.example.com\r\n\r\n";

/// The answer to a program whose answer cannot be given.
const INTERNAL: &str =
    "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// `UPGRADE` with one more header line.
fn with_line(line: &str) -> String {
    UPGRADE.replacen("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"), 1)
}

fn judge<P: ServerExtensions>(
    options: &AcceptOptions<P>,
    received: &[u8],
    decide: impl FnOnce(&Incoming<'_>) -> Decision,
) -> Option<Answered<Opened<P>>> {
    let origins = options.origins();
    let mut handshake = ServerHandshake::new(options.config(&origins));
    options.answer(handshake.receive(received), decide)
}

/// What is written as an answer to a whole request, and what that opens.
#[track_caller]
fn answer(request: &str, decision: Decision) -> (String, Result<HandshakeResponse, Refused>) {
    answer_with(&AcceptOptions::new(), request, decision)
}

#[track_caller]
fn answer_with<P: ServerExtensions>(
    options: &AcceptOptions<P>,
    request: &str,
    decision: Decision,
) -> (String, Result<HandshakeResponse, Refused>) {
    let (written, opened) =
        judge(options, request.as_bytes(), |_| decision).expect("the request is whole");
    let written = String::from_utf8(written).expect("answers are text");
    (written, opened.map(|opened| opened.response))
}

// 6455-4.2.2-28
#[test]
fn an_accepted_request_opens_a_connection_for_the_frames_behind_it() {
    let frames = sansocket::Server::from_peer(&[Part::Frame(0x89, b"?")]);
    let received = [UPGRADE.as_bytes(), &frames].concat();
    let (written, opened) =
        judge(&AcceptOptions::new(), &received, |_| Decision::accept()).expect("it is whole");
    assert_eq!(written, [SWITCHING, "\r\n"].concat().as_bytes());
    let mut opened = opened.expect("accepted");
    assert_eq!(opened.head_len, UPGRADE.len());
    assert_eq!(opened.response, HandshakeResponse::default());
    let mut behind = received[opened.head_len..].to_vec();
    let heard = opened.connection.receive(&mut behind).expect("a frame");
    assert!(matches!(heard.event, Some(Event::Ping(b"?"))), "{heard:?}");
}

// 6455-4.2.2-14, 6455-4.2.2-15, 6455-4.2.2-16, 6455-4.2.2-25
#[test]
fn what_the_program_decides_is_in_the_answer_that_accepts() {
    for (decision, lines, subprotocol) in [
        (Decision::accept(), "", None),
        (Decision::by_default(), "", None),
        (Decision::accept().subprotocol(None::<&str>), "", None),
        (
            Decision::accept().subprotocol(Some("superchat")),
            "Sec-WebSocket-Protocol: superchat\r\n",
            Some("superchat"),
        ),
        (Decision::accept().subprotocol(Some("chat")).subprotocol(None::<String>), "", None),
        (
            Decision::accept().field("Set-Cookie", "a=1").field("X", "2").subprotocol(Some("chat")),
            "Sec-WebSocket-Protocol: chat\r\nSet-Cookie: a=1\r\nX: 2\r\n",
            Some("chat"),
        ),
        (Decision::by_default().field("X", "2"), "X: 2\r\n", None),
        // A subprotocol goes with `accept`.
        (Decision::by_default().subprotocol(Some("chat")), "", None),
    ] {
        let (written, response) = answer(UPGRADE, decision.clone());
        assert_eq!(written, [SWITCHING, lines, "\r\n"].concat(), "{decision:?}");
        let response = response.expect("accepted");
        assert_eq!(response.subprotocol.as_deref(), subprotocol, "{decision:?}");
        assert_eq!((response.extensions, response.fields), (None, vec![]), "{decision:?}");
    }
}

#[test]
fn the_program_is_asked_about_whole_requests_that_break_no_rule() {
    let status = |request: &str| {
        let mut asked = None;
        let answered = judge(&AcceptOptions::new(), request.as_bytes(), |incoming| {
            asked = Some(match incoming {
                Incoming::Upgrade(request) => format!("upgrade {}", request.target()),
                Incoming::Plain(request) => format!("plain {}", request.target()),
                Incoming::Incomplete => "incomplete".to_owned(),
            });
            Decision::by_default()
        });
        let written = answered.map(|(written, _)| written[9..12].to_vec());
        (asked, written.map(|status| String::from_utf8(status).expect("digits")))
    };
    for (request, asked, answered) in [
        (UPGRADE, Some("upgrade /chat"), Some("101")),
        (PLAIN, Some("plain /"), Some("426")),
        (&UPGRADE[..UPGRADE.len() - 1], None, None),
        ("", None, None),
        (&PLAIN.replace("GET", "POST"), None, Some("405")),
        (&UPGRADE.replace("Version: 13", "Version: 12"), None, Some("426")),
        (&UPGRADE.replace("Host: server.example.com\r\n", ""), None, Some("400")),
        ("no HTTP at all\r\n\r\n", None, Some("400")),
    ] {
        let expected = (asked.map(str::to_owned), answered.map(str::to_owned));
        assert_eq!(status(request), expected, "{request:?}");
    }
}

// 6455-4.2.2-05, 6455-4.2.2-06, 6455-4.2.2-08, 6455-4.2.2-12
#[test]
fn a_program_may_answer_with_something_else() {
    for (request, decision, status, written) in [
        (
            UPGRADE,
            Decision::reply(401, "who?").field("WWW-Authenticate", "Basic"),
            401,
            "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 4\r\n\
             WWW-Authenticate: Basic\r\n\r\nwho?",
        ),
        (
            UPGRADE,
            Decision::reply(307, "").field("Location", "/new"),
            307,
            "HTTP/1.1 307 Temporary Redirect\r\nConnection: close\r\nContent-Length: 0\r\n\
             Location: /new\r\n\r\n",
        ),
        // There is no subprotocol without a WebSocket.
        (
            UPGRADE,
            Decision::reply(404, b"").subprotocol(Some("chat")),
            404,
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            PLAIN,
            Decision::reply(200, "<p>").field("Content-Type", "text/html"),
            200,
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\
             Content-Type: text/html\r\n\r\n<p>",
        ),
    ] {
        let expected = (written.to_owned(), Err(Refused::Answered(status)));
        assert_eq!(answer(request, decision), expected, "{status}");
    }
}

#[test]
fn what_asks_for_no_websocket_gets_none() {
    for decision in [Decision::accept(), Decision::by_default()] {
        let (written, opened) = answer(PLAIN, decision);
        assert!(written.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{written}");
        assert!(written.contains("\r\nUpgrade: websocket\r\n"), "{written}");
        let Err(Refused::Rejected(rejection)) = opened else { panic!("{opened:?}") };
        assert_eq!(rejection.rule(), HandshakeRule::NotWebSocket);
    }
}

#[test]
fn an_answer_that_cannot_be_given_is_the_programs_fault_and_a_500() {
    let line_end = FieldFault::Value;
    for (request, decision, refused) in [
        (
            UPGRADE,
            Decision::accept().subprotocol(Some("other")),
            Refused::Accept(AcceptError::SubprotocolNotOffered),
        ),
        (
            UPGRADE,
            Decision::accept().field("X", "1").field("Y", "2\r\nZ: 3"),
            Refused::Accept(AcceptError::Field { index: 1, fault: line_end }),
        ),
        (UPGRADE, Decision::reply(200, "fine"), Refused::Reply(ReplyError::Status { status: 200 })),
        (PLAIN, Decision::reply(101, ""), Refused::Reply(ReplyError::Status { status: 101 })),
        (PLAIN, Decision::reply(304, "x"), Refused::Reply(ReplyError::Body { status: 304 })),
        (
            PLAIN,
            Decision::reply(404, "").field("X", "\n"),
            Refused::Reply(ReplyError::Field { index: 0, fault: line_end }),
        ),
    ] {
        assert_eq!(answer(request, decision), (INTERNAL.to_owned(), Err(refused)));
    }
}

#[test]
fn a_refusal_says_why() {
    let (_, rejected) = answer("nonsense\r\n\r\n", Decision::accept());
    let rejected = rejected.expect_err("nonsense");
    let Refused::Rejected(rejection) = rejected else { panic!("{rejected:?}") };
    let accept = AcceptError::SubprotocolNotOffered;
    let reply = ReplyError::Status { status: 700 };
    for (refused, text, because) in [
        (rejected, rejection.to_string(), Some(rejection.to_string())),
        (Refused::Answered(404), "answered with HTTP status 404".to_owned(), None),
        (Refused::Accept(accept), accept.to_string(), Some(accept.to_string())),
        (Refused::Reply(reply), reply.to_string(), Some(reply.to_string())),
    ] {
        assert_eq!((refused.to_string(), source(&refused)), (text, because), "{refused:?}");
    }
}

// 6455-4.2.2-07, 6455-10.2-01, 6455-10.2-02
#[test]
fn pages_of_the_origins_named_may_connect_and_by_default_those_of_the_same_host() {
    const OWN: &str = "https://server.example.com";
    const APP: &str = "https://app.example.com";
    const OTHER: &str = "https://evil.example";
    let new = AcceptOptions::new;
    let app = || new().allow_origin(APP);
    for (options, taken, refused) in [
        (new(), &[None, Some(OWN)][..], &[Some(APP), Some("null")][..]),
        (app(), &[None, Some(APP)], &[Some(OWN), Some(OTHER), Some("null")]),
        (app().allow_origin(OWN), &[None, Some(APP), Some(OWN)], &[Some(OTHER), Some("null")]),
        (app().allow_origin("*"), &[None, Some(OWN), Some(OTHER), Some("null")], &[]),
        (new().allow_origin("null"), &[None, Some("null")], &[Some(OWN)]),
        (new().missing_origin(MissingOrigin::Refuse), &[Some(OWN)], &[None]),
        (new().null_origin(NullOrigin::Allow), &[Some("null"), Some(OWN)], &[Some(OTHER)]),
    ] {
        let origins = taken.iter().map(|origin| (origin, true));
        for (origin, expected) in origins.chain(refused.iter().map(|origin| (origin, false))) {
            let request = match origin {
                Some(origin) => with_line(&format!("Origin: {origin}")),
                None => UPGRADE.to_owned(),
            };
            let (written, _) = answer_with(&options, &request, Decision::accept());
            let status = if expected { "101" } else { "403" };
            assert_eq!(&written[9..12], status, "{origin:?} with {options:?}");
        }
    }
}

#[test]
fn the_options_bound_the_request_and_drive_the_connection() {
    let short = AcceptOptions::new().limits(HandshakeLimits::new().head_len_max(UPGRADE.len()));
    let opens = |request| answer_with(&short, request, Decision::accept()).1.is_ok();
    assert!(opens(UPGRADE));
    assert!(!opens(&with_line("X: 1")));

    let settings = Settings::new().config(Config::new().message_len_max(77));
    let options = AcceptOptions::default().settings(settings.clone());
    assert_eq!(options.driving(), &settings);
    let (_, opened) =
        judge(&options, UPGRADE.as_bytes(), |_| Decision::accept()).expect("it is whole");
    assert_eq!(opened.expect("accepted").connection.message_len_max(), 77);
}

#[cfg(feature = "deflate")]
mod with_deflate {
    use sansocket::deflate::{ServerDeflatePolicy, WindowBits};

    use super::*;

    // 6455-4.2.2-18, 6455-4.2.2-26
    #[test]
    fn compression_is_agreed_on_if_the_client_offers_it_and_the_server_has_a_policy() {
        let offer = with_line("Sec-WebSocket-Extensions: permessage-deflate");
        let narrow = WindowBits::new(9).expect("9 to 15");
        let deflate = Some(ServerDeflatePolicy::new().window_bits(narrow));
        let agreed = "permessage-deflate; server_max_window_bits=9";
        for (policy, request, extensions) in
            [(deflate, &offer[..], Some(agreed)), (deflate, UPGRADE, None), (None, &offer, None)]
        {
            let options = AcceptOptions::new().deflate(policy);
            let (written, response) = answer_with(&options, request, Decision::accept());
            let line = extensions.map(|agreed| format!("Sec-WebSocket-Extensions: {agreed}\r\n"));
            let line = line.unwrap_or_default();
            assert_eq!(written, [SWITCHING, &line, "\r\n"].concat());
            let response = response.expect("accepted");
            assert_eq!(response.extensions.as_deref(), extensions);
        }
    }

    #[test]
    fn a_policy_for_compression_leaves_the_other_options_as_they_are() {
        let settings = Settings::new().queue_len_max(7);
        let options = AcceptOptions::new()
            .allow_origin("https://app.example.com")
            .missing_origin(MissingOrigin::Refuse)
            .null_origin(NullOrigin::Allow)
            .limits(HandshakeLimits::new().fields_max(9))
            .settings(settings.clone());
        let deflating = options.clone().deflate(ServerDeflatePolicy::new());
        assert_eq!(deflating.origins(), options.origins());
        let origins = options.origins();
        assert_eq!(deflating.config(&origins), options.config(&origins));
        assert_eq!(deflating.driving(), &settings);
    }
}
