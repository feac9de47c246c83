//! Long messages through an inbox, which reads them to where they are put together.

#![cfg(feature = "alloc")]

use proptest::prelude::*;
use sansocket::frame::{self, FrameHeader, HEADER_LEN_MAX};
use sansocket::{
    AssemblyError, CloseCode, Config, Connection, Delivery, Failure, Fin, Inbox, InboxError, Kind,
    Negotiated, Opcode, Ready, Rule, Server, Transmit,
};

fn server() -> Connection<Server> {
    Connection::new(Negotiated::from_upgraded(), Server, &Config::new())
}

/// A masked frame.
fn frame(opcode: Opcode, fin: Fin, payload: &[u8]) -> Vec<u8> {
    let (key, payload_len) = (Some([0x37, 0xfa, 0x21, 0x3d]), payload.len() as u64);
    let header = FrameHeader { fin, reserved: 0, opcode, key, payload_len };
    let mut bytes = vec![0; HEADER_LEN_MAX + payload.len()];
    let len = frame::encode(&header, payload, &mut bytes).expect("room");
    bytes.truncate(len);
    bytes
}

/// `len` bytes of characters of two and three bytes, and one of one byte to begin with.
fn text(len: usize) -> String {
    let mut text = "aéß→".repeat(len / 8 + 1);
    while text.len() > len {
        text.pop();
    }
    text
}

type Messages = Vec<(Kind, Vec<u8>)>;

/// Reads `wire` in reads of the lengths that `reads` gives in turn, and returns the messages,
/// what is wrong if anything is, and the longest room that was lent.
fn receive(inbox: &mut Inbox, wire: &[u8], reads: &[usize]) -> (Messages, Option<Failure>, usize) {
    let mut connection = server();
    let (mut messages, mut longest, mut rest) = (Vec::new(), 0, wire);
    let mut reads = reads.iter().cycle();
    while !rest.is_empty() {
        let room = inbox.spare();
        longest = longest.max(room.len());
        let len = (*reads.next().expect("endless")).clamp(1, room.len().min(rest.len()));
        room[..len].copy_from_slice(&rest[..len]);
        inbox.filled(len);
        assert_eq!(inbox.unread().last(), rest[..len].last());
        rest = &rest[len..];
        loop {
            match inbox.advance(&mut connection) {
                Ok(Ready::Need) => break,
                Ok(_) => {
                    if let Some(Delivery::Message(message)) = inbox.delivery() {
                        messages.push((message.kind(), message.as_bytes().to_vec()));
                    }
                }
                Err(InboxError::Failed(failure)) => return (messages, Some(failure), longest),
                Err(error) => panic!("{error}"),
            }
        }
    }
    (messages, None, longest)
}

