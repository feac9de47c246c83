//! The test vectors of `data/vectors.toml`, row by row.

#[path = "support/rows.rs"]
mod all_rows;
mod support;

use sansocket::frame::{self, Expect, FrameHeader, Leniency, MaskRule, Parsed, Rules};
use sansocket::utf8::Utf8;
use sansocket::{CloseCode, Config, Fin, Kind, Opcode, SendError, Server, State};
use support::{
    Endpoint, Outcome, Part, Piece, Seen, TestClient, check, check_both, open, run, written,
};
use toml::{Table, Value};

use all_rows::text;

/// The tables that this file answers for, and how many rows each has.
const TABLES: &[(&str, usize)] = &[
    ("frame", 6),
    ("frame_header", 17),
    ("bad_stream", 51),
    ("close_code", 16),
    ("close_code_range", 5),
    ("close_body", 41),
    ("utf8", 128),
];

/// Rows of `bad_stream` that need an extension.
const BAD_STREAMS_WITH_EXTENSION: usize = 5;

#[test]
fn every_row_is_read() {
    for (name, len) in TABLES {
        assert_eq!(rows(name).len(), *len, "{name}");
    }
    assert_eq!(bad_streams().count(), 51 - BAD_STREAMS_WITH_EXTENSION);
    let [mut valid, mut fails, mut truncated] = [0; 3];
    for row in rows("utf8") {
        match TextFault::of(&row) {
            None => valid += 1,
            Some(TextFault::At(_)) => fails += 1,
            Some(TextFault::Truncated) => truncated += 1,
        }
    }
    assert_eq!([valid, fails, truncated], [50, 62, 16]);
}

// 6455-5.2-01, 6455-5.2-07, 6455-5.3-05
#[test]
fn frames_of_section_5_7_encode_and_parse() {
    for row in rows("frame") {
        let (name, bytes, payload) = (text(&row, "name"), hex(&row, "bytes"), hex(&row, "payload"));
        let masked = flag(&row, "masked");
        let header = FrameHeader {
            fin: if flag(&row, "fin") { Fin::Last } else { Fin::More },
            reserved: 0,
            opcode: u8::try_from(number(&row, "opcode"))
                .ok()
                .and_then(Opcode::from_bits)
                .expect("an opcode"),
            key: masked.then(|| hex(&row, "masking_key").try_into().expect("four bytes")),
            payload_len: payload.len() as u64,
        };
        assert_eq!(number(&row, "rsv"), 0, "{name}");
        let mut out = vec![0; bytes.len()];
        assert_eq!(frame::encode(&header, &payload, &mut out), Some(bytes.len()), "{name}");
        assert_eq!(out, bytes, "{name}");
        let header_len = bytes.len() - payload.len();
        let rules = rules(masked, header.opcode);
        assert_eq!(FrameHeader::parse(&bytes, &rules), Ok(Parsed::Header { header, header_len }));
    }
}

// 6455-5.2-13, 6455-5.4-02, 6455-5.4-03, 6455-6.2-04, 6455-6.2-05, 6455-6.2-09
#[test]
fn frames_of_section_5_7_are_received() {
    let (masked, unmasked): (Vec<Table>, _) =
        rows("frame").into_iter().partition(|row| flag(row, "masked"));
    let stream =
        |rows: &[Table]| -> Vec<u8> { rows.iter().flat_map(|row| hex(row, "bytes")).collect() };

    let client = check::<TestClient>(&Config::new(), &stream(&unmasked));
    assert_eq!(client.heard(), "text [Hello], text [Hello], ping Hello");
    assert_eq!(written::<TestClient>(&client.written), "pong Hello");
    let server = check::<Server>(&Config::new(), &stream(&masked));
    assert_eq!(server.heard(), "text [Hello], pong Hello");
    assert_eq!(server.written, b"");
}

