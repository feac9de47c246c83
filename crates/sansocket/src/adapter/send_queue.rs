//! What is sent, in order: the sending half, and the bytes that it made and that the
//! transport has not yet taken.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::outcome::Counters;
use crate::close_code::{CloseCode, CloseFrame};
use crate::connection::{CloseSent, FrameHead, Obligation, SendError, SendHalf, State, Transmit};
use crate::extension::{Compress, Extension};
use crate::frame::CONTROL_FRAME_LEN_MAX;
use crate::message::{Message, Prepared};
use crate::opcode::{Fin, Kind};
use crate::role::{Role, Server};

/// A [`SendHalf`] and the bytes that it made: the counterpart of an
/// [`Inbox`](crate::Inbox).
///
/// What the application sends and what the protocol owes stand behind each other. An adapter
/// writes [`unwritten`](Self::unwritten) and says how much of it went with
/// [`wrote`](Self::wrote); before each write it calls [`encode_owed`](Self::encode_owed).
///
/// ```
/// use sansocket::adapter::SendQueue;
/// use sansocket::{Compress, Config, Connection, Message, Negotiated, Server};
///
/// let connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
/// let (_receiving, sending) = connection.into_split();
/// let mut queue = SendQueue::new(sending);
/// queue.send(Message::Text("Hi"), Compress::Auto)?;
/// assert_eq!(queue.unwritten(), b"\x81\x02Hi");
/// queue.wrote(4);
/// assert_eq!(queue.backlog(), 0);
/// # Ok::<(), sansocket::SendError>(())
/// ```
#[derive(Debug)]
pub struct SendQueue<R, X: Extension> {
    half: SendHalf<R, X>,
    /// Encoded, and written up to `written`.
    bytes: Vec<u8>,
    written: usize,
    counters: Counters,
}

impl<R: Role, X: Extension> SendQueue<R, X> {
    /// An empty queue.
    pub fn new(half: SendHalf<R, X>) -> Self {
        Self { half, bytes: Vec::new(), written: 0, counters: Counters::default() }
    }

    /// The sending half.
    pub fn half(&self) -> &SendHalf<R, X> {
        &self.half
    }

    /// Takes over an obligation. A Pong is encoded at once, so that each Ping has
    /// its own, unless the peer lets too many pile up; then the latest stands for
    /// all (RFC 6455 section 5.5.3).
    pub fn take(&mut self, obligation: Obligation) {
        self.half.take(obligation);
        if obligation.is_pong() {
            self.encode_owed();
        }
    }

    /// Puts a message at the end.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the queue is then as it was.
    pub fn send(&mut self, message: Message<'_>, compress: Compress) -> Result<(), SendError> {
        self.half.append_with(message, compress, &mut self.bytes)?;
        self.count(Fin::Last);
        Ok(())
    }

    /// Puts the head of a message at the end whose payload of `len` bytes follows, by
    /// [`push_payload`](Self::push_payload) or by writing it behind what is unwritten. When all
    /// of it is there, say [`payload_written`](Self::payload_written).
    ///
    /// # Errors
    ///
    /// [`SendError`]; the queue is then as it was.
    pub fn begin(&mut self, kind: Kind, len: u64) -> Result<FrameHead, SendError> {
        // A head would continue a message that is under way, and end it.
        self.half.check_message_may_begin()?;
        let head = self.half.head(kind, Fin::Last, len)?;
        self.bytes.extend_from_slice(head.as_bytes());
        Ok(head)
    }

    /// Puts the next piece of a payload at the end, masked if it must be.
    pub fn push_payload(&mut self, head: &mut FrameHead, piece: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(piece);
        head.mask(&mut self.bytes[start..]);
    }

    /// The payload of a head is there, all `len` bytes of it.
    ///
    /// # Errors
    ///
    /// [`SendError`] if that is more than the head said.
    pub fn payload_written(&mut self, len: u64) -> Result<(), SendError> {
        self.half.payload_written(len)?;
        self.count(Fin::Last);
        Ok(())
    }

