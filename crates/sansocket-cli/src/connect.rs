//! `sansocket connect`: a WebSocket at the terminal.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use sansocket::adapter::Printable;
use sansocket::deflate::{ClientDeflatePolicy, Deflate};
use sansocket::{Backoff, ChaChaKeys, Client, CloseCode, Inbox, Message};
use sansocket_net::proxy::Proxy;
use sansocket_net::{
    ConnectError, ConnectOptions, Connector, Error, Receiver, Redirects, Settings, Stream,
};

use crate::compression::CompressArgs;
use crate::current::Current;
use crate::terminal::Line;
use crate::tls::{ConnectTlsArgs, TlsArgsError};
use crate::{LimitArgs, fail};

#[derive(Args, Debug)]
pub(crate) struct ConnectArgs {
    /// Where to connect, as in ws://127.0.0.1:5000/ws or wss://example.com/
    url: String,
    /// Subprotocol to offer, the most preferred first; may be repeated
    #[arg(long, value_name = "NAME")]
    subprotocol: Vec<String>,
    /// Header field to send, as 'Name: value'; may be repeated
    #[arg(long, value_name = "FIELD", value_parser = parse_field)]
    header: Vec<(String, String)>,
    /// Origin to send, as a browser would
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Send lines as binary messages instead of text
    #[arg(long)]
    binary: bool,
    /// Go where a redirect points
    #[arg(long)]
    follow: bool,
    /// Connect again when the connection is lost or nobody is there, each time later
    #[arg(long)]
    reconnect: bool,
    /// Proxy to go through: http://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@
    /// before the host if it asks
    #[arg(long, value_name = "URL")]
    proxy: Option<Proxy>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    compress: CompressArgs,
    #[command(flatten)]
    tls: ConnectTlsArgs,
}

/// How to reach the server, and what to ask there.
type Options = (Connector, ConnectOptions<Option<ClientDeflatePolicy>>);

/// Ends with 0 if the connection was closed cleanly with 1000 or no code, 1 if it
/// ended otherwise, 2 if it was never opened.
pub(crate) fn run(args: &ConnectArgs) -> ExitCode {
    let options = match args.options() {
        Ok(options) => options,
        Err(error) => return fail(error),
    };
    let console =
        Console { current: Current::default(), reading: false, binary: args.binary, opened: None };
    if args.reconnect {
        again_and_again(args, &options, console)
    } else {
        once(args, &options, console)
    }
}

/// How a connection went.
enum Outcome {
    NotOpened(ConnectError),
    Ended(Error),
    /// Nobody reads what we print, or there is no thread to be had.
    Hopeless(ExitCode),
}

fn once(args: &ConnectArgs, options: &Options, mut console: Console) -> ExitCode {
    console.talk(args, options).report(args)
}

/// Connects again whenever that may help, until all was said.
fn again_and_again(args: &ConnectArgs, options: &Options, mut console: Console) -> ExitCode {
    let mut backoff = Backoff::new();
    loop {
        let outcome = console.talk(args, options);
        if let Some(opened) = console.opened.take() {
            backoff.lived(opened.elapsed());
        }
        let status = outcome.report(args);
        if console.current.is_over() || !outcome.is_transient() {
            return status;
        }
        let delay = match outcome.retry_after() {
            Some(asked) => backoff.next_delay_after(asked, random()),
            None => backoff.next_delay(random()),
        };
        eprintln!("connecting again in {:.1} s", delay.as_secs_f32());
        console.current.pause(delay);
        if console.current.is_over() {
            return status;
        }
    }
}

impl Outcome {
    /// Says what it was, and which status that is.
    fn report(&self, args: &ConnectArgs) -> ExitCode {
        match self {
            Self::NotOpened(error) => {
                let error = error.to_string();
                fail(format_args!("{}: {}", Printable(&args.url), Printable(&error)))
            }
            Self::Ended(end) => {
                eprintln!("{}", Printable(&end.to_string()));
                match end {
                    Error::Closed(closed) if closed.is_clean() && is_normal(closed.code()) => {
                        ExitCode::SUCCESS
                    }
                    _ => ExitCode::FAILURE,
                }
            }
            Self::Hopeless(status) => *status,
        }
    }

