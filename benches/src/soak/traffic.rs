//! What is sent, and what must come back.

use sansocket::{Data, Kind};

use super::manner::Lens;
use crate::Dice;

/// Bytes that messages are cut from, so that an echo is compared with what nobody had to keep.
pub(super) struct Pool {
    binary: Vec<u8>,
    text: String,
}

/// A message: where it is cut from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    kind: Kind,
    start: usize,
    len: usize,
}

impl Pool {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let binary = (0..LEN).map(|_| dice.below(256).to_le_bytes()[0]).collect();
        let letters: Vec<char> = "aeiou rstln äß éç λπ язык 大小 📏🧦".chars().collect();
        let mut text = String::with_capacity(LEN + 4);
        while text.len() < LEN {
            text.push(letters[dice.below(letters.len())]);
        }
        Self { binary, text }
    }

    pub(super) fn draw(&self, dice: &mut Dice, lens: Lens) -> Sample {
        let len = lens.draw(dice).min(LEN);
        let start = dice.below(LEN - len + 1);
        match dice.below(2) {
            0 => Sample { kind: Kind::Binary, start, len },
            _ => {
                // Of characters that are begun, none is cut.
                let (start, end) = (self.boundary(start), self.boundary(start + len));
                Sample { kind: Kind::Text, start, len: end - start }
            }
        }
    }

    fn boundary(&self, at: usize) -> usize {
        (0..=at).rev().find(|&at| self.text.is_char_boundary(at)).unwrap_or(0)
    }

    pub(super) fn bytes(&self, sample: &Sample) -> &[u8] {
        let all = match sample.kind {
            Kind::Text => self.text.as_bytes(),
            Kind::Binary => &self.binary,
        };
        &all[sample.start..][..sample.len]
    }
}

impl Sample {
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }
}

/// A message that is coming back.
pub(super) struct Echo {
    sample: Sample,
    at: usize,
}

impl Echo {
    pub(super) fn of(sample: Sample) -> Self {
        Self { sample, at: 0 }
    }

    /// Whether that makes it whole; or what differs.
    pub(super) fn take(&mut self, piece: &Data<'_>, pool: &Pool) -> Result<bool, &'static str> {
        let left = &pool.bytes(&self.sample)[self.at..];
        self.at += piece.bytes().len();
        match left.strip_prefix(piece.bytes()) {
            _ if piece.kind() != self.sample.kind => Err("an echo of the other kind"),
            None => Err("an echo with other bytes"),
            Some([]) => Ok(piece.ends_message()),
            Some(_) if piece.ends_message() => Err("an echo that ends early"),
            Some(_) => Ok(false),
        }
    }
}

const LEN: usize = 2 << 20;
