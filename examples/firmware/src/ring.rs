//! Bytes on their way from an interrupt to whoever waits for them.

use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// One side pushes, one side pops. `N` is a power of two.
pub(crate) struct Ring<const N: usize> {
    bytes: [AtomicU8; N],
    pushed: AtomicUsize,
    popped: AtomicUsize,
}

impl<const N: usize> Ring<N> {
    pub(crate) const fn new() -> Self {
        const { assert!(N.is_power_of_two()) };
        Self {
            bytes: [const { AtomicU8::new(0) }; N],
            pushed: AtomicUsize::new(0),
            popped: AtomicUsize::new(0),
        }
    }

    /// For the side that pushes: what it says stays true until it does.
    pub(crate) fn has_room(&self) -> bool {
        let popped = self.popped.load(Ordering::Acquire);
        self.pushed.load(Ordering::Relaxed).wrapping_sub(popped) < N
    }

    /// Without room the oldest byte is lost.
    pub(crate) fn push(&self, byte: u8) {
        let pushed = self.pushed.load(Ordering::Relaxed);
        self.bytes[pushed % N].store(byte, Ordering::Relaxed);
        self.pushed.store(pushed.wrapping_add(1), Ordering::Release);
    }

    pub(crate) fn pop(&self) -> Option<u8> {
        let popped = self.popped.load(Ordering::Relaxed);
        if popped == self.pushed.load(Ordering::Acquire) {
            return None;
        }
        let byte = self.bytes[popped % N].load(Ordering::Relaxed);
        self.popped.store(popped.wrapping_add(1), Ordering::Release);
        Some(byte)
    }
}
