//! UTF-8 checked in vectors of 64 bytes, after Keiser and Lemire, "Validating UTF-8 in
//! less than one instruction per byte" (2021): three lookups by half bytes tell what is
//! wrong with each two neighbours, and a comparison which bytes must continue a character.
//!
//! Here a block is checked by itself: the bytes before each of its bytes are loaded, not
//! remembered, so blocks may overlap, and none is special but the first.

use core::arch::x86_64::{
    __m512i, _mm512_alignr_epi8, _mm512_alignr_epi64, _mm512_loadu_si512, _mm512_movepi8_mask,
    _mm512_or_si512, _mm512_permutexvar_epi8, _mm512_set1_epi8, _mm512_setzero_si512,
    _mm512_srli_epi16, _mm512_subs_epu8, _mm512_ternarylogic_epi64, _mm512_test_epi8_mask,
};

/// Whether `bytes` are text from boundary to boundary. `None` if that was not found out:
/// the machine has no such vectors, or they are not worth it.
#[inline]
pub(crate) fn is_text(bytes: &[u8]) -> Option<bool> {
    let worthwhile = bytes.len() >= WINDOW
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512vbmi");
    // SAFETY: the machine has what the function needs, as was asked just now.
    worthwhile.then(|| unsafe { check(bytes) })
}

#[target_feature(enable = "avx512bw,avx512vbmi")]
fn check(bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) else {
        return false;
    };
    let tables = Tables::new();
    let mut wrong = tables.check_first(first);
    for end in (2 * BLOCK..=bytes.len()).step_by(BLOCK) {
        if let Some(window) = bytes[..end].last_chunk() {
            wrong = _mm512_or_si512(wrong, tables.check(window));
        }
    }
    wrong = _mm512_or_si512(wrong, tables.check(last));
    if let Some(last) = bytes.last_chunk() {
        wrong = _mm512_or_si512(wrong, _mm512_subs_epu8(load(last), load(&FINISHED)));
    }
    _mm512_test_epi8_mask(wrong, wrong) == 0
}

/// The lookups, each a bit for each thing that may be wrong.
struct Tables {
    /// By the high half of a byte: what it may begin that is wrong.
    high: __m512i,
    /// By its low half.
    low: __m512i,
    /// By the high half of the byte behind it.
    next: __m512i,
}

impl Tables {
    #[target_feature(enable = "avx512bw,avx512vbmi")]
    fn new() -> Self {
        Self { high: load(&HIGH), low: load(&LOW), next: load(&NEXT) }
    }

    /// What is wrong with a text that begins so.
    #[target_feature(enable = "avx512bw,avx512vbmi")]
    fn check_first(&self, block: &[u8; BLOCK]) -> __m512i {
        let block = load(block);
        // Each lane of 16 bytes moved on by one.
        let before = _mm512_alignr_epi64(block, _mm512_setzero_si512(), 6);
        self.compare(
            block,
            _mm512_alignr_epi8(block, before, 15),
            _mm512_alignr_epi8(block, before, 14),
            _mm512_alignr_epi8(block, before, 13),
        )
    }

    /// What is wrong with the last 64 bytes, which stand behind the three before them.
    #[target_feature(enable = "avx512bw,avx512vbmi")]
    fn check(&self, window: &[u8; WINDOW]) -> __m512i {
        let (three, block) = (load_at::<0, _>(window), load_at::<3, _>(window));
        // Most text is ASCII, or has long runs of it.
        if _mm512_movepi8_mask(_mm512_or_si512(three, block)) == 0 {
            return _mm512_setzero_si512();
        }
        self.compare(block, load_at::<2, _>(window), load_at::<1, _>(window), three)
    }

    /// What is wrong with the bytes of `block`, given those one, two and three places
    /// before each.
    #[target_feature(enable = "avx512bw,avx512vbmi")]
    fn compare(&self, block: __m512i, one: __m512i, two: __m512i, three: __m512i) -> __m512i {
        // A lookup sees six bits of an index. The tables repeat themselves, so the upper
        // two may be anything.
        let by_high = _mm512_permutexvar_epi8(_mm512_srli_epi16(one, 4), self.high);
        let by_low = _mm512_permutexvar_epi8(one, self.low);
        let by_next = _mm512_permutexvar_epi8(_mm512_srli_epi16(block, 4), self.next);
        let pairs = _mm512_ternarylogic_epi64(by_high, by_low, by_next, ALL_THREE);
        // The top bit: behind the first byte of a long character, a third or fourth.
        let third = _mm512_subs_epu8(two, splat(0xe0 - 0x80));
        let fourth = _mm512_subs_epu8(three, splat(0xf0 - 0x80));
        let continues = _mm512_ternarylogic_epi64(third, fourth, splat(0x80), EITHER_AND);
        // Two continuations in a row are right exactly there.
        _mm512_ternarylogic_epi64(pairs, continues, continues, FIRST_XOR_SECOND)
    }
}

#[target_feature(enable = "avx512bw")]
fn load(block: &[u8; BLOCK]) -> __m512i {
    load_at::<0, _>(block)
}

