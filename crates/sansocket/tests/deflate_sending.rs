//! Messages compressed on their way out (RFC 7692 section 6.1): what is on the wire,
//! by the book, and what the other endpoint makes of it.

#![cfg(feature = "deflate")]

mod support;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use sansocket::deflate::{
    ClientDeflatePolicy, ContextTakeover, Deflate, DeflateConfig, DeflateResponseError,
    ServerDeflatePolicy, WindowBits,
};
use sansocket::frame::FrameRule;
use sansocket::handshake::{
    Accept, Answer, ClientHandshake, ClientRequest, HandshakeConfig, Incoming, ResponseError,
    ServerHandshake,
};
use sansocket::{
    CloseCode, Compress, Config, Connection, Fin, HEAD_GAP, Kind, Message, Negotiated, Prepared,
    Rule, SendError, Server, Transmit, Uri,
};
use support::compressed::{
    DROP, Drop, KEEP, Keep, Terms, Unit, open_deflate, open_refused, run_inbox,
};
use support::deflate::{TAIL, decode, ends_message, references};
use support::{
    Endpoint, Frame, Outcome, Part, TestClient, frame, frames, in_both_roles, messages, run,
    run_inflating, written,
};

/// A text that refers to itself.
fn repetitive(len: usize) -> String {
    let words = ["alpha ", "beta ", "gamma ", "delta, ", "epsilon. ", "zeta ", "eta ", "theta "];
    let mut state = 1_u32;
    let mut text = String::new();
    while text.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text += words[(state >> 29) as usize];
    }
    text.truncate(len);
    text
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

/// Compresses whatever it is, as hard as by default.
fn always() -> Config {
    Config::new().deflate(DeflateConfig::new().threshold(0))
}

/// Sends a whole message, and returns its frame.
fn send<'m, R: Endpoint>(
    connection: &mut Connection<R, Deflate>,
    message: impl Into<Message<'m>>,
) -> Frame {
    let mut out = Vec::new();
    connection.append(message, &mut out).expect("open");
    let mut frames = frames(&out);
    assert_eq!((frames.len(), frames[0].len()), (1, out.len()));
    frames.remove(0)
}

/// Sends a fragment, and returns what was written.
fn send_fragment<R: Endpoint>(
    connection: &mut Connection<R, Deflate>,
    (kind, fin): (Kind, Fin),
    payload: &[u8],
) -> Vec<u8> {
    let mut out = vec![0; connection.send_len_max(payload.len())];
    let len = connection.send_fragment(kind, fin, payload, &mut out).expect("open");
    out.truncate(len);
    out
}

/// Sends a fragment whose payload is the caller's to write.
fn by_head<R: Endpoint>(
    connection: &mut Connection<R, Deflate>,
    (kind, fin): (Kind, Fin),
    payload: &[u8],
) -> Vec<u8> {
    let mut head = connection.head(kind, fin, payload.len() as u64).expect("open");
    let mut masked = payload.to_vec();
    head.mask(&mut masked);
    connection.payload_written(payload.len() as u64).expect("as announced");
    [head.as_bytes(), &masked].concat()
}

/// What is on the wire, read by the book: the messages, and whether each came
/// compressed. Checks that RSV1 is where it belongs and nothing refers further back
/// than it may.
fn by_the_book<R: Endpoint>(terms: Terms, bytes: &[u8]) -> Vec<(Kind, Compress, Vec<u8>)> {
    // Keys and forms of headers.
    let _ = written::<R>(&frames(bytes).iter().flat_map(plain_header).collect::<Vec<_>>());
    let (bits, context) = terms.ours;
    let (mut history, mut messages, mut under_way) = (Vec::new(), Vec::new(), None);
    for Frame { first, payload, .. } in frames(bytes) {
        let (kind, compress, mut so_far) = match first & 0x7f {
            0x01 => (Kind::Text, Compress::Never, vec![]),
            0x02 => (Kind::Binary, Compress::Never, vec![]),
            0x41 => (Kind::Text, Compress::Auto, vec![]),
            0x42 => (Kind::Binary, Compress::Auto, vec![]),
            0x00 => under_way.take().expect("a message under way"),
            0x08..=0x0a => continue,
            _ => panic!("{first:02x}"),
        };
        assert!(under_way.is_none(), "{first:02x}");
        so_far.extend(payload);
        if first & 0x80 == 0 {
            under_way = Some((kind, compress, so_far));
            continue;
        }
        if compress == Compress::Auto {
            assert!(ends_message(&so_far, &history, 1 << bits));
            so_far = decode(&so_far, &history, 1 << bits).bytes;
            if context == Keep {
                history.extend(&so_far);
            }
        }
        messages.push((kind, compress, so_far));
    }
    messages
}

/// The frame with RSV1 clear.
fn plain_header(frame: &Frame) -> Vec<u8> {
    support::frame(frame.first & 0xbf, &frame.payload, frame.key)
}

/// What the peer `P` makes of it, in pieces or by an inbox.
fn received<P: Endpoint>(terms: Terms, bytes: &[u8]) -> Outcome {
    let open = || open_deflate::<P>(terms.of_peer(), &Config::new());
    let outcome = run(open(), &[bytes]);
    assert_eq!(outcome.failure, None);
    let pieces: Vec<_> = bytes.chunks(1000).collect();
    let by_inbox = run_inbox(open(), Unit::Messages, &pieces);
    assert!(messages(&by_inbox.events) == messages(&outcome.events));
    outcome
}

/// Checks what is on the wire by the book and by the peer.
fn check_sent<R: Endpoint, P: Endpoint>(
    terms: Terms,
    bytes: &[u8],
    expected: &[(Kind, Compress, &[u8])],
) {
    let book = by_the_book::<R>(terms, bytes);
    let book: Vec<_> = book.iter().map(|(kind, how, bytes)| (*kind, *how, &bytes[..])).collect();
    assert!(book == expected, "{book:?}");
    let heard = messages(&received::<P>(terms, bytes).events);
    let heard = heard.iter().map(|(kind, bytes)| (*kind, &bytes[..]));
    assert!(heard.eq(expected.iter().map(|(kind, _, bytes)| (*kind, *bytes))));
}

