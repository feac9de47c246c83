//! The streaming check against the standard library's, over any split.

use arbitrary::Arbitrary;
use sansocket::utf8::Utf8;

use crate::Cuts;

/// What may be a text.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub struct Input<'a> {
    /// How it comes.
    pub cuts: Cuts,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Fails at the first impossible byte; what is complete is a text.
pub fn check(Input { cuts, bytes }: Input<'_>) {
    let mut check = Utf8::default();
    let mut at = 0;
    let mut wrong_at = None;
    for piece in cuts.of(bytes) {
        if let Err(index) = check.push(piece) {
            wrong_at = Some(at + index);
            break;
        }
        at += piece.len();
    }
    assert_eq!(wrong_at, first_impossible(bytes));
    if wrong_at.is_none() {
        assert_eq!(check.is_complete(), std::str::from_utf8(bytes).is_ok());
    }
}

/// The last byte of the shortest prefix that no text begins with.
fn first_impossible(bytes: &[u8]) -> Option<usize> {
    let error = std::str::from_utf8(bytes).err()?;
    error.error_len()?;
    let from = error.valid_up_to();
    (from..bytes.len()).find(|end| {
        std::str::from_utf8(&bytes[from..=*end]).is_err_and(|error| error.error_len().is_some())
    })
}
