//! The rows of the bench `deflate` side by side, as multiples of the first.
//!
//! Each round gives every row some messages, one row after the other, and divides its
//! time by the floor's in the same round; shown is the median of the rounds. What else
//! the machine does then troubles all rows alike. The rows take turns in being first, and
//! are never at the same messages: the processor learns a message's branches, and a row
//! behind another would find them learnt.
//!
//! ```text
//! cargo run --profile bench -p sansocket-benches --features peers --example deflate_ratios
//! ```
//!
//! With arguments it runs one row alone, for a profiler: `ROW LENGTH keep|drop MESSAGES`.
//! The instructions of a message are the difference of two runs:
//!
//! ```text
//! valgrind --tool=callgrind target/release/examples/deflate_ratios 'inbox, text' 1024 keep 2000
//! ```

use std::env;
use std::hint::black_box;
use std::time::{Duration, Instant};

use sansocket_benches::deflate::{ContextTakeover, Row, corpus, rows};

const LENS: [usize; 3] = [128, 1024, 16 * 1024];
const CONTEXTS: [ContextTakeover; 2] = [ContextTakeover::Keep, ContextTakeover::Drop];

fn main() {
    let args: Vec<_> = env::args().skip(1).collect();
    match &args[..] {
        [] => {
            for context in CONTEXTS {
                LENS.into_iter().for_each(|len| compare(len, context));
            }
        }
        [row, len, context, count] => {
            let context = match &context[..] {
                "keep" => ContextTakeover::Keep,
                _ => ContextTakeover::Drop,
            };
            repeat(row, number(len), context, number(count));
        }
        _ => panic!("nothing, or ROW LENGTH keep|drop MESSAGES"),
    }
}

fn number(arg: &str) -> usize {
    arg.parse().expect("a number")
}

/// Runs one row.
fn repeat(name: &str, len: usize, context: ContextTakeover, count: usize) {
    let corpus = corpus(len);
    let row = rows(&corpus, context).into_iter().find(|(row, _)| *row == name);
    let (_, mut row) = row.expect("the name of a row");
    time(&mut *row, (0..count).map(|index| index % corpus.len()));
}

/// Prints a table.
fn compare(len: usize, context: ContextTakeover) {
    let corpus = corpus(len);
    let mut rows = rows(&corpus, context);
    let mut wire_lens = vec![0; rows.len()];
    for ((name, row), wire_len) in rows.iter_mut().zip(&mut wire_lens) {
        // The second time with a context, if there is one.
        for _ in 0..2 {
            *wire_len = verify(name, &mut **row, &corpus);
        }
    }

    let batch = (16 * 1024 / len).clamp(4, 64);
    let mut rounds: Vec<Vec<Times>> = Vec::new();
    let start = Instant::now();
    while start.elapsed() < TIME {
        let round = rounds.len();
        let mut times: Vec<_> = rows.iter().map(|_| Times::default()).collect();
        for turn in 0..rows.len() {
            let column = (turn + round) % rows.len();
            let first = round * batch + column * corpus.len() / rows.len();
            let indices = (first..first + batch).map(|index| index % corpus.len());
            times[column] = time(&mut *rows[column].1, indices);
        }
        rounds.push(times);
    }

    println!("\n{len} B, context: {context:?}; {} rounds of {batch} messages", rounds.len());
    print!("{:30} {:>8} {:>8} {:>8}", "", "ns", "send", "receive");
    println!(" {:>7} {:>7} {:>7} {:>8}", "ratio", "send", "receive", "on wire");
    for (column, (name, _)) in rows.iter().enumerate() {
        print!("{name:30}");
        for part in [Times::both, Times::send, Times::receive] {
            let seconds = median(rounds.iter().map(|round| part(&round[column])));
            print!(" {:8.0}", seconds * 1e9 / batch as f64);
        }
        for part in [Times::both, Times::send, Times::receive] {
            let ratios = rounds.iter().map(|round| part(&round[column]) / part(&round[0]));
            print!(" {:7.3}", median(ratios));
        }
        println!(" {:8.1}", wire_lens[column] as f64 / corpus.len() as f64);
    }
}

/// Sends all messages once. Returns their length on the wire.
fn verify(name: &str, row: &mut dyn Row, corpus: &[String]) -> usize {
    let mut wire_len = 0;
    for (index, text) in corpus.iter().enumerate() {
        wire_len += row.send(index);
        let mut seen = 0;
        row.receive(&mut |message| {
            seen += 1;
            assert_eq!(message, text.as_bytes(), "{name}");
        });
        assert_eq!(seen, 1, "{name}");
    }
    wire_len
}

/// In seconds.
#[derive(Default)]
struct Times {
    send: f64,
    receive: f64,
}

impl Times {
    fn both(&self) -> f64 {
        self.send + self.receive
    }

    fn send(&self) -> f64 {
        self.send
    }

    fn receive(&self) -> f64 {
        self.receive
    }
}

fn time(row: &mut dyn Row, indices: impl Iterator<Item = usize>) -> Times {
    let mut times = Times::default();
    for index in indices {
        let start = Instant::now();
        row.send(index);
        let between = Instant::now();
        row.receive(&mut |message| {
            black_box(message);
        });
        let end = Instant::now();
        times.send += (between - start).as_secs_f64();
        times.receive += (end - between).as_secs_f64();
    }
    times
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How long to measure for a table.
const TIME: Duration = Duration::from_secs(10);
