//! The inflater against a decoder written by the book, however its input and its
//! output are cut.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::slice;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::extension::deflate::compressor::{Compressor, CompressorSettings, Flush};
use crate::extension::deflate::negotiate::ServerDeflatePolicy;
use crate::http::ExtensionList;
use reference::{Bfinal, BitWriter, End, Symbol, TAIL, WINDOW_LEN_MAX, decode, ends_message};

#[allow(dead_code, reason = "integration tests use the rest")]
#[path = "../../../../tests/support/deflate.rs"]
pub(in crate::extension::deflate) mod reference;

/// The window of so many bits, 8 included, which only a peer can bring up.
pub(in crate::extension::deflate) fn window(bits: u8) -> WindowBits {
    let negotiated = || {
        let offer = [&b"permessage-deflate; server_max_window_bits=8"[..]];
        let offers = ExtensionList::parse(offer).unwrap();
        ServerDeflatePolicy::new().negotiate(offers.items()).unwrap().sending().window_bits()
    };
    let window = WindowBits::new(bits).unwrap_or_else(negotiated);
    assert_eq!(window.get(), bits);
    window
}

/// A payload compressed with the library's defaults, or other settings.
pub(in crate::extension::deflate) fn compressed(
    compressor: &mut Compressor,
    message: &[u8],
) -> Vec<u8> {
    let mut out = vec![0; Compressor::bound(message.len())];
    let len = compressor.compress(message, Flush::Keep, &mut out).unwrap();
    out.truncate(len);
    assert!(out.ends_with(&TAIL));
    out.truncate(len - TAIL.len());
    out
}

/// Text that has something to refer to, and is never the same.
pub(in crate::extension::deflate) fn text(len: usize) -> Vec<u8> {
    let words = ["alpha ", "beta ", "gamma ", "delta, ", "epsilon. ", "zeta ", "eta ", "theta "];
    let mut state = 1_u32;
    let mut text = Vec::new();
    while text.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.extend(words[(state >> 20) as usize % words.len()].bytes());
        text.extend(if state >> 28 == 0 { Some((state >> 8 & 0xff) as u8) } else { None });
    }
    text.truncate(len);
    text
}

/// Bytes without any pattern.
pub(in crate::extension::deflate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32 & 0xff) as u8
    };
    (0..len).map(|_| next()).collect()
}

fn compressor(bits: u8, level: u8) -> Compressor {
    Compressor::new(CompressorSettings { window: window(bits), level, mem_level: 8 })
}

/// How a message came out: whole, or what was produced before it broke.
type Outcome = Result<Vec<u8>, Vec<u8>>;

/// Decompresses a message, given in these pieces, to outputs of this length.
fn inflate<'p>(
    inflater: &mut Inflater,
    pieces: impl IntoIterator<Item = &'p [u8]>,
    out_len: usize,
) -> Outcome {
    let (mut message, mut out) = (Vec::new(), vec![0; out_len]);
    for mut piece in pieces {
        loop {
            let done = inflater.inflate(piece, &mut out);
            message.extend(&out[..done.produced]);
            piece = &piece[done.consumed..];
            if done.corrupt {
                let again = inflater.inflate(piece, &mut out);
                assert_eq!(again, Inflated { corrupt: true, ..Inflated::default() });
                assert_eq!(inflater.end_message(), Err(Corrupt));
                return Err(message);
            }
            if done.produced < out_len {
                assert!(piece.is_empty(), "{} bytes are left", piece.len());
                break;
            }
        }
    }
    match inflater.end_message() {
        Ok(()) => Ok(message),
        Err(Corrupt) => Err(message),
    }
}

fn inflate_whole(inflater: &mut Inflater, payload: &[u8]) -> Outcome {
    inflate(inflater, [payload], 1 << 20)
}

/// What is to come out of messages that follow each other, up to the first corrupt.
fn expected(window: WindowBits, payloads: &[Vec<u8>]) -> Vec<Outcome> {
    let mut history = Vec::new();
    let mut outcomes = Vec::new();
    for payload in payloads {
        let decoded = decode(payload, &history, window.window_len());
        let is_whole = ends_message(payload, &history, window.window_len());
        history.extend(&decoded.bytes);
        outcomes.push(if is_whole { Ok(decoded.bytes) } else { Err(decoded.bytes) });
        if !is_whole {
            break;
        }
    }
    outcomes
}