// 6455-5.2-08, 6455-5.2-10, 6455-5.2-11, 6455-5.2-12
#[test]
fn headers_have_the_shortest_form_and_are_parsed_from_any_prefix() {
    for row in rows("frame_header") {
        let payload_len = number(&row, "payload_len").unsigned_abs();
        for (masked, bytes) in [(false, hex(&row, "unmasked")), (true, hex(&row, "masked"))] {
            let key = masked.then_some([0x37, 0xfa, 0x21, 0x3d]);
            let header = FrameHeader {
                fin: Fin::Last,
                reserved: 0,
                opcode: Opcode::Binary,
                key,
                payload_len,
            };
            let (encoded, len) = header.encode();
            assert_eq!(encoded[..len], bytes);
            let rules = rules(masked, Opcode::Binary);
            let whole = Ok(Parsed::Header { header, header_len: len });
            assert_eq!(FrameHeader::parse(&bytes, &rules), whole);
            for end in 0..len {
                let Ok(Parsed::Incomplete { need }) = FrameHeader::parse(&bytes[..end], &rules)
                else {
                    panic!("{payload_len}: a header of {end} bytes")
                };
                assert!((end + 1..=len).contains(&need), "{need} of {len}");
            }
        }
    }
}

// 6455-7.1.7-05, 6455-7.1.7-07, 6455-10.7-01, 6455-10.7-03; F32
#[test]
fn bad_streams_fail_with_their_close_code_however_they_are_cut() {
    for row in bad_streams() {
        if row.contains_key("to_server") {
            bad_stream::<Server>(&row, "to_server");
        }
        if row.contains_key("to_client") {
            bad_stream::<TestClient>(&row, "to_client");
        }
    }
}

fn bad_stream<R: Endpoint>(row: &Table, to: &str) {
    let name = text(row, "name");
    // A valid message before, and one behind that nobody may see.
    let before = R::from_peer(&[Part::Frame(0x82, b"before"), Part::Frame(0x89, b"?")]);
    let after = R::from_peer(&[Part::Frame(0x82, b"after"), Part::Frame(0x89, b"!")]);
    let alone = check::<R>(&Config::new(), &hex(row, to));
    let outcome = check::<R>(&Config::new(), &[before, hex(row, to), after].concat());

    let code = alone.failure.expect(name).code();
    assert_eq!(i64::from(code.number()), number(row, "close"), "{name}");
    assert_eq!(outcome.failure.map(|failure| failure.code()), Some(code), "{name}");
    let heard: Vec<_> = ["binary [before], ping ?".to_owned(), alone.heard()]
        .into_iter()
        .filter(|heard| !heard.is_empty())
        .collect();
    assert_eq!(outcome.heard(), heard.join(", "), "{name}");
    assert_eq!(written::<R>(&outcome.written), format!("pong ?, close {code}"), "{name}");
    assert!(!alone.heard().ends_with(']') || alone.heard() == "text [Hello]", "{name}");
}

// 6455-7.4-02, 6455-7.4.1-01, 6455-7.4.1-06, 6455-7.4.1-07, 6455-7.4.1-08, 6455-7.4.1-12,
// 6455-7.4.1-13, 6455-7.4.1-15, 6455-7.4.2-01, 6455-7.4.2-02, 6455-7.4.2-03, 6455-7.4.2-04,
// 6455-11.7-01, iana-close-codes-04, iana-close-codes-05; F25, F26
#[test]
fn each_close_code_is_sent_and_received_by_those_who_may() {
    let mut seen = 0;
    for row in rows("close_code") {
        let code = number(&row, "code");
        let named = CloseCode::new(close_number(code));
        assert_eq!(named.name(), Some(text(&row, "name")));
        seen += close_code(code, &row);
    }
    for row in rows("close_code_range") {
        for code in number(&row, "first")..=number(&row, "last") {
            seen += close_code(code, &row);
        }
    }
    assert_eq!(seen, 1 << 16, "every number is in one row");
}

fn close_code(code: i64, row: &Table) -> u32 {
    let number = close_number(code);
    let valid = text(row, "receive") == "valid";
    let senders = text(row, "send");
    close_code_as::<Server>(number, valid, matches!(senders, "both" | "server"));
    close_code_as::<TestClient>(number, valid, matches!(senders, "both" | "client"));
    1
}

