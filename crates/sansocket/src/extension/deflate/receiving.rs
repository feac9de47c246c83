//! Compressed pieces made plain (RFC 7692 section 6.2): limits, text and order are
//! checked here, inside the loop.

use alloc::boxed::Box;
use core::fmt;

use super::inflater::{Inflated as Step, Inflater};
use super::negotiate::DeflateDirection;
use super::pool::DeflatePool;
use super::rule::InflateRule;
use crate::config::Config;
use crate::error::{Failure, Rule};
use crate::extension::attach::{Inflated, Receiving};
use crate::frame::RSV1;
use crate::message::{Checked, Data};
use crate::opcode::{Fin, Kind};
use crate::utf8::Utf8;

/// The receiving half's part of permessage-deflate.
#[derive(Debug)]
pub struct DeflateReceiving {
    /// How the peer compresses; `None` if nothing was agreed.
    direction: Option<DeflateDirection>,
    pool: Option<DeflatePool>,
    message_len_max: u64,
    ratio_max: Option<u32>,
    inflater: Option<Box<Inflater>>,
    message: Option<Message>,
    /// The context has a gap: a piece was passed over.
    gap: bool,
}

/// The compressed message under way.
#[derive(Clone, Copy)]
struct Message {
    kind: Kind,
    text: Utf8,
    /// Its length on the wire, as its frames announce it.
    wire_len: u64,
    /// How much of that was inflated.
    wire_taken: u64,
    /// Where the wire bytes end that count for the ratio. It moves on only when
    /// everything before it came out, so how the bytes were cut cannot be seen.
    block_end: u64,
    /// Its length, as far as it was lent.
    len: u64,
    /// How many bytes of the last piece are still to be inflated.
    owed: usize,
    /// A byte that came out when nothing but its presence was asked for.
    held: Option<u8>,
    /// Something of it was lent.
    begun: bool,
    /// The last piece is the message's last.
    ends: bool,
    /// Behind the byte held, or what was lent, the data is corrupt.
    corrupt: bool,
}

impl DeflateReceiving {
    pub(super) fn new(direction: Option<DeflateDirection>, config: &Config) -> Self {
        Self {
            direction,
            pool: config.deflate.pool_for(direction),
            message_len_max: config.message_len_max,
            ratio_max: config.deflate.ratio_max,
            inflater: None,
            message: None,
            gap: false,
        }
    }

    fn drops_context(&self) -> bool {
        self.direction.is_some_and(|direction| direction.drops_context())
    }

    /// The context, as it stands before the next byte.
    fn take_inflater(&mut self, direction: DeflateDirection) -> Box<Inflater> {
        match (self.inflater.take(), &self.pool) {
            (Some(inflater), _) => inflater,
            (None, Some(pool)) => pool.inflater(direction.window_bits()),
            (None, None) => Box::new(Inflater::new(direction.window_bits())),
        }
    }

    /// What no later message refers to is forgotten, and goes back to the pool.
    fn drop_context(&mut self) {
        match (self.inflater.take(), &self.pool) {
            (Some(inflater), Some(pool)) => pool.give_inflater(inflater),
            (Some(mut inflater), None) => {
                inflater.reset();
                self.inflater = Some(inflater);
            }
            (None, _) => {}
        }
    }

    /// A message begins; one that was not inflated to its end never will be.
    fn begin(&mut self, piece: &Data<'_>) {
        let before = self.message.take();
        self.gap |= before.is_some_and(|message| message.wire_len > 0);
        if self.gap && self.drops_context() {
            self.drop_context();
            self.gap = false;
        }
        self.message = Some(Message {
            kind: piece.kind(),
            text: Utf8::default(),
            wire_len: 0,
            wire_taken: 0,
            block_end: if self.ratio_max.is_some() { RATIO_BLOCK } else { u64::MAX },
            len: 0,
            owed: 0,
            held: None,
            begun: false,
            ends: false,
            corrupt: false,
        });
    }

