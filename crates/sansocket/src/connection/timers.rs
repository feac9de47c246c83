//! The deadlines of an open connection, on ticks that the embedder gives.
//!
//! Receiving only notes what happened; [`Timers::handle`] puts a time to it.

use core::time::Duration;

use crate::config::{Config, KeepAlive};
use crate::time::{Tick, Wake};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Timers {
    mode: Mode,
    interval: Millis,
    timeout: Millis,
    message_idle: Millis,
    assembly: Millis,
    close: Millis,
    /// The lifetime in microseconds until the first `handle`, then its end.
    lifetime: Tick,
    /// The next Ping, the death of a silent peer or, while closing, the end of
    /// waiting.
    due: Tick,
    /// When the last Ping was due, in microseconds; it wraps after 71 minutes.
    ping_sent: u32,
    idle_due: Tick,
    assembly_due: Tick,
    /// The second that the control-frame budget belongs to.
    second: u32,
    token: u32,
    round_trip_micros: u32,
    phase: Phase,
    noted: Noted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Off,
    UnsolicitedPong,
    PingPong,
}

/// What `due` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No time was ever told.
    New,
    /// Silence until the next Ping or Pong.
    Quiet,
    /// Silence after a Ping.
    PingSent,
    /// Our Close waits for the peer's.
    CloseReply,
    /// Everything is said; the peer may still end the transport.
    Linger,
}

/// What has happened since the last `handle`, in bits.
#[derive(Clone, Copy, Debug, Default)]
struct Noted(u8);

const LIFE: u8 = 1;
const MESSAGE: u8 = 2;
const PONG: u8 = 4;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Ping { token: u32 },
    Heartbeat,
    PongTimeout,
    IdleTimeout,
    AssemblyTimeout,
    Lifetime,
    CloseTimeout,
    LingerOver,
}

/// How far the closing handshake has come, as the deadlines see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Open,
    AwaitingClose,
    Done,
}

/// A duration in whole milliseconds, small in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Millis(u32);

impl Millis {
    const NEVER: Self = Self(u32::MAX);

    fn new(duration: Duration) -> Self {
        let millis = u32::try_from(duration.as_millis()).unwrap_or(u32::MAX - 1);
        Self(millis.clamp(1, u32::MAX - 1))
    }

    fn option(duration: Option<Duration>) -> Self {
        duration.map_or(Self::NEVER, Self::new)
    }

    fn after(self, tick: Tick) -> Tick {
        match self {
            Self::NEVER => Tick::NEVER,
            Self(millis) => tick + Duration::from_millis(u64::from(millis)),
        }
    }
}

impl Timers {
    pub(crate) fn new(config: &Config) -> Self {
        let (mode, interval, timeout) = match config.keep_alive {
            KeepAlive::Off => (Mode::Off, Millis::NEVER, Millis::NEVER),
            KeepAlive::UnsolicitedPong { interval } => {
                (Mode::UnsolicitedPong, Millis::new(interval), Millis::NEVER)
            }
            KeepAlive::PingPong { interval, timeout } => {
                (Mode::PingPong, Millis::new(interval), Millis::new(timeout))
            }
        };
        Self {
            mode,
            interval,
            timeout,
            message_idle: Millis::option(config.message_idle),
            assembly: Millis::option(config.assembly_timeout),
            close: Millis::new(config.close_timeout),
            lifetime: Millis::option(config.lifetime).after(Tick::ZERO),
            due: Tick::NEVER,
            ping_sent: 0,
            idle_due: Tick::NEVER,
            assembly_due: Tick::NEVER,
            second: 0,
            token: 0,
            round_trip_micros: u32::MAX,
            phase: Phase::New,
            noted: Noted::default(),
        }
    }

    /// Bytes came that show that the peer lives.
    #[inline]
    pub(crate) fn note_life(&mut self) {
        self.noted.0 |= LIFE;
    }

    /// A message became whole.
    #[inline]
    pub(crate) fn note_message_end(&mut self) {
        self.noted.0 |= MESSAGE;
        self.assembly_due = Tick::NEVER;
    }

    /// A Pong came. Only the one for the Ping that waits counts for anything
    /// (§5.5.3 and what a forged one could hide).
    pub(crate) fn note_pong(&mut self, payload: &[u8]) {
        if self.phase == Phase::PingSent && payload == ping_payload(self.token) {
            self.noted.0 |= PONG;
        }
    }

