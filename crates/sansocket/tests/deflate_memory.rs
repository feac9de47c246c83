//! Memory of permessage-deflate: what its contexts weigh, when they are there, and
//! that no message grows past its limit (promises P2 and P3).

#![cfg(feature = "deflate")]

#[path = "support/ledger.rs"]
mod ledger;
mod support;

use std::mem::size_of;

use ledger::{LEDGER, Ledger, NOTHING, measure};
use sansocket::deflate::{Deflate, DeflateConfig, DeflatePool, InflateRule};
use sansocket::{
    CloseCode, Config, Connection, Delivery, Event, Failure, Fin, Inbox, InboxError, Kind, Ready,
    Rule, Server, Tick, Transmit,
};
use support::compressed::{
    DROP, Drop, KEEP, Keep, Squeezer, Terms, compressed, open_deflate, open_refused,
};
use support::deflate::TAIL;
use support::{Endpoint, Part, TestClient, in_both_roles};

use Part::{Frame, Header};

/// A message of 600 bytes, and compressed.
const PLAIN: &[u8] = &[b'a'; 600];

const KIB: usize = 1024;

/// Compresses whatever it is.
fn always() -> DeflateConfig {
    DeflateConfig::new().threshold(0)
}

/// What the peer sends, compressed each for itself.
fn from_peer<R: Endpoint>(messages: &[&[u8]]) -> Vec<u8> {
    let payloads: Vec<_> = messages.iter().map(|plain| compressed(plain)).collect();
    let parts: Vec<_> = payloads.iter().map(|payload| Frame(0xc2, payload)).collect();
    R::from_peer(&parts)
}

/// Receives what is whole in `bytes`, inflates it into a small place, and returns
/// how many bytes of messages there were.
fn receive<R: Endpoint>(
    connection: &mut Connection<R, Deflate>,
    bytes: &mut [u8],
) -> Result<usize, Failure> {
    let (mut rest, mut len, mut out) = (bytes, 0, [0; 100]);
    loop {
        let received = connection.receive(rest)?;
        rest = received.rest;
        match received.event {
            Some(Event::Data(mut piece)) if piece.is_compressed() => {
                while let Some(data) = connection.inflate(&mut piece, &mut out)? {
                    len += data.bytes().len();
                }
            }
            Some(Event::Data(piece)) => len += piece.bytes().len(),
            Some(_) => {}
            None => return Ok(len),
        }
    }
}

// ---- what a context weighs

/// For each number of bits, what an inflater holds in KiB.
const INFLATERS: [(u8, usize); 8] =
    [(8, 11), (9, 11), (10, 12), (11, 13), (12, 15), (13, 19), (14, 27), (15, 79)];

/// What an inflater of the largest window holds once the peer ended a block as the last.
const INFLATER_BEHIND_FINAL_BLOCK: usize = 89;

/// For each number of bits, what a compressor holds in KiB, by its memory level.
const COMPRESSORS: [(u8, [(u8, usize); 4]); 8] = [
    (8, [(1, 135), (5, 148), (8, 246), (9, 358)]),
    (9, [(1, 135), (5, 148), (8, 246), (9, 358)]),
    (10, [(1, 137), (5, 150), (8, 248), (9, 360)]),
    (11, [(1, 141), (5, 154), (8, 252), (9, 364)]),
    (12, [(1, 149), (5, 162), (8, 260), (9, 372)]),
    (13, [(1, 165), (5, 178), (8, 276), (9, 388)]),
    (14, [(1, 197), (5, 210), (8, 308), (9, 420)]),
    (15, [(1, 261), (5, 274), (8, 372), (9, 484)]),
];

/// Checks a figure of the documentation.
fn check_figure(ledger: Ledger, kib: usize) {
    let Ledger { held, peak, .. } = ledger;
    assert!(held <= kib * KIB && held > kib * KIB / 4 * 3, "{ledger:?}, {kib} KiB");
    assert_eq!(held, peak);
}

