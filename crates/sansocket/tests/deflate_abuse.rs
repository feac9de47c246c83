//! What a peer that compresses may send, and what it may not (RFC 7692): each stream
//! is received in every way there is, and fails alike in all of them.

#![cfg(feature = "deflate")]

#[path = "support/rows.rs"]
mod rows;
mod support;

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use rows::{rows, text};
use sansocket::deflate::{Deflate, DeflateConfig, InflateRule};
use sansocket::frame::FrameRule;
use sansocket::{
    Assembler, AssemblyError, CloseCode, Config, Connection, Data, Delivery, Event, Failure, Inbox,
    InboxError, KeepAlive, Kind, Message, Ready, Rule, SendError, Server, State, Tick, Transmit,
    TransportStep, Wake,
};
use support::compressed::{
    DROP, Drop, KEEP, Keep, Source, Spoiled, Squeezer, Terms, Unit, check_deflate, check_engines,
    check_heard, check_spoiled, compressed, open_deflate, open_refused,
};
use support::deflate::{Bfinal, BitWriter, End, Symbol, decode, ends_message};
use support::{
    Endpoint, Halves, Part, TestClient, check, frames, in_both_roles, messages, open, run,
    run_inflating, written,
};

use Bfinal::{Clear, Set};
use Part::{Frame, Header};
use Symbol::{Again, Byte};

/// "Hello" (RFC 7692 section 7.2.3.1).
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

/// "Hello" by a reference to the message before (section 7.2.3.2).
const HELLO_AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";

/// The smallest window of all.
const SMALL: Terms = Terms::both(8, Keep);

fn bytes(bytes: &[u8]) -> Vec<Symbol> {
    bytes.iter().copied().map(Byte).collect()
}

/// A payload with these bytes, each as a symbol.
fn literal(plain: &[u8]) -> Vec<u8> {
    BitWriter::new().fixed(Clear, &bytes(plain)).message_end().finish()
}

/// Bytes without any pattern.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// A message in frames of these payloads: the first byte of the first, less FIN.
fn fragments<'p>(first: u8, payloads: &[&'p [u8]]) -> Vec<Part<'p>> {
    let last = payloads.len() - 1;
    let part = |(at, payload): (usize, &&'p [u8])| {
        let fin = if at == last { 0x80 } else { 0 };
        Frame(fin | if at == 0 { first } else { 0 }, payload)
    };
    payloads.iter().enumerate().map(part).collect()
}

/// Codes for bytes and lengths, and for distances, without what is rare.
fn own_code() -> (Vec<usize>, Vec<usize>) {
    // 256 / 512 + 30 / 64 + 2 / 64 is one.
    let lengths = [vec![9; 256], vec![6; 30]].concat().into_iter().enumerate();
    let lengths = lengths.map(|(at, len)| if at == 256 || at == 257 { len - 1 } else { len });
    // 28 / 32 + 2 / 16 is one.
    (lengths.collect(), [vec![5; 28], vec![4; 2]].concat())
}

// ---- what is allowed

fn hex(digits: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
    (0..digits.len()).step_by(2).map(pair).collect()
}

// 7692-6-03, 7692-6.2-01, 7692-7.2.1-05, 7692-7.2.1-06, 7692-7.2.2-01, 7692-7.2.2-02
#[test]
fn the_examples_are_heard() {
    for row in rows("deflate", 10) {
        let messages = row["messages"].as_array().expect("messages");
        let field = |message: &toml::Value, key: &str| {
            hex(message[key].as_str().expect("hexadecimal digits"))
        };
        let payloads: Vec<_> = messages.iter().map(|message| field(message, "payload")).collect();
        let plain = messages.iter().map(|message| field(message, "plain"));
        let heard: Vec<_> = plain.map(|plain| format!("text [{}]", plain.escape_ascii())).collect();
        let heard = heard.join(", ");
        let takeover = row["takeover"].as_bool().expect("a flag");
        let terms = if takeover { [KEEP, SMALL] } else { [DROP, Terms::both(8, Drop)] };
        for terms in terms {
            let parts: Vec<_> = payloads.iter().map(|payload| Frame(0xc1, payload)).collect();
            check_heard(terms, &Config::new(), &parts, (&heard, ""));
            let frames = row.get("frames").and_then(|frames| frames.as_array());
            for frame in frames.into_iter().take(1) {
                let frames = frame.iter().map(|frame| hex(frame.as_str().expect("digits")));
                let stream: Vec<u8> = frames.flatten().collect();
                let outcome = check_deflate::<TestClient>(terms, &Config::new(), &stream);
                assert_eq!((outcome.heard(), outcome.failure), (heard.clone(), None), "{row}");
            }
        }
    }
}

// 7692-7.2.1-08: wherever the frames are cut
#[test]
fn fragments_are_cut_without_regard_to_blocks() {
    let payload = [HELLO, b"\x00\x00\xff\xff", HELLO_AGAIN].concat();
    let heard = ("binary [HelloHello]", "");
    for first in 0..=payload.len() {
        let pieces = [&payload[..first], &payload[first..]];
        check_heard(KEEP, &Config::new(), &fragments(0x42, &pieces), heard);
    }
    let pieces: Vec<_> = payload.chunks(1).collect();
    check_heard(SMALL, &Config::new(), &fragments(0x42, &pieces), heard);
}

// D07: 7692-7.2.1-06, 7692-7.2.1-07, 7692-7.2.3.4-01
#[test]
fn what_follows_a_final_block_goes_on() {
    let (lengths, distances) = own_code();
    let first = b"a text, a text";
    let openings = [
        BitWriter::new().stored(Set, first),
        BitWriter::new().fixed(Set, &bytes(first)).pad(false),
        BitWriter::new().dynamic(Set, &lengths, &distances, &bytes(first)).pad(false),
        BitWriter::new().fixed(Set, &[]).pad(false).stored(Clear, first).fixed(Set, &[]).pad(false),
    ];
    let again = [Again(14, 14), Byte(b'!')];
    for opening in openings {
        for terms in [KEEP, SMALL] {
            let whole = opening.clone().fixed(Clear, &again).message_end().finish();
            let heard = "binary [a text, a texta text, a text!]";
            check_heard(terms, &Config::new(), &[Frame(0xc2, &whole)], (heard, ""));

            let [one, two, three] = [
                opening.clone().message_end().finish(),
                BitWriter::new().fixed(Set, &again).pad(false).message_end().finish(),
                BitWriter::new().fixed(Clear, &[Again(3, 15)]).message_end().finish(),
            ];
            let parts = [Frame(0xc2, &one), Frame(0xc2, &two), Frame(0xc2, &three)];
            let heard = "binary [a text, a text], binary [a text, a text!], binary [a t]";
            check_heard(terms, &Config::new(), &parts, (heard, ""));
        }
    }
}

// D08: 7692-7.2.1-04, 7692-7.2.1-05, 7692-7.2.1-09
#[test]
fn a_message_has_any_number_of_blocks() {
    let (lengths, distances) = own_code();
    let payload = BitWriter::new()
        .sync_flush()
        .fixed(Clear, &bytes(b"Hel"))
        .sync_flush()
        .stored(Clear, b"lo")
        .dynamic(Clear, &lengths, &distances, &[Byte(b' '), Again(5, 6)])
        .sync_flush()
        .sync_flush()
        .fixed(Clear, &[])
        .message_end()
        .finish();
    let parts = [Frame(0xc1, &payload), Frame(0xc1, HELLO)];
    for terms in [KEEP, DROP, SMALL] {
        check_heard(terms, &Config::new(), &parts, ("text [Hello Hello], text [Hello]", ""));
    }
}

// D09: 7692-7.2.3.6-01
#[test]
fn an_empty_message_has_two_forms() {
    let empty: &[u8] = b"";
    let forms: [&[&[u8]]; 8] = [
        &[b"\x00"],
        &[empty],
        &[empty, b"\x00"],
        &[b"\x00", empty],
        &[empty, empty],
        &[empty, empty, empty],
        &[b"\x00\x00\x00\xff\xff", b"\x00"],
        &[b"\x03\x00\x00"],
    ];
    for terms in [KEEP, DROP, SMALL] {
        for (first, kind) in [(0x41, "text"), (0x42, "binary")] {
            for form in forms {
                let parts = fragments(first, form);
                check_heard(terms, &Config::new(), &parts, (&format!("{kind} []"), ""));
            }
        }
    }
    // An empty message in its shorter form is outside the context.
    let parts =
        [Frame(0xc1, HELLO), Frame(0xc2, b""), Frame(0xc1, b"\0"), Frame(0xc1, HELLO_AGAIN)];
    let heard = "text [Hello], binary [], text [], text [Hello]";
    check_heard(KEEP, &Config::new(), &parts, (heard, ""));
}

