//! What is allocated: nothing for an echo once it is warm, and no more than the
//! limits for what a peer is up to.

#[cfg(feature = "tls")]
#[path = "tls/authority.rs"]
mod authority;
mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;
use std::net::TcpStream;

use sansocket::{Config, Inbox, Server};
use sansocket_net::{Error, WebSocket, accept, connect};
use support::{
    End, Listener, REQUEST, TestClient, pair, quiet, read_head, spawn, tcp_pair, text,
    write_until_dropped,
};

/// Counts for each thread by itself, so that tests can run side by side.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(len: usize, sign: isize) {
    let len = isize::try_from(len).unwrap_or(isize::MAX) * sign;
    // A thread that ends has no counters any more.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + len);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
    if sign > 0 {
        let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
    }
}

// SAFETY: all is done by `System`; the counters are cells that need no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often this thread allocates in `work`.
fn allocations(work: impl FnOnce()) -> usize {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

/// What is still there of all that `work` allocated, in bytes.
#[cfg(feature = "deflate")]
fn kept(work: impl FnOnce()) -> isize {
    let before = LIVE.get();
    work();
    LIVE.get() - before
}

/// How many bytes more than before this thread has at most in `work`.
fn peak(work: impl FnOnce()) -> usize {
    let before = LIVE.get();
    PEAK.set(before);
    work();
    usize::try_from(PEAK.get() - before).unwrap_or(0)
}

/// Echo rounds: so many to warm up, and so many that are counted.
const ROUNDS: usize = 20;

/// Lengths of messages that come whole in one read of 16 KiB.
const LENS: [usize; 5] = [0, 5, 125, 3000, 16_000];

/// Sends the peer's side of the rounds, and reads the echoes.
fn echo_rounds(peer: &mut support::Peer) {
    for _ in 0..2 * ROUNDS {
        for len in LENS {
            peer.text(&text(len));
            assert_eq!(peer.next().payload.len(), len);
            peer.send(0x89, b"and a Ping");
            assert_eq!(peer.next().first, 0x8a);
        }
    }
}

/// An echo of one message through a WebSocket.
fn whole<R: End>(
    mut socket: WebSocket<TcpStream, R>,
) -> impl FnMut(&mut Inbox) -> Result<(), Error> {
    move |inbox| {
        let message = socket.receive(inbox)?;
        socket.send(message)
    }
}

/// The same through its halves.
fn halves<R: End>(socket: WebSocket<TcpStream, R>) -> impl FnMut(&mut Inbox) -> Result<(), Error> {
    let (mut receiver, sender) = socket.split().expect("splits");
    move |inbox| sender.send(receiver.receive(inbox)?)
}

fn allocates_nothing<R, E>(open: impl FnOnce(WebSocket<TcpStream, R>) -> E + Send + 'static)
where
    R: End,
    E: FnMut(&mut Inbox) -> Result<(), Error>,
{
    let (socket, mut peer) = pair::<R>(&Config::new());
    let task = spawn(move || {
        let (mut echo, mut inbox) = (open(socket), Inbox::new());
        let mut rounds = || {
            for _ in 0..ROUNDS * LENS.len() {
                echo(&mut inbox).expect("an echo");
            }
        };
        rounds();
        let counted = allocations(&mut rounds);
        // The last Ping is answered inside a call.
        (counted, echo(&mut inbox).is_err())
    });
    echo_rounds(&mut peer);
    peer.close(1000, "");
    peer.end();
    assert_eq!(task.join(), (0, true));
}

#[test]
fn an_echo_of_whole_frames_allocates_nothing() {
    allocates_nothing(whole::<Server>);
    allocates_nothing(whole::<TestClient>);
}

#[test]
fn an_echo_through_halves_allocates_nothing() {
    allocates_nothing(halves::<Server>);
    allocates_nothing(halves::<TestClient>);
}

#[test]
fn large_messages_are_received_into_the_same_memory_again() {
    let (mut socket, mut peer) = pair::<Server>(&quiet());
    let task = spawn(move || {
        let mut inbox = Inbox::new();
        let mut round = || {
            let message = socket.receive(&mut inbox).expect("a message");
            socket.send(message).expect("sends");
        };
        round();
        (allocations(round), socket)
    });
    for _ in 0..2 {
        let mut stream = peer.stream.try_clone().expect("clone");
        let frame = peer.frame(0x82, &vec![1; 1 << 20]);
        let write = spawn(move || stream.write_all(&frame).expect("the other end reads"));
        assert_eq!(peer.next().payload.len(), 1 << 20);
        write.join();
    }
    assert_eq!(task.join().0, 0);
}

/// What a server has allocated at most while a peer sends `bytes` and leaves.
#[track_caller]
fn peak_of(config: &Config, bytes: Vec<u8>, max: usize) {
    let (mut socket, peer) = pair::<Server>(config);
    let mut stream = peer.stream.try_clone().expect("clone");
    let write = spawn(move || {
        // It may well be dropped before it is through.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
    });
    // The answers must go somewhere.
    let mut answers = peer.stream.try_clone().expect("clone");
    let read = spawn(move || std::io::copy(&mut answers, &mut std::io::sink()).is_ok());
    let task = spawn(move || {
        peak(move || {
            let mut inbox = Inbox::new();
            while socket.receive(&mut inbox).is_ok() {}
        })
    });
    let peak = task.join();
    assert!(peak <= max, "{peak} bytes allocated, and {max} are allowed");
    write.join();
    drop(peer);
    read.join();
}

/// The read buffer, and what the answers may pile up to.
const FLOOR: usize = 16 * 1024 + 64 * 1024;

// F06, F08, P3
#[test]
fn a_length_that_is_only_declared_allocates_nothing() {
    let config = quiet().message_len_max(1 << 30);
    for len in [1_u64 << 20, 1 << 30, u64::MAX >> 1, u64::MAX] {
        let header = [&[0x82, 0xff][..], &len.to_be_bytes(), b"key!some"].concat();
        peak_of(&config, header, FLOOR);
    }
}

// F10, P3
#[test]
fn endless_tiny_fragments_stay_within_the_limit() {
    let key = Server::PEER_KEY;
    let empty = support::frame(0x00, b"", key).repeat(100_000);
    let all = [support::frame(0x01, b"x", key), empty].concat();
    peak_of(&quiet(), all, FLOOR);
    let tiny = support::frame(0x00, b"y", key).repeat(100_000);
    let all = [support::frame(0x02, b"x", key), tiny].concat();
    peak_of(&quiet().fragments_max(u32::MAX).message_len_max(4096), all, FLOOR + 2 * 4096);
}

// F17
#[test]
fn a_flood_of_pings_stays_within_the_limit() {
    let pings = support::frame(0x89, &[7; 125], Server::PEER_KEY).repeat(50_000);
    peak_of(&quiet().control_frames_max(u32::MAX), pings.clone(), FLOOR);
    peak_of(&quiet(), pings, FLOOR);
}

#[test]
fn a_message_takes_its_length_and_no_more_than_the_limit() {
    let len = 1 << 20;
    let message = support::frame(0x82, &vec![1; len], Server::PEER_KEY);
    // Growing, the old place and the new one are there at the same time.
    peak_of(&quiet().message_len_max(len as u64), message, FLOOR + 2 * len);
}

// H07, H35
#[test]
fn a_request_takes_no_more_than_its_limits() {
    let (ours, mut theirs) = tcp_pair();
    let task = spawn(move || peak(move || assert!(accept(ours).is_err())));
    theirs.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX: ").expect("the server reads");
    write_until_dropped(&mut theirs);
    assert!(task.join() <= 64 * 1024);

    // What comes behind an accepted request waits in the socket.
    let (ours, mut theirs) = tcp_pair();
    let task = spawn(move || peak(move || assert!(accept(ours).is_ok())));
    let all = [REQUEST.as_bytes(), &[0; 100_000]].concat();
    theirs.write_all(&all).expect("the sockets take it");
    assert!(task.join() <= 64 * 1024);
}

// C07
#[test]
fn a_response_takes_no_more_than_its_limits() {
    let listener = Listener::bind();
    let uri = listener.uri("/");
    let task = spawn(move || {
        let mut error = None;
        let peak = peak(|| error = connect(&uri).err());
        (peak, error)
    });
    let mut stream = listener.accept();
    read_head(&mut stream);
    stream.write_all(b"HTTP/1.1 101 Fine\r\nX: ").expect("the client reads");
    write_until_dropped(&mut stream);
    let (peak, error) = task.join();
    assert!(peak <= 64 * 1024, "{peak}");
    assert!(error.is_some());
}

#[cfg(feature = "deflate")]
#[test]
fn what_a_large_message_took_to_be_compressed_is_not_kept() {
    use sansocket::deflate::{ClientDeflatePolicy, ServerDeflatePolicy};
    use sansocket_net::{AcceptOptions, ConnectOptions, Decision, accept_with, connect_with};

    let listener = Listener::bind();
    let uri = listener.uri("/");
    let reading = spawn(move || {
        let options = AcceptOptions::new().deflate(ServerDeflatePolicy::new());
        let mut socket =
            accept_with(listener.accept(), &options, |_| Decision::accept()).expect("accepts");
        let mut inbox = Inbox::new();
        while socket.receive(&mut inbox).is_ok() {}
    });
    let writing = spawn(move || {
        let options = ConnectOptions::new().deflate(ClientDeflatePolicy::new());
        let mut socket = connect_with(&uri, &options).expect("connects");
        // The context is made, and kept.
        socket.send(vec![1; 1000].as_slice()).expect("sends");
        let message = vec![1; 1 << 20];
        kept(|| socket.send(message.as_slice()).expect("sends"))
    });
    assert!(writing.join() <= 0);
    reading.join();
}

/// Handshake, much in, much out: what one thread has at most for its end.
#[cfg(feature = "tls")]
#[test]
fn a_tls_stream_takes_no_more_than_it_says() {
    use std::io::Read;

    const LEN: usize = 4 << 20;
    const SAID: usize = 100 * 1024;
    let authority = authority::Authority::new();
    let (acceptor, connector) = (authority.acceptor(), authority.connector());
    let (client, server) = tcp_pair();
    let server = spawn(move || {
        let mut chunk = vec![0; 100_000];
        peak(|| {
            let mut stream = acceptor.accept(server).expect("accepts");
            let mut left = LEN;
            while left > 0 {
                match stream.read(&mut chunk) {
                    Ok(len) => left -= len,
                    Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::Interrupted),
                }
            }
            for _ in 0..LEN / chunk.len() {
                stream.write_all(&chunk).expect("sends");
            }
            stream.flush().expect("sends");
        })
    });
    let mut client = connector.connect(client, "127.0.0.1", support::PATIENCE).expect("connects");
    client.write_all(&vec![1; LEN]).and_then(|()| client.flush()).expect("sends");
    client.read_exact(&mut vec![0; LEN / 100_000 * 100_000]).expect("all of it");
    let peak = server.join();
    assert!(peak <= SAID, "{peak}");
}