/// Checks messages that follow each other in a context, in every way of cutting each
/// in two and in pieces, and the output in pieces.
fn check_every_cut(bits: u8, payloads: &[Vec<u8>]) -> Vec<Outcome> {
    let expected = expected(window(bits), payloads);
    let check = |in_lens: &dyn Fn(usize) -> Vec<usize>, out_len| {
        let mut inflater = Inflater::new(window(bits));
        for (payload, expected) in payloads.iter().zip(&expected) {
            let mut rest = &payload[..];
            let pieces = in_lens(payload.len()).into_iter().map(|len| {
                let (piece, after) = rest.split_at(len.min(rest.len()));
                rest = after;
                piece
            });
            let pieces: Vec<_> = pieces.collect();
            let outcome = inflate(&mut inflater, pieces, out_len);
            assert!(outcome == *expected, "window {bits}, {payload:02x?}, {out_len}");
        }
    };
    let longest = payloads.iter().map(Vec::len).max().unwrap_or(0);
    for out_len in [1, 2, 3, 255, 256, 257, 1 << 16] {
        (0..=longest).for_each(|cut| check(&|len| vec![cut, len], out_len));
        for piece_len in [1, 2, 3, 5, 13, 14, 15] {
            check(&|len| vec![piece_len; len.div_ceil(piece_len)], out_len);
        }
    }
    expected
}

fn check(bits: u8, payload: Vec<u8>) -> Outcome {
    check_every_cut(bits, &[payload]).remove(0)
}

fn bytes(bytes: &[u8]) -> Vec<Symbol> {
    bytes.iter().copied().map(Symbol::Byte).collect()
}

/// Codes for bytes and lengths, and for distances, without what is rare.
fn own_code() -> (Vec<usize>, Vec<usize>) {
    // 256 / 512 + 30 / 64 + 2 / 64 is one.
    let lengths = [vec![9; 256], vec![6; 30]].concat();
    let lengths = lengths.iter().enumerate();
    let lengths = lengths.map(|(at, len)| if at == 256 || at == 257 { len - 1 } else { *len });
    // 28 / 32 + 2 / 16 is one.
    (lengths.collect(), [vec![5; 28], vec![4; 2]].concat())
}

const ALL_BITS: std::ops::RangeInclusive<u8> = 8..=15;

