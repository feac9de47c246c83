//! How this endpoint compresses, whatever was agreed on.

use super::compressor::CompressorSettings;
use super::negotiate::{DeflateDirection, WindowBits};
use super::pool::DeflatePool;

/// What a connection does with an agreement to compress.
///
/// ```
/// use sansocket::Config;
/// use sansocket::deflate::DeflateConfig;
///
/// let fast = DeflateConfig::new().level(1).threshold(1024);
/// let config = Config::new().deflate(fast);
/// # let _ = config;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct DeflateConfig {
    pub(super) level: u8,
    pub(super) mem_level: u8,
    pub(super) threshold: usize,
    pub(super) ratio_max: Option<u32>,
    pub(super) pool: Option<DeflatePool>,
}

impl DeflateConfig {
    /// The defaults.
    pub const fn new() -> Self {
        Self { level: 6, mem_level: 8, threshold: 512, ratio_max: None, pool: None }
    }

    /// How much work to put into compression, from 0 (none, stored blocks) over 1
    /// (fast) to 9 (small); more is taken for 9. Default: 6.
    pub const fn level(mut self, level: u8) -> Self {
        self.level = if level > 9 { 9 } else { level };
        self
    }

    /// How much memory to spend on the compressor's hash chains, from 1 to 9; what is
    /// outside is taken for the nearer one. Default: 8.
    pub const fn mem_level(mut self, mem_level: u8) -> Self {
        self.mem_level = match mem_level {
            0 => 1,
            1..=9 => mem_level,
            _ => 9,
        };
        self
    }

    /// Messages shorter than this are sent as they are. Default: 512 bytes.
    ///
    /// A message that is sent in fragments has no length yet: its first fragment
    /// decides only if it is the last too, and otherwise the message is compressed.
    pub const fn threshold(mut self, bytes: usize) -> Self {
        self.threshold = bytes;
        self
    }

    /// How many bytes a compressed message may become for each byte that came of it, by
    /// the KiB; more fails with 1009. Default: `None`, only the message limit. DEFLATE can
    /// give 1,032, and text like `aaaa` comes near it.
    pub const fn ratio_max(mut self, ratio: Option<u32>) -> Self {
        self.ratio_max = ratio;
        self
    }

    /// Takes contexts that are not kept ([`ContextTakeover::Drop`]) from a pool, for
    /// the time of a message, and gives them back. Default: none, the connection holds
    /// on to them.
    ///
    /// [`ContextTakeover::Drop`]: super::ContextTakeover::Drop
    pub fn pool(mut self, pool: &DeflatePool) -> Self {
        self.pool = Some(pool.clone());
        self
    }

    /// The pool of one direction: those who keep a context give none back.
    pub(super) fn pool_for(&self, direction: Option<DeflateDirection>) -> Option<DeflatePool> {
        let drops = direction.is_some_and(|direction| direction.drops_context());
        self.pool.clone().filter(|_| drops)
    }

    pub(super) const fn compressor(&self, window: WindowBits) -> CompressorSettings {
        CompressorSettings { window, level: self.level, mem_level: self.mem_level }
    }
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_taken_for_what_is_nearest() {
        let level = |level| DeflateConfig::new().level(level).level;
        assert_eq!([0, 1, 8, 9, 10, u8::MAX].map(level), [0, 1, 8, 9, 9, 9]);
        let mem_level = |level| DeflateConfig::new().mem_level(level).mem_level;
        assert_eq!([0, 1, 8, 9, 10, u8::MAX].map(mem_level), [1, 1, 8, 9, 9, 9]);
    }
}
