//! What is sent: messages, and what the protocol owes, in one stream and in order.

use proptest::collection::vec;
use proptest::prelude::*;
use sansocket::adapter::Counters;
use sansocket::{CloseCode, Compress, Config, Fin, Kind, Message, Prepared, SendError, Server};

use crate::queue::{BACKLOG_MAX, Queue, Wish};
use crate::support::{Endpoint, Part, TestClient, in_both_roles, open, run, written};

use Part::Frame;

// 6455-5.4-05, 6455-5.5.2-02, 6455-5.5.2-03, 6455-5.5.3-01, 6455-5.5.3-03, 6455-6.1-10
#[test]
fn what_is_sent_and_what_is_owed_stand_in_the_order_in_which_they_came() {
    fn order<R: Endpoint>() {
        let mut queue = Queue::<R>::new();
        queue.sending.send(Message::Text("a"), Compress::Auto).expect("open");
        let _ = queue.hear(&[Frame(0x89, b"1"), Frame(0x89, b"2")]);
        let first = queue.sending.send_fragment(Kind::Binary, Fin::More, b"b", Compress::Auto);
        let _ = queue.hear(&[Frame(0x89, b"3")]);
        queue.sending.ping(b"p").and(first).expect("open");
        queue.sending.pong(b"").expect("open");
        let last = queue.sending.send_fragment(Kind::Binary, Fin::Last, b"c", Compress::Never);
        queue.sending.send(Message::Binary(b"d"), Compress::Never).and(last).expect("open");
        assert_eq!(
            queue.said(),
            "text [a], pong 1, pong 2, binary [b, pong 3, ping p, pong , more c], binary [d]"
        );
    }
    in_both_roles([order::<Server>, order::<TestClient>]);
}

#[test]
fn frames_and_messages_are_counted_as_they_are_sent() {
    fn count<R: Endpoint>() {
        let mut queue = Queue::<R>::new();
        assert_eq!(queue.sending.counters(), Counters::default());
        let steps: [(Wish<R>, (u64, u64)); 8] = [
            (|queue| queue.sending.send(Message::Text("a"), Compress::Auto), (1, 1)),
            (|queue| fragment(queue, Fin::More, b"b"), (2, 1)),
            (|queue| queue.sending.ping(b"p"), (3, 1)),
            (|queue| queue.sending.pong(b"p"), (4, 1)),
            (|queue| fragment(queue, Fin::Last, b"c"), (5, 2)),
            (|queue| owe(queue, &[Frame(0x89, b"1"), Frame(0x89, b"2")]), (7, 2)),
            (|queue| begun(queue, b"payload"), (8, 3)),
            (|queue| queue.sending.close(None, "").map(drop), (9, 3)),
        ];
        for (step, counted) in steps {
            step(&mut queue).expect("open");
            assert_eq!(queue.counted(), counted);
        }
        // The transport knows the bytes, and the receiving half the rest.
        let (frames_sent, messages_sent) = queue.counted();
        let expected = Counters { frames_sent, messages_sent, ..Counters::default() };
        assert_eq!(queue.sending.counters(), expected);
    }
    in_both_roles([count::<Server>, count::<TestClient>]);
}

fn fragment<R: Endpoint>(queue: &mut Queue<R>, fin: Fin, payload: &[u8]) -> Result<(), SendError> {
    queue.sending.send_fragment(Kind::Binary, fin, payload, Compress::Auto)
}