fn lens() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![0usize..300, 300usize..5000], 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    // Reads, and bytes from elsewhere, in any order between two looks.
    #[test]
    fn nothing_is_lost_or_moved_however_the_bytes_are_brought(
        lens in prop::collection::vec(1usize..6000, 1..4),
        acts in prop::collection::vec((0usize..3, 1usize..900), 1..20),
    ) {
        let wire: Vec<u8> = lens
            .iter()
            .flat_map(|len| frame(Opcode::Text, Fin::Last, text(*len).as_bytes()))
            .collect();
        let (mut inbox, mut connection) = (Inbox::with_capacity(256), server());
        let (mut rest, mut received, mut unread) = (&wire[..], Vec::new(), Vec::new());
        for (act, len) in acts.iter().cycle() {
            let (now, behind) = rest.split_at((*len).min(rest.len()));
            // What lies where it belongs is looked at before more can be read.
            let is_full = *act == 2 && inbox.spare().is_empty();
            if *act == 0 || is_full || rest.is_empty() {
                while inbox.advance(&mut connection).expect("a valid peer") == Ready::Message {
                    let Some(Delivery::Message(message)) = inbox.delivery() else { panic!() };
                    received.push(message.as_text().map(str::len));
                }
                unread = inbox.unread().to_vec();
                if rest.is_empty() {
                    break;
                }
                // At least a byte, or a run of nothing but looks would not end.
                inbox.extend(&rest[..1]);
                unread.push(rest[0]);
                rest = &rest[1..];
            } else if *act == 1 {
                inbox.extend(now);
                unread.extend(now);
                rest = behind;
            } else {
                let spare = inbox.spare();
                let len = now.len().min(spare.len());
                spare[..len].copy_from_slice(&now[..len]);
                inbox.filled(len);
                unread.extend(&now[..len]);
                rest = &rest[len..];
            }
            prop_assert!(inbox.unread() == unread, "other bytes than were brought");
        }
        let expected: Vec<_> = lens.iter().map(|len| Some(text(*len).len())).collect();
        prop_assert_eq!(received, expected);
        prop_assert!(inbox.is_idle());
    }

    #[test]
    fn messages_of_any_fragments_come_whole_however_they_are_read(
        messages in prop::collection::vec((any::<bool>(), lens()), 1..4),
        reads in prop::collection::vec(1usize..3000, 1..5),
        capacity in 256usize..2000,
    ) {
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        for (is_text, lens) in messages {
            let kind = if is_text { Kind::Text } else { Kind::Binary };
            let payload = text(lens.iter().sum()).into_bytes();
            let (mut rest, mut opcode) = (&payload[..], kind.opcode());
            for (i, len) in lens.iter().enumerate() {
                // Characters are cut.
                let (fragment, behind) = rest.split_at((*len).min(rest.len()));
                let last = i + 1 == lens.len();
                let (fin, fragment) =
                    if last { (Fin::Last, rest) } else { (Fin::More, fragment) };
                wire.extend(frame(opcode, fin, fragment));
                wire.extend(frame(Opcode::Ping, Fin::Last, b"between"));
                (rest, opcode) = (behind, Opcode::Continuation);
            }
            expected.push((kind, payload));
        }
        let mut inbox = Inbox::with_capacity(capacity);
        let (received, failure, _) = receive(&mut inbox, &wire, &reads);
        prop_assert_eq!(failure, None);
        prop_assert!(received == expected, "other messages than were sent");
        prop_assert!(inbox.is_idle());
    }

    // 6455-8.1-01, wherever the bytes are put.
    #[test]
    fn a_wrong_byte_fails_at_its_place_however_it_is_read(
        len in 1000usize..20_000, at: prop::sample::Index,
        reads in prop::collection::vec(1usize..3000, 1..5),
    ) {
        let mut payload = text(len).into_bytes();
        let at = at.index(payload.len());
        payload[at] = 0xff;
        let mut wire = frame(Opcode::Binary, Fin::Last, &[7; 2000]);
        let head_len = frame(Opcode::Text, Fin::Last, &payload).len() - payload.len();
        let offset = (wire.len() + head_len + at) as u64;
        wire.extend(frame(Opcode::Text, Fin::Last, &payload));
        let (messages, failure, _) = receive(&mut Inbox::with_capacity(256), &wire, &reads);
        prop_assert_eq!(messages.len(), 1);
        let failure = failure.map(|failure| (failure.rule(), failure.offset()));
        prop_assert_eq!(failure, Some((Rule::TextNotUtf8, offset)));
    }
}

#[test]
fn no_more_room_is_lent_than_what_came_of_the_message() {
    let payload = vec![7; 1 << 20];
    let mut wire = frame(Opcode::Binary, Fin::Last, &payload);
    wire.extend(frame(Opcode::Binary, Fin::Last, b"next"));
    let mut inbox = Inbox::new();
    let own = inbox.spare().len();
    let (messages, _, longest) = receive(&mut inbox, &wire, &[usize::MAX]);
    assert!(messages[0].1 == payload && messages[1].1 == b"next");
    assert!(longest > 1 << 18, "large reads: {longest}");
    // A peer that only declares a length gets the usual room.
    let mut connection = server();
    let mut declared = Inbox::new();
    declared.extend(&wire[..4000]);
    assert_eq!(declared.advance(&mut connection), Ok(Ready::Need));
    assert!(declared.spare().len() <= own);
}

/// An inbox, and its connection, in the middle of a long frame of `payload`, with 100 bytes
/// more read and not looked at.
fn in_a_long_frame(payload: &[u8]) -> (Inbox, Connection<Server>, Vec<u8>) {
    let wire = frame(Opcode::Text, Fin::Last, payload);
    let (inbox, connection) = reading_ahead(&wire[..500], &wire[500..600]);
    (inbox, connection, wire[600..].to_vec())
}