// D10: 7692-6.1-05, 7692-6.2-01, 6455-5.4-04
#[test]
fn control_frames_come_between_compressed_fragments() {
    // The first piece has the code of "H" and half of the next.
    let parts = [
        Frame(0x41, &HELLO[..2]),
        Frame(0x89, b"\xf2"),
        Frame(0x00, b""),
        Frame(0x8a, b""),
        Frame(0x00, &HELLO[2..4]),
        Frame(0x89, HELLO),
        Frame(0x80, &HELLO[4..]),
        Frame(0xc1, HELLO_AGAIN),
    ];
    let ping = HELLO.escape_ascii().to_string();
    let heard = format!(r"text [H, ping \xf2, pong , text el, ping {ping}, text lo], text [Hello]");
    check_heard(KEEP, &Config::new(), &parts, (&heard, &format!(r"pong \xf2, pong {ping}")));

    let parts = [Frame(0x41, &HELLO[..4]), Frame(0x88, b"\x03\xe8"), Frame(0x80, &HELLO[4..])];
    check_heard(KEEP, &Config::new(), &parts, ("text [Hel, close 1000", "close 1000"));
}

// D11: 7692-6-02, 7692-6-04, 7692-6.2-02, 7692-7.2.3.2-01
#[test]
fn uncompressed_messages_leave_the_window_alone() {
    let parts = [
        Frame(0x81, b"plain"),
        Frame(0xc1, HELLO),
        Frame(0x82, HELLO),
        Frame(0x01, b"Hel"),
        Frame(0x89, b""),
        Frame(0x80, b"lo"),
        Frame(0x81, b""),
        Frame(0xc1, HELLO_AGAIN),
    ];
    let payload = HELLO.escape_ascii();
    let heard = format!(
        "text [plain], text [Hello], binary [{payload}], text [Hel, ping , text lo], text [], \
         text [Hello]"
    );
    check_heard(KEEP, &Config::new(), &parts, (&heard, "pong "));
}

// 7692-7-02, 7692-7.1.1.1-03, 7692-7.1.1.2-06, 7692-7.1.2.1-04, 7692-7.1.2.2-09,
// 7692-7.2.2-03, 7692-7.2.2-04, 7692-7.2.2-05, 7692-7.2.2-06, 7692-7.2.2-08,
// 7692-7.2.2-09, 7692-7.2.2-10, 7692-7.2.2-11; D06
#[test]
fn a_context_is_as_it_was_agreed_in_each_direction() {
    fn refer_back<R: Endpoint>() {
        for bits in 8..=15 {
            let window = 1 << bits;
            let stored = noise(window);
            let fill = BitWriter::new();
            let fill =
                stored.chunks(20_000).fold(fill, |writer, piece| writer.stored(Clear, piece));
            let fill = fill.message_end().finish();
            let back = BitWriter::new().fixed(Clear, &[Again(8, window)]).message_end().finish();
            let stream = R::from_peer(&[Frame(0xc2, &fill), Frame(0xc2, &back)]);
            let first = (Kind::Binary, stored.clone());

            // Ours is another matter.
            for ours in [(9, Drop), (15, Keep)] {
                let kept = Terms { ours, theirs: (bits, Keep) };
                let outcome = run(open_deflate::<R>(kept, &Config::new()), &[&stream]);
                let second = (Kind::Binary, stored[..8].to_vec());
                assert!(messages(&outcome.events) == [first.clone(), second], "{bits}");
                // D06
                let dropped = Terms { ours, theirs: (bits, Drop) };
                let outcome = run(open_deflate::<R>(dropped, &Config::new()), &[&stream]);
                assert!(messages(&outcome.events) == [first.clone()], "{bits}");
                assert_eq!(outcome.broken(), Some((Rule::Inflate(InflateRule::Corrupt), 0)));
            }
        }
    }
    in_both_roles([refer_back::<Server>, refer_back::<TestClient>]);
}

// 7692-6.1-06
#[test]
fn compressed_bytes_need_not_be_text() {
    let text = "grüße 😀, straße";
    let parts = [Frame(0xc1, &literal(text.as_bytes())), Frame(0x81, text.as_bytes())];
    let heard = text.as_bytes().escape_ascii();
    check_heard(KEEP, &Config::new(), &parts, (&format!("text [{heard}], text [{heard}]"), ""));
    // Cut inside characters, in frames and in blocks.
    let payload = text
        .bytes()
        .fold(BitWriter::new(), |writer, byte| writer.fixed(Clear, &[Byte(byte)]).sync_flush());
    let payload = payload.message_end().finish();
    let pieces: Vec<_> = payload.chunks(3).collect();
    let parts = fragments(0x41, &pieces);
    check_heard(SMALL, &Config::new(), &parts, (&format!("text [{heard}]"), ""));
}

// ---- what is not

