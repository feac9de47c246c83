//! A transport in memory with a peer behind it, of which any call goes wrong as
//! told. Nothing in it waits: where a socket would, it says so at once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use sansocket_net::{SplitTransport, Transport};

use crate::peer::Peer;
use crate::support::Frame;

/// What goes wrong in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// One byte is read or written, and no more.
    Short,
    /// An error of this kind; nothing is read or written.
    Error(ErrorKind),
    /// The stream ends: a read finds its end, a write takes nothing.
    End,
}

/// Faults after which a call is to be made again.
pub(crate) const TRANSIENT: [Fault; 4] = [
    Fault::Short,
    Fault::Error(ErrorKind::Interrupted),
    Fault::Error(ErrorKind::WouldBlock),
    Fault::Error(ErrorKind::TimedOut),
];

/// Faults after which the transport is of no use any more.
pub(crate) const FATAL: [Fault; 4] = [
    Fault::End,
    Fault::Error(ErrorKind::ConnectionReset),
    Fault::Error(ErrorKind::BrokenPipe),
    Fault::Error(ErrorKind::Other),
];

/// Faults by the number of the call.
pub(crate) type Faults = [(usize, Fault)];

/// The kinds of calls, by what can go wrong in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Read,
    Write,
    Flush,
    /// Setting a timeout, ending a direction, cloning.
    Other,
}

/// How many bytes a read and a write take at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lens {
    pub(crate) read: usize,
    pub(crate) write: usize,
}

/// One handle to the transport; its clones share it.
#[derive(Debug)]
pub(crate) struct Wire(Rc<RefCell<Inner>>);

#[derive(Debug)]
struct Inner {
    peer: Peer,
    incoming: VecDeque<u8>,
    lens: Lens,
    faults: Vec<(usize, Fault)>,
    calls: usize,
    /// Reads in a row that found nothing.
    idle: usize,
    /// Nothing can be written any more, and what was to be read is there already.
    dead: bool,
    /// A write has failed, perhaps inside a frame.
    cut: bool,
    ended: bool,
}

impl Wire {
    pub(crate) fn new(peer: Peer, lens: Lens, faults: &Faults) -> Self {
        let inner = Inner {
            peer,
            incoming: VecDeque::new(),
            lens,
            faults: faults.to_vec(),
            calls: 0,
            idle: 0,
            dead: false,
            cut: false,
            ended: false,
        };
        Self(Rc::new(RefCell::new(inner)))
    }

    pub(crate) fn handle(&self) -> Self {
        Self(self.0.clone())
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> usize {
        self.0.borrow().calls
    }

    /// What the peer heard.
    pub(crate) fn heard(&self) -> Vec<Frame> {
        self.0.borrow().peer.heard.clone()
    }

    /// Whether the sending direction was ended.
    pub(crate) fn is_ended(&self) -> bool {
        self.0.borrow().ended
    }

    fn other_call(&self) -> io::Result<()> {
        self.0.borrow_mut().call(Call::Other).map(|_| ())
    }
}

impl Inner {
    /// Counts a call; fails if it is to go wrong, or says how many bytes it may take.
    fn call(&mut self, call: Call) -> io::Result<usize> {
        let number = self.calls;
        self.calls += 1;
        if std::thread::panicking() {
            return Err(ErrorKind::Other.into()); // a destructor that says goodbye
        }
        assert!(number < CALLS_MAX, "it never ends");
        let fault = self.faults.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault);
        match (fault, call) {
            (None, _) | (Some(Fault::Short), Call::Flush | Call::Other) => Ok(usize::MAX),
            (Some(Fault::Short), _) => Ok(1),
            // A call that cannot wait is not interrupted either.
            (Some(fault), Call::Other) if TRANSIENT.contains(&fault) => Ok(usize::MAX),
            (Some(Fault::End), Call::Flush | Call::Other) => self.die(ErrorKind::Other),
            (Some(Fault::End), _) => {
                self.dead = true;
                self.incoming.clear();
                Ok(0)
            }
            (Some(fault @ Fault::Error(kind)), _) if TRANSIENT.contains(&fault) => Err(kind.into()),
            (Some(Fault::Error(kind)), _) => self.die(kind),
        }
    }

    fn die<T>(&mut self, kind: ErrorKind) -> io::Result<T> {
        self.dead = true;
        Err(kind.into())
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.0.borrow_mut();
        assert!(!buf.is_empty(), "no room to read into");
        let len = inner.call(Call::Read)?.min(buf.len()).min(inner.lens.read);
        if inner.incoming.is_empty() && !inner.dead {
            let said = inner.peer.say();
            inner.incoming.extend(said);
        }
        if inner.incoming.is_empty() && len > 0 && !inner.dead && !inner.peer.has_left() {
            inner.idle += 1;
            assert!(inner.idle < IDLE_MAX, "it waits for ever: {:?}", inner.peer);
            return Err(ErrorKind::WouldBlock.into());
        }
        inner.idle = 0;
        inner.incoming.read(&mut buf[..len])
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.borrow_mut();
        let is_wanted = !inner.ended && !inner.cut;
        assert!(is_wanted || std::thread::panicking(), "a write behind the end or one that failed");
        let len = inner.call(Call::Write);
        inner.cut = inner.dead;
        let len = len?.min(bytes.len()).min(inner.lens.write);
        if inner.dead && len > 0 {
            return Err(ErrorKind::BrokenPipe.into());
        }
        inner.peer.hear(&bytes[..len]);
        Ok(len)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let max = self.0.borrow().lens.write;
        let all = bufs.iter().flat_map(|buf| buf.iter().copied());
        self.write(&all.take(max).collect::<Vec<u8>>())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().call(Call::Flush).map(|_| ())
    }
}

impl Transport for Wire {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO));
        self.other_call()
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        assert_ne!(timeout, Some(Duration::ZERO));
        self.other_call()
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.other_call()?;
        let mut inner = self.0.borrow_mut();
        inner.ended = true;
        inner.peer.leave();
        Ok(())
    }
}

impl SplitTransport for Wire {
    fn try_clone(&self) -> io::Result<Self> {
        self.other_call()?;
        Ok(self.handle())
    }

    fn shutdown_both(&mut self) -> io::Result<()> {
        self.other_call()?;
        let mut inner = self.0.borrow_mut();
        (inner.ended, inner.dead) = (true, true);
        Ok(())
    }
}

/// No session takes so many calls.
const CALLS_MAX: usize = 5_000;

/// A peer that says nothing to so many reads in a row never will.
const IDLE_MAX: usize = 20;
