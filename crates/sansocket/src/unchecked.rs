//! The one module with `unsafe`. Without the feature `unchecked` there is none: a text
//! is checked a second time, and masking makes do with what every machine has.
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
    // engine's own calls, and finds each slice by its address.
    unsafe { core::str::from_utf8_unchecked(checked) }
}

/// [`apply_words`](crate::mask::apply_words) in vectors of 32 bytes, where the machine has
/// them: twice as fast from a KiB on.
#[cfg(all(feature = "std", target_arch = "x86_64"))]
#[inline]
pub(crate) fn apply_vectors(payload: &mut [u8], key: crate::mask::Key) -> bool {
    #[target_feature(enable = "avx2")]
    fn avx2(payload: &mut [u8], key: crate::mask::Key) -> bool {
        crate::mask::apply_words(payload, key)
    }

    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has AVX2, as was asked just now.
        unsafe { avx2(payload, key) }
    } else {
        crate::mask::apply_words(payload, key)
    }
}
