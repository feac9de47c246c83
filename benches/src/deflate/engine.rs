//! Our own: two connections, and between them a buffer.

use sansocket::deflate::{
    ClientDeflatePolicy, ContextTakeover, Deflate, DeflateConfig, ServerDeflatePolicy,
};
use sansocket::handshake::ExtensionList;
use sansocket::{
    ChaChaKeys, Client, Config, Connection, Delivery, Event, Inbox, Kind, Message, Negotiated,
    Ready, Role, Server,
};

use super::{Row, room};

type ServerEnd = Connection<Server, Deflate>;
type ClientEnd = Connection<Client<ChaChaKeys>, Deflate>;

/// Two ends that have agreed.
fn ends(context: ContextTakeover) -> (ServerEnd, ClientEnd) {
    let client = ClientDeflatePolicy::new();
    let server = ServerDeflatePolicy::new().context(context).client_context(context);
    let offer = client.offer().to_string();
    let offers = ExtensionList::parse([offer.as_bytes()]).expect("our own");
    let at_server = server.negotiate(offers.items()).expect("our own");
    let answer = at_server.params().to_string();
    let answers = ExtensionList::parse([answer.as_bytes()]).expect("our own");
    let at_client = client.accept(answers.items()).expect("our own");
    let deflate = DeflateConfig::new().level(6).mem_level(8).threshold(0);
    let config = Config::new().deflate(deflate);
    (
        Connection::new(Negotiated::from_agreement(Some(at_server)), Server, &config),
        Connection::new(Negotiated::from_agreement(at_client), crate::client(), &config),
    )
}

fn message(kind: Kind, text: &str) -> Message<'_> {
    match kind {
        Kind::Text => Message::Text(text),
        Kind::Binary => Message::Binary(text.as_bytes()),
    }
}

fn deliver<R: Role>(
    inbox: &mut Inbox,
    receiver: &mut Connection<R, Deflate>,
    see: &mut dyn FnMut(&[u8]),
) {
    assert_eq!(inbox.advance(receiver), Ok(Ready::Message));
    let Some(Delivery::Message(message)) = inbox.delivery() else { panic!("no message") };
    see(message.as_bytes());
}

/// Sends into the other end's inbox: the frame is read where it was written.
pub(super) struct Straight<S: Role, R: Role> {
    corpus: Vec<String>,
    kind: Kind,
    sender: Connection<S, Deflate>,
    receiver: Connection<R, Deflate>,
    inbox: Inbox,
}

impl Straight<Server, Client<ChaChaKeys>> {
    pub(super) fn to_client(corpus: &[String], context: ContextTakeover, kind: Kind) -> Self {
        let (sender, receiver) = ends(context);
        Self::new(corpus, kind, sender, receiver)
    }
}

impl Straight<Client<ChaChaKeys>, Server> {
    pub(super) fn to_server(corpus: &[String], context: ContextTakeover, kind: Kind) -> Self {
        let (receiver, sender) = ends(context);
        Self::new(corpus, kind, sender, receiver)
    }
}

impl<S: Role, R: Role> Straight<S, R> {
    fn new(
        corpus: &[String],
        kind: Kind,
        sender: Connection<S, Deflate>,
        receiver: Connection<R, Deflate>,
    ) -> Self {
        let inbox = Inbox::with_capacity(room(corpus));
        Self { corpus: corpus.to_vec(), kind, sender, receiver, inbox }
    }
}

impl<S: Role, R: Role> Row for Straight<S, R> {
    fn send(&mut self, index: usize) -> usize {
        let message = message(self.kind, &self.corpus[index]);
        let len = self.sender.send(message, self.inbox.spare()).expect("open, and room");
        self.inbox.filled(len);
        len
    }

    fn receive(&mut self, see: &mut dyn FnMut(&[u8])) {
        deliver(&mut self.inbox, &mut self.receiver, see);
        // A read empties it; the next frame then goes where this one was.
        assert!(self.inbox.is_idle());
    }
}

/// As it is in earnest: appends to a vector, whose bytes are then copied to an inbox of
/// the usual size, as a socket would do. Text.
pub(super) struct Appended {
    corpus: Vec<String>,
    sender: ServerEnd,
    receiver: ClientEnd,
    out: Vec<u8>,
    inbox: Inbox,
}

impl Appended {
    pub(super) fn new(corpus: &[String], context: ContextTakeover) -> Self {
        let (sender, receiver) = ends(context);
        Self { corpus: corpus.to_vec(), sender, receiver, out: Vec::new(), inbox: Inbox::new() }
    }
}

impl Row for Appended {
    fn send(&mut self, index: usize) -> usize {
        self.out.clear();
        self.sender.append(self.corpus[index].as_str(), &mut self.out).expect("open");
        self.out.len()
    }

    fn receive(&mut self, see: &mut dyn FnMut(&[u8])) {
        self.inbox.spare()[..self.out.len()].copy_from_slice(&self.out);
        self.inbox.filled(self.out.len());
        deliver(&mut self.inbox, &mut self.receiver, see);
    }
}

/// The connections without any storage of ours: from slice to slice. Binary.
pub(super) struct Slices {
    corpus: Vec<String>,
    sender: ServerEnd,
    receiver: ClientEnd,
    wire: Vec<u8>,
    wire_len: usize,
    out: Vec<u8>,
}

impl Slices {
    pub(super) fn new(corpus: &[String], context: ContextTakeover) -> Self {
        let (sender, receiver) = ends(context);
        let (wire, out) = (vec![0; room(corpus)], vec![0; room(corpus)]);
        Self { corpus: corpus.to_vec(), sender, receiver, wire, wire_len: 0, out }
    }
}

impl Row for Slices {
    fn send(&mut self, index: usize) -> usize {
        let payload = self.corpus[index].as_bytes();
        self.wire_len = self.sender.send(payload, &mut self.wire).expect("open, and room");
        self.wire_len
    }

    fn receive(&mut self, see: &mut dyn FnMut(&[u8])) {
        let received = self.receiver.receive(&mut self.wire[..self.wire_len]);
        let Some(Event::Data(mut piece)) = received.expect("a valid peer").event else {
            panic!("no message")
        };
        let plain = self.receiver.inflate(&mut piece, &mut self.out).expect("a valid peer");
        let plain = plain.expect("a message");
        assert!(plain.ends_message());
        see(plain.bytes());
    }
}
