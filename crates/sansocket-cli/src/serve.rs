//! `sansocket serve`: a thread for each connection.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use sansocket::adapter::Printable;
use sansocket::deflate::{Deflate, DeflatePool, ServerDeflatePolicy};
use sansocket::handshake::{HandshakeLimits, Incoming};
use sansocket::{CloseCode, Inbox, Server};
use sansocket_net::tls::{TlsAcceptor, TlsError};
use sansocket_net::{
    AcceptError, AcceptOptions, Decision, Error, Refused, Sender, Settings, Stream, accept_with,
};

use crate::compression::CompressArgs;
use crate::tls::ServeTlsArgs;
use crate::{LimitArgs, fail, page, serve_http2};

#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5000")]
    pub(crate) listen: SocketAddr,
    /// Origin whose pages may connect, or * for any; may be repeated
    /// [default: the server's own]
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// Subprotocol to accept if a client offers it; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) subprotocol: Vec<String>,
    /// Most connections at a time
    #[arg(long, value_name = "COUNT", default_value_t = 1024)]
    pub(crate) max_connections: usize,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    compress: CompressArgs,
    #[command(flatten)]
    tls: ServeTlsArgs,
    /// Serve HTTP/2 too, with WebSockets in its streams (RFC 8441); needs TLS
    #[arg(long)]
    http2: bool,
}

impl ServeArgs {
    /// How connections are taken.
    pub(crate) fn options(&self) -> AcceptOptions<Option<ServerDeflatePolicy>> {
        let deflate = self.compress.config().pool(&DeflatePool::new(POOLED_MAX));
        let settings = Settings::new().config(self.limits.config(deflate));
        let options =
            AcceptOptions::new().settings(settings).deflate(self.compress.server_policy());
        self.allow_origin.iter().fold(options, AcceptOptions::allow_origin)
    }
}

/// What all threads share.
struct Echo {
    options: AcceptOptions<Option<ServerDeflatePolicy>>,
    tls: Option<TlsAcceptor>,
    subprotocols: Vec<String>,
    open: Mutex<Open>,
    closed: Condvar,
}

/// The connections at this moment.
#[derive(Default)]
struct Open {
    /// All that have a thread, those that are still in their handshake included.
    threads: usize,
    /// Those whose request has not come yet, the oldest first, and since when.
    opening: BTreeMap<u64, (Instant, TcpStream)>,
    senders: HashMap<u64, Sending>,
    stopping: bool,
}

type Sending = Sender<Stream, Server, Deflate>;

pub(crate) fn run(args: &ServeArgs) -> ExitCode {
    let tls = match args.tls.acceptor(args.listen) {
        Ok(tls) => tls,
        Err(error) => return fail(error),
    };
    if args.http2 {
        return match &tls {
            Some(tls) => serve_http2::run(args, tls),
            None => fail("--http2 needs --tls-cert and --tls-key, or --tls-self-signed"),
        };
    }
    let listener = match TcpListener::bind(args.listen) {
        Ok(listener) => listener,
        Err(error) => return fail(format_args!("cannot listen on {}: {error}", args.listen)),
    };
    let security = if tls.is_some() { "s" } else { "" };
    let echo = Arc::new(Echo::new(args, tls));
    let (stop, stopped) = mpsc::channel();
    let handler = ctrlc::set_handler(move || {
        // The second one finds nobody to tell.
        let _ = stop.send(());
    });
    let announced = listener.local_addr().and_then(|address| announce(address, security));
    if let Err(error) = handler.and(announced.map_err(ctrlc::Error::System)) {
        return fail(error);
    }
    thread::spawn({
        let (echo, max) = (echo.clone(), args.max_connections);
        move || echo.accept_all(&listener, max)
    });
    let _ = stopped.recv();
    echo.stop();
    ExitCode::SUCCESS
}

/// Says where we are; `s` is there if it is inside TLS.
pub(crate) fn announce(address: SocketAddr, s: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "sansocket listens: page http{s}://{address}/  echo ws{s}://{address}/ws")?;
    out.flush()
}

impl Echo {
    fn new(args: &ServeArgs, tls: Option<TlsAcceptor>) -> Self {
        Self {
            options: args.options(),
            tls,
            subprotocols: args.subprotocol.clone(),
            open: Mutex::default(),
            closed: Condvar::new(),
        }
    }