// ---- whole messages

// 6455-5.2-03, 6455-6.1-09, 7692-6.1-01, 7692-6.1-02, 7692-6.1-05, 7692-7.3-03
#[test]
fn messages_from_the_threshold_on_are_compressed() {
    fn sends<R: Endpoint>() {
        let text = repetitive(1000);
        let rows = [
            (DeflateConfig::new(), 512),
            (DeflateConfig::new().threshold(0), 0),
            (DeflateConfig::new().threshold(100), 100),
            (DeflateConfig::new().threshold(usize::MAX), usize::MAX),
        ];
        for (config, threshold) in rows {
            let config = Config::new().deflate(config);
            for len in [0, 1, 50, 99, 100, 101, 511, 512, 513, 1000] {
                let compressed = if len >= threshold { 0x40 } else { 0 };
                let mut connection = open_deflate::<R>(KEEP, &config);
                let sent = send(&mut connection, &text[..len]);
                assert_eq!(sent.first, 0x81 | compressed, "{len} of {threshold}");
                let sent = send(&mut connection, &text.as_bytes()[..len]);
                assert_eq!(sent.first, 0x82 | compressed);
                // The only fragment is a whole message.
                let sent = send_fragment(
                    &mut connection,
                    (Kind::Text, Fin::Last),
                    &text.as_bytes()[..len],
                );
                assert_eq!(sent[0], 0x81 | compressed);
                let (_, sending) = connection.into_split();
                assert_eq!(sending.compresses(len), len >= threshold);
            }
            // The first of several has no say.
            let mut connection = open_deflate::<R>(KEEP, &config);
            let sent = send_fragment(&mut connection, (Kind::Text, Fin::More), b"");
            assert_eq!(sent[0], 0x41);
        }
        // Without an agreement, nothing ever is.
        let mut connection = open_refused::<R>(&always());
        assert_eq!(send(&mut connection, text.as_str()).first, 0x81);
        assert_eq!(send_fragment(&mut connection, (Kind::Text, Fin::More), b"x")[0], 0x01);
    }
    in_both_roles([sends::<Server>, sends::<TestClient>]);
}

// 7692-7.2.1-01, 7692-7.2.1-02, 7692-7.2.1-03, 7692-7.2.3.3-01: with stored blocks, the length is known
#[test]
fn the_frame_is_as_short_as_its_payload_allows() {
    fn border<R: Endpoint, P: Endpoint>() {
        let config = DeflateConfig::new().threshold(0).level(0);
        for len in [0, 1, 2, 119, 120, 121, 65_528, 65_529, 65_530, 65_531, 70_000] {
            let payload = noise(len);
            let mut connection = open_deflate::<R>(KEEP, &Config::new().deflate(config.clone()));
            let mut out = vec![0xee; connection.send_len_max(len)];
            let out_len = connection.send(&payload[..], &mut out).expect("room enough");
            let out = &out[..out_len];
            let sent = support::first_frame(out).expect("a whole frame");
            // 5 for each block of at most 65,535 bytes, and one for the end.
            let expected = if len == 0 { 1 } else { len + len.div_ceil(65_535) * 5 + 1 };
            assert_eq!(sent.payload.len(), expected);
            assert_eq!(sent.key.is_some(), !R::is_server());
            assert!(out == frame(0xc2, &sent.payload, sent.key), "{len}");
            check_sent::<R, P>(KEEP, out, &[(Kind::Binary, Compress::Auto, &payload)]);
        }
    }
    border::<Server, TestClient>();
    border::<TestClient, Server>();
}

