//! Masking (RFC 6455 section 5.3): exclusive-or with a four-byte key, word by
//! word, for a payload that may come in any pieces.
//!
//! Knows no frames. The key returned is rotated, so that the next piece of the
//! same payload goes on where this one ended.

// In the vectors that this machine has, where they may be used.
#[cfg(all(feature = "std", feature = "unchecked", target_arch = "x86_64"))]
use crate::unchecked::{apply_vectors, copy_vectors};
#[cfg(not(all(feature = "std", feature = "unchecked", target_arch = "x86_64")))]
use {apply_words as apply_vectors, copy_words as copy_vectors};

/// A masking key, its first byte meant for the next byte of the payload.
pub type Key = [u8; 4];

/// Masks or unmasks `payload` in place; the two are the same.
///
/// Returns the key for the bytes that follow.
///
/// ```
/// use sansocket::mask;
///
/// let mut bytes = *b"Hello";
/// let key = mask::apply(&mut bytes[..3], [1, 2, 3, 4]);
/// mask::apply(&mut bytes[3..], key);
/// assert_eq!(bytes, [b'H' ^ 1, b'e' ^ 2, b'l' ^ 3, b'l' ^ 4, b'o' ^ 1]);
/// ```
#[inline]
pub fn apply(payload: &mut [u8], key: Key) -> Key {
    let (key, _) = apply_ascii(payload, key);
    key
}

/// [`apply`], and whether the payload is ASCII then.
#[inline]
pub(crate) fn apply_ascii(payload: &mut [u8], key: Key) -> (Key, bool) {
    let ascii =
        if payload.len() < LONG { apply_words(payload, key) } else { apply_long(payload, key) };
    (rotated(key, payload.len()), ascii)
}

/// In vectors. It only goes on elsewhere, so it costs no more than a jump.
#[inline(never)]
fn apply_long(payload: &mut [u8], key: Key) -> bool {
    if payload.len() < VERY_LONG {
        apply_vectors(payload, key)
    } else {
        apply_aligned(payload, key)
    }
}

/// From the next place on that vectors like.
#[inline(never)]
fn apply_aligned(payload: &mut [u8], key: Key) -> bool {
    let to_aligned = payload.as_ptr().align_offset(ALIGN).min(payload.len());
    let (head, body) = payload.split_at_mut(to_aligned);
    let head_ascii = apply_words(head, key);
    apply_vectors(body, rotated(key, to_aligned)) && head_ascii
}

/// Masks a payload from its first byte word by word, and says whether it is ASCII then.
/// The compiler makes vectors of it where it may.
#[inline(always)]
pub(crate) fn apply_words(payload: &mut [u8], key: Key) -> bool {
    let pattern = wide(key);
    let (words, tail) = payload.as_chunks_mut::<WORD>();
    let mut bits = 0;
    for word in words {
        let plain = u64::from_ne_bytes(*word) ^ pattern;
        bits |= plain;
        *word = plain.to_ne_bytes();
    }
    let (half, tail) = tail.as_chunks_mut::<{ size_of::<Key>() }>();
    for half in half {
        let plain = u32::from_ne_bytes(*half) ^ u32::from_ne_bytes(key);
        bits |= u64::from(plain);
        *half = plain.to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key) {
        *byte ^= key;
        bits |= u64::from(*byte);
    }
    bits & NOT_ASCII == 0
}

/// Copies `payload` to the start of `out` and masks it in the same pass.
///
/// Returns the key for the bytes that follow.
///
/// # Panics
///
/// If `out` is shorter than `payload`; callers measure first.
#[inline]
pub(crate) fn copy(payload: &[u8], out: &mut [u8], key: Key) -> Key {
    let out = &mut out[..payload.len()];
    if payload.len() < LONG {
        copy_words(payload, out, key);
    } else {
        copy_vectors(payload, out, key);
    }
    rotated(key, payload.len())
}

/// Copies `payload` to an output of the same length, of up to some hundred bytes: less
/// than a call to copy. Two copies may overlap.
#[inline(always)]
pub(crate) fn copy_short(payload: &[u8], out: &mut [u8]) {
    copy_ends::<32>(payload, out)
        .or_else(|| copy_ends::<16>(payload, out))
        .or_else(|| copy_ends::<8>(payload, out))
        .or_else(|| copy_ends::<4>(payload, out))
        .unwrap_or_else(|| out.iter_mut().zip(payload).for_each(|(out, byte)| *out = *byte));
}

/// Copies by `LEN` bytes, the last of them overlapping; `None` if they are fewer.
#[inline(always)]
fn copy_ends<const LEN: usize>(payload: &[u8], out: &mut [u8]) -> Option<()> {
    let last = payload.last_chunk::<LEN>()?;
    for (from, to) in payload.as_chunks::<LEN>().0.iter().zip(out.as_chunks_mut::<LEN>().0) {
        *to = *from;
    }
    *out.last_chunk_mut::<LEN>()? = *last;
    Some(())
}

