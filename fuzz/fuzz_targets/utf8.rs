#![no_main]
//! The streaming check against the standard library's, over any split.

use libfuzzer_sys::fuzz_target;
use sansocket::utf8::Utf8;
use sansocket_fuzz::Cuts;

fuzz_target!(|input: (Cuts, &[u8])| {
    let (cuts, bytes) = input;
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
});

/// The end of the shortest prefix that no text begins with.
fn first_impossible(bytes: &[u8]) -> Option<usize> {
    let error = std::str::from_utf8(bytes).err()?;
    error.error_len()?;
    let from = error.valid_up_to();
    (from..bytes.len()).find(|end| {
        std::str::from_utf8(&bytes[from..=*end]).is_err_and(|error| error.error_len().is_some())
    })
}
