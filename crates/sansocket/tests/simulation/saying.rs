//! The ways to send, what is owed, and how it comes to the transport.

use sansocket::{CloseCode, Fin, HEAD_GAP, Kind, Message, SendError, State, Transmit};

use super::{Node, Over, World};
use crate::application::Act;
use crate::deadlines::Stage;
use crate::ledger::{Fragment, Said};
use crate::network::{Broken, SECOND, Time};
use crate::support::{Endpoint, OWED_LEN_MAX};

impl<R: Endpoint> Node<R> {
    /// Lets the program do what it wants, as long as there is room for it.
    pub(super) fn act(&mut self, now: Time, world: &mut World) {
        while self.over.is_none() {
            let Some(act) = self.application.act(now, self.has_room()) else { return };
            if self.state() == State::Open || matches!(act, Act::Fail(_) | Act::Abort) {
                self.carry_out(act, now, world);
            } else {
                self.check_refuses();
                self.application.stop();
            }
        }
    }

    // 6455-5.5.1-06, 6455-6.1-02; 6455-5.1-08: who answers the peer's Close may
    // finish a message before.
    pub(super) fn check_refuses(&mut self) {
        if self.state() != State::CloseReceived {
            let sent = self.connection.send("late", &mut [0; 32]);
            assert_eq!(sent, Err(SendError::Closed));
        }
    }

    fn carry_out(&mut self, act: Act, now: Time, world: &mut World) {
        match act {
            Act::Message(kind, payload) => self.send(kind, &payload, now, world),
            Act::Fragment(kind, fin, payload) => {
                let mut place = vec![0; self.connection.send_len_max(payload.len())];
                let len = self.connection.send_fragment(kind, fin, &payload, &mut place);
                let len = len.expect("open, and room enough");
                let fragment = Fragment { kind, fin, payload: &payload };
                self.wrote(&place[..len], Some(fragment), now, world);
            }
            Act::Ping(payload) => {
                let mut place = [0; OWED_LEN_MAX];
                let len = self.connection.ping(&payload, &mut place).expect("open");
                self.wrote(&place[..len], None, now, world);
            }
            Act::Close(code, reason) => self.close(code, &reason, now, world),
            Act::Fail(code) => self.fail(code, now, world),
            Act::Abort => {
                world.tell(now, self.side, "aborts");
                self.connection.abort();
                self.over = Some(Over::Aborted);
                self.out.clear();
            }
        }
        self.check_engine();
    }

    /// One of the ways to send a whole message.
    fn send(&mut self, kind: Kind, payload: &[u8], now: Time, world: &mut World) {
        let message = match kind {
            Kind::Text => Message::Text(std::str::from_utf8(payload).expect("text")),
            Kind::Binary => Message::Binary(payload),
        };
        let fragment = Fragment { kind, fin: Fin::Last, payload };
        let connection = &mut self.connection;
        let mut bytes = Vec::new();
        match self.chance.between(0..=3) {
            0 => {
                bytes.resize(connection.send_len_max(payload.len()), 0);
                let len = connection.send(message, &mut bytes).expect("open, and room enough");
                bytes.truncate(len);
            }
            1 => {
                bytes.resize(HEAD_GAP, 0xee);
                bytes.extend_from_slice(payload);
                bytes = connection.send_in_place(kind, &mut bytes).expect("open").to_vec();
            }
            2 => {
                let mut head =
                    connection.head(kind, Fin::Last, payload.len() as u64).expect("open");
                bytes.extend_from_slice(head.as_bytes());
                for piece in payload.chunks(37.max(payload.len() / 3)) {
                    let start = bytes.len();
                    bytes.extend_from_slice(piece);
                    head.mask(&mut bytes[start..]);
                    // No control frame goes into the middle.
                    assert_eq!(connection.poll_transmit(&mut [0; 131]), Transmit::Idle);
                    connection.payload_written(piece.len() as u64).expect("as announced");
                }
            }
            _ => connection.append(message, &mut bytes).expect("open"),
        }
        self.wrote(&bytes, Some(fragment), now, world);
    }

    pub(super) fn has_room(&self) -> bool {
        self.out.len() < OUT_LEN_MAX
    }

