//! Memory (promises P2 and P3): what the engine weighs, and that it allocates
//! nothing but what the caller asked it to keep.

#![cfg(feature = "alloc")]

#[path = "support/ledger.rs"]
mod ledger;
mod support;

use std::mem::size_of;

use ledger::{NOTHING, measure};
use proptest::collection::vec;
use proptest::prelude::*;
use sansocket::adapter::SendQueue;
use sansocket::{
    Assembler, Compress, Config, Connection, Delivery, Event, Fin, Inbox, Kind, Ready, Server,
    Tick, Transmit,
};
use support::{Endpoint, Part, TestClient, in_both_roles, len_field, open};

use Part::{Frame, Header, Raw};

// P2
#[test]
fn a_connection_is_small_and_has_no_heap() {
    assert!(size_of::<Connection<Server>>() <= 320, "{}", size_of::<Connection<Server>>());
    fn idle<R: Endpoint>() {
        let (ledger, connection) = measure(|| open::<R>(&Config::new()));
        assert_eq!(ledger, NOTHING, "{connection:?}");
    }
    in_both_roles([idle::<Server>, idle::<TestClient>]);
}

/// Some of everything, in whole frames.
const TRAFFIC: &[Part<'_>] = &[
    Frame(0x81, b"short"),
    Frame(0x89, b"?"),
    Frame(0x82, &[0xff; 300]),
    Frame(0x8a, b"!"),
    Frame(0x82, b""),
];

