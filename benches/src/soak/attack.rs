//! What a peer may do to a server, as far as bytes and patience go.

use std::time::Duration;

use sansocket::{Fin, Opcode};

use crate::masked_frame;

/// One way to cost a server more than its share.
pub struct Attack {
    /// What it is called.
    pub name: &'static str,
    /// Connections at a time, as far as the server takes them.
    pub connections: usize,
    pub(super) request: Request,
    /// What is sent then.
    pub(super) script: fn() -> Vec<u8>,
    /// How much of it at a time.
    pub(super) step: usize,
    /// From one time to the next.
    pub(super) pace: Duration,
    pub(super) afterwards: Afterwards,
    /// Whether it reads what the server says.
    pub(super) reads: bool,
    /// How long it waits to come back when a connection is over.
    pub(super) comes_back: Duration,
}

/// How it asks for a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Whole,
    /// And offers permessage-deflate.
    Deflate,
    /// The first half, and nothing more.
    Half,
    /// A step at a time.
    Dribbled,
}

/// What it does when all of its script is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Afterwards {
    /// It sends it again.
    Again,
    /// It stays, and sends nothing more.
    Silence,
}

const BASE: Attack = Attack {
    name: "",
    connections: 100,
    request: Request::Whole,
    script: Vec::new,
    step: usize::MAX,
    pace: Duration::from_millis(20),
    afterwards: Afterwards::Silence,
    reads: true,
    comes_back: Duration::from_secs(1),
};

/// All of them.
pub const ATTACKS: &[Attack] = &[
    // 3,200 Pings a second, three times what a server takes.
    Attack {
        name: "ping-flood",
        script: || ping().repeat(64),
        afterwards: Afterwards::Again,
        reads: false,
        comes_back: Duration::from_millis(500),
        ..BASE
    },
    // 900 a second, which it takes.
    Attack {
        name: "pings-unread",
        connections: 50,
        script: || ping().repeat(18),
        afterwards: Afterwards::Again,
        reads: false,
        ..BASE
    },
    Attack {
        name: "claimed-frames",
        script: claim,
        comes_back: Duration::from_millis(200),
        ..BASE
    },
    Attack { name: "claimed-frames-allowed", connections: 500, script: claim, ..BASE },
    Attack {
        name: "empty-continuations",
        script: || fragments(b""),
        comes_back: Duration::from_millis(500),
        ..BASE
    },
    Attack {
        name: "tiny-fragments",
        script: || fragments(b"x"),
        comes_back: Duration::from_millis(500),
        ..BASE
    },
    Attack {
        name: "slow-request",
        connections: 500,
        request: Request::Dribbled,
        step: 1,
        pace: Duration::from_secs(1),
        ..BASE
    },
    // A header of 14 bytes, and then a payload as slow.
    Attack {
        name: "slow-frames",
        connections: 500,
        script: || masked_frame(Opcode::Binary, Fin::Last, &[0; 1 << 16]),
        step: 1,
        pace: Duration::from_secs(1),
        ..BASE
    },
    Attack {
        name: "half-open",
        connections: 10_000,
        request: Request::Half,
        comes_back: Duration::from_secs(10),
        ..BASE
    },
    Attack {
        name: "echoes-unread",
        connections: 50,
        script: || masked_frame(Opcode::Binary, Fin::Last, &vec![0; 1 << 20]),
        step: 64 * 1024,
        afterwards: Afterwards::Again,
        reads: false,
        ..BASE
    },
    Attack {
        name: "long-then-silent",
        connections: 200,
        script: || masked_frame(Opcode::Binary, Fin::Last, &vec![0; 1 << 20]),
        ..BASE
    },
    Attack { name: "inflate-bomb", request: Request::Deflate, script: bomb, ..BASE },
];

fn ping() -> Vec<u8> {
    masked_frame(Opcode::Ping, Fin::Last, &[b'p'; 125])
}

/// The header of a frame of 64 MiB, and little of its payload.
fn claim() -> Vec<u8> {
    let mut frame = masked_frame(Opcode::Binary, Fin::Last, &vec![0; 64 << 20]);
    frame.truncate(14 + 100);
    frame
}

/// More of them than a message may have.
fn fragments(payload: &[u8]) -> Vec<u8> {
    let mut frames = masked_frame(Opcode::Text, Fin::More, payload);
    frames.extend(masked_frame(Opcode::Continuation, Fin::More, payload).repeat(2000));
    frames
}

/// 64 MiB of zeros in 64 KiB (RFC 7692 section 7.2.1).
fn bomb() -> Vec<u8> {
    let mut payload = miniz_oxide::deflate::compress_to_vec(&vec![0; 64 << 20], 6);
    // §7.2.3.4: behind a final block follows the beginning of an empty one.
    payload.push(0);
    let mut frame = masked_frame(Opcode::Binary, Fin::Last, &payload);
    frame[0] |= 0x40; // RSV1: compressed
    frame
}
