//! An embedder over bytes in memory, and the one place where a case meets the
//! engine: [`check`] runs a stream in every way it can be cut.

#![allow(dead_code, unused_imports, reason = "each test binary uses another part of the harness")]

#[cfg(feature = "deflate")]
pub(crate) mod compressed;
#[cfg(feature = "deflate")]
pub(crate) mod deflate;
mod wire;

use std::collections::BTreeSet;

use sansocket::{
    Config, Connection, Event, Extension, Failure, FrameStart, Kind, Negotiated, NoExtension,
    Obligation, ReceiveHalf, Received, Role, Rule, SendError, SendHalf, State, Transmit,
    TransportStep,
};

pub(crate) use wire::{
    CountingKeys, Endpoint, Frame, Part, TestClient, first_frame, frame, frames, len_field, written,
};

/// Room for any frame that can be owed, and no more.
pub(crate) const OWED_LEN_MAX: usize = 131;

/// An open connection in the role `R`.
pub(crate) fn open<R: Endpoint>(config: &Config) -> Connection<R> {
    Connection::new(Negotiated::from_upgraded(), R::endpoint(), config)
}

/// Does a check for the server's end and for the client's.
pub(crate) fn in_both_roles(check: [fn(); 2]) {
    check.iter().for_each(|check| check());
}

/// Receives what the peer sends until there is no event, and answers nothing.
///
/// # Errors
///
/// The failure, if the connection failed.
pub(crate) fn receive_all<R: Endpoint>(
    connection: &mut Connection<R>,
    parts: &[Part<'_>],
) -> Result<(), Failure> {
    let mut bytes = R::from_peer(parts);
    let mut rest = &mut bytes[..];
    loop {
        let received = connection.receive(rest)?;
        rest = received.rest;
        if received.event.is_none() {
            return Ok(());
        }
    }
}

/// What a stream of bytes led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) events: Vec<Seen>,
    pub(crate) written: Vec<u8>,
    pub(crate) failure: Option<Failure>,
    pub(crate) state: State,
    pub(crate) step: TransportStep,
}

impl Outcome {
    /// What was heard, in words; see [`heard`].
    pub(crate) fn heard(&self) -> String {
        heard(&self.events)
    }

    /// The rule broken and the offset of the byte that broke it.
    pub(crate) fn broken(&self) -> Option<(Rule, u64)> {
        self.failure.map(|failure| (failure.rule(), failure.offset()))
    }
}

/// An event, kept. The pieces of a message that follow each other are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Data(Piece),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// A message, or the part of it between two control frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
    pub(crate) starts: bool,
    pub(crate) ends: bool,
    pub(crate) frames: Vec<FrameStart>,
    pub(crate) frame_left: u64,
}

/// Events in words: `text [Hel`, `ping x`, `text lo]`, `close 1000 bye`. A
/// bracket opens and closes a message.
pub(crate) fn heard(events: &[Seen]) -> String {
    events.iter().map(Seen::in_words).collect::<Vec<_>>().join(", ")
}

impl Seen {
    fn in_words(&self) -> String {
        match self {
            Self::Data(Piece { kind, bytes, starts, ends, .. }) => {
                let kind = if *kind == Kind::Text { "text" } else { "binary" };
                let start = if *starts { "[" } else { "" };
                let end = if *ends { "]" } else { "" };
                format!("{kind} {start}{}{end}", bytes.escape_ascii())
            }
            Self::Ping(payload) => format!("ping {}", payload.escape_ascii()),
            Self::Pong(payload) => format!("pong {}", payload.escape_ascii()),
            Self::Close(None) => "close".to_owned(),
            Self::Close(Some((code, reason))) => {
                format!("close {code} {}", reason.escape_default()).trim_end().to_owned()
            }
        }
    }
}

