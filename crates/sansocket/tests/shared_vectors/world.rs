//! The embedder that runs a case: bytes, calls and time to the engine, and what
//! comes of them back in the words of the cases.

use std::time::Duration;

use sansocket::{
    CloseCode, Connection, Extension, Failure, Kind, Negotiated, SendError, Server, Tick, Wake,
};

use super::case::{Case, Fault, Handshake, Observed, Place, Step, Unit};
use super::cuts::Way;
use super::opening::{Came, ClientOpening, Names, Opening, ServerOpening, agreed};
use super::support::{Embedder, Endpoint, Piece, Seen, TestClient};
use super::words::{kebab, name_of_rule, name_of_step};

/// The beginning of a case. Seconds are whole, since budgets go by the second.
const BEGINNING: Tick = Tick::from_millis(777_000);

/// An endpoint as it is when a case begins.
pub(crate) struct Beginning<'c> {
    case: &'c Case,
    handshake: Option<AnyOpening<'c>>,
}

/// What a handshake is made of in either role.
enum AnyOpening<'c> {
    Server(ServerOpening<'c>),
    Client(ClientOpening<'c>),
}

impl<'c> Beginning<'c> {
    pub(crate) fn of(case: &'c Case, names: &'c Names<'c>) -> Self {
        let handshake = case.setting.handshake.as_ref().map(|setting| match case.is_server {
            true => AnyOpening::Server(ServerOpening::new(setting, names)),
            false => AnyOpening::Client(ClientOpening::new(setting, names)),
        });
        Self { case, handshake }
    }

    /// Runs the case up to where the way ends, with what comes cut as it says.
    pub(crate) fn run(&self, way: &Way) -> Observed {
        match (&self.handshake, self.case.is_server) {
            (Some(AnyOpening::Server(opening)), _) => {
                World::<Server, _>::opening(self.case, &mut opening.clone()).play(way)
            }
            (Some(AnyOpening::Client(opening)), _) => {
                World::<TestClient, _>::opening(self.case, &mut opening.clone()).play(way)
            }
            (None, true) => self.run_open::<Server>(way),
            (None, false) => self.run_open::<TestClient>(way),
        }
    }

    fn run_open<R: Endpoint>(&self, way: &Way) -> Observed {
        match &self.case.setting.agreed {
            Some(element) => {
                World::<R, _>::open(self.case, agreed(element, R::is_server())).play(way)
            }
            None => World::<R, _>::open(self.case, Negotiated::from_upgraded()).play(way),
        }
    }
}

/// An endpoint and its time.
struct World<'c, R: Endpoint, X: Extension> {
    case: &'c Case,
    now: Tick,
    handshake: Handshake,
    stage: Stage<'c, R, X>,
}

enum Stage<'c, R: Endpoint, X: Extension> {
    Opening {
        opening: &'c mut dyn Opening<X>,
        received: Vec<u8>,
    },
    /// The handshake did not end in a connection.
    Over {
        state: &'static str,
        fault: Option<Fault>,
    },
    Open(Box<Embedder<Connection<R, X>>>),
}

impl<'c, R: Endpoint, X: Extension> World<'c, R, X> {
    fn opening(case: &'c Case, opening: &'c mut dyn Opening<X>) -> Self {
        let handshake = Handshake { written: opening.written(), ..Handshake::default() };
        let stage = Stage::Opening { opening, received: Vec::new() };
        Self { case, now: BEGINNING, handshake, stage }
    }

    fn open(case: &'c Case, negotiated: Negotiated<X>) -> Self {
        let connection = Connection::new(negotiated, R::endpoint(), &case.setting.config);
        let stage = Stage::Open(Box::new(Embedder::new(connection)));
        Self { case, now: BEGINNING, handshake: Handshake::default(), stage }
    }

    fn play(mut self, way: &Way) -> Observed {
        let mut received_len = 0;
        self.tell_time();
        for step in &self.case.steps {
            let mut goes_on = true;
            match step {
                Step::Receive { bytes, at, .. } => {
                    let pieces;
                    (pieces, goes_on) = way.pieces(bytes, received_len);
                    received_len += bytes.len();
                    pieces.into_iter().for_each(|piece| self.receive(piece));
                    self.now = at.map_or(self.now, since_beginning);
                }
                Step::At(at) => self.now = since_beginning(*at),
                Step::Send { unit, refused } => self.send(unit, *refused),
                Step::End => self.receive_end(),
            }
            if !goes_on {
                break;
            }
            self.tell_time();
        }
        self.observed()
    }

    fn receive(&mut self, piece: &[u8]) {
        match &mut self.stage {
            Stage::Over { .. } => {}
            Stage::Open(embedder) => embedder.feed(piece),
            Stage::Opening { opening, received } => {
                received.extend_from_slice(piece);
                let came = opening.receive(received);
                self.opened(came);
            }
        }
    }

    /// Goes on with what an opening handshake came to.
    fn opened(&mut self, came: Came<X>) {
        match came {
            Came::Nothing => {}
            Came::Accepted { negotiated, head_len, handshake } => {
                self.learn(handshake);
                let World { stage, .. } = Self::open(self.case, negotiated);
                let before = std::mem::replace(&mut self.stage, stage);
                self.tell_time();
                if let Stage::Opening { received, .. } = before {
                    self.receive(&received[head_len..]);
                }
            }
            Came::Refused { handshake, fault } => {
                self.learn(handshake);
                self.stage = Stage::Over { state: "refused", fault };
            }
            Came::Failed(fault) => {
                self.stage = Stage::Over { state: "failed", fault: Some(fault) };
            }
        }
    }

