//! An open connection of a well-behaved client: everything it sends must come back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sansocket::frame::CONTROL_FRAME_LEN_MAX;
use sansocket::{
    Carry, ChaChaKeys, Client, CloseCode, CloseFrame, Connection, Event, Fin, REASON_LEN_MAX, Tick,
};

use super::crowd::{Totals, World};
use super::manner::{Leaves, Manner};
use super::traffic::{Echo, Sample};
use super::wire::Wire;
use crate::Dice;

pub(super) struct Open {
    manner: &'static Manner,
    wire: Wire,
    connection: Connection<Client<ChaChaKeys>>,
    carry: Carry,
    /// What is coming back, the next first, and since when.
    echoes: VecDeque<(Echo, Instant)>,
    /// Payloads of Pings that have no Pong yet.
    pings: VecDeque<Vec<u8>>,
    /// After so many messages more it leaves.
    left: usize,
    close: Option<Close>,
    next_message: Instant,
    next_read: Instant,
    next_write: Instant,
}

/// What it said in its Close, and whether that was said back.
struct Close {
    code: CloseCode,
    reason: String,
    answered: bool,
    deadline: Instant,
}

/// How things stand with a connection.
pub(super) enum Status {
    /// It goes on, and has something to do then.
    Until(Instant),
    /// It is over, as it should be.
    Left,
}

/// What must not happen.
pub(super) enum Trouble {
    /// An echo, a Pong or a Close that is not what it should be.
    Wrong(String),
    /// The server ended the connection.
    Dropped(String),
}

impl Open {
    pub(super) fn new(
        manner: &'static Manner,
        wire: Wire,
        connection: Connection<Client<ChaChaKeys>>,
        now: Instant,
        dice: &mut Dice,
    ) -> Self {
        Self {
            manner,
            wire,
            connection,
            carry: Carry::new(),
            echoes: VecDeque::new(),
            pings: VecDeque::new(),
            left: manner.leaves.draw(dice),
            close: None,
            next_message: now + after(manner.pause, dice),
            next_read: now,
            next_write: now,
        }
    }

    /// How many echoes are still to come.
    pub(super) fn outstanding(&self) -> u64 {
        self.echoes.len() as u64
    }

    pub(super) fn act(
        &mut self,
        now: Instant,
        dice: &mut Dice,
        world: &mut World,
    ) -> Result<Status, Trouble> {
        if self.is_to_be_reset() && self.wire.has_unread() {
            world.totals.resets += 1;
            return Ok(Status::Left);
        }
        if !self.is_to_be_reset() && self.read(now, dice, world)? {
            return Ok(Status::Left);
        }
        self.send(now, dice, world);
        self.pass_time(world.tick(now))?;
        if self.write(now, dice, world)? && self.is_to_vanish() {
            world.totals.vanished += 1;
            return Ok(Status::Left);
        }
        Ok(Status::Until(self.wake(now, world)?))
    }

    fn is_to_be_reset(&self) -> bool {
        self.left == 0 && matches!(self.manner.leaves, Leaves::Resetting { .. })
    }

    fn is_to_vanish(&self) -> bool {
        self.left == 0 && matches!(self.manner.leaves, Leaves::Vanishing { .. })
    }

    // ---- receiving

    /// Reads what it may read now; whether that was the end, as it should be.
    fn read(&mut self, now: Instant, dice: &mut Dice, world: &mut World) -> Result<bool, Trouble> {
        // In the end nobody is slow any more.
        if now < self.next_read && !world.farewell {
            return Ok(false);
        }
        let (most, pause) = self.manner.reads.draw(dice);
        let mut scratch = std::mem::take(&mut world.scratch);
        let room = if world.farewell { scratch.len() } else { most.min(scratch.len()) };
        let ended = loop {
            match self.wire.read(&mut scratch[..room]) {
                Ok(Some(0)) => break self.ended("the end of the stream"),
                Ok(Some(len)) => {
                    if let Err(trouble) = self.receive(&mut scratch[..len], now, world) {
                        break Err(trouble);
                    }
                    if !pause.is_zero() && !world.farewell {
                        self.next_read = now + pause;
                        break Ok(false);
                    }
                }
                Ok(None) => break Ok(false),
                Err(error) => break self.ended(&error.to_string()),
            }
        };
        world.scratch = scratch;
        ended
    }

