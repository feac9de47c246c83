//! Many clients against a WebSocket echo server that listens already.
//!
//! ```text
//! soak clients --url ws://127.0.0.1:5000/ws --connections 2000 --seconds 300
//! soak attack ping-flood --url ws://127.0.0.1:5000/ws --seconds 30
//! ```
//!
//! Each line of output is a JSON object. Of `clients` there is one a second, with what has
//! happened since the start and how long the echoes of this second took, and one in the end. They
//! leave when standard input ends, if not before. Of `attack` there is one in the end.
//!
//! `scripts/soak` starts these and the server, and judges.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sansocket_benches::load::Outcome;
use sansocket_benches::soak::{ATTACKS, Crowd, MIXED, Manner, STEADY, Siege};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Clients that want every echo
    Clients {
        #[command(flatten)]
        common: Common,
        #[arg(long, default_value_t = 2000)]
        connections: usize,
        /// All sorts, or only those that send a little now and then
        #[arg(long, value_enum, default_value = "mixed")]
        manners: Manners,
        /// In how many seconds they come
        #[arg(long, default_value_t = 5)]
        ramp: u64,
    },
    /// Connections that mean no good
    Attack {
        name: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
struct Common {
    /// The server
    #[arg(long)]
    url: String,
    /// How long, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// What everything that is left to chance follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Manners {
    Mixed,
    Steady,
}

impl Manners {
    fn all(self) -> &'static [Manner] {
        match self {
            Self::Mixed => MIXED,
            Self::Steady => STEADY,
        }
    }
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Clients { common, connections, manners, ramp } => {
            clients(common, manners, connections, Duration::from_secs(ramp))
        }
        Command::Attack { name, common } => attack(&name, &common),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn clients(common: Common, manners: Manners, count: usize, ramp: Duration) -> Outcome<()> {
    let Common { url, seconds, seed } = common;
    let enough = when_input_ends();
    // It is for as long as the program.
    let mut crowd = Crowd::new(url.leak(), manners.all(), count, ramp, seed)?;
    for second in 1..=seconds {
        say(format_args!("{{\"second\":{second},{}}}", crowd.run(Duration::from_secs(1))?))?;
        if enough.load(Ordering::Relaxed) {
            break;
        }
    }
    say(format_args!("{{\"total\":{{{}}}}}", crowd.leave(PATIENCE)?))
}

fn attack(name: &str, common: &Common) -> Outcome<()> {
    let attack = ATTACKS.iter().find(|attack| attack.name == name).ok_or_else(|| {
        let names: Vec<_> = ATTACKS.iter().map(|attack| attack.name).collect();
        format!("there is no {name}, but {}", names.join(", "))
    })?;
    let mut siege = Siege::new(attack, &common.url, common.seed)?;
    let went = siege.run(Duration::from_secs(common.seconds))?;
    say(format_args!("{{\"attack\":\"{name}\",{went}}}"))
}

/// Becomes true when there is nobody any more who could want something.
fn when_input_ends() -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    thread::spawn({
        let ended = ended.clone();
        move || {
            let _ = io::stdin().read_to_end(&mut Vec::new());
            ended.store(true, Ordering::Relaxed);
        }
    });
    ended
}

fn say(line: std::fmt::Arguments<'_>) -> Outcome<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// How long the last echoes may take.
const PATIENCE: Duration = Duration::from_secs(60);
