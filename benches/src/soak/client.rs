//! A well-behaved client: connects, does as its manner is, leaves, and comes back.

use std::time::{Duration, Instant};

use sansocket::handshake::{Answer, ClientHandshake, ClientRequest};
use sansocket::{ChaChaKeys, Client as ClientRole, Config, Connection, KeepAlive, Negotiated};

use super::crowd::World;
use super::event_loop::{Desk, Member};
use super::manner::Manner;
use super::open::{Open, Status, Trouble};
use super::wire::Wire;
use crate::Dice;

pub(super) struct Client {
    manner: &'static Manner,
    dice: Dice,
    stage: Stage,
}

enum Stage {
    Away { until: Instant },
    Opening(Box<Opening>),
    Open(Box<Open>),
    Gone,
}

struct Opening {
    wire: Wire,
    handshake: ClientHandshake<'static>,
    head: Vec<u8>,
    deadline: Instant,
}

impl Client {
    /// One that comes at `first` for the first time.
    pub(super) fn new(manner: &'static Manner, dice: Dice, first: Instant) -> Self {
        Self { manner, dice, stage: Stage::Away { until: first } }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open(_))
    }

    /// How many echoes are still to come.
    pub(super) fn outstanding(&self) -> u64 {
        match &self.stage {
            Stage::Open(open) => open.outstanding(),
            _ => 0,
        }
    }

    fn connect(&mut self, desk: &Desk<'_>, world: &mut World) -> Option<Instant> {
        let mut nonce = [0; 16];
        nonce.fill_with(|| self.dice.below(256).to_le_bytes()[0]);
        let handshake = ClientHandshake::new(ClientRequest::new(&world.uri), nonce);
        let handshake = handshake.expect("nothing is asked for that may not be");
        world.totals.attempts += 1;
        let mut wire = match desk.connect(world.address) {
            Ok(stream) => Wire::new(stream),
            Err(error) => return self.turned_away(&error.to_string(), desk.now, world),
        };
        wire.out = vec![0; handshake.request_len()];
        handshake.write(&mut wire.out).expect("there is room");
        let deadline = desk.now + PATIENCE;
        let opening = Opening { wire, handshake, head: Vec::new(), deadline };
        self.stage = Stage::Opening(Box::new(opening));
        Some(deadline)
    }

    fn turned_away(&mut self, how: &str, now: Instant, world: &mut World) -> Option<Instant> {
        world.totals.turned_away += 1;
        world.complain("turned away", how);
        self.leave(now, world)
    }

    /// It comes back in a moment, unless all are leaving.
    fn leave(&mut self, now: Instant, world: &World) -> Option<Instant> {
        if world.farewell {
            self.stage = Stage::Gone;
            return None;
        }
        let until = now + Duration::from_millis(100 + self.dice.below(800) as u64);
        self.stage = Stage::Away { until };
        Some(until)
    }

    fn open(&mut self, now: Instant, world: &mut World) -> Option<Instant> {
        let Stage::Opening(opening) = &mut self.stage else { return None };
        let negotiated = match opening.receive(&mut world.scratch) {
            Ok(Some(negotiated)) => negotiated,
            Ok(None) if now < opening.deadline => return Some(opening.deadline),
            Ok(None) => return self.turned_away("no answer in time", now, world),
            Err(how) => return self.turned_away(&how, now, world),
        };
        let Stage::Opening(opening) = std::mem::replace(&mut self.stage, Stage::Gone) else {
            return None;
        };
        let mut seed = [0; 32];
        seed.fill_with(|| self.dice.below(256).to_le_bytes()[0]);
        let role = ClientRole::new(ChaChaKeys::from_seed(seed));
        // The Pongs are for Pings of its own.
        let config = Config::new().keep_alive(KeepAlive::Off);
        let connection = Connection::new(negotiated, role, &config);
        world.totals.opened += 1;
        let open = Open::new(self.manner, opening.wire, connection, now, &mut self.dice);
        self.stage = Stage::Open(Box::new(open));
        Some(now)
    }

    fn act_open(&mut self, now: Instant, world: &mut World) -> Option<Instant> {
        let Stage::Open(open) = &mut self.stage else { return None };
        let (what, how) = match open.act(now, &mut self.dice, world) {
            Ok(Status::Until(next)) => return Some(next),
            Ok(Status::Left) => {
                world.totals.excused += open.outstanding();
                return self.leave(now, world);
            }
            Err(Trouble::Wrong(how)) => {
                world.totals.wrong += 1;
                ("wrong", how)
            }
            Err(Trouble::Dropped(how)) => {
                world.totals.dropped += 1;
                ("dropped", how)
            }
        };
        world.totals.lost += open.outstanding();
        world.complain(what, &how);
        self.leave(now, world)
    }
}

impl Member for Client {
    type World = World;

    fn act(&mut self, desk: &Desk<'_>, world: &mut World) -> Option<Instant> {
        match &mut self.stage {
            Stage::Away { .. } | Stage::Opening(_) if world.farewell => {
                self.stage = Stage::Gone;
                None
            }
            Stage::Away { until } if desk.now < *until => Some(*until),
            Stage::Away { .. } => self.connect(desk, world),
            Stage::Opening(_) => self.open(desk.now, world),
            Stage::Open(_) => self.act_open(desk.now, world),
            Stage::Gone => None,
        }
    }
}

impl Opening {
    /// What was negotiated, once the server has accepted.
    fn receive(&mut self, scratch: &mut [u8]) -> Result<Option<Negotiated>, String> {
        self.wire.write(usize::MAX).map_err(|error| error.to_string())?;
        // What follows the head is for later: the server speaks only when spoken to.
        match self.wire.read(scratch).map_err(|error| error.to_string())? {
            None => return Ok(None),
            Some(0) => return Err("the end of the stream".into()),
            Some(len) => self.head.extend_from_slice(&scratch[..len]),
        }
        match self.handshake.receive(&self.head).map_err(|error| error.to_string())? {
            Answer::Incomplete => Ok(None),
            Answer::Accepted(response) => Ok(Some(response.negotiated())),
            Answer::Rejected(response) => Err(response.status().to_string()),
        }
    }
}

/// How long the server may take to answer a request.
const PATIENCE: Duration = Duration::from_secs(5);