fn close_code_as<R: Endpoint>(number: u16, valid: bool, sent: bool) {
    let code = CloseCode::new(number);
    let stream = R::from_peer(&[Part::Frame(0x88, &number.to_be_bytes())]);
    let outcome = run(open::<R>(&Config::new()), &[&stream]);
    let answer = if valid { number } else { 1002 };
    assert_eq!(outcome.state, if valid { State::Closed } else { State::Failed }, "{number}");
    assert_eq!(outcome.heard(), if valid { format!("close {number}") } else { String::new() });
    assert_eq!(written::<R>(&outcome.written), format!("close {answer}"));

    let (mut connection, mut out) = (open::<R>(&Config::new()), [0; 16]);
    let result = connection.close(Some(code), "", &mut out);
    if sent {
        let len = result.expect("a code to be sent");
        assert_eq!(written::<R>(&out[..len]), format!("close {number}"));
    } else {
        assert_eq!(result, Err(SendError::CloseCode { code }));
        assert_eq!((connection.state(), out), (State::Open, [0; 16]));
    }
}

// 6455-5.5.1-02, 6455-5.5.1-03, 6455-5.5.1-08, 6455-7.1.5-02, 6455-7.1.6-01,
// 6455-7.1.6-02; F23, F24, F27
#[test]
fn close_bodies_are_judged_and_answered() {
    for row in rows("close_body") {
        let (name, body) = (text(&row, "name"), hex(&row, "body"));
        check_both(&Config::new(), &[Part::Frame(0x88, &body)], |outcome, role| {
            let written = (role.written)(&outcome.written);
            if !flag(&row, "valid") {
                assert_eq!(outcome.events, [], "{name}");
                assert_eq!(outcome.state, State::Failed, "{name}");
                let code = if name.starts_with("reason") && body.len() < 126 { 1007 } else { 1002 };
                assert_eq!(written, format!("close {code}"), "{name}");
                return;
            }
            let (code, reason) = (number(&row, "code"), text(&row, "reason"));
            let frame = (code != 1005).then(|| (close_number(code), reason.to_owned()));
            assert_eq!(
                written,
                frame.as_ref().map_or("close".into(), |(code, _)| format!("close {code}"))
            );
            assert_eq!(outcome.events, [Seen::Close(frame)], "{name}");
        });
    }
}

// 6455-5.6-02, 6455-6.2-09, 6455-8.1-01; F19, F21
#[test]
fn texts_fail_at_their_first_impossible_byte() {
    for row in rows("utf8") {
        let (name, bytes) = (text(&row, "name"), hex(&row, "bytes"));
        check_both(&Config::new(), &[Part::Frame(0x81, &bytes)], |outcome, role| {
            let valid_len = valid_len(&row, &bytes);
            let offset = (role.peer_header_len)(bytes.len()) + valid_len;
            judge_text(name, &outcome, &bytes, valid_len, offset as u64);
        });
    }
}

// 6455-5.6-01; F20
#[test]
fn texts_in_two_fragments_are_judged_as_one() {
    for row in rows("utf8") {
        let (name, bytes) = (text(&row, "name"), hex(&row, "bytes"));
        let cuts = 0..=bytes.len();
        cuts.for_each(|cut| {
            in_fragments::<Server>(name, &row, &bytes, cut);
            in_fragments::<TestClient>(name, &row, &bytes, cut);
        });
    }
}

fn in_fragments<R: Endpoint>(name: &str, row: &Table, bytes: &[u8], cut: usize) {
    let (first, last) = bytes.split_at(cut);
    let stream = R::from_peer(&[Part::Frame(0x01, first), Part::Frame(0x80, last)]);
    let outcome = run(open::<R>(&Config::new()), &[&stream]);
    let (first_header, last_header) = (R::peer_header_len(cut), R::peer_header_len(last.len()));
    let valid_len = valid_len(row, bytes);
    let (offset, delivered) = match TextFault::of(row) {
        // There is no last byte to go wrong with but the header's.
        Some(TextFault::Truncated) if last.is_empty() => {
            (first_header + cut + last_header - 1, bytes.len())
        }
        _ if valid_len < cut => (first_header + valid_len, valid_len),
        _ => (first_header + last_header + valid_len, valid_len),
    };
    judge_text(name, &outcome, bytes, delivered, offset as u64);
}

