//! The loop: what is done goes to the connection that it is of, and so does time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::convert::Infallible;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use sansocket::{Tick, Wake};
use slab::Slab;

use crate::peer::Peer;
use crate::ring::{Done, Ring, Then};

/// Serves until something is wrong with the ring itself.
pub(crate) fn serve(address: &str, ring: Ring) -> io::Result<Infallible> {
    let listener = TcpListener::bind(address)?;
    println!("echo ws://{}/", listener.local_addr()?);
    let mut server = Server {
        listener,
        ring,
        peers: Slab::new(),
        alarms: BinaryHeap::new(),
        accept_at: Some(Tick::ZERO),
        start: Instant::now(),
    };
    loop {
        server.turn()?;
    }
}

struct Server {
    listener: TcpListener,
    ring: Ring,
    peers: Slab<Peer>,
    /// When to look at a connection at the latest: one entry each, that is moved only when
    /// it comes up.
    alarms: BinaryHeap<Reverse<(Tick, usize)>>,
    /// When to begin to accept, if that is not under way.
    accept_at: Option<Tick>,
    start: Instant,
}

impl Server {
    fn now(&self) -> Tick {
        Tick::ZERO + self.start.elapsed()
    }

    /// Waits for what is done, and for the time. How much that is was counted before, so
    /// nobody's bytes keep the others waiting for ever.
    fn turn(&mut self) -> io::Result<()> {
        let now = self.now();
        if self.accept_at.is_some_and(|at| at <= now) {
            self.accept_at = None;
            self.ring.accept(&self.listener)?;
        }
        for _ in 0..self.ring.wait(self.wait(now))? {
            match self.ring.next() {
                Done::Accepted { result, then } => {
                    if then == Then::IsOver {
                        // There are no more descriptors, say.
                        self.accept_at = Some(self.now() + ACCEPT_AGAIN);
                    }
                    if let Ok(stream) = result {
                        self.welcome(stream)?;
                    }
                }
                Done::Received { key, result, then } => {
                    self.attend(key, |peer, ring| peer.received(ring, result, then))?;
                }
                Done::Sent { key, bytes, result } => {
                    self.attend(key, |peer, _| peer.sent(bytes, result))?;
                }
                Done::Nothing => {}
            }
        }
        let now = self.now();
        while let Some(Reverse((at, key))) = self.alarms.peek().copied()
            && at <= now
        {
            self.alarms.pop();
            self.attend(key, |peer, _| peer.alarm = None)?;
        }
        Ok(())
    }

    fn wait(&self, now: Tick) -> Option<Duration> {
        let alarm = self.alarms.peek().map(|Reverse((at, _))| *at);
        let until = alarm.into_iter().chain(self.accept_at).min();
        until.map(|until| (until - now).max(Duration::from_millis(1)))
    }

    fn welcome(&mut self, stream: TcpStream) -> io::Result<()> {
        // What is written is whole, and waits for nothing.
        let _ = stream.set_nodelay(true);
        let key = self.peers.insert(Peer::new(stream));
        self.attend(key, |_, _| {})
    }

    /// Does what there is to do for a connection, lets time pass for it, and sets its alarm.
    fn attend(&mut self, key: usize, work: impl FnOnce(&mut Peer, &mut Ring)) -> io::Result<()> {
        let now = self.now();
        let Some(peer) = self.peers.get_mut(key) else {
            return Ok(()); // its alarm outlived it, which may as well wake the next in its place
        };
        work(peer, &mut self.ring);
        peer.pass_time(now);
        peer.submit(key, &mut self.ring, now)?;
        if peer.is_gone() {
            self.peers.remove(key);
            return Ok(());
        }
        let at = match peer.wake() {
            Wake::Never => return Ok(()),
            Wake::Now => now,
            Wake::At(at) => at,
        };
        // One that is set for an earlier time will find out then.
        if peer.alarm.is_none_or(|alarm| at < alarm) {
            peer.alarm = Some(at);
            self.alarms.push(Reverse((at, key)));
        }
        Ok(())
    }
}

/// How long to wait when accepting ended.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
