//! A piece of a message, with the proof that it was checked.

use crate::frame::FramePart;
use crate::message::Message;
use crate::message::incoming::Piece;
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
    chunk: &'b mut [u8],
    shape: Shape,
}

/// What a [`Data`] is besides its bytes. It is written for each message, so it is kept
/// small.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    left: u64,
    /// Of the frame that begins here, if one does.
    payload_len: u64,
    start: Option<Position>,
    kind: Kind,
    fin: Fin,
    coding: Coding,
    checked: Checked,
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

/// How a text stood before a piece and stands after it. Two pieces join to checked text
/// only where these are equal: that is what `Message::from_checked` needs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Checked {
    pub(crate) before: Utf8,
    pub(crate) after: Utf8,
}

impl<'b> Data<'b> {
    /// The payload of `part`, as far as it is there.
    #[inline]
    pub(crate) fn of_frame(part: FramePart<'b>, piece: Piece) -> Self {
        let FramePart { fin, header, chunk, left, .. } = part;
        let payload_len = header.map_or(0, |header| header.payload_len);
        let Piece { kind, start, coding, checked } = piece;
        Self { chunk, shape: Shape { left, payload_len, start, kind, fin, coding, checked } }
    }

    /// A message in one frame, all there, that is valid if it is text.
    #[inline]
    pub(crate) fn whole(kind: Kind, chunk: &'b mut [u8]) -> Self {
        let shape = Shape {
            left: 0,
            payload_len: chunk.len() as u64,
            start: Some(Position::First),
            kind,
            fin: Fin::Last,
            coding: Coding::Plain,
            checked: Checked::default(),
        };
        Self { chunk, shape }
    }

    /// What the next part of a compressed message was, made plain.
    #[cfg(feature = "deflate")]
    pub(crate) fn inflated(
        kind: Kind,
        chunk: &'b mut [u8],
        (starts, fin): (bool, Fin),
        checked: Checked,
    ) -> Self {
        let coding = Coding::Inflated { starts };
        let (left, payload_len, start) = (0, 0, None);
        Self { chunk, shape: Shape { left, payload_len, start, kind, fin, coding, checked } }
    }

    /// Takes the first bytes off the piece.
    #[cfg(feature = "deflate")]
    pub(crate) fn consume(&mut self, len: usize) {
        let chunk = core::mem::take(&mut self.chunk);
        self.chunk = chunk.get_mut(len..).unwrap_or_default();
    }

    /// The kind of the message.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.shape.kind
    }

    /// Whether the bytes are compressed, and to be given to
    /// [`inflate`](crate::Connection::inflate).
    #[inline]
    pub fn is_compressed(&self) -> bool {
        self.shape.coding == Coding::Compressed
    }

    /// The bytes of this piece.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.chunk
    }

    /// The bytes of this piece, to be changed or kept; the proof is given up.
    pub fn into_bytes(self) -> &'b mut [u8] {
        self.chunk
    }

    /// Whether the message begins with this piece.
    #[inline]
    pub fn starts_message(&self) -> bool {
        self.shape.starts_message()
    }

    /// Whether the message ends with this piece.
    #[inline]
    pub fn ends_message(&self) -> bool {
        self.shape.ends_message()
    }

    /// The frame that begins with this piece, if one does. What was inflated has no
    /// frames.
    #[inline]
    pub fn frame_start(&self) -> Option<FrameStart> {
        let Shape { start, fin, payload_len, .. } = self.shape;
        start.map(|position| FrameStart { position, fin, payload_len })
    }

    /// How many bytes of the frame are still to come; zero at its end.
    pub fn frame_left(&self) -> u64 {
        self.shape.left
    }

    /// The message, if the whole of it is in this piece and not compressed;
    /// otherwise the piece.
    #[inline]
    pub fn into_message(self) -> Result<Message<'b>, Self> {
        if self.shape.is_message() {
            Ok(Message::from_checked(self.shape.kind, self.chunk))
        } else {
            Err(self)
        }
    }

    /// Whether the piece may stand behind one of the same message whose check
    /// ended in `after`.
    pub(crate) fn follows(&self, kind: Kind, after: Utf8) -> bool {
        self.shape.follows(kind, after)
    }

    pub(crate) fn after(&self) -> Utf8 {
        self.shape.after()
    }

    /// Everything but the bytes, to make the piece again of the same bytes.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }
}

#[cfg(feature = "alloc")]
impl Default for Shape {
    /// That of nothing in particular.
    fn default() -> Self {
        Data::whole(Kind::Binary, &mut []).shape
    }
}

#[cfg(feature = "alloc")]
impl Shape {
    pub(crate) fn kind(self) -> Kind {
        self.kind
    }

    pub(crate) fn is_compressed(self) -> bool {
        self.coding == Coding::Compressed
    }

    /// How many bytes of the frame are still to come.
    pub(crate) fn frame_left(self) -> u64 {
        self.left
    }

    pub(crate) fn with_bytes(self, chunk: &mut [u8]) -> Data<'_> {
        Data { chunk, shape: self }
    }
}

impl Shape {
    #[inline]
    pub(crate) fn starts_message(self) -> bool {
        match self.coding {
            #[cfg(feature = "deflate")]
            Coding::Inflated { starts } => starts,
            _ => self.start == Some(Position::First),
        }
    }

    #[inline]
    pub(crate) fn ends_message(self) -> bool {
        self.left == 0 && self.fin == Fin::Last
    }

    /// See [`Data::follows`].
    #[inline]
    pub(crate) fn follows(self, kind: Kind, after: Utf8) -> bool {
        !self.starts_message() && self.kind == kind && self.checked.before == after
    }

    #[inline]
    pub(crate) fn after(self) -> Utf8 {
        self.checked.after
    }

    /// Whether this is a message, and not compressed.
    #[inline]
    pub(crate) fn is_message(self) -> bool {
        self.starts_message() && self.ends_message() && self.coding != Coding::Compressed
    }
}
