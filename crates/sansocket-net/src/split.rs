//! A WebSocket on several threads: one receives, the others send.
//!
//! The two sides meet in two places under locks: the [`Outbox`], which a sender
//! holds for as long as its write blocks, and the slot of obligations, which nobody
//! holds for long. The receiver never waits for the outbox, or two peers that both
//! block in writing would both stop reading: it leaves its obligations in the slot,
//! and whoever has the outbox takes them along. Whoever lets go of the outbox looks
//! into the slot once more, so that nothing stays there.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use sansocket::adapter::{CloseReply, Counters, Error};
use sansocket::{
    CloseCode, CloseSent, Compress, Data, Extension, Fin, Inbox, Kind, Message, NoExtension,
    Obligation, Prepared, Role, Server, State,
};

use crate::outbox::{Flushed, Outbox, When};
use crate::pump::{Link, Pump};
use crate::transport::SplitTransport;

/// The half that receives, keeps the time and answers Pings.
///
/// As long as the connection is to live, a thread should be in one of its calls.
#[derive(Debug)]
pub struct Receiver<T: SplitTransport, R: Role, X: Extension = NoExtension> {
    pump: Pump<R, X>,
    side: ReceiverSide<T, R, X>,
}

/// The half that sends. It can be cloned and used from any number of threads; what
/// they send does not interleave.
#[derive(Debug)]
pub struct Sender<T: SplitTransport, R: Role, X: Extension = NoExtension> {
    shared: Arc<Shared<T, R, X>>,
}

/// The two halves of a split WebSocket.
pub type Halves<T, R, X = NoExtension> = (Receiver<T, R, X>, Sender<T, R, X>);

#[derive(Debug)]
struct Shared<T, R, X: Extension> {
    outbox: Mutex<Outbox<T, R, X>>,
    slot: Mutex<Slot>,
    /// How many bytes the transport took; kept by the outbox.
    taken: Arc<AtomicU64>,
    /// A sender gave the transport up.
    stalled: AtomicBool,
    /// The thread whose next message may wait, as it is receiving more to answer; zero for none.
    answering: AtomicUsize,
}

/// What one side has for the other.
#[derive(Debug, Default)]
struct Slot {
    owed: Vec<Obligation>,
    /// The answer to the peer's Close, for after that.
    reply: Option<CloseReply>,
    close_sent: Option<CloseSent>,
}

/// The receiver's way to the outbox, and its own handle to read from.
#[derive(Debug)]
struct ReceiverSide<T, R, X: Extension> {
    transport: T,
    shared: Arc<Shared<T, R, X>>,
    /// Not yet in the slot: the answer to a Close must not be there without its
    /// reason.
    owed: Vec<Obligation>,
    flushed: bool,
    taken_before: u64,
}

pub(crate) fn split<T: SplitTransport, R: Role, X: Extension>(
    mut pump: Pump<R, X>,
    outbox: Outbox<T, R, X>,
    reading: T,
) -> Halves<T, R, X> {
    pump.wake_every(WAKE_EVERY);
    let shared = Arc::new(Shared {
        taken: outbox.taken().clone(),
        outbox: Mutex::new(outbox),
        slot: Mutex::default(),
        stalled: AtomicBool::new(false),
        answering: AtomicUsize::new(0),
    });
    let side = ReceiverSide {
        transport: reading,
        shared: shared.clone(),
        owed: Vec::new(),
        flushed: false, // of what was owed before, perhaps
        taken_before: 0,
    };
    (Receiver { pump, side }, Sender { shared })
}

impl<T: SplitTransport, R: Role, X: Extension> Receiver<T, R, X> {
    /// Waits for the next message; see [`WebSocket::receive`](crate::WebSocket::receive).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn receive<'i>(&mut self, inbox: &'i mut Inbox) -> Result<Message<'i>, Error> {
        self.pump.receive(&mut self.side, inbox)?;
        inbox.message().ok_or(Error::ForeignInbox)
    }

    /// Waits for the next piece of a message; see
    /// [`WebSocket::receive_piece`](crate::WebSocket::receive_piece).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn receive_piece<'i>(&mut self, inbox: &'i mut Inbox) -> Result<Data<'i>, Error> {
        self.pump.receive_piece(&mut self.side, inbox)?;
        inbox.data().ok_or(Error::ForeignInbox)
    }

    /// Where the connection is on its way from open to closed.
    pub fn state(&self) -> State {
        self.pump.state()
    }

    /// What went through so far. Waits for a sender that is writing.
    pub fn counters(&self) -> Counters {
        let sending = self.side.shared.outbox().counters();
        self.pump.counters(&sending)
    }
}