/// The whole messages in `events`, in order.
pub(crate) fn messages(events: &[Seen]) -> Vec<(Kind, Vec<u8>)> {
    let mut messages = Vec::new();
    let mut under_way = Vec::new();
    for event in events {
        let Seen::Data(piece) = event else { continue };
        assert_eq!(piece.starts, under_way.is_empty(), "{events:?}");
        under_way.push(piece);
        if piece.ends {
            let bytes = under_way.drain(..).flat_map(|piece| piece.bytes.clone()).collect();
            messages.push((piece.kind, bytes));
        }
    }
    messages
}

/// An engine as the embedder sees it: a connection, or its halves.
pub(crate) trait Engine {
    fn receive<'b>(&'b mut self, buf: &'b mut [u8]) -> Result<Received<'b>, Failure>;

    /// Receives once, and keeps the event; what is compressed is inflated into `out`.
    fn hear(
        &mut self,
        buf: &mut [u8],
        _out: &mut [u8],
        events: &mut Vec<Seen>,
    ) -> Result<Step, Failure> {
        let received = self.receive(buf)?;
        let step = Step::of(&received);
        received.event.into_iter().for_each(|event| record(events, event));
        Ok(step)
    }

    fn poll_transmit<'o>(&mut self, out: &'o mut [u8]) -> Transmit<'o>;
    fn send(&mut self, text: &str, out: &mut [u8]) -> Result<usize, SendError>;
    fn state(&self) -> State;
}

/// What one call made of the bytes it was given, besides the event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    is_event: bool,
    rest_len: usize,
    need: usize,
}

impl Step {
    fn of(received: &Received<'_>) -> Self {
        let Received { event, rest, need } = received;
        Self { is_event: event.is_some(), rest_len: rest.len(), need: *need }
    }
}

impl<R: Role, X: Extension> Engine for Connection<R, X> {
    fn receive<'b>(&'b mut self, buf: &'b mut [u8]) -> Result<Received<'b>, Failure> {
        self.receive(buf)
    }

    fn hear(
        &mut self,
        buf: &mut [u8],
        out: &mut [u8],
        events: &mut Vec<Seen>,
    ) -> Result<Step, Failure> {
        let received = self.receive(buf)?;
        let step = Step::of(&received);
        match received.event {
            Some(Event::Data(mut piece)) if piece.is_compressed() => {
                while let Some(data) = self.inflate(&mut piece, out)? {
                    record(events, Event::Data(data));
                }
                assert!(piece.bytes().is_empty(), "not used up: {piece:?}");
            }
            event => event.into_iter().for_each(|event| record(events, event)),
        }
        Ok(step)
    }

    fn poll_transmit<'o>(&mut self, out: &'o mut [u8]) -> Transmit<'o> {
        self.poll_transmit(out)
    }

    fn send(&mut self, text: &str, out: &mut [u8]) -> Result<usize, SendError> {
        self.send(text, out)
    }

    fn state(&self) -> State {
        self.state()
    }
}

/// A split connection whose obligations are carried over one call later.
#[derive(Debug)]
pub(crate) struct Halves<R, X: Extension = NoExtension> {
    pub(crate) receiving: ReceiveHalf<R, X>,
    pub(crate) sending: SendHalf<R, X>,
    pub(crate) carried: Vec<Obligation>,
}

impl<R: Endpoint> Halves<R> {
    pub(crate) fn open(config: &Config) -> Self {
        Self::of(open::<R>(config))
    }
}

impl<R: Role, X: Extension> Halves<R, X> {
    pub(crate) fn of(connection: Connection<R, X>) -> Self {
        let (receiving, sending) = connection.into_split();
        Self { receiving, sending, carried: Vec::new() }
    }
}

impl<R: Role, X: Extension> Engine for Halves<R, X> {
    fn receive<'b>(&'b mut self, buf: &'b mut [u8]) -> Result<Received<'b>, Failure> {
        self.receiving.receive(buf, |obligation| self.carried.push(obligation))
    }

