//! Any calls in any order: what goes out is always a valid stream of frames, and
//! the connection only moves towards its end.

use std::time::Duration;

use arbitrary::Arbitrary;
use sansocket::frame::{self, FrameHeader, HEADER_LEN_MAX};
use sansocket::{
    CloseCode, Config, Connection, Event, Failure, Fin, FrameHead, HEAD_GAP, KeepAlive, Kind,
    Negotiated, Opcode, Replies, Role, SendError, Server, State, Tick, Transmit,
};

use crate::client;

/// What is called, on a connection of which kind.
#[derive(Arbitrary, Clone, Debug, PartialEq)]
pub struct Input<'a> {
    /// How the connection is configured.
    pub switches: Switches,
    /// The calls.
    pub operations: Vec<Operation<'a>>,
}

/// A choice of configuration.
#[derive(Arbitrary, Clone, Copy, Debug, Default, PartialEq)]
pub struct Switches {
    /// `Config::replies`.
    pub replies: u8,
    /// `Config::keep_alive`.
    pub keep_alive: u8,
    /// Its interval, in milliseconds.
    pub interval: u16,
    /// `Config::lifetime`, in milliseconds.
    pub lifetime: Option<u16>,
    /// `Config::message_idle`, in milliseconds.
    pub message_idle: Option<u16>,
}

