//! Loads an echo server, and sees what a message costs it.
//!
//! One thread keeps messages under way on each of its connections, compares every echo with
//! what it should be, byte by byte, and counts. The server is a process of its own, which
//! prints `ws://ADDRESS:PORT/PATH`, or `tcp://ADDRESS:PORT` for an echo without WebSockets;
//! its processor time and memory are what the system says of it (Linux).

use std::collections::VecDeque;
use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use sansocket::frame::{self, FrameHeader};
use sansocket::handshake::{Answer, ClientHandshake, ClientRequest};
use sansocket::{Fin, Opcode, Uri};

/// What went well, or why it did not.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// What is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Length of a message, in bytes; at least one.
    pub payload: usize,
    /// Connections that are open.
    pub connections: usize,
    /// Of them, those that send.
    pub active: usize,
    /// Messages under way on each that sends.
    pub deep: usize,
}

/// What a server did under its load.
#[derive(Debug)]
pub struct Measured {
    elapsed: Duration,
    processor: Duration,
    /// How long each echo took, the shortest first.
    waits: Vec<Duration>,
}

impl Measured {
    /// Processor time of the server for a message, in microseconds.
    pub fn processor_us(&self) -> f64 {
        self.processor.as_secs_f64() * 1e6 / self.waits.len() as f64
    }