    /// How long the message may become, and the rule that says so.
    fn limit(&self, message: &Message) -> Limit {
        let max = self.message_len_max;
        let wire_len = message.block_end.min(message.wire_len);
        match self.ratio_max {
            Some(ratio) if u64::from(ratio).saturating_mul(wire_len) < max => {
                Limit { len: u64::from(ratio) * wire_len, rule: InflateRule::Ratio { max: ratio } }
            }
            _ => Limit { len: max, rule: InflateRule::TooBig { max } },
        }
    }

    /// The next part of the message, as much as fits.
    fn fill(
        &mut self,
        message: &mut Message,
        direction: DeflateDirection,
        piece: &mut Data<'_>,
        out: &mut [u8],
    ) -> Filled {
        // Without data there is no DEFLATE to end: an empty message in its shorter
        // form.
        if message.wire_len == 0 {
            return Filled { len: 0, ends: message.ends, rule: None };
        }
        let mut inflater = self.take_inflater(direction);
        let mut filled = Filled { len: 0, ends: false, rule: None };
        loop {
            let limit = self.limit(message);
            let before = message.len + filled.len as u64;
            let left = usize::try_from(limit.len - before).unwrap_or(usize::MAX);
            let room = left.min(out.len() - filled.len);
            let place = &mut out[filled.len..][..room];
            let next = message.fill(&mut inflater, piece, place, (before, limit));
            filled = Filled { len: filled.len + next.len, ..next };
            let stops = filled.rule.is_some() || filled.len == out.len();
            if stops || !message.next_block() {
                break;
            }
        }
        self.inflater = Some(inflater);
        filled
    }

    /// The connection fails: no context is needed any more.
    fn fail(&mut self, rule: InflateRule, offset: u64) -> Inflated<'static> {
        self.release();
        Inflated { data: None, failure: Some(Failure { rule: Rule::Inflate(rule), offset }) }
    }
}

impl Receiving for DeflateReceiving {
    fn reserved_bits(&self) -> u8 {
        if self.direction.is_some() { RSV1 } else { 0 }
    }

    fn deliver(&mut self, piece: &Data<'_>) {
        if piece.starts_message() {
            self.begin(piece);
        }
        let Some(message) = &mut self.message else {
            return;
        };
        self.gap |= message.owed > 0 || message.held.is_some();
        let frame_len = piece.frame_start().map_or(0, |frame| frame.payload_len);
        message.wire_len = message.wire_len.saturating_add(frame_len);
        message.owed = piece.bytes().len();
        message.ends = piece.ends_message();
    }

    fn inflate<'o>(&mut self, piece: &mut Data<'_>, out: &'o mut [u8]) -> Inflated<'o> {
        let (Some(mut message), Some(direction)) = (self.message, self.direction) else {
            return Inflated { data: None, failure: None };
        };
        if self.gap || piece.bytes().len() != message.owed {
            return self.fail(InflateRule::PieceMissing, message.len);
        }
        if out.is_empty() || !(message.is_owed() || message.ends) {
            return Inflated { data: None, failure: None };
        }
        let filled = self.fill(&mut message, direction, piece, out);
        let (filled, data) = message.lend(filled, out);
        self.message = Some(message);
        if filled.ends {
            self.message = None;
            if self.drops_context() {
                self.drop_context();
            }
        }
        match filled.rule {
            None => Inflated { data, failure: None },
            Some(rule) => Inflated { data, ..self.fail(rule, message.len) },
        }
    }

    fn release(&mut self) {
        self.message = None;
        self.drop_context();
        self.inflater = None;
    }
}

/// A length, and the rule that makes it the last.
#[derive(Clone, Copy, Debug)]
struct Limit {
    len: u64,
    rule: InflateRule,
}

/// What came out in one step.
#[derive(Clone, Copy, Debug)]
struct Filled {
    len: usize,
    /// The message ends behind it.
    ends: bool,
    /// What is wrong behind it.
    rule: Option<InflateRule>,
}

