//! Delays before connecting again: what holds for any settings and any luck.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use sansocket::Backoff;

/// What may happen to a client that connects again.
#[derive(Clone, Debug)]
enum Event {
    Failed(u64),
    Asked(Duration, u64),
    Lived(Duration),
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        any::<(u64, u32)>().prop_map(|(secs, nanos)| Duration::new(secs, nanos % 1_000_000_000)),
        (0_u64..100_000).prop_map(Duration::from_millis),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        any::<u64>().prop_map(Event::Failed),
        (duration(), any::<u64>()).prop_map(|(asked, random)| Event::Asked(asked, random)),
        duration().prop_map(Event::Lived),
    ]
}

proptest! {
    #[test]
    fn delays_keep_their_bounds_whatever_happens(
        (first, max, settled) in (duration(), duration(), duration()),
        events in vec(event(), 0..100),
    ) {
        let mut backoff = Backoff::new().first(first).max(max).settled(settled);
        for event in events {
            let (bound, attempts) = (backoff.bound(), backoff.attempts());
            prop_assert!(bound <= max);
            match event {
                Event::Failed(random) => {
                    prop_assert!(backoff.next_delay(random) <= bound);
                    prop_assert!(backoff.bound() >= bound && backoff.attempts() == attempts + 1);
                    prop_assert!(backoff.bound() <= bound.saturating_mul(2));
                }
                Event::Asked(asked, random) => {
                    let delay = backoff.next_delay_after(asked, random);
                    prop_assert!(delay >= asked.min(max));
                    prop_assert!(delay <= asked.min(max).saturating_add(bound));
                }
                Event::Lived(lifetime) => {
                    backoff.lived(lifetime);
                    let begins_anew = lifetime >= settled;
                    prop_assert_eq!(backoff.attempts(), if begins_anew { 0 } else { attempts });
                }
            }
        }
    }

    #[test]
    fn more_luck_never_means_to_wait_longer(
        first in duration(), (less, more) in any::<(u64, u64)>(),
    ) {
        let backoff = Backoff::new().first(first).max(Duration::MAX);
        let delay = |random| { backoff }.next_delay(random);
        prop_assert!(delay(less.min(more)) <= delay(less.max(more)));
    }
}
