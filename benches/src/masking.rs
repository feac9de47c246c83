//! The rows of masking: a payload in place, at an address that vectors like and at one
//! that they do not.
//!
//! Of the peers those whose function can be called, if only hidden from its docs, as that
//! of `yawc`: the ones of `tungstenite` and `tokio-websockets` cannot.

use std::hint::black_box;

use sansocket::mask::{self, Key};

use crate::rows::{Case, Entry, Row};
use crate::{KEY, binary};

/// A case for each length and place.
pub fn cases() -> Vec<Case> {
    // The start of a payload lies where its header ends, so seldom aligned.
    let places = [("aligned", 0), ("offset 3", 3)];
    let cases = places.into_iter().flat_map(|(place, offset)| {
        LENS.into_iter().map(move |(name, len)| Case {
            name: format!("{name}, {place}"),
            messages: 1,
            bytes: len,
            rows: rows(len, offset),
        })
    });
    cases.collect()
}

fn rows(len: usize, offset: usize) -> Vec<Entry> {
    let rows = vec![
        // What any masking must do: read, change, write.
        Entry::floor(
            "invert",
            Masking::new(len, offset, |payload, _| payload.iter_mut().for_each(|b| *b = !*b)),
        ),
        Entry::floor("naive", Masking::new(len, offset, naive)),
        Entry::ours(
            "sansocket",
            Masking::new(len, offset, |payload, key| {
                mask::apply(payload, key);
            }),
        ),
    ];
    #[cfg(feature = "peers")]
    let rows = rows.into_iter().chain(peers(len, offset)).collect();
    rows
}

#[cfg(feature = "peers")]
fn peers(len: usize, offset: usize) -> [Entry; 5] {
    // Of these two arguments the first is the key.
    let sans_io = |payload: &mut [u8], key: Key| websocket_sans_io::apply_mask(key, payload, 0);
    [
        Entry::peer("fastwebsockets", Masking::new(len, offset, fastwebsockets::unmask)),
        Entry::peer("websocket-sans-io", Masking::new(len, offset, sans_io)),
        Entry::peer("sockudo-ws", Masking::new(len, offset, sockudo_ws::mask::apply_mask)),
        Entry::peer("nexus-web", Masking::new(len, offset, nexus_web::ws::apply_mask)),
        Entry::peer("yawc", Masking::new(len, offset, yawc::mask::apply_mask)),
    ]
}

/// Section 5.3 of RFC 6455 as it is written.
fn naive(payload: &mut [u8], key: Key) {
    for (i, byte) in payload.iter_mut().enumerate() {
        *byte ^= key[i % 4];
    }
}

/// Masks the same bytes again and again: that toggles, so every run has as much to do.
struct Masking<F> {
    storage: Vec<u8>,
    start: usize,
    len: usize,
    apply: F,
}

impl<F: Fn(&mut [u8], Key)> Masking<F> {
    fn new(len: usize, offset: usize, apply: F) -> Self {
        let mut storage = vec![0; len + PAGE + offset];
        let start = storage.as_ptr().align_offset(PAGE) + offset;
        storage[start..][..len].copy_from_slice(&binary(len));
        Self { storage, start, len, apply }
    }
}

impl<F: Fn(&mut [u8], Key)> Row for Masking<F> {
    fn run(&mut self, times: usize) {
        let payload = &mut self.storage[self.start..][..self.len];
        for _ in 0..times {
            (self.apply)(black_box(payload), black_box(KEY));
        }
    }
}

const LENS: [(&str, usize); 5] =
    [("16 B", 16), ("125 B", 125), ("1 KiB", 1024), ("16 KiB", 16 * 1024), ("1 MiB", 1024 * 1024)];

/// The rows have each their own bytes; so all lie alike.
const PAGE: usize = 4096;
