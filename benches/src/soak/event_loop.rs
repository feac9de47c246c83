//! Any number of connections on one thread.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};

/// A place in the loop: one connection, and then perhaps another.
pub(super) trait Member {
    /// What all members share.
    type World;

    /// Does what can be done now: reads, writes, connects, leaves. Returns when to be called
    /// again if its stream is not ready before; `None` when it has gone for good.
    fn act(&mut self, desk: &Desk<'_>, world: &mut Self::World) -> Option<Instant>;
}

/// What a member is given to act with.
pub(super) struct Desk<'r> {
    pub(super) now: Instant,
    registry: &'r Registry,
    token: Token,
}

impl Desk<'_> {
    /// A stream that is about to be connected. It wakes the member; what was connected
    /// before does no more once it is dropped.
    pub(super) fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(address)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut stream, self.token, both)?;
        Ok(stream)
    }
}

/// The poll, and an alarm for each member.
pub(super) struct EventLoop {
    poll: Poll,
    events: Events,
    alarms: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Which of its alarms counts; those set before are let pass.
    due: Vec<Option<Instant>>,
}

impl EventLoop {
    pub(super) fn new(members: usize) -> io::Result<Self> {
        let mut this = Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            alarms: BinaryHeap::new(),
            due: vec![None; members],
        };
        this.wake_all();
        Ok(this)
    }

    /// Has every member act that has not gone.
    pub(super) fn wake_all(&mut self) {
        let now = Instant::now();
        (0..self.due.len()).for_each(|index| self.set(index, Some(now)));
    }

    /// Lets them act until then, or until all have gone.
    pub(super) fn run<M: Member>(
        &mut self,
        members: &mut [M],
        world: &mut M::World,
        until: Instant,
    ) -> io::Result<()> {
        loop {
            let now = Instant::now();
            let Some(&Reverse((next, _))) = self.alarms.peek() else { return Ok(()) };
            if now >= until {
                return Ok(());
            }
            // A millisecond is the finest that a poll waits for.
            let wait = next.min(until).saturating_duration_since(now);
            let wait = if wait.is_zero() { wait } else { wait.max(Duration::from_millis(1)) };
            match self.poll.poll(&mut self.events, Some(wait)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for token in self.events.iter().map(|ready| ready.token()).collect::<Vec<_>>() {
                self.act(token.0, members, world);
            }
            let now = Instant::now();
            while let Some(&Reverse((at, index))) = self.alarms.peek()
                && at <= now
            {
                self.alarms.pop();
                if self.due[index] == Some(at) {
                    self.act(index, members, world);
                }
            }
        }
    }

    fn act<M: Member>(&mut self, index: usize, members: &mut [M], world: &mut M::World) {
        let (registry, token) = (self.poll.registry(), Token(index));
        let desk = Desk { now: Instant::now(), registry, token };
        let next = members[index].act(&desk, world);
        self.set(index, next);
    }

    fn set(&mut self, index: usize, at: Option<Instant>) {
        if let Some(at) = at
            && self.due[index] != Some(at)
        {
            self.alarms.push(Reverse((at, index)));
        }
        self.due[index] = at;
    }
}