/// Checks messages of which the last is corrupt from its first byte on.
fn check_corrupt(terms: Terms, parts: &[Part<'_>], heard: &str, offset: u64) {
    let rule = InflateRule::Corrupt;
    check_spoiled(&Config::new(), &Spoiled { terms, parts, heard, rule, code: 1007, offset });
}

// 7692-7.2.2-02, 7692-7.3-01
#[test]
fn the_bad_examples_fail() {
    for row in rows("bad_deflate", 2) {
        let payload = hex(text(&row, "payload"));
        // What comes before the reference to nothing is heard.
        let plain = decode(&payload, b"", 32_768).bytes;
        let heard = if plain.is_empty() { "" } else { "text [H" };
        for terms in [KEEP, DROP, SMALL] {
            check_corrupt(terms, &[Frame(0xc1, &payload)], heard, plain.len() as u64);
        }
    }
}

// D03: 7692-7.2.2-01
#[test]
fn data_that_stops_in_a_block_fails_at_the_end_of_the_message() {
    let (lengths, distances) = own_code();
    let payloads = [
        HELLO.to_vec(),
        BitWriter::new().stored(Clear, b"Hello").message_end().finish(),
        BitWriter::new().stored(Set, b"Hello").message_end().finish(),
        BitWriter::new()
            .dynamic(Clear, &lengths, &distances, &[Byte(b'H'), Again(4, 1)])
            .message_end()
            .finish(),
    ];
    for payload in &payloads {
        let cuts = (1..payload.len()).filter(|len| *len < 20 || len + 20 > payload.len());
        for len in cuts {
            let payload = &payload[..len];
            if ends_message(payload, b"", 32_768) {
                continue;
            }
            let plain = decode(payload, b"", 32_768).bytes;
            let heard = match plain.escape_ascii().to_string() {
                plain if plain.is_empty() => String::new(),
                plain => format!("text [{plain}"),
            };
            for terms in [KEEP, SMALL] {
                check_corrupt(terms, &[Frame(0xc1, payload)], &heard, plain.len() as u64);
            }
            let (start, end) = payload.split_at(len / 2);
            let parts = fragments(0x41, &[start, end, b""]);
            check_corrupt(KEEP, &parts, &heard, plain.len() as u64);
        }
    }
    // A flush that was not cut off leaves nothing for the tail to end.
    let flushed = [HELLO, b"\x00\x00\xff\xff"].concat();
    check_corrupt(KEEP, &[Frame(0xc1, &flushed)], "text [Hello", 5);
}

// D04: 7692-7.2.2-02
#[test]
fn data_that_is_no_deflate_fails() {
    let (lengths, distances) = own_code();
    let with = |at: usize, len: usize| {
        let mut lengths = lengths.clone();
        lengths[at] = len;
        lengths
    };
    let hello = || BitWriter::new().fixed(Clear, &bytes(b"Hello"));
    let rows = [
        ("no such type", hello().header(Clear, 3)),
        ("lengths of a stored block", hello().stored_as(Clear, b"abc", 3, !4)),
        ("not inverted", hello().stored_as(Clear, b"", 0, 0)),
        ("length code 286", hello().header(Clear, 1).code(0xc6, 8)),
        ("distance code 30", hello().header(Clear, 1).code(1, 7).code(30, 5)),
        ("too many lengths", hello().header(Clear, 2).number(30, 5).number(0, 5).number(15, 4)),
        ("too many short codes", hello().dynamic_header(Clear, &with(0, 1), &distances)),
        ("no end of block", hello().dynamic_header(Clear, &with(256, 0), &distances)),
        ("repeats nothing", {
            let codes = hello().header(Clear, 2).number(0, 14).number(0o1001, 12);
            codes.code(1, 1).number(0, 2)
        }),
        ("too few code lengths", {
            hello().header(Clear, 2).number(0, 5).number(0, 5).number(0, 4).number(0o7777, 12)
        }),
    ];
    for (name, writer) in rows {
        let payload = writer.pad(true).bytes(&[0x5a; 8]).message_end().finish();
        let decoded = decode(&payload, b"", 32_768);
        assert_eq!((decoded.end, &decoded.bytes[..]), (End::Corrupt, &b"Hello"[..]), "{name}");
        for terms in [KEEP, SMALL] {
            check_corrupt(terms, &[Frame(0xc1, &payload)], "text [Hello", 5);
        }
        let pieces: Vec<_> = payload.chunks(5).collect();
        check_corrupt(DROP, &fragments(0x41, &pieces), "text [Hello", 5);
    }
}

// D05: 7692-7.2.1-16, 7692-7.2.1-18
#[test]
fn a_distance_beyond_the_window_fails() {
    for bits in [8, 9] {
        let window = 1 << bits;
        let stored = noise(window + 1);
        let refer = |distance| {
            let again = [Byte(b'x'), Again(3, distance)];
            BitWriter::new().stored(Clear, &stored).fixed(Clear, &again).message_end().finish()
        };
        for context in [Keep, Drop] {
            let terms = Terms::both(bits, context);
            let plain = stored.escape_ascii();
            let last = stored[2..][..3].escape_ascii();
            let parts = [Frame(0x82, b""), Frame(0xc2, &refer(window))];
            let heard = format!("binary [], binary [{plain}x{last}]");
            check_heard(terms, &Config::new(), &parts, (&heard, ""));
            let heard = format!("binary [{plain}x");
            let payload = refer(window + 1);
            check_corrupt(terms, &[Frame(0xc2, &payload)], &heard, window as u64 + 2);
        }
    }
}

// D06: 7692-7.1.1.1-01, 7692-7.2.2-03, 7692-7.2.2-05
#[test]
fn a_reference_to_a_message_that_was_to_be_forgotten_fails() {
    for bits in [8, 12, 15] {
        let terms = Terms::both(bits, Drop);
        let parts = [Frame(0xc1, HELLO), Frame(0xc1, HELLO_AGAIN)];
        check_corrupt(terms, &parts, "text [Hello], text [H", 1);
        let again = BitWriter::new().fixed(Clear, &[Byte(b'x'), Again(3, 2)]);
        let again = again.message_end().finish();
        let parts = [Frame(0xc1, HELLO), Frame(0x81, b"plain"), Frame(0xc2, &again)];
        check_corrupt(terms, &parts, "text [Hello], text [plain], binary [x", 1);
        // D07: nor is a final block a way to it.
        let ended = BitWriter::new().fixed(Set, &bytes(b"Hello")).pad(false).message_end().finish();
        let parts = [Frame(0xc1, &ended), Frame(0xc1, HELLO_AGAIN)];
        check_corrupt(terms, &parts, "text [Hello], text [H", 1);
    }
    // With the context kept, only what was never sent is out of reach.
    let again = BitWriter::new().fixed(Clear, &[Again(5, 6)]).message_end().finish();
    check_corrupt(KEEP, &[Frame(0xc1, HELLO), Frame(0xc1, &again)], "text [Hello]", 0);
}

// D10: 7692-6.1-04, 6455-5.2-04
#[test]
fn reserved_bits_elsewhere_fail_at_the_first_byte() {
    fn refuse<R: Endpoint>() {
        let hello = Frame(0x41, HELLO);
        let rows: &[(Option<Terms>, &[Part<'_>], &str, u8)] = &[
            (Some(KEEP), &[hello, Frame(0xc0, b"\0")], "text [Hello", 0x40),
            (Some(KEEP), &[hello, Frame(0x40, b"")], "text [Hello", 0x40),
            (Some(KEEP), &[Frame(0x01, b"a"), Frame(0xc0, b"b")], "text [a", 0x40),
            (Some(KEEP), &[Frame(0xc9, b"")], "", 0x40),
            (Some(KEEP), &[Frame(0xca, b"")], "", 0x40),
            (Some(KEEP), &[Frame(0xc8, b"\x03\xe8")], "", 0x40),
            (Some(KEEP), &[hello, Frame(0xc9, b"")], "text [Hello", 0x40),
            (Some(KEEP), &[Frame(0xa1, HELLO)], "", 0x20),
            (Some(KEEP), &[Frame(0x92, HELLO)], "", 0x10),
            (Some(KEEP), &[Frame(0xe1, HELLO)], "", 0x60),
            (Some(KEEP), &[Frame(0xf2, HELLO)], "", 0x70),
            // 7692-5-18, 7692-5-19
            (None, &[Frame(0x81, b"plain"), Frame(0xc1, HELLO)], "text [plain]", 0x40),
        ];
        for (terms, parts, heard, bits) in rows {
            let open = || match terms {
                Some(terms) => open_deflate::<R>(*terms, &Config::new()),
                None => open_refused::<R>(&Config::new()),
            };
            let outcome = check_engines(open, &R::from_peer(parts));
            assert_eq!(outcome.heard(), *heard, "{parts:02x?}");
            let offset = R::from_peer(&parts[..parts.len() - 1]).len();
            let rule = Rule::Frame(FrameRule::ReservedBits { bits: *bits });
            assert_eq!(outcome.broken(), Some((rule, offset as u64)), "{parts:02x?}");
            assert_eq!(written::<R>(&outcome.written), "close 1002");
        }
        let outcome = check::<R>(&Config::new(), &R::from_peer(&[Frame(0xc1, HELLO)]));
        let rule = Rule::Frame(FrameRule::ReservedBits { bits: 0x40 });
        assert_eq!(outcome.broken(), Some((rule, 0)));
    }
    in_both_roles([refuse::<Server>, refuse::<TestClient>]);
}

/// Rows of text in one frame, the part of it that is heard, and its length.
const NO_TEXT: &[(&[u8], &str, u64)] = &[
    (b"ok\xc0\xaf!", "text [ok", 2),
    (b"\xed\xa0\x80", r"text [\xed", 1),
    (b"\xf4\x90\x80\x80", r"text [\xf4", 1),
    (b"\xf8\x88\x80", "", 0),
    (b"\xff", "", 0),
    (b"12345678901234567890\x80", "text [12345678901234567890", 20),
    (b"\xe2\x82\x28", r"text [\xe2\x82", 2),
];

// D17: 6455-8.1-01, 7692-6.1-06
#[test]
fn text_that_is_not_utf_8_fails_at_the_first_impossible_byte_inflated() {
    let rule = InflateRule::TextNotUtf8;
    for (plain, heard, offset) in NO_TEXT {
        let row = |terms, parts: &[Part<'_>], heard: &str| {
            let row = Spoiled { terms, parts, heard, rule, code: 1007, offset: *offset };
            check_spoiled(&Config::new(), &row);
        };
        let payload = literal(plain);
        for terms in [KEEP, DROP, SMALL] {
            row(terms, &[Frame(0xc1, &payload)], heard);
        }
        // The same as a reference to what was binary.
        let refer = [Again(plain.len().max(3), plain.len().max(3))];
        let binary = [plain, &b"  "[..]].concat();
        let binary = literal(&binary[..plain.len().max(3)]);
        let refer = BitWriter::new().fixed(Clear, &refer).message_end().finish();
        let outcome = run(
            open_deflate::<TestClient>(KEEP, &Config::new()),
            &[&TestClient::from_peer(&[Frame(0xc2, &binary), Frame(0xc1, &refer)])],
        );
        assert_eq!(outcome.broken(), Some((Rule::Inflate(rule), *offset)));
        // In frames of a byte.
        let pieces: Vec<_> = payload.chunks(1).collect();
        row(KEEP, &fragments(0x41, &pieces), heard);
    }
}

// D17: 6455-8.1-01
#[test]
fn text_that_ends_inside_a_character_fails_behind_its_last_byte() {
    let rule = InflateRule::TextNotUtf8;
    for plain in [&b"a\xe2\x82"[..], b"\xf0\x9f\x98", b"a\xc3"] {
        // Unlike that of a message that is not compressed, its last byte may be known
        // before the end of the message is, and heard.
        let (heard, offset) = (format!("text [{}", plain.escape_ascii()), plain.len() as u64);
        let payload = literal(plain);
        let frames: [&[&[u8]]; 3] = [
            &[&payload],
            &[&payload, b""],
            &[&payload[..payload.len() - 1], &payload[payload.len() - 1..]],
        ];
        for terms in [KEEP, SMALL] {
            for payloads in frames {
                let parts = &fragments(0x41, payloads);
                let row = Spoiled { terms, parts, heard: &heard, rule, code: 1007, offset };
                check_spoiled(&Config::new(), &row);
            }
        }
    }
}

// ---- how much

/// A payload that becomes `len` zeros by way of `again` references, whose own length
/// does not depend on `len`.
fn zeros(len: usize, again: usize) -> Vec<u8> {
    let (each, more) = ((len - 1) / again, (len - 1) % again);
    // These lengths have codes of the same number of bits.
    assert!((227..257).contains(&each), "{len} of {again}");
    let lens = (0..again).map(|at| each + usize::from(at < more));
    let symbols: Vec<_> = [Byte(0)].into_iter().chain(lens.map(|len| Again(len, 1))).collect();
    BitWriter::new().fixed(Clear, &symbols).message_end().finish()
}

fn zeros_heard(len: usize) -> String {
    r"\x00".repeat(len)
}

// D01: 6455-10.4-01, 6455-10.4-02
#[test]
fn a_message_may_become_as_long_as_the_limit_and_no_longer() {
    let config = Config::new().message_len_max(1000);
    let (rule, code, offset) = (InflateRule::TooBig { max: 1000 }, 1009, 1000);
    let [at_limit, over] = [1000, 1001].map(|len| zeros(len, 4));
    for terms in [KEEP, DROP, SMALL, Terms::both(9, Drop)] {
        let zeros = zeros_heard(1000);
        // Each message has the limit for itself.
        let parts = [Frame(0xc2, &at_limit), Frame(0x82, b"x"), Frame(0xc1, &at_limit)];
        let heard = format!("binary [{zeros}], binary [x], text [{zeros}]");
        check_heard(terms, &config, &parts, (&heard, ""));
        let parts = [Frame(0xc2, &at_limit), Frame(0xc1, &over)];
        let heard = format!("binary [{zeros}], text [{zeros}");
        check_spoiled(
            &config,
            &Spoiled { terms, parts: &parts, heard: &heard, rule, code, offset },
        );
        // Nothing more may be in any number of blocks.
        let flushes = [&at_limit[..], b"\0\0\xff\xff\0\0\0\xff\xff\x03\0\0"].concat();
        let heard = format!("binary [{zeros}]");
        check_heard(terms, &config, &[Frame(0xc2, &flushes)], (&heard, ""));
        // In many frames.
        let (at_limit, over): (Vec<_>, Vec<_>) =
            (at_limit.chunks(2).collect(), over.chunks(2).collect());
        let heard = format!("binary [{zeros}]");
        check_heard(terms, &config, &fragments(0x42, &at_limit), (&heard, ""));
        let (parts, heard) = (&fragments(0x42, &over), format!("binary [{zeros}"));
        check_spoiled(&config, &Spoiled { terms, parts, heard: &heard, rule, code, offset });
    }
}

// D01
#[test]
fn with_a_limit_of_nothing_only_nothing_passes() {
    let config = Config::new().message_len_max(0);
    let parts = [Frame(0xc2, b"\0"), Frame(0xc1, b""), Frame(0x82, b"")];
    check_heard(KEEP, &config, &parts, ("binary [], text [], binary []", ""));
    let (rule, code, offset) = (InflateRule::TooBig { max: 0 }, 1009, 0);
    let parts = &[Frame(0xc2, &literal(b"x"))];
    check_spoiled(&config, &Spoiled { terms: KEEP, parts, heard: "", rule, code, offset });
}

// D01: a corrupt message is found out at the byte that is, if the limit does not come
// before
#[test]
fn what_comes_first_is_what_fails() {
    let config = Config::new().message_len_max(5);
    let hello = || BitWriter::new().fixed(Clear, &bytes(b"Hello"));
    let (corrupt, too_big) = (InflateRule::Corrupt, InflateRule::TooBig { max: 5 });
    let rows = [
        (hello().header(Clear, 3), "text [Hello", corrupt, 1007, 5),
        (hello().fixed(Clear, &[Byte(b'!')]).header(Clear, 3), "text [Hello", too_big, 1009, 5),
        (hello().fixed(Clear, &[Byte(0xff)]).message_end(), "text [Hello", too_big, 1009, 5),
        (
            BitWriter::new().fixed(Clear, &bytes(b"Hi\xffHi!")).header(Clear, 3),
            "text [Hi",
            InflateRule::TextNotUtf8,
            1007,
            2,
        ),
    ];
    for (writer, heard, rule, code, offset) in rows {
        let parts = &[Frame(0xc1, &writer.finish())];
        for terms in [KEEP, SMALL] {
            check_spoiled(&config, &Spoiled { terms, parts, heard, rule, code, offset });
        }
    }
}

// D02: 6455-10.4-01
#[test]
fn a_message_may_become_so_many_times_as_long_as_it_was() {
    let ratio = |max| Config::new().deflate(DeflateConfig::new().ratio_max(Some(max)));
    let (code, plain_len) = (1009, 90 * 26);
    let payload = zeros(plain_len, 10);
    assert_eq!(payload.len(), 26);
    let zeros = |len| format!("binary [{}", zeros_heard(len));
    for terms in [KEEP, Terms::both(9, Drop)] {
        let parts = &[Frame(0xc2, &payload)];
        check_heard(terms, &ratio(90), parts, (&format!("{}]", zeros(plain_len)), ""));
        let rule = InflateRule::Ratio { max: 90 };
        let parts = &[Frame(0xc2, &self::zeros(plain_len + 1, 10))];
        let (heard, offset) = (zeros(plain_len), plain_len as u64);
        let row = Spoiled { terms, parts, heard: &heard, rule, code, offset };
        check_spoiled(&ratio(90), &row);
        // The smaller of both limits is the one.
        let rule = InflateRule::TooBig { max: 999 };
        let (heard, offset) = (zeros(999), 999);
        let row = Spoiled { terms, parts, heard: &heard, rule, code, offset };
        check_spoiled(&ratio(90).message_len_max(999), &row);
        // Where they are the same, it is the length that no ratio would help.
        let rule = InflateRule::TooBig { max: plain_len as u64 };
        let (heard, offset) = (zeros(plain_len), plain_len as u64);
        let row = Spoiled { terms, parts, heard: &heard, rule, code, offset };
        check_spoiled(&ratio(90).message_len_max(offset), &row);
    }
    // Of the frames that came, those that did not are no part.
    let (start, end) = payload.split_at(13);
    let plain_len = decode(start, b"", 32_768).bytes.len();
    assert!(plain_len > 70 * 13);
    let (rule, parts) = (InflateRule::Ratio { max: 70 }, fragments(0x42, &[start, end]));
    let (terms, parts, heard) = (KEEP, &parts, &zeros(70 * 13));
    check_spoiled(&ratio(70), &Spoiled { terms, parts, heard, rule, code, offset: 70 * 13 });
    // Nothing is none times as long; messages that are not compressed are not meant.
    let parts = [Frame(0xc2, b"\0"), Frame(0x82, b"plain")];
    check_heard(KEEP, &ratio(0), &parts, ("binary [], binary [plain]", ""));
    let rule = InflateRule::Ratio { max: 0 };
    let parts = &[Frame(0xc1, HELLO)];
    check_spoiled(&ratio(0), &Spoiled { terms, parts, heard: "", rule, code, offset: 0 });
}

/// Checks that the last header breaks a limit.
fn check_header(config: &Config, before: &[Part<'_>], last: Part<'_>, rule: FrameRule) {
    fn check<R: Endpoint>(config: &Config, before: &[Part<'_>], last: Part<'_>, rule: FrameRule) {
        let stream = R::from_peer(&[before, &[last]].concat());
        let outcome = check_deflate::<R>(KEEP, config, &stream);
        let Header(_, len) = last else { panic!("no header: {last:?}") };
        let offset = R::from_peer(before).len() + len.len();
        assert_eq!(outcome.broken(), Some((Rule::Frame(rule), offset as u64)), "{last:02x?}");
        assert_eq!(written::<R>(&outcome.written), "close 1009");
    }
    check::<Server>(config, before, last, rule);
    check::<TestClient>(config, before, last, rule);
}

// D01: 6455-10.4-01
#[test]
fn the_wire_limit_of_compressed_frames_is_held_to_the_byte() {
    let too_big = |len, max| FrameRule::FrameTooBig { len, max };
    let rows: &[(u64, &[u8], u64)] = &[
        (0, &[65], 64),
        (100, &[126, 0, 178], 177),
        (512, &[126, 0x02, 0x89], 648),
        (520, &[126, 0x02, 0x92], 657),
        (1000, &[126, 0x04, 0xb5], 1204),
    ];
    for (limit, len, max) in rows {
        let config = Config::new().message_len_max(*limit);
        check_header(&config, &[], Header(0xc2, len), too_big(max + 1, *max));
        check_header(&config, &[], Header(0x41, len), too_big(max + 1, *max));
        // One less passes, for its length.
        let mut shorter = len.to_vec();
        *shorter.last_mut().expect("a length") -= 1;
        let stream = Server::from_peer(&[Header(0xc2, &shorter)]);
        assert_eq!(check_deflate::<Server>(KEEP, &config, &stream).failure, None, "{limit}");
    }
    // The limits for messages that are not compressed are what they were.
    let config = Config::new().message_len_max(1000);
    check_header(&config, &[], Header(0x82, &[126, 0x03, 0xe9]), too_big(1001, 1000));
    check_header(&config, &[Frame(0xc1, HELLO)], Header(0x01, &[126, 4, 0]), too_big(1024, 1000));
    // A limit for frames grows alike.
    let config = Config::new().frame_len_max(800);
    check_header(&config, &[], Header(0xc2, &[126, 0x03, 0xd1]), too_big(977, 976));
    check_header(&config, &[Frame(0x41, HELLO)], Header(0, &[126, 3, 0xd1]), too_big(977, 976));
    check_header(&config, &[Frame(0x01, b"x")], Header(0, &[126, 3, 0x21]), too_big(801, 800));
}

// D01: 6455-10.4-01, 6455-10.4-02
#[test]
fn the_wire_limit_of_compressed_messages_is_held_to_the_byte() {
    let config = Config::new().message_len_max(1000);
    let stored = BitWriter::new().stored(Clear, &[b'x'; 995]).finish();
    assert_eq!(stored.len(), 1000);
    // Empty blocks, which are not counted as what they become.
    let empty = |len: usize| {
        let blocks = (0..len / 5).fold(BitWriter::new(), |writer, _| writer.sync_flush());
        let rest = vec![0x00; len % 5];
        [blocks.finish(), rest].concat()
    };
    let before = [Frame(0x42, &stored), Frame(0x89, b"")];
    let too_big = |len| FrameRule::MessageTooBig { len, max: 1204 };
    for (len, field) in [(1205, &[126, 0, 205][..]), (1999, &[126, 0x03, 0xe7])] {
        let stream = Server::from_peer(&[&before[..], &[Header(0x80, field)]].concat());
        let outcome = check_deflate::<Server>(KEEP, &config, &stream);
        let offset = Server::from_peer(&before).len() as u64 + 3;
        assert_eq!(outcome.broken(), Some((Rule::Frame(too_big(len)), offset)));
    }
    let end = empty(121);
    let parts = [before[0], Frame(0x00, b""), Frame(0x80, &end)];
    let heard = format!("binary [{}]", "x".repeat(995));
    check_heard(DROP, &config, &parts, (&heard, ""));
    let end = empty(204);
    let outcome = run(
        open_deflate::<TestClient>(KEEP, &config),
        &[&TestClient::from_peer(&[before[0], Frame(0x00, &end), Header(0x80, &[1])])],
    );
    let Some((Rule::Frame(rule), _)) = outcome.broken() else { panic!("{:?}", outcome.failure) };
    assert_eq!(rule, too_big(1205));
}

/// Bytes that cost most: each has a code of nine bits, and none has a pattern.
fn costly(len: usize) -> Vec<u8> {
    noise(len).iter().map(|byte| 144 + byte % 112).collect()
}

// D01
#[test]
fn what_cannot_be_compressed_passes_at_the_limit_whatever_the_settings() {
    for (bits, len) in [(8, 700), (9, 4000), (9, 40_000), (12, 5000), (15, 63), (15, 66_000)] {
        for plain in [noise(len), costly(len)] {
            let config = Config::new().message_len_max(len as u64);
            let mut limit = open_deflate::<Server>(Terms::both(bits, Drop), &config);
            for (level, mem_level) in (0..=9).flat_map(|level| [1, 2, 8, 9].map(|mem| (level, mem)))
            {
                let settings = DeflateConfig::new().level(level).mem_level(mem_level);
                let payload = Squeezer::new((bits, Keep), settings).message(&plain);
                let mut stream = Server::from_peer(&[Frame(0xc2, &payload)]);
                let received = limit.receive(&mut stream).unwrap_or_else(|failure| {
                    panic!("{failure}: {len} bytes, level {level}, memory level {mem_level}")
                });
                let Some(Event::Data(mut piece)) = received.event else { panic!("no message") };
                let mut out = vec![0; len + 1];
                let data = limit.inflate(&mut piece, &mut out).expect("it is valid");
                let data = data.expect("it is all there");
                assert!(data.ends_message() && data.bytes() == plain);
            }
        }
    }
}

// ---- pieces, and who inflates them when

/// The next piece in `stream`, and what is behind it.
fn next_piece<'s, R: Endpoint>(
    connection: &mut Connection<R, Deflate>,
    stream: &'s mut [u8],
) -> (Data<'s>, &'s mut [u8]) {
    let received = connection.receive(stream).expect("no failure");
    match received.event {
        Some(Event::Data(data)) => (data, received.rest),
        event => panic!("no data: {event:?}"),
    }
}

/// What a piece becomes, in parts of a byte.
fn inflate<R: Endpoint>(
    connection: &mut Connection<R, Deflate>,
    piece: &mut Data<'_>,
) -> Result<Vec<u8>, Failure> {
    let (mut plain, mut out) = (Vec::new(), [0; 1]);
    while let Some(data) = connection.inflate(piece, &mut out)? {
        plain.extend_from_slice(data.bytes());
    }
    Ok(plain)
}

/// Checks that a piece cannot be inflated, and how that ends.
fn check_missing<R: Endpoint>(
    mut connection: Connection<R, Deflate>,
    mut piece: Data<'_>,
    at: u64,
) {
    let failure = inflate(&mut connection, &mut piece).expect_err("a piece is missing");
    assert_eq!(failure.rule(), Rule::Inflate(InflateRule::PieceMissing));
    assert_eq!((failure.code(), failure.offset()), (CloseCode::INTERNAL_ERROR, at));
    // P4
    assert_eq!(inflate(&mut connection, &mut piece), Err(failure));
    let again = connection.receive(&mut R::from_peer(&[Frame(0x81, b"")])).map(|_| ());
    assert_eq!(again, Err(failure));
    assert_eq!(connection.send("late", &mut [0; 64]), Err(SendError::Closed));
    let mut out = Vec::new();
    assert_eq!(connection.append_transmit(&mut out), Transmit::HalfClose);
    assert_eq!(written::<R>(&out), "close 1011");
}

#[test]
fn a_piece_behind_one_that_was_not_inflated_cannot_be() {
    fn miss<R: Endpoint>() {
        for terms in [KEEP, DROP, SMALL] {
            // Of the same message.
            let parts = fragments(0x41, &[&HELLO[..4], b"", &HELLO[4..]]);
            let mut stream = R::from_peer(&parts);
            let mut connection = open_deflate::<R>(terms, &Config::new());
            let (_, rest) = next_piece(&mut connection, &mut stream);
            let (_, rest) = next_piece(&mut connection, rest);
            let (piece, _) = next_piece(&mut connection, rest);
            check_missing(connection, piece, 0);

            // Not to its end.
            let mut stream = R::from_peer(&parts);
            let mut connection = open_deflate::<R>(terms, &Config::new());
            let (mut piece, rest) = next_piece(&mut connection, &mut stream);
            let mut out = [0; 1];
            let data = connection.inflate(&mut piece, &mut out).expect("it is valid");
            assert!(data.is_some_and(|data| data.bytes() == b"H"));
            let (_, rest) = next_piece(&mut connection, rest);
            let (piece, _) = next_piece(&mut connection, rest);
            check_missing(connection, piece, 1);
        }
        // A message without data leaves nothing to miss.
        let mut stream = R::from_peer(&[Frame(0xc1, b""), Frame(0xc1, HELLO)]);
        let mut connection = open_deflate::<R>(KEEP, &Config::new());
        let (_, rest) = next_piece(&mut connection, &mut stream);
        let (mut piece, _) = next_piece(&mut connection, rest);
        assert_eq!(inflate(&mut connection, &mut piece), Ok(b"Hello".to_vec()));
        // Of the messages before, with the context kept; what is between does not matter.
        let parts = [Frame(0xc1, HELLO), Frame(0x81, b"plain"), Frame(0xc1, HELLO)];
        let mut stream = R::from_peer(&parts);
        let mut connection = open_deflate::<R>(KEEP, &Config::new());
        let (_, rest) = next_piece(&mut connection, &mut stream);
        let (plain, rest) = next_piece(&mut connection, rest);
        assert_eq!(plain.into_message().expect("a message").as_text(), Some("plain"));
        let (piece, _) = next_piece(&mut connection, rest);
        check_missing(connection, piece, 0);
    }
    in_both_roles([miss::<Server>, miss::<TestClient>]);
}

#[test]
fn without_context_takeover_messages_may_be_passed_over() {
    fn pass<R: Endpoint>() {
        let mut connection = open_deflate::<R>(DROP, &Config::new());
        let whole = [Frame(0xc1, HELLO)];
        let halves = fragments(0x41, &[&HELLO[..3], &HELLO[3..]]);
        for parts in [&whole[..], &halves] {
            // The first message is passed over, or its second piece.
            for inflated in 0..parts.len() {
                let mut stream = R::from_peer(&[parts, &[Frame(0xc2, HELLO)]].concat());
                let mut rest = &mut stream[..];
                for at in 0..parts.len() {
                    let (mut piece, behind) = next_piece(&mut connection, rest);
                    rest = behind;
                    if at < inflated {
                        assert!(inflate(&mut connection, &mut piece).is_ok());
                    }
                }
                let (mut piece, _) = next_piece(&mut connection, rest);
                assert_eq!(inflate(&mut connection, &mut piece), Ok(b"Hello".to_vec()));
            }
        }
        // But they do not become references.
        let mut stream = R::from_peer(&[Frame(0xc1, HELLO), Frame(0xc1, HELLO_AGAIN)]);
        let (_, rest) = next_piece(&mut connection, &mut stream);
        let (mut piece, _) = next_piece(&mut connection, rest);
        let failure = inflate(&mut connection, &mut piece).expect_err("a reference to nothing");
        assert_eq!(failure.rule(), Rule::Inflate(InflateRule::Corrupt));
    }
    in_both_roles([pass::<Server>, pass::<TestClient>]);
}

#[test]
fn a_message_that_is_passed_over_holds_no_deadline_up() {
    let mut connection = open_deflate::<Server>(DROP, &Config::new());
    let mut stream = Server::from_peer(&[Frame(0xc1, HELLO), Frame(0x81, b"plain")]);
    let (_, rest) = next_piece(&mut connection, &mut stream);
    let _ = next_piece(&mut connection, rest);
    assert_eq!(connection.handle_timeout(Tick::ZERO), Ok(()));
    // A minute later, and the peer has lived all the time.
    for second in 1..=90 {
        let mut ping = Server::from_peer(&[Frame(0x89, b"")]);
        assert!(connection.receive(&mut ping).is_ok());
        assert_eq!(connection.handle_timeout(Tick::from_millis(second * 1000)), Ok(()));
    }
}

#[test]
fn an_output_without_room_changes_nothing() {
    let mut connection = open_deflate::<TestClient>(KEEP, &Config::new());
    let mut stream = TestClient::from_peer(&[Frame(0xc1, HELLO)]);
    let (mut piece, _) = next_piece(&mut connection, &mut stream);
    assert!(connection.inflate(&mut piece, &mut []).is_ok_and(|data| data.is_none()));
    assert_eq!(piece.bytes(), HELLO);
    assert_eq!(inflate(&mut connection, &mut piece), Ok(b"Hello".to_vec()));
    assert!(connection.inflate(&mut piece, &mut [0; 8]).is_ok_and(|data| data.is_none()));
}

#[test]
fn what_is_not_compressed_is_not_inflated() {
    fn plain<R: Endpoint>(mut connection: Connection<R, Deflate>) {
        let mut stream = R::from_peer(&[Frame(0x81, b"plain")]);
        let (mut piece, _) = next_piece(&mut connection, &mut stream);
        assert!(!piece.is_compressed());
        assert!(connection.inflate(&mut piece, &mut [0; 8]).is_ok_and(|data| data.is_none()));
        assert_eq!(piece.into_message().expect("a message").as_text(), Some("plain"));
    }
    plain(open_deflate::<Server>(KEEP, &Config::new()));
    plain(open_refused::<TestClient>(&Config::new()));
}

#[test]
fn a_connection_that_agreed_on_nothing_inflates_nothing() {
    let mut stream = Server::from_peer(&[Frame(0xc1, HELLO)]);
    let mut compressing = open_deflate::<Server>(KEEP, &Config::new());
    let (mut piece, _) = next_piece(&mut compressing, &mut stream);
    let mut plain = open::<Server>(&Config::new());
    let mut refused = open_refused::<Server>(&Config::new());
    assert!(plain.inflate(&mut piece, &mut [0; 8]).is_ok_and(|data| data.is_none()));
    assert!(refused.inflate(&mut piece, &mut [0; 8]).is_ok_and(|data| data.is_none()));
    assert_eq!(inflate(&mut compressing, &mut piece), Ok(b"Hello".to_vec()));
}

// P7: what is compressed is never lent as what it was before
#[test]
fn a_compressed_piece_is_no_message() {
    for (first, payload) in [(0xc1, HELLO), (0xc2, HELLO), (0xc1, b"\0"), (0xc1, b"")] {
        let mut connection = open_deflate::<Server>(KEEP, &Config::new());
        let mut stream = Server::from_peer(&[Frame(first, payload)]);
        let (piece, _) = next_piece(&mut connection, &mut stream);
        assert!(piece.is_compressed() && piece.starts_message() && piece.ends_message());
        let piece = piece.into_message().expect_err("it is compressed");
        let mut storage = [0; 64];
        let mut assembler = Assembler::over(&mut storage);
        assert_eq!(assembler.push(piece), Err(AssemblyError::Compressed));
        assert_eq!(AssemblyError::Compressed.close_code(), CloseCode::INTERNAL_ERROR);
    }
}

#[test]
fn pieces_inflated_become_messages_by_an_assembler() {
    let mut connection = open_deflate::<Server>(KEEP, &Config::new());
    let mut storage = [0; 64];
    let mut assembler = Assembler::over(&mut storage);
    let mut stream = Server::from_peer(&fragments(0x41, &[&HELLO[..3], &HELLO[3..]]));
    let (mut rest, mut whole) = (&mut stream[..], 0);
    while !rest.is_empty() {
        let (mut piece, behind) = next_piece(&mut connection, rest);
        rest = behind;
        let mut out = [0; 2];
        while let Some(data) = connection.inflate(&mut piece, &mut out).expect("valid") {
            assert!(!data.is_compressed() && data.frame_start().is_none());
            if let Some(message) = assembler.push(data).expect("in order").message() {
                assert_eq!(message.as_text(), Some("Hello"));
                whole += 1;
            }
        }
    }
    assert_eq!(whole, 1);
    // In one piece there is nothing to assemble.
    let mut stream = Server::from_peer(&[Frame(0xc1, HELLO_AGAIN)]);
    let (mut piece, _) = next_piece(&mut connection, &mut stream);
    let mut out = [0; 6];
    let data = connection.inflate(&mut piece, &mut out).expect("valid").expect("all of it");
    assert_eq!(data.into_message().expect("all of it").as_text(), Some("Hello"));
}

#[test]
fn more_may_be_read_while_a_piece_is_inflated() {
    let plain = noise(700).repeat(5);
    let stream = TestClient::from_peer(&[Frame(0xc2, &compressed(&plain)), Frame(0x81, b"plain")]);
    let mut connection = open_deflate::<TestClient>(KEEP, &Config::new());
    let mut inbox = Inbox::with_capacity(256);
    let (mut heard, mut stream) = (Vec::new(), &stream[..]);
    loop {
        // By turns, by the one way and the other.
        let (now, later) = stream.split_at(stream.len().min(50));
        stream = later;
        if stream.len() % 100 < 50 {
            inbox.extend(now);
        } else {
            let room = inbox.spare();
            let len = room.len().min(now.len());
            room[..len].copy_from_slice(&now[..len]);
            inbox.filled(len);
            inbox.extend(&now[len..]);
        }
        match inbox.advance_piece(&mut connection) {
            Ok(Ready::Data) => {
                assert!(!inbox.is_idle() || inbox.ends_message());
                heard.extend_from_slice(inbox.data().expect("a piece").bytes());
            }
            Ok(Ready::Need) if stream.is_empty() => break,
            ready => assert_eq!(ready, Ok(Ready::Need)),
        }
    }
    assert!(heard == [&plain[..], b"plain"].concat());
    assert!(inbox.is_idle());
}

#[test]
fn a_message_is_taken_from_an_inbox_in_one_way_to_its_end() {
    let payload = compressed(&noise(700));
    let (start, end) = payload.split_at(300);
    let mut connection = open_deflate::<Server>(KEEP, &Config::new());
    let mut inbox = Inbox::with_capacity(256);
    for (one, other) in [(Unit::Messages, Unit::Pieces), (Unit::Pieces, Unit::Messages)] {
        let [start, end] =
            [Frame(0x42, start), Frame(0x80, end)].map(|part| Server::from_peer(&[part]));
        inbox.extend(&start);
        while connection.advance(&mut inbox, one) != Ok(Ready::Need) {}
        let error = match one {
            Unit::Messages => InboxError::MessageUnderWay,
            Unit::Pieces => InboxError::PiecesUnderWay,
        };
        inbox.extend(&end);
        assert_eq!(connection.advance(&mut inbox, other), Err(error));
        while connection.advance(&mut inbox, one) != Ok(Ready::Need) {}
        assert!(inbox.is_idle());
    }
    // What is thrown away is no part of what comes.
    inbox.extend(&Server::from_peer(&[Frame(0x42, start)]));
    assert_eq!(connection.advance(&mut inbox, Unit::Pieces), Ok(Ready::Data));
    inbox.discard();
    assert!(inbox.is_idle() && inbox.unread().is_empty());
    let mut connection = open_deflate::<Server>(KEEP, &Config::new());
    inbox.extend(&Server::from_peer(&[Frame(0xc1, HELLO)]));
    assert_eq!(connection.advance(&mut inbox, Unit::Messages), Ok(Ready::Message));
    assert_eq!(inbox.delivery(), Some(Delivery::Message(Message::Text("Hello"))));
}

// P4: what was valid comes first, and then the failure for ever
#[test]
fn a_failure_while_inflating_is_final() {
    fn fail<R: Endpoint>() {
        let corrupt = BitWriter::new().fixed(Clear, &bytes(b"Hello")).header(Clear, 3).finish();
        let mut connection = open_deflate::<R>(KEEP, &Config::new());
        let mut stream =
            R::from_peer(&[Frame(0x89, b"?"), Frame(0xc2, &corrupt), Frame(0x81, b"late")]);
        let rest = connection.receive(&mut stream).expect("a ping").rest;
        let (mut piece, rest) = next_piece(&mut connection, rest);
        // Nothing else wants to be called at once.
        assert_eq!(connection.handle_timeout(Tick::ZERO), Ok(()));
        assert_ne!(connection.poll_timeout(), Wake::Now);
        let mut out = [0; 64];
        let data = connection.inflate(&mut piece, &mut out).expect("valid so far");
        assert_eq!(data.map(|data| data.into_bytes().to_vec()), Some(b"Hello".to_vec()));
        // Nothing may be sent to those who will be failed only if they ask for it.
        assert_eq!(connection.state(), State::Open);
        assert_eq!(connection.poll_timeout(), Wake::Now);
        let failure = connection.receive(rest).expect_err("it is corrupt");
        assert_eq!(failure.rule(), Rule::Inflate(InflateRule::Corrupt));
        assert_eq!(connection.inflate(&mut piece, &mut out).map(|_| ()), Err(failure));
        assert_eq!(connection.handle_timeout(Tick::ZERO), Err(failure));
        let mut out = Vec::new();
        assert_eq!(connection.append_transmit(&mut out), Transmit::HalfClose);
        assert_eq!(written::<R>(&out), "pong ?, close 1007");
        assert!(!connection.receive_end().is_clean());
        assert_eq!(connection.closure().map(|closure| closure.code()), Some(CloseCode::ABNORMAL));
    }
    in_both_roles([fail::<Server>, fail::<TestClient>]);
}

// ---- time

fn seconds(seconds: u64) -> Tick {
    Tick::from_millis(seconds * 1000)
}

// P6
#[test]
fn the_deadline_of_a_message_is_the_peers() {
    fn late<R: Endpoint>() {
        let config = Config::new().keep_alive(KeepAlive::Off);
        let mut connection = open_deflate::<R>(KEEP, &config);
        assert_eq!(connection.handle_timeout(seconds(0)), Ok(()));
        assert_eq!(connection.poll_timeout(), Wake::Never);

        // All of it came, and the application has time.
        let mut stream = R::from_peer(&[Frame(0xc1, HELLO)]);
        let (mut piece, _) = next_piece(&mut connection, &mut stream);
        assert_eq!(connection.handle_timeout(seconds(1)), Ok(()));
        assert_eq!(connection.poll_timeout(), Wake::Never);
        assert!(connection.inflate(&mut piece, &mut [0; 4]).is_ok());
        assert_eq!(connection.handle_timeout(seconds(100)), Ok(()));
        assert_eq!(inflate(&mut connection, &mut piece), Ok(b"o".to_vec()));

        // The rest does not come, and the deadline stops the inflating too.
        let mut stream = R::from_peer(&[Frame(0x41, HELLO_AGAIN)]);
        let (mut piece, _) = next_piece(&mut connection, &mut stream);
        assert_eq!(connection.handle_timeout(seconds(200)), Ok(()));
        assert_eq!(connection.poll_timeout(), Wake::At(seconds(260)));
        assert!(connection.inflate(&mut piece, &mut [0; 4]).is_ok());
        assert_eq!(connection.handle_timeout(seconds(259)), Ok(()));
        let failure = connection.handle_timeout(seconds(260)).expect_err("too late");
        assert_eq!(failure.rule(), Rule::AssemblyTimeout);
        assert_eq!(inflate(&mut connection, &mut piece), Err(failure));
        let mut out = Vec::new();
        assert_eq!(connection.append_transmit(&mut out), Transmit::HalfClose);
        assert_eq!(written::<R>(&out), "close 1008");
    }
    in_both_roles([late::<Server>, late::<TestClient>]);
}

// Passed over one after the other, and the peer has lived all the time.
#[test]
fn messages_that_are_passed_over_hold_no_deadline_up() {
    let mut connection = open_deflate::<Server>(DROP, &Config::new());
    for second in 0..=90 {
        let mut stream = Server::from_peer(&[Frame(0xc1, HELLO)]);
        let _ = next_piece(&mut connection, &mut stream);
        assert_eq!(connection.handle_timeout(seconds(second)), Ok(()));
    }
}

// P6: whether a message is compressed makes no difference to keep-alive and the rest
#[test]
fn deadlines_are_the_same_for_compressed_messages() {
    fn same<R: Endpoint>() {
        let config = Config::new().message_idle(Some(Duration::from_secs(70)));
        let mut engines =
            [(0x41, &HELLO[..4], &HELLO[4..]), (0x01, b"Hel", b"lo")].map(|(first, start, end)| {
                let parts = [vec![Frame(first, start)], vec![Frame(0x80, end)]];
                (open_deflate::<R>(KEEP, &config), parts)
            });
        // What comes when; a frame of the message, or a Ping.
        let script = [(0, None), (3, Some(0)), (9, None), (15, Some(1)), (33, None), (35, None)];
        for (second, frame) in script {
            let wakes = engines.each_mut().map(|(connection, parts)| {
                let ping = vec![Frame(0x89, b"?")];
                let parts = frame.map_or(&ping, |frame: usize| &parts[frame]);
                let mut stream = R::from_peer(parts);
                let received = connection.receive(&mut stream).expect("valid");
                if let Some(Event::Data(mut piece)) = received.event {
                    assert!(inflate(connection, &mut piece).is_ok());
                }
                let before = connection.poll_timeout();
                assert_eq!(connection.handle_timeout(seconds(second)), Ok(()));
                let mut out = Vec::new();
                assert_eq!(connection.append_transmit(&mut out), Transmit::Idle);
                (before, connection.poll_timeout(), frames(&out).len())
            });
            assert_eq!(wakes[0], wakes[1], "{second}");
        }
    }
    in_both_roles([same::<Server>, same::<TestClient>]);
}

// ---- what nobody thought of

/// What is to come of messages with these payloads, up to the first that is corrupt.
fn expected(terms: Terms, payloads: &[Vec<u8>]) -> (Vec<(Kind, Vec<u8>)>, Option<u64>) {
    let (bits, context) = terms.theirs;
    let (mut history, mut messages) = (Vec::new(), Vec::new());
    for payload in payloads {
        let decoded = decode(payload, &history, 1 << bits);
        if !payload.is_empty() && !ends_message(payload, &history, 1 << bits) {
            return (messages, Some(decoded.bytes.len() as u64));
        }
        if context == Keep {
            history.extend(&decoded.bytes);
        }
        messages.push((Kind::Binary, decoded.bytes));
    }
    (messages, None)
}

/// Pieces of `stream`, cut at these places.
fn cut<'s>(stream: &'s [u8], cuts: &[Index]) -> Vec<&'s [u8]> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    places.sort_unstable();
    let (mut pieces, mut start) = (Vec::new(), 0);
    for place in places.into_iter().chain([stream.len()]) {
        pieces.push(&stream[start..place]);
        start = place;
    }
    pieces
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let symbol = prop_oneof![
        any::<u8>().prop_map(Byte),
        (3..=258_usize, 1..600_usize).prop_map(|(length, distance)| Again(length, distance)),
    ];
    let bfinal = prop_oneof![3 => Just(Clear), 1 => Just(Set)];
    let blocks = vec((any::<bool>(), bfinal, vec(symbol, 0..20)), 0..4).prop_map(|blocks| {
        let writer = blocks.iter().fold(BitWriter::new(), |writer, (stored, bfinal, symbols)| {
            let writer = match stored {
                true => writer.stored(*bfinal, &noise(symbols.len() * 20)),
                false => writer.fixed(*bfinal, symbols),
            };
            if *bfinal == Set { writer.pad(false) } else { writer }
        });
        writer.message_end().finish()
    });
    prop_oneof![4 => blocks, 1 => vec(any::<u8>(), 0..40)]
}

fn terms() -> impl Strategy<Value = Terms> {
    let direction = || (8..=15_u8, any::<bool>().prop_map(|keeps| if keeps { Keep } else { Drop }));
    (direction(), direction()).prop_map(|(ours, theirs)| Terms { ours, theirs })
}

fn hears_by_the_book<R: Endpoint>(
    terms: Terms,
    payloads: &[Vec<u8>],
    (frame_cuts, cuts): (&[Index], &[Index]),
    out_len: usize,
) -> Result<(), TestCaseError> {
    let parts: Vec<_> =
        payloads.iter().flat_map(|payload| fragments(0x42, &cut(payload, frame_cuts))).collect();
    let stream = R::from_peer(&parts);
    let outcome = run_inflating(open_deflate::<R>(terms, &Config::new()), out_len, &[&stream]);
    let (whole, broken) = expected(terms, payloads);
    let corrupt = |offset| (Rule::Inflate(InflateRule::Corrupt), offset);
    prop_assert_eq!(outcome.broken(), broken.map(corrupt));
    let step = if broken.is_some() { TransportStep::HalfClose } else { TransportStep::Keep };
    prop_assert_eq!(outcome.step, step);
    prop_assert_eq!(messages(&outcome.events), whole);
    // P5
    let pieces = cut(&stream, cuts);
    let other = run_inflating(Halves::of(open_deflate::<R>(terms, &Config::new())), 4096, &pieces);
    prop_assert_eq!(other, outcome);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    // D03, D04, D05, D06, D07, D08, D09
    #[test]
    fn any_payloads_are_heard_as_by_the_book(
        terms in terms(),
        payloads in vec(payload(), 1..4),
        flips in vec((any::<Index>(), any::<Index>(), 1..=255_u8), 0..2),
        frame_cuts in vec(any::<Index>(), 0..3),
        cuts in vec(any::<Index>(), 0..8),
        out_len in 1..300_usize,
    ) {
        let mut payloads = payloads;
        for (which, at, flip) in flips {
            let payload = which.get(&payloads).len();
            if payload > 0 {
                let which = which.index(payloads.len());
                payloads[which][at.index(payload)] ^= flip;
            }
        }
        let cuts = (&frame_cuts[..], &cuts[..]);
        hears_by_the_book::<Server>(terms, &payloads, cuts, out_len)?;
        hears_by_the_book::<TestClient>(terms, &payloads, cuts, out_len)?;
    }

    // D17
    #[test]
    fn any_text_is_judged_as_it_is_uncompressed(
        text in prop_oneof!["\\PC{0,30}".prop_map(String::into_bytes), vec(any::<u8>(), 0..20)],
        flips in vec((any::<Index>(), 0x80..=255_u8), 0..2),
        frame_cuts in vec(any::<Index>(), 0..3),
        cuts in vec(any::<Index>(), 0..5),
        out_len in 1..10_usize,
    ) {
        let mut text = text;
        for (at, byte) in flips {
            if !text.is_empty() {
                let at = at.index(text.len());
                text[at] = byte;
            }
        }
        let payload = compressed(&text);
        let stream = Server::from_peer(&fragments(0x41, &cut(&payload, &frame_cuts)));
        let pieces = cut(&stream, &cuts);
        let outcome =
            run_inflating(open_deflate::<Server>(KEEP, &Config::new()), out_len, &pieces);
        let expected = match std::str::from_utf8(&text) {
            Ok(_) => None,
            // Where it ends too early, that is behind its last byte.
            Err(error) => Some(error.error_len().map_or(text.len(), |_| first_wrong(&text))),
        };
        let broken = expected.map(|at| (Rule::Inflate(InflateRule::TextNotUtf8), at as u64));
        prop_assert_eq!(outcome.broken(), broken);
    }
}

/// The index of the first byte with which a text cannot go on.
fn first_wrong(text: &[u8]) -> usize {
    let is_wrong = |at: usize| {
        let error = std::str::from_utf8(&text[..=at]).err();
        error.is_some_and(|error| error.error_len().is_some())
    };
    (0..text.len()).find(|at| is_wrong(*at)).unwrap_or(text.len())
}

// P3: what is only announced does not count.
#[test]
fn the_ratio_is_of_the_bytes_that_came() {
    let config = Config::new().deflate(DeflateConfig::new().ratio_max(Some(10)));
    let bomb = compressed(&[0; 100_000]);
    let len = bomb.len() as u64;
    assert!(len < 1024);
    let failure = |limit| Some((Rule::Inflate(InflateRule::Ratio { max: 10 }), limit));
    let whole = Server::from_peer(&[Frame(0xc2, &bomb)]);
    assert_eq!(check_deflate::<Server>(KEEP, &config, &whole).broken(), failure(10 * len));
    // The first KiB that came is all there is of the frame, whatever it announces.
    let mut announcing = Server::from_peer(&[Header(0xc2, &[127, 0, 0, 0, 0, 0, 3, 0, 0])]);
    let mut key = [0; 4];
    key.copy_from_slice(&announcing[announcing.len() - 4..]);
    let mut masked = bomb.clone();
    sansocket::mask::apply(&mut masked, key);
    announcing.extend_from_slice(&masked);
    assert_eq!(check_deflate::<Server>(KEEP, &config, &announcing).broken(), failure(10 * 1024));
}

// P9: what is compressed was not checked, wherever it lies.
#[test]
fn a_compressed_piece_of_another_connection_is_not_taken_for_text() {
    let mut plain = open_refused::<Server>(&Config::new());
    let mut inbox = Inbox::with_capacity(256);
    // A text of 5000 bytes, masked with zeros, and 400 of them.
    inbox.extend(&[&b"\x81\xfe\x13\x88\0\0\0\0"[..], &[b'a'; 400]].concat());
    assert_eq!(inbox.advance(&mut plain), Ok(Ready::Need));
    inbox.spare()[..100].fill(0xff);
    inbox.filled(100);
    // In the last frame of a compressed text, 100 bytes before its end.
    let mut other = open_deflate::<Server>(Terms::both(15, Keep), &Config::new());
    let mut begun = *b"\x41\x81\0\0\0\0x";
    assert!(other.receive(&mut begun).is_ok());
    let mut last = [&b"\x80\xfe\0\xc8\0\0\0\0"[..], &[b'x'; 100]].concat();
    assert!(other.receive(&mut last).is_ok());
    let refused = inbox.advance(&mut other);
    assert_eq!(refused, Err(InboxError::Assembly(AssemblyError::OutOfOrder)));
    assert!(inbox.delivery().is_none() && inbox.is_idle());
}

// The ratio is of all that came of the message, KiB by KiB, however long it is.
#[test]
fn a_long_message_may_become_so_many_times_as_long_as_all_of_it_was() {
    let config = Config::new().deflate(DeflateConfig::new().ratio_max(Some(2)));
    let plain = noise(5000);
    let payload = compressed(&plain);
    assert!(payload.len() > 4 * 1024);
    let heard = format!("binary [{}]", plain.escape_ascii());
    check_heard(KEEP, &config, &[Frame(0xc2, &payload)], (&heard, ""));

    // The zeros begin in the fifth KiB, and become too much there.
    let bomb = [&plain[..], &[0; 100_000]].concat();
    let bomb = Squeezer::new((15, Keep), DeflateConfig::new()).message(&bomb);
    let stream = Server::from_peer(&[Frame(0xc2, &bomb)]);
    let broken = run(open_deflate::<Server>(KEEP, &config), &[&stream]).broken();
    assert_eq!(broken, Some((Rule::Inflate(InflateRule::Ratio { max: 2 }), 2 * 5 * 1024)));
}

#[test]
fn a_message_that_is_too_much_just_where_a_kib_ends_gets_no_credit_for_the_next() {
    let config = Config::new().deflate(DeflateConfig::new().ratio_max(Some(1)));
    // The last symbol of the first KiB goes beyond as many bytes.
    let mut plain = noise(1017);
    let stream = BitWriter::new().stored(Clear, &plain).fixed(Clear, &[Again(258, 1)]);
    let payload = stream.message_end().finish();
    assert_eq!(payload.len(), 1024 + 2);
    plain.resize(1024, plain[1016]);
    let (parts, heard) = ([Frame(0xc2, &payload)], format!("binary [{}", plain.escape_ascii()));
    let rule = InflateRule::Ratio { max: 1 };
    let (terms, parts, heard) = (KEEP, &parts[..], &heard);
    check_spoiled(&config, &Spoiled { terms, parts, heard, rule, code: 1009, offset: 1024 });
}

#[test]
fn what_is_shown_of_a_message_under_way_is_no_payload() {
    let mut connection = open_deflate::<Server>(KEEP, &Config::new());
    let payload = compressed(b"a secret");
    let mut stream = Server::from_peer(&[Frame(0xc1, &payload)]);
    let received = connection.receive(&mut stream).expect("valid");
    let Some(Event::Data(mut piece)) = received.event else { panic!("no data") };
    let mut out = [0; 3];
    let lent = connection.inflate(&mut piece, &mut out).expect("valid").expect("room");
    assert_eq!(lent.bytes(), b"a s");
    let mut out = [0; 1200];
    connection.send(&*"a secret".repeat(100), &mut out).expect("room");
    let shown = format!("{connection:?}");
    let message = format!("Message {{ kind: Text, wire_len: {}, len: 3, .. }}", payload.len());
    for part in [&*message, "Inflater { window: WindowBits(15), turn: Wide, .. }", "Compressor {"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(shown.contains("level: 6, mem_level: 8"), "{shown}");
}