    fn hear(
        &mut self,
        buf: &mut [u8],
        out: &mut [u8],
        events: &mut Vec<Seen>,
    ) -> Result<Step, Failure> {
        let Self { receiving, carried, .. } = self;
        let mut owed = |obligation| carried.push(obligation);
        let received = receiving.receive(buf, &mut owed)?;
        let step = Step::of(&received);
        match received.event {
            Some(Event::Data(mut piece)) if piece.is_compressed() => {
                while let Some(data) = receiving.inflate(&mut piece, out, &mut owed)? {
                    record(events, Event::Data(data));
                }
                assert!(piece.bytes().is_empty(), "not used up: {piece:?}");
            }
            event => event.into_iter().for_each(|event| record(events, event)),
        }
        Ok(step)
    }

    fn poll_transmit<'o>(&mut self, out: &'o mut [u8]) -> Transmit<'o> {
        for obligation in self.carried.drain(..) {
            self.sending.take(obligation);
        }
        match (self.sending.poll_transmit(out), self.receiving.transport_step()) {
            (Transmit::Idle, _) if self.sending.is_owing() => Transmit::Idle,
            (Transmit::Idle, TransportStep::AwaitPeer) => Transmit::AwaitPeer,
            (Transmit::Idle, TransportStep::HalfClose) => Transmit::HalfClose,
            (Transmit::Idle, TransportStep::CloseNow) => Transmit::CloseNow,
            (transmit, _) => transmit,
        }
    }

    fn send(&mut self, text: &str, out: &mut [u8]) -> Result<usize, SendError> {
        self.sending.send(text, out)
    }

    fn state(&self) -> State {
        self.receiving.state()
    }
}

/// An embedder: a buffer before the engine, a log behind it.
#[derive(Debug)]
pub(crate) struct Embedder<E> {
    pub(crate) engine: E,
    input: Vec<u8>,
    /// Where to inflate to.
    inflated: Vec<u8>,
    pub(crate) events: Vec<Seen>,
    pub(crate) written: Vec<u8>,
    pub(crate) failure: Option<Failure>,
}

impl<E: Engine> Embedder<E> {
    pub(crate) fn new(engine: E) -> Self {
        Self::inflating(engine, INFLATED_LEN)
    }

    /// An embedder that inflates into a place of this length.
    pub(crate) fn inflating(engine: E, out_len: usize) -> Self {
        let (input, events, written) = Default::default();
        Self { engine, input, inflated: vec![0; out_len], events, written, failure: None }
    }

