//! Which inbox a connection keeps to.

use sansocket::adapter::InboxTag;
use sansocket::{Config, Connection, Inbox, Message, Negotiated, Ready, Server};

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

#[test]
fn an_inbox_lends_its_message_and_nothing_else_as_one() {
    let mut connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
    let mut inbox = Inbox::new();
    inbox.extend(b"\x82\x81\0\0\0\0x\x89\x80\0\0\0\0");
    assert_eq!(inbox.message(), None);
    assert_eq!(inbox.advance(&mut connection), Ok(Ready::Message));
    assert_eq!(inbox.message(), Some(Message::Binary(b"x")));
    assert_eq!(inbox.advance(&mut connection), Ok(Ready::Ping));
    assert_eq!(inbox.message(), None);
}
