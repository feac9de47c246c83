//! The engine over a line, in memory of fixed size: the opening handshake, echoes, Pongs,
//! the closing handshake and every deadline.
//!
//! Knows nothing of the machine, but that a line has no end of its own: a peer that went
//! away is noticed by its silence.

use core::time::Duration;

use sansocket::frame::CONTROL_FRAME_LEN_MAX;
use sansocket::handshake::{
    Accept, HandshakeConfig, HandshakeLimits, HandshakeRule, Incoming, Rejection, ServerHandshake,
};
use sansocket::{
    Assembled, Assembler, Closure, Config, Connection, Event, Fin, KeepAlive, Message, Server,
    Transmit, Wake,
};

use crate::line::{Line, Stalled};

/// All the memory there is for bytes.
pub(crate) struct Memory {
    /// What was read: the head of the request, then frames.
    input: [u8; INPUT_LEN],
    /// Where messages are put together that do not arrive whole.
    message: [u8; MESSAGE_LEN_MAX],
    /// The answer to the request.
    answer: [u8; ANSWER_LEN_MAX],
}

impl Memory {
    pub(crate) const fn new() -> Self {
        Self { input: [0; INPUT_LEN], message: [0; MESSAGE_LEN_MAX], answer: [0; ANSWER_LEN_MAX] }
    }
}

/// How it ended with a client.
pub(crate) enum End {
    Closed(Closure),
    Refused(Rejection),
    /// The line took nothing for too long.
    Stalled,
}

impl From<Stalled> for End {
    fn from(Stalled: Stalled) -> Self {
        Self::Stalled
    }
}

/// Waits for a client, and echoes until it is over.
pub(crate) fn serve(line: &mut Line, memory: &mut Memory) -> End {
    let served =
        open(line, memory).and_then(|(connection, len)| Ok(echo(connection, line, memory, len)?));
    match served {
        Ok(closure) => End::Closed(closure),
        Err(end) => end,
    }
}

/// The opening handshake: the connection, and how many bytes of the input came behind
/// the request.
fn open(line: &mut Line, memory: &mut Memory) -> Result<(Connection<Server>, usize), End> {
    let Memory { input, answer, .. } = memory;
    let limits = HandshakeLimits::new().head_len_max(INPUT_LEN - 1);
    let mut handshake = ServerHandshake::new(HandshakeConfig::new().limits(limits));
    // Nobody is late who has not begun.
    let mut len = line.read(input, Wake::Never);
    let rejection = loop {
        match handshake.receive(&input[..len]) {
            Ok(Incoming::Incomplete) => {}
            Ok(Incoming::Upgrade(request)) => {
                // Nothing is asked for that the request could not have offered.
                let Ok(accepted) = request.accept(&Accept::new()) else {
                    break HandshakeRule::NotWebSocket.into();
                };
                let answer_len = accepted.write(answer).unwrap_or(0);
                line.write(&answer[..answer_len])?;
                let connection = Connection::new(accepted.negotiated(), Server, &config());
                let head_len = request.head_len();
                input.copy_within(head_len..len, 0);
                return Ok((connection, len - head_len));
            }
            Ok(Incoming::Plain(request)) => break request.rejection(),
            Err(rejection) => break rejection,
        }
        if let Err(rejection) = handshake.handle_timeout(line.now()) {
            break rejection;
        }
        len += line.read(&mut input[len..], handshake.poll_timeout());
    };
    let answer_len = rejection.write(answer).unwrap_or(0);
    line.write(&answer[..answer_len])?;
    Err(End::Refused(rejection))
}

/// The loop that every embedder has: receive, let time pass, transmit, wait.
fn echo(
    mut connection: Connection<Server>,
    line: &mut Line,
    memory: &mut Memory,
    mut len: usize,
) -> Result<Closure, Stalled> {
    let Memory { input, message, .. } = memory;
    let mut assembler = Assembler::over(message);
    loop {
        let (mut rest, mut kept) = (&mut input[..len], 0);
        // A failure ends the loop; its Close is queued, and written like the rest.
        while let Ok(received) = connection.receive(rest) {
            kept = received.rest.len();
            match received.event {
                Some(Event::Data(data)) => match assembler.push(data).map(Assembled::message) {
                    Ok(Some(message)) => send(&mut connection, message, line)?,
                    Ok(None) => {}
                    Err(error) => _ = connection.fail_with(error.close_code()),
                },
                Some(_) => {} // Pings and Closes are answered by the engine
                None => break,
            }
            let _ = transmit(&mut connection, line)?; // each Ping its Pong
            rest = received.rest;
        }
        input.copy_within(len - kept..len, 0);
        len = kept;

        let _ = connection.handle_timeout(line.now()); // a failure here as well
        if let Step::HangUp = transmit(&mut connection, line)? {
            return Ok(connection.receive_end());
        }
        len += line.read(&mut input[len..], connection.poll_timeout());
    }
}

/// Sends a message from where it lies.
fn send(
    connection: &mut Connection<Server>,
    message: Message<'_>,
    line: &mut Line,
) -> Result<(), Stalled> {
    let len = message.len() as u64;
    let Ok(head) = connection.head(message.kind(), Fin::Last, len) else {
        return Ok(()); // closing: nobody waits for it
    };
    line.write(head.as_bytes())?;
    line.write(message.as_bytes())?;
    let _ = connection.payload_written(len); // which is what the head said
    Ok(())
}

/// What to do once all that was owed is written.
enum Step {
    GoOn,
    HangUp,
}

/// Writes what the protocol owes.
fn transmit(connection: &mut Connection<Server>, line: &mut Line) -> Result<Step, Stalled> {
    let mut owed = [0; CONTROL_FRAME_LEN_MAX];
    loop {
        match connection.poll_transmit(&mut owed) {
            Transmit::Bytes(bytes) => line.write(bytes)?,
            // There is room for any frame, so this is never `Full`.
            Transmit::Idle | Transmit::AwaitPeer | Transmit::Full { .. } => return Ok(Step::GoOn),
            // A line cannot be closed by half: what is on it arrives all the same.
            Transmit::HalfClose | Transmit::CloseNow => return Ok(Step::HangUp),
        }
    }
}

fn config() -> Config {
    let keep_alive = KeepAlive::PingPong { interval: SILENCE, timeout: SILENCE };
    Config::new().message_len_max(MESSAGE_LEN_MAX as u64).keep_alive(keep_alive)
}

const INPUT_LEN: usize = 1024;
const MESSAGE_LEN_MAX: usize = 2048;
const ANSWER_LEN_MAX: usize = 512;
/// Before a Ping, and again before the peer is taken for gone.
const SILENCE: Duration = Duration::from_secs(2);
