//! Loads an echo server and says what a message costs it.
//!
//! ```text
//! echo --connections 200 --deep 16 --payload 20 -- sansocket serve --listen 127.0.0.1:0
//! echo --serve-tcp              # the floor: a raw TCP echo on one thread
//! ```
//!
//! One thread keeps `--deep` messages under way on each of `--connections`, compares every
//! echo with what it should be, byte by byte, and counts. The server is a process of its
//! own, which prints `ws://ADDRESS:PORT/PATH`, or `tcp://ADDRESS:PORT` for an echo without
//! WebSockets; its processor time is what the system says of it (Linux, to 10 ms).

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use sansocket::frame::{self, FrameHeader};
use sansocket::handshake::{Answer, ClientHandshake, ClientRequest};
use sansocket::{Fin, Opcode, Uri};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

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
    let mut server = Server::start(&args.server)?;
    let before = server.status("VmRSS:")?;
    let traffic = Traffic::new(args, server.url.starts_with("tcp:"));
    let poll = Poll::new()?;
    let mut peers = Vec::with_capacity(args.connections);
    for index in 0..args.connections {
        let mut stream = connect(&server.url)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(index), both)?;
        peers.push(Peer { stream, unsent: Vec::new(), at: 0, sent: VecDeque::new() });
    }
    std::thread::sleep(Duration::from_millis(300));
    let idle = server.status("VmRSS:")?.saturating_sub(before) * 1024 / args.connections as u64;

    for peer in peers.iter_mut().take(args.active.unwrap_or(args.connections)) {
        peer.send(&traffic, args.deep)?;
    }
    let mut run = Run { poll, events: Events::with_capacity(1024), scratch: vec![0; 1 << 18] };
    run.drive(&mut peers, &traffic, Duration::from_millis(500))?;
    let (processor, start) = (server.processor_time()?, Instant::now());
    let mut waits = run.drive(&mut peers, &traffic, Duration::from_secs_f64(args.seconds))?;
    let (elapsed, processor) = (start.elapsed(), server.processor_time()? - processor);

    waits.sort_unstable();
    let count = waits.len().max(1);
    let percentile = |of: usize| waits.get(count * of / 100).copied().unwrap_or_default();
    println!(
        "{:.3} us of processor a message, {:.0} messages/s, p50 {:?}, p99 {:?}, idle {idle} B",
        processor.as_secs_f64() * 1e6 / count as f64,
        count as f64 / elapsed.as_secs_f64(),
        percentile(50),
        percentile(99),
    );
    Ok(())
}

/// What is sent for a message, and what must come back.
struct Traffic {
    sent: Vec<u8>,
    echo: Vec<u8>,
}

impl Traffic {
    fn new(args: &Args, raw: bool) -> Self {
        let payload = sansocket_benches::binary(args.payload);
        if raw {
            return Self { sent: payload.clone(), echo: payload };
        }
        let encode = |key| {
            let payload_len = payload.len() as u64;
            let (fin, opcode) = (Fin::Last, Opcode::Binary);
            let header = FrameHeader { fin, reserved: 0, opcode, key, payload_len };
            let mut out = vec![0; frame::encoded_len(&header).expect("a length")];
            frame::encode(&header, &payload, &mut out).expect("room");
            out
        };
        Self { sent: encode(Some([0x37, 0xfa, 0x21, 0x3d])), echo: encode(None) }
    }
}

struct Peer {
    stream: TcpStream,
    /// What the socket has not taken.
    unsent: Vec<u8>,
    /// How much of the next echo came.
    at: usize,
    /// When the messages under way were sent.
    sent: VecDeque<Instant>,
}

