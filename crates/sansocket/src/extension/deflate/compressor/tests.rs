//! The compressor against its bound, and its references against the window.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::slice;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::extension::deflate::inflater::tests::reference::{End, TAIL, decode};
use crate::extension::deflate::inflater::tests::{compressed, noise, text, window};

fn settings(bits: u8, level: u8, mem_level: u8) -> CompressorSettings {
    CompressorSettings { window: window(bits), level, mem_level }
}

/// Everything that can be set.
fn grid() -> impl Iterator<Item = CompressorSettings> {
    let levels = (0..=9).flat_map(|level| (1..=9).map(move |mem_level| (level, mem_level)));
    levels.flat_map(|(level, mem_level)| (8..=15).map(move |bits| settings(bits, level, mem_level)))
}

/// Bytes that have nine bits in the fixed code.
fn long_in_the_fixed_code(len: usize) -> Vec<u8> {
    noise(len).iter().map(|byte| 0x90 + byte % 0x70).collect()
}

/// Bytes with references as short and far as they come.
fn far_apart(len: usize) -> Vec<u8> {
    let threes: Vec<_> = noise(3 * 64).chunks(3).map(<[u8]>::to_vec).collect();
    let mut bytes = Vec::new();
    for (at, byte) in noise(len).iter().enumerate() {
        bytes.extend(&threes[(at / 2 + usize::from(*byte)) % threes.len()]);
        bytes.extend(noise(40 + usize::from(*byte)).last());
    }
    bytes.truncate(len);
    bytes
}

/// Compresses with exactly as much room as the bound says, and checks that all of
/// it was needed or not touched, and that there is a whole flush.
fn compress_within_bound(compressor: &mut Compressor, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0xa5; Compressor::bound(payload.len())];
    let len = compressor.compress(payload, Flush::Keep, &mut out);
    let len = len.unwrap_or_else(|| panic!("{compressor:?}, {} bytes", payload.len()));
    assert!(len < out.len());
    out.truncate(len);
    assert!(out.ends_with(&TAIL));
    out
}

#[test]
fn the_bound_holds_for_any_settings_and_data() {
    let kinds = [noise, long_in_the_fixed_code, far_apart, text];
    let data = kinds.map(|kind| kind(6_000));
    for settings in grid() {
        // The others are alike, but for how often the window moves.
        if ![8, 15].contains(&settings.window.get()) {
            continue;
        }
        let mut compressor = Compressor::new(settings);
        for data in &data {
            compress_within_bound(&mut compressor, data);
            // Blocks and flushes at all ends, in one context.
            let mut rest = &data[..];
            for len in [1, 2, 3, 4, 126, 127, 128, 129, 254, 255, 256, 511, 512, 513, 1023] {
                let (payload, after) = rest.split_at(len);
                compress_within_bound(&mut compressor, payload);
                rest = after;
            }
        }
    }
}

#[test]
fn the_bound_holds_for_large_payloads() {
    for kind in [noise, long_in_the_fixed_code] {
        let payload = kind(150_000);
        for (bits, level) in [(8, 0), (8, 1), (9, 6), (15, 0), (15, 1), (15, 2), (15, 6), (15, 9)] {
            for mem_level in [1, 9] {
                let mut compressor = Compressor::new(settings(bits, level, mem_level));
                compress_within_bound(&mut compressor, &payload);
                compress_within_bound(&mut compressor, &payload[..1]);
            }
        }
    }
}

#[test]
fn the_bound_saturates() {
    assert_eq!(Compressor::bound(0), 16);
    assert_eq!(Compressor::bound(usize::MAX), usize::MAX);
    assert_eq!(Compressor::bound(usize::MAX / 8 * 8), usize::MAX);
    assert!(Compressor::bound(1 << 20) < (1 << 20) / 8 * 9 + (1 << 15));
}

