//! The message under way: its kind, its length, its fragments, its text.

use crate::frame::{Expect, FrameHeader, FramePart};
use crate::message::data::{Checked, Coding, Data, FrameStart, Position};
use crate::opcode::{Fin, Kind, Opcode};
use crate::utf8::Utf8;

/// What must be remembered of a message between its pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Incoming {
    kind: Option<Kind>,
    text: Utf8,
    fragments: u32,
    len: u64,
    compressed: bool,
}

/// A piece of a message as far as it is valid, and where it stops being so.
pub(crate) struct Taken<'b> {
    /// What may be delivered; `None` if the first byte is wrong already.
    pub(crate) data: Option<Data<'b>>,
    /// How many bytes before the end of the piece the text goes wrong. The
    /// piece's length plus one means the byte before it: the frame was empty.
    pub(crate) wrong_before_end: Option<usize>,
}

impl Incoming {
    /// Whether a message is unfinished.
    pub(crate) fn is_under_way(&self) -> bool {
        self.kind.is_some()
    }

    /// Which data frame fits next (section 5.4).
    pub(crate) fn expect(&self) -> Expect {
        match self.kind {
            Some(_) => Expect::Continuation,
            None => Expect::Message,
        }
    }

    /// Whether the message under way is compressed.
    pub(crate) fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// Fragments so far, and their bytes.
    pub(crate) fn used(&self) -> (u32, u64) {
        (self.fragments, self.len)
    }

    /// Takes the next piece of a data frame that the frame rules let pass.
    #[inline]
    pub(crate) fn receive<'b>(&mut self, part: FramePart<'b>) -> Taken<'b> {
        let start = part.header.map(|header| self.begin_frame(&header));
        // Only a frame that the rules refuse comes without a message.
        let kind = self.kind.unwrap_or(Kind::Binary);
        let before = self.text;
        let ends = part.left == 0 && part.fin == Fin::Last;
        let coding = if self.compressed { Coding::Compressed } else { Coding::Plain };
        if kind == Kind::Text
            && coding == Coding::Plain
            && !(part.is_ascii && self.text.is_complete())
            && let Err(at) = self.check_text(part.chunk, ends)
        {
            return Self::cut_off(part, start, before, at);
        }
        let checked = Checked { before, after: self.text };
        if ends {
            *self = Self::default();
        }
        let data = Data::new(kind, part.chunk, (start, part.fin, part.left), coding, checked);
        Taken { data: Some(data), wrong_before_end: None }
    }

    fn begin_frame(&mut self, header: &FrameHeader) -> FrameStart {
        let FrameHeader { fin, payload_len, .. } = *header;
        // RFC 7692 section 6: RSV1 is on the first frame, and is the only bit that
        // the frame rules let pass.
        let compressed = header.reserved != 0;
        let position = match header.opcode {
            Opcode::Text => self.begin_message(Kind::Text, compressed),
            Opcode::Binary => self.begin_message(Kind::Binary, compressed),
            _ => Position::Later,
        };
        self.fragments = self.fragments.saturating_add(1);
        self.len = self.len.saturating_add(payload_len);
        FrameStart { position, fin, payload_len }
    }

    fn begin_message(&mut self, kind: Kind, compressed: bool) -> Position {
        *self = Self { kind: Some(kind), compressed, ..Self::default() };
        Position::First
    }

    /// Section 8.1. The error is the index of the wrong byte; a text that ends
    /// inside a character goes wrong with its last byte, or, if the last frame
    /// is empty, with the byte before it.
    #[inline]
    fn check_text(&mut self, chunk: &[u8], ends: bool) -> Result<(), Option<usize>> {
        self.text.push(chunk).map_err(Some)?;
        if ends && !self.text.is_complete() {
            return Err(chunk.len().checked_sub(1));
        }
        Ok(())
    }

    #[cold]
    fn cut_off<'b>(
        part: FramePart<'b>,
        start: Option<FrameStart>,
        before: Utf8,
        at: Option<usize>,
    ) -> Taken<'b> {
        let len = part.chunk.len();
        let valid = at.unwrap_or(0);
        let wrong_before_end = Some(at.map_or(len + 1, |at| len - at));
        // A frame that began is told of, as it is when its header comes alone.
        if len == 0 || (valid == 0 && start.is_none()) {
            return Taken { data: None, wrong_before_end };
        }
        let mut after = before;
        // Valid by the choice of `valid`.
        let _ = after.push(&part.chunk[..valid]);
        // One byte is missing at least, so this piece ends nothing.
        let left = part.left.saturating_add((len - valid) as u64);
        let data = Data::new(
            Kind::Text,
            &mut part.chunk[..valid],
            (start, part.fin, left),
            Coding::Plain,
            Checked { before, after },
        );
        Taken { data: Some(data), wrong_before_end }
    }
}
