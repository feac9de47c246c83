//! The receiving side of a socket: reads, gives the engine its bytes and its time, writes
//! what waits before it waits itself, and does what is to be done at the end.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sansocket::adapter::{CloseReply, Closed, Counters, Error, InboxTag};
use sansocket::{
    CloseCode, CloseFrame, Data, Delivery, Extension, Failure, Inbox, InboxError, Message,
    NoExtension, Obligation, Ready, ReceiveHalf, Role, State, Tick, TransportStep, Wake,
};
use tokio::task::coop;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::sending::{Flushed, Shared, Transport};

/// The half that receives, keeps the time, answers Pings, and writes what senders leave.
///
/// As long as the connection is to live, a task should be in one of its calls.
#[derive(Debug)]
pub struct Receiver<S: Transport, R: Role, X: Extension = NoExtension> {
    shared: Arc<Shared<S, R, X>>,
    half: ReceiveHalf<R, X>,
    /// When the engine's time began.
    start: Instant,
    /// Never later than the engine's next deadline.
    alarm: Option<Pin<Box<Sleep>>>,
    /// Reads since one that found nothing, while which time stands still in the engine.
    reads: u8,
    /// Something is owed that the sending half got since it was last flushed.
    owing: bool,
    /// How many bytes were written when this side looked last.
    sent: u64,
    /// Bytes that came with the handshake.
    leftover: Vec<u8>,
    tag: InboxTag,
    counters: Counters,
    ending: Option<Ending>,
    ended: Option<Closed>,
}

/// How an inbox goes on: to the next whole message, or to the next piece.
type Advance<R, X> =
    fn(&mut ReceiveHalf<R, X>, &mut Inbox, &mut dyn FnMut(Obligation)) -> Result<Ready, InboxError>;

/// The connection is over, but for what is still to be written and read.
#[derive(Debug)]
struct Ending {
    outcome: Outcome,
    half_closed: bool,
}

/// What the call says that found the end.
#[derive(Debug)]
enum Outcome {
    /// Whatever the engine knows, and what the peer's Close said.
    Closed(Option<(CloseCode, String)>),
    Error(Error),
}

impl<S: Transport, R: Role, X: Extension> Receiver<S, R, X> {
    pub(crate) fn new(
        shared: Arc<Shared<S, R, X>>,
        half: ReceiveHalf<R, X>,
        leftover: Vec<u8>,
    ) -> Self {
        Self {
            shared,
            half,
            start: Instant::now(),
            alarm: None,
            reads: 0,
            owing: true, // of what was owed before, perhaps
            sent: 0,
            leftover,
            tag: InboxTag::new(),
            counters: Counters::default(),
            ending: None,
            ended: None,
        }
    }

