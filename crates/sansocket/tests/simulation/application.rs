//! A program at one end: says things of all kinds and sizes at times of its own,
//! and ends the conversation in one of several ways.

use sansocket::{CloseCode, Fin, Kind};

use crate::chance::Chance;
use crate::network::Time;

/// What a program is going to do.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// How many things it says before it ends.
    pub(crate) acts: u64,
    /// The longest pause between two.
    pub(crate) pause: Time,
    /// One message in so many is long.
    pub(crate) long_one_in: u64,
    pub(crate) end: End,
    /// When, at the latest, it closes.
    pub(crate) patience: Time,
    /// Leaves its last message unfinished, and waits.
    pub(crate) falls_silent: bool,
    /// Answers no Close.
    pub(crate) is_negligent: bool,
}

/// How it ends the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Close,
    /// Waits for the other to close, until its patience is over.
    Wait,
    Fail,
    Abort,
}

/// What it wants done next.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Message(Kind, Vec<u8>),
    Fragment(Kind, Fin, Vec<u8>),
    Ping(Vec<u8>),
    Close(Option<CloseCode>, String),
    Fail(CloseCode),
    Abort,
}

#[derive(Debug)]
pub(crate) struct Application {
    plan: Plan,
    chance: Chance,
    /// When it acts next.
    next: Time,
    /// The fragments still to come, the last first.
    fragments: Vec<Vec<u8>>,
    kind: Kind,
    count: u64,
}

impl Application {
    pub(crate) fn new(plan: Plan, mut chance: Chance) -> Self {
        let next = chance.between(0..=plan.pause);
        Self { plan, chance, next, fragments: Vec::new(), kind: Kind::Text, count: 0 }
    }

    /// When it wants to act: even without room for what it says, it closes in the end.
    pub(crate) fn wake(&self, has_room: bool) -> Time {
        if has_room { self.next.min(self.plan.patience) } else { self.plan.patience }
    }

    /// It has nothing more to say.
    pub(crate) fn stop(&mut self) {
        (self.next, self.plan.patience) = (Time::MAX, Time::MAX);
    }

    /// What it does at `now`, if anything.
    pub(crate) fn act(&mut self, now: Time, has_room: bool) -> Option<Act> {
        if now < self.wake(has_room) {
            return None;
        }
        if now >= self.plan.patience {
            self.stop();
            return Some(self.close());
        }
        self.next = now + self.chance.between(0..=self.plan.pause);
        if let Some(act) = self.say() {
            return Some(act);
        }
        match self.plan.end {
            End::Close => Some(self.close()),
            End::Fail => {
                self.stop();
                Some(Act::Fail(self.chance.pick(&CODES)))
            }
            End::Abort => Some(Act::Abort),
            End::Wait => {
                self.next = Time::MAX;
                None
            }
        }
    }

    /// What to answer to a Close: instead of its code alone, or because it must.
    pub(crate) fn answer(&mut self, must: bool) -> Option<(Option<CloseCode>, String)> {
        let answers = if must { !self.plan.is_negligent } else { self.chance.one_in(3) };
        answers.then(|| self.code_and_reason())
    }

    /// Control frames may go between fragments, other messages may not.
    fn say(&mut self) -> Option<Act> {
        let is_last = self.plan.acts == 0;
        if is_last && (self.fragments.is_empty() || self.plan.falls_silent) {
            if std::mem::take(&mut self.plan.falls_silent) {
                self.next = Time::MAX;
                return self.fragments.pop().map(|rest| Act::Fragment(self.kind, Fin::More, rest));
            }
            return None;
        }
        self.plan.acts = self.plan.acts.saturating_sub(1);
        if self.chance.one_in(5) && !is_last {
            return Some(Act::Ping(self.ping()));
        }
        if let Some(fragment) = self.fragments.pop() {
            let fin = if self.fragments.is_empty() { Fin::Last } else { Fin::More };
            return Some(Act::Fragment(self.kind, fin, fragment));
        }
        let kind = self.chance.pick(&[Kind::Text, Kind::Binary]);
        let payload = self.payload(kind);
        if self.chance.one_in(3) {
            self.kind = kind;
            self.fragments = self.cut(payload);
            return self.say();
        }
        Some(Act::Message(kind, payload))
    }

    fn close(&mut self) -> Act {
        let (code, reason) = self.code_and_reason();
        Act::Close(code, reason)
    }

    fn code_and_reason(&mut self) -> (Option<CloseCode>, String) {
        if self.chance.one_in(5) {
            return (None, String::new());
        }
        let len = self.chance.pick(&[0, 0, 3, 40]);
        (Some(self.chance.pick(&CODES)), "é".repeat(len))
    }

    /// No two are alike, and none is as long as those of the engine.
    fn ping(&mut self) -> Vec<u8> {
        self.count += 1;
        let len = self.chance.pick(&[2, 2, 7, 9, 124, 125]);
        let mut payload = self.count.to_be_bytes().to_vec();
        payload.rotate_left(6);
        payload.resize(len, b'p');
        payload
    }

    fn payload(&mut self, kind: Kind) -> Vec<u8> {
        let len = match self.chance.one_in(self.plan.long_one_in) {
            true => self.chance.pick(&[4_000, 16_384, 65_535, 65_536, 70_000]),
            false => {
                let longest = self.chance.pick(&[0, 10, 125, 126, 127, 128, 600]);
                self.chance.len(longest / 2..=longest)
            }
        };
        self.count += 1;
        let mut payload = format!("{} ", self.count).into_bytes();
        if kind == Kind::Binary && self.chance.one_in(2) {
            payload.extend((0..len.div_ceil(8)).flat_map(|_| self.chance.next().to_be_bytes()));
        } else {
            let start = self.chance.len(0..=9);
            payload
                .extend(PATTERN.chars().cycle().skip(start).take(len).collect::<String>().bytes());
        }
        if kind == Kind::Binary {
            payload.truncate(len);
        }
        payload
    }

    /// In fragments, the last first; some may be empty, and end inside a character.
    fn cut(&mut self, mut payload: Vec<u8>) -> Vec<Vec<u8>> {
        let mut fragments = Vec::new();
        for _ in 0..self.chance.between(0..=4) {
            fragments.push(payload.split_off(self.chance.len(0..=payload.len())));
        }
        fragments.push(payload);
        fragments
    }
}

/// Characters of every length.
const PATTERN: &str = "frames of text, é, 漢字 and 🦀; ";

/// Codes that either side may send.
const CODES: [CloseCode; 5] = [
    CloseCode::NORMAL,
    CloseCode::GOING_AWAY,
    CloseCode::INTERNAL_ERROR,
    CloseCode::new(3000),
    CloseCode::new(4999),
];
