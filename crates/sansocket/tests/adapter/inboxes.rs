//! Which inbox a connection keeps to.

use sansocket::Inbox;
use sansocket::adapter::InboxTag;

#[test]
fn what_a_connection_left_in_an_inbox_keeps_others_out_and_itself_in() {
    let (mut mine, mut yours) = (InboxTag::new(), InboxTag::new());
    let (mut one, mut other) = (Inbox::new(), Inbox::new());
    assert!(mine.enter(&mut one));
    one.extend(b"\x81");
    mine.leave(&one);
    assert!(!yours.enter(&mut one), "another's bytes are in it");
    assert!(!mine.enter(&mut other), "its own bytes are elsewhere");
    assert!(mine.enter(&mut one));
}

#[test]
fn an_idle_inbox_goes_from_one_connection_to_the_next() {
    let (mut mine, mut yours) = (InboxTag::new(), InboxTag::new());
    let (mut one, mut other) = (Inbox::new(), Inbox::new());
    assert!(mine.enter(&mut one));
    mine.leave(&one);
    assert!(yours.enter(&mut one));
    yours.leave(&one);
    assert!(mine.enter(&mut other));
    // What comes into the first now is not taken for its own.
    one.extend(b"\x81");
    assert!(!mine.enter(&mut one));
}
