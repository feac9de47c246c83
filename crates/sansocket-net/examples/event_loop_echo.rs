//! Drives the engine from an event loop: an echo server on `mio`, all connections
//! on one thread, with one read buffer for all of them.
//!
//! ```text
//! cargo run -p sansocket-net --example event_loop_echo -- 127.0.0.1:5002
//! ```
//!
//! A connection keeps no bytes of the shared buffers: what does not fit together yet is
//! carried by its [`Carry`], pieces of a message wait in its [`Assembler`], and what its
//! socket does not take waits in its [`Backlog`]. An idle connection holds none of these.
//! A message that was put together is written from there, behind its head, and its
//! assembler goes to whoever needs one next: the memory is still in the caches then.
//! Deadlines are in a heap, one entry a connection, that is moved only when it comes up.
//! Who sends without pause is read for a turn, and then waits until the others had theirs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, IoSlice, Read, Write};
use std::mem;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mio::event::Event as Readiness;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use sansocket::handshake::{
    Accept, HandshakeConfig, HandshakeRule, Incoming, Rejection, ServerHandshake,
};
use sansocket::{
    Assembled, Assembler, Carry, Config, Connection, Event, Fin, Message, SendError, Server, Tick,
    Transmit, Wake,
};
use slab::Slab;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5002".to_owned());
    let mut listener = TcpListener::bind(address.parse().map_err(io::Error::other)?)?;
    println!("echo ws://{}/", listener.local_addr()?);

    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut buffers =
        Buffers { read: vec![0; 256 * 1024], write: Vec::new(), assemblers: Vec::new() };
    let mut crowd = Crowd::default();
    let start = Instant::now();
    let now = || Tick::ZERO + start.elapsed();
    loop {
        match poll.poll(&mut events, crowd.wait(now())) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        }
        for ready in &events {
            if ready.token() != LISTENER {
                let work = |peer: &mut Peer| peer.handle(ready, &mut buffers);
                crowd.attend(ready.token(), now(), work);
                continue;
            }
            while let Ok((mut stream, _)) = listener.accept() {
                let token = Token(crowd.peers.vacant_key());
                let both = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut stream, token, both)?;
                // What is written is whole, and waits for nothing.
                let _ = stream.set_nodelay(true);
                crowd.peers.insert(Peer::new(stream));
                crowd.attend(token, now(), |_| Turn::Done);
            }
        }
        for token in mem::take(&mut crowd.unread) {
            crowd.attend(token, now(), |peer| {
                peer.queued = false;
                peer.read(&mut buffers)
            });
        }
        while let Some(Reverse((at, token))) = crowd.alarms.peek().copied()
            && at <= now()
        {
            crowd.alarms.pop();
            crowd.attend(token, now(), |peer| {
                peer.alarm = None;
                Turn::Done
            });
        }
    }
}

/// All connections.
#[derive(Default)]
struct Crowd {
    peers: Slab<Peer>,
    alarms: BinaryHeap<Reverse<(Tick, Token)>>,
    /// Those whose turn was over before all they had sent was read. Nobody will tell of
    /// it again.
    unread: Vec<Token>,
}

impl Crowd {
    /// How long to wait for the sockets.
    fn wait(&self, now: Tick) -> Option<Duration> {
        if !self.unread.is_empty() {
            return Some(Duration::ZERO);
        }
        let wait = self.alarms.peek().and_then(|Reverse((at, _))| Wake::At(*at).after(now));
        wait.map(|wait| wait.max(Duration::from_millis(1)))
    }

    /// Does what there is to do for a connection, lets time pass for it, and sets its alarm.
    fn attend(&mut self, token: Token, now: Tick, work: impl FnOnce(&mut Peer) -> Turn) {
        let Some(peer) = self.peers.get_mut(token.0) else {
            return; // its alarm outlived it, which may as well wake the next in its place
        };
        if let Turn::Over = work(peer)
            && !mem::replace(&mut peer.queued, true)
        {
            self.unread.push(token);
        }
        peer.pass_time(now);
        if peer.wire.gone {
            self.peers.remove(token.0);
            return;
        }
        let at = match peer.wake() {
            Wake::Never => return,
            Wake::Now => now,
            Wake::At(at) => at,
        };
        // One that is set for an earlier time will find out then.
        if peer.alarm.is_none_or(|alarm| at < alarm) {
            peer.alarm = Some(at);
            self.alarms.push(Reverse((at, token)));
        }
    }
}

/// How far a connection came with what there was to read.
enum Turn {
    /// The socket will tell when there is more.
    Done,
    /// There may be more, and others wait.
    Over,
}

/// What all connections use in turn.
struct Buffers {
    read: Vec<u8>,
    write: Vec<u8>,
    /// Those that nobody needs just now.
    assemblers: Assemblers,
}

type Assemblers = Vec<Box<Assembler<Vec<u8>>>>;

