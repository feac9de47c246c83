//! Fragments (RFC 6455 sections 5.4 and 5.6): sent, received, forwarded, and put
//! together again.

#![cfg(feature = "alloc")]

mod support;

use sansocket::{
    Assembled, Assembler, Config, Connection, Delivery, Event, Fin, FrameStart, Inbox, InboxError,
    Kind, Message, Position, Ready, SendError, Server, Storage, Transmit,
};
use support::{
    Embedder, Endpoint, Part, Seen, TestClient, check, check_both, frames, in_both_roles, messages,
    open, written,
};

use Part::Frame;

/// One, two, three and four bytes long, and nothing.
const TEXT: &str = "a\u{e9}\u{20ac}\u{1f600}!";

/// Sends fragments, the last one with FIN.
fn send_all<R: Endpoint>(
    connection: &mut Connection<R>,
    kind: Kind,
    fragments: &[&[u8]],
) -> Result<Vec<u8>, SendError> {
    let (mut out, mut place) = (Vec::new(), vec![0; 256]);
    for (i, fragment) in fragments.iter().enumerate() {
        let fin = if i + 1 == fragments.len() { Fin::Last } else { Fin::More };
        let len = connection.send_fragment(kind, fin, fragment, &mut place)?;
        out.extend_from_slice(&place[..len]);
        let under_way = if fin == Fin::Last { None } else { Some(kind) };
        assert_eq!(connection.message_under_way(), under_way);
    }
    Ok(out)
}

// 6455-5.4-03, 6455-5.4-10, 6455-5.4-16, 6455-6.1-05, 6455-6.1-06, 6455-6.1-07
#[test]
fn fragments_are_sent_with_the_opcode_first_and_fin_last() {
    fn send<R: Endpoint>() {
        let mut connection = open::<R>(&Config::new());
        let mut out = send_all(&mut connection, Kind::Text, &[b"a", b"", b"bc"]).expect("text");
        out.extend(send_all(&mut connection, Kind::Binary, &[b"", b"\xff"]).expect("binary"));
        out.extend(send_all(&mut connection, Kind::Text, &[b"whole"]).expect("text"));
        assert_eq!(
            written::<R>(&out),
            r"text [a, more , more bc], binary [, more \xff], text [whole]"
        );
    }
    in_both_roles([send::<Server>, send::<TestClient>]);
}

// 6455-5.4-01, 6455-5.6-01, 6455-5.6-02
#[test]
fn text_is_sent_in_fragments_cut_anywhere() {
    fn cut<R: Endpoint, P: Endpoint>() {
        let text = TEXT.as_bytes();
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let fragments = [&text[..first], &text[first..second], &text[second..]];
                let sent = send_all(&mut open::<R>(&Config::new()), Kind::Text, &fragments);
                let mut peer = Embedder::new(open::<P>(&Config::new()));
                peer.feed(&sent.expect("text as a whole"));
                assert_eq!(messages(&peer.events), [(Kind::Text, text.to_vec())]);
                let [Seen::Data(piece)] = &peer.events[..] else { panic!("one message") };
                assert_eq!(piece.frames.len(), 3);
            }
        }
    }
    in_both_roles([cut::<Server, TestClient>, cut::<TestClient, Server>]);
}

// 6455-5.6-02, 6455-5.6-03
#[test]
fn a_text_is_refused_with_the_fragment_that_makes_it_none() {
    let wrong = |at| Err(SendError::TextNotUtf8 { at });
    let rows: &[(&[&[u8]], _)] = &[
        (&[b"ok", b"o\xffk"], wrong(1)),
        (&[b"\xe2\x82", b"x"], wrong(0)),
        (&[b"\xe2", b"\x82"], wrong(1)),
        (&[b"\xe2", b""], wrong(0)),
        (&[b"\xed", b"\xa0\x80"], wrong(0)),
        (&[b"\xf4", b"\x90", b"\x80\x80"], wrong(0)),
    ];
    for (fragments, error) in rows {
        let mut connection = open::<Server>(&Config::new());
        assert_eq!(send_all(&mut connection, Kind::Text, fragments), *error);
        assert_eq!(
            send_all(&mut open::<Server>(&Config::new()), Kind::Binary, fragments).err(),
            None
        );
    }
    // The message can be brought to a good end, and the next starts anew.
    let (mut connection, mut out) = (open::<Server>(&Config::new()), [0; 16]);
    assert_eq!(connection.send_fragment(Kind::Text, Fin::More, b"\xe2\x82", &mut out), Ok(4));
    assert_eq!(
        connection.send_fragment(Kind::Text, Fin::Last, b"x", &mut out).map(|_| vec![]),
        wrong(0)
    );
    assert_eq!(connection.send_fragment(Kind::Text, Fin::Last, b"\xac", &mut out), Ok(3));
    assert_eq!(connection.send_fragment(Kind::Text, Fin::Last, b"x", &mut out), Ok(3));
}

