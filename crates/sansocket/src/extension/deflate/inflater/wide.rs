//! Decompresses with a window of 32 KiB, by zlib-rs.

use zlib_rs::{Inflate, InflateError, InflateFlush, Status};

use super::super::moved;
use super::{Progress, Step, TAIL_AND_MORE};

/// A decoder that keeps its own copy of the window. Whatever size it is asked for,
/// that is 32 KiB, so it cannot tell what breaks a smaller one.
///
/// It is of no use behind a final block: it could only start again without a window.
pub(super) struct Wide(Inflate);

impl Wide {
    pub(super) fn new() -> Self {
        Self(Inflate::new(false, 15))
    }

    pub(super) fn reset(&mut self) {
        self.0.reset(false);
    }

    pub(super) fn inflate(&mut self, input: &[u8], out: &mut [u8]) -> Progress {
        let (status, consumed, produced) = self.decompress(input, out, InflateFlush::NoFlush);
        let step = match status {
            Ok(Status::StreamEnd) => Step::Ended,
            Ok(_) if consumed == input.len() => Step::Starved,
            // Out of room, or more than the decoder takes at once.
            Ok(_) if consumed + produced > 0 => Step::Paused,
            _ => Step::Corrupt,
        };
        Progress { consumed, produced, step }
    }

    /// Takes in the tail of a message. It is corrupt unless a block ends just there,
    /// and nothing came out before.
    pub(super) fn end_message(&mut self) -> Step {
        match self.decompress(&TAIL_AND_MORE, &mut [0], InflateFlush::Block) {
            // Behind a final block the next message finds the end of the stream.
            (Ok(_), 4, 0) => Step::Paused,
            _ => Step::Corrupt,
        }
    }

    fn decompress(
        &mut self,
        input: &[u8],
        out: &mut [u8],
        flush: InflateFlush,
    ) -> (Result<Status, InflateError>, usize, usize) {
        let (total_in, total_out) = (self.0.total_in(), self.0.total_out());
        let status = self.0.decompress(input, out, flush);
        (status, moved(total_in, self.0.total_in()), moved(total_out, self.0.total_out()))
    }
}
