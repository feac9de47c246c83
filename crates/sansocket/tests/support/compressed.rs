//! Connections that agreed on permessage-deflate, and every way to receive on them.

use sansocket::deflate::{
    ClientDeflatePolicy, ContextTakeover, Deflate, DeflateAgreement, DeflateConfig, InflateRule,
    ServerDeflatePolicy,
};
use sansocket::handshake::ExtensionList;
use sansocket::{
    Config, Connection, Delivery, Extension, Failure, Inbox, InboxError, Kind, Message, Negotiated,
    Ready, Role, Rule, Server, TransportStep,
};

use super::deflate::TAIL;
use super::{
    Embedder, Endpoint, Engine, Halves, Outcome, Part, Piece, Seen, TestClient,
    check_fails_at_the_byte, cut_points, frames, heard, messages, record, run, run_inflating,
    start_of, written,
};

pub(crate) use ContextTakeover::{Drop, Keep};

/// What is agreed on, as an endpoint sees it: the bits of the window, and what becomes
/// of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) ours: (u8, ContextTakeover),
    pub(crate) theirs: (u8, ContextTakeover),
}

impl Terms {
    /// The same in both directions.
    pub(crate) const fn both(bits: u8, context: ContextTakeover) -> Self {
        Self { ours: (bits, context), theirs: (bits, context) }
    }

    /// As the peer sees it.
    pub(crate) const fn of_peer(self) -> Self {
        Self { ours: self.theirs, theirs: self.ours }
    }

    /// The element of the response that says so.
    pub(crate) fn element<R: Endpoint>(self) -> String {
        let (server, client) =
            if R::is_server() { (self.ours, self.theirs) } else { (self.theirs, self.ours) };
        let mut element = "permessage-deflate".to_owned();
        for (name, (bits, context)) in [("server", server), ("client", client)] {
            if context == Drop {
                element += &format!("; {name}_no_context_takeover");
            }
            if bits < 15 {
                element += &format!("; {name}_max_window_bits={bits}");
            }
        }
        element
    }

    /// The agreement, by way of the header fields.
    pub(crate) fn agreement<R: Endpoint>(self) -> DeflateAgreement {
        let element = self.element::<R>();
        let list = ExtensionList::parse([element.as_bytes()]).expect("a list of extensions");
        let agreement = if R::is_server() {
            ServerDeflatePolicy::new().negotiate(list.items())
        } else {
            ClientDeflatePolicy::new().accept(list.items()).expect("a valid response")
        };
        let agreement = agreement.expect("the extension is named");
        assert_eq!(agreement.params().to_string(), element);
        let direction = |direction: sansocket::deflate::DeflateDirection| {
            (direction.window_bits().get(), direction.context())
        };
        assert_eq!(direction(agreement.sending()), self.ours);
        assert_eq!(direction(agreement.receiving()), self.theirs);
        agreement
    }
}

/// The largest windows, kept.
pub(crate) const KEEP: Terms = Terms::both(15, Keep);

/// The largest windows, for each message anew.
pub(crate) const DROP: Terms = Terms::both(15, Drop);

/// An open connection that agreed on this.
pub(crate) fn open_deflate<R: Endpoint>(terms: Terms, config: &Config) -> Connection<R, Deflate> {
    let negotiated = Negotiated::from_agreement(Some(terms.agreement::<R>()));
    Connection::new(negotiated, R::endpoint(), config)
}

/// An open connection that offered to compress, in vain.
pub(crate) fn open_refused<R: Endpoint>(config: &Config) -> Connection<R, Deflate> {
    Connection::new(Negotiated::from_agreement(None), R::endpoint(), config)
}

/// A peer's compressor: payloads of messages.
pub(crate) struct Squeezer(Connection<Server, Deflate>);

impl Squeezer {
    /// One that compresses everything.
    pub(crate) fn new((bits, context): (u8, ContextTakeover), config: DeflateConfig) -> Self {
        let terms = Terms { ours: (bits, context), theirs: (15, Keep) };
        let config = Config::new().deflate(config.threshold(0));
        Self(open_deflate::<Server>(terms, &config))
    }

