//! Messages compressed on their way out (RFC 7692 section 6.1).

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::compressor::{Compressor, Flush};
use super::config::DeflateConfig;
use super::negotiate::{DeflateDirection, WindowBits};
use crate::config::Config;
use crate::extension::attach::Sending;
use crate::opcode::Fin;

/// The sending half's part of permessage-deflate.
#[derive(Debug)]
pub struct DeflateSending {
    /// How we compress; `None` if nothing was agreed.
    direction: Option<DeflateDirection>,
    config: DeflateConfig,
    compressor: Option<Box<Compressor>>,
    /// The fragmented message under way is compressed.
    under_way: bool,
}

impl DeflateSending {
    pub(super) fn new(direction: Option<DeflateDirection>, config: &Config) -> Self {
        let pool = config.deflate.pool_for(direction);
        let config = DeflateConfig { pool, ..config.deflate.clone() };
        Self { direction, config, compressor: None, under_way: false }
    }

    fn take_compressor(&mut self) -> Box<Compressor> {
        if let Some(compressor) = self.compressor.take() {
            return compressor;
        }
        let window = self.direction.map_or(WindowBits::MAX, |direction| direction.window_bits());
        let settings = self.config.compressor(window);
        match &self.config.pool {
            Some(pool) => pool.compressor(settings),
            None => Box::new(Compressor::new(settings)),
        }
    }

    /// Puts the compressor back where the next message finds it.
    fn give_back(&mut self, mut compressor: Box<Compressor>) {
        match &self.config.pool {
            Some(pool) if !self.under_way && self.may_discard() => {
                pool.give_compressor(compressor);
                return;
            }
            None if !self.under_way && self.may_discard() => compressor.reset(),
            _ => {}
        }
        self.compressor = Some(compressor);
    }
}

impl Sending for DeflateSending {
    fn is_active(&self) -> bool {
        self.direction.is_some()
    }

    fn wants(&self, len: usize, fin: Fin) -> bool {
        self.is_active() && (fin == Fin::More || len >= self.config.threshold)
    }

    fn is_under_way(&self) -> bool {
        self.under_way
    }

    fn compressed_len_max(len: usize) -> usize {
        Compressor::bound(len)
    }

    fn compress(&mut self, payload: &[u8], fin: Fin, out: &mut [u8]) -> Option<usize> {
        self.under_way = fin == Fin::More;
        let mut compressor = self.take_compressor();
        let flush = match fin {
            Fin::Last if self.may_discard() => Flush::Forget,
            _ => Flush::Keep,
        };
        let len = compressor.compress(payload, flush, out);
        self.give_back(compressor);
        match fin {
            Fin::More => len,
            Fin::Last => len.map(|len| end(len, out)),
        }
    }

    fn takes_prepared(&self, window_bits: u8) -> bool {
        let window = self.direction.map(|direction| direction.window_bits().get());
        self.may_discard() && window.is_some_and(|window| window_bits <= window)
    }

    fn may_discard(&self) -> bool {
        self.direction.is_some_and(|direction| direction.drops_context())
    }

    fn release(&mut self) {
        self.under_way = false;
        if let Some(compressor) = self.compressor.take()
            && self.may_discard()
        {
            self.give_back(compressor);
        }
        self.compressor = None;
    }
}

/// A message compressed for itself; `None` where that is not worth it.
pub(crate) fn deflate_alone(
    payload: &[u8],
    config: &DeflateConfig,
    window: WindowBits,
) -> Option<Vec<u8>> {
    if payload.len() < config.threshold {
        return None;
    }
    let mut out = vec![0; Compressor::bound(payload.len())];
    let len =
        Compressor::new(config.compressor(window)).compress(payload, Flush::Keep, &mut out)?;
    let len = end(len, &mut out);
    out.truncate(len);
    out.shrink_to_fit();
    (out.len() < payload.len()).then_some(out)
}

/// §7.2.1: takes the end of the last sync flush off. Where there is none, since
/// nothing came behind the last, the header of an empty stored block is sent without
/// its end (§7.2.3.6).
fn end(len: usize, out: &mut [u8]) -> usize {
    match len.checked_sub(TAIL.len()) {
        Some(len) => len,
        None => {
            out[0] = 0;
            1
        }
    }
}

/// What a sync flush ends with.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
