//! Clients by the thousand, those that behave and those that do not, against a server that is
//! a process of its own. `scripts/soak` starts both, watches the server, and judges.
//!
//! A [`Crowd`] checks every echo, byte by byte and in order, and measures how long those of
//! its fast clients take. A [`Siege`] does one of the [`ATTACKS`], and counts how its
//! connections end. Each is one thread around one poll (`event_loop`); what a member does
//! depends on its seed, and on when its stream is ready.

mod attack;
mod client;
mod crowd;
mod event_loop;
mod manner;
mod open;
mod siege;
mod traffic;
mod wire;

pub use attack::{ATTACKS, Attack};
pub use crowd::Crowd;
pub use manner::{MIXED, Manner, STEADY};
pub use siege::Siege;