/// The same with a message in fragments.
const FRAGMENTS: &[Part<'_>] =
    &[Frame(0x01, &[b'f'; 400]), Frame(0x89, b"?"), Frame(0x80, &[b'g'; 400]), Frame(0x82, b"x")];

// P2: the echo of whole frames, with keep-alive running
#[test]
fn an_echo_of_whole_frames_allocates_nothing() {
    fn echo<R: Endpoint>() {
        let stream = R::from_peer(TRAFFIC);
        let (mut connection, mut input) = (open::<R>(&Config::new()), stream.clone());
        let mut out = vec![0; 2 * stream.len()];
        let (ledger, echoed) = measure(|| {
            let mut echoed = 0;
            for second in 0..100 {
                input.copy_from_slice(&stream);
                let mut rest = &mut input[..];
                while !rest.is_empty() {
                    let received = connection.receive(rest).expect("a valid stream");
                    rest = received.rest;
                    if let Some(Event::Data(data)) = received.event {
                        let message = data.into_message().expect("a whole frame");
                        echoed += connection.send(message, &mut out).expect("room enough");
                    }
                    while let Transmit::Bytes(_) = connection.poll_transmit(&mut out) {}
                }
                assert_eq!(connection.handle_timeout(Tick::from_millis(second * 1000)), Ok(()));
            }
            echoed
        });
        assert_eq!(ledger, NOTHING);
        assert!(echoed > 30_000);
    }
    in_both_roles([echo::<Server>, echo::<TestClient>]);
}

// P2: after the first message in fragments
#[test]
fn an_echo_through_an_inbox_allocates_nothing_once_it_is_warm() {
    fn echo<R: Endpoint>() {
        let stream = R::from_peer(&[TRAFFIC, FRAGMENTS].concat());
        let mut connection = open::<R>(&Config::new());
        let (mut inbox, mut out) = (Inbox::new(), Vec::with_capacity(4096));
        let mut round = || {
            // In pieces, so that frames are split as well.
            for piece in stream.chunks(97) {
                inbox.spare()[..piece.len()].copy_from_slice(piece);
                inbox.filled(piece.len());
                while inbox.advance(&mut connection).expect("a valid stream") != Ready::Need {
                    if let Some(Delivery::Message(message)) = inbox.delivery() {
                        connection.append(message, &mut out).expect("open");
                    }
                    assert_eq!(connection.append_transmit(&mut out), Transmit::Idle);
                    out.clear();
                }
            }
        };
        round();
        let (ledger, ()) = measure(|| (0..20).for_each(|_| round()));
        assert_eq!(ledger, NOTHING);
    }
    in_both_roles([echo::<Server>, echo::<TestClient>]);
}

/// Receives `stream` in pieces and assembles its messages in a vector; returns
/// the vector, and how many messages there were.
fn assemble<R: Endpoint>(
    config: &Config,
    len_max: usize,
    stream: &mut [u8],
    piece: usize,
) -> (Vec<u8>, usize) {
    let mut connection = open::<R>(config);
    let (mut assembler, mut messages) = (Assembler::new(Vec::new(), len_max), 0);
    for piece in stream.chunks_mut(piece) {
        let mut rest = piece;
        while let Ok(received) = connection.receive(rest) {
            rest = received.rest;
            let Some(Event::Data(data)) = received.event else {
                assert!(rest.is_empty(), "the pieces are cut behind headers");
                break;
            };
            let message = assembler.push(data).expect("in order and within the limit").message();
            messages += usize::from(message.is_some());
        }
    }
    (assembler.into_storage(), messages)
}

// F08, P3: 6455-10.4-01
#[test]
fn a_length_that_is_only_declared_takes_no_memory() {
    fn declare<R: Endpoint>() {
        let huge = [127, 0x40, 0, 0, 0, 0, 0, 0, 0];
        let boundless = Config::new().message_len_max(u64::MAX);
        for config in [boundless.clone(), Config::new()] {
            let mut stream = R::from_peer(&[Header(0x02, &huge)]);
            let (ledger, _) = measure(|| assemble::<R>(&config, usize::MAX, &mut stream, 100));
            assert_eq!(ledger, NOTHING);
        }
        // What comes of it takes what it needs, and at most as much again.
        let mut stream = R::from_peer(&[Header(0x02, &huge)]);
        let header_len = stream.len();
        stream.extend([0; 10_000]);
        let (ledger, _) =
            measure(|| assemble::<R>(&boundless, usize::MAX, &mut stream, header_len));
        assert!((10_000..=20_000).contains(&ledger.peak), "{ledger:?}");
    }
    in_both_roles([declare::<Server>, declare::<TestClient>]);
}

// P3: 6455-10.4-02
#[test]
fn a_message_at_the_limit_takes_no_more_than_the_limit() {
    fn fill<R: Endpoint>() {
        for (limit, fragments) in [(100_000, 1), (100_000, 50), (65_537, 3), (1_000, 1000)] {
            let config = Config::new().message_len_max(limit as u64);
            let payload = vec![b'x'; limit];
            let pieces: Vec<_> = payload.chunks(limit.div_ceil(fragments)).collect();
            let parts: Vec<_> = (0..)
                .zip(&pieces)
                .map(|(i, payload)| {
                    let last = if i + 1 == pieces.len() { 0x80 } else { 0 };
                    Frame(last | if i == 0 { 2 } else { 0 }, payload)
                })
                .collect();
            let stream = R::from_peer(&parts);

            let mut bytes = stream.clone();
            let piece = R::peer_header_len(pieces[0].len()) + pieces[0].len();
            let (ledger, (storage, messages)) = measure(|| {
                assemble::<R>(&config, limit, &mut bytes, if fragments == 1 { 14 } else { piece })
            });
            assert_eq!(messages, 1);
            assert!(storage.capacity() <= limit && ledger.peak <= limit, "{ledger:?} of {limit}");

            let mut inbox = Inbox::with_capacity(256);
            let mut connection = open::<R>(&config);
            let (ledger, messages) = measure(|| {
                let mut messages = 0;
                for piece in stream.chunks(100) {
                    inbox.spare()[..piece.len()].copy_from_slice(piece);
                    inbox.filled(piece.len());
                    while inbox.advance(&mut connection).expect("a valid stream") == Ready::Message
                    {
                        messages += 1;
                    }
                }
                messages
            });
            assert_eq!(messages, 1);
            assert!(ledger.peak <= limit, "{ledger:?} of {limit}");
        }
    }
    in_both_roles([fill::<Server>, fill::<TestClient>]);
}

// F08, P4
#[test]
fn failing_allocates_nothing() {
    fn fail<R: Endpoint>() {
        let bad: &[Part<'_>] = &[
            Header(0x82, &[127, 0, 0, 0, 0, 0x10, 0, 0, 0]),
            Frame(0x83, b""),
            Frame(0x81, b"a\xff"),
            Frame(0x88, b"\x03\xe7"),
        ];
        for part in bad {
            let mut bytes = R::from_peer(&[Frame(0x89, b"?"), *part]);
            let mut connection = open::<R>(&Config::new());
            let (ledger, failure) = measure(|| {
                let mut rest = &mut bytes[..];
                let failure = loop {
                    match connection.receive(rest) {
                        Ok(received) => rest = received.rest,
                        Err(failure) => break failure,
                    }
                };
                while let Transmit::Bytes(_) = connection.poll_transmit(&mut [0; 131]) {}
                let _ = connection.handle_timeout(Tick::ZERO);
                let _ = connection.receive_end();
                failure
            });
            assert_eq!(ledger, NOTHING, "{failure}");
        }
    }
    in_both_roles([fail::<Server>, fail::<TestClient>]);
}

#[test]
fn sending_into_a_slice_allocates_nothing() {
    fn send<R: Endpoint>() {
        let (mut connection, mut out) = (open::<R>(&Config::new()), vec![0; 70_000]);
        let payload = vec![b'x'; 65_536];
        let (ledger, ()) = measure(|| {
            connection.send(&payload[..], &mut out).expect("room enough");
            connection
                .send_fragment(Kind::Text, Fin::More, &payload, &mut out)
                .expect("room enough");
            connection.send_fragment(Kind::Text, Fin::Last, b"", &mut out).expect("room enough");
            connection.send_in_place(Kind::Binary, &mut out).expect("room enough");
            let mut head = connection.head(Kind::Binary, Fin::Last, 65_536).expect("open");
            head.mask(&mut out[..65_536]);
            connection.payload_written(65_536).expect("as announced");
            connection.ping(b"?", &mut out).expect("room enough");
            connection.close(None, "", &mut out).expect("room enough");
        });
        assert_eq!(ledger, NOTHING);
    }
    in_both_roles([send::<Server>, send::<TestClient>]);
}

#[test]
fn an_inbox_gives_back_the_place_of_joined_messages() {
    let mut inbox = Inbox::new();
    let mut connection = open::<TestClient>(&Config::new());
    inbox.extend(&TestClient::from_peer(FRAGMENTS));
    let (held, ()) = measure(|| {
        while inbox.advance(&mut connection).expect("a valid stream") != Ready::Need {}
        inbox.shrink();
    });
    assert!(held.peak >= 800, "{held:?}");
    assert_eq!(held.held, 0);
}

/// The frames of a peer that says what it likes: first bytes, lengths, and of each
/// payload as much as it cares to send.
fn wild_frames<R: Endpoint>(frames: &[(u8, u64)]) -> Vec<u8> {
    let bytes = frames.iter().map(|&(first, payload_len)| {
        let header_len = match usize::try_from(payload_len) {
            Ok(len) => len_field(len),
            Err(_) => [&[127], &payload_len.to_be_bytes()[..]].concat(),
        };
        let payload = vec![0; payload_len.min(20_000) as usize];
        R::from_peer(&[Header(first, &header_len), Raw(&payload)])
    });
    bytes.collect::<Vec<_>>().concat()
}

/// What an inbox takes beyond its read buffer while the stream comes in reads of these
/// lengths, again and again.
fn peak<R: Endpoint>(config: &Config, stream: &[u8], reads: &[usize]) -> usize {
    let mut connection = open::<R>(config);
    let mut inbox = Inbox::with_capacity(256);
    let (ledger, ()) = measure(|| {
        let (mut rest, mut reads) = (stream, reads.iter().cycle());
        while let Some(read) = reads.next().filter(|_| !rest.is_empty()) {
            let spare = inbox.spare();
            let (now, later) = rest.split_at(spare.len().min(*read).min(rest.len()));
            spare[..now.len()].copy_from_slice(now);
            inbox.filled(now.len());
            rest = later;
            loop {
                match inbox.advance(&mut connection) {
                    Ok(Ready::Need) => break,
                    Ok(_) => {}
                    Err(_) => return,
                }
            }
        }
    });
    ledger.peak
}

proptest! {
    // P3: 6455-10.4-01, F08, F09
    #[test]
    fn whatever_comes_an_inbox_takes_no_more_than_the_limit(
        frames in vec((
            prop_oneof![4 => Just(0x02), 4 => Just(0x00), 2 => Just(0x80), 1 => Just(0x89), 1 => any::<u8>()],
            prop_oneof![6 => 0..300_u64, 3 => 0..6000_u64, 1 => any::<u64>()],
        ), 1..20),
        limit in 0..10_000_u64,
        reads in vec(1..5000_usize, 1..10),
    ) {
        let config = Config::new().message_len_max(limit);
        let taken = [
            peak::<Server>(&config, &wild_frames::<Server>(&frames), &reads),
            peak::<TestClient>(&config, &wild_frames::<TestClient>(&frames), &reads),
        ];
        prop_assert!(taken.iter().all(|taken| *taken as u64 <= limit), "{taken:?} of {limit}");
    }
}

// P2
#[test]
fn a_send_queue_keeps_little_room_and_gives_back_the_rest_when_it_is_empty() {
    fn room<R: Endpoint>() {
        let mut queue = SendQueue::new(open::<R>(&Config::new()).into_split().1);
        let mut round = |len: usize, pieces: usize| {
            let message = vec![7; len];
            queue.send((&message[..]).into(), Compress::Auto).expect("open");
            let piece = queue.backlog().div_ceil(pieces);
            while queue.backlog() > 0 {
                queue.wrote(piece);
            }
        };
        let (ledger, ()) = measure(|| round(1_000_000, 1));
        assert_eq!(ledger.held, 0, "{ledger:?}");
        let (ledger, ()) = measure(|| round(1_000_000, 77));
        assert_eq!(ledger.held, 0, "{ledger:?}");
        // What is small is kept, and enough for the next.
        let (first, ()) = measure(|| round(60_000, 3));
        assert!((60_000..=64 * 1024).contains(&first.held), "{first:?}");
        let (next, ()) = measure(|| round(60_000, 2));
        assert_eq!((next.allocations, next.peak), (1, 60_000), "the message alone");
    }
    in_both_roles([room::<Server>, room::<TestClient>]);
}
