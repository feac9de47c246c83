//! Contexts that connections share, one after the other.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::compressor::{Compressor, CompressorSettings};
use super::inflater::Inflater;
use super::negotiate::WindowBits;

/// A pool of compression contexts for connections without context takeover.
///
/// A context is some tens or hundreds of KiB, and a connection that starts each
/// message anew needs one only while a message is under way. Connections that share
/// a pool together hold as many contexts as they have messages under way at the same
/// time. Clones are the same pool; it may be shared by threads, and is locked only to
/// take a context out or to lay it back.
///
/// ```
/// use sansocket::deflate::DeflatePool;
///
/// let pool = DeflatePool::new(16);
/// assert_eq!(pool.idle(), 0);
/// ```
#[derive(Clone, Debug)]
pub struct DeflatePool(Arc<Mutex<Shelves>>);

/// Equal are only clones of the same pool.
impl PartialEq for DeflatePool {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for DeflatePool {}

/// What lies in a pool, the last laid back on top.
#[expect(clippy::vec_box, reason = "connections hold boxes, so moving one copies no context")]
struct Shelves {
    idle_max: usize,
    inflaters: Vec<Box<Inflater>>,
    compressors: Vec<Box<Compressor>>,
}

impl DeflatePool {
    /// An empty pool that keeps up to `idle_max` contexts to compress with, and as
    /// many to decompress with. What is laid back beyond that is freed.
    pub fn new(idle_max: usize) -> Self {
        let (inflaters, compressors) = (Vec::new(), Vec::new());
        Self(Arc::new(Mutex::new(Shelves { idle_max, inflaters, compressors })))
    }

    /// The number of contexts that lie in the pool.
    pub fn idle(&self) -> usize {
        let shelves = self.lock();
        shelves.inflaters.len() + shelves.compressors.len()
    }

    /// An inflater without history.
    pub(crate) fn inflater(&self, window: WindowBits) -> Box<Inflater> {
        let taken = take(&mut self.lock().inflaters, |inflater| inflater.window() == window);
        taken.unwrap_or_else(|| Box::new(Inflater::new(window)))
    }

    /// Lays an inflater back, whatever has become of it.
    pub(crate) fn give_inflater(&self, mut inflater: Box<Inflater>) {
        // Here, so that what a connection received is out of reach before the next
        // takes the context; and not under the lock.
        inflater.reset();
        let mut shelves = self.lock();
        let idle_max = shelves.idle_max;
        let surplus = lay(&mut shelves.inflaters, inflater, idle_max);
        drop(shelves);
        drop(surplus);
    }

    /// A compressor without history.
    pub(crate) fn compressor(&self, settings: CompressorSettings) -> Box<Compressor> {
        let taken = take(&mut self.lock().compressors, |it| it.settings() == settings);
        taken.unwrap_or_else(|| Box::new(Compressor::new(settings)))
    }

    /// Lays a compressor back.
    pub(crate) fn give_compressor(&self, mut compressor: Box<Compressor>) {
        compressor.reset();
        let mut shelves = self.lock();
        let idle_max = shelves.idle_max;
        let surplus = lay(&mut shelves.compressors, compressor, idle_max);
        drop(shelves);
        drop(surplus);
    }

