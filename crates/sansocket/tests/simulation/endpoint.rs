//! An embedder of the engine in the imaginary world: it does what the book says,
//! and holds every answer of the engine against what it must be.

mod hearing;
mod saying;

use sansocket::{
    Carry, Cause, CloseCode, Closure, Config, Connection, Failure, Inbox, Kind, Replies, Rule,
    State, Tick, Transmit, Wake,
};

use crate::Ext;
use crate::application::{Application, Plan};
use crate::chance::Chance;
use crate::deadlines::{Deadline, Deadlines, Stage, Times};
use crate::ledger::Ledger;
use crate::network::{Network, Read, SECOND, Side, Time};
use crate::support::Endpoint;
use saying::{LONGEST, OUT_LEN_MAX, WRITE_STALL};

/// What both ends share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) network: Network,
    /// What each side said.
    pub(crate) ledgers: [Ledger; 2],
    pub(crate) tells: bool,
}

impl World {
    /// A line of the replay.
    pub(crate) fn tell(&self, now: Time, side: Side, what: impl std::fmt::Display) {
        if self.tells {
            eprintln!("{:>12.6} {side:?}: {what}", micros(now));
        }
    }

    fn ledger(&mut self, side: Side) -> &mut Ledger {
        &mut self.ledgers[side as usize]
    }
}

fn micros(time: Time) -> f64 {
    std::time::Duration::from_micros(time).as_secs_f64()
}

/// How an endpoint is to behave.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    pub(crate) times: Times,
    pub(crate) plan: Plan,
    pub(crate) reading: Reading,
    /// What the engine answers by itself; the rest the endpoint does.
    pub(crate) replies: Replies,
    /// How long after its reason a wake-up may come.
    pub(crate) delay: Time,
    /// The most that is read at a time.
    pub(crate) read_len_max: usize,
}

impl Habits {
    pub(crate) fn config(&self) -> Config {
        self.times.config().replies(self.replies)
    }
}

/// Ways to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Inbox,
    Pieces,
    Buffer,
    Carry,
}

/// Where received bytes wait.
#[derive(Debug)]
enum Reader {
    Inbox(Inbox),
    Pieces(Inbox),
    Buffer(Vec<u8>),
    Carry(Carry),
}

/// How the transport came to be of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Over {
    Ended,
    Truncated,
    Reset,
    Aborted,
    CloseTimeout,
    Lingered,
}

/// What an end looks like from outside the type of its role.
pub(crate) trait End {
    fn side(&self) -> Side;
    /// When it wants to run; `None` once it has let go of its transport.
    fn wake(&self) -> Option<Time>;
    /// Something happened at `now` that it should look at.
    fn notice(&mut self, now: Time);
    fn is_blocked(&self) -> bool;
    fn run(&mut self, now: Time, world: &mut World);
    /// No deadline may have passed by more than the endpoint's own delay.
    fn check_deadlines_kept(&self, now: Time);
    fn closure(&self) -> Closure;
    fn rule(&self) -> Option<Rule>;
}

pub(crate) struct Node<R: Endpoint> {
    side: Side,
    connection: Connection<R, Ext>,
    reader: Reader,
    application: Application,
    habits: Habits,
    chance: Chance,
    epoch: u64,
    deadlines: Deadlines,
    /// Encoded and not written.
    out: Vec<u8>,
    /// Since when that does not change.
    stuck_since: Time,
    wake: Option<Time>,

    /// The rest of the message that is heard in pieces.
    partial: Option<(Kind, Vec<u8>)>,
    read_len: u64,
    read_since_done: usize,
    /// The Ping that waits for its Pong.
    unanswered: Option<Vec<u8>>,
    /// What the silence wants said.
    owed_ping: Option<Vec<u8>>,
    owes_heartbeat: bool,
    /// The codes of the Closes, if they have any.
    sent: Option<Option<u16>>,
    heard: Option<Option<u16>>,
    failure: Option<Failure>,
    over: Option<Over>,
    broken: bool,
    half_closed: bool,
}

impl<R: Endpoint> Node<R> {
    pub(crate) fn new(connection: Connection<R, Ext>, habits: Habits, mut chance: Chance) -> Self {
        let inbox = || Inbox::with_capacity(habits.read_len_max);
        let reader = match habits.reading {
            Reading::Inbox => Reader::Inbox(inbox()),
            Reading::Pieces => Reader::Pieces(inbox()),
            Reading::Buffer => Reader::Buffer(Vec::new()),
            Reading::Carry => Reader::Carry(Carry::new()),
        };
        let application = Application::new(habits.plan.clone(), chance.fork());
        Self {
            side: if R::is_server() { Side::Server } else { Side::Client },
            connection,
            reader,
            application,
            epoch: chance.between(0..=1 << 40),
            chance,
            deadlines: Deadlines::new(habits.times),
            habits,
            out: Vec::new(),
            stuck_since: 0,
            wake: Some(0),
            partial: None,
            read_len: 0,
            read_since_done: 0,
            unanswered: None,
            owed_ping: None,
            owes_heartbeat: false,
            sent: None,
            heard: None,
            failure: None,
            over: None,
            broken: false,
            half_closed: false,
        }
    }