#[test]
fn contexts_weigh_what_is_documented() {
    for (bits, kib) in INFLATERS {
        for context in [Keep, Drop] {
            let terms = Terms { ours: (15, Keep), theirs: (bits, context) };
            let mut connection = open_deflate::<Server>(terms, &Config::new());
            let mut bytes = from_peer::<Server>(&[PLAIN]);
            let (ledger, len) = measure(|| receive(&mut connection, &mut bytes));
            assert_eq!(len, Ok(PLAIN.len()));
            check_figure(ledger, kib);

            // A final block makes it grow only if the window is the largest.
            let ended = Frame(0xc1, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00");
            let mut bytes = Server::from_peer(&[ended, ended]);
            let (more, len) = measure(|| receive(&mut connection, &mut bytes));
            assert_eq!(len, Ok(2 * b"Hello".len()));
            let held = ledger.held + more.held;
            let kib = if bits == 15 { INFLATER_BEHIND_FINAL_BLOCK } else { kib };
            check_figure(Ledger { held, peak: held, ..more }, kib);
        }
    }
    for (bits, rows) in COMPRESSORS {
        for (mem_level, kib) in rows {
            for level in [0, 1, 6, 9] {
                let config = Config::new().deflate(always().level(level).mem_level(mem_level));
                let terms = Terms { ours: (bits, Keep), theirs: (15, Keep) };
                let mut connection = open_deflate::<Server>(terms, &config);
                let mut out = [0; 1000];
                let (ledger, len) = measure(|| connection.send(PLAIN, &mut out));
                assert!(len.is_ok());
                check_figure(ledger, kib);
            }
        }
    }
}

// P2
#[test]
fn a_connection_that_may_compress_is_small_and_has_no_heap() {
    assert!(size_of::<Connection<Server, Deflate>>() <= 464);
    fn idle<R: Endpoint>() {
        let pool = DeflatePool::new(4);
        let configs = [Config::new(), Config::new().deflate(DeflateConfig::new().pool(&pool))];
        for (terms, config) in [KEEP, DROP]
            .into_iter()
            .flat_map(|terms| configs.iter().map(move |config| (terms, config)))
        {
            let mut stream = R::from_peer(&[
                Frame(0x81, b"plain"),
                Frame(0x89, b"?"),
                Frame(0x02, b"x"),
                Frame(0x80, b"y"),
                // Nothing to inflate.
                Frame(0xc1, b""),
            ]);
            let mut out = vec![0; 2000];
            let (ledger, _) = measure(|| {
                let mut connection = open_deflate::<R>(terms, config);
                assert_eq!(receive(&mut connection, &mut stream), Ok(7));
                connection.send("short", &mut out).expect("room");
                let never = sansocket::Compress::Never;
                connection.send_with(PLAIN, never, &mut out).expect("room");
                let mut head = connection.head(Kind::Binary, Fin::Last, 600).expect("open");
                head.mask(&mut out[..600]);
                connection.payload_written(600).expect("as announced");
                while let Transmit::Bytes(_) = connection.poll_transmit(&mut out) {}
                assert_eq!(connection.handle_timeout(Tick::ZERO), Ok(()));
                connection
            });
            // What the agreement is made of is text, and gone.
            assert_eq!(ledger.held, 0);
        }
        let mut stream = R::from_peer(&[Frame(0x82, PLAIN)]);
        let mut out = vec![0; 2000];
        let mut connection = open_refused::<R>(&Config::new().deflate(always()));
        let (ledger, ()) = measure(|| {
            assert_eq!(receive(&mut connection, &mut stream), Ok(600));
            connection.send(PLAIN, &mut out).expect("room");
        });
        assert_eq!(ledger, NOTHING);
    }
    in_both_roles([idle::<Server>, idle::<TestClient>]);
}

// P2
#[test]
fn a_context_is_made_when_it_is_first_needed_and_then_kept() {
    fn lazy<R: Endpoint>() {
        for terms in [KEEP, DROP] {
            let mut connection = open_deflate::<R>(terms, &Config::new());
            let (mut stream, mut out) = (from_peer::<R>(&[PLAIN, PLAIN]), [0; 1000]);

            let (ledger, ()) = measure(|| {
                connection.send(PLAIN, &mut out).expect("room");
            });
            check_figure(ledger, 372);
            let (ledger, len) = measure(|| receive(&mut connection, &mut stream));
            assert_eq!(len, Ok(2 * PLAIN.len()));
            check_figure(ledger, 79);

            // From now on there is nothing to allocate.
            let mut stream = from_peer::<R>(&[PLAIN; 20]);
            let mut fragments = compressed(PLAIN);
            let tail = fragments.split_off(3);
            let parts = [Frame(0x42, &fragments), Frame(0x89, b""), Frame(0x80, &tail)];
            let mut fragments = R::from_peer(&parts);
            let (ledger, ()) = measure(|| {
                assert_eq!(receive(&mut connection, &mut stream), Ok(20 * PLAIN.len()));
                assert_eq!(receive(&mut connection, &mut fragments), Ok(PLAIN.len()));
                for fin in [Fin::More, Fin::More, Fin::Last] {
                    connection.send_fragment(Kind::Binary, fin, PLAIN, &mut out).expect("room");
                }
                (0..20).for_each(|_| {
                    connection.send(PLAIN, &mut out).expect("room");
                });
            });
            assert_eq!(ledger, NOTHING);
        }
    }
    in_both_roles([lazy::<Server>, lazy::<TestClient>]);
}

#[test]
fn an_echo_through_an_inbox_allocates_nothing_once_it_is_warm() {
    fn echo<R: Endpoint>() {
        let long = vec![b'b'; 20_000];
        let stream = from_peer::<R>(&[PLAIN, &long, b"", PLAIN]);
        let pool = DeflatePool::new(1);
        let pooling = Config::new().deflate(DeflateConfig::new().pool(&pool));
        for (terms, config) in [(KEEP, &Config::new()), (DROP, &Config::new()), (DROP, &pooling)] {
            let mut connection = open_deflate::<R>(terms, config);
            let (mut inbox, mut out) = (Inbox::with_capacity(1000), Vec::with_capacity(30_000));
            let mut round = || {
                for piece in stream.chunks(97) {
                    inbox.spare()[..piece.len()].copy_from_slice(piece);
                    inbox.filled(piece.len());
                    while inbox.advance(&mut connection).expect("valid") != Ready::Need {
                        if let Some(Delivery::Message(message)) = inbox.delivery() {
                            connection.append(message, &mut out).expect("open");
                        }
                        out.clear();
                    }
                }
            };
            round();
            let (ledger, ()) = measure(|| (0..5).for_each(|_| round()));
            assert_eq!(ledger, NOTHING, "{terms:?}");
        }
    }
    in_both_roles([echo::<Server>, echo::<TestClient>]);
}

// ---- pools

/// A configuration that compresses everything, with contexts of a pool.
fn pooled(pool: &DeflatePool) -> Config {
    Config::new().deflate(always().pool(pool))
}

// P2
#[test]
fn connections_that_share_a_pool_hold_nothing_between_messages() {
    fn share<R: Endpoint>() {
        let pool = DeflatePool::new(4);
        let mut connections = [(); 8].map(|()| open_deflate::<R>(DROP, &pooled(&pool)));
        let (mut stream, mut out) = (from_peer::<R>(&[PLAIN]), [0; 1000]);
        let (ledger, ()) = measure(|| {
            connections[0].send(PLAIN, &mut out).expect("room");
            assert_eq!(receive(&mut connections[0], &mut stream), Ok(PLAIN.len()));
        });
        assert_eq!(pool.idle(), 2);
        assert!(ledger.held > (372 + 79) * KIB / 4 * 3);
        // One context in each direction is enough for all.
        let mut streams = [(); 7].map(|()| from_peer::<R>(&[PLAIN, PLAIN]));
        let (ledger, ()) = measure(|| {
            for (connection, stream) in connections[1..].iter_mut().zip(&mut streams) {
                connection.send(PLAIN, &mut out).expect("room");
                connection.send(PLAIN, &mut out).expect("room");
                assert_eq!(receive(connection, stream), Ok(2 * PLAIN.len()));
            }
        });
        assert_eq!((ledger, pool.idle()), (NOTHING, 2));
        // What the pool holds is all there is.
        drop(connections);
        let (ledger, ()) = measure(|| {
            LEDGER.set(Ledger { held: MIB, ..NOTHING });
            drop(pool);
        });
        let freed = MIB - ledger.held;
        assert!(freed > (372 + 79) * KIB / 4 * 3 && freed <= (372 + 79 + 1) * KIB, "{freed}");
    }
    in_both_roles([share::<Server>, share::<TestClient>]);
}

#[test]
fn a_context_is_out_of_its_pool_while_a_message_is_under_way() {
    fn hold<R: Endpoint>() {
        let pool = DeflatePool::new(4);
        let open = || open_deflate::<R>(DROP, &pooled(&pool));
        let (mut one, mut other, mut out) = (open(), open(), [0; 1000]);
        let send = |connection: &mut Connection<R, Deflate>, fin, out: &mut [u8]| {
            connection.send_fragment(Kind::Binary, fin, PLAIN, out).expect("room");
        };
        send(&mut one, Fin::More, &mut out);
        assert_eq!(pool.idle(), 0);
        send(&mut other, Fin::More, &mut out);
        send(&mut one, Fin::Last, &mut out);
        assert_eq!(pool.idle(), 1);
        send(&mut other, Fin::Last, &mut out);
        assert_eq!(pool.idle(), 2);
        // The next takes one of them, and gives it back.
        send(&mut one, Fin::Last, &mut out);
        assert_eq!(pool.idle(), 2);

        let payload = compressed(PLAIN);
        let mut halves = [
            R::from_peer(&[Frame(0x42, &payload[..4])]),
            R::from_peer(&[Frame(0x80, &payload[4..])]),
        ];
        assert!(receive(&mut one, &mut halves[0]).is_ok());
        assert_eq!(pool.idle(), 2);
        assert!(receive(&mut one, &mut halves[1]).is_ok());
        assert_eq!(pool.idle(), 3);

        // A connection that fails in the middle gives back what it had.
        let (ledger, ()) = measure(|| {
            let mut gone = open();
            send(&mut gone, Fin::More, &mut out);
            let _ = receive(&mut gone, &mut R::from_peer(&[Frame(0x42, &payload[..4])]));
            assert_eq!(pool.idle(), 1);
            let corrupt = receive(&mut gone, &mut R::from_peer(&[Frame(0x80, b"\x07")]));
            assert!(corrupt.is_err());
        });
        assert_eq!((ledger.held, pool.idle()), (0, 3));
    }
    in_both_roles([hold::<Server>, hold::<TestClient>]);
}

#[test]
fn a_pool_keeps_no_more_than_it_may() {
    for idle_max in [0, 1, 2] {
        let pool = DeflatePool::new(idle_max);
        let mut connections = [(); 4].map(|()| open_deflate::<Server>(DROP, &pooled(&pool)));
        let mut out = [0; 1000];
        for fin in [Fin::More, Fin::Last] {
            for connection in &mut connections {
                connection.send_fragment(Kind::Binary, fin, PLAIN, &mut out).expect("room");
                let payload = compressed(PLAIN);
                let (first, payload) = match fin {
                    Fin::More => (0x42, &payload[..4]),
                    Fin::Last => (0x80, &payload[4..]),
                };
                assert!(
                    receive(connection, &mut Server::from_peer(&[Frame(first, payload)])).is_ok()
                );
            }
        }
        assert_eq!(pool.idle(), 2 * idle_max);
    }
}

#[test]
fn contexts_of_a_pool_are_for_those_they_fit() {
    let pool = DeflatePool::new(8);
    let mut out = [0; 1000];
    let rows = [
        (DROP, always()),
        (Terms::both(9, Drop), always()),
        (DROP, always().level(1)),
        (DROP, always().mem_level(1)),
    ];
    // Twice, and the second time nothing is new.
    for (round, idle) in [(0, [2, 4, 5, 6]), (1, [6, 6, 6, 6])] {
        for ((terms, config), idle) in rows.iter().zip(idle) {
            let config = Config::new().deflate(config.clone().pool(&pool));
            let mut connection = open_deflate::<Server>(*terms, &config);
            let mut stream = from_peer::<Server>(&[PLAIN]);
            let (ledger, ()) = measure(|| {
                connection.send(PLAIN, &mut out).expect("room");
                assert_eq!(receive(&mut connection, &mut stream), Ok(PLAIN.len()));
            });
            assert_eq!(pool.idle(), idle, "{terms:?}");
            assert!(round == 0 || ledger == NOTHING);
        }
    }
}

#[test]
fn a_kept_context_never_goes_to_a_pool() {
    let pool = DeflatePool::new(8);
    let mut connection = open_deflate::<Server>(KEEP, &pooled(&pool));
    let mut out = [0; 1000];
    connection.send(PLAIN, &mut out).expect("room");
    assert_eq!(receive(&mut connection, &mut from_peer::<Server>(&[PLAIN])), Ok(PLAIN.len()));
    assert_eq!(pool.idle(), 0);
    drop(connection);
    assert_eq!(pool.idle(), 0);
}

// D06: what one connection received is nothing that another can refer to
#[test]
fn a_context_of_a_pool_has_no_memory() {
    let pool = DeflatePool::new(1);
    let refer = Frame(0xc1, b"\xf2\x00\x11\x00\x00");
    for before in [&b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..], b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"] {
        for bits in [8, 15] {
            let terms = Terms::both(bits, Drop);
            let [mut one, mut other] =
                [(); 2].map(|()| open_deflate::<Server>(terms, &pooled(&pool)));
            let mut hello = Server::from_peer(&[Frame(0xc1, before)]);
            assert_eq!(receive(&mut one, &mut hello), Ok(5));
            let failure = receive(&mut other, &mut Server::from_peer(&[refer]));
            let failure = failure.expect_err("a reference to another's");
            assert_eq!(failure.rule(), Rule::Inflate(InflateRule::Corrupt));
        }
    }
    // Nor in the other direction.
    let [mut one, mut other] = [(); 2].map(|()| open_deflate::<Server>(DROP, &pooled(&pool)));
    let [mut first, mut second] = [(); 2].map(|()| Vec::new());
    one.append(PLAIN, &mut first).expect("open");
    other.append(PLAIN, &mut second).expect("open");
    assert_eq!(first, second);
}