/// A call that sends.
type Way<R> =
    (&'static str, fn(&mut Connection<R, Deflate>, &str, &mut [u8]) -> Result<usize, SendError>);

fn ways<R: Endpoint>() -> Vec<Way<R>> {
    vec![
        ("send", |connection, text, out| connection.send(text, out)),
        ("send_with", |connection, text, out| connection.send_with(text, Compress::Auto, out)),
        ("send_fragment", |connection, text, out| {
            connection.send_fragment(Kind::Text, Fin::Last, text.as_bytes(), out)
        }),
        ("send_fragment_with", |connection, text, out| {
            let (kind, fin, text) = (Kind::Text, Fin::Last, text.as_bytes());
            connection.send_fragment_with(kind, fin, text, Compress::Auto, out)
        }),
    ]
}

#[test]
fn an_output_without_room_changes_nothing() {
    fn refuse<R: Endpoint, P: Endpoint>() {
        for terms in [KEEP, DROP, Terms::both(9, Keep)] {
            for (name, way) in ways::<R>() {
                let mut connection = open_deflate::<R>(terms, &always());
                let mut untroubled = open_deflate::<R>(terms, &always());
                let (mut sent, mut expected) = (Vec::new(), Vec::new());
                let texts = [0, 1, 100, 600, 100].map(repetitive);
                for text in &texts {
                    let mut out = vec![7; connection.send_len_max(text.len())];
                    for len in [0, 1, out.len() / 2, out.len() - 1] {
                        let before = out.clone();
                        let refused = way(&mut connection, text, &mut out[..len]);
                        let need = before.len();
                        assert_eq!(refused, Err(SendError::OutputTooSmall { need }), "{name}");
                        assert!(out == before);
                    }
                    let len = way(&mut connection, text, &mut out).expect("as it needs");
                    sent.extend_from_slice(&out[..len]);
                    untroubled.append(text, &mut expected).expect("open");
                }
                // Neither the context nor the keys.
                assert!(sent == expected, "{name}");
                let texts = texts.each_ref().map(|text| (Kind::Text, text.as_bytes().to_vec()));
                assert!(messages(&received::<P>(terms, &sent).events) == texts);
            }
        }
    }
    refuse::<Server, TestClient>();
    refuse::<TestClient, Server>();
}

#[test]
fn a_fragment_that_is_refused_changes_nothing() {
    fn refuse<R: Endpoint>() {
        let mut connection = open_deflate::<R>(KEEP, &always());
        let mut untroubled = open_deflate::<R>(KEEP, &always());
        let script: [(&[u8], Fin); 4] = [
            (b"gr\xc3", Fin::More),
            (b"", Fin::More),
            (b"\xbc\xc3", Fin::More),
            (b"\x9fe", Fin::Last),
        ];
        for (payload, fin) in script {
            let mut out = vec![7; connection.send_len_max(payload.len())];
            let need = out.len();
            let too_small =
                connection.send_fragment(Kind::Text, fin, payload, &mut out[..need - 1]);
            assert_eq!(too_small, Err(SendError::OutputTooSmall { need }));
            let no_text = connection.send_fragment(Kind::Text, fin, b"a\xff", &mut [7; 64]);
            assert!(matches!(no_text, Err(SendError::TextNotUtf8 { .. })));
            let len = connection.send_fragment(Kind::Text, fin, payload, &mut out).expect("room");
            assert_eq!(out[..len], send_fragment(&mut untroubled, (Kind::Text, fin), payload));
            if fin == Fin::More {
                let other = connection.send_fragment(Kind::Binary, fin, payload, &mut out);
                assert_eq!(other, Err(SendError::MessageUnderWay { kind: Kind::Text }));
                let whole = connection.send("whole", &mut out);
                assert_eq!(whole, Err(SendError::MessageUnderWay { kind: Kind::Text }));
            }
        }
        let [after, expected] =
            [&mut connection, &mut untroubled].map(|connection| send(connection, "grüße"));
        assert_eq!(after, expected);
    }
    in_both_roles([refuse::<Server>, refuse::<TestClient>]);
}

// D11: 7692-7.2.1-12, 7692-7.2.1-15, 7692-7.2.3.2-01
#[test]
fn a_context_is_kept_over_all_that_is_not_compressed() {
    fn keep<R: Endpoint, P: Endpoint>() {
        for bits in [9, 12, 15] {
            let terms = Terms { ours: (bits, Keep), theirs: (15, Drop) };
            let mut connection = open_deflate::<R>(terms, &Config::new());
            let text = repetitive(200);
            let (mut stream, mut expected, mut lens) = (Vec::new(), Vec::new(), Vec::new());
            for at in 0..20 {
                let start = stream.len();
                let compress = if at % 3 == 1 { Compress::Never } else { Compress::Auto };
                let long = text.repeat(3);
                connection.append_with(&long, compress, &mut stream).expect("open");
                expected.push((Kind::Text, compress, long.into_bytes()));
                if compress == Compress::Auto {
                    lens.push(stream.len() - start);
                }
                // Below the threshold, by a head and in place: as it is.
                connection.append("short", &mut stream).expect("open");
                expected.push((Kind::Text, Compress::Never, b"short".to_vec()));
                stream.extend(by_head(&mut connection, (Kind::Binary, Fin::Last), b"own"));
                expected.push((Kind::Binary, Compress::Never, b"own".to_vec()));
                let mut place = [&[0; HEAD_GAP][..], text.as_bytes()].concat();
                let sent = connection.send_in_place(Kind::Text, &mut place).expect("open");
                stream.extend_from_slice(sent);
                expected.push((Kind::Text, Compress::Never, text.clone().into_bytes()));
                let len = connection.ping(b"?", &mut place).expect("open");
                stream.extend_from_slice(&place[..len]);
            }
            let expected: Vec<_> =
                expected.iter().map(|(kind, how, bytes)| (*kind, *how, &bytes[..])).collect();
            check_sent::<R, P>(terms, &stream, &expected);
            // Each but the first is a reference to the one before.
            if bits > 9 {
                assert!(lens[1..].iter().all(|len| *len < 30 && *len < lens[0]), "{lens:?}");
            }
        }
    }
    keep::<Server, TestClient>();
    keep::<TestClient, Server>();
}

// 7692-7.2.1-11, 7692-7.2.1-14, 7692-7.1.1.1-01, 7692-7.1.1.2-07
#[test]
fn without_context_takeover_each_message_is_compressed_for_itself() {
    fn anew<R: Endpoint, P: Endpoint>() {
        for bits in [8, 9, 15] {
            let terms = Terms { ours: (bits, Drop), theirs: (15, Keep) };
            let mut connection = open_deflate::<R>(terms, &always());
            let text = repetitive(2000);
            let [first, second] = [(); 2].map(|()| send(&mut connection, text.as_str()));
            assert_eq!((first.first, &first.payload), (0xc1, &second.payload));
            // Fragments too.
            let sent = [Fin::More, Fin::Last].map(|fin| {
                let half = &text.as_bytes()[if fin == Fin::More { 0..1000 } else { 1000..2000 }];
                send_fragment(&mut connection, (Kind::Text, fin), half)
            });
            let whole = (Kind::Text, Compress::Auto, text.as_bytes());
            check_sent::<R, P>(terms, &sent.concat(), &[whole]);
            assert_eq!(send(&mut connection, text.as_str()).payload, first.payload);
            // Also if the last has nothing to compress.
            for (fin, piece) in [(Fin::More, text.as_str()), (Fin::Last, "")] {
                let _ = send_fragment(&mut connection, (Kind::Text, fin), piece.as_bytes());
            }
            assert_eq!(send(&mut connection, text.as_str()).payload, first.payload);
        }
    }
    anew::<Server, TestClient>();
    anew::<TestClient, Server>();
}

// 7692-6.1-02
#[test]
fn a_message_that_does_not_shrink_is_sent_as_it_is_if_nothing_refers_to_it() {
    fn plain<R: Endpoint, P: Endpoint>() {
        for len in [0, 1, 4, 10, 600, 70_000] {
            let payload = noise(len);
            let mut connection = open_deflate::<R>(DROP, &always());
            let sent = send(&mut connection, &payload[..]);
            assert_eq!((sent.first, &sent.payload), (0x82, &payload));
            // Into a slice as well, which is as long as it was to be asked for.
            let mut out = vec![0; connection.send_len_max(len)];
            let out_len = connection.send(&payload[..], &mut out).expect("room enough");
            assert_eq!(out_len, Connection::<R, Deflate>::frame_len(len));
            let expected = (Kind::Binary, Compress::Never, &payload[..]);
            check_sent::<R, P>(DROP, &out[..out_len], &[expected]);
            // One that shrinks is compressed, before and after.
            let text = repetitive(600);
            assert_eq!(send(&mut connection, text.as_str()).first, 0xc1);

            // Otherwise it is in the context, and the peer has to have it.
            let mut connection = open_deflate::<R>(KEEP, &always());
            let mut out = Vec::new();
            connection.append(&payload[..], &mut out).expect("open");
            connection.append(&payload[..], &mut out).expect("open");
            let expected = (Kind::Binary, Compress::Auto, &payload[..]);
            check_sent::<R, P>(KEEP, &out, &[expected, expected]);
        }
    }
    plain::<Server, TestClient>();
    plain::<TestClient, Server>();
}

// D05: 7692-5-11, 7692-7.2.1-10, 7692-7.2.1-16, 7692-7.2.1-18, 7692-7.1.2.1-03
#[test]
fn nothing_refers_further_back_than_was_agreed() {
    fn refer<R: Endpoint, P: Endpoint>() {
        for bits in 8..=15 {
            let window = 1_usize << bits;
            let terms = Terms { ours: (bits, Keep), theirs: (15, Keep) };
            // What comes again comes at the border of the window, before and behind it.
            let unit = noise(60);
            let mut data = Vec::new();
            for gap in [window / 4 * 3, window - 70, window - 60, window - 59, window, 2 * window] {
                data.extend_from_slice(&unit);
                data.extend(noise(gap + 60).split_off(60));
            }
            for level in [1, 2, 4, 6, 9] {
                let config = DeflateConfig::new().threshold(0).level(level);
                let mut connection = open_deflate::<R>(terms, &Config::new().deflate(config));
                let mut out = Vec::new();
                connection.append(&data[..], &mut out).expect("open");
                connection.append(&data[..300], &mut out).expect("open");
                // `by_the_book` knows the window.
                let messages = by_the_book::<R>(terms, &out);
                assert!(messages[0].2 == data && messages[1].2 == data[..300], "{bits} {level}");
                if bits >= 12 {
                    let first = &frames(&out)[0].payload;
                    let far = references(&[&first[..], &TAIL].concat());
                    assert!(far.iter().any(|(_, distance)| *distance > window / 2), "{level}");
                }
                let heard = messages_of::<P>(terms, &out);
                assert!(heard[0] == data && heard[1] == data[..300]);
            }
        }
    }
    fn messages_of<P: Endpoint>(terms: Terms, bytes: &[u8]) -> Vec<Vec<u8>> {
        let heard = messages(&received::<P>(terms, bytes).events);
        heard.into_iter().map(|(_, bytes)| bytes).collect()
    }
    refer::<Server, TestClient>();
    refer::<TestClient, Server>();
}

// D18: 7692-8-01
#[test]
fn a_message_that_is_never_compressed_leaves_no_trace() {
    fn secret<R: Endpoint>() {
        let guess = "the secret is 4711, or is it not? ".repeat(4);
        let outcomes = ["the secret is 4711, or", "the secret is 0815, or", ""].map(|secret| {
            let mut connection = open_deflate::<R>(KEEP, &always());
            let mut out = vec![0; 1000];
            if !secret.is_empty() {
                let len = connection.send_with(secret, Compress::Never, &mut out).expect("room");
                assert_eq!(len, Connection::<R, Deflate>::frame_len(secret.len()));
                let sent = &frames(&out[..len])[0];
                assert_eq!((sent.first, &sent.payload[..]), (0x81, secret.as_bytes()));
                let mut appended = Vec::new();
                connection.append_with(secret, Compress::Never, &mut appended).expect("open");
                assert_eq!(frames(&appended)[0].payload, secret.as_bytes());
                for (fin, payload) in [(Fin::More, secret.as_bytes()), (Fin::Last, b"!")] {
                    // The first decides, and the second follows it.
                    let compress = if fin == Fin::More { Compress::Never } else { Compress::Auto };
                    let len = connection
                        .send_fragment_with(Kind::Text, fin, payload, compress, &mut out)
                        .expect("room");
                    let sent = &frames(&out[..len])[0];
                    assert_eq!((sent.first & 0x40, &sent.payload[..]), (0, payload));
                }
            }
            send(&mut connection, guess.as_str()).payload
        });
        assert_eq!(outcomes[0], outcomes[1]);
        assert_eq!(outcomes[0], outcomes[2]);
    }
    in_both_roles([secret::<Server>, secret::<TestClient>]);
}

// D18
#[test]
fn a_secret_cannot_end_a_message_that_was_begun_compressed() {
    let mut connection = open_deflate::<Server>(KEEP, &always());
    let mut out = vec![0; 1000];
    connection.send_fragment(Kind::Text, Fin::More, b"begun", &mut out).expect("room");
    let refused =
        connection.send_fragment_with(Kind::Text, Fin::Last, b"secret", Compress::Never, &mut out);
    assert_eq!(refused, Err(SendError::CompressionUnderWay));
    let len = connection.send_fragment(Kind::Text, Fin::Last, b"!", &mut out).expect("room");
    assert_eq!(out[0], 0x80);
    assert!(len > 2);

    connection.send_fragment(Kind::Text, Fin::More, b"begun", &mut out).expect("room");
    connection.close(None, "", &mut out).expect("room");
    let refused =
        connection.send_fragment_with(Kind::Text, Fin::Last, b"secret", Compress::Never, &mut out);
    assert_eq!(refused, Err(SendError::Closed));
}

// ---- fragments

// 7692-6.1-01, 7692-6.1-03, 7692-7.2.1-08, 7692-7.2.1-09, 7692-7.2.3.6-01
#[test]
fn fragments_are_compressed_as_they_come() {
    fn fragment<R: Endpoint, P: Endpoint>() {
        let long = repetitive(900);
        let long = long.as_bytes();
        let rows: [&[&[u8]]; 10] = [
            &[b"Hello"],
            &[b""],
            &[b"", b""],
            &[b"", b"", b""],
            &[b"", b"Hello"],
            &[b"Hello", b""],
            &[b"Hel", b"", b"lo"],
            &[b"", b"Hel", b"", b"", b"lo", b""],
            &[b"gr\xc3", b"\xbc\xc3", b"\x9fe \xf0\x9f", b"\x98", b"\x80"],
            &[long, long, long],
        ];
        for terms in [KEEP, DROP, Terms::both(8, Keep), Terms::both(9, Drop)] {
            let mut connection = open_deflate::<R>(terms, &always());
            let (mut stream, mut plain) = (Vec::new(), Vec::new());
            for pieces in rows {
                let start = stream.len();
                for (at, piece) in pieces.iter().enumerate() {
                    let fin = if at + 1 == pieces.len() { Fin::Last } else { Fin::More };
                    stream.extend(send_fragment(&mut connection, (Kind::Text, fin), piece));
                    // A control frame may come between, and is never compressed.
                    let mut out = [0; 16];
                    let len = connection.ping(b"?", &mut out).expect("open");
                    stream.extend_from_slice(&out[..len]);
                    let under_way = (fin == Fin::More).then_some(Kind::Text);
                    assert_eq!(connection.message_under_way(), under_way);
                }
                let sent = frames(&stream[start..]);
                let sent: Vec<_> = sent.iter().filter(|frame| frame.first != 0x89).collect();
                assert_eq!(sent.len(), pieces.len());
                // The flush is cut off the last only.
                let (last, others) = sent.split_last().expect("frames");
                for (frame, piece) in others.iter().zip(pieces) {
                    assert!(
                        piece.is_empty() && frame.payload.is_empty()
                            || frame.payload.ends_with(&TAIL)
                    );
                }
                assert!(!last.payload.ends_with(&TAIL));
                if pieces.len() > 1 && pieces.last().is_some_and(|piece| piece.is_empty()) {
                    assert_eq!(last.payload, [0]);
                }
                plain.push(pieces.concat());
            }
            let whole = by_the_book::<R>(terms, &stream);
            assert!(whole.iter().map(|(.., bytes)| bytes).eq(&plain));
            let heard = messages(&received::<P>(terms, &stream).events);
            assert!(heard.iter().map(|(_, bytes)| bytes).eq(&plain));
        }
    }
    fragment::<Server, TestClient>();
    fragment::<TestClient, Server>();
}

#[test]
fn a_head_is_no_part_of_a_compressed_message() {
    fn refuse<R: Endpoint, P: Endpoint>() {
        let mut connection = open_deflate::<R>(KEEP, &always());
        let mut stream = send_fragment(&mut connection, (Kind::Text, Fin::More), b"Hel");
        for fin in [Fin::More, Fin::Last] {
            let refused = connection.head(Kind::Text, fin, 2).map(|_| ());
            assert_eq!(refused, Err(SendError::CompressionUnderWay));
        }
        let mut place = [0; HEAD_GAP + 2];
        let refused = connection.send_in_place(Kind::Text, &mut place).map(|_| ());
        assert_eq!(refused, Err(SendError::MessageUnderWay { kind: Kind::Text }));
        stream.extend(send_fragment(&mut connection, (Kind::Text, Fin::Last), b"lo"));

        // One that begins with a head is not compressed, and may go on either way.
        stream.extend(by_head(&mut connection, (Kind::Text, Fin::More), b"Hel"));
        stream.extend(send_fragment(&mut connection, (Kind::Text, Fin::More), b"--"));
        stream.extend(by_head(&mut connection, (Kind::Text, Fin::Last), b"lo"));
        let expected: [(_, _, &[u8]); 2] =
            [(Kind::Text, Compress::Auto, b"Hello"), (Kind::Text, Compress::Never, b"Hel--lo")];
        check_sent::<R, P>(KEEP, &stream, &expected);
    }
    refuse::<Server, TestClient>();
    refuse::<TestClient, Server>();
}

// 7692-6-01, 7692-6.1-03, 6455-5.5.1-06
#[test]
fn what_the_protocol_owes_is_not_compressed() {
    fn owe<R: Endpoint>() {
        let mut connection = open_deflate::<R>(KEEP, &always());
        let mut out = send_fragment(&mut connection, (Kind::Text, Fin::More), b"Hel");
        let mut ping = R::from_peer(&[Part::Frame(0x89, &[b'p'; 125])]);
        assert!(connection.receive(&mut ping).is_ok());
        assert_eq!(connection.append_transmit(&mut out), Transmit::Idle);
        let mut place = [0; 64];
        let len = connection.close(Some(CloseCode::NORMAL), "bye", &mut place).expect("open");
        out.extend_from_slice(&place[..len]);
        let firsts: Vec<_> = frames(&out).iter().map(|frame| frame.first).collect();
        assert_eq!(firsts, [0x41, 0x8a, 0x88]);
        let late = connection.send_fragment(Kind::Text, Fin::Last, b"lo", &mut place);
        assert_eq!(late, Err(SendError::Closed));
    }
    in_both_roles([owe::<Server>, owe::<TestClient>]);
}

#[test]
fn a_fragment_refers_to_those_before_it_whatever_becomes_of_the_context() {
    for terms in [KEEP, DROP] {
        let mut connection = open_deflate::<Server>(terms, &always());
        let text = repetitive(2000);
        let [first, second] = [Fin::More, Fin::Last]
            .map(|fin| send_fragment(&mut connection, (Kind::Text, fin), text.as_bytes()));
        assert!(second.len() < first.len() / 4, "{} behind {}", second.len(), first.len());
    }
}

// ---- prepared messages

// 7692-7.2.1-14, 7692-7.2.1-18
#[test]
fn a_prepared_message_is_compressed_for_those_who_can_take_it() {
    let text = repetitive(2000);
    let bits = |number| WindowBits::new(number).expect("9 to 15");
    for prepared_bits in [9, 11, 15] {
        let prepared =
            Prepared::deflated(text.as_str().into(), &DeflateConfig::new(), bits(prepared_bits));
        for bits in 8..=15 {
            for context in [Keep, Drop] {
                let terms = Terms { ours: (bits, context), theirs: (15, Keep) };
                let mut connection = open_deflate::<Server>(terms, &Config::new());
                let mut out = connection.send_prepared(&prepared).expect("open").to_vec();
                let fits = context == Drop && prepared_bits <= bits;
                let how = if fits { Compress::Auto } else { Compress::Never };
                // Messages of its own are not disturbed.
                connection.append(&text, &mut out).expect("open");
                out.extend_from_slice(connection.send_prepared(&prepared).expect("open"));
                let [prepared, own] =
                    [how, Compress::Auto].map(|how| (Kind::Text, how, text.as_bytes()));
                check_sent::<Server, TestClient>(terms, &out, &[prepared, own, prepared]);
            }
        }
        let mut plain = open_refused::<Server>(&Config::new());
        let sent = plain.send_prepared(&prepared).expect("open");
        assert_eq!(sent, frame(0x81, text.as_bytes(), None));
        let mut plain = support::open::<Server>(&Config::new());
        assert_eq!(plain.send_prepared(&prepared).expect("open"), sent);
    }
    // What is as long as the threshold, or is a byte shorter for it, is compressed.
    for (text, threshold) in [(&text[..512], 512), ("aaaaaaa", 0)] {
        let config = DeflateConfig::new().threshold(threshold);
        let prepared = Prepared::deflated(text.into(), &config, WindowBits::MAX);
        let mut connection = open_deflate::<Server>(DROP, &Config::new());
        assert_eq!(connection.send_prepared(&prepared).expect("open")[0], 0xc1);
    }
    let config = DeflateConfig::new().threshold(0);
    let prepared = Prepared::deflated("aaaaaa".into(), &config, WindowBits::MAX);
    let mut connection = open_deflate::<Server>(DROP, &Config::new());
    assert_eq!(connection.send_prepared(&prepared).expect("open"), b"\x81\x06aaaaaa");
    // What is short or does not shrink is as it is for all.
    for message in [Message::Text(&text[..511]), Message::Binary(&noise(600))] {
        let prepared = Prepared::deflated(message, &DeflateConfig::new(), WindowBits::MAX);
        let mut connection = open_deflate::<Server>(DROP, &Config::new());
        let sent = connection.send_prepared(&prepared).expect("open");
        assert_eq!(sent[0] & 0x40, 0);
        assert!(sent.ends_with(message.as_bytes()));
    }
    // It has its place among messages.
    let prepared = Prepared::deflated(text.as_str().into(), &DeflateConfig::new(), WindowBits::MAX);
    let mut connection = open_deflate::<Server>(DROP, &Config::new());
    send_fragment(&mut connection, (Kind::Binary, Fin::More), b"x");
    let refused = connection.send_prepared(&prepared).map(|_| ());
    assert_eq!(refused, Err(SendError::MessageUnderWay { kind: Kind::Binary }));
}

// ---- from the handshake to messages

const NONCE: [u8; 16] = *b"the sample nonce";

/// The request of a client with this policy, in bytes.
fn request(policy: Option<ClientDeflatePolicy>) -> Vec<u8> {
    let uri = Uri::parse("ws://server.example.com/chat").expect("a URI");
    let handshake = ClientHandshake::new(ClientRequest::new(&uri).deflate(policy), NONCE);
    let handshake = handshake.expect("a good request");
    let mut out = vec![0; handshake.request_len()];
    assert_eq!(handshake.write(&mut out), Ok(out.len()));
    out
}

/// The response of a server with this policy, in bytes, and its connection.
fn response(
    policy: Option<ServerDeflatePolicy>,
    request: &[u8],
) -> (Vec<u8>, Connection<Server, Deflate>) {
    let mut handshake = ServerHandshake::new(HandshakeConfig::new());
    let Ok(Incoming::Upgrade(request)) = handshake.receive(request) else { panic!("no request") };
    let accepted = request.accept(&Accept::new().deflate(policy)).expect("nothing to refuse");
    let mut out = vec![0; accepted.response_len()];
    assert_eq!(accepted.write(&mut out), Ok(out.len()));
    assert_eq!(accepted.negotiated().agreement(), accepted.extensions());
    (out, Connection::new(accepted.negotiated(), Server, &always()))
}

/// What a client with this policy makes of a response.
fn accept(
    policy: Option<ClientDeflatePolicy>,
    response: &[u8],
) -> Result<Connection<TestClient, Deflate>, ResponseError> {
    let uri = Uri::parse("ws://server.example.com/chat").expect("a URI");
    let handshake = ClientHandshake::new(ClientRequest::new(&uri).deflate(policy), NONCE);
    let mut handshake = handshake.expect("a good request");
    match handshake.receive(response)? {
        Answer::Accepted(response) => {
            let negotiated: Negotiated<Deflate> = response.negotiated();
            assert_eq!(negotiated.agreement(), response.extensions());
            Ok(Connection::new(negotiated, TestClient::endpoint(), &always()))
        }
        answer => panic!("{answer:?}"),
    }
}

/// The values of `Sec-WebSocket-Extensions` in a head.
fn extensions(head: &[u8]) -> Vec<&str> {
    let head = std::str::from_utf8(head).expect("ASCII");
    let values = head.lines().map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    values.flatten().collect()
}

/// A response with these values of `Sec-WebSocket-Extensions`.
fn response_with(values: &[&str]) -> Vec<u8> {
    let fields: String =
        values.iter().map(|value| format!("Sec-WebSocket-Extensions: {value}\r\n")).collect();
    let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    format!("{head}{fields}\r\n").into_bytes()
}

const SERVER: ServerDeflatePolicy = ServerDeflatePolicy::new();
const CLIENT: ClientDeflatePolicy = ClientDeflatePolicy::new();
const SMALL: WindowBits = WindowBits::new(9).expect("9 to 15");

// 6455-4.1-50, 6455-4.2.2-17, 6455-4.2.2-18, 6455-4.2.2-19, 6455-4.2.2-26, 6455-5.8-01,
// 6455-9-03, 6455-9.1-07, 7692-5-01, 7692-5-10, 7692-5-18, 7692-5-19, 7692-5-21,
// 7692-7-01
#[test]
fn what_the_handshake_agrees_on_is_what_happens() {
    const DROPPING: ServerDeflatePolicy = SERVER.context(Drop).client_context(Drop);
    let rows = [
        (
            Some(CLIENT),
            Some(SERVER),
            Some("permessage-deflate; client_max_window_bits"),
            Some("permessage-deflate"),
        ),
        (
            Some(CLIENT.server_window_bits(SMALL)),
            Some(DROPPING.client_window_bits(SMALL)),
            Some("permessage-deflate; client_max_window_bits; server_max_window_bits=9"),
            Some(
                "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; \
                 client_no_context_takeover; client_max_window_bits=9",
            ),
        ),
        // The client lets no one limit it, and this server must.
        (
            Some(CLIENT.refuse_window_limit()),
            Some(SERVER.client_window_bits(SMALL)),
            Some("permessage-deflate"),
            None,
        ),
        (Some(CLIENT), None, Some("permessage-deflate; client_max_window_bits"), None),
        (None, Some(SERVER), None, None),
        (None, None, None, None),
    ];
    for (client, server, offer, element) in rows {
        let request = request(client);
        assert_eq!(extensions(&request), offer.into_iter().collect::<Vec<_>>());
        let (response, mut server) = response(server, &request);
        assert_eq!(extensions(&response), element.into_iter().collect::<Vec<_>>());
        let mut client = accept(client, &response).expect("a valid response");

        let text = repetitive(600);
        let rsv1 = if element.is_some() { 0x40 } else { 0 };
        for _ in 0..3 {
            let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
            server.append(&text, &mut to_client).expect("open");
            client.append(&text, &mut to_server).expect("open");
            assert_eq!([to_client[0], to_server[0]], [0x81 | rsv1; 2]);
            for heard in [hear(&mut client, &mut to_client), hear(&mut server, &mut to_server)] {
                assert_eq!(heard, Ok(text.clone()));
            }
        }
        // Without an agreement, RSV1 is what it always was.
        if element.is_none() {
            let error = hear(&mut server, &mut Server::from_peer(&[Part::Frame(0xc1, b"\0")]));
            let rule = Rule::Frame(FrameRule::ReservedBits { bits: 0x40 });
            assert_eq!(error.map_err(|failure| failure.rule()), Err(rule));
            let error = hear(&mut client, &mut TestClient::from_peer(&[Part::Frame(0xc1, b"\0")]));
            assert_eq!(error.map_err(|failure| failure.code()), Err(CloseCode::PROTOCOL_ERROR));
        }
    }
}

/// The text that an endpoint hears.
fn hear<R: Endpoint>(
    connection: &mut Connection<R, Deflate>,
    bytes: &mut [u8],
) -> Result<String, sansocket::Failure> {
    let received = connection.receive(bytes)?;
    let Some(sansocket::Event::Data(mut piece)) = received.event else { panic!("no message") };
    if !piece.is_compressed() {
        let message = piece.into_message().expect("all of it");
        return Ok(message.as_text().expect("text").to_owned());
    }
    let mut out = vec![0; 4096];
    let data = connection.inflate(&mut piece, &mut out)?.expect("all of it");
    Ok(data.into_message().expect("all of it").as_text().expect("text").to_owned())
}

// 7692-5-17, 7692-5-20, 7692-7-08, 6455-4.1-45
#[test]
fn a_client_fails_on_what_it_did_not_offer() {
    let deflate = |error: DeflateResponseError| ResponseError::Deflate(error);
    let refused = Some(CLIENT.refuse_window_limit());
    let not_offered = ResponseError::ExtensionNotOffered;
    let rows: &[(Option<ClientDeflatePolicy>, &[&str], ResponseError)] = &[
        (None, &["permessage-deflate"], not_offered),
        (Some(CLIENT), &["permessage-bzip2"], not_offered),
        (Some(CLIENT), &["permessage-deflate, x-other"], not_offered),
        (Some(CLIENT), &["x-other", "permessage-deflate"], not_offered),
        (
            Some(CLIENT),
            &["permessage-deflate", "permessage-deflate"],
            deflate(DeflateResponseError::ElementRepeated),
        ),
        (
            Some(CLIENT),
            &["permessage-deflate; x"],
            deflate(DeflateResponseError::ParamUnknown { index: 0 }),
        ),
        (
            refused,
            &["permessage-deflate; client_max_window_bits=10"],
            deflate(DeflateResponseError::ParamNotOffered {
                param: sansocket::deflate::DeflateParam::ClientMaxWindowBits,
            }),
        ),
    ];
    for (policy, values, error) in rows {
        assert_eq!(accept(*policy, &response_with(values)).err(), Some(*error), "{values:?}");
    }
    assert!(accept(Some(CLIENT), &response_with(&["permessage-deflate"])).is_ok());
    assert!(accept(Some(CLIENT), &response_with(&[])).is_ok());
    assert!(accept(None, &response_with(&[])).is_ok());
}

// ---- what nobody thought of

/// Something to send.
#[derive(Clone, Debug)]
enum Say {
    Whole(Said, Compress),
    Fragments(Said, Vec<Index>, Compress),
    Ping(Vec<u8>),
}

#[derive(Clone, Debug)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
}