/// An inbox, and its connection, that is in the middle of a long frame after `begun`, with
/// these bytes more read and not looked at.
fn reading_ahead(begun: &[u8], ahead: &[u8]) -> (Inbox, Connection<Server>) {
    let (mut inbox, mut connection) = (Inbox::with_capacity(256), server());
    inbox.extend(begun);
    assert_eq!(inbox.advance(&mut connection), Ok(Ready::Need));
    inbox.spare()[..ahead.len()].copy_from_slice(ahead);
    inbox.filled(ahead.len());
    (inbox, connection)
}

#[test]
fn in_a_long_frame_the_room_is_where_its_message_is_put_together() {
    // The header has 8 bytes; half a read buffer must have come, and a whole one be missing.
    for (len, payload_len, room) in [
        (8 + 127, 5000, 256),
        (8 + 128, 5000, 128),
        (8 + 200, 5000, 200),
        (8 + 128, 128 + 255, 256),
        (8 + 128, 128 + 256, 128),
        (8 + 127, 127 + 255, 256),
    ] {
        let wire = frame(Opcode::Binary, Fin::Last, &vec![7; payload_len]);
        let (mut inbox, _) = reading_ahead(&wire[..len], b"");
        assert_eq!(inbox.spare().len(), room, "{len} of {payload_len}");
    }
}

#[test]
fn the_room_in_a_long_frame_is_used_to_its_half_before_there_is_more() {
    let wire = frame(Opcode::Binary, Fin::Last, &[7; 5000]);
    for (len, room) in [(42, 86), (43, 85), (44, 172)] {
        let (mut inbox, mut connection) = reading_ahead(&wire[..8 + 128], &wire[8 + 128..][..len]);
        assert_eq!(inbox.advance(&mut connection), Ok(Ready::Need));
        assert_eq!(inbox.spare().len(), room, "behind {len} more");
    }
}

#[test]
fn room_is_filled_bit_by_bit_and_to_its_end() {
    let payload = text(5000);
    let wire = frame(Opcode::Text, Fin::Last, payload.as_bytes());
    let (mut inbox, mut connection) = reading_ahead(&wire[..8 + 128], &wire[8 + 128..][..28]);
    inbox.filled(0);
    let room = inbox.spare();
    assert_eq!(room.len(), 100);
    room.copy_from_slice(&wire[8 + 156..][..100]);
    inbox.filled(1);
    inbox.filled(99);
    assert_eq!((inbox.spare().len(), inbox.unread().len()), (0, 128));
    inbox.extend(&wire[8 + 256..]);
    assert_eq!(inbox.advance(&mut connection), Ok(Ready::Message));
    assert_eq!(inbox.message().and_then(|message| message.as_text()), Some(&*payload));
}

#[test]
fn unread_bytes_move_to_the_front_when_little_room_is_left_behind_them() {
    let mut wire = frame(Opcode::Binary, Fin::Last, &[7; 700]);
    wire.extend(frame(Opcode::Ping, Fin::Last, &[7; 100]));
    for (len, room) in [(768, 256), (769, 1024 - 61)] {
        let (mut inbox, mut connection) = (Inbox::with_capacity(1024), server());
        inbox.spare()[..len].copy_from_slice(&wire[..len]);
        inbox.filled(len);
        assert_eq!(inbox.advance(&mut connection), Ok(Ready::Message));
        assert_eq!(inbox.advance(&mut connection), Ok(Ready::Need));
        assert_eq!(inbox.spare().len(), room, "{len} bytes of 1,024");
    }
}

#[test]
#[should_panic(expected = "more bytes filled than were spare")]
fn no_more_is_filled_than_there_was_room() {
    let mut inbox = Inbox::with_capacity(256);
    inbox.filled(10);
    inbox.filled(247);
}

#[test]
#[should_panic(expected = "more bytes filled than were spare")]
fn no_more_is_filled_of_a_long_frame_than_there_was_room() {
    let wire = frame(Opcode::Binary, Fin::Last, &[7; 5000]);
    let (mut inbox, _) = reading_ahead(&wire[..8 + 128], &wire[8 + 128..][..28]);
    inbox.filled(101);
}