// ---- bombs

const MIB: usize = 1 << 20;

const READ_LEN: usize = 16 * KIB;

/// How much more than the limit may be held: a context, and the place that an inbox
/// inflates to, which is as long as its read buffer. Nothing else is.
const STEP: usize = INFLATER_BEHIND_FINAL_BLOCK * KIB + READ_LEN;

/// The payload of a message that becomes so many MiB of zeros.
fn bomb(bits: u8, mib: usize) -> Vec<u8> {
    let mut squeezer = Squeezer::new((bits, Keep), DeflateConfig::new().level(9));
    let zeros = vec![0; MIB];
    let first = squeezer.fragment(&zeros);
    // From now on, the window is full of zeros, and each is as the other.
    let chunk = squeezer.fragment(&zeros);
    let mut payload = [&first[..], &chunk.repeat(mib - 1)].concat();
    payload.truncate(payload.len() - TAIL.len());
    payload
}

/// The stream of a peer that sends this in so many frames.
fn in_frames<R: Endpoint>(payload: &[u8], count: usize) -> Vec<u8> {
    let pieces: Vec<_> = payload.chunks(payload.len().div_ceil(count)).collect();
    let last = pieces.len() - 1;
    let part = |(at, piece): (usize, &&'_ [u8])| {
        let fin = if at == last { 0x80 } else { 0 };
        R::from_peer(&[Frame(fin | if at == 0 { 0x42 } else { 0 }, piece)])
    };
    pieces.iter().enumerate().flat_map(part).collect()
}