impl Said {
    fn bytes(&self) -> (Kind, &[u8]) {
        match self {
            Self::Text(text) => (Kind::Text, text.as_bytes()),
            Self::Binary(bytes) => (Kind::Binary, bytes),
        }
    }

    fn message(&self) -> Message<'_> {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(bytes) => bytes.into(),
        }
    }
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        ".{0,60}".prop_map(Said::Text),
        (".{1,30}", 1..60_usize).prop_map(|(text, times)| Said::Text(text.repeat(times))),
        vec(any::<u8>(), 0..2000).prop_map(Said::Binary),
        (vec(any::<u8>(), 1..700), 1..6_usize)
            .prop_map(|(bytes, times)| Said::Binary(bytes.repeat(times))),
        (0..4000_usize).prop_map(|len| Said::Text(repetitive(len))),
    ]
}

fn say() -> impl Strategy<Value = Say> {
    let compress = || prop_oneof![3 => Just(Compress::Auto), 1 => Just(Compress::Never)];
    prop_oneof![
        3 => (said(), compress()).prop_map(|(said, compress)| Say::Whole(said, compress)),
        3 => (said(), vec(any::<Index>(), 0..4), compress())
            .prop_map(|(said, cuts, compress)| Say::Fragments(said, cuts, compress)),
        1 => vec(any::<u8>(), 0..=125).prop_map(Say::Ping),
    ]
}

