//! A message compressed and decompressed, by two ends in memory; against the library
//! alone, which is the least it can cost, and, with the feature `peers`, against other
//! implementations over the same library.
//!
//! The messages are JSON, some hundred different ones of each length, so a context that
//! is kept finds what it would in earnest: the fields, not the values. They are sent
//! from server to client, unmasked, but for one row.
//!
//! What the rows do is told in `src/deflate`. For ratios that stand a busy machine, and
//! for one row alone under a profiler, see the example `deflate_ratios`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sansocket_benches::deflate::{ContextTakeover, corpus, rows};

const LENS: [usize; 3] = [128, 1024, 16 * 1024];

fn bench(c: &mut Criterion) {
    for context in [ContextTakeover::Keep, ContextTakeover::Drop] {
        for len in LENS {
            let corpus = corpus(len);
            let mut group = c.benchmark_group(format!("deflate/{context:?}/{len} B"));
            group.throughput(Throughput::Bytes(len as u64));
            for (name, mut row) in rows(&corpus, context) {
                let mut index = 0;
                group.bench_function(name, |b| {
                    b.iter(|| {
                        row.send(index);
                        row.receive(&mut |message| assert_eq!(message.len(), len));
                        index = (index + 1) % corpus.len();
                    });
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
