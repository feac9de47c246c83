//! The two libraries that decompress for the engine, alone and side by side: `zlib-rs`, and
//! `miniz_oxide`, which takes its place where the window is small, or behind a final block.
//!
//! Both decompress the same messages, made with a window of 12 bits and a context that is
//! kept. `miniz_oxide` has a ring of just this window, and what comes out is copied from
//! there: so the engine uses it.

use std::hint::black_box;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

use super::raw::moved;
use super::{corpus, room};
use crate::rows::{Case, Entry, Row};

/// Messages, and what an attacker would send: blocks with nothing in them. Of these every
/// byte on the wire counts as a message.
pub fn cases() -> Vec<Case> {
    let messages = LENS.into_iter().map(|(name, len)| {
        let mut corpus = corpus(len);
        corpus.truncate(256 * 1024 / len);
        case(name, corpus.len(), compressed(&corpus), corpus.concat().as_bytes(), room(&corpus))
    });
    let empty = [("empty stored blocks, a byte", STORED), ("empty fixed blocks, a byte", FIXED)];
    let empty = empty.into_iter().map(|(name, block)| {
        let wire = block.repeat(EMPTY_COUNT);
        case(name, wire.len(), vec![wire], b"", 1)
    });
    messages.chain(empty).collect()
}

fn case(name: &str, messages: usize, wire: Vec<Vec<u8>>, plain: &[u8], room: usize) -> Case {
    let zlib = Zlib { inflate: Inflate::new(false, 15), out: vec![0; room] };
    let miniz = Miniz {
        inflate: Box::default(),
        ring: vec![0; 1 << WINDOW_BITS],
        at: 0,
        out: vec![0; room],
    };
    let rows = vec![
        Entry::floor("zlib-rs", Inflating::checked(&wire, plain, zlib)),
        Entry::ours("miniz_oxide", Inflating::checked(&wire, plain, miniz)),
    ];
    Case { name: name.to_owned(), messages, bytes: plain.len(), rows }
}

/// The payloads of the messages, with what a sender cuts off.
fn compressed(corpus: &[String]) -> Vec<Vec<u8>> {
    let config = DeflateConfig {
        level: 6,
        mem_level: 8,
        window_bits: -WINDOW_BITS,
        ..DeflateConfig::default()
    };
    let mut deflate = Deflate::new_with_config(config);
    let payload = |text: &String| {
        let mut payload = vec![0; room(corpus)];
        let before = deflate.total_out();
        let status = deflate.compress(text.as_bytes(), &mut payload, DeflateFlush::SyncFlush);
        assert_eq!(status, Ok(Status::Ok));
        payload.truncate(moved(before, deflate.total_out()));
        payload
    };
    corpus.iter().map(payload).collect()
}

/// Decompresses a message, and returns it.
trait Engine {
    fn inflate(&mut self, payload: &[u8]) -> &[u8];
}

struct Zlib {
    inflate: Inflate,
    out: Vec<u8>,
}

impl Engine for Zlib {
    fn inflate(&mut self, payload: &[u8]) -> &[u8] {
        let before = self.inflate.total_out();
        let status = self.inflate.decompress(payload, &mut self.out, InflateFlush::NoFlush);
        assert_eq!(status, Ok(Status::Ok));
        &self.out[..moved(before, self.inflate.total_out())]
    }
}

struct Miniz {
    inflate: Box<DecompressorOxide>,
    ring: Vec<u8>,
    at: usize,
    out: Vec<u8>,
}

impl Engine for Miniz {
    fn inflate(&mut self, payload: &[u8]) -> &[u8] {
        let Self { inflate, ring, at, out } = self;
        let (mut rest, mut len) = (payload, 0);
        loop {
            let (status, consumed, produced) =
                decompress(inflate, rest, ring, *at, TINFL_FLAG_HAS_MORE_INPUT);
            out[len..][..produced].copy_from_slice(&ring[*at..][..produced]);
            rest = &rest[consumed..];
            len += produced;
            *at = (*at + produced) % ring.len();
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => return &out[..len],
                other => panic!("{other:?}"),
            }
        }
    }
}

struct Inflating<E> {
    wire: Vec<Vec<u8>>,
    engine: E,
}

impl<E: Engine> Inflating<E> {
    /// Sees for itself that the messages come out.
    fn checked(wire: &[Vec<u8>], plain: &[u8], mut engine: E) -> Self {
        for _ in 0..2 {
            let inflated: Vec<_> =
                wire.iter().flat_map(|payload| engine.inflate(payload).to_vec()).collect();
            assert!(inflated == plain, "other bytes than were compressed");
        }
        Self { wire: wire.to_vec(), engine }
    }
}

impl<E: Engine> Row for Inflating<E> {
    fn run(&mut self, times: usize) {
        for _ in 0..times {
            for payload in &self.wire {
                black_box(self.engine.inflate(black_box(payload)));
            }
        }
    }
}

const LENS: [(&str, usize); 4] =
    [("128 B", 128), ("1 KiB", 1024), ("16 KiB", 16 * 1024), ("64 KiB", 64 * 1024)];

const WINDOW_BITS: i32 = 12;

/// An empty stored block.
const STORED: &[u8] = &[0x00, 0x00, 0x00, 0xff, 0xff];

/// Four empty blocks of fixed codes, of ten bits each.
const FIXED: &[u8] = &[0x02, 0x08, 0x20, 0x80, 0x00];

const EMPTY_COUNT: usize = 64;
