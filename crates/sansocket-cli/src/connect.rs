//! `sansocket connect`: a WebSocket at the terminal.

use std::io::{self, BufRead, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::thread;

use clap::Args;
use sansocket::deflate::{ClientDeflatePolicy, Deflate};
use sansocket::{ChaChaKeys, Client, CloseCode, Inbox, Message};
use sansocket_net::{ConnectOptions, Error, Redirects, Sender, Settings, connect_with};

use crate::compression::CompressArgs;
use crate::terminal::{Line, Printable};
use crate::{LimitArgs, fail};

#[derive(Args, Debug)]
pub(crate) struct ConnectArgs {
    /// Where to connect, as in ws://127.0.0.1:5000/ws
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
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    compress: CompressArgs,
}

type Sending = Sender<TcpStream, Client<ChaChaKeys>, Deflate>;

/// Ends with 0 if the connection was closed cleanly with 1000 or no code, 1 if it
/// ended otherwise, 2 if it was never opened.
pub(crate) fn run(args: &ConnectArgs) -> ExitCode {
    let socket = match connect_with(&args.url, &args.options()) {
        Ok(socket) => socket,
        Err(error) => return fail(format_args!("{}: {error}", Printable(&args.url))),
    };
    let mut opened = String::from("open");
    if let Some(name) = socket.subprotocol() {
        opened += &format!(", subprotocol {name}");
    }
    if let Some(extensions) = &socket.response().extensions {
        opened += &format!(", {extensions}");
    }
    eprintln!("{opened}");
    let (mut receiver, sender) = match socket.split() {
        Ok(halves) => halves,
        Err(error) => return fail(error),
    };
    if let Err(error) = ctrlc::set_handler(closing(sender.clone())) {
        return fail(error);
    }
    let binary = args.binary;
    thread::spawn(move || send_lines(&sender, binary));

    let mut inbox = Inbox::new();
    let end = loop {
        match receiver.receive(&mut inbox) {
            // Nobody reads what we print: there is nothing left to do.
            Ok(message) if writeln!(io::stdout(), "{}", Line(message)).is_err() => {
                return ExitCode::FAILURE;
            }
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    eprintln!("{}", Printable(&end.to_string()));
    match end {
        Error::Closed(closed) if closed.is_clean() && is_normal(closed.code()) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

impl ConnectArgs {
    fn options(&self) -> ConnectOptions<Option<ClientDeflatePolicy>> {
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
        match &self.origin {
            Some(origin) => options.origin(origin),
            None => options,
        }
    }
}

/// Sends each line until there are no more, then closes.
fn send_lines(sender: &Sending, binary: bool) {
    let mut line = Vec::new();
    let mut input = io::stdin().lock();
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
        if let Err(error) = sender.send(message) {
            eprintln!("not sent: {error}");
            return;
        }
    }
    closing(sender.clone())();
}

fn closing(sender: Sending) -> impl FnMut() {
    move || {
        // The end is reported where it is received.
        let _ = sender.close(CloseCode::NORMAL, "");
    }
}

fn is_normal(code: CloseCode) -> bool {
    matches!(code, CloseCode::NORMAL | CloseCode::NO_STATUS)
}

fn parse_field(field: &str) -> Result<(String, String), &'static str> {
    let (name, value) = field.split_once(':').ok_or("write it as 'Name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