impl Peer {
    fn send(&mut self, traffic: &Traffic, count: usize) -> io::Result<()> {
        let now = Instant::now();
        for _ in 0..count {
            self.unsent.extend_from_slice(&traffic.sent);
            self.sent.push_back(now);
        }
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        let mut written = 0;
        while written < self.unsent.len() {
            match self.stream.write(&self.unsent[written..]) {
                Ok(len) => written += len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.unsent.drain(..written);
        Ok(())
    }

    /// Reads what there is, and sends a message for each echo.
    fn echoes(
        &mut self,
        traffic: &Traffic,
        scratch: &mut [u8],
        waits: &mut Vec<Duration>,
    ) -> Outcome<()> {
        loop {
            let len = match self.stream.read(scratch) {
                Ok(0) => return Err("the server ended the connection".into()),
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let mut count = 0;
            let mut bytes = &scratch[..len];
            while !bytes.is_empty() {
                let wanted = &traffic.echo[self.at..];
                let (now, rest) = bytes.split_at(wanted.len().min(bytes.len()));
                if now != &wanted[..now.len()] {
                    return Err("an echo differs".into());
                }
                bytes = rest;
                self.at += now.len();
                if self.at == traffic.echo.len() {
                    self.at = 0;
                    count += 1;
                    waits.push(self.sent.pop_front().map_or(Duration::ZERO, |at| at.elapsed()));
                }
            }
            self.send(traffic, count)?;
        }
    }
}

struct Run {
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
}

impl Run {
    /// How long each echo took that came in this time.
    fn drive(
        &mut self,
        peers: &mut [Peer],
        traffic: &Traffic,
        time: Duration,
    ) -> Outcome<Vec<Duration>> {
        let mut waits = Vec::new();
        let start = Instant::now();
        while start.elapsed() < time {
            self.poll.poll(&mut self.events, Some(Duration::from_millis(10)))?;
            for ready in &self.events {
                let peer = &mut peers[ready.token().0];
                if ready.is_writable() {
                    peer.write()?;
                }
                if ready.is_readable() {
                    peer.echoes(traffic, &mut self.scratch, &mut waits)?;
                }
            }
        }
        Ok(waits)
    }
}

/// A connection, open for messages.
fn connect(url: &str) -> Outcome<TcpStream> {
    let (scheme, rest) = url.split_once("://").ok_or("no address")?;
    let address = rest.split('/').next().unwrap_or(rest);
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    if scheme == "ws" {
        let uri = Uri::parse(url)?;
        let mut handshake = ClientHandshake::new(ClientRequest::new(&uri), [7; 16])?;
        let mut request = vec![0; handshake.request_len()];
        handshake.write(&mut request)?;
        stream.write_all(&request)?;
        let (mut head, mut chunk) = (Vec::new(), [0; 1024]);
        while !matches!(handshake.receive(&head)?, Answer::Accepted(_)) {
            match stream.read(&mut chunk)? {
                0 => return Err("the server ended the handshake".into()),
                len => head.extend_from_slice(&chunk[..len]),
            }
        }
    }
    stream.set_nonblocking(true)?;
    Ok(TcpStream::from_std(stream))
}

/// The process under load.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(command: &[String]) -> Outcome<Self> {
        let (program, args) = command.split_first().ok_or("which server? -- COMMAND ...")?;
        let mut command = Command::new(program);
        let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let url = line
            .split_whitespace()
            .find(|word| word.starts_with("ws://") || word.starts_with("tcp://"));
        let url = url.ok_or_else(|| format!("no address in {line:?}"))?.to_owned();
        Ok(Self { child, url })
    }

    fn proc(&self, file: &str) -> io::Result<String> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))
    }

    /// A line of its status, in KiB.
    fn status(&self, field: &str) -> Outcome<u64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no such field")?;
        Ok(kib.parse()?)
    }

    /// Its time in user and system mode.
    fn processor_time(&mut self) -> Outcome<Duration> {
        let stat = self.proc("stat")?;
        // Behind the name, which may hold anything: fields 14 and 15, in 1/100 s.
        let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(Duration::from_millis(ticks * 10))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
