//! Two engines wired in memory: what one sends the other receives, once and in
//! order, and both reach the same end.

use std::mem;

use arbitrary::Arbitrary;
use sansocket::{
    Cause, CloseCode, Config, Connection, Delivery, Fin, Inbox, Kind, Message, Negotiated, Ready,
    Role, Server, Transmit,
};

use crate::{Cuts, client};

/// What two endpoints say.
#[derive(Arbitrary, Clone, Debug, PartialEq)]
pub struct Input<'a> {
    /// How the bytes come.
    pub cuts: Cuts,
    /// A quarter of the room that an `Inbox` begins with.
    pub inbox_len: u8,
    /// The code that the client closes with.
    pub close: u16,
    /// The messages of the client.
    pub from_client: Vec<Sent<'a>>,
    /// The messages of the server.
    pub from_server: Vec<Sent<'a>>,
}

/// A message, and how it is sent.
#[derive(Arbitrary, Clone, Debug, PartialEq)]
pub struct Sent<'a> {
    /// The message.
    pub payload: Payload<'a>,
    /// The lengths of all fragments but the last; none for a message in one frame.
    pub fragments: Vec<u8>,
    /// Whether a Ping goes behind each fragment but the last.
    pub ping_between: bool,
}

/// What a message says.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Payload<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

/// Sends all messages both ways, then closes from the client's side.
pub fn check(input: Input<'_>) {
    let config = Config::new().fragments_max(u32::MAX).control_frames_max(u32::MAX);
    let negotiated = Negotiated::from_upgraded;
    let mut client = End::new(Connection::new(negotiated(), client(), &config), &input);
    let mut server = End::new(Connection::new(negotiated(), Server, &config), &input);

    client.send_all(&input.from_client);
    server.send_all(&input.from_server);
    exchange(&mut client, &mut server);
    client.close(CloseCode::new(input.close));
    exchange(&mut client, &mut server);

    assert_eq!(server.received, messages(&input.from_client));
    assert_eq!(client.received, messages(&input.from_server));
    assert_eq!(server.pongs, pings(&input.from_server));
    assert_eq!(client.pongs, pings(&input.from_client));
    assert_eq!(server.next, Transmit::HalfClose);
    assert_eq!(client.next, Transmit::AwaitPeer);
    let (at_server, at_client) = (server.connection.receive_end(), client.connection.receive_end());
    assert_eq!(
        (at_server.cause(), at_client.cause()),
        (Cause::ClosingHandshake, Cause::ClosingHandshake)
    );
    assert_eq!(Some(at_server.code()), at_client.sent());
    assert_eq!(Some(at_client.code()), at_server.sent());
}

/// Carries bytes to and fro until there are none.
fn exchange<A: Role, B: Role>(a: &mut End<A>, b: &mut End<B>) {
    while !(a.out.is_empty() && b.out.is_empty()) {
        let (from_a, from_b) = (mem::take(&mut a.out), mem::take(&mut b.out));
        b.receive(&from_a);
        a.receive(&from_b);
    }
}

struct End<R: Role> {
    connection: Connection<R>,
    inbox: Inbox,
    cuts: Cuts,
    out: Vec<u8>,
    received: Vec<(Kind, Vec<u8>)>,
    pongs: usize,
    next: Transmit<'static>,
}

impl<R: Role> End<R> {
    fn new(connection: Connection<R>, input: &Input<'_>) -> Self {
        let inbox = Inbox::with_capacity(usize::from(input.inbox_len) * 4);
        let (received, out) = (Vec::new(), Vec::new());
        Self { connection, inbox, cuts: input.cuts, out, received, pongs: 0, next: Transmit::Idle }
    }

    fn send_all(&mut self, messages: &[Sent<'_>]) {
        for sent in messages {
            self.send(sent);
        }
    }

    fn send(&mut self, sent: &Sent<'_>) {
        let (kind, mut payload) = sent.payload.parts();
        if sent.fragments.is_empty() {
            let message = match sent.payload {
                Payload::Text(text) => Message::Text(text),
                Payload::Binary(bytes) => Message::Binary(bytes),
            };
            return self.connection.append(message, &mut self.out).expect("open");
        }
        let mut out = vec![0; payload.len() + 14];
        for len in &sent.fragments {
            let (fragment, rest) = payload.split_at(usize::from(*len).min(payload.len()));
            payload = rest;
            let len =
                self.connection.send_fragment(kind, Fin::More, fragment, &mut out).expect("open");
            self.out.extend_from_slice(&out[..len]);
            if sent.ping_between {
                let len = self.connection.ping(b"", &mut out).expect("open");
                self.out.extend_from_slice(&out[..len]);
            }
        }
        let len = self.connection.send_fragment(kind, Fin::Last, payload, &mut out).expect("open");
        self.out.extend_from_slice(&out[..len]);
    }

    /// With the code if this role may send it, and without one otherwise.
    fn close(&mut self, code: CloseCode) {
        let mut out = [0; 8];
        let closed = self.connection.close(Some(code), "", &mut out);
        let closed = closed.or_else(|_| self.connection.close(None, "", &mut out));
        self.out.extend_from_slice(&out[..closed.expect("open")]);
    }

    fn receive(&mut self, bytes: &[u8]) {
        for mut piece in self.cuts.of(bytes) {
            while !piece.is_empty() {
                let spare = self.inbox.spare();
                assert!(!spare.is_empty(), "no room to read into");
                let len = spare.len().min(piece.len());
                spare[..len].copy_from_slice(&piece[..len]);
                self.inbox.filled(len);
                piece = &piece[len..];
                self.advance();
            }
        }
    }

    fn advance(&mut self) {
        while self.inbox.advance(&mut self.connection).expect("a valid peer") != Ready::Need {
            match self.inbox.delivery().expect("something is ready") {
                Delivery::Message(message) => {
                    self.received.push((message.kind(), message.as_bytes().to_vec()));
                }
                Delivery::Pong(_) => self.pongs += 1,
                Delivery::Ping(_) | Delivery::Close(_) => {}
            }
            self.next = self.connection.append_transmit(&mut self.out);
        }
    }
}

impl<'a> Payload<'a> {
    fn parts(self) -> (Kind, &'a [u8]) {
        match self {
            Self::Text(text) => (Kind::Text, text.as_bytes()),
            Self::Binary(bytes) => (Kind::Binary, bytes),
        }
    }
}

fn messages(sent: &[Sent<'_>]) -> Vec<(Kind, Vec<u8>)> {
    sent.iter()
        .map(|sent| sent.payload.parts())
        .map(|(kind, bytes)| (kind, bytes.to_vec()))
        .collect()
}

fn pings(sent: &[Sent<'_>]) -> usize {
    sent.iter().filter(|sent| sent.ping_between).map(|sent| sent.fragments.len()).sum()
}