#[test]
fn bytes_that_were_read_elsewhere_stand_behind_those_read_ahead() {
    let payload = text(5000);
    let (mut inbox, mut connection, rest) = in_a_long_frame(payload.as_bytes());
    inbox.extend(&rest);
    assert_eq!(inbox.unread().len(), 100 + rest.len());
    assert_eq!(inbox.advance(&mut connection), Ok(Ready::Message));
    assert!(inbox.delivery().is_some_and(
        |delivery| matches!(delivery, Delivery::Message(message) if message.as_text() == Some(&payload))
    ));
}

#[test]
fn what_is_discarded_is_not_joined_to_anything() {
    let (mut inbox, _, _) = in_a_long_frame(text(5000).as_bytes());
    inbox.discard();
    assert!(inbox.is_idle() && inbox.unread().is_empty());
    inbox.extend(&frame(Opcode::Text, Fin::Last, b"Hello"));
    assert_eq!(inbox.advance(&mut server()), Ok(Ready::Message));
}

#[test]
fn bytes_of_another_connection_are_not_taken_for_the_message() {
    let (mut inbox, mut connection, rest) = in_a_long_frame(text(5000).as_bytes());
    let mut other = server();
    let mut hello = frame(Opcode::Text, Fin::More, b"Hello");
    assert!(other.receive(&mut hello).is_ok());
    // Inside a frame of its own, which takes any bytes.
    let mut long = frame(Opcode::Continuation, Fin::Last, &[b'x'; 4000]);
    assert!(other.receive(&mut long[..100]).is_ok());
    let refused = inbox.advance(&mut other);
    assert!(
        matches!(
            refused,
            Err(InboxError::Assembly(AssemblyError::OutOfOrder) | InboxError::Failed(_))
        ),
        "{refused:?}"
    );
    inbox.extend(&rest);
    assert!(inbox.advance(&mut connection).is_err());
}

// The connection is another each time, and finds frames in what was read for the first.
#[test]
fn what_is_read_ahead_is_of_the_message_or_of_nothing() {
    let begun = &frame(Opcode::Text, Fin::Last, &[b'x'; 5000])[..500];
    let ping = frame(Opcode::Ping, Fin::Last, b"?");
    for ahead in [&ping[..], &[&ping[..], b"\x81"].concat(), b"\x81"] {
        let (mut inbox, _) = reading_ahead(begun, ahead);
        let refused = inbox.advance(&mut server());
        assert_eq!(refused, Err(InboxError::Assembly(AssemblyError::OutOfOrder)), "{ahead:?}");
        assert!(inbox.is_idle() && inbox.delivery().is_none());
    }
}

// It would be text that nobody checked.
#[test]
fn a_frame_of_another_connection_is_no_piece_of_the_message() {
    let begun = &frame(Opcode::Text, Fin::Last, &[b'x'; 5000])[..500];
    for fin in [Fin::More, Fin::Last] {
        let (mut inbox, _) = reading_ahead(begun, &frame(Opcode::Continuation, fin, b"world"));
        let mut other = server();
        assert!(other.receive(&mut frame(Opcode::Text, Fin::More, b"Hello, ")).is_ok());
        let refused = inbox.advance(&mut other);
        assert_eq!(refused, Err(InboxError::Assembly(AssemblyError::OutOfOrder)));
        assert!(inbox.is_idle() && inbox.delivery().is_none());
    }
}

#[test]
fn a_connection_that_is_over_takes_what_was_read_ahead() {
    let begun = &frame(Opcode::Text, Fin::Last, &[b'x'; 5000])[..500];
    let (mut inbox, mut connection) = reading_ahead(begun, b"more of it");
    connection.abort();
    assert_eq!(inbox.advance(&mut connection), Ok(Ready::Need));
    assert!(inbox.unread().is_empty() && inbox.delivery().is_none());

    let (mut inbox, mut connection) = reading_ahead(begun, b"more of it");
    let failure = connection.fail_with(CloseCode::GOING_AWAY);
    assert_eq!(inbox.advance(&mut connection), Err(InboxError::Failed(failure)));
}

