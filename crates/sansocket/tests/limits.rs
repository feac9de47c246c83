//! Each limit at its border: what fits, what is one too many, which rule says so
//! and where; and the switches that let more pass than the RFC does.

#![cfg(feature = "alloc")]

mod support;

use std::fmt::Debug;
use std::time::Duration;

use sansocket::frame::FrameRule;
use sansocket::handshake::{HandshakeConfig, HandshakeLimits};
use sansocket::{
    Assembler, AssemblyError, CloseCode, Config, Event, KeepAlive, Rule, Server, State, Tick,
};
use support::{
    At, Breach, Embedder, Endpoint, Part, TestClient, check, check_both, check_breach, frame, open,
    run, written,
};

use Part::{Frame, Header};

/// Checks that the stream is taken whole in both roles, and what is heard.
fn check_fits(config: &Config, parts: &[Part<'_>], heard: &str) {
    check_both(config, parts, |outcome, _| {
        assert_eq!((outcome.heard(), outcome.failure), (heard.to_owned(), None));
    });
}

fn check_too_big(config: &Config, parts: &[Part<'_>], heard: &str, rule: FrameRule, at: usize) {
    let row = Breach { parts, heard, code: 1009, rule: Rule::Frame(rule), at: At::Header(at) };
    check_breach(config, &row);
}

// 6455-10.4-02
#[test]
fn a_frame_may_be_as_long_as_its_limit() {
    let config = Config::new().frame_len_max(5);
    let too_big = FrameRule::FrameTooBig { len: 6, max: 5 };
    check_fits(&config, &[Frame(0x82, b"12345")], "binary [12345]");
    check_too_big(&config, &[Frame(0x82, b"123456")], "", too_big, 1);

    // The message may be longer than its frames; control frames are not meant.
    let parts = &[Frame(0x01, b"12345"), Frame(0x89, b"123456"), Frame(0x80, b"67890")];
    check_fits(&config, parts, "text [12345, ping 123456, text 67890]");
    let parts = &[Frame(0x01, b"12345"), Frame(0x80, b"678901")];
    check_too_big(&config, parts, "text [12345", too_big, 1);
}

// 6455-10.4-02
#[test]
fn a_message_may_be_as_long_as_its_limit() {
    let config = Config::new().message_len_max(8).frame_len_max(100);
    let too_big = |len| FrameRule::MessageTooBig { len, max: 8 };
    check_fits(&config, &[Frame(0x82, b"12345678")], "binary [12345678]");
    check_too_big(&config, &[Frame(0x82, b"123456789")], "", too_big(9), 1);

    let parts = &[Frame(0x02, b"1234"), Frame(0x00, b"5678"), Frame(0x80, b"")];
    check_fits(&config, parts, "binary [12345678]");
    let parts = &[Frame(0x02, b"1234"), Frame(0x00, b"5678"), Frame(0x80, b"9")];
    check_too_big(&config, parts, "binary [12345678", too_big(9), 1);
    // The next message has the whole limit again.
    let parts = &[Frame(0x02, b"12345678"), Frame(0x80, b""), Frame(0x82, b"12345678")];
    check_fits(&config, parts, "binary [12345678], binary [12345678]");
}

#[test]
fn a_limit_is_judged_at_the_last_byte_of_the_length() {
    for (limit, len, at) in [
        (100, &[101][..], 1),
        (1000, &[126, 0x03, 0xe9], 3),
        (70_000, &[127, 0, 0, 0, 0, 0, 1, 0x11, 0x71], 9),
    ] {
        let rule = FrameRule::FrameTooBig { len: limit + 1, max: limit };
        let config = Config::new().message_len_max(limit);
        check_too_big(&config, &[Header(0x82, len)], "", rule, at);
    }
    // No sum overflows.
    let config = Config::new().message_len_max(u64::MAX).fragments_max(9);
    let most = [127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let outcome = check::<Server>(&config, &Server::from_peer(&[Header(0x82, &most)]));
    assert_eq!((outcome.heard(), outcome.failure), ("binary [".into(), None));
}

#[test]
fn a_limit_of_zero_lets_only_empty_messages_pass() {
    let config = Config::new().message_len_max(0);
    check_fits(
        &config,
        &[Frame(0x81, b""), Frame(0x02, b""), Frame(0x80, b"")],
        "text [], binary []",
    );
    let rule = FrameRule::FrameTooBig { len: 1, max: 0 };
    check_too_big(&config, &[Frame(0x81, b"x")], "", rule, 1);
}

// 6455-10.4-01
#[test]
fn a_message_may_have_as_many_fragments_as_the_limit() {
    let config = Config::new().fragments_max(3);
    let three = [Frame(0x01, b"a"), Frame(0x00, b""), Frame(0x80, b"b")];
    check_fits(&config, &[three, three].concat(), "text [ab], text [ab]");
    let parts =
        &[Frame(0x01, b""), Frame(0x00, b""), Frame(0x00, b""), Frame(0x89, b""), Frame(0x00, b"")];
    let rule = Rule::Frame(FrameRule::TooManyFragments { max: 3 });
    let row = Breach { parts, heard: "text [, ping ", code: 1008, rule, at: At::Header(0) };
    check_breach(&config, &row);
    // Where none is allowed no message is.
    let (config, parts) = (Config::new().fragments_max(0), &[Frame(0x81, b"a")]);
    let rule = Rule::Frame(FrameRule::TooManyFragments { max: 0 });
    let row = Breach { parts, heard: "", code: 1008, rule, at: At::Header(0) };
    check_breach(&config, &row);
}

#[test]
fn the_default_number_of_fragments_follows_the_message_limit() {
    for (message_len_max, fragments_max) in
        [(1000, 1024), (1 << 20, 1024), (2 << 20, 2048), (2_049 << 10, 2049)]
    {
        let config = Config::new().message_len_max(message_len_max);
        let fragments = [&[Frame(0x02, b"")][..], &vec![Frame(0x00, b""); fragments_max]].concat();
        let run =
            |parts: &[Part<'_>]| run(open::<TestClient>(&config), &[&TestClient::from_peer(parts)]);
        assert_eq!(run(&fragments[..fragments_max]).failure, None);
        let outcome = run(&fragments);
        let max = u32::try_from(fragments_max).expect("a small number");
        let rule = Rule::Frame(FrameRule::TooManyFragments { max });
        assert_eq!(outcome.broken(), Some((rule, 2 * u64::from(max))));
    }
}

// F17
#[test]
fn the_budget_of_control_frames_is_refilled_by_data_and_by_a_new_second() {
    let config = Config::new().control_frames_max(2).keep_alive(KeepAlive::Off);
    let (ping, pong, data) = (Frame(0x89, b""), Frame(0x8a, b""), Frame(0x82, b"x"));
    let parts = &[ping, pong, data, ping, ping, data, pong, pong];
    check_both(&config, parts, |outcome, _| assert_eq!(outcome.failure, None));
    // Also by data in the middle of a frame.
    let mut embedder = Embedder::new(open::<Server>(&config));
    embedder.feed(&Server::from_peer(&[
        ping,
        ping,
        Frame(0x02, b"x"),
        ping,
        ping,
        Header(0x80, &[9]),
    ]));
    assert_eq!(embedder.failure, None);

    let mut embedder = Embedder::new(open::<TestClient>(&config));
    let mut tell = |millis, parts: &[Part<'_>]| {
        assert_eq!(embedder.engine.handle_timeout(Tick::from_millis(millis)), Ok(()), "{millis}");
        embedder.feed(&TestClient::from_peer(parts));
        embedder.failure.map(|failure| failure.rule())
    };
    assert_eq!(tell(5_000, &[ping, pong]), None);
    assert_eq!(tell(6_000, &[ping, pong]), None, "a new second");
    assert_eq!(tell(6_999, &[]), None);
    assert_eq!(tell(8_500, &[ping]), None);
    assert_eq!(tell(8_999, &[pong]), None);
    assert_eq!(tell(8_999, &[ping]), Some(Rule::ControlFlood { max: 2 }), "still the same second");
}

#[test]
fn a_close_is_no_part_of_the_budget() {
    let config = Config::new().control_frames_max(0);
    let parts = &[Frame(0x88, b"\x03\xe8")];
    check_both(&config, parts, |outcome, _| assert_eq!(outcome.state, State::Closed));
    let rule = Rule::ControlFlood { max: 0 };
    let parts = &[Frame(0x8a, b"x")];
    check_breach(&config, &Breach { parts, heard: "", code: 1008, rule, at: At::Header(0) });
}

// 6455-5.1-03
#[test]
fn unmasked_frames_pass_a_server_that_accepts_them() {
    let config = Config::new().accept_unmasked();
    let unmasked =
        [frame(0x01, b"a", None), frame(0x89, b"!", None), frame(0x88, b"\x03\xe8", None)].concat();
    let masked = Server::from_peer(&[Frame(0x82, b"m")]);
    let outcome = check::<Server>(&config, &[&masked[..], &unmasked].concat());
    assert_eq!(outcome.heard(), "binary [m], text [a, ping !, close 1000");
    assert_eq!(written::<Server>(&outcome.written), "pong !, close 1000");

    // A client is no more lenient for it.
    let masked = frame(0x82, b"m", Some([1, 2, 3, 4]));
    let outcome = check::<TestClient>(&config, &masked);
    assert_eq!(outcome.broken(), Some((Rule::Frame(FrameRule::Masked), 1)));
}

// 6455-5.2-11
#[test]
fn longer_forms_pass_where_they_are_accepted() {
    let config = Config::new().accept_non_minimal_length();
    let parts = &[
        Header(0x82, &[126, 0, 0]),
        Header(0x82, &[127, 0, 0, 0, 0, 0, 0, 0, 0]),
        Frame(0x81, b"ok"),
    ];
    check_fits(&config, parts, "binary [], binary [], text [ok]");
    let mut stream = TestClient::from_peer(&[Header(0x82, &[127, 0, 0, 0, 0, 0, 0, 0, 3])]);
    stream.extend(b"abc");
    assert_eq!(check::<TestClient>(&config, &stream).heard(), "binary [abc]");

    // The rest of the rules stands: the top bit, and short control frames.
    let rows = [
        (Header(0x82, &[127, 0x80, 0, 0, 0, 0, 0, 0, 0]), FrameRule::LengthTopBit, 2),
        (Header(0x89, &[126, 0, 1]), FrameRule::ControlTooLong, 1),
    ];
    for (part, rule, at) in rows {
        let rule = Rule::Frame(rule);
        check_breach(
            &config,
            &Breach { parts: &[part], heard: "", code: 1002, rule, at: At::Header(at) },
        );
    }
}

#[test]
fn each_switch_opens_one_rule_only() {
    let unmasked = frame(0x82, b"", None);
    let outcome = check::<Server>(&Config::new().accept_non_minimal_length(), &unmasked);
    assert_eq!(outcome.broken(), Some((Rule::Frame(FrameRule::Unmasked), 1)));
    let rule = Rule::Frame(FrameRule::LengthNotMinimal { len: 0 });
    let parts = &[Header(0x82, &[126, 0, 0])];
    let row = Breach { parts, heard: "", code: 1002, rule, at: At::Header(3) };
    check_breach(&Config::new().accept_unmasked(), &row);
}

#[test]
fn an_assembler_takes_messages_up_to_its_own_limit() {
    let stream =
        TestClient::from_peer(&[Frame(0x02, b"1234"), Frame(0x00, b"5678"), Frame(0x80, b"9")]);
    for (len_max, expected) in [
        (9, Ok(9)),
        (8, Err(AssemblyError::TooBig { len: 9, max: 8 })),
        (4, Err(AssemblyError::TooBig { len: 8, max: 4 })),
    ] {
        let vec = assemble(Assembler::new(Vec::new(), len_max), &stream);
        assert_eq!(vec, expected, "{len_max}");
        let slice = assemble(Assembler::over(&mut [0; 16][..len_max]), &stream);
        assert_eq!(slice, expected, "{len_max}");
    }
    // A message in one piece needs no place at all.
    let whole = TestClient::from_peer(&[Frame(0x82, b"123456789")]);
    assert_eq!(assemble(Assembler::over(&mut []), &whole), Ok(9));
}

#[test]
fn an_assembler_refuses_a_piece_that_continues_nothing() {
    let mut connection = open::<TestClient>(&Config::new());
    let mut assembler = Assembler::new(Vec::new(), 100);
    let mut stream =
        TestClient::from_peer(&[Frame(0x01, b"lost"), Frame(0x80, b"x"), Frame(0x81, b"next")]);
    let lost = connection.receive(&mut stream).expect("a fragment");
    let stray = connection.receive(lost.rest).expect("a fragment");
    let next = connection.receive(stray.rest).expect("a message");
    let mut push = |event: Option<Event<'_>>| match event {
        Some(Event::Data(data)) => assembler.push(data).map(|a| a.message().map(|m| m.len())),
        _ => panic!("no data"),
    };
    assert_eq!(push(stray.event), Err(AssemblyError::OutOfOrder));
    assert_eq!(push(next.event), Ok(Some(4)));
}

/// The length of the one message in the stream, or why it was not assembled.
fn assemble<S: sansocket::Storage>(
    mut assembler: Assembler<S>,
    stream: &[u8],
) -> Result<usize, AssemblyError> {
    let (mut stream, mut connection) = (stream.to_vec(), open::<TestClient>(&Config::new()));
    let mut rest = &mut stream[..];
    loop {
        let received = connection.receive(rest).expect("a valid stream");
        let Some(Event::Data(data)) = received.event else { panic!("no message") };
        if let Some(message) = assembler.push(data)?.message() {
            return Ok(message.len());
        }
        rest = received.rest;
    }
}

// P8
#[test]
fn a_failure_says_what_where_and_by_which_section() {
    let config = Config::new().message_len_max(3).assembly_timeout(Some(Duration::from_secs(1)));
    let rows: &[(&[Part<'_>], &str)] = &[
        (
            &[Frame(0x81, b"1234")],
            "a frame of 4 bytes is over the limit of 3 (byte 1; RFC 6455 section 10.4; closed with 1009)",
        ),
        (
            &[Frame(0xf2, b"")],
            "reserved bits 111 are set without an extension (byte 0; RFC 6455 section 5.2; closed with 1002)",
        ),
        (
            &[Frame(0x81, b"a\xff")],
            "a text message is not UTF-8 (byte 3; RFC 6455 section 8.1; closed with 1007)",
        ),
    ];
    for (parts, words) in rows {
        let outcome = check::<TestClient>(&config, &TestClient::from_peer(parts));
        let failure = outcome.failure.expect("a failure");
        assert_eq!(failure.to_string(), *words);
    }
    let failure = open::<Server>(&config).fail_with(CloseCode::INTERNAL_ERROR);
    assert_eq!(failure.rule(), Rule::Application { code: CloseCode::INTERNAL_ERROR });
}

#[test]
fn defaults_are_what_new_gives() {
    fn check<T: Default + Debug>(new: T) {
        assert_eq!(format!("{:?}", T::default()), format!("{new:?}"));
    }
    check(Config::new());
    check(HandshakeConfig::new());
    check(HandshakeLimits::new());
    #[cfg(feature = "deflate")]
    {
        use sansocket::deflate::{ClientDeflatePolicy, DeflateConfig, ServerDeflatePolicy};
        check(DeflateConfig::new());
        check(ClientDeflatePolicy::new());
        check(ServerDeflatePolicy::new());
    }
}
