//! Masking in place, against the byte-wise loop of RFC 6455 section 5.3 and
//! against a copy of as many bytes, the speed of memory.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sansocket::mask::{self, Key};
use sansocket_benches::{KEY, binary};

const LENS: [usize; 5] = [16, 125, 1024, 16 * 1024, 1024 * 1024];

/// A cache line, the widest alignment that could matter.
const LINE: usize = 64;

fn bench(c: &mut Criterion) {
    // The start of a payload lies where its header ends, so seldom aligned.
    for (place, offset) in [("aligned", 0), ("offset 3", 3)] {
        let mut group = c.benchmark_group(format!("mask/{place}"));
        for len in LENS {
            group.throughput(Throughput::Bytes(len as u64));
            // Masking toggles, so every pass has as much to do.
            let mut storage = vec![0; len + 2 * LINE];
            let start = storage.as_ptr().align_offset(LINE) + offset;
            let payload = &mut storage[start..start + len];
            payload.copy_from_slice(&binary(len));
            group.bench_function(BenchmarkId::new("apply", len), |b| {
                b.iter(|| mask::apply(black_box(payload), black_box(KEY)));
            });
            group.bench_function(BenchmarkId::new("naive", len), |b| {
                b.iter(|| naive(black_box(payload), black_box(KEY)));
            });
            let mut copy = vec![0; len];
            group.bench_function(BenchmarkId::new("memcpy", len), |b| {
                b.iter(|| black_box(&mut copy[..]).copy_from_slice(black_box(payload)));
            });
        }
        group.finish();
    }
}

fn naive(payload: &mut [u8], key: Key) {
    for (i, byte) in payload.iter_mut().enumerate() {
        *byte ^= key[i % 4];
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
