//! Echo servers side by side: what a message costs each, what it costs when most of very many
//! connections are silent, and what a silent one takes.
//!
//! Each round measures every row once, one after the other, each with a new process and new
//! connections, and divides one row's figure by another's of the same round; shown are the
//! medians of the rounds. What else the machine does then troubles all rows alike. The rows
//! take turns in being first.
//!
//! ```text
//! cargo run --profile bench -p sansocket-benches --example echo_table -- --json echo.jsonl
//! ```
//!
//! That builds the servers, too, with the features `peers` and `simd`, and takes a quarter of
//! an hour. The options choose some of it.

use std::env;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use sansocket_benches::load::{Clients, Load, Outcome, Server};
use sansocket_benches::{Standing, median};

/// Echo servers side by side.
#[derive(Parser)]
struct Args {
    /// The tables
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["echo", "crowd", "idle"])]
    table: Vec<Table>,
    /// The servers
    #[arg(long, value_delimiter = ',', default_values = SERVERS.map(|(name, _)| name))]
    server: Vec<String>,
    /// Lengths of messages, in bytes
    #[arg(long, value_delimiter = ',', default_values_t = [20, 1024, 16 << 10, 1 << 20])]
    payload: Vec<usize>,
    /// Numbers of connections
    #[arg(long, value_delimiter = ',', default_values_t = [10, 200])]
    connections: Vec<usize>,
    /// Numbers of messages under way on each
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16])]
    deep: Vec<usize>,
    /// How often each row is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each time, in seconds, after half as much to warm up
    #[arg(long, default_value_t = 0.3)]
    seconds: f64,
    /// Only to try it: one short round
    #[arg(long)]
    quick: bool,
    /// Writes there, too: an object for each row of each case, one a line
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Table {
    /// What a message costs
    Echo,
    /// What it costs when one connection in ten sends
    Crowd,
    /// What a connection takes before its first message
    Idle,
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Crowd => "crowd",
            Self::Idle => "idle",
        }
    }
}

/// What they are called, and beside what they stand.
const SERVERS: [(&str, Standing); 11] = [
    (RAW, Standing::Floor),
    (MIO, Standing::Ours),
    (ADAPTER, Standing::Ours),
    ("sansocket-tokio", Standing::Ours),
    (TUNGSTENITE, Standing::Peer),
    ("tokio-tungstenite", Standing::Peer),
    ("tokio-websockets", Standing::Peer),
    ("fastwebsockets", Standing::Peer),
    ("sockudo-ws", Standing::Peer),
    ("wtx", Standing::Peer),
    ("yawc", Standing::Peer),
];

/// The floor: one thread that looks at nothing.
const RAW: &str = "raw TCP";
/// The event loop of the adapter's examples.
const MIO: &str = "mio";
/// Our adapter, and the peer that is driven alike: a thread for each connection.
const ADAPTER: &str = "sansocket-net";
const TUNGSTENITE: &str = "tungstenite";

/// So many connections, if they are many.
const CROWD: usize = 5000;

fn main() -> Outcome<()> {
    let args = Args::parse();
    let mut bench = Bench {
        built: build()?,
        rounds: if args.quick { 1 } else { args.rounds },
        time: Duration::from_secs_f64(if args.quick { 0.05 } else { args.seconds }),
        json: args.json.as_ref().map(File::create).transpose()?,
    };
    let chosen = |(name, _): &(&str, _)| args.server.iter().any(|server| server == name);
    let servers: Vec<_> = SERVERS.into_iter().filter(chosen).collect();
    for table in &args.table {
        match table {
            Table::Echo => echo(&mut bench, &args, &servers)?,
            Table::Crowd => crowd(&mut bench, &args, &servers)?,
            Table::Idle => idle(&mut bench, &servers)?,
        }
    }
    Ok(())
}