/// Receives by an inbox; returns the failure, and how much was read before it.
fn receive_by_inbox<R: Endpoint>(
    connection: &mut Connection<R, Deflate>,
    inbox: &mut Inbox,
    stream: &[u8],
) -> (Option<Failure>, usize) {
    let mut read = 0;
    while read < stream.len() {
        let room = inbox.spare();
        let len = room.len().min(stream.len() - read);
        room[..len].copy_from_slice(&stream[read..][..len]);
        inbox.filled(len);
        read += len;
        loop {
            match inbox.advance(connection) {
                Ok(Ready::Need) => break,
                Ok(_) => {}
                Err(InboxError::Failed(failure)) => return (Some(failure), read),
                Err(error) => panic!("{error}"),
            }
        }
    }
    (None, read)
}

// D01, P3: 6455-10.4-01, 6455-10.4-02
#[test]
fn a_bomb_of_a_gibibyte_is_refused_at_the_limit() {
    fn refuse<R: Endpoint>() {
        for (bits, limit_mib, context, frames) in [
            (15, 1, Keep, 1),
            (15, 1, Drop, 50),
            (9, 1, Keep, 50),
            (9, 1, Drop, 1),
            (15, 16, Keep, 50),
            (9, 16, Drop, 1),
        ] {
            let limit = limit_mib * MIB;
            let payload = bomb(bits, 1024);
            // The wire limit lets it pass.
            assert!(payload.len() < MIB + MIB / 8, "{}", payload.len());
            let stream = in_frames::<R>(&payload, frames);
            let config = Config::new().message_len_max(limit as u64);
            let terms = Terms::both(bits, context);
            let mut connection = open_deflate::<R>(terms, &config);
            let mut inbox = Inbox::with_capacity(READ_LEN);
            let (ledger, (failure, read)) =
                measure(|| receive_by_inbox(&mut connection, &mut inbox, &stream));
            let failure = failure.expect("it is too big");
            assert_eq!(failure.rule(), Rule::Inflate(InflateRule::TooBig { max: limit as u64 }));
            assert_eq!(
                (failure.code(), failure.offset()),
                (CloseCode::MESSAGE_TOO_BIG, limit as u64)
            );
            assert!(ledger.peak <= limit + STEP, "{ledger:?}, {limit}");
            // As much work as the limit is worth: the rest is not looked at.
            assert!(read <= payload.len() / 1024 * limit_mib + READ_LEN, "{read}");
        }
    }
    in_both_roles([refuse::<Server>, refuse::<TestClient>]);
}