    /// Puts a fragment at the end.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the queue is then as it was.
    pub fn send_fragment(
        &mut self,
        kind: Kind,
        fin: Fin,
        payload: &[u8],
        compress: Compress,
    ) -> Result<(), SendError> {
        let room = self.half.send_len_max(payload.len());
        self.encode(room, |half, out| half.send_fragment_with(kind, fin, payload, compress, out))?;
        self.count(fin);
        Ok(())
    }

    /// Puts a Ping of at most 125 bytes at the end.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the queue is then as it was.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.send_control(|half, out| half.ping(payload, out))
    }

    /// Puts a Pong that nobody asked for, of at most 125 bytes, at the end.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the queue is then as it was.
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.send_control(|half, out| half.pong(payload, out))
    }

    /// Puts a Close at the end; the receiving half must be told of it.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the queue is then as it was.
    pub fn close(&mut self, code: Option<CloseCode>, reason: &str) -> Result<CloseSent, SendError> {
        let mut told = Err(SendError::Closed);
        self.send_control(|half, out| {
            let (len, sent) = half.close(code, reason, out)?;
            told = Ok(sent);
            Ok(len)
        })?;
        told
    }

    /// Answers the peer's Close. Refused if a Close was sent already, or the code is
    /// not ours to send: then the engine's own answer stands, and without one the
    /// Close is empty.
    pub fn reply(&mut self, reply: &CloseReply) -> Option<CloseSent> {
        let sent = self.close(reply.code, &reply.reason);
        match reply.otherwise {
            Otherwise::Engine => sent.ok(),
            Otherwise::Empty => sent.or_else(|_| self.close(None, "")).ok(),
        }
    }

    /// Puts at the end what the protocol owes. It stays in the engine, where the latest Pong
    /// stands for all, as long as too much is waiting.
    pub fn encode_owed(&mut self) {
        let mut owed = [0; CONTROL_FRAME_LEN_MAX];
        while self.backlog() < BACKLOG_MAX
            && let Transmit::Bytes(bytes) = self.half.poll_transmit(&mut owed)
        {
            self.counters.frames_sent += control_frames(bytes, R::MASKS);
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// What the transport has not yet taken.
    pub fn unwritten(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// How many bytes that is.
    pub fn backlog(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// The transport took `len` of the unwritten bytes; more means all of them.
    pub fn wrote(&mut self, len: usize) {
        self.written += len.min(self.backlog());
        // Moved at most as often as written: the rest is no longer than what went.
        if self.written >= self.bytes.len() / 2 {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        // What a large message took while it was compressed is not kept for the next.
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_MAX {
            self.bytes = Vec::new();
        }
    }

    /// What was sent so far, but for the bytes, which the transport knows.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn send_control(
        &mut self,
        encode: impl FnOnce(&mut SendHalf<R, X>, &mut [u8]) -> Result<usize, SendError>,
    ) -> Result<(), SendError> {
        self.encode(CONTROL_FRAME_LEN_MAX, encode)?;
        self.counters.frames_sent += 1;
        Ok(())
    }

    /// Encodes with `encode` to the end of `bytes`, into at most `room` bytes.
    fn encode(
        &mut self,
        room: usize,
        encode: impl FnOnce(&mut SendHalf<R, X>, &mut [u8]) -> Result<usize, SendError>,
    ) -> Result<(), SendError> {
        let start = self.bytes.len();
        self.bytes.resize(start + room, 0);
        let encoded = encode(&mut self.half, &mut self.bytes[start..]);
        self.bytes.truncate(start + *encoded.as_ref().unwrap_or(&0));
        encoded.map(drop)
    }

    fn count(&mut self, fin: Fin) {
        self.counters.frames_sent += 1;
        self.counters.messages_sent += u64::from(fin == Fin::Last);
    }
}

impl<X: Extension> SendQueue<Server, X> {
    /// What to write for a message that was encoded before: behind what is unwritten, and before
    /// anything else.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the queue is then as it was.
    pub fn begin_prepared<'p, S: AsRef<[u8]>>(
        &mut self,
        prepared: &'p Prepared<S>,
    ) -> Result<&'p [u8], SendError> {
        let frame = self.half.send_prepared(prepared)?;
        self.count(Fin::Last);
        self.encode_owed();
        Ok(frame)
    }

    /// Puts a message at the end that was encoded before.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the queue is then as it was.
    pub fn send_prepared<S: AsRef<[u8]>>(
        &mut self,
        prepared: &Prepared<S>,
    ) -> Result<(), SendError> {
        let frame = self.begin_prepared(prepared)?;
        self.bytes.extend_from_slice(frame);
        Ok(())
    }
}

/// What to answer to the peer's Close: its own code and reason, which is kinder than the code
/// alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReply {
    code: Option<CloseCode>,
    reason: String,
    otherwise: Otherwise,
}

