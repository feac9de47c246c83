//! UTF-8 as it streams by: valid so far, or wrong at exactly this byte.
//!
//! RFC 6455 section 8.1 wants text to be UTF-8 as RFC 3629 defines it: no
//! overlong forms, no surrogates, nothing above U+10FFFF. A character may be
//! split anywhere, so what is remembered between pieces is the set of bytes
//! that may come next, a number below nine.
//!
//! What was checked becomes a `str` in `checked_str`, and nowhere else.

/// The state of a check between two pieces of text.
///
/// ```
/// use sansocket::utf8::Utf8;
///
/// let mut check = Utf8::default();
/// assert_eq!(check.push(b"gr\xc3"), Ok(()));
/// assert!(!check.is_complete()); // inside a character
/// assert_eq!(check.push(b"\xbc\xc3\x9f"), Ok(()));
/// assert!(check.is_complete());
/// assert_eq!(check.push(b"e\xff"), Err(1)); // the byte that cannot be
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Utf8(State);

/// What may come next. The names say what is missing of the character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between characters.
    #[default]
    Boundary,
    /// One more byte, 80–BF.
    Last,
    /// Two more bytes, 80–BF.
    LastTwo,
    /// Three more bytes, 80–BF.
    LastThree,
    /// After E0: A0–BF, or it is overlong.
    AfterE0,
    /// After ED: 80–9F, or it is a surrogate.
    AfterEd,
    /// After F0: 90–BF, or it is overlong.
    AfterF0,
    /// After F4: 80–8F, or it is above U+10FFFF.
    AfterF4,
}

impl Utf8 {
    /// Checks the next piece. The error is the index in `piece` of the first
    /// byte that cannot belong to any valid text; the state is then unusable.
    #[inline]
    pub fn push(&mut self, piece: &[u8]) -> Result<(), usize> {
        let open = self.finish_character(piece)?;
        let whole = open + whole_text_len(&piece[open..]);
        match core::str::from_utf8(&piece[whole..]) {
            Ok(_) => Ok(()),
            Err(error) => self.push_from(piece, whole + error.valid_up_to()),
        }
    }

    /// Whether the text may end here: no character is left unfinished.
    #[inline]
    pub fn is_complete(&self) -> bool {
        self.0 == State::Boundary
    }

    /// Steps to the end of the character that the last piece left open.
    /// Returns how many bytes that took.
    #[inline]
    fn finish_character(&mut self, piece: &[u8]) -> Result<usize, usize> {
        let mut at = 0;
        while self.0 != State::Boundary && at < piece.len() {
            self.0 = self.0.next(piece[at]).ok_or(at)?;
            at += 1;
        }
        Ok(at)
    }

    /// Steps through `piece` from `at`, where a character begins that is not
    /// there in full or is wrong: at most four bytes.
    #[cold]
    fn push_from(&mut self, piece: &[u8], at: usize) -> Result<(), usize> {
        for (i, byte) in piece.iter().enumerate().skip(at) {
            self.0 = self.0.next(*byte).ok_or(i)?;
        }
        Ok(())
    }
}

impl State {
    /// RFC 3629 section 4, byte by byte.
    fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Boundary, 0x00..=0x7f) | (Self::Last, 0x80..=0xbf) => Self::Boundary,
            (Self::Boundary, 0xc2..=0xdf)
            | (Self::LastTwo, 0x80..=0xbf)
            | (Self::AfterE0, 0xa0..=0xbf)
            | (Self::AfterEd, 0x80..=0x9f) => Self::Last,
            (Self::Boundary, 0xe1..=0xec | 0xee | 0xef)
            | (Self::LastThree, 0x80..=0xbf)
            | (Self::AfterF0, 0x90..=0xbf)
            | (Self::AfterF4, 0x80..=0x8f) => Self::LastTwo,
            (Self::Boundary, 0xf1..=0xf3) => Self::LastThree,
            (Self::Boundary, 0xe0) => Self::AfterE0,
            (Self::Boundary, 0xed) => Self::AfterEd,
            (Self::Boundary, 0xf0) => Self::AfterF0,
            (Self::Boundary, 0xf4) => Self::AfterF4,
            _ => return None,
        })
    }
}

