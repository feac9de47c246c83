//! Which inbox a connection keeps to.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::connection::Inbox;

/// A connection's mark on its [`Inbox`], so that bytes read ahead are never taken for those
/// of another.
///
/// ```
/// use sansocket::Inbox;
/// use sansocket::adapter::InboxTag;
///
/// let (mut mine, mut yours) = (InboxTag::new(), InboxTag::new());
/// let mut inbox = Inbox::new();
/// assert!(mine.enter(&mut inbox));
/// inbox.extend(b"\x81"); // the beginning of a frame
/// mine.leave(&inbox);
/// assert!(!yours.enter(&mut inbox));
/// ```
#[derive(Debug)]
pub struct InboxTag {
    tag: u64,
    /// Something of this connection is in its inbox: unread bytes, or the beginning
    /// of a message.
    holding: bool,
}

impl InboxTag {
    /// A mark that no other connection of the process has.
    #[expect(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Self {
        Self { tag: next(), holding: false }
    }

    /// Makes `inbox` this connection's; false if it may not be, since something of another is
    /// in it, or something of this one in another.
    pub fn enter(&mut self, inbox: &mut Inbox) -> bool {
        if inbox.tag() == self.tag {
            return true;
        }
        if self.holding || !inbox.is_idle() {
            return false;
        }
        // A new one, since the inbox before still has the old.
        self.tag = next();
        inbox.set_tag(self.tag);
        true
    }

    /// The call is over: notes whether something stays in the inbox.
    pub fn leave(&mut self, inbox: &Inbox) {
        self.holding = !inbox.is_idle();
    }
}

fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
