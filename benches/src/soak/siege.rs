//! An attack that goes on: its connections, all on one thread.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sansocket::{Carry, ChaChaKeys, Client, Config, Connection, Event, Negotiated, Uri};

use super::attack::{Afterwards, Attack, Request};
use super::event_loop::{Desk, EventLoop, Member};
use super::wire::Wire;
use crate::load::Outcome;
use crate::{Dice, client};

/// The connections of an attack.
pub struct Siege {
    event_loop: EventLoop,
    attackers: Vec<Attacker>,
    world: World,
}

/// What all of them share.
struct World {
    attack: &'static Attack,
    address: SocketAddr,
    request: Vec<u8>,
    script: Vec<u8>,
    dice: Dice,
    scratch: Vec<u8>,
    connected: u64,
    opened: u64,
    bytes_sent: u64,
    /// How connections ended: the close code, the status, or how else.
    ends: BTreeMap<String, u64>,
}

impl Siege {
    /// Prepares one.
    pub fn new(attack: &'static Attack, url: &str, seed: u64) -> Outcome<Self> {
        let uri = Uri::parse(url)?;
        let mut dice = Dice::seeded(seed);
        let start = Instant::now();
        // They do not come all at once: a server has a second to let them in.
        let attackers = (0..attack.connections)
            .map(|_| Attacker::Away {
                until: start + Duration::from_millis(dice.below(1000) as u64),
            })
            .collect();
        let world = World {
            attack,
            address: format!("{}:{}", uri.host(), uri.port()).parse()?,
            request: request(&uri, attack.request),
            script: (attack.script)(),
            dice,
            scratch: vec![0; 64 * 1024],
            connected: 0,
            opened: 0,
            bytes_sent: 0,
            ends: BTreeMap::new(),
        };
        Ok(Self { event_loop: EventLoop::new(attack.connections)?, attackers, world })
    }

    /// Attacks, and returns how that went, as the fields of a JSON object.
    pub fn run(&mut self, time: Duration) -> io::Result<String> {
        self.event_loop.run(&mut self.attackers, &mut self.world, Instant::now() + time)?;
        let away = |attacker: &&Attacker| matches!(attacker, Attacker::Away { .. });
        let staying = self.attackers.len() - self.attackers.iter().filter(away).count();
        let World { connected, opened, bytes_sent, ends, .. } = &self.world;
        let ends: Vec<_> = ends.iter().map(|(how, count)| format!("{how:?}:{count}")).collect();
        Ok(format!(
            "\"connections\":{},\"connected\":{connected},\"opened\":{opened},\
             \"bytes_sent\":{bytes_sent},\"staying\":{staying},\"ends\":{{{}}}",
            self.attackers.len(),
            ends.join(","),
        ))
    }
}

/// What asks for a WebSocket. Nobody looks at the key of the answer.
fn request(uri: &Uri<'_>, how: Request) -> Vec<u8> {
    let offer = match how {
        Request::Deflate => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        _ => "",
    };
    let mut request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n",
        uri.resource(),
        uri.host_field(),
    )
    .into_bytes();
    if how == Request::Half {
        request.truncate(request.len() / 2);
    }
    request
}

/// One connection of an attack, and then the next.
enum Attacker {
    Away { until: Instant },
    There(Box<There>),
}

struct There {
    wire: Wire,
    /// How much of the script was sent.
    at: usize,
    next: Instant,
    answer: Answer,
}

/// What the server has said.
enum Answer {
    Head(Vec<u8>),
    Frames { connection: Box<Connection<Client<ChaChaKeys>>>, carry: Box<Carry> },
}

/// How a connection ended.
type End = String;

impl Member for Attacker {
    type World = World;

    fn act(&mut self, desk: &Desk<'_>, world: &mut World) -> Option<Instant> {
        let acted = match self {
            Self::Away { until } if desk.now < *until => return Some(*until),
            Self::Away { .. } => self.connect(desk, world),
            Self::There(there) => there.act(desk.now, world),
        };
        match acted {
            Ok(next) => Some(next),
            Err(end) => {
                *world.ends.entry(end).or_default() += 1;
                let wait =
                    world.attack.comes_back.mul_f64(0.5 + world.dice.below(1000) as f64 / 1e3);
                *self = Self::Away { until: desk.now + wait };
                Some(desk.now + wait)
            }
        }
    }
}

