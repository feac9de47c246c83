//! An allocator that counts, for the tests that measure memory. A test binary that has
//! this module allocates through it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with a ledger for each thread.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a thread allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// How often something was allocated or grew.
    pub(crate) allocations: usize,
    /// How many bytes are held.
    pub(crate) held: usize,
    /// The most that was held.
    pub(crate) peak: usize,
}

pub(crate) const NOTHING: Ledger = Ledger { allocations: 0, held: 0, peak: 0 };

thread_local! {
    pub(crate) static LEDGER: Cell<Ledger> = const { Cell::new(NOTHING) };
}

/// Notes that `freed` bytes became `allocated` bytes.
fn note(allocated: usize, freed: usize) {
    // A thread that ends has no ledger any more, and no test.
    let _ = LEDGER.try_with(|ledger| {
        let Ledger { allocations, held, peak } = ledger.get();
        // What was allocated before the measurement may be freed in it.
        let held = (held + allocated).saturating_sub(freed);
        let allocations = allocations + usize::from(allocated > 0);
        ledger.set(Ledger { allocations, held, peak: peak.max(held) });
    });
}

// SAFETY: every call is passed on to the system's allocator as it came; the
// ledger is a plain cell that allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        note(0, layout.size());
        // SAFETY: `place` came from `System`, like everything allocated here.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        note(len, layout.size());
        // SAFETY: as in `dealloc`.
        unsafe { System.realloc(place, layout, len) }
    }
}

/// What this thread allocates while `work` is done, and what it leads to.
pub(crate) fn measure<T>(work: impl FnOnce() -> T) -> (Ledger, T) {
    LEDGER.set(NOTHING);
    let result = work();
    (LEDGER.get(), result)
}
