//! The ways to receive, and what must be heard in all of them.

use sansocket::{Carried, Delivery, Event, Kind, Ready, Replies, State};

use super::{Node, Reader, World};
use crate::ledger::Said;
use crate::network::Time;
use crate::support::{Endpoint, OWED_LEN_MAX};

impl<R: Endpoint> Node<R> {
    pub(super) fn receive(&mut self, bytes: &mut [u8], now: Time, world: &mut World) {
        self.read_len += bytes.len() as u64;
        if matches!(self.state(), State::Closed | State::Failed) {
            self.read_since_done += bytes.len();
        }
        let arrival = world.ledger(self.side.other()).arrive(self.read_len);
        self.deadlines.hear(arrival);
        match self.reader {
            // 6455-7.1.7-07
            _ if self.failure.is_some() => {
                assert_eq!(self.connection.receive(bytes).err(), self.failure);
            }
            Reader::Inbox(_) | Reader::Pieces(_) => self.receive_by_inbox(bytes, now, world),
            Reader::Buffer(_) => self.receive_by_buffer(bytes, now, world),
            Reader::Carry(_) => self.receive_by_carry(bytes, now, world),
        }
        self.check_engine();
    }

    fn receive_by_inbox(&mut self, mut bytes: &[u8], now: Time, world: &mut World) {
        while !bytes.is_empty() {
            let (Reader::Inbox(inbox) | Reader::Pieces(inbox)) = &mut self.reader else { return };
            let spare = inbox.spare();
            assert!(!spare.is_empty(), "everything was advanced over");
            let (here, later) = bytes.split_at(spare.len().min(bytes.len()));
            spare[..here.len()].copy_from_slice(here);
            inbox.filled(here.len());
            bytes = later;
            while let Some(heard) = self.advance() {
                self.hear(heard, now, world);
            }
        }
    }

    /// What the inbox finds next.
    fn advance(&mut self) -> Option<Heard> {
        let connection = &mut self.connection;
        let (ready, inbox) = match &mut self.reader {
            Reader::Inbox(inbox) => (inbox.advance(connection), inbox),
            Reader::Pieces(inbox) => (inbox.advance_piece(connection), inbox),
            _ => return None,
        };
        match ready.expect("the peer breaks no rule") {
            Ready::Need => return None,
            Ready::Data => return inbox.data().map(|data| Heard::of(Event::Data(data))),
            _ => {}
        }
        Some(Heard::delivered(inbox.delivery().expect("something is ready")))
    }

    fn receive_by_buffer(&mut self, bytes: &[u8], now: Time, world: &mut World) {
        let Reader::Buffer(buffer) = &mut self.reader else { return };
        let mut buffer = std::mem::take(buffer);
        buffer.extend_from_slice(bytes);
        let mut start = 0;
        loop {
            let unread = &mut buffer[start..];
            let len = unread.len();
            let received = self.connection.receive(unread).expect("the peer breaks no rule");
            let (rest, need) = (received.rest.len(), received.need);
            start += len - rest;
            let Some(event) = received.event else {
                assert!(rest < need && need <= OWED_LEN_MAX, "{need} bytes with {rest}");
                break;
            };
            assert!(rest < len, "an event consumed nothing");
            self.hear_event(event, now, world);
        }
        buffer.drain(..start);
        // P2: what stays is less than a control frame, and everything else was consumed.
        if self.heard.is_none() {
            assert_eq!(self.connection.offset() + buffer.len() as u64, self.read_len);
        }
        self.reader = Reader::Buffer(buffer);
    }

    fn receive_by_carry(&mut self, mut bytes: &mut [u8], now: Time, world: &mut World) {
        let Reader::Carry(carry) = &mut self.reader else { return };
        let mut carry = std::mem::take(carry);
        while !bytes.is_empty() {
            let (len, carried) = (bytes.len(), carry.len());
            let received = carry.receive(&mut self.connection, bytes);
            let Carried { event, rest } = received.expect("the peer breaks no rule");
            let is_event = event.is_some();
            bytes = rest;
            if let Some(event) = event {
                self.hear_event(event, now, world);
            }
            assert!(bytes.len() < len || is_event && carried > 0, "nothing was consumed");
            assert!(carry.len() < OWED_LEN_MAX, "too much is carried");
        }
        self.reader = Reader::Carry(carry);
    }

