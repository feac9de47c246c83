//! A server receiving masked frames: as chunks by the connection alone, and as whole
//! messages by an inbox; against nothing but finding the headers and unmasking, and the
//! read alone; with the feature `peers` beside others.
//!
//! What the rows do is told in `src/receive`. For ratios that stand a busy machine, and
//! for one row alone under a profiler, see the example `ratios`.

mod rows;

use criterion::{Criterion, criterion_group, criterion_main};
use sansocket_benches::receive;

fn bench(c: &mut Criterion) {
    rows::bench(c, "receive", receive::cases());
}

criterion_group!(benches, bench);
criterion_main!(benches);
