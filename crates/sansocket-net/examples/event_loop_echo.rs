//! Drives the engine from an event loop: an echo server on `mio`, all connections
//! on one thread, with one read buffer for all of them.
//!
//! ```text
//! cargo run -p sansocket-net --example event_loop_echo -- 127.0.0.1:5002
//! ```
//!
//! A connection keeps no bytes of the read buffer: what does not fit together yet
//! is carried by its [`Carry`], and pieces of a message wait in its [`Assembler`].
//! An idle connection holds no heap memory but its own entry.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mio::event::Event as Readiness;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use sansocket::handshake::{
    Accept, HandshakeConfig, HandshakeRule, Incoming, Rejection, ServerHandshake,
};
use sansocket::{Assembler, Carry, Config, Connection, Event, Server, Tick, Transmit, Wake};

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5002".to_owned());
    let mut listener = TcpListener::bind(address.parse().map_err(io::Error::other)?)?;
    println!("echo ws://{}/", listener.local_addr()?);

    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 64 * 1024];
    let mut peers = HashMap::new();
    let mut next = LISTENER.0;
    let start = Instant::now();
    let now = || Tick::ZERO + start.elapsed();
    loop {
        // A program with many connections keeps their deadlines in a heap or wheel.
        let wait = peers.values().filter_map(|peer: &Peer| peer.wake().after(now())).min();
        match poll.poll(&mut events, wait.map(|wait| wait.max(Duration::from_millis(1)))) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        }
        for ready in &events {
            if ready.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    next += 1;
                    let both = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, Token(next), both)?;
                    peers.insert(Token(next), Peer::new(stream));
                }
            } else if let Some(peer) = peers.get_mut(&ready.token()) {
                peer.handle(ready, &mut buffer);
            }
        }
        peers.retain(|_, peer| {
            let wanted = peer.wake().after(now()).is_some_and(|wait| wait.is_zero());
            if wanted {
                peer.pass_time(now());
            }
            !peer.gone
        });
    }
}

/// One connection.
struct Peer {
    stream: TcpStream,
    stage: Stage,
    /// Encoded, and not yet taken by the socket.
    out: Vec<u8>,
    half_closed: bool,
    gone: bool,
}

enum Stage {
    Opening(Box<Opening>),
    Open(Box<Open>),
    /// Rejected: the answer is on its way, and the peer may end its side until then.
    Rejected(Option<Tick>),
}

struct Opening {
    handshake: ServerHandshake<'static>,
    head: Vec<u8>,
}