    /// An event of the engine itself, which may be compressed.
    fn hear_event(&mut self, event: Event<'_>, now: Time, world: &mut World) {
        let mut out = [0; 700];
        match event {
            Event::Data(mut piece) if piece.is_compressed() => loop {
                let inflated = self.connection.inflate(&mut piece, &mut out);
                let Some(data) = inflated.expect("the peer compresses well") else { break };
                let heard = Heard::of(Event::Data(data));
                self.hear(heard, now, world);
            },
            event => self.hear(Heard::of(event), now, world),
        }
    }

    /// Holds what was heard against what was said.
    fn hear(&mut self, heard: Heard, now: Time, world: &mut World) {
        assert!(self.heard.is_none(), "{heard:?} behind the Close");
        assert!(self.over.is_none() && self.failure.is_none(), "{heard:?} at the end");
        let said = world.ledger(self.side.other());
        match heard {
            Heard::Piece { kind, bytes, starts, ends } => {
                assert_eq!(starts, self.partial.is_none());
                let (kind, mut whole) = self.partial.take().unwrap_or((kind, Vec::new()));
                said.hear_part(kind, whole.len(), &bytes);
                whole.extend(bytes);
                match ends {
                    true => said.hear(Said::Message(kind, whole)),
                    false => self.partial = Some((kind, whole)),
                }
            }
            Heard::Control(control) => {
                said.hear(control.clone());
                world.tell(now, self.side, format_args!("heard {control:?}"));
                match control {
                    Said::Ping(payload) => self.hear_ping(payload, now, world),
                    Said::Pong(payload) => self.deadlines.hear_pong(&payload),
                    Said::Close(frame) => self.hear_close(frame, now, world),
                    Said::Message(..) => {} // a whole one is heard as a piece of itself
                }
            }
        }
        self.take_owed(now, world);
    }

    // 6455-5.5.2-02, 6455-5.5.3-02
    fn hear_ping(&mut self, payload: Vec<u8>, now: Time, world: &mut World) {
        self.deadlines.hear_ping();
        if self.habits.replies == Replies::Automatic {
            self.unanswered = Some(payload);
        } else if self.has_room() {
            let mut place = [0; OWED_LEN_MAX];
            let len = self.connection.pong(&payload, &mut place).expect("a Ping may be answered");
            self.unanswered = Some(payload);
            self.wrote(&place[..len], None, now, world);
        }
    }

    // 6455-5.5.1-07, 6455-5.5.1-15
    fn hear_close(&mut self, frame: Option<(u16, String)>, now: Time, world: &mut World) {
        let code = frame.map(|(code, _)| code);
        self.heard = Some(code);
        if self.sent.is_some() {
            return;
        }
        let is_manual = self.habits.replies == Replies::Manual;
        if !is_manual {
            self.sent = Some(code);
        }
        if let Some((code, reason)) = self.application.answer(is_manual) {
            self.close(code, &reason, now, world);
        }
    }
}

/// What an engine or inbox gave, kept.
#[derive(Debug)]
enum Heard {
    Piece { kind: Kind, bytes: Vec<u8>, starts: bool, ends: bool },
    Control(Said),
}

impl Heard {
    fn of(event: Event<'_>) -> Self {
        match event {
            Event::Data(data) => Self::Piece {
                kind: data.kind(),
                starts: data.starts_message(),
                ends: data.ends_message(),
                bytes: data.bytes().to_vec(),
            },
            Event::Ping(payload) => Self::delivered(Delivery::Ping(payload)),
            Event::Pong(payload) => Self::delivered(Delivery::Pong(payload)),
            Event::Close(frame) => Self::delivered(Delivery::Close(frame)),
        }
    }

    fn delivered(delivery: Delivery<'_>) -> Self {
        match delivery {
            Delivery::Message(message) => Self::Piece {
                kind: message.kind(),
                bytes: message.as_bytes().to_vec(),
                starts: true,
                ends: true,
            },
            Delivery::Ping(payload) => Self::Control(Said::Ping(payload.to_vec())),
            Delivery::Pong(payload) => Self::Control(Said::Pong(payload.to_vec())),
            Delivery::Close(frame) => Self::Control(Said::Close(
                frame.map(|frame| (frame.code.number(), frame.reason.to_owned())),
            )),
        }
    }
}
