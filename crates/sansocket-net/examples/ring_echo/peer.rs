//! One connection: what it makes of what is done, and what it wants done next.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use sansocket::handshake::{
    Accept, HandshakeConfig, HandshakeRule, Incoming, Rejection, ServerHandshake,
};
use sansocket::{
    Assembled, Assembler, Carry, Config, Connection, Event, Server, Tick, Transmit, Wake,
};

use crate::ring::{Buffer, Ring, Then};

pub(crate) struct Peer {
    stream: TcpStream,
    stage: Stage,
    receiving: Receiving,
    /// Encoded, and to be sent when what is on its way has arrived.
    out: Vec<u8>,
    sending: Sending,
    /// When it is looked at again at the latest.
    pub(crate) alarm: Option<Tick>,
    half_closed: bool,
    /// Nothing is wanted any more, but that what is under way ends.
    leaving: bool,
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
    carry: Carry,
    assembler: Option<Assembler<Vec<u8>>>,
}

/// How it is with the request that receives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Receiving {
    /// It is to be made.
    Wanted,
    UnderWay,
    Cancelled,
    /// The peer sends nothing more.
    Ended,
}

/// How it is with the request that sends.
enum Sending {
    Nothing,
    /// It took only so much, and is to be made again.
    Rest {
        bytes: Vec<u8>,
        from: usize,
    },
    UnderWay {
        from: usize,
        until: Tick,
    },
}

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> Self {
        let handshake = ServerHandshake::new(HandshakeConfig::new());
        Self {
            stream,
            stage: Stage::Opening(Box::new(Opening { handshake, head: Vec::new() })),
            receiving: Receiving::Wanted,
            out: Vec::new(),
            sending: Sending::Nothing,
            alarm: None,
            half_closed: false,
            leaving: false,
        }
    }

    pub(crate) fn received(
        &mut self,
        ring: &mut Ring,
        result: io::Result<Option<Buffer>>,
        then: Then,
    ) {
        if then == Then::IsOver {
            self.receiving = Receiving::Wanted;
        }
        match result {
            Ok(Some(buffer)) => ring.lend(buffer, |bytes| self.receive(bytes)),
            Ok(None) => {
                self.receiving = Receiving::Ended;
                self.end();
            }
            // Cancelled by us, or all buffers were in use: they are back by now.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ECANCELED | libc::ENOBUFS)) => {
            }
            Err(_) => {
                self.receiving = Receiving::Ended;
                self.leave();
            }
        }
    }

    pub(crate) fn sent(&mut self, bytes: Vec<u8>, result: io::Result<usize>) {
        let from = match self.sending {
            Sending::UnderWay { from, .. } => from,
            _ => 0,
        };
        self.sending = Sending::Nothing;
        match result {
            Ok(len @ 1..) if from + len < bytes.len() => {
                self.sending = Sending::Rest { bytes, from: from + len };
            }
            Ok(1..) => {}
            _ => self.leave(),
        }
    }

    pub(crate) fn wake(&self) -> Wake {
        let stage = match &self.stage {
            _ if self.leaving => Wake::Never,
            Stage::Opening(opening) => opening.handshake.poll_timeout(),
            Stage::Open(_) if self.is_held_back() => Wake::Never,
            Stage::Open(open) => open.connection.poll_timeout(),
            Stage::Ending(until) => until.map_or(Wake::Now, Wake::At),
        };
        match (stage, &self.sending) {
            (Wake::At(at), Sending::UnderWay { until, .. }) => Wake::At(at.min(*until)),
            (Wake::Never, Sending::UnderWay { until, .. }) if !self.leaving => Wake::At(*until),
            _ => stage,
        }
    }

    pub(crate) fn pass_time(&mut self, now: Tick) {
        let held_back = self.is_held_back();
        match &mut self.stage {
            Stage::Opening(opening) => {
                if let Err(rejection) = opening.handshake.handle_timeout(now) {
                    self.reject(&rejection);
                }
            }
            // Whoever is not read is not silent: a send without progress ends it, if need be.
            Stage::Open(_) if held_back => {}
            // A failure has queued its Close.
            Stage::Open(open) => _ = open.connection.handle_timeout(now),
            Stage::Ending(until) => {
                if now >= *until.get_or_insert(now + LINGER) {
                    self.leave();
                }
            }
        }
        if matches!(self.sending, Sending::UnderWay { until, .. } if now >= until) {
            self.leave();
        }
    }

    /// Asks the ring for what comes next, and does what the engine wants done.
    pub(crate) fn submit(&mut self, key: usize, ring: &mut Ring, now: Tick) -> io::Result<()> {
        if self.leaving {
            return Ok(());
        }
        let step = match &mut self.stage {
            Stage::Open(open) => open.connection.append_transmit(&mut self.out),
            Stage::Opening(..) => Transmit::Idle,
            Stage::Ending(_) => Transmit::HalfClose,
        };
        self.submit_send(key, ring, now)?;
        match (step, &self.sending) {
            (Transmit::CloseNow, Sending::Nothing) => self.leave(),
            // What was said is written, if the peer takes it soon.
            (Transmit::CloseNow, _) => self.stage = Stage::Ending(None),
            (Transmit::HalfClose, Sending::Nothing) if !self.half_closed => {
                self.half_closed = true;
                if self.stream.shutdown(Shutdown::Write).is_err() {
                    self.leave();
                }
            }
            _ => {}
        }
        self.submit_receive(key, ring)
    }

    fn submit_send(&mut self, key: usize, ring: &mut Ring, now: Tick) -> io::Result<()> {
        let (bytes, from) = match std::mem::replace(&mut self.sending, Sending::Nothing) {
            Sending::Rest { bytes, from } => (bytes, from),
            Sending::Nothing if !self.out.is_empty() => (std::mem::take(&mut self.out), 0),
            other => {
                self.sending = other;
                return Ok(());
            }
        };
        self.sending = Sending::UnderWay { from, until: now + STALL };
        ring.send(key, &self.stream, bytes, from)
    }

    /// While the peer does not take its echoes, it gets no more: what it sends waits in its
    /// own socket.
    fn submit_receive(&mut self, key: usize, ring: &mut Ring) -> io::Result<()> {
        match (self.receiving, self.is_held_back()) {
            _ if self.leaving => Ok(()),
            (Receiving::Wanted, false) => {
                self.receiving = Receiving::UnderWay;
                ring.receive(key, &self.stream)
            }
            (Receiving::UnderWay, true) => {
                self.receiving = Receiving::Cancelled;
                ring.cancel_receive(key)
            }
            _ => Ok(()),
        }
    }

    /// Whether so much waits for the peer that it is not read.
    fn is_held_back(&self) -> bool {
        self.receiving != Receiving::Ended && self.out.len() >= BACKLOG_MAX
    }

    /// Both directions end, and with them all that is under way.
    fn leave(&mut self) {
        self.leaving = true;
        let _ = self.stream.shutdown(Shutdown::Both); // it may have gone first
    }

    /// Whether the kernel has nothing more to do with it.
    pub(crate) fn is_gone(&self) -> bool {
        let receives = matches!(self.receiving, Receiving::UnderWay | Receiving::Cancelled);
        let sends = matches!(self.sending, Sending::UnderWay { .. });
        self.leaving && !receives && !sends
    }

    fn receive(&mut self, bytes: &mut [u8]) {
        match &mut self.stage {
            _ if self.leaving => {}
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
            Stage::Ending(_) => {}
        }
    }

    fn end(&mut self) {
        match &mut self.stage {
            Stage::Open(open) => _ = open.connection.receive_end(),
            Stage::Opening(..) => self.leave(),
            Stage::Ending(_) if matches!(self.sending, Sending::Nothing) => self.leave(),
            Stage::Ending(_) => {}
        }
    }

    fn reject(&mut self, rejection: &Rejection) {
        let start = self.out.len();
        self.out.resize(start + rejection.response_len(), 0);
        let _ = rejection.write(&mut self.out[start..]); // it has that length
        self.stage = Stage::Ending(None);
    }
}