    fn is_transient(&self) -> bool {
        match self {
            Self::NotOpened(error) => error.is_transient(),
            Self::Ended(error) => error.is_transient(),
            Self::Hopeless(_) => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NotOpened(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// The terminal, for one connection after the other.
struct Console {
    current: Current,
    /// The threads that wait for lines and signals are there.
    reading: bool,
    binary: bool,
    /// When the connection opened.
    opened: Option<Instant>,
}

impl Console {
    /// Connects, and prints what comes until the end.
    fn talk(&mut self, args: &ConnectArgs, options: &Options) -> Outcome {
        let socket = match options.0.connect(&args.url, &options.1) {
            Ok(socket) => socket,
            Err(error) => return Outcome::NotOpened(error),
        };
        let mut opened = String::from("open");
        if let Some(name) = socket.subprotocol() {
            opened += &format!(", subprotocol {name}");
        }
        if let Some(extensions) = &socket.response().extensions {
            opened += &format!(", {extensions}");
        }
        eprintln!("{opened}");
        self.opened = Some(Instant::now());
        let (receiver, sender) = match socket.split() {
            Ok(halves) => halves,
            Err(error) => return Outcome::Hopeless(fail(error)),
        };
        self.current.opened(sender);
        if let Err(error) = self.read() {
            return Outcome::Hopeless(fail(error));
        }
        let outcome = print(receiver);
        self.current.lost();
        outcome
    }

    /// Begins to wait for lines and signals, with the first connection: before it, they
    /// end the command as any.
    fn read(&mut self) -> Result<(), ctrlc::Error> {
        if !self.reading {
            self.reading = true;
            let current = self.current.clone();
            ctrlc::set_handler(move || current.end())?;
            let (current, binary) = (self.current.clone(), self.binary);
            thread::spawn(move || send_lines(&current, binary));
        }
        Ok(())
    }
}

fn print(mut receiver: Receiver<Stream, Client<ChaChaKeys>, Deflate>) -> Outcome {
    let mut inbox = Inbox::new();
    loop {
        match receiver.receive(&mut inbox) {
            // Nobody reads what we print: there is nothing left to do.
            Ok(message) if writeln!(io::stdout(), "{}", Line(message)).is_err() => {
                return Outcome::Hopeless(ExitCode::FAILURE);
            }
            Ok(_) => {}
            Err(error) => return Outcome::Ended(error),
        }
    }
}

impl ConnectArgs {
    fn options(&self) -> Result<Options, TlsArgsError> {
        let settings = Settings::new().config(self.limits.config(self.compress.config()));
        let redirects = if self.follow { Redirects::Follow } else { Redirects::Refuse };
        let mut options = ConnectOptions::new()
            .settings(settings)
            .redirects(redirects)
            .deflate(self.compress.client_policy());
        for name in &self.subprotocol {
            options = options.subprotocol(name);
        }
        for (name, value) in &self.header {
            options = options.field(name, value);
        }
        if let Some(origin) = &self.origin {
            options = options.origin(origin);
        }
        let mut connector = Connector::new();
        if let Some(proxy) = &self.proxy {
            connector = connector.proxy(proxy.clone());
        }
        if let Some(tls) = self.tls.connector()? {
            connector = connector.tls(tls);
        }
        Ok((connector, options))
    }
}

/// Sends each line until there are no more, then closes. A line waits for a connection;
/// one that got lost with its connection is not sent again.
fn send_lines(current: &Current, binary: bool) {
    let mut line = Vec::new();
    let mut input = io::stdin().lock();
    let mut broken = 0;
    loop {
        line.clear();
        match input.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let message = match std::str::from_utf8(line) {
            _ if binary => Message::Binary(line),
            Ok(text) => Message::Text(text),
            Err(_) => {
                eprintln!("not sent, since it is not UTF-8: try --binary");
                continue;
            }
        };
        let Some((number, sender)) = current.after(broken) else { return };
        if let Err(error) = sender.send(message) {
            eprintln!("not sent: {error}");
            broken = number;
        }
    }
    current.end();
}

fn is_normal(code: CloseCode) -> bool {
    matches!(code, CloseCode::NORMAL | CloseCode::NO_STATUS)
}

fn parse_field(field: &str) -> Result<(String, String), &'static str> {
    let (name, value) = field.split_once(':').ok_or("write it as 'Name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Random enough to keep clients apart: the seed of the standard library's tables, new
/// with each call.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
