//! `sansocket autobahn`: the client that the Autobahn test suite tests.
//!
//! Its fuzzing server says how many cases it has, plays one on each connection, and
//! writes its report when asked to.

use std::process::ExitCode;

use clap::Args;
use sansocket::deflate::{ClientDeflatePolicy, Deflate};
use sansocket::{ChaChaKeys, Client, CloseCode, Inbox, Message};
use sansocket_net::{ConnectError, ConnectOptions, Connector, Error, Settings, Stream, WebSocket};

use crate::compression::CompressArgs;
use crate::tls::{ConnectTlsArgs, TlsArgsError};
use crate::{LimitArgs, fail};

#[derive(Args, Debug)]
pub(crate) struct AutobahnArgs {
    /// Where the fuzzing server listens: ws://HOST:PORT or wss://HOST:PORT
    url: String,
    /// Name in the report
    #[arg(long, value_name = "NAME", default_value = "sansocket")]
    agent: String,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    compress: CompressArgs,
    #[command(flatten)]
    tls: ConnectTlsArgs,
}

/// How to reach the server, and what to ask there.
type Options = (Connector, ConnectOptions<Option<ClientDeflatePolicy>>);
type Socket = WebSocket<Stream, Client<ChaChaKeys>, Deflate>;

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
    let options = args.options()?;
    let mut socket = args.connect("getCaseCount", &options)?;
    let count = match socket.receive(&mut inbox)? {
        Message::Text(count) => count.parse()?,
        Message::Binary(_) => return Err("the case count is not text".into()),
    };
    socket.close(&mut inbox, CloseCode::NORMAL, "")?;
    for case in 1..=count {
        let path = format!("runCase?case={case}&agent={}", args.agent);
        let end = echo(args.connect(&path, &options)?);
        eprintln!("case {case} of {count}: {end}");
    }
    let path = format!("updateReports?agent={}", args.agent);
    let mut socket = args.connect(&path, &options)?;
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
    fn options(&self) -> Result<Options, TlsArgsError> {
        let settings = Settings::new().config(self.limits.config(self.compress.config()));
        let options =
            ConnectOptions::new().settings(settings).deflate(self.compress.client_policy());
        let connector = Connector::new();
        Ok(match self.tls.connector()? {
            Some(tls) => (connector.tls(tls), options),
            None => (connector, options),
        })
    }

    fn connect(&self, path: &str, options: &Options) -> Result<Socket, ConnectError> {
        let url = format!("{}/{path}", self.url.trim_end_matches('/'));
        options.0.connect(&url, &options.1)
    }
}