    /// Echoes in a second.
    pub fn rate(&self) -> f64 {
        self.waits.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// How long an echo takes at most, of so many in a hundred, in microseconds.
    pub fn percentile_us(&self, of: usize) -> f64 {
        self.waits[self.waits.len() * of / 100].as_secs_f64() * 1e6
    }
}

/// The process under load; it ends with this.
pub struct Server {
    child: Child,
    url: String,
}

impl Server {
    /// Starts it, and waits until it has said where it listens.
    pub fn start(program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Outcome<Self> {
        let program = program.as_ref();
        let mut command = Command::new(program);
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
        let mut server = Self { child, url: String::new() };
        let mut line = String::new();
        let output = server.child.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        let url = line
            .split_whitespace()
            .find(|word| word.starts_with("ws://") || word.starts_with("tcp://"));
        server.url = url.ok_or_else(|| format!("no address in {line:?}"))?.to_owned();
        Ok(server)
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }

    /// What it has of the machine's memory, in bytes.
    fn memory(&self) -> Outcome<u64> {
        let status = fs::read_to_string(self.proc("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
        Ok(kib.parse::<u64>()? * 1024)
    }

    /// What its threads that still run have had, in user and system mode.
    fn processor_time(&self) -> Outcome<Duration> {
        let mut time = Duration::ZERO;
        for thread in fs::read_dir(self.proc("task"))? {
            let stat = fs::read_to_string(thread?.path().join("schedstat"))?;
            let nanos = stat.split_whitespace().next().ok_or("no time")?.parse()?;
            time += Duration::from_nanos(nanos);
        }
        Ok(time)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The other ends of a server's connections.
pub struct Clients<'a> {
    server: &'a Server,
    load: Load,
    traffic: Traffic,
    peers: Vec<Peer>,
    poll: Poll,
    events: Events,
    scratch: Vec<u8>,
    idle_len: u64,
}

impl<'a> Clients<'a> {
    /// Opens the connections.
    pub fn connect(server: &'a Server, load: Load) -> Outcome<Self> {
        let before = server.memory()?;
        let poll = Poll::new()?;
        let mut peers = Vec::with_capacity(load.connections);
        for index in 0..load.connections {
            let mut stream = connect(&server.url)?;
            let both = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut stream, Token(index), both)?;
            peers.push(Peer { stream, owed: 0, sent_at: 0, echo_at: 0, times: VecDeque::new() });
        }
        // It may still be at its side of the last ones.
        thread::sleep(Duration::from_millis(20));
        let idle_len = server.memory()?.saturating_sub(before) / load.connections as u64;
        let traffic = Traffic::new(&load, server.url.starts_with("tcp:"));
        let (events, scratch) = (Events::with_capacity(1024), vec![0; 256 * 1024]);
        Ok(Self { server, load, traffic, peers, poll, events, scratch, idle_len })
    }

    /// The server's memory for a connection that has sent no message yet, in bytes.
    pub fn idle_len(&self) -> u64 {
        self.idle_len
    }

    /// Sends, and sends again for each echo. It measures for `time`, or longer if there were
    /// fewer echoes than there are messages under way, after half as much to warm up.
    pub fn measure(mut self, time: Duration) -> Outcome<Measured> {
        for peer in self.peers.iter_mut().take(self.load.active) {
            peer.send(&self.traffic, self.load.deep)?;
        }
        let under_way = self.load.active * self.load.deep;
        self.drive(time / 2, under_way / 2)?;
        let (before, start) = (self.server.processor_time()?, Instant::now());
        let mut waits = self.drive(time, under_way)?;
        let (elapsed, after) = (start.elapsed(), self.server.processor_time()?);
        waits.sort_unstable();
        Ok(Measured { elapsed, processor: after - before, waits })
    }

    /// How long each echo took that came in this time, or until there were as many.
    fn drive(&mut self, time: Duration, count: usize) -> Outcome<Vec<Duration>> {
        let mut waits = Vec::new();
        let start = Instant::now();
        while start.elapsed() < time || waits.len() < count {
            self.poll.poll(&mut self.events, Some(PATIENCE))?;
            if self.events.is_empty() {
                return Err("the server does nothing more".into());
            }
            for ready in &self.events {
                let peer = &mut self.peers[ready.token().0];
                if ready.is_writable() {
                    peer.write(&self.traffic)?;
                }
                if ready.is_readable() {
                    peer.echoes(&self.traffic, &mut self.scratch, &mut waits)?;
                }
            }
        }
        Ok(waits)
    }
}

/// What is sent, and what must come back.
struct Traffic {
    /// A message, many times if it is short, so that several go in one write.
    sent: Vec<u8>,
    /// The length of one.
    sent_len: usize,
    echo: Vec<u8>,
}

impl Traffic {
    fn new(load: &Load, raw: bool) -> Self {
        let payload = crate::binary(load.payload);
        let encode = |key| {
            let payload_len = payload.len() as u64;
            let (fin, opcode) = (Fin::Last, Opcode::Binary);
            let header = FrameHeader { fin, reserved: 0, opcode, key, payload_len };
            let mut out = vec![0; frame::encoded_len(&header).expect("a length")];
            frame::encode(&header, &payload, &mut out).expect("room");
            out
        };
        let (message, echo) = match raw {
            true => (payload.clone(), payload),
            false => (encode(Some(crate::KEY)), encode(None)),
        };
        let times = (64 * 1024 / message.len()).clamp(1, load.deep.max(1));
        Self { sent: message.repeat(times), sent_len: message.len(), echo }
    }
}

struct Peer {
    stream: TcpStream,
    /// How many messages the socket has not taken whole.
    owed: usize,
    /// How much of the first of them it has.
    sent_at: usize,
    /// How much of the next echo came.
    echo_at: usize,
    /// When the messages under way were sent.
    times: VecDeque<Instant>,
}

impl Peer {
    fn send(&mut self, traffic: &Traffic, count: usize) -> io::Result<()> {
        let now = Instant::now();
        self.times.extend(std::iter::repeat_n(now, count));
        self.owed += count;
        self.write(traffic)
    }

    fn write(&mut self, traffic: &Traffic) -> io::Result<()> {
        while self.owed > 0 {
            let end = traffic.sent.len().min(self.owed * traffic.sent_len);
            match self.stream.write(&traffic.sent[self.sent_at..end]) {
                Ok(len) => {
                    let at = self.sent_at + len;
                    self.owed -= at / traffic.sent_len;
                    self.sent_at = at % traffic.sent_len;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
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
            let count = self.compare(traffic, &scratch[..len])?;
            let now = Instant::now();
            waits.extend(self.times.drain(..count).map(|sent| now - sent));
            self.send(traffic, count)?;
            if len < scratch.len() {
                return Ok(()); // that was all, and more will be told
            }
        }
    }

    /// How many echoes these bytes complete.
    fn compare(&mut self, traffic: &Traffic, mut bytes: &[u8]) -> Outcome<usize> {
        let mut count = 0;
        while !bytes.is_empty() {
            let wanted = &traffic.echo[self.echo_at..];
            let (now, rest) = bytes.split_at(wanted.len().min(bytes.len()));
            if now != &wanted[..now.len()] {
                return Err("an echo differs".into());
            }
            bytes = rest;
            self.echo_at += now.len();
            if self.echo_at == traffic.echo.len() {
                self.echo_at = 0;
                count += 1;
            }
        }
        Ok(count)
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

/// How long nothing at all may come from a server.
const PATIENCE: Duration = Duration::from_secs(10);