    /// Takes bytes from the transport as the book says: receives until there is
    /// no event, and writes what is owed after each.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if let Some(failure) = self.failure {
            return self.check_stays_failed(failure, bytes);
        }
        self.input.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(consumed) = self.receive(start) {
            start += consumed;
        }
        self.input.drain(..start);
    }

    /// Writes what is owed, and returns what to do with the transport.
    pub(crate) fn flush(&mut self) -> TransportStep {
        loop {
            match self.engine.poll_transmit(&mut [0; OWED_LEN_MAX]) {
                Transmit::Bytes(bytes) => self.written.extend_from_slice(bytes),
                Transmit::Full { need } => panic!("{need} bytes do not fit {OWED_LEN_MAX}"),
                Transmit::Idle => return TransportStep::Keep,
                Transmit::AwaitPeer => return TransportStep::AwaitPeer,
                Transmit::HalfClose => return TransportStep::HalfClose,
                Transmit::CloseNow => return TransportStep::CloseNow,
            }
        }
    }

    pub(crate) fn heard(&self) -> String {
        heard(&self.events)
    }

    pub(crate) fn outcome(mut self) -> Outcome {
        let step = self.flush();
        let state = self.engine.state();
        let Self { events, written, failure, .. } = self;
        Outcome { events, written, failure, state, step }
    }

    /// Receives once from `start`; returns how much an event consumed.
    fn receive(&mut self, start: usize) -> Option<usize> {
        let unread = &mut self.input[start..];
        let (presented, before) = (unread.len(), self.engine.state());
        let Step { is_event, rest_len: rest, need } =
            match self.engine.hear(unread, &mut self.inflated, &mut self.events) {
                Ok(step) => step,
                Err(failure) => {
                    self.failure = Some(failure);
                    self.check_fails_properly(failure, before);
                    return None;
                }
            };
        assert!(is_event || rest < need && need <= OWED_LEN_MAX, "need {need} with {rest}");
        let _ = self.flush();
        if is_event {
            assert!(rest < presented, "an event consumed nothing");
            return Some(presented - rest);
        }
        self.input.truncate(start + presented);
        self.input.drain(start..start + presented - rest);
        None
    }

    /// Promise P4, for a connection that was in the state `before`.
    fn check_fails_properly(&mut self, failure: Failure, before: State) {
        let owed_before = self.written.len();
        assert_eq!(self.flush(), TransportStep::HalfClose);
        let owed = frames(&self.written[owed_before..]);
        let closes = owed.iter().filter(|frame| frame.first == 0x88).count();
        if before == State::Open {
            let code = failure.code().number().to_be_bytes();
            assert_eq!(owed.last().map(|frame| &frame.payload[..]), Some(&code[..]));
            assert_eq!(closes, 1, "{owed:02x?}");
        } else {
            assert_eq!(closes, 0, "{owed:02x?}");
        }
        self.check_stays_failed(failure, b"");
        self.check_stays_failed(failure, b"\x81\x00");
    }

    fn check_stays_failed(&mut self, failure: Failure, bytes: &[u8]) {
        let again = self.engine.receive(&mut bytes.to_vec()).map(|received| received.need);
        assert_eq!(again, Err(failure));
        assert_eq!(self.engine.state(), State::Failed);
        let mut out = [7; 32];
        assert_eq!(self.engine.send("late", &mut out), Err(SendError::Closed));
        assert_eq!(out, [7; 32]);
        let written = self.written.len();
        let step = self.flush();
        assert!(matches!(step, TransportStep::HalfClose | TransportStep::CloseNow), "{step:?}");
        assert_eq!(self.written.len(), written, "something was sent after the Close");
    }
}

/// Receives `stream` in these pieces.
pub(crate) fn run<E: Engine>(engine: E, pieces: &[&[u8]]) -> Outcome {
    run_inflating(engine, INFLATED_LEN, pieces)
}

/// [`run`] with a place of this length to inflate into.
pub(crate) fn run_inflating<E: Engine>(engine: E, out_len: usize, pieces: &[&[u8]]) -> Outcome {
    let mut embedder = Embedder::inflating(engine, out_len);
    for piece in pieces {
        embedder.feed(piece);
    }
    embedder.outcome()
}

/// Receives `stream` whole, byte by byte and in every two and three pieces, and
/// checks that it makes no difference (promise P5), and that a failure comes with
/// the byte that it names and not before.
///
/// A stream of more than [`EVERY_CUT_LEN_MAX`] bytes is cut around the borders of
/// its frames only.
pub(crate) fn check<R: Endpoint>(config: &Config, stream: &[u8]) -> Outcome {
    check_with(|| open::<R>(config), stream)
}

/// [`check`] for engines of any make.
pub(crate) fn check_with<E: Engine>(engine: impl Fn() -> E, stream: &[u8]) -> Outcome {
    let whole = run(engine(), &[stream]);
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(run(engine(), &bytes), whole, "byte by byte: {:02x?}", start_of(stream));
    let points = cut_points(stream);
    for (i, first) in points.iter().enumerate() {
        for second in &points[i..] {
            let pieces = [&stream[..*first], &stream[*first..*second], &stream[*second..]];
            let cut = run(engine(), &pieces);
            assert_eq!(cut, whole, "cut at {first} and {second}: {:02x?}", start_of(stream));
        }
    }
    check_fails_at_the_byte(engine, stream, &whole);
    whole
}