/// [`copy`] word by word, to an output of the same length; the last word overlaps the one
/// before it. The compiler makes vectors of it where it may.
#[inline(always)]
pub(crate) fn copy_words(payload: &[u8], out: &mut [u8], key: Key) {
    let pattern = wide(key);
    let (words, tail) = payload.as_chunks::<WORD>();
    let (out_words, out_tail) = out.as_chunks_mut::<WORD>();
    for (word, out) in words.iter().zip(out_words) {
        *out = (u64::from_ne_bytes(*word) ^ pattern).to_ne_bytes();
    }
    let Some(last) = payload.last_chunk::<WORD>() else {
        for ((byte, out), key) in tail.iter().zip(out_tail).zip(pattern.to_ne_bytes()) {
            *out = byte ^ key;
        }
        return;
    };
    if let Some(out) = out.last_chunk_mut::<WORD>() {
        let pattern = wide(rotated(key, payload.len()));
        *out = (u64::from_ne_bytes(*last) ^ pattern).to_ne_bytes();
    }
}

/// The key as it stands after `len` bytes of payload.
#[inline]
pub(crate) fn rotated(key: Key, len: usize) -> Key {
    let bytes = u32::try_from(len % size_of::<Key>()).unwrap_or_default();
    u32::from_le_bytes(key).rotate_right(8 * bytes).to_le_bytes()
}

/// The key twice.
#[inline]
fn wide(key: Key) -> u64 {
    let key = u64::from(u32::from_ne_bytes(key));
    key << 32 | key
}

const WORD: usize = size_of::<u64>();

/// From this length on, vectors are worth their beginning.
const LONG: usize = 512;

/// From this length on, it is worth it to begin where vectors like to.
const VERY_LONG: usize = 4096;

/// Where vectors like to begin, in bytes.
const ALIGN: usize = 64;

/// The bit of each byte in a word that ASCII leaves clear.
const NOT_ASCII: u64 = 0x8080_8080_8080_8080;

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    /// Section 5.3 as it is written.
    fn naive(payload: &mut [u8], key: Key) {
        for (i, byte) in payload.iter_mut().enumerate() {
            *byte ^= key[i % 4];
        }
    }

    proptest! {
        // 6455-5.3-05
        #[test]
        fn equals_the_naive_version_across_any_split(
            payload: Vec<u8>, key: Key, at: prop::sample::Index, offset in 0usize..8,
        ) {
            let mut expected = payload.clone();
            naive(&mut expected, key);
            // Any alignment of the buffer's start.
            let mut moved = vec![0; offset];
            moved.extend_from_slice(&payload);
            let (left, right) = moved[offset..].split_at_mut(at.index(payload.len() + 1));
            let next = apply(left, key);
            apply(right, next);
            prop_assert_eq!(&moved[offset..], &expected[..]);

            let mut copied = vec![0; payload.len()];
            let cut = at.index(payload.len() + 1);
            let next = copy(&payload[..cut], &mut copied, key);
            copy(&payload[cut..], &mut copied[cut..], next);
            prop_assert_eq!(copied, expected);
        }

        // Vectors, words and bytes, wherever they begin.
        #[test]
        fn long_payloads_are_masked_alike_and_known_as_ascii(
            len in 0usize..3000, key: Key, offset in 0usize..64, odd: Option<prop::sample::Index>,
        ) {
            let mut expected: Vec<u8> = (0u8..128).cycle().take(len).collect();
            if let (Some(odd), 1..) = (odd, len) {
                expected[odd.index(len)] |= 0x80;
            }
            let mut masked = vec![0; offset];
            masked.extend_from_slice(&expected);
            naive(&mut masked[offset..], key);
            let mut copied = vec![0; len];
            copy_words(&masked[offset..], &mut copied, key);
            prop_assert_eq!(&copied, &expected);
            copied.fill(0);
            copy_short(&expected, &mut copied);
            prop_assert_eq!(&copied, &expected);
            copied.fill(0);
            let next = copy(&masked[offset..], &mut copied, key);
            prop_assert_eq!((&copied, next), (&expected, rotated(key, len)));
            let (next, ascii) = apply_ascii(&mut masked[offset..], key);
            prop_assert_eq!(&masked[offset..], &expected[..]);
            prop_assert_eq!(ascii, expected.is_ascii());
            prop_assert_eq!(next, rotated(key, len));
        }
    }

    // Between where it begins and where vectors like to, too.
    #[test]
    fn a_byte_beyond_ascii_is_seen_at_either_end_of_a_very_long_payload() {
        const LEN: usize = VERY_LONG + 1000;
        for offset in 0..ALIGN {
            for (at, ascii) in [(0, false), (LEN - 1, false), (LEN, true)] {
                let mut payload = vec![0; offset + LEN + 1];
                payload[offset + at] = 0x80;
                let (_, found) = apply_ascii(&mut payload[offset..][..LEN], [0; 4]);
                assert_eq!(found, ascii, "{at} behind {offset}");
            }
        }
    }
}
