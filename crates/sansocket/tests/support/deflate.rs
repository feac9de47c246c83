//! DEFLATE (RFC 1951), written and read by the book and by nothing of the engine's:
//! streams that no compressor would make, and a decoder to judge the others by.

use std::vec::Vec;

/// The largest window, in bytes.
pub(crate) const WINDOW_LEN_MAX: usize = 32_768;

/// What a sync flush ends with, and a message goes without (RFC 7692 section 7.2.1).
pub(crate) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Whether a block says that it is the last of its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bfinal {
    Clear,
    Set,
}

/// What compressed blocks are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// A byte.
    Byte(u8),
    /// So many bytes (3 to 258) again, from so far back (1 to 32,768).
    Again(usize, usize),
}

/// A stream that is written bit by bit. Nothing is checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// In bits.
    len: usize,
}

impl BitWriter {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A number of so many bits, the lowest first.
    pub(crate) fn number(mut self, number: usize, len: usize) -> Self {
        (0..len).for_each(|bit| self.bit(number >> bit & 1 == 1));
        self
    }

    /// A Huffman code of so many bits, the highest first.
    pub(crate) fn code(mut self, code: usize, len: usize) -> Self {
        (0..len).rev().for_each(|bit| self.bit(code >> bit & 1 == 1));
        self
    }

    /// The header of a block: 0 stored, 1 with the fixed code, 2 with its own, 3 is
    /// no type.
    pub(crate) fn header(self, bfinal: Bfinal, kind: usize) -> Self {
        self.number(usize::from(bfinal == Bfinal::Set), 1).number(kind, 2)
    }

    /// Zeros, or ones, up to the next byte.
    pub(crate) fn pad(mut self, bit: bool) -> Self {
        while !self.len.is_multiple_of(8) {
            self.bit(bit);
        }
        self
    }