impl Attacker {
    fn connect(&mut self, desk: &Desk<'_>, world: &mut World) -> Result<Instant, End> {
        let mut wire = Wire::new(desk.connect(world.address).map_err(|error| name(&error))?);
        world.connected += 1;
        if world.attack.request != Request::Dribbled {
            wire.out.extend_from_slice(&world.request);
        }
        let answer = Answer::Head(Vec::new());
        *self = Self::There(Box::new(There { wire, at: 0, next: desk.now, answer }));
        Ok(desk.now)
    }
}

impl There {
    fn act(&mut self, now: Instant, world: &mut World) -> Result<Instant, End> {
        if world.attack.reads || matches!(self.answer, Answer::Head(_)) {
            self.read(world)?;
        }
        let opened = matches!(self.answer, Answer::Frames { .. });
        match world.attack.request {
            Request::Dribbled if !opened => self.send(now, &world.request, world.attack),
            _ if opened => self.send(now, &world.script, world.attack),
            _ => {}
        }
        world.bytes_sent += self.wire.write(usize::MAX).map_err(|error| name(&error))? as u64;
        Ok(if self.next > now { self.next } else { now + LOOK })
    }

    /// Puts the next step to what is to be written, if it is time, and the server took what
    /// was sent before.
    fn send(&mut self, now: Instant, script: &[u8], attack: &Attack) {
        if now < self.next || !self.wire.is_idle() {
            return;
        }
        if self.at == script.len() && attack.afterwards == Afterwards::Again {
            self.at = 0;
        }
        let rest = &script[self.at..];
        let step = &rest[..attack.step.min(rest.len())];
        self.wire.out.extend_from_slice(step);
        self.at += step.len();
        self.next = now + attack.pace;
    }

    fn read(&mut self, world: &mut World) -> Result<(), End> {
        while let Some(len) = self.wire.read(&mut world.scratch).map_err(|error| name(&error))? {
            if len == 0 {
                return Err(match &self.answer {
                    Answer::Head(head) => status(head).unwrap_or("end".into()),
                    Answer::Frames { .. } => "end".into(),
                });
            }
            match &mut self.answer {
                Answer::Head(head) => {
                    head.extend_from_slice(&world.scratch[..len]);
                    if head.windows(4).any(|end| end == b"\r\n\r\n") {
                        self.open(world)?;
                    }
                }
                Answer::Frames { connection, carry } => {
                    see(connection, carry, &mut world.scratch[..len])?;
                }
            }
        }
        Ok(())
    }

    fn open(&mut self, world: &mut World) -> Result<(), End> {
        let Answer::Head(head) = &self.answer else { return Ok(()) };
        match status(head) {
            Some(status) if status == "101" => {}
            status => return Err(status.unwrap_or("no status".into())),
        }
        world.opened += 1;
        let connection = Connection::new(Negotiated::from_upgraded(), client(), &Config::new());
        (self.at, self.next) = (0, Instant::now());
        self.answer = Answer::Frames { connection: Box::new(connection), carry: Box::default() };
        Ok(())
    }
}

/// Looks for a Close.
fn see(
    connection: &mut Connection<Client<ChaChaKeys>>,
    carry: &mut Carry,
    mut bytes: &mut [u8],
) -> Result<(), End> {
    loop {
        let received = carry.receive(connection, bytes).map_err(|failure| failure.to_string())?;
        match received.event {
            Some(Event::Close(frame)) => {
                return Err(frame.map_or("1005".into(), |frame| frame.code.number().to_string()));
            }
            Some(_) => bytes = received.rest,
            None => return Ok(()),
        }
    }
}

fn status(head: &[u8]) -> Option<String> {
    let digits = head.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    Some(String::from_utf8_lossy(digits).into_owned())
}

/// A server that closes a socket whose bytes it has not read resets it, and it is by chance
/// which of the two errors tells that.
fn name(error: &io::Error) -> End {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "reset".into(),
        kind => kind.to_string(),
    }
}

const LOOK: Duration = Duration::from_secs(1);