#[test]
fn a_message_that_cannot_be_joined_fails_its_connection() {
    let begin = |opcode| frame(opcode, Fin::More, b"Hello, ");
    let end = frame(Opcode::Continuation, Fin::Last, b"world");
    let begun_by = |opcode, connection: &mut Connection<Server>| {
        assert!(connection.receive(&mut begin(opcode)).is_ok());
    };
    let mixed = || {
        let mut inbox = Inbox::new();
        inbox.extend(&begin(Opcode::Text));
        assert_eq!(inbox.advance(&mut server()), Ok(Ready::Need));
        inbox.extend(&end);
        inbox
    };
    let out_of_order = Err(InboxError::Assembly(AssemblyError::OutOfOrder));

    // It goes on with a message of another kind, whose beginning the inbox did not see.
    let mut connection = server();
    begun_by(Opcode::Binary, &mut connection);
    let mut inbox = mixed();
    assert_eq!(inbox.advance(&mut connection), out_of_order);
    assert!(inbox.delivery().is_none());
    let mut out = Vec::new();
    let _ = connection.append_transmit(&mut out);
    assert_eq!(out, b"\x88\x02\x03\xf3");
    assert!(matches!(inbox.advance(&mut connection), Err(InboxError::Failed(_))));

    let mut connection = server();
    begun_by(Opcode::Binary, &mut connection);
    let (mut receiving, mut sending) = connection.into_split();
    let mut owed = Vec::new();
    assert_eq!(mixed().advance_half(&mut receiving, |it| owed.push(it)), out_of_order);
    owed.into_iter().for_each(|it| sending.take(it));
    let mut out = [0; 16];
    let Transmit::Bytes(out) = sending.poll_transmit(&mut out) else { panic!("nothing is owed") };
    assert_eq!(out, b"\x88\x02\x03\xf3");
}

#[test]
fn an_inbox_lends_a_piece_once_and_counts_the_frames() {
    let (mut inbox, mut connection) = (Inbox::default(), server());
    let room = Inbox::new().spare().len();
    assert_eq!((inbox.spare().len(), inbox.tag(), inbox.data_frames()), (room, 0, 0));
    inbox.set_tag(7);
    for (opcode, fin) in
        [(Opcode::Text, Fin::More), (Opcode::Ping, Fin::Last), (Opcode::Continuation, Fin::Last)]
    {
        inbox.extend(&frame(opcode, fin, b"Hello"));
        let ready = inbox.advance_piece(&mut connection);
        let is_piece = ready == Ok(Ready::Data);
        assert_eq!((is_piece, ready), (opcode != Opcode::Ping, ready));
        assert_eq!(inbox.ends_message(), opcode == Opcode::Continuation);
        let piece = inbox.data().map(|data| data.bytes().to_vec());
        assert_eq!(piece, is_piece.then(|| b"Hello".to_vec()));
        assert!(!inbox.ends_message() || !is_piece);
        assert!(inbox.data().is_none(), "once");
    }
    inbox.extend(&frame(Opcode::Binary, Fin::Last, b"short"));
    assert_eq!(inbox.advance(&mut connection), Ok(Ready::Message));
    assert_eq!((inbox.tag(), inbox.data_frames()), (7, 3));
}

#[test]
fn an_inbox_that_grew_serves_a_connection_with_a_smaller_limit() {
    let mut inbox = Inbox::with_capacity(256);
    let long = frame(Opcode::Binary, Fin::Last, &[7; 50_000]);
    let (messages, failure, _) = receive(&mut inbox, &long, &[usize::MAX]);
    assert_eq!((messages.len(), failure), (1, None));
    let config = Config::new().message_len_max(1000);
    let mut connection = Connection::new(Negotiated::from_upgraded(), Server, &config);
    inbox.extend(&frame(Opcode::Text, Fin::More, b"Hello, "));
    inbox.extend(&frame(Opcode::Continuation, Fin::Last, b"world"));
    assert_eq!(inbox.advance(&mut connection), Ok(Ready::Message));
}

#[test]
fn short_reads_do_not_make_it_grow_each_time() {
    let wire = frame(Opcode::Binary, Fin::Last, &vec![7; 1 << 18]);
    let (mut inbox, mut connection) = (Inbox::new(), server());
    let (mut grown, mut before) = (0, usize::MAX);
    for byte in wire {
        let spare = inbox.spare();
        // Room is used up byte by byte; there is more of it only when it was made.
        grown += usize::from(spare.len() > before);
        before = spare.len();
        spare[0] = byte;
        inbox.filled(1);
        let _ = inbox.advance(&mut connection).expect("a valid peer");
    }
    assert!((5..40).contains(&grown), "{grown} times");
}
