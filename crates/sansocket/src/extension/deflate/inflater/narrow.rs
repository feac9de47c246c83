//! Decompresses with a window of any size, by miniz_oxide.

use alloc::boxed::Box;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY,
    TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::history::History;
use super::{Progress, Step, TAIL_AND_MORE};

/// A decoder whose only window is the history, so that a distance beyond it is none.
/// It goes on behind a final block.
pub(super) struct Narrow(Box<DecompressorOxide>);

impl Narrow {
    /// Out of line: the decoder is made on the stack first.
    #[cold]
    #[inline(never)]
    pub(super) fn new() -> Self {
        Self(Box::default())
    }

    pub(super) fn reset(&mut self) {
        self.0.init();
    }

    /// Decompresses to the history, until its end if there is input enough. All of it
    /// must have been read.
    pub(super) fn inflate(&mut self, input: &[u8], history: &mut History) -> Progress {
        let (status, consumed, produced) = self.decompress(input, history, 0);
        let step = match status {
            TINFLStatus::Done => Step::Ended,
            TINFLStatus::NeedsMoreInput => Step::Starved,
            TINFLStatus::HasMoreOutput => Step::Paused,
            _ => Step::Corrupt,
        };
        Progress { consumed, produced, step }
    }

    /// Takes in the tail of a message. It is corrupt unless a block ends just there,
    /// and nothing came out before.
    pub(super) fn end_message(&mut self, history: &mut History) -> Step {
        match self.decompress(&TAIL_AND_MORE, history, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY) {
            (TINFLStatus::Done, 4, 0) => Step::Ended,
            (TINFLStatus::BlockBoundary, 4, 0) => Step::Paused,
            _ => Step::Corrupt,
        }
    }

    fn decompress(
        &mut self,
        input: &[u8],
        history: &mut History,
        flags: u32,
    ) -> (TINFLStatus, usize, usize) {
        let room = history.room();
        // Until the ring is full, what lies behind `at` is nothing to refer to. The
        // flag says so: a distance beyond `at` is an error then.
        let start = if room.is_full { 0 } else { TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF };
        let flags = flags | start | TINFL_FLAG_HAS_MORE_INPUT;
        let (status, consumed, produced) =
            decompress(&mut self.0, input, room.ring, room.at, flags);
        history.advance(produced);
        if status == TINFLStatus::Done {
            self.0.init();
        }
        (status, consumed, produced)
    }
}