#[test]
fn without_room_nothing_changes() {
    let mut compressor = Compressor::new(settings(15, 6, 8));
    let first = compressed(&mut compressor, b"Hello");
    let mut out = [0xa5; 20];
    assert_eq!(compressor.compress(b"Hello", Flush::Keep, &mut out), None);
    assert_eq!(out, [0xa5; 20]);
    assert_eq!(first, b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    assert_eq!(compressed(&mut compressor, b"Hello"), b"\xf2\x00\x11\x00\x00");
}

#[test]
fn an_empty_payload_comes_to_nothing() {
    for level in [0, 1, 2, 6, 9] {
        let mut compressor = Compressor::new(settings(15, level, 8));
        for _ in 0..2 {
            assert_eq!(compressor.compress(b"", Flush::Keep, &mut [0; 15]), None);
            assert_eq!(compressor.compress(b"", Flush::Keep, &mut [0; 16]), Some(0));
            compressed(&mut compressor, b"Hello");
        }
        compressor.reset();
        assert_eq!(compressor.compress(b"", Flush::Keep, &mut [0; 16]), Some(0));
    }
}

#[test]
fn a_reset_compressor_is_like_a_new_one() {
    let messages = [text(3000), noise(100), text(3000)];
    for settings in grid() {
        if ![8, 15].contains(&settings.window.get()) || settings.mem_level % 4 != 0 {
            continue;
        }
        let mut compressor = Compressor::new(settings);
        for message in &messages {
            let first = compressed(&mut Compressor::new(settings), message);
            assert!(compressed(&mut compressor, message) == first, "{settings:?}");
            compressor.reset();
        }
        assert_eq!(compressor.settings(), settings);
    }
}

// A message in fragments may end with an empty one, whose flush forgets nothing.
#[test]
fn what_an_empty_payload_follows_is_forgotten_too() {
    let text = text(500);
    let settings = settings(15, 6, 8);
    let alone = compress_within_bound(&mut Compressor::new(settings), &text);
    let mut compressor = Compressor::new(settings);
    for _ in 0..2 {
        assert_eq!(compress_within_bound(&mut compressor, &text), alone);
        let mut out = [0; 64];
        assert_eq!(compressor.compress(b"", Flush::Forget, &mut out), Some(0));
        compressor.reset();
    }
}

#[test]
fn a_longer_payload_has_no_smaller_bound() {
    assert!((0..2_000).all(|len| Compressor::bound(len) < Compressor::bound(len + 1)));
}

#[test]
fn settings_out_of_range_are_taken_as_the_next() {
    let hello = |level, mem_level| {
        let mut compressor = Compressor::new(settings(15, level, mem_level));
        compressed(&mut compressor, &text(3000))
    };
    assert_eq!(hello(200, 0), hello(9, 1));
    assert_eq!(hello(9, 200), hello(9, 9));
}

/// The longest distance in what comes of these messages, one after the other, which
/// are checked to come back.
fn distance_max(settings: CompressorSettings, messages: &[Vec<u8>]) -> usize {
    let mut compressor = Compressor::new(settings);
    let mut stream = Vec::new();
    for message in messages {
        stream.extend(compressed(&mut compressor, message));
        stream.extend(TAIL);
    }
    let decoded = decode(&stream, &[], settings.window.window_len());
    assert_eq!(decoded.end, End::Boundary, "{settings:?}");
    assert!(decoded.bytes == messages.concat(), "{settings:?}");
    decoded.references.iter().map(|(_, distance)| *distance).max().unwrap_or(0)
}

/// What repeats at each of these distances.
fn repeating(distances: impl Iterator<Item = usize>) -> Vec<u8> {
    let repeat = |distance: usize| {
        let pattern = [&noise(distance + 7)[7..], &distance.to_le_bytes()[..2]].concat();
        [&pattern[..], &pattern, &pattern[..distance.min(70)]].concat()
    };
    distances.flat_map(repeat).collect()
}

/// RFC 7692 section 7.1.2: there are windows of 256 bytes, and zlib has none.
#[test]
fn a_compressor_of_nine_bits_stays_in_eight() {
    let messages = [
        text(3_000),
        repeating((200..300).step_by(7)),
        repeating((245..265).chain(500..515)),
        far_apart(2_000),
        vec![0; 1_000],
        noise(1_000),
        noise(1_000),
        text(300),
        text(300),
    ];
    let mut longest = 0;
    for settings in grid().filter(|settings| settings.window.get() == 8) {
        // Both end in an error if a reference is more than 256 bytes back.
        longest = longest.max(distance_max(settings, &messages));
        for message in &messages[..2] {
            longest = longest.max(distance_max(settings, slice::from_ref(message)));
        }
    }
    assert_eq!(longest, 512 - 262);
}

#[test]
fn every_compressor_stays_in_its_window() {
    for settings in grid() {
        if settings.mem_level != 8 || ![1, 3, 6, 9].contains(&settings.level) {
            continue;
        }
        let len = settings.window.window_len();
        let messages = [repeating([len - 62, len - 6, len - 1, len, len + 1].into_iter())];
        assert!(distance_max(settings, &messages) <= len);
    }
}

proptest! {
    #[test]
    fn the_bound_holds_for_many_messages(
        bits in 8..=15_u8,
        level in 0..=9_u8,
        mem_level in 1..=9_u8,
        pieces in prop::collection::vec((0..4_usize, 0..700_usize, 1..1500_usize), 1..12),
    ) {
        let kinds = [noise, long_in_the_fixed_code, far_apart, text].map(|kind| kind(2200));
        let mut compressor = Compressor::new(settings(bits, level, mem_level));
        let mut stream = Vec::new();
        let mut all = Vec::new();
        for (kind, start, len) in pieces {
            let payload = &kinds[kind][start..][..len];
            stream.extend(compress_within_bound(&mut compressor, payload));
            all.extend(payload);
        }
        let decoded = decode(&stream, &[], window(bits).window_len());
        prop_assert_eq!(decoded.end, End::Boundary);
        prop_assert!(decoded.bytes == all);
    }
}
