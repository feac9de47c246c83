//! An imaginary network: a stream each way, in order. When its bytes arrive, in
//! what pieces, and whether they do, is up to the weather.

use std::collections::VecDeque;
use std::io::Read as _;

use crate::chance::Chance;

/// Microseconds since the beginning of the world.
pub(crate) type Time = u64;

pub(crate) const MILLI: Time = 1_000;
pub(crate) const SECOND: Time = 1_000_000;
const NEVER: Time = Time::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

pub(crate) const SIDES: [Side; 2] = [Side::Client, Side::Server];

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What the network does to the bytes.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// How long a segment is under way, at least and at most. None overtakes another.
    pub(crate) latency: (Time, Time),
    /// One segment in so many is held up for so long, and what is behind it too.
    pub(crate) stall: Option<(u64, Time)>,
    /// The longest segment.
    pub(crate) segment_len_max: usize,
    /// How many bytes may be between the writer and the reader.
    pub(crate) capacity: usize,
    pub(crate) fault: Option<Fault>,
}

/// What goes wrong once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Both ends are told of a reset.
    Reset { at: Time },
    /// From now on nothing of this side arrives, and nobody is told.
    Silence { of: Side, at: Time },
    /// The stream of this side ends behind so many bytes, wherever that is.
    Cut { of: Side, len: u64 },
}

/// What a read comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Bytes(usize),
    Nothing,
    End,
    Reset,
}

/// The transport takes nothing, now or ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Broken;

#[derive(Debug)]
pub(crate) struct Network {
    weather: Weather,
    chance: Chance,
    lanes: [Lane; 2],
    /// A reset throws away what has arrived and was not read.
    resets_discard: bool,
}

/// The stream that one side writes and the other reads.
#[derive(Debug, Default)]
struct Lane {
    /// What was written and not read; so many of it have arrived.
    bytes: VecDeque<u8>,
    arrived: usize,
    flight: VecDeque<(Time, Packet)>,
    /// When the last packet arrives.
    latest: Time,
    written: u64,
    /// Nothing more can be written.
    broken: bool,
    ended: bool,
    reset: bool,
    /// The reader has dropped its transport.
    deserted: bool,
    /// The reader made room.
    freed: bool,
}

#[derive(Clone, Copy, Debug)]
enum Packet {
    Bytes(usize),
    End,
    Reset,
}

impl Network {
    pub(crate) fn new(weather: Weather, mut chance: Chance) -> Self {
        let resets_discard = chance.one_in(2);
        Self { weather, chance, lanes: Default::default(), resets_discard }
    }

    /// When something arrives next.
    pub(crate) fn next_arrival(&self) -> Option<Time> {
        let flights = self.lanes.iter().filter_map(|lane| lane.flight.front());
        let reset = match self.weather.fault {
            Some(Fault::Reset { at }) => Some(at),
            _ => None,
        };
        flights.map(|(at, _)| *at).chain(reset).filter(|at| *at != NEVER).min()
    }

    /// Lets everything arrive that is due; says for each side whether it has news.
    pub(crate) fn deliver(&mut self, now: Time) -> [bool; 2] {
        let mut news = [false; 2];
        if let Some(Fault::Reset { at }) = self.weather.fault
            && at <= now
        {
            self.weather.fault = None;
            SIDES.iter().for_each(|side| self.reset(*side));
            news = [true; 2];
        }
        for side in SIDES {
            while let Some((at, packet)) = self.lanes[side as usize].flight.front().copied()
                && at <= now
            {
                self.lanes[side as usize].flight.pop_front();
                self.arrive(side, packet, now);
                news[side.other() as usize] = true;
            }
        }
        news
    }

    /// Whether there is room to write again, told once.
    pub(crate) fn take_freed(&mut self, side: Side) -> bool {
        std::mem::take(&mut self.lanes[side as usize].freed)
    }