    /// The payload of a message.
    pub(crate) fn message(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut payload = self.fragment(bytes);
        match payload.len().checked_sub(TAIL.len()) {
            Some(len) => payload.truncate(len),
            None => payload.push(0),
        }
        payload
    }

    /// The payload of a fragment that is not the last, which ends with a sync flush.
    pub(crate) fn fragment(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![0; self.0.send_len_max(bytes.len())];
        let (kind, fin) = (Kind::Binary, sansocket::Fin::More);
        let len = self.0.send_fragment(kind, fin, bytes, &mut out).expect("room enough");
        let mut frames = frames(&out[..len]);
        frames.pop().expect("a whole frame").payload
    }
}

/// Compressed for itself, by the defaults.
pub(crate) fn compressed(bytes: &[u8]) -> Vec<u8> {
    Squeezer::new((15, Keep), DeflateConfig::new()).message(bytes)
}

/// A connection or its halves, as an inbox sees them.
pub(crate) trait Source: Engine {
    fn advance(&mut self, inbox: &mut Inbox, unit: Unit) -> Result<Ready, InboxError>;
}

/// What an inbox is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Messages,
    Pieces,
}

impl<R: Role, X: Extension> Source for Connection<R, X> {
    fn advance(&mut self, inbox: &mut Inbox, unit: Unit) -> Result<Ready, InboxError> {
        match unit {
            Unit::Messages => inbox.advance(self),
            Unit::Pieces => inbox.advance_piece(self),
        }
    }
}

impl<R: Role, X: Extension> Source for Halves<R, X> {
    fn advance(&mut self, inbox: &mut Inbox, unit: Unit) -> Result<Ready, InboxError> {
        let Self { receiving, carried, .. } = self;
        let owed = |obligation| carried.push(obligation);
        match unit {
            Unit::Messages => inbox.advance_half(receiving, owed),
            Unit::Pieces => inbox.advance_piece_half(receiving, owed),
        }
    }
}

impl<E: Source> Embedder<E> {
    /// Takes bytes from the transport by way of an inbox.
    fn feed_inbox(&mut self, inbox: &mut Inbox, unit: Unit, mut bytes: &[u8]) {
        if let Some(failure) = self.failure {
            return self.check_stays_failed(failure, bytes);
        }
        while !bytes.is_empty() && self.failure.is_none() {
            let room = inbox.spare();
            assert!(!room.is_empty(), "everything was advanced over");
            let (now, later) = bytes.split_at(room.len().min(bytes.len()));
            room[..now.len()].copy_from_slice(now);
            inbox.filled(now.len());
            bytes = later;
            while self.advance(inbox, unit) {}
        }
    }

    /// Whether there may be more.
    fn advance(&mut self, inbox: &mut Inbox, unit: Unit) -> bool {
        let before = self.engine.state();
        let ready = match self.engine.advance(inbox, unit) {
            Ok(ready) => ready,
            Err(InboxError::Failed(failure)) => {
                self.failure = Some(failure);
                self.check_fails_properly(failure, before);
                assert_eq!(self.engine.advance(inbox, unit), Err(InboxError::Failed(failure)));
                return false;
            }
            Err(error) => panic!("{error}"),
        };
        if ready == Ready::Data {
            let data = inbox.data().expect("a piece");
            record(&mut self.events, sansocket::Event::Data(data));
        } else if let Some(delivery) = inbox.delivery() {
            self.events.push(Seen::of(delivery));
        }
        let _ = self.flush();
        ready != Ready::Need
    }
}

impl Seen {
    fn of(delivery: Delivery<'_>) -> Self {
        match delivery {
            Delivery::Message(message) => Self::message(message),
            Delivery::Ping(payload) => Self::Ping(payload.to_vec()),
            Delivery::Pong(payload) => Self::Pong(payload.to_vec()),
            Delivery::Close(frame) => {
                Self::Close(frame.map(|frame| (frame.code.number(), frame.reason.to_owned())))
            }
        }
    }

