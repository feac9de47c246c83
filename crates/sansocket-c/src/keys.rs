//! Masking keys from a seed, in little memory: the stream of `ChaChaKeys`, of which not 64
//! words are kept but 16, and no vectors, which would ask C for their alignment.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use sansocket::MaskKeys;

pub(crate) struct Keys {
    seed: [u8; 32],
    words: [u32; WORDS as usize],
    /// Words of the stream that were made.
    made: u64,
    /// Of those, how many are left in `words`, at its end.
    left: u8,
}

/// A block of the cipher.
const WORDS: u8 = 16;

impl Keys {
    pub(crate) fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed, words: [0; WORDS as usize], made: 0, left: 0 }
    }

    fn refill(&mut self) {
        let mut stream = ChaCha12Rng::from_seed(self.seed);
        stream.set_word_pos(self.made.into());
        self.words.fill_with(|| stream.next_u32());
        self.made = self.made.wrapping_add(WORDS.into());
        self.left = WORDS;
    }
}

impl MaskKeys for Keys {
    fn next_key(&mut self) -> [u8; 4] {
        if self.left == 0 {
            self.refill();
        }
        let index = WORDS.saturating_sub(self.left);
        self.left = self.left.saturating_sub(1);
        self.words.get(usize::from(index)).copied().unwrap_or_default().to_ne_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansocket::ChaChaKeys;

    #[test]
    fn the_keys_are_those_of_the_engine() {
        let (mut ours, mut theirs) = (Keys::from_seed([7; 32]), ChaChaKeys::from_seed([7; 32]));
        for index in 0..1000 {
            assert_eq!(ours.next_key(), theirs.next_key(), "{index}");
        }
    }
}
