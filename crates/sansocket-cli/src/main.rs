//! The command `sansocket`: an echo server with a page to try it, a client for the
//! terminal, and the client that the Autobahn test suite tests.

#![forbid(unsafe_code)]

mod autobahn;
mod compression;
mod connect;
mod current;
mod page;
mod serve;
mod serve_http2;
mod terminal;
mod tls;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use sansocket::deflate::DeflateConfig;
use sansocket::{Config, KeepAlive};

/// WebSockets from the command line.
#[derive(Debug, Parser)]
#[command(name = "sansocket", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Options of `serve`, which is what happens without a command.
    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a page at / and an echo WebSocket at /ws (the default command)
    Serve(serve::ServeArgs),
    /// Send lines from standard input, print what comes back
    Connect(connect::ConnectArgs),
    /// Run the cases of an Autobahn fuzzing server against this client
    Autobahn(autobahn::AutobahnArgs),
}

/// Limits and deadlines, the same for every command.
#[derive(Args, Clone, Debug)]
struct LimitArgs {
    /// Longest message to accept, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    max_message: u64,
    /// Most fragments in a message [default: 1024, or one per KiB of the message limit]
    #[arg(long, value_name = "COUNT")]
    max_fragments: Option<u32>,
    /// Seconds of silence before a Ping, and again before giving up; 0 is off
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    keep_alive: u32,
}

impl LimitArgs {
    fn config(&self, deflate: DeflateConfig) -> Config {
        let silence = Duration::from_secs(u64::from(self.keep_alive));
        let keep_alive = match self.keep_alive {
            0 => KeepAlive::Off,
            _ => KeepAlive::PingPong { interval: silence, timeout: silence },
        };
        let config =
            Config::new().message_len_max(self.max_message).keep_alive(keep_alive).deflate(deflate);
        match self.max_fragments {
            Some(count) => config.fragments_max(count),
            None => config,
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => serve::run(&args),
        Command::Connect(args) => connect::run(&args),
        Command::Autobahn(args) => autobahn::run(&args),
    }
}

/// Says on standard error what went wrong, and ends with 2.
fn fail(what: impl std::fmt::Display) -> ExitCode {
    eprintln!("sansocket: {what}");
    ExitCode::from(2)
}
