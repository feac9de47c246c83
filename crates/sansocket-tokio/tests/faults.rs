//! The transport fails at each of its calls in turn: nothing that was delivered or said is lost,
//! said twice or cut in the middle of what follows, nothing waits for ever, and every later call
//! says how it ended.

mod support;

use std::io::ErrorKind;
use std::time::Duration;

use sansocket::adapter::Error;
use sansocket::{CloseCode, Config, Fin, Inbox, Kind, OwnedMessage, Rule, SendError, Server};
use sansocket_tokio::WebSocket;
use support::{End, Fault, Frame, TestClient, Wire, frame, open, text};
use tokio::time::{Instant, timeout};

const FAULTS: [Fault; 5] = [
    Fault::End,
    Fault::Deaf,
    Fault::Error(ErrorKind::ConnectionReset),
    Fault::Error(ErrorKind::BrokenPipe),
    Fault::Error(ErrorKind::Other),
];

/// What came of a session.
#[derive(Debug)]
struct Outcome {
    received: Vec<OwnedMessage>,
    heard: Vec<Frame>,
    /// What the first call said that sent in vain.
    refused: Option<Error>,
    end: Error,
    calls: usize,
}

fn wire<R: End>(large_len: usize) -> Wire {
    let frames = |frames: &[(u8, &[u8])]| {
        frames.iter().flat_map(|(first, payload)| frame(*first, payload, R::PEER_KEY)).collect()
    };
    let large = text(large_len);
    Wire::new::<R>([
        (0, frames(&[(0x81, b"Hello")])),
        (1, frames(&[(0x01, b"in "), (0x89, b"between"), (0x80, b"pieces")])),
        (3, frames(&[(0x82, large.as_bytes()), (0x81, b"")])),
        (8, frames(&[(0x81, b"late"), (0x88, b"\x03\xe8bye")])),
    ])
}

async fn run<R: End>(wire: Wire, large_len: usize) -> Outcome {
    let mut socket = open::<R, _>(wire.clone(), &Config::new());
    let mut program = Program { inbox: Inbox::with_capacity(256), received: Vec::new() };
    let refused = program.talk(&mut socket, large_len).await.err();
    let end = program.receive_all(&mut socket).await;
    check_is_over(&mut socket, &mut program.inbox, &wire).await;
    Outcome { received: program.received, heard: wire.heard(), refused, end, calls: wire.calls() }
}

struct Program {
    inbox: Inbox,
    received: Vec<OwnedMessage>,
}

impl Program {
    async fn talk<R: End>(
        &mut self,
        socket: &mut WebSocket<Wire, R>,
        large_len: usize,
    ) -> Result<(), Error> {
        self.receive(socket).await?;
        socket.send("one").await?;
        self.receive(socket).await?;
        socket.feed("two").await?;
        self.receive(socket).await?;
        self.receive(socket).await?;
        socket.send_fragment(Kind::Text, Fin::More, b"be").await?;
        socket.ping(b"?").await?;
        socket.send_fragment(Kind::Text, Fin::Last, b"gun").await?;
        socket.send(&text(large_len)[..]).await?;
        socket.close_send(CloseCode::NORMAL, "done").await
    }

    async fn receive<R: End>(&mut self, socket: &mut WebSocket<Wire, R>) -> Result<(), Error> {
        let message = socket.receive(&mut self.inbox).await?.into();
        self.received.push(message);
        Ok(())
    }

    /// The rest, up to the end. It closes, as a program would that could not send.
    async fn receive_all<R: End>(&mut self, socket: &mut WebSocket<Wire, R>) -> Error {
        let _ = socket.close_send(CloseCode::NORMAL, "done").await;
        loop {
            if let Err(error) = self.receive(socket).await {
                return error;
            }
        }
    }
}

