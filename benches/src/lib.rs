//! What the benches share: the same bytes for every row.
//!
//! Each bench has a baseline among its rows, the least that any code could do
//! for the same result, or the naive way to do it. Read a row as a multiple of
//! its baseline; nanoseconds are of this machine and this day.

pub mod deflate;
pub mod handshake;
pub mod load;
pub mod masking;
#[cfg(feature = "peers")]
mod memory;
pub mod receive;
mod rows;
pub mod send;
pub mod soak;

pub use rows::{Case, Entry, Row, Standing, line, median};

use sansocket::frame::{self, FrameHeader, HEADER_LEN_MAX};
use sansocket::mask::Key;
use sansocket::{ChaChaKeys, Client, Config, Connection, Fin, MaskKeys, Negotiated, Opcode, Role};

/// A masking key without a pattern.
pub const KEY: Key = [0x37, 0xfa, 0x21, 0x3d];

/// One kind of traffic at each size: binary messages received and sent.
pub fn sweep() -> Vec<Case> {
    receive::sweep().chain(send::sweep()).collect()
}

/// The sizes of a sweep.
const SWEEP: [(&str, usize); 10] = [
    ("16 B", 16),
    ("64 B", 64),
    ("125 B", 125),
    ("256 B", 256),
    ("1 KiB", 1024),
    ("4 KiB", 4 * 1024),
    ("16 KiB", 16 * 1024),
    ("64 KiB", 64 * 1024),
    ("256 KiB", 256 * 1024),
    ("1 MiB", 1024 * 1024),
];

/// `len` bytes of English: all ASCII.
pub fn ascii(len: usize) -> Vec<u8> {
    text("The quick brown fox jumps over the lazy dog. ", len)
}

/// `len` bytes of words in several scripts, characters of one to four bytes.
pub fn mixed(len: usize) -> Vec<u8> {
    text("Größe 大きさ размер μέγεθος 📏 size ", len)
}

/// `len` bytes without a pattern that a processor could learn.
pub fn binary(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut step = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| step()).collect()
}

/// Whole repetitions of `words`, then spaces, so that no character is cut.
fn text(words: &str, len: usize) -> Vec<u8> {
    let mut bytes = words.repeat(len / words.len()).into_bytes();
    bytes.resize(len, b' ');
    bytes
}

/// A masked frame, as a client sends it.
pub fn masked_frame(opcode: Opcode, fin: Fin, payload: &[u8]) -> Vec<u8> {
    let header =
        FrameHeader { fin, reserved: 0, opcode, key: Some(KEY), payload_len: payload.len() as u64 };
    let mut bytes = vec![0; HEADER_LEN_MAX + payload.len()];
    let len = frame::encode(&header, payload, &mut bytes).expect("it fits");
    bytes.truncate(len);
    bytes
}

/// An open connection with the default limits.
pub fn connection<R: Role>(role: R) -> Connection<R> {
    Connection::new(Negotiated::from_upgraded(), role, &Config::new())
}

/// A client whose keys are drawn as they are in earnest.
pub fn client() -> Client<ChaChaKeys> {
    Client::new(ChaChaKeys::from_seed([7; 32]))
}

/// Repeats itself in every run, and nowhere else.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// Another for each seed, but for one in 2⁶³.
    fn seeded(seed: u64) -> Self {
        // Neighbouring seeds are far from each other after that, and none is zero.
        let mut state = (seed ^ (seed >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Self((state ^ (state >> 32)) | 1)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }
}

/// Keys that can be predicted.
impl MaskKeys for Dice {
    #[inline]
    fn next_key(&mut self) -> Key {
        self.below(1);
        let [a, b, c, d, ..] = self.0.to_be_bytes();
        [a, b, c, d]
    }
}