    fn accept_all(self: &Arc<Self>, listener: &TcpListener, max: usize) {
        let refused = refusing(self.tls.clone());
        for (id, stream) in (1..).zip(listener.incoming()) {
            match stream {
                Ok(stream) if self.enter(id, &stream, max) => {
                    let echo = self.clone();
                    let thread = thread::Builder::new().name(format!("connection {id}"));
                    if thread.spawn(move || echo.serve(id, stream)).is_err() {
                        self.leave(id);
                    }
                }
                // Best effort, and never at the cost of the others.
                Ok(stream) => drop(refused.try_send(stream)),
                // Out of file descriptors, most likely: those open will free some.
                Err(error) => {
                    log(id, format_args!("not accepted: {error}"));
                    self.make_room();
                    thread::sleep(Duration::from_millis(100));
                }
            }
        }
    }

    fn serve(&self, id: u64, stream: TcpStream) {
        // Whatever happens on this thread, the place becomes free again.
        let _place = Place { echo: self, id };
        let peer =
            stream.peer_addr().map_or_else(|_| "unknown".to_owned(), |peer| peer.to_string());
        if let Err(error) = self.open_and_echo(id, stream, &peer) {
            log(id, format_args!("{peer} {error}"));
        }
    }

    fn open_and_echo(
        &self,
        id: u64,
        stream: TcpStream,
        peer: &str,
    ) -> Result<(), Box<dyn std::error::Error>> {
        // Messages are written whole, and an echo is waited for.
        stream.set_nodelay(true)?;
        let stream = secured(stream, self.tls.as_ref())?;
        let mut opened = String::new();
        let socket = accept_with(stream, &self.options, |incoming| {
            self.open().opening.remove(&id);
            let (decision, line) = self.decide(incoming);
            opened = line;
            decision
        });
        let socket = match socket {
            Err(AcceptError::Refused(Refused::Answered(status))) => {
                log(id, format_args!("{peer} {opened} {status}"));
                return Ok(());
            }
            socket => socket?,
        };
        match &socket.response().extensions {
            Some(extensions) => log(id, format_args!("{peer} opened {opened}, {extensions}")),
            None => log(id, format_args!("{peer} opened {opened}")),
        }
        let (mut receiver, sender) = match socket.split() {
            Ok(halves) => halves,
            Err(error) => {
                log(id, format_args!("{peer} closed: {error}"));
                return Ok(());
            }
        };
        self.register(id, &sender);
        let mut inbox = Inbox::new();
        let end = loop {
            match receiver.receive(&mut inbox) {
                // A send that fails is not the end of the story: the peer's Close
                // may be waiting.
                Ok(message) => match sender.send(message) {
                    Ok(()) | Err(Error::Send(_) | Error::Io(_)) => {}
                    Err(error) => break error,
                },
                Err(error) => break error,
            }
        };
        let counters = receiver.counters();
        log(
            id,
            format_args!(
                "{peer} closed: {}; {} messages, {} bytes received, {} bytes sent",
                Printable(&end.to_string()),
                counters.messages_received,
                counters.bytes_received,
                counters.bytes_sent,
            ),
        );
        Ok(())
    }

    fn decide(&self, incoming: &Incoming<'_>) -> (Decision, String) {
        match incoming {
            Incoming::Upgrade(request) if request.path() == "/ws" => {
                let supported: Vec<&str> = self.subprotocols.iter().map(String::as_str).collect();
                let origin = request.origin().map(|origin| origin.to_string());
                let line =
                    format!("{} (origin {})", request.path(), origin.as_deref().unwrap_or("none"));
                (Decision::accept().subprotocol(request.select_subprotocol(&supported)), line)
            }
            Incoming::Upgrade(request) => (not_found(), request.path().to_owned()),
            Incoming::Plain(request) => {
                let decision = match request.path() {
                    "/" => page::decision(),
                    "/ws" => Decision::by_default(),
                    _ => not_found(),
                };
                (decision, request.path().to_owned())
            }
            Incoming::Incomplete => (Decision::by_default(), String::new()),
        }
    }

    /// Takes a place, if one is free or can be freed.
    fn enter(&self, id: u64, stream: &TcpStream, max: usize) -> bool {
        let mut open = self.open();
        if open.threads >= max {
            drop(open);
            self.make_room();
            open = self.open();
        }
        let free = open.threads < max && !open.stopping;
        if free {
            open.threads += 1;
            // One that cannot be cloned cannot be made to leave; that is all.
            open.opening.extend(stream.try_clone().map(|stream| (id, (Instant::now(), stream))));
        }
        free
    }