/// The block from byte `AT` on.
#[target_feature(enable = "avx512bw")]
fn load_at<const AT: usize, const LEN: usize>(bytes: &[u8; LEN]) -> __m512i {
    const { assert!(AT + BLOCK <= LEN) };
    // SAFETY: 64 bytes are there, as was asserted when this was compiled; they may lie anywhere.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().add(AT).cast()) }
}

#[target_feature(enable = "avx512bw")]
fn splat(byte: u8) -> __m512i {
    _mm512_set1_epi8(byte.cast_signed())
}

const BLOCK: usize = 64;

/// A block, and as many bytes before it as can matter.
const WINDOW: usize = BLOCK + 3;

/// Truth tables: what to make of three bits.
const ALL_THREE: i32 = 0x80;
const EITHER_AND: i32 = 0xa8;
const FIRST_XOR_SECOND: i32 = 0x3c;

/// The largest bytes that a text may end with.
const FINISHED: [u8; BLOCK] = {
    let mut largest = [0xff; BLOCK];
    largest[BLOCK - 3] = 0xf0 - 1;
    largest[BLOCK - 2] = 0xe0 - 1;
    largest[BLOCK - 1] = 0xc0 - 1;
    largest
};

// What may be wrong with two neighbours.

/// Another character begins where one must be continued.
const TOO_SHORT: u8 = 1;
/// A continuation behind ASCII.
const TOO_LONG: u8 = 1 << 1;
/// E0 80 to E0 9F.
const OVERLONG_3: u8 = 1 << 2;
/// F4 90 and above, F5 to FF with anything.
const TOO_LARGE: u8 = 1 << 3;
/// ED A0 to ED BF.
const SURROGATE: u8 = 1 << 4;
/// C0, C1.
const OVERLONG_2: u8 = 1 << 5;
/// F0 80 to F0 8F, and F5 80 to FF 8F, which are too large.
const OVERLONG_4: u8 = 1 << 6;
/// Two continuations, which may be right.
const TWO: u8 = 1 << 7;

const HIGH: [u8; BLOCK] = repeated([
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TOO_LONG,
    TWO,
    TWO,
    TWO,
    TWO,
    TOO_SHORT | OVERLONG_2,
    TOO_SHORT,
    TOO_SHORT | OVERLONG_3 | SURROGATE,
    TOO_SHORT | OVERLONG_4 | TOO_LARGE,
]);

const LOW: [u8; BLOCK] = {
    const ANY: u8 = TOO_SHORT | TOO_LONG | TWO;
    const LARGE: u8 = ANY | TOO_LARGE | OVERLONG_4;
    repeated([
        ANY | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
        ANY | OVERLONG_2,
        ANY,
        ANY,
        ANY | TOO_LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE,
        LARGE | SURROGATE,
        LARGE,
        LARGE,
    ])
};

const NEXT: [u8; BLOCK] = {
    const ANY: u8 = TOO_LONG | TWO | OVERLONG_2;
    let mut table = [TOO_SHORT; 16];
    table[0x8] = ANY | OVERLONG_3 | OVERLONG_4;
    table[0x9] = ANY | OVERLONG_3 | TOO_LARGE;
    table[0xa] = ANY | SURROGATE | TOO_LARGE;
    table[0xb] = ANY | SURROGATE | TOO_LARGE;
    repeated(table)
};

const fn repeated(table: [u8; 16]) -> [u8; BLOCK] {
    let mut all = [0; BLOCK];
    let mut at = 0;
    while at < BLOCK {
        all[at] = table[at % 16];
        at += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a machine without these vectors there is nothing to agree on.
    fn assert_agrees(bytes: &[u8]) {
        if let Some(known) = is_text(bytes) {
            assert_eq!(known, core::str::from_utf8(bytes).is_ok(), "{bytes:x?}");
        }
    }

    // The first block, those behind it, the last, and characters across their borders.
    #[test]
    fn every_wrong_byte_is_seen_wherever_it_stands() {
        let text = "Größe 大きさ размер μέγεθος 📏 size, and then ASCII only for a while".repeat(3);
        for end in (WINDOW..text.len()).step_by(13).chain([text.len()]) {
            let mut bytes = text.as_bytes()[..end].to_vec();
            assert_agrees(&bytes);
            for at in 0..end {
                let byte = bytes[at];
                for other in
                    (0x80..=0xff).step_by(9).chain([b'a', 0xc0, 0xc1, 0xe0, 0xed, 0xf0, 0xf4])
                {
                    bytes[at] = other;
                    assert_agrees(&bytes);
                }
                bytes[at] = byte;
            }
        }
    }

    #[test]
    fn every_beginning_of_a_character_is_known() {
        for [lead, second] in (0..=u16::MAX).map(u16::to_be_bytes) {
            for third in [0x7f, 0x80, 0xbf] {
                for at in [0, 62, 197] {
                    let mut bytes = [b' '; 200];
                    bytes[at..]
                        .iter_mut()
                        .zip([lead, second, third, 0x80])
                        .for_each(|(to, from)| *to = from);
                    assert_agrees(&bytes);
                    if at < 197 {
                        bytes[at + 3] = b' ';
                        assert_agrees(&bytes);
                    }
                }
            }
        }
    }
}