// 6455-5.4-05, 6455-5.4-08, 6455-5.5.2-03
#[test]
fn only_control_frames_go_between_fragments() {
    fn between<R: Endpoint>() {
        let (mut connection, mut out) = (open::<R>(&Config::new()), vec![0; 64]);
        let len = connection.send_fragment(Kind::Binary, Fin::More, b"a", &mut out).expect("open");
        out.truncate(len);
        let mut place = [0; 64];
        let under_way = Err(SendError::MessageUnderWay { kind: Kind::Binary });
        assert_eq!(connection.send("no", &mut place), under_way);
        assert_eq!(connection.send_fragment(Kind::Text, Fin::Last, b"no", &mut place), under_way);
        let len = connection.ping(b"1", &mut place).expect("between fragments");
        out.extend_from_slice(&place[..len]);
        let mut ping = R::from_peer(&[Frame(0x89, b"2")]);
        assert!(connection.receive(&mut ping).is_ok());
        assert_eq!(connection.append_transmit(&mut out), Transmit::Idle);
        let len =
            connection.send_fragment(Kind::Binary, Fin::Last, b"b", &mut place).expect("its own");
        out.extend_from_slice(&place[..len]);
        assert_eq!(written::<R>(&out), "binary [a, ping 1, pong 2, more b]");
    }
    in_both_roles([between::<Server>, between::<TestClient>]);
}

// 6455-5.5.1-06, 6455-6.1-03
#[test]
fn a_message_under_way_stays_unfinished_after_a_close() {
    fn close<R: Endpoint>() {
        let (mut connection, mut out) = (open::<R>(&Config::new()), [0; 64]);
        assert!(connection.send_fragment(Kind::Text, Fin::More, b"a", &mut out).is_ok());
        assert!(connection.close(None, "", &mut out).is_ok());
        let late = connection.send_fragment(Kind::Text, Fin::Last, b"b", &mut out);
        assert_eq!(late, Err(SendError::Closed));
    }
    in_both_roles([close::<Server>, close::<TestClient>]);
}

#[test]
fn heads_make_fragments_too() {
    fn heads<R: Endpoint>() {
        let (mut connection, mut out) = (open::<R>(&Config::new()), Vec::new());
        for (fin, payload) in [(Fin::More, *b"ab"), (Fin::More, *b"cd"), (Fin::Last, *b"ef")] {
            let mut head = connection.head(Kind::Text, fin, 2).expect("open");
            out.extend_from_slice(head.as_bytes());
            let mut payload = payload;
            head.mask(&mut payload);
            out.extend(payload);
            connection.payload_written(2).expect("as announced");
        }
        assert_eq!(written::<R>(&out), "text [ab, more cd, more ef]");
        assert_eq!(connection.message_under_way(), None);
    }
    in_both_roles([heads::<Server>, heads::<TestClient>]);
}

// 6455-5.4-04, 6455-5.4-07, 6455-5.4-11, 6455-6.2-03, 6455-6.2-05
#[test]
fn each_frame_is_told_of_once_with_its_place_in_the_message() {
    let parts = &[
        Frame(0x02, b"ab"),
        Frame(0x00, b""),
        Frame(0x89, b""),
        Frame(0x80, b"c"),
        Frame(0x82, b"d"),
    ];
    check_both(&Config::new(), parts, |outcome, _| {
        let frames: Vec<FrameStart> = outcome
            .events
            .iter()
            .flat_map(|event| match event {
                Seen::Data(piece) => piece.frames.clone(),
                _ => vec![],
            })
            .collect();
        let start = |position, fin, payload_len| FrameStart { position, fin, payload_len };
        let expected = [
            start(Position::First, Fin::More, 2),
            start(Position::Later, Fin::More, 0),
            start(Position::Later, Fin::Last, 1),
            start(Position::First, Fin::Last, 1),
        ];
        assert_eq!(frames, expected);
        assert_eq!(
            messages(&outcome.events),
            [(Kind::Binary, b"abc".into()), (Kind::Binary, b"d".into())]
        );
    });
}

