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
//! With four arguments it runs one row alone, for a profiler: `ROW LENGTH keep|drop MESSAGES`.
//! The instructions of a message are the difference of two runs:
//!
//! ```text
//! valgrind --tool=callgrind target/release/examples/deflate_ratios 'inbox, text' 1024 keep 2000
//! ```

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use sansocket_benches::deflate::{ContextTakeover, Row, corpus, rows};
use sansocket_benches::{line, median};

const LENS: [usize; 3] = [128, 1024, 16 * 1024];
const CONTEXTS: [ContextTakeover; 2] = [ContextTakeover::Keep, ContextTakeover::Drop];

/// The rows of the bench `deflate` side by side.
#[derive(Parser)]
struct Args {
    /// A row that runs alone
    #[arg(requires = "count")]
    row: Option<String>,
    /// The length of its messages
    len: Option<usize>,
    /// `keep` or `drop`
    #[arg(value_parser = context)]
    context: Option<ContextTakeover>,
    /// How many messages
    count: Option<usize>,
    /// How long to measure for a table
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Writes there, too: an object for each row of each table, one a line
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn context(arg: &str) -> Result<ContextTakeover, &'static str> {
    match arg {
        "keep" => Ok(ContextTakeover::Keep),
        "drop" => Ok(ContextTakeover::Drop),
        _ => Err("`keep` or `drop`"),
    }
}

fn main() {
    let args = Args::parse();
    if let (Some(row), Some(len), Some(context), Some(count)) =
        (&args.row, args.len, args.context, args.count)
    {
        repeat(row, len, context, count);
        return;
    }
    let mut lines = String::new();
    for context in CONTEXTS {
        LENS.into_iter().for_each(|len| lines += &compare(len, context, args.seconds));
    }
    if let Some(file) = args.json {
        fs::write(file, lines).expect("a file that can be written");
    }
}

/// Runs one row.
fn repeat(name: &str, len: usize, context: ContextTakeover, count: usize) {
    let corpus = corpus(len);
    let row = rows(&corpus, context).into_iter().find(|(row, _)| *row == name);
    let (_, mut row) = row.expect("the name of a row");
    time(&mut *row, (0..count).map(|index| index % corpus.len()));
}

/// Prints a table, and returns it as lines of JSON.
fn compare(len: usize, context: ContextTakeover, seconds: f64) -> String {
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
    while start.elapsed().as_secs_f64() < seconds {
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
    let case = match context {
        ContextTakeover::Keep => "context kept",
        ContextTakeover::Drop => "dropped",
    };
    let mut lines = String::new();
    for (column, (name, _)) in rows.iter().enumerate() {
        let ns = PARTS.map(|part| {
            median(rounds.iter().map(|round| part(&round[column]))) * 1e9 / batch as f64
        });
        let ratios = PARTS
            .map(|part| median(rounds.iter().map(|round| part(&round[column]) / part(&round[0]))));
        let wire_len = wire_lens[column] as f64 / corpus.len() as f64;

        print!("{name:30}");
        ns.iter().for_each(|ns| print!(" {ns:8.0}"));
        ratios.iter().for_each(|ratio| print!(" {ratio:7.3}"));
        println!(" {wire_len:8.1}");
        let [ns, send_ns, receive_ns] = ns;
        let figures =
            [("bytes", len as f64), ("ns", ns), ("send_ns", send_ns), ("receive_ns", receive_ns)];
        let names = [("table", "deflate"), ("case", case), ("row", name)];
        lines += &line(&names, &figures, [(rows[0].0, ratios[0])]);
    }
    lines
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

/// A message there and back, and each way.
const PARTS: [fn(&Times) -> f64; 3] = [Times::both, Times::send, Times::receive];

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
