//! The message under way: its kind, its length, its fragments, its text.

use crate::frame::{Expect, FrameHeader, FramePart};
use crate::message::data::{Checked, Coding, Data, Position};
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

/// What a piece of a message is besides its bytes and its frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) kind: Kind,
    /// Where the frame stands that begins with the piece, if one does.
    pub(crate) start: Option<Position>,
    pub(crate) coding: Coding,
    pub(crate) checked: Checked,
}

/// A piece of a text that goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wrong {
    piece: Piece,
    /// Where; `None` is the byte before the piece, since its frame was empty.
    at: Option<usize>,
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
    ///
    /// # Errors
    ///
    /// Where its text goes wrong.
    #[inline(always)]
    pub(crate) fn receive(&mut self, part: &FramePart<'_>) -> Result<Piece, Wrong> {
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
            let checked = Checked { before, after: before };
            return Err(Wrong { piece: Piece { kind, start, coding, checked }, at });
        }
        let checked = Checked { before, after: self.text };
        if ends {
            *self = Self::default();
        }
        Ok(Piece { kind, start, coding, checked })
    }

    #[inline]
    fn begin_frame(&mut self, header: &FrameHeader) -> Position {
        // RFC 7692 section 6: RSV1 is on the first frame, and is the only bit that
        // the frame rules let pass.
        let compressed = header.reserved != 0;
        let position = match header.opcode {
            Opcode::Text => self.begin_message(Kind::Text, compressed),
            Opcode::Binary => self.begin_message(Kind::Binary, compressed),
            _ => Position::Later,
        };
        self.fragments = self.fragments.saturating_add(1);
        self.len = self.len.saturating_add(header.payload_len);
        position
    }

    #[inline]
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
}

impl Wrong {
    /// The part of the piece before the wrong byte; `None` if there is none to tell of.
    /// And how many bytes before the end of the piece the text goes wrong: the piece's
    /// length plus one means the byte before it.
    #[cold]
    pub(crate) fn cut<'b>(self, part: FramePart<'b>) -> (Option<Data<'b>>, usize) {
        let Self { mut piece, at } = self;
        let len = part.chunk.len();
        let valid = at.unwrap_or(0);
        let before_end = at.map_or(len + 1, |at| len - at);
        // A frame that began is told of, as it is when its header comes alone.
        if len == 0 || (valid == 0 && piece.start.is_none()) {
            return (None, before_end);
        }
        let chunk = &mut part.chunk[..valid];
        // Valid by the choice of `valid`.
        let _ = piece.checked.after.push(chunk);
        // One byte is missing at least, so this piece ends nothing.
        let left = part.left.saturating_add((len - valid) as u64);
        (Some(Data::of_frame(FramePart { chunk, left, ..part }, piece)), before_end)
    }
}