// Chunking must not multiply frames.
#[test]
fn whole_frames_can_be_forwarded_as_they_came() {
    let parts = &[
        Frame(0x01, b"one "),
        Frame(0x00, b""),
        Frame(0x80, &[b'x'; 300]),
        Frame(0x82, b""),
        Frame(0x82, b"end"),
    ];
    let stream = Server::from_peer(parts);
    for size in [1, 2, 7, 100, 1000] {
        let (mut from, mut to) = (open::<Server>(&Config::new()), open::<Server>(&Config::new()));
        let (mut out, mut input) = (Vec::new(), Vec::new());
        for chunk in stream.chunks(size) {
            input.extend_from_slice(chunk);
            let mut rest = &mut input[..];
            loop {
                let received = from.receive(rest).expect("a valid stream");
                let left = received.rest.len();
                rest = received.rest;
                let Some(event) = received.event else {
                    let from = input.len() - left;
                    input.drain(..from);
                    break;
                };
                let Event::Data(data) = event else { panic!("only data was sent") };
                if let Some(FrameStart { fin, payload_len, .. }) = data.frame_start() {
                    let head = to.head(data.kind(), fin, payload_len).expect("frame by frame");
                    out.extend_from_slice(head.as_bytes());
                }
                out.extend_from_slice(data.bytes());
                to.payload_written(data.bytes().len() as u64).expect("no more than announced");
            }
        }
        assert!(out == TestClient::from_peer(parts), "in pieces of {size}");
        assert_eq!(frames(&out).len(), parts.len());
    }
}

// P1
#[test]
fn an_assembler_lends_in_place_what_came_whole_and_joins_the_rest() {
    fn assemble<S: Storage>(mut assembler: Assembler<S>) {
        let parts = &[
            Frame(0x81, b"whole"),
            Frame(0x01, b"fr"),
            Frame(0x89, b""),
            Frame(0x80, b"ag"),
            Frame(0x82, b""),
            Frame(0x01, b"an"),
            Frame(0x80, b"other"),
        ];
        let mut stream = Server::from_peer(parts);
        let mut connection = open::<Server>(&Config::new());
        let (mut rest, mut seen) = (&mut stream[..], Vec::new());
        while !rest.is_empty() {
            let received = connection.receive(rest).expect("a valid stream");
            rest = received.rest;
            let Some(Event::Data(data)) = received.event else { continue };
            seen.push(match assembler.push(data).expect("in order") {
                Assembled::Stored => "stored".to_owned(),
                Assembled::InPlace(message) => format!("in place {message:?}"),
                Assembled::Joined(message) => format!("joined {message:?}"),
            });
        }
        let expected = [
            r#"in place Text("whole")"#,
            "stored",
            r#"joined Text("frag")"#,
            "in place Binary([])",
            "stored",
            r#"joined Text("another")"#,
        ];
        assert_eq!(seen, expected);
    }
    assemble(Assembler::over(&mut [0; 16]));
    assemble(Assembler::new(Vec::new(), 16));
}

#[test]
fn a_piece_says_how_much_of_its_frame_is_still_to_come() {
    let mut stream = Server::from_peer(&[Frame(0x82, &[7; 10])]);
    let mut connection = open::<Server>(&Config::new());
    let (mut begun, mut left) = (0, Vec::new());
    for end in [6 + 4, 6 + 9, 6 + 10] {
        let received = connection.receive(&mut stream[begun..end]).expect("a valid stream");
        let Some(Event::Data(data)) = received.event else { panic!("no data") };
        left.push(data.frame_left());
        begun = end;
    }
    assert_eq!(left, [6, 1, 0]);
}

#[test]
fn an_inbox_lends_whole_messages_however_they_come() {
    let long = TEXT.repeat(500);
    let (start, end) = long.as_bytes().split_at(1234);
    let parts = &[
        Frame(0x81, b"short"),
        Frame(0x89, b"?"),
        Frame(0x01, start),
        Frame(0x8a, b"!"),
        Frame(0x80, end),
        Frame(0x82, b""),
        Frame(0x88, b"\x03\xe8bye"),
    ];
    let stream = Server::from_peer(parts);
    for size in [1, 3, 100, 257, 5000, 100_000] {
        let mut connection = open::<Server>(&Config::new());
        let mut inbox = Inbox::with_capacity(0);
        let (mut heard, mut unread) = (Vec::new(), &stream[..]);
        while !unread.is_empty() {
            let spare = inbox.spare();
            let len = size.min(unread.len()).min(spare.len());
            assert!(len > 0, "no room was left");
            spare[..len].copy_from_slice(&unread[..len]);
            inbox.filled(len);
            unread = &unread[len..];
            while inbox.advance(&mut connection).expect("a valid stream") != Ready::Need {
                heard.push(match inbox.delivery().expect("something was found") {
                    Delivery::Message(Message::Text(text)) if text == long => {
                        "the long one".to_owned()
                    }
                    delivery => format!("{delivery:?}"),
                });
            }
            assert_eq!(inbox.delivery(), None);
        }
        let expected = [
            r#"Message(Text("short"))"#,
            "Ping([63])",
            "Pong([33])",
            "the long one",
            "Message(Binary([]))",
            r#"Close(Some(CloseFrame { code: CloseCode(1000), reason: "bye" }))"#,
        ];
        assert_eq!(heard, expected, "in pieces of {size}");
        assert_eq!(inbox.unread(), b"");
    }
}