/// How many of the bytes are known fast to be text from boundary to boundary: all but an
/// unfinished character at the end, or none.
#[inline]
fn whole_text_len(bytes: &[u8]) -> usize {
    // Where the last character begins, if it is not ASCII; a character has four bytes at
    // most. Whether it is finished, the slow check says.
    let [.., a, b, c, d] = *bytes else {
        return 0;
    };
    let unfinished = match [d, c, b, a].iter().position(|byte| *byte >= 0xc0) {
        Some(behind) if d >= 0x80 => behind + 1,
        _ => 0,
    };
    let len = bytes.len() - unfinished;
    if is_text(&bytes[..len]) { len } else { 0 }
}

/// Whether the bytes are known fast to be text.
#[inline]
fn is_text(bytes: &[u8]) -> bool {
    #[cfg(all(feature = "std", feature = "unchecked", target_arch = "x86_64"))]
    if let Some(known) = crate::unchecked::is_text(bytes) {
        return known;
    }
    #[cfg(feature = "simd")]
    if bytes.len() >= WORTHWHILE {
        return simdutf8::basic::from_utf8(bytes).is_ok();
    }
    let _ = bytes;
    false
}

/// From this length on, vectors are worth their beginning.
#[cfg(feature = "simd")]
const WORTHWHILE: usize = 64;

/// The text in bytes that went through a [`Utf8`] check from boundary to
/// boundary.
pub(crate) fn checked_str(checked: &[u8]) -> &str {
    #[cfg(feature = "unchecked")]
    return crate::unchecked::checked_str(checked);
    #[cfg(not(feature = "unchecked"))]
    return twin::str(checked);
}

/// What stands in for `unchecked` when it is switched off, and what it is
/// tested against.
#[cfg(any(test, not(feature = "unchecked")))]
mod twin {
    pub(super) fn str(checked: &[u8]) -> &str {
        // Never an error, by the check before; never a panic, by promise P9.
        core::str::from_utf8(checked).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// Some valid text with something wrong put in here and there.
    fn nearly_text() -> impl Strategy<Value = Vec<u8>> {
        (
            any::<std::string::String>(),
            prop::collection::vec(any::<u8>(), 0..3),
            any::<prop::sample::Index>(),
        )
            .prop_map(|(text, noise, at)| {
                let mut bytes = text.into_bytes();
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, noise);
                bytes
            })
    }

    /// Where the bytes stop being the start of a valid text.
    fn naive(bytes: &[u8]) -> Option<usize> {
        (0..bytes.len()).find(|end| match std::str::from_utf8(&bytes[..=*end]) {
            Ok(_) => false,
            Err(error) => error.error_len().is_some(),
        })
    }

    proptest! {
        #[test]
        fn fails_at_the_first_impossible_byte_across_any_split(
            bytes in nearly_text(), cut: prop::sample::Index,
        ) {
            let cut = cut.index(bytes.len() + 1);
            let mut check = Utf8::default();
            let found = check
                .push(&bytes[..cut])
                .and_then(|()| check.push(&bytes[cut..]).map_err(|at| cut + at))
                .err();
            prop_assert_eq!(found, naive(&bytes));
            if found.is_none() {
                prop_assert_eq!(check.is_complete(), std::str::from_utf8(&bytes).is_ok());
            }
        }

        #[test]
        fn checked_text_is_the_same_with_and_without_the_second_check(text: std::string::String) {
            prop_assert_eq!(checked_str(text.as_bytes()), twin::str(text.as_bytes()));
            prop_assert_eq!(checked_str(text.as_bytes()), &text);
        }
    }

    #[test]
    fn every_state_takes_just_the_bytes_of_rfc_3629() {
        for lead in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let mut check = Utf8::default();
                assert_eq!(check.push(&[lead, second]).err(), naive(&[lead, second]));
            }
        }
    }
}
