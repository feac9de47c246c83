//! What the benches of handshakes, masking, receiving and sending have in common.

use std::time::Instant;

use criterion::{Criterion, Throughput};
use sansocket_benches::{Case, Entry};

/// A group for each case. In criterion's report an element is a message.
pub(crate) fn bench(c: &mut Criterion, name: &str, cases: Vec<Case>) {
    for Case { name: case, messages, bytes, rows } in cases {
        let mut group = c.benchmark_group(format!("{name}/{case}"));
        group.throughput(Throughput::ElementsAndBytes {
            elements: messages as u64,
            bytes: bytes as u64,
        });
        for Entry { name, mut row, .. } in rows {
            group.bench_function(name, |b| {
                b.iter_custom(|runs| {
                    let runs = usize::try_from(runs).expect("not for ever");
                    let start = Instant::now();
                    row.run(runs);
                    start.elapsed()
                });
            });
        }
        group.finish();
    }
}