/// [`check`] in both roles, of what the role's peer sends.
pub(crate) fn check_both(config: &Config, parts: &[Part<'_>], judge: impl Fn(Outcome, Judged)) {
    judge(
        check::<sansocket::Server>(config, &sansocket::Server::from_peer(parts)),
        Judged::of::<sansocket::Server>(),
    );
    judge(check::<TestClient>(config, &TestClient::from_peer(parts)), Judged::of::<TestClient>());
}

/// The role that an outcome was reached in, as functions.
#[derive(Clone, Copy)]
pub(crate) struct Judged {
    pub(crate) is_server: bool,
    pub(crate) from_peer: fn(&[Part<'_>]) -> Vec<u8>,
    pub(crate) written: fn(&[u8]) -> String,
    pub(crate) peer_header_len: fn(usize) -> usize,
}

impl Judged {
    fn of<R: Endpoint>() -> Self {
        Self {
            is_server: R::is_server(),
            from_peer: R::from_peer,
            written: written::<R>,
            peer_header_len: R::peer_header_len,
        }
    }
}

/// A stream that must fail: as a row, for both roles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Breach<'a> {
    /// What the peer sends; the last part breaks the rule.
    pub(crate) parts: &'a [Part<'a>],
    /// What is heard before.
    pub(crate) heard: &'a str,
    pub(crate) code: u16,
    pub(crate) rule: Rule,
    /// The byte of the last part at which it cannot go on.
    pub(crate) at: At,
}

/// A byte of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    /// Of its header.
    Header(usize),
    /// Of its payload.
    Payload(usize),
}

/// Checks that a connection fails as the row says, in both roles, and that what
/// is valid behind it is neither heard nor answered.
pub(crate) fn check_breach(config: &Config, row: &Breach<'_>) {
    let behind = [Part::Frame(0x82, b"behind"), Part::Frame(0x89, b"behind")];
    check_both(config, &[row.parts, &behind].concat(), |outcome, role| {
        let (last, before) = row.parts.split_last().expect("a part that breaks the rule");
        let at = match (row.at, last) {
            (At::Header(at), _) => at,
            (At::Payload(at), Part::Frame(_, payload)) => {
                (role.peer_header_len)(payload.len()) + at
            }
            (At::Payload(_), _) => panic!("a payload without a frame: {row:?}"),
        };
        let offset = (role.from_peer)(before).len() + at;
        assert_eq!(outcome.heard(), row.heard, "{row:?}");
        assert_eq!(outcome.broken(), Some((row.rule, offset as u64)), "{row:?}");
        assert_eq!(outcome.step, TransportStep::HalfClose, "{row:?}");
        let pongs = row.heard.split(", ").filter_map(|heard| heard.strip_prefix("ping "));
        let answers: String = pongs.map(|payload| format!("pong {payload}, ")).collect();
        let written = (role.written)(&outcome.written);
        assert_eq!(written, format!("{answers}close {}", row.code), "{row:?}");
    });
}

