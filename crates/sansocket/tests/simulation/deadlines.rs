//! When each deadline passes, told by the configuration and by what the embedder
//! saw: the engine must agree, to the microsecond.

use std::time::Duration;

use sansocket::{Config, KeepAlive};

use crate::ledger::Arrival;
use crate::network::{SECOND, Time};

/// The deadlines of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) keep_alive: KeepAlive,
    pub(crate) idle: Option<Time>,
    pub(crate) assembly: Option<Time>,
    pub(crate) lifetime: Option<Time>,
    pub(crate) close: Time,
}

impl Times {
    pub(crate) fn config(&self) -> Config {
        Config::new()
            .keep_alive(self.keep_alive)
            .message_idle(self.idle.map(Duration::from_micros))
            .assembly_timeout(self.assembly.map(Duration::from_micros))
            .lifetime(self.lifetime.map(Duration::from_micros))
            .close_timeout(Duration::from_micros(self.close))
    }

    /// The silence before something is sent, and, if that is a Ping, after it.
    fn beat(&self) -> (Option<Time>, Option<Time>) {
        let micros = |time: Duration| Time::try_from(time.as_micros()).ok();
        match self.keep_alive {
            KeepAlive::Off => (None, None),
            KeepAlive::UnsolicitedPong { interval } => (micros(interval), None),
            KeepAlive::PingPong { interval, timeout } => (micros(interval), micros(timeout)),
        }
    }
}

/// A deadline. If several are due the first of these is kept first, and what it
/// begins ends the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    Lifetime,
    Idle,
    Assembly,
    Pong,
    Beat,
    Close,
    Linger,
}

const ALL: [Deadline; 7] = [
    Deadline::Lifetime,
    Deadline::Idle,
    Deadline::Assembly,
    Deadline::Pong,
    Deadline::Beat,
    Deadline::Close,
    Deadline::Linger,
];

/// How far the connection is, as the deadlines see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Open,
    AwaitingClose,
    Done,
    Over,
}

#[derive(Debug)]
pub(crate) struct Deadlines {
    times: Times,
    due: [Option<Time>; ALL.len()],
    stage: Option<Stage>,
    /// A message has begun and not ended.
    under_way: bool,
    /// Since the last call: data or a Ping came, a message ended, our Ping was
    /// answered.
    life: bool,
    message_ended: bool,
    answered: bool,
    /// How many Pings the silence made.
    beats: u64,
}

impl Deadlines {
    pub(crate) fn new(times: Times) -> Self {
        Self {
            times,
            due: Default::default(),
            stage: None,
            under_way: false,
            life: false,
            message_ended: false,
            answered: false,
            beats: 0,
        }
    }

    /// So much came of the peer's data.
    pub(crate) fn hear(&mut self, arrival: Arrival) {
        self.life |= arrival.data;
        self.message_ended |= arrival.message_ended;
        self.under_way = arrival.under_way;
    }

    pub(crate) fn hear_ping(&mut self) {
        self.life = true;
    }

    /// A Pong came; it counts if it is the one that was asked for.
    pub(crate) fn hear_pong(&mut self, payload: &[u8]) {
        let is_asked = self.get(Deadline::Pong).is_some();
        self.answered |= is_asked && payload == self.token();
    }

    /// It is `now`, and this far is the connection.
    pub(crate) fn arm(&mut self, now: Time, stage: Stage) {
        let is_new = self.stage.replace(stage) != Some(stage);
        match stage {
            Stage::Open => self.arm_open(now, is_new),
            Stage::AwaitingClose if is_new => self.only(Deadline::Close, now + self.times.close),
            // The engine's own constant; there is no option for it.
            Stage::Done if is_new => self.only(Deadline::Linger, now + SECOND),
            Stage::Over => self.due = Default::default(),
            Stage::AwaitingClose | Stage::Done => {}
        }
        (self.life, self.message_ended, self.answered) = (false, false, false);
    }

    fn arm_open(&mut self, now: Time, is_new: bool) {
        let (interval, timeout) = self.times.beat();
        if is_new {
            self.set(Deadline::Lifetime, self.times.lifetime.map(|time| now + time));
            self.set(Deadline::Beat, interval.map(|time| now + time));
        }
        if is_new || self.message_ended {
            self.set(Deadline::Idle, self.times.idle.map(|time| now + time));
        }
        if self.message_ended || !self.under_way {
            self.set(Deadline::Assembly, None);
        }
        if self.under_way && self.get(Deadline::Assembly).is_none() {
            self.set(Deadline::Assembly, self.times.assembly.map(|time| now + time));
        }
        let is_asked = self.get(Deadline::Pong).is_some();
        if is_asked && self.answered {
            self.set(Deadline::Pong, None);
            self.set(Deadline::Beat, interval.map(|time| now + time));
        } else if self.life
            && let Some(timeout) = timeout
        {
            match is_asked {
                true => self.set(Deadline::Pong, Some(now + timeout)),
                false => self.set(Deadline::Beat, interval.map(|time| now + time)),
            }
        }
    }

    /// The deadline to be kept now.
    pub(crate) fn first_due(&self, now: Time) -> Option<Deadline> {
        ALL.into_iter().find(|deadline| self.get(*deadline).is_some_and(|due| due <= now))
    }

    /// When the next one passes.
    pub(crate) fn earliest(&self) -> Option<Time> {
        self.due.iter().flatten().copied().min()
    }

    /// The silence was broken; returns the payload of the Ping, or `None` if it is a
    /// Pong that nobody asked for.
    pub(crate) fn beat(&mut self, now: Time) -> Option<Vec<u8>> {
        let (interval, timeout) = self.times.beat();
        let Some(timeout) = timeout else {
            self.set(Deadline::Beat, interval.map(|time| now + time));
            return None;
        };
        self.set(Deadline::Beat, None);
        self.set(Deadline::Pong, Some(now + timeout));
        self.beats += 1;
        Some(self.token().to_vec())
    }

    /// The payload of the last Ping.
    fn token(&self) -> [u8; 8] {
        self.beats.to_be_bytes()
    }

    fn only(&mut self, deadline: Deadline, due: Time) {
        self.due = Default::default();
        self.set(deadline, Some(due));
    }

    fn get(&self, deadline: Deadline) -> Option<Time> {
        self.due[deadline as usize]
    }

    fn set(&mut self, deadline: Deadline, due: Option<Time>) {
        self.due[deadline as usize] = due;
    }
}