    /// Makes the one leave that has been at its request for longest, if that is long: those
    /// that never finish it keep nobody out. Waits until its place is free.
    fn make_room(&self) {
        let mut open = self.open();
        let threads = open.threads;
        let Some(oldest) = open.opening.first_entry() else { return };
        if oldest.get().0.elapsed() < REQUEST_PATIENCE {
            return;
        }
        // Its thread reads the end of the stream, and leaves.
        let (_, (_, stream)) = oldest.remove_entry();
        let _ = stream.shutdown(Shutdown::Both);
        drop(stream);
        let is_there = |open: &mut Open| open.threads >= threads;
        drop(self.closed.wait_timeout_while(open, LEAVE_TIMEOUT, is_there));
    }

    fn register(&self, id: u64, sender: &Sending) {
        let mut open = self.open();
        open.senders.insert(id, sender.clone());
        let stopping = open.stopping;
        drop(open);
        if stopping {
            go_away(sender);
        }
    }

    fn leave(&self, id: u64) {
        let mut open = self.open();
        open.threads -= 1;
        open.opening.remove(&id);
        open.senders.remove(&id);
        self.closed.notify_all();
    }

    /// Closes every connection with 1001, and waits for the answers, but not for
    /// long. Those that never sent a request are not waited for.
    fn stop(&self) {
        let mut open = self.open();
        open.stopping = true;
        let senders: Vec<_> = open.senders.values().cloned().collect();
        eprintln!("stopping: {} connections to close", senders.len());
        drop(open);
        for sender in senders {
            // A peer that does not read may block one of them.
            thread::spawn(move || go_away(&sender));
        }
        let all_closed = |open: &mut Open| !open.senders.is_empty();
        let waited = self.closed.wait_timeout_while(self.open(), STOP_TIMEOUT, all_closed);
        let (open, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !open.senders.is_empty() {
            eprintln!("stopped with {} connections that did not answer", open.senders.len());
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's place among the connections.
struct Place<'e> {
    echo: &'e Echo,
    id: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.echo.leave(self.id);
    }
}

/// A thread that answers 503, to one after the other. The requests are read, since
/// bytes left unread would make the answer a reset.
fn refusing(tls: Option<TlsAcceptor>) -> mpsc::SyncSender<TcpStream> {
    let (refused, streams) = mpsc::sync_channel(REFUSED_MAX);
    let limits = HandshakeLimits::new().deadline(REFUSE_TIMEOUT);
    let options = AcceptOptions::new().limits(limits);
    let tls = tls.map(|tls| tls.deadline(REFUSE_TIMEOUT));
    thread::spawn(move || {
        for stream in streams {
            let Ok(stream) = secured(stream, tls.as_ref()) else { continue };
            // Whatever it comes to, it is over then.
            drop(accept_with(stream, &options, |_| {
                Decision::reply(503, "too many connections: try again later\n")
                    .field("Content-Type", "text/plain; charset=utf-8")
            }));
        }
    });
    refused
}

/// TLS around it, if we serve that.
fn secured(stream: TcpStream, tls: Option<&TlsAcceptor>) -> Result<Stream, TlsError> {
    match tls {
        Some(tls) => Ok(tls.accept(stream)?.into()),
        None => Ok(stream.into()),
    }
}

fn go_away(sender: &Sending) {
    // One that is closing already needs no second Close.
    let _ = sender.close(CloseCode::GOING_AWAY, "the server is stopping");
}

fn not_found() -> Decision {
    Decision::reply(404, not_found_text()).field("Content-Type", "text/plain; charset=utf-8")
}

pub(crate) fn not_found_text() -> &'static str {
    "not found: the page is at /, the echo at /ws\n"
}

fn log(id: u64, line: impl std::fmt::Display) {
    eprintln!("#{id} {line}");
}

/// How many contexts to keep for the next message, of each sort.
const POOLED_MAX: usize = 16;

/// How long anybody may take to send a request.
const REQUEST_PATIENCE: Duration = Duration::from_secs(1);

/// How long somebody who is made to leave may take.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(500);

const STOP_TIMEOUT: Duration = Duration::from_secs(4);

/// How many connections may wait for their 503; those beyond get none.
const REFUSED_MAX: usize = 64;

/// How long one of them may take to send its request.
const REFUSE_TIMEOUT: Duration = Duration::from_millis(250);
