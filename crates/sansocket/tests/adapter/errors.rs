//! What an adapter says that went wrong, and whether it may pass.

use std::io;

use sansocket::adapter::{AcceptError, Broken, Closed, Error, Refused};
use sansocket::{
    AssemblyError, CloseCode, CloseFrame, Config, Connection, Negotiated, SendError, Server,
};

use crate::source;

/// The end of a connection whose peer closed with this code.
fn closed(code: u16) -> Closed {
    let mut connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
    let [high, low] = code.to_be_bytes();
    let mut close = [0x88, 0x82, 0, 0, 0, 0, high, low];
    assert!(connection.receive(&mut close).expect("a good Close").event.is_some());
    let closure = connection.receive_end();
    Closed::new(closure, Some(CloseFrame { code: closure.code(), reason: "why" }))
}

/// The end of a connection whose peer broke a rule.
fn failed() -> Closed {
    let mut connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
    connection.receive(&mut [0x81, 0x00]).expect_err("it is not masked");
    Closed::new(connection.receive_end(), None)
}

#[test]
fn an_error_says_what_is_under_it() {
    let failure = failed().failure().expect("a rule was broken");
    let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
    for (error, text, under) in [
        (Error::Closed(closed(1000)), "closed with 1000: why".to_owned(), None),
        (Error::Failed(failure), failure.to_string(), Some(failure.to_string())),
        (
            Error::from(SendError::Closed),
            SendError::Closed.to_string(),
            Some(SendError::Closed.to_string()),
        ),
        (
            Error::Assembly(AssemblyError::OutOfOrder),
            AssemblyError::OutOfOrder.to_string(),
            Some(AssemblyError::OutOfOrder.to_string()),
        ),
        (Error::ForeignInbox, "the inbox belongs to another connection".to_owned(), None),
        (
            Error::PiecesUnderWay,
            "a message that was begun in pieces is not finished".to_owned(),
            None,
        ),
        (Error::QueueFull, "the queue of bytes to send is full".to_owned(), None),
        (Error::WriteStalled, "the peer stopped reading".to_owned(), None),
        (Error::from(reset()), reset().to_string(), Some(reset().to_string())),
    ] {
        assert_eq!((error.to_string(), source(&error)), (text, under), "{error:?}");
    }
}

#[test]
fn an_error_of_a_server_says_what_is_under_it() {
    let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
    let refused = Refused::Answered(404);
    for (error, text, under) in [
        (AcceptError::from(refused), refused.to_string(), Some(refused.to_string())),
        (AcceptError::Incomplete, "handshake incomplete: the peer left".to_owned(), None),
        (AcceptError::from(reset()), reset().to_string(), Some(reset().to_string())),
    ] {
        assert_eq!((error.to_string(), source(&error)), (text, under), "{error:?}");
    }
}

/// The end of a connection that said all with this code, and whose peer just left.
fn left_after(code: u16) -> Closed {
    let mut connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
    connection.close(Some(CloseCode::new(code)), "", &mut [0; 131]).expect("open");
    Closed::new(connection.receive_end(), None)
}

#[test]
fn who_had_said_all_does_not_come_back() {
    assert!(!left_after(1000).is_transient());
    assert!(left_after(1001).is_transient());
    let mut connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
    let aborted = Closed::new(connection.abort(), None);
    assert_eq!(aborted.code(), CloseCode::ABNORMAL);
    assert!(!aborted.is_transient());
}

#[test]
fn an_end_that_may_be_another_next_time_is_transient() {
    for (code, expected) in [
        (1000, false),
        (1001, true),
        (1002, false),
        (1008, false),
        (1011, true),
        (1012, true),
        (1013, true),
        (1014, true),
        (4000, false),
    ] {
        let closed = closed(code);
        assert_eq!(closed.is_transient(), expected, "{code}");
        assert_eq!(Error::Closed(closed).is_transient(), expected, "{code}");
    }
    let failure = failed().failure().expect("a rule was broken");
    assert!(!Error::Failed(failure).is_transient());
    assert!(!Error::Send(SendError::Closed).is_transient());
    let lost = Connection::new(Negotiated::from_upgraded(), Server, &Config::new()).receive_end();
    assert_eq!(lost.code(), CloseCode::ABNORMAL);
    assert!(Closed::new(lost, None).is_transient());
}

#[test]
fn an_error_is_said_again_as_it_was() {
    assert!(matches!(Error::from(&closed(1000)), Error::Closed(end) if end == closed(1000)));
    assert!(matches!(Error::from(&failed()), Error::Failed(_)));
    assert!(matches!(Error::from(Broken::Stalled), Error::WriteStalled));
    let reset = io::ErrorKind::ConnectionReset;
    assert!(matches!(Error::from(Broken::Io(reset)), Error::Io(error) if error.kind() == reset));
}
