//! The ways to send a message, in both roles, against a copy of the payload; with the
//! feature `peers` beside others.
//!
//! What the rows do is told in `src/send`. For ratios that stand a busy machine, and for
//! one row alone under a profiler, see the example `ratios`.

mod rows;

use criterion::{Criterion, criterion_group, criterion_main};
use sansocket_benches::send;

fn bench(c: &mut Criterion) {
    rows::bench(c, "send", send::cases());
}

criterion_group!(benches, bench);
criterion_main!(benches);