    /// Bytes, where a byte begins.
    ///
    /// # Panics
    ///
    /// If none begins here.
    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        assert_eq!(self.len, 8 * self.bytes.len());
        self.bytes.extend(bytes);
        self.len += 8 * bytes.len();
        self
    }

    /// A block as it is, of at most 65,535 bytes.
    pub(crate) fn stored(self, bfinal: Bfinal, bytes: &[u8]) -> Self {
        self.stored_as(bfinal, bytes, bytes.len(), !bytes.len())
    }

    /// A block as it is, with these two lengths.
    pub(crate) fn stored_as(self, bfinal: Bfinal, bytes: &[u8], len: usize, nlen: usize) -> Self {
        self.header(bfinal, 0).pad(false).number(len, 16).number(nlen, 16).bytes(bytes)
    }

    /// A block with the fixed code.
    pub(crate) fn fixed(self, bfinal: Bfinal, symbols: &[Symbol]) -> Self {
        let (lengths, distances) = fixed_code();
        self.header(bfinal, 1).symbols(&lengths, &distances, symbols)
    }

    /// A block with a code of its own: the lengths in bits of the codes for bytes
    /// and lengths (up to 286) and for distances (up to 30).
    pub(crate) fn dynamic(
        self,
        bfinal: Bfinal,
        lengths: &[usize],
        distances: &[usize],
        symbols: &[Symbol],
    ) -> Self {
        self.dynamic_header(bfinal, lengths, distances).symbols(lengths, distances, symbols)
    }

    /// A block with a code of its own, without what follows the code.
    pub(crate) fn dynamic_header(
        self,
        bfinal: Bfinal,
        lengths: &[usize],
        distances: &[usize],
    ) -> Self {
        // A complete code for lengths: thirteen of four bits, six of five.
        let code_lengths: Vec<_> = (0..19).map(|symbol| if symbol < 13 { 4 } else { 5 }).collect();
        let writer = self
            .header(bfinal, 2)
            .number(lengths.len() - 257, 5)
            .number(distances.len() - 1, 5)
            .number(19 - 4, 4);
        let writer = CODE_LENGTH_ORDER
            .iter()
            .fold(writer, |writer, symbol| writer.number(code_lengths[*symbol], 3));
        let all = lengths.iter().chain(distances);
        all.fold(writer, |writer, length| writer.symbol(&code_lengths, *length))
    }

    /// Symbols, and the end of the block.
    pub(crate) fn symbols(
        self,
        lengths: &[usize],
        distances: &[usize],
        symbols: &[Symbol],
    ) -> Self {
        let writer = symbols.iter().fold(self, |writer, symbol| match *symbol {
            Symbol::Byte(byte) => writer.symbol(lengths, usize::from(byte)),
            Symbol::Again(length, distance) => {
                let at = base_at(&LENGTHS, length);
                let writer = writer.symbol(lengths, 257 + at);
                let writer = writer.number(length - LENGTHS[at].0, LENGTHS[at].1);
                let at = base_at(&DISTANCES, distance);
                let writer = writer.symbol(distances, at);
                writer.number(distance - DISTANCES[at].0, DISTANCES[at].1)
            }
        });
        writer.symbol(lengths, END_OF_BLOCK)
    }

    /// A symbol of the code with these lengths (RFC 1951 section 3.2.2).
    pub(crate) fn symbol(self, lengths: &[usize], symbol: usize) -> Self {
        let len = lengths[symbol];
        let shorter = lengths.iter().filter(|length| (1..len).contains(*length));
        let first = shorter.map(|length| 1 << (len - length)).sum::<usize>();
        let before = lengths[..symbol].iter().filter(|length| **length == len);
        self.code(first + before.count(), len)
    }

    /// What a message ends with: the header of an empty stored block.
    pub(crate) fn message_end(self) -> Self {
        self.header(Bfinal::Clear, 0).pad(false)
    }

    /// An empty stored block, as in the middle of messages.
    pub(crate) fn sync_flush(self) -> Self {
        self.message_end().bytes(&TAIL)
    }

    /// All of it, with zeros up to the end of the last byte.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn bit(&mut self, bit: bool) {
        if self.len.is_multiple_of(8) {
            self.bytes.push(0);
        }
        self.bytes[self.len / 8] |= u8::from(bit) << (self.len % 8);
        self.len += 1;
    }
}

/// What a stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// What was decompressed, without the history.
    pub(crate) bytes: Vec<u8>,
    /// The length and the distance of each reference, in order.
    pub(crate) references: Vec<(usize, usize)>,
    /// The number of blocks that ended.
    pub(crate) blocks: usize,
    pub(crate) end: End,
}

/// Where decoding stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// At the end of the stream, and of a block.
    Boundary,
    /// At the end of the stream, in the middle of a block.
    Middle,
    /// Before something that is not DEFLATE or leaves the window.
    Corrupt,
}

/// Decodes a stream behind a history, in a window of this length. A final block ends
/// at the end of its last byte, and others may follow it.
pub(crate) fn decode(stream: &[u8], history: &[u8], window_len: usize) -> Decoded {
    let mut decoder = Decoder {
        bits: BitReader { bytes: stream, at: 0 },
        window_len,
        bytes: history.to_vec(),
        references: Vec::new(),
    };
    let mut blocks = 0;
    let end = loop {
        if decoder.bits.at == 8 * stream.len() {
            break End::Boundary;
        }
        match decoder.block() {
            Ok(()) => blocks += 1,
            Err(end) => break end,
        }
    };
    let Decoder { bytes, references, .. } = decoder;
    Decoded { bytes: bytes[history.len()..].to_vec(), references, blocks, end }
}

/// The length and the distance of each reference in a stream.
///
/// # Panics
///
/// If the stream is not whole.
pub(crate) fn references(stream: &[u8]) -> Vec<(usize, usize)> {
    let decoded = decode(stream, &[], WINDOW_LEN_MAX);
    assert_eq!(decoded.end, End::Boundary);
    decoded.references
}

