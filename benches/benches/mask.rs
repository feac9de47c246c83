//! Masking in place, against the byte-wise loop of RFC 6455 section 5.3 and against the
//! least that must be done, to read, change and write; with the feature `peers` beside
//! others.
//!
//! What the rows do is told in `src/masking.rs`. For ratios that stand a busy machine, and
//! for one row alone under a profiler, see the example `ratios`.

mod rows;

use criterion::{Criterion, criterion_group, criterion_main};
use sansocket_benches::masking;

fn bench(c: &mut Criterion) {
    rows::bench(c, "mask", masking::cases());
}

criterion_group!(benches, bench);
criterion_main!(benches);