    /// Waits for the next message; see [`WebSocket::receive`](crate::WebSocket::receive).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn receive<'i>(&mut self, inbox: &'i mut Inbox) -> Result<Message<'i>, Error> {
        poll_fn(|cx| self.poll_receive(cx, inbox)).await?;
        inbox.message().ok_or(Error::ForeignInbox)
    }

    /// Waits for the next piece of a message; see
    /// [`WebSocket::receive_piece`](crate::WebSocket::receive_piece).
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn receive_piece<'i>(&mut self, inbox: &'i mut Inbox) -> Result<Data<'i>, Error> {
        poll_fn(|cx| self.poll_receive_piece(cx, inbox)).await?;
        inbox.data().ok_or(Error::ForeignInbox)
    }

    /// [`receive`](Self::receive) for futures written by hand: when it is ready,
    /// [`Inbox::delivery`] lends the message.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Inbox,
    ) -> Poll<Result<(), Error>> {
        self.poll_with(cx, inbox, |half, inbox, owed| inbox.advance_half(half, owed))
    }

    pub(crate) fn poll_receive_piece(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Inbox,
    ) -> Poll<Result<(), Error>> {
        self.poll_with(cx, inbox, |half, inbox, owed| inbox.advance_piece_half(half, owed))
    }

    /// Where the connection is on its way from open to closed.
    pub fn state(&self) -> State {
        match self.half.state() {
            // It is to be told of that yet.
            State::Open if self.shared.lock().told.is_some() => State::CloseSent,
            state => state,
        }
    }

    /// What went through so far.
    pub fn counters(&self) -> Counters {
        let counters = Counters { round_trip: self.half.round_trip(), ..self.counters };
        counters.with_sending(&self.shared.lock().counters())
    }

    /// Makes `inbox` this connection's, if it may be.
    pub(crate) fn enter(&mut self, inbox: &mut Inbox) -> Result<(), Error> {
        if self.tag.enter(inbox) { Ok(()) } else { Err(Error::ForeignInbox) }
    }

    /// Whether the connection is over, or about to be.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some() || self.ended.is_some()
    }

    /// Throws away the messages that come until the connection is over.
    pub(crate) fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Inbox,
    ) -> Poll<Result<Closed, Error>> {
        loop {
            match ready!(self.poll_receive_piece(cx, inbox)) {
                Ok(()) => {}
                Err(Error::Closed(closed)) => return Poll::Ready(Ok(closed)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Drops the connection without a Close frame.
    pub(crate) fn abort(&mut self) -> Closed {
        let closure = self.half.abort(|_| {});
        self.shared.lock().end();
        self.ended.get_or_insert(Closed::new(closure, None)).clone()
    }

    fn poll_with(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Inbox,
        advance: Advance<R, X>,
    ) -> Poll<Result<(), Error>> {
        if let Some(closed) = &self.ended {
            return Poll::Ready(Err(Error::from(closed)));
        }
        self.enter(inbox)?;
        if !self.leftover.is_empty() {
            self.counters.bytes_received += self.leftover.len() as u64;
            inbox.extend(&std::mem::take(&mut self.leftover));
        }
        let frames = inbox.data_frames();
        let result = self.poll_until_delivered(cx, inbox, advance);
        self.counters.frames_received += inbox.data_frames() - frames;
        if self.ended.is_some() {
            // Nothing of what is left will be looked at.
            inbox.discard();
        }
        self.tag.leave(inbox);
        result
    }

    /// All that a call knows is in `self` and the inbox, so that it can be dropped at any time
    /// and called again.
    fn poll_until_delivered(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Inbox,
        advance: Advance<R, X>,
    ) -> Poll<Result<(), Error>> {
        loop {
            if self.ending.is_some() {
                return self.poll_end(cx).map(Err);
            }
            let (shared, owing) = (&self.shared, &mut self.owing);
            let advanced = advance(&mut self.half, inbox, &mut |obligation| {
                *owing = true;
                shared.lock().queue.take(obligation);
            });
            match advanced {
                Ok(ready @ (Ready::Message | Ready::Data)) => {
                    let whole = ready == Ready::Message || inbox.ends_message();
                    self.counters.messages_received += u64::from(whole);
                    self.deliver();
                    return Poll::Ready(Ok(()));
                }
                Ok(Ready::Ping | Ready::Pong) => self.counters.frames_received += 1,
                Ok(Ready::Close) => {
                    self.counters.frames_received += 1;
                    self.closed_by_peer(inbox);
                }
                Ok(Ready::Need) => ready!(self.poll_more(cx, inbox)),
                Err(InboxError::Assembly(error)) => {
                    self.end(Outcome::Error(Error::Assembly(error)));
                }
                Err(InboxError::Failed(failure)) => self.failed(failure),
                // The only other one, and the connection is as it was.
                Err(_) => return Poll::Ready(Err(Error::PiecesUnderWay)),
            }
        }
    }

    /// Waits for more bytes, or for anything else that happens.
    fn poll_more(&mut self, cx: &mut Context<'_>, inbox: &mut Inbox) -> Poll<()> {
        // Before anything is written, so that no wake-up is missed.
        self.shared.waiting.set_receiver(cx.waker());
        if let Err(Error::WriteStalled) = self.flush() {
            self.end_transport(Outcome::Error(Error::WriteStalled));
            return Poll::Ready(());
        }
        let read = self.shared.lock().poll_read(cx, inbox.spare());
        match read {
            Poll::Ready(Ok(0)) => self.end_of_stream(),
            Poll::Ready(Ok(len)) => {
                inbox.filled(len);
                self.counters.bytes_received += len as u64;
                self.reads = self.reads.wrapping_add(1) % READS_MAX;
                if self.reads == 0
                    && let Err(failure) = self.pass_time()
                {
                    self.failed(failure);
                }
            }
            Poll::Ready(Err(error)) => self.end_transport(Outcome::Error(Error::Io(error))),
            // There may be something to read.
            Poll::Pending if has_to_yield(cx) => return Poll::Pending,
            Poll::Pending => return self.poll_idle(cx),
        }
        Poll::Ready(())
    }

    /// Everything that was there is received: lets time pass, writes what that makes
    /// owed, and waits.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.reads = 0;
        if let Err(failure) = self.pass_time() {
            self.failed(failure);
            return Poll::Ready(());
        }
        // A write that fails comes to light in reading, or was reported to its sender.
        let _ = self.flush();
        if self.half.transport_step() == TransportStep::CloseNow {
            self.end(Outcome::Closed(None));
            return Poll::Ready(());
        }
        self.poll_alarm(cx)
    }

    /// Ready when a deadline may have passed. It is set for the first of them and left there
    /// while they move away, so that most messages do not touch it.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = match self.half.poll_timeout() {
            Wake::Never => return Poll::Pending,
            wake => Instant::now() + wake.after(self.now()).unwrap_or_default(),
        };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if alarm.is_elapsed() || alarm.deadline() > deadline {
            alarm.as_mut().reset(deadline);
        }
        alarm.as_mut().poll(cx)
    }

    fn now(&self) -> Tick {
        Tick::ZERO + self.start.elapsed()
    }

    fn pass_time(&mut self) -> Result<(), Failure> {
        self.learn();
        let now = self.now();
        let (shared, owing) = (&self.shared, &mut self.owing);
        self.half.handle_timeout(now, |obligation| {
            *owing = true;
            shared.lock().queue.take(obligation);
        })
    }

    /// What a sender did, this side must know.
    fn learn(&mut self) {
        let told = self.shared.lock().told.take();
        if let Some(sent) = told {
            self.half.close_sent(sent);
        }
    }

    fn flush(&mut self) -> Result<Flushed, Error> {
        self.owing = false;
        let mut sending = self.shared.lock();
        let flushed = sending.flush();
        let sent = sending.counters().bytes_sent;
        // By whomever, since this side looked last.
        let progressed = std::mem::replace(&mut self.sent, sent) < sent;
        if flushed.is_ok() && progressed && sending.queue.backlog() > 0 {
            // A Ping that waits behind a large message is not yet asked.
            self.half.note_transmitted();
        }
        flushed
    }

    /// What is owed is not held up by what the program does with a message. Nobody needs to
    /// wake this task to write: it does before it waits again.
    fn deliver(&mut self) {
        self.shared.waiting.clear_receiver();
        if self.owing {
            // An error comes again with the next wait.
            let _ = self.flush();
        }
    }

    fn closed_by_peer(&mut self, inbox: &Inbox) {
        let frame = match inbox.delivery() {
            Some(Delivery::Close(frame)) => frame,
            _ => None,
        };
        let reply = CloseReply::to(frame, self.half.state());
        let sent = {
            let mut sending = self.shared.lock();
            if sending.is_broken() { None } else { sending.queue.reply(&reply) }
        };
        if let Some(sent) = sent {
            self.half.close_sent(sent);
        }
        let said = frame.map(|frame| (frame.code, frame.reason.to_owned()));
        self.end(Outcome::Closed(said));
    }

    fn failed(&mut self, failure: Failure) {
        self.end(Outcome::Error(Error::Failed(failure)));
    }

    fn end_of_stream(&mut self) {
        if self.shared.lock().is_stalled() {
            self.end_transport(Outcome::Error(Error::WriteStalled));
        } else {
            let (shared, half) = (&self.shared, &mut self.half);
            half.receive_end(|obligation| shared.lock().queue.take(obligation));
            self.end(Outcome::Closed(None));
        }
    }

    /// The transport is of no use any more.
    fn end_transport(&mut self, outcome: Outcome) {
        let (shared, half) = (&self.shared, &mut self.half);
        half.receive_reset(|obligation| shared.lock().queue.take(obligation));
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        self.learn();
        self.shared.lock().hurry(PATIENCE);
        self.ending = Some(Ending { outcome, half_closed: false });
    }

    /// The end of every connection: what is owed is written; the sending direction
    /// is ended, so that a reset does not overtake our Close; the peer may end its
    /// own, within the engine's bounds of bytes and time (RFC 6455 section 7.1.1).
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        self.shared.waiting.set_receiver(cx.waker());
        while self.half.transport_step() != TransportStep::CloseNow {
            if self.half_close().is_err() {
                break;
            }
            // A failure is known already.
            let _ = self.pass_time();
            if self.half.transport_step() == TransportStep::CloseNow {
                break;
            }
            let mut scratch = [0; 4096];
            let read = self.shared.lock().poll_read(cx, &mut scratch);
            match read {
                Poll::Ready(Ok(0)) => {
                    self.half.receive_end(|_| {});
                }
                Poll::Ready(Ok(len)) => {
                    self.counters.bytes_received += len as u64;
                    // The answer is known: nothing, or the failure again.
                    let _ = self.half.receive(&mut scratch[..len], |_| {});
                }
                Poll::Ready(Err(_reset)) => {
                    self.half.receive_reset(|_| {});
                }
                Poll::Pending if has_to_yield(cx) => return Poll::Pending,
                Poll::Pending => ready!(self.poll_alarm(cx)),
            }
        }
        Poll::Ready(self.finish())
    }

    /// Writes what is owed, and ends our direction behind it. An error if there is nothing to
    /// wait for after that.
    fn half_close(&mut self) -> io::Result<()> {
        let Ok(flushed) = self.flush() else {
            self.half.receive_reset(|_| {});
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let step = self.half.transport_step();
        let Some(ending) = &mut self.ending else { return Ok(()) };
        if step == TransportStep::HalfClose && !ending.half_closed && flushed == Flushed::All {
            match self.shared.lock().poll_shutdown() {
                Poll::Ready(done) => {
                    ending.half_closed = true;
                    done?; // the peer would wait for the end that we wait for
                }
                Poll::Pending => {}
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Error {
        let ending = self.ending.take();
        {
            let mut sending = self.shared.lock();
            if ending.as_ref().is_some_and(|ending| !ending.half_closed) {
                // The peer may have been faster, or nothing more can be said.
                let _ = sending.flush();
                let _ = sending.poll_shutdown();
            }
            drop(sending.end());
        }
        let closure = self.half.receive_end(|_| {}); // or how it ended before
        let outcome = ending.map_or(Outcome::Closed(None), |ending| ending.outcome);
        let said = match &outcome {
            Outcome::Closed(Some((code, reason))) => Some(CloseFrame { code: *code, reason }),
            _ => None,
        };
        let closed = Closed::new(closure, said);
        let error = match outcome {
            Outcome::Closed(_) => Error::from(&closed),
            Outcome::Error(error) => error,
        };
        self.ended = Some(closed);
        error
    }
}

impl<S: Transport, R: Role, X: Extension> Drop for Receiver<S, R, X> {
    /// Without its receiver the connection answers nothing: the peer is told, as far as that
    /// does not wait, and the transport ended.
    fn drop(&mut self) {
        let mut sending = self.shared.lock();
        match self.ended {
            None => sending.part(),
            Some(_) => drop(sending.end()),
        }
    }
}

/// Whether the task is to let others run before it can know that there is nothing; then it is
/// woken again, whatever the transport makes of its waker.
fn has_to_yield(cx: &mut Context<'_>) -> bool {
    !coop::has_budget_remaining() && pin!(coop::consume_budget()).poll(cx).is_pending()
}

/// How long the last writes may make no progress.
const PATIENCE: Duration = Duration::from_secs(1);

/// After so many reads without a pause, time passes all the same.
const READS_MAX: u8 = 64;
