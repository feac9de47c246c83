//! The three ways to send a message, in both roles, against a copy of the
//! payload. A server's head leaves the payload where it is; a client's masks it
//! there.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sansocket::{Connection, Fin, Kind, Role, Server};
use sansocket_benches::{binary, client, connection};

const LENS: [usize; 3] = [16, 1024, 1024 * 1024];

fn bench(c: &mut Criterion) {
    bench_role(c, "server", connection(Server));
    bench_role(c, "client", connection(client()));
}

fn bench_role<R: Role>(c: &mut Criterion, role: &str, mut connection: Connection<R>) {
    let mut group = c.benchmark_group(format!("send/{role}"));
    for len in LENS {
        let mut payload = binary(len);
        let mut out = vec![0; Connection::<R>::frame_len(len)];
        group.throughput(Throughput::Bytes(len as u64));

        group.bench_function(BenchmarkId::new("memcpy", len), |b| {
            b.iter(|| black_box(&mut out[..len]).copy_from_slice(black_box(&payload)));
        });
        group.bench_function(BenchmarkId::new("send", len), |b| {
            b.iter(|| connection.send(black_box(&payload[..]), black_box(&mut out)).expect("open"));
        });
        group.bench_function(BenchmarkId::new("append", len), |b| {
            b.iter(|| {
                out.clear();
                connection.append(black_box(&payload[..]), black_box(&mut out)).expect("open");
            });
        });
        group.bench_function(BenchmarkId::new("head", len), |b| {
            b.iter(|| {
                let mut head = connection.head(Kind::Binary, Fin::Last, len as u64).expect("open");
                // Random bytes masked are as random: no need to make them anew.
                head.mask(black_box(&mut payload));
                connection.payload_written(len as u64).expect("all of it");
                head
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