fn owe<R: Endpoint>(queue: &mut Queue<R>, parts: &[Part<'_>]) -> Result<(), SendError> {
    let _ = queue.hear(parts);
    Ok(())
}

/// A message of which first the head is sent.
fn begun<R: Endpoint>(queue: &mut Queue<R>, payload: &[u8]) -> Result<(), SendError> {
    let len = payload.len() as u64;
    let mut head = queue.sending.begin(Kind::Binary, len)?;
    queue.sending.push_payload(&mut head, payload);
    queue.sending.payload_written(len)
}

// 6455-5.5.3-02
#[test]
fn pongs_are_one_by_one_until_too_much_is_waiting_and_then_the_latest_stands_for_all() {
    fn pongs<R: Endpoint>() {
        let pings = [Frame(0x89, b"1"), Frame(0x89, b"2"), Frame(0x89, b"3")];
        for (backlog, at_once, later) in [
            (BACKLOG_MAX - 100, "pong 1, pong 2, pong 3", ""),
            (BACKLOG_MAX - 1, "pong 1", "pong 3"),
            (BACKLOG_MAX, "", "pong 3"),
        ] {
            let mut queue = Queue::<R>::new();
            queue.fill(backlog);
            let _ = queue.hear(&pings);
            queue.sending.encode_owed();
            assert_eq!(written::<R>(&queue.sending.unwritten()[backlog..]), at_once);
            queue.sending.wrote(backlog);
            queue.sending.wrote(queue.sending.backlog());
            assert_eq!(queue.said(), later);
            assert_eq!(queue.said(), "", "paid");
        }
    }
    in_both_roles([pongs::<Server>, pongs::<TestClient>]);
}

// F17, 6455-5.5.3-02
#[test]
fn a_peer_that_pings_and_does_not_read_fills_no_queue() {
    fn flood<R: Endpoint>() {
        let mut queue = Queue::<R>::open(&Config::new().control_frames_max(u32::MAX));
        let ping = [b'p'; 125];
        for _ in 0..1_000 {
            let _ = queue.hear(&[Frame(0x89, &ping)]);
            assert!(queue.sending.backlog() < BACKLOG_MAX + 131, "{}", queue.sending.backlog());
        }
        let _ = queue.hear(&[Frame(0x89, b"last")]);
        queue.sending.wrote(queue.sending.backlog());
        assert_eq!(queue.said(), "pong last");
    }
    in_both_roles([flood::<Server>, flood::<TestClient>]);
}

/// What a program or its peer does, and how much of the queue the transport takes then.
type Move = (u8, usize, usize);

/// Does it, and returns whether the queue grew by it.
fn play<R: Endpoint>(queue: &mut Queue<R>, (what, len, _): Move) {
    let payload = &[what; 125][..len];
    match what {
        0 => queue.sending.send(Message::Binary(payload), Compress::Auto).expect("open"),
        1 => queue.sending.ping(payload).expect("open"),
        2 => owe(queue, &[Frame(0x89, payload), Frame(0x89, b"x")]).expect("no error"),
        _ => begun(queue, payload).expect("open"),
    }
}

proptest! {
    // 6455-6.1-10
    #[test]
    fn however_the_transport_takes_it_the_stream_is_the_same(
        // Too little for Pongs to be merged.
        moves in vec((0..4_u8, 0..=125_usize, prop_oneof![0..400_usize, Just(usize::MAX)]), 0..60),
    ) {
        fn same<R: Endpoint>(moves: &[Move]) {
            let (mut all, mut bit_by_bit) = (Queue::<R>::new(), Queue::<R>::new());
            let mut taken = Vec::new();
            for step in moves {
                play(&mut all, *step);
                play(&mut bit_by_bit, *step);
                let sending = &mut bit_by_bit.sending;
                let len = step.2.min(sending.backlog());
                let left = sending.backlog() - len;
                taken.extend_from_slice(&sending.unwritten()[..len]);
                sending.wrote(step.2);
                assert_eq!((sending.backlog(), sending.unwritten().len()), (left, left));
            }
            taken.extend_from_slice(bit_by_bit.sending.unwritten());
            assert!(taken == all.sending.unwritten(), "{moves:?}");
            assert_eq!(bit_by_bit.sending.counters(), all.sending.counters());
        }
        same::<Server>(&moves);
        same::<TestClient>(&moves);
    }
}

// 6455-5.1-01, 6455-5.1-05, 6455-5.3-05
#[test]
fn a_message_may_be_given_piece_by_piece_behind_its_head() {
    fn pieces<R: Endpoint, P: Endpoint>() {
        for len in [0, 1, 125, 126, 1_000, 70_000] {
            let text: String = ('a'..='z').cycle().take(len).collect();
            for piece_len in [1, 3, 997, 70_000] {
                let mut queue = Queue::<R>::new();
                let mut head = queue.sending.begin(Kind::Text, len as u64).expect("open");
                for piece in text.as_bytes().chunks(piece_len) {
                    queue.sending.push_payload(&mut head, piece);
                }
                queue.sending.payload_written(len as u64).expect("all of it");
                let heard = run(open::<P>(&Config::new()), &[queue.sending.unwritten()]).heard();
                assert!(heard == format!("text [{text}]"), "{len} in pieces of {piece_len}");
            }
        }
    }
    in_both_roles([pieces::<Server, TestClient>, pieces::<TestClient, Server>]);
}

#[test]
fn a_payload_may_be_written_from_where_it_lies() {
    let mut queue = Queue::<Server>::new();
    let head = queue.sending.begin(Kind::Binary, 1_000).expect("open");
    assert_eq!(queue.sending.unwritten(), head.as_bytes());
    assert_eq!(head.as_bytes(), b"\x82\x7e\x03\xe8");
    queue.sending.wrote(4);
    queue.sending.payload_written(1_000).expect("all of it");
    assert_eq!((queue.counted(), queue.sending.backlog()), ((1, 1), 0));
}

#[test]
fn nothing_stands_in_the_middle_of_a_frame() {
    fn middle<R: Endpoint>() {
        let mut queue = Queue::<R>::new();
        let mut head = queue.sending.begin(Kind::Text, 5).expect("open");
        queue.sending.push_payload(&mut head, b"He");
        let _ = queue.hear(&[Frame(0x89, b"?")]);
        queue.sending.encode_owed();
        let wishes: [Wish<R>; 6] = [
            |queue| queue.sending.send(Message::Text("x"), Compress::Auto),
            |queue| queue.sending.begin(Kind::Text, 1).map(drop),
            |queue| fragment(queue, Fin::More, b"x"),
            |queue| queue.sending.ping(b"x"),
            |queue| queue.sending.pong(b"x"),
            |queue| queue.sending.close(None, "").map(drop),
        ];
        for wish in wishes {
            queue.check_refused(wish, SendError::PayloadUnwritten { left: 5 });
        }
        queue.sending.push_payload(&mut head, b"llo");
        queue.check_refused(
            |queue| queue.sending.payload_written(6),
            SendError::Overpaid { len: 6, left: 5 },
        );
        queue.sending.payload_written(5).expect("all of it");
        assert_eq!(queue.said(), "text [Hello], pong ?");
    }
    in_both_roles([middle::<Server>, middle::<TestClient>]);
}

// 6455-5.4-08
#[test]
fn messages_are_not_interleaved() {
    fn messages<R: Endpoint>() {
        let (mut tried, mut untried) = (Queue::<R>::new(), Queue::<R>::new());
        for queue in [&mut tried, &mut untried] {
            fragment(queue, Fin::More, b"a").expect("open");
            assert_eq!(queue.sending.half().message_under_way(), Some(Kind::Binary));
        }
        let wishes: [Wish<R>; 4] = [
            |queue| queue.sending.send(Message::Binary(b"x"), Compress::Auto),
            |queue| queue.sending.begin(Kind::Binary, 0).map(drop),
            |queue| queue.sending.begin(Kind::Text, 1).map(drop),
            |queue| queue.sending.send_fragment(Kind::Text, Fin::Last, b"x", Compress::Auto),
        ];
        for wish in wishes {
            tried.check_refused(wish, SendError::MessageUnderWay { kind: Kind::Binary });
        }
        for queue in [&mut tried, &mut untried] {
            fragment(queue, Fin::Last, b"b").expect("open");
            begun(queue, b"c").expect("open");
        }
        // To the byte: not even a masking key was drawn.
        assert_eq!(tried.sending.unwritten(), untried.sending.unwritten());
        assert_eq!(tried.said(), "binary [a, more b], binary [c]");
    }
    in_both_roles([messages::<Server>, messages::<TestClient>]);
}

#[test]
fn what_cannot_be_sent_leaves_the_queue_as_it_was() {
    fn refused<R: Endpoint>() {
        let long = 1_u64 << 63;
        let rows: [(Wish<R>, SendError); 7] = [
            (|queue| queue.sending.ping(&[0; 126]), SendError::ControlTooLong { len: 126 }),
            (|queue| queue.sending.pong(&[0; 200]), SendError::ControlTooLong { len: 200 }),
            (
                |queue| {
                    let text = b"Gr\xc3\xbc\xff";
                    queue.sending.send_fragment(Kind::Text, Fin::More, text, Compress::Auto)
                },
                SendError::TextNotUtf8 { at: 4 },
            ),
            (
                |queue| queue.sending.begin(Kind::Binary, 1 << 63).map(drop),
                SendError::PayloadTooLong { len: long },
            ),
            (
                |queue| queue.sending.close(Some(CloseCode::new(1005)), "").map(drop),
                SendError::CloseCode { code: CloseCode::new(1005) },
            ),
            (
                |queue| queue.sending.close(Some(CloseCode::new(1000)), &"r".repeat(124)).map(drop),
                SendError::ReasonTooLong { len: 124 },
            ),
            (|queue| queue.sending.close(None, "why").map(drop), SendError::ReasonWithoutCode),
        ];
        let mut queue = Queue::<R>::new();
        queue.sending.send(Message::Text("before"), Compress::Auto).expect("open");
        for (wish, error) in rows {
            queue.check_refused(wish, error);
        }
        queue.sending.send(Message::Text("after"), Compress::Auto).expect("open");
        assert_eq!(queue.said(), "text [before], text [after]");
    }
    in_both_roles([refused::<Server>, refused::<TestClient>]);
}

#[test]
fn a_prepared_message_stands_behind_what_was_sent_and_what_is_owed() {
    let tick = Prepared::new(Message::Text("42"));
    let mut queue = Queue::<Server>::new();
    queue.sending.send(Message::Text("a"), Compress::Auto).expect("open");
    let _ = queue.hear(&[Frame(0x89, b"?")]);
    queue.sending.send_prepared(&tick).expect("open");
    queue.sending.send_prepared(&tick).expect("open");
    assert_eq!(queue.counted(), (4, 3));
    assert_eq!(queue.said(), "text [a], pong ?, text [42], text [42]");

    // Written from where it lies, once the queue is.
    queue.fill(BACKLOG_MAX);
    let _ = queue.hear(&[Frame(0x89, b"late")]);
    queue.sending.wrote(BACKLOG_MAX);
    let frame = queue.sending.begin_prepared(&tick).expect("open");
    assert_eq!(frame, b"\x81\x0242");
    assert_eq!(queue.counted(), (7, 5));
    assert_eq!(written::<Server>(queue.sending.unwritten()), "pong late");
}

#[test]
fn a_prepared_message_is_not_sent_into_another_nor_behind_a_close() {
    fn prepared(queue: &mut Queue<Server>) -> Result<(), SendError> {
        let tick = Prepared::new(Message::Text("42"));
        let begun = queue.sending.begin_prepared(&tick).map(drop);
        assert_eq!(queue.sending.send_prepared(&tick), begun);
        begun
    }
    let mut queue = Queue::<Server>::new();
    fragment(&mut queue, Fin::More, b"a").expect("open");
    queue.check_refused(prepared, SendError::MessageUnderWay { kind: Kind::Binary });
    fragment(&mut queue, Fin::Last, b"b").expect("open");
    let _sent = queue.sending.close(None, "").expect("open");
    queue.check_refused(prepared, SendError::Closed);
}

#[cfg(feature = "deflate")]
mod with_deflate {
    use sansocket::adapter::SendQueue;
    use sansocket::deflate::{Deflate, DeflateConfig};

    use super::*;
    use crate::support::compressed::{Keep, Terms, open_deflate};
    use crate::support::frames;

    fn open_queue<R: Endpoint>(config: &Config) -> SendQueue<R, Deflate> {
        let (_, sending) = open_deflate::<R>(Terms::both(15, Keep), config).into_split();
        SendQueue::new(sending)
    }

    // 7692-6.1-01, 7692-6.1-02, 7692-6.1-03
    #[test]
    fn messages_are_compressed_unless_they_must_not_be() {
        fn compressed<R: Endpoint, P: Endpoint>() {
            let config = Config::new().deflate(DeflateConfig::new().threshold(0));
            let mut queue = open_queue::<R>(&config);
            let text = "again and again and again";
            queue.send(Message::Text(text), Compress::Auto).expect("open");
            queue.send(Message::Text(text), Compress::Never).expect("open");
            for (fin, part) in [(Fin::More, &text[..9]), (Fin::Last, &text[9..])] {
                let part = part.as_bytes();
                queue.send_fragment(Kind::Text, fin, part, Compress::Auto).expect("open");
            }
            let stream = queue.unwritten();
            let first: Vec<_> = frames(stream).iter().map(|frame| frame.first).collect();
            assert_eq!(first, [0xc1, 0x81, 0x41, 0x80]);
            let peer = open_deflate::<P>(Terms::both(15, Keep), &config);
            let heard = format!("text [{text}]");
            assert_eq!(run(peer, &[stream]).heard(), [&heard[..]; 3].join(", "));
        }
        in_both_roles([compressed::<Server, TestClient>, compressed::<TestClient, Server>]);
    }

    #[test]
    fn a_compressed_message_goes_on_compressed() {
        let mut queue = open_queue::<Server>(&Config::new());
        let long = [b'a'; 1_000];
        queue.send_fragment(Kind::Binary, Fin::More, &long, Compress::Auto).expect("open");
        let before = (queue.unwritten().to_vec(), queue.counters());
        let refused = queue.send_fragment(Kind::Binary, Fin::Last, &long, Compress::Never);
        assert_eq!(refused, Err(SendError::CompressionUnderWay));
        assert_eq!((queue.unwritten().to_vec(), queue.counters()), before);
    }
}
