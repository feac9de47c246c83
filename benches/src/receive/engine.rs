//! Our own rows, and the floors.

use std::hint::black_box;
use std::ops::Range;

use sansocket::{
    Assembler, Connection, Delivery, Event, Inbox, Kind, Message, Ready, Server, mask,
};

use super::{Engine, READ_LEN, Traffic};
use crate::connection;

/// Chunk mode: the connection over a buffer of the embedder's. A message that lies whole
/// there is lent from there; fragments are put together by an `Assembler`.
pub(super) struct Chunks {
    server: Connection<Server>,
    buf: Vec<u8>,
    assembler: Assembler<Vec<u8>>,
}

impl Chunks {
    pub(super) fn new(room: usize) -> Self {
        Self {
            server: connection(Server),
            buf: vec![0; room],
            assembler: Assembler::new(Vec::new(), room),
        }
    }
}

impl Engine for Chunks {
    fn receive(&mut self, traffic: &Traffic, mut see: impl FnMut(Kind, &[u8])) {
        let Self { server, buf, assembler } = self;
        let (mut wire, mut kept) = (&traffic.wire[..], 0);
        while !wire.is_empty() {
            let len = wire.len().min(buf.len() - kept);
            let (read, behind) = wire.split_at(len);
            buf[kept..][..len].copy_from_slice(read);
            wire = behind;

            let end = kept + len;
            let mut rest = &mut buf[..end];
            loop {
                let received = server.receive(rest).expect("a valid peer");
                rest = received.rest;
                let Some(event) = received.event else { break };
                let Event::Data(data) = event else { panic!("no data") };
                match data.into_message() {
                    Ok(message) => see_message(message, &mut see),
                    Err(piece) => {
                        let assembled = assembler.push(piece).expect("within the limit");
                        if let Some(message) = assembled.message() {
                            see_message(message, &mut see);
                        }
                    }
                }
            }
            kept = rest.len();
            buf.copy_within(end - kept..end, 0);
        }
    }
}

/// Whole messages: the connection and an `Inbox`.
pub(super) struct Boxes {
    server: Connection<Server>,
    inbox: Inbox,
}

impl Boxes {
    pub(super) fn new(room: usize) -> Self {
        Self { server: connection(Server), inbox: Inbox::with_capacity(room) }
    }

    /// With the inbox that one gets without asking: messages of 16 KiB fit.
    pub(super) fn usual() -> Self {
        Self { server: connection(Server), inbox: Inbox::new() }
    }
}

impl Engine for Boxes {
    fn receive(&mut self, traffic: &Traffic, mut see: impl FnMut(Kind, &[u8])) {
        let Self { server, inbox } = self;
        let mut wire = &traffic.wire[..];
        while !wire.is_empty() {
            let spare = inbox.spare();
            let (read, behind) = wire.split_at(wire.len().min(spare.len()));
            spare[..read.len()].copy_from_slice(read);
            inbox.filled(read.len());
            wire = behind;
            while inbox.advance(server).expect("a valid peer") == Ready::Message {
                let Some(Delivery::Message(message)) = inbox.delivery() else {
                    panic!("no message")
                };
                see_message(message, &mut see);
            }
        }
    }
}

fn see_message(message: Message<'_>, see: &mut impl FnMut(Kind, &[u8])) {
    match message {
        Message::Text(text) => see(Kind::Text, text.as_bytes()),
        Message::Binary(bytes) => see(Kind::Binary, bytes),
    }
}

/// Finds the frames and unmasks them in place. Believes every header, checks no text, and
/// puts nothing together.
pub(super) struct InPlace(Reads);

impl InPlace {
    pub(super) fn new(traffic: &Traffic) -> Self {
        Self(Reads::new(traffic))
    }
}

impl Engine for InPlace {
    fn receive(&mut self, traffic: &Traffic, mut see: impl FnMut(Kind, &[u8])) {
        let Reads { parts, buf } = &mut self.0;
        for part in parts {
            let mut rest = &mut buf[..part.len()];
            rest.copy_from_slice(&traffic.wire[part.clone()]);
            while !rest.is_empty() {
                let (len, key_at) = match rest[1] & 0x7f {
                    126 => (u16::from_be_bytes([rest[2], rest[3]]).into(), 4),
                    127 => {
                        let len = rest[2..].first_chunk().expect("whole frames");
                        (usize::try_from(u64::from_be_bytes(*len)).expect("short frames"), 10)
                    }
                    len => (len.into(), 2),
                };
                let kind = if rest[0] & 0xf == 1 { Kind::Text } else { Kind::Binary };
                let key = *rest[key_at..].first_chunk().expect("whole frames");
                let (payload, behind) = rest[key_at + 4..].split_at_mut(len);
                mask::apply(payload, key);
                see(kind, payload);
                rest = behind;
            }
        }
    }
}

/// The read alone.
pub(super) struct Copied(Reads);

impl Copied {
    pub(super) fn new(traffic: &Traffic) -> Self {
        Self(Reads::new(traffic))
    }
}

impl Engine for Copied {
    fn receive(&mut self, traffic: &Traffic, _: impl FnMut(Kind, &[u8])) {
        let Reads { parts, buf } = &mut self.0;
        for part in parts {
            black_box(&mut buf[..part.len()]).copy_from_slice(&traffic.wire[part.clone()]);
        }
    }
}

/// Parts of the wire that are whole frames, and a buffer for any of them.
struct Reads {
    parts: Vec<Range<usize>>,
    buf: Vec<u8>,
}

impl Reads {
    fn new(traffic: &Traffic) -> Self {
        let mut parts: Vec<Range<usize>> = Vec::new();
        for frame in &traffic.frames {
            match parts.last_mut() {
                Some(part) if frame.end - part.start <= READ_LEN => part.end = frame.end,
                _ => parts.push(frame.clone()),
            }
        }
        let room = parts.iter().map(Range::len).max();
        Self { parts, buf: vec![0; room.unwrap_or(0)] }
    }
}