/// One connection.
struct Peer {
    wire: Wire,
    stage: Stage,
    /// When it is looked at again at the latest.
    alarm: Option<Tick>,
    /// The peer's end is there to be read, behind what came before.
    read_closed: bool,
    half_closed: bool,
    /// It waits for its next turn.
    queued: bool,
}

/// A socket, and what is on its way there.
struct Wire {
    stream: TcpStream,
    backlog: Option<Box<Backlog>>,
    gone: bool,
}

/// Encoded, and not taken by the socket.
struct Backlog {
    bytes: Vec<u8>,
    written: usize,
}

enum Stage {
    Opening(Box<Opening>),
    Open(Box<Open>),
    /// The last bytes are on their way, and the peer may end its side until then.
    Ending(Option<Tick>),
}

struct Opening {
    handshake: ServerHandshake<'static>,
    head: Vec<u8>,
}

struct Open {
    connection: Connection<Server>,
    carry: Option<Box<Carry>>,
    assembler: Option<Box<Assembler<Vec<u8>>>>,
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        let handshake = ServerHandshake::new(HandshakeConfig::new());
        let stage = Stage::Opening(Box::new(Opening { handshake, head: Vec::new() }));
        let wire = Wire { stream, backlog: None, gone: false };
        let (read_closed, half_closed, queued) = (false, false, false);
        Self { wire, stage, alarm: None, read_closed, half_closed, queued }
    }

    fn handle(&mut self, ready: &Readiness, buffers: &mut Buffers) -> Turn {
        self.read_closed |= ready.is_read_closed();
        if ready.is_writable() {
            self.write(&mut Vec::new());
        }
        self.read(buffers)
    }

    /// Reads and answers what is there, as far as a turn goes.
    fn read(&mut self, buffers: &mut Buffers) -> Turn {
        let mut turn_len = 0;
        // While the peer does not take its echoes, it gets no more: what it sends
        // waits in its own socket.
        while !self.wire.gone && self.wire.backlog_len() < BACKLOG_MAX {
            match self.wire.stream.read(&mut buffers.read) {
                Ok(0) => {
                    self.end();
                    return Turn::Done;
                }
                Ok(len) => {
                    let Buffers { read, write, assemblers } = buffers;
                    self.receive(&mut read[..len], write, assemblers);
                    self.write(write);
                    if len < buffers.read.len() && !self.read_closed {
                        return Turn::Done; // that was all, and more will be told
                    }
                    turn_len += len;
                    if turn_len >= TURN_LEN_MAX {
                        return Turn::Over;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Turn::Done,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.wire.gone = true,
            }
        }
        Turn::Done
    }

    fn receive(&mut self, bytes: &mut [u8], out: &mut Vec<u8>, assemblers: &mut Assemblers) {
        match &mut self.stage {
            Stage::Opening(opening) => {
                opening.head.extend_from_slice(bytes);
                match opening.open(out) {
                    Ok(None) => {}
                    Ok(Some((open, mut leftover))) => {
                        self.stage = Stage::Open(Box::new(open));
                        self.receive(&mut leftover, out, assemblers);
                    }
                    Err(rejection) => self.reject(&rejection),
                }
            }
            Stage::Open(open) => open.echo(bytes, out, &mut self.wire, assemblers),
            Stage::Ending(_) => {}
        }
    }

    fn end(&mut self) {
        match &mut self.stage {
            Stage::Open(open) => _ = open.connection.receive_end(),
            Stage::Opening(..) => self.wire.gone = true,
            Stage::Ending(_) => self.wire.gone |= self.wire.backlog.is_none(),
        }
    }

    fn wake(&self) -> Wake {
        match &self.stage {
            Stage::Opening(opening) => opening.handshake.poll_timeout(),
            Stage::Open(open) => open.connection.poll_timeout(),
            Stage::Ending(until) => until.map_or(Wake::Now, Wake::At),
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
            Stage::Ending(until) => {
                self.wire.gone |= now >= *until.get_or_insert(now + Duration::from_secs(1));
            }
        }
        self.write(&mut Vec::new());
    }

    fn reject(&mut self, rejection: &Rejection) {
        let mut answer = vec![0; rejection.response_len()];
        let len = rejection.write(&mut answer).unwrap_or(0);
        answer.truncate(len);
        self.wire.write(&mut answer, &[]);
        self.stage = Stage::Ending(None);
    }

    /// Writes what waits, then `out`, as far as the socket takes it, and does what the
    /// engine wants done then. `out` is empty afterwards.
    fn write(&mut self, out: &mut Vec<u8>) {
        let step = match &mut self.stage {
            Stage::Open(open) => open.connection.append_transmit(out),
            Stage::Opening(..) => Transmit::Idle,
            Stage::Ending(_) => Transmit::HalfClose,
        };
        self.wire.write(out, &[]);
        match step {
            Transmit::CloseNow if self.wire.backlog.is_none() => self.wire.gone = true,
            // What was said is written, if the peer takes it soon.
            Transmit::CloseNow => self.stage = Stage::Ending(None),
            Transmit::HalfClose if self.wire.backlog.is_none() && !self.half_closed => {
                self.half_closed = true;
                self.wire.gone |= self.wire.stream.shutdown(Shutdown::Write).is_err();
            }
            _ => {}
        }
    }
}

impl Wire {
    fn backlog_len(&self) -> usize {
        self.backlog.as_ref().map_or(0, |backlog| backlog.bytes.len() - backlog.written)
    }

    /// Writes what waits, then `out` and `payload`, as far as the socket takes them. What it
    /// does not is copied; `out` is empty afterwards.
    fn write(&mut self, out: &mut Vec<u8>, payload: &[u8]) {
        let Some(backlog) = &mut self.backlog else {
            let written = write_all(&mut self.stream, out, payload, &mut self.gone);
            let of_payload = written.saturating_sub(out.len());
            let mut rest = out[written.min(out.len())..].to_vec();
            rest.extend_from_slice(&payload[of_payload..]);
            if !rest.is_empty() {
                self.backlog = Some(Box::new(Backlog { bytes: rest, written: 0 }));
            }
            return out.clear();
        };
        backlog.bytes.append(out);
        backlog.bytes.extend_from_slice(payload);
        let waiting = &backlog.bytes[backlog.written..];
        backlog.written += write_all(&mut self.stream, waiting, &[], &mut self.gone);
        if backlog.written == backlog.bytes.len() {
            self.backlog = None;
        } else if backlog.written > backlog.bytes.len() / 2 {
            backlog.bytes.drain(..backlog.written);
            backlog.written = 0;
        }
    }
}

/// Writes as much of `first` and then `second` as the socket takes, and returns how much.
fn write_all(stream: &mut TcpStream, first: &[u8], second: &[u8], gone: &mut bool) -> usize {
    let (mut written, len) = (0, first.len() + second.len());
    while written < len {
        let (first, second) = match first.get(written..) {
            Some(first) => (first, second),
            None => (&[][..], &second[written - first.len()..]),
        };
        let result = match second {
            [] => stream.write(first),
            second => stream.write_vectored(&[IoSlice::new(first), IoSlice::new(second)]),
        };
        match result {
            Ok(len @ 1..) => written += len,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => {
                *gone = true;
                break;
            }
        }
    }
    written
}

impl Open {
    fn echo(
        &mut self,
        mut bytes: &mut [u8],
        out: &mut Vec<u8>,
        wire: &mut Wire,
        assemblers: &mut Assemblers,
    ) {
        let Self { connection, carry, assembler } = self;
        let mut carried = carry.take().unwrap_or_default();
        // A failure ends the loop; its Close is queued, and written like the rest.
        while let Ok(received) = carried.receive(connection, bytes) {
            match received.event {
                Some(Event::Data(data)) => match data.into_message() {
                    Ok(message) => _ = connection.append(message, out),
                    Err(piece) => {
                        let place = assembler.get_or_insert_with(|| {
                            let new = || Box::new(Assembler::new(Vec::new(), MESSAGE_LEN_MAX));
                            assemblers.pop().unwrap_or_else(new)
                        });
                        match place.push(piece).map(Assembled::message) {
                            Ok(None) => {}
                            Ok(Some(message)) => {
                                _ = send_from_there(connection, message, out, wire);
                                let free = assembler.take();
                                if assemblers.len() < ASSEMBLERS_MAX {
                                    assemblers.extend(free);
                                }
                            }
                            Err(error) => _ = connection.fail_with(error.close_code()),
                        }
                    }
                },
                Some(_) => {}
                None => break,
            }
            let _ = connection.append_transmit(out); // each Ping its Pong
            bytes = received.rest;
        }
        *carry = (!carried.is_empty()).then_some(carried);
    }
}

/// Sends a message without a copy, if the socket takes it.
fn send_from_there(
    connection: &mut Connection<Server>,
    message: Message<'_>,
    out: &mut Vec<u8>,
    wire: &mut Wire,
) -> Result<(), SendError> {
    let len = message.len() as u64;
    let head = connection.head(message.kind(), Fin::Last, len)?;
    out.extend_from_slice(head.as_bytes());
    wire.write(out, message.as_bytes());
    connection.payload_written(len)
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
            carry: None,
            assembler: None,
        };
        Ok(Some((open, self.head[request.head_len()..].to_vec())))
    }
}

const LISTENER: Token = Token(usize::MAX);
const BACKLOG_MAX: usize = 1 << 20;
/// What a peer may send before it is the others' turn, in bytes.
const TURN_LEN_MAX: usize = 1 << 20;
/// So many are kept for whoever needs one next.
const ASSEMBLERS_MAX: usize = 32;
/// As the engine has it.
const MESSAGE_LEN_MAX: usize = 1 << 20;
