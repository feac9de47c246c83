//! `sansocket autobahn`: the client that the Autobahn test suite tests.
//!
//! Its fuzzing server says how many cases it has, plays one on each connection, and
//! writes its report when asked to.

use std::net::TcpStream;
use std::process::ExitCode;

use clap::Args;
use sansocket::deflate::Deflate;
use sansocket::{ChaChaKeys, Client, CloseCode, Inbox, Message};
use sansocket_net::{ConnectError, ConnectOptions, Error, Settings, WebSocket, connect_with};

use crate::compression::CompressArgs;
use crate::{LimitArgs, fail};

#[derive(Args, Debug)]
pub(crate) struct AutobahnArgs {
    /// Where the fuzzing server listens: ws://HOST:PORT
    url: String,
    /// Name in the report
    #[arg(long, value_name = "NAME", default_value = "sansocket")]
    agent: String,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    compress: CompressArgs,
}

type Socket = WebSocket<TcpStream, Client<ChaChaKeys>, Deflate>;

pub(crate) fn run(args: &AutobahnArgs) -> ExitCode {
    match run_cases(args) {
        Ok(count) => {
            eprintln!("{count} cases were run");
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}

fn run_cases(args: &AutobahnArgs) -> Result<u32, Box<dyn std::error::Error>> {
    let mut inbox = Inbox::new();
    let mut socket = args.connect("getCaseCount")?;
    let count = match socket.receive(&mut inbox)? {
        Message::Text(count) => count.parse()?,
        Message::Binary(_) => return Err("the case count is not text".into()),
    };
    socket.close(&mut inbox, CloseCode::NORMAL, "")?;
    for case in 1..=count {
        let end = echo(args.connect(&format!("runCase?case={case}&agent={}", args.agent))?);
        eprintln!("case {case} of {count}: {end}");
    }
    let mut socket = args.connect(&format!("updateReports?agent={}", args.agent))?;
    socket.close(&mut Inbox::new(), CloseCode::NORMAL, "")?;
    Ok(count)
}

/// Echoes to the end. A case that breaks the rules is meant to end in a failure.
fn echo(mut socket: Socket) -> Error {
    let mut inbox = Inbox::new();
    loop {
        match socket.receive(&mut inbox) {
            Ok(message) => match socket.send(message) {
                Ok(()) | Err(Error::Send(_) | Error::Io(_)) => {}
                Err(error) => return error,
            },
            Err(error) => return error,
        }
    }
}

impl AutobahnArgs {
    fn connect(&self, path: &str) -> Result<Socket, ConnectError> {
        let settings = Settings::new().config(self.limits.config(self.compress.config()));
        let options =
            ConnectOptions::new().settings(settings).deflate(self.compress.client_policy());
        let url = format!("{}/{path}", self.url.trim_end_matches('/'));
        connect_with(&url, &options)
    }
}