// D01, P3: without an inbox, what is held is the context, and what is done is what the
// room is worth
#[test]
fn a_bomb_in_pieces_is_work_by_the_piece() {
    fn step<R: Endpoint>() {
        for (bits, out_len) in [(15, 4096), (9, 4096), (15, 1000)] {
            let mut stream = in_frames::<R>(&bomb(bits, 1024), 1);
            let mut connection = open_deflate::<R>(Terms::both(bits, Keep), &Config::new());
            let (ledger, (failure, calls, left)) = measure(|| {
                let received = connection.receive(&mut stream).expect("within the wire limit");
                let Some(Event::Data(mut piece)) = received.event else { panic!("no data") };
                let (mut out, mut calls) = ([0; 4096], 0);
                let failure = loop {
                    calls += 1;
                    match connection.inflate(&mut piece, &mut out[..out_len]) {
                        Ok(data) => assert!(data.is_some_and(|data| data.bytes().len() <= out_len)),
                        Err(failure) => break failure,
                    }
                };
                (failure, calls, piece.bytes().len())
            });
            assert_eq!(failure.code(), CloseCode::MESSAGE_TOO_BIG);
            assert!(calls <= MIB / out_len + 2, "{calls}");
            assert!(left > stream.len() - 4096, "{left}");
            assert!(ledger.peak <= INFLATER_BEHIND_FINAL_BLOCK * KIB, "{ledger:?}");
            // Nothing of it is needed any more.
            assert_eq!(ledger.held, 0);
        }
    }
    in_both_roles([step::<Server>, step::<TestClient>]);
}