impl Message {
    /// Whether more may come out of what was delivered.
    fn is_owed(&self) -> bool {
        self.owed > 0 || self.held.is_some() || self.corrupt
    }

    /// Goes on to the wire bytes behind the block, if there are any.
    fn next_block(&mut self) -> bool {
        let is_through = self.wire_taken == self.block_end && self.owed > 0;
        if is_through {
            self.block_end = self.block_end.saturating_add(RATIO_BLOCK);
        }
        is_through
    }

    /// Inflates into `out`, which ends where the limit does at the latest, behind the
    /// `before` bytes that the message had.
    fn fill(
        &mut self,
        inflater: &mut Inflater,
        piece: &mut Data<'_>,
        out: &mut [u8],
        (before, limit): (u64, Limit),
    ) -> Filled {
        let mut len = 0;
        if let Some(place) = out.first_mut()
            && let Some(byte) = self.held.take()
        {
            *place = byte;
            len = 1;
        }
        len += self.step(inflater, piece, &mut out[len..]);
        if len == out.len() {
            // Only one byte more can tell whether there is more.
            let mut byte = [0];
            let is_more = self.step(inflater, piece, &mut byte) > 0;
            if is_more && before + len as u64 == limit.len {
                return Filled { len, ends: false, rule: Some(limit.rule) };
            }
            self.held = is_more.then_some(byte[0]);
        }
        let is_through = self.ends && !self.is_owed();
        let ends = is_through && inflater.end_message().is_ok();
        self.corrupt |= is_through && !ends;
        let is_wrong = self.corrupt && self.held.is_none();
        Filled { len, ends, rule: is_wrong.then_some(InflateRule::Corrupt) }
    }

    fn step(&mut self, inflater: &mut Inflater, piece: &mut Data<'_>, out: &mut [u8]) -> usize {
        if self.corrupt {
            return 0;
        }
        let input = piece.bytes();
        let left = usize::try_from(self.block_end - self.wire_taken).unwrap_or(usize::MAX);
        let Step { consumed, produced, corrupt } =
            inflater.inflate(&input[..left.min(input.len())], out);
        piece.consume(consumed);
        self.owed -= consumed;
        self.wire_taken += consumed as u64;
        self.corrupt = corrupt;
        produced
    }

    /// Lends what was filled, as far as it is text where it should be.
    fn lend<'o>(&mut self, filled: Filled, out: &'o mut [u8]) -> (Filled, Option<Data<'o>>) {
        let before = self.text;
        let filled = self.check_text(filled, out);
        self.len += filled.len as u64;
        if filled.len == 0 && !filled.ends {
            return (filled, None);
        }
        let starts = !core::mem::replace(&mut self.begun, true);
        let fin = if filled.ends { Fin::Last } else { Fin::More };
        let checked = Checked { before, after: self.text };
        let data = Data::inflated(self.kind, &mut out[..filled.len], (starts, fin), checked);
        (filled, Some(data))
    }

    /// §8.1, on what came out: the first impossible byte, or the end of a text that
    /// ends inside a character. Its last byte cannot be held back: that it is the last
    /// may be known only later.
    fn check_text(&mut self, filled: Filled, out: &[u8]) -> Filled {
        if self.kind != Kind::Text {
            return filled;
        }
        let before = self.text;
        let valid_len = match self.text.push(&out[..filled.len]) {
            Err(at) => at,
            Ok(()) if filled.ends && !self.text.is_complete() => filled.len,
            Ok(()) => return filled,
        };
        self.text = before;
        // Valid by the choice of its length.
        let _ = self.text.push(&out[..valid_len]);
        Filled { len: valid_len, ends: false, rule: Some(InflateRule::TextNotUtf8) }
    }
}

impl fmt::Debug for Message {
    /// Without the byte held: it is payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.kind)
            .field("wire_len", &self.wire_len)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// Wire bytes count for the ratio by so many at a time.
const RATIO_BLOCK: u64 = 1024;