/// `bytes` cut at these places.
fn cut<'b>(bytes: &'b [u8], cuts: &[Index]) -> Vec<&'b [u8]> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    let (mut pieces, mut start) = (Vec::new(), 0);
    for place in places.into_iter().chain([bytes.len()]) {
        pieces.push(&bytes[start..place]);
        start = place;
    }
    pieces
}

impl Say {
    fn said(&self) -> Option<&Said> {
        match self {
            Self::Whole(said, _) | Self::Fragments(said, ..) => Some(said),
            Self::Ping(_) => None,
        }
    }

    fn send<R: Endpoint>(&self, connection: &mut Connection<R, Deflate>, stream: &mut Vec<u8>) {
        match self {
            Self::Whole(said, compress) => {
                connection.append_with(said.message(), *compress, stream).expect("open");
            }
            Self::Fragments(said, cuts, compress) => {
                let (kind, bytes) = said.bytes();
                let pieces = cut(bytes, cuts);
                for (at, piece) in pieces.iter().enumerate() {
                    let fin = if at + 1 == pieces.len() { Fin::Last } else { Fin::More };
                    let mut out = vec![0; connection.send_len_max(piece.len())];
                    let len = connection
                        .send_fragment_with(kind, fin, piece, *compress, &mut out)
                        .expect("open");
                    stream.extend_from_slice(&out[..len]);
                }
            }
            Self::Ping(payload) => {
                let mut out = [0; 131];
                let len = connection.ping(payload, &mut out).expect("open");
                stream.extend_from_slice(&out[..len]);
            }
        }
    }
}