    /// The last round trip measured.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        let micros = self.round_trip_micros;
        (micros != u32::MAX).then(|| Duration::from_micros(u64::from(micros)))
    }

    /// The second of `now`, if it is another than at the last call.
    pub(crate) fn new_second(&mut self, now: Tick) -> bool {
        let second = u32::try_from(now.as_micros() / 1_000_000).unwrap_or(u32::MAX);
        core::mem::replace(&mut self.second, second) != second
    }

    pub(crate) fn poll(&self, stage: Stage, message: bool) -> Wake {
        let waits = match stage {
            Stage::Open => {
                self.phase == Phase::New
                    || (self.noted.0 != 0 && self.wants_notes())
                    || (message
                        && self.assembly != Millis::NEVER
                        && self.assembly_due == Tick::NEVER)
            }
            Stage::AwaitingClose => self.phase != Phase::CloseReply,
            Stage::Done => self.phase != Phase::Linger,
        };
        let next = match stage {
            Stage::Open => self.due.min(self.idle_due).min(self.assembly_due).min(self.lifetime),
            Stage::AwaitingClose | Stage::Done => self.due,
        };
        match next {
            _ if waits => Wake::Now,
            Tick::NEVER => Wake::Never,
            tick => Wake::At(tick),
        }
    }

    /// Puts `now` to what was noted, starts what waits to be started, and says
    /// what is due. Called again with the same `now`, it has nothing left to say.
    pub(crate) fn handle(&mut self, now: Tick, stage: Stage, message: bool) -> Option<Due> {
        match stage {
            Stage::Open => self.handle_open(now, message),
            Stage::AwaitingClose => {
                self.enter(Phase::CloseReply, self.close.after(now));
                is_reached(self.due, now).then_some(Due::CloseTimeout)
            }
            Stage::Done => {
                self.enter(Phase::Linger, now + LINGER);
                is_reached(self.due, now).then_some(Due::LingerOver)
            }
        }
    }

    fn handle_open(&mut self, now: Tick, message: bool) -> Option<Due> {
        self.arm(now, message);
        self.stamp(now);
        if is_reached(self.lifetime, now) {
            self.lifetime = Tick::NEVER;
            return Some(Due::Lifetime);
        }
        if is_reached(self.idle_due, now) {
            return Some(Due::IdleTimeout);
        }
        if is_reached(self.assembly_due, now) {
            return Some(Due::AssemblyTimeout);
        }
        is_reached(self.due, now).then(|| self.beat(now))
    }

    /// What was started since the last call gets its deadline.
    fn arm(&mut self, now: Tick, message: bool) {
        if self.phase == Phase::New {
            self.enter(Phase::Quiet, self.interval.after(now));
            self.idle_due = self.message_idle.after(now);
            self.lifetime = match self.lifetime {
                Tick::NEVER => Tick::NEVER,
                lifetime => now + Duration::from_micros(lifetime.as_micros()),
            };
        }
        if message && self.assembly_due == Tick::NEVER {
            self.assembly_due = self.assembly.after(now);
        }
    }

    /// What came since the last call counts as come now.
    fn stamp(&mut self, now: Tick) {
        let Noted(noted) = core::mem::take(&mut self.noted);
        if noted & MESSAGE != 0 {
            self.idle_due = self.message_idle.after(now);
        }
        if noted & PONG != 0 {
            self.round_trip_micros = match low_micros(now).wrapping_sub(self.ping_sent) {
                micros if micros < u32::MAX / 2 => micros,
                _ => 0, // the clock jumped back
            };
            self.enter(Phase::Quiet, self.interval.after(now));
        } else if noted & LIFE != 0 && self.mode == Mode::PingPong {
            self.due = match self.phase {
                Phase::PingSent => self.timeout.after(now),
                _ => self.interval.after(now),
            };
        }
    }

    fn beat(&mut self, now: Tick) -> Due {
        match self.phase {
            Phase::PingSent => Due::PongTimeout,
            _ if self.mode == Mode::UnsolicitedPong => {
                self.due = self.interval.after(now);
                Due::Heartbeat
            }
            _ => {
                self.token = self.token.wrapping_add(1);
                self.ping_sent = low_micros(now);
                self.enter(Phase::PingSent, self.timeout.after(now));
                Due::Ping { token: self.token }
            }
        }
    }

    fn enter(&mut self, phase: Phase, due: Tick) {
        if self.phase != phase {
            self.phase = phase;
            self.due = due;
        }
    }

    /// Whether any deadline depends on what came.
    fn wants_notes(&self) -> bool {
        self.mode == Mode::PingPong || self.message_idle != Millis::NEVER
    }
}

/// Whether a deadline has come: not even the end of time reaches one that does
/// not run.
fn is_reached(deadline: Tick, now: Tick) -> bool {
    deadline != Tick::NEVER && now >= deadline
}

/// The low half of a tick: enough to measure a round trip.
fn low_micros(tick: Tick) -> u32 {
    let [a, b, c, d, ..] = tick.as_micros().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// The payload of a keep-alive Ping: a counter, so that the Pong for another
/// Ping does not fit.
pub(crate) fn ping_payload(token: u32) -> [u8; 8] {
    u64::from(token).to_be_bytes()
}

/// How long the peer may take to end the transport when everything is said.
const LINGER: Duration = Duration::from_secs(1);
