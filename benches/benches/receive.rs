//! A server receiving masked frames: as chunks by the connection alone, and as
//! whole messages by an inbox; against nothing but finding the headers and
//! unmasking.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sansocket::{Connection, Delivery, Event, Fin, Inbox, Opcode, Ready, Server, mask};
use sansocket_benches::{ascii, binary, connection, masked_frame, mixed};

const KIB: usize = 1024;

/// One kind of traffic: its name, how many messages, and their bytes.
struct Traffic {
    name: &'static str,
    messages: usize,
    payload_len: usize,
    wire: Vec<u8>,
}

fn traffics() -> [Traffic; 6] {
    let binary = |len| masked_frame(Opcode::Binary, Fin::Last, &binary(len));
    let text = |bytes: &[u8]| masked_frame(Opcode::Text, Fin::Last, bytes);
    [
        Traffic::new("16 B binary", 512, 16, &binary(16)),
        Traffic::new("125 B ASCII", 128, 125, &text(&ascii(125))),
        Traffic::new("1 KiB text", 16, KIB, &text(&mixed(KIB))),
        Traffic::new("16 KiB binary", 1, 16 * KIB, &binary(16 * KIB)),
        Traffic::new("1 MiB text", 1, KIB * KIB, &text(&mixed(KIB * KIB))),
        Traffic::new("64 KiB in 64 fragments", 1, 64 * KIB, &fragments(64, KIB)),
    ]
}

fn fragments(count: usize, len: usize) -> Vec<u8> {
    let payload = binary(len);
    let mut wire = masked_frame(Opcode::Binary, Fin::More, &payload);
    for _ in 2..count {
        wire.extend(masked_frame(Opcode::Continuation, Fin::More, &payload));
    }
    wire.extend(masked_frame(Opcode::Continuation, Fin::Last, &payload));
    wire
}

impl Traffic {
    /// Short messages come many to a read, so that one measurement is long
    /// beside the clock's own time.
    fn new(name: &'static str, messages: usize, payload_len: usize, message: &[u8]) -> Self {
        Self { name, messages, payload_len, wire: message.repeat(messages) }
    }
}

fn bench(c: &mut Criterion) {
    for traffic in traffics() {
        let mut group = c.benchmark_group(format!("receive/{}", traffic.name));
        // In criterion's report an element is a message.
        group.throughput(Throughput::ElementsAndBytes {
            elements: traffic.messages as u64,
            bytes: (traffic.messages * traffic.payload_len) as u64,
        });

        let mut buf = traffic.wire.clone();
        group.bench_function(BenchmarkId::from_parameter("header and mask"), |b| {
            b.iter_custom(|iters| {
                fresh(
                    iters,
                    &mut buf,
                    |buf| buf.copy_from_slice(&traffic.wire),
                    |buf| baseline(buf),
                )
            });
        });

        let mut server = connection(Server);
        group.bench_function(BenchmarkId::from_parameter("chunks"), |b| {
            b.iter_custom(|iters| {
                fresh(
                    iters,
                    &mut buf,
                    |buf| buf.copy_from_slice(&traffic.wire),
                    |buf| chunks(&mut server, buf),
                )
            });
        });

        let mut inbox = Inbox::with_capacity(traffic.wire.len());
        group.bench_function(BenchmarkId::from_parameter("messages"), |b| {
            b.iter_custom(|iters| {
                fresh(
                    iters,
                    &mut inbox,
                    |inbox| fill(inbox, &traffic.wire),
                    |inbox| {
                        let len = messages(&mut server, inbox);
                        assert_eq!(len, traffic.messages * traffic.payload_len);
                        len
                    },
                )
            });
        });

        // As it is in earnest: the copies into the inbox, 16 KiB each, are those
        // that a socket would make, and are measured too.
        let mut inbox = Inbox::new();
        group.bench_function(BenchmarkId::from_parameter("messages, reads of 16 KiB"), |b| {
            b.iter(|| {
                let mut len = 0;
                let mut wire = &traffic.wire[..];
                while !wire.is_empty() {
                    let (read, rest) = wire.split_at(inbox.spare().len().min(wire.len()));
                    fill(&mut inbox, read);
                    len += messages(&mut server, &mut inbox);
                    wire = rest;
                }
                len
            });
        });
        group.finish();
    }
}

/// Measures `run` over input that `fill` made anew: receiving unmasks in place,
/// so no input can be used twice. It is as warm in the cache as after a read.
fn fresh<I>(
    iters: u64,
    input: &mut I,
    mut fill: impl FnMut(&mut I),
    mut run: impl FnMut(&mut I) -> usize,
) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..iters {
        fill(input);
        let start = Instant::now();
        black_box(run(black_box(input)));
        total += start.elapsed();
    }
    total
}

fn fill(inbox: &mut Inbox, bytes: &[u8]) {
    inbox.spare()[..bytes.len()].copy_from_slice(bytes);
    inbox.filled(bytes.len());
}

/// Believes every header.
fn baseline(mut buf: &mut [u8]) -> usize {
    let mut total = 0;
    while !buf.is_empty() {
        let (len, key_at) = match buf[1] & 0x7f {
            126 => (u16::from_be_bytes([buf[2], buf[3]]).into(), 4),
            127 => {
                let len = buf[2..].first_chunk().expect("whole frames");
                (usize::try_from(u64::from_be_bytes(*len)).expect("short frames"), 10)
            }
            len => (len.into(), 2),
        };
        let key = *buf[key_at..].first_chunk().expect("whole frames");
        let (payload, rest) = buf[key_at + 4..].split_at_mut(len);
        mask::apply(payload, key);
        total += black_box(payload).len();
        buf = rest;
    }
    total
}

fn chunks(server: &mut Connection<Server>, mut buf: &mut [u8]) -> usize {
    let mut total = 0;
    loop {
        let received = server.receive(buf).expect("a valid peer");
        match received.event {
            Some(Event::Data(data)) => total += black_box(data.bytes()).len(),
            Some(other) => panic!("{other:?}"),
            None => return total,
        }
        buf = received.rest;
    }
}

fn messages(server: &mut Connection<Server>, inbox: &mut Inbox) -> usize {
    let mut total = 0;
    while inbox.advance(server).expect("a valid peer") == Ready::Message {
        let Some(Delivery::Message(message)) = inbox.delivery() else { panic!("no message") };
        total += black_box(message).len();
    }
    total
}

criterion_group!(benches, bench);
criterion_main!(benches);
