//! Masking (RFC 6455 section 5.3): exclusive-or with a four-byte key, word by
//! word, for a payload that may come in any pieces.
//!
//! Knows no frames. The key returned is rotated, so that the next piece of the
//! same payload goes on where this one ended.

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
    let pattern = wide(key);
    let (words, tail) = payload.as_chunks_mut::<WORD>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ pattern).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(pattern.to_ne_bytes()) {
        *byte ^= key;
    }
    rotated(key, payload.len())
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
    let pattern = wide(key);
    let out = &mut out[..payload.len()];
    let (words, tail) = payload.as_chunks::<WORD>();
    let (out_words, out_tail) = out.as_chunks_mut::<WORD>();
    for (word, out) in words.iter().zip(out_words) {
        *out = (u64::from_ne_bytes(*word) ^ pattern).to_ne_bytes();
    }
    for ((byte, out), key) in tail.iter().zip(out_tail).zip(pattern.to_ne_bytes()) {
        *out = byte ^ key;
    }
    rotated(key, payload.len())
}

/// The key as it stands after `len` bytes of payload.
pub(crate) fn rotated(mut key: Key, len: usize) -> Key {
    key.rotate_left(len % size_of::<Key>());
    key
}

fn wide([a, b, c, d]: Key) -> u64 {
    u64::from_ne_bytes([a, b, c, d, a, b, c, d])
}

const WORD: usize = size_of::<u64>();

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
    }
}
