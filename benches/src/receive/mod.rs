//! The rows of receiving: a server gets masked frames, and delivers whole messages, the
//! texts checked.
//!
//! Every row copies what came into its own buffer, since that is what a read from a
//! socket does, and every row's time includes it: an engine that wants a stream could not
//! be measured without. The row `memcpy` is that alone.
//!
//! Short messages come many to a read. A buffer that can be chosen has room for the
//! longest message, or for `READ_LEN` bytes if that is more.

mod engine;
#[cfg(feature = "peers")]
mod peers;

use std::hint::black_box;
use std::ops::Range;
use std::rc::Rc;

use sansocket::frame::HEADER_LEN_MAX;
use sansocket::{Fin, Kind, Opcode};

use crate::rows::{Case, Entry, Row};
use crate::{Dice, SWEEP, ascii, binary, masked_frame, mixed};
use engine::{Boxes, Chunks, Copied, InPlace};

/// The usual kinds of traffic, and a mixture.
pub fn cases() -> Vec<Case> {
    let repeated = |count, kind, payload: Vec<u8>| vec![(kind, payload); count];
    let wholes = [
        ("16 B binary", repeated(1024, Kind::Binary, binary(16))),
        ("125 B ASCII", repeated(256, Kind::Text, ascii(125))),
        ("1 KiB text", repeated(32, Kind::Text, mixed(KIB))),
        ("16 KiB binary", repeated(4, Kind::Binary, binary(16 * KIB))),
        ("1 MiB text", repeated(1, Kind::Text, mixed(KIB * KIB))),
    ];
    let fragmented = [
        ("64 KiB in 64, binary", repeated(2, Kind::Binary, binary(64 * KIB))),
        ("64 KiB in 64, text", repeated(2, Kind::Text, mixed(64 * KIB))),
    ];
    let wholes = wholes.into_iter().map(|(name, messages)| (name, Traffic::whole(messages)));
    let fragmented =
        fragmented.into_iter().map(|(name, messages)| (name, Traffic::in_fragments(messages, KIB)));
    let mixture = ("mixture", Traffic::whole(mixture(1024)));
    wholes.chain(fragmented).chain([mixture]).map(|(name, traffic)| case(name, traffic)).collect()
}

/// Binary messages of each size.
pub(crate) fn sweep() -> impl Iterator<Item = Case> {
    SWEEP.into_iter().map(|(name, len)| {
        let count = (32 * KIB / len).clamp(1, 1024);
        let traffic = Traffic::whole(vec![(Kind::Binary, binary(len)); count]);
        case(&format!("receive, {name}"), traffic)
    })
}

fn case(name: &str, traffic: Traffic) -> Case {
    let traffic = Rc::new(traffic);
    let room = traffic.room();
    let rows = vec![
        Entry::floor("header and mask", Measured::new(&traffic, InPlace::new(&traffic))),
        Entry::floor("memcpy", Measured::new(&traffic, Copied::new(&traffic))),
        Entry::ours("sansocket, chunks", Measured::checked(&traffic, Chunks::new(room))),
        Entry::ours("sansocket, Inbox", Measured::checked(&traffic, Boxes::new(room))),
        Entry::ours("sansocket, Inbox of 16 KiB", Measured::checked(&traffic, Boxes::usual())),
    ];
    #[cfg(feature = "peers")]
    let rows = rows.into_iter().chain(peers::rows(&traffic)).collect();
    Case {
        name: name.to_owned(),
        messages: traffic.messages.len(),
        bytes: traffic.messages.iter().map(|(_, payload)| payload.len()).sum(),
        rows,
    }
}

/// What comes in a run.
struct Traffic {
    messages: Vec<(Kind, Vec<u8>)>,
    /// Where each frame lies in `wire`.
    frames: Vec<Range<usize>>,
    wire: Rc<[u8]>,
}

impl Traffic {
    fn whole(messages: Vec<(Kind, Vec<u8>)>) -> Self {
        Self::in_fragments(messages, usize::MAX)
    }

    /// With fragments of `len` bytes; characters are cut.
    fn in_fragments(messages: Vec<(Kind, Vec<u8>)>, len: usize) -> Self {
        let (mut frames, mut wire) = (Vec::new(), Vec::new());
        for (kind, payload) in &messages {
            let mut opcode = match kind {
                Kind::Text => Opcode::Text,
                Kind::Binary => Opcode::Binary,
            };
            let mut rest = &payload[..];
            while !rest.is_empty() {
                let (fragment, behind) = rest.split_at(len.min(rest.len()));
                let fin = if behind.is_empty() { Fin::Last } else { Fin::More };
                let start = wire.len();
                wire.extend(masked_frame(opcode, fin, fragment));
                frames.push(start..wire.len());
                (opcode, rest) = (Opcode::Continuation, behind);
            }
        }
        Self { messages, frames, wire: wire.into() }
    }

    /// Room for any message, with its header.
    fn room(&self) -> usize {
        let longest = self.messages.iter().map(|(_, payload)| payload.len()).max();
        READ_LEN.max(longest.unwrap_or(0) + HEADER_LEN_MAX)
    }
}

/// Messages of random kinds and lengths, most of them short.
fn mixture(count: usize) -> Vec<(Kind, Vec<u8>)> {
    let mut dice = Dice::new();
    let message = |_| {
        let end = match dice.below(100) {
            0..60 => 125,
            60..85 => KIB,
            85..97 => 4 * KIB,
            _ => 16 * KIB,
        };
        let len = 1 + dice.below(end);
        match dice.below(3) {
            0 => (Kind::Binary, binary(len)),
            1 => (Kind::Text, ascii(len)),
            _ => (Kind::Text, mixed(len)),
        }
    };
    (0..count).map(message).collect()
}

/// Receives all messages of a run.
trait Engine {
    fn receive(&mut self, traffic: &Traffic, see: impl FnMut(Kind, &[u8]));
}

struct Measured<E> {
    traffic: Rc<Traffic>,
    engine: E,
}

impl<E: Engine> Measured<E> {
    fn new(traffic: &Rc<Traffic>, engine: E) -> Self {
        Self { traffic: Rc::clone(traffic), engine }
    }

    /// Sees for itself that the engine delivers what was sent.
    fn checked(traffic: &Rc<Traffic>, engine: E) -> Self {
        let mut row = Self::new(traffic, engine);
        for _ in 0..2 {
            let mut expected = traffic.messages.iter();
            row.engine.receive(traffic, |kind, payload| {
                let (sent_kind, sent) = expected.next().expect("no more than were sent");
                assert_eq!(kind, *sent_kind);
                assert!(payload == sent, "other bytes than were sent");
            });
            assert!(expected.next().is_none(), "all that were sent");
        }
        row
    }
}

impl<E: Engine> Row for Measured<E> {
    fn run(&mut self, times: usize) {
        for _ in 0..times {
            self.engine.receive(&self.traffic, |kind, payload| {
                black_box((kind, payload));
            });
        }
    }
}

const KIB: usize = 1024;

/// How much a read may bring: as `tungstenite` has it by itself.
const READ_LEN: usize = 128 * KIB;