impl Open {
    fn echo(&mut self, mut bytes: &mut [u8], out: &mut Vec<u8>) {
        let Self { connection, carry, assembler } = self;
        // A failure ends the loop; its Close is queued, and sent like the rest.
        while let Ok(received) = carry.receive(connection, bytes) {
            match received.event {
                Some(Event::Data(data)) => match data.into_message() {
                    Ok(message) => _ = connection.append(message, out), // from the kernel's buffer
                    Err(piece) => {
                        let place = assembler
                            .get_or_insert_with(|| Assembler::new(Vec::new(), MESSAGE_LEN_MAX));
                        match place.push(piece).map(Assembled::message) {
                            Ok(None) => {}
                            Ok(Some(message)) => {
                                let _ = connection.append(message, out); // an error: closing
                                *assembler = None;
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
            assembler: None,
        };
        Ok(Some((open, self.head[request.head_len()..].to_vec())))
    }
}

/// So much may be encoded before receiving stops.
const BACKLOG_MAX: usize = 1 << 20;
/// As the engine has it.
const MESSAGE_LEN_MAX: usize = 1 << 20;
/// How long a send may make no progress.
const STALL: Duration = Duration::from_secs(30);
/// How long the end of the peer's side is waited for.
const LINGER: Duration = Duration::from_secs(1);