    /// Where the connection must be by what was seen of it.
    fn state(&self) -> State {
        match (self.failure, self.over, self.sent, self.heard) {
            (Some(_), ..) => State::Failed,
            (_, Some(_), ..) | (.., Some(_), Some(_)) => State::Closed,
            (.., Some(_), None) => State::CloseSent,
            (.., None, Some(_)) => State::CloseReceived,
            (.., None, None) => State::Open,
        }
    }

    fn stage(&self) -> Stage {
        match (self.over, self.state()) {
            (Some(_), _) => Stage::Over,
            (None, State::Open) => Stage::Open,
            (None, State::CloseSent | State::CloseReceived) => Stage::AwaitingClose,
            (None, State::Closed | State::Failed) => Stage::Done,
        }
    }

    /// Reads all that is there.
    fn read(&mut self, now: Time, world: &mut World) {
        while self.over.is_none() {
            let mut chunk = [0; CHUNK_LEN];
            let len = self.chance.len(1..=self.habits.read_len_max.min(chunk.len()));
            match world.network.read(self.side, &mut chunk[..len]) {
                Read::Nothing => return,
                Read::Bytes(len) => self.receive(&mut chunk[..len], now, world),
                Read::End => {
                    let said = &world.ledgers[self.side.other() as usize];
                    let over = match self.heard.is_some() || said.is_rest(self.read_len) {
                        true => Over::Ended,
                        false => Over::Truncated,
                    };
                    world.tell(now, self.side, format_args!("end of the stream: {over:?}"));
                    self.over = Some(over);
                    self.connection.receive_end();
                }
                Read::Reset => self.receive_reset(now, world),
            }
        }
    }

    fn receive_reset(&mut self, now: Time, world: &World) {
        world.tell(now, self.side, "reset");
        self.over.get_or_insert(Over::Reset);
        self.connection.receive_reset();
        self.out.clear();
    }

    fn set_failure(&mut self, failure: Failure) {
        self.failure = Some(failure);
        self.sent.get_or_insert(Some(failure.code().number()));
    }

    /// Lets time pass in the engine and in the model, which must agree.
    fn pass_time(&mut self, now: Time, world: &mut World) {
        for round in 0.. {
            assert!(round < 4, "it wants to be called for ever");
            self.deadlines.arm(now, self.stage());
            let due = self.deadlines.first_due(now);
            let result = self.connection.handle_timeout(Tick::from_micros(self.epoch + now));
            if let Some(due) = due {
                world.tell(now, self.side, format_args!("{due:?} is due"));
                self.keep(due, result, now);
            }
            assert_eq!(result.err(), self.failure, "due was {due:?}");
            self.check_engine();
            self.take_owed(now, world);
            if self.connection.poll_timeout() != Wake::Now {
                break;
            }
        }
        self.deadlines.arm(now, self.stage());
        assert_eq!(self.deadlines.first_due(now), None, "not kept");
        let wake = self.deadlines.earliest();
        let wake = wake.map_or(Wake::Never, |due| Wake::At(Tick::from_micros(self.epoch + due)));
        assert_eq!(self.connection.poll_timeout(), wake, "the next deadline");
    }

    /// What the engine must have done about a deadline.
    fn keep(&mut self, due: Deadline, result: Result<(), Failure>, now: Time) {
        match due {
            // iana-close-codes-01
            Deadline::Lifetime => {
                let code = if R::is_server() { 1012 } else { 1001 };
                self.sent = Some(Some(code));
            }
            Deadline::Idle | Deadline::Assembly | Deadline::Pong => {
                let failure = result.expect_err("a deadline that fails the connection");
                let rule = match due {
                    Deadline::Idle => Rule::IdleTimeout,
                    Deadline::Assembly => Rule::AssemblyTimeout,
                    _ => Rule::PongTimeout,
                };
                assert_eq!(failure.rule(), rule);
                self.set_failure(failure);
            }
            Deadline::Beat => match self.deadlines.beat(now) {
                Some(payload) => self.owed_ping = Some(payload),
                None => self.owes_heartbeat = true,
            },
            Deadline::Close => self.over = Some(Over::CloseTimeout),
            Deadline::Linger => self.over = Some(Over::Lingered),
        }
    }

