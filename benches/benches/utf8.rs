//! The streaming UTF-8 check, whole and in pieces that cut characters, against
//! `core::str::from_utf8` over the whole text.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sansocket::utf8::Utf8;
use sansocket_benches::{ascii, mixed};

const LENS: [usize; 4] = [16, 125, 16 * 1024, 1024 * 1024];

/// Odd, so that it ends inside characters.
const PIECE_LEN: usize = 1_001;

fn bench(c: &mut Criterion) {
    for (kind, text) in [("ascii", ascii as fn(usize) -> Vec<u8>), ("mixed", mixed)] {
        let mut group = c.benchmark_group(format!("utf8/{kind}"));
        for len in LENS {
            let text = text(len);
            group.throughput(Throughput::Bytes(len as u64));
            group.bench_function(BenchmarkId::new("push", len), |b| {
                b.iter(|| push(black_box(&text), usize::MAX));
            });
            if len > PIECE_LEN {
                group.bench_function(BenchmarkId::new("push pieces", len), |b| {
                    b.iter(|| push(black_box(&text), PIECE_LEN));
                });
            }
            group.bench_function(BenchmarkId::new("std", len), |b| {
                b.iter(|| std::str::from_utf8(black_box(&text)).is_ok());
            });
        }
        group.finish();
    }
}

fn push(text: &[u8], piece_len: usize) -> bool {
    let mut check = Utf8::default();
    text.chunks(piece_len).all(|piece| check.push(piece).is_ok()) && check.is_complete()
}

criterion_group!(benches, bench);
criterion_main!(benches);
