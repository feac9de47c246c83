//! From raw DEFLATE (RFC 1951) to the bytes of messages, exactly within the window
//! that was agreed.
//!
//! It knows neither frames nor limits nor text. Behind it are two decoders, since no
//! library does all of it fast: [`Wide`] knows only the largest window, and no stream
//! that ends; [`Narrow`] knows any.

mod history;
mod narrow;
mod wide;

use core::fmt;

use super::negotiate::WindowBits;
use history::History;
use narrow::Narrow;
use wide::Wide;

/// A decompression context: the window of what was received.
pub(crate) struct Inflater {
    window: WindowBits,
    history: History,
    /// For the largest window only.
    wide: Option<Wide>,
    /// For the largest window, only once it is wanted.
    narrow: Option<Narrow>,
    turn: Turn,
}

/// Who decodes what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Wide,
    Narrow,
    /// What comes is no DEFLATE, or refers to what is not in the window.
    Nobody,
}

/// What [`Inflater::inflate`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inflated {
    /// Bytes taken from the input.
    pub(crate) consumed: usize,
    /// Bytes written to the output.
    pub(crate) produced: usize,
    /// Whether what follows them cannot be decompressed.
    pub(crate) corrupt: bool,
}

/// The payload of a message ends where no message may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt;

impl Inflater {
    /// A context without history.
    pub(crate) fn new(window: WindowBits) -> Self {
        let wide = (window == WindowBits::MAX).then(Wide::new);
        let turn = if wide.is_some() { Turn::Wide } else { Turn::Narrow };
        Self { window, history: History::new(window), wide, narrow: None, turn }
    }

    pub(crate) fn window(&self) -> WindowBits {
        self.window
    }

    /// Forgets the history: nothing that comes may refer to what was.
    pub(crate) fn reset(&mut self) {
        self.history.clear();
        if let Some(narrow) = &mut self.narrow {
            narrow.reset();
        }
        self.turn = match &mut self.wide {
            Some(wide) => {
                wide.reset();
                Turn::Wide
            }
            None => Turn::Narrow,
        };
    }

    /// Decompresses to the start of `out` as much as there is input and room: on
    /// return all input is consumed, or `out` is full, or the data is corrupt. Then
    /// what was produced is still valid, and the inflater is of no use until it is
    /// reset.
    ///
    /// Where `out` is full, more may come without more input. Cutting the input or
    /// the output in another way changes nothing else.
    pub(crate) fn inflate(&mut self, input: &[u8], out: &mut [u8]) -> Inflated {
        let mut done = Inflated::default();
        let mut is_starved = false;
        loop {
            done.produced += self.history.read(&mut out[done.produced..]);
            if is_starved || done.produced == out.len() {
                return done;
            }
            let progress = self.step(&input[done.consumed..], &mut out[done.produced..]);
            done.consumed += progress.consumed;
            done.produced += progress.produced;
            match progress.step {
                Step::Paused => {}
                Step::Starved => is_starved = true,
                // RFC 7692 §7.2.3.4: what follows a final block is decoded like what
                // follows any other. `Narrow` can do that, and stays: to give `Wide`
                // its window again would be 32 KiB of work for a block of two bytes.
                Step::Ended => self.turn = Turn::Narrow,
                // What was decompressed to the history is still to be read.
                Step::Corrupt if self.turn != Turn::Nobody => self.turn = Turn::Nobody,
                Step::Corrupt => return Inflated { corrupt: true, ..done },
            }
        }
    }

    /// The payload of a message ends here, and all of it was consumed and produced.
    /// Takes in what RFC 7692 section 7.2.2 appends to it.
    ///
    /// # Errors
    ///
    /// The payload stops in the middle of a block. The inflater is of no use until it
    /// is reset.
    pub(crate) fn end_message(&mut self) -> Result<(), Corrupt> {
        let step = match (self.turn, &mut self.wide) {
            (Turn::Nobody, _) => Step::Corrupt,
            (Turn::Wide, Some(wide)) => wide.end_message(),
            _ => self.narrow.get_or_insert_with(Narrow::new).end_message(&mut self.history),
        };
        match step {
            Step::Paused => Ok(()),
            Step::Ended => {
                self.turn = Turn::Narrow;
                Ok(())
            }
            Step::Starved | Step::Corrupt => {
                self.turn = Turn::Nobody;
                Err(Corrupt)
            }
        }
    }

    /// Decompresses to the start of `out`, or to the history alone.
    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Progress {
        match (self.turn, &mut self.wide) {
            (Turn::Nobody, _) => Progress { consumed: 0, produced: 0, step: Step::Corrupt },
            (Turn::Wide, Some(wide)) => {
                let progress = wide.inflate(input, out);
                self.history.push(&out[..progress.produced]);
                progress
            }
            _ => {
                let narrow = self.narrow.get_or_insert_with(Narrow::new);
                let progress = narrow.inflate(input, &mut self.history);
                // It is in the history, not in `out`.
                Progress { produced: 0, ..progress }
            }
        }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("window", &self.window)
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}

/// What a decoder did, and why it stopped.
#[derive(Clone, Copy, Debug)]
struct Progress {
    consumed: usize,
    produced: usize,
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// There is no more room, for now.
    Paused,
    /// All input is consumed, and more is wanted.
    Starved,
    /// A final block is behind it.
    Ended,
    Corrupt,
}

/// What a sender cuts off the end of each message: the lengths of an empty stored
/// block. A byte follows them, which a decoder that stops between blocks leaves.
const TAIL_AND_MORE: [u8; 5] = [0x00, 0x00, 0xff, 0xff, 0x00];

#[cfg(test)]
pub(in crate::extension::deflate) mod tests;