/// Every later call says so at once, without a look at the transport.
async fn check_is_over<R: End>(socket: &mut WebSocket<Wire, R>, inbox: &mut Inbox, wire: &Wire) {
    let calls = wire.calls();
    for _ in 0..2 {
        let again = socket.receive(inbox).await.map(OwnedMessage::from);
        assert!(matches!(again, Err(Error::Closed(_) | Error::Failed(_))), "{again:?}");
        let refused = [
            socket.send("late").await,
            socket.feed("late").await,
            socket.sender().try_send("late"),
            socket.ping(b"late").await,
            socket.send_fragment(Kind::Text, Fin::Last, b"late").await,
        ];
        assert!(refused.iter().all(Result::is_err), "{refused:?}");
        let again = socket.close(inbox, CloseCode::NORMAL, "").await;
        assert!(matches!(again, Ok(_) | Err(Error::Failed(_))), "{again:?}");
    }
    assert_eq!(wire.calls(), calls, "the transport was asked again");
}

/// What came, came whole and in order; what the peer heard was said once and in order; and the
/// program is told, in the way that is documented.
#[track_caller]
fn assert_cut_short(outcome: &Outcome, calm: &Outcome, fault: Fault) {
    assert!(calm.received.starts_with(&outcome.received), "{outcome:?}");
    assert!(calm.heard.starts_with(&outcome.heard), "{outcome:?}");
    assert!(is_documented(&outcome.end, fault), "{outcome:?}");
    // Before the peer's Close came all that it said.
    let is_clean = matches!(&outcome.end, Error::Closed(closed) if closed.is_clean());
    assert!(!is_clean || outcome.received == calm.received, "{outcome:?}");
    if let Some(refused) = &outcome.refused {
        let is_closed = matches!(refused, Error::Send(SendError::Closed));
        assert!(is_closed || is_documented(refused, fault), "{outcome:?}");
    }
}

/// Whether a program may be told this of a transport that failed like that.
fn is_documented(error: &Error, fault: Fault) -> bool {
    match (error, fault) {
        (Error::Closed(_), _) => true,
        (Error::Io(error), Fault::Error(fault)) if error.kind() == fault => true,
        // It is silent, and cannot be asked.
        (Error::Failed(failure), Fault::Deaf) => failure.rule() == Rule::PongTimeout,
        // What comes after that, and what an end looks like to a writer.
        (Error::Io(error), _) => {
            matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::WriteZero)
        }
        _ => false,
    }
}

async fn is_cut_short_at_any_call<R: End>() {
    for (read, write, large_len) in
        [(usize::MAX, usize::MAX, 17_000), (9, 7, 60), (1000, 700, 20_000)]
    {
        for vectored in [false, true] {
            let wire = || {
                let wire = wire::<R>(large_len).lens(read, write);
                if vectored { wire.vectored() } else { wire }
            };
            let calm = run::<R>(wire(), large_len).await;
            assert_eq!((calm.received.len(), calm.heard.len()), (5, 8), "{calm:?}");
            assert!(matches!(&calm.end, Error::Closed(closed) if closed.is_clean()));
            for call in 0..calm.calls {
                for fault in FAULTS {
                    let started = Instant::now();
                    let session = run::<R>(wire().fault(call, fault), large_len);
                    let outcome = timeout(Duration::from_secs(600), session).await;
                    let outcome = outcome.unwrap_or_else(|_| panic!("{fault:?} at {call}: hangs"));
                    assert_cut_short(&outcome, &calm, fault);
                    // No Pong, or no answer to a Close, and no end of the transport.
                    assert!(started.elapsed() <= Duration::from_secs(46), "{fault:?} at {call}");
                }
            }
        }
    }
}

// 6455-7.2.1-02
#[tokio::test(start_paused = true)]
async fn a_fault_cuts_the_session_of_a_server_short_at_any_call() {
    is_cut_short_at_any_call::<Server>().await;
}

#[tokio::test(start_paused = true)]
async fn a_fault_cuts_the_session_of_a_client_short_at_any_call() {
    is_cut_short_at_any_call::<TestClient>().await;
}