impl<T: SplitTransport, R: Role, X: Extension> Sender<T, R, X> {
    /// Sends a message; see [`WebSocket::send`](crate::WebSocket::send). Waits for
    /// other senders. Only messages that the receiving thread sends may wait to be
    /// written together; the [`Receiver`] writes them before it waits itself.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send<'m>(&self, message: impl Into<Message<'m>>) -> Result<(), Error> {
        self.send_with(message, Compress::Auto)
    }

    /// [`send`](Self::send), or as it is: [`Compress::Never`] is for messages with
    /// secrets.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_with<'m>(
        &self,
        message: impl Into<Message<'m>>,
        compress: Compress,
    ) -> Result<(), Error> {
        let (message, when) = (message.into(), self.shared.when());
        self.shared.with_outbox(|outbox| outbox.send(message, compress, when))
    }

    /// Writes the messages that wait for others to be written with.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::flush`](crate::WebSocket::flush).
    pub fn flush(&self) -> Result<(), Error> {
        self.shared.with_outbox(Outbox::flush)
    }

    /// Sends one fragment of a message. Other senders must wait for the last: their
    /// messages are refused meanwhile.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_fragment(&self, kind: Kind, fin: Fin, payload: &[u8]) -> Result<(), Error> {
        self.shared.with_outbox(|outbox| outbox.send_fragment(kind, fin, payload, Compress::Auto))
    }

    /// [`send_fragment`](Self::send_fragment), or as it is, which the first fragment
    /// decides for all of the message.
    ///
    /// # Errors
    ///
    /// As [`send_fragment`](Self::send_fragment).
    pub fn send_fragment_with(
        &self,
        kind: Kind,
        fin: Fin,
        payload: &[u8],
        compress: Compress,
    ) -> Result<(), Error> {
        self.shared.with_outbox(|outbox| outbox.send_fragment(kind, fin, payload, compress))
    }

    /// Sends a Ping of at most 125 bytes.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        self.shared.with_outbox(|outbox| outbox.ping(payload))
    }

    /// Sends a Close. The receiver reports the end when the peer's Close comes, or
    /// its deadline passes.
    ///
    /// # Errors
    ///
    /// As [`WebSocket::close`](crate::WebSocket::close).
    pub fn close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        self.shared.with_outbox(|outbox| {
            let sent = outbox.close(Some(code), reason)?;
            self.shared.slot().close_sent = Some(sent);
            outbox.flush()
        })
    }
}

impl<T: SplitTransport, X: Extension> Sender<T, Server, X> {
    /// Sends a message that was encoded before.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_prepared<S: AsRef<[u8]>>(&self, prepared: &Prepared<S>) -> Result<(), Error> {
        self.shared.with_outbox(|outbox| outbox.send_prepared(prepared))
    }
}

impl<T: SplitTransport, R: Role, X: Extension> Clone for Sender<T, R, X> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T: SplitTransport, R: Role, X: Extension> Drop for Receiver<T, R, X> {
    /// Without its receiver the connection answers nothing: the peer is told, as
    /// far as that does not block, and the transport ended.
    fn drop(&mut self) {
        if self.pump.ended().is_none()
            && let Some(mut outbox) = self.side.shared.try_outbox()
        {
            let _ = outbox.close(Some(CloseCode::GOING_AWAY), "");
            let _ = outbox.try_flush();
        }
        // A sender may keep the stream open that nobody reads any more.
        let _ = self.side.transport.shutdown_both();
    }
}

