//! Answers to requests that an HTTP library has read, and will answer.

use sansocket::adapter::{AcceptOptions, Decision, HttpAnswer, Opened, Refused};
use sansocket::handshake::{
    AcceptError, HttpVersion, Incoming, PseudoFields, Rejection, ReplyError, extended_connect,
};
use sansocket::{NoExtension, State};

const SWITCHING: [(&str, &str); 3] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
];

type Answered = (HttpAnswer, Result<Opened<NoExtension>, Refused>);

fn upgrade(decision: &Decision) -> Answered {
    let fields = [
        ("host", &b"server.example.com"[..]),
        ("upgrade", b"websocket"),
        ("connection", b"upgrade"),
        ("sec-websocket-version", b"13"),
        ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", b"chat"),
    ];
    let options = AcceptOptions::new();
    let origins = options.origins();
    let config = options.config(&origins);
    let incoming = Incoming::from_parts("GET", "/chat", HttpVersion::HTTP_11, fields, &config);
    let Ok(Incoming::Upgrade(request)) = incoming else { panic!("{incoming:?}") };
    options.answer_request(&request, decision)
}

fn connect(decision: &Decision) -> Answered {
    let pseudo = PseudoFields {
        method: "CONNECT",
        protocol: Some("websocket"),
        scheme: Some("https"),
        authority: Some("server.example.com"),
        path: Some("/chat"),
    };
    let fields = [("sec-websocket-version", &b"13"[..]), ("sec-websocket-protocol", &b"chat"[..])];
    let options = AcceptOptions::new();
    let origins = options.origins();
    let request =
        extended_connect(&pseudo, fields, &options.config(&origins)).expect("a good request");
    options.answer_request(&request, decision)
}

fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

// 8441-5-10, 8441-5.1-01
#[test]
fn what_is_accepted_has_the_status_and_the_fields_of_its_version_of_http() {
    let decision = Decision::accept().subprotocol(Some("chat")).field("X-Own", "1");
    let agreed = [("Sec-WebSocket-Protocol", "chat"), ("X-Own", "1")];
    for ((answer, opened), status, fields) in [
        (upgrade(&decision), 101, [&SWITCHING[..], &agreed].concat()),
        (connect(&decision), 200, agreed.to_vec()),
    ] {
        assert_eq!(answer, HttpAnswer { status, fields: owned(&fields), body: Vec::new() });
        let opened = opened.expect("accepted");
        assert_eq!(opened.connection.state(), State::Open);
        assert_eq!(opened.response.subprotocol.as_deref(), Some("chat"));
        assert_eq!(opened.head_len, 0, "another has read it");
    }
    let (answer, opened) = connect(&Decision::by_default());
    assert_eq!(answer, HttpAnswer { status: 200, fields: Vec::new(), body: Vec::new() });
    assert!(opened.is_ok());
}

#[test]
fn what_the_program_answers_instead_is_given_as_it_is() {
    let decision = Decision::reply(404, "nothing here").field("Content-Type", "text/plain");
    for (answer, opened) in [upgrade(&decision), connect(&decision)] {
        let fields = owned(&[("Content-Type", "text/plain")]);
        assert_eq!(answer, HttpAnswer { status: 404, fields, body: b"nothing here".into() });
        assert_eq!(opened.err(), Some(Refused::Answered(404)));
    }
}

#[test]
fn what_cannot_be_answered_is_the_programs_fault_and_a_500() {
    let other = Decision::accept().subprotocol(Some("other"));
    let switching = Decision::reply(101, "");
    for (decision, fault) in [
        (&other, Refused::Accept(AcceptError::SubprotocolNotOffered)),
        (&switching, Refused::Reply(ReplyError::Status { status: 101 })),
    ] {
        for (answer, opened) in [upgrade(decision), connect(decision)] {
            assert_eq!(answer, HttpAnswer { status: 500, fields: Vec::new(), body: Vec::new() });
            assert_eq!(opened.err(), Some(fault));
        }
    }
}

// 9220-3-03
#[test]
fn a_request_that_breaks_a_rule_has_its_answer_in_parts() {
    let options = AcceptOptions::new();
    let origins = options.origins();
    let pseudo = PseudoFields { method: "CONNECT", protocol: Some("other"), ..Default::default() };
    let rejection: Rejection = extended_connect(&pseudo, [], &options.config(&origins))
        .expect_err("there is no such protocol");
    let answer = HttpAnswer::reject(&rejection);
    assert_eq!(answer.status, 501);
    assert_eq!(answer.body, rejection.body().as_bytes());
    assert_eq!(answer.fields, owned(rejection.fields()));
}

#[test]
fn what_is_printed_for_a_log_has_no_values_of_fields() {
    for (decision, decided, answered) in [
        (Decision::accept(), "accept(None", "status: 200"),
        (Decision::reply(403, "secret"), "reply(Some(403)", "status: 403"),
        (Decision::by_default(), "by_default(None", "status: 200"),
    ] {
        let decision = decision.field("Set-Cookie", "secret");
        assert_eq!(format!("{decision:?}"), format!("Decision::{decided}, [\"Set-Cookie\"])"));
        let printed = format!("{:?}", connect(&decision).0);
        assert!(printed.starts_with(&format!("HttpAnswer {{ {answered}, ")), "{printed}");
        assert!(printed.contains("Set-Cookie") && !printed.contains("secret"), "{printed}");
    }
}
