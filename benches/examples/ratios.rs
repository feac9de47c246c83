//! Masking, receiving, sending and the opening handshake side by side: the rows of the
//! benches of these names, as Markdown tables of nanoseconds and of ratios. The floor of a
//! ratio is the first row of its table.
//!
//! Each round gives every row a millisecond, one row after the other, and divides
//! ours by a peer's time in the same round; shown is the median of the rounds. What else
//! the machine does then troubles all rows alike. The rows take turns in being first.
//!
//! ```text
//! cargo run --profile bench -p sansocket-benches --features peers --example ratios
//! ```
//!
//! The name of a table behind it gives that table alone; `sweep` and `inflate` are given
//! only so. Four arguments run one row alone, for a profiler: `TABLE CASE ROW RUNS`. The
//! instructions of a run are the difference of two such:
//!
//! ```text
//! valgrind --tool=callgrind target/release/examples/ratios receive '1 KiB text' 'sansocket, Inbox' 100
//! ```

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use sansocket_benches::{Case, Entry, Row, Standing, line, median};
use sansocket_benches::{deflate::inflaters, handshake, masking, receive, send, sweep};

/// The rows of the benches side by side.
#[derive(Parser)]
struct Args {
    /// One of the tables: mask, receive, send, handshake, inflate, sweep. All but the last
    /// two, if it is missing
    table: Option<String>,
    /// One of its cases, of which one row runs alone
    #[arg(requires = "runs")]
    case: Option<String>,
    /// One of the rows
    row: Option<String>,
    /// How often it runs
    runs: Option<usize>,
    /// How often the rows are made, and then measured in 41 rounds
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    sittings: usize,
    /// Writes there, too: an object for each row of each case, one a line
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The name of a table, and what makes its cases.
type Table = (&'static str, fn() -> Vec<Case>);

const TABLES: [Table; 6] = [
    ("mask", masking::cases),
    ("receive", receive::cases),
    ("send", send::cases),
    ("handshake", handshake::cases),
    ("inflate", inflaters::cases),
    ("sweep", sweep),
];

/// Those after them are seldom wanted.
const USUAL: usize = 4;

fn main() {
    let args = Args::parse();
    let tables = match &args.table {
        None => TABLES[..USUAL].to_vec(),
        Some(name) => {
            let found = TABLES.into_iter().find(|(table, _)| table == name);
            vec![found.expect("the name of a table")]
        }
    };
    if let (Some(case), Some(row), Some(runs)) = (&args.case, &args.row, args.runs) {
        let case = tables[0].1().into_iter().find(|found| found.name == *case);
        let rows = case.expect("the name of a case").rows;
        let row = rows.into_iter().find(|found| found.name == row);
        row.expect("the name of a row").row.run(runs);
        return;
    }
    let mut lines = String::new();
    for (name, make) in tables {
        let cases = measure(make, args.sittings);
        print(name, &cases);
        lines.extend(cases.iter().flat_map(|case| case.lines(name)));
    }
    if let Some(file) = args.json {
        fs::write(file, lines).expect("a file that can be written");
    }
}

fn measure(make: fn() -> Vec<Case>, sittings: usize) -> Vec<Measured> {
    let mut cases: Vec<Measured> = make().iter().map(Measured::new).collect();
    for _ in 0..sittings {
        // The cases are made anew: where the memory of a row happens to lie may make it
        // faster than another.
        cases.iter_mut().zip(make()).for_each(|(case, rows)| case.measure(rows));
    }
    cases
}

/// Prints a table of times and one of ratios.
fn print(name: &str, cases: &[Measured]) {
    let rounds = cases[0].rounds.len();
    println!("\n## {name}: ns per message, medians of {rounds} rounds\n");
    print!("| |");
    cases.iter().for_each(|case| print!(" {} |", case.name));
    println!("\n|---|{}", "---:|".repeat(cases.len()));
    for row in names(cases, |_| true) {
        print!("| {row} |");
        for case in cases {
            match case.rows.iter().position(|(name, _)| *name == row) {
                Some(row) => print!(" {} |", nanoseconds(case.median(row))),
                None => print!(" |"),
            }
        }
        println!();
    }

    println!("\n## {name}: ours, as ratios\n");
    let lesser = names(cases, |standing| standing == Standing::Lesser);
    print!("| | row | to the floor | to the best peer | |");
    lesser.iter().for_each(|name| print!(" to {name} |"));
    println!("\n|---|---|---:|---:|---|{}", "---:|".repeat(lesser.len()));
    for case in cases {
        for ours in case.of(Standing::Ours) {
            print!("| {} | {} | {:.2} |", case.name, case.rows[ours].0, case.ratio(ours, 0));
            match case.best_peer() {
                Some(best) => print!(" {:.2} | {} |", case.ratio(ours, best), case.rows[best].0),
                None => print!(" | |"),
            }
            for other in case.of(Standing::Lesser) {
                print!(" {:.2} |", case.ratio(ours, other));
            }
            println!();
        }
    }
}

/// The names of the rows that stand so.
fn names(cases: &[Measured], such: impl Fn(Standing) -> bool) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (name, standing) in cases.iter().flat_map(|case| &case.rows) {
        if such(*standing) && !names.contains(name) {
            names.push(*name);
        }
    }
    names
}

fn nanoseconds(seconds: f64) -> String {
    match seconds * 1e9 {
        few @ ..100.0 => format!("{few:.1}"),
        many => format!("{many:.0}"),
    }
}

/// A case, and the times of its rows.
struct Measured {
    name: String,
    /// Of payload, per message.
    bytes: f64,
    rows: Vec<(&'static str, Standing)>,
    /// By round and row, in seconds per message.
    rounds: Vec<Vec<f64>>,
}

impl Measured {
    fn new(case: &Case) -> Self {
        let rows = case.rows.iter().map(|entry| (entry.name, entry.standing)).collect();
        let bytes = case.bytes as f64 / case.messages as f64;
        Self { name: case.name.clone(), bytes, rows, rounds: Vec::new() }
    }

