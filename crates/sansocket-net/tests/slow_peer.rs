//! A peer that sends and does not read: nothing is lost for us, nothing grows, and
//! the write-stall deadline ends it.

mod support;

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sansocket::{Cause, CloseCode, Fin, Inbox, Kind, Message, SendError, Server};
use sansocket_net::{Error, Settings, SplitTransport, Transport};
use support::{PATIENCE, frame, open_with, pair, quiet, spawn};

/// A transport that takes nothing until it is told to.
#[derive(Clone)]
struct Deaf {
    input: Arc<[u8]>,
    read: usize,
    hears: Arc<AtomicBool>,
    taken: Arc<AtomicUsize>,
}

impl Deaf {
    fn new(input: &[u8]) -> Self {
        Self { input: input.into(), read: 0, hears: Arc::default(), taken: Arc::default() }
    }
}

impl Read for Deaf {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match (&self.input[self.read..]).read(buf)? {
            0 => Err(ErrorKind::WouldBlock.into()),
            len => {
                self.read += len;
                Ok(len)
            }
        }
    }
}

impl Write for Deaf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.hears.load(Ordering::Relaxed) {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.taken.fetch_add(bytes.len(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Deaf {
    fn set_read_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&mut self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SplitTransport for Deaf {
    fn try_clone(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn shutdown_both(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, Some([1, 2, 3, 4]))
}

fn settings(stall: Duration) -> Settings {
    Settings::new().write_stall(stall)
}

const STALL: Duration = Duration::from_millis(30);

// T06, F17
#[test]
fn what_came_is_delivered_although_its_pong_cannot_be_written() {
    let input = [masked(0x89, b"?"), masked(0x81, b"important")].concat();
    let mut socket = open_with::<Server, _>(Deaf::new(&input), &quiet(), &settings(STALL));
    let mut inbox = Inbox::new();
    let message = socket.receive(&mut inbox).expect("it was there");
    assert_eq!(message, Message::Text("important"));
    assert!(matches!(socket.receive(&mut inbox), Err(Error::WriteStalled)));
}

// F17: 6455-5.5.3-02; P3
#[test]
fn pongs_that_cannot_be_written_do_not_pile_up() {
    let pings = 2_000;
    let round = [masked(0x89, &[b'x'; 125]), masked(0x82, b".")].concat();
    let deaf = Deaf::new(&round.repeat(pings));
    let (hears, taken) = (deaf.hears.clone(), deaf.taken.clone());

    let mut socket = open_with::<Server, _>(deaf.clone(), &quiet(), &settings(PATIENCE));
    let mut inbox = Inbox::new();
    for _ in 0..pings {
        assert_eq!(socket.receive(&mut inbox).expect("a message"), Message::Binary(b"."));
    }
    hears.store(true, Ordering::Relaxed);
    socket.send("last").expect("heard now");
    let written = taken.swap(0, Ordering::Relaxed);
    assert!((127..17 * 1024).contains(&written), "{written} bytes of Pongs");

    // The same for the two halves.
    hears.store(false, Ordering::Relaxed);
    let socket = open_with::<Server, _>(deaf, &quiet(), &settings(PATIENCE));
    let (mut receiver, sender) = socket.split().expect("two halves");
    let mut inbox = Inbox::new();
    for _ in 0..pings {
        assert_eq!(receiver.receive(&mut inbox).expect("a message"), Message::Binary(b"."));
    }
    hears.store(true, Ordering::Relaxed);
    sender.send("last").expect("heard now");
    let written = taken.load(Ordering::Relaxed);
    assert!((127..17 * 1024).contains(&written), "{written} bytes of Pongs");
}

// T07: a peer that does not read holds its own sender up, and nothing else; the
// stall deadline is the policy.
#[test]
fn sending_waits_for_a_slow_reader_and_gives_up_in_the_end() {
    let deaf = Deaf::new(b"");
    let (hears, taken) = (deaf.hears.clone(), deaf.taken.clone());
    let mut socket = open_with::<Server, _>(deaf.clone(), &quiet(), &settings(PATIENCE));
    let sending = spawn(move || socket.send("patience").map(|()| socket));
    hears.store(true, Ordering::Relaxed);
    drop(sending.join().expect("it was heard in the end"));
    assert!(taken.load(Ordering::Relaxed) >= 10);

    hears.store(false, Ordering::Relaxed);
    let mut socket = open_with::<Server, _>(deaf, &quiet(), &settings(STALL));
    assert!(matches!(socket.send("too long"), Err(Error::WriteStalled)));
}

// T06
#[test]
fn a_receiver_gives_a_peer_up_that_takes_no_pong() {
    let input = masked(0x89, b"?");
    let socket = open_with::<Server, _>(Deaf::new(&input), &quiet(), &settings(STALL));
    let (mut receiver, _sender) = socket.split().expect("two halves");
    let receiving = spawn(move || receiver.receive(&mut Inbox::new()).map(|_| ()));
    assert!(matches!(receiving.join(), Err(Error::WriteStalled)));
}

// T06, over a socket: the peer pings and sends for ever, and never reads.
#[cfg(unix)]
#[test]
fn a_peer_that_only_talks_is_given_up_over_a_socket_too() {
    // TCP would take megabytes first, and a little more now and then.
    let (stream, mut peer) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let socket = open_with::<Server, _>(stream, &quiet(), &settings(STALL));
    let (mut receiver, _sender) = socket.split().expect("two halves");
    let receiving = spawn(move || {
        let mut inbox = Inbox::new();
        loop {
            if let Err(error) = receiver.receive(&mut inbox) {
                return error;
            }
        }
    });
    let round = [masked(0x89, &[b'x'; 125]), masked(0x82, b".")].concat().repeat(100);
    while peer.write_all(&round).is_ok() {}
    assert!(matches!(receiving.join(), Error::WriteStalled | Error::Io(_)));
}

// T08: the close deadline is kept although the Close cannot be written.
#[test]
fn a_close_that_cannot_be_written_is_given_up_at_its_deadline() {
    let config = quiet().close_timeout(STALL);
    let mut socket = open_with::<Server, _>(Deaf::new(b""), &config, &settings(PATIENCE));
    let closed = socket.close(&mut Inbox::new(), CloseCode::NORMAL, "").expect("an end");
    assert_eq!(closed.cause(), Cause::CloseTimeout);
}

// 6455-5.4-08
#[test]
fn a_large_message_does_not_end_the_fragmented_one_under_way() {
    let (mut socket, mut peer) = pair::<Server>(&quiet());
    socket.send_fragment(Kind::Text, Fin::More, b"begun, ").expect("open");
    let refused = socket.send(&support::text(20_000)).expect_err("one is under way");
    let under_way = SendError::MessageUnderWay { kind: Kind::Text };
    assert!(matches!(refused, Error::Send(error) if error == under_way));
    socket.send_fragment(Kind::Text, Fin::Last, b"ended").expect("open");
    assert_eq!((peer.next().payload, peer.next().payload), (b"begun, ".into(), b"ended".into()));
}

#[test]
fn two_inboxes_of_one_connection_do_not_mix_its_bytes() {
    let (mut socket, mut peer) = pair::<Server>(&quiet());
    let (mut one, mut other) = (Inbox::new(), Inbox::new());
    peer.text("1");
    assert_eq!(socket.receive(&mut one).expect("a message"), Message::Text("1"));
    peer.write(&["2", "3"].map(|text| peer.frame(0x81, text.as_bytes())).concat());
    assert_eq!(socket.receive(&mut other).expect("a message"), Message::Text("2"));
    if !other.is_idle() {
        assert!(matches!(socket.receive(&mut one), Err(Error::ForeignInbox)));
    }
    assert_eq!(socket.receive(&mut other).expect("a message"), Message::Text("3"));
}

// F19: 6455-8.1-01; P5, P7
#[test]
fn a_piece_before_a_bad_byte_is_just_what_came_before_it() {
    let (mut socket, mut peer) = pair::<Server>(&quiet());
    peer.send(0x81, b"abc\xffDEFGH");
    let mut inbox = Inbox::new();
    assert_eq!(socket.receive_piece(&mut inbox).expect("what is valid").bytes(), b"abc");
    assert!(matches!(socket.receive_piece(&mut inbox), Err(Error::Failed(_))));
}

// Whose an inbox is does not depend on how much is in it.
#[test]
fn inboxes_with_equally_much_unread_cannot_be_swapped() {
    let [mut one, mut other] = ["one", "two"].map(|text| {
        let (socket, mut peer) = pair::<Server>(&quiet());
        let both = [peer.frame(0x81, b"first"), peer.frame(0x81, text.as_bytes())].concat();
        peer.write(&both);
        (socket, Inbox::new(), peer)
    });
    for (socket, inbox, _) in [&mut one, &mut other] {
        assert_eq!(socket.receive(inbox).expect("a message"), Message::Text("first"));
    }
    assert!(matches!(one.0.receive(&mut other.1), Err(Error::ForeignInbox)));
    assert!(matches!(other.0.receive(&mut one.1), Err(Error::ForeignInbox)));
    assert_eq!(one.0.receive(&mut one.1).expect("a message"), Message::Text("one"));
    assert_eq!(other.0.receive(&mut other.1).expect("a message"), Message::Text("two"));
    // Empty, an inbox is anyone's.
    one.0.send_fragment(Kind::Text, Fin::Last, b"").expect("open");
    other.2.text("three");
    assert_eq!(other.0.receive(&mut one.1).expect("a message"), Message::Text("three"));
}

#[test]
fn a_message_begun_in_pieces_is_finished_in_pieces() {
    let (mut socket, mut peer) = pair::<Server>(&quiet());
    peer.send(0x01, b"be");
    peer.send(0x80, b"gun");
    peer.text("next");
    let mut inbox = Inbox::new();
    assert_eq!(socket.receive_piece(&mut inbox).expect("a piece").bytes(), b"be");
    assert!(matches!(socket.receive(&mut inbox), Err(Error::PiecesUnderWay)));
    assert!(socket.receive_piece(&mut inbox).expect("nothing was lost").ends_message());
    assert_eq!(socket.receive(&mut inbox).expect("a message"), Message::Text("next"));
}
