//! What the fuzz targets assert: a target says what is fuzzed, this says what always
//! holds. Nothing here needs libFuzzer, so the seeds replay as an ordinary test.

#[cfg(feature = "peers")]
pub mod differential;
pub mod frames;
pub mod heads;
pub mod inflate;
pub mod mask;
pub mod negotiation;
pub mod operations;
pub mod utf8;
pub mod wired;

use arbitrary::{Arbitrary, Unstructured};
use sansocket::{ChaChaKeys, Client};

/// A fuzz target: its name, and its check of the bytes that a fuzzer made.
pub type Target = (&'static str, fn(&[u8]));

/// All targets that need no other implementation.
pub const TARGETS: &[Target] = &[
    ("frames_client", |bytes| replay(bytes, frames::check_client)),
    ("frames_server", |bytes| replay(bytes, frames::check_server)),
    ("inflate", |bytes| replay(bytes, inflate::check)),
    ("mask", |bytes| replay(bytes, mask::check)),
    ("negotiation", |bytes| replay(bytes, negotiation::check)),
    ("operations", |bytes| replay(bytes, operations::check)),
    ("request_head", |bytes| replay(bytes, heads::check_request)),
    ("response_head", |bytes| replay(bytes, heads::check_response)),
    ("utf8", |bytes| replay(bytes, utf8::check)),
    ("wired", |bytes| replay(bytes, wired::check)),
];

/// The targets that hold other implementations against ours.
#[cfg(feature = "peers")]
pub const DIFFERENTIAL_TARGETS: &[Target] = &[
    ("differential_client", |bytes| replay(bytes, differential::check_client)),
    ("differential_request", |bytes| replay(bytes, differential::check_request)),
    ("differential_server", |bytes| replay(bytes, differential::check_server)),
];

/// Reads the bytes as the targets do, and checks what they say.
fn replay<'a, I: Arbitrary<'a>>(bytes: &'a [u8], check: impl FnOnce(I)) {
    if let Ok(input) = I::arbitrary_take_rest(Unstructured::new(bytes)) {
        check(input);
    }
}

/// How a stream of bytes is cut into pieces: by lengths that are used in turn.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub struct Cuts(pub [u8; 4]);

impl Cuts {
    /// The lengths, of at least one, without end.
    pub fn lens(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().cycle().map(|len| usize::from(len.max(1)))
    }

    /// The bytes in pieces of at least one byte.
    pub fn of(self, mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut lens = self.lens();
        std::iter::from_fn(move || {
            let len = lens.next()?.min(bytes.len());
            let (piece, rest) = bytes.split_at(len);
            bytes = rest;
            (len > 0).then_some(piece)
        })
    }
}

/// What an endpoint receives, whoever made it.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub struct Stream<'a> {
    /// How the bytes come.
    pub cuts: Cuts,
    /// How long a message may be, in bytes.
    pub message_len_max: u16,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// A client whose masking keys are the same in every run.
pub fn client() -> Client<ChaChaKeys> {
    Client::new(ChaChaKeys::from_seed([7; 32]))
}