    fn ended(&self, how: &str) -> Result<bool, Trouble> {
        match &self.close {
            Some(Close { answered: true, .. }) => Ok(true),
            _ => Err(Trouble::Dropped(how.to_owned())),
        }
    }

    fn receive(
        &mut self,
        mut bytes: &mut [u8],
        now: Instant,
        world: &mut World,
    ) -> Result<(), Trouble> {
        loop {
            let received = self.carry.receive(&mut self.connection, bytes);
            let received = received.map_err(|failure| Trouble::Wrong(failure.to_string()))?;
            match received.event {
                Some(Event::Data(piece)) => {
                    let Some((echo, since)) = self.echoes.front_mut() else {
                        return Err(Trouble::Wrong("an echo of nothing".into()));
                    };
                    let whole = echo.take(&piece, &world.pool);
                    if whole.map_err(|what| Trouble::Wrong(what.into()))? {
                        world.echoed(self.manner, now - *since);
                        self.echoes.pop_front();
                    }
                }
                Some(Event::Pong(payload)) => take_pong(&mut self.pings, payload, world)?,
                Some(Event::Ping(_)) => world.totals.server_pings += 1,
                Some(Event::Close(frame)) => take_close(&mut self.close, frame, world)?,
                None => return Ok(()),
            }
            bytes = received.rest;
        }
    }

    // ---- sending

    /// Sends what there is time and room for: a message, a Ping, a Close.
    fn send(&mut self, now: Instant, dice: &mut Dice, world: &mut World) {
        if self.close.is_some() || self.left == 0 && !self.is_to_close() {
            return;
        }
        if world.farewell || self.left == 0 {
            if self.echoes.is_empty() && self.pings.is_empty() && self.wire.is_idle() {
                self.say_close(now, dice, world);
            }
            return;
        }
        if now < self.next_message || self.echoes.len() >= self.manner.deep {
            return;
        }
        self.next_message = now + after(self.manner.pause, dice);
        self.left -= 1;
        let sample = world.pool.draw(dice, self.manner.lens);
        self.send_message(&sample, dice, world);
        self.echoes.push_back((Echo::of(sample), now));
        world.totals.messages += 1;
    }

    fn is_to_close(&self) -> bool {
        matches!(self.manner.leaves, Leaves::Closing { .. })
    }

    /// In one frame mostly, or in fragments of any lengths, with Pings between.
    fn send_message(&mut self, sample: &Sample, dice: &mut Dice, world: &mut World) {
        let mut left = world.pool.bytes(sample);
        let most = if dice.below(3) > 0 { 1 } else { 1 << dice.below(7) };
        let fragments = 1 + dice.below(most);
        for fragment in (0..fragments).rev() {
            if dice.below(16) == 0 {
                self.send_ping(dice, &mut world.totals);
            }
            let fin = if fragment == 0 { Fin::Last } else { Fin::More };
            let len = if fragment == 0 { left.len() } else { dice.below(left.len() + 1) };
            let (now, rest) = left.split_at(len);
            self.encode(Connection::<Client<ChaChaKeys>>::frame_len(len), |connection, out| {
                connection.send_fragment(sample.kind(), fin, now, out).expect("it is open")
            });
            left = rest;
        }
        world.totals.fragmented += u64::from(fragments > 1);
    }

    fn send_ping(&mut self, dice: &mut Dice, totals: &mut Totals) {
        let payload: Vec<u8> = (0..dice.below(126)).map(|_| b'a' + byte(dice, 26)).collect();
        self.encode(CONTROL_FRAME_LEN_MAX, |connection, out| {
            connection.ping(&payload, out).expect("it is open")
        });
        self.pings.push_back(payload);
        totals.pings += 1;
    }

    fn say_close(&mut self, now: Instant, dice: &mut Dice, world: &World) {
        let code = match world.farewell {
            true => CloseCode::NORMAL,
            false => CloseCode::new(3000 + u16::from(byte(dice, 200))),
        };
        let reason = "até ".repeat(dice.below(REASON_LEN_MAX / "até ".len() + 1));
        self.encode(CONTROL_FRAME_LEN_MAX, |connection, out| {
            connection.close(Some(code), &reason, out).expect("it is open")
        });
        self.close = Some(Close { code, reason, answered: false, deadline: now + PATIENCE });
    }

