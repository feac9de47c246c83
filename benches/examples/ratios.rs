//! Masking, receiving and sending side by side: the rows of the benches of these names,
//! as Markdown tables of nanoseconds and of ratios. The floor of a ratio is the first row
//! of its table.
//!
//! Each round gives every row a millisecond, one row after the other, and divides
//! ours by a peer's time in the same round; shown is the median of the rounds. What else
//! the machine does then troubles all rows alike. The rows take turns in being first.
//!
//! ```text
//! cargo run --profile bench -p sansocket-benches --features peers --example ratios
//! ```
//!
//! `mask`, `receive` or `send` behind it gives that table alone. Four arguments run one
//! row alone, for a profiler: `TABLE CASE ROW RUNS`. The instructions of a run are the
//! difference of two such:
//!
//! ```text
//! valgrind --tool=callgrind target/release/examples/ratios receive '1 KiB text' 'sansocket, Inbox' 100
//! ```

use std::env;
use std::time::{Duration, Instant};

use sansocket_benches::{Case, Entry, Row, Standing, masking, receive, send};

/// The name of a table, and what makes its cases.
type Table = (&'static str, fn() -> Vec<Case>);

const TABLES: [Table; 3] =
    [("mask", masking::cases), ("receive", receive::cases), ("send", send::cases)];

fn main() {
    let args: Vec<_> = env::args().skip(1).collect();
    match &args[..] {
        [] => TABLES.into_iter().for_each(|(name, _)| table(name)),
        [name] => table(name),
        [name, case, row, runs] => {
            let case = cases(name).into_iter().find(|found| found.name == *case);
            let rows = case.expect("the name of a case").rows;
            let row = rows.into_iter().find(|found| found.name == row);
            let runs = runs.parse().expect("a number");
            row.expect("the name of a row").row.run(runs);
        }
        _ => panic!("nothing, or TABLE, or TABLE CASE ROW RUNS"),
    }
}

fn cases(name: &str) -> Vec<Case> {
    let found = TABLES.into_iter().find(|(table, _)| *table == name);
    let (_, cases) = found.expect("the name of a table");
    cases()
}

/// Prints a table of times and one of ratios.
fn table(name: &str) {
    let mut cases: Vec<Measured> = cases(name).iter().map(Measured::new).collect();
    for _ in 0..SITTINGS {
        // The cases are made anew: where the memory of a row happens to lie may make it
        // faster than another.
        cases.iter_mut().zip(self::cases(name)).for_each(|(case, rows)| case.measure(rows));
    }

    println!("\n## {name}: ns per message, medians of {} rounds\n", SITTINGS * ROUNDS);
    print!("| |");
    cases.iter().for_each(|case| print!(" {} |", case.name));
    println!("\n|---|{}", "---:|".repeat(cases.len()));
    for row in names(&cases, |_| true) {
        print!("| {row} |");
        for case in &cases {
            match case.rows.iter().position(|(name, _)| *name == row) {
                Some(row) => print!(" {} |", nanoseconds(case.median(row))),
                None => print!(" |"),
            }
        }
        println!();
    }

    println!("\n## {name}: ours, as ratios\n");
    let lesser = names(&cases, |standing| standing == Standing::Lesser);
    print!("| | row | to the floor | to the best peer | |");
    lesser.iter().for_each(|name| print!(" to {name} |"));
    println!("\n|---|---|---:|---:|---|{}", "---:|".repeat(lesser.len()));
    for case in &cases {
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
    rows: Vec<(&'static str, Standing)>,
    /// By round and row, in seconds per message.
    rounds: Vec<Vec<f64>>,
}

impl Measured {
    fn new(case: &Case) -> Self {
        let rows = case.rows.iter().map(|entry| (entry.name, entry.standing)).collect();
        Self { name: case.name.clone(), rows, rounds: Vec::new() }
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

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How often the rows are made.
const SITTINGS: usize = 5;

/// How often each is measured then.
const ROUNDS: usize = 41;

/// A row's part of a round, and at most twice that: shorter than what a scheduler gives
/// at a time, so that most rounds are not interrupted, and those that are do not count.
const TURN: Duration = Duration::from_micros(700);