struct Open {
    connection: Connection<Server>,
    carry: Carry,
    assembler: Assembler<Vec<u8>>,
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        let handshake = ServerHandshake::new(HandshakeConfig::new());
        let stage = Stage::Opening(Box::new(Opening { handshake, head: Vec::new() }));
        Self { stream, stage, out: Vec::new(), half_closed: false, gone: false }
    }

    fn handle(&mut self, ready: &Readiness, buffer: &mut [u8]) {
        if ready.is_writable() {
            self.write();
        }
        // While the peer does not take its echoes, it gets no more: what it sends
        // waits in its own socket.
        while !self.gone && self.out.len() < BACKLOG_MAX {
            match self.stream.read(buffer) {
                Ok(0) => {
                    self.end();
                    break;
                }
                Ok(len) => self.receive(&mut buffer[..len]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.gone = true,
            }
        }
    }

    fn receive(&mut self, bytes: &mut [u8]) {
        match &mut self.stage {
            Stage::Opening(opening) => {
                opening.head.extend_from_slice(bytes);
                match opening.open(&mut self.out) {
                    Ok(None) => {}
                    Ok(Some((open, mut leftover))) => {
                        self.stage = Stage::Open(Box::new(open));
                        self.receive(&mut leftover);
                    }
                    Err(rejection) => self.reject(&rejection),
                }
            }
            Stage::Open(open) => open.echo(bytes, &mut self.out),
            Stage::Rejected(_) => {}
        }
        self.write();
    }

    fn end(&mut self) {
        match &mut self.stage {
            Stage::Open(open) => _ = open.connection.receive_end(),
            Stage::Opening(..) | Stage::Rejected(_) => self.gone = true,
        }
        self.write();
    }

    fn wake(&self) -> Wake {
        match &self.stage {
            Stage::Opening(opening) => opening.handshake.poll_timeout(),
            Stage::Open(open) => open.connection.poll_timeout(),
            Stage::Rejected(until) => until.map_or(Wake::Now, Wake::At),
        }
    }

    fn pass_time(&mut self, now: Tick) {
        match &mut self.stage {
            Stage::Opening(opening) => {
                if let Err(rejection) = opening.handshake.handle_timeout(now) {
                    self.reject(&rejection);
                }
            }
            // A failure has queued its Close.
            Stage::Open(open) => _ = open.connection.handle_timeout(now),
            Stage::Rejected(until) => {
                self.gone |= now >= *until.get_or_insert(now + Duration::from_secs(1));
            }
        }
        self.write();
    }

    fn reject(&mut self, rejection: &Rejection) {
        let mut answer = vec![0; rejection.response_len()];
        let len = rejection.write(&mut answer).unwrap_or(0);
        self.out.extend_from_slice(&answer[..len]);
        self.stage = Stage::Rejected(None);
    }

    /// Writes what the socket takes, and does what the engine wants done then.
    fn write(&mut self) {
        let step = match &mut self.stage {
            Stage::Open(open) => open.connection.append_transmit(&mut self.out),
            Stage::Opening(..) => Transmit::Idle,
            Stage::Rejected(_) => Transmit::HalfClose,
        };
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(len) => _ = self.out.drain(..len),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.gone = true,
            }
        }
        match step {
            Transmit::CloseNow => self.gone = true,
            Transmit::HalfClose if !self.half_closed => {
                self.half_closed = true;
                self.gone |= self.stream.shutdown(Shutdown::Write).is_err();
            }
            _ => {}
        }
    }
}

impl Open {
    fn echo(&mut self, mut bytes: &mut [u8], out: &mut Vec<u8>) {
        // A failure ends the loop; its Close is queued, and written like the rest.
        while let Ok(received) = self.carry.receive(&mut self.connection, bytes) {
            match received.event {
                Some(Event::Data(data)) => match self.assembler.push(data) {
                    Ok(whole) => _ = whole.message().map(|m| self.connection.append(m, out)),
                    Err(error) => _ = self.connection.fail_with(error.close_code()),
                },
                Some(_) => {}
                None => break,
            }
            let _ = self.connection.append_transmit(out); // each Ping its Pong
            bytes = received.rest;
        }
    }
}

impl Opening {
    /// Accepts everyone; `None` as long as the request is not whole.
    fn open(&mut self, out: &mut Vec<u8>) -> Result<Option<(Open, Vec<u8>)>, Rejection> {
        let request = match self.handshake.receive(&self.head)? {
            Incoming::Incomplete => return Ok(None),
            Incoming::Upgrade(request) => request,
            Incoming::Plain(request) => return Err(request.rejection()),
        };
        // Nothing is asked for that the request could not have offered.
        let Ok(accepted) = request.accept(&Accept::new()) else {
            return Err(HandshakeRule::NotWebSocket.into());
        };
        let mut answer = vec![0; accepted.response_len()];
        let len = accepted.write(&mut answer).unwrap_or(0);
        out.extend_from_slice(&answer[..len]);
        let open = Open {
            connection: Connection::new(accepted.negotiated(), Server, &Config::new()),
            carry: Carry::new(),
            assembler: Assembler::new(Vec::new(), 1 << 20),
        };
        Ok(Some((open, self.head[request.head_len()..].to_vec())))
    }
}

const LISTENER: Token = Token(0);
const BACKLOG_MAX: usize = 1 << 20;
