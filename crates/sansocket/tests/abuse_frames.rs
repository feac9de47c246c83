//! Abuse of frames, case by case, each with the number that it has in the
//! catalogue of abuse cases. [`check`] is case F32: any stream, cut anywhere.
//!
//! F11 is a deadline, and in `deadlines.rs`.

#![cfg(feature = "alloc")]

mod support;

use sansocket::frame::FrameRule;
use sansocket::{
    Cause, CloseCode, Config, Connection, Data, Event, Rule, SendError, Server, State, Transmit,
    TransportStep,
};
use support::{
    At, Breach, Embedder, Endpoint, Part, TestClient, check, check_both, check_breach, frame, open,
    run, written,
};

use Part::{Frame, Header};

/// Rows about the first two bytes of a header and its length: they break a rule
/// wherever they come, and nothing of them is heard.
fn check_header_rows(rows: &[(&str, Part<'_>, FrameRule, usize)]) {
    for (id, part, rule, at) in rows {
        println!("{id}"); // shown by a test that fails
        let (rule, at) = (Rule::Frame(*rule), At::Header(*at));
        let alone = Breach { parts: &[*part], heard: "", code: 1002, rule, at };
        check_breach(&Config::new(), &alone);
        let parts = &[Frame(0x81, b"ok"), Frame(0x89, b"?"), *part];
        let behind = Breach { parts, heard: "text [ok], ping ?", ..alone };
        check_breach(&Config::new(), &behind);
    }
}

// F01, F02: 6455-5.2-04, 6455-5.8-01
#[test]
fn reserved_bits_without_an_extension_fail_at_the_first_byte() {
    let bits = |bits| FrameRule::ReservedBits { bits };
    check_header_rows(&[
        ("F01 RSV1", Frame(0xc1, b"Hello"), bits(0x40), 0),
        ("F01 RSV2", Frame(0xa2, b"Hello"), bits(0x20), 0),
        ("F01 RSV3", Frame(0x91, b"Hello"), bits(0x10), 0),
        ("F01 all", Frame(0xf1, b"Hello"), bits(0x70), 0),
        ("F02 on a Ping", Frame(0xc9, b"Hello"), bits(0x40), 0),
        ("F02 on a Close", Frame(0xc8, b""), bits(0x40), 0),
        ("F02 on a continuation of nothing", Frame(0xc0, b"x"), bits(0x40), 0),
    ]);
    let parts = &[Frame(0x01, b"a"), Frame(0xc0, b"b")];
    let rule = Rule::Frame(bits(0x40));
    check_breach(
        &Config::new(),
        &Breach { parts, heard: "text [a", code: 1002, rule, at: At::Header(0) },
    );
}

// F03: 6455-5.2-05, 6455-5.2-06
#[test]
fn reserved_opcodes_fail_at_the_first_byte() {
    for opcode in (3..=7).chain(11..=15) {
        let rule = FrameRule::ReservedOpcode { opcode };
        check_header_rows(&[("F03", Frame(0x80 | opcode, b""), rule, 0)]);
        check_header_rows(&[("F03 without FIN", Frame(opcode, b"x"), rule, 0)]);
    }
}

// F04, F05: 6455-5.1-03, 6455-5.1-04, 6455-5.1-06, 6455-5.1-07
#[test]
fn frames_masked_like_ones_own_fail_at_the_second_byte() {
    for first in [0x81, 0x02, 0x89, 0x8a, 0x88] {
        for payload in [&b""[..], b"hi", &[b'x'; 200]] {
            wrongly_masked::<Server>(first, payload, FrameRule::Unmasked);
            wrongly_masked::<TestClient>(first, payload, FrameRule::Masked);
        }
    }
}

fn wrongly_masked<R: Endpoint>(first: u8, payload: &[u8], rule: FrameRule) {
    let wrong = frame(first, payload, if R::is_server() { None } else { Some([1, 2, 3, 4]) });
    let before = R::from_peer(&[Frame(0x82, b"ok")]);
    let outcome = check::<R>(&Config::new(), &[&before[..], &wrong].concat());
    assert_eq!(outcome.heard(), "binary [ok]");
    assert_eq!(outcome.broken(), Some((Rule::Frame(rule), before.len() as u64 + 1)));
    assert_eq!(written::<R>(&outcome.written), "close 1002");
}

// F06, F07: 6455-5.2-09, 6455-5.2-11
#[test]
fn lengths_out_of_form_fail_at_the_byte_that_shows_it() {
    let short = |len| FrameRule::LengthNotMinimal { len };
    let zeros = FrameRule::LengthLeadingZeros;
    check_header_rows(&[
        ("F06", Header(0x82, &[127, 0x80, 0, 0, 0, 0, 0, 0, 0]), FrameRule::LengthTopBit, 2),
        (
            "F06 all ones",
            Header(0x01, &[127, 255, 255, 255, 255, 255, 255, 255, 255]),
            FrameRule::LengthTopBit,
            2,
        ),
        ("F07 0 in 16 bits", Header(0x82, &[126, 0, 0]), short(0), 3),
        ("F07 125 in 16 bits", Header(0x81, &[126, 0, 125]), short(125), 3),
        ("F07 0 in 64 bits", Header(0x82, &[127, 0, 0, 0, 0, 0, 0, 0, 0]), zeros, 7),
        ("F07 65535 in 64 bits", Header(0x02, &[127, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), zeros, 7),
    ]);
}

// F12, F13: 6455-5.4-06, 6455-5.5-01, 6455-5.5-02
#[test]
fn control_frames_are_short_and_whole() {
    let (long, cut) = (FrameRule::ControlTooLong, FrameRule::FragmentedControl);
    for opcode in [8, 9, 10] {
        check_header_rows(&[
            ("F12 of 126 bytes", Frame(0x80 | opcode, &[b'x'; 126]), long, 1),
            (
                "F12 of 2^62 bytes",
                Header(0x80 | opcode, &[127, 0x40, 0, 0, 0, 0, 0, 0, 0]),
                long,
                1,
            ),
            ("F13", Frame(opcode, b"ok"), cut, 0),
            ("F13 empty", Frame(opcode, b""), cut, 0),
        ]);
    }
}

// F08: 6455-10.4-01, 6455-10.4-02
#[test]
fn a_declared_length_over_the_limit_fails_at_the_header() {
    let mebi = 1 << 20;
    let len = [127, 0, 0, 0, 0, 0, 0x10, 0, 1];
    let rule = Rule::Frame(FrameRule::FrameTooBig { len: mebi + 1, max: mebi });
    for first in [0x82, 0x81, 0x01] {
        let row = Breach {
            parts: &[Header(first, &len)],
            heard: "",
            code: 1009,
            rule,
            at: At::Header(9),
        };
        check_breach(&Config::new(), &row);
    }
    let rule = Rule::Frame(FrameRule::FrameTooBig { len: u64::MAX >> 1, max: mebi });
    let parts = &[Header(0x82, &[127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])];
    check_breach(&Config::new(), &Breach { parts, heard: "", code: 1009, rule, at: At::Header(9) });
}

// F09: 6455-10.4-02
#[test]
fn fragments_over_the_message_limit_fail_at_the_header_that_crosses_it() {
    let config = Config::new().message_len_max(10);
    let rule = Rule::Frame(FrameRule::MessageTooBig { len: 11, max: 10 });
    let parts =
        &[Frame(0x02, b"123456"), Frame(0x89, b"!"), Frame(0x00, b"789"), Frame(0x80, b"ab")];
    let heard = "binary [123456, ping !, binary 789";
    check_breach(&config, &Breach { parts, heard, code: 1009, rule, at: At::Header(1) });
}

// F10: 6455-10.4-01
#[test]
fn endless_fragments_fail_at_the_first_byte_of_the_one_too_many() {
    let rule = Rule::Frame(FrameRule::TooManyFragments { max: 3 });
    let config = Config::new().fragments_max(3);
    let parts = &[Frame(0x01, b"a"), Frame(0x00, b""), Frame(0x00, b"b"), Frame(0x80, b"c")];
    check_breach(
        &config,
        &Breach { parts, heard: "text [ab", code: 1008, rule, at: At::Header(0) },
    );

    let rule = Rule::Frame(FrameRule::TooManyFragments { max: 1024 });
    let endless = [&[Frame(0x02, b"")][..], &[Frame(0x00, b""); 2000]].concat();
    let outcome = run(open::<Server>(&Config::new()), &[&Server::from_peer(&endless)]);
    assert_eq!(outcome.broken(), Some((rule, 1024 * 6)));
    assert_eq!(written::<Server>(&outcome.written), "close 1008");
}

// F14, F15: 6455-5.4-03, 6455-5.4-08, 6455-6.2-06
#[test]
fn frames_out_of_place_fail_at_the_first_byte() {
    let (stray, new) = (FrameRule::UnexpectedContinuation, FrameRule::UnfinishedMessage);
    let rows: &[(&[Part<'_>], &str, FrameRule)] = &[
        (&[Frame(0x80, b"x")], "", stray),
        (&[Frame(0x00, b"")], "", stray),
        (&[Frame(0x81, b"a"), Frame(0x80, b"b")], "text [a]", stray),
        (&[Frame(0x01, b"a"), Frame(0x80, b"b"), Frame(0x80, b"c")], "text [ab]", stray),
        (&[Frame(0x01, b"a"), Frame(0x81, b"b")], "text [a", new),
        (&[Frame(0x01, b"a"), Frame(0x89, b""), Frame(0x02, b"b")], "text [a, ping ", new),
        (&[Frame(0x02, b""), Frame(0x82, b"")], "binary [", new),
    ];
    for (parts, heard, rule) in rows {
        let rule = Rule::Frame(*rule);
        check_breach(&Config::new(), &Breach { parts, heard, code: 1002, rule, at: At::Header(0) });
    }
}

// F16, F20, F22: 6455-5.2-02, 6455-5.4-04, 6455-5.4-09, 6455-5.4-11, 6455-5.6-01,
// 6455-5.6-03, 6455-6.2-01, 6455-6.2-02
#[test]
fn odd_but_valid_streams_are_heard_in_order() {
    let rows: &[(&[Part<'_>], &str, &str)] = &[
        (&[Frame(0x81, b""), Frame(0x82, b"")], "text [], binary []", ""),
        (&[Frame(0x01, b""), Frame(0x00, b""), Frame(0x80, b"")], "text []", ""),
        (&[Frame(0x02, b""), Frame(0x00, b"x"), Frame(0x80, b"")], "binary [x]", ""),
        (
            &[
                Frame(0x01, b"a"),
                Frame(0x89, b"1"),
                Frame(0x8a, b"2"),
                Frame(0x00, b"b"),
                Frame(0x89, b""),
            ],
            "text [a, ping 1, pong 2, text b, ping ",
            "pong 1, pong ",
        ),
        (
            &[
                Frame(0x01, b"\xf0\x9f"),
                Frame(0x89, b"\x98"),
                Frame(0x00, b"\x98"),
                Frame(0x80, b"\x80!"),
            ],
            r"text [\xf0\x9f, ping \x98, text \x98\x80!]",
            r"pong \x98",
        ),
        (
            &[Frame(0x89, &[b'p'; 125])],
            &format!("ping {}", "p".repeat(125)),
            &format!("pong {}", "p".repeat(125)),
        ),
        (&[Frame(0x82, b"\xff\xfe\0")], r"binary [\xff\xfe\x00]", ""),
        // 6455-10.7-05: a Close, an end of lines and a Ping are content here.
        (
            &[Frame(0x82, b"\x88\0\r\n\r\n\x89\0"), Frame(0x81, b"\0\n"), Frame(0x82, b"")],
            r"binary [\x88\x00\r\n\r\n\x89\x00], text [\x00\n], binary []",
            "",
        ),
    ];
    for (parts, heard, answer) in rows {
        check_both(&Config::new(), parts, |outcome, role| {
            assert_eq!(outcome.heard(), *heard);
            assert_eq!((role.written)(&outcome.written), *answer);
            assert_eq!((outcome.state, outcome.step), (State::Open, TransportStep::Keep));
        });
    }
}

// F17: 6455-5.5.2-02, 6455-5.5.3-01
#[test]
fn each_ping_of_a_flood_is_answered_while_the_output_can_take_it() {
    fn flood<R: Endpoint>() {
        let payloads: Vec<_> = (0..1000_u16).map(u16::to_be_bytes).collect();
        let parts: Vec<_> = payloads.iter().map(|payload| Frame(0x89, payload)).collect();
        let outcome = run(open::<R>(&Config::new()), &[&R::from_peer(&parts)]);
        let answers: Vec<_> =
            payloads.iter().map(|payload| format!("pong {}", payload.escape_ascii())).collect();
        assert_eq!(written::<R>(&outcome.written), answers.join(", "));
    }
    flood::<Server>();
    flood::<TestClient>();
}

// F17: 6455-5.5.3-02
#[test]
fn pongs_coalesce_to_the_latest_while_nothing_is_taken() {
    fn flood<R: Endpoint>() {
        let mut connection = open::<R>(&Config::new());
        for payload in [&b"first"[..], b"second", b"third"] {
            let mut bytes = R::from_peer(&[Frame(0x89, payload)]);
            let received = connection.receive(&mut bytes).expect("a ping");
            assert!(matches!(received.event, Some(Event::Ping(heard)) if heard == payload));
        }
        let mut out = Vec::new();
        assert_eq!(connection.append_transmit(&mut out), Transmit::Idle);
        assert_eq!(written::<R>(&out), "pong third");
    }
    flood::<Server>();
    flood::<TestClient>();
}

// F17: 6455-10.4-01
#[test]
fn control_frames_over_the_budget_fail_at_the_first_byte_of_the_one_too_many() {
    let rule = Rule::ControlFlood { max: 3 };
    let config = Config::new().control_frames_max(3);
    let parts = &[Frame(0x89, b"1"), Frame(0x8a, b""), Frame(0x89, b"3"), Frame(0x89, b"4")];
    let heard = "ping 1, pong , ping 3";
    check_breach(&config, &Breach { parts, heard, code: 1008, rule, at: At::Header(0) });

    // Empty data frames are as little of a message as control frames are.
    let parts = &[
        Frame(0x89, b"1"),
        Frame(0x82, b""),
        Frame(0x89, b"2"),
        Frame(0x89, b"3"),
        Frame(0x89, b"4"),
    ];
    let heard = "ping 1, binary [], ping 2, ping 3";
    check_breach(&config, &Breach { parts, heard, code: 1008, rule, at: At::Header(0) });

    let flood = vec![Frame(0x89, b"x"); 1025];
    let outcome = run(open::<TestClient>(&Config::new()), &[&TestClient::from_peer(&flood)]);
    assert_eq!(outcome.broken(), Some((Rule::ControlFlood { max: 1024 }, 1024 * 3)));
    let answers = written::<TestClient>(&outcome.written);
    assert_eq!(answers.matches("pong x").count(), 1024);
    assert!(answers.ends_with("pong x, close 1008"));
}

// F18: 6455-5.5.3-03, 6455-5.5.3-04
#[test]
fn unsolicited_pongs_are_heard_and_not_answered() {
    let parts = &[Frame(0x8a, b""), Frame(0x01, b"a"), Frame(0x8a, &[0; 8]), Frame(0x80, b"b")];
    check_both(&Config::new(), parts, |outcome, _| {
        let zeros = r"\x00".repeat(8);
        assert_eq!(outcome.heard(), format!("pong , text [a, pong {zeros}, text b]"));
        assert_eq!((outcome.written, outcome.state), (vec![], State::Open));
    });
}

// F19, F21: 6455-8.1-01
#[test]
fn text_that_is_not_utf_8_fails_at_the_first_impossible_byte() {
    let rows: &[(&[Part<'_>], &str, At)] = &[
        (&[Frame(0x81, b"ok\xc0\xaf!")], "text [ok", At::Payload(2)),
        (&[Frame(0x81, b"\xed\xa0\x80")], r"text [\xed", At::Payload(1)),
        (&[Frame(0x81, b"\xf4\x90\x80\x80")], r"text [\xf4", At::Payload(1)),
        (&[Frame(0x81, b"\xf8\x88\x80\x80\x80")], "text [", At::Payload(0)),
        (&[Frame(0x81, b"\xfc\x84\x80\x80\x80\x80")], "text [", At::Payload(0)),
        (
            &[Frame(0x01, b"a"), Frame(0x89, b""), Frame(0x00, b"b\xff")],
            "text [a, ping , text b",
            At::Payload(1),
        ),
        (&[Frame(0x01, b"\xe2\x82"), Frame(0x00, b"\x28")], r"text [\xe2\x82", At::Payload(0)),
        (&[Frame(0x81, b"\xe2\x82")], r"text [\xe2", At::Payload(1)),
        (&[Frame(0x01, b"\xe2"), Frame(0x80, b"\x82")], r"text [\xe2", At::Payload(0)),
    ];
    for (parts, heard, at) in rows {
        let row = Breach { parts, heard, code: 1007, rule: Rule::TextNotUtf8, at: *at };
        check_breach(&Config::new(), &row);
    }
}

// F23, F26, F31: 6455-5.5.1-07, 6455-5.5.1-08, 6455-5.5.1-09, 6455-6.2-02,
// iana-close-codes-04
#[test]
fn a_close_is_answered_with_its_own_code() {
    let rows: &[(&[Part<'_>], &str, &str)] = &[
        (&[Frame(0x88, b"")], "close", "close"),
        (&[Frame(0x88, b"\x03\xe8bye")], "close 1000 bye", "close 1000"),
        (&[Frame(0x88, b"\x03\xf4")], "close 1012", "close 1012"),
        (&[Frame(0x88, b"\x03\xf6")], "close 1014", "close 1014"),
        (&[Frame(0x88, b"\x0b\xb8")], "close 3000", "close 3000"),
        (&[Frame(0x88, b"\x13\x87")], "close 4999", "close 4999"),
        (&[Frame(0x01, b"a"), Frame(0x88, b"\x03\xe8")], "text [a, close 1000", "close 1000"),
        (
            &[Frame(0x89, b"?"), Frame(0x88, b"\x03\xe9")],
            "ping ?, close 1001",
            "pong ?, close 1001",
        ),
    ];
    for (parts, heard, answer) in rows {
        check_both(&Config::new(), parts, |outcome, role| {
            assert_eq!(outcome.heard(), *heard);
            assert_eq!((role.written)(&outcome.written), *answer);
            assert_eq!(outcome.state, State::Closed);
        });
    }
}

// F24, F25, F27: 6455-5.5.1-02, 6455-7.4.1-07, 6455-7.4.1-08, 6455-8.1-01
#[test]
fn a_malformed_close_fails_at_its_first_impossible_byte() {
    let number = |number| Rule::CloseCode { number };
    let rows: &[(&[u8], u16, Rule, At)] = &[
        (b"\x03", 1002, Rule::Frame(FrameRule::CloseBodyOfOneByte), At::Header(1)),
        (b"\0\0", 1002, number(0), At::Payload(0)),
        (b"\x02\xff", 1002, number(0x0200), At::Payload(0)),
        (b"\x03\xe7", 1002, number(999), At::Payload(1)),
        (b"\x03\xec", 1002, number(1004), At::Payload(1)),
        (b"\x03\xee", 1002, number(1006), At::Payload(1)),
        (b"\x03\xf8why", 1002, number(1016), At::Payload(1)),
        (b"\x0b\xb7", 1002, number(2999), At::Payload(1)),
        (b"\x13\x88", 1002, number(5000), At::Payload(1)),
        (b"\xff\xff", 1002, number(0xff00), At::Payload(0)),
        (b"\x03\xe8ok\xff!", 1007, Rule::CloseReasonNotUtf8, At::Payload(4)),
        (b"\x03\xe8\xe2\x82", 1007, Rule::CloseReasonNotUtf8, At::Payload(3)),
    ];
    for (body, code, rule, at) in rows {
        let parts = &[Frame(0x88, body)];
        let row = Breach { parts, heard: "", code: *code, rule: *rule, at: *at };
        check_breach(&Config::new(), &row);
    }
}

// F28, F29: 6455-5.5.1-15, 6455-7.1.1-01, 6455-7.1.7-07
#[test]
fn whatever_comes_after_a_close_is_thrown_away() {
    let rows: &[&[Part<'_>]] = &[
        &[Frame(0x81, b"late"), Frame(0x89, b"late")],
        &[Frame(0x88, b"\x03\xe9second"), Frame(0x88, b"")],
        &[Frame(0xff, b"broken"), Part::Raw(&[0xff; 40])],
    ];
    for late in rows {
        let parts = [&[Frame(0x88, b"\x03\xe8")], *late].concat();
        check_both(&Config::new(), &parts, |outcome, role| {
            assert_eq!(outcome.heard(), "close 1000");
            assert_eq!((role.written)(&outcome.written), "close 1000");
            assert_eq!((outcome.state, outcome.failure), (State::Closed, None));
            assert_eq!(outcome.step, step_when_closed(role.is_server));
        });
    }
}

fn step_when_closed(is_server: bool) -> TransportStep {
    if is_server { TransportStep::HalfClose } else { TransportStep::AwaitPeer }
}

// F28: 6455-7.1.1-02
#[test]
fn a_peer_that_goes_on_sending_after_the_end_is_dropped_after_64_kib() {
    fn drain<R: Endpoint>(last: Part<'_>, patient: Transmit<'_>) {
        let (mut connection, mut out) = (open::<R>(&Config::new()), Vec::new());
        let failed = connection.receive(&mut R::from_peer(&[last])).is_err();
        assert_eq!(connection.append_transmit(&mut out), patient);
        let owed = out.len();
        for _ in 0..64 {
            assert_eq!(connection.receive(&mut [0x81; 1024]).is_err(), failed);
            assert_eq!(connection.append_transmit(&mut out), patient);
            assert_eq!(connection.closure(), None);
        }
        assert_eq!(connection.receive(b"\x81".to_vec().as_mut()).is_err(), failed);
        assert_eq!(connection.append_transmit(&mut out), Transmit::CloseNow);
        assert_eq!(out.len(), owed);
        assert_eq!(connection.closure().expect("it is over").is_clean(), !failed);
    }
    drain::<Server>(Frame(0x88, b""), Transmit::HalfClose);
    drain::<TestClient>(Frame(0x88, b""), Transmit::AwaitPeer);
    drain::<Server>(Frame(0xff, b""), Transmit::HalfClose);
    drain::<TestClient>(Frame(0xff, b""), Transmit::HalfClose);
}

// F29: 6455-5.5.1-11, 6455-5.5.1-15, 6455-7.1.2-02, 6455-7.1.5-01
#[test]
fn crossed_closes_complete_cleanly_and_neither_is_answered() {
    fn cross<R: Endpoint>() {
        let (mut connection, mut out) = (open::<R>(&Config::new()), [0; 64]);
        let len = connection.close(Some(CloseCode::GOING_AWAY), "bye", &mut out).expect("a close");
        assert_eq!(written::<R>(&out[..len]), "close 1001 bye");
        let mut embedder = Embedder::new(connection);
        let second = Frame(0x88, b"\x0f\xa1second");
        embedder.feed(&R::from_peer(&[Frame(0x88, b"\x0f\xa0mine"), second]));
        assert_eq!(embedder.heard(), "close 4000 mine");
        assert_eq!(embedder.flush(), step_when_closed(R::is_server()));
        assert_eq!(embedder.written, b"");
        let closure = embedder.engine.receive_end();
        assert!(closure.is_clean());
        assert_eq!(closure.code(), CloseCode::new(4000));
        assert_eq!(closure.sent(), Some(CloseCode::GOING_AWAY));
        assert_eq!(closure.cause(), Cause::ClosingHandshake);
    }
    cross::<Server>();
    cross::<TestClient>();
}

// F30: 6455-5.5.1-03, 6455-5.5.1-06, 6455-6.1-02, 6455-7.4.1-06
#[test]
fn closes_that_cannot_be_sent_are_refused_and_change_nothing() {
    fn refuse<R: Endpoint>() {
        let mut connection = open::<R>(&Config::new());
        let code = CloseCode::ABNORMAL;
        let long = "x".repeat(124);
        let rows: &[(Option<CloseCode>, &str, SendError)] = &[
            (Some(code), "", SendError::CloseCode { code }),
            (Some(CloseCode::NORMAL), &long, SendError::ReasonTooLong { len: 124 }),
            (None, "why", SendError::ReasonWithoutCode),
            (None, &long, SendError::ReasonWithoutCode),
        ];
        for (code, reason, error) in rows {
            let mut out = [7; 256];
            assert_eq!(connection.close(*code, reason, &mut out), Err(*error));
            assert_eq!((out, connection.state()), ([7; 256], State::Open));
        }
        let mut out = [7; 256];
        let longest = Connection::<R>::frame_len(2 + 123);
        let too_small = SendError::OutputTooSmall { need: longest };
        let reason = &long[1..];
        let normal = Some(CloseCode::NORMAL);
        assert_eq!(connection.close(normal, reason, &mut out[..longest - 1]), Err(too_small));
        assert_eq!((out, connection.state()), ([7; 256], State::Open));
        assert_eq!(connection.close(normal, reason, &mut out[..longest]), Ok(longest));
        assert_eq!(connection.state(), State::CloseSent);

        let mut out = [7; 16];
        assert_eq!(connection.close(None, "", &mut out), Err(SendError::Closed));
        assert_eq!(connection.send("late", &mut out), Err(SendError::Closed));
        assert_eq!(connection.ping(b"", &mut out), Err(SendError::Closed));
        assert_eq!((out, connection.state()), ([7; 16], State::CloseSent));
    }
    refuse::<Server>();
    refuse::<TestClient>();
}

// P1: an event borrows the buffer, and the engine is free meanwhile.
#[test]
fn replies_are_encoded_while_an_event_is_held() {
    let mut connection = open::<Server>(&Config::new());
    let mut bytes = Server::from_peer(&[Frame(0x89, b"?"), Frame(0x81, b"Hi")]);
    let ping = connection.receive(&mut bytes).expect("a ping");
    let data = connection.receive(ping.rest).expect("a message");
    let (Some(Event::Ping(payload)), Some(Event::Data(message))) = (ping.event, data.event) else {
        panic!("not what was sent")
    };
    let mut out = Vec::new();
    connection.append(Data::into_message(message).expect("a whole one"), &mut out).expect("room");
    assert_eq!(connection.append_transmit(&mut out), Transmit::Idle);
    assert_eq!((written::<Server>(&out), payload), ("text [Hi], pong ?".into(), &b"?"[..]));
}