/// What stands if that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Otherwise {
    /// The engine's own answer.
    Engine,
    /// A Close without a code: the engine was told to give no answers.
    Empty,
}

impl CloseReply {
    /// The answer to a Close that says this; `state` is that of the receiving half when it came.
    pub fn to(frame: Option<CloseFrame<'_>>, state: State) -> Self {
        Self {
            code: frame.map(|frame| frame.code),
            reason: frame.map_or_else(String::new, |frame| frame.reason.to_owned()),
            otherwise: match state {
                State::CloseReceived => Otherwise::Empty,
                _ => Otherwise::Engine,
            },
        }
    }
}

/// How many control frames these bytes are.
fn control_frames(mut bytes: &[u8], masked: bool) -> u64 {
    let mut count = 0;
    while let [_, len, ..] = bytes {
        let len = usize::from(len & 0x7f) + if masked { 6 } else { 2 };
        bytes = bytes.get(len..).unwrap_or_default();
        count += 1;
    }
    count
}

/// With more than this unwritten, Pongs are no longer encoded one by one.
const BACKLOG_MAX: usize = 16 * 1024;

/// A buffer that grew longer than this is given back when it is empty.
const KEPT_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Connection, Negotiated};

    fn queue() -> SendQueue<Server, crate::NoExtension> {
        let connection = Connection::new(Negotiated::from_upgraded(), Server, &Config::new());
        SendQueue::new(connection.into_split().1)
    }

    fn sent(len: usize) -> SendQueue<Server, crate::NoExtension> {
        let mut queue = queue();
        let payload = alloc::vec![b'a'; len];
        queue.send(Message::Binary(&payload), Compress::Never).expect("open");
        queue
    }

    #[test]
    fn what_was_written_takes_no_place() {
        let mut queue = sent(1000);
        for _ in 0..100 {
            queue.wrote(501);
            queue.send(Message::Binary(&[b'a'; 500]), Compress::Never).expect("open");
            assert!(queue.bytes.len() <= 2 * queue.backlog(), "{} bytes", queue.bytes.len());
        }
        queue.wrote(queue.backlog());
        assert_eq!(queue.bytes.len(), 0);
    }

    #[test]
    fn room_is_kept_for_the_next_message_unless_it_is_much() {
        for (len, kept) in [(100, true), (64 * 1024, true), (64 * 1024 + 1, false)] {
            let mut queue = queue();
            queue.bytes = Vec::with_capacity(len);
            queue.send(Message::Binary(b"a"), Compress::Never).expect("open");
            queue.wrote(queue.backlog());
            assert_eq!(queue.bytes.capacity(), if kept { len } else { 0 });
        }
    }

    #[test]
    fn a_long_queue_is_kept_until_all_of_it_is_written() {
        let mut queue = sent(100_000);
        let all = queue.unwritten().to_vec();
        queue.wrote(all.len() - 3);
        assert_eq!(queue.unwritten(), &all[all.len() - 3..]);
    }

    #[test]
    fn control_frames_are_counted_by_their_lengths() {
        let (pong, close) = (b"\x8a\x03abc", b"\x88\x02\x03\xe8");
        assert_eq!(control_frames(&[&pong[..], close].concat(), false), 2);
        let (pong, close) = (b"\x8a\x830123abc", b"\x88\x80\x30123");
        assert_eq!(control_frames(&[&pong[..], close].concat(), true), 2);
    }
}