    // 6455-7.1.2-01
    pub(super) fn close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
        now: Time,
        world: &mut World,
    ) {
        let mut place = [0; OWED_LEN_MAX];
        let len =
            self.connection.close(code, reason, &mut place).expect("a Close that may be sent");
        self.sent = Some(code.map(CloseCode::number));
        // The peer's Close ends the duty to answer.
        if self.heard.is_some() {
            self.unanswered = None;
        }
        self.wrote(&place[..len], None, now, world);
    }

    fn fail(&mut self, code: CloseCode, now: Time, world: &World) {
        let before = self.state();
        let failure = self.connection.fail_with(code);
        if !matches!(before, State::Closed | State::Failed) {
            world.tell(now, self.side, format_args!("fails: {failure}"));
            assert_eq!(failure.code(), code);
            self.set_failure(failure);
        }
    }

    /// Takes what the engine owes, unless too much is waiting already.
    pub(super) fn take_owed(&mut self, now: Time, world: &mut World) {
        if !self.has_room() {
            return;
        }
        let mut frames = 0;
        loop {
            let mut place = [0; 2 * OWED_LEN_MAX];
            // As much room as is needed at least, or any, or none.
            let room = self.chance.pick(&[0, 2, OWED_LEN_MAX, 2 * OWED_LEN_MAX]);
            match self.connection.poll_transmit(&mut place[..room]) {
                Transmit::Bytes(bytes) => {
                    let bytes = bytes.to_vec();
                    frames += self.wrote(&bytes, None, now, world);
                }
                Transmit::Full { need } => {
                    assert!(room < need && need <= OWED_LEN_MAX, "{need} bytes of {room}");
                }
                step => {
                    self.check_step(step);
                    break;
                }
            }
            // P3: a Pong, a Ping or its like, a Close, and no more.
            assert!(frames <= 3, "more is owed than can be");
        }
        assert_eq!(self.unanswered.take().filter(|_| self.must_answer()), None, "a Pong is owed");
        let beat = (self.owed_ping.take(), std::mem::take(&mut self.owes_heartbeat));
        assert!(self.stage() != Stage::Open || beat == (None, false), "a Ping is owed");
    }

    /// Whether a Ping that was heard must still be answered: 6455-5.5.2-02.
    fn must_answer(&self) -> bool {
        self.over.is_none() && self.failure.is_none() && self.heard.is_none()
    }

    /// These bytes are to be written; returns how many control frames they are.
    pub(super) fn wrote(
        &mut self,
        bytes: &[u8],
        data: Option<Fragment<'_>>,
        now: Time,
        world: &mut World,
    ) -> usize {
        let may_write = matches!(self.over, None | Some(Over::Ended | Over::Truncated));
        assert!(may_write, "it was given up: {bytes:02x?}");
        if let Some(Fragment { kind, fin, payload }) = data {
            let what = format_args!("says {kind:?} of {} bytes, {fin:?}", payload.len());
            world.tell(now, self.side, what);
        }
        let controls = world.ledger(self.side).write(bytes, data);
        for control in &controls {
            world.tell(now, self.side, format_args!("says {control:?}"));
            self.check_said(control);
        }
        if self.out.is_empty() {
            self.stuck_since = now;
        }
        self.out.extend_from_slice(bytes);
        controls.len()
    }

    /// What is said must be owed, or asked for by the program.
    fn check_said(&mut self, said: &Said) {
        match said {
            // 6455-5.5.3-01, 6455-5.5.3-02: the latest one.
            Said::Pong(payload) if self.unanswered.as_ref() == Some(payload) => {
                self.unanswered = None;
            }
            Said::Pong(payload) => {
                let asked = std::mem::take(&mut self.owes_heartbeat);
                assert!(asked && payload.is_empty(), "nobody asked for {said:?}");
            }
            Said::Ping(payload) if payload.len() == 8 => {
                assert_eq!(self.owed_ping.take().as_ref(), Some(payload));
            }
            Said::Close(frame) => {
                let code = frame.as_ref().map(|(code, _)| *code);
                assert_eq!(self.sent, Some(code), "another Close than that which is owed");
            }
            Said::Ping(_) | Said::Message(..) => {}
        }
    }

    /// Writes what the transport takes, and what is owed behind it.
    pub(super) fn write(&mut self, now: Time, world: &mut World) {
        loop {
            self.take_owed(now, world);
            if self.out.is_empty() {
                return;
            }
            match world.network.write(self.side, &self.out, now) {
                _ if self.broken => self.out.clear(),
                Ok(0) if now - self.stuck_since >= WRITE_STALL => self.receive_reset(now, world),
                Ok(0) => return,
                Ok(len) => {
                    self.out.drain(..len);
                    self.stuck_since = now;
                }
                Err(Broken) => self.break_off(now, world),
            }
        }
    }

    /// What cannot be written may still be answered: some read on, some do not.
    fn break_off(&mut self, now: Time, world: &World) {
        world.tell(now, self.side, "cannot write any more");
        self.broken = true;
        self.out.clear();
        if self.over.is_none() && self.chance.one_in(2) {
            self.receive_reset(now, world);
        }
    }
}

/// With more than this to be written, an endpoint neither says nor answers anything.
pub(super) const OUT_LEN_MAX: usize = 8 * 1024;

/// The longest that may come on top of that.
pub(super) const LONGEST: usize = 100 * 1024;

/// How long writing may make no progress, as adapters have it.
pub(super) const WRITE_STALL: Time = 30 * SECOND;