/// Whether a payload may end a message, that is, whether a block ends with the
/// [`TAIL`] behind it.
pub(crate) fn ends_message(payload: &[u8], history: &[u8], window_len: usize) -> bool {
    let before = decode(payload, history, window_len);
    let after = decode(&[payload, &TAIL].concat(), history, window_len);
    after.end == End::Boundary && after.blocks == before.blocks + 1 && after.bytes == before.bytes
}

struct Decoder<'s> {
    bits: BitReader<'s>,
    window_len: usize,
    bytes: Vec<u8>,
    references: Vec<(usize, usize)>,
}

impl Decoder<'_> {
    fn block(&mut self) -> Result<(), End> {
        let bfinal = self.bits.number(1)?;
        match self.bits.number(2)? {
            0 => self.stored()?,
            1 => {
                let (lengths, distances) = fixed_code();
                self.compressed(&lengths, &distances)?;
            }
            2 => {
                let (lengths, distances) = self.code()?;
                self.compressed(&lengths, &distances)?;
            }
            _ => return Err(End::Corrupt),
        }
        if bfinal == 1 {
            self.bits.align();
        }
        Ok(())
    }

    fn stored(&mut self) -> Result<(), End> {
        self.bits.align();
        let (len, nlen) = (self.bits.number(16)?, self.bits.number(16)?);
        if len != !nlen & 0xffff {
            return Err(End::Corrupt);
        }
        let there = &self.bits.bytes[self.bits.at / 8..];
        let stored = &there[..len.min(there.len())];
        self.bytes.extend(stored);
        self.bits.at += 8 * stored.len();
        if stored.len() == len { Ok(()) } else { Err(End::Middle) }
    }

    /// The lengths of a block's own codes.
    fn code(&mut self) -> Result<(Vec<usize>, Vec<usize>), End> {
        let lengths_len = self.bits.number(5)? + 257;
        let distances_len = self.bits.number(5)? + 1;
        let code_lengths_len = self.bits.number(4)? + 4;
        if lengths_len > 286 || distances_len > 30 {
            return Err(End::Corrupt);
        }
        let mut code_lengths = [0; 19];
        for symbol in &CODE_LENGTH_ORDER[..code_lengths_len] {
            code_lengths[*symbol] = self.bits.number(3)?;
        }
        if space_taken(&code_lengths) != SPACE {
            return Err(End::Corrupt);
        }
        let code = Code::new(&code_lengths);
        let mut lengths = Vec::new();
        while lengths.len() < lengths_len + distances_len {
            let (length, times) = match self.bits.symbol(&code)? {
                16 => {
                    let last = *lengths.last().ok_or(End::Corrupt)?;
                    (last, 3 + self.bits.number(2)?)
                }
                17 => (0, 3 + self.bits.number(3)?),
                18 => (0, 11 + self.bits.number(7)?),
                length => (length, 1),
            };
            lengths.resize(lengths.len() + times, length);
        }
        if lengths.len() > lengths_len + distances_len {
            return Err(End::Corrupt);
        }
        let distances = lengths.split_off(lengths_len);
        // Codes are complete, except that one code alone has one bit, and that a
        // block without references needs no distances.
        let is_sound = |lengths: &[usize]| {
            let of_one_bit = lengths.iter().all(|length| *length < 2);
            let taken = space_taken(lengths);
            taken == SPACE || of_one_bit && taken < SPACE
        };
        match lengths[END_OF_BLOCK] > 0 && is_sound(&lengths) && is_sound(&distances) {
            true => Ok((lengths, distances)),
            false => Err(End::Corrupt),
        }
    }

    fn compressed(&mut self, lengths: &[usize], distances: &[usize]) -> Result<(), End> {
        let (lengths, distances) = (Code::new(lengths), Code::new(distances));
        loop {
            let symbol = self.bits.symbol(&lengths)?;
            if let Ok(byte) = u8::try_from(symbol) {
                self.bytes.push(byte);
                continue;
            }
            if symbol == END_OF_BLOCK {
                return Ok(());
            }
            let (base, extra) = *LENGTHS.get(symbol - 257).ok_or(End::Corrupt)?;
            let length = base + self.bits.number(extra)?;
            let symbol = self.bits.symbol(&distances)?;
            let (base, extra) = *DISTANCES.get(symbol).ok_or(End::Corrupt)?;
            let distance = base + self.bits.number(extra)?;
            if distance > self.window_len || distance > self.bytes.len() {
                return Err(End::Corrupt);
            }
            for _ in 0..length {
                self.bytes.push(self.bytes[self.bytes.len() - distance]);
            }
            self.references.push((length, distance));
        }
    }
}

