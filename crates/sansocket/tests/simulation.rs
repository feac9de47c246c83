//! Two engines over an imaginary network, in imaginary time, with programs that do
//! what they like: everything comes from a seed, and everything is checked at every
//! step.
//!
//! ```text
//! SANSOCKET_SEEDS=100000 cargo test --release -p sansocket --test simulation
//! SANSOCKET_SEED=1234 cargo test -p sansocket --test simulation -- --nocapture
//! ```
//!
//! The first runs so many seeds, from `SANSOCKET_SEED` on if that is set; the second
//! runs one, and tells what happens in it.

#![cfg(feature = "alloc")]

#[path = "simulation/application.rs"]
mod application;
#[path = "simulation/chance.rs"]
mod chance;
#[path = "simulation/deadlines.rs"]
mod deadlines;
#[path = "simulation/endpoint.rs"]
mod endpoint;
#[path = "simulation/ledger.rs"]
mod ledger;
#[path = "simulation/network.rs"]
mod network;
#[path = "simulation/scenario.rs"]
mod scenario;
mod support;

use std::collections::BTreeMap;
use std::env;

use sansocket::{Cause, CloseCode, Closure, Server};

use crate::chance::Chance;
use crate::endpoint::{End, Node, World};
use crate::ledger::Ledger;
use crate::network::{Network, SECOND, Time};
use crate::scenario::{Mood, Scenario};
use crate::support::TestClient;

#[cfg(feature = "deflate")]
type Ext = sansocket::deflate::Deflate;
#[cfg(not(feature = "deflate"))]
type Ext = sansocket::NoExtension;

/// How often each end was come to.
type Tally = BTreeMap<String, u32>;

// P2, P4, P5, P6, P9; 6455-6.2-01, 6455-5.4-07, 6455-6.1-10
#[test]
fn whatever_the_network_does_the_engines_keep_their_promises() {
    let first = number("SANSOCKET_SEED");
    let count = number("SANSOCKET_SEEDS").unwrap_or(if first.is_some() { 1 } else { SEEDS });
    let tells = count == 1;
    let mut tally = Tally::new();
    let start = first.unwrap_or(0);
    for seed in start..start + count {
        let _told = Told(seed);
        simulate(seed, tells, &mut tally);
    }
    println!("{tally:#?}");
    if count >= SEEDS {
        let missing: Vec<_> = ENDS.iter().filter(|end| !tally.contains_key(**end)).collect();
        assert!(missing.is_empty(), "never came to {missing:?} but to {tally:?}");
    }
}

/// So many seeds are tried without being asked to.
const SEEDS: u64 = 300;

/// Every way in which a connection of two that keep the rules can end.
const ENDS: [&str; 10] = [
    "ClosingHandshake",
    "TransportEnded",
    "Truncated",
    "TransportReset",
    "CloseTimeout",
    "Aborted",
    "AssemblyTimeout",
    "PongTimeout",
    "IdleTimeout",
    "Application",
];

/// Says which seed failed, and how to see it again.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.0;
            let deflate = if cfg!(feature = "deflate") { " --features deflate" } else { "" };
            eprintln!(
                "\nseed {seed} fails; see it again:\n  SANSOCKET_SEED={seed} \
                 cargo test -p sansocket{deflate} --test simulation -- --nocapture\n"
            );
        }
    }
}

fn number(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

/// Runs one world from its beginning to its end.
fn simulate(seed: u64, tells: bool, tally: &mut Tally) {
    let mut chance = Chance::new(seed);
    let scenario = Scenario::new(&mut chance);
    if tells {
        eprintln!("{scenario:#?}");
    }
    let [client, server] = &scenario.habits;
    let network = Network::new(scenario.weather.clone(), chance.fork());
    let ledgers = [Ledger::new(true), Ledger::new(false)];
    let mut world = World { network, ledgers, tells };
    let mut ends: [Box<dyn End>; 2] = [
        Box::new(Node::new(scenario.open::<TestClient>(), client.clone(), chance.fork())),
        Box::new(Node::new(scenario.open::<Server>(), server.clone(), chance.fork())),
    ];
    run(&mut world, &mut ends);
    check_agreement(&scenario, &ends);
    for end in &ends {
        *tally.entry(name(end.as_ref())).or_default() += 1;
    }
}

/// Lets time pass until both have let go of the transport.
fn run(world: &mut World, ends: &mut [Box<dyn End>; 2]) {
    let (mut now, mut steps) = (0, 0);
    while ends.iter().any(|end| end.wake().is_some()) {
        let wakes = ends.iter().filter_map(|end| end.wake());
        let next: Time = wakes.chain(world.network.next_arrival()).min().unwrap_or(Time::MAX);
        assert!(next < END_OF_TIME, "the world never ends");
        steps = if next > now { 0 } else { steps + 1 };
        assert!(steps < STEPS_MAX, "so many steps, and no time passes");
        now = next;
        let news = world.network.deliver(now);
        for end in ends.iter_mut() {
            if news[end.side() as usize] {
                end.notice(now);
            }
            end.check_deadlines_kept(now);
        }
        for end in ends.iter_mut() {
            if end.wake().is_some_and(|wake| wake <= now) {
                end.run(now, world);
            }
        }
        for end in ends.iter_mut() {
            if world.network.take_freed(end.side()) && end.is_blocked() {
                end.notice(now);
            }
        }
    }
}

/// What both sides must agree on, as far as the protocol lets them.
fn check_agreement(scenario: &Scenario, ends: &[Box<dyn End>; 2]) {
    let closures = ends.each_ref().map(|end| end.closure());
    for (ours, theirs) in [(closures[0], closures[1]), (closures[1], closures[0])] {
        let is_heard = theirs.sent() == Some(ours.code());
        let is_deaf = ours.code() == CloseCode::ABNORMAL;
        // What one reports is what the other sent; who heard nothing says so.
        assert!(is_heard || is_deaf, "{closures:?}");
        // P4: even of a failure the peer hears, unless it has failed itself.
        let must_hear = scenario.mood != Mood::Stormy && !is_failed(&ours);
        assert!(is_heard || !must_hear, "{closures:?}");
        // 6455-7.1.4-02
        let must_be_clean = scenario.mood == Mood::Calm;
        assert!(ours.is_clean() || !must_be_clean, "{closures:?}");
    }
}

fn is_failed(closure: &Closure) -> bool {
    matches!(closure.cause(), Cause::Failed(_))
}

fn name(end: &dyn End) -> String {
    let name = match (end.closure().cause(), end.rule()) {
        (Cause::Failed(_), Some(rule)) => format!("{rule:?}"),
        (cause, _) => format!("{cause:?}"),
    };
    name.split([' ', '(']).next().unwrap_or_default().to_owned()
}

/// No conversation takes so long, whatever becomes of it.
const END_OF_TIME: Time = 600 * SECOND;

/// What an end does at one time it does at once.
const STEPS_MAX: u32 = 30;