// F32, with lengths of every form: 6455-6.2-01
#[test]
fn long_frames_are_the_same_however_they_are_cut() {
    for len in [126, 1000, 65_535, 65_536] {
        let payload: Vec<u8> = TEXT.bytes().cycle().take(TEXT.len() * (len / TEXT.len())).collect();
        let fragment = &payload[..payload.len() / 2];
        let parts = &[
            Frame(0x81, &payload),
            Frame(0x89, b"?"),
            Frame(0x02, fragment),
            Frame(0x80, fragment),
        ];
        check_both(&Config::new(), parts, |outcome, role| {
            let fragments = [fragment, fragment].concat();
            assert!(
                messages(&outcome.events)
                    == [(Kind::Text, payload.clone()), (Kind::Binary, fragments)]
            );
            assert_eq!((role.written)(&outcome.written), "pong ?");
        });
    }
    let longest =
        [Frame(0x89, &[b'p'; 125]), Frame(0x88, &[&b"\x03\xe8"[..], &[b'r'; 123]].concat())];
    assert_eq!(check::<Server>(&Config::new(), &Server::from_peer(&longest)).failure, None);
}

// F19: 6455-8.1-01; P5 and P7. The rest begins behind the whole chunk, the piece
// ends before the bad byte.
#[test]
fn an_inbox_lends_the_piece_before_a_bad_byte_and_no_other() {
    let stream = Server::from_peer(&[Frame(0x01, b"abc\xffDEFGH")]);
    let mut inbox = Inbox::new();
    let fill = |inbox: &mut Inbox, bytes: &[u8]| {
        inbox.spare()[..bytes.len()].copy_from_slice(bytes);
        inbox.filled(bytes.len());
    };
    let mut connection = open::<Server>(&Config::new());
    fill(&mut inbox, &stream);
    assert_eq!(inbox.advance_piece(&mut connection), Ok(Ready::Data));
    assert_eq!(inbox.data().expect("a piece").bytes(), b"abc");
    assert!(inbox.advance_piece(&mut connection).is_err());

    // Another connection finds nothing of it.
    inbox.discard();
    let mut connection = open::<Server>(&Config::new());
    fill(&mut inbox, &stream);
    assert!(inbox.advance(&mut connection).is_err());
    inbox.discard();
    assert!(inbox.is_idle());
    let mut connection = open::<Server>(&Config::new());
    fill(&mut inbox, &Server::from_peer(&[Frame(0x01, b"x"), Frame(0x80, b"y")]));
    assert_eq!(inbox.advance(&mut connection), Ok(Ready::Message));
    assert_eq!(inbox.delivery(), Some(Delivery::Message(Message::Text("xy"))));
}

#[test]
fn a_message_is_finished_in_the_way_it_was_begun() {
    let stream = Server::from_peer(&[Frame(0x01, b"be"), Frame(0x80, b"gun")]);
    let (first, second) = stream.split_at(stream.len() - 9);
    let mut connection = open::<Server>(&Config::new());
    let mut inbox = Inbox::new();
    inbox.extend(first);
    assert_eq!(inbox.advance(&mut connection), Ok(Ready::Need));
    assert_eq!(inbox.advance_piece(&mut connection), Err(InboxError::MessageUnderWay));
    inbox.extend(second);
    assert_eq!(inbox.advance(&mut connection), Ok(Ready::Message));

    let mut connection = open::<Server>(&Config::new());
    inbox.extend(&stream);
    assert_eq!(inbox.advance_piece(&mut connection), Ok(Ready::Data));
    assert_eq!(inbox.advance(&mut connection), Err(InboxError::PiecesUnderWay));
    assert_eq!(inbox.advance_piece(&mut connection), Ok(Ready::Data));
    assert!(inbox.ends_message());

    // Nor by the message of another connection.
    inbox.extend(first);
    assert_eq!(inbox.advance_piece(&mut connection), Ok(Ready::Data));
    let mut short = Server::from_peer(&[Frame(0x81, b"short")]);
    inbox.extend(&short);
    let mut other = open::<Server>(&Config::new());
    assert!(other.receive(&mut short).is_ok_and(|received| received.event.is_some()));
    assert_eq!(inbox.advance(&mut other), Err(InboxError::PiecesUnderWay));
}

// P3: a reused inbox does not grow with what it was used for.
#[test]
fn an_inbox_starts_anew_for_each_connection() {
    let mut inbox = Inbox::new();
    let room = inbox.spare().len();
    for _ in 0..100 {
        inbox.extend(&[0; 4096]);
        inbox.discard();
    }
    assert_eq!(inbox.spare().len(), room);
}
