//! The floor: the library alone, without frames, limits or checks of text.

use sansocket::deflate::ContextTakeover;
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush, Status};

use super::{Row, room};

/// One call to compress and one to decompress, from and to memory that is there. The
/// four bytes between are cut off and put back where they were.
///
/// Where no context is kept, it is forgotten with the flush at the end of a message. To
/// reset the compressor behind a sync flush does the same and costs more.
pub(super) struct Raw {
    corpus: Vec<String>,
    context: ContextTakeover,
    flush: DeflateFlush,
    deflate: Deflate,
    inflate: Inflate,
    wire: Vec<u8>,
    wire_len: usize,
    out: Vec<u8>,
}

impl Raw {
    pub(super) fn new(corpus: &[String], context: ContextTakeover) -> Self {
        let config =
            DeflateConfig { level: 6, mem_level: 8, window_bits: -15, ..DeflateConfig::default() };
        let len = room(corpus);
        Self {
            corpus: corpus.to_vec(),
            context,
            flush: match context {
                ContextTakeover::Keep => DeflateFlush::SyncFlush,
                ContextTakeover::Drop => DeflateFlush::FullFlush,
            },
            deflate: Deflate::new_with_config(config),
            inflate: Inflate::new(false, 15),
            wire: vec![0; len],
            wire_len: 0,
            out: vec![0; len],
        }
    }
}

impl Row for Raw {
    fn send(&mut self, index: usize) -> usize {
        let payload = self.corpus[index].as_bytes();
        let before = self.deflate.total_out();
        let status = self.deflate.compress(payload, &mut self.wire, self.flush);
        assert_eq!(status, Ok(Status::Ok));
        self.wire_len = moved(before, self.deflate.total_out()) - TAIL.len();
        self.wire_len
    }

    fn receive(&mut self, see: &mut dyn FnMut(&[u8])) {
        self.wire[self.wire_len..][..TAIL.len()].copy_from_slice(&TAIL);
        let input = &self.wire[..self.wire_len + TAIL.len()];
        let before = self.inflate.total_out();
        let status = self.inflate.decompress(input, &mut self.out, InflateFlush::NoFlush);
        assert_eq!(status, Ok(Status::Ok));
        see(&self.out[..moved(before, self.inflate.total_out())]);
        if self.context == ContextTakeover::Drop {
            self.inflate.reset(false);
        }
    }
}

pub(super) fn moved(before: u64, after: u64) -> usize {
    usize::try_from(after - before).expect("a message in memory")
}

const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
