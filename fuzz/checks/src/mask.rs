//! Word-wise masking against RFC 6455 section 5.3 as it is written, over any split.

use arbitrary::Arbitrary;
use sansocket::mask::{self, Key};

use crate::Cuts;

/// A payload, and the key to mask it with.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub struct Input<'a> {
    /// How the payload comes.
    pub cuts: Cuts,
    /// The masking key.
    pub key: Key,
    /// The payload.
    pub payload: &'a [u8],
}

/// Masks in pieces as the naive way does it whole; masking again undoes it.
pub fn check(Input { cuts, key, payload }: Input<'_>) {
    let naive = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
    let mut masked = payload.to_vec();
    let (mut at, mut rotated) = (0, key);
    for piece in cuts.of(payload) {
        rotated = mask::apply(&mut masked[at..at + piece.len()], rotated);
        at += piece.len();
    }
    assert!(masked.iter().copied().eq(naive));
    mask::apply(&mut masked, key);
    assert_eq!(masked, payload);
}