    fn message(message: Message<'_>) -> Self {
        Self::Data(Piece {
            kind: message.kind(),
            bytes: message.as_bytes().to_vec(),
            starts: true,
            ends: true,
            frames: vec![],
            frame_left: 0,
        })
    }
}

/// Receives `stream` in these pieces by way of an inbox.
pub(crate) fn run_inbox<E: Source>(engine: E, unit: Unit, pieces: &[&[u8]]) -> Outcome {
    let (mut embedder, mut inbox) = (Embedder::new(engine), Inbox::with_capacity(256));
    for piece in pieces {
        embedder.feed_inbox(&mut inbox, unit, piece);
    }
    embedder.outcome()
}

/// Receives `stream` whole, byte by byte and cut in two (a short one in three), into
/// places of several lengths, by a connection, by halves and by inboxes, and checks
/// that it makes no difference (promises P4 and P5).
pub(crate) fn check_deflate<R: Endpoint>(terms: Terms, config: &Config, stream: &[u8]) -> Outcome {
    check_engines(|| open_deflate::<R>(terms, config), stream)
}

/// [`check_deflate`] for connections of any make.
pub(crate) fn check_engines<R: Endpoint>(
    open: impl Fn() -> Connection<R, Deflate>,
    stream: &[u8],
) -> Outcome {
    let whole = run(open(), &[stream]);
    let cuts = cuts(stream);
    for (count, pieces) in cuts.iter().enumerate() {
        // All lengths for the stream whole and in bytes, and by turns for its cuts.
        let out_lens = [1, 2, 7, 4096];
        let out_lens = if count < 2 { &out_lens[..] } else { &out_lens[count % 4..][..1] };
        for out_len in out_lens {
            let outcome = run_inflating(open(), *out_len, pieces);
            assert_eq!(outcome, whole, "{out_len}: {pieces:02x?}");
            let outcome = run_inflating(Halves::of(open()), *out_len, pieces);
            assert_eq!(outcome, whole, "halves, {out_len}: {pieces:02x?}");
        }
    }
    // A piece is cut in the same way, whoever inflates it.
    let step = (cuts.len() / INBOX_CUTS).max(1);
    for pieces in cuts[..2].iter().chain(cuts[2..].iter().step_by(step)) {
        let outcome = run_inbox(open(), Unit::Pieces, pieces);
        assert_eq!(outcome, whole, "inbox: {pieces:02x?}");
        let outcome = run_inbox(open(), Unit::Messages, pieces);
        assert_same_messages(&outcome, &whole);
        let outcome = run_inbox(Halves::of(open()), Unit::Pieces, pieces);
        assert_eq!(outcome, whole, "halves, inbox: {pieces:02x?}");
        let outcome = run_inbox(Halves::of(open()), Unit::Messages, pieces);
        assert_same_messages(&outcome, &whole);
    }
    match whole.failure.map(|failure| (failure.rule(), failure.offset())) {
        None => {}
        Some((Rule::Inflate(_), offset)) => {
            assert_eq!(unfinished_len(&whole.events), offset, "{}", whole.heard());
        }
        Some(_) => check_fails_at_the_byte(open, stream, &whole),
    }
    whole
}

/// How many bytes of the last message were heard, if it is not whole.
fn unfinished_len(events: &[Seen]) -> u64 {
    let data = events.iter().rev().filter_map(|event| match event {
        Seen::Data(piece) => Some(piece),
        _ => None,
    });
    let mut len = 0;
    for piece in data {
        if piece.ends {
            break;
        }
        len += piece.bytes.len() as u64;
        if piece.starts {
            break;
        }
    }
    len
}

