//! A piece of a message, with the proof that it was checked.

use crate::message::Message;
use crate::opcode::{Fin, Kind};
use crate::utf8::Utf8;

/// A piece of a data message as it arrived: the payload bytes of one frame that
/// were there, unmasked and, if they are text, checked.
///
/// The pieces of a message come in order, and only control frames come between
/// them. A piece of a text may begin and end inside a character.
#[derive(Debug)]
pub struct Data<'b> {
    kind: Kind,
    chunk: &'b mut [u8],
    start: Option<FrameStart>,
    fin: Fin,
    left: u64,
    // The check before the piece and after it. Two pieces join to checked text
    // only where these are equal: that is what `Message::from_checked` needs.
    before: Utf8,
    after: Utf8,
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
        Checked { before, after }: Checked,
    ) -> Self {
        Self { kind, chunk, start, fin, left, before, after }
    }

    /// The kind of the message.
    pub fn kind(&self) -> Kind {
        self.kind
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
        self.start.is_some_and(|start| start.position == Position::First)
    }

    /// Whether the message ends with this piece.
    pub fn ends_message(&self) -> bool {
        self.left == 0 && self.fin == Fin::Last
    }

    /// The frame that begins with this piece, if one does.
    pub fn frame_start(&self) -> Option<FrameStart> {
        self.start
    }

    /// How many bytes of the frame are still to come; zero at its end.
    pub fn frame_left(&self) -> u64 {
        self.left
    }

    /// The message, if the whole of it is in this piece; otherwise the piece.
    pub fn into_message(self) -> Result<Message<'b>, Self> {
        if self.starts_message() && self.ends_message() {
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
        Shape { kind: self.kind, place: (self.start, self.fin, self.left), checked }
    }
}

/// What a [`Data`] is besides its bytes.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    kind: Kind,
    place: (Option<FrameStart>, Fin, u64),
    checked: Checked,
}

#[cfg(feature = "alloc")]
impl Shape {
    pub(crate) fn kind(self) -> Kind {
        self.kind
    }

    pub(crate) fn ends_message(self) -> bool {
        let (_, fin, left) = self.place;
        left == 0 && fin == Fin::Last
    }

    pub(crate) fn with_bytes(self, chunk: &mut [u8]) -> Data<'_> {
        Data::new(self.kind, chunk, self.place, self.checked)
    }
}