impl<T: SplitTransport, R: Role, X: Extension> Shared<T, R, X> {
    /// Does something with the outbox, and what the receiver left before and after.
    fn with_outbox(
        &self,
        work: impl FnOnce(&mut Outbox<T, R, X>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut outbox = self.outbox();
        self.hand_over(&mut outbox);
        let done = work(&mut outbox);
        self.end_if_stalled(&mut outbox);
        drop(outbox);
        // The receiver may have come in between, and found the outbox taken.
        while self.slot().is_waiting() {
            let Some(mut outbox) = self.try_outbox() else { break };
            self.hand_over(&mut outbox);
            // What this comes to, the receiver reports.
            let _ = outbox.flush();
            self.end_if_stalled(&mut outbox);
        }
        done
    }

    /// When a message of this thread is to be written: once after each that it received.
    fn when(&self) -> When {
        let here = this_thread();
        match self.answering.compare_exchange(here, 0, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => When::Soon,
            Err(_) => When::Now,
        }
    }

    /// The receiver blocks in reading, and would not learn that it is over.
    fn end_if_stalled(&self, outbox: &mut Outbox<T, R, X>) {
        if outbox.is_stalled() {
            self.stalled.store(true, Ordering::Relaxed);
            let _ = outbox.transport.shutdown_both();
        }
    }

    fn hand_over(&self, outbox: &mut Outbox<T, R, X>) {
        let mut slot = self.slot();
        for obligation in slot.owed.drain(..) {
            outbox.take(obligation);
        }
        if let Some(reply) = slot.reply.take()
            && let Some(sent) = outbox.reply(&reply)
        {
            slot.close_sent = Some(sent);
        }
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox<T, R, X>> {
        // A thread that panicked while sending left whole frames or a broken
        // transport; either can be gone on with.
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_outbox(&self) -> Option<MutexGuard<'_, Outbox<T, R, X>>> {
        match self.outbox.try_lock() {
            Ok(outbox) => Some(outbox),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn is_waiting(&self) -> bool {
        !self.owed.is_empty() || self.reply.is_some()
    }
}

impl<T: SplitTransport, R: Role, X: Extension> ReceiverSide<T, R, X> {
    /// Leaves in the slot what is owed, for whoever has the outbox next.
    fn hand_in(&mut self, reply: Option<CloseReply>) {
        let mut slot = self.shared.slot();
        slot.owed.append(&mut self.owed);
        slot.reply = reply.or(slot.reply.take());
    }
}

impl<T: SplitTransport, R: Role, X: Extension> Link for ReceiverSide<T, R, X> {
    type Transport = T;

    fn transport(&mut self) -> &mut T {
        &mut self.transport
    }

    fn oblige(&mut self, obligation: Obligation) {
        self.flushed = false;
        if !obligation.is_pong() {
            self.owed.push(obligation);
            return;
        }
        if let Some(mut outbox) = self.shared.try_outbox() {
            self.shared.hand_over(&mut outbox);
            outbox.take(obligation);
            return;
        }
        let mut slot = self.shared.slot();
        // §5.5.3: the latest stands for all.
        slot.owed.retain(|owed| !owed.is_pong());
        slot.owed.push(obligation);
    }

    fn close_sent(&mut self) -> Option<CloseSent> {
        self.shared.slot().close_sent.take()
    }

    fn expect_more(&mut self, more: bool) {
        // A message may be held, now or since the last call.
        self.flushed = false;
        self.shared.answering.store(if more { this_thread() } else { 0 }, Ordering::Relaxed);
    }

    fn is_holding(&mut self) -> bool {
        self.shared.try_outbox().is_some_and(|outbox| outbox.is_holding())
    }

    fn flush(&mut self) -> Result<Flushed, Error> {
        if self.flushed {
            return Ok(Flushed::All);
        }
        self.hand_in(None);
        let Some(mut outbox) = self.shared.try_outbox() else {
            return Ok(Flushed::Blocked); // whoever has it takes our obligations along
        };
        self.shared.hand_over(&mut outbox);
        let flushed = outbox.try_flush()?;
        self.flushed = flushed == Flushed::All;
        Ok(flushed)
    }

    fn is_blocked(&mut self) -> bool {
        self.shared.try_outbox().is_none_or(|outbox| outbox.is_blocked())
    }

    fn reply(&mut self, reply: CloseReply) {
        self.flushed = false;
        self.hand_in(Some(reply));
    }

    fn has_transmitted(&mut self) -> bool {
        let taken = self.shared.taken.load(Ordering::Relaxed);
        let before = std::mem::replace(&mut self.taken_before, taken);
        !self.flushed && before != taken
    }

    fn is_stalled(&mut self) -> bool {
        self.shared.stalled.load(Ordering::Relaxed)
    }

    fn hurry(&mut self, _: Duration) {
        // The slices are short already, and the engine's deadline is kept between.
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        // A sender that still blocks in writing gets an error from this.
        self.transport.shutdown_write()
    }
}

/// A number that no other living thread has; not zero.
fn this_thread() -> usize {
    thread_local!(static PLACE: u8 = const { 0 });
    PLACE.with(|place| std::ptr::from_ref(place).addr())
}

/// How long a read may block before the receiver looks for a Close that was sent.
const WAKE_EVERY: Duration = Duration::from_millis(512);
