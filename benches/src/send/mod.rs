//! The rows of sending: a message becomes a frame in an output that is used again. A
//! client's is masked, with a new key each time, and the message is there unchanged
//! afterwards.
//!
//! In the end the whole frame lies in one place. An engine that appends to a buffer does
//! so; one that writes to a stream may write what lies in its own buffer for nothing, and
//! has what it writes from several places put together.
//!
//! A client's keys are of ChaCha, and in the row of other keys as plain as those that some
//! of the peers take.

mod engine;
#[cfg(feature = "peers")]
mod peers;

use sansocket::{Client, Connection, Event, Role, Server};

use crate::rows::{Case, Entry, Row};
use crate::{Dice, SWEEP, binary, client, connection};
use engine::{Append, Copied, Head, Send};

/// Each role and length.
pub fn cases() -> Vec<Case> {
    of(&LENS).collect()
}

pub(crate) fn sweep() -> impl Iterator<Item = Case> {
    of(&SWEEP)
}

fn of(lens: &'static [(&str, usize)]) -> impl Iterator<Item = Case> {
    let server = lens.iter().map(|&(name, len)| {
        let payload = payload(len);
        case(format!("server, {name}"), payload, || Server, check_server)
    });
    let client = lens.iter().map(|&(name, len)| {
        let payload = payload(len);
        let mut case = case(format!("client, {name}"), payload, client, check_client);
        let connection = connection(Client::new(Dice::new()));
        let row = Checked::new(Send::new(connection, payload), check_client);
        case.rows.push(Entry::ours("sansocket, send, other keys", row));
        case
    });
    server.chain(client)
}

/// The same memory for all rows of a case: where it lies makes a difference. It is never
/// freed, as to know when would take reference counts.
fn payload(len: usize) -> &'static [u8] {
    binary(len).leak()
}

fn case<R: Role + 'static>(
    name: String,
    payload: &'static [u8],
    role: fn() -> R,
    check: Check,
) -> Case {
    let connection = || connection(role());
    let rows = vec![
        Entry::floor("memcpy", Copied::new(payload)),
        Entry::ours("sansocket, send", Checked::new(Send::new(connection(), payload), check)),
        Entry::ours("sansocket, append", Checked::new(Append::new(connection(), payload), check)),
        Entry::ours(
            "sansocket, copy and head",
            Checked::new(Head::new(connection(), payload), check),
        ),
    ];
    #[cfg(feature = "peers")]
    let rows = rows.into_iter().chain(peers::rows(payload, R::MASKS, check)).collect();
    Case { name, messages: 1, bytes: payload.len(), rows }
}

/// Makes a frame.
trait Engine {
    fn send(&mut self);

    /// The frame that a call of `send` makes.
    fn sent(&mut self) -> Vec<u8>;
}

struct Checked<E>(E);

impl<E: Engine> Checked<E> {
    /// Sees for itself that the frames are good.
    fn new(mut engine: E, check: Check) -> Self {
        let len = check(engine.sent());
        assert_eq!(len, check(engine.sent()));
        Self(engine)
    }
}

impl<E: Engine> Row for Checked<E> {
    fn run(&mut self, times: usize) {
        for _ in 0..times {
            self.0.send();
        }
    }
}

/// Sees that a frame is whole and its payload is what was sent. Returns the length of
/// that.
type Check = fn(Vec<u8>) -> usize;

/// What a server sends, a client receives.
fn check_server(frame: Vec<u8>) -> usize {
    check(connection(client()), frame)
}

fn check_client(frame: Vec<u8>) -> usize {
    check(connection(Server), frame)
}

fn check<R: Role>(mut receiver: Connection<R>, mut frame: Vec<u8>) -> usize {
    let received = receiver.receive(&mut frame).expect("a valid frame");
    assert!(received.rest.is_empty(), "one frame");
    let Some(Event::Data(data)) = received.event else { panic!("no data") };
    let message = data.into_message().expect("a whole message");
    assert!(message.as_bytes() == binary(message.len()), "other bytes than were sent");
    message.len()
}

const LENS: [(&str, usize); 3] = [("16 B", 16), ("1 KiB", 1024), ("1 MiB", 1024 * 1024)];
