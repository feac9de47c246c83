//! Well-behaved clients, all on one thread.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sansocket::{Tick, Uri};

use super::client::Client;
use super::event_loop::EventLoop;
use super::manner::Manner;
use super::traffic::Pool;
use crate::Dice;
use crate::load::Outcome;

/// Clients that want every echo.
pub struct Crowd {
    event_loop: EventLoop,
    clients: Vec<Client>,
    world: World,
}

/// What all clients share.
pub(super) struct World {
    pub(super) uri: Uri<'static>,
    pub(super) address: SocketAddr,
    pub(super) pool: Pool,
    pub(super) scratch: Vec<u8>,
    /// All are to leave when they have what they wait for.
    pub(super) farewell: bool,
    pub(super) totals: Totals,
    start: Instant,
    /// How long the echoes took that came since the last report.
    waits: Vec<Duration>,
    complaints: BTreeMap<String, u64>,
}

macro_rules! totals {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What happened, counted.
        #[derive(Debug, Default)]
        pub(super) struct Totals { $($(#[$doc])* pub(super) $name: u64),* }

        impl Totals {
            /// The fields of a JSON object.
            fn json(&self) -> String {
                [$(format!("\"{}\":{}", stringify!($name), self.$name)),*].join(",")
            }
        }
    };
}

// A macro, so that no count can be forgotten where they are told.
totals! {
    attempts,
    opened,
    /// Attempts that the server refused, or did not answer.
    turned_away,
    messages,
    /// Of the messages, those in several frames.
    fragmented,
    bytes_sent,
    echoes,
    pings,
    pongs,
    /// Pongs that stood for earlier Pings too.
    pongs_for_several,
    server_pings,
    closes,
    resets,
    vanished,
    /// Echoes that nobody waits for, as their client left.
    excused,
    /// Echoes that did not come.
    lost,
    wrong,
    dropped,
    /// Clients that did not get away in the end.
    stuck,
}

impl Crowd {
    /// `count` clients of `manners`, which come in the course of `ramp`.
    pub fn new(
        url: &'static str,
        manners: &'static [Manner],
        count: usize,
        ramp: Duration,
        seed: u64,
    ) -> Outcome<Self> {
        let uri = Uri::parse(url)?;
        let mut dice = Dice::seeded(seed);
        let start = Instant::now();
        let client = |index: usize| {
            let first = start + ramp.mul_f64(index as f64 / count as f64);
            let own = Dice::seeded(seed.wrapping_add(index as u64 + 1));
            Client::new(manner(manners, index), own, first)
        };
        let clients = (0..count).map(client).collect();
        let world = World {
            uri,
            address: format!("{}:{}", uri.host(), uri.port()).parse()?,
            pool: Pool::new(&mut dice),
            scratch: vec![0; 64 * 1024],
            farewell: false,
            totals: Totals::default(),
            start,
            waits: Vec::new(),
            complaints: BTreeMap::new(),
        };
        Ok(Self { event_loop: EventLoop::new(count)?, clients, world })
    }

    /// Lets them do as they do for a while. Returns what happened meanwhile, as the fields of
    /// a JSON object.
    pub fn run(&mut self, time: Duration) -> io::Result<String> {
        self.event_loop.run(&mut self.clients, &mut self.world, Instant::now() + time)?;
        let open = self.clients.iter().filter(|client| client.is_open()).count();
        let mut waits = std::mem::take(&mut self.world.waits);
        waits.sort_unstable();
        let at = |of: usize| waits.get(waits.len() * of / 100).or(waits.last());
        let micros = |of| at(of).map_or(0, Duration::as_micros);
        Ok(format!(
            "\"open\":{open},\"timed\":{},\"p50_us\":{},\"p99_us\":{},\"max_us\":{},{}",
            waits.len(),
            micros(50),
            micros(99),
            micros(100),
            self.world.totals.json(),
        ))
    }

    /// Has all of them take their echoes and leave. Returns what has happened in all.
    pub fn leave(mut self, patience: Duration) -> io::Result<String> {
        self.world.farewell = true;
        self.event_loop.wake_all();
        let until = Instant::now() + patience;
        self.event_loop.run(&mut self.clients, &mut self.world, until)?;
        for client in self.clients.iter().filter(|client| client.is_open()) {
            self.world.totals.stuck += 1;
            self.world.totals.lost += client.outstanding();
        }
        let complaints = self.world.complaints.iter();
        let complaints: Vec<_> =
            complaints.map(|(what, count)| format!("{what:?}:{count}")).collect();
        Ok(format!("{},\"complaints\":{{{}}}", self.world.totals.json(), complaints.join(",")))
    }
}

/// Those of a hundred clients that have each manner follow each other, in each hundred anew.
fn manner(manners: &'static [Manner], index: usize) -> &'static Manner {
    // No sort comes in a row: 37 has no common divisor with 100.
    let mut place = index * 37 % 100;
    for manner in manners {
        match place.checked_sub(manner.share) {
            Some(rest) => place = rest,
            None => return manner,
        }
    }
    &manners[0]
}

impl World {
    pub(super) fn tick(&self, now: Instant) -> Tick {
        Tick::ZERO + (now - self.start)
    }

    pub(super) fn echoed(&mut self, manner: &Manner, wait: Duration) {
        self.totals.echoes += 1;
        if manner.timed {
            self.waits.push(wait);
        }
    }

    /// Counts what somebody should read if it was not meant.
    pub(super) fn complain(&mut self, what: &str, how: &str) {
        *self.complaints.entry(format!("{what}: {how}")).or_default() += 1;
    }
}
