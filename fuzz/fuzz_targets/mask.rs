#![no_main]
//! Word-wise masking against RFC 6455 section 5.3 as it is written, over any
//! split.

use libfuzzer_sys::fuzz_target;
use sansocket::mask::{self, Key};
use sansocket_fuzz::Cuts;

fuzz_target!(|input: (Cuts, Key, &[u8])| {
    let (cuts, key, payload) = input;
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
});
