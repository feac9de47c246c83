//! How well-behaved clients behave.

use std::time::Duration;

use crate::Dice;

/// What one sort of client does.
#[derive(Debug)]
pub struct Manner {
    /// Of a hundred clients, how many do so.
    pub(super) share: usize,
    pub(super) lens: Lens,
    /// Messages under way at most.
    pub(super) deep: usize,
    /// From one message to the next, on average.
    pub(super) pause: Duration,
    pub(super) reads: Sips,
    pub(super) writes: Sips,
    pub(super) leaves: Leaves,
    /// Whether the times of its echoes count. Not where it takes its own time.
    pub(super) timed: bool,
}

/// How long its messages are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lens {
    /// As many of 1 B to 2 B as of 2 B to 4 B and so on, below so many bits; and some empty.
    Log { bits: usize },
    /// Any length below this.
    Even { end: usize },
}

impl Lens {
    pub(super) fn draw(self, dice: &mut Dice) -> usize {
        match self {
            Self::Log { bits } => {
                let end = 1 << dice.below(bits + 1);
                end / 2 + dice.below(end - end / 2)
            }
            Self::Even { end } => dice.below(end),
        }
    }
}

/// How much it reads or writes before it pauses.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sips {
    /// All there is.
    Never,
    /// Up to so many bytes, then a pause.
    Of { most: usize, pause: Duration },
}

impl Sips {
    /// How much to take now, and how long to wait then.
    pub(super) fn draw(self, dice: &mut Dice) -> (usize, Duration) {
        match self {
            Self::Never => (usize::MAX, Duration::ZERO),
            Self::Of { most, pause } => (1 + dice.below(most), pause),
        }
    }
}

/// What it does after some messages. It comes back each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    /// It stays until the end, and closes then.
    Never,
    /// Resets the connection, with echoes unread.
    Resetting { after: usize },
    /// Ends the connection in the middle of a message, without a Close.
    Vanishing { after: usize },
    /// Closes with a code and a reason, which it wants to hear back.
    Closing { after: usize },
}

impl Leaves {
    /// After how many messages.
    pub(super) fn draw(self, dice: &mut Dice) -> usize {
        match self {
            Self::Never => usize::MAX,
            Self::Resetting { after } | Self::Vanishing { after } | Self::Closing { after } => {
                1 + dice.below(after)
            }
        }
    }
}

const PLAIN: Manner = Manner {
    share: 100,
    lens: Lens::Log { bits: 16 },
    deep: 1,
    pause: Duration::from_millis(300),
    reads: Sips::Never,
    writes: Sips::Never,
    leaves: Leaves::Never,
    timed: true,
};

/// All sorts, for a soak.
pub const MIXED: &[Manner] = &[
    Manner { share: 60, ..PLAIN },
    // Many under way, so that writes and reads hold several, or end anywhere.
    Manner { share: 10, deep: 16, pause: Duration::from_millis(30), timed: false, ..PLAIN },
    // Up to the server's limit of a mebibyte.
    Manner { share: 3, lens: LARGE, pause: Duration::from_secs(2), timed: false, ..PLAIN },
    // The server blocks in writing to them.
    Manner {
        share: 5,
        lens: LARGE,
        deep: 10,
        reads: Sips::Of { most: 8 * 1024, pause: Duration::from_millis(20) },
        timed: false,
        ..PLAIN
    },
    Manner {
        share: 5,
        lens: Lens::Log { bits: 9 },
        deep: 4,
        reads: Sips::Of { most: 16, pause: Duration::from_millis(20) },
        timed: false,
        ..PLAIN
    },
    Manner {
        share: 7,
        lens: Lens::Log { bits: 11 },
        writes: Sips::Of { most: 64, pause: Duration::from_millis(20) },
        timed: false,
        ..PLAIN
    },
    Manner {
        share: 4,
        deep: 4,
        pause: Duration::from_millis(50),
        leaves: Leaves::Resetting { after: 40 },
        timed: false,
        ..PLAIN
    },
    Manner { share: 2, leaves: Leaves::Vanishing { after: 20 }, timed: false, ..PLAIN },
    Manner { share: 4, leaves: Leaves::Closing { after: 20 }, timed: false, ..PLAIN },
];

const LARGE: Lens = Lens::Even { end: 1 << 20 };

/// Short messages at a modest rate, and one client in ten that comes anew for each: those that
/// an attack should not trouble.
pub const STEADY: &[Manner] = &[
    Manner { share: 90, lens: Lens::Log { bits: 10 }, pause: Duration::from_millis(100), ..PLAIN },
    Manner {
        share: 10,
        lens: Lens::Log { bits: 10 },
        leaves: Leaves::Closing { after: 1 },
        timed: false,
        ..PLAIN
    },
];
