//! From the bytes of messages to raw DEFLATE (RFC 1951), cut where RFC 7692 section
//! 7.2.1 wants it: at a sync flush.
//!
//! It knows neither frames nor messages, and grows nothing: who calls gives room.

use core::fmt;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use super::moved;
use super::negotiate::WindowBits;

/// A compression context: the window of what was sent, and how to compress.
pub(crate) struct Compressor {
    settings: CompressorSettings,
    deflate: Deflate,
    /// There is a history to forget.
    used: bool,
}

/// What becomes of the history behind a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// What comes may refer to it.
    Keep,
    /// It is forgotten, for less than a reset costs.
    Forget,
}

/// What distinguishes one compressor from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CompressorSettings {
    /// How far back references may go.
    pub(crate) window: WindowBits,
    /// How hard to search for them: 0 (not at all) to 9.
    pub(crate) level: u8,
    /// How many symbols share a block: 1 to 9, for 128 to 32,768.
    pub(crate) mem_level: u8,
}

impl Compressor {
    /// A context without history. A level out of its range is taken as the next that
    /// is in it.
    pub(crate) fn new(settings: CompressorSettings) -> Self {
        let CompressorSettings { window, level, mem_level } = settings;
        let config = DeflateConfig {
            level: level.min(9).into(),
            // Raw DEFLATE. There is no compressor for 8 bits, but that for 9 stays in
            // them: what it refers to is at most 512 - 262 bytes back.
            window_bits: -i32::from(window.compressor_bits()),
            mem_level: mem_level.clamp(1, 9).into(),
            ..DeflateConfig::default()
        };
        Self { settings, deflate: Deflate::new_with_config(config), used: false }
    }

    pub(crate) fn settings(&self) -> CompressorSettings {
        self.settings
    }

    /// Forgets the history: nothing that comes refers to what was.
    pub(crate) fn reset(&mut self) {
        if core::mem::take(&mut self.used) {
            self.deflate.reset();
        }
    }

    /// The most bytes that [`compress`](Self::compress) writes for a payload of this
    /// length, whatever the settings.
    ///
    /// A literal costs up to 9 bits if its block has the fixed code, and a block of
    /// at least 127 symbols another 10; stored blocks cost less. The rest is for the
    /// flush.
    pub(crate) const fn bound(payload_len: usize) -> usize {
        payload_len
            .saturating_add(payload_len / 8)
            .saturating_add(payload_len / 64)
            .saturating_add(16)
    }

    /// Compresses to the start of `out`, up to and with a flush, and returns the
    /// number of bytes written: the last four are `00 00 ff ff`. An empty payload
    /// comes to nothing at all.
    ///
    /// `None` if `out` is shorter than the [`bound`](Self::bound): nothing has
    /// changed.
    pub(crate) fn compress(
        &mut self,
        payload: &[u8],
        flush: Flush,
        out: &mut [u8],
    ) -> Option<usize> {
        if out.len() < Self::bound(payload.len()) {
            return None;
        }
        let (mut consumed, mut written) = (0, 0);
        let library_flush = match flush {
            Flush::Keep => DeflateFlush::SyncFlush,
            Flush::Forget => DeflateFlush::FullFlush,
        };
        while consumed < payload.len() {
            let (total_in, total_out) = (self.deflate.total_in(), self.deflate.total_out());
            let (rest, room) = (&payload[consumed..], &mut out[written..]);
            let status = self.deflate.compress(rest, room, library_flush);
            let taken = moved(total_in, self.deflate.total_in());
            consumed += taken;
            written += moved(total_out, self.deflate.total_out());
            // A flush is whole if there was room for more behind it. The bound sees to
            // that, so this is not reached; if it were, the peer could still read on.
            if status.is_err() || taken == 0 || written == out.len() {
                self.deflate.reset();
                self.used = false;
                return None;
            }
        }
        if written > 0 {
            self.used = flush == Flush::Keep;
        }
        Some(written)
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
