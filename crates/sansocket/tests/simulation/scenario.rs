//! What a seed chooses before the world begins.

use std::time::Duration;

use sansocket::{Connection, KeepAlive, Replies};

use crate::Ext;
use crate::application::{End, Plan};
use crate::chance::Chance;
use crate::deadlines::Times;
use crate::endpoint::{Habits, Reading};
use crate::network::{Fault, MILLI, SECOND, SIDES, Time, Weather};
use crate::support::Endpoint;

/// How much can be expected of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Nothing goes wrong, so that both sides close cleanly.
    Calm,
    /// Nothing goes wrong but what a program decides.
    Failing,
    /// Anything may happen.
    Stormy,
}

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) mood: Mood,
    pub(crate) weather: Weather,
    pub(crate) habits: [Habits; 2],
    #[cfg(feature = "deflate")]
    terms: Option<crate::support::compressed::Terms>,
}

impl Scenario {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        let mood = chance.pick(&[Mood::Calm, Mood::Failing, Mood::Stormy, Mood::Stormy]);
        let mut habits = SIDES.map(|_| habits(mood, chance));
        if mood == Mood::Failing {
            habits[chance.len(0..=1)].plan.end = End::Fail;
        }
        Self {
            mood,
            weather: weather(mood, chance),
            habits,
            #[cfg(feature = "deflate")]
            terms: terms(chance),
        }
    }

    #[cfg(not(feature = "deflate"))]
    pub(crate) fn open<R: Endpoint>(&self) -> Connection<R, Ext> {
        crate::support::open(&self.habits_of::<R>().config())
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn open<R: Endpoint>(&self) -> Connection<R, Ext> {
        use crate::support::compressed::{open_deflate, open_refused};
        use sansocket::deflate::DeflateConfig;

        // Little memory, for it is made anew with each seed.
        let deflate = DeflateConfig::new().level(1).mem_level(1).threshold(64);
        let config = self.habits_of::<R>().config().deflate(deflate);
        match self.terms {
            None => open_refused(&config),
            Some(terms) if R::is_server() => open_deflate(terms.of_peer(), &config),
            Some(terms) => open_deflate(terms, &config),
        }
    }

    fn habits_of<R: Endpoint>(&self) -> &Habits {
        &self.habits[usize::from(R::is_server())]
    }
}

fn habits(mood: Mood, chance: &mut Chance) -> Habits {
    let is_stormy = mood == Mood::Stormy;
    let reads_little = chance.one_in(6);
    let ends = match mood {
        Mood::Stormy => &[End::Close, End::Close, End::Wait, End::Wait, End::Fail, End::Abort][..],
        _ => &[End::Close, End::Close, End::Wait],
    };
    let pauses: &[Time] = match is_stormy {
        true => &[0, 10 * MILLI, SECOND, 4 * SECOND],
        false => &[0, MILLI, 50 * MILLI, 300 * MILLI],
    };
    Habits {
        times: times(is_stormy, chance),
        plan: Plan {
            acts: chance.between(0..=16),
            pause: chance.pick(pauses),
            long_one_in: if reads_little { u64::MAX } else { chance.pick(&[10, 60]) },
            end: chance.pick(ends),
            patience: chance.between(20..=40) * SECOND,
            falls_silent: is_stormy && chance.one_in(6),
            is_negligent: is_stormy && chance.one_in(2),
        },
        reading: chance.pick(&[Reading::Inbox, Reading::Pieces, Reading::Buffer, Reading::Carry]),
        replies: chance.pick(&[
            Replies::Automatic,
            Replies::Automatic,
            Replies::CloseOnly,
            Replies::Manual,
        ]),
        delay: match is_stormy {
            true => chance.pick(&[0, 100, 20 * MILLI, 3 * SECOND]),
            false => chance.pick(&[0, 100, 5 * MILLI]),
        },
        read_len_max: if reads_little { 7 } else { chance.pick(&[300, 4096]) },
    }
}

fn times(is_stormy: bool, chance: &mut Chance) -> Times {
    let (interval, timeout) = match is_stormy {
        true => (chance.between(200..=8_000), chance.between(200..=8_000)),
        false => (chance.between(100..=3_000), chance.between(2_000..=20_000)),
    };
    let interval = Duration::from_millis(interval);
    let timeout = Duration::from_millis(timeout);
    let some = |chance: &mut Chance, range| {
        let millis = chance.between(range);
        chance.one_in(3).then_some(millis * MILLI)
    };
    Times {
        keep_alive: chance.pick(&[
            KeepAlive::Off,
            KeepAlive::UnsolicitedPong { interval },
            KeepAlive::PingPong { interval, timeout },
            KeepAlive::PingPong { interval, timeout },
        ]),
        idle: if is_stormy { some(chance, 500..=20_000) } else { None },
        assembly: match is_stormy {
            true => some(chance, 300..=10_000),
            false => some(chance, 20_000..=60_000),
        },
        lifetime: some(chance, 500..=40_000),
        close: match is_stormy {
            true => chance.between(10..=6_000) * MILLI,
            false => chance.between(4_000..=6_000) * MILLI,
        },
    }
}

fn weather(mood: Mood, chance: &mut Chance) -> Weather {
    if mood != Mood::Stormy {
        let most = chance.pick(&[20, 1_000, 20_000]);
        return Weather {
            latency: (10, most),
            stall: None,
            segment_len_max: chance.pick(&[100, 1_460, 16_384]),
            capacity: chance.pick(&[16_384, 32_768]),
            fault: None,
        };
    }
    let side = chance.pick(&SIDES);
    let at = chance.between(0..=chance.clone().pick(&[100 * MILLI, 5 * SECOND, 30 * SECOND]));
    let len = chance.between(0..=chance.clone().pick(&[10, 300, 5_000]));
    Weather {
        latency: (10, chance.pick(&[20, 1_000, 50_000, SECOND])),
        stall: chance.one_in(3).then(|| (10, chance.between(0..=15) * SECOND)),
        segment_len_max: chance.pick(&[10, 100, 1_460, 16_384]),
        capacity: chance.pick(&[64, 1_000, 8_192, 32_768]),
        fault: chance.pick(&[
            None,
            Some(Fault::Reset { at }),
            Some(Fault::Silence { of: side, at }),
            Some(Fault::Cut { of: side, len }),
        ]),
    }
}

/// What to compress with, in one world of three.
#[cfg(feature = "deflate")]
fn terms(chance: &mut Chance) -> Option<crate::support::compressed::Terms> {
    use crate::support::compressed::{Drop, Keep, Terms};

    let mut direction = || (chance.pick(&[9, 10, 15]), chance.pick(&[Keep, Drop]));
    let terms = Terms { ours: direction(), theirs: direction() };
    chance.one_in(3).then_some(terms)
}