/// Streams of all sorts, for what must not make a difference. Some fail, one by
/// a budget of three control frames.
pub(crate) const STREAMS: &[&[Part<'_>]] = &[
    &[Part::Frame(0x81, b"gr\xc3\xbc\xc3\x9fe"), Part::Frame(0x82, b""), Part::Frame(0x8a, b"p")],
    &[Part::Frame(0x01, b"\xf0\x9f"), Part::Frame(0x89, b"?"), Part::Frame(0x80, b"\x98\x80")],
    &[
        Part::Frame(0x02, &[7; 130]),
        Part::Frame(0x89, b""),
        Part::Frame(0x00, b""),
        Part::Frame(0x80, b"z"),
    ],
    &[Part::Frame(0x89, b"?"), Part::Frame(0x88, b"\x03\xe8bye"), Part::Frame(0x81, b"late")],
    &[Part::Frame(0x88, b""), Part::Frame(0x88, b"\x03\xe8")],
    &[
        Part::Frame(0x89, b"1"),
        Part::Frame(0x89, b"2"),
        Part::Frame(0x8a, b"3"),
        Part::Frame(0x89, b"4"),
    ],
    &[Part::Frame(0x89, b"?"), Part::Frame(0x81, b"valid\xff"), Part::Frame(0x81, b"late")],
    &[Part::Frame(0x01, b"\xe2"), Part::Frame(0x80, b""), Part::Frame(0x89, b"late")],
    &[Part::Frame(0x89, b"?"), Part::Frame(0x88, b"\x03\xe8bad\xff")],
    &[Part::Frame(0x88, b"\x03\xedand a reason")],
    &[Part::Frame(0x82, b"x"), Part::Header(0x82, &[127, 0, 0, 0, 0, 0, 0, 0xff, 0xff])],
    &[Part::Frame(0x82, b"x"), Part::Header(0x02, &[126, 1, 0]), Part::Raw(b"not whole")],
    &[Part::Raw(&[0x83, 0x80])],
];

/// Room for what most compressed pieces become.
const INFLATED_LEN: usize = 4096;

/// Up to this length a stream is cut everywhere.
pub(crate) const EVERY_CUT_LEN_MAX: usize = 512;

fn record(events: &mut Vec<Seen>, event: Event<'_>) {
    let seen = match event {
        Event::Ping(payload) => Seen::Ping(payload.to_vec()),
        Event::Pong(payload) => Seen::Pong(payload.to_vec()),
        Event::Close(frame) => {
            Seen::Close(frame.map(|frame| (frame.code.number(), frame.reason.to_owned())))
        }
        Event::Data(data) => {
            let (starts, ends, frame_left) =
                (data.starts_message(), data.ends_message(), data.frame_left());
            if let (Some(Seen::Data(last)), false) = (events.last_mut(), starts) {
                assert!(!last.ends && last.kind == data.kind(), "{data:?} after {last:?}");
                last.bytes.extend_from_slice(data.bytes());
                last.frames.extend(data.frame_start());
                (last.ends, last.frame_left) = (ends, frame_left);
                return;
            }
            Seen::Data(Piece {
                kind: data.kind(),
                bytes: data.bytes().to_vec(),
                starts,
                ends,
                frames: data.frame_start().into_iter().collect(),
                frame_left,
            })
        }
    };
    events.push(seen);
}

fn cut_points(stream: &[u8]) -> Vec<usize> {
    if stream.len() <= EVERY_CUT_LEN_MAX {
        return (0..=stream.len()).collect();
    }
    let mut points = BTreeSet::from([stream.len()]);
    let mut border = 0;
    for frame_len in frames(stream).iter().map(Frame::len).chain([0]) {
        points.extend([border, border + 1, border + 2, border + 4, border + 10, border + 14]);
        border += frame_len;
        points.insert(border.saturating_sub(1));
    }
    points.retain(|point| *point <= stream.len());
    points.into_iter().collect()
}

/// What came before the byte that a failure names is no failure, and was
/// delivered; with the byte it is one.
fn check_fails_at_the_byte<E: Engine>(engine: impl Fn() -> E, stream: &[u8], whole: &Outcome) {
    let Some(failure) = whole.failure else { return };
    let offset = usize::try_from(failure.offset()).expect("an offset in the stream");
    let before = run(engine(), &[&stream[..offset]]);
    assert_eq!(before.failure, None, "before {failure}");
    assert_eq!(before.events, whole.events, "before {failure}");
    // A control frame is counted when it is whole, and named by its first byte.
    if !matches!(failure.rule(), Rule::ControlFlood { .. }) {
        let with = run(engine(), &[&stream[..=offset]]);
        assert_eq!(with.failure, whole.failure, "with the byte itself");
    }
}

fn start_of(stream: &[u8]) -> &[u8] {
    &stream[..stream.len().min(64)]
}