    /// What a client wrote stays.
    fn learn(&mut self, mut handshake: Handshake) {
        handshake.written.splice(..0, self.handshake.written.drain(..));
        self.handshake = handshake;
    }

    /// It is now, and again when something was started by that.
    fn tell_time(&mut self) {
        match &mut self.stage {
            Stage::Over { .. } => {}
            Stage::Open(embedder) => {
                for _ in 0..2 {
                    if let Err(failure) = embedder.engine.handle_timeout(self.now) {
                        embedder.failure.get_or_insert(failure);
                    }
                    let _ = embedder.flush();
                    if embedder.engine.poll_timeout() != Wake::Now {
                        break;
                    }
                }
            }
            Stage::Opening { opening, .. } => {
                let came = opening.handle_timeout(self.now);
                self.opened(came);
            }
        }
    }

    fn receive_end(&mut self) {
        match &mut self.stage {
            Stage::Over { .. } => {}
            Stage::Open(embedder) => {
                let _ = embedder.engine.receive_end();
            }
            Stage::Opening { opening, .. } => {
                let came = opening.receive_end();
                self.opened(came);
            }
        }
    }

    fn send(&mut self, unit: &Unit, refused: bool) {
        let Stage::Open(embedder) = &mut self.stage else { panic!("nothing to send on") };
        let before = (embedder.engine.state(), embedder.written.len());
        let result = send(embedder, unit);
        assert_eq!(result.is_err(), refused, "{unit:?}: {result:?}");
        if refused {
            assert_eq!((embedder.engine.state(), embedder.written.len()), before, "{unit:?}");
        }
    }

    fn observed(self) -> Observed {
        let Self { handshake, stage, .. } = self;
        let mut embedder = match stage {
            Stage::Opening { .. } => return unopened("opening", None, handshake),
            Stage::Over { state, fault } => return unopened(state, fault, handshake),
            Stage::Open(embedder) => *embedder,
        };
        let transport = name_of_step(embedder.flush());
        let (events, unfinished) = units(&embedder.events);
        let closure = embedder.engine.closure();
        Observed {
            events,
            unfinished,
            failure: embedder.failure.map(fault),
            state: kebab(&embedder.engine.state()),
            transport,
            closure: closure.map(|closure| (closure.code().number(), closure.is_clean())),
            handshake,
            written: embedder.written,
        }
    }
}

fn unopened(state: &str, failure: Option<Fault>, handshake: Handshake) -> Observed {
    Observed { state: state.to_owned(), failure, handshake, ..Observed::default() }
}

fn since_beginning(millis: u64) -> Tick {
    BEGINNING + Duration::from_millis(millis)
}

fn send<R: Endpoint, X: Extension>(
    Embedder { engine, written, .. }: &mut Embedder<Connection<R, X>>,
    unit: &Unit,
) -> Result<(), SendError> {
    let mut control = [0; CONTROL_LEN_MAX];
    let len = match unit {
        Unit::Text(text) => {
            return engine.append(std::str::from_utf8(text).expect("a text"), written);
        }
        Unit::Binary(bytes) => return engine.append(&bytes[..], written),
        Unit::Ping(payload) => engine.ping(payload, &mut control)?,
        Unit::Pong(payload) => engine.pong(payload, &mut control)?,
        Unit::Close(None) => engine.close(None, "", &mut control)?,
        Unit::Close(Some((code, reason))) => {
            engine.close(Some(CloseCode::new(*code)), reason, &mut control)?
        }
    };
    written.extend_from_slice(&control[..len]);
    Ok(())
}

const CONTROL_LEN_MAX: usize = 131;

fn fault(failure: Failure) -> Fault {
    let place = match failure.rule() {
        #[cfg(feature = "deflate")]
        sansocket::Rule::Inflate(_) => Place::Message(failure.offset()),
        _ => Place::Stream(failure.offset()),
    };
    Fault { rule: name_of_rule(failure.rule()), code: Some(failure.code().number()), place }
}

/// Messages when they are whole, and what came of the last one.
fn units(events: &[Seen]) -> (Vec<Unit>, Option<Unit>) {
    let (mut units, mut message) = (Vec::new(), None);
    for event in events {
        match event {
            Seen::Data(Piece { kind, bytes, ends, .. }) => {
                let (_, so_far) = message.get_or_insert_with(|| (*kind, Vec::new()));
                so_far.extend_from_slice(bytes);
                if *ends {
                    units.extend(message.take().map(whole));
                }
            }
            Seen::Ping(payload) => units.push(Unit::Ping(payload.clone())),
            Seen::Pong(payload) => units.push(Unit::Pong(payload.clone())),
            Seen::Close(frame) => units.push(Unit::Close(frame.clone())),
        }
    }
    let unfinished = message.filter(|(_, bytes)| !bytes.is_empty());
    (units, unfinished.map(whole))
}

fn whole((kind, bytes): (Kind, Vec<u8>)) -> Unit {
    match kind {
        Kind::Text => Unit::Text(bytes),
        Kind::Binary => Unit::Binary(bytes),
    }
}
