//! What the fuzz targets assert, in one place: a target says what is fuzzed,
//! this says what always holds.

pub mod frames;
pub mod heads;
pub mod inflate;
pub mod operations;
pub mod wired;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use sansocket::{ChaChaKeys, Client};

/// How a stream of bytes is cut into pieces: by lengths that are used in turn.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Cuts([u8; 4]);

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

/// A client whose masking keys are the same in every run.
pub fn client() -> Client<ChaChaKeys> {
    Client::new(ChaChaKeys::from_seed([7; 32]))
}