#[test]
fn rfc_examples_are_decompressed() {
    let hello = |payload: &[u8]| {
        for bits in ALL_BITS {
            assert_eq!(check(bits, payload.to_vec()), Ok(b"Hello".to_vec()), "{payload:02x?}");
        }
    };
    hello(b"\xf2\x48\xcd\xc9\xc9\x07\x00");
    hello(b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00");
    hello(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00");
    hello(b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00");
    for bits in ALL_BITS {
        let shared = [b"\xf2\x48\xcd\xc9\xc9\x07\x00".to_vec(), b"\xf2\x00\x11\x00\x00".to_vec()];
        let hello = Ok(b"Hello".to_vec());
        assert_eq!(check_every_cut(bits, &shared), [hello.clone(), hello]);
        assert_eq!(check(bits, b"\x00".to_vec()), Ok(vec![]));
    }
}

#[test]
fn what_is_compressed_is_decompressed_in_every_window() {
    let messages = [text(40), text(3), noise(700), text(40_000), vec![0; 40_000], text(40)];
    for bits in ALL_BITS {
        for level in [0, 1, 6, 9] {
            let mut compressor = compressor(bits, level);
            let (mut keeping, mut dropping) =
                (Inflater::new(window(bits)), Inflater::new(window(bits)));
            for message in messages.iter().chain(&messages) {
                let payload = compressed(&mut compressor, message);
                assert_eq!(inflate(&mut keeping, [&payload[..]], 4096).as_ref(), Ok(message));
            }
            for message in &messages {
                compressor.reset();
                let payload = compressed(&mut compressor, message);
                assert_eq!(inflate_whole(&mut dropping, &payload).as_ref(), Ok(message));
                assert_eq!(inflate(&mut keeping, payload.chunks(100), 777).as_ref(), Ok(message));
                dropping.reset();
            }
        }
    }
}

#[test]
fn cutting_changes_nothing() {
    use Bfinal::{Clear, Set};
    use Symbol::{Again, Byte};

    let (lengths, distances) = own_code();
    let again = [Byte(b'x'), Again(258, 1), Byte(b'y'), Again(258, 200), Again(3, 256)];
    let writers = [
        BitWriter::new().stored(Clear, &text(300)).fixed(Clear, &again),
        BitWriter::new().stored(Set, &text(10)).pad(true).fixed(Set, &again).pad(true),
        BitWriter::new().fixed(Clear, &again).fixed(Clear, &[]).fixed(Clear, &again),
        BitWriter::new().dynamic(Clear, &lengths, &distances, &again).sync_flush(),
        BitWriter::new().dynamic(Set, &lengths, &distances, &again).pad(true).fixed(Clear, &again),
        BitWriter::new().fixed(Clear, &again).fixed(Clear, &[Byte(b'z'), Again(3, 500)]),
    ];
    for writer in writers {
        let payload = writer.message_end().finish();
        for bits in [8, 9, 15] {
            let outcomes = check_every_cut(bits, &[payload.clone(), payload.clone()]);
            assert!(outcomes[0].as_ref().is_ok_and(|bytes| bytes.len() > 300) || bits == 8);
        }
    }
}

/// D03, and what a message may end with.
#[test]
fn data_that_stops_in_a_block_is_corrupt() {
    let messages = [text(60), b"Hello".to_vec(), noise(30), text(600)];
    for (bits, level) in [(8, 6), (12, 1), (15, 0), (15, 1), (15, 6), (15, 9)] {
        let mut compressor = compressor(bits, level);
        let payloads: Vec<_> =
            messages.iter().map(|message| compressed(&mut compressor, message)).collect();
        for count in 0..payloads.len() {
            for len in 1..payloads[count].len() {
                let cut = [&payloads[..count], &[payloads[count][..len].to_vec()]].concat();
                let outcomes = expected(window(bits), &cut);
                // With stored blocks, what looks like the start of another one may
                // come before the end.
                assert!(outcomes[count].is_err() || level == 0 || len + 1 == payloads[count].len());
                let mut inflater = Inflater::new(window(bits));
                for (payload, expected) in cut.iter().zip(outcomes) {
                    assert_eq!(inflate(&mut inflater, payload.chunks(7), 50), expected, "{len}");
                }
            }
        }
    }
}

#[test]
fn only_a_stored_block_may_be_open_at_the_end() {
    use Bfinal::{Clear, Set};

    let hello = || BitWriter::new().fixed(Clear, &bytes(b"Hello"));
    let whole = Ok(b"Hello".to_vec());
    let broken = Err(b"Hello".to_vec());
    for bits in [8, 12, 15] {
        assert_eq!(check(bits, hello().message_end().finish()), whole);
        // The tail itself was sent, and the header of another block.
        assert_eq!(check(bits, hello().sync_flush().message_end().finish()), whole);
        // The same without the header: the tail is not a block.
        assert_eq!(check(bits, hello().sync_flush().finish()), broken);
        assert_eq!(check(bits, hello().header(Set, 0).finish()), whole);
        assert_eq!(check(bits, hello().fixed(Set, &[]).finish()), broken);
        assert_eq!(check(bits, hello().header(Clear, 1).finish()), broken);
        assert_eq!(check(bits, hello().header(Clear, 2).finish()), broken);
        assert_eq!(check(bits, hello().message_end().bytes(&[0]).finish()), broken);
        assert_eq!(check(bits, hello().message_end().bytes(&[0, 0, 0xff]).finish()), broken);
        // Four bytes stored, which the tail would be.
        let four = hello().message_end().number(4, 16).number(!4, 16);
        assert_eq!(check(bits, four.finish()), broken);
        let none = BitWriter::new().finish();
        assert_eq!(check(bits, none), Err(vec![]));
        // A final block that is open is no end of what follows.
        let again = BitWriter::new().fixed(Clear, &[Symbol::Again(5, 5)]).message_end().finish();
        let payloads = [hello().header(Set, 0).finish(), again.clone(), again];
        assert_eq!(check_every_cut(bits, &payloads), [whole.clone(), whole.clone(), whole.clone()]);
    }
}

/// D04.
#[test]
fn data_that_is_no_deflate_is_corrupt() {
    use Bfinal::Clear;

    let (lengths, distances) = own_code();
    let with = |at: usize, len: usize| {
        let mut lengths = lengths.clone();
        lengths[at] = len;
        lengths
    };
    let hello = || BitWriter::new().fixed(Clear, &bytes(b"Hello"));
    let rows = [
        ("no such type", hello().header(Clear, 3)),
        ("lengths of a stored block", hello().stored_as(Clear, b"abc", 3, !4)),
        ("lengths of a stored block, not inverted", hello().stored_as(Clear, b"", 0, 0)),
        ("length code 286", hello().header(Clear, 1).code(0xc6, 8)),
        ("length code 287", hello().header(Clear, 1).code(0xc7, 8)),
        ("distance code 30", hello().header(Clear, 1).code(1, 7).code(30, 5)),
        ("distance code 31", hello().header(Clear, 1).code(1, 7).code(31, 5)),
        ("too many lengths", hello().header(Clear, 2).number(30, 5).number(0, 5).number(15, 4)),
        ("too many distances", hello().header(Clear, 2).number(0, 5).number(30, 5).number(0, 4)),
        ("no code for code lengths", { hello().header(Clear, 2).number(0, 14).number(0, 12) }),
        ("too many code lengths", {
            hello().header(Clear, 2).number(0, 5).number(0, 5).number(0, 4).number(0o1111, 12)
        }),
        ("too few code lengths", {
            hello().header(Clear, 2).number(0, 5).number(0, 5).number(0, 4).number(0o7777, 12)
        }),
        ("repeats nothing", {
            // 16 and 0 have a code of one bit each.
            let codes = hello().header(Clear, 2).number(0, 14).number(0o1001, 12);
            codes.code(1, 1).number(0, 2)
        }),
        ("repeats too much", {
            let codes = hello().header(Clear, 2).number(0, 14).number(0o1100, 12);
            codes.code(1, 1).number(127, 7).code(1, 1).number(127, 7)
        }),
        ("too many short codes", hello().dynamic_header(Clear, &with(0, 1), &distances)),
        ("too few codes", hello().dynamic_header(Clear, &with(0, 0), &distances)),
        ("too few distances", hello().dynamic_header(Clear, &lengths, &distances[1..])),
    ];
    for (name, writer) in rows {
        // Whatever follows.
        for more in [0x00, 0xff, 0x5a] {
            let payload = writer.clone().pad(false).bytes(&[more; 20]).message_end().finish();
            for bits in [8, 12, 15] {
                assert_eq!(check(bits, payload.clone()), Err(b"Hello".to_vec()), "{name}");
            }
        }
    }
}

/// D05.
#[test]
fn a_distance_beyond_the_window_is_corrupt() {
    for bits in ALL_BITS {
        let len = window(bits).window_len();
        // From just full to once around.
        for before in [len, len + 1, len + 2, len + len / 2, 2 * len - 1, 2 * len, 2 * len + 3] {
            for length in [3, 4, 257, 258] {
                let refer = |distance| {
                    let mut writer = BitWriter::new();
                    for piece in noise(before).chunks(60_000) {
                        writer = writer.stored(Bfinal::Clear, piece);
                    }
                    let writer = writer.fixed(Bfinal::Clear, &[Symbol::Again(length, distance)]);
                    writer.message_end().finish()
                };
                let payload = refer(len);
                let expected = expected(window(bits), slice::from_ref(&payload)).remove(0);
                assert!(expected.as_ref().is_ok_and(|bytes| bytes.len() == before + length));
                let mut inflater = Inflater::new(window(bits));
                assert_eq!(inflate(&mut inflater, payload.chunks(1000), 300), expected);
                if bits < 15 {
                    inflater.reset();
                    let outcome = inflate(&mut inflater, refer(len + 1).chunks(1000), 300);
                    assert_eq!(outcome, Err(noise(before)), "{bits} bits, {before}");
                }
            }
        }
    }
}

/// D06.
#[test]
fn a_distance_before_the_start_is_corrupt() {
    let stored = |len: usize| BitWriter::new().stored(Bfinal::Clear, &noise(len));
    let refer = |writer: BitWriter, distance| {
        let again = [Symbol::Again(3, distance)];
        writer.fixed(Bfinal::Clear, &again).message_end().finish()
    };
    for bits in ALL_BITS {
        let len = window(bits).window_len();
        let mut inflater = Inflater::new(window(bits));
        for before in [0, 1, 2, 100, 255, len - 1] {
            if before > 0 {
                assert!(inflate_whole(&mut inflater, &refer(stored(before), before)).is_ok());
                inflater.reset();
            }
            let payload = refer(stored(before), before + 1);
            assert_eq!(inflate_whole(&mut inflater, &payload), Err(noise(before)));
            inflater.reset();
            // Nothing is left of what filled the window before.
            assert!(inflate_whole(&mut inflater, &refer(stored(3 * len / 2), len)).is_ok());
            inflater.reset();
            assert_eq!(inflate(&mut inflater, payload.chunks(1), 9), Err(noise(before)));
            inflater.reset();
            // Nor after a final block.
            let last = BitWriter::new().stored(Bfinal::Set, &noise(len)).message_end().finish();
            assert!(inflate_whole(&mut inflater, &last).is_ok());
            inflater.reset();
            assert_eq!(inflate(&mut inflater, payload.chunks(1), 9), Err(noise(before)));
            inflater.reset();
        }
    }
}

/// D07.
#[test]
fn what_follows_a_final_block_refers_to_what_was_before() {
    use Bfinal::{Clear, Set};
    use Symbol::{Again, Byte};

    let (lengths, distances) = own_code();
    let first = text(250);
    let all = [&first[..], &first, &first[..3], b"!"].concat();
    let again = [Again(250, 250), Again(3, 250), Byte(b'!')];
    let openings = [
        BitWriter::new().stored(Set, &first),
        BitWriter::new().fixed(Set, &bytes(&first)).pad(true),
        BitWriter::new().dynamic(Set, &lengths, &distances, &bytes(&first)).pad(false),
        BitWriter::new().stored(Clear, &first).fixed(Set, &[]).pad(true),
    ];
    for opening in openings {
        for bits in [8, 12, 15] {
            // In the same message, and in the next.
            let payload = opening.clone().fixed(Set, &again).pad(true).message_end().finish();
            assert_eq!(check(bits, payload), Ok(all.clone()));
            let payloads = [
                opening.clone().message_end().finish(),
                BitWriter::new().fixed(Clear, &again).message_end().finish(),
                BitWriter::new().fixed(Set, &again[1..]).pad(true).header(Set, 0).finish(),
            ];
            let outcomes = check_every_cut(bits, &payloads);
            assert_eq!(outcomes[..2], [Ok(first.clone()), Ok(all[250..].to_vec())]);
            assert!(outcomes[2].is_ok());
        }
    }
}

#[test]
fn a_window_is_whole_behind_a_final_block() {
    for len in [32_767, 32_768, 32_769, 50_000, 65_536, 65_537] {
        for cut in [1, 1000, 32_768, 40_000] {
            let data = noise(len);
            let mut writer = BitWriter::new();
            for piece in data.chunks(20_000) {
                writer = writer.stored(Bfinal::Clear, piece);
            }
            let distance = len.min(WINDOW_LEN_MAX);
            let again = [Symbol::Again(258, distance), Symbol::Again(3, 1)];
            let writer = writer.fixed(Bfinal::Set, &[]).pad(true).fixed(Bfinal::Clear, &again);
            let payload = writer.message_end().finish();
            let expected = expected(WindowBits::MAX, slice::from_ref(&payload)).remove(0);
            assert!(expected.is_ok());
            let mut inflater = Inflater::new(WindowBits::MAX);
            assert_eq!(inflate(&mut inflater, payload.chunks(cut), cut), expected);
        }
    }
}

/// D08 and D09.
#[test]
fn a_message_has_any_number_of_blocks() {
    use Bfinal::Clear;

    let hello = |writer: BitWriter| writer.fixed(Clear, &bytes(b"Hello")).sync_flush();
    let twice = hello(hello(BitWriter::new().sync_flush().sync_flush()));
    let many = (0..20).fold(twice, |writer, _| writer.fixed(Clear, &[]).stored(Clear, b"!"));
    let expected = [&b"HelloHello"[..], &[b'!'; 20]].concat();
    for bits in [8, 12, 15] {
        let empty = BitWriter::new().message_end().finish();
        assert_eq!(empty, [0]);
        let payloads = [empty.clone(), many.clone().message_end().finish(), empty];
        let outcomes = check_every_cut(bits, &payloads);
        assert_eq!(outcomes, [Ok(vec![]), Ok(expected.clone()), Ok(vec![])]);
    }
}

#[test]
fn endless_final_blocks_are_consumed() {
    let payload = [3, 0].repeat(1000);
    let payload = [&payload[..], &[0]].concat();
    for bits in [8, 15] {
        let mut inflater = Inflater::new(window(bits));
        let done = inflater.inflate(&payload, &mut [0]);
        assert_eq!(done, Inflated { consumed: payload.len(), produced: 0, corrupt: false });
        assert_eq!(inflater.end_message(), Ok(()));
    }
}

#[test]
fn without_room_nothing_happens() {
    for bits in [8, 15] {
        let mut inflater = Inflater::new(window(bits));
        assert_eq!(inflater.inflate(b"\xf2\x48", &mut []), Inflated::default());
        assert_eq!(inflater.inflate(b"", &mut [0]), Inflated::default());
        let hello = inflate_whole(&mut inflater, b"\xf2\x48\xcd\xc9\xc9\x07\x00");
        assert_eq!(hello, Ok(b"Hello".to_vec()));
    }
}

fn symbols() -> impl Strategy<Value = Vec<Symbol>> {
    let distance = prop_oneof![1..300_usize, 1..20_000_usize, 250..260_usize, 510..515_usize];
    let again = (3..=258_usize, distance);
    prop::collection::vec(
        prop_oneof![
            any::<u8>().prop_map(Symbol::Byte),
            again.prop_map(|(length, distance)| Symbol::Again(length, distance)),
        ],
        0..40,
    )
}

fn block() -> impl Strategy<Value = (u8, Bfinal, Vec<Symbol>)> {
    (0..3_u8, prop_oneof![4 => Just(Bfinal::Clear), 1 => Just(Bfinal::Set)], symbols())
}

fn write(blocks: &[(u8, Bfinal, Vec<Symbol>)]) -> Vec<u8> {
    let (lengths, distances) = own_code();
    let writer = blocks.iter().fold(BitWriter::new(), |writer, (kind, bfinal, symbols)| {
        let writer = match kind {
            0 => writer.stored(*bfinal, &noise(symbols.len() * 20)),
            1 => writer.fixed(*bfinal, symbols),
            _ => writer.dynamic(*bfinal, &lengths, &distances, symbols),
        };
        if *bfinal == Bfinal::Set { writer.pad(true) } else { writer }
    });
    writer.message_end().finish()
}

fn check_cut(bits: u8, payloads: &[Vec<u8>], in_len: usize, out_len: usize) {
    let mut inflater = Inflater::new(window(bits));
    for (payload, expected) in payloads.iter().zip(expected(window(bits), payloads)) {
        let outcome = inflate(&mut inflater, payload.chunks(in_len), out_len);
        assert_eq!(outcome, expected, "window {bits}, {payload:02x?}");
    }
}

/// The narrow decoder lets some incomplete codes pass, and decodes more or less of
/// what follows as zeros. What it decodes is still the same for any cut.
fn check_broken(bits: u8, payload: Vec<u8>, in_len: usize, out_len: usize) {
    let expected = expected(window(bits), slice::from_ref(&payload)).remove(0);
    let mut inflater = Inflater::new(window(bits));
    let whole = inflate_whole(&mut inflater, &payload);
    assert!(whole == expected || bits < 15 && expected.is_err(), "window {bits}, {payload:02x?}");
    inflater.reset();
    let outcome = inflate(&mut inflater, payload.chunks(in_len), out_len);
    assert_eq!(outcome, whole, "window {bits}, {payload:02x?}");
}

proptest! {
    #[test]
    fn any_blocks_are_decoded_as_by_the_book(
        bits in ALL_BITS,
        messages in prop::collection::vec(prop::collection::vec(block(), 0..6), 1..4),
        in_len in 1..400_usize,
        out_len in 1..2000_usize,
    ) {
        let payloads: Vec<_> = messages.iter().map(|blocks| write(blocks)).collect();
        check_cut(bits, &payloads, in_len, out_len);
    }

    #[test]
    fn broken_data_is_decoded_up_to_where_it_breaks(
        bits in prop_oneof![Just(8), Just(15)],
        level in 0..=9_u8,
        len in 1..800_usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 0..4),
        in_len in 1..400_usize,
        out_len in 1..2000_usize,
    ) {
        let mut payload = compressed(&mut compressor(bits, level), &text(len));
        for (at, flip) in flips {
            let at = at.index(payload.len());
            payload[at] ^= flip;
        }
        check_broken(bits, payload, in_len, out_len);
    }

    #[test]
    fn noise_is_decoded_up_to_where_it_breaks(
        bits in prop_oneof![Just(8), Just(15)],
        payload in prop::collection::vec(any::<u8>(), 1..300),
        in_len in 1..40_usize,
        out_len in 1..300_usize,
    ) {
        check_broken(bits, payload, in_len, out_len);
    }
}

#[test]
fn the_reference_knows_the_end() {
    let whole = b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff";
    assert_eq!(decode(whole, &[], WINDOW_LEN_MAX).end, End::Boundary);
    assert_eq!(decode(&whole[..9], &[], WINDOW_LEN_MAX).end, End::Middle);
    assert_eq!(decode(b"\x07", &[], WINDOW_LEN_MAX).end, End::Corrupt);
}