// D01
#[test]
fn a_message_of_exactly_the_limit_passes_and_takes_no_more() {
    fn fill<R: Endpoint>() {
        for (bits, context, frames) in [(15, Keep, 1), (9, Drop, 7)] {
            let stream = in_frames::<R>(&bomb(bits, 1), frames);
            let mut connection = open_deflate::<R>(Terms::both(bits, context), &Config::new());
            let mut inbox = Inbox::with_capacity(READ_LEN);
            let (ledger, failure) = measure(|| {
                let (first, _) = receive_by_inbox(&mut connection, &mut inbox, &stream);
                let (second, _) = receive_by_inbox(&mut connection, &mut inbox, &stream);
                first.or(second)
            });
            assert_eq!(failure, None);
            assert!(ledger.peak <= MIB + STEP, "{ledger:?}");
        }
    }
    in_both_roles([fill::<Server>, fill::<TestClient>]);
}

// F08, P3: 6455-10.4-01
#[test]
fn a_length_that_is_only_declared_takes_no_memory() {
    fn declare<R: Endpoint>() {
        let config = Config::new().message_len_max(u64::MAX);
        for terms in [KEEP, DROP] {
            let mut connection = open_deflate::<R>(terms, &config);
            let mut stream = R::from_peer(&[Header(0x42, &[127, 0x40, 0, 0, 0, 0, 0, 0, 0])]);
            let (ledger, len) = measure(|| receive(&mut connection, &mut stream));
            assert_eq!((ledger, len), (NOTHING, Ok(0)));
        }
    }
    in_both_roles([declare::<Server>, declare::<TestClient>]);
}

