//! A piece of a message, with the proof that it was checked.

use crate::message::Message;
use crate::opcode::{Fin, Kind};
use crate::utf8::Utf8;

/// A piece of a data message as it arrived: the payload bytes of one frame that
/// were there, unmasked and, if they are text, checked.
///
/// The pieces of a message come in order, and only control frames come between
/// them. A piece of a text may begin and end inside a character.
///
/// Of a compressed message (RFC 7692) the pieces are as they were sent, and say so:
/// they become messages by [`inflate`](crate::Connection::inflate) only.
#[derive(Debug)]
pub struct Data<'b> {
    kind: Kind,
    chunk: &'b mut [u8],
    start: Option<FrameStart>,
    fin: Fin,
    left: u64,
    coding: Coding,
    // The check before the piece and after it. Two pieces join to checked text
    // only where these are equal: that is what `Message::from_checked` needs.
    before: Utf8,
    after: Utf8,
}

/// What the bytes of a piece are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// What was sent.
    Plain,
    /// What was sent compressed, as it came.
    Compressed,
    /// What was sent compressed, made plain.
    #[cfg(feature = "deflate")]
    Inflated {
        /// Whether the message begins here.
        starts: bool,
    },
}

/// The frame that begins with a piece; for those who forward frames as they
/// come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameStart {
    /// Whether the frame is its message's first.
    pub position: Position,
    /// Whether it is its message's last.
    pub fin: Fin,
    /// The length of its whole payload in bytes.
    pub payload_len: u64,
}

/// Where a frame stands in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// It begins the message.
    First,
    /// It continues the message.
    Later,
}

/// How a text stood before a piece and stands after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked {
    pub(crate) before: Utf8,
    pub(crate) after: Utf8,
}

impl<'b> Data<'b> {
    pub(crate) fn new(
        kind: Kind,
        chunk: &'b mut [u8],
        (start, fin, left): (Option<FrameStart>, Fin, u64),
        coding: Coding,
        Checked { before, after }: Checked,
    ) -> Self {
        Self { kind, chunk, start, fin, left, coding, before, after }
    }

    /// What the next part of a compressed message was, made plain.
    #[cfg(feature = "deflate")]
    pub(crate) fn inflated(
        kind: Kind,
        chunk: &'b mut [u8],
        (starts, fin): (bool, Fin),
        checked: Checked,
    ) -> Self {
        Self::new(kind, chunk, (None, fin, 0), Coding::Inflated { starts }, checked)
    }

    /// Takes the first bytes off the piece.
    #[cfg(feature = "deflate")]
    pub(crate) fn consume(&mut self, len: usize) {
        let chunk = core::mem::take(&mut self.chunk);
        self.chunk = chunk.get_mut(len..).unwrap_or_default();
    }

    /// The kind of the message.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether the bytes are compressed, and to be given to
    /// [`inflate`](crate::Connection::inflate).
    #[inline]
    pub fn is_compressed(&self) -> bool {
        self.coding == Coding::Compressed
    }

    /// The bytes of this piece.
    pub fn bytes(&self) -> &[u8] {
        self.chunk
    }

    /// The bytes of this piece, to be changed or kept; the proof is given up.
    pub fn into_bytes(self) -> &'b mut [u8] {
        self.chunk
    }

    /// Whether the message begins with this piece.
    pub fn starts_message(&self) -> bool {
        match self.coding {
            #[cfg(feature = "deflate")]
            Coding::Inflated { starts } => starts,
            _ => self.start.is_some_and(|start| start.position == Position::First),
        }
    }

    /// Whether the message ends with this piece.
    pub fn ends_message(&self) -> bool {
        self.left == 0 && self.fin == Fin::Last
    }

    /// The frame that begins with this piece, if one does. What was inflated has no
    /// frames.
    pub fn frame_start(&self) -> Option<FrameStart> {
        self.start
    }

    /// How many bytes of the frame are still to come; zero at its end.
    pub fn frame_left(&self) -> u64 {
        self.left
    }

    /// The message, if the whole of it is in this piece and not compressed;
    /// otherwise the piece.
    pub fn into_message(self) -> Result<Message<'b>, Self> {
        if self.starts_message() && self.ends_message() && !self.is_compressed() {
            Ok(Message::from_checked(self.kind, self.chunk))
        } else {
            Err(self)
        }
    }

    /// Whether the piece may stand behind one of the same message whose check
    /// ended in `after`.
    pub(crate) fn follows(&self, kind: Kind, after: Utf8) -> bool {
        !self.starts_message() && self.kind == kind && self.before == after
    }

    pub(crate) fn after(&self) -> Utf8 {
        self.after
    }

    /// Everything but the bytes, to make the piece again of the same bytes.
    #[cfg(feature = "alloc")]
    pub(crate) fn shape(&self) -> Shape {
        let checked = Checked { before: self.before, after: self.after };
        let place = (self.start, self.fin, self.left);
        Shape { kind: self.kind, place, coding: self.coding, checked }
    }
}

/// What a [`Data`] is besides its bytes.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    kind: Kind,
    place: (Option<FrameStart>, Fin, u64),
    coding: Coding,
    checked: Checked,
}

#[cfg(feature = "alloc")]
impl Shape {
    pub(crate) fn kind(self) -> Kind {
        self.kind
    }

    pub(crate) fn is_compressed(self) -> bool {
        self.coding == Coding::Compressed
    }

    pub(crate) fn ends_message(self) -> bool {
        let (_, fin, left) = self.place;
        left == 0 && fin == Fin::Last
    }

    pub(crate) fn with_bytes(self, chunk: &mut [u8]) -> Data<'_> {
        Data::new(self.kind, chunk, self.place, self.coding, self.checked)
    }
}