/// An inbox that lends whole messages delivers those that were whole.
fn assert_same_messages(outcome: &Outcome, whole: &Outcome) {
    let others = |outcome: &Outcome| -> Vec<_> {
        let others = outcome.events.iter().filter(|event| !matches!(event, Seen::Data(_)));
        others.cloned().collect()
    };
    assert_eq!(messages(&outcome.events), messages(&whole.events));
    assert_eq!(others(outcome), others(whole));
    let rest = |outcome: &Outcome| {
        let Outcome { written, failure, state, step, .. } = outcome.clone();
        (written, failure, state, step)
    };
    assert_eq!(rest(outcome), rest(whole));
}

/// A stream whole, in bytes, in two pieces and, if it is short, in three.
fn cuts(stream: &[u8]) -> Vec<Vec<&[u8]>> {
    let points = cut_points(stream);
    let mut cuts = vec![vec![stream], stream.chunks(1).collect()];
    for first in &points {
        cuts.push(vec![&stream[..*first], &stream[*first..]]);
    }
    if stream.len() <= THREE_PIECES_LEN_MAX {
        for (at, first) in points.iter().enumerate() {
            for second in &points[at + 1..] {
                let (middle, last) = stream[*first..].split_at(second - first);
                cuts.push(vec![&stream[..*first], middle, last]);
            }
        }
    }
    cuts
}

/// How many of the ways to cut are tried with inboxes, about.
const INBOX_CUTS: usize = 20;

/// Up to this length a stream is cut in three pieces too.
const THREE_PIECES_LEN_MAX: usize = 20;

/// [`check_deflate`] in both roles, of what the role's peer sends: what is heard, and
/// what is written.
pub(crate) fn check_heard(
    terms: Terms,
    config: &Config,
    parts: &[Part<'_>],
    expected: (&str, &str),
) {
    fn check<R: Endpoint>(
        terms: Terms,
        config: &Config,
        parts: &[Part<'_>],
        (expected, answer): (&str, &str),
    ) {
        let outcome = check_deflate::<R>(terms, config, &R::from_peer(parts));
        assert_eq!(outcome.heard(), expected, "{parts:02x?}");
        assert_eq!(outcome.failure, None);
        assert_eq!(written::<R>(&outcome.written), answer);
    }
    check::<Server>(terms, config, parts, expected);
    check::<TestClient>(terms, config, parts, expected);
}

/// A stream that must fail, by what comes out of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spoiled<'a> {
    pub(crate) terms: Terms,
    /// What the peer sends; the last message breaks the rule.
    pub(crate) parts: &'a [Part<'a>],
    /// What is heard before.
    pub(crate) heard: &'a str,
    pub(crate) rule: InflateRule,
    pub(crate) code: u16,
    /// How many bytes of the last message are right.
    pub(crate) offset: u64,
}

/// Checks that a connection fails as the row says, in both roles, and that what
/// is valid behind it is neither heard nor answered.
pub(crate) fn check_spoiled(config: &Config, row: &Spoiled<'_>) {
    check_spoiled_in::<Server>(config, row);
    check_spoiled_in::<TestClient>(config, row);
}

fn check_spoiled_in<R: Endpoint>(config: &Config, row: &Spoiled<'_>) {
    let behind = [Part::Frame(0x82, b"behind"), Part::Frame(0x89, b"behind")];
    let stream = R::from_peer(&[row.parts, &behind].concat());
    let outcome = check_deflate::<R>(row.terms, config, &stream);
    assert_eq!(outcome.heard(), row.heard, "{row:02x?}");
    assert_eq!(outcome.broken(), Some((Rule::Inflate(row.rule), row.offset)), "{row:02x?}");
    assert_eq!(outcome.step, TransportStep::HalfClose, "{row:02x?}");
    let pongs = row.heard.split(", ").filter_map(|heard| heard.strip_prefix("ping "));
    let answers: String = pongs.map(|payload| format!("pong {payload}, ")).collect();
    assert_eq!(written::<R>(&outcome.written), format!("{answers}close {}", row.code));
}