    /// What lies in the pool is whole at any time, also if a thread panicked.
    fn lock(&self) -> MutexGuard<'_, Shelves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The topmost context that fits.
fn take<T>(shelf: &mut Vec<Box<T>>, fits: impl Fn(&T) -> bool) -> Option<Box<T>> {
    let index = shelf.iter().rposition(|context| fits(context))?;
    Some(shelf.remove(index))
}

/// Lays a context on top, and returns the lowest if they are too many: so one whose
/// size nobody takes any more gives way.
fn lay<T>(shelf: &mut Vec<Box<T>>, context: Box<T>, idle_max: usize) -> Option<Box<T>> {
    shelf.push(context);
    (shelf.len() > idle_max).then(|| shelf.remove(0))
}

impl fmt::Debug for Shelves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelves")
            .field("idle_max", &self.idle_max)
            .field("inflaters", &self.inflaters.len())
            .field("compressors", &self.compressors.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::inflater::tests::{compressed, window};
    use super::*;

    const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    const HELLO_AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";

    fn settings(level: u8) -> CompressorSettings {
        CompressorSettings { window: WindowBits::MAX, level, mem_level: 8 }
    }

    #[test]
    fn contexts_are_taken_as_they_are_wanted() {
        let pool = DeflatePool::new(4);
        for bits in [9, 12, 15] {
            pool.give_inflater(Box::new(Inflater::new(window(bits))));
        }
        for level in [1, 6] {
            pool.give_compressor(Box::new(Compressor::new(settings(level))));
        }
        assert_eq!(pool.idle(), 5);
        assert_eq!(pool.inflater(window(12)).window(), window(12));
        assert_eq!(pool.compressor(settings(1)).settings(), settings(1));
        assert_eq!(pool.idle(), 3);
        // There is none left of these.
        assert_eq!(pool.inflater(window(12)).window(), window(12));
        assert_eq!(pool.compressor(settings(1)).settings(), settings(1));
        assert_eq!(pool.clone().idle(), 3);
    }

    #[test]
    fn a_context_comes_without_history() {
        let pool = DeflatePool::new(1);
        for bits in [8, 15] {
            let mut inflater = pool.inflater(window(bits));
            inflater.inflate(HELLO, &mut [0; 9]);
            pool.give_inflater(inflater);
            let mut inflater = pool.inflater(window(bits));
            assert!(inflater.inflate(HELLO_AGAIN, &mut [0; 9]).corrupt);
            pool.give_inflater(inflater);
            let mut inflater = pool.inflater(window(bits));
            assert_eq!(inflater.inflate(HELLO, &mut [0; 9]).produced, 5);
        }
        for _ in 0..2 {
            let mut compressor = pool.compressor(settings(6));
            assert_eq!(compressed(&mut compressor, b"Hello"), HELLO);
            assert_eq!(compressed(&mut compressor, b"Hello"), HELLO_AGAIN);
            pool.give_compressor(compressor);
        }
    }

    #[test]
    fn the_oldest_context_gives_way() {
        let pool = DeflatePool::new(2);
        for level in [1, 2, 3] {
            pool.give_compressor(Box::new(Compressor::new(settings(level))));
        }
        let shelves = pool.lock();
        let levels: Vec<_> = shelves.compressors.iter().map(|it| it.settings().level).collect();
        assert_eq!(levels, [2, 3]);
        drop(shelves);
        let none = DeflatePool::new(0);
        none.give_inflater(Box::new(Inflater::new(WindowBits::MAX)));
        assert_eq!(none.idle(), 0);
    }

    #[test]
    fn a_panic_elsewhere_does_not_spoil_the_pool() {
        let pool = DeflatePool::new(2);
        pool.give_inflater(Box::new(Inflater::new(WindowBits::MAX)));
        let clone = pool.clone();
        let panicked = std::thread::spawn(move || {
            let _shelves = clone.lock();
            std::panic::resume_unwind(Box::new("a panic, without a word"));
        });
        assert!(panicked.join().is_err());
        assert!(pool.0.is_poisoned());
        assert_eq!(pool.idle(), 1);
        assert_eq!(pool.inflater(WindowBits::MAX).window(), WindowBits::MAX);
        assert_eq!(pool.idle(), 0);
    }

    #[test]
    fn a_pool_is_equal_to_its_clones_alone() {
        let pool = DeflatePool::new(2);
        assert_eq!(pool, pool.clone());
        assert_ne!(pool, DeflatePool::new(2));
    }

    #[test]
    fn a_pool_tells_how_much_lies_in_it() {
        let pool = DeflatePool::new(7);
        pool.give_inflater(Box::new(Inflater::new(window(9))));
        let shelves = "Shelves { idle_max: 7, inflaters: 1, compressors: 0 }";
        assert_eq!(std::format!("{:?}", *pool.lock()), shelves);
    }
}