fn direction() -> impl Strategy<Value = (u8, ContextTakeover)> {
    (8..=15_u8, any::<bool>().prop_map(|keeps| if keeps { Keep } else { Drop }))
}

fn config() -> impl Strategy<Value = DeflateConfig> {
    (0..=9_u8, 1..=9_u8, prop_oneof![Just(0), Just(512), 0..3000_usize]).prop_map(
        |(level, mem_level, threshold)| {
            DeflateConfig::new().level(level).mem_level(mem_level).threshold(threshold)
        },
    )
}

fn hears_what_was_said<R: Endpoint, P: Endpoint>(
    terms: Terms,
    config: &DeflateConfig,
    script: &[Say],
    (cuts, out_len): (&[Index], usize),
) -> Result<(), TestCaseError> {
    let mut connection = open_deflate::<R>(terms, &Config::new().deflate(config.clone()));
    let mut stream = Vec::new();
    script.iter().for_each(|say| say.send(&mut connection, &mut stream));
    let expected: Vec<_> = script.iter().filter_map(Say::said).map(Said::bytes).collect();

    let book = by_the_book::<R>(terms, &stream);
    let book: Vec<_> = book.iter().map(|(kind, _, bytes)| (*kind, &bytes[..])).collect();
    prop_assert_eq!(&book, &expected);

    let open = || open_deflate::<P>(terms.of_peer(), &Config::new());
    let outcome = run_inflating(open(), out_len, &cut(&stream, cuts));
    prop_assert_eq!(outcome.failure, None);
    let heard = messages(&outcome.events);
    let heard: Vec<_> = heard.iter().map(|(kind, bytes)| (*kind, &bytes[..])).collect();
    prop_assert_eq!(&heard, &expected);
    let outcome = run_inbox(open(), Unit::Messages, &cut(&stream, cuts));
    let heard = messages(&outcome.events);
    let heard: Vec<_> = heard.iter().map(|(kind, bytes)| (*kind, &bytes[..])).collect();
    prop_assert_eq!(&heard, &expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    // 7692-6.1-01, 7692-6.2-01, 7692-7.2.1-01
    #[test]
    fn what_one_endpoint_says_the_other_hears(
        (ours, theirs) in (direction(), direction()),
        config in config(),
        script in vec(say(), 0..6),
        cuts in vec(any::<Index>(), 0..8),
        out_len in 1..3000_usize,
    ) {
        let terms = Terms { ours, theirs };
        let cuts = (&cuts[..], out_len);
        hears_what_was_said::<Server, TestClient>(terms, &config, &script, cuts)?;
        hears_what_was_said::<TestClient, Server>(terms, &config, &script, cuts)?;
    }
}
