//! The receiving side of a socket: reads, gives the engine its bytes and its time,
//! and does what is to be done at the end.

use std::io;
use std::time::Duration;

use sansocket::adapter::{CloseReply, Closed, Counters, Error, InboxTag};
use sansocket::{
    CloseSent, Delivery, Extension, Failure, Inbox, InboxError, Obligation, Ready, ReceiveHalf,
    Role, State, Tick, TransportStep,
};

use crate::clock::{Clock, Read, ReadTimeout};
use crate::outbox::Flushed;
use crate::transport::Transport;

/// How the receiving side reaches the sending side and the transport: directly, or
/// under a lock that another thread shares.
pub(crate) trait Link {
    type Transport: Transport;

    /// The transport to read from.
    fn transport(&mut self) -> &mut Self::Transport;

    /// Hands an obligation over.
    fn oblige(&mut self, obligation: Obligation);

    /// What the sending side did that this side must know.
    fn close_sent(&mut self) -> Option<CloseSent>;

    /// Whether more messages were read than the one that is delivered now. Its answer
    /// may wait for theirs then, to be written together.
    fn expect_more(&mut self, more: bool);

    /// Whether nothing waits to be written but such answers.
    fn is_holding(&mut self) -> bool;

    /// Writes what is owed, as far as that does not keep from reading for long.
    fn flush(&mut self) -> Result<Flushed, Error>;

    /// Whether the transport took nothing when it was last tried.
    fn is_blocked(&mut self) -> bool;

    /// Answers the peer's Close, in place of the engine if that would.
    fn reply(&mut self, reply: CloseReply);

    /// Whether bytes were written, since the last call, while something owed waited.
    fn has_transmitted(&mut self) -> bool;

    /// Whether the transport was given up since it took nothing.
    fn is_stalled(&mut self) -> bool;

    /// The end is near: whatever blocks may block only this long.
    fn hurry(&mut self, patience: Duration);

    /// Nothing more will be written. Fails if the peer cannot be told that.
    fn shutdown_write(&mut self) -> io::Result<()>;
}

/// The receiving side.
#[derive(Debug)]
pub(crate) struct Pump<R, X: Extension> {
    half: ReceiveHalf<R, X>,
    clock: Clock,
    /// When the transport was last looked at. Time in the engine stands still
    /// while the program does other things, so that what waits unread in the
    /// socket is never mistaken for silence.
    looked_at: Tick,
    /// Reads since one that left room, so that there may be more to read at once.
    full_reads: u8,
    timeout: ReadTimeout,
    /// Bytes that came with the handshake.
    leftover: Vec<u8>,
    /// This connection's mark on its inbox.
    tag: InboxTag,
    /// How long the answers to the messages of one read may wait for each other.
    coalesce: Duration,
    /// The message delivered last was not the last of its read.
    in_batch: bool,
    counters: Counters,
    ended: Option<Closed>,
}

impl<R: Role, X: Extension> Pump<R, X> {
    pub(crate) fn new(half: ReceiveHalf<R, X>, leftover: Vec<u8>, coalesce: Duration) -> Self {
        let clock = Clock::new();
        Self {
            half,
            clock,
            looked_at: clock.now(),
            full_reads: 0,
            timeout: ReadTimeout::new(None),
            leftover,
            tag: InboxTag::new(),
            coalesce,
            in_batch: false,
            counters: Counters::default(),
            ended: None,
        }
    }

    /// No read is to block longer than `max`, since another thread may want
    /// something.
    pub(crate) fn wake_every(&mut self, max: Duration) {
        self.timeout = ReadTimeout::new(Some(max));
    }

    pub(crate) fn half(&mut self) -> &mut ReceiveHalf<R, X> {
        &mut self.half
    }

    pub(crate) fn ended(&self) -> Option<&Closed> {
        self.ended.as_ref()
    }

    pub(crate) fn state(&self) -> State {
        self.half.state()
    }

    pub(crate) fn into_leftover(self) -> Vec<u8> {
        self.leftover
    }

    /// What was counted here, and there.
    pub(crate) fn counters(&self, sending: &Counters) -> Counters {
        Counters { round_trip: self.half.round_trip(), ..self.counters }.with_sending(sending)
    }

    /// Receives up to the next whole message, which the inbox then lends.
    pub(crate) fn receive(&mut self, link: &mut impl Link, inbox: &mut Inbox) -> Result<(), Error> {
        self.receive_with(link, inbox, |half, link, inbox| {
            inbox.advance_half(half, |obligation| link.oblige(obligation))
        })
    }

    /// Receives the next piece of a message, which the inbox then lends.
    pub(crate) fn receive_piece(
        &mut self,
        link: &mut impl Link,
        inbox: &mut Inbox,
    ) -> Result<(), Error> {
        self.receive_with(link, inbox, |half, link, inbox| {
            inbox.advance_piece_half(half, |obligation| link.oblige(obligation))
        })
    }