    fn measure(&mut self, mut case: Case) {
        let runs: Vec<_> = case.rows.iter_mut().map(runs).collect();
        for round in 0..ROUNDS {
            let mut times = vec![0.0; case.rows.len()];
            for turn in 0..case.rows.len() {
                let column = (turn + round) % case.rows.len();
                let Entry { row, .. } = &mut case.rows[column];
                // Back into the caches.
                row.run(1);
                let each = time(&mut **row, runs[column]) / runs[column] as f64;
                times[column] = each / case.messages as f64;
            }
            self.rounds.push(times);
        }
    }

    /// Each row as a line of JSON. Its ratios are to all rows that are not ours.
    fn lines(&self, table: &str) -> impl Iterator<Item = String> {
        self.rows.iter().enumerate().map(move |(row, (name, standing))| {
            let standing = format!("{standing:?}");
            let others = (0..self.rows.len()).filter(|to| self.rows[*to].1 != Standing::Ours);
            line(
                &[("table", table), ("case", &self.name), ("row", name), ("standing", &standing)],
                &[("bytes", self.bytes), ("ns", self.median(row) * 1e9)],
                others.map(|to| (self.rows[to].0, self.ratio(row, to))),
            )
        })
    }

    fn of(&self, standing: Standing) -> impl Iterator<Item = usize> {
        (0..self.rows.len()).filter(move |row| self.rows[*row].1 == standing)
    }

    fn best_peer(&self) -> Option<usize> {
        self.of(Standing::Peer).min_by(|a, b| self.median(*a).total_cmp(&self.median(*b)))
    }

    fn median(&self, row: usize) -> f64 {
        median(self.rounds.iter().map(|times| times[row]))
    }

    fn ratio(&self, row: usize, to: usize) -> f64 {
        median(self.rounds.iter().map(|times| times[row] / times[to]))
    }
}

/// How many runs fill a row's part of a round.
fn runs(entry: &mut Entry) -> usize {
    let mut runs = 1;
    // The first is slow, and the clock is coarse.
    entry.row.run(1);
    while time(&mut *entry.row, runs) < TURN.as_secs_f64() {
        runs *= 2;
    }
    runs
}

fn time(row: &mut dyn Row, runs: usize) -> f64 {
    let start = Instant::now();
    row.run(runs);
    start.elapsed().as_secs_f64()
}

/// How often each is measured in a sitting.
const ROUNDS: usize = 41;

/// A row's part of a round, and at most twice that: shorter than what a scheduler gives
/// at a time, so that most rounds are not interrupted, and those that are do not count.
const TURN: Duration = Duration::from_micros(700);
