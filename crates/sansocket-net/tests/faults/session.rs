//! A program over a transport, from the opening of its connection to the end and a
//! little longer.

use std::fmt;
use std::io::{self, ErrorKind};

use sansocket::handshake::ResponseError;
use sansocket::{
    CloseCode, Connection, Fin, Inbox, Kind, Message, Negotiated, OwnedMessage, Role, SendError,
};
use sansocket_net::{
    AcceptError, AcceptOptions, Closed, ConnectError, ConnectOptions, Decision, Error, Receiver,
    Sender, Settings, WebSocket, accept_with, connect_over,
};

use crate::peer::{Opening, Part, Peer};
use crate::support::{End, Frame, quiet, text};
use crate::wire::{Faults, Lens, Wire};

/// What a session is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    /// What the peer does, and we the other.
    pub(crate) part: Part,
    pub(crate) opening: Opening,
    pub(crate) handles: Handles,
    pub(crate) lens: Lens,
    pub(crate) large_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handles {
    Joined,
    Split,
}

/// What came of it.
pub(crate) struct Outcome {
    /// Of which session, and with which faults.
    case: String,
    /// What the program received.
    pub(crate) received: Vec<OwnedMessage>,
    /// What the peer received whole.
    pub(crate) heard: Vec<Frame>,
    /// What the program was told first, if it sent something in vain.
    pub(crate) refused: Option<Ending>,
    pub(crate) ending: Ending,
    /// Whether the sending direction was ended.
    pub(crate) is_ended: bool,
    pub(crate) calls: usize,
}

/// By lengths, for the payloads would fill the screen.
impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let received = self.received.iter().map(|message| message.as_message().len());
        let heard = self.heard.iter().map(|frame| (frame.first, frame.payload.len()));
        f.debug_struct(&self.case)
            .field("received", &received.collect::<Vec<_>>())
            .field("heard", &heard.collect::<Vec<_>>())
            .field("refused", &self.refused)
            .field("ending", &self.ending)
            .field("is_ended", &self.is_ended)
            .field("calls", &self.calls)
            .finish()
    }
}

/// Says in which case a call panics.
struct Told<'c>(&'c str);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in {}", self.0);
        }
    }
}

/// How it ended, as the program was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Closed(Closed),
    /// The transport said so.
    Io(ErrorKind),
    /// The peer left before the connection was open.
    NeverOpened,
    /// The sending half was not let.
    NotSent(SendError),
    Other(String),
}

impl From<Error> for Ending {
    fn from(error: Error) -> Self {
        match error {
            Error::Closed(closed) => Self::Closed(closed),
            Error::Io(error) => Self::Io(error.kind()),
            Error::Send(error) => Self::NotSent(error),
            error => Self::Other(format!("{error:?}")),
        }
    }
}

impl From<AcceptError> for Ending {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Io(error) => Self::Io(error.kind()),
            AcceptError::Incomplete => Self::NeverOpened,
            error => Self::Other(format!("{error:?}")),
        }
    }
}

impl From<ConnectError> for Ending {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Io(error) => Self::Io(error.kind()),
            ConnectError::Response(ResponseError::Incomplete { .. }) => Self::NeverOpened,
            error => Self::Other(format!("{error:?}")),
        }
    }
}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

/// A WebSocket, or its halves.
trait Socket {
    fn receive(&mut self, inbox: &mut Inbox) -> Result<OwnedMessage, Error>;
    fn send(&mut self, message: Message<'_>) -> Result<(), Error>;
    fn send_fragment(&mut self, fin: Fin, payload: &[u8]) -> Result<(), Error>;
    fn ping(&mut self, payload: &[u8]) -> Result<(), Error>;
    fn close(&mut self, inbox: &mut Inbox) -> Result<Closed, Error>;
}

impl<R: Role> Socket for WebSocket<Wire, R> {
    fn receive(&mut self, inbox: &mut Inbox) -> Result<OwnedMessage, Error> {
        self.receive(inbox).map(Into::into)
    }

    fn send(&mut self, message: Message<'_>) -> Result<(), Error> {
        self.send(message)
    }

    fn send_fragment(&mut self, fin: Fin, payload: &[u8]) -> Result<(), Error> {
        self.send_fragment(Kind::Text, fin, payload)
    }

    fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.ping(payload)
    }

    fn close(&mut self, inbox: &mut Inbox) -> Result<Closed, Error> {
        self.close(inbox, CloseCode::NORMAL, "bye")
    }
}

impl<R: Role> Socket for (Receiver<Wire, R>, Sender<Wire, R>) {
    fn receive(&mut self, inbox: &mut Inbox) -> Result<OwnedMessage, Error> {
        self.0.receive(inbox).map(Into::into)
    }

    fn send(&mut self, message: Message<'_>) -> Result<(), Error> {
        self.1.send(message)
    }

    fn send_fragment(&mut self, fin: Fin, payload: &[u8]) -> Result<(), Error> {
        self.1.send_fragment(Kind::Text, fin, payload)
    }

    fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.1.ping(payload)
    }

    fn close(&mut self, inbox: &mut Inbox) -> Result<Closed, Error> {
        let closed = self.1.close(CloseCode::NORMAL, "bye");
        loop {
            match self.0.receive(inbox) {
                Ok(_) => {}
                Err(Error::Closed(closed)) => return Ok(closed),
                Err(error) => return Err(closed.err().unwrap_or(error)),
            }
        }
    }
}

impl Session {
    /// Runs it with these faults.
    pub(crate) fn run<R: End>(&self, faults: &Faults) -> Outcome {
        let case = format!("{} {self:?} with {faults:?}", std::any::type_name::<R>());
        let told = Told(&case);
        let wire =
            Wire::new(Peer::of::<R>(self.part, self.opening, self.large_len), self.lens, faults);
        let transport = wire.handle();
        let mut program = Program::new(self, &wire);
        let settings = Settings::new().config(quiet());
        match self.opening {
            Opening::Done => {
                let connection = Connection::new(Negotiated::from_upgraded(), R::end(), &quiet());
                let leftover = Vec::new();
                program
                    .run_on(WebSocket::from_connection(transport, connection, &settings, leftover));
            }
            Opening::Waits => {
                let options = ConnectOptions::new().settings(settings);
                program.run_on(connect_over(transport, "ws://example.com/", &options));
            }
            Opening::Asks => {
                let options = AcceptOptions::new().settings(settings);
                program.run_on(accept_with(transport, &options, |_| Decision::by_default()));
            }
        }
        let Program { received, refused, ending, .. } = program;
        drop(told);
        Outcome {
            case,
            received,
            heard: wire.heard(),
            refused,
            ending: ending.expect("it came to an end"),
            is_ended: wire.is_ended(),
            calls: wire.calls(),
        }
    }
}

/// A program that notes what it is told.
struct Program<'s> {
    session: &'s Session,
    wire: &'s Wire,
    inbox: Inbox,
    received: Vec<OwnedMessage>,
    refused: Option<Ending>,
    ending: Option<Ending>,
}

impl<'s> Program<'s> {
    fn new(session: &'s Session, wire: &'s Wire) -> Self {
        Self {
            session,
            wire,
            inbox: Inbox::with_capacity(256),
            received: Vec::new(),
            refused: None,
            ending: None,
        }
    }

    fn run_on<R: Role>(&mut self, opened: Result<WebSocket<Wire, R>, impl Into<Ending>>) {
        match (opened, self.session.handles) {
            (Ok(socket), Handles::Joined) => self.run(socket),
            (Ok(socket), Handles::Split) => match socket.split() {
                Ok(halves) => self.run(halves),
                Err(error) => self.ending = Some(error.into()),
            },
            (Err(error), _) => self.ending = Some(error.into()),
        }
    }

    fn run(&mut self, mut socket: impl Socket) {
        if self.session.part == Part::Echoes {
            self.refused = self.talk(&mut socket).err().map(Ending::from);
        }
        let error = self.echo(&mut socket);
        self.check_it_is_over(&mut socket);
        self.ending = Some(error.into());
    }

    /// Says things of all kinds, waits for the echo of each, and closes.
    fn talk(&mut self, socket: &mut impl Socket) -> Result<(), Error> {
        let large = text(self.session.large_len);
        socket.send("Hello".into())?;
        self.receive(socket)?;
        socket.send_fragment(Fin::More, b"in ")?;
        socket.ping(b"between")?;
        socket.send_fragment(Fin::Last, b"pieces")?;
        self.receive(socket)?;
        socket.send(large.as_bytes().into())?;
        socket.send("".into())?;
        self.receive(socket)?;
        self.receive(socket)?;
        socket.close(&mut self.inbox).map(drop)
    }

    fn receive(&mut self, socket: &mut impl Socket) -> Result<(), Error> {
        self.received.push(socket.receive(&mut self.inbox)?);
        Ok(())
    }

    /// Echoes what comes, without looking at what becomes of it, up to the end.
    fn echo(&mut self, socket: &mut impl Socket) -> Error {
        loop {
            match socket.receive(&mut self.inbox) {
                Ok(message) => {
                    if self.session.part == Part::Talks
                        && let Err(error) = socket.send((&message).into())
                    {
                        self.refused.get_or_insert(error.into());
                    }
                    self.received.push(message);
                }
                Err(error) => return error,
            }
        }
    }

    /// Every later call says so at once, without a look at the transport.
    fn check_it_is_over(&mut self, socket: &mut impl Socket) {
        let calls = self.wire.calls();
        for _ in 0..2 {
            let again = socket.receive(&mut self.inbox);
            assert!(matches!(again, Err(Error::Closed(_) | Error::Failed(_))), "{again:?}");
            let refused = [
                socket.send("late".into()),
                socket.send_fragment(Fin::Last, b"late"),
                socket.ping(b"late"),
            ];
            assert!(refused.iter().all(Result::is_err), "{refused:?}");
            let _ = socket.close(&mut self.inbox);
        }
        assert_eq!(self.wire.calls(), calls, "the transport was asked again");
    }
}
