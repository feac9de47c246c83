//! The opening handshake in memory, in both roles, against nothing but finding the fields
//! and hashing the key; with the feature `peers` beside others.
//!
//! What the rows do is told in `src/handshake`. For ratios that stand a busy machine, and
//! for one row alone under a profiler, see the example `ratios`.

mod rows;

use criterion::{Criterion, criterion_group, criterion_main};
use sansocket_benches::handshake;

fn bench(c: &mut Criterion) {
    rows::bench(c, "handshake", handshake::cases());
}

criterion_group!(benches, bench);
criterion_main!(benches);
