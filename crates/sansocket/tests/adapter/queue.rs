//! A send queue beside the receiving half that it answers for.

use sansocket::adapter::{CloseReply, SendQueue};
use sansocket::{
    CloseFrame, CloseSent, Config, Connection, Event, NoExtension, ReceiveHalf, SendError,
};

use crate::support::{Endpoint, Part, open, written};

/// From this backlog on Pongs are no longer encoded one by one.
pub(crate) const BACKLOG_MAX: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) struct Queue<R> {
    pub(crate) receiving: ReceiveHalf<R, NoExtension>,
    pub(crate) sending: SendQueue<R, NoExtension>,
}

impl<R: Endpoint> Queue<R> {
    pub(crate) fn new() -> Self {
        Self::open(&Config::new())
    }

    pub(crate) fn open(config: &Config) -> Self {
        let connection: Connection<R> = open(config);
        let (receiving, sending) = connection.into_split();
        Self { receiving, sending: SendQueue::new(sending) }
    }

    /// Hears what the peer sends; returns the answer to its Close.
    pub(crate) fn hear(&mut self, parts: &[Part<'_>]) -> Option<CloseReply> {
        let Self { receiving, sending } = self;
        let mut bytes = R::from_peer(parts);
        let (mut rest, mut closed) = (&mut bytes[..], None);
        // A failure is what the queue is told of, too.
        while let Ok(received) = receiving.receive(rest, |owed| sending.take(owed)) {
            rest = received.rest;
            match received.event {
                Some(Event::Close(frame)) => closed = Some(kept(frame)),
                Some(_) => {}
                None => break,
            }
        }
        let frame = closed?;
        let frame = frame.as_ref().map(|(code, reason)| CloseFrame { code: *code, reason });
        Some(CloseReply::to(frame, self.receiving.state()))
    }

    /// What stands in the queue, in words; the transport takes all of it.
    pub(crate) fn said(&mut self) -> String {
        self.sending.encode_owed();
        let words = written::<R>(self.sending.unwritten());
        self.sending.wrote(self.sending.backlog());
        words
    }

    /// How many frames and messages were sent.
    pub(crate) fn counted(&self) -> (u64, u64) {
        let counters = self.sending.counters();
        (counters.frames_sent, counters.messages_sent)
    }

    /// Fills the queue up to this backlog, with one message.
    pub(crate) fn fill(&mut self, backlog: usize) {
        let head_len = if R::is_server() { 4 } else { 8 };
        let payload = vec![b'f'; backlog - head_len];
        self.sending.send((&payload[..]).into(), sansocket::Compress::Auto).expect("open");
        assert_eq!(self.sending.backlog(), backlog);
    }

    /// Does what cannot be done, and checks that nothing comes of it.
    #[track_caller]
    pub(crate) fn check_refused(&mut self, wish: Wish<R>, error: SendError) {
        let before = (self.sending.unwritten().to_vec(), self.sending.counters());
        assert_eq!(wish(self), Err(error));
        assert_eq!((self.sending.unwritten().to_vec(), self.sending.counters()), before);
    }
}

/// Something that a program asks of the queue.
pub(crate) type Wish<R> = fn(&mut Queue<R>) -> Result<(), SendError>;

fn kept(frame: Option<CloseFrame<'_>>) -> Option<(sansocket::CloseCode, String)> {
    frame.map(|frame| (frame.code, frame.reason.to_owned()))
}

/// Tells the receiving half of a Close.
pub(crate) fn tell<R: Endpoint>(queue: &mut Queue<R>, sent: CloseSent) {
    queue.receiving.close_sent(sent);
}
