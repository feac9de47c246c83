//! The frame header codec, against the same bits read and written without a
//! rule checked.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sansocket::frame::{Expect, FrameHeader, HEADER_LEN_MAX, Leniency, MaskRule, Parsed, Rules};
use sansocket::{Fin, Opcode};
use sansocket_benches::KEY;

const RULES: Rules = Rules {
    mask: MaskRule::Masked,
    expect: Expect::Message,
    reserved: 0,
    payload_len_max: 1 << 40,
    compressed: false,
    message_len: 0,
    message_len_max: 1 << 40,
    fragments: 0,
    fragments_max: 1024,
    leniency: Leniency::NONE,
};

fn bench(c: &mut Criterion) {
    // The three forms of a length.
    let headers = [100, 10_000, 1_000_000].map(|payload_len| FrameHeader {
        fin: Fin::Last,
        reserved: 0,
        opcode: Opcode::Binary,
        key: Some(KEY),
        payload_len,
    });
    let mut group = c.benchmark_group("header/parse");
    for header in headers {
        let (bytes, len) = header.encode();
        assert_eq!(naive_parse(&bytes), (header.payload_len, len));
        group.bench_function(BenchmarkId::new("parse", header.payload_len), |b| {
            b.iter(|| match FrameHeader::parse(black_box(&bytes), black_box(&RULES)) {
                Ok(Parsed::Header { header, header_len }) => (header, header_len),
                other => panic!("{other:?}"),
            });
        });
        group.bench_function(BenchmarkId::new("no rules", header.payload_len), |b| {
            b.iter(|| naive_parse(black_box(&bytes)));
        });
    }
    group.finish();

    let mut group = c.benchmark_group("header/encode");
    for header in headers {
        let mut out = Vec::with_capacity(HEADER_LEN_MAX);
        naive_encode(header.payload_len, &mut out);
        let (bytes, len) = header.encode();
        assert_eq!(out, bytes[..len]);
        group.bench_function(BenchmarkId::new("encode", header.payload_len), |b| {
            b.iter(|| black_box(&header).encode());
        });
        group.bench_function(BenchmarkId::new("naive", header.payload_len), |b| {
            b.iter(|| naive_encode(black_box(header.payload_len), black_box(&mut out)));
        });
    }
    group.finish();
}

/// The length of the payload and of the header, if the peer is well-behaved.
fn naive_parse(bytes: &[u8; HEADER_LEN_MAX]) -> (u64, usize) {
    match bytes[1] & 0x7f {
        126 => (u16::from_be_bytes([bytes[2], bytes[3]]).into(), 8),
        127 => {
            let [_, _, len @ .., _, _, _, _] = *bytes;
            (u64::from_be_bytes(len), 14)
        }
        len => (len.into(), 6),
    }
}

fn naive_encode(payload_len: u64, out: &mut Vec<u8>) {
    out.clear();
    out.push(0x82);
    if let Ok(len @ ..126) = u8::try_from(payload_len) {
        out.push(0x80 | len);
    } else if let Ok(len) = u16::try_from(payload_len) {
        out.push(0x80 | 126);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(0x80 | 127);
        out.extend_from_slice(&payload_len.to_be_bytes());
    }
    out.extend_from_slice(&KEY);
}

criterion_group!(benches, bench);
criterion_main!(benches);