/// Builds the servers; the folder that they are in.
fn build() -> Outcome<PathBuf> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--profile", "bench"]);
    cargo.args(["-p", "sansocket-benches", "--features", "sansocket-benches/peers", "--bins"]);
    cargo.args(["-p", "sansocket-net", "--example", "event_loop_echo"]);
    if !cargo.status()?.success() {
        return Err("the servers cannot be built".into());
    }
    // This is TARGET/PROFILE/examples/echo_table.
    let this = env::current_exe()?;
    Ok(this.ancestors().nth(3).ok_or("no folder")?.join("release"))
}

// ---- the tables

fn echo(bench: &mut Bench, args: &Args, servers: &[(&'static str, Standing)]) -> Outcome<()> {
    let names: Vec<_> = servers.iter().map(|(name, _)| *name).collect();
    println!("\n## echo: us of the server's processor time per message\n");
    println!("| payload | connections | deep | {} |", names.join(" | "));
    println!("|---:|---:|---:|{}", "---:|".repeat(names.len()));
    let mut cases = Vec::new();
    for &payload in &args.payload {
        for &connections in &args.connections {
            for &deep in &args.deep {
                let load = Load { payload, connections, active: connections, deep };
                let case = bench.measure(Table::Echo, servers.iter().map(|of| (*of, load)))?;
                print!("| {payload} | {connections} | {deep} |");
                (0..names.len()).for_each(|row| print!(" {:.3} |", case.median(row, 0)));
                println!();
                cases.push(case);
            }
        }
    }
    println!("\n## echo: ours, as ratios\n");
    println!(
        "| payload | connections | deep | {MIO} to {RAW} | {MIO} to the best peer | | {ADAPTER} to {TUNGSTENITE} |"
    );
    println!("|---:|---:|---:|---:|---:|---|---:|");
    for case in &cases {
        let Load { payload, connections, deep, .. } = case.rows[0].load;
        let ratio = |row, to| match case.ratio(row, to) {
            Some(ratio) => format!("{ratio:.2}"),
            None => String::new(),
        };
        let best = case.best_peer().unwrap_or_default();
        println!(
            "| {payload} | {connections} | {deep} | {} | {} | {best} | {} |",
            ratio(MIO, RAW),
            ratio(MIO, best),
            ratio(ADAPTER, TUNGSTENITE),
        );
    }
    Ok(())
}

/// Of the servers with one thread, the floor and ours.
fn crowd(bench: &mut Bench, args: &Args, servers: &[(&'static str, Standing)]) -> Outcome<()> {
    println!("\n## crowd: 20 B, us of the server's processor time per message\n");
    println!("| | deep | 200 connections | {CROWD}, of which one in ten sends | ratio |");
    println!("|---|---:|---:|---:|---:|");
    for &server in servers.iter().filter(|(name, _)| [RAW, MIO].contains(name)) {
        for &deep in &args.deep {
            let few = Load { payload: 20, connections: 200, active: 200, deep };
            let many = Load { connections: CROWD, active: CROWD / 10, ..few };
            let case = bench.measure(Table::Crowd, [(server, few), (server, many)])?;
            let ratio = median(case.rounds.iter().map(|round| round[1][0].1 / round[0][0].1));
            let (few, many) = (case.median(0, 0), case.median(1, 0));
            println!("| {} | {deep} | {few:.3} | {many:.3} | {ratio:.2} |", server.0);
        }
    }
    Ok(())
}

/// Of the servers with one thread.
fn idle(bench: &mut Bench, servers: &[(&'static str, Standing)]) -> Outcome<()> {
    println!("\n## idle: bytes of the server's memory per connection, {CROWD} connections\n");
    println!("| | bytes |\n|---|---:|");
    let load = Load { payload: 20, connections: CROWD, active: 0, deep: 16 };
    let single = servers.iter().filter(|(name, _)| ![ADAPTER, TUNGSTENITE].contains(name));
    let case = bench.measure(Table::Idle, single.map(|of| (*of, load)))?;
    for (index, row) in case.rows.iter().enumerate() {
        println!("| {} | {:.0} |", row.server, case.median(index, 0));
    }
    Ok(())
}

// ---- the measuring

struct Bench {
    built: PathBuf,
    rounds: usize,
    time: Duration,
    json: Option<File>,
}

impl Bench {
    fn measure(
        &mut self,
        table: Table,
        rows: impl IntoIterator<Item = ((&'static str, Standing), Load)>,
    ) -> Outcome<Case> {
        let row = |((server, standing), load)| Row { server, standing, load };
        let mut case = Case { rows: rows.into_iter().map(row).collect(), rounds: Vec::new() };
        for round in 0..self.rounds {
            let mut figures = vec![Vec::new(); case.rows.len()];
            for turn in 0..case.rows.len() {
                let row = (turn + round) % case.rows.len();
                figures[row] = case.rows[row]
                    .measure(table, &self.built, self.time)
                    .map_err(|error| format!("{}: {error}", case.rows[row].server))?;
            }
            case.rounds.push(figures);
        }
        if let Some(json) = &mut self.json {
            (0..case.rows.len()).try_for_each(|row| writeln!(json, "{}", case.line(table, row)))?;
        }
        Ok(case)
    }
}

struct Row {
    server: &'static str,
    standing: Standing,
    load: Load,
}

/// Names and values; the cost is the first.
type Figures = Vec<(&'static str, f64)>;

impl Row {
    fn measure(&self, table: Table, built: &Path, time: Duration) -> Outcome<Figures> {
        let server = self.start(built)?;
        let clients = Clients::connect(&server, self.load)?;
        if table == Table::Idle {
            return Ok(vec![("bytes", clients.idle_len() as f64)]);
        }
        let measured = clients.measure(time)?;
        Ok(vec![
            ("cpu_us", measured.processor_us()),
            ("messages_per_s", measured.rate()),
            ("p50_us", measured.percentile_us(50)),
            ("p99_us", measured.percentile_us(99)),
        ])
    }

    fn start(&self, built: &Path) -> Outcome<Server> {
        let [payload, deep] = [self.load.payload, self.load.deep].map(|number| number.to_string());
        match self.server {
            RAW => Server::start(built.join("echo"), &["--serve-tcp"]),
            MIO => Server::start(built.join("examples/event_loop_echo"), &["127.0.0.1:0"]),
            engine => {
                let args = ["--payload", &payload, "--deep", &deep, engine];
                Server::start(built.join("peer_echo"), &args)
            }
        }
    }
}

/// Rows measured in the same rounds.
struct Case {
    rows: Vec<Row>,
    /// By round and row.
    rounds: Vec<Vec<Figures>>,
}

impl Case {
    fn median(&self, row: usize, figure: usize) -> f64 {
        median(self.rounds.iter().map(|round| round[row][figure].1))
    }

    /// What one costs as a multiple of what another does.
    fn ratio(&self, server: &str, to: &str) -> Option<f64> {
        let row = |name| self.rows.iter().position(|row| row.server == name);
        let (row, to) = (row(server)?, row(to)?);
        Some(median(self.rounds.iter().map(|round| round[row][0].1 / round[to][0].1)))
    }

    fn best_peer(&self) -> Option<&'static str> {
        let peers = (0..self.rows.len()).filter(|row| self.rows[*row].standing == Standing::Peer);
        let best = peers.min_by(|a, b| self.median(*a, 0).total_cmp(&self.median(*b, 0)));
        best.map(|row| self.rows[row].server)
    }

    /// A row as an object of JSON, with its cost in each round.
    fn line(&self, table: Table, row: usize) -> String {
        let Row { server, standing, load } = &self.rows[row];
        let Load { payload, connections, active, deep } = load;
        let names = self.rounds[0][row].iter().map(|(name, _)| name);
        let figures = names.enumerate().map(|(figure, name)| {
            let value = self.median(row, figure);
            format!("{name:?}:{value:.3},")
        });
        let rounds: Vec<_> = self.rounds.iter().map(|round| round[row][0].1).collect();
        format!(
            "{{\"table\":{:?},\"server\":{server:?},\"standing\":\"{standing:?}\",\
             \"payload\":{payload},\"connections\":{connections},\"active\":{active},\
             \"deep\":{deep},{}\"rounds\":{rounds:.3?}}}",
            table.name(),
            figures.collect::<String>(),
        )
    }
}
