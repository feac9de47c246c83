//! The one module with `unsafe`. Without the feature `unchecked` there is none: a text
//! is checked a second time, and masking and checking make do with what every machine has.
#![allow(unsafe_code)]

/// Saves the second pass over a text.
pub(crate) fn checked_str(checked: &[u8]) -> &str {
    debug_assert!(core::str::from_utf8(checked).is_ok());
    // SAFETY: every caller passes bytes that `Utf8::push`, or `from_utf8` itself, passed
    // without an error, in order and from boundary to boundary: the decoder checks a Close
    // reason in `close_code::check_body`, a short message in `short::unmask`, and a
    // message's pieces are joined only where the state after one is the state before the
    // next (`Data::follows`). No one else can write the bytes in between: they are
    // borrowed or private. An `Inbox`, which keeps bytes and proof apart, is filled by the
    // engine's own calls, and finds each slice by its address; the room that it lends lies
    // behind what was adopted, and a piece is adopted only by the same equality, and never one
    // that is compressed.
    unsafe { core::str::from_utf8_unchecked(checked) }
}

#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod text;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
pub(crate) use {text::is_text, x86_64::apply_vectors, x86_64::copy_vectors};

/// The loops of masking in vectors of 32 bytes, where the machine has them: twice as fast
/// from a KiB on. The compiler makes them, of the same loops.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod x86_64 {
    use crate::mask::{self, Key};

    #[inline]
    pub(crate) fn apply_vectors(payload: &mut [u8], key: Key) -> bool {
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has AVX2, as was asked just now.
            unsafe { apply_avx2(payload, key) }
        } else {
            mask::apply_words(payload, key)
        }
    }

    #[inline]
    pub(crate) fn copy_vectors(payload: &[u8], out: &mut [u8], key: Key) {
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has AVX2, as was asked just now.
            unsafe { copy_avx2(payload, out, key) }
        } else {
            mask::copy_words(payload, out, key);
        }
    }

    #[target_feature(enable = "avx2")]
    fn apply_avx2(payload: &mut [u8], key: Key) -> bool {
        mask::apply_words(payload, key)
    }

    #[target_feature(enable = "avx2")]
    fn copy_avx2(payload: &[u8], out: &mut [u8], key: Key) {
        mask::copy_words(payload, out, key);
    }
}
