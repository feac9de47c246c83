//! P5: chunking is invisible. P4: failing means failing properly.

use arbitrary::Arbitrary;
use sansocket::{
    CloseCode, Config, Connection, Event, Failure, FrameStart, Kind, Negotiated, Role, SendError,
    Server, State, Transmit,
};

use crate::{Cuts, client};

/// Small limits, so that a short input reaches them.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// `Config::message_len_max`.
    pub message_len_max: u8,
    /// `Config::frame_len_max`.
    pub frame_len_max: Option<u8>,
    /// `Config::fragments_max`.
    pub fragments_max: u8,
    /// `Config::control_frames_max`.
    pub control_frames_max: u8,
    /// Whether what may be accepted is accepted.
    pub lenient: bool,
}

/// What an endpoint receives.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
pub struct Input<'a> {
    /// The limits that it has.
    pub limits: Limits,
    /// How the bytes come.
    pub cuts: Cuts,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl Limits {
    fn config(self) -> Config {
        let config = Config::new()
            .message_len_max(self.message_len_max.into())
            .fragments_max(self.fragments_max.into())
            .control_frames_max(self.control_frames_max.into());
        let config = match self.frame_len_max {
            Some(len) => config.frame_len_max(len.into()),
            None => config,
        };
        if self.lenient { config.accept_unmasked().accept_non_minimal_length() } else { config }
    }
}

/// What a server receives.
pub fn check_server(input: Input<'_>) {
    check(&Server, input);
}

/// What a client receives.
pub fn check_client(input: Input<'_>) {
    check(&client(), input);
}

/// Cut as the input says, or byte by byte, the bytes have the outcome that they
/// have whole.
fn check<R: Role + Clone>(role: &R, input: Input<'_>) {
    let Input { limits, cuts, bytes } = input;
    let whole = outcome(role, limits, [bytes].into_iter());
    assert_eq!(outcome(role, limits, cuts.of(bytes)), whole, "cut");
    assert_eq!(outcome(role, limits, bytes.chunks(1)), whole, "byte by byte");
}

/// All that can be seen of a stream: what was delivered, what was replied, how
/// it stands.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    seen: Vec<Seen>,
    replies: Vec<u8>,
    next: Option<Transmit<'static>>,
    failure: Option<Failure>,
    state: Option<State>,
}

/// An event, but for the borders of data pieces.
#[derive(Debug, PartialEq)]
enum Seen {
    Frame(Kind, FrameStart),
    Bytes(Vec<u8>),
    MessageEnd,
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(CloseCode, String)>),
}

fn outcome<'a, R: Role + Clone>(
    role: &R,
    limits: Limits,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Outcome {
    let mut connection =
        Connection::new(Negotiated::from_upgraded(), role.clone(), &limits.config());
    let mut outcome = Outcome::default();
    let mut kept = Vec::new();
    for piece in pieces {
        kept.extend_from_slice(piece);
        if let Err(failure) = outcome.take(&mut connection, &mut kept) {
            check_failed(&mut connection, failure);
            outcome.failure = Some(failure);
            break;
        }
    }
    outcome.next = Some(connection.append_transmit(&mut outcome.replies));
    outcome.state = Some(connection.state());
    outcome
}

impl Outcome {
    /// Receives all that can be received of `kept`, and leaves the rest there.
    fn take<R: Role>(
        &mut self,
        connection: &mut Connection<R>,
        kept: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let len = kept.len();
        let mut rest = &mut kept[..];
        loop {
            let received = connection.receive(rest)?;
            rest = received.rest;
            match received.event {
                Some(event) => self.see(event),
                None => {
                    assert!(received.need > rest.len(), "it wants what it has");
                    assert!(received.need <= 131, "it wants more than a control frame");
                    let consumed = len - rest.len();
                    kept.drain(..consumed);
                    return Ok(());
                }
            }
            self.next = Some(connection.append_transmit(&mut self.replies));
        }
    }

    fn see(&mut self, event: Event<'_>) {
        match event {
            Event::Data(data) => {
                if let Some(start) = data.frame_start() {
                    self.seen.push(Seen::Frame(data.kind(), start));
                }
                match self.seen.last_mut() {
                    _ if data.bytes().is_empty() => {}
                    Some(Seen::Bytes(bytes)) => bytes.extend_from_slice(data.bytes()),
                    _ => self.seen.push(Seen::Bytes(data.bytes().to_vec())),
                }
                if data.ends_message() {
                    self.seen.push(Seen::MessageEnd);
                }
            }
            Event::Ping(payload) => self.seen.push(Seen::Ping(payload.to_vec())),
            Event::Pong(payload) => self.seen.push(Seen::Pong(payload.to_vec())),
            Event::Close(frame) => {
                self.seen
                    .push(Seen::Close(frame.map(|frame| (frame.code, frame.reason.to_owned()))));
            }
        }
    }
}

/// The failure is final, its Close is owed, and nothing else can be sent.
fn check_failed<R: Role>(connection: &mut Connection<R>, failure: Failure) {
    assert_eq!(connection.receive(&mut [0x81]).map(|_| ()), Err(failure));
    assert_eq!(connection.state(), State::Failed);
    assert_eq!(connection.send("late", &mut [0; 32]), Err(SendError::Closed));
    // Only asked whether; the Close itself is among the replies compared.
    assert!(matches!(connection.poll_transmit(&mut []), Transmit::Full { need: 4..=131 }));
    assert!(failure.code().is_allowed_on_wire());
}