    /// Writes what there is room for, and returns how much that was.
    pub(crate) fn write(&mut self, side: Side, bytes: &[u8], now: Time) -> Result<usize, Broken> {
        let lane = &self.lanes[side as usize];
        if lane.broken {
            return Err(Broken);
        }
        let mut len = bytes.len().min(self.weather.capacity.saturating_sub(lane.bytes.len()));
        let mut is_cut = false;
        if let Some(Fault::Cut { of, len: cut }) = self.weather.fault
            && of == side
        {
            let left = usize::try_from(cut.saturating_sub(lane.written)).unwrap_or(len);
            is_cut = left <= bytes.len();
            len = len.min(left);
            is_cut &= len == left;
        }
        let lane = &mut self.lanes[side as usize];
        lane.bytes.extend(&bytes[..len]);
        lane.written += len as u64;
        self.send_segments(side, len, now);
        if is_cut {
            self.end(side, now);
        }
        Ok(len)
    }

    /// Reads what has arrived.
    pub(crate) fn read(&mut self, side: Side, buf: &mut [u8]) -> Read {
        let lane = &mut self.lanes[side.other() as usize];
        let len = buf.len().min(lane.arrived);
        if len > 0 {
            let len = lane.bytes.read(&mut buf[..len]).unwrap_or(0);
            lane.arrived -= len;
            lane.freed = true;
            return Read::Bytes(len);
        }
        match lane {
            Lane { reset: true, .. } => Read::Reset,
            Lane { ended: true, .. } => Read::End,
            _ => Read::Nothing,
        }
    }

    /// This side writes no more.
    pub(crate) fn end(&mut self, side: Side, now: Time) {
        if !std::mem::replace(&mut self.lanes[side as usize].broken, true) {
            self.send(side, Packet::End, now);
        }
    }

    /// This side lets go of its transport. As with sockets, what it has not read
    /// resets the other side.
    pub(crate) fn drop(&mut self, side: Side, now: Time) {
        let lane = &mut self.lanes[side.other() as usize];
        lane.deserted = true;
        if lane.arrived > 0 {
            self.lanes[side as usize].broken = true;
            self.send(side, Packet::Reset, now);
        } else {
            self.end(side, now);
        }
    }

    fn send_segments(&mut self, side: Side, mut len: usize, now: Time) {
        while len > 0 {
            let longest = match self.chance.one_in(4) {
                true => 16.min(self.weather.segment_len_max),
                false => self.weather.segment_len_max,
            };
            let segment = self.chance.len(1..=longest).min(len);
            self.send(side, Packet::Bytes(segment), now);
            len -= segment;
        }
    }

    fn send(&mut self, side: Side, packet: Packet, now: Time) {
        let (least, most) = self.weather.latency;
        let mut latency = self.chance.between(least..=most);
        if let Some((count, time)) = self.weather.stall
            && self.chance.one_in(count)
        {
            latency += time;
        }
        let mut at = self.lanes[side as usize].latest.max(now + latency);
        if let Some(Fault::Silence { of, at: silent }) = self.weather.fault
            && of == side
            && at > silent
        {
            at = NEVER;
        }
        let lane = &mut self.lanes[side as usize];
        lane.latest = at;
        match lane.flight.back_mut() {
            // What arrives together arrives as one.
            Some((when, Packet::Bytes(len))) if *when == at => match packet {
                Packet::Bytes(more) => *len += more,
                packet => lane.flight.push_back((at, packet)),
            },
            _ => lane.flight.push_back((at, packet)),
        }
    }

    fn arrive(&mut self, side: Side, packet: Packet, now: Time) {
        let lane = &mut self.lanes[side as usize];
        match packet {
            // Nobody takes them, so no room comes of it.
            Packet::Bytes(_) if lane.deserted => {
                if !std::mem::replace(&mut lane.reset, true) {
                    self.send(side.other(), Packet::Reset, now);
                }
            }
            Packet::Bytes(len) => lane.arrived += len,
            Packet::End => lane.ended = true,
            Packet::Reset => self.reset(side),
        }
    }

    /// The reader of this side's stream is told of a reset.
    fn reset(&mut self, side: Side) {
        let lane = &mut self.lanes[side as usize];
        lane.reset = true;
        lane.flight.clear();
        if self.resets_discard {
            lane.arrived = 0;
        }
        lane.bytes.truncate(lane.arrived);
        self.lanes[side.other() as usize].broken = true;
    }
}
