//! Compressed pieces made plain (RFC 7692 section 6.2): limits, text and order are
//! checked here, inside the loop.

use alloc::boxed::Box;

use super::inflater::{Inflated as Step, Inflater};
use super::negotiate::{ContextTakeover, DeflateDirection};
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
#[derive(Clone, Copy, Debug)]
struct Message {
    kind: Kind,
    text: Utf8,
    /// Its length on the wire, as its frames announce it.
    wire_len: u64,
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
            pool: config.deflate.pool.clone(),
            message_len_max: config.message_len_max,
            ratio_max: config.deflate.ratio_max,
            inflater: None,
            message: None,
            gap: false,
        }
    }

    /// A context, for a message in which nothing was inflated yet.
    fn make_inflater(&mut self, direction: DeflateDirection) -> Box<Inflater> {
        match &self.pool {
            Some(pool) => pool.inflater(direction.window_bits()),
            None => Box::new(Inflater::new(direction.window_bits())),
        }
    }

    /// The message is inflated to its end.
    fn end_message(&mut self) {
        self.message = None;
        if !self.drops_context() {
            return;
        }
        match (&self.pool, self.inflater.take()) {
            (Some(pool), Some(inflater)) => pool.give_inflater(inflater),
            (None, Some(mut inflater)) => {
                inflater.reset();
                self.inflater = Some(inflater);
            }
            (_, None) => {}
        }
    }

    /// RFC 7692 section 7.1.1: each message for itself.
    fn drops_context(&self) -> bool {
        self.direction.is_some_and(|direction| direction.context() == ContextTakeover::Drop)
    }
}

impl Receiving for DeflateReceiving {
    fn reserved_bits(&self) -> u8 {
        if self.direction.is_some() { RSV1 } else { 0 }
    }

    fn is_under_way(&self) -> bool {
        self.message.is_some()
    }

    fn deliver(&mut self, piece: &Data<'_>) {
        let frame_len = piece.frame_start().map_or(0, |frame| frame.payload_len);
        let (owed, ends) = (piece.bytes().len(), piece.ends_message());
        match &mut self.message {
            Some(message) if !piece.starts_message() => {
                self.gap |= message.owed > 0 || message.held.is_some();
                message.wire_len = message.wire_len.saturating_add(frame_len);
                message.owed = owed;
                message.ends = ends;
            }
            _ => {
                self.pass_over();
                self.message = Some(Message {
                    kind: piece.kind(),
                    text: Utf8::default(),
                    wire_len: frame_len,
                    len: 0,
                    owed,
                    held: None,
                    begun: false,
                    ends,
                    corrupt: false,
                });
                if self.gap && self.drops_context() {
                    self.inflater = None;
                    self.gap = false;
                }
            }
        }
    }

    fn pass_over(&mut self) {
        let message = self.message.take();
        self.gap |= message.is_some_and(|message| message.wire_len > 0);
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
        let (limit, over) = self.limit(&message);
        let room =
            usize::try_from(limit - message.len).map_or(out.len(), |left| left.min(out.len()));
        let out = &mut out[..room];
        let mut filled = Filled { len: 0, ends: message.ends, rule: None };
        // Without data there is no DEFLATE to end: an empty message in its shorter
        // form.
        if message.wire_len > 0 {
            let mut inflater =
                self.inflater.take().unwrap_or_else(|| self.make_inflater(direction));
            filled = message.fill(&mut inflater, piece, out, (limit, over));
            self.inflater = Some(inflater);
        }
        let before = message.text;
        let filled = message.check_text(filled, out);
        message.len += filled.len as u64;
        let data = (filled.len > 0 || filled.ends).then(|| {
            let starts = !core::mem::replace(&mut message.begun, true);
            let fin = if filled.ends { Fin::Last } else { Fin::More };
            let checked = Checked { before, after: message.text };
            Data::inflated(message.kind, &mut out[..filled.len], (starts, fin), checked)
        });
        self.message = Some(message);
        if filled.ends {
            self.end_message();
        }
        match filled.rule {
            None => Inflated { data, failure: None },
            Some(rule) => Inflated { data, ..self.fail(rule, message.len) },
        }
    }
}

impl DeflateReceiving {
    /// How long the message may become, and the rule that says so.
    fn limit(&self, message: &Message) -> (u64, InflateRule) {
        let max = self.message_len_max;
        match self.ratio_max {
            Some(ratio) if u64::from(ratio).saturating_mul(message.wire_len) < max => {
                (u64::from(ratio) * message.wire_len, InflateRule::Ratio { max: ratio })
            }
            _ => (max, InflateRule::TooBig { max }),
        }
    }

    /// The connection fails: no context is needed any more.
    fn fail(&mut self, rule: InflateRule, offset: u64) -> Inflated<'static> {
        self.message = None;
        self.inflater = None;
        Inflated { data: None, failure: Some(Failure { rule: Rule::Inflate(rule), offset }) }
    }
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

    /// Inflates into `out`, which ends where the limit does at the latest.
    fn fill(
        &mut self,
        inflater: &mut Inflater,
        piece: &mut Data<'_>,
        out: &mut [u8],
        (limit, over): (u64, InflateRule),
    ) -> Filled {
        let mut len = 0;
        if let Some(place) = out.first_mut()
            && let Some(byte) = self.held.take()
        {
            *place = byte;
            len = 1;
        }
        len += self.step(inflater, piece, &mut out[len..]);
        let mut rule = None;
        if len == out.len() {
            // Only one byte more can tell whether there is more.
            let mut byte = [0];
            let is_more = self.step(inflater, piece, &mut byte) > 0;
            if is_more && self.len + len as u64 == limit {
                return Filled { len, ends: false, rule: Some(over) };
            }
            self.held = is_more.then_some(byte[0]);
        }
        let mut ends = false;
        if self.held.is_none() {
            ends = self.ends && !self.is_owed() && inflater.end_message().is_ok();
            self.corrupt |= self.ends && !self.is_owed() && !ends;
            rule = self.corrupt.then_some(InflateRule::Corrupt);
        }
        Filled { len, ends, rule }
    }

    fn step(&mut self, inflater: &mut Inflater, piece: &mut Data<'_>, out: &mut [u8]) -> usize {
        if self.corrupt || self.held.is_some() {
            return 0;
        }
        let Step { consumed, produced, corrupt } = inflater.inflate(piece.bytes(), out);
        piece.consume(consumed);
        self.owed -= consumed;
        self.corrupt = corrupt;
        produced
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
