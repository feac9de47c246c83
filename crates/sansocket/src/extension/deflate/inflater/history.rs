//! The window of what was decompressed.

use alloc::boxed::Box;
use alloc::vec;

use super::WindowBits;

/// A ring as long as the window. A decoder may write into it directly; what it wrote
/// is then read once.
pub(super) struct History {
    ring: Box<[u8]>,
    /// Where the next byte goes. Behind the last place only until one is wanted.
    at: usize,
    is_full: bool,
    /// Bytes before `at` that were not read yet. They lie in one piece.
    unread: usize,
}

impl History {
    pub(super) fn new(window: WindowBits) -> Self {
        let ring = vec![0; window.window_len()].into_boxed_slice();
        Self { ring, at: 0, is_full: false, unread: 0 }
    }

    pub(super) fn clear(&mut self) {
        (self.at, self.is_full, self.unread) = (0, false, 0);
    }

    /// Takes up what was decompressed elsewhere.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let skipped = bytes.len().saturating_sub(self.ring.len());
        let mut bytes = &bytes[skipped..];
        while !bytes.is_empty() {
            let room = self.room();
            let (now, later) = bytes.split_at(bytes.len().min(room.ring.len() - room.at));
            room.ring[room.at..][..now.len()].copy_from_slice(now);
            self.at += now.len();
            bytes = later;
        }
    }

    /// Where to decompress to: at least one byte is free behind `at`.
    pub(super) fn room(&mut self) -> Room<'_> {
        if self.at == self.ring.len() {
            (self.at, self.is_full) = (0, true);
        }
        Room { ring: &mut self.ring, at: self.at, is_full: self.is_full }
    }

    /// So many bytes were decompressed to the room.
    pub(super) fn advance(&mut self, produced: usize) {
        self.at += produced;
        self.unread += produced;
    }

    /// Moves as much as fits of what was decompressed to the room, and returns how
    /// much that is.
    pub(super) fn read(&mut self, out: &mut [u8]) -> usize {
        let len = self.unread.min(out.len());
        out[..len].copy_from_slice(&self.ring[self.at - self.unread..][..len]);
        self.unread -= len;
        len
    }
}

/// The ring, as a decoder sees it.
pub(super) struct Room<'h> {
    pub(super) ring: &'h mut [u8],
    pub(super) at: usize,
    /// Whether the bytes from `at` on are history: those just before these.
    pub(super) is_full: bool,
}
