//! The total deadline of a handshake.

use core::time::Duration;

use crate::time::{Tick, Wake};

/// Runs from the first time it hears of until the handshake is over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deadline {
    Unarmed(Duration),
    At(Tick),
    Off,
}

impl Deadline {
    pub(super) fn wake(self) -> Wake {
        match self {
            Self::Unarmed(_) => Wake::Now,
            Self::At(tick) => Wake::At(tick),
            Self::Off => Wake::Never,
        }
    }

    pub(super) fn stop(&mut self) {
        *self = Self::Off;
    }

    /// Arms it if this is the first call.
    pub(super) fn is_due(&mut self, now: Tick) -> bool {
        match *self {
            Self::Unarmed(total) => {
                *self = Self::At(now + total);
                total.is_zero()
            }
            Self::At(tick) => now >= tick,
            Self::Off => false,
        }
    }
}