    /// The engine is where it must be.
    fn check_engine(&mut self) {
        if self.connection.closure().is_some() && self.over.is_none() {
            assert!(self.read_since_done > DISCARDED_MAX - CHUNK_LEN, "over too early");
            self.over = Some(Over::Lingered);
        }
        let is_bounded = self.read_since_done <= DISCARDED_MAX;
        assert!(is_bounded || self.over.is_some(), "a peer that never ends is listened to");
        assert_eq!(self.connection.state(), self.state());
        let closure = self.connection.closure();
        assert_eq!(closure.is_some(), self.over.is_some(), "{closure:?}");
        assert!(self.out.len() <= OUT_LEN_MAX + LONGEST, "{} bytes wait", self.out.len());
    }

    // 6455-7.1.1-03, 6455-7.1.1-05, 6455-7.1.1-06, 6455-5.5.1-12, 6455-5.5.1-13
    fn check_step(&self, step: Transmit<'_>) {
        let expected = match (self.over, self.state()) {
            (Some(_), _) => Transmit::CloseNow,
            (None, State::Failed) => Transmit::HalfClose,
            (None, State::Closed) if R::is_server() => Transmit::HalfClose,
            (None, State::Closed | State::CloseSent) => Transmit::AwaitPeer,
            (None, State::Open | State::CloseReceived) => Transmit::Idle,
        };
        assert_eq!(step, expected);
    }

    /// Does what is to be done with the transport.
    fn follow(&mut self, now: Time, world: &mut World) {
        if self.over.is_some() {
            self.check_refuses();
            world.tell(now, self.side, format_args!("drops: {}", self.closure()));
            self.check_closure();
            world.network.drop(self.side, now);
            self.wake = None;
        } else if self.stage() == Stage::Done && self.out.is_empty() && self.half_closes() {
            world.tell(now, self.side, "ends its direction");
            world.network.end(self.side, now);
            self.half_closed = true;
        }
    }

    fn half_closes(&self) -> bool {
        !self.half_closed && (R::is_server() || self.failure.is_some())
    }

    /// When to run again: at the next deadline, or when the program wants something.
    fn schedule(&mut self, now: Time) {
        let mut next = self.deadlines.earliest().unwrap_or(Time::MAX);
        next = next.min(self.application.wake(self.has_room()));
        if !self.out.is_empty() {
            next = next.min(self.stuck_since + WRITE_STALL);
        }
        // Time need not be called for; it is harmless.
        if self.chance.one_in(8) && next > now {
            next = self.chance.between(now..=next.min(now + 60 * SECOND));
        }
        self.wake = Some(next.max(now) + self.chance.between(0..=self.habits.delay));
        if next == Time::MAX {
            self.wake = Some(Time::MAX);
        }
    }

    // 6455-7.1.4-01, 6455-7.1.4-02, 6455-7.1.5-01, 6455-7.1.5-02, 6455-7.1.5-03
    fn check_closure(&self) {
        let closure = self.closure();
        let number = |code: Option<u16>| code.unwrap_or(1005);
        assert_eq!(closure.sent().map(CloseCode::number), self.sent.map(number));
        assert_eq!(closure.code().number(), self.heard.map_or(1006, number));
        let expected = match (self.failure, self.over) {
            (Some(failure), _) => Cause::Failed(failure),
            _ if self.sent.is_some() && self.heard.is_some() => Cause::ClosingHandshake,
            (_, Some(Over::Ended | Over::Lingered) | None) => Cause::TransportEnded,
            (_, Some(Over::Truncated)) => Cause::Truncated,
            (_, Some(Over::Reset)) => Cause::TransportReset,
            (_, Some(Over::Aborted)) => Cause::Aborted,
            (_, Some(Over::CloseTimeout)) => Cause::CloseTimeout,
        };
        assert_eq!(closure.cause(), expected);
    }
}

impl<R: Endpoint> End for Node<R> {
    fn side(&self) -> Side {
        self.side
    }

    fn wake(&self) -> Option<Time> {
        self.wake
    }

    fn notice(&mut self, now: Time) {
        if let Some(wake) = &mut self.wake {
            *wake = (*wake).min(now + self.chance.between(0..=self.habits.delay));
        }
    }

    fn is_blocked(&self) -> bool {
        !self.out.is_empty()
    }

    fn run(&mut self, now: Time, world: &mut World) {
        self.read(now, world);
        self.act(now, world);
        self.pass_time(now, world);
        self.write(now, world);
        self.follow(now, world);
        if self.wake.is_some() {
            self.schedule(now);
        }
    }

    fn check_deadlines_kept(&self, now: Time) {
        if let (Some(_), Some(due)) = (self.wake, self.deadlines.earliest()) {
            assert!(now <= due + self.habits.delay, "{:?} slept through {due}", self.side);
        }
    }

    fn closure(&self) -> Closure {
        self.connection.closure().expect("it is over")
    }

    fn rule(&self) -> Option<Rule> {
        self.failure.map(|failure| failure.rule())
    }
}

/// The most that is read at a time.
const CHUNK_LEN: usize = 4096;

/// How many bytes of a peer that goes on after the end are thrown away before its
/// transport is.
const DISCARDED_MAX: usize = 64 * 1024;
