//! Echo servers of other engines, and those of our adapters.
//!
//! ```text
//! peer_echo [--payload 20] [--deep 16] ENGINE [ADDRESS]
//! ```
//!
//! Each engine is a published crate, driven as its documentation recommends and at its best
//! setting for the messages that it is told to expect; ours knows nothing of them. A server
//! prints its URL, and echoes whole messages until it is killed.
//!
//! `nexus-web` and `websocket-sans-io` are not here: they decode and encode, and leave the rest
//! of a server to others.

mod tasks;
mod threads;

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use sansocket_benches::load::Outcome;

#[derive(Debug, Parser)]
struct Args {
    engine: Engine,
    #[arg(default_value = "127.0.0.1:0")]
    address: SocketAddr,
    #[command(flatten)]
    expected: Expected,
}

/// What a client is going to send.
#[derive(Clone, Copy, Debug, clap::Args)]
struct Expected {
    /// Length of its messages, in bytes
    #[arg(long, default_value_t = 20)]
    payload: usize,
    /// How many it has under way
    #[arg(long, default_value_t = 16)]
    deep: usize,
}

impl Expected {
    fn is_small(self) -> bool {
        self.payload <= 4 * 1024
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Engine {
    SansocketNet,
    SansocketTokio,
    Tungstenite,
    TokioTungstenite,
    TokioWebsockets,
    Fastwebsockets,
    SockudoWs,
    Wtx,
    Yawc,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match serve(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peer_echo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &Args) -> Outcome<()> {
    let listener = TcpListener::bind(args.address)?;
    println!("ws://{}/", listener.local_addr()?);
    let expected = args.expected;
    match args.engine {
        Engine::SansocketNet => threads::serve(&listener, threads::sansocket_net),
        Engine::SansocketTokio => tasks::serve(listener, tasks::sansocket_tokio),
        Engine::Tungstenite => {
            threads::serve(&listener, move |stream| threads::tungstenite(stream, expected))
        }
        Engine::TokioTungstenite => {
            tasks::serve(listener, |stream| tasks::tokio_tungstenite(stream, expected))
        }
        Engine::TokioWebsockets => tasks::serve(listener, tasks::tokio_websockets),
        Engine::Fastwebsockets => tasks::serve(listener, tasks::fastwebsockets),
        Engine::SockudoWs => tasks::serve(listener, |stream| tasks::sockudo_ws(stream, expected)),
        Engine::Wtx => tasks::serve(listener, tasks::wtx),
        Engine::Yawc => tasks::serve(listener, |stream| tasks::yawc(stream, expected)),
    }
}
