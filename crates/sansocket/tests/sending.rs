//! Sending: every way gives the same frame, a client masks each with a key of
//! its own, and a call that is refused changes nothing.

#![cfg(feature = "alloc")]

mod support;

use sansocket::{
    ChaChaKeys, Client, CloseCode, Config, Connection, Event, Fin, HEAD_GAP, Kind, Message,
    Negotiated, Prepared, SendError, Server, State, Transmit,
};
use support::{Endpoint, Part, TestClient, first_frame, frame, in_both_roles, open, written};

/// Payload lengths around each border of the length forms.
const LENGTHS: [usize; 8] = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000];

/// A way to send a binary message: what is to be written.
type Way<R> = (&'static str, fn(&mut Connection<R>, &[u8]) -> Vec<u8>);

fn ways<R: Endpoint>() -> Vec<Way<R>> {
    vec![
        ("send", |connection, payload| {
            let mut out = vec![0; Connection::<R>::frame_len(payload.len())];
            assert_eq!(connection.send(payload, &mut out), Ok(out.len()));
            out
        }),
        ("append", |connection, payload| {
            let mut out = b"before".to_vec();
            connection.append(payload, &mut out).expect("open");
            assert_eq!(out[..6], *b"before");
            out.split_off(6)
        }),
        ("send_fragment", |connection, payload| {
            let mut out = vec![0; payload.len() + 20];
            let len =
                connection.send_fragment(Kind::Binary, Fin::Last, payload, &mut out).expect("open");
            out.truncate(len);
            out
        }),
        ("send_in_place", |connection, payload| {
            let mut buf = [&[0xaa; HEAD_GAP], payload].concat();
            connection.send_in_place(Kind::Binary, &mut buf).expect("open").to_vec()
        }),
        ("head, masked whole", |connection, payload| by_head(connection, payload, payload.len())),
        ("head, masked in pieces", |connection, payload| by_head(connection, payload, 7)),
    ]
}

fn by_head<R: Endpoint>(connection: &mut Connection<R>, payload: &[u8], piece: usize) -> Vec<u8> {
    let mut head = connection.head(Kind::Binary, Fin::Last, payload.len() as u64).expect("open");
    let mut out = head.as_bytes().to_vec();
    for piece in payload.chunks(piece.max(1)) {
        let mut piece = piece.to_vec();
        head.mask(&mut piece);
        connection.payload_written(piece.len() as u64).expect("as announced");
        out.extend(piece);
    }
    out
}

// 6455-5.1-01, 6455-5.1-05, 6455-5.2-03, 6455-5.2-08, 6455-5.2-11, 6455-5.3-01, 6455-5.4-02,
// 6455-6.1-01, 6455-6.1-04, 6455-6.1-06, 6455-6.1-07, 6455-6.1-08
#[test]
fn every_way_of_sending_gives_the_same_frame() {
    fn same<R: Endpoint>() {
        for len in LENGTHS {
            let payload: Vec<u8> = b"payload ".iter().copied().cycle().take(len).collect();
            for (name, send) in ways::<R>() {
                let mut connection = open::<R>(&Config::new());
                let [first, second] = [(); 2].map(|()| send(&mut connection, &payload));
                let key = first_frame(&first).expect("a whole frame").key;
                assert_eq!(key.is_some(), !R::is_server(), "{name}");
                assert!(first == frame(0x82, &payload, key), "{name} of {len} bytes");
                assert_eq!(first.len(), Connection::<R>::frame_len(len));
                // The next has the same form and another key.
                assert_eq!(first.len(), second.len());
                assert_eq!(written::<R>(&[first, second].concat()).matches('[').count(), 2);
            }
            let frames: Vec<_> = ways::<R>()
                .iter()
                .map(|(_, send)| send(&mut open::<R>(&Config::new()), &payload))
                .collect();
            assert!(frames.windows(2).all(|pair| pair[0] == pair[1]), "with the same key, too");
        }
    }
    in_both_roles([same::<Server>, same::<TestClient>]);
}

// 6455-5.2-08, 6455-5.2-10, 6455-5.2-11, 6455-5.2-12
#[test]
fn headers_have_exactly_these_forms() {
    let rows: &[(usize, &[u8])] = &[
        (0, b"\x82\x00"),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (65_535, b"\x82\x7e\xff\xff"),
        (65_536, b"\x82\x7f\0\0\0\0\0\x01\0\0"),
    ];
    for (len, form) in rows {
        let server = open::<Server>(&Config::new()).head(Kind::Binary, Fin::Last, *len as u64);
        assert_eq!(server.expect("open").as_bytes(), *form);
        let client = open::<TestClient>(&Config::new()).head(Kind::Binary, Fin::Last, *len as u64);
        let mut masked = form.to_vec();
        masked[1] |= 0x80;
        masked.extend(0x9e37_79b1_u32.to_be_bytes()); // the first test key
        assert_eq!(client.expect("open").as_bytes(), masked);
    }
}

// 6455-5.1-01, 6455-5.1-05, 6455-5.3-02, 6455-5.5.1-05, 6455-10.3-01
#[test]
fn a_client_masks_everything_with_fresh_keys_and_a_server_nothing() {
    fn send<R: Endpoint>() {
        let (mut connection, mut out) = (open::<R>(&Config::new()), Vec::new());
        connection.append("", &mut out).expect("open");
        connection.append(b"b", &mut out).expect("open");
        let mut place = [0; 64];
        for (fin, payload) in [(Fin::More, b"f"), (Fin::Last, b"g")] {
            let len = connection.send_fragment(Kind::Text, fin, payload, &mut place).expect("open");
            out.extend_from_slice(&place[..len]);
        }
        let len = connection.ping(b"", &mut place).expect("open");
        out.extend_from_slice(&place[..len]);
        let len = connection.pong(b"!", &mut place).expect("open");
        out.extend_from_slice(&place[..len]);
        let received =
            connection.receive(&mut R::from_peer(&[Part::Frame(0x89, b"?")])).map(|_| ());
        assert_eq!(received, Ok(()));
        assert_eq!(connection.append_transmit(&mut out), Transmit::Idle);
        let len = connection.close(Some(CloseCode::NORMAL), "bye", &mut place).expect("open");
        out.extend_from_slice(&place[..len]);
        // `written` looks at every key.
        let expected =
            "text [], binary [b], text [f, more g], ping , pong !, pong ?, close 1000 bye";
        assert_eq!(written::<R>(&out), expected);
    }
    in_both_roles([send::<Server>, send::<TestClient>]);
}

// 6455-5.3-02, 6455-5.3-03
#[test]
fn the_keys_of_a_client_follow_from_its_seed() {
    let frames = |seed| {
        let role = Client::new(ChaChaKeys::from_seed([seed; 32]));
        let mut connection = Connection::new(Negotiated::from_upgraded(), role, &Config::new());
        let mut out = Vec::new();
        for _ in 0..100 {
            connection.append("same", &mut out).expect("open");
        }
        let keys: Vec<_> = support::frames(&out).iter().map(|frame| frame.key).collect();
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!((keys.len(), distinct.len()), (100, 100));
        keys
    };
    assert_eq!(frames(1), frames(1));
    assert_ne!(frames(1), frames(2));
}

#[test]
fn a_frame_takes_the_room_it_says_and_not_a_byte_more() {
    fn room<R: Endpoint>() {
        for len in [0, 5, 125, 126, 65_536] {
            let (payload, need) = (vec![b'x'; len], Connection::<R>::frame_len(len));
            let mut connection = open::<R>(&Config::new());
            let too_small = Err(SendError::OutputTooSmall { need });
            for room in [0, need / 2, need - 1] {
                let mut out = vec![7; room];
                assert_eq!(connection.send(&payload[..], &mut out), too_small);
                assert!(out.iter().all(|byte| *byte == 7));
            }
            let mut out = vec![7; need + 3];
            assert_eq!(connection.send(&payload[..], &mut out), Ok(need));
            assert_eq!(out[need..], [7; 3]);
        }
    }
    in_both_roles([room::<Server>, room::<TestClient>]);
}

/// A call that must be refused, what was done before it, and why.
type Refused<R> =
    (fn(&mut Connection<R>), fn(&mut Connection<R>, &mut [u8]) -> Option<SendError>, SendError);

fn refused<R: Endpoint>() -> Vec<Refused<R>> {
    let ready: fn(&mut Connection<R>) = |_| {};
    let fragment: fn(&mut Connection<R>) = |connection| {
        let sent = connection.send_fragment(Kind::Text, Fin::More, b"\xe2", &mut [0; 16]);
        assert!(sent.is_ok());
    };
    let head: fn(&mut Connection<R>) =
        |connection| _ = connection.head(Kind::Binary, Fin::Last, 9).expect("open");
    let closed: fn(&mut Connection<R>) =
        |connection| _ = connection.close(None, "", &mut [0; 16]).expect("open");
    let under_way = SendError::MessageUnderWay { kind: Kind::Text };
    let unwritten = SendError::PayloadUnwritten { left: 9 };
    let small =
        |need| SendError::OutputTooSmall { need: if R::is_server() { need } else { need + 4 } };
    vec![
        (ready, |c, out| c.send("four", &mut out[..5]).err(), small(6)),
        (ready, |c, out| c.ping(b"four", &mut out[..5]).err(), small(6)),
        (ready, |c, out| c.close(None, "", &mut out[..1]).err(), small(2)),
        (
            ready,
            |c, out| c.send_fragment(Kind::Text, Fin::More, b"four", &mut out[..5]).err(),
            small(6),
        ),
        (ready, |c, out| c.ping(&[0; 126], out).err(), SendError::ControlTooLong { len: 126 }),
        (ready, |c, out| c.pong(&[0; 300], out).err(), SendError::ControlTooLong { len: 300 }),
        (ready, |c, _| c.payload_written(1).err(), SendError::Overpaid { len: 1, left: 0 }),
        (
            ready,
            |c, _| c.head(Kind::Binary, Fin::More, 1 << 63).err(),
            SendError::PayloadTooLong { len: 1 << 63 },
        ),
        (
            ready,
            |c, out| c.send_fragment(Kind::Text, Fin::Last, b"ab\xff", out).err(),
            SendError::TextNotUtf8 { at: 2 },
        ),
        (ready, |c, out| c.send_in_place(Kind::Text, out).err(), SendError::TextNotUtf8 { at: 0 }),
        (
            ready,
            |c, out| c.send_in_place(Kind::Text, &mut out[..HEAD_GAP - 1]).err(),
            SendError::OutputTooSmall { need: HEAD_GAP },
        ),
        (fragment, |c, out| c.send("x", out).err(), under_way),
        (fragment, |c, _| c.append("x", &mut Vec::new()).err(), under_way),
        (fragment, |c, out| c.send_in_place(Kind::Text, out).err(), under_way),
        (fragment, |c, out| c.send_fragment(Kind::Binary, Fin::Last, b"x", out).err(), under_way),
        (fragment, |c, _| c.head(Kind::Binary, Fin::Last, 1).err(), under_way),
        (
            fragment,
            |c, out| c.send_fragment(Kind::Text, Fin::More, b"x", out).err(),
            SendError::TextNotUtf8 { at: 0 },
        ),
        (
            fragment,
            |c, out| c.send_fragment(Kind::Text, Fin::Last, b"\x82", out).err(),
            SendError::TextNotUtf8 { at: 1 },
        ),
        (head, |c, out| c.send("x", out).err(), unwritten),
        (head, |c, _| c.append("x", &mut Vec::new()).err(), unwritten),
        (head, |c, out| c.send_fragment(Kind::Text, Fin::Last, b"", out).err(), unwritten),
        (head, |c, out| c.send_in_place(Kind::Text, out).err(), unwritten),
        (head, |c, _| c.head(Kind::Text, Fin::Last, 0).err(), unwritten),
        (head, |c, out| c.ping(b"", out).err(), unwritten),
        (head, |c, out| c.pong(b"", out).err(), unwritten),
        (head, |c, out| c.close(None, "", out).err(), unwritten),
        (head, |c, _| c.payload_written(10).err(), SendError::Overpaid { len: 10, left: 9 }),
        (closed, |c, out| c.send("x", out).err(), SendError::Closed),
        (closed, |c, _| c.append("x", &mut Vec::new()).err(), SendError::Closed),
        (
            closed,
            |c, out| c.send_fragment(Kind::Text, Fin::Last, b"", out).err(),
            SendError::Closed,
        ),
        (closed, |c, out| c.send_in_place(Kind::Text, out).err(), SendError::Closed),
        (closed, |c, _| c.head(Kind::Text, Fin::Last, 0).err(), SendError::Closed),
        (closed, |c, out| c.ping(b"", out).err(), SendError::Closed),
        // A Pong may still be sent: see `closing_handshake.rs`.
        (closed, |c, out| c.close(None, "", out).err(), SendError::Closed),
    ]
}

/// Everything that a connection can still send, finished and unfinished.
fn all_that_follows<R: Endpoint>(connection: &mut Connection<R>) -> Vec<u8> {
    let mut out = vec![0; 256];
    let _ = connection.payload_written(9);
    if let Some(kind) = connection.message_under_way() {
        let len = connection.send_fragment(kind, Fin::Last, b"\x82\xac", &mut out);
        out.truncate(len.expect("the end of the character"));
    } else {
        out.clear();
    }
    let _ = connection.append("next", &mut out);
    let _ = connection.append_transmit(&mut out);
    out
}

// F30: 6455-5.4-08, 6455-5.5.1-06, 6455-6.1-01, 6455-6.1-02, 6455-10.3-02
#[test]
fn a_refused_call_says_why_and_changes_nothing() {
    fn refuse<R: Endpoint>() {
        for (i, (before, call, error)) in refused::<R>().into_iter().enumerate() {
            let [mut connection, mut twin] = [(); 2].map(|()| open::<R>(&Config::new()));
            before(&mut connection);
            before(&mut twin);
            let mut out = [0xff; 200];
            assert_eq!(call(&mut connection, &mut out), Some(error), "row {i}");
            assert_eq!(out, [0xff; 200], "row {i}");
            assert_eq!(connection.state(), twin.state(), "row {i}");
            assert_eq!(connection.message_under_way(), twin.message_under_way(), "row {i}");
            // Not even a key was drawn.
            assert_eq!(all_that_follows(&mut connection), all_that_follows(&mut twin), "row {i}");
        }
    }
    in_both_roles([refuse::<Server>, refuse::<TestClient>]);
}

// 6455-5.5-01, 6455-5.5.2-01
#[test]
fn control_frames_have_up_to_125_bytes() {
    fn send<R: Endpoint>() {
        let (mut connection, mut out) = (open::<R>(&Config::new()), [0; 131]);
        for len in [0, 1, 125] {
            let payload = vec![b'x'; len];
            let sent = connection.ping(&payload, &mut out).expect("a valid length");
            assert_eq!(written::<R>(&out[..sent]), format!("ping {}", "x".repeat(len)));
            let sent = connection.pong(&payload, &mut out).expect("a valid length");
            assert_eq!(written::<R>(&out[..sent]), format!("pong {}", "x".repeat(len)));
        }
    }
    in_both_roles([send::<Server>, send::<TestClient>]);
}

// P4: a debt holds back what is owed, also the Close of a failure.
#[test]
fn nothing_goes_into_the_middle_of_a_frame_whose_head_is_out() {
    fn owe<R: Endpoint>() {
        let mut connection = open::<R>(&Config::new());
        let mut head = connection.head(Kind::Binary, Fin::Last, 4).expect("open");
        let mut out = head.as_bytes().to_vec();
        let mut payload = *b"abcd";
        head.mask(&mut payload);
        let mut bytes = R::from_peer(&[Part::Frame(0x89, b"?"), Part::Frame(0x83, b"")]);
        let received = connection.receive(&mut bytes).expect("a ping");
        assert!(matches!(received.event, Some(Event::Ping(b"?"))));
        let failed = connection.receive(received.rest).map(|_| ());
        assert!(failed.is_err());
        for written in [1, 2, 0] {
            assert_eq!(connection.poll_transmit(&mut [0; 131]), Transmit::Idle);
            connection.payload_written(written).expect("as announced");
        }
        assert_eq!(connection.poll_transmit(&mut [0; 131]), Transmit::Idle);
        connection.payload_written(1).expect("the rest");
        out.extend(payload);
        assert_eq!(connection.append_transmit(&mut out), Transmit::HalfClose);
        assert_eq!(written::<R>(&out), "binary [abcd], pong ?, close 1002");
    }
    in_both_roles([owe::<Server>, owe::<TestClient>]);
}

#[test]
fn the_longest_payload_is_announced_and_an_empty_one_is_no_debt() {
    let mut connection = open::<Server>(&Config::new());
    let head = connection.head(Kind::Text, Fin::Last, 0).expect("open");
    assert_eq!(head.as_bytes(), b"\x81\0");
    let longest = i64::MAX.unsigned_abs();
    let head = connection.head(Kind::Binary, Fin::Last, longest).expect("open");
    assert_eq!(head.as_bytes(), b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff");
    let left = SendError::PayloadUnwritten { left: longest };
    assert_eq!(connection.send("x", &mut [0; 9]), Err(left));
    // A transport that is gone is owed nothing.
    let _ = connection.receive_reset();
    assert_eq!(connection.poll_transmit(&mut [0; 131]), Transmit::CloseNow);
    assert_eq!(connection.send("x", &mut [0; 9]), Err(SendError::Closed));
}

#[test]
fn text_is_serialised_behind_the_gap_and_framed_in_place() {
    fn serialise<R: Endpoint>() {
        for len in [0, 125, 126, 65_536] {
            let mut buf = vec![0xaa; HEAD_GAP];
            buf.extend("\u{20ac}".repeat(len / 3).bytes());
            let payload = buf[HEAD_GAP..].to_vec();
            let bytes = open::<R>(&Config::new())
                .send_in_place(Kind::Text, &mut buf)
                .expect("text")
                .to_vec();
            let frame = first_frame(&bytes).expect("whole");
            assert_eq!((frame.first, frame.len()), (0x81, bytes.len()));
            assert!(frame.payload == payload);
        }
    }
    in_both_roles([serialise::<Server>, serialise::<TestClient>]);
}

#[test]
fn a_prepared_message_is_sent_to_many_as_one_frame() {
    for message in [Message::Text("to all"), Message::Binary(&[0xff; 300]), Message::Text("")] {
        let mut once = Vec::new();
        open::<Server>(&Config::new()).append(message, &mut once).expect("open");
        let mut place = vec![7; once.len() + 2];
        let slice = Prepared::encode(message, &mut place).expect("room enough");
        let vec = Prepared::new(message);
        assert_eq!(vec.frame_len(), once.len());
        for _ in 0..3 {
            let mut connection = open::<Server>(&Config::new());
            assert_eq!(connection.send_prepared(&vec), Ok(&once[..]));
            assert_eq!(connection.send_prepared(&slice), Ok(&once[..]));
        }
        assert_eq!(place[once.len()..], [7; 2]);
        assert!(Prepared::encode(message, &mut place[..once.len() - 1]).is_none());
    }
}

#[test]
fn a_prepared_message_waits_its_turn_like_any_other() {
    let prepared = Prepared::new("to all".into());
    let mut connection = open::<Server>(&Config::new());
    let _ = connection.head(Kind::Text, Fin::More, 1).expect("open");
    let unwritten = SendError::PayloadUnwritten { left: 1 };
    assert_eq!(connection.send_prepared(&prepared), Err(unwritten));
    connection.payload_written(1).expect("as announced");
    let under_way = SendError::MessageUnderWay { kind: Kind::Text };
    assert_eq!(connection.send_prepared(&prepared), Err(under_way));
    assert!(connection.send_fragment(Kind::Text, Fin::Last, b"", &mut [0; 2]).is_ok());
    assert!(connection.send_prepared(&prepared).is_ok());
    assert!(connection.close(None, "", &mut [0; 2]).is_ok());
    assert_eq!(connection.state(), State::CloseSent);
    assert_eq!(connection.send_prepared(&prepared), Err(SendError::Closed));
}