    fn receive_with<L: Link>(
        &mut self,
        link: &mut L,
        inbox: &mut Inbox,
        advance: impl FnMut(&mut ReceiveHalf<R, X>, &mut L, &mut Inbox) -> Result<Ready, InboxError>,
    ) -> Result<(), Error> {
        if let Some(closed) = &self.ended {
            return Err(Error::from(closed));
        }
        self.enter(inbox)?;
        if !self.leftover.is_empty() {
            self.counters.bytes_received += self.leftover.len() as u64;
            inbox.extend(&std::mem::take(&mut self.leftover));
        }
        let frames = inbox.data_frames();
        let result = self.pump(link, inbox, advance);
        self.counters.frames_received += inbox.data_frames() - frames;
        if self.ended.is_some() {
            // Nothing of what is left will be looked at.
            inbox.discard();
        }
        self.tag.leave(inbox);
        result
    }

    /// Makes `inbox` this connection's, if it may be.
    pub(crate) fn enter(&mut self, inbox: &mut Inbox) -> Result<(), Error> {
        if self.tag.enter(inbox) { Ok(()) } else { Err(Error::ForeignInbox) }
    }

    fn pump<L: Link>(
        &mut self,
        link: &mut L,
        inbox: &mut Inbox,
        mut advance: impl FnMut(&mut ReceiveHalf<R, X>, &mut L, &mut Inbox) -> Result<Ready, InboxError>,
    ) -> Result<(), Error> {
        loop {
            match advance(&mut self.half, link, inbox) {
                Ok(ready @ (Ready::Message | Ready::Data)) => {
                    let whole = ready == Ready::Message || inbox.ends_message();
                    self.counters.messages_received += u64::from(whole);
                    self.deliver(link, !inbox.unread().is_empty());
                    return Ok(());
                }
                Ok(Ready::Ping | Ready::Pong) => self.counters.frames_received += 1,
                Ok(Ready::Close) => {
                    self.counters.frames_received += 1;
                    return Err(self.closed_by_peer(link, inbox));
                }
                Ok(Ready::Need) => self.wait(link, inbox)?,
                Err(InboxError::Assembly(error)) => {
                    self.finish(link);
                    return Err(Error::Assembly(error));
                }
                Err(InboxError::Failed(failure)) => return Err(self.failed(link, failure)),
                // The only other one, and the connection is as it was.
                Err(_) => return Err(Error::PiecesUnderWay),
            }
        }
    }

    /// Everything that was there is received: lets time pass, writes what is owed,
    /// and waits for more.
    fn wait(&mut self, link: &mut impl Link, inbox: &mut Inbox) -> Result<(), Error> {
        if std::mem::take(&mut self.in_batch) {
            link.expect_more(false);
        }
        if self.full_reads == 0 {
            self.pass_time(link).map_err(|failure| self.failed(link, failure))?;
        }
        let flushed = self.flush(link)?;
        if self.half.transport_step() == TransportStep::CloseNow {
            return Err(self.over(link));
        }
        let wait = match self.full_reads {
            0 => self.wait_until(flushed),
            // No time has passed in the engine, so it knows no deadline yet.
            _ => Some(Duration::ZERO),
        };
        let spare = inbox.spare();
        let room = spare.len();
        let read = self.timeout.read(link.transport(), spare, wait);
        self.looked_at = self.clock.now();
        match read {
            Ok(Read::Bytes(len)) => {
                inbox.filled(len);
                self.counters.bytes_received += len as u64;
                let full = len == room && self.full_reads < FULL_READS_MAX;
                self.full_reads = if full { self.full_reads + 1 } else { 0 };
                Ok(())
            }
            Ok(Read::Nothing) => {
                self.full_reads = 0;
                Ok(())
            }
            Ok(Read::End) if !link.is_stalled() => {
                self.half.receive_end(|obligation| link.oblige(obligation));
                Err(self.over(link))
            }
            Ok(Read::End) => {
                // It was our own end, of a sender that had waited for too long.
                self.half.receive_reset(|obligation| link.oblige(obligation));
                self.finish(link);
                Err(Error::WriteStalled)
            }
            Err(error) => {
                self.half.receive_reset(|obligation| link.oblige(obligation));
                self.finish(link);
                Err(Error::Io(error))
            }
        }
    }

    /// The sending side sent a Close. The peer's time to answer begins now, not
    /// when the program last looked.
    pub(crate) fn close_sent(&mut self, sent: CloseSent) {
        self.half.close_sent(sent);
        self.looked_at = self.clock.now();
    }

    fn pass_time(&mut self, link: &mut impl Link) -> Result<(), Failure> {
        self.learn(link);
        if link.has_transmitted() {
            // A Ping that waits behind a large message is not yet asked.
            self.half.note_transmitted();
        }
        self.half.handle_timeout(self.looked_at, |obligation| link.oblige(obligation))
    }

    /// What the sending side did, this side must know.
    fn learn(&mut self, link: &mut impl Link) {
        if let Some(sent) = link.close_sent() {
            self.close_sent(sent);
        }
    }