struct BitReader<'s> {
    bytes: &'s [u8],
    /// In bits.
    at: usize,
}

impl BitReader<'_> {
    fn bit(&mut self) -> Result<usize, End> {
        let byte = *self.bytes.get(self.at / 8).ok_or(End::Middle)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Ok(bit.into())
    }

    fn number(&mut self, len: usize) -> Result<usize, End> {
        (0..len).try_fold(0, |number, bit| Ok(number | self.bit()? << bit))
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    /// The next symbol of a code.
    fn symbol(&mut self, code: &Code) -> Result<usize, End> {
        let (mut bits, mut first, mut at) = (0, 0, 0);
        for count in &code.counts[1..] {
            bits = bits << 1 | self.bit()?;
            first <<= 1;
            if bits < first + count {
                return Ok(code.symbols[at + bits - first]);
            }
            (first, at) = (first + count, at + count);
        }
        Err(End::Corrupt)
    }
}

/// A code (RFC 1951 section 3.2.2): how many symbols have how many bits, and the
/// symbols in the order of their codes.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let of = |len| (0..lengths.len()).filter(move |symbol| lengths[*symbol] == len);
        let counts = std::array::from_fn(|len| if len == 0 { 0 } else { of(len).count() });
        Self { counts, symbols: (1..16).flat_map(of).collect() }
    }
}

/// How much of all 15-bit numbers begins with a code of these lengths.
fn space_taken(lengths: &[usize]) -> usize {
    lengths.iter().filter(|length| **length > 0).map(|length| SPACE >> length).sum()
}

fn fixed_code() -> (Vec<usize>, Vec<usize>) {
    let lengths = [vec_of(8, 144), vec_of(9, 112), vec_of(7, 24), vec_of(8, 8)].concat();
    (lengths, vec_of(5, 32))
}

fn vec_of(length: usize, times: usize) -> Vec<usize> {
    [length].repeat(times)
}

/// Which row of a table a length or a distance belongs to.
fn base_at(table: &[(usize, usize)], value: usize) -> usize {
    // Backwards, so that 258 has the code for itself.
    table.iter().rposition(|(base, _)| *base <= value).unwrap_or_default()
}

const SPACE: usize = 1 << 15;

const END_OF_BLOCK: usize = 256;

/// RFC 1951 section 3.2.7.
const CODE_LENGTH_ORDER: [usize; 19] =
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// RFC 1951 section 3.2.5: where each row begins, and its number of extra bits.
#[rustfmt::skip]
const LENGTHS: [(usize, usize); 29] = [
    (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 1), (13, 1),
    (15, 1), (17, 1), (19, 2), (23, 2), (27, 2), (31, 2), (35, 3), (43, 3), (51, 3), (59, 3),
    (67, 4), (83, 4), (99, 4), (115, 4), (131, 5), (163, 5), (195, 5), (227, 5), (258, 0),
];

#[rustfmt::skip]
const DISTANCES: [(usize, usize); 30] = [
    (1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (7, 1), (9, 2), (13, 2), (17, 3), (25, 3),
    (33, 4), (49, 4), (65, 5), (97, 5), (129, 6), (193, 6), (257, 7), (385, 7), (513, 8),
    (769, 8), (1025, 9), (1537, 9), (2049, 10), (3073, 10), (4097, 11), (6145, 11),
    (8193, 12), (12289, 12), (16385, 13), (24577, 13),
];
