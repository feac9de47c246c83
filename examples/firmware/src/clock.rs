//! Time from SysTick, a millisecond a tick.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use sansocket::Tick;

/// Begins anew after 49 days.
static MILLIS: AtomicU32 = AtomicU32::new(0);

/// Time since the start, for as long as it is asked once in 49 days.
pub(crate) struct Clock {
    seen: u32,
    millis: u64,
}

impl Clock {
    pub(crate) fn start(mut systick: SYST) -> Self {
        systick.set_clock_source(SystClkSource::Core);
        systick.set_reload(CORE_HZ / 1000 - 1);
        systick.clear_current();
        systick.enable_counter();
        systick.enable_interrupt();
        Self { seen: 0, millis: 0 }
    }

    pub(crate) fn now(&mut self) -> Tick {
        let seen = MILLIS.load(Ordering::Relaxed);
        self.millis += u64::from(seen.wrapping_sub(self.seen));
        self.seen = seen;
        Tick::from_millis(self.millis)
    }
}

#[exception]
fn SysTick() {
    MILLIS.fetch_add(1, Ordering::Relaxed);
}

const CORE_HZ: u32 = 25_000_000;