// ---- what is given back

#[test]
fn an_inbox_gives_back_the_place_it_inflates_to() {
    let mut inbox = Inbox::with_capacity(READ_LEN);
    let mut connection = open_deflate::<TestClient>(DROP, &Config::new());
    let stream = from_peer::<TestClient>(&[PLAIN]);
    // The context is there already, and stays.
    assert_eq!(receive(&mut connection, &mut stream.clone()), Ok(PLAIN.len()));
    inbox.extend(&stream);
    let (ledger, ()) = measure(|| {
        while inbox.advance(&mut connection).expect("valid") != Ready::Need {}
        inbox.shrink();
    });
    assert!(ledger.peak >= READ_LEN && ledger.held == 0, "{ledger:?}");
}

// P4
#[test]
fn a_failure_gives_the_context_of_what_was_received_back() {
    fn fail<R: Endpoint>() {
        for terms in [KEEP, DROP] {
            let mut connection = open_deflate::<R>(terms, &Config::new());
            let mut stream = R::from_peer(&[Frame(0xc1, b"\xf2\x48\x07")]);
            let (ledger, failure) = measure(|| receive(&mut connection, &mut stream));
            assert!(failure.is_err());
            assert_eq!(ledger.held, 0);
        }
    }
    in_both_roles([fail::<Server>, fail::<TestClient>]);
}