fn judge_text(name: &str, outcome: &Outcome, bytes: &[u8], delivered: usize, offset: u64) {
    let [Seen::Data(Piece { kind: Kind::Text, bytes: seen, starts: true, ends, .. })] =
        &outcome.events[..]
    else {
        panic!("{name}: {:?}", outcome.events)
    };
    assert_eq!(seen, &bytes[..delivered], "{name}");
    let valid = std::str::from_utf8(bytes).is_ok();
    assert_eq!(*ends, valid, "{name}");
    assert_eq!(
        outcome.broken(),
        (!valid).then_some((sansocket::Rule::TextNotUtf8, offset)),
        "{name}"
    );
    assert_eq!(
        outcome.failure.map(|failure| failure.code()),
        (!valid).then_some(CloseCode::INVALID_PAYLOAD)
    );
}

// 6455-5.6-02: senders send no other; 6455-5.5.1-03
#[test]
fn texts_that_are_not_utf_8_are_not_sent() {
    for row in rows("utf8") {
        let (name, bytes) = (text(&row, "name"), hex(&row, "bytes"));
        let expected = match TextFault::of(&row) {
            None => Ok(bytes.len() + 2),
            Some(TextFault::At(at)) => Err(SendError::TextNotUtf8 { at }),
            Some(TextFault::Truncated) => Err(SendError::TextNotUtf8 { at: bytes.len() }),
        };
        let mut server = open::<Server>(&Config::new());
        let sent = server.send_fragment(Kind::Text, Fin::Last, &bytes, &mut [0; 256]);
        assert_eq!(sent, expected, "{name}");
        assert_eq!(server.message_under_way(), None, "{name}");
    }
}

// The floor alone.
#[test]
fn the_check_of_utf_8_says_where_it_goes_wrong() {
    for row in rows("utf8") {
        let bytes = hex(&row, "bytes");
        let mut check = Utf8::default();
        let result = check.push(&bytes);
        match TextFault::of(&row) {
            Some(TextFault::At(at)) => assert_eq!(result, Err(at)),
            fault => assert_eq!((result, check.is_complete()), (Ok(()), fault.is_none())),
        }
    }
}

/// What is wrong with a row of `utf8`.
enum TextFault {
    At(usize),
    Truncated,
}

impl TextFault {
    fn of(row: &Table) -> Option<Self> {
        let fault = match row.get("fail_at").and_then(Value::as_integer) {
            Some(at) => Some(Self::At(usize::try_from(at).expect("an index"))),
            None => row.contains_key("truncated").then_some(Self::Truncated),
        };
        assert_eq!(flag(row, "valid"), fault.is_none());
        fault
    }
}

/// How many bytes of a row of `utf8` are delivered if they are one frame.
fn valid_len(row: &Table, bytes: &[u8]) -> usize {
    match TextFault::of(row) {
        None => bytes.len(),
        Some(TextFault::At(at)) => at,
        Some(TextFault::Truncated) => bytes.len() - 1,
    }
}

fn rules(masked: bool, opcode: Opcode) -> Rules {
    Rules {
        mask: if masked { MaskRule::Masked } else { MaskRule::Unmasked },
        expect: if opcode == Opcode::Continuation { Expect::Continuation } else { Expect::Message },
        reserved: 0,
        payload_len_max: u64::MAX,
        compressed: false,
        message_len: 0,
        message_len_max: u64::MAX,
        fragments: 0,
        fragments_max: 1,
        leniency: Leniency::NONE,
    }
}

fn bad_streams() -> impl Iterator<Item = Table> {
    rows("bad_stream").into_iter().filter(|row| !row.contains_key("extension"))
}

/// The rows of a table that this file answers for.
fn rows(name: &str) -> Vec<Table> {
    let (_, count) = TABLES.iter().find(|(table, _)| *table == name).expect("one of ours");
    all_rows::rows(name, *count)
}

fn flag(row: &Table, field: &str) -> bool {
    row[field].as_bool().expect("a boolean")
}

fn number(row: &Table, field: &str) -> i64 {
    row[field].as_integer().expect("a number")
}

fn close_number(code: i64) -> u16 {
    u16::try_from(code).expect("a close code")
}

fn hex(row: &Table, field: &str) -> Vec<u8> {
    let digits: Vec<_> =
        text(row, field).chars().map(|digit| digit.to_digit(16).expect("hex")).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("a byte")).collect()
}