    fn encode(
        &mut self,
        room: usize,
        encode: impl FnOnce(&mut Connection<Client<ChaChaKeys>>, &mut [u8]) -> usize,
    ) {
        let out = &mut self.wire.out;
        let start = out.len();
        out.resize(start + room, 0);
        let len = encode(&mut self.connection, &mut out[start..]);
        out.truncate(start + len);
    }

    /// Answers of the engine: Pongs for the server's keep-alive Pings.
    fn pass_time(&mut self, tick: Tick) -> Result<(), Trouble> {
        let passed = self.connection.handle_timeout(tick);
        passed.map_err(|failure| Trouble::Dropped(failure.to_string()))?;
        let _ = self.connection.append_transmit(&mut self.wire.out);
        Ok(())
    }

    /// Writes what it may write now; whether some of a message is written, and not all.
    fn write(&mut self, now: Instant, dice: &mut Dice, world: &mut World) -> Result<bool, Trouble> {
        if self.wire.is_idle() || now < self.next_write {
            return Ok(false);
        }
        let (mut most, pause) = self.manner.writes.draw(dice);
        if self.is_to_vanish() {
            most = 1 + dice.below(self.wire.out.len());
        }
        let written = self.wire.write(most);
        let len = written.map_err(|error| Trouble::Dropped(error.to_string()))?;
        world.totals.bytes_sent += len as u64;
        self.next_write = now + pause;
        Ok(len > 0)
    }

    // ---- time

    /// When there is something to do, if nothing is read or written before.
    fn wake(&self, now: Instant, world: &World) -> Result<Instant, Trouble> {
        let mut next = now + LOOK;
        if let Some(close) = &self.close {
            if close.deadline <= now {
                return Err(Trouble::Wrong("no end after the Close".into()));
            }
            next = next.min(close.deadline);
        }
        // What was to be done by now is done, or waits for the socket.
        let later = |at: Instant| if at > now { at } else { now + LOOK };
        if self.close.is_none() && self.echoes.len() < self.manner.deep {
            next = next.min(later(self.next_message));
        }
        if !self.wire.is_idle() {
            next = next.min(later(self.next_write));
        }
        if !world.farewell {
            next = next.min(later(self.next_read));
        }
        Ok(next)
    }
}

/// §5.5.3: where several Pings wait, the Pong for the latest stands for those before.
fn take_pong(
    pings: &mut VecDeque<Vec<u8>>,
    payload: &[u8],
    world: &mut World,
) -> Result<(), Trouble> {
    let Some(index) = pings.iter().position(|ping| ping == payload) else {
        return Err(Trouble::Wrong("a Pong of nothing".into()));
    };
    pings.drain(..=index);
    world.totals.pongs += 1;
    world.totals.pongs_for_several += u64::from(index > 0);
    Ok(())
}

fn take_close(
    close: &mut Option<Close>,
    frame: Option<CloseFrame<'_>>,
    world: &mut World,
) -> Result<(), Trouble> {
    let Some(close) = close else {
        let said =
            frame.map_or("nothing".into(), |frame| format!("{} {}", frame.code, frame.reason));
        return Err(Trouble::Dropped(format!("a Close with {said}")));
    };
    if frame != Some(CloseFrame { code: close.code, reason: &close.reason }) {
        return Err(Trouble::Wrong("a Close with another code or reason".into()));
    }
    close.answered = true;
    world.totals.closes += 1;
    Ok(())
}

/// A pause of this length on average.
fn after(pause: Duration, dice: &mut Dice) -> Duration {
    pause.mul_f64(dice.below(2001) as f64 / 1000.0)
}

fn byte(dice: &mut Dice, end: u8) -> u8 {
    dice.below(usize::from(end)).to_le_bytes()[0]
}

/// How long the server may take to answer a Close, and to end the connection then.
const PATIENCE: Duration = Duration::from_secs(30);

/// Nothing sleeps longer: so the engine's deadlines are looked at.
const LOOK: Duration = Duration::from_secs(1);
