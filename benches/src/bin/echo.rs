//! Loads an echo server and says what a message costs it.
//!
//! ```text
//! echo --connections 200 --deep 16 --payload 20 -- sansocket serve --listen 127.0.0.1:0
//! echo --serve-tcp              # the floor: a raw TCP echo on one thread
//! ```
//!
//! How it does so is said in [`sansocket_benches::load`]; the example `echo_table` does it
//! with many servers in turn.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use sansocket_benches::load::{Clients, Load, Outcome, Server};

#[derive(Debug, Parser)]
struct Args {
    /// Connections
    #[arg(long, default_value_t = 200)]
    connections: usize,
    /// Of them, those that send
    #[arg(long)]
    active: Option<usize>,
    /// Messages under way on each
    #[arg(long, default_value_t = 16)]
    deep: usize,
    /// Length of a message, in bytes
    #[arg(long, default_value_t = 20)]
    payload: usize,
    /// How long to measure, in seconds
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Be a raw TCP echo server instead
    #[arg(long)]
    serve_tcp: bool,
    /// The server to load
    #[arg(last = true)]
    server: Vec<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = if args.serve_tcp { serve_tcp() } else { load(&args) };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}

// ---- the load

fn load(args: &Args) -> Outcome<()> {
    let (program, rest) = args.server.split_first().ok_or("which server? -- COMMAND ...")?;
    let server = Server::start(program, &rest.iter().map(String::as_str).collect::<Vec<_>>())?;
    let &Args { payload, connections, deep, .. } = args;
    let active = args.active.unwrap_or(connections);
    let clients = Clients::connect(&server, Load { payload, connections, active, deep })?;
    let idle = clients.idle_len();
    let measured = clients.measure(Duration::from_secs_f64(args.seconds))?;
    println!(
        "{:.3} us of processor a message, {:.0} messages/s, p50 {:.0} us, p99 {:.0} us, idle {idle} B",
        measured.processor_us(),
        measured.rate(),
        measured.percentile_us(50),
        measured.percentile_us(99),
    );
    Ok(())
}

// ---- the floor

/// Echoes bytes as they come: one thread, one buffer.
fn serve_tcp() -> Outcome<()> {
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    println!("tcp://{}", listener.local_addr()?);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 64 * 1024];
    let mut streams: Vec<Option<(TcpStream, Vec<u8>)>> = Vec::new();
    loop {
        poll.poll(&mut events, None)?;
        for ready in &events {
            if ready.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    let both = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, Token(streams.len()), both)?;
                    streams.push(Some((stream, Vec::new())));
                }
                continue;
            }
            let place = &mut streams[ready.token().0];
            if let Some((stream, backlog)) = place
                && echo_tcp(stream, backlog, &mut buffer).is_err()
            {
                *place = None;
            }
        }
    }
}

fn echo_tcp(stream: &mut TcpStream, backlog: &mut Vec<u8>, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        while !backlog.is_empty() {
            match stream.write(backlog) {
                Ok(len) => _ = backlog.drain(..len),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        let len = match stream.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        match stream.write(&buffer[..len]) {
            Ok(written) => backlog.extend_from_slice(&buffer[written..len]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                backlog.extend_from_slice(&buffer[..len]);
            }
            Err(error) => return Err(error),
        }
        if len < buffer.len() && backlog.is_empty() {
            return Ok(());
        }
    }
}

const LISTENER: Token = Token(usize::MAX);
