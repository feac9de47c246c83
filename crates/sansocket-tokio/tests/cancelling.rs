//! Every call can be dropped wherever it waits, and made again: nothing is lost, sent twice or
//! cut by that.

mod support;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use sansocket::adapter::Settings;
use sansocket::{CloseCode, Fin, Inbox, Kind, OwnedMessage, Server};
use sansocket_tokio::{Error, Receiver, Sender, WebSocket};
use support::{End, TestClient, Wire, frame, open_with, quiet, soon, text};
use tokio::task::yield_now;

/// Which calls are dropped: those that wait for the so-manieth time in the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drops {
    None,
    At(usize),
    Every,
}

/// Makes calls, and drops some.
struct Caller {
    drops: Drops,
    /// How often a call waited.
    waits: usize,
}

impl Caller {
    /// What the call comes to; `None` if it was dropped.
    async fn attempt<F: Future>(&mut self, call: F) -> Option<F::Output> {
        let done = {
            let mut call = pin!(call);
            poll_fn(|cx| match call.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending => {
                    let wait = self.waits;
                    self.waits += 1;
                    match self.drops {
                        Drops::Every => Poll::Ready(None),
                        Drops::At(at) if at == wait => Poll::Ready(None),
                        _ => Poll::Pending,
                    }
                }
            })
            .await
        };
        if done.is_none() {
            yield_now().await;
        }
        done
    }
}

/// Makes a call again until it is done.
macro_rules! insist {
    ($caller:expr, $call:expr) => {
        loop {
            if let Some(output) = $caller.attempt($call).await {
                break output;
            }
        }
    };
}

/// What came of a session.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    received: Vec<OwnedMessage>,
    written: Vec<u8>,
    end: String,
    is_ended: bool,
}

/// A session of every call, over a wire that hesitates and is this narrow.
struct Session {
    read_len: usize,
    write_len: usize,
    large_len: usize,
    queue_len: usize,
}

/// Of few bytes at a time, with a queue that has no room for two messages, and of many.
const SESSIONS: [Session; 3] = [
    Session { read_len: 3, write_len: 5, large_len: 40, queue_len: 64 * 1024 },
    Session { read_len: 3, write_len: 5, large_len: 40, queue_len: 20 },
    Session { read_len: 1_000, write_len: 700, large_len: 20_000, queue_len: 64 * 1024 },
];

impl Session {
    fn wire<R: End>(&self) -> Wire {
        let frames = |frames: &[(u8, &[u8])]| {
            frames.iter().flat_map(|(first, payload)| frame(*first, payload, R::PEER_KEY)).collect()
        };
        let large = text(self.large_len);
        let (half, rest) = large.as_bytes().split_at(self.large_len / 2);
        let wire = Wire::new::<R>([
            (0, frames(&[(0x81, b"Hello")])),
            (1, frames(&[(0x01, b"in "), (0x89, b"between"), (0x80, b"pieces")])),
            (4, frames(&[(0x02, half), (0x89, b"again"), (0x80, rest)])),
            (4, frames(&[(0x82, large.as_bytes()), (0x81, b"")])),
            (10, frames(&[(0x81, b"late"), (0x88, b"\x03\xe8bye")])),
        ]);
        wire.hesitates().lens(self.read_len, self.write_len)
    }