/// A call, with its arguments. `room` is the length of the output.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the calls have the same names")]
pub enum Operation<'a> {
    Receive(&'a [u8]),
    /// A frame that is well-formed, to get further than any bytes do.
    ReceiveFrame {
        opcode: u8,
        last: bool,
        payload: &'a [u8],
    },
    ReceiveEnd,
    ReceiveReset,
    Abort,
    FailWith(u16),
    HandleTimeout {
        millis: u16,
    },
    Transmit {
        room: u8,
    },
    SendText {
        text: &'a str,
        room: u8,
    },
    SendBinary {
        bytes: &'a [u8],
        room: u8,
    },
    Append(&'a [u8]),
    Fragment {
        text: bool,
        last: bool,
        payload: &'a [u8],
        room: u8,
    },
    Head {
        last: bool,
        payload_len: u16,
    },
    Payload {
        len: u16,
    },
    SendInPlace {
        text: bool,
        payload: &'a [u8],
    },
    Ping {
        payload: &'a [u8],
        room: u8,
    },
    Pong {
        payload: &'a [u8],
        room: u8,
    },
    Close {
        code: Option<u16>,
        reason: &'a str,
        room: u8,
    },
}

/// Makes the calls on a server and on a client.
pub fn check(input: Input<'_>) {
    play(Server, client(), input.clone());
    play(client(), Server, input);
}

/// Plays the operations on a connection of `role`, and lets a connection of
/// `peer` judge what it writes.
fn play<R: Role, P: Role>(role: R, peer: P, input: Input<'_>) {
    let mut played = Played {
        connection: Connection::new(Negotiated::from_upgraded(), role, &input.switches.config()),
        judge: Judge::new(peer),
        head: None,
        kept: Vec::new(),
        now: Tick::ZERO,
        failure: None,
        over: false,
    };
    for operation in input.operations {
        let before = rank(played.connection.state());
        played.play(operation);
        assert!(rank(played.connection.state()) >= before, "it went back");
    }
}

impl Switches {
    fn config(self) -> Config {
        let interval = Duration::from_millis(self.interval.into());
        let millis = |millis: u16| Duration::from_millis(millis.into());
        Config::new()
            .replies(match self.replies % 3 {
                0 => Replies::Automatic,
                1 => Replies::CloseOnly,
                _ => Replies::Manual,
            })
            .keep_alive(match self.keep_alive % 3 {
                0 => KeepAlive::Off,
                1 => KeepAlive::UnsolicitedPong { interval },
                _ => KeepAlive::PingPong { interval, timeout: interval },
            })
            .lifetime(self.lifetime.map(millis))
            .message_idle(self.message_idle.map(millis))
    }
}

struct Played<R: Role, P: Role> {
    connection: Connection<R>,
    judge: Judge<P>,
    /// The head whose payload is being written, with what is left of it.
    head: Option<(FrameHead, u64)>,
    kept: Vec<u8>,
    now: Tick,
    failure: Option<Failure>,
    /// The transport was said to be of no more use.
    over: bool,
}

impl<R: Role, P: Role> Played<R, P> {
    fn play(&mut self, operation: Operation<'_>) {
        match operation {
            Operation::Receive(bytes) => self.receive(bytes),
            Operation::ReceiveFrame { opcode, last, payload } => {
                let Some(opcode) = Opcode::from_bits(opcode & 0xf) else { return };
                self.receive(&frame::<P>(opcode, fin(last), payload));
            }
            Operation::ReceiveEnd => _ = self.connection.receive_end(),
            Operation::ReceiveReset => _ = self.connection.receive_reset(),
            Operation::Abort => _ = self.connection.abort(),
            Operation::FailWith(code) => {
                let failure = self.connection.fail_with(CloseCode::new(code));
                // A connection that is closed cannot fail any more.
                if self.connection.state() == State::Failed {
                    self.fail(failure);
                }
            }
            Operation::HandleTimeout { millis } => {
                self.now = self.now + Duration::from_millis(millis.into());
                if let Err(failure) = self.connection.handle_timeout(self.now) {
                    self.fail(failure);
                }
            }
            Operation::Transmit { room } => self.transmit(room),
            Operation::SendText { text, room } => self.send(room, |c, out| c.send(text, out)),
            Operation::SendBinary { bytes, room } => self.send(room, |c, out| c.send(bytes, out)),
            Operation::Append(bytes) => {
                let mut out = Vec::new();
                if self.connection.append(bytes, &mut out).is_err() {
                    assert_eq!(out, []);
                }
                self.judge.take(&out);
            }
            Operation::Fragment { text, last, payload, room } => {
                let (kind, fin) = (kind(text), fin(last));
                self.send(room, |c, out| c.send_fragment(kind, fin, payload, out));
            }
            Operation::Head { last, payload_len } => self.head(last, payload_len),
            Operation::Payload { len } => self.payload(len),
            Operation::SendInPlace { text, payload } => {
                let mut buf = vec![0xaa; HEAD_GAP];
                buf.extend_from_slice(payload);
                if let Ok(frame) = self.connection.send_in_place(kind(text), &mut buf) {
                    self.judge.take(frame);
                }
            }
            Operation::Ping { payload, room } => self.send(room, |c, out| c.ping(payload, out)),
            Operation::Pong { payload, room } => self.send(room, |c, out| c.pong(payload, out)),
            Operation::Close { code, reason, room } => {
                self.send(room, |c, out| c.close(code.map(CloseCode::new), reason, out));
            }
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
        let mut rest = &mut self.kept[..];
        let mut left = 0;
        let failure = loop {
            match self.connection.receive(rest) {
                Err(failure) => break Some(failure),
                Ok(received) => {
                    left = received.rest.len();
                    rest = received.rest;
                    if received.event.is_none() {
                        break None;
                    }
                    assert_eq!(self.failure, None, "an event after the failure");
                }
            }
        };
        match failure {
            Some(failure) => {
                self.kept.clear();
                self.fail(failure);
            }
            None => drop(self.kept.drain(..self.kept.len() - left)),
        }
    }

    /// The first failure stays.
    fn fail(&mut self, failure: Failure) {
        assert_eq!(*self.failure.get_or_insert(failure), failure);
    }

    fn send(
        &mut self,
        room: u8,
        call: impl FnOnce(&mut Connection<R>, &mut [u8]) -> Result<usize, SendError>,
    ) {
        let mut out = vec![0xaa; room.into()];
        match call(&mut self.connection, &mut out) {
            Ok(len) => self.judge.take(&out[..len]),
            Err(_) => assert!(out.iter().all(|byte| *byte == 0xaa), "an error that wrote"),
        }
    }

    fn transmit(&mut self, room: u8) {
        let mut out = vec![0; room.into()];
        let transmit = self.connection.poll_transmit(&mut out);
        assert!(!self.over || transmit == Transmit::CloseNow, "{transmit:?} after CloseNow");
        match transmit {
            Transmit::Bytes(bytes) => {
                assert!(!bytes.is_empty());
                assert!(self.head.is_none(), "a frame inside a payload");
                self.judge.take(bytes);
            }
            Transmit::Full { need } => assert!(need > usize::from(room) && need <= 131),
            Transmit::CloseNow => self.over = true,
            Transmit::Idle | Transmit::AwaitPeer | Transmit::HalfClose => {}
        }
    }

    /// Only binary: the text behind a head is the caller's to check.
    fn head(&mut self, last: bool, payload_len: u16) {
        if let Ok(head) = self.connection.head(Kind::Binary, fin(last), payload_len.into()) {
            assert!(self.head.is_none(), "a head inside a payload");
            self.judge.take(head.as_bytes());
            self.head = (payload_len > 0).then_some((head, payload_len.into()));
        }
    }

    fn payload(&mut self, len: u16) {
        let len = u64::from(len);
        let left = self.head.as_ref().map_or(0, |(_, left)| *left);
        let written = self.connection.payload_written(len);
        assert_eq!(written.is_ok(), len <= left);
        if let (Ok(()), Some((head, left))) = (written, &mut self.head) {
            let mut payload = vec![b'p'; usize::try_from(len).expect("16 bits")];
            head.mask(&mut payload);
            self.judge.take(&payload);
            *left -= len;
        }
        self.head = self.head.take().filter(|(_, left)| *left > 0);
    }
}

/// A peer without limits, that looks at every byte written.
struct Judge<P: Role> {
    connection: Connection<P>,
    kept: Vec<u8>,
    closed: bool,
}

impl<P: Role> Judge<P> {
    fn new(role: P) -> Self {
        let config = Config::new()
            .message_len_max(u64::MAX)
            .fragments_max(u32::MAX)
            .control_frames_max(u32::MAX);
        let connection = Connection::new(Negotiated::from_upgraded(), role, &config);
        Self { connection, kept: Vec::new(), closed: false }
    }

    /// The bytes must be frames that break no rule, a Close the last but for the
    /// Pongs that the other side may still ask for (RFC 6455 section 5.5.2).
    fn take(&mut self, bytes: &[u8]) {
        if self.closed {
            assert!(bytes.first().is_none_or(|first| *first == 0x8a), "{bytes:x?} after the Close");
            return;
        }
        self.kept.extend_from_slice(bytes);
        loop {
            let len = self.kept.len();
            let received = self.connection.receive(&mut self.kept).expect("a valid stream");
            let Some(event) = received.event else { return };
            self.closed = matches!(event, Event::Close(_));
            let consumed = len - received.rest.len();
            self.kept.drain(..consumed);
            if self.closed {
                assert_eq!(self.kept, [], "something behind the Close");
                return;
            }
        }
    }
}

/// A frame of a peer in role `P`, masked with zeros if that is a client.
fn frame<P: Role>(opcode: Opcode, fin: Fin, payload: &[u8]) -> Vec<u8> {
    // A masked frame is longer by its key.
    let masks = Connection::<P>::frame_len(0) > 2;
    let key = masks.then_some([0; 4]);
    let header = FrameHeader { fin, reserved: 0, opcode, key, payload_len: payload.len() as u64 };
    let mut frame = vec![0; HEADER_LEN_MAX + payload.len()];
    let len = frame::encode(&header, payload, &mut frame).expect("it fits");
    frame.truncate(len);
    frame
}

fn kind(text: bool) -> Kind {
    if text { Kind::Text } else { Kind::Binary }
}

fn fin(last: bool) -> Fin {
    if last { Fin::Last } else { Fin::More }
}

/// How far a connection is towards its end.
fn rank(state: State) -> u8 {
    match state {
        State::Open => 0,
        State::CloseSent | State::CloseReceived => 1,
        State::Closed => 2,
        State::Failed => 3,
    }
}