    /// How long to wait for bytes: until the next deadline, but not for long while
    /// there is something to write.
    fn wait_until(&self, flushed: Flushed) -> Option<Duration> {
        let wait = self.half.poll_timeout().after(self.clock.now());
        match flushed {
            Flushed::All => wait,
            Flushed::Blocked => Some(wait.map_or(RETRY, |wait| wait.min(RETRY))),
        }
    }

    /// What was received is delivered whatever becomes of what is owed. A peer that
    /// takes nothing is not waited for with each message.
    ///
    /// The messages of one read are answered with one write, if that takes but a
    /// moment: the first answers wait while there is more to answer.
    fn deliver(&mut self, link: &mut impl Link, more: bool) {
        let batch = self.in_batch || more;
        let brief = batch && self.clock.now() < self.looked_at + self.coalesce;
        let waiting = brief && self.in_batch && link.is_holding();
        self.in_batch = brief && more;
        if batch {
            link.expect_more(self.in_batch);
        }
        if !waiting && !link.is_blocked() {
            // An error comes again with the next wait.
            let _ = link.flush();
        }
    }

    /// A peer that does not take what we write may still have said why: reading
    /// goes on until that ends too, unless it is for the stall deadline.
    fn flush(&mut self, link: &mut impl Link) -> Result<Flushed, Error> {
        match link.flush() {
            Err(Error::WriteStalled) => {
                self.half.receive_reset(|obligation| link.oblige(obligation));
                self.finish(link);
                Err(Error::WriteStalled)
            }
            Err(_) => Ok(Flushed::All),
            Ok(flushed) => Ok(flushed),
        }
    }

    fn closed_by_peer(&mut self, link: &mut impl Link, inbox: &Inbox) -> Error {
        let frame = match inbox.delivery() {
            Some(Delivery::Close(frame)) => frame,
            _ => None,
        };
        link.reply(CloseReply::to(frame, self.half.state()));
        let closed = Closed::new(self.finish(link).closure(), frame);
        self.ended = Some(closed.clone());
        Error::Closed(closed)
    }

    fn failed(&mut self, link: &mut impl Link, failure: Failure) -> Error {
        self.finish(link);
        Error::Failed(failure)
    }

    fn over(&mut self, link: &mut impl Link) -> Error {
        Error::from(&self.finish(link))
    }

    /// The end of every connection: what is owed is written; the sending direction
    /// is ended, so that a reset does not overtake our Close; the peer may end its
    /// own, within the engine's bounds of bytes and time (section 7.1.1).
    pub(crate) fn finish(&mut self, link: &mut impl Link) -> Closed {
        self.learn(link);
        link.hurry(PATIENCE);
        // The peer's time to end the transport begins now, not when the program
        // last looked.
        self.looked_at = self.clock.now();
        let mut scratch = [0; 4096];
        let mut half_closed = false;
        loop {
            let flushed = link.flush();
            let step = self.half.transport_step();
            if step == TransportStep::CloseNow {
                break;
            }
            let Ok(flushed) = flushed else {
                self.half.receive_reset(|obligation| link.oblige(obligation));
                break;
            };
            if step == TransportStep::HalfClose && !half_closed && flushed == Flushed::All {
                half_closed = true;
                if link.shutdown_write().is_err() {
                    break; // the peer would wait for the end that we wait for
                }
            }
            // A failure is known already.
            let _ = self.pass_time(link);
            if self.half.transport_step() == TransportStep::CloseNow {
                break; // nothing would end a read any more
            }
            if let Err(_reset) = self.drain(link, flushed, &mut scratch) {
                self.half.receive_reset(|obligation| link.oblige(obligation));
            }
        }
        if !half_closed {
            // The peer may have been faster.
            let _ = link.shutdown_write();
        }
        let closure = self.half.receive_end(|_| {}); // or how it ended before
        let closed = Closed::new(closure, None);
        self.ended.get_or_insert(closed).clone()
    }

    /// Reads once what nobody will look at.
    fn drain(
        &mut self,
        link: &mut impl Link,
        flushed: Flushed,
        scratch: &mut [u8],
    ) -> io::Result<()> {
        let wait = self.wait_until(flushed);
        let read = self.timeout.read(link.transport(), scratch, wait);
        self.looked_at = self.clock.now();
        match read? {
            Read::Bytes(len) => {
                self.counters.bytes_received += len as u64;
                // The answer is known: nothing, or the failure again.
                let _ = self.half.receive(&mut scratch[..len], |_| {});
            }
            Read::End => {
                self.half.receive_end(|obligation| link.oblige(obligation));
            }
            Read::Nothing => {}
        }
        Ok(())
    }
}

/// How long to wait for something to read while there is something to write.
const RETRY: Duration = Duration::from_millis(20);

/// How long the last writes may block.
const PATIENCE: Duration = Duration::from_secs(1);

/// After so many reads without a pause, time passes all the same.
const FULL_READS_MAX: u8 = 64;