    async fn run<R: End>(&self, handles: Handles, drops: Drops) -> (Outcome, usize) {
        let wire = self.wire::<R>();
        let settings = Settings::new().queue_len_max(self.queue_len);
        let socket = open_with::<R, _>(wire.clone(), &quiet(), &settings);
        let mut program = Program {
            sender: socket.sender().clone(),
            side: match handles {
                Handles::Joined => Side::Joined(socket),
                Handles::Split => Side::Split(socket.split().0),
            },
            inbox: Inbox::with_capacity(64),
            received: Vec::new(),
            caller: Caller { drops, waits: 0 },
        };
        let end = soon(program.run(&text(self.large_len))).await;
        let Program { received, caller, .. } = program;
        let (written, is_ended) = (wire.written(), wire.is_ended());
        (Outcome { received, written, end, is_ended }, caller.waits)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handles {
    Joined,
    Split,
}

/// Who receives.
enum Side<R: End> {
    Joined(WebSocket<Wire, R>),
    Split(Receiver<Wire, R>),
}

impl<R: End> Side<R> {
    async fn receive(&mut self, inbox: &mut Inbox) -> Result<OwnedMessage, Error> {
        match self {
            Self::Joined(socket) => socket.receive(inbox).await.map(Into::into),
            Self::Split(receiver) => receiver.receive(inbox).await.map(Into::into),
        }
    }

    /// A piece, and whether it is the last of its message.
    async fn receive_piece(&mut self, inbox: &mut Inbox) -> Result<(Vec<u8>, bool), Error> {
        let piece = match self {
            Self::Joined(socket) => socket.receive_piece(inbox).await,
            Self::Split(receiver) => receiver.receive_piece(inbox).await,
        }?;
        Ok((piece.bytes().to_vec(), piece.ends_message()))
    }
}

struct Program<R: End> {
    side: Side<R>,
    sender: Sender<Wire, R>,
    inbox: Inbox,
    received: Vec<OwnedMessage>,
    caller: Caller,
}

impl<R: End> Program<R> {
    async fn run(&mut self, large: &str) -> String {
        self.receive().await;
        self.say(async |sender| sender.send("one").await).await;
        self.receive().await;
        self.say(async |sender| sender.feed("two").await).await;
        self.say(async |sender| sender.feed("three").await).await;
        insist!(self.caller, self.sender.flush()).expect("open");
        self.receive_pieces().await;
        self.receive().await;
        self.receive().await;
        self.say(async |sender| sender.send_fragment(Kind::Text, Fin::More, b"be").await).await;
        self.say(async |sender| sender.ping(b"?").await).await;
        self.say(async |sender| sender.send_fragment(Kind::Text, Fin::Last, b"gun").await).await;
        self.say(async |sender| sender.send(large).await).await;
        self.close().await
    }

    async fn receive(&mut self) {
        let Self { side, inbox, received, caller, .. } = self;
        received.push(insist!(caller, side.receive(inbox)).expect("a message"));
    }

    async fn receive_pieces(&mut self) {
        let Self { side, inbox, received, caller, .. } = self;
        let mut joined = Vec::new();
        loop {
            let (bytes, is_last) = insist!(caller, side.receive_piece(inbox)).expect("a piece");
            joined.extend(bytes);
            if is_last {
                return received.push(OwnedMessage::Binary(joined));
            }
        }
    }

    /// Makes a call that sends one frame. If it is dropped the frame is in the queue, or not at
    /// all: then the call is made again.
    async fn say(&mut self, call: impl AsyncFn(&Sender<Wire, R>) -> Result<(), Error>) {
        let frames = self.frames_sent();
        loop {
            match self.caller.attempt(call(&self.sender)).await {
                Some(said) => return said.expect("open"),
                None if self.frames_sent() > frames => return,
                None => {}
            }
        }
    }

    fn frames_sent(&self) -> u64 {
        match &self.side {
            Side::Joined(socket) => socket.counters().frames_sent,
            Side::Split(receiver) => receiver.counters().frames_sent,
        }
    }

    async fn close(&mut self) -> String {
        let Self { side, sender, inbox, received, caller } = self;
        match side {
            Side::Joined(socket) => insist!(caller, socket.close(inbox, CloseCode::NORMAL, "done"))
                .expect("an end")
                .to_string(),
            Side::Split(receiver) => {
                // Dropped, it has sent its Close all the same.
                let _ = caller.attempt(sender.close(CloseCode::NORMAL, "done")).await;
                loop {
                    let message = insist!(caller, async {
                        receiver.receive(&mut *inbox).await.map(OwnedMessage::from)
                    });
                    match message {
                        Ok(message) => received.push(message),
                        Err(error) => return error.to_string(),
                    }
                }
            }
        }
    }
}

async fn is_the_same_wherever_dropped<R: End>(handles: Handles) {
    for session in SESSIONS {
        let (calm, waits) = session.run::<R>(handles, Drops::None).await;
        let late = usize::from(handles == Handles::Split);
        assert_eq!(calm.received.len(), 5 + late);
        assert_eq!(calm.end, "closed with 1000: bye");
        // A client lets the server end the transport first.
        assert!((calm.is_ended || R::MASKS) && waits > 40, "{waits}");
        for drops in (0..waits).map(Drops::At).chain([Drops::Every]) {
            let (outcome, _) = session.run::<R>(handles, drops).await;
            assert!(outcome == calm, "{drops:?}: {outcome:?}\n{calm:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_server_can_be_dropped_wherever_they_wait() {
    is_the_same_wherever_dropped::<Server>(Handles::Joined).await;
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_client_can_be_dropped_wherever_they_wait() {
    is_the_same_wherever_dropped::<TestClient>(Handles::Joined).await;
}

#[tokio::test(start_paused = true)]
async fn calls_of_two_halves_can_be_dropped_wherever_they_wait() {
    is_the_same_wherever_dropped::<Server>(Handles::Split).await;
    is_the_same_wherever_dropped::<TestClient>(Handles::Split).await;
}
